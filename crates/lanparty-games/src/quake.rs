//! Quake and its descendants: OpenArena, Xonotic, Urban Terror, Tremulous and many more.
//!
//! ```text
//! ff ff ff ff infoResponse\n \hostname\…\mapname\…\clients\3\sv_maxclients\8\gamename\…      (Quake III, Xonotic)
//! ff ff ff ff statusResponse\n \sv_hostname\…\gamename\baseoa\…\n score ping "name"\n …
//! ff ff ff ff print\n \hostname\…\maxclients\8\…\n …                                         (Quake II)
//! ff ff ff ff info\n     name  map  3/ 8                                                     (Quake II)
//! ff ff ff ff n \hostname\…\map\…\maxclients\8\…\n …                                         (QuakeWorld)
//! 80 00 length 83 address 0 name 0 map 0 players most version                                (Quake)
//! ```

use crate::cursor::{Cursor, decimal};
use crate::found::Found;
use crate::info_string::InfoString;
use crate::words::Codes;

/// How a game calls itself, and how people call it. `gamename` is the mod's folder with some.
const GAMES: &[(&str, &str)] = &[
    ("baseoa", "OpenArena"),
    ("quake3arena", "Quake III Arena"),
    ("baseq3", "Quake III Arena"),
    ("missionpack", "Quake III: Team Arena"),
    ("q3ut4", "Urban Terror"),
    ("etmain", "Wolfenstein: Enemy Territory"),
    ("et", "Wolfenstein: Enemy Territory"),
    ("etlegacy", "ET: Legacy"),
    ("legacy", "ET: Legacy"),
    ("wolfmp", "Return to Castle Wolfenstein"),
    ("basejka", "Jedi Academy"),
    ("basejk", "Jedi Outcast"),
    ("smokinguns", "Smokin' Guns"),
    ("wop", "World of Padman"),
    ("call of duty", "Call of Duty"),
    ("call of duty 2", "Call of Duty 2"),
    ("call of duty 4", "Call of Duty 4"),
    ("data1", "Nexuiz"),
    ("baseq2", "Quake II"),
    ("qw", "QuakeWorld"),
];
/// What many say that are not.
const COMMON: &str = "Quake III Arena";

/// What stands behind `ff ff ff ff`.
pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    if let Some(info) = said.strip_prefix(b"infoResponse") {
        return hear_info(info.trim_ascii_start());
    }
    if let Some(status) = said.strip_prefix(b"statusResponse") {
        return hear_status(status.trim_ascii_start(), "Quake III Arena");
    }
    if let Some(status) = said.strip_prefix(b"print\n") {
        return hear_status(status, "Quake II");
    }
    if let Some(line) = said.strip_prefix(b"info\n") {
        return hear_line(line);
    }
    hear_status(said.strip_prefix(b"n")?, "QuakeWorld")
}

fn hear_info(info: &[u8]) -> Option<Found> {
    let info = InfoString::parse(info)?;
    let map = info.value("mapname");
    let game = name_of(info.any(&["gamename", "game"]).unwrap_or_default());
    // OpenArena calls itself Quake3Arena here.
    let is_guess = game == COMMON;
    let game = match map {
        Some(map) if is_guess && map.starts_with(b"oa_") => "OpenArena".to_owned(),
        _ => game,
    };
    let found = Found::new(&game, info.value("hostname")?, Codes::Carets).on_map(map);
    let most = info.number(&["sv_maxclients"]);
    Some(Found {
        is_guess,
        ..found.with_players(info.number(&["clients"]), most)
    })
}

fn hear_status(status: &[u8], otherwise: &str) -> Option<Found> {
    let mut lines = status.split(|&byte| byte == b'\n');
    let info = InfoString::parse(lines.next()?)?;
    let server = info.any(&["sv_hostname", "hostname"])?;
    let game = match info.any(&["gamename", "*gamedir", "gamedir", "com_gamename"]) {
        // The folder of several, which begin their version with their names.
        Some(b"base") => info
            .value("version")
            .and_then(|said| said.split(|&byte| byte == b' ').next()),
        game => game,
    };
    let game = game.map_or_else(|| otherwise.to_owned(), name_of);
    let players = lines.filter(|line| is_player(line)).count();
    let found = Found::new(&game, server, Codes::Carets);
    Some(found.on_map(info.any(&["mapname", "map"])).with_players(
        u16::try_from(players).ok(),
        info.number(&["sv_maxclients", "maxclients"]),
    ))
}

/// `score ping "name"`, or a number, four times as much and a name in QuakeWorld.
fn is_player(line: &[u8]) -> bool {
    line.first()
        .is_some_and(|first| first.is_ascii_digit() || *first == b'-')
        && line.contains(&b'"')
}

/// Quake II's shorter answer: a name with spaces before and in it, a map, and `3/ 8`.
fn hear_line(line: &[u8]) -> Option<Found> {
    let line = std::str::from_utf8(line).ok()?;
    let (rest, most) = line.trim_end().rsplit_once('/')?;
    let (rest, players) = rest.trim_end().rsplit_once(' ')?;
    let (name, map) = rest.trim_end().rsplit_once(' ')?;
    let number = |text: &str| decimal(text.trim().as_bytes());
    let found = Found::new("Quake II", name.as_bytes(), Codes::Carets);
    Some(
        found
            .on_map(Some(map.as_bytes()))
            .with_players(Some(number(players)?), Some(number(most)?)),
    )
}

