//! The session's state in one word.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a player's session stands. It tells what the *person* has: `Connected` is an address on the party's LAN and
/// a gateway that answers, not a tunnel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No party is joined, nor wanted.
    #[default]
    NotConnected,
    /// On the way to the party for the first time: the relay, the room, an address on the LAN.
    Connecting,
    /// In the room, but the party's gateway is not there, or does not answer.
    WaitingForGateway,
    /// On the LAN, with an address.
    Connected,
    /// It was connected, lost it, and is on the way back by itself.
    Reconnecting,
    /// It does not go: the relay refuses, the adapter cannot be made. A sentence says why, and what to do.
    CannotConnect,
}

impl State {
    /// All of them.
    pub const ALL: [State; 6] = [
        State::NotConnected,
        State::Connecting,
        State::WaitingForGateway,
        State::Connected,
        State::Reconnecting,
        State::CannotConnect,
    ];

    /// True while there is a session that [`crate::Request::Leave`] would end.
    pub fn is_session(self) -> bool {
        self != State::NotConnected
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::NotConnected => "Not connected",
            State::Connecting => "Connecting",
            State::WaitingForGateway => "Waiting for the party's gateway",
            State::Connected => "Connected",
            State::Reconnecting => "Reconnecting",
            State::CannotConnect => "Cannot connect",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_spelled_like_this_for_programs_and_for_people() {
        let spelled = State::ALL.map(|state| {
            let json = serde_json::to_value(state).unwrap();
            (json.as_str().unwrap().to_owned(), state.to_string())
        });
        let expected = [
            ("not_connected", "Not connected"),
            ("connecting", "Connecting"),
            ("waiting_for_gateway", "Waiting for the party's gateway"),
            ("connected", "Connected"),
            ("reconnecting", "Reconnecting"),
            ("cannot_connect", "Cannot connect"),
        ];
        assert_eq!(
            spelled,
            expected.map(|(json, word)| (json.to_owned(), word.to_owned()))
        );
    }
}
