use super::frames::{ASKER, Group, reports};
use super::*;
use crate::{Judged, Rates, Route, Speaker, Switch};
use bytes::Bytes;
use lanparty_obs::{DropCounts, DropReason};
use lanparty_proto::{Header, MacAddr, RoomId};

const MACHINE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const STATION: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 9]);
const CAMERA: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GAME: Ipv4Addr = Ipv4Addr::new(224, 0, 2, 60);
const QUAKE: Ipv6Addr = Ipv6Addr::new(0xff04, 0, 0, 0, 0x696f, 0x7175, 0x616b, 0x6533);

/// A room with its gateway and players.
struct Room {
    start: Instant,
    now: Instant,
    switch: Switch,
}

impl Room {
    fn new(players: u16) -> Self {
        let start = Instant::now();
        let mut switch = Switch::new(start, RoomId::new(1).unwrap(), Rates::default());
        switch.plug_in(start, peer(9), Speaker::Lan);
        for player in 1..=players {
            switch.plug_in(start, peer(player), Speaker::Player(mac(player)));
            switch.trust_reports(peer(player), start + SETTLING);
        }
        Room {
            start,
            now: start,
            switch,
        }
    }

    /// One in which nobody is new any more.
    fn settled(players: u16) -> Self {
        let mut room = Room::new(players);
        room.advance(3);
        room
    }

    fn advance(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn say(&mut self, from: u16, frame: &[u8]) -> Result<Route, DropReason> {
        let header = Header {
            peer: peer(from),
            room: RoomId::new(1).unwrap(),
            fragment: false,
        };
        let datagram = Bytes::from([&header.encode()[..], frame].concat());
        let mut drops = DropCounts::default();
        match self
            .switch
            .judge(self.now, peer(from), datagram, &mut drops)?
        {
            Judged::Frame(crossing) => Ok(crossing.route),
            judged => panic!("{judged:?}"),
        }
    }

    /// Which players get this frame of the LAN.
    fn hear(&mut self, frame: &[u8]) -> Result<Vec<u16>, DropReason> {
        let players = 1..9;
        Ok(match self.say(9, frame)? {
            Route::Group => players.collect(),
            Route::Members { group, unsure } => players
                .filter(|&player| self.switch.hears(self.now, peer(player), group, unsure))
                .collect(),
            route => panic!("{route:?}"),
        })
    }
}

fn report_v4(from: MacAddr, source: Ipv4Addr, groups: &[Ipv4Addr]) -> Vec<u8> {
    let said = groups.iter().map(|&group| (Group::Wanted, group.into()));
    whole(reports(from, source.into(), said))
}

fn report_v6(from: MacAddr, source: Ipv6Addr, groups: &[Ipv6Addr]) -> Vec<u8> {
    let said = groups.iter().map(|&group| (Group::Wanted, group.into()));
    whole(reports(from, source.into(), said))
}

fn whole(frames: Vec<Vec<u8>>) -> Vec<u8> {
    let [frame] = <[_; 1]>::try_from(frames).expect("as many groups as fit one frame");
    frame
}

fn peer(number: u16) -> PeerId {
    PeerId::new(number).unwrap()
}

fn mac(player: u16) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, player as u8])
}

/// UDP of a station in the LAN, or of somebody else.
fn udp(from: MacAddr, group: IpAddr) -> Vec<u8> {
    let udp = [0x13, 0x8c, 0x13, 0x8c, 0, 12, 0, 0, 1, 2, 3, 4];
    let (to, ether_type, packet) = match group {
        IpAddr::V4(group) => {
            let octets = group.octets();
            let to = match group.is_broadcast() {
                true => [0xff; 6],
                false => [1, 0, 0x5e, octets[1] & 0x7f, octets[2], octets[3]],
            };
            let header = [0x45, 0, 0, 32, 0, 0, 0, 0, 1, 17, 0, 0, 192, 168, 50, 9];
            (to, [8, 0], [&header[..], &octets, &udp].concat())
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            let header = [
                &[0x60, 0, 0, 0, 0, 12, 17, 1][..],
                &[0xfe; 16],
                &group.octets(),
            ]
            .concat();
            (
                [0x33, 0x33, a, b, c, d],
                [0x86, 0xdd],
                [&header[..], &udp].concat(),
            )
        }
    };
    [&to[..], &from.octets(), &ether_type, &packet].concat()
}

