use super::*;
use lanparty_ctrl::message::{PeerLeft, Role};
use lanparty_ctrl::{Fingerprint, LeaveReason, ROOM_KEYS, ResumeToken};
use lanparty_gateway_control::{Answer, Request};
use lanparty_obs::DropCounts;
use lanparty_proto::{IpMtu, RoomId};
use std::time::Duration;

mod handover;
mod names;
mod too_much;

fn controls() -> Controls {
    let room = InviteFacts {
        relay: "r.example:443".into(),
        also: Vec::new(),
        others: Vec::new(),
        room: "FRIDAY".parse().unwrap(),
        pin: None,
        keys: "/keys".into(),
        host: None,
    };
    Controls::new(room, true, Wishes::default())
}

fn welcome(abilities: &[&str]) -> Welcome {
    Welcome {
        room_id: RoomId::new(7).unwrap(),
        peer_id: PeerId::new(1).unwrap(),
        effective_mtu: IpMtu::new(1290).unwrap(),
        gateway: None,
        resume_token: ResumeToken::from_random([1; 16]),
        capabilities: abilities.iter().map(|&name| name.to_owned()).collect(),
        term: None,
        fence: None,
        region: None,
    }
}

/// A room with the players 2 and 3.
fn party() -> Controls {
    let mut controls = controls();
    controls.handle_welcome(&welcome(&[ROOM_KEYS, HOST_CONTROLS]));
    for number in [2, 3] {
        come(&mut controls, number, number);
    }
    controls
}

fn come(controls: &mut Controls, number: u8, player: u8) {
    let joined = RelayMessage::PeerJoined(PeerJoined {
        peer_id: id(number),
        role: Role::Client,
        mac: Some(mac(player)),
        name: None,
        identity: None,
        host_challenge: None,
        tells_groups: false,
        takes_new_keys: false,
        term: None,
    });
    assert!(controls.handle_control(&joined).is_none());
}

fn leave(controls: &mut Controls, number: u8, reason: LeaveReason) {
    let peer_id = id(number);
    let left = RelayMessage::PeerLeft(PeerLeft { peer_id, reason });
    assert!(controls.handle_control(&left).is_none());
}

fn id(number: u8) -> PeerId {
    PeerId::new(number.into()).unwrap()
}

fn mac(player: u8) -> VirtualMac {
    VirtualMac::from_random([2, 0, 0, 0, 0, player])
}

fn orders(controls: &mut Controls) -> Vec<HostOrder> {
    std::iter::from_fn(|| controls.poll_order()).collect()
}

fn done(controls: &mut Controls, request: Request) -> Vec<HostOrder> {
    let answer = controls.handle_request(request);
    assert!(matches!(answer, Some(Answer::Done(_))));
    orders(controls)
}

fn refusal(controls: &mut Controls, request: Request) -> String {
    match controls.handle_request(request) {
        Some(Answer::Refused(sentence)) => sentence,
        _ => panic!("it is done"),
    }
}

#[test]
fn a_player_is_found_by_its_mac_and_a_stranger_is_not() {
    let mut party = party();
    let who = mac(3).to_string().to_uppercase();
    let kick = HostOrder::Kick { peer_id: id(3) };
    assert_eq!(done(&mut party, Request::Kick { who }), [kick]);
    leave(&mut party, 3, LeaveReason::Kicked);
    for who in ["nobody".to_owned(), mac(3).to_string()] {
        let sentence = refusal(&mut party, Request::Kick { who });
        assert!(sentence.starts_with("no player "), "{sentence}");
    }
    assert!(orders(&mut party).is_empty());
}

