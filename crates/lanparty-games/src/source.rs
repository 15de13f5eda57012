//! Valve's engines and all that answer like them (`A2S_INFO`): Counter-Strike, Half-Life, ARK, Rust, Valheim, …
//!
//! ```text
//! ff ff ff ff 49 protocol name 0 map 0 folder 0 game 0 app(2) players most bots type system visibility secure
//!                version 0 [flags [80: port(2)] …]                                    (Source; little endian)
//! ff ff ff ff 6d address 0 name 0 map 0 folder 0 game 0 players most …                 (GoldSource)
//! ```

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

const SOURCE: u8 = 0x49;
const GOLD_SOURCE: u8 = 0x6d;
/// The game's port follows, which need not be the one that answers.
const HAS_PORT: u8 = 0x80;
/// The Ship has three bytes of its own behind the common ones.
const THE_SHIP: u16 = 2400;

/// What stands behind `ff ff ff ff`.
pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    match said.u8()? {
        SOURCE => hear_source(said),
        GOLD_SOURCE => hear_gold_source(said),
        _ => None,
    }
}

fn hear_source(mut said: Cursor<'_>) -> Option<Found> {
    said.skip(1)?;
    let (name, map, folder, game) = (said.text()?, said.text()?, said.text()?, said.text()?);
    let app = said.u16_le()?;
    let (players, most) = (said.u8()?, said.u8()?);
    let found = described(name, map, folder, game, (players, most));
    Some(Found {
        port: port(said, app),
        ..found
    })
}

fn port(mut said: Cursor<'_>, app: u16) -> Option<u16> {
    // Bots, type, system, visibility, secure.
    said.skip(if app == THE_SHIP { 5 + 3 } else { 5 })?;
    said.text()?;
    let flags = said.u8()?;
    let port = said.u16_le().filter(|_| flags & HAS_PORT != 0);
    port.filter(|&port| port != 0)
}

fn hear_gold_source(mut said: Cursor<'_>) -> Option<Found> {
    let _address = said.text()?;
    let (name, map, folder, game) = (said.text()?, said.text()?, said.text()?, said.text()?);
    let players = (said.u8()?, said.u8()?);
    Some(described(name, map, folder, game, players))
}

fn described(
    name: &[u8],
    map: &[u8],
    folder: &[u8],
    game: &[u8],
    (players, most): (u8, u8),
) -> Found {
    // Some leave the one empty, some the other.
    let game = if game.is_empty() { folder } else { game };
    let game = String::from_utf8_lossy(game);
    Found::new(&game, name, Codes::None)
        .on_map(Some(map))
        .with_players(Some(players.into()), Some(most.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    /// The example of Valve's wiki, and the same with a port.
    const COUNTER_STRIKE: &[u8] = b"\xff\xff\xff\xff\x49\x02game2xs.com Counter-Strike Source #1\0\
        de_dust\0cstrike\0Counter-Strike: Source\0\xf0\x00\x05\x10\x04dl\x00\x001.0.0.22\0";

    #[test]
    fn a_source_server_is_heard_and_where_to_join_it() {
        let expected = Found::new(
            "Counter-Strike: Source",
            b"game2xs.com Counter-Strike Source #1",
            Codes::None,
        );
        let expected = expected
            .on_map(Some(b"de_dust"))
            .with_players(Some(5), Some(16));
        let hear = |payload: &[u8]| recognise(&said(27_015, payload));
        assert_eq!(hear(COUNTER_STRIKE), Some(expected.clone()));
        let elsewhere = [COUNTER_STRIKE, b"\x80\x88\x69"].concat();
        let expected = Found {
            port: Some(27_016),
            ..expected
        };
        assert_eq!(hear(&elsewhere), Some(expected));
        let challenge = b"\xff\xff\xff\xff\x41\x0b\x0c\x0d\x0e";
        assert_eq!(hear(challenge), None);
    }

    #[test]
    fn half_life_has_an_older_answer() {
        let answer =
            b"\xff\xff\xff\xff\x6d192.168.50.20:27015\0Friday\0crossfire\0valve\0Half-Life\0\
            \x02\x10\x2fdl\0\0\0\0";
        let expected = Found::new("Half-Life", b"Friday", Codes::None)
            .on_map(Some(b"crossfire"))
            .with_players(Some(2), Some(16));
        assert_eq!(recognise(&said(27_015, answer)), Some(expected));
    }
}
