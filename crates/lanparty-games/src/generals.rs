//! Command & Conquer: Generals and Zero Hour, whose hosts tell everybody of their game every ten seconds.
//!
//! ```text
//! checksum(4) 0d f0 01(4) player(26) user(2) host(2) game(34) is on(1) M=…;S=… 0        (little endian)
//! ```
//!
//! Names are UTF-16. Each whole word of four bytes is exclusive-ored with a mask that begins at 0xfade and grows by 0x321, then turned
//! round. `LANMessage` in `GameNetwork/LANAPI.h` and `encryptBuf` in `Transport.cpp` of the source that Electronic Arts
//! has published.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::{Codes, utf16};
use std::time::Duration;

/// From this port to this port.
pub(crate) const PORT: u16 = 8086;
const MAGIC: u16 = 0xf00d;
const GAME_ANNOUNCE: u32 = 1;
/// Player's, user's and host's names.
const NAMES: usize = 13 * 2 + 2 + 2;
const GAME_NAME: usize = 17 * 2;
/// Longer than its longest message.
const MAX: usize = 600;
/// It says so every ten seconds; two may get lost.
const SILENCE: Duration = Duration::from_secs(35);

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    if said.len() > MAX {
        return None;
    }
    let plain = plain(said);
    let mut rest = Cursor(&plain);
    rest.skip(4)?;
    if rest.u16_le()? != MAGIC || rest.u32_le()? != GAME_ANNOUNCE {
        return None;
    }
    rest.skip(NAMES)?;
    let name = utf16(rest.bytes(GAME_NAME)?);
    let _is_on = rest.u8()?;
    let options = rest.text()?;
    let value = |key: &[u8]| {
        let mut options = options.split(|&byte| byte == b';');
        options.find_map(|option| option.strip_prefix(key))
    };
    // Two digits say which files of the map there are.
    let map = value(b"M=").and_then(|map| map.get(2..));
    let map = map.and_then(|map| map.rsplit(|byte| b"\\/".contains(byte)).next());
    let slots = value(b"S=").map(|slots| {
        let slots = slots.split(|&byte| byte == b':');
        slots.filter(|slot| slot.starts_with(b"H")).count()
    });
    let game = match options.starts_with(b"US=") {
        true => "Command & Conquer: Generals – Zero Hour",
        false => "Command & Conquer: Generals",
    };
    let players = slots.and_then(|slots| u16::try_from(slots).ok());
    let found = Found::new(game, name.as_bytes(), Codes::None).on_map(map);
    Some(Found {
        silence: Some(SILENCE),
        ..found.with_players(players, None)
    })
}

fn plain(said: &[u8]) -> Vec<u8> {
    let (words, rest) = said.as_chunks::<4>();
    let masks = (0u32..).map(|number| 0xfade_u32.wrapping_add(number.wrapping_mul(0x321)));
    let words = words.iter().zip(masks);
    let plain = words.flat_map(|(&word, mask)| (u32::from_be_bytes(word) ^ mask).to_le_bytes());
    plain.chain(rest.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::Datagram;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn hidden(plain: &[u8]) -> Vec<u8> {
        let (words, rest) = plain.as_chunks::<4>();
        let hidden = words.iter().zip(0u32..).flat_map(|(&word, number)| {
            (u32::from_le_bytes(word) ^ (0xfade + number * 0x321)).to_be_bytes()
        });
        hidden.chain(rest.iter().copied()).collect()
    }

    fn wide(text: &str, len: usize) -> Vec<u8> {
        let mut wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        wide.resize(len, 0);
        wide
    }

    fn announcement(kind: u32, options: &[u8]) -> Vec<u8> {
        let names = [wide("Ann", 26), vec![b'a', 0, b'p', 0]].concat();
        let mut plain = [&[1, 2, 3, 4, 0x0d, 0xf0][..], &kind.to_le_bytes(), &names].concat();
        plain.extend([&wide("Ann's war", GAME_NAME)[..], &[0], options].concat());
        plain.resize(477, 0);
        hidden(&plain)
    }

    fn hear(payload: &[u8]) -> Option<Found> {
        recognise(&Datagram {
            to_port: PORT,
            ..said(PORT, payload)
        })
    }

    #[test]
    fn a_hosts_game_is_read_through_its_mask() {
        let options = b"US=1;M=07maps/alpine assault;MC=1F;S=HAnn,C0A8,8088,TT,1,2:HBen,C0A8,8088,TT,1,2:CM,1:O:X:X:X:X:;";
        let expected = Found {
            silence: Some(SILENCE),
            ..Found::new(
                "Command & Conquer: Generals – Zero Hour",
                b"Ann's war",
                Codes::None,
            )
        };
        let expected = expected
            .on_map(Some(b"alpine assault"))
            .with_players(Some(2), None);
        assert_eq!(hear(&announcement(1, options)), Some(expected.clone()));
        let older = Found {
            game: "Command & Conquer: Generals".to_owned(),
            ..expected
        };
        assert_eq!(hear(&announcement(1, &options[5..])), Some(older));
        assert_eq!(
            hear(&announcement(2, options)),
            None,
            "somebody in the lobby"
        );
        assert_eq!(hear(&announcement(1, options)[..70]), None, "cut");
        let elsewhere = said(PORT + 2, &[7; 40]);
        assert_eq!(recognise(&elsewhere), None);
    }
}