#[test]
fn games_are_told_without_a_relay_and_with_the_names_of_players() {
    let mut party = party();
    let ann = RelayMessage::PeerJoined(PeerJoined {
        peer_id: id(4),
        role: Role::Client,
        mac: Some(mac(4)),
        name: Some("Ann".parse().unwrap()),
        identity: None,
        host_challenge: None,
        tells_groups: false,
        takes_new_keys: false,
        term: None,
    });
    party.handle_control(&ann);
    let game = |last: u8, host| Game {
        game: "Xonotic".to_owned(),
        server: "Friday".to_owned(),
        address: ([192, 168, 50, last], 26_000).into(),
        mac: Some(mac(last).addr()),
        host: Some(host),
        map: None,
        players: None,
        max_players: None,
        heard_ms: 0,
        silence_ms: None,
    };
    let by_mac = |last| Host::Player(mac(last).to_string());
    let now = Instant::now();
    let games = vec![game(2, by_mac(2)), game(4, by_mac(4)), game(9, Host::Lan)];
    party.note_games(now, games);
    let hosts = |controls: &mut Controls| match controls.handle_request(Request::Games) {
        Some(Answer::Games(games)) => {
            let hosts = games.into_iter().filter_map(|game| game.host);
            hosts.collect::<Vec<_>>()
        }
        _ => panic!("games are told at once"),
    };
    let expected = [by_mac(2), Host::Player("Ann".to_owned()), Host::Lan];
    assert_eq!(hosts(&mut party), expected);
    party.handle_lost_link();
    assert_eq!(hosts(&mut party).len(), 3);
    // The bridge says nothing while the gateway is out of its room.
    for minutes in [4, 9] {
        party.age_games(now + Duration::from_secs(60 * minutes));
        let Some(Answer::Games(games)) = party.handle_request(Request::Games) else {
            panic!("games are told at once");
        };
        assert_eq!(games[0].heard(), format!("{minutes} min ago"));
    }
    party.age_games(now + Duration::from_secs(600));
    assert_eq!(hosts(&mut party).len(), 0, "forgotten");
}

#[test]
fn without_a_relay_that_obeys_nothing_is_ordered() {
    let mut down = controls();
    assert_eq!(refusal(&mut down, Request::List), NO_LINK);
    down.handle_welcome(&welcome(&[ROOM_KEYS]));
    assert_eq!(refusal(&mut down, Request::Lock { on: true }), OLD_RELAY);
    assert!(orders(&mut down).is_empty());
}

#[test]
fn what_was_wished_for_is_said_again_after_a_lost_link() {
    let mut party = party();
    done(&mut party, Request::Lock { on: true });
    done(&mut party, Request::Isolate { on: true });
    let who = mac(2).to_string();
    done(&mut party, Request::Mute { who, on: true });
    let who = mac(3).to_string();
    done(&mut party, Request::Kick { who });
    party.handle_lost_link();
    let orders_before = party.standing_orders();
    party.handle_welcome(&welcome(&[HOST_CONTROLS]));
    assert!(orders(&mut party).is_empty(), "the hello says it");
    let isolate = HostOrder::Isolate { isolated: true };
    assert_eq!(orders_before, [lock(&[mac(2)]), isolate, banned(&[])]);
    come(&mut party, 9, 2);
    let mute = HostOrder::Mute {
        peer_id: id(9),
        muted: true,
    };
    assert_eq!(orders(&mut party), [mute]);
}

#[test]
fn a_new_key_is_the_gateways_own_from_then_on() {
    let mut party = party();
    let key = RoomKey::from_random([7; 16]);
    let admission_key = key.admission_key();
    let rotate = Request::Rotate { key: key.reveal() };
    assert_eq!(
        done(&mut party, rotate),
        [HostOrder::Rotate { admission_key }]
    );
    assert_eq!(party.new_key(), Some(&key));
    let spoilt = Request::Rotate { key: "x".into() };
    assert_eq!(refusal(&mut party, spoilt), NO_KEY);
    party.is_keyed = false;
    assert_eq!(refusal(&mut party, Request::InviteFacts), OPEN);
}

