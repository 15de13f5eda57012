//! A relay's shell: it answers who asks, lets in, carries, and gives up who is silent.

use super::{At, Event, GATEWAY, Link, Reply, Said, Several};
use bytes::Bytes;
use lanparty_ctrl::message::Entry;
use lanparty_ctrl::{LeaveReason, RelayMessage, ResumeToken, Term};
use lanparty_proto::{Header, MacAddr};
use lanparty_relay::registry::Seat;
use lanparty_relay::room::{Step, Verdict};
use lanparty_relay::{Limits, Rates, Registry};
use std::collections::{BTreeMap, VecDeque};

/// A link of a party with several relays ends after so much silence (`lanparty_quic::Endpoint::brisk`).
const IDLE: u64 = 4_000;
/// What did not get through is sent again.
const AGAIN: u64 = 300;
/// How often a relay looks at its clocks and listens who is silent.
const TIDY: u64 = 1_000;
/// Each says something to one other so often.
const PLAYS: u64 = 50;

pub(super) const LAN_HOST: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0xff, 0, 1]);

/// A member's link, as a relay knows it.
#[derive(Debug)]
struct Member {
    seat: Seat,
    /// When something came last, and how much has come.
    heard: u64,
    packets: u64,
}

pub(super) struct Relay {
    pub(super) at: At,
    registry: Registry<Link>,
    members: BTreeMap<Link, Member>,
    /// The terms at which the gateway has come in, by its links.
    terms: BTreeMap<Link, Term>,
    /// What has come while it stood still.
    inbox: VecDeque<(usize, Said)>,
    pub(super) is_up: bool,
    pub(super) is_asleep: bool,
}

impl Relay {
    pub(super) fn new(number: usize, run: u32) -> Self {
        Relay {
            at: At { relay: number, run },
            registry: Registry::new(Limits::default(), Rates::default()),
            members: BTreeMap::new(),
            terms: BTreeMap::new(),
            inbox: VecDeque::new(),
            is_up: true,
            is_asleep: false,
        }
    }

    /// It runs, and does not stand still.
    pub(super) fn is_awake(&self) -> bool {
        self.is_up && !self.is_asleep
    }

    pub(super) fn has(&self, link: Link) -> bool {
        self.members.contains_key(&link)
    }

    pub(super) fn seat(&self, link: Link) -> Option<Seat> {
        self.members.get(&link).map(|member| member.seat)
    }

    pub(super) fn term(&self, link: Link) -> Option<Term> {
        self.terms.get(&link).copied()
    }
}

impl Several {
    /// Words are at a relay, if they get there.
    pub(super) fn reaches(&mut self, number: usize, peer: usize, said: Said) {
        let is_wanted = match said {
            Said::Find { attempt } | Said::Hello { attempt, .. } => {
                self.peers[peer].waits_for(attempt)
            }
            Said::Close(_) => true,
        };
        let relay = &mut self.relays[number];
        if !is_wanted {
            return;
        }
        if relay.is_asleep && !self.faults.is_cut[peer][number] {
            relay.inbox.push_back((peer, said));
            return;
        }
        if !self.is_open(peer, number) {
            // A goodbye is said once.
            if !matches!(said, Said::Close(_)) {
                let relay = number;
                self.after(AGAIN, Event::Reaches { relay, peer, said });
            }
            return;
        }
        self.hears(number, peer, said);
    }

    fn hears(&mut self, number: usize, peer: usize, said: Said) {
        let now = self.instant();
        match said {
            Said::Find { attempt } => {
                let entry = self.entry(peer, number, false);
                let source = self.peers[peer].source;
                let found = self.relays[number].registry.find(now, &entry, source);
                let reply = match found {
                    Ok(found) => Reply::Found(Box::new(found)),
                    Err(reason) => Reply::No(reason),
                };
                self.replies(number, peer, attempt, reply);
            }
            Said::Hello { attempt } => self.admits(number, peer, attempt),
            Said::Close(link) => self.leaves(number, link, LeaveReason::Closed),
        }
    }

    fn replies(&mut self, relay: usize, peer: usize, attempt: u32, reply: Reply) {
        let delay = self.peers[peer].delays[relay];
        let event = Event::Answered {
            peer,
            relay,
            attempt,
            reply,
        };
        self.after(delay, event);
    }

