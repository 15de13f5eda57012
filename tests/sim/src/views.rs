//! Several judges on a frame's way, each with its view, beside one who sees everything.
//!
//! Two worlds see the same frames. In one a relay that can read them is beside a direct path; in the other the relay's frames
//! are sealed. In both the gateway judges from inside, and each client asks [`classify`]. Each judge must agree with its
//! [`Reference`], and whatever arrives, the `Whole` that has heard everything must not have refused.
//!
//! ```text
//!  direct:  player ─┬─ Door ───────────┬─ Inside ── LAN      sealed:  player ── Outside ─┬─ Inside ── LAN
//!                   └─ Whole (relay) ──┴─ classify ── player                             └─ classify ── player
//! ```
//!
//! What it may refuse and others let through is *how much* (budgets are those of who counts) and *who listens*; and, sealed,
//! claims that the gateway had no part in: nobody there has heard all of them.

use crate::dice::Dice;
use crate::frames::{BROADCAST, Frame, KINDS, Kind, Mac};
use crate::reference::{Expected, Given, Hello, Reference, View};
use bytes::Bytes;
use lanparty_obs::{DropCounts, DropReason};
use lanparty_proto::{MacAddr, PeerId, RoomId};
use lanparty_relay::registry::GuessLimits;
use lanparty_relay::{Limits, Rate, Rates};
use lanparty_switch::snooping::SETTLING;
use lanparty_switch::{Judged, Route, Speaker, Switch, classify};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const ROOM: u32 = 7;
const GATEWAY: u16 = 1;
/// Players have the numbers from 2 on.
const PLAYERS: u16 = 4;
const MULTICAST: Mac = [0x01, 0x00, 0x5e, 0, 0, 0xfb];

/// What happened, to see that the dice reach everything.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Verdicts by view: `Ok`, or why not.
    pub verdicts: BTreeMap<(&'static str, &'static str), u64>,
    /// Frames that arrived by a direct path, by a relay that reads, and sealed.
    pub arrived: [u64; 3],
    /// Claims that arrived sealed though one who sees everything refuses them.
    pub unheard: u64,
}

impl Tally {
    /// Adds another hall's.
    pub fn add(&mut self, other: Tally) {
        for (verdict, n) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += n;
        }
        for (all, more) in self.arrived.iter_mut().zip(other.arrived) {
            *all += more;
        }
        self.unheard += other.unheard;
    }
}

/// A switch and its reference.
struct Judge {
    name: &'static str,
    switch: Switch,
    reference: Reference,
}

type Verdict = Result<Vec<u16>, DropReason>;

impl Judge {
    fn new(start: Instant, name: &'static str, view: View, rates: Rates) -> Self {
        let room = RoomId::new(ROOM).unwrap();
        let seen_from = match view {
            View::Whole => lanparty_switch::View::Whole,
            View::Door => lanparty_switch::View::Door,
            View::Outside => lanparty_switch::View::Outside,
            View::Inside => lanparty_switch::View::Inside,
        };
        let reference = Reference::new(Limits::default(), rates, GuessLimits::default());
        Judge {
            name,
            switch: Switch::with_view(start, seen_from, room, rates),
            reference: reference.seen_from(view),
        }
    }

    fn plug_in(&mut self, (start, now): (Instant, u64), peer: u16, tells_groups: bool) {
        let (at, id) = (instant(start, now), PeerId::new(peer).unwrap());
        let mac = mac_of(peer);
        let speaker = mac.map_or(Speaker::Lan, |mac| Speaker::Player(MacAddr::new(mac)));
        self.switch.plug_in(at, id, speaker);
        if tells_groups {
            self.switch.trust_reports(id, at + SETTLING);
        }
        let hello = Hello {
            link: peer.into(),
            room: "HALL".to_owned(),
            mac,
            source: 1,
            identity: None,
            token: None,
            shown: None,
            access: None,
            orders: Vec::new(),
            budget: 1312,
            tells_groups,
        };
        let given = Given {
            room_id: ROOM,
            peer_id: peer,
            token: [0; 16],
            mtu: 1280,
        };
        self.reference.join(now, hello, given);
    }

    fn unplug(&mut self, peer: u16) {
        self.switch.unplug(PeerId::new(peer).unwrap());
        self.reference
            .leave(peer.into(), lanparty_ctrl::LeaveReason::Closed);
    }

