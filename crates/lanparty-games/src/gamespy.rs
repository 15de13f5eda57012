//! GameSpy's protocols: Unreal Tournament, Battlefield, Halo and many more of their time.
//!
//! ```text
//! \hostname\…\hostport\7777\mapname\…\numplayers\3\maxplayers\16\gamename\ut\…\queryid\2.1\final\
//! 00 number(4) hostname 0 … 0 key 0 value 0 …
//! ```

use crate::cursor::Cursor;
use crate::found::Found;
use crate::info_string::InfoString;
use crate::words::Codes;

const GAMES: &[(&str, &str)] = &[
    ("ut", "Unreal Tournament"),
    ("unreal", "Unreal"),
    ("ut2004", "Unreal Tournament 2004"),
    ("ut2003", "Unreal Tournament 2003"),
    ("deusex", "Deus Ex"),
    ("bfield1942", "Battlefield 1942"),
    ("bfvietnam", "Battlefield Vietnam"),
    ("halor", "Halo"),
    ("halo", "Halo"),
    ("mohaa", "Medal of Honor"),
    ("swat4", "SWAT 4"),
    ("serioussam", "Serious Sam"),
    ("serioussamse", "Serious Sam"),
];

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    match said.split_first()? {
        (0, rest) => hear_second(rest),
        _ => hear_first(InfoString::parse(said)?),
    }
}

fn hear_first(info: InfoString<'_>) -> Option<Found> {
    let server = info.value("hostname")?;
    // Only Unreal's engines know a map's title.
    let engine = match info.value("maptitle") {
        Some(_) => "Unreal",
        None => "GameSpy",
    };
    let game = info.any(&["gamename"]);
    let found = Found::new(&name_of(game, engine), server, Codes::None);
    let found = found.on_map(info.any(&["mapname", "maptitle"]));
    let players = info.number(&["numplayers"]);
    Some(Found {
        port: info.number(&["hostport"]).filter(|&port| port != 0),
        is_guess: game.is_none(),
        ..found.with_players(players, info.number(&["maxplayers"]))
    })
}

/// The second protocol separates with zeros; an empty key ends the list.
fn hear_second(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    said.skip(4)?;
    if !said.0.starts_with(b"hostname\0") {
        return None;
    }
    let mut found = Found::default();
    let mut game = None;
    loop {
        let key = said.text().filter(|key| !key.is_empty());
        let Some((key, value)) = key.and_then(|key| Some((key, said.text()?))) else {
            break;
        };
        let number = || crate::cursor::decimal(value);
        match key {
            b"hostname" => found.server = crate::words::words(value, Codes::None),
            b"gamename" => game = Some(value),
            b"mapname" => found = found.on_map(Some(value)),
            b"numplayers" => found.players = number(),
            b"maxplayers" => found.max_players = number(),
            b"hostport" => found.port = number().filter(|&port| port != 0),
            _ => {}
        }
    }
    let named = Found::new(&name_of(game, "GameSpy"), b"", Codes::None);
    Some(Found {
        game: named.game,
        is_guess: game.is_none(),
        ..found
    })
}

fn name_of(said: Option<&[u8]>, otherwise: &str) -> String {
    let Some(said) = said else {
        return otherwise.to_owned();
    };
    let known = GAMES
        .iter()
        .find(|(name, _)| said.eq_ignore_ascii_case(name.as_bytes()));
    known.map_or_else(
        || String::from_utf8_lossy(said).into_owned(),
        |(_, name)| (*name).to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn expected(game: &str) -> Found {
        let found = Found::new(game, b"Friday", Codes::None).on_map(Some(b"DM-Deck16]["));
        Found {
            port: Some(7777),
            ..found.with_players(Some(3), Some(16))
        }
    }

    #[test]
    fn unreal_answers_from_another_port_than_it_plays_on() {
        let hear = |payload: &[u8]| recognise(&said(7778, payload));
        let info = b"\\hostname\\Friday\\hostport\\7777\\maptitle\\Deck 16\\mapname\\DM-Deck16][\
            \\gametype\\DeathMatchPlus\\numplayers\\3\\maxplayers\\16\\gamemode\\openplaying\
            \\gamever\\451\\queryid\\2.1\\final\\";
        let guess = Found {
            is_guess: true,
            ..expected("Unreal")
        };
        assert_eq!(hear(info), Some(guess));
        let status = [b"\\gamename\\ut\\gamever\\451", &info[..]].concat();
        assert_eq!(hear(&status), Some(expected("Unreal Tournament")));
        assert_eq!(hear(b"\\info\\"), None, "a question");
        assert_eq!(hear(b"\\status\\\\echo\\x"), None, "a question");
    }

    #[test]
    fn the_second_protocol_has_zeros_between() {
        let answer = b"\0LANphostname\0Friday\0hostport\x007777\0gamename\0bfvietnam\0\
            mapname\0DM-Deck16][\0numplayers\x003\0maxplayers\x0016\0\0\x01player_\0";
        let heard = recognise(&said(23_000, answer));
        assert_eq!(heard, Some(expected("Battlefield Vietnam")));
        assert_eq!(recognise(&said(23_000, b"\0\0\0\0\0hostname")), None);
    }
}
