#![allow(clippy::disallowed_methods, reason = "tests own the clock")]

use super::*;
use crate::MAX_CHARS;
use crate::datagram::tests::{HOST, frame, frame_from};
use crate::words::Codes;
use proptest::prelude::*;

fn quake(name: &str, players: u8) -> Vec<u8> {
    let said = format!("infoResponse\n\\hostname\\{name}\\clients\\{players}\\gamename\\Xonotic");
    [&[0xff; 4], said.as_bytes()].concat()
}

#[test]
fn who_speaks_only_when_asked_is_kept_for_ten_minutes() {
    let (mut games, start) = (Games::default(), Instant::now());
    let at = |millis| start + Duration::from_millis(millis);
    assert!(games.hear(start, &frame(26_000, 40_000, &quake("Friday", 3))));
    let expected = Game {
        game: "Xonotic".to_owned(),
        server: "Friday".to_owned(),
        address: "192.168.50.20:26000".parse().unwrap(),
        mac: Some(MacAddr::new(HOST)),
        host: None,
        map: None,
        players: Some(3),
        max_players: None,
        heard_ms: 0,
        silence_ms: None,
    };
    assert_eq!(games.list(start), [expected]);
    let later = games.list(at(599_999));
    assert!(later[0].is_on() && later[0].heard() == "9 min ago");
    assert_eq!(games.list(at(600_000)), []);
}

#[test]
fn who_speaks_by_itself_is_on_then_grey_then_forgotten() {
    let (mut games, start) = (Games::default(), Instant::now());
    let at = |millis| start + Duration::from_millis(millis);
    let world = b"[MOTD]Ann - World[/MOTD][AD]54321[/AD]";
    assert!(games.hear(start, &frame(50_000, 4445, world)));
    assert!(games.list(at(9_999))[0].is_on());
    assert!(!games.list(at(10_000))[0].is_on());
    assert_eq!(games.list(at(119_999)).len(), 1);
    assert_eq!(games.list(at(120_000)), []);
}

#[test]
fn news_is_another_server_or_another_answer() {
    let (mut games, now) = (Games::default(), Instant::now());
    let mut hear = |port, said: &[u8]| games.hear(now, &frame(port, 40_000, said));
    assert!(hear(26_000, &quake("Friday", 3)));
    assert!(!hear(26_000, &quake("Friday", 3)));
    assert!(hear(26_000, &quake("Friday", 4)));
    assert!(hear(26_001, &quake("Attic", 4)));
    assert!(!hear(26_002, b"no game"));
    let servers: Vec<_> = games
        .list(now)
        .into_iter()
        .map(|game| game.server)
        .collect();
    assert_eq!(servers, ["Attic", "Friday"], "by name");
}

#[test]
fn a_longer_answer_knows_better_which_game_it_is() {
    let (mut games, now) = (Games::default(), Instant::now());
    let info =
        b"\xff\xff\xff\xffinfoResponse\n\\hostname\\x\\mapname\\dm4ish\\gamename\\Quake3Arena";
    let status =
        b"\xff\xff\xff\xffstatusResponse\n\\sv_hostname\\x\\mapname\\dm4ish\\gamename\\baseoa\n";
    for (said, expected) in [
        (&info[..], "Quake III Arena"),
        (status, "OpenArena"),
        (info, "OpenArena"),
    ] {
        games.hear(now, &frame(27_960, 40_000, said));
        assert_eq!(games.list(now)[0].game, expected);
    }
    assert_eq!(games.list(now).len(), 1);
}

#[test]
fn a_server_without_a_name_is_its_address() {
    let (mut games, now) = (Games::default(), Instant::now());
    games.hear(now, &frame(3979, 40_000, b"\x03\0\x01"));
    assert_eq!(games.list(now)[0].server, "192.168.50.20");
}

