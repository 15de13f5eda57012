//! Which games the player may join, and whose they are.

use super::Session;
use lanparty_ctrl::message::Newcomer;
use lanparty_games::{Game, Host};
use std::time::Instant;

impl Session {
    /// The game servers that were heard of late, on the LAN and of other players.
    pub fn games(&self, now: Instant) -> Vec<Game> {
        let mut games = self.games.list(now);
        for game in &mut games {
            game.host = game.mac.map(|mac| self.host_of(mac));
        }
        games
    }

    /// The players are gone with the link, and what they host; the LAN is where it was.
    pub(super) fn forget_players_games(&mut self) {
        let neighbours = self
            .place
            .iter()
            .flat_map(|place| place.neighbours.values());
        for mac in neighbours.filter_map(|neighbour| neighbour.who.mac()) {
            self.games.forget(mac.addr());
        }
    }

    /// What is no player's is the LAN's; while there is no link, nobody is a player.
    fn host_of(&self, mac: lanparty_proto::MacAddr) -> Host {
        let neighbours = self
            .place
            .iter()
            .flat_map(|place| place.neighbours.values());
        let mut players = neighbours.filter(|neighbour| match neighbour.who {
            Newcomer::Client(own) => own.addr() == mac,
            Newcomer::Gateway => false,
        });
        match players.next() {
            Some(player) => Host::Player(match &player.name {
                Some(name) => name.to_string(),
                None => mac.to_string(),
            }),
            None => Host::Lan,
        }
    }
}
