//! Which games are on: servers that announce themselves, or answer a player's question, in frames that pass anyway.

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