    /// To whom this frame goes from here, or why it goes nowhere.
    fn judge(&mut self, (start, now): (Instant, u64), from: u16, frame: &Frame) -> Verdict {
        let (at, id) = (instant(start, now), PeerId::new(from).unwrap());
        let datagram = [&header(from)[..], &frame.bytes].concat();
        let mut drops = DropCounts::default();
        let judged = match (self.name, from) {
            // The LAN's frames come to the gateway in no datagram.
            ("inside", GATEWAY) => self.switch.judge_frame(at, id, &frame.bytes),
            _ => {
                let judged = self
                    .switch
                    .judge(at, id, Bytes::from(datagram.clone()), &mut drops);
                judged.map(|judged| match judged {
                    Judged::Frame(crossing) => crossing.route,
                    other => panic!("a whole frame is {other:?}"),
                })
            }
        };
        let verdict = judged.map(|route| self.targets(at, from, route));
        let expected = self
            .reference
            .datagram(now, from.into(), &datagram, Some(frame));
        let expected = match expected {
            Expected::Forward(_, links) => {
                let mut targets: Vec<_> = links.iter().map(|&link| link as u16).collect();
                targets.sort_unstable();
                Ok(targets)
            }
            Expected::Drop(reason) | Expected::Expel(reason) => Err(reason),
            other => panic!("a whole frame is expected to be {other:?}"),
        };
        assert_eq!(verdict, expected, "{}: {frame:?} from {from}", self.name);
        verdict
    }

    fn targets(&self, now: Instant, from: u16, route: Route) -> Vec<u16> {
        let peers = self.reference.peers.iter().map(|peer| peer.peer_id);
        let others = peers.filter(|&peer| peer != from);
        let hears = |peer: u16| match route {
            Route::Known(to) | Route::Unknown(to) => peer == to.number(),
            Route::Group => true,
            Route::GroupOfLan => peer == GATEWAY,
            Route::Members { group, unsure } => {
                let id = PeerId::new(peer).unwrap();
                peer == GATEWAY || self.switch.hears(now, id, group, unsure)
            }
        };
        let mut targets: Vec<_> = others.filter(|&peer| hears(peer)).collect();
        targets.sort_unstable();
        targets
    }
}

struct Hall {
    dice: Dice,
    start: Instant,
    now: u64,
    verbose: bool,
    here: BTreeSet<u16>,
    /// One who sees everything, the relay, the direct path's end, the gateway.
    direct: [Judge; 4],
    /// One who sees everything, the relay, the gateway.
    sealed: [Judge; 3],
    /// Addresses of which the relay does not know all that was said, beside a direct path; and the gateway, there and where
    /// frames are sealed.
    unheard: [BTreeSet<u8>; 3],
    tally: Tally,
}

/// Plays `steps` steps in the hall with this seed.
///
/// # Panics
/// When a judge disagrees with its reference, or all together let through what one who sees everything refuses.
pub fn play(seed: u64, steps: usize, verbose: bool) -> Tally {
    let mut hall = Hall::new(seed, verbose);
    for _ in 0..steps {
        hall.step();
    }
    hall.tally
}

