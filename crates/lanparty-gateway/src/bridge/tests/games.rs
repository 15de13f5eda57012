//! Which games the gateway hears of (spec R136).

use super::*;
use lanparty_games::Host;

/// What a game's server says to this machine.
fn answer(to: MacAddr, from: MacAddr, name: &str) -> Vec<u8> {
    let said = format!("infoResponse\n\\hostname\\{name}\\clients\\3\\gamename\\Xonotic");
    let said = [&[0xff; 4], said.as_bytes()].concat();
    let len = u16::try_from(8 + said.len()).unwrap();
    let [.., last] = from.octets();
    let mut frame = [to.octets(), from.octets()].concat();
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((20 + len).to_be_bytes());
    frame.extend([
        0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 50, last, 192, 168, 50, 99,
    ]);
    frame.extend([26_000, 40_000, len, 0].map(u16::to_be_bytes).concat());
    frame.extend(said);
    frame
}

/// The servers with whose they are.
fn games(party: &Party) -> Vec<(String, Option<Host>)> {
    let games = party.bridge.games(party.now).into_iter();
    games.map(|game| (game.server, game.host)).collect()
}

fn lan(name: &str) -> (String, Option<Host>) {
    (name.to_owned(), Some(Host::Lan))
}

#[test]
fn what_the_lan_answers_players_and_itself_and_what_players_answer_is_heard() {
    let mut party = Party::with(&[ALICE]);
    let station = MacAddr::new([0x52, 0, 0, 0, 0, 3]);
    party
        .lan_says(&answer(ALICE.1, LAN_HOST, "for Alice"))
        .unwrap();
    let between = party.lan_says(&answer(LAN_HOST, station, "for another"));
    assert_eq!(between.map(drop), Err(DropReason::UnknownDestination));
    party
        .client_says(ALICE.0, &answer(LAN_HOST, ALICE.1, "of Alice"))
        .unwrap();
    let alice = Some(Host::Player(ALICE.1.to_string()));
    let expected = [
        lan("for Alice"),
        lan("for another"),
        ("of Alice".to_owned(), alice),
    ];
    assert_eq!(games(&party), expected);
    party.leave(ALICE);
    assert_eq!(games(&party), expected[..2]);
    party.bridge.handle_lost_link(party.now);
    assert_eq!(games(&party), expected[..2], "the LAN is where it was");
    party
        .bridge
        .overhear(party.now, &answer(LAN_HOST, station, "while alone"));
    assert_eq!(games(&party)[1], lan("while alone"));
}

#[test]
fn an_echo_and_a_forgery_are_no_games() {
    let mut party = Party::with(&[ALICE, BOB]);
    let echo = party.lan_says(&answer(MacAddr::BROADCAST, ALICE.1, "echo"));
    assert_eq!(echo.map(drop), Err(DropReason::UnauthorizedSourceMac));
    let forged = party.client_says(ALICE.0, &answer(LAN_HOST, BOB.1, "forged"));
    assert!(forged.is_err());
    assert_eq!(games(&party), []);
}

#[test]
fn players_games_end_with_the_link() {
    let mut party = Party::with(&[ALICE]);
    party
        .client_says(ALICE.0, &answer(LAN_HOST, ALICE.1, "of Alice"))
        .unwrap();
    assert_eq!(games(&party).len(), 1);
    party.bridge.handle_lost_link(party.now);
    assert_eq!(games(&party), []);
}

#[test]
fn what_the_lan_plays_outlives_a_cable_and_what_players_host_does_not() {
    let mut party = Party::with(&[ALICE]);
    party
        .lan_says(&answer(ALICE.1, LAN_HOST, "of the LAN"))
        .unwrap();
    party
        .client_says(ALICE.0, &answer(LAN_HOST, ALICE.1, "of Alice"))
        .unwrap();
    assert_eq!(games(&party).len(), 2);
    // The cable is pulled: there is no goodbye to the room.
    let bridge = std::mem::replace(&mut party.bridge, Bridge::new(NIC));
    let memory = bridge.into_memory();
    let out = memory.games(party.now).into_iter();
    let out: Vec<_> = out.map(|game| (game.server, game.host)).collect();
    assert_eq!(out, [lan("of the LAN")]);
    party.bridge = Bridge::new(NIC).remembering(memory);
    party.welcome();
    assert_eq!(games(&party), [lan("of the LAN")]);
}
