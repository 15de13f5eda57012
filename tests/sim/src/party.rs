//! A relay and its reference, side by side.

use crate::dice::Dice;
use crate::frames::{BROADCAST, Frame, KINDS, Kind, Mac};
use crate::reference::{Expected, Given, Hello, Notice, Peer, Reference};
use bytes::Bytes;
use lanparty_ctrl::message::{Entry, Newcomer, PeerJoined};
use lanparty_ctrl::{HostOrder, LeaveReason, RelayMessage, ResumeToken};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_proto::{DatagramBudget, MacAddr, PeerId, VirtualMac};
use lanparty_relay::registry::Place;
use lanparty_relay::room::{LinkHealth, Step, Verdict};
use lanparty_relay::{Limits, Rate, Rates, Registry};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ROOMS: [&str; 3] = ["FRIDAY", "LAN-2", "ZZZZ"];
const CLIENTS: u8 = 5;
const MULTICAST: Mac = [0x01, 0x00, 0x5e, 0, 0, 0xfb];
/// Small steps of the clock together stay below the time after which a switch may forget.
const SMALL_STEP_MS: usize = 400;

/// What happened in a party, to see that the dice reach everything.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Newcomers let in.
    pub admitted: u64,
    /// Those of them who took their place back.
    pub resumed: u64,
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
    from: (u32, Place),
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
    present: BTreeMap<u32, Place>,
    gone: Vec<(u32, Place)>,
    in_flight: Vec<InFlight>,
    last_frame_ids: BTreeMap<u32, u16>,
    last_link: u32,
    last_cut: u16,
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
            clients_per_room: dice.between(1, 6),
        };
        let mut rate = |burst: (usize, usize), per_second: (usize, usize)| Rate {
            burst: dice.between(burst.0, burst.1) as u32,
            per_second: dice.between(per_second.0, per_second.1) as u32,
        };
        let rates = Rates {
            group: rate((1, 20), (0, 20)),
            unknown: rate((1, 20), (0, 20)),
            bytes: rate((1514, 20_000), (100, 50_000)),
        };
        Party {
            dice,
            verbose,
            start: Instant::now(),
            now: 0,
            limits,
            registry: Registry::new(limits, rates),
            reference: Reference::new(limits, rates),
            present: BTreeMap::new(),
            gone: Vec::new(),
            in_flight: Vec::new(),
            last_frame_ids: BTreeMap::new(),
            last_link: 0,
            last_cut: 0,
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
        match self.dice.between(0, 205) {
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
            _ => self.time_passes(),
        }
    }

    // Comings and goings.

    fn somebody_joins(&mut self) {
        self.last_link += 1;
        let mac = (!self.dice.one_in(4)).then(|| client_mac(self.dice.between(1, CLIENTS.into())));
        let room = (*self.dice.pick(&ROOMS)).to_owned();
        let room = if self.dice.one_in(2) {
            ROOMS[0].to_owned()
        } else {
            room
        };
        let hello = Hello {
            link: self.last_link,
            token: self.some_token(&room, mac),
            room,
            mac,
            source: self.dice.between(1, 3) as u8,
            budget: self.dice.between(600, 2000) as u16,
        };
        let expected = self.reference.admit(&hello);
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
        let admission = match (admitted, expected) {
            (Ok(admission), Ok(rival)) => {
                let replaced = admission.replaced.as_ref().map(|departure| departure.link);
                assert_eq!(replaced, rival, "who gives way");
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
        self.reference.join(self.now, hello, given);
    }

    /// None, the right one, or another peer's.
    fn some_token(&mut self, room: &str, mac: Option<Mac>) -> Option<[u8; 16]> {
        let own = self.reference.peers.iter();
        let own = own
            .filter(|peer| peer.room == room && peer.mac == mac)
            .map(|peer| peer.token)
            .next();
        let all: Vec<_> = self.reference.peers.iter().map(|peer| peer.token).collect();
        match self.dice.between(0, 3) {
            0 => None,
            1 => self.dice.any(&all).copied(),
            _ => own,
        }
    }

    fn check_numbers(&self, hello: &Hello, place: Place) {
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

    fn leave(&mut self, link: u32, place: Place, reason: LeaveReason) {
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
        // No trace is left: as many as ever fit again.
        let fresh = self.limits.peers_per_address.min(self.limits.peers);
        let fresh = fresh.min(self.limits.clients_per_room);
        for number in 0..fresh {
            let hello = Hello {
                link: number as u32,
                room: ROOMS[2].to_owned(),
                mac: Some([2, 9, 0, 0, 0, number as u8]),
                source: 1,
                token: None,
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

    // Frames.

    fn somebody(&mut self) -> Option<(u32, Place)> {
        let present: Vec<_> = self.present.iter().map(|(&link, &at)| (link, at)).collect();
        self.dice.any(&present).copied()
    }

    fn peer(&self, link: u32) -> &Peer {
        let mut peers = self.reference.peers.iter();
        peers.find(|peer| peer.link == link).unwrap()
    }

    fn some_frame(&mut self, link: u32) -> Frame {
        let own = self.peer(link).mac;
        let kind = *self.dice.pick(KINDS);
        let destination = self.some_destination(own);
        let source = self.some_source(own);
        Frame::new(&mut self.dice, kind, destination, source)
    }

    fn some_destination(&mut self, own: Option<Mac>) -> Mac {
        match self.dice.between(0, 9) {
            0 | 1 => BROADCAST,
            2 => MULTICAST,
            3..6 => client_mac(self.dice.between(1, CLIENTS.into())),
            6 => own.unwrap_or(BROADCAST),
            _ => lan_mac(self.dice.between(1, 4)),
        }
    }

    fn some_source(&mut self, own: Option<Mac>) -> Mac {
        match self.dice.between(0, 19) {
            0 => client_mac(self.dice.between(1, CLIENTS.into())),
            1 => lan_mac(self.dice.between(1, 4)),
            2 => *self.dice.pick(&[[0; 6], BROADCAST, MULTICAST]),
            _ => own.unwrap_or(lan_mac(self.dice.between(1, 4))),
        }
    }

    fn somebody_sends(&mut self) {
        let Some(from) = self.somebody() else { return };
        let frame = self.some_frame(from.0);
        self.send_whole(from, frame);
    }

    fn send_whole(&mut self, from: (u32, Place), frame: Frame) {
        let datagram = [&header(from.1, 0)[..], &frame.bytes].concat();
        self.arrives(InFlight {
            from,
            datagram,
            truth: Some(frame),
        });
    }

    fn somebody_sends_in_pieces(&mut self) {
        let Some(from) = self.somebody() else { return };
        let frame = self.some_frame(from.0);
        if frame.bytes.is_empty() {
            return;
        }
        self.last_cut += 1;
        let most = frame.bytes.len().div_ceil(self.dice.between(1, 20)).max(1);
        let mut offset = 0;
        while offset < frame.bytes.len() {
            let end = frame.bytes.len().min(offset + self.dice.between(1, most));
            self.launch_piece(from, &frame, (offset, end));
            offset = end;
        }
    }

    /// Sends a piece on its way; sometimes twice, or with an impostor behind it.
    fn launch_piece(&mut self, from: (u32, Place), frame: &Frame, range: (usize, usize)) {
        let total = frame.bytes.len();
        let mut piece = frame.bytes[range.0..range.1].to_vec();
        let truth = Some(frame.clone());
        let datagram = fragment(from.1, self.last_cut, range.0, total, &piece);
        let mut launch = |datagram| {
            self.in_flight.push(InFlight {
                from,
                datagram,
                truth: truth.clone(),
            });
        };
        launch(datagram.clone());
        match self.dice.between(0, 39) {
            0 => launch(datagram),
            1 => launch(fragment(from.1, self.last_cut, range.0, total + 1, &piece)),
            2 if piece.len() > 1 => {
                piece.pop();
                launch(fragment(from.1, self.last_cut, range.0, total, &piece));
            }
            // Only the last byte of a game's payload: it is still the frame of a game.
            3 if frame.kind == Kind::Game && range.1 == total => {
                piece[range.1 - range.0 - 1] ^= 0xff;
                launch(fragment(from.1, self.last_cut, range.0, total, &piece));
            }
            _ => {}
        }
    }

    fn something_arrives(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let recent = self.in_flight.len().saturating_sub(8);
        let at = self.dice.between(recent, self.in_flight.len() - 1);
        let datagram = self.in_flight.remove(at);
        if !self.dice.one_in(30) {
            self.arrives(datagram);
        }
    }

    fn somebody_mumbles(&mut self) {
        let Some(from) = self.somebody() else { return };
        let mut datagram = [&header(from.1, 0)[..], &[0x47; 60]].concat();
        match self.dice.between(0, 5) {
            0 => datagram.truncate(self.dice.between(0, 7)),
            1 => datagram[0] = *self.dice.pick(&[0x01, 0x21, 0x10, 0x12, 0xff]),
            2 => datagram[1] = *self.dice.pick(&[0x02, 0x81, 0xff]),
            3 => datagram[2..4].fill(*self.dice.pick(&[0, 0xff])),
            4 => datagram[4..8].fill(0),
            _ => {
                // An impossible piece: empty, beyond the end, or of no frame that can be.
                let (offset, total, len) = *self.dice.pick(&[
                    (0, 60, 0),
                    (50, 60, 11),
                    (65535, 60, 1),
                    (0, 13, 5),
                    (0, 1519, 5),
                ]);
                datagram = fragment(from.1, 0, offset, total, &vec![0; len]);
                datagram.truncate(self.dice.between(8, datagram.len()));
            }
        }
        // Twenty of them in a row are too many.
        for _ in 0..if self.dice.one_in(4) { 20 } else { 1 } {
            self.arrives(InFlight {
                from,
                datagram: datagram.clone(),
                truth: None,
            });
        }
    }

    fn somebody_forges(&mut self) {
        let (Some(from), Some(other)) = (self.somebody(), self.somebody()) else {
            return;
        };
        let frame = self.some_frame(from.0);
        let mut datagram = [&header(other.1, 0)[..], &frame.bytes].concat();
        if other.1 == from.1 {
            datagram[7] ^= 0x55;
        }
        self.arrives(InFlight {
            from,
            datagram,
            truth: Some(frame),
        });
    }

    fn somebody_probes(&mut self) {
        let (Some(from), Some(other)) = (self.somebody(), self.somebody()) else {
            return;
        };
        let mut datagram = header(other.1, 0).to_vec();
        datagram[0] = 0x12;
        datagram.resize(self.dice.between(8, 1400), 0);
        self.arrives(InFlight {
            from,
            datagram,
            truth: None,
        });
    }

    fn somebody_storms(&mut self) {
        let Some(from) = self.somebody() else { return };
        let source = self.peer(from.0).mac.unwrap_or(lan_mac(1));
        let destination = *self.dice.pick(&[BROADCAST, lan_mac(4), client_mac(1)]);
        let kind = *self.dice.pick(&[Kind::Game, Kind::Ipx]);
        let frame = Frame::new(&mut self.dice, kind, destination, source);
        for _ in 0..30 {
            self.send_whole(from, frame.clone());
        }
    }

    /// First pieces of more frames than may wait.
    fn somebody_cuts_too_much(&mut self) {
        let Some(from) = self.somebody() else { return };
        for _ in 0..70 {
            self.last_cut += 1;
            let datagram = fragment(from.1, self.last_cut, 0, 60, &[0x47]);
            self.arrives(InFlight {
                from,
                datagram,
                truth: None,
            });
        }
    }

    fn a_ghost_sends(&mut self) {
        let Some(&from) = self.dice.any(&self.gone) else {
            return;
        };
        let frame = Frame::new(&mut self.dice, Kind::Game, BROADCAST, client_mac(1));
        self.send_whole(from, frame);
    }

    /// The relay and the reference judge the same datagram.
    fn arrives(&mut self, datagram: InFlight) {
        let InFlight {
            from: (link, place),
            datagram,
            truth,
        } = datagram;
        let truth = truth.as_ref();
        let expected = self.reference.datagram(self.now, link, &datagram, truth);
        let now = self.instant();
        let verdict = self
            .registry
            .handle_datagram(now, place, Bytes::from(datagram.clone()));
        self.note(|| {
            let kind = truth.map(|frame| (frame.kind, frame.bytes.len()));
            format!(
                "link {link} sends {} bytes, {kind:?} → {verdict:?}",
                datagram.len()
            )
        });
        self.tally.datagrams += 1;
        match (verdict, expected) {
            (Verdict::Forward(forward), Expected::Forward(frame, mut links)) => {
                self.tally.forwarded += 1;
                self.tally.copies += links.len() as u64;
                assert_eq!(forward.datagram, [&header(place, 0)[..], &frame].concat());
                let mut targets = forward.targets.to_vec();
                targets.sort_unstable();
                links.sort_unstable();
                assert_eq!(targets, links, "who gets it");
                self.check_targets(link, place, &frame, &targets);
                let last = self.last_frame_ids.insert(link, forward.frame_id);
                assert_ne!(last, Some(forward.frame_id), "every frame has a new number");
            }
            (Verdict::Pending, Expected::Pending) => self.tally.pending += 1,
            (Verdict::Echo(probe), Expected::Echo) => {
                assert_eq!(probe, datagram, "a probe goes back as it came");
                self.tally.probes += 1;
            }
            (Verdict::Drop(reason), Expected::Drop(expected)) => {
                assert_eq!(reason, expected, "why it is dropped");
                self.count_drop(reason);
            }
            (Verdict::Expel(reason), Expected::Expel(expected)) => {
                assert_eq!(reason, expected, "why it is expelled");
                self.count_drop(reason);
                self.tally.expelled += 1;
                self.check_counts(link, place);
                self.leave(link, place, LeaveReason::ProtocolError);
            }
            (verdict, expected) => panic!("{verdict:?}, expected {expected:?}"),
        }
        if self.present.contains_key(&link) {
            self.check_counts(link, place);
        }
    }

    fn count_drop(&mut self, reason: DropReason) {
        *self.tally.dropped.entry(reason.name()).or_default() += 1;
    }

    // Orders.

    /// Some gateway, or a client that would like to be one.
    fn somebody_orders(&mut self) {
        let hosts = self.reference.peers.iter();
        let hosts = hosts.filter(|peer| peer.mac.is_none());
        let hosts: Vec<_> = hosts
            .map(|peer| (peer.link, self.present[&peer.link]))
            .collect();
        let host = match self.dice.one_in(8) {
            true => self.somebody(),
            false => self.dice.any(&hosts).copied(),
        };
        let Some((link, place)) = host else { return };
        let order = self.some_order(place);
        self.note(|| format!("link {link} orders {order:?}"));
        let expected = self.reference.order(link, &order);
        let is_host = self.peer(link).mac.is_none();
        let asks = order == HostOrder::Members;
        let obeyed = self.registry.handle_order(self.instant(), place, order);
        assert_eq!(obeyed.is_ok(), is_host);
        let Ok(obeyed) = obeyed else { return };
        assert_eq!(!obeyed.steps.is_empty(), asks);
        let kicked = obeyed.kicked.iter().map(|departure| departure.link);
        assert!(kicked.eq(expected.flatten()), "who is kicked");
        for departure in obeyed.kicked {
            self.tally.kicked += 1;
            assert!(!departure.room_closed);
            self.has_left(departure.link, LeaveReason::Kicked, &departure.steps);
        }
    }

    fn some_order(&mut self, host: Place) -> HostOrder {
        let room = self.reference.peers.iter();
        let room = room.filter(|peer| peer.room_id == host.room.number());
        let room: Vec<_> = room.map(|peer| peer.peer_id).collect();
        let member = *self.dice.pick(&room);
        let someone = *self.dice.pick(&[member, member, 1, 77]);
        let peer_id = PeerId::new(someone).unwrap();
        match self.dice.between(0, 9) {
            0 => HostOrder::Kick { peer_id },
            1 => HostOrder::Members,
            2 | 3 => HostOrder::Lock {
                locked: self.dice.one_in(2),
                also: Vec::new(),
            },
            4..7 => HostOrder::Mute {
                peer_id,
                muted: !self.dice.one_in(3),
            },
            _ => HostOrder::Isolate {
                isolated: self.dice.one_in(2),
            },
        }
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

    // What must always hold.

    fn check(&self) {
        let peers = &self.reference.peers;
        let here: Vec<_> = self.registry.peers().map(|(place, _)| place).collect();
        let mut expected: Vec<_> = self.present.values().copied().collect();
        expected.sort_unstable();
        assert_eq!(here, expected, "who is there");
        assert_eq!(self.registry.rooms(), self.reference.rooms());
        assert!(self.registry.rooms() <= self.limits.rooms);
        assert!(here.len() <= self.limits.peers);
        for peer in peers {
            let same_source = peers.iter().filter(|other| other.source == peer.source);
            assert!(same_source.count() <= self.limits.peers_per_address);
            let room = self.reference.room(&peer.room);
            let clients = room.iter().filter(|other| other.mac.is_some()).count();
            assert!(clients <= self.limits.clients_per_room);
            let same_place = room.iter().filter(|other| other.mac == peer.mac).count();
            assert_eq!(same_place, 1, "one peer for each MAC, and one gateway");
        }
    }

    fn check_targets(&self, from: u32, place: Place, frame: &[u8], targets: &[u32]) {
        assert!(!targets.contains(&from), "nothing returns to its sender");
        assert!(targets.is_sorted_by(|a, b| a < b), "nothing arrives twice");
        assert!(
            frame[0] % 2 == 1 || targets.len() == 1,
            "unicast reaches one port"
        );
        for target in targets {
            let room = self.present[target].room;
            assert_eq!(room, place.room, "rooms do not hear each other");
        }
    }

    /// Received is forwarded, kept as a piece, or dropped for the reasons that the reference had.
    fn check_counts(&self, link: u32, place: Place) {
        let record = self.registry.peer(place).unwrap();
        let peer = self.peer(link);
        assert_eq!([record.frames, record.pieces, record.probes], peer.counts);
        let mut drops = lanparty_obs::DropCounts::default();
        peer.drops.iter().for_each(|&reason| drops.count(reason));
        assert_eq!(record.drops, drops);
        let dropped = drops.total() - drops.of(DropReason::Incomplete);
        let passed = record.frames + record.pieces + record.probes;
        assert_eq!(record.datagrams, passed + dropped);
    }
}

/// A step in comparable words.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Said {
    Welcome(Given, Option<u16>),
    Here(u16, Option<Mac>),
    Joined(u32, u16, Option<Mac>),
    Left(Notice),
}

fn said(steps: &[Step<u32>]) -> Vec<Said> {
    let mac = |joined: &PeerJoined| joined.mac.map(|mac| mac.addr().octets());
    steps
        .iter()
        .map(|step| match step {
            Step::Answer(RelayMessage::Welcome(welcome)) => {
                let token = u128::from_str_radix(&String::from(welcome.resume_token), 16);
                let given = Given {
                    room_id: welcome.room_id.number(),
                    peer_id: welcome.peer_id.number(),
                    token: token.unwrap().to_be_bytes(),
                    mtu: welcome.effective_mtu.number(),
                };
                Said::Welcome(given, welcome.gateway.map(PeerId::number))
            }
            Step::Answer(RelayMessage::PeerJoined(joined)) => {
                Said::Here(joined.peer_id.number(), mac(joined))
            }
            Step::Tell(link, RelayMessage::PeerJoined(joined)) => {
                Said::Joined(*link, joined.peer_id.number(), mac(joined))
            }
            Step::Tell(link, RelayMessage::PeerLeft(left)) => {
                Said::Left((*link, left.peer_id.number(), Some(left.reason)))
            }
            other => panic!("nobody says {other:?}"),
        })
        .collect()
}

fn entry(hello: &Hello) -> Entry {
    let who = match hello.mac {
        Some(mac) => Newcomer::Client(VirtualMac::try_from(MacAddr::new(mac)).unwrap()),
        None => Newcomer::Gateway,
    };
    let budget = DatagramBudget::new(hello.budget).unwrap();
    Entry {
        resume_token: hello.token.map(ResumeToken::from_random),
        ..Entry::new(hello.room.parse().unwrap(), who, budget)
    }
}

fn client_mac(number: usize) -> Mac {
    [2, 0, 0, 0, 0, number as u8]
}

fn lan_mac(number: usize) -> Mac {
    [0, 0x16, 0x3e, 0, 0, number as u8]
}

fn header(place: Place, flags: u8) -> [u8; 8] {
    let [p0, p1] = place.peer.number().to_be_bytes();
    let [r0, r1, r2, r3] = place.room.number().to_be_bytes();
    [0x11, flags, p0, p1, r0, r1, r2, r3]
}

fn fragment(place: Place, frame_id: u16, offset: usize, total: usize, piece: &[u8]) -> Vec<u8> {
    let mut datagram = header(place, 1).to_vec();
    datagram.extend(frame_id.to_be_bytes());
    datagram.extend((offset as u16).to_be_bytes());
    datagram.extend((total as u16).to_be_bytes());
    datagram.extend(piece);
    datagram
}
