//! The proxy against a switch that snoops, with a querier of each version and with none.

use super::*;
use crate::snooping::LIFETIME;
use crate::snooping::frames::{Group, old_report, reports};
use crate::snooping::members::{MAX_GROUPS_OF_ALL, MAX_GROUPS_OF_ONE};
use lanparty_proto::checksum::Sum;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

const NIC: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 1]);
const ALICE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 7]);
const BOB: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 8]);
const GAME: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 2, 60));
const CAMERA: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
const SITE: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 7));
/// Where Alice's neighbours ask for her.
const SOLICITED: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 7));

#[test]
fn ten_players_cost_the_reports_of_one() {
    let mut lan = Lan::new(None);
    for player in 1..=10 {
        lan.say(mac(player), &[(Group::Joined, GAME)]);
        lan.pass(Duration::from_millis(10));
    }
    lan.pass(Duration::from_secs(60));
    assert_eq!(lan.said.len(), 2, "once, and once again for what got lost");
    assert!(lan.port.contains_key(&GAME));
    lan.said.clear();
    for player in 1..10 {
        lan.say(mac(player), &[(Group::Left, GAME)]);
    }
    lan.pass(Duration::from_secs(10));
    assert_eq!(lan.said.len(), 0, "the tenth still wants it");
    lan.proxy.forget(lan.now, mac(10));
    lan.pass(Duration::from_secs(10));
    assert_eq!(lan.said.len(), 2);
    assert!(lan.port.is_empty());
}

#[test]
fn every_querier_is_answered_in_time_and_in_its_own_version() {
    for version in [1, 2, 3] {
        let mut lan = Lan::new(Some(version));
        lan.say(ALICE, &[(Group::Joined, GAME), (Group::Joined, CAMERA)]);
        lan.say(ALICE, &[(Group::Joined, SITE)]);
        lan.pass(Duration::from_secs(20));
        lan.said.clear();
        lan.ask(None);
        lan.pass(PATIENCE_OF_HOSTS);
        let kinds: BTreeSet<_> = lan.said.iter().map(|&(_, kind)| kind).collect();
        let expected = match version {
            1 => [0x12, 131],
            2 => [0x16, 131],
            _ => [0x22, 143],
        };
        assert_eq!(kinds, BTreeSet::from(expected), "{version}");
        lan.said.clear();
        lan.ask(Some(CAMERA));
        lan.pass(PATIENCE_OF_HOSTS);
        assert_eq!(lan.said.len(), 1, "one group alone");
        lan.ask(Some([239, 9, 9, 9].into()));
        lan.pass(PATIENCE_OF_HOSTS);
        assert_eq!(lan.said.len(), 1, "nobody wants this one");
    }
}

#[test]
fn an_old_querier_that_has_gone_is_forgotten() {
    let mut lan = Lan::new(Some(1));
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.ask(None);
    lan.pass(Duration::from_secs(10));
    lan.querier = None;
    lan.renew(LIFETIME, &[(ALICE, GAME)]);
    lan.said.clear();
    lan.say(ALICE, &[(Group::Joined, CAMERA)]);
    lan.pass(Duration::from_secs(2));
    assert_eq!(kinds(&lan), [0x22, 0x22]);
}

#[test]
fn without_a_querier_it_is_said_again_before_a_switch_forgets() {
    let mut lan = Lan::new(None);
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.say(ALICE, &[(Group::Joined, SOLICITED)]);
    lan.said.clear();
    for _ in 0..30 {
        lan.renew(
            Duration::from_secs(60),
            &[(ALICE, GAME), (ALICE, SOLICITED)],
        );
        lan.agrees([GAME, SOLICITED]);
    }
    assert_eq!(lan.said.len(), 2 * (2 + 1800 / 125), "no more often");
}