/// IGMP in an old version, as hosts send it.
fn igmp(from: MacAddr, kind: u8, group: Ipv4Addr) -> Vec<u8> {
    let message = [&[kind, 0, 0, 0][..], &group.octets()].concat();
    let header = [0x45, 0, 0, 28, 0, 0, 0, 0, 1, 2, 0, 0, 192, 168, 50, 9];
    let to = [1, 0, 0x5e, 0, 0, 1];
    [
        &to[..],
        &from.octets(),
        &[8, 0],
        &header,
        &group.octets(),
        &message,
    ]
    .concat()
}

/// A report of the newest version with these records: kind, group, how many sources.
fn records(from: MacAddr, records: &[(u8, Ipv4Addr, u8)]) -> Vec<u8> {
    let mut frame = report_v4(from, Ipv4Addr::UNSPECIFIED, &[CAMERA]);
    frame.truncate(frame.len() - 8);
    let at = frame.len() - 8;
    frame[at + 7] = records.len() as u8;
    for &(kind, group, sources) in records {
        frame.extend([kind, 1, 0, sources]);
        frame.extend(group.octets());
        frame.extend([10; 4].repeat(usize::from(sources)));
        frame.extend([0xaa; 4]); // one word of auxiliary data
    }
    let len = (frame.len() - 14) as u16;
    frame[16..18].copy_from_slice(&len.to_be_bytes());
    frame
}

fn v4(room: &mut Room, player: u16, group: Ipv4Addr) {
    let report = report_v4(mac(player), [192, 168, 50, 7].into(), &[group]);
    assert_eq!(room.say(player, &report), Ok(Route::GroupOfLan));
}

#[test]
fn a_stream_that_nobody_has_joined_reaches_nobody() {
    let mut room = Room::settled(3);
    v4(&mut room, 2, GAME);
    for group in [
        CAMERA.into(),
        QUAKE.into(),
        IpAddr::from([239, 255, 255, 250]),
    ] {
        assert_eq!(room.hear(&udp(STATION, group)), Err(DropReason::Unwanted));
    }
    assert_eq!(room.hear(&udp(STATION, GAME.into())), Ok(vec![2]));
}

#[test]
fn a_stream_that_one_has_joined_reaches_that_one_whole() {
    let mut room = Room::settled(3);
    v4(&mut room, 2, CAMERA);
    // 8 Mbit/s for ten seconds: 1316 bytes, 760 times a second.
    for _ in 0..7600 {
        assert_eq!(room.hear(&udp(STATION, CAMERA.into())), Ok(vec![2]));
    }
}

#[test]
fn broadcast_link_local_groups_and_what_is_no_ip_reach_everybody() {
    let mut room = Room::settled(3);
    let ipx = [&[0xff; 6][..], &STATION.octets(), &[0x81, 0x37], &[0; 46]].concat();
    let other = [
        &[9, 0, 7, 0, 0, 1][..],
        &STATION.octets(),
        &[0x88, 0xb6],
        &[0; 46],
    ]
    .concat();
    let all = [
        ("mDNS", udp(STATION, [224, 0, 0, 251].into())),
        (
            "mDNS in IPv6",
            udp(
                STATION,
                Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb).into(),
            ),
        ),
        ("broadcast", udp(STATION, Ipv4Addr::BROADCAST.into())),
        ("a query", igmp(STATION, 0x11, [224, 0, 0, 1].into())),
        ("IPX", ipx),
        ("another protocol", other),
    ];
    for (what, frame) in all {
        assert_eq!(room.hear(&frame).map(|heard| heard.len()), Ok(8), "{what}");
    }
    // Its IP address is a group's, but everybody's card takes it.
    let mut odd = udp(STATION, CAMERA.into());
    odd[..6].fill(0xff);
    assert_eq!(room.hear(&odd).map(|heard| heard.len()), Ok(8));
}

#[test]
fn who_comes_in_hears_everything_until_it_has_been_asked() {
    let mut room = Room::new(2);
    assert_eq!(room.hear(&udp(STATION, GAME.into())), Ok(vec![1, 2]));
    v4(&mut room, 2, GAME);
    room.advance(3);
    assert_eq!(room.hear(&udp(STATION, GAME.into())), Ok(vec![2]));
}