#[test]
fn a_shorter_answer_takes_no_name_away() {
    let (mut games, now) = (Games::default(), Instant::now());
    let named = Found::new("Armagetron Advanced", b"Friday grid", Codes::None)
        .with_players(Some(2), Some(16));
    let named = Found {
        port: Some(4534),
        ..named
    };
    let address = "192.168.50.20:4534".parse().unwrap();
    games.note(now, (MacAddr::new(HOST), false), address, named);
    let small = b"\x00\x32\x00\x00\x00\x05\x11\xb6\0\0\0\0\0\0\0\0\0\0";
    assert!(!games.hear(now, &frame(4534, 40_000, small)), "no news");
    let told = &games.list(now)[0];
    assert_eq!(
        (told.server.as_str(), told.players),
        ("Friday grid", Some(2))
    );
}

#[test]
fn a_server_with_two_addresses_is_one() {
    let (mut games, now) = (Games::default(), Instant::now());
    let found = |server: &str| Found::new("Xonotic", server.as_bytes(), Codes::None);
    let note = |games: &mut Games, address: &str, server, mac: u32| {
        let host = (machine(mac), false);
        games.note(now, host, address.parse().unwrap(), found(server));
    };
    note(&mut games, "[fe80::9]:26000", "Friday", 1);
    assert_eq!(games.list(now).len(), 1);
    note(&mut games, "192.168.50.20:26000", "Friday", 1);
    note(&mut games, "[fe80::9]:26001", "Attic", 1);
    note(&mut games, "192.168.50.21:26000", "Friday", 2);
    note(&mut games, "[fe80::10]:26000", "Friday", 3);
    let told = games.list(now).into_iter();
    let told: Vec<_> = told.map(|game| game.address.to_string()).collect();
    let expected = [
        "[fe80::9]:26001",
        "192.168.50.20:26000",
        "192.168.50.21:26000",
        "[fe80::10]:26000",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_game_that_ends_or_whose_host_leaves_is_gone() {
    let (mut games, now) = (Games::default(), Instant::now());
    let mut field = |state: u8, host: u8| {
        let mut said = b"GAME\0\0\x01".to_vec();
        said.push(state);
        said.extend([0; 32 + 128 + 32]);
        let mut frame = frame_from([10, 0, 0, host], 7395, 7394, &said);
        frame[11] = host;
        games.hear(now, &frame)
    };
    assert!(field(1, 1) && field(1, 2));
    assert!(field(0, 1) && !field(0, 1), "only once");
    assert_eq!(games.list(now)[0].address.to_string(), "10.0.0.2:7396");
    games.forget(MacAddr::new([0, 0x16, 0x3e, 0, 0, 2]));
    assert_eq!(games.list(now), []);
    let game = Found::new("Warcraft III", b"x", Codes::None);
    let address = "192.168.50.20:6112".parse().unwrap();
    games.note(now, (MacAddr::new(HOST), false), address, game);
    let end = [0xf7, 0x33, 8, 0, 7, 0, 0, 0];
    let mut other = frame(6112, 6112, &end);
    other[11] ^= 1;
    assert!(!games.hear(now, &other), "another machine with its address");
    assert!(games.hear(now, &frame(6112, 6112, &[0xf7, 0x33, 8, 0, 7, 0, 0, 0])));
    assert_eq!(games.list(now), []);
}

#[test]
fn a_host_of_warcraft_3_keeps_its_game_on() {
    let (mut games, start) = (Games::default(), Instant::now());
    let later = start + Duration::from_secs(100);
    let refresh = [0xf7, 0x32, 16, 0, 7, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0];
    let refresh = frame(6112, 6112, &refresh);
    assert!(!games.hear(start, &refresh), "nobody knows what it is");
    for (host, game) in [(20, "Warcraft III"), (21, "Warcraft III"), (20, "Xonotic")] {
        let port = if game == "Xonotic" { 26_000 } else { 6112 };
        let address = SocketAddr::from(([192, 168, 50, host], port));
        games.note(
            start,
            (MacAddr::new(HOST), false),
            address,
            Found::new(game, b"x", Codes::None),
        );
    }
    let mut other = refresh.clone();
    other[11] ^= 1;
    assert!(
        !games.hear(later, &other),
        "another machine with its address"
    );
    assert!(games.hear(later, &refresh), "other players");
    let told = games.list(later).into_iter();
    let told: Vec<_> = told.map(|game| (game.heard_ms, game.players)).collect();
    assert_eq!(told, [(0, Some(3)), (100_000, None), (100_000, None)]);
}

fn machine(number: impl Into<u64>) -> MacAddr {
    let [_, _, octets @ ..] = number.into().to_be_bytes();
    MacAddr::new(octets)
}

/// The answer of a server on the machine with this number.
fn server(number: u32, port: u16) -> Vec<u8> {
    let [_, b, c, d] = number.to_be_bytes();
    let mut frame = frame_from([10, b, c, d], port, 1, &quake("x", 0));
    frame[6..12].copy_from_slice(&machine(number).octets());
    frame
}

fn is_there(games: &Games, now: Instant, number: u32) -> bool {
    let list = games.list(now);
    list.iter().any(|game| game.mac == Some(machine(number)))
}

#[test]
fn the_oldest_makes_room() {
    let (mut games, start) = (Games::default(), Instant::now());
    let at = |second: u32| start + Duration::from_secs(second.into());
    let most = u32::try_from(MAX_GAMES).unwrap();
    for host in 1..=most {
        games.hear(at(host), &server(host, 26_000));
    }
    // The first is heard again, so the second is the oldest.
    games.hear(at(most + 1), &server(1, 26_000));
    games.hear(at(most + 2), &server(200, 26_000));
    let now = at(most + 2);
    assert_eq!(games.list(now).len(), MAX_GAMES);
    assert!(is_there(&games, now, 1) && !is_there(&games, now, 2) && is_there(&games, now, 200));
}

#[test]
fn a_machine_that_makes_up_a_thousand_servers_drives_out_its_own() {
    let (mut games, now) = (Games::default(), Instant::now());
    for real in 1..=20 {
        games.hear(now, &server(real, 26_000));
    }
    // Ports and addresses are cheap.
    for number in 0..1000_u16 {
        games.hear(now, &server(99, 1000 + number));
        let mut spoofed = server(99, 26_000);
        spoofed[28..30].copy_from_slice(&number.to_be_bytes());
        games.hear(now, &spoofed);
    }
    games.hear(now, &server(21, 26_000));
    assert!((1..=21).all(|real| is_there(&games, now, real)));
    assert_eq!(games.list(now).len(), 21 + MAX_OF_ONE);
}

#[test]
fn a_thousand_made_up_machines_drive_out_nobody_who_has_answered_twice() {
    let (mut games, start) = (Games::default(), Instant::now());
    let later = start + Duration::from_secs(2);
    for now in [start, later] {
        for real in 1..=20 {
            games.hear(now, &server(real, 26_000));
        }
    }
    for number in 1000..2000 {
        games.hear(later, &server(number, 26_000));
    }
    assert!((1..=20).all(|real| is_there(&games, later, real)));
    assert!(is_there(&games, later, 1999), "and newcomers come in");
    // Who came in between is back with its next answer.
    games.hear(later, &server(21, 26_000));
    assert!(is_there(&games, later, 21));
}

/// However many games the real machines have, and also where the made-up ones answer again.
#[test]
fn made_up_machines_that_answer_twice_drive_out_nobody_who_was_there() {
    let (mut games, start) = (Games::default(), Instant::now());
    let at = |second: u32| start + Duration::from_secs(second.into());
    for second in [0, 2] {
        for real in 1..=10 {
            games.hear(at(second), &server(real, 26_000));
            games.hear(at(second), &server(real, 26_001));
        }
    }
    for second in 3..103 {
        for number in 0..100 {
            games.hear(at(second), &server(1000 + number + second / 5, 26_000));
        }
    }
    assert!((1..=10).all(|real| is_there(&games, at(103), real)));
    let list = games.list(at(103)).into_iter();
    let real = list.filter(|game| (1..=10).any(|real| game.mac == Some(machine(real as u32))));
    assert_eq!(real.count(), 20);
}

#[test]
fn neither_lan_nor_players_take_the_others_share() {
    let (mut games, start) = (Games::default(), Instant::now());
    let later = start + Duration::from_secs(2);
    for now in [start, later] {
        for made_up in 1..=200 {
            games.hear(now, &server(made_up, 26_000));
        }
    }
    for player in 1000..1016 {
        games.hear_player(later, &server(player, 26_000));
    }
    for made_up in 300..=500 {
        games.hear(later, &server(made_up, 26_000));
    }
    assert!((1000..1016).all(|player| is_there(&games, later, player)));
    let mut games = Games::default();
    for lan in 1..=16 {
        games.hear(start, &server(lan, 26_000));
    }
    for player in 1000..1200 {
        games.hear_player(later, &server(player, 26_000));
    }
    assert!((1..=16).all(|lan| is_there(&games, later, lan)));
    games.forget_players();
    assert_eq!(games.list(later).len(), 16);
}

#[test]
fn two_machines_with_one_address_are_two_games() {
    let (mut games, now) = (Games::default(), Instant::now());
    for (mac, name) in [(1_u32, "Friday"), (2, "Mallory's"), (1, "Friday")] {
        let mut frame = frame(26_000, 1, &quake(name, 0));
        frame[6..12].copy_from_slice(&machine(mac).octets());
        games.hear(now, &frame);
    }
    let told = games
        .list(now)
        .into_iter()
        .map(|game| (game.server, game.mac));
    let expected = [("Friday", 1_u32), ("Mallory's", 2)];
    let expected = expected.map(|(name, mac)| (name.to_owned(), Some(machine(mac))));
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

/// Beginnings that lead somewhere, and ports that do.
const LEADS: &[&[u8]] = &[
    b"\xff\xff\xff\xffinfoResponse\n\\hostname\\",
    b"\xff\xff\xff\xffstatusResponse\n\\sv_hostname\\",
    b"\xff\xff\xff\xffinfo\n",
    b"\xff\xff\xff\xff\x49\x11",
    b"\xff\xff\xff\xff\x6d",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffiext1\0",
    b"!LANpLANp\xff\xff\xff\xffinf3",
    b"\xff\xffinfoResponse\0si_name\0",
    b"\x80\0",
    b"\x1c",
    b"[MOTD]",
    b"\\hostname\\",
    b"\0LANphostname\0",
    b"\xf7\x30",
    b"\0\0\0\x06",
    b"\x02",
    b"\x00\x03",
    b"\x00\x0dOpenRALANGame\x00\x01\x00\x40Game:\n\tName:",
    b"\x00\x0eChocolate Doom 3\0",
    b"\x00\x33\x00\x00\x00\x10\x11\xb6\0\0",
    b"\x00\x38\x03\x03BZFS0221",
    b"\x80\x01\x02\x00\x05\x80\x04\x01",
    b"GAME\0\0\x01",
    b"hedgewars server\n",
    b"\x89\0\0",
    b"",
];

proptest! {
    #[test]
    fn no_strangers_bytes_do_more_than_be_read(
        lead in 0..LEADS.len(),
        from in prop::sample::select(vec![3979, 2757, 6112, 27_960, 28_786]),
        to in prop::sample::select(vec![4445, 4556, 8086, 40_000]),
        rest in prop::collection::vec(prop_oneof![Just(0u8), Just(b'\\'), Just(b'\n'), any::<u8>()], 0..100),
    ) {
        let (mut games, now) = (Games::default(), Instant::now());
        let said = [LEADS[lead], &rest].concat();
        games.hear(now, &frame(from, to, &said));
        for game in games.list(now) {
            for text in [Some(&game.game), Some(&game.server), game.map.as_ref()] {
                let text = text.map_or("", String::as_str);
                prop_assert!(text.chars().count() <= MAX_CHARS);
                prop_assert!(!text.chars().any(char::is_control));
            }
            prop_assert_ne!(game.address.port(), 0);
        }
    }

    #[test]
    fn no_frame_is_too_odd(frame in prop::collection::vec(any::<u8>(), 0..200)) {
        Games::default().hear(Instant::now(), &frame);
    }
}
