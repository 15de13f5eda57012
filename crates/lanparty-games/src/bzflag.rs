//! BZFlag: who answers its ping. It does not say what it is called.
//!
//! ```text
//! 00 38 03 03 BZFS0221 address(4) port(2) number(2) 04 address(4) style(2) options(2) shots(2) wins(2) timeout(2)
//!             score(2) team's score(2) time(2) most, then players and most of rogues, red, green, blue, purple, observers
//! ```
//!
//! `PingPacket` in `src/common/Ping.cxx` there; bytes of bzflag-server 2.4.26 of Debian 12.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

const REPLY: [u8; 4] = [0, 0x38, 0x03, 0x03];
const TEAMS: usize = 5;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said.strip_prefix(&REPLY)?);
    if !said.bytes(8)?.starts_with(b"BZFS") {
        return None;
    }
    said.skip(4)?;
    let port = said.u16_be().filter(|&port| port != 0)?;
    // Its number, the asker's address, and eight settings.
    said.skip(2 + 5 + 8 * 2)?;
    let most = said.u8()?;
    let mut players = 0;
    for _ in 0..TEAMS {
        players += u16::from(said.u8()?);
        said.skip(1)?;
    }
    let found = Found::new("BZFlag", b"", Codes::None);
    Some(Found {
        port: Some(port),
        ..found.with_players(Some(players), Some(most.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_ping_is_answered_with_players_and_no_name() {
        let mut answer = b"\x00\x38\x03\x03BZFS0221\0\0\0\0\x14\x22\0\0\x04\x0a\x09\x00\x01\x00\x00\x00\x10\
            \x00\x01\0\0\0\0\0\0\0\0\0\0\xc8\x00\xc8\x00\xc8\x00\xc8\x00\xc8\x00\xc8\x00\xc8\0\0\0\0\0\0"
            .to_vec();
        let expected = Found {
            port: Some(5154),
            ..Found::new("BZFlag", b"", Codes::None)
        };
        let empty = expected.clone().with_players(Some(0), Some(200));
        assert_eq!(recognise(&said(5154, &answer)), Some(empty));
        // One on the red team, three who look on.
        (answer[44], answer[52]) = (1, 3);
        let played = expected.with_players(Some(1), Some(200));
        assert_eq!(recognise(&said(5154, &answer)), Some(played));
        assert_eq!(
            recognise(&said(5154, b"\x00\x02\x04\x04\0\0")),
            None,
            "a question"
        );
    }
}