    /// What somebody says of itself; a gateway counts a term for each hello.
    fn entry(&mut self, peer: usize, relay: usize, is_hello: bool) -> Entry {
        let unix = 1_800_000_000 + self.now / 1_000;
        let peer = &mut self.peers[peer];
        let mut entry = peer.entry.clone();
        entry.resume_token = peer.tokens[relay].clone();
        if is_hello && peer.number == GATEWAY {
            peer.term = peer.term.next(unix);
            let (invite, pin) = (&self.invite, &self.invite.pins[relay]);
            entry.term = Some(peer.term.sign(&invite.host, &invite.room, pin));
        }
        entry
    }

    fn admits(&mut self, number: usize, peer: usize, attempt: u32) {
        let now = self.instant();
        let entry = self.entry(peer, number, true);
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.dice.bits().to_be_bytes());
        let token = ResumeToken::from_random(random);
        let source = self.peers[peer].source;
        self.peers[peer].links += 1;
        let link = Link {
            peer,
            number: self.peers[peer].links,
        };
        let term = self.peers[peer].term;
        let relay = &mut self.relays[number];
        let admission = match relay.registry.admit(now, &entry, source, token, link) {
            Ok(admission) => admission,
            Err(reason) => {
                self.tally.count(format!("rejected: {reason:?}"));
                return self.replies(number, peer, attempt, Reply::No(reason));
            }
        };
        let member = Member {
            seat: admission.place,
            heard: self.now,
            packets: 1,
        };
        relay.members.insert(link, member);
        if peer == GATEWAY {
            relay.terms.insert(link, term);
        }
        let at = relay.at;
        if let Some(departure) = admission.replaced {
            relay.members.remove(&departure.link);
            self.tally.count("took its place back");
            self.pass_on(number, departure.link, departure.steps);
        }
        let (welcome, others): (Vec<_>, Vec<_>) = admission.steps.into_iter().partition(is_welcome);
        for step in welcome {
            if let Step::Answer(RelayMessage::Welcome(welcome)) = step {
                let welcome = Box::new(welcome);
                self.replies(number, peer, attempt, Reply::Welcome(link, at, welcome));
            }
        }
        self.pass_on(number, link, others);
    }

    /// What is to be said after a change, to somebody by this link or to others.
    fn pass_on(&mut self, number: usize, link: Link, steps: Vec<Step<Link>>) {
        for step in steps {
            match step {
                Step::Answer(message) => self.tell(number, link, message),
                Step::Tell(other, message) => self.tell(number, other, message),
            }
        }
    }

    fn tell(&mut self, number: usize, link: Link, message: RelayMessage) {
        let wire = self.wires.entry(link).or_default();
        wire.push(message);
        if wire.len() == 1 {
            let delay = self.peers[link.peer].delays[number];
            // Behind a welcome that left in the same moment.
            self.after(delay + 1, Event::Tells(link, self.relays[number].at));
        }
    }

    /// What was told is there, if it gets there.
    pub(super) fn tells(&mut self, link: Link, at: At) {
        let is_over = self.relays[at.relay].at != at || !self.relays[at.relay].is_up;
        if is_over || !self.relays[at.relay].has(link) {
            self.wires.remove(&link);
            return;
        }
        if !self.is_open(link.peer, at.relay) {
            return self.after(AGAIN, Event::Tells(link, at));
        }
        for message in self.wires.remove(&link).unwrap_or_default() {
            self.is_told(link, message);
        }
    }

    fn leaves(&mut self, number: usize, link: Link, reason: LeaveReason) {
        let relay = &mut self.relays[number];
        let Some(member) = relay.members.remove(&link) else {
            return;
        };
        relay.terms.remove(&link);
        if let Some(departure) = relay.registry.leave(member.seat, reason) {
            self.pass_on(number, link, departure.steps);
        }
    }

    /// Whatever crosses a link is heard at both of its ends.
    pub(super) fn everybody_is_heard(&mut self) {
        for peer in 0..self.peers.len() {
            let Some(here) = self.peers[peer].here() else {
                continue;
            };
            let (link, at) = (here.link, here.at);
            if !self.is_open(peer, at.relay) {
                continue;
            }
            let now = self.now;
            let relay = &mut self.relays[at.relay];
            let is_it = relay.at == at;
            match relay.members.get_mut(&link).filter(|_| is_it) {
                Some(member) => {
                    member.heard = now;
                    member.packets += 1;
                    self.peers[peer].is_heard(now);
                }
                // A stateless reset (RFC 9000 §10.3).
                None => self.is_lost(link, "the relay knows nothing of it"),
            }
        }
    }

    pub(super) fn relays_turn(&mut self) {
        for number in 0..self.relays.len() {
            if self.relays[number].is_awake() {
                self.end_the_silent(number);
                if self.now % TIDY == 130 * number as u64 {
                    self.tidy(number);
                }
            }
        }
    }

    fn end_the_silent(&mut self, number: usize) {
        let relay = &self.relays[number];
        let is_silent = |member: &Member| member.heard + IDLE <= self.now;
        let silent = relay.members.iter().filter(|(_, member)| is_silent(member));
        let silent: Vec<_> = silent.map(|(&link, _)| link).collect();
        for link in silent {
            self.leaves(number, link, LeaveReason::TimedOut);
        }
    }

    fn tidy(&mut self, number: usize) {
        let now = self.instant();
        let relay = &mut self.relays[number];
        relay.registry.handle_timeout(now);
        let members = &relay.members;
        let heard = |link: &Link| members.get(link).map_or(0, |member| member.packets);
        let silences = relay.registry.poll_silences(now, heard);
        for (link, silence) in silences {
            self.tell(number, link, RelayMessage::Silence(silence));
        }
    }

    /// It wakes, and finds what has come meanwhile, as far as the system has kept it: of those whom it `believes` it finds frames
    /// first, and not the goodbyes behind them.
    pub(super) fn relay_wakes(&mut self, number: usize, believes: impl Fn(usize) -> bool) {
        let now = self.now;
        self.faults.disturbed = now;
        let relay = &mut self.relays[number];
        relay.is_asleep = false;
        for (link, member) in &mut relay.members {
            if believes(link.peer) {
                member.heard = now;
                member.packets += 1;
            }
        }
        for (peer, said) in std::mem::take(&mut self.relays[number].inbox) {
            let is_wanted = match said {
                Said::Find { attempt } | Said::Hello { attempt } => {
                    self.peers[peer].waits_for(attempt)
                }
                Said::Close(_) => !believes(peer),
            };
            if is_wanted && !self.faults.is_cut[peer][number] {
                self.hears(number, peer, said);
            }
        }
    }

    // Frames.

    /// Each player says something to the LAN, the gateway something to each player; now and then to all.
    pub(super) fn everybody_plays(&mut self) {
        for peer in 0..self.peers.len() {
            let beat = self.now + 20 * peer as u64;
            if !beat.is_multiple_of(PLAYS) {
                continue;
            }
            let Some(here) = self.peers[peer].here() else {
                continue;
            };
            let (link, at) = (here.link, here.at);
            let turn = (beat / PLAYS) as usize;
            let players = self.peers.len() - 1;
            let to = match (turn % 10, peer) {
                (0, _) => MacAddr::BROADCAST,
                (_, GATEWAY) => self.peers[1 + turn % players].mac,
                _ => LAN_HOST,
            };
            let relay = &self.relays[at.relay];
            if relay.at == at && self.is_open(peer, at.relay) && relay.has(link) {
                self.carry(at.relay, link, to);
            }
        }
    }

    fn carry(&mut self, number: usize, from: Link, to: MacAddr) {
        let now = self.instant();
        let relay = &mut self.relays[number];
        let Some(seat) = relay.seat(from) else { return };
        let datagram = datagram(seat, to, self.peers[from.peer].mac);
        match relay.registry.handle_datagram(now, seat, datagram) {
            Verdict::Forward(forward) => {
                for to in forward.targets {
                    if self.is_open(to.peer, number) {
                        self.comes_out(number, from, to);
                    }
                }
            }
            // Nobody has been heard yet who has that MAC.
            Verdict::Drop(reason) => self.tally.count(format!("dropped: {reason}")),
            verdict => panic!("a whole frame of an honest peer: {verdict:?}"),
        }
    }
}

fn is_welcome(step: &Step<Link>) -> bool {
    matches!(step, Step::Answer(RelayMessage::Welcome(_)))
}

/// UDP over IPv4, which is what games send.
fn datagram(seat: Seat, destination: MacAddr, source: MacAddr) -> Bytes {
    let header = Header {
        peer: seat.peer,
        room: seat.room,
        fragment: false,
    };
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend([0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    let [.., a, b] = source.octets();
    frame.extend([10, 0, a, b, 10, 0, 0, 2]);
    frame.extend([0x6d, 0x38, 0x6d, 0x38, 0, 26, 0, 0]);
    frame.resize(60, 0x5a);
    [&header.encode()[..], &frame].concat().into()
}