#[test]
fn a_client_that_does_not_say_its_groups_again_hears_everything_within_the_lans_bucket() {
    let mut room = Room::settled(1);
    room.switch
        .plug_in(room.now, peer(4), Speaker::Player(mac(4)));
    v4(&mut room, 4, GAME);
    room.advance(300);
    let heard = (0..5000).filter(|_| room.hear(&udp(STATION, CAMERA.into())) == Ok(vec![4]));
    assert_eq!(heard.count(), 512, "half, for one machine");
    assert_eq!(
        room.hear(&udp(STATION, CAMERA.into())),
        Err(DropReason::LanRate)
    );
    v4(&mut room, 1, CAMERA);
    let heard = room.hear(&udp(STATION, CAMERA.into()));
    assert_eq!(heard, Ok(vec![1]), "who wants it for sure loses nothing");
}

#[test]
fn what_nobody_may_want_and_a_noisy_machine_cost_the_others_no_broadcast() {
    let mut room = Room::settled(1);
    room.switch
        .plug_in(room.now, peer(4), Speaker::Player(mac(4)));
    let broadcast = |from| udp(from, Ipv4Addr::BROADCAST.into());
    while room.hear(&udp(STATION, CAMERA.into())).is_ok() {}
    assert!(room.hear(&broadcast(STATION)).is_ok(), "another bucket");
    while room.hear(&broadcast(STATION)).is_ok() {}
    let other = MacAddr::new([0, 0x16, 0x3e, 0, 0, 8]);
    for frame in [broadcast(other), udp(other, GAME.into())] {
        assert!(room.hear(&frame).is_ok(), "half is for the others");
    }
}

#[test]
fn every_version_of_a_report_counts() {
    let join: [(&str, Vec<u8>); 5] = [
        ("IGMPv1", igmp(mac(1), 0x12, CAMERA)),
        ("IGMPv2", igmp(mac(1), 0x16, CAMERA)),
        (
            "IGMPv3 to exclude",
            records(mac(1), &[(6, GAME, 1), (4, CAMERA, 0)]),
        ),
        (
            "IGMPv3 is exclude",
            records(mac(1), &[(3, GAME, 0), (2, CAMERA, 2)]),
        ),
        ("IGMPv3 allow", records(mac(1), &[(5, CAMERA, 1)])),
    ];
    let leave = [
        ("IGMPv2", igmp(mac(1), 0x17, CAMERA)),
        ("IGMPv3", records(mac(1), &[(3, CAMERA, 0)])),
    ];
    for (joined, join) in &join {
        for (left, leave) in &leave {
            let mut room = Room::settled(2);
            assert_eq!(room.say(1, join), Ok(Route::GroupOfLan), "{joined}");
            assert_eq!(
                room.hear(&udp(STATION, CAMERA.into())),
                Ok(vec![1]),
                "{joined}"
            );
            assert_eq!(room.say(1, leave), Ok(Route::GroupOfLan));
            let heard = room.hear(&udp(STATION, CAMERA.into()));
            assert_eq!(heard, Err(DropReason::Unwanted), "{left}");
        }
    }
    let mut room = Room::settled(2);
    let mut join = report_v6(mac(2), QUAKE, &[QUAKE]);
    assert_eq!(room.say(2, &join), Ok(Route::GroupOfLan));
    assert_eq!(room.hear(&udp(STATION, QUAKE.into())), Ok(vec![2]));
    let record = join.len() - 20;
    join[record] = 3;
    room.say(2, &join).unwrap();
    assert_eq!(
        room.hear(&udp(STATION, QUAKE.into())),
        Err(DropReason::Unwanted)
    );
}

#[test]
fn a_report_holds_as_long_as_the_rfcs_say() {
    let mut room = Room::settled(2);
    v4(&mut room, 1, CAMERA);
    room.advance(259);
    assert_eq!(room.hear(&udp(STATION, CAMERA.into())), Ok(vec![1]));
    room.advance(1);
    assert_eq!(
        room.hear(&udp(STATION, CAMERA.into())),
        Err(DropReason::Unwanted)
    );
}