impl Hall {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere"
    )]
    fn new(seed: u64, verbose: bool) -> Self {
        let (mut dice, start) = (Dice::new(seed), Instant::now());
        // Where nobody runs out of budget, everything is told by the reasons alone.
        let most = if dice.one_in(2) { 1_000_000 } else { 5 };
        let mut rate = || Rate {
            burst: dice.between(1 + most / 2, 1 + most) as u32,
            per_second: dice.between(most / 2, most) as u32,
        };
        let rates = Rates {
            control: rate(),
            group: rate(),
            unknown: rate(),
            frames: rate(),
            lan: rate(),
            bytes: Rate {
                burst: 5_000 + most as u32,
                per_second: 1_000 + most as u32,
            },
        };
        let judge = |name, view| Judge::new(start, name, view, rates);
        let mut hall = Hall {
            dice,
            start,
            now: 0,
            verbose,
            here: BTreeSet::new(),
            direct: [
                judge("whole", View::Whole),
                judge("relay", View::Whole),
                judge("door", View::Door),
                judge("inside", View::Inside),
            ],
            sealed: [
                judge("whole", View::Whole),
                judge("outside", View::Outside),
                judge("inside", View::Inside),
            ],
            unheard: Default::default(),
            tally: Tally::default(),
        };
        for peer in GATEWAY..=GATEWAY + PLAYERS {
            hall.comes(peer);
        }
        hall
    }

    fn judges(&mut self) -> impl Iterator<Item = &mut Judge> {
        self.direct.iter_mut().chain(&mut self.sealed)
    }

    fn clock(&self) -> (Instant, u64) {
        (self.start, self.now)
    }

    fn comes(&mut self, peer: u16) {
        let (clock, tells_groups) = (self.clock(), self.dice.one_in(2));
        self.judges()
            .for_each(|judge| judge.plug_in(clock, peer, tells_groups));
        self.here.insert(peer);
    }

    fn step(&mut self) {
        let player = GATEWAY + self.dice.between(1, PLAYERS.into()) as u16;
        match self.dice.between(0, 99) {
            0..70 => self.somebody_sends(),
            70..76 => match self.here.remove(&player) {
                true => self.judges().for_each(|judge| judge.unplug(player)),
                false => self.comes(player),
            },
            76..82 => self.the_host_orders(player),
            82 => self.somebody_sends_without_end(player),
            99 => {
                self.now += self.dice.between(401_000, 100_000_000) as u64;
                self.judges().for_each(|judge| judge.reference.jump());
            }
            _ => self.now += self.dice.between(1, 400) as u64,
        }
    }

    fn the_host_orders(&mut self, player: u16) {
        use lanparty_ctrl::HostOrder;
        let (on, isolates) = (self.dice.one_in(2), self.dice.one_in(2));
        let peer_id = PeerId::new(player).unwrap();
        for judge in self.judges() {
            let order = match isolates {
                true => {
                    judge.switch.set_isolated(on);
                    HostOrder::Isolate { isolated: on }
                }
                false => {
                    judge.switch.set_muted(peer_id, on);
                    HostOrder::Mute { peer_id, muted: on }
                }
            };
            judge.reference.order(GATEWAY.into(), &order);
        }
    }

    fn somebody_sends(&mut self) {
        let here: Vec<_> = self.here.iter().copied().collect();
        // The LAN as often as all players.
        let from = match self.dice.one_in(3) {
            true => GATEWAY,
            false => *self.dice.pick(&here),
        };
        let frame = self.some_frame(from);
        if self.verbose {
            println!(
                "{:>8} ms  {from} says {:?} to {:x?}",
                self.now, frame.kind, frame.destination
            );
        }
        self.send_beside_a_direct_path(from, &frame);
        self.send_sealed(from, &frame);
    }

    fn somebody_sends_without_end(&mut self, from: u16) {
        let Some(source) = mac_of(from).filter(|_| self.here.contains(&from)) else {
            return;
        };
        let station = [0, 0x16, 0x3e, 0, 0, 1];
        for _ in 0..25 {
            let frame = Frame::new(&mut self.dice, Kind::Game, station, source);
            self.send_beside_a_direct_path(from, &frame);
            self.send_sealed(from, &frame);
        }
    }

    fn some_frame(&mut self, from: u16) -> Frame {
        let kind = *self.dice.pick(KINDS);
        let player = |dice: &mut Dice| mac_of(GATEWAY + dice.between(1, PLAYERS.into()) as u16);
        let station = |dice: &mut Dice| [0, 0x16, 0x3e, 0, 0, dice.between(1, 4) as u8];
        let destination = match self.dice.between(0, 9) {
            0 | 1 => BROADCAST,
            2 => MULTICAST,
            3..7 => player(&mut self.dice).unwrap(),
            _ => station(&mut self.dice),
        };
        let source = match self.dice.between(0, 29) {
            0 => player(&mut self.dice).unwrap(),
            1 => station(&mut self.dice),
            2 => *self.dice.pick(&[[0; 6], BROADCAST, MULTICAST]),
            _ => mac_of(from).unwrap_or(station(&mut self.dice)),
        };
        Frame::new(&mut self.dice, kind, destination, source)
    }

    /// Sent directly where that may be, and by the relay where not.
    fn send_beside_a_direct_path(&mut self, from: u16, frame: &Frame) {
        let (clock, tally) = (self.clock(), &mut self.tally);
        let [whole, relay, door, inside] = &mut self.direct;
        let seen = note(tally, whole, clock, from, frame);
        let mut at_gateway = None;
        let mut at_relay = None;
        if from == GATEWAY {
            at_gateway = Some(note(tally, inside, clock, from, frame));
        }
        let mut targets = Vec::new();
        let mut way = 0;
        if at_gateway.as_ref().is_none_or(Result::is_ok) {
            match note(tally, door, clock, from, frame) {
                Ok(to) => targets = to,
                Err(DropReason::NotDirect) => {
                    let verdict = note(tally, relay, clock, from, frame);
                    targets = verdict.clone().unwrap_or_default();
                    at_relay = Some(verdict);
                    way = 1;
                }
                Err(_) => {}
            }
        }
        for to in targets {
            let passes = match to {
                GATEWAY => {
                    let verdict = note(tally, inside, clock, from, frame);
                    at_gateway = Some(verdict.clone());
                    goes_to_the_lan(verdict)
                }
                _ => client_takes(from, to, frame),
            };
            if passes {
                tally.arrived[way] += 1;
                let unheard = &self.unheard[usize::from(to == GATEWAY)];
                may_arrive(&seen, frame, to, |reason| {
                    is_claim(reason) && is_in(unheard, frame.address())
                });
            }
        }
        for (unheard, heard) in self.unheard.iter_mut().zip([at_relay, at_gateway]) {
            remember(unheard, frame, &seen, heard.as_ref());
        }
    }

    fn send_sealed(&mut self, from: u16, frame: &Frame) {
        let (clock, tally) = (self.clock(), &mut self.tally);
        let [whole, outside, inside] = &mut self.sealed;
        let seen = note(tally, whole, clock, from, frame);
        let mut at_gateway = None;
        if from == GATEWAY {
            at_gateway = Some(note(tally, inside, clock, from, frame));
        }
        let mut targets = Vec::new();
        if at_gateway.as_ref().is_none_or(Result::is_ok) {
            targets = note(tally, outside, clock, from, frame).unwrap_or_default();
        }
        for to in targets {
            let passes = match to {
                GATEWAY => {
                    let verdict = note(tally, inside, clock, from, frame);
                    at_gateway = Some(verdict.clone());
                    goes_to_the_lan(verdict)
                }
                _ => client_takes(from, to, frame),
            };
            if passes {
                tally.arrived[2] += 1;
                // Clients hold nobody to a claim.
                let is_excused = to != GATEWAY || is_in(&self.unheard[2], frame.address());
                let unheard = &mut tally.unheard;
                may_arrive(&seen, frame, to, |reason| {
                    *unheard += u64::from(is_claim(reason) && is_excused);
                    is_claim(reason) && is_excused
                });
            }
        }
        remember(&mut self.unheard[2], frame, &seen, at_gateway.as_ref());
    }
}

