#![allow(clippy::disallowed_methods, reason = "tests own the clock")]

mod warnings;

use super::*;
use lanparty_client_control::{Fix, Member, Request, Snapshot};
use lanparty_obs::way::Measured;
use lanparty_obs::{Diagnostics, NotDirect, PlayerStatus, Way, Ways};
use std::net::IpAddr;

mod limits;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
/// The day on which these tests play, in seconds since 1970.
const TODAY: u64 = 1_790_000_000;

#[test]
fn one_press_leads_to_the_lan_and_another_one_home() {
    let mut table = Table::new();
    assert_eq!(table.state(), State::NotConnected);
    let answer = table.join(&anna(), "FRIDAY&name=Friday%20night");
    assert_eq!(answer, done("Joining Friday night."));
    let begun = table.begun();
    assert_eq!((begun.room.as_str(), begun.name), ("Friday night", None));
    assert_eq!(table.state(), State::Connecting);
    table.news(connecting());
    assert_eq!(table.state(), State::Connecting);
    table.news(waiting_for_gateway());
    assert_eq!(table.state(), State::WaitingForGateway);
    table.news(on_the_lan("fe80::7"));
    assert_eq!(
        table.state(),
        State::Connecting,
        "every adapter has such a one"
    );
    table.news(on_the_lan("192.168.50.17"));
    table.pass(3);
    let snapshot = table.snapshot(&anna());
    assert_eq!(
        (snapshot.state, snapshot.state_ms),
        (State::Connected, 3000)
    );
    assert_eq!(snapshot.party.unwrap().joined_by.as_deref(), Some("anna"));
    assert_eq!(snapshot.address.unwrap().ip.to_string(), "192.168.50.17");

    let leave = table.ask(&anna(), Request::Leave);
    assert!(matches!(table.next(), Some(Output::Save(_))));
    assert!(matches!(table.next(), Some(Output::Stop(_))));
    assert!(
        table.next().is_none(),
        "nobody is told before all is undone"
    );
    table.desk.handle_ended(table.now, Ok(()));
    table.answers(leave, done("You have left Friday night."));
    assert_eq!(table.state(), State::NotConnected);
    let rooms = table.snapshot(&anna()).rooms;
    assert_eq!(rooms[0].name, "Friday night");
}

#[test]
fn who_was_connected_is_on_the_way_back_and_nothing_old_is_shown() {
    let mut table = Table::joined();
    table.news(PlayerStatus::NotReachable {
        relay: "relay".to_owned(),
        cause: "it does not answer any more".to_owned(),
    });
    let snapshot = table.snapshot(&anna());
    assert_eq!(snapshot.state, State::Reconnecting);
    let (address, members) = (snapshot.address, snapshot.members.len());
    assert_eq!(
        (address, snapshot.ping.us, snapshot.way, members),
        (None, None, None, 0)
    );
    table.news(on_the_lan("192.168.50.17"));
    let mut faint = news(on_the_lan("192.168.50.17"));
    faint.facts = facts("192.168.50.17");
    faint.facts.relay_faint = true;
    table.desk.handle_news(table.now, faint);
    let snapshot = table.snapshot(&anna());
    assert_eq!(
        (snapshot.state, snapshot.address),
        (State::Reconnecting, None)
    );
    let says = snapshot.sentence;
    assert!(says.contains("does not answer any more"), "{says}");
    table.news(PlayerStatus::Refused {
        relay: "relay".to_owned(),
        cause: "the room is locked".to_owned(),
    });
    let snapshot = table.snapshot(&anna());
    assert_eq!(snapshot.state, State::CannotConnect);
    assert!(
        snapshot.sentence.contains("locked"),
        "{}",
        snapshot.sentence
    );
    table.news(on_the_lan("192.168.50.17"));
    assert_eq!(table.state(), State::Connected);
}

#[test]
fn a_silent_relay_is_one_that_may_come_back_and_nobody_else_is_asked_yet() {
    for (others, then) in [
        (1, "the other relay of the invite is asked."),
        (2, "the other 2 relays of the invite are asked."),
    ] {
        let mut table = Table::joined();
        let invite = &mut table.desk.wanted.as_mut().unwrap().invite;
        let named = (0..others).map(|number| format!("relay-{number}.example").parse().unwrap());
        invite.others.extend(named);
        let mut faint = news(on_the_lan("192.168.50.17"));
        faint.facts = facts("192.168.50.17");
        faint.facts.relay_faint = true;
        table.desk.handle_news(table.now, faint);
        let says = table.snapshot(&anna()).sentence;
        let expected = format!("The relay does not answer; if it stays so, {then}");
        assert_eq!(says, expected);
    }
}