#[test]
fn who_wants_more_groups_than_fit_hears_everything() {
    let mut room = Room::settled(2);
    let groups: Vec<_> = (0..=MAX_GROUPS)
        .map(|n| Ipv4Addr::new(239, 9, 9, n as u8))
        .collect();
    room.say(1, &report_v4(mac(1), GAME, &groups[1..])).unwrap();
    assert_eq!(
        room.hear(&udp(STATION, CAMERA.into())),
        Err(DropReason::Unwanted)
    );
    room.say(1, &report_v4(mac(1), GAME, &groups)).unwrap();
    assert_eq!(room.hear(&udp(STATION, CAMERA.into())), Ok(vec![1]));
    room.advance(260);
    assert_eq!(
        room.hear(&udp(STATION, CAMERA.into())),
        Err(DropReason::Unwanted)
    );
}

#[test]
fn reports_are_for_routers_alone() {
    let mut room = Room::settled(2);
    // A machine that hears another one's report of an old version keeps its own to itself.
    assert_eq!(
        room.say(9, &igmp(STATION, 0x16, CAMERA)),
        Err(DropReason::Unwanted)
    );
    assert_eq!(
        room.hear(&udp(STATION, CAMERA.into())),
        Err(DropReason::Unwanted)
    );
    room.switch.set_muted(peer(1), true);
    let report = report_v4(mac(1), GAME, &[CAMERA]);
    assert_eq!(room.say(1, &report), Ok(Route::GroupOfLan), "no talk");
    let heard = room.hear(&udp(STATION, CAMERA.into()));
    assert_eq!(heard, Ok(vec![1]), "also of those who may not speak");
}

#[test]
fn a_report_that_is_not_paid_for_changes_nothing() {
    let mut room = Room::settled(1);
    let game = report_v4(mac(1), GAME, &[GAME]);
    while room.say(1, &game).is_ok() {}
    let camera = report_v4(mac(1), GAME, &[CAMERA]);
    assert_eq!(room.say(1, &camera), Err(DropReason::ControlRate));
    let heard = room.hear(&udp(STATION, CAMERA.into()));
    assert_eq!(heard, Err(DropReason::Unwanted));
}

#[test]
fn of_a_report_of_very_many_groups_no_more_is_read_than_is_remembered() {
    let mut room = Room::settled(1);
    let leaves = vec![(3, GAME, 0); MAX_GROUPS + 1];
    let report = records(mac(1), &[&leaves[..], &[(4, CAMERA, 0)]].concat());
    room.say(1, &report).unwrap();
    let group = CAMERA.into();
    let hears = |unsure| room.switch.hears(room.now, peer(1), group, unsure);
    assert!(
        hears(true) && !hears(false),
        "what was not read may be wanted"
    );
}

#[test]
fn what_players_say_to_groups_reaches_the_lan_and_the_players_that_want_it() {
    let mut room = Room::settled(3);
    v4(&mut room, 3, GAME);
    let group = IpAddr::from(GAME);
    let route = room.say(1, &udp(mac(1), group));
    assert_eq!(
        route,
        Ok(Route::Members {
            group,
            unsure: true
        })
    );
    let hears = |player| room.switch.hears(room.now, peer(player), group, true);
    assert!(hears(3) && !hears(2));
    room.switch.set_isolated(true);
    assert_eq!(room.say(1, &udp(mac(1), group)), Ok(Route::GroupOfLan));
}

#[test]
fn whoever_leaves_is_forgotten() {
    let mut room = Room::settled(1);
    v4(&mut room, 1, CAMERA);
    room.switch.unplug(peer(1));
    room.switch
        .plug_in(room.now, peer(1), Speaker::Player(mac(1)));
    room.switch.trust_reports(peer(1), room.now + SETTLING);
    room.advance(3);
    assert_eq!(
        room.hear(&udp(STATION, CAMERA.into())),
        Err(DropReason::Unwanted)
    );
    assert!(room.start < room.now);
}