#[test]
fn a_key_that_the_relay_may_have_missed_is_given_again() {
    let (mut party, key) = (party(), RoomKey::from_random([7; 16]));
    let rotate = || Request::Rotate { key: key.reveal() };
    let order = HostOrder::Rotate {
        admission_key: key.admission_key(),
    };
    assert_eq!(done(&mut party, rotate()), std::slice::from_ref(&order));
    party.handle_lost_link();
    assert_eq!(party.new_key(), Some(&key), "for the next hello");
    // Which may be under way with the old one.
    party.handle_welcome(&welcome(&[HOST_CONTROLS]));
    assert_eq!(orders(&mut party), [order]);
}

#[test]
fn who_is_heard_again_is_so_after_a_lost_link_too() {
    let mut party = party();
    let mute = |on| Request::Mute {
        who: mac(2).to_string(),
        on,
    };
    done(&mut party, mute(true));
    assert!(party.handle_request(mute(false)).is_some());
    party.handle_lost_link();
    party.handle_welcome(&welcome(&[HOST_CONTROLS]));
    come(&mut party, 2, 2);
    come(&mut party, 3, 3);
    let heard = HostOrder::Mute {
        peer_id: id(2),
        muted: false,
    };
    assert_eq!(orders(&mut party), [heard]);
}

#[test]
fn what_the_gateway_sees_to_itself_is_news_at_once_whatever_the_relay_does() {
    let mut controls = party();
    assert!(!controls.take_new_wishes());
    let who = |player: u8| mac(player).to_string();
    let on = true;
    done(&mut controls, Request::Mute { who: who(2), on });
    done(&mut controls, ban(&who(3)));
    assert!(controls.take_new_wishes() && !controls.take_new_wishes());
    let orders = controls.orders_here();
    let person = |player| Person::Mac(mac(player));
    assert_eq!(orders.muted, BTreeSet::from([person(2)]));
    assert_eq!(orders.banned, BTreeSet::from([person(3)]));
    controls.handle_lost_link();
    done(&mut controls, Request::Isolate { on });
    assert!(controls.take_new_wishes() && controls.orders_here().isolated);
}

#[test]
fn who_goes_on_playing_without_the_relay_can_be_sent_out() {
    let mut controls = party();
    controls.handle_lost_link();
    let kick = |player: u8| kick(&mac(player).to_string());
    assert_eq!(refusal(&mut controls, kick(2)), NO_LINK, "nobody is there");
    controls.note_staying([mac(2)].into_iter());
    assert_eq!(refusal(&mut controls, kick(3)), absent(&mac(3).to_string()));
    assert!(!controls.take_new_wishes());
    done(&mut controls, kick(2));
    assert!(controls.take_new_wishes());
    assert_eq!(controls.take_sent_out(), [mac(2)]);
    assert_eq!(refusal(&mut controls, kick(2)), NO_LINK, "it is gone");
    // The relay is back and has not announced everybody.
    controls.note_staying([mac(2), mac(3)].into_iter());
    controls.handle_welcome(&welcome(&[ROOM_KEYS, HOST_CONTROLS]));
    come(&mut controls, 7, 3);
    assert_eq!(done(&mut controls, kick(2)), []);
    assert_eq!(controls.take_sent_out(), [mac(2)]);
    let peer_id = id(7);
    assert_eq!(done(&mut controls, kick(3)), [HostOrder::Kick { peer_id }]);
}

#[test]
fn who_cannot_read_the_wishes_of_before_takes_nothing_back() {
    let why = || "the orders cannot be read".to_owned();
    let mut host = Controls::forgetful(controls().room, true, why());
    assert_eq!(host.reminders().collect::<Vec<_>>(), [why()]);
    assert_eq!(host.standing_orders(), []);
    host.handle_welcome(&welcome(&[HOST_CONTROLS]));
    come(&mut host, 2, 2);
    assert_eq!(orders(&mut host), []);
    let who = || mac(2).to_string();
    // The list of bans would be a new one.
    for request in [
        Request::Ban { who: who() },
        Request::Unban { who: who() },
        Request::Bans,
    ] {
        assert_eq!(refusal(&mut host, request), why());
    }
    done(&mut host, Request::Lock { on: true });
    assert_eq!(host.standing_orders(), [lock(&[mac(2)])]);
    host.handle_lost_link();
    done(&mut host, Request::Lock { on: false });
    let unlock = HostOrder::Lock {
        locked: false,
        also: Vec::new(),
    };
    assert_eq!(host.standing_orders(), [unlock]);
}