#[test]
fn what_may_pass_is_tried_again_ever_more_rarely_and_what_may_not_is_said() {
    let mut table = Table::new();
    table.join(&anna(), "FRIDAY");
    let mut waits = Vec::new();
    for _ in 0..7 {
        table.begun();
        table.ends(Err(failure("The adapter is gone.", true)));
        assert_eq!(table.state(), State::CannotConnect);
        let until = table.desk.poll_timeout().unwrap();
        waits.push(until.duration_since(table.now).as_secs());
        table.now = until;
        table.desk.handle_timeout(table.now);
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60]);
    table.begun();
    table.news(on_the_lan("192.168.50.17"));
    table.ends(Err(failure("The host has sent you out.", false)));
    let snapshot = table.snapshot(&anna());
    assert_eq!(snapshot.sentence, "The host has sent you out.");
    assert_eq!(snapshot.state, State::CannotConnect);
    assert_eq!(table.desk.poll_timeout(), None);
    let kept = table.kept();
    assert_eq!(kept.joined, None, "nor does the next service try it");
    table.join(&anna(), "FRIDAY");
    table.begun();
    assert_eq!(table.state(), State::Connecting, "as if for the first time");
    table.ends(Err(failure("The host has sent you out.", false)));
    let answer = table.answered(&anna(), Request::Leave);
    assert_eq!(answer, done("You have left FRIDAY."));
    assert_eq!(table.state(), State::NotConnected);
    table.join(&anna(), "FRIDAY");
    table.begun();
    table.ends(Err(failure("The host has sent you out.", false)));
    let other = table.join(&bert(), "OTHER");
    assert_eq!(
        other,
        done("Joining OTHER."),
        "nobody is in the way any more"
    );
}

#[test]
fn what_is_no_invite_is_refused_before_anything_begins() {
    let mut table = Table::new();
    for (rest, says) in [
        ("FRIDAY&expires=1700000000", "has expired"),
        ("F&x=1", "damaged"),
        ("FRIDAY&key=x", "cut short"),
    ] {
        let Answer::Refused(sentence) = table.join(&anna(), rest) else {
            panic!("{rest} is taken")
        };
        assert!(sentence.contains(says), "{sentence}");
        assert!(!sentence.contains(KEY), "{sentence}");
    }
    let nonsense = Request::Join {
        invite: Secret::new("hello".to_owned()),
        name: None,
    };
    assert!(matches!(
        table.answered(&anna(), nonsense),
        Answer::Refused(_)
    ));
    let nameless = Request::Join {
        invite: invite("FRIDAY"),
        name: Some("x".repeat(99)),
    };
    assert!(matches!(
        table.answered(&anna(), nameless),
        Answer::Refused(_)
    ));
    assert!(table.snapshot(&anna()).rooms.is_empty());
    assert_eq!(table.state(), State::NotConnected);
}

#[test]
fn a_machine_is_in_one_party_and_who_comes_second_reads_who_is_in_which() {
    let mut table = Table::joined();
    for request in [
        join("OTHER"),
        Request::Leave,
        Request::Fix {
            fix: Fix::ResetAdapter,
        },
        Request::Fix {
            fix: Fix::RenewAddress,
        },
    ] {
        let Answer::Refused(sentence) = table.answered(&bert(), request) else {
            panic!("bert may not do that")
        };
        assert!(
            sentence.contains("anna") && sentence.contains("FRIDAY"),
            "{sentence}"
        );
    }
    assert!(table.next().is_none());
    let seen = table.snapshot(&bert());
    assert_eq!(seen.state, State::Connected);
    assert!(
        seen.rooms.is_empty(),
        "whose rooms are kept is nobody else's affair"
    );
    let root = Caller {
        is_admin: true,
        ..caller("root", "0")
    };
    table.ask(&root, Request::Leave);
    assert!(matches!(table.next(), Some(Output::Save(_))));
    assert!(matches!(table.next(), Some(Output::Stop(_))));
}