#[test]
fn a_machine_is_asked_and_spoken_for_at_once_after_one_and_ten_seconds_and_then_in_time() {
    let (start, mut reporter) = (Instant::now(), Reporter::new(MACHINE));
    assert_eq!(reporter.poll_timeout(), None);
    reporter.come_in(start);
    let mut rounds = Vec::new();
    while rounds.len() < 5 {
        let now = reporter.poll_timeout().unwrap();
        assert!(reporter.poll(now - Duration::from_nanos(1)).is_none() || rounds.is_empty());
        if let Some(round) = reporter.poll(now) {
            assert_eq!(round.questions, questions(ASKER));
            rounds.push((now - start).as_secs());
        }
    }
    assert_eq!(rounds, [0, 1, 10, 135, 260]);
    reporter.go();
    assert_eq!(reporter.poll_timeout(), None);
}

#[test]
fn a_new_group_is_said_again_soon() {
    let (start, mut reporter) = (Instant::now(), Reporter::new(MACHINE));
    let at = |seconds| start + Duration::from_secs(seconds);
    reporter.come_in(start);
    while let Some(now) = reporter.poll_timeout().filter(|&now| now <= at(10)) {
        reporter.poll(now);
    }
    for group in [CAMERA, CAMERA] {
        reporter.overhear(at(50), &report_v4(MACHINE, GAME, &[group]));
    }
    let mut rounds = Vec::new();
    while let Some(now) = reporter.poll_timeout().filter(|&now| now <= at(200)) {
        assert_eq!(reporter.poll(now).unwrap().reports.len(), 1);
        rounds.push((now - start).as_secs());
    }
    assert_eq!(rounds, [51, 60, 185]);
}

#[test]
fn a_client_hears_its_own_groups_whatever_its_machine_leaves() {
    const OWN: Ipv4Addr = Ipv4Addr::new(224, 0, 2, 60);
    let start = Instant::now();
    let mut reporter = Reporter::new(MACHINE).always(&[OWN]);
    let other = Ipv4Addr::new(239, 1, 2, 3);
    reporter.come_in(start);
    let said = |reporter: &mut Reporter, seconds| {
        let round = reporter.poll(start + Duration::from_secs(seconds));
        round.map(|round| joined(&round.reports))
    };
    assert_eq!(
        said(&mut reporter, 0),
        Some(vec![OWN]),
        "without a word of the machine"
    );
    reporter.overhear(start, &igmp(MACHINE, 0x16, OWN));
    reporter.overhear(start, &igmp(MACHINE, 0x16, other));
    assert_eq!(said(&mut reporter, 1), Some(vec![OWN, other]), "once each");
    assert_eq!(said(&mut reporter, 11), Some(vec![OWN, other]));
    // Its game is closed: the room hears the machine leave, and a second later that its client stays.
    let closed = start + Duration::from_secs(20);
    reporter.overhear(closed, &igmp(MACHINE, 0x17, OWN));
    reporter.overhear(closed, &igmp(MACHINE, 0x17, other));
    assert_eq!(said(&mut reporter, 21), Some(vec![OWN]));
}

/// The groups that reports join.
fn joined(reports: &[Vec<u8>]) -> Vec<Ipv4Addr> {
    let reports = reports.iter().filter_map(|frame| {
        let frame = EthernetFrame::parse(frame).unwrap();
        Message::read(frame)
    });
    let groups = reports.flat_map(|report| {
        let changes = report.changes().map(|change| match change {
            Change::Joins(IpAddr::V4(group)) => group,
            Change::Joins(group) | Change::Leaves(group) => panic!("{group}"),
        });
        changes.collect::<Vec<_>>()
    });
    groups.collect()
}

#[test]
fn what_a_machine_has_said_without_a_link_is_said_at_its_return() {
    let (now, mut reporter) = (Instant::now(), Reporter::new(MACHINE));
    let source = Ipv4Addr::new(192, 168, 50, 7);
    reporter.overhear(now, &report_v4(MACHINE, source, &[CAMERA, GAME]));
    reporter.overhear(now, &report_v6(MACHINE, QUAKE, &[QUAKE]));
    reporter.overhear(now, &igmp(MACHINE, 0x17, GAME));
    reporter.overhear(now, &report_v4(STATION, source, &[[239, 7, 7, 7].into()]));
    reporter.come_in(now);
    let round = reporter.poll(now).unwrap();
    let source = Ipv4Addr::new(192, 168, 50, 9);
    let expected = [
        report_v4(MACHINE, source, &[CAMERA]),
        report_v6(MACHINE, QUAKE, &[QUAKE]),
    ];
    assert_eq!(round.reports, expected);
    let mut room = Room::settled(1);
    for report in &round.reports {
        assert_eq!(room.say(1, report), Ok(Route::GroupOfLan));
    }
    assert_eq!(room.hear(&udp(STATION, CAMERA.into())), Ok(vec![1]));
    assert_eq!(room.hear(&udp(STATION, QUAKE.into())), Ok(vec![1]));
}