/// The first Quake's own answer.
pub(crate) fn hear_first(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    let len = usize::from({
        said.skip(2)?;
        said.u16_be()?
    });
    if said.u8()? != 0x83 || said.0.len() + 5 != len {
        return None;
    }
    let (_address, name, map) = (said.text()?, said.text()?, said.text()?);
    let (players, most) = (said.u8()?, said.u8()?);
    let found = Found::new("Quake", name, Codes::None);
    Some(
        found
            .on_map(Some(map))
            .with_players(Some(players.into()), Some(most.into())),
    )
}

fn name_of(said: &[u8]) -> String {
    let known = GAMES
        .iter()
        .find(|(name, _)| said.eq_ignore_ascii_case(name.as_bytes()));
    match known {
        Some((_, name)) => (*name).to_owned(),
        None if said.is_empty() => COMMON.to_owned(),
        None => String::from_utf8_lossy(said).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn found(game: &str, server: &str, map: &str, players: (u16, u16)) -> Found {
        Found::new(game, server.as_bytes(), Codes::None)
            .on_map(Some(map.as_bytes()))
            .with_players(Some(players.0), Some(players.1))
    }

    fn hear(payload: &[u8]) -> Option<Found> {
        recognise(&said(27_960, payload))
    }

    /// What openarena-server 0.8.8 of Debian 12 says.
    pub(crate) const OPENARENA_INFO: &[u8] =
        b"\xff\xff\xff\xffinfoResponse\n\\voip\\opus\\g_needpass\\0\
        \\pure\\1\\gametype\\0\\sv_maxclients\\8\\g_humanplayers\\0\\clients\\0\\mapname\\oa_dm1\
        \\hostname\\^1Bert's ^7cellar\\protocol\\71\\gamename\\Quake3Arena\\challenge\\xxx";
    /// The same of its longer answer, without most of its settings and with two players.
    const OPENARENA_STATUS: &[u8] = b"\xff\xff\xff\xffstatusResponse\n\\com_protocol\\71\
        \\sv_hostname\\^1Bert's ^7cellar\\sv_maxclients\\8\\version\\ioq3 1.36+u20221123\
        \\com_gamename\\Quake3Arena\\mapname\\am_spacecont\\gamename\\baseoa\\g_needpass\\0\n\
        12 48 \"Ann\"\n-1 0 \"^2Ben\"\n";

    #[test]
    fn openarena_answers_like_quake_3_and_is_known_all_the_same() {
        let expected = found("OpenArena", "Bert's cellar", "oa_dm1", (0, 8));
        let guess = Found {
            is_guess: true,
            ..expected
        };
        assert_eq!(hear(OPENARENA_INFO), Some(guess));
        let expected = found("OpenArena", "Bert's cellar", "am_spacecont", (2, 8));
        assert_eq!(hear(OPENARENA_STATUS), Some(expected));
    }

    #[test]
    fn darkplaces_says_which_game_it_is() {
        let xonotic = b"\xff\xff\xff\xffinfoResponse\n\\gamename\\Xonotic\\modname\\data\
            \\gameversion\\805\\sv_maxclients\\16\\clients\\3\\bots\\2\\mapname\\stormkeep\
            \\hostname\\^x4f8Friday ^7frags\\protocol\\3";
        let expected = found("Xonotic", "Friday frags", "stormkeep", (3, 16));
        assert_eq!(hear(xonotic), Some(expected));
    }

    #[test]
    fn a_folder_of_several_games_is_none_of_them() {
        let status = b"\xff\xff\xff\xffstatusResponse\n\\version\\Unvanquished 0.50 Linux x86_64\\gamename\\base\
            \\mapname\\plat23\\sv_hostname\\Friday\\sv_maxclients\\31\n";
        let expected = found("Unvanquished", "Friday", "plat23", (0, 31));
        assert_eq!(hear(status), Some(expected));
    }

    #[test]
    fn older_quakes_are_heard() {
        let status = b"\xff\xff\xff\xffprint\n\\mapname\\q2dm1\\maxclients\\8\\hostname\\Two\n3 50 \"Ann\"\n";
        let expected = found("Quake II", "Two", "q2dm1", (1, 8));
        assert_eq!(hear(status), Some(expected.clone()));
        let line = b"\xff\xff\xff\xffinfo\n             Two    q2dm1  1/ 8\n";
        assert_eq!(hear(line), Some(expected));
        let world = b"\xff\xff\xff\xffn\\*gamedir\\qw\\maxclients\\8\\map\\dm6\\hostname\\World\n\
            7 0 10 48 \"Ann\" \"base\" 4 13\n\0";
        let expected = found("QuakeWorld", "World", "dm6", (1, 8));
        assert_eq!(hear(world), Some(expected));
        let first = b"\x80\x00\x00\x25\x83192.168.50.20:26000\0One\0e1m1\0\x02\x08\x03";
        let expected = found("Quake", "One", "e1m1", (2, 8));
        assert_eq!(hear(first), Some(expected));
    }

    #[test]
    fn questions_and_other_words_are_no_games() {
        for said in [
            &b"\xff\xff\xff\xffgetinfo xxx"[..],
            b"\xff\xff\xff\xffgetstatus",
            b"\xff\xff\xff\xffprint\nServer is full.\n",
            b"\xff\xff\xff\xffinfoResponse\n\\clients\\0",
            b"\xff\xff\xff\xffconnectResponse",
            b"\xff\xff\xff\xff",
        ] {
            assert_eq!(hear(said), None);
        }
    }
}
