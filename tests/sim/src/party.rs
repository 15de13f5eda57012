//! A relay and its reference, side by side.

mod checks;
mod frames;
mod newcomers;
mod orders;

use crate::dice::Dice;
use crate::frames::{BROADCAST, Frame, KINDS, Kind, Mac};
use crate::reference::{Expected, Given, Hello, Notice, Peer, Reference, Shown};
use bytes::Bytes;
use checks::{Said, said};
use lanparty_ctrl::message::{Entry, Invitation, Newcomer, PeerJoined};
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{
    AccessToken, AdmissionKey, ChannelBinding, Fingerprint, HostId, HostOrder, LeaveReason,
    RelayMessage, ResumeToken, RoomCode, RoomKey,
};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_proto::{DatagramBudget, MacAddr, PeerId, VirtualMac};
use lanparty_relay::registry::{GuessLimits, Seat};
use lanparty_relay::room::{Departure, LinkHealth, Step, Verdict};
use lanparty_relay::{JoinLimits, Limits, Rate, Rates, Registry};
use newcomers::entry;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ROOMS: [&str; 3] = ["FRIDAY", "LAN-2", "ZZZZ"];
const CLIENTS: u8 = 5;
const MULTICAST: Mac = [0x01, 0x00, 0x5e, 0, 0, 0xfb];
/// A claim outlasts its gateway for so long.
const LINGER: u64 = 600_000;
/// Small steps of the clock together stay below the time after which a switch may forget.
const SMALL_STEP_MS: usize = 400;

/// What happened in a party, to see that the dice reach everything.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Newcomers let in.
    pub admitted: u64,
    /// Those of them who took their place back.
    pub resumed: u64,
    /// Those of them who came into rooms for invited people.
    pub keyed: u64,
    /// Newcomers refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Datagrams judged.
    pub datagrams: u64,
    /// Those whose frame was forwarded.
    pub forwarded: u64,
    /// Copies handed to peers.
    pub copies: u64,
    /// Pieces that waited.
    pub pending: u64,
    /// Probes that went back.
    pub probes: u64,
    /// Datagrams dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Peers expelled.
    pub expelled: u64,
    /// Peers kicked by their hosts.
    pub kicked: u64,
}

impl Tally {
    /// Adds another party's.
    pub fn add(&mut self, other: Tally) {
        self.admitted += other.admitted;
        self.resumed += other.resumed;
        self.keyed += other.keyed;
        self.datagrams += other.datagrams;
        self.forwarded += other.forwarded;
        self.copies += other.copies;
        self.pending += other.pending;
        self.probes += other.probes;
        self.expelled += other.expelled;
        self.kicked += other.kicked;
        for (reason, n) in other.refused {
            *self.refused.entry(reason).or_default() += n;
        }
        for (reason, n) in other.dropped {
            *self.dropped.entry(reason).or_default() += n;
        }
    }
}

/// A datagram on its way to the relay, and the frame it is or is a piece of.
struct InFlight {
    from: (u32, Seat),
    datagram: Vec<u8>,
    truth: Option<Frame>,
}

/// A relay under test.
pub struct Party {
    dice: Dice,
    verbose: bool,
    start: Instant,
    now: u64,
    limits: Limits,
    registry: Registry<u32>,
    reference: Reference,
    // Who is in, and who has been.
    present: BTreeMap<u32, Seat>,
    gone: Vec<(u32, Seat)>,
    in_flight: Vec<InFlight>,
    last_frame_ids: BTreeMap<u32, u16>,
    last_link: u32,
    last_cut: u16,
    /// What most of its people show: the party is for invited people, or open.
    usual: Option<Shown>,
    tally: Tally,
}

/// Plays `steps` steps of the party with this seed, and its end.
///
/// # Panics
/// When relay and reference disagree, or an invariant does not hold.
pub fn play(seed: u64, steps: usize, verbose: bool) -> Tally {
    let mut party = Party::new(seed, verbose);
    for _ in 0..steps {
        party.step();
        party.check();
    }
    party.everybody_leaves();
    party.tally
}