/// Whoever learns from what another has not heard, or has refused, may hold people to other things from then on.
fn remember(unheard: &mut BTreeSet<u8>, frame: &Frame, seen: &Verdict, heard: Option<&Verdict>) {
    let learns = |verdict: &Verdict| match verdict {
        Ok(_) | Err(DropReason::UnknownDestination | DropReason::Muted | DropReason::Isolated) => {
            true
        }
        Err(reason) => is_about_how_much(*reason),
    };
    if let Some(address) = frame.address()
        && learns(seen) != heard.is_some_and(learns)
    {
        unheard.insert(address);
    }
}

fn is_claim(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::ClaimedAddress | DropReason::LeaseConflict
    )
}

fn is_in(addresses: &BTreeSet<u8>, address: Option<u8>) -> bool {
    address.is_some_and(|address| addresses.contains(&address))
}

/// Asks a judge, and counts what it says.
fn note(
    tally: &mut Tally,
    judge: &mut Judge,
    clock: (Instant, u64),
    from: u16,
    frame: &Frame,
) -> Verdict {
    let verdict = judge.judge(clock, from, frame);
    let word = verdict
        .as_ref()
        .map_or_else(|reason| reason.name(), |_| "Ok");
    *tally.verdicts.entry((judge.name, word)).or_default() += 1;
    verdict
}

/// The gateway puts on the LAN what is for it.
fn goes_to_the_lan(verdict: Verdict) -> bool {
    verdict.is_ok_and(|targets| targets.contains(&GATEWAY))
}

/// What a client asks of a frame, who sees too little for more.
fn client_takes(from: u16, to: u16, frame: &Frame) -> bool {
    let speaker = mac_of(from).map_or(Speaker::Lan, |mac| Speaker::Player(MacAddr::new(mac)));
    let is_own = mac_of(from).is_none_or(|mac| mac == frame.source);
    let is_for_me = frame.destination[0] % 2 == 1 || Some(frame.destination) == mac_of(to);
    is_own && is_for_me && classify(&frame.bytes, speaker).is_ok()
}

/// Fails when somebody gets a frame that one who sees everything has refused, or given to others.
fn may_arrive(seen: &Verdict, frame: &Frame, to: u16, is_excused: impl FnOnce(DropReason) -> bool) {
    match seen {
        // Who listens to a group is known to one who sees reports.
        Ok(targets) => assert!(
            targets.contains(&to) || frame.group().is_some(),
            "{frame:?} is not for {to}"
        ),
        Err(reason) => assert!(
            is_about_how_much(*reason) || is_excused(*reason),
            "{frame:?} arrives at {to} and is refused for {reason}"
        ),
    }
}

fn is_about_how_much(reason: DropReason) -> bool {
    use DropReason as D;
    matches!(
        reason,
        D::ControlRate
            | D::BroadcastRate
            | D::UnknownUnicastRate
            | D::FrameRate
            | D::ByteRate
            | D::LanRate
            | D::Unwanted
    )
}

fn mac_of(peer: u16) -> Option<Mac> {
    (peer != GATEWAY).then_some([2, 0, 0, 0, 0, peer as u8])
}

fn header(peer: u16) -> [u8; 8] {
    let [p0, p1] = peer.to_be_bytes();
    let [r0, r1, r2, r3] = ROOM.to_be_bytes();
    [0x11, 0, p0, p1, r0, r1, r2, r3]
}

fn instant(start: Instant, now: u64) -> Instant {
    start + Duration::from_millis(now)
}
