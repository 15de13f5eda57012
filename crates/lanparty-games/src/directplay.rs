//! DirectPlay 8, by which many Windows games of the years after 2000 find each other.
//!
//! ```text
//! 00 03 asked(2) reply(4) size(4) 50(4) flags(4) most(4) players(4) name at(4) name's size(4) …       (little endian)
//!       instance(16) application(16) name …
//! ```
//!
//! Places count from `reply` on; the name is UTF-16. `EnumResponse` in [MC-DPLHP] §2.2.2. What DirectPlay 4 answers (Age of Empires
//! II) comes by TCP and is not heard ([MC-DPL4CS]).

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::{Codes, utf16};

/// The length of the part that all have.
const DESCRIPTION: u32 = 0x50;
/// Where the reply's own places count from.
const ORIGIN: usize = 4;
/// Which game has this application's number.
const GAMES: &[([u8; 16], &str)] = &[(
    // 00F682D7-AB11-4540-9FC2-C43E97358C73
    [
        0xd7, 0x82, 0xf6, 0x00, 0x11, 0xab, 0x40, 0x45, 0x9f, 0xc2, 0xc4, 0x3e, 0x97, 0x35, 0x8c,
        0x73,
    ],
    "Thief II",
)];

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut rest = Cursor(said.strip_prefix(&[0, 3])?);
    rest.skip(2 + 4 + 4)?;
    if rest.u32_le()? != DESCRIPTION {
        return None;
    }
    let _flags = rest.u32_le()?;
    let (most, players) = (rest.u32_le()?, rest.u32_le()?);
    let (at, size) = (rest.u32_le()?, rest.u32_le()?);
    // Password, reserved and the application's own, each with place and size; then the instance.
    rest.skip(6 * 4 + 16)?;
    let application = rest.bytes(16)?;
    let start = ORIGIN.checked_add(usize::try_from(at).ok()?)?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    let name = utf16(said.get(start..end)?);
    let known = GAMES.iter().find(|(number, _)| number == application);
    let game = known.map_or("DirectPlay game", |(_, game)| game);
    let count = |number: u32| u16::try_from(number).ok();
    let found = Found::new(game, name.as_bytes(), Codes::None);
    Some(found.with_players(count(players), count(most)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn answer(name: &str, application: [u8; 16]) -> Vec<u8> {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let size = u32::try_from(name.len()).unwrap();
        let numbers = [
            0x58 + size,
            0,
            0x50,
            0x40,
            8,
            3,
            0x58,
            size,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        let numbers = numbers.map(u32::to_le_bytes).concat();
        [
            &[0, 3, 0xd1, 0x67][..],
            &numbers,
            &[7; 16],
            &application,
            &name,
        ]
        .concat()
    }

    #[test]
    fn a_session_has_a_name_in_wide_letters() {
        let hear = |payload: &[u8]| recognise(&said(2302, payload));
        let expected = Found::new("DirectPlay game", "Chloés Spiel".as_bytes(), Codes::None)
            .with_players(Some(3), Some(8));
        let said = answer("Chloés Spiel", [1; 16]);
        assert_eq!(hear(&said), Some(expected));
        let thief = hear(&answer("x\0y", GAMES[0].0)).unwrap();
        assert_eq!(
            (thief.game.as_str(), thief.server.as_str()),
            ("Thief II", "x")
        );
        assert_eq!(hear(&said[..said.len() - 1]), None, "cut");
        assert_eq!(
            hear(&[&[0, 2][..], &said[2..]].concat()),
            None,
            "a question"
        );
    }
}