#[test]
fn where_somebody_asks_nothing_is_said_unasked() {
    let mut lan = Lan::new(Some(3));
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.pass(Duration::from_secs(200));
    lan.said.clear();
    lan.renew(Duration::from_secs(1250), &[(ALICE, GAME)]);
    assert_eq!(lan.said.len(), 10);
    lan.agrees([GAME]);
}

#[test]
fn a_switch_that_has_lost_its_memory_is_told_at_once_and_no_report_is_waited_for() {
    for querier in [None, Some(3)] {
        let mut lan = Lan::new(querier);
        lan.say(ALICE, &[(Group::Joined, GAME)]);
        lan.say(BOB, &[(Group::Joined, SITE)]);
        lan.pass(Duration::from_secs(30));
        // Somebody pulls the cable; it goes in again a minute later, by way of another card.
        lan.proxy.go();
        lan.port.clear();
        lan.pass(Duration::from_secs(60));
        assert_eq!(lan.proxy.poll_timeout(), None);
        let other = MacAddr::new([0x52, 0, 0, 0, 0, 2]);
        let proxy = std::mem::replace(&mut lan.proxy, Proxy::new(NIC, 0));
        lan.proxy = proxy.moved(other);
        lan.nic = other;
        lan.proxy.come_in(lan.now);
        lan.pass(Duration::from_millis(1));
        lan.agrees([GAME, SITE]);
        // Bob's program has gone meanwhile.
        lan.renew(Duration::from_secs(200), &[(ALICE, GAME)]);
        lan.agrees([GAME]);
    }
}

#[test]
fn a_lost_report_is_made_up_for() {
    let mut lan = Lan::new(None);
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.pass(Duration::ZERO);
    lan.port.clear();
    lan.pass(Duration::from_secs(1));
    lan.agrees([GAME]);
    lan.proxy.go();
    lan.proxy.come_in(lan.now);
    lan.pass(Duration::from_millis(900));
    // The port of a switch takes a second to come up.
    lan.port.clear();
    lan.pass(Duration::from_millis(200));
    lan.agrees([GAME]);
}

#[test]
fn what_players_do_not_say_again_is_left() {
    let mut lan = Lan::new(None);
    lan.say(ALICE, &[(Group::Joined, GAME), (Group::Joined, CAMERA)]);
    lan.renew(LIFETIME, &[(ALICE, GAME)]);
    lan.pass(Duration::from_secs(10));
    lan.agrees([GAME]);
}

#[test]
fn reports_of_every_version_are_spoken_for_and_nothing_else_is() {
    let mut lan = Lan::new(None);
    for version in [1, 2] {
        let join = old_report(
            (ALICE, Ipv4Addr::UNSPECIFIED.into()),
            version,
            (Group::Joined, GAME),
        );
        assert!(lan.proxy.handle_report(lan.now, ALICE, &join.unwrap()));
        lan.pass(Duration::ZERO);
        lan.agrees([GAME]);
        let leave = old_report(
            (ALICE, Ipv4Addr::UNSPECIFIED.into()),
            2,
            (Group::Left, GAME),
        );
        assert!(lan.proxy.handle_report(lan.now, ALICE, &leave.unwrap()));
        lan.pass(Duration::ZERO);
        lan.agrees([]);
    }
    let [question, _] = crate::snooping::questions(ALICE);
    assert!(!lan.proxy.handle_report(lan.now, ALICE, &question));
    assert!(!lan.proxy.handle_report(lan.now, ALICE, &[0xff; 60]));
}

