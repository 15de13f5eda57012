//! Doom 3, Quake 4 and their engine's others.
//!
//! ```text
//! ff ff infoResponse 00 challenge(4) protocol(4) key 0 value 0 … 0 0 …
//! ```
//!
//! Newer ones have a size between protocol and keys, so the keys are looked for.

use crate::cursor::{Cursor, decimal};
use crate::found::Found;
use crate::words::Codes;

const GAMES: &[(&str, &str)] = &[
    ("basedoom", "Doom 3"),
    ("doom", "Doom 3"),
    ("quake4", "Quake 4"),
    ("etqw", "Enemy Territory: Quake Wars"),
    ("prey", "Prey"),
];
/// Where all keys of the engine's servers begin.
const FIRST_KEYS: &[u8] = b"si_";

/// What stands behind `ff ff`.
pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let said = said.strip_prefix(b"infoResponse\0")?;
    let before = said.windows(FIRST_KEYS.len() + 1);
    let before = before
        .take(64)
        .position(|part| part[0] == 0 && part.ends_with(FIRST_KEYS));
    // Directly behind the numbers there need not be a zero.
    let start = match before {
        Some(at) => at + 1,
        None => said.get(8..)?.starts_with(FIRST_KEYS).then_some(8)?,
    };
    let mut pairs = Cursor(&said[start..]);
    let (mut name, mut map, mut most, mut version) = (None, None, None, None);
    while let (Some(key), Some(value)) = (pairs.text(), pairs.text()) {
        match key {
            b"" => break,
            b"si_name" => name = Some(value),
            b"si_map" => map = Some(value),
            b"si_maxPlayers" => most = decimal(value),
            b"si_version" | b"gamename" | b"fs_game" if !value.is_empty() => {
                version = version.or(Some(value));
            }
            _ => {}
        }
    }
    let map = map.map(|map: &[u8]| map.strip_prefix(b"maps/").unwrap_or(map));
    let game = name_of(version.unwrap_or_default());
    let found = Found::new(game, name?, Codes::Carets).on_map(map);
    Some(found.with_players(None, most))
}

fn name_of(version: &[u8]) -> &'static str {
    let version = version.to_ascii_lowercase();
    let is_in = |name: &str| {
        version
            .windows(name.len())
            .any(|part| part == name.as_bytes())
    };
    let known = GAMES.iter().find(|(name, _)| is_in(name));
    known.map_or("Doom 3", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn the_engines_servers_are_heard() {
        let answer =
            b"\xff\xffinfoResponse\0\x01\x02\x03\x04\x29\x00\x01\x00si_version\0DOOM 1.3.1\0\
            si_name\0^1Mars ^7City\0si_map\0game/mp/d3dm1\0si_maxPlayers\x004\0\0\0";
        let expected = Found::new("Doom 3", b"Mars City", Codes::None)
            .on_map(Some(b"game/mp/d3dm1"))
            .with_players(None, Some(4));
        assert_eq!(recognise(&said(27_666, answer)), Some(expected));
        assert_eq!(recognise(&said(27_666, b"\xff\xffgetInfo\0\0\0\0\0")), None);
    }
}