#[test]
fn what_is_ordered_without_a_link_holds_from_the_next_welcome_on() {
    let mut party = with_mallory();
    done(&mut party, ban("Mallory"));
    let mute = |player: u8, on| Request::Mute {
        who: mac(player).to_string(),
        on,
    };
    done(&mut party, mute(3, true));
    party.handle_lost_link();
    for request in [
        unban("Mallory"),
        ban(&mac(9).to_string()),
        mute(2, true),
        mute(3, false),
        Request::Lock { on: true },
        Request::Isolate { on: true },
    ] {
        let Some(Answer::Done(said)) = party.handle_request(request) else {
            panic!("it is refused");
        };
        assert!(said.ends_with(LATER), "{said}");
    }
    for request in [Request::List, kick(&mac(2).to_string())] {
        assert_eq!(refusal(&mut party, request), NO_LINK);
    }
    let wanted = [
        lock(&[mac(2), mac(3), mac(4)]),
        HostOrder::Isolate { isolated: true },
        banned(&[Person::Mac(mac(9))]),
    ];
    assert_eq!(party.standing_orders(), wanted);
    assert_eq!(orders(&mut party), []);
    party.handle_welcome(&welcome(&[HOST_CONTROLS]));
    for number in [2, 3] {
        come(&mut party, number, number);
    }
    let mute = |number, muted| HostOrder::Mute {
        peer_id: id(number),
        muted,
    };
    assert_eq!(orders(&mut party), [mute(2, true), mute(3, false)]);
}

#[test]
fn what_was_wished_for_while_the_hello_was_under_way_is_said_after_it() {
    let mut host = controls();
    done(&mut host, Request::Lock { on: true });
    assert_eq!(host.greeting_orders()[0], lock(&[]));
    done(&mut host, Request::Isolate { on: true });
    done(&mut host, ban(&mac(9).to_string()));
    host.handle_welcome(&welcome(&[HOST_CONTROLS]));
    let expected = [
        HostOrder::Isolate { isolated: true },
        banned(&[Person::Mac(mac(9))]),
    ];
    assert_eq!(orders(&mut host), expected);
    host.handle_welcome(&welcome(&[HOST_CONTROLS]));
    assert_eq!(orders(&mut host), []);
}

#[test]
fn who_comes_before_the_relay_has_heard_of_the_lock_is_a_guest_there_too() {
    let mut party = party();
    done(&mut party, Request::Lock { on: true });
    come(&mut party, 4, 4);
    assert_eq!(orders(&mut party), [lock(&[mac(2), mac(3), mac(4)])]);
    leave(&mut party, 4, LeaveReason::Leaving);
    come(&mut party, 5, 4);
    assert_eq!(orders(&mut party), []);
}

#[test]
fn a_lock_without_a_link_is_for_those_who_lost_it_and_not_for_who_left_before() {
    let mut party = party();
    leave(&mut party, 3, LeaveReason::Leaving);
    for _ in 0..2 {
        party.handle_lost_link();
    }
    done(&mut party, Request::Lock { on: true });
    assert_eq!(party.standing_orders()[0], lock(&[mac(2)]));
}

