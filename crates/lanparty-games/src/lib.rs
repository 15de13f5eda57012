//! Which games are on: servers that announce themselves, or answer somebody's question, in frames that pass anyway.
//!
//! [`Games`] hears the frames that a player's adapter gets, or a gateway carries and overhears, and keeps what game servers
//! say of themselves; there is a file for each way of saying it, with its source in its head. Nothing is asked, so a
//! server is seen only when something has made it speak where this machine hears it: a game looks for servers, or the
//! server announces itself to everybody, or to one of the [`GROUPS`]. docs/games.md lists the games, and what is not seen:
//! games that announce nothing, or by TCP; answers in several IP fragments, or in several packets of a game's own.
//!
//! All of it is strangers' bytes: they make no panic, no text that does more than be read, and
//! no more than [`MAX_GAMES`] games. The judges of frames see to it that who answers has the address; what it says of
//! itself is its own affair.
//!
//! Crates that query game servers (gamedig and its like) own their sockets; here a frame is all there is.

mod armagetron;
mod bedrock;
mod bzflag;
mod chocolate;
mod cube2;
mod cursor;
mod datagram;
mod directplay;
mod doom3;
mod found;
mod freeciv;
mod gamespy;
mod generals;
mod hedgewars;
mod info_string;
mod minecraft;
mod openra;
mod openttd;
mod ports;
mod quake;
mod recognise;
mod source;
mod starcraft;
mod stardew;
mod supertuxkart;
mod table;
mod teeworlds;
mod warcraft3;
mod widelands;
mod words;

pub use ports::is_game_port;
#[cfg(test)]
use recognise::recognise as recognised;
pub use recognise::{Announced, announced};
pub use table::{FORGOTTEN_AFTER, Games, MAX_GAMES, MAX_OF_ONE};
pub use words::MAX_CHARS;

use lanparty_proto::MacAddr;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where games announce themselves to whoever has joined: Minecraft's worlds, and Freeciv's servers when one is asked.
pub const GROUPS: [Ipv4Addr; 2] = [Ipv4Addr::new(224, 0, 2, 60), Ipv4Addr::new(225, 1, 1, 1)];

/// A game server at the party, as it describes itself. All text is a stranger's, made safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    /// The game, such as `OpenArena`.
    pub game: String,
    /// What the server calls itself.
    pub server: String,
    /// Where to join it.
    pub address: SocketAddr,
    /// The MAC address of the machine that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Whose machine that is, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// The map or world that is played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// Who plays now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub players: Option<u16>,
    /// How many could play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_players: Option<u16>,
    /// How long ago it was last heard, in milliseconds.
    pub heard_ms: u64,
    /// After so long without a word it may be gone, in milliseconds, if it speaks by itself. One that speaks only when
    /// it is asked may be there however long ago that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
}

/// Whose machine a game runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// One on the party's LAN.
    Lan,
    /// The player's of this name, or of this MAC address where there is none.
    Player(String),
}

/// So young a word is as good as a new one, in milliseconds.
const MOMENT_MS: u64 = 10_000;

impl Game {
    /// False after a server that speaks by itself has been silent for too long.
    pub fn is_on(&self) -> bool {
        self.silence_ms.is_none_or(|limit| self.heard_ms < limit)
    }

    /// The same so much later, while nothing more was heard of it; nothing when it is forgotten by then.
    pub fn aged(mut self, by: Duration) -> Option<Self> {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.heard_ms = self.heard_ms.saturating_add(by);
        let patience = table::forgotten_after(self.silence_ms.is_some());
        (u128::from(self.heard_ms) < patience.as_millis()).then_some(self)
    }

    /// How long ago it was heard, as people say it.
    pub fn heard(&self) -> String {
        match (self.heard_ms, self.heard_ms / 1000) {
            (..MOMENT_MS, _) => "now".to_owned(),
            (_, seconds @ ..60) => format!("{seconds} s ago"),
            (_, seconds) => format!("{} min ago", seconds / 60),
        }
    }

    /// Who plays of how many, as far as it is known.
    pub fn played(&self) -> String {
        match (self.players, self.max_players) {
            (Some(players), Some(most)) => format!("{players}/{most}"),
            (Some(players), None) => players.to_string(),
            (None, _) => String::new(),
        }
    }

    /// Its head for a table of [`Self::row`].
    pub const COLUMNS: [&str; 7] = [
        "GAME", "SERVER", "PLAYERS", "MAP", "HOST", "ADDRESS", "HEARD",
    ];

    /// The game as a line in a table.
    pub fn row(&self) -> [String; 7] {
        let host = match &self.host {
            Some(Host::Lan) => "LAN".to_owned(),
            Some(Host::Player(name)) => name.clone(),
            None => String::new(),
        };
        let heard = match self.is_on() {
            true => self.heard(),
            false => format!("{}, may be gone", self.heard()),
        };
        [
            self.game.clone(),
            self.server.clone(),
            self.played(),
            self.map.clone().unwrap_or_default(),
            host,
            self.address.to_string(),
            heard,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game() -> Game {
        Game {
            game: "OpenArena".to_owned(),
            server: "Bert's cellar".to_owned(),
            address: "192.168.50.20:27960".parse().unwrap(),
            mac: Some(MacAddr::new([0, 0x16, 0x3e, 0, 0, 9])),
            host: Some(Host::Player("Bert".to_owned())),
            map: Some("oa_dm1".to_owned()),
            players: Some(3),
            max_players: None,
            heard_ms: 10_000,
            silence_ms: None,
        }
    }

    #[test]
    fn a_game_is_told_like_this() {
        let json = serde_json::to_value(game()).unwrap();
        assert_eq!(json["address"], "192.168.50.20:27960");
        assert_eq!(json["mac"], "00:16:3e:00:00:09");
        assert_eq!(json["host"]["player"], "Bert");
        assert_eq!(json.get("max_players"), None);
        assert_eq!(serde_json::from_value::<Game>(json).unwrap(), game());
        let lan = serde_json::to_value(Host::Lan).unwrap();
        assert_eq!(lan, "lan");
        let older = r#"{"game":"x","server":"y","address":"10.0.0.1:1","heard_ms":5}"#;
        let older: Game = serde_json::from_str(older).unwrap();
        assert!(older.is_on() && older.host.is_none());
    }

    #[test]
    fn a_game_ages_until_it_is_forgotten() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let later = game().aged(minutes(9)).unwrap();
        assert_eq!(later.row()[6], "9 min ago");
        assert_eq!(later.aged(minutes(1)), None);
        let speaks = Game {
            silence_ms: Some(20_000),
            ..game()
        };
        assert!(!speaks.clone().aged(minutes(1)).unwrap().is_on());
        assert_eq!(speaks.aged(minutes(2)), None);
    }

    #[test]
    fn only_who_speaks_by_itself_may_be_gone() {
        let heard = |heard_ms, silence_ms| Game {
            heard_ms,
            silence_ms,
            ..game()
        };
        let asked = heard(550_000, None);
        assert!(asked.is_on());
        assert_eq!(asked.row()[6], "9 min ago");
        assert!(heard(9_999, Some(10_000)).is_on());
        let silent = heard(59_999, Some(10_000));
        assert!(!silent.is_on());
        assert_eq!(silent.row()[6], "59 s ago, may be gone");
        let row = heard(9_999, None).row();
        let expected = [
            "OpenArena",
            "Bert's cellar",
            "3",
            "oa_dm1",
            "Bert",
            "192.168.50.20:27960",
            "now",
        ];
        assert_eq!(row, expected);
    }
}