/// A machine that has joined two groups; from a minute on it answers questions, or not, with one of them.
fn ten_minutes(answers: bool) -> Vec<Vec<u8>> {
    let (start, mut reporter) = (Instant::now(), Reporter::new(MACHINE));
    let say = |reporter: &mut Reporter, now, groups: &[Ipv4Addr]| {
        reporter.overhear(now, &report_v4(MACHINE, GAME, groups));
    };
    reporter.come_in(start);
    say(&mut reporter, start, &[CAMERA, GAME]);
    let mut reports = Vec::new();
    while let Some(now) = reporter
        .poll_timeout()
        .filter(|&now| now < start + Duration::from_secs(600))
    {
        reports = reporter.poll(now).unwrap().reports;
        if answers && now > start + Duration::from_secs(60) {
            say(&mut reporter, now + Duration::from_secs(1), &[GAME]);
        }
    }
    reports
}

#[test]
fn a_machine_that_answers_has_left_what_it_says_no_more() {
    assert_eq!(ten_minutes(true), [report_v4(MACHINE, GAME, &[GAME])]);
}

#[test]
fn a_machine_that_never_answers_wants_what_it_has_not_left() {
    assert_eq!(
        ten_minutes(false),
        [report_v4(MACHINE, GAME, &[CAMERA, GAME])]
    );
}

#[test]
fn questions_are_what_hosts_take() {
    use etherparse::{LaxSlicedPacket, NetSlice, SlicedPacket};
    for question in questions(ASKER) {
        assert!(LaxSlicedPacket::from_ethernet(&question).is_ok());
        let packet = SlicedPacket::from_ethernet(&question).unwrap();
        match packet.net.unwrap() {
            NetSlice::Ipv4(packet) => {
                let header = packet.header();
                assert_eq!(header.ttl(), 1);
                assert_eq!(
                    header.header_checksum(),
                    header.to_header().calc_header_checksum()
                );
            }
            NetSlice::Ipv6(packet) => {
                // Linux hears no question from elsewhere, further away, or without an alert (RFC 3810 §5.1.14).
                let header = packet.header();
                assert_eq!(header.hop_limit(), 1);
                assert_eq!(header.source()[..2], [0xfe, 0x80]);
                assert!(packet.extensions().clone().into_iter().next().is_some());
            }
            other => panic!("{other:?}"),
        }
        let message = Message::read(EthernetFrame::parse(&question).unwrap()).unwrap();
        assert!(!message.is_report() && message.changes().next().is_none());
    }
    let [v4, v6] = questions(ASKER);
    assert_eq!(lanparty_proto::checksum::Sum::of(&v4[38..]).checksum(), 0);
    let (mut source, mut to) = ([0; 16], [0; 16]);
    source.copy_from_slice(&v6[22..38]);
    to.copy_from_slice(&v6[38..54]);
    let mut sum = lanparty_proto::checksum::Sum::pseudo_v6(source, to, 58, 28);
    sum += lanparty_proto::checksum::Sum::of(&v6[62..]);
    assert_eq!(sum.checksum(), 0);
}

#[test]
fn what_is_cut_or_no_report_says_nothing() {
    for whole in [
        report_v4(MACHINE, GAME, &[CAMERA]),
        report_v6(MACHINE, QUAKE, &[QUAKE]),
        igmp(MACHINE, 0x16, CAMERA),
    ] {
        for len in 14..whole.len() {
            let frame = EthernetFrame::parse(&whole[..len]).unwrap();
            let changes = Message::read(frame).map(|message| message.changes().count());
            assert_eq!(changes.unwrap_or(0), 0, "{len}");
        }
    }
}
