use super::*;
use crate::controls::Wishes;
use chronicle::MAX_EVENTS;
use lanparty_ctrl::message::{PeerJoined, PeerLeft, Role, Welcome};
use lanparty_ctrl::orders::MemberReport;
use lanparty_ctrl::{HOST_CONTROLS, RelayMessage, ResumeToken};
use lanparty_gateway_control::{InviteFacts, Measured, NotDirect, Player, PortState, Way};
use lanparty_obs::DropCounts;
use lanparty_proto::{IpMtu, RoomId};
use std::net::Ipv4Addr;

/// A gateway in its room, and the time.
struct Party {
    now: Moment,
    controls: Controls,
    picture: Picture,
}

impl Party {
    fn begin(is_keyed: bool, abilities: &[&str]) -> Self {
        let now = Moment {
            instant: Instant::now(),
            unix: 1_000_000_000,
        };
        let room = InviteFacts {
            relay: "r.example:443".into(),
            also: Vec::new(),
            others: Vec::new(),
            room: "FRIDAY".parse().unwrap(),
            pin: None,
            keys: "/keys".into(),
            host: None,
        };
        let place = Place {
            program: "1.2.3",
            relay: "r.example:443".to_owned(),
            interface: "eth0".to_owned(),
            hosted: true,
            relays: Relays::new(vec!["r.example:443".parse().unwrap()]),
        };
        let mut party = Party {
            now,
            controls: Controls::new(room, is_keyed, Wishes::default()),
            picture: Picture::new(now.instant, place),
        };
        party.welcome(abilities);
        party.picture.note_lan_silence(Some(Duration::ZERO));
        party
    }

    fn welcome(&mut self, abilities: &[&str]) {
        self.controls.handle_welcome(&Welcome {
            room_id: RoomId::new(7).unwrap(),
            peer_id: PeerId::new(1).unwrap(),
            effective_mtu: IpMtu::new(1290).unwrap(),
            gateway: None,
            resume_token: ResumeToken::from_random([1; 16]),
            capabilities: abilities.iter().map(|&name| name.to_owned()).collect(),
            term: None,
            fence: None,
            region: None,
        });
        self.picture.note_link(self.now.instant, "10.9.1.1:443");
    }

