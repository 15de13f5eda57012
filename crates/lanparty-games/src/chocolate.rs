//! Chocolate Doom and its kin: Doom, Heretic, Hexen and Strife as they were.
//!
//! ```text
//! 00 0e version 0 state players most mode mission name 0 …         (big endian)
//! ```
//!
//! `NET_PACKET_TYPE_QUERY_RESPONSE` and `NET_WriteQueryData` in `src/net_defs.h`, `net_structrw.c` there; bytes of
//! chocolate-server 3.0.0 of Debian 12.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said.strip_prefix(&[0, 0x0e])?);
    let version = said.text().filter(|version| !version.is_empty())?;
    let (_state, players, most) = (said.u8()?, said.u8()?, said.u8()?);
    let (_mode, _mission) = (said.u8()?, said.u8()?);
    let name = said.text()?;
    // Other programs begin with the same two bytes, and not with a version.
    let is_version = version.is_ascii() && version.iter().any(u8::is_ascii_digit);
    if !is_version || players > most {
        return None;
    }
    let digits = version.iter().position(u8::is_ascii_digit)?;
    let game = String::from_utf8_lossy(&version[..digits]);
    let found = Found::new(game.trim(), name, Codes::None);
    Some(found.with_players(Some(players.into()), Some(most.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_server_of_doom_says_its_name() {
        let answer = b"\x00\x0eChocolate Doom 3.0.0\0\x00\x00\x08\x04\x00Friday doom\0\x01CHOCOLATE_DOOM_0\0";
        let expected = Found::new("Chocolate Doom", b"Friday doom", Codes::None)
            .with_players(Some(0), Some(8));
        assert_eq!(recognise(&said(2342, answer)), Some(expected));
        assert_eq!(recognise(&said(2342, b"\x00\x0d")), None, "a question");
        assert_eq!(recognise(&said(2342, &answer[..30])), None, "cut");
    }
}