#[test]
fn who_wants_too_much_speaks_for_itself() {
    let mut lan = Lan::new(None);
    let of = |player: u16, number: usize| {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        IpAddr::from([239, u8::try_from(player).unwrap(), high, low])
    };
    for number in 0..=MAX_GROUPS_OF_ONE {
        let spoken_for = lan.say(ALICE, &[(Group::Joined, of(0, number))]);
        assert_eq!(spoken_for, number < MAX_GROUPS_OF_ONE, "{number}");
    }
    assert!(lan.say(ALICE, &[(Group::Left, of(0, 3))]));
    assert!(
        lan.say(ALICE, &[(Group::Joined, of(0, 999))]),
        "there is room"
    );
    for player in 1..100 {
        for number in 0..MAX_GROUPS_OF_ONE {
            lan.say(mac(player), &[(Group::Joined, of(player, number))]);
        }
    }
    assert_eq!(lan.proxy.groups().count(), MAX_GROUPS_OF_ALL);
    assert!(
        lan.say(mac(200), &[(Group::Joined, of(0, 5))]),
        "it is said anyway"
    );
    lan.pass(Duration::from_secs(5));
    assert_eq!(lan.port.len(), MAX_GROUPS_OF_ALL);
    assert!(
        lan.longest <= 14 + 1280,
        "every link takes {} bytes",
        lan.longest
    );
}

/// Players who change their minds without end, or all of a room's groups under a querier that speaks the second version,
/// where each group is a frame.
#[test]
fn no_player_makes_the_gateway_flood_its_lan() {
    for querier in [None, Some(2)] {
        let mut lan = Lan::new(querier);
        lan.pass(Duration::from_secs(1));
        let groups = |number: u8| IpAddr::from([239, 7, 0, number]);
        let all = |said| {
            (0..128)
                .map(|number| (said, groups(number)))
                .collect::<Vec<_>>()
        };
        let before = lan.said.len();
        for _ in 0..160 {
            for said in [Group::Joined, Group::Left] {
                lan.say(ALICE, &all(said));
                lan.pass(Duration::from_millis(31));
            }
        }
        let said = lan.said.len() - before;
        assert!(said <= 64 + 32 * 10, "{said} frames in ten seconds");
        lan.say(BOB, &[(Group::Joined, GAME)]);
        lan.pass(Duration::from_secs(10));
        lan.agrees([GAME]);
    }
}

#[test]
fn a_leave_takes_back_a_join_that_was_not_said_and_the_other_way_round() {
    let mut lan = Lan::new(None);
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.say(ALICE, &[(Group::Left, GAME)]);
    lan.pass(Duration::from_secs(10));
    assert_eq!(lan.said.len(), 0);
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.pass(Duration::from_secs(10));
    lan.said.clear();
    lan.say(ALICE, &[(Group::Left, GAME)]);
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.pass(Duration::from_secs(10));
    assert_eq!(lan.said.len(), 0);
    lan.agrees([GAME]);
}

#[test]
fn a_room_full_of_groups_is_answered_one_by_one_and_all_of_it() {
    let mut lan = Lan::new(Some(2));
    for player in 0..8 {
        for number in 0..128 {
            lan.say(
                mac(player),
                &[(Group::Joined, [239, 8, player as u8, number].into())],
            );
        }
    }
    lan.pass(Duration::from_secs(100));
    lan.port.clear();
    lan.said.clear();
    lan.ask(None);
    lan.pass(Duration::from_secs(1));
    assert!(lan.said.len() <= 64 + 32, "{}", lan.said.len());
    for _ in 0..35 {
        lan.pass(Duration::from_secs(1));
    }
    assert_eq!(lan.port.len(), MAX_GROUPS_OF_ALL);
}

#[test]
fn damaged_questions_and_those_of_other_lengths_are_not_answered() {
    let mut lan = Lan::new(Some(3));
    lan.say(ALICE, &[(Group::Joined, GAME)]);
    lan.say(ALICE, &[(Group::Joined, SITE)]);
    lan.pass(Duration::from_secs(5));
    lan.said.clear();
    let [v4, v6] = crate::snooping::questions(BOB);
    for (question, message_at) in [(v4, 38), (v6, 62)] {
        for at in message_at..question.len() {
            let mut damaged = question.clone();
            damaged[at] ^= 0x10;
            lan.hear(&damaged);
        }
    }
    lan.pass(PATIENCE_OF_HOSTS);
    assert_eq!(lan.said.len(), 0);
}