#[test]
fn an_answer_in_two_messages_is_one_list() {
    let mut party = party();
    assert!(party.handle_request(Request::List).is_none());
    party.ask_for_members();
    assert_eq!(orders(&mut party), [HostOrder::Members]);
    let member = |number| lanparty_ctrl::orders::MemberReport {
        peer_id: id(number),
        addresses: Vec::new(),
        seconds: 1,
        rtt_us: None,
        loss_permille: None,
        sends: None,
        receives: None,
        dropped: 0,
        drops: DropCounts::default(),
        muted: false,
    };
    let part = |number, last| {
        RelayMessage::Members(Box::new(Members {
            locked: true,
            isolated: false,
            members: vec![member(number)],
            last,
            drops: DropCounts::default(),
        }))
    };
    assert!(party.handle_control(&part(2, false)).is_none());
    let Some(list) = party.handle_control(&part(3, true)) else {
        panic!("the list is whole");
    };
    let players: Vec<_> = list.players.iter().map(|player| player.mac).collect();
    assert_eq!((players, list.locked), (vec![mac(2), mac(3)], true));
}

fn named(number: u8, name: &str) -> RelayMessage {
    RelayMessage::PeerJoined(PeerJoined {
        peer_id: id(number),
        role: Role::Client,
        mac: Some(mac(number)),
        name: Some(name.parse().unwrap()),
        identity: None,
        host_challenge: None,
        tells_groups: false,
        takes_new_keys: false,
        term: None,
    })
}

fn kick(who: &str) -> Request {
    Request::Kick {
        who: who.to_owned(),
    }
}

#[test]
fn a_name_means_a_player_unless_several_have_it() {
    let mut party = party();
    party.handle_control(&named(4, "Ann"));
    let order = HostOrder::Kick { peer_id: id(4) };
    assert_eq!(done(&mut party, kick("Ann")), [order]);
    party.handle_control(&named(5, "Ann"));
    let sentence = refusal(&mut party, kick("Ann"));
    assert!(sentence.starts_with("several players"), "{sentence}");
}

fn key(number: u8) -> Fingerprint {
    Fingerprint::from_sha256([number; 32])
}

/// The player 4 is Mallory and has a key.
fn with_mallory() -> Controls {
    let mut party = party();
    come_as_mallory(&mut party);
    party
}

fn come_as_mallory(controls: &mut Controls) {
    controls.handle_control(&RelayMessage::PeerJoined(PeerJoined {
        peer_id: id(4),
        role: Role::Client,
        mac: Some(mac(4)),
        name: Some("Mallory".parse().unwrap()),
        identity: Some(key(4)),
        host_challenge: None,
        tells_groups: false,
        takes_new_keys: false,
        term: None,
    }));
}

fn ban(who: &str) -> Request {
    Request::Ban {
        who: who.to_owned(),
    }
}

fn banned(people: &[Person]) -> HostOrder {
    HostOrder::Ban {
        banned: people.to_vec(),
    }
}

fn lock(also: &[VirtualMac]) -> HostOrder {
    HostOrder::Lock {
        locked: true,
        also: also.to_vec(),
    }
}

fn unban(who: &str) -> Request {
    Request::Unban {
        who: who.to_owned(),
    }
}

#[test]
fn a_ban_means_the_key_and_without_one_the_mac() {
    let mut party = with_mallory();
    let mallory = Person::Identity(key(4));
    assert_eq!(done(&mut party, ban("Mallory")), [banned(&[mallory])]);
    let nameless = Person::Mac(mac(2));
    let both = [banned(&[mallory, nameless])];
    assert_eq!(done(&mut party, ban(&mac(2).to_string())), both);
    assert_eq!(party.standing_orders()[2..], both);
    let short = key(4).short();
    assert_eq!(done(&mut party, unban(&short)), [banned(&[nameless])]);
    let sentence = refusal(&mut party, unban("Mallory"));
    assert!(sentence.contains("is banned"), "{sentence}");
}

