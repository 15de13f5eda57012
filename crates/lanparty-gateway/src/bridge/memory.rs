//! What outlives a card, or a cable that is pulled.

use super::Bridge;
use super::groups::Groups;
use crate::reach::Wanted;
use lanparty_games::{Game, Games, Host, is_game_port};
use lanparty_proto::MacAddr;
use lanparty_switch::reach::Reach;
use std::time::Instant;

/// What a gateway knows that holds for the next one too, by whatever card that is on the LAN.
#[derive(Debug)]
pub struct Memory {
    groups: Groups,
    games: Games,
    reach: Reach,
    wanted: Wanted,
}

impl Memory {
    /// Of nothing yet, for a gateway whose NIC has this MAC; the moments at which it speaks are made of the seed.
    pub fn new(nic: MacAddr, seed: u64) -> Self {
        Memory {
            groups: Groups::new(nic, seed),
            games: Games::default(),
            reach: Reach::new(nic, is_game_port),
            wanted: Wanted::default(),
        }
    }

    /// The LAN's games that were heard of late.
    pub fn games(&self, now: Instant) -> Vec<Game> {
        let mut games = self.games.list(now);
        for game in &mut games {
            game.host = game.mac.map(|_| Host::Lan);
        }
        games
    }
}

impl Bridge {
    /// The same with what a gateway before it knew: of its players' groups, of games on the LAN, and of what players may
    /// reach there.
    pub fn remembering(mut self, memory: Memory) -> Self {
        self.groups = memory.groups.moved(self.nic);
        self.games = memory.games;
        self.reach = memory.reach.moved(self.nic);
        self.wanted = memory.wanted;
        self
    }

    /// What the next one is told.
    pub fn into_memory(mut self) -> Memory {
        self.games.forget_players();
        Memory {
            groups: self.groups,
            games: self.games,
            reach: self.reach,
            wanted: self.wanted,
        }
    }
}
