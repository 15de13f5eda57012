//! Teeworlds 0.6 and 0.7, and DDNet.
//!
//! ```text
//! ff ×6        ff ff ff ff inf3 number 0 version 0 name 0 map 0 type 0 flags 0 players 0 most 0 clients 0 most 0 …
//! ff ×6        ff ff ff ff iext number 0 version 0 name 0 map 0 crc 0 size 0 type 0 flags 0 players 0 …       (DDNet)
//! ff ×6        ff ff ff ff dtsf as inf3                                                                     (DDNet)
//! 21 token(8)  ff ff ff ff inf3 number version 0 name 0 host 0 map 0 type 0 flags skill players most clients most  (0.7)
//! ```
//!
//! Numbers are decimal digits, in 0.7 integers of one byte or more.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

/// How 0.7 begins what belongs to no connection: a flag, and the version of its packets.
pub(crate) const CONNECTIONLESS_0_7: u8 = 0x21;
const HEADER_0_6: &[u8] = &[0xff; 6];
const TOKENS_LEN: usize = 8;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    if let Some(said) = said.strip_prefix(HEADER_0_6) {
        return hear_0_6(said.strip_prefix(&[0xff; 4])?);
    }
    let said = said
        .strip_prefix(&[CONNECTIONLESS_0_7])?
        .get(TOKENS_LEN..)?;
    hear_0_7(Cursor(said.strip_prefix(b"\xff\xff\xff\xffinf3")?))
}

fn hear_0_6(said: &[u8]) -> Option<Found> {
    let (kind, rest) = said.split_at_checked(4)?;
    let mut said = Cursor(rest);
    let is_extended = kind == b"iext";
    if !is_extended && kind != b"inf3" && kind != b"dtsf" {
        return None;
    }
    let (_number, _version) = (said.text()?, said.text()?);
    let (name, map) = (said.text()?, said.text()?);
    if is_extended {
        let (_crc, _size) = (said.text()?, said.text()?);
    }
    let (kind_of_game, _flags) = (said.text()?, said.text()?);
    let (_players, _most, clients, most) = (
        said.decimal()?,
        said.decimal()?,
        said.decimal()?,
        said.decimal()?,
    );
    let is_ddnet = kind_of_game.to_ascii_lowercase();
    let is_ddnet = is_extended || is_ddnet.windows(4).any(|part| part == b"ddra");
    let game = if is_ddnet { "DDNet" } else { "Teeworlds" };
    let found = Found::new(game, name, Codes::None).on_map(Some(map));
    Some(found.with_players(Some(clients), Some(most)))
}

fn hear_0_7(mut said: Cursor<'_>) -> Option<Found> {
    integer(&mut said)?;
    let (_version, name, _host) = (said.text()?, said.text()?, said.text()?);
    let (map, _kind) = (said.text()?, said.text()?);
    let [_flags, _skill, _players, _most, clients, most] = [(); 6].map(|()| integer(&mut said));
    let count = |number: Option<i32>| number.and_then(|number| u16::try_from(number).ok());
    let found = Found::new("Teeworlds", name, Codes::None).on_map(Some(map));
    Some(found.with_players(count(clients), count(most)))
}

/// Six bits and a sign, then seven bits in each byte, while the highest says that there are more.
fn integer(said: &mut Cursor<'_>) -> Option<i32> {
    let first = said.u8()?;
    let mut number = i32::from(first & 0x3f);
    let (mut more, mut shift) = (first & 0x80 != 0, 6);
    while more {
        let byte = said.u8()?;
        number |= i32::from(byte & 0x7f)
            .checked_shl(shift)
            .filter(|_| shift < 28)?;
        (more, shift) = (byte & 0x80 != 0, shift + 7);
    }
    Some(if first & 0x40 != 0 { !number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    /// What teeworlds-server 0.7.5 of Debian 12 says.
    const TEEWORLDS: &[u8] = b"!LANpm<Z\xca\xff\xff\xff\xffinf3\x000.7.5\0Teeing\0\0dm1\0DM\0\
        \x00\x01\x00\x08\x00\x08";
    /// What DDNet-Server 16.4 of Debian 12 says to three questions.
    const DDNET_OLD: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffinf37\x000.6.4, 16.4\0\
        DDTee [0/64]\0dm1\0TestDDraceNetwor\x000\x000\x0016\x000\x0016\0";
    const DDNET_EXTENDED: &[u8] =
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffiext66055\x000.6.4, 16.4\0\
        DDTee\0dm1\0-233464210\x005805\0TestDDraceNetwor\x000\x000\x0064\x000\x0064\0\0";
    const DDNET_64: &[u8] = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffdtsf7\x000.6.4, 16.4\0\
        DDTee\0dm1\0TestDDraceNetwor\x000\x000\x0064\x000\x0064\0\0";

    fn found(game: &str, server: &str, most: u16) -> Option<Found> {
        let found = Found::new(game, server.as_bytes(), Codes::None).on_map(Some(b"dm1"));
        Some(found.with_players(Some(0), Some(most)))
    }

    #[test]
    fn teeworlds_and_ddnet_are_heard_in_all_their_ways() {
        let hear = |payload: &[u8]| recognise(&said(8303, payload));
        assert_eq!(hear(TEEWORLDS), found("Teeworlds", "Teeing", 8));
        assert_eq!(hear(DDNET_OLD), found("DDNet", "DDTee [0/64]", 16));
        assert_eq!(hear(DDNET_EXTENDED), found("DDNet", "DDTee", 64));
        assert_eq!(hear(DDNET_64), found("DDNet", "DDTee", 64));
        let vanilla = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffinf37\x000.6.5\0Old\0dm1\0DM\0\
            0\x000\x008\x000\x008\0";
        assert_eq!(hear(vanilla), found("Teeworlds", "Old", 8));
        // A question, a token, and a game in play.
        assert_eq!(
            hear(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffgie3\x07"),
            None
        );
        assert_eq!(hear(b"\x04\0\0LANp\x05j<\x83\xea"), None);
        assert_eq!(hear(b"!LANpm<Z\xca\xff\xff\xff\xffxxx"), None);
    }

    #[test]
    fn integers_have_a_sign_and_an_end() {
        let read = |bytes: &[u8]| integer(&mut Cursor(bytes));
        assert_eq!(read(&[0x3f]), Some(63));
        assert_eq!(read(&[0x80, 0x01]), Some(64));
        assert_eq!(read(&[0x40]), Some(-1));
        assert_eq!(read(&[0x80]), None);
        assert_eq!(read(&[0xff; 9]), None);
    }
}
