//! Which games are on at the party, as the gateway hears it.
//!
//! It hears more than any player: what machines of the LAN answer each other, where the switch shows it, and what
//! players answer to the LAN.

use super::Bridge;
use lanparty_games::{Game, Host};
use lanparty_obs::DropReason;
use lanparty_switch::{Speaker, Switch};
use std::time::Instant;

impl Bridge {
    /// The games that were heard of late, on the LAN and of players; these are called by their MAC addresses.
    pub fn games(&self, now: Instant) -> Vec<Game> {
        let mut games = self.games.list(now);
        for game in &mut games {
            game.host = game.mac.map(|mac| {
                let holder = |switch: &Switch| switch.holder(Speaker::Player(mac)).is_some();
                match self.switch.as_ref().is_some_and(holder) {
                    true => Host::Player(mac.to_string()),
                    false => Host::Lan,
                }
            });
        }
        games
    }

    /// Also what nobody in the room wants is heard, but neither echoes nor what is no machine's of the LAN to say.
    pub(super) fn hear_games_of_lan(
        &mut self,
        now: Instant,
        frame: &[u8],
        verdict: Result<(), DropReason>,
    ) {
        match verdict {
            Ok(()) | Err(DropReason::UnknownDestination | DropReason::Unwanted) => {
                self.games.hear(now, frame);
            }
            Err(_) => {}
        }
    }
}