#[test]
fn answers_are_spread_and_two_gateways_do_not_answer_at_once() {
    let moments: BTreeSet<_> = (0..20)
        .map(|seed| {
            let mut lan = Lan::seeded(Some(3), seed);
            lan.say(ALICE, &[(Group::Joined, GAME)]);
            lan.pass(Duration::from_secs(5));
            lan.said.clear();
            lan.ask(None);
            lan.pass(PATIENCE_OF_HOSTS);
            lan.said[0].0
        })
        .collect();
    assert_eq!(moments.len(), 20);
}

/// What a querier lets hosts take.
const PATIENCE_OF_HOSTS: Duration = Duration::from_secs(10);

/// A LAN whose switch snoops, and one port of it with a proxy behind.
struct Lan {
    start: Instant,
    now: Instant,
    nic: MacAddr,
    proxy: Proxy,
    /// A querier of this version of IGMP, and of MLD's first up to IGMP's second; when it asks next.
    querier: Option<(u8, Instant)>,
    /// What the switch knows of the port, and until when.
    port: BTreeMap<IpAddr, Instant>,
    /// When which kind of report has come.
    said: Vec<(Duration, u8)>,
    longest: usize,
}

impl Lan {
    fn new(querier: Option<u8>) -> Self {
        Self::seeded(querier, 1)
    }

    fn seeded(querier: Option<u8>, seed: u64) -> Self {
        let now = Instant::now();
        let mut proxy = Proxy::new(NIC, seed);
        proxy.come_in(now);
        Lan {
            start: now,
            now,
            nic: NIC,
            proxy,
            querier: querier.map(|version| (version, now)),
            port: BTreeMap::new(),
            said: Vec::new(),
            longest: 0,
        }
    }