#[test]
fn who_has_left_can_still_be_banned_by_name_and_who_never_came_by_key() {
    let mut party = with_mallory();
    leave(&mut party, 4, LeaveReason::Leaving);
    for (who, person) in [
        ("Mallory".to_owned(), Person::Identity(key(4))),
        (key(9).to_string(), Person::Identity(key(9))),
        (mac(9).to_string(), Person::Mac(mac(9))),
    ] {
        done(&mut party, ban(&who));
        let banned = &party.wishes().banned;
        assert_eq!(banned.last().unwrap().who, person, "{who}");
    }
    let sentence = refusal(&mut party, ban("Trudy"));
    assert!(sentence.starts_with("no player"), "{sentence}");
}

#[test]
fn the_next_start_wants_the_same() {
    let mut party = with_mallory();
    assert_eq!(party.wishes().reminder(), None);
    done(&mut party, ban("Mallory"));
    done(&mut party, Request::Lock { on: true });
    let kept = serde_json::to_string(party.wishes()).unwrap();
    let kept: Wishes = serde_json::from_str(&kept).unwrap();
    assert_eq!(&kept, party.wishes());
    let next = Controls::new(party.room.clone(), true, kept);
    assert_eq!(next.standing_orders(), party.standing_orders());
    let mut old = Controls::new(party.room.clone(), true, party.wishes().clone());
    old.handle_welcome(&welcome(&[ROOM_KEYS]));
    assert!(party.are_followed() && !old.are_followed());
    let reminder = next.wishes().reminder().unwrap();
    let wanted = "the room is locked, 1 player is banned.";
    assert!(reminder.contains(wanted), "{reminder}");
    assert_eq!(
        serde_json::from_str::<Wishes>("{}").unwrap(),
        Wishes::default()
    );
}

#[test]
fn what_was_taken_back_is_said_again_too() {
    let mut party = with_mallory();
    let nothing = [
        HostOrder::Lock {
            locked: false,
            also: Vec::new(),
        },
        HostOrder::Isolate { isolated: false },
        banned(&[]),
    ];
    assert_eq!(party.standing_orders(), nothing);
    done(&mut party, ban("Mallory"));
    for on in [true, false] {
        done(&mut party, Request::Lock { on });
        done(&mut party, Request::Isolate { on });
    }
    done(&mut party, unban("Mallory"));
    party.handle_lost_link();
    assert_eq!(party.standing_orders(), nothing);
}

#[test]
fn a_host_who_never_wanted_anything_is_not_bothered() {
    let mut host = controls();
    host.handle_welcome(&welcome(&[]));
    assert!(host.are_followed());
    assert_eq!(host.wishes().reminder(), None);
}

#[test]
fn a_ban_takes_who_is_not_there_out_of_the_lock() {
    let mut party = with_mallory();
    let locked = done(&mut party, Request::Lock { on: true });
    assert_eq!(locked, [lock(&[mac(2), mac(3), mac(4)])]);
    leave(&mut party, 4, LeaveReason::Leaving);
    let mallory = Person::Identity(key(4));
    let expected = [banned(&[mallory]), lock(&[mac(2), mac(3)])];
    assert_eq!(done(&mut party, ban(&key(4).to_string())), expected);
    assert_eq!(party.standing_orders()[0], expected[1]);
}

#[test]
fn whom_the_operator_sends_out_is_no_guest_either() {
    let mut party = party();
    done(&mut party, Request::Lock { on: true });
    leave(&mut party, 2, LeaveReason::Kicked);
    leave(&mut party, 3, LeaveReason::Leaving);
    assert_eq!(party.standing_orders()[0], lock(&[mac(3)]));
}

#[test]
fn nobody_hides_behind_a_name_that_looks_like_their_mac_or_key() {
    let mut party = with_mallory();
    for (number, word) in [(5, mac(4).to_string()), (6, key(4).short())] {
        party.handle_control(&named(number, &word));
        let order = HostOrder::Kick { peer_id: id(4) };
        assert_eq!(done(&mut party, kick(&word)), [order], "{word}");
    }
    leave(&mut party, 4, LeaveReason::Kicked);
    let sentence = refusal(&mut party, kick(&mac(4).to_string()));
    assert!(sentence.starts_with("no player"), "a MAC is no name");
    let mallory = Person::Identity(key(4));
    for word in [mac(4).to_string(), key(4).short()] {
        assert_eq!(done(&mut party, ban(&word)), [banned(&[mallory])], "{word}");
        assert_eq!(done(&mut party, unban(&word)), [banned(&[])], "{word}");
    }
}