#[test]
fn another_party_is_joined_when_the_first_is_left() {
    let mut table = Table::joined();
    table.join(&anna(), "SECOND");
    assert!(table.stopped());
    table.news(on_the_lan("192.168.50.17"));
    assert_eq!(table.state(), State::Connecting, "that was the first one's");
    table.join(&anna(), "THIRD");
    table.ends(Ok(()));
    assert_eq!(table.begun().room, "THIRD");
    let again = table.join(&anna(), "THIRD");
    assert_eq!(again, done("Joining THIRD already."));
    assert!(table.saved_only());
}

#[test]
fn rooms_are_joined_by_name_with_the_name_that_was_wanted_before() {
    let mut table = Table::new();
    let request = Request::Join {
        invite: invite("FRIDAY"),
        name: Some("Anna K".to_owned()),
    };
    table.answered(&anna(), request);
    table.begun();
    table.ask(&anna(), Request::Leave);
    assert!(table.stopped());
    table.ends(Ok(()));
    let room = |room: &str| room_as(room, None);
    assert!(matches!(
        table.answered(&bert(), room("FRIDAY")),
        Answer::Refused(_)
    ));
    assert_eq!(
        table.answered(&anna(), room("friday")),
        done("Joining FRIDAY.")
    );
    assert_eq!(table.begun().name.unwrap().as_str(), "Anna K");
    let overlong = table.answered(&anna(), room_as("friday", Some(&"x".repeat(99))));
    assert!(matches!(overlong, Answer::Refused(_)), "{overlong:?}");
    for (name, called) in [
        (Some("Anna B"), Some("Anna B")),
        (Some(""), None),
        (None, None),
    ] {
        table.ask(&anna(), Request::Leave);
        assert!(table.stopped());
        table.ends(Ok(()));
        table.answered(&anna(), room_as("friday", name));
        let begun = table.begun().name;
        assert_eq!(begun.as_ref().map(Name::as_str), called, "{name:?}");
    }
    let forget = Request::Forget {
        room: "FRIDAY".to_owned(),
    };
    assert!(matches!(table.answered(&anna(), forget), Answer::Done(_)));
    assert!(table.snapshot(&anna()).rooms.is_empty());
}

#[test]
fn a_killed_service_joins_again_and_one_that_was_told_to_leave_does_not() {
    let mut table = Table::new();
    table.desk.resume(table.now, TODAY);
    table.join(&anna(), "FRIDAY");
    let kept = table.kept();
    let again = |kept: &Kept, boot: &str| {
        let mut table = Table::with(boot, kept.clone());
        table.desk.resume(table.now, TODAY);
        let mut outputs = std::iter::from_fn(|| table.next());
        outputs.any(|output| matches!(output, Output::Begin(_)))
    };
    assert!(again(&kept, "boot 1"));
    assert!(!again(&kept, "boot 2"), "the machine was started anew");
    table.answered(&anna(), Request::AutoJoin { on: true });
    let wants = table.kept();
    assert!(again(&wants, "boot 2"));
    table.ask(&anna(), Request::Leave);
    let left = table.kept();
    assert!(!again(&left, "boot 1"));
    assert!(again(&left, "boot 3"), "she wants that at each start");
}

#[test]
fn who_wants_no_direct_path_has_none_from_the_next_join_on() {
    let mut table = Table::new();
    table.desk.resume(table.now, TODAY);
    table.join(&anna(), "FRIDAY");
    assert!(!table.begun().relay_only);
    let off = table.answered(&anna(), Request::Direct { on: false });
    assert!(matches!(off, Answer::Done(_)), "{off:?}");
    assert!(table.snapshot(&anna()).relay_only);
    assert!(!table.snapshot(&bert()).relay_only, "it is one person's");
    // Joining once more is what takes it, and so does a service that was killed.
    table.join(&anna(), "FRIDAY");
    assert!(table.stopped());
    table.ends(Ok(()));
    assert!(table.begun().relay_only);
    table.answered(&anna(), Request::Direct { on: false });
    let mut again = Table::with("boot 1", table.kept());
    again.desk.resume(again.now, TODAY);
    assert!(again.begun().relay_only);
    again.answered(&anna(), Request::Direct { on: true });
    assert!(!again.snapshot(&anna()).relay_only);
}

