//! What strangers, damage and bad moments do not bring about.

use super::*;
use lanparty_client_control::Way;

#[test]
fn the_service_reads_links_alone_and_of_who_may_not_join_nothing() {
    let mut table = Table::joined();
    let told = |text: String| Request::Join {
        invite: Secret::new(text),
        name: None,
    };
    let Answer::Refused(says) = table.answered(&bert(), told("lanparty:/".repeat(1000))) else {
        panic!("anna is in a party")
    };
    assert!(says.contains("anna"), "{says}");
    let around = format!("come: {} !", invite("OTHER").reveal());
    let answer = table.answered(&anna(), told(around));
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    let around = format!(" {}\n", invite("OTHER").reveal());
    assert_eq!(
        table.answered(&anna(), told(around)),
        done("Joining OTHER.")
    );
}

#[test]
fn an_invite_drives_out_another_one_of_the_same_room_when_it_has_led_to_the_lan() {
    let mut table = Table::joined();
    let names = |table: &Table| -> Vec<_> {
        let rooms = table.snapshot(&anna()).rooms;
        rooms.into_iter().map(|room| room.name).collect()
    };
    let other_key = invite("FRIDAY")
        .reveal()
        .replace(KEY, "ZmVkY2JhOTg3NjU0MzIxMA");
    let request = Request::Join {
        invite: Secret::new(other_key),
        name: None,
    };
    table.answered(&anna(), request.clone());
    assert_eq!(names(&table), ["FRIDAY 2", "FRIDAY"]);
    table.ends(Ok(()));
    table.ends(Err(failure("The relay says no.", false)));
    assert_eq!(names(&table), ["FRIDAY 2", "FRIDAY"]);
    table.answered(&anna(), request);
    assert_eq!(names(&table), ["FRIDAY 2", "FRIDAY"], "it is known");
    table.news(on_the_lan("192.168.50.17"));
    assert_eq!(names(&table), ["FRIDAY"]);
    let kept = table.kept();
    let joined = kept.joined.clone().unwrap();
    assert_eq!(joined.room, "FRIDAY");
    let key = kept.invite("1000", "FRIDAY").unwrap();
    assert!(!key.reveal().contains(KEY), "the good one is kept");
}

#[test]
fn what_is_joined_is_known_by_the_name_that_the_room_has_now() {
    let mut table = Table::joined();
    let forget = Request::Forget {
        room: "FRIDAY".to_owned(),
    };
    table.answered(&anna(), forget);
    table.desk.kept.joined = None;
    let answer = table.join(&anna(), "FRIDAY");
    assert_eq!(answer, done("You are in FRIDAY already."));
    let kept = table.kept();
    assert_eq!(kept.joined.unwrap().room, "FRIDAY");
}

#[test]
fn whoever_asks_while_the_service_ends_begins_nothing() {
    let mut table = Table::joined();
    table.desk.shut_down();
    assert!(table.stopped());
    let Answer::Refused(says) = table.join(&anna(), "OTHER") else {
        panic!("it ends")
    };
    assert!(says.contains("ends"), "{says}");
    table.ends(Ok(()));
    let leave = table.answered(&anna(), Request::Leave);
    assert!(matches!(leave, Answer::Refused(_)), "{leave:?}");
    assert!(table.next().is_none());
    let status = table.answered(&anna(), Request::Status);
    assert!(matches!(status, Answer::Snapshot(_)));
}

#[test]
fn who_is_not_joined_again_reads_why() {
    let mut table = Table::new();
    table.desk.resume(table.now, TODAY);
    table.join(&anna(), &format!("FRIDAY&expires={}", TODAY + 10));
    let mut later = Table::with("boot 1", table.kept());
    later.desk.resume(later.now, TODAY + 20);
    assert_eq!(later.state(), State::CannotConnect);
    let says = later.snapshot(&anna()).sentence;
    assert!(
        says.contains("FRIDAY") && says.contains("expired"),
        "{says}"
    );
    assert!(says.ends_with('.') && !says.ends_with(".."), "{says}");
    later.answered(&anna(), Request::Leave);
    assert_eq!(later.state(), State::NotConnected);
    assert_eq!(later.kept().joined, None);
}

#[test]
fn a_party_is_played_by_ipv4() {
    let mut table = Table::new();
    table.join(&anna(), "FRIDAY");
    let mut news = news(on_the_lan("2001:db8::5"));
    news.facts = facts("fe80::2");
    news.facts.addresses.push("2001:db8::5".parse().unwrap());
    news.status = news.facts.joined_status("FRIDAY");
    table.desk.handle_news(table.now, news);
    assert_eq!(table.state(), State::Connecting);
    table.pass(15);
    let warnings = table.snapshot(&anna()).warnings;
    assert_eq!(warnings[0].id, "no_lan_address");
    assert!(
        warnings[0].sentence.contains("IPv6"),
        "{}",
        warnings[0].sentence
    );
}

#[test]
fn an_answer_repeats_little_of_what_may_be_a_key() {
    let mut table = Table::new();
    let room = "k".repeat(3000);
    for request in [
        Request::Forget { room: room.clone() },
        Request::JoinRoom { room, name: None },
    ] {
        let Answer::Refused(says) = table.answered(&anna(), request) else {
            panic!("there is no such room")
        };
        assert!(says.len() < 200 && says.contains('…'), "{says}");
    }
}

#[test]
fn the_fullest_snapshot_fits_into_a_line() {
    const MANY: usize = 1024; // lanparty-client-core's MAX_CLIENTS
    let mut table = Table::new();
    for number in 0..40 {
        let name = "%F0%9F%98%80".repeat(10);
        table.join(&anna(), &format!("ROOM-{number}&name={name}{number}"));
    }
    let mut news = news(on_the_lan("192.168.50.17"));
    let broad = |chars| "\u{1f600}".repeat(chars);
    let member = Member {
        name: Some(broad(32)),
        mac: Some("02:00:00:00:00:07".to_owned()),
        is_gateway: false,
        ping_us: Some(u32::MAX),
        way: Some(Way::Relay),
        talks: false,
    };
    news.members = vec![member; MANY];
    let game = lanparty_games::Game {
        game: broad(lanparty_games::MAX_CHARS),
        server: broad(lanparty_games::MAX_CHARS),
        address: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"
            .parse()
            .unwrap(),
        mac: Some(lanparty_proto::MacAddr::BROADCAST),
        host: Some(lanparty_games::Host::Player(broad(32))),
        map: Some(broad(lanparty_games::MAX_CHARS)),
        players: Some(u16::MAX),
        max_players: Some(u16::MAX),
        heard_ms: u64::MAX,
        silence_ms: Some(u64::MAX),
    };
    news.games = vec![game; lanparty_games::MAX_GAMES];
    news.facts = facts("192.168.50.17");
    table.desk.stage = Stage::Running { since: table.now };
    table.desk.handle_news(table.now, news);
    let snapshot = table.snapshot(&anna());
    assert_eq!((snapshot.members.len(), snapshot.rooms.len()), (MANY, 32));
    let line = serde_json::to_vec(&Answer::Snapshot(Box::new(snapshot))).unwrap();
    let half = lanparty_client_control::MAX_ANSWER / 2;
    assert!(line.len() < half, "{}", line.len());
}