#[test]
fn who_is_not_there_can_be_unmuted() {
    let mut party = with_mallory();
    let mute = |who: &str, on| Request::Mute {
        who: who.to_owned(),
        on,
    };
    for word in ["Mallory".to_owned(), mac(4).to_string(), key(4).short()] {
        come_as_mallory(&mut party);
        done(&mut party, mute("Mallory", true));
        leave(&mut party, 4, LeaveReason::Leaving);
        assert_eq!(done(&mut party, mute(&word, false)), [], "{word}");
        assert!(party.wishes().muted.is_empty(), "{word}");
    }
    let muted = [Person::Mac(mac(9)), Person::Identity(key(9))];
    let muted = BTreeSet::from(muted);
    let kept = Wishes {
        muted,
        ..Wishes::default()
    };
    let mut next = Controls::new(party.room.clone(), true, kept);
    next.handle_welcome(&welcome(&[HOST_CONTROLS]));
    for word in [mac(9).to_string(), key(9).to_string()] {
        done(&mut next, mute(&word, false));
        refusal(&mut next, mute(&word, false));
    }
    assert_eq!(next.wishes(), &Wishes::default());
}

#[test]
fn who_left_before_others_did_can_still_be_banned_by_name() {
    let mut party = party();
    for (number, name) in [(5, "Ann"), (6, "Ben"), (7, "Cat")] {
        party.handle_control(&named(number, name));
    }
    for number in [5, 6, 7] {
        leave(&mut party, number, LeaveReason::Leaving);
        assert!(party.player(id(number)).is_none());
    }
    let ann = Person::Mac(mac(5));
    assert_eq!(done(&mut party, ban("Ann")), [banned(&[ann])]);
}

#[test]
fn the_shell_can_say_whose_number_it_is() {
    let party = party();
    assert_eq!(party.player(id(2)).unwrap().mac, mac(2));
    assert!(party.player(id(9)).is_none());
}

#[test]
fn bans_and_counters_are_known_without_a_link() {
    let mut party = with_mallory();
    done(&mut party, ban("Mallory"));
    party.handle_lost_link();
    let Some(Answer::Bans(bans)) = party.handle_request(Request::Bans) else {
        panic!("no list of bans");
    };
    let banned: Vec<_> = bans.into_iter().map(|ban| ban.who).collect();
    assert_eq!(banned, [Person::Identity(key(4))]);
    let stats = party.handle_request(Request::Stats);
    assert!(matches!(stats, Some(Answer::Stats(_))));
}

#[test]
fn what_was_so_already_is_said() {
    let mut party = party();
    let mut said = |request| match party.handle_request(request) {
        Some(Answer::Done(sentence)) => sentence,
        _ => panic!("it is not done"),
    };
    let who = || mac(2).to_string();
    let mute = |on| Request::Mute { who: who(), on };
    let lock = |on| Request::Lock { on };
    let isolate = |on| Request::Isolate { on };
    for (first, again, says) in [
        (lock(true), lock(true), "locked already"),
        (lock(false), lock(false), "was not locked"),
        (mute(true), mute(true), "muted already"),
        (mute(false), mute(false), "was not muted"),
        (isolate(true), isolate(true), "kept apart already"),
        (isolate(false), isolate(false), "were not kept apart"),
    ] {
        let first = said(first);
        assert!(
            !first.contains("already") && !first.contains(" not muted"),
            "{first}"
        );
        let again = said(again);
        assert!(again.contains(says), "{again}");
    }
}
