//! Warcraft III: what a host says of its game when it is asked, and every five seconds that it is still there.
//!
//! ```text
//! f7 30 length(2) product(4) version(4) counter(4) key(4) name 0 password 0 settings 0 slots(4) flags(4)
//!       players(4) free(4) seconds(4) port(2)                                          (little endian)
//! f7 32 length(2) counter(4) players(4) free(4)
//! f7 33 length(2) counter(4)                                                             (it is over)
//! ```
//!
//! The settings tell the map: each group of up to seven bytes stands behind one whose bits say which of them are
//! as they stand; the others are one less.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;
use std::time::Duration;

const GAME_INFO: [u8; 2] = [0xf7, 0x30];
const REFRESH: [u8; 4] = [0xf7, 0x32, 16, 0];
const END: [u8; 4] = [0xf7, 0x33, 8, 0];
/// Three of its refreshes, and a moment.
const SILENCE: Duration = Duration::from_secs(20);
/// How all its names begin.
const NAME: &str = "Warcraft III";
/// Flags, a zero, width, height and checksum of the map.
const SETTINGS_BEFORE_MAP: usize = 4 + 1 + 2 + 2 + 4;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut rest = Cursor(said.strip_prefix(&GAME_INFO)?);
    if usize::from(rest.u16_le()?) != said.len() {
        return None;
    }
    // Backwards.
    let game = match rest.bytes(4)? {
        b"PX3W" => "Warcraft III: The Frozen Throne",
        b"3RAW" => "Warcraft III",
        _ => return None,
    };
    rest.skip(3 * 4)?;
    let (name, _password, settings) = (rest.text()?, rest.text()?, rest.text()?);
    rest.skip(2 * 4)?;
    let players = rest.u32_le()?;
    rest.skip(2 * 4)?;
    let port = rest.u16_le().filter(|&port| port != 0)?;
    let settings = plain(settings);
    let map = settings.get(SETTINGS_BEFORE_MAP..);
    let map = map.and_then(|map| map.split(|&byte| byte == 0).next());
    let file = map.and_then(|map| map.rsplit(|byte| b"\\/".contains(byte)).next());
    let found = Found::new(game, name, Codes::None).on_map(file);
    Some(Found {
        port: Some(port),
        players: u16::try_from(players).ok(),
        silence: Some(SILENCE),
        ..found
    })
}

/// The players of a game whose host says that it is still there; which game that is only its address tells.
pub(crate) fn hear_refresh(said: &[u8]) -> Option<u16> {
    let mut rest = Cursor(said.strip_prefix(&REFRESH)?);
    rest.skip(4)?;
    let (players, _free) = (rest.u32_le()?, rest.u32_le()?);
    u16::try_from(players).ok().filter(|_| rest.0.is_empty())
}

/// True when a host says that its game is over or has begun, so that nobody may join it any more.
pub(crate) fn hear_end(said: &[u8]) -> bool {
    said.strip_prefix(&END)
        .is_some_and(|counter| counter.len() == 4)
}

impl Found {
    /// True for a game of Warcraft III's.
    pub(crate) fn is_warcraft3(&self) -> bool {
        self.game.starts_with(NAME)
    }
}

fn plain(settings: &[u8]) -> Vec<u8> {
    let groups = settings.chunks(8).filter_map(<[u8]>::split_first);
    let plain = groups.flat_map(|(&mask, group)| {
        (1..)
            .zip(group)
            .map(move |(bit, &byte)| match mask >> bit & 1 {
                1 => byte,
                _ => byte.wrapping_sub(1),
            })
    });
    plain.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn written(settings: &[u8]) -> Vec<u8> {
        let groups = settings.chunks(7).flat_map(|group| {
            let odd = (1..).zip(group).filter(|(_, byte)| **byte % 2 == 1);
            let mask = odd.fold(1u8, |mask, (bit, _)| mask | 1 << bit);
            let bytes = group.iter().map(|byte| byte | 1);
            std::iter::once(mask).chain(bytes).collect::<Vec<u8>>()
        });
        groups.collect()
    }

    #[test]
    fn a_game_is_told_with_its_map() {
        let mut settings = vec![2, 0x48, 6, 0, 0, 0x74, 0, 0x54, 0, 1, 2, 3, 4];
        settings.extend(b"Maps\\FrozenThrone\\(2)EchoIsles.w3x\0Ann\0\0");
        let settings = written(&settings);
        assert!(!settings.contains(&0));
        let mut info = [&GAME_INFO[..], &[0, 0], b"PX3W", &[26, 0, 0, 0], &[7; 8]].concat();
        info.extend(b"Local Game (Ann)\0\0");
        info.extend(&settings);
        info.extend([
            0, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 10, 0, 0, 0, 60, 0, 0, 0,
        ]);
        info.extend(6112_u16.to_le_bytes());
        info[2] = u8::try_from(info.len()).unwrap();
        let expected = Found {
            port: Some(6112),
            players: Some(2),
            silence: Some(SILENCE),
            ..Found::new(
                "Warcraft III: The Frozen Throne",
                b"Local Game (Ann)",
                Codes::None,
            )
        };
        let expected = expected.on_map(Some(b"(2)EchoIsles.w3x"));
        assert_eq!(recognise(&said(6112, &info)), Some(expected));
        let refresh = [0xf7, 0x32, 16, 0, 7, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0];
        assert_eq!(recognise(&said(6112, &refresh)), None, "no name");
        assert_eq!(hear_refresh(&refresh), Some(3));
        assert_eq!(hear_refresh(&refresh[..15]), None);
        assert!(hear_end(&[0xf7, 0x33, 8, 0, 7, 0, 0, 0]) && !hear_end(&refresh));
    }
}