#[test]
fn a_new_key_is_kept_where_the_invite_is_and_tried_from_then_on() {
    let mut table = Table::new();
    table.desk.resume(table.now, TODAY);
    table.join(&anna(), "FRIDAY");
    table.begun();
    let key = RoomKey::from_random([9; 16]);
    table.desk.handle_new_key(&key);
    let kept = table.kept();
    let is_new = |wanted: &Wanted| {
        let read: Invite = wanted.text.reveal().parse().unwrap();
        read.key == key && wanted.invite.key == key
    };
    table.ends(Err(failure("The adapter is gone.", true)));
    table.pass(60);
    table.desk.handle_timeout(table.now);
    assert!(is_new(&table.begun()), "the session that is tried again");
    let mut next = Table::with("boot 1", kept);
    next.desk.resume(next.now, TODAY);
    let begun = next.begun();
    assert!(is_new(&begun), "the next service");
    assert_eq!(begun.room, "FRIDAY");
    next.ask(&anna(), Request::Leave);
    next.stopped();
    next.desk.handle_new_key(&RoomKey::from_random([8; 16]));
    assert!(next.next().is_none(), "who is leaving keeps what there is");
}

#[test]
fn the_lan_stands_first_and_then_everybody_by_name() {
    let mut table = Table::joined();
    let mut news = news(PlayerStatus::OnTheLan {
        address: "192.168.50.17".parse().unwrap(),
        broadcast: true,
    });
    news.facts = facts("192.168.50.17");
    let member = |name: &str, is_gateway: bool| Member {
        name: (!is_gateway).then(|| name.to_owned()),
        mac: None,
        is_gateway,
        ping_us: is_gateway.then_some(3_000),
        way: None,
        talks: false,
    };
    news.members = vec![
        member("zoe", false),
        member("Bert", false),
        member("", true),
        member("anna", false),
    ];
    table.desk.handle_news(table.now, news);
    let snapshot = table.snapshot(&anna());
    let names = snapshot
        .members
        .iter()
        .map(|member| member.name.as_deref().unwrap_or("LAN"));
    assert_eq!(names.collect::<Vec<_>>(), ["LAN", "anna", "Bert", "zoe"]);
    assert_eq!(
        snapshot.ping.us,
        Some(23_000),
        "to the relay, and from there"
    );
    assert_eq!(snapshot.ping.minute, [Some(23_000)]);
}

/// A desk, the time, and who asks.
struct Table {
    desk: Desk,
    now: Instant,
    tickets: Ticket,
}

impl Table {
    fn new() -> Self {
        Table::with("boot 1", Kept::default())
    }

    fn with(boot: &str, kept: Kept) -> Self {
        let now = Instant::now();
        Table {
            desk: Desk::new(now, "0.1.0", Some(boot.to_owned()), kept),
            now,
            tickets: 0,
        }
    }

