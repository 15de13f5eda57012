//! Which games the player may join.

use super::*;
use lanparty_games::{GROUPS as GAMES_GROUPS, Host};

/// What a game's server says, from this machine.
fn answer(from: [u8; 6], name: &str) -> Vec<u8> {
    let said = format!("\u{1c}infoResponse\n\\hostname\\{name}\\clients\\3\\gamename\\Xonotic");
    let said = [&[0xff; 4], &said.as_bytes()[1..]].concat();
    let len = u16::try_from(8 + said.len()).unwrap();
    let mut frame = [&OWN[..], &from, &[8, 0, 0x45, 0]].concat();
    frame.extend((20 + len).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend([192, 168, 50, from[5], 192, 168, 50, 1]);
    frame.extend([26_000, 40_000, len, 0].map(u16::to_be_bytes).concat());
    frame.extend(said);
    frame
}

/// The servers with whose they are.
fn games(session: &Session) -> Vec<(String, Option<Host>)> {
    let games = session.games(Instant::now()).into_iter();
    games.map(|game| (game.server, game.host)).collect()
}

fn player(name: &str) -> Option<Host> {
    Some(Host::Player(name.to_owned()))
}

#[test]
fn a_game_is_the_lans_or_a_players_and_leaves_with_the_player() {
    let (now, mut session) = (Instant::now(), joined());
    let ann = PeerJoined {
        name: Some("Ann".parse().unwrap()),
        ..peer_joined(OTHER_ID, Newcomer::Client(virtual_mac(OTHER)))
    };
    session.handle_control(now, RelayMessage::PeerJoined(ann));
    announce(&mut session, 3, Newcomer::Client(virtual_mac(THIRD)));
    for (id, from, name) in [
        (GATEWAY_ID, LAN_HOST, "cellar"),
        (OTHER_ID, OTHER, "Ann's"),
        (3, THIRD, "nameless"),
    ] {
        let heard = session.handle_datagram(now, datagram(id, &answer(from, name)));
        assert!(heard.unwrap().is_some());
    }
    let cellar = ("cellar".to_owned(), Some(Host::Lan));
    let expected = [
        ("Ann's".to_owned(), player("Ann")),
        cellar.clone(),
        ("nameless".to_owned(), player("02:00:00:00:00:03")),
    ];
    assert_eq!(games(&session), expected);
    leave(&mut session, OTHER_ID);
    assert_eq!(games(&session), expected[1..]);
    session.handle_lost_link(now);
    assert_eq!(games(&session), [cellar], "the LAN is where it was");
}

/// The machine has said nothing: Minecraft's worlds and Freeciv's servers are for its window all the same.
#[test]
fn the_groups_of_games_are_asked_for_without_the_machine() {
    let (now, mut session) = (Instant::now(), Session::new(virtual_mac(OWN)));
    let welcome = Welcome {
        capabilities: vec![GROUPS.to_owned()],
        ..welcome(Some(GATEWAY_ID))
    };
    session.handle_welcome(now, &welcome, budget());
    session.handle_timeout(now);
    let told = std::iter::from_fn(|| session.poll_output()).filter_map(|output| match output {
        PeerOutput::ToRelay(report) => Some(report.frame().to_vec()),
        PeerOutput::Frame(_) | PeerOutput::Message(_) => None,
    });
    let told: Vec<_> = told.collect();
    let [report] = &told[..] else {
        panic!("{told:?}")
    };
    for group in GAMES_GROUPS {
        let group = group.octets();
        assert!(report.windows(4).any(|part| part == group), "{group:?}");
    }
}
