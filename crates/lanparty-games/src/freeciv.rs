//! Freeciv: the answer of a server, to everybody in 225.1.1.1.
//!
//! ```text
//! 01 host 0 port 0 version 0 state 0 players 0 message 0
//! 02 host 0 port 0 version 0 state 0 players 0 humans 0 message 0
//! ```

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

/// Where the answers go; questions go to the port before it.
pub(crate) const PORT: u16 = 4556;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    let version = said.u8().filter(|version| (1..=2).contains(version))?;
    let host = said.text()?;
    let port = said.decimal().filter(|&port| port != 0)?;
    let (_version, _state, players) = (said.text()?, said.text()?, said.decimal()?);
    // The others are the computer's.
    let players = match version {
        1 => players,
        _ => said.decimal()?,
    };
    let message = said.text()?;
    let has_message = !message.is_empty() && message != b"-";
    let name = if has_message { message } else { host };
    Some(Found {
        port: Some(port),
        players: Some(players),
        ..Found::new("Freeciv", name, Codes::None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::Datagram;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_server_says_where_it_is() {
        let hear = |payload| {
            recognise(&Datagram {
                to_port: PORT,
                ..said(56_720, payload)
            })
        };
        // freeciv-server 3.0.6 of Debian 12.
        let answer = b"\x02vm\x005556\x003.0.6\x00Pregame\x006\x000\x00-\x00";
        let expected = Found {
            port: Some(5556),
            players: Some(0),
            ..Found::new("Freeciv", b"vm", Codes::None)
        };
        assert_eq!(hear(answer), Some(expected.clone()));
        let older = b"\x01vm\x005556\x002.0.9\x00Running\x003\x00Friday\x00";
        let expected = Found {
            server: "Friday".to_owned(),
            players: Some(3),
            ..expected
        };
        assert_eq!(hear(older), Some(expected));
        assert_eq!(hear(b"\x02"), None, "a question");
    }
}