    fn lose_link(&mut self) {
        self.controls.handle_lost_link();
        let sentence = "Not connected to the relay r.example:443: it is away. Trying again.";
        self.picture.note_no_link(self.now.instant, sentence);
    }

    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now.instant += Duration::from_secs(1);
            self.now.unix += 1;
            self.picture.handle_second(self.now, &self.controls);
        }
    }

    fn come(&mut self, number: u8, name: Option<&str>) {
        let joined = RelayMessage::PeerJoined(PeerJoined {
            peer_id: id(number),
            role: Role::Client,
            mac: Some(mac(number)),
            name: name.map(|name| name.parse().unwrap()),
            identity: None,
            host_challenge: None,
            tells_groups: false,
            takes_new_keys: false,
            term: None,
        });
        self.controls.handle_control(&joined);
        let who = self.controls.words_for_mac(mac(number));
        self.picture.note_joined(self.now, mac(number), &who);
    }

    fn go(&mut self, number: u8) {
        let who = self.controls.words_for_mac(mac(number));
        let (peer_id, reason) = (id(number), LeaveReason::Leaving);
        let whom = (peer_id, mac(number));
        self.picture.note_left(self.now, whom, (&who, reason));
        let left = RelayMessage::PeerLeft(PeerLeft { peer_id, reason });
        self.controls.handle_control(&left);
    }

    fn notice(&mut self, kind: NoticeKind, number: u8) {
        let notice = Notice::new(kind, 1);
        let notice = match kind {
            NoticeKind::MacOnLan | NoticeKind::LeaseWithheld => Notice {
                mac: Some(mac(number)),
                ..notice
            },
            _ => notice.about(id(number)),
        };
        self.picture
            .note_notice(self.now.instant, &notice, &self.controls);
    }

    fn talk(&mut self, talk: DhcpTalk) {
        self.picture.note_dhcp(self.now, talk, &self.controls);
    }

    fn report(&mut self, number: u8, rtt_us: u64) {
        let members = Players {
            players: vec![Player {
                mac: mac(number),
                name: None,
                identity: None,
                way: Way::default(),
                ping_us: None,
                member: member(number, rtt_us),
            }],
            ..Players::default()
        };
        self.picture.note_members(self.now.instant, members);
    }

    /// So far is the relay from the gateway.
    fn is_far(&mut self, us: u64) {
        self.picture.note_figures(LinkFigures {
            ping: Some(Duration::from_micros(us)),
            ..LinkFigures::default()
        });
    }

    fn ways(&mut self, number: u8, ways: Ways) -> bool {
        self.picture.note_ways(&[(id(number), ways)])
    }

    fn snapshot(&self) -> Snapshot {
        self.picture.snapshot(self.now.instant, &self.controls)
    }

    fn warnings(&self) -> Vec<String> {
        let warnings = self.snapshot().warnings;
        warnings.into_iter().map(|warning| warning.id).collect()
    }

    /// What has been said of it since this was asked last, the oldest first.
    fn settle(&mut self) -> Vec<String> {
        let before = self
            .snapshot()
            .events
            .first()
            .map_or(0, |event| event.number);
        self.picture.settle(self.now, &self.controls);
        let events = self.snapshot().events.into_iter();
        let new = events.take_while(|event| event.number > before);
        let mut new: Vec<_> = new.map(|event| event.sentence).collect();
        new.reverse();
        new
    }
}

fn id(number: u8) -> PeerId {
    PeerId::new(number.into()).unwrap()
}

fn mac(number: u8) -> VirtualMac {
    VirtualMac::from_random([2, 0, 0, 0, 0, number])
}

fn member(number: u8, rtt_us: u64) -> MemberReport {
    MemberReport {
        peer_id: id(number),
        addresses: vec![[192, 168, 50, number].into()],
        seconds: 60,
        rtt_us: Some(rtt_us),
        loss_permille: Some(3),
        sends: Some(1000),
        receives: Some(2000),
        dropped: 5,
        drops: {
            let mut drops = DropCounts::default();
            drops.add(DropReason::BroadcastRate, 5);
            drops
        },
        muted: false,
    }
}

fn lent(number: u8, seconds: u64) -> DhcpTalk {
    DhcpTalk::Lent {
        mac: mac(number).addr(),
        address: Ipv4Addr::new(192, 168, 50, number),
        server: Some(Ipv4Addr::new(192, 168, 50, 1)),
        duration: Some(Duration::from_secs(seconds)),
    }
}

fn party() -> Party {
    Party::begin(true, &[HOST_CONTROLS])
}