impl Party {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere"
    )]
    fn new(seed: u64, verbose: bool) -> Self {
        let mut dice = Dice::new(seed);
        let limits = Limits {
            rooms: dice.between(1, 3),
            peers: dice.between(2, 12),
            peers_per_address: dice.between(1, 8),
            peers_per_network: 1000,
            rooms_per_address: dice.between(1, 3),
            rooms_per_network: 1000,
            joins: JoinLimits {
                per_identity: u32::MAX,
                per_address: u32::MAX,
            },
            clients_per_room: dice.between(1, 6),
        };
        let mut rate = |burst: (usize, usize), per_second: (usize, usize)| Rate {
            burst: dice.between(burst.0, burst.1) as u32,
            per_second: dice.between(per_second.0, per_second.1) as u32,
        };
        let rates = Rates {
            control: rate((1, 20), (0, 20)),
            group: rate((1, 20), (0, 20)),
            unknown: rate((1, 20), (0, 20)),
            frames: rate((5, 100), (5, 200)),
            bytes: rate((1514, 20_000), (100, 50_000)),
            lan: rate((1, 40), (0, 40)),
        };
        let mut few = || Rate {
            burst: dice.between(1, 20) as u32,
            per_second: dice.between(0, 2) as u32,
        };
        let guesses = GuessLimits {
            per_source: few(),
            per_room: few(),
        };
        let invited = Shown {
            key: 1,
            host: Some(1),
            fresh: true,
        };
        let usual = dice.one_in(2).then_some(invited);
        let start = Instant::now();
        let mut registry = Registry::new(limits, rates);
        registry.set_limits(start, limits, rates, guesses);
        Party {
            dice,
            verbose,
            start,
            now: 0,
            limits,
            registry,
            reference: Reference::new(limits, rates, guesses),
            present: BTreeMap::new(),
            gone: Vec::new(),
            in_flight: Vec::new(),
            last_frame_ids: BTreeMap::new(),
            last_link: 0,
            last_cut: 0,
            usual,
            tally: Tally::default(),
        }
    }

    fn note(&self, words: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>8} ms  {}", self.now, words());
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn step(&mut self) {
        match self.dice.between(0, 207) {
            0..30 => self.somebody_joins(),
            30..38 => self.somebody_leaves(),
            38..108 => self.somebody_sends(),
            108..128 => self.somebody_sends_in_pieces(),
            128..168 => self.something_arrives(),
            168..173 => self.somebody_mumbles(),
            173..177 => self.somebody_forges(),
            177..181 => self.somebody_storms(),
            181..183 => self.somebody_cuts_too_much(),
            183..186 => self.a_ghost_sends(),
            186..188 => self.somebody_counts(),
            188..191 => self.pieces_expire(),
            191..195 => self.time_passes(),
            195..198 => self.somebody_probes(),
            198 => self.time_jumps(),
            199 if self.dice.one_in(10) => self.the_relay_drains(),
            200..206 => self.somebody_orders(),
            206 => self.the_access_token_changes(),
            _ => self.time_passes(),
        }
    }

    // Comings and goings.

    fn somebody_joins(&mut self) {
        self.last_link += 1;
        let hello = self.some_hello();
        let expected = self.reference.admit(self.now, &hello);
        let token = [self.last_link as u8; 16];
        let source = [192, 0, 2, hello.source].into();
        let now = self.instant();
        let admitted = self.registry.admit(
            now,
            &entry(&hello),
            source,
            ResumeToken::from_random(token),
            hello.link,
        );
        self.note(|| format!("{hello:?} → {:?}", admitted.as_ref().map(|a| a.place)));
        let mut hello = hello;
        let admission = match (admitted, expected) {
            (Ok(admission), Ok((name, rival))) => {
                let replaced = admission.replaced.as_ref().map(|departure| departure.link);
                assert_eq!(replaced, rival, "who gives way");
                hello.room = name;
                admission
            }
            (Err(reason), Err(expected)) => {
                assert_eq!(reason, expected, "why it is refused");
                *self.tally.refused.entry(format!("{reason:?}")).or_default() += 1;
                return;
            }
            (admitted, expected) => panic!("admitted {admitted:?}, expected {expected:?}"),
        };
        self.tally.admitted += 1;
        let mtu = self.reference.mtu(&hello);
        if let Some(replaced) = admission.replaced {
            self.tally.resumed += 1;
            assert!(!replaced.room_closed);
            self.has_left(replaced.link, LeaveReason::Replaced, &replaced.steps);
        }
        let place = admission.place;
        self.check_numbers(&hello, place);
        let given = Given {
            room_id: place.room.number(),
            peer_id: place.peer.number(),
            token,
            mtu,
        };
        let expected = self.expected_steps(&hello, given);
        assert_eq!(said(&admission.steps), expected, "who is told, and when");
        self.present.insert(hello.link, place);
        self.tally.keyed += u64::from(hello.shown.is_some());
        let (link, orders) = (hello.link, hello.orders.clone());
        self.reference.join(self.now, hello, given);
        let expected = self.reference.repeat_orders(link, &orders);
        self.are_out(admission.kicked, expected);
    }

    fn check_numbers(&self, hello: &Hello, place: Seat) {
        for peer in &self.reference.peers {
            let same_room = peer.room == hello.room;
            assert_eq!(same_room, peer.room_id == place.room.number());
            assert!(!same_room || peer.peer_id != place.peer.number());
        }
        let known = self.gone.iter().any(|&(_, gone)| gone == place);
        assert!(!known, "no place is given twice");
    }

    fn expected_steps(&self, hello: &Hello, given: Given) -> Vec<Said> {
        let room = self.reference.room(&hello.room);
        let gateway = room.iter().find(|peer| peer.mac.is_none());
        let welcome = Said::Welcome(given, gateway.map(|gateway| gateway.peer_id));
        let catch_up = room.iter().map(|peer| Said::Here(peer.peer_id, peer.mac));
        let notices = room
            .iter()
            .map(|peer| Said::Joined(peer.link, given.peer_id, hello.mac));
        match hello.mac {
            Some(_) => notices.chain([welcome]).chain(catch_up).collect(),
            None => [welcome]
                .into_iter()
                .chain(catch_up)
                .chain(notices)
                .collect(),
        }
    }

    fn somebody_leaves(&mut self) {
        let Some((link, place)) = self.somebody() else {
            return;
        };
        let reasons = [
            LeaveReason::Closed,
            LeaveReason::Leaving,
            LeaveReason::TimedOut,
        ];
        let reason = *self.dice.pick(&reasons);
        self.leave(link, place, reason);
    }

    fn leave(&mut self, link: u32, place: Seat, reason: LeaveReason) {
        self.note(|| format!("link {link} leaves: {reason}"));
        let departure = self.registry.leave(place, reason).unwrap();
        assert_eq!((departure.link, departure.peer), (link, place.peer));
        let closed = departure.room_closed;
        let left = departure.steps;
        let room = self.has_left(link, reason, &left);
        assert_eq!(closed, self.reference.room(&room).is_empty());
        assert!(self.registry.leave(place, reason).is_none(), "only once");
    }

    fn has_left(&mut self, link: u32, reason: LeaveReason, steps: &[Step<u32>]) -> String {
        let peer = self.peer(link);
        let room = peer.room.clone();
        let notices = self.reference.leave(link, reason);
        let expected: Vec<_> = notices.into_iter().map(Said::Left).collect();
        assert_eq!(said(steps), expected, "who is told");
        let place = self.present.remove(&link).unwrap();
        self.gone.push((link, place));
        self.last_frame_ids.remove(&link);
        room
    }

    fn everybody_leaves(&mut self) {
        for (link, place) in self.present.clone() {
            self.check_counts(link, place);
            self.leave(link, place, LeaveReason::Closed);
            self.check();
        }
        assert_eq!(self.registry.rooms(), 0);
        assert_eq!(self.registry.poll_timeout(), None);
        if self.reference.draining {
            return;
        }
        // No trace is left: as many as ever fit again, where no claim keeps a code for its host.
        self.registry.set_access(None);
        self.now += 2 * LINGER;
        self.pieces_expire();
        self.now += 2 * LINGER;
        self.pieces_expire();
        let fresh = self.limits.peers_per_address.min(self.limits.peers);
        let fresh = fresh.min(self.limits.clients_per_room);
        for number in 0..fresh {
            let hello = Hello {
                link: number as u32,
                room: ROOMS[2].to_owned(),
                mac: Some([2, 9, 0, 0, 0, number as u8]),
                source: 1,
                identity: None,
                token: None,
                shown: None,
                access: None,
                orders: Vec::new(),
                tells_groups: false,
                budget: 1312,
            };
            let (now, source) = (self.instant(), [192, 0, 2, 1].into());
            let token = ResumeToken::from_random([0; 16]);
            let admitted = self.registry.admit(now, &entry(&hello), source, token, 0);
            assert!(admitted.is_ok());
        }
    }

    fn the_relay_drains(&mut self) {
        self.note(|| "the relay drains".to_owned());
        let mut links = self.registry.drain();
        links.sort_unstable();
        assert!(links.iter().eq(self.present.keys()));
        self.reference.draining = true;
    }

    // Everything else.

    fn somebody_counts(&mut self) {
        let Some((_, place)) = self.somebody() else {
            return;
        };
        let stats = PeerStats {
            frames_to_relay: self.dice.bits(),
            ..PeerStats::default()
        };
        let health = LinkHealth {
            stats: None,
            rtt: Some(Duration::from_millis(self.now)),
            loss_permille: None,
        };
        let now = self.instant();
        self.registry
            .handle_stats(now, place, stats.clone(), health);
        let record = self.registry.peer(place).unwrap();
        assert_eq!(
            (record.stats.as_ref(), record.health),
            (Some(&stats), health)
        );
        assert_eq!(record.last_seen, now);
    }

    fn pieces_expire(&mut self) {
        let now = self.instant();
        self.registry.handle_timeout(now);
        self.reference.expire(self.now);
        assert!(self.registry.poll_timeout().is_none_or(|next| next > now));
    }

    fn time_passes(&mut self) {
        self.now += self.dice.between(1, SMALL_STEP_MS) as u64;
    }

    fn time_jumps(&mut self) {
        self.now += self.dice.between(401_000, 100_000_000) as u64;
        self.note(|| "the clock has jumped".to_owned());
        self.reference.jump();
    }
}

fn client_mac(number: usize) -> Mac {
    [2, 0, 0, 0, 0, number as u8]
}

fn lan_mac(number: usize) -> Mac {
    [0, 0x16, 0x3e, 0, 0, number as u8]
}

fn header(place: Seat, flags: u8) -> [u8; 8] {
    let [p0, p1] = place.peer.number().to_be_bytes();
    let [r0, r1, r2, r3] = place.room.number().to_be_bytes();
    [0x11, flags, p0, p1, r0, r1, r2, r3]
}

fn fragment(place: Seat, frame_id: u16, offset: usize, total: usize, piece: &[u8]) -> Vec<u8> {
    let mut datagram = header(place, 1).to_vec();
    datagram.extend(frame_id.to_be_bytes());
    datagram.extend((offset as u16).to_be_bytes());
    datagram.extend((total as u16).to_be_bytes());
    datagram.extend(piece);
    datagram
}
