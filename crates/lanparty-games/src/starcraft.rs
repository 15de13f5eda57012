//! StarCraft and Brood War over UDP: what a host says of its game when it opens it or is asked.
//!
//! ```text
//! checksum(2) size(2) 00 00 00 00 product(4) version(4) state(4) name 0 ,44,,3,,1e,,1,…,Ann CR Lost Temple CR 0 …
//! ```
//!
//! Little endian, products backwards. The layout as taken off a wire in impromptu1583/BWMulticastRelay (`Design.md`), and
//! `broadcastPkt` in bwapi's `Threads.h`.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

/// Hosts and players are at either, from and to.
pub(crate) const PORTS: [u16; 2] = [6111, 6112];
const GAME: [u8; 4] = [0; 4];

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut rest = Cursor(said);
    rest.skip(2)?;
    if usize::from(rest.u16_le()?) != said.len() || rest.bytes(4)? != GAME {
        return None;
    }
    let game = match rest.bytes(4)? {
        b"PXES" => "StarCraft: Brood War",
        b"RATS" => "StarCraft",
        _ => return None,
    };
    rest.skip(4 + 4)?;
    let (name, facts) = (rest.text()?, rest.text()?);
    // Its maker and its map stand behind the last comma, each with a line's end.
    let map = facts.split(|&byte| byte == b'\r').nth(1)?;
    Some(Found::new(game, name, Codes::None).on_map(Some(map)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_host_says_its_name_and_map() {
        let rest = b"\xcb\x3d\xcc\x35\0\0\0\0Jesse\0,44,,3,,1e,,1,cb2edaab,1,,Jesse\rAxiom\r\0\
            \x0c\0\0\0\x01\0\0\0\x08\0\0\0";
        let answer = |product: &[u8]| [b"\xd4\x20\x4d\0\0\0\0\0", product, &rest[..]].concat();
        let hear = |port, payload: &[u8]| recognise(&said(port, payload));
        let expected =
            Found::new("StarCraft: Brood War", b"Jesse", Codes::None).on_map(Some(b"Axiom"));
        assert_eq!(hear(6111, &answer(b"PXES")), Some(expected));
        assert_eq!(hear(6112, &answer(b"WBMC")), None, "another game");
        assert_eq!(hear(6113, &answer(b"PXES")), None);
        let question = b"\xd7\xdc\x14\0\x02\0\0\0PXES\xcb\x3d\xcc\x35\0\0\0\0";
        assert_eq!(hear(6111, question), None);
    }
}