    /// A player says this to its room; answers whether the LAN need not hear it.
    fn say(&mut self, player: MacAddr, said: &[(Group, IpAddr)]) -> bool {
        let source = match said[0].1 {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let frames = reports(player, source, said.iter().copied());
        self.proxy.handle_report(self.now, player, &frames[0])
    }

    /// So much time, during which players say again what they want as often as their clients do.
    fn renew(&mut self, time: Duration, wanted: &[(MacAddr, IpAddr)]) {
        let end = self.now + time;
        while self.now < end {
            for &(player, group) in wanted {
                self.say(player, &[(Group::Wanted, group)]);
            }
            self.pass(Duration::from_secs(5));
            self.proxy.expire(self.now);
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let asks = self.querier.map(|(_, at)| at);
            let proxy = self.proxy.poll_timeout();
            let next = asks.into_iter().chain(proxy).min();
            let Some(next) = next.filter(|&next| next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if let Some((_, at)) = &mut self.querier
                && *at <= self.now
            {
                *at = self.now + Duration::from_secs(125);
                self.ask(None);
            }
            for frame in self.proxy.poll(self.now) {
                self.receive(&frame);
            }
        }
        self.now = end;
        self.port.retain(|_, until| end < *until);
    }

    /// The querier asks about a group, or about all.
    fn ask(&mut self, group: Option<IpAddr>) {
        let Some((version, _)) = self.querier else {
            return;
        };
        let everything = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let about = group.map_or(everything.to_vec(), |group| vec![group]);
        for group in about {
            self.hear(&question(version, group));
        }
    }

    fn hear(&mut self, frame: &[u8]) {
        let frame = EthernetFrame::parse(frame).unwrap();
        self.proxy.hear(self.now, frame);
    }

    /// The switch reads as the RFCs say, and no other way than this.
    fn receive(&mut self, frame: &[u8]) {
        assert_eq!(frame[6..12], self.nic.octets());
        self.longest = self.longest.max(frame.len());
        let is_v4 = frame[12..14] == [8, 0];
        let body = if is_v4 { &frame[38..] } else { &frame[62..] };
        let sum = match is_v4 {
            true => {
                assert_eq!(frame[23], 2);
                assert_eq!(frame[26..30], [0; 4]);
                assert_eq!(Sum::of(&frame[14..38]).checksum(), 0);
                Sum::of(body)
            }
            false => {
                let source = frame[22..38].try_into().unwrap();
                let to = frame[38..54].try_into().unwrap();
                assert_eq!(frame[22..24], [0xfe, 0x80], "routers drop others");
                let mut sum = Sum::pseudo_v6(source, to, 58, body.len() as u32);
                sum += Sum::of(body);
                sum
            }
        };
        assert_eq!(sum.checksum(), 0);
        self.said.push((self.now - self.start, body[0]));
        let address = |bytes: &[u8]| match is_v4 {
            true => IpAddr::from(<[u8; 4]>::try_from(bytes).unwrap()),
            false => IpAddr::from(<[u8; 16]>::try_from(bytes).unwrap()),
        };
        match body[0] {
            0x12 | 0x16 => self.joined(address(&body[4..])),
            131 => self.joined(address(&body[8..])),
            0x17 => self.left(address(&body[4..])),
            132 => self.left(address(&body[8..])),
            0x22 | 143 => {
                let len = if is_v4 { 8 } else { 20 };
                assert_eq!(
                    usize::from(body[7]) + 256 * usize::from(body[6]),
                    body[8..].len() / len
                );
                for record in body[8..].chunks_exact(len) {
                    assert_eq!(record[1..4], [0; 3]);
                    match record[0] {
                        2 | 4 => self.joined(address(&record[4..])),
                        3 => self.left(address(&record[4..])),
                        kind => panic!("a record of kind {kind}"),
                    }
                }
            }
            kind => panic!("a message of kind {kind}"),
        }
    }

    fn joined(&mut self, group: IpAddr) {
        self.port.insert(group, self.now + LIFETIME);
    }

    fn left(&mut self, group: IpAddr) {
        self.port.remove(&group);
    }

    fn agrees<const COUNT: usize>(&self, groups: [IpAddr; COUNT]) {
        let known: BTreeSet<_> = self.port.keys().copied().collect();
        assert_eq!(known, BTreeSet::from(groups), "{:?}", self.now - self.start);
    }
}

fn kinds(lan: &Lan) -> Vec<u8> {
    lan.said.iter().map(|&(_, kind)| kind).collect()
}

/// A question with ten seconds for the answer.
fn question(version: u8, group: IpAddr) -> Vec<u8> {
    let mut frame = match group {
        IpAddr::V4(_) => crate::snooping::questions(BOB)[0].clone(),
        IpAddr::V6(_) => crate::snooping::questions(BOB)[1].clone(),
    };
    match group {
        IpAddr::V4(group) => {
            frame[39] = if version == 1 { 0 } else { 100 };
            frame[42..46].copy_from_slice(&group.octets());
            if version < 3 {
                frame.truncate(46);
                frame[17] = 32;
            }
            frame[40..42].fill(0);
            let sum = Sum::of(&frame[38..]).checksum().to_be_bytes();
            frame[40..42].copy_from_slice(&sum);
        }
        IpAddr::V6(group) => {
            frame[66..68].copy_from_slice(&10_000_u16.to_be_bytes());
            frame[70..86].copy_from_slice(&group.octets());
            if version < 3 {
                frame.truncate(86);
                frame[19] = 32;
            }
            frame[64..66].fill(0);
            let source = frame[22..38].try_into().unwrap();
            let to = frame[38..54].try_into().unwrap();
            let body = frame[62..].to_vec();
            let mut sum = Sum::pseudo_v6(source, to, 58, body.len() as u32);
            sum += Sum::of(&body);
            frame[64..66].copy_from_slice(&sum.checksum().to_be_bytes());
        }
    }
    frame
}

fn mac(player: u16) -> MacAddr {
    let [high, low] = player.to_be_bytes();
    MacAddr::new([2, 0, 0, 1, high, low])
}