/// What goes wrong, what it is called, how grave it is, and what mends it.
type Case = (fn(&mut Party), &'static str, Mark, fn(&mut Party));

const CASES: &[Case] = &[
    (
        |party| {
            party.picture.note_lan(Some(LanTrouble {
                id: "no_carrier",
                sentence: "eth0 has no carrier: plug its cable into the LAN's switch".to_owned(),
            }));
        },
        "no_carrier",
        Mark::Bad,
        |party| party.picture.note_lan(None),
    ),
    (Party::lose_link, "link_lost", Mark::Bad, |party| {
        party.welcome(&[HOST_CONTROLS]);
    }),
    (
        |party| {
            party.picture.note_figures(LinkFigures {
                is_faint: true,
                ..LinkFigures::default()
            });
        },
        "link_silent",
        Mark::Bad,
        |party| party.picture.note_figures(LinkFigures::default()),
    ),
    (
        |party| party.picture.note_loop(Some(mac(2).addr())),
        "loop",
        Mark::Bad,
        |party| party.picture.note_loop(None),
    ),
    (
        |party| party.picture.note_port(port(PortState::Shut)),
        "port_shut",
        Mark::Bad,
        |party| party.picture.note_port(port(PortState::Proved)),
    ),
    (
        |party| party.picture.note_port(port(PortState::Unknown)),
        "port_unknown",
        Mark::Note,
        |party| party.picture.note_port(port(PortState::Opened)),
    ),
    (
        |party| {
            party
                .picture
                .note_lan_silence(Some(Duration::from_secs(60)));
            party.wait(60);
        },
        "lan_silent",
        Mark::Doubtful,
        |party| party.picture.note_lan_silence(Some(Duration::ZERO)),
    ),
    (
        |party| {
            for _ in 0..3 {
                party.talk(DhcpTalk::Asked(mac(2).addr()));
                party.wait(5);
            }
        },
        "no_dhcp",
        Mark::Doubtful,
        |party| party.talk(DhcpTalk::Offered(mac(2).addr())),
    ),
    (
        |party| {
            party.picture.note_figures(LinkFigures {
                loss_permille: Some(31),
                ..LinkFigures::default()
            });
        },
        "link_loss",
        Mark::Doubtful,
        |party| party.picture.note_figures(LinkFigures::default()),
    ),
    (
        |party| refuse(party, DropReason::PortRefused),
        "port_refused",
        Mark::Doubtful,
        |party| party.wait(60),
    ),
    (
        |party| refuse(party, DropReason::MachineRefused),
        "machine_refused",
        Mark::Note,
        |party| party.wait(60),
    ),
    (
        |party| {
            for frames in [3, 4] {
                let mut members = Players::default();
                members.drops.add(DropReason::LanRate, frames);
                party.picture.note_members(party.now.instant, members);
            }
        },
        "lan_chatter",
        Mark::Doubtful,
        |party| party.wait(60),
    ),
    (
        |party| party.welcome(&[]),
        "old_relay",
        Mark::Doubtful,
        |party| party.welcome(&[HOST_CONTROLS]),
    ),
    (
        |party| party.picture.note_kept(Some("no storage space".to_owned())),
        "orders_not_kept",
        Mark::Doubtful,
        |party| party.picture.note_kept(None),
    ),
    (
        |party| {
            party
                .picture
                .note_this_machine(Err("It does not.".to_owned()));
        },
        "machine_apart",
        Mark::Note,
        |party| party.picture.note_this_machine(Ok(true)),
    ),
    (
        |party| party.notice(NoticeKind::AddressTaken, 2),
        "address_taken",
        Mark::Doubtful,
        |party| party.wait(75),
    ),
    (
        |party| party.notice(NoticeKind::LeaseWithheld, 2),
        "lease_withheld",
        Mark::Doubtful,
        |party| party.go(2),
    ),
    (
        |party| party.notice(NoticeKind::MacOnLan, 9),
        "lookalike",
        Mark::Doubtful,
        |party| party.come(9, None),
    ),
    (
        |party| party.notice(NoticeKind::GroupRate, 2),
        "chatter",
        Mark::Doubtful,
        Party::lose_link_and_come_back,
    ),
    (
        |party| party.notice(NoticeKind::ByteRate, 2),
        "too_fast",
        Mark::Note,
        |party| party.wait(75),
    ),
    (
        |party| party.notice(NoticeKind::Other, 2),
        "dropped",
        Mark::Doubtful,
        |party| party.wait(75),
    ),
];

impl Party {
    fn lose_link_and_come_back(&mut self) {
        self.lose_link();
        self.picture.settle(self.now, &self.controls);
        self.welcome(&[HOST_CONTROLS]);
        self.picture.note_lan_silence(Some(Duration::ZERO));
    }
}

#[test]
fn a_relay_that_was_lost_is_not_said_to_answer_again() {
    let faint = |party: &mut Party| {
        party.picture.note_figures(LinkFigures {
            is_faint: true,
            ..LinkFigures::default()
        });
        assert_eq!(party.settle().len(), 1);
    };
    let mut party = party();
    party.picture.settle(party.now, &party.controls);
    faint(&mut party);
    party.picture.note_figures(LinkFigures::default());
    let said = party.settle();
    assert!(said[0].contains("answers again"), "{said:?}");
    faint(&mut party);
    party.lose_link();
    let said = party.settle();
    assert!(
        matches!(said.as_slice(), [one] if one.starts_with("Not connected")),
        "{said:?}"
    );
    party.welcome(&[HOST_CONTROLS]);
    assert_eq!(party.settle(), ["The gateway is connected to its relay."]);
}

fn refuse(party: &mut Party, reason: DropReason) {
    let mut stats = PeerStats::default();
    for _ in 0..2 {
        party.picture.note_stats(party.now.instant, &stats);
        stats.drops.count(reason);
    }
}

fn port(state: PortState) -> Option<Port> {
    Some(Port {
        listens: 443,
        state,
        sentence: "The port is as it is.".to_owned(),
        addresses: Vec::new(),
    })
}

#[test]
fn a_player_has_the_way_that_is_taken_and_what_both_measure() {
    let mut evening = Party::begin(true, &[HOST_CONTROLS]);
    evening.come(1, Some("Ann"));
    let of_ann = |evening: &Party| evening.snapshot().players.remove(0);
    assert_eq!(of_ann(&evening).way, Way::Here, "the relay is here");
    evening.picture.hosted = false;
    evening.is_far(4_000);
    evening.report(1, 20_000);
    let guest = of_ann(&evening);
    assert_eq!((guest.way, guest.ping_us), (Way::Relay, Some(24_000)));
    assert_eq!(guest.not_direct, None, "nobody has said why");

    let direct = Measured {
        rtt_us: Some(9_000),
        loss_permille: Some(1),
    };
    let tried = Ways {
        not_direct: Some(NotDirect::HostNat),
        ..Ways::default()
    };
    evening.ways(1, tried);
    let why = of_ann(&evening).not_direct.unwrap();
    assert_eq!(why, NotDirect::HostNat.to_host());

    let straight = Ways {
        way: Way::Direct,
        direct,
        ..Ways::default()
    };
    assert!(evening.ways(1, straight), "another way");
    assert!(!evening.ways(1, straight));
    evening.wait(1);
    let guest = of_ann(&evening);
    assert_eq!((guest.way, guest.ping_us), (Way::Direct, Some(9_000)));
    assert_eq!(guest.loss_permille, Some(1), "of the way that is taken");
    assert_eq!(guest.relay.rtt_us, Some(24_000), "what it would be");
    assert_eq!(guest.pings_us.last(), Some(&9_000));
    let ways: Vec<_> = evening.picture.ways(&evening.controls).collect();
    assert_eq!(ways, [Way::Direct]);

    evening.lose_link();
    evening.welcome(&[HOST_CONTROLS]);
    evening.come(1, Some("Ann"));
    assert_eq!(of_ann(&evening).way, Way::Relay, "of a link that is gone");
}

#[test]
fn each_warning_comes_with_its_cause_and_goes_with_it_and_both_are_told() {
    for (goes_wrong, id, mark, is_mended) in CASES {
        let mut party = party();
        party.come(2, Some("Ann"));
        assert_eq!(party.warnings(), [""; 0], "before {id}");
        party.settle();
        goes_wrong(&mut party);
        let warnings = party.snapshot().warnings;
        let [warning] = &warnings[..] else {
            panic!("{id}: {warnings:?}");
        };
        assert_eq!((&*warning.id, warning.mark), (*id, *mark));
        assert!(warning.sentence.ends_with('.'), "{}", warning.sentence);
        assert_eq!(
            party.settle(),
            std::slice::from_ref(&warning.sentence),
            "{id}"
        );
        assert_eq!(party.settle(), [""; 0], "{id} is told once");
        is_mended(&mut party);
        assert_eq!(party.warnings(), [""; 0], "after {id}");
        let over = party.settle().pop();
        assert!(over.is_some_and(|over| over.ends_with('.')), "{id}");
    }
}

#[test]
fn an_open_room_is_said_and_the_gravest_stands_first() {
    let mut party = Party::begin(false, &[HOST_CONTROLS]);
    party.picture.note_port(port(PortState::Unknown));
    party.picture.note_loop(Some(mac(2).addr()));
    assert_eq!(party.warnings(), ["loop", "open_room", "port_unknown"]);
}

#[test]
fn the_hosts_own_will_is_no_trouble() {
    let mut party = party();
    party.come(2, None);
    party.notice(NoticeKind::Muted, 2);
    party.notice(NoticeKind::Isolated, 2);
    assert_eq!(party.warnings(), [""; 0]);
}

#[test]
fn to_a_relay_in_the_same_program_nobody_is_told_a_round_trip() {
    let mut party = party();
    party.come(2, Some("Ann"));
    party.picture.note_figures(LinkFigures {
        ping: Some(Duration::ZERO),
        ..LinkFigures::default()
    });
    party.report(2, 20_000);
    let mut told = party.snapshot();
    assert_eq!(told.link.ping_us, None);
    let ann = told.players.remove(0);
    assert_eq!(ann.ping_us, Some(20_000), "her half is the whole way");
}

#[test]
fn a_players_ping_is_both_halves_of_the_way_a_value_a_second() {
    let mut party = party();
    party.come(2, Some("Ann"));
    party.picture.note_figures(LinkFigures {
        ping: Some(Duration::from_millis(5)),
        ..LinkFigures::default()
    });
    party.wait(2);
    party.report(2, 20_000);
    party.wait(3);
    let ann = party.snapshot().players.remove(0);
    assert_eq!(ann.ping_us, Some(25_000));
    assert_eq!(ann.pings_us, [25_000; 3]);
    assert_eq!(ann.addresses, [Ipv4Addr::new(192, 168, 50, 2)]);
    assert_eq!((ann.rates.to_lan, ann.rates.from_lan), (1000, 2000));
    assert_eq!(ann.seconds, 63);
    let why = "more to everybody than one player may say";
    assert_eq!((ann.dropped, ann.dropped_why.as_deref()), (5, Some(why)));
    party.wait(120);
    let ann = party.snapshot().players.remove(0);
    assert_eq!(ann.ping_us, None, "nobody knows any more");
    assert_eq!(ann.pings_us, [0; 60]);
}

#[test]
fn rows_stay_where_they_are() {
    let mut party = party();
    for (number, name) in [(4, None), (3, Some("bert")), (5, Some("Ann")), (2, None)] {
        party.come(number, name);
    }
    let macs: Vec<_> = party
        .snapshot()
        .players
        .into_iter()
        .map(|one| one.mac)
        .collect();
    let expected = [5, 3, 2, 4].map(|number| mac(number).to_string());
    assert_eq!(macs, expected);
}

#[test]
fn leases_are_learnt_renewed_and_end() {
    let mut party = party();
    party.come(2, Some("Ann"));
    party.talk(lent(2, 100));
    party.wait(40);
    let left = |party: &Party| party.snapshot().leases.first().map(|lease| lease.seconds);
    assert_eq!(left(&party), Some(Some(60)));
    assert_eq!(party.snapshot().players[0].addresses.len(), 1);
    party.talk(lent(2, 100));
    assert_eq!(left(&party), Some(Some(100)));
    let told = party.snapshot().events.into_iter();
    let told = told.filter(|event| event.sentence.contains("has got the LAN address"));
    assert_eq!(told.count(), 1, "a renewal is no news");
    party.wait(100);
    assert_eq!(left(&party), None);
    // Others' leases come and go, and never become many.
    for number in 0..=u16::MAX {
        let [high, low] = number.to_be_bytes();
        let mac = VirtualMac::from_random([2, 0, 0, 9, high, low]);
        party.talk(DhcpTalk::Lent {
            mac: mac.addr(),
            address: Ipv4Addr::new(10, 9, high, low),
            server: None,
            duration: None,
        });
        party.talk(DhcpTalk::Asked(mac.addr()));
    }
    assert_eq!(party.snapshot().leases.len(), 1024);
}

#[test]
fn who_comes_back_with_the_link_has_not_joined_and_who_does_not_has_left() {
    let mut party = party();
    party.come(2, Some("Ann"));
    party.come(3, Some("Bert"));
    party.lose_link();
    party.wait(5);
    party.welcome(&[HOST_CONTROLS]);
    party.come(2, Some("Ann"));
    party.wait(4);
    let events: Vec<_> = party.snapshot().events.into_iter().collect();
    assert_eq!(events.len(), 3);
    assert!(
        events[0].sentence.starts_with("Bert (") && events[0].sentence.contains("no link"),
        "{}",
        events[0].sentence
    );
}

#[test]
fn who_goes_on_playing_without_the_relay_has_not_left() {
    let mut party = party();
    party.come(2, Some("Ann"));
    party.lose_link();
    party.welcome(&[HOST_CONTROLS]);
    let ann = mac(2);
    party.controls.note_staying([ann].into_iter());
    let told = |party: &Party| {
        let events = party.snapshot().events.into_iter();
        events
            .filter(|event| event.sentence.contains("left"))
            .count()
    };
    party.wait(5);
    assert_eq!(told(&party), 0, "the relay has not announced her yet");
    party.controls.note_staying(std::iter::empty());
    party.wait(1);
    assert_eq!(told(&party), 1);
}

/// Whoever does what how often: the log is bounded, counts up, and what the host has ordered stays in it.
#[test]
fn no_number_of_players_makes_the_log_long_or_pushes_orders_out() {
    let mut party = party();
    for order in 0..60 {
        let sentence = format!("Order {order}.");
        party
            .picture
            .note_event(party.now, About::Order, Mark::Note, &sentence);
    }
    let mut last = 0;
    for round in 0..4000u32 {
        // Not at random: every seed is the same.
        let number = (round.wrapping_mul(2_654_435_761) >> 24) as u8 | 2;
        match round % 5 {
            0 | 1 => party.come(number, Some("Ann")),
            2 => party.go(number),
            3 => party.notice(NoticeKind::GroupRate, number),
            _ => party.wait(1),
        }
        party.settle();
        let events = party.snapshot().events;
        assert!(events.len() <= MAX_EVENTS, "{}", events.len());
        assert!(events.is_sorted_by(|one, next| one.number > next.number));
        assert!(events.first().is_some_and(|event| event.number >= last));
        last = events.first().map_or(0, |event| event.number);
        assert!(party.snapshot().warnings.len() <= MAX_SEEN + 20);
    }
    let events = party.snapshot().events.into_iter();
    let orders = events.filter(|event| event.sentence.starts_with("Order "));
    assert_eq!(orders.count(), 60);
}

#[test]
fn what_happens_again_and_again_is_one_event_with_a_count() {
    let mut party = party();
    for _ in 0..5 {
        party.come(2, Some("Ann"));
        party.go(2);
        party.wait(10);
    }
    let events = party.snapshot().events;
    assert_eq!(events.len(), 2);
    assert!(
        events[0].sentence.ends_with("(5 times of late)"),
        "{events:?}"
    );
    assert_eq!(events[0].number, 10);
    party.wait(600);
    party.come(2, Some("Ann"));
    assert_eq!(party.snapshot().events.len(), 3, "later it is news again");
}
