//! What a server says of itself, whatever its protocol.

use crate::words::{Codes, words};
use std::time::Duration;

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) game: String,
    pub(crate) server: String,
    /// Where to join it, if that is not where the datagram came from.
    pub(crate) port: Option<u16>,
    pub(crate) map: Option<String>,
    pub(crate) players: Option<u16>,
    pub(crate) max_players: Option<u16>,
    /// True where several games answer like this, so that another answer may know better which it is.
    pub(crate) is_guess: bool,
    /// After so long without a word it may be gone, if it speaks by itself; who speaks only when asked says nothing by silence.
    pub(crate) silence: Option<Duration>,
    /// True where it says that it ends.
    pub(crate) is_over: bool,
}

impl Found {
    /// A game of this name; `game` is a stranger's where a protocol has many games.
    pub(crate) fn new(game: &str, server: &[u8], codes: Codes) -> Self {
        Found {
            game: words(game.as_bytes(), codes),
            server: words(server, codes),
            ..Found::default()
        }
    }

    pub(crate) fn on_map(self, map: Option<&[u8]>) -> Self {
        let map = map.map(|map| words(map, Codes::None));
        Found {
            map: map.filter(|map| !map.is_empty()),
            ..self
        }
    }

    pub(crate) fn with_players(self, players: Option<u16>, max_players: Option<u16>) -> Self {
        Found {
            players,
            max_players: max_players.filter(|&most| most > 0),
            ..self
        }
    }
}