    /// Anna is in FRIDAY, on the LAN.
    fn joined() -> Self {
        let mut table = Table::new();
        table.join(&anna(), "FRIDAY");
        table.news(on_the_lan("192.168.50.17"));
        assert_eq!(table.state(), State::Connected);
        while table.next().is_some() {}
        table
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn next(&mut self) -> Option<Output> {
        self.desk.poll_output()
    }

    fn ask(&mut self, caller: &Caller, request: Request) -> Ticket {
        self.tickets += 1;
        self.desk
            .handle_request(self.now, TODAY, self.tickets, caller, request);
        self.tickets
    }

    /// Asks, and takes the answer that must come at once; what else is wanted stays for the next look.
    fn answered(&mut self, caller: &Caller, request: Request) -> Answer {
        let asked = self.ask(caller, request);
        let is_it =
            |output: &Output| matches!(output, Output::Answer(ticket, _) if *ticket == asked);
        let at = self.desk.output.iter().position(is_it).expect("an answer");
        match self.desk.output.remove(at) {
            Some(Output::Answer(_, answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn join(&mut self, caller: &Caller, rest: &str) -> Answer {
        self.answered(caller, join(rest))
    }

    fn news(&mut self, status: PlayerStatus) {
        let mut news = news(status);
        if let PlayerStatus::OnTheLan { address, .. } = &news.status {
            news.facts = facts(&address.to_string());
        }
        self.desk.handle_news(self.now, news);
    }

    /// On the LAN by this way, while both are known.
    fn news_by(&mut self, way: Way, not_direct: Option<NotDirect>) {
        let measured = |ms: u32| Measured {
            rtt_us: Some(ms * 1000),
            loss_permille: None,
        };
        let mut news = news(on_the_lan("192.168.50.17"));
        news.facts = facts("192.168.50.17");
        news.facts.ways = Ways {
            way,
            relay: measured(31),
            direct: measured(12),
            not_direct,
        };
        self.desk.handle_news(self.now, news);
    }

    fn ends(&mut self, ended: Result<(), Failure>) {
        self.desk.handle_ended(self.now, ended);
    }

    /// The session that is to begin, and nothing but saving beside it.
    fn begun(&mut self) -> Wanted {
        loop {
            match self.next() {
                Some(Output::Begin(wanted)) => return *wanted,
                Some(Output::Save(_) | Output::Answer(..)) => {}
                other => panic!("no session is to begin but {other:?}"),
            }
        }
    }

    fn stopped(&mut self) -> bool {
        let outputs: Vec<_> = std::iter::from_fn(|| self.next()).collect();
        outputs
            .iter()
            .any(|output| matches!(output, Output::Stop(_)))
    }

    fn saved_only(&mut self) -> bool {
        let outputs: Vec<_> = std::iter::from_fn(|| self.next()).collect();
        outputs
            .iter()
            .all(|output| matches!(output, Output::Save(_)))
    }

    /// What was saved last.
    fn kept(&mut self) -> Kept {
        let outputs: Vec<_> = std::iter::from_fn(|| self.next()).collect();
        let mut saved = outputs.into_iter().filter_map(|output| match output {
            Output::Save(kept) => Some(*kept),
            _ => None,
        });
        saved.next_back().expect("something is saved")
    }

    fn answers(&mut self, ticket: Ticket, expected: Answer) {
        match self.next() {
            Some(Output::Answer(answered, answer)) => {
                assert_eq!((answered, answer), (ticket, expected));
            }
            other => panic!("no answer but {other:?}"),
        }
    }

    fn state(&self) -> State {
        self.desk.state()
    }

    fn snapshot(&self, caller: &Caller) -> Snapshot {
        self.desk.snapshot(self.now, TODAY, caller)
    }
}

fn caller(account: &str, id: &str) -> Caller {
    Caller {
        account: account.to_owned(),
        id: id.to_owned(),
        is_admin: false,
    }
}

fn anna() -> Caller {
    caller("anna", "1000")
}

fn bert() -> Caller {
    caller("bert", "1001")
}

fn invite(rest: &str) -> Secret {
    let (room, fields) = rest.split_once('&').unwrap_or((rest, ""));
    let fields = if fields.is_empty() {
        String::new()
    } else {
        format!("&{fields}")
    };
    Secret::new(format!("lanparty://relay.example/{room}#key={KEY}{fields}"))
}

fn room_as(room: &str, name: Option<&str>) -> Request {
    Request::JoinRoom {
        room: room.to_owned(),
        name: name.map(str::to_owned),
    }
}

fn join(rest: &str) -> Request {
    Request::Join {
        invite: invite(rest),
        name: None,
    }
}

fn done(sentence: &str) -> Answer {
    Answer::Done(sentence.to_owned())
}

fn failure(sentence: &str, may_pass: bool) -> Failure {
    Failure {
        sentence: sentence.to_owned(),
        may_pass,
    }
}

fn news(status: PlayerStatus) -> News {
    News {
        status,
        facts: Diagnostics::default(),
        mac: "02:00:00:00:00:07".to_owned(),
        name: Some("Anna".to_owned()),
        members: Vec::new(),
        games: Vec::new(),
    }
}

fn facts(address: &str) -> Diagnostics {
    Diagnostics {
        relay_reachable: true,
        gateway_present: true,
        rtt: Some(Duration::from_millis(20)),
        ways: Ways {
            relay: Measured {
                rtt_us: Some(23_000),
                loss_permille: None,
            },
            ..Ways::default()
        },
        addresses: vec![address.parse().unwrap()],
        ..Diagnostics::default()
    }
}

fn connecting() -> PlayerStatus {
    PlayerStatus::Connecting {
        relay: "relay".to_owned(),
    }
}

fn waiting_for_gateway() -> PlayerStatus {
    PlayerStatus::WaitingForGateway {
        room: "FRIDAY".to_owned(),
    }
}

fn on_the_lan(address: &str) -> PlayerStatus {
    let address: IpAddr = address.parse().unwrap();
    PlayerStatus::OnTheLan {
        address,
        broadcast: true,
    }
}
