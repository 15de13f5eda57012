//! Which games are on: servers that announce themselves, or answer a player's question, in frames that pass anyway.
//!
//! [`Games`] hears every frame on its way to a player's adapter, and keeps what game servers say of themselves; there is a
//! file for each way of saying it. Nothing is asked and nothing is sent, so a server is seen only when
//! something has made it speak where this player's machine hears it: the player's own game looks for servers, or the server
//! announces itself to everybody. What is not seen: answers to another player's question; multicast announcements
//! (Minecraft's, Freeciv's) while no program on this machine has joined their group; games that announce nothing or do
//! so in secret (Luanti, Command & Conquer Generals, DirectPlay's over TCP); answers in several IP fragments, or in
//! several packets of a game's own.
//!
//! All of it is strangers' bytes: they make no panic, no text that does more than be read, and
//! no more than [`MAX_GAMES`] games. The judges of frames see to it that who answers has the address; what it says of
//! itself is its own affair.
//!
//! Crates that query game servers (gamedig and its like) own their sockets; here a frame is all there is.

mod bedrock;
mod cursor;
mod datagram;
mod doom3;
mod found;
mod freeciv;
mod gamespy;
mod info_string;
mod minecraft;
mod openttd;
mod quake;
mod recognise;
mod source;
mod supertuxkart;
mod table;
mod teeworlds;
mod warcraft3;
mod words;

#[cfg(test)]
use recognise::recognise as recognised;
pub use table::{FORGOTTEN_AFTER, Games, MAX_GAMES};
pub use words::MAX_CHARS;

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A game server on the party's LAN, as it describes itself. All text is a stranger's, made safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    /// The game, such as `OpenArena`.
    pub game: String,
    /// What the server calls itself.
    pub server: String,
    /// Where to join it.
    pub address: SocketAddr,
    /// The map or world that is played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// Who plays now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub players: Option<u16>,
    /// How many could play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_players: Option<u16>,
    /// How long ago it was last heard, in milliseconds. After [`GREY_AFTER_MS`] it may be gone.
    pub heard_ms: u64,
}

/// After so long without a word a game is shown as one that may be gone, in milliseconds.
pub const GREY_AFTER_MS: u64 = 10_000;

impl Game {
    /// True while it was heard a moment ago.
    pub fn is_on(&self) -> bool {
        self.heard_ms < GREY_AFTER_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_is_told_like_this() {
        let game = Game {
            game: "OpenArena".to_owned(),
            server: "Bert's cellar".to_owned(),
            address: "192.168.50.20:27960".parse().unwrap(),
            map: Some("oa_dm1".to_owned()),
            players: Some(3),
            max_players: None,
            heard_ms: 10_000,
        };
        let json = serde_json::to_value(&game).unwrap();
        assert_eq!(json["address"], "192.168.50.20:27960");
        assert_eq!(json.get("max_players"), None);
        assert_eq!(serde_json::from_value::<Game>(json).unwrap(), game);
        assert!(!game.is_on());
    }
}
