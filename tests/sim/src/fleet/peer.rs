//! A gateway or a player, as far as it matters where it is: notice that the relay is gone, ask, follow, come in, go over.
//!
//! The times are those of `lanparty-peer` (`peer/retries.rs`, `peer/run/connect.rs`, `relays/{rhythm,trail}.rs`, `link/race.rs`).

mod links;

use super::hall::Hall;
use super::relay::Knock;
use super::{At, Event, Fleets, Link, RELAYS, Sabotage, Scale};
use crate::dice::Dice;
use lanparty_ctrl::message::{Entry, Invitation, Newcomer};
use lanparty_ctrl::{ChannelBinding, ResumeToken};
use lanparty_fleet::Fence;
use lanparty_peer::backoff::Backoff;
use lanparty_proto::{DatagramBudget, MacAddr, VirtualMac};
use lanparty_relay::registry::Seat;
use std::net::{IpAddr, Ipv4Addr};

/// A relay that says nothing is given up after three to four seconds.
const GIVEN_UP: (usize, usize) = (3_000, 4_000);
/// A relay does the same after that.
const SILENCE: u64 = 15_000;
/// The next address of a name is tried beside after that.
const STAGGER: u64 = 400;
const CONNECT: u64 = 5_000;
/// A relay that has failed lately is not waited for longer at first; then, as it may be busy rather than dead, longer and longer.
const DOUBTED: [u64; 5] = [700, 700, 1_400, 2_800, CONNECT];
const DOUBTED_FOR: u64 = 8_000;
/// Nobody follows to one that has failed just now.
const FAILED: u64 = 1_000;
/// So many times in one attempt somebody is sent on.
const REDIRECTS: u32 = 3;
/// Players of a relay that is gone come within that; gateways at once.
const SPREAD: usize = 1_500;
/// Who was sent in vain, or whose gateway is not there, asks again so soon,
const SOON: (usize, usize) = (300, 600);
/// as often.
const SOON_TIMES: u32 = 12;
const EAGER: u64 = 1_000;
/// A player without its gateway looks for it after a moment, and again.
const GRACE: u64 = 300;
const LOOKS: (usize, usize) = (1_000, 2_000);
/// How long a place that was lost keeps an earlier one from being taken for it.
const FENCED: u64 = 15_000;
/// Who has no right to come in tries it so often.
const INTRUDES: u64 = 4_000;
/// A link that stood for so long was a good one.
const STEADY: u64 = 10_000;

/// What a relay answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Welcome {
        link: Link,
        seat: Seat,
        fence: Fence,
        gateway: bool,
        token: ResumeToken,
    },
    Found {
        gateway: bool,
    },
    Redirect {
        to: usize,
        fence: Option<Fence>,
    },
    /// The room is nowhere, or its host's key has not been there.
    Nobody,
    Refused,
}

/// What a relay tells a member.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Gateway(bool),
    Moved { to: usize, fence: Fence },
    Out,
}

/// Where somebody is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) at: At,
    pub(super) link: Link,
    pub(super) seat: Seat,
    pub(super) fence: Fence,
    pub(super) since: u64,
    pub(super) has_gateway: bool,
    /// Nothing crosses it.
    pub(super) is_broken: bool,
}

/// An attempt.
#[derive(Debug, Default)]
struct Attempt {
    /// The relays where it was.
    been: Vec<usize>,
    finds: bool,
    /// How many handshakes, those of a race counted once.
    step: u32,
    /// The relay that has answered this step's handshake.
    reached: Option<At>,
}

pub(super) struct Peer {
    pub(super) hall: usize,
    pub(super) is_gateway: bool,
    /// It has another room's key.
    pub(super) is_intruder: bool,
    /// Its number in its hall; the gateway is 0.
    pub(super) number: usize,
    pub(super) mac: MacAddr,
    pub(super) entry: Entry,
    pub(super) source: IpAddr,
    /// One way to any relay.
    pub(super) delay: u64,
    pub(super) links: u32,
    /// What each relay has given it to come back with.
    pub(super) tokens: [Option<ResumeToken>; RELAYS],
    pub(super) place: Option<Place>,
    attempt: Option<Attempt>,
    attempts: u32,
    fence: Option<(Fence, u64)>,
    /// When each relay failed last, and how often in a row.
    failed: [Option<(u64, usize)>; RELAYS],
    misled: u32,
    without_host: u32,
    backoff: Backoff,
}

impl Peer {
    /// The gateway and the players of each hall, in turn; and somebody who has a namesake's key.
    pub(super) fn all(dice: &mut Dice, scale: &Scale, halls: &mut [Hall]) -> Vec<Peer> {
        let mut peers = Vec::with_capacity(scale.players + 2 * halls.len());
        for (number, hall) in halls.iter_mut().enumerate() {
            hall.gateway = peers.len();
            for member in 0..=hall.players {
                let peer = peers.len();
                peers.push(Peer::new(dice, peer, (number, hall), member, hall));
            }
        }
        for namesake in halls.iter() {
            if let Some(of) = namesake.namesake {
                let (number, victim) = (peers.len(), &halls[of]);
                let member = victim.players + 1;
                let mut peer = Peer::new(dice, number, (of, victim), member, namesake);
                peer.is_intruder = true;
                peers.push(peer);
            }
        }
        peers
    }

    fn new(
        dice: &mut Dice,
        peer: usize,
        (number, hall): (usize, &Hall),
        member: usize,
        keys: &Hall,
    ) -> Self {
        let is_gateway = member == 0;
        let [_, _, a, b] = (peer as u32).to_be_bytes();
        let mac = match is_gateway {
            true => MacAddr::new([0, 0x16, 0x3e, 0, a, b]),
            false => MacAddr::new([2, 0, 0, 0, a, b]),
        };
        let who = match is_gateway {
            true => Newcomer::Gateway,
            false => Newcomer::Client(VirtualMac::try_from(mac).unwrap()),
        };
        let channel = ChannelBinding([7; 32]);
        let key = keys.key.admission_key();
        let mut entry = Entry::new(
            hall.code.clone(),
            who,
            DatagramBudget::new(1312).expect("it is enough"),
        );
        entry.invitation = Some(Invitation {
            proof: key.prove(&channel, &hall.code, who),
            channel,
            host: Some(hall.host),
            admission_key: is_gateway.then_some(key),
        });
        Peer {
            hall: number,
            is_gateway,
            is_intruder: false,
            number: member,
            mac,
            entry,
            source: IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + peer as u32)),
            delay: dice.between(5, 25) as u64,
            links: 0,
            tokens: [const { None }; RELAYS],
            place: None,
            attempt: None,
            attempts: 0,
            fence: None,
            failed: [None; RELAYS],
            misled: 0,
            without_host: 0,
            backoff: Backoff::default(),
        }
    }

    /// A relay has done its handshake: true where this is the first one of its race.
    pub(super) fn reaches(&mut self, attempt: u32, at: At) -> bool {
        let is_current = self.attempts == attempt;
        let Some(going) = self.attempt.as_mut().filter(|_| is_current) else {
            return false;
        };
        let is_first = going.reached.is_none();
        going.reached.get_or_insert(at);
        is_first
    }

    fn has_failed(&mut self, relay: usize, now: u64) {
        let before = self.failed[relay].filter(|&(at, _)| now < at + DOUBTED_FOR);
        self.failed[relay] = Some((now, before.map_or(0, |(_, times)| times) + 1));
    }

    /// It still waits for this handshake.
    pub(super) fn waits_for(&self, knock: &Knock) -> bool {
        let attempt = self.attempt.as_ref();
        let attempt = attempt.filter(|_| self.attempts == knock.attempt);
        attempt.is_some_and(|attempt| attempt.step == knock.step && attempt.reached.is_none())
    }

    /// For who reads of it.
    pub(super) fn state(&self) -> String {
        let attempt = &self.attempt;
        format!("{attempt:?} as attempt {}", self.attempts)
    }

    fn is_stale(&self, now: u64, fence: Fence) -> bool {
        // Where a link stands its fence is good.
        let stands = self.place.is_some();
        let highest = self.fence.filter(|&(_, at)| stands || now < at + FENCED);
        highest.is_some_and(|(highest, _)| fence < highest)
    }
}

impl Fleets {
    /// Somebody begins, or begins again.
    pub(super) fn wakes(&mut self, number: usize, attempt: u32) {
        let peer = &self.peers[number];
        if peer.attempts == attempt && peer.place.is_none() && peer.attempt.is_none() {
            self.begins(number, false);
        }
    }

    /// By the name of the fleet, whose addresses come in any order.
    fn begins(&mut self, number: usize, finds: bool) {
        let first = self.dice.between(0, RELAYS - 1);
        let peer = &mut self.peers[number];
        peer.attempts += 1;
        let attempt = peer.attempts;
        peer.attempt = Some(Attempt {
            finds,
            ..Attempt::default()
        });
        self.knocks(number, first, false);
        for beside in 1..RELAYS {
            let event = Event::Staggers {
                peer: number,
                attempt,
                next: (first + beside) % RELAYS,
            };
            self.after(STAGGER * beside as u64, event);
        }
        self.has_time(number, CONNECT);
    }

    fn has_time(&mut self, number: usize, time: u64) {
        let peer = &self.peers[number];
        let step = peer.attempt.as_ref().map_or(0, |attempt| attempt.step);
        let event = Event::Expires {
            peer: number,
            attempt: peer.attempts,
            step,
        };
        self.after(time, event);
    }

    fn knocks(&mut self, number: usize, relay: usize, is_greeted: bool) {
        let peer = &self.peers[number];
        let attempt = peer.attempt.as_ref().unwrap();
        let delay = peer.delay;
        let knock = Knock {
            peer: number,
            attempt: peer.attempts,
            finds: attempt.finds,
            step: attempt.step,
            is_greeted,
            since: self.now + delay,
        };
        self.after(delay, Event::Knocks(relay, knock));
    }

    pub(super) fn staggers(&mut self, number: usize, attempt: u32, next: usize) {
        let peer = &self.peers[number];
        let goes_on = peer.attempts == attempt
            && peer
                .attempt
                .as_ref()
                .is_some_and(|attempt| attempt.step == 0 && attempt.reached.is_none());
        if goes_on {
            self.tally.count("staggered");
            self.knocks(number, next, false);
        }
    }

    pub(super) fn expires(&mut self, number: usize, attempt: u32, step: u32) {
        let now = self.now;
        let peer = &mut self.peers[number];
        let is_current = peer.attempts == attempt;
        let Some(going) = peer
            .attempt
            .as_ref()
            .filter(|going| is_current && going.step == step)
        else {
            return;
        };
        if let Some(&relay) = going.been.last() {
            peer.has_failed(relay, now);
        }
        self.tally.count("an attempt got no answer");
        self.fails_misled(number);
    }

    /// Nowhere to go yet; it is tried again soon.
    fn fails_misled(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        peer.misled += 1;
        let is_soon = peer.misled <= SOON_TIMES;
        self.fails(number, is_soon, u64::MAX);
    }

    fn fails(&mut self, number: usize, is_soon: bool, most: u64) {
        let (random, soon) = (self.dice.bits() as u32, self.dice.between(SOON.0, SOON.1));
        let peer = &mut self.peers[number];
        peer.attempt = None;
        if peer.place.is_some() {
            // The link stands; it is looked around again in turn.
            return;
        }
        let backoff = peer.backoff.next_wait(random).as_millis() as u64;
        let wait = match is_soon {
            true => soon as u64,
            false => backoff.min(most),
        };
        self.waits(number, wait);
    }

    fn waits(&mut self, number: usize, wait: u64) {
        let wait = match self.sabotage {
            Sabotage::Herd => 10,
            _ if self.peers[number].is_intruder => INTRUDES,
            _ => wait,
        };
        let attempt = self.peers[number].attempts;
        let peer = number;
        self.after(wait.max(1), Event::Wakes { peer, attempt });
    }

    pub(super) fn is_answered(&mut self, number: usize, attempt: u32, from: At, reply: Reply) {
        let peer = &self.peers[number];
        let is_current = peer.attempts == attempt && peer.attempt.is_some();
        let Some(going) = peer.attempt.as_ref().filter(|_| is_current) else {
            if let Reply::Welcome { link, .. } = reply {
                self.closes(from, link);
            }
            return;
        };
        match reply {
            Reply::Welcome {
                link,
                seat,
                fence,
                gateway,
                token,
            } => {
                let place = Place {
                    at: from,
                    link,
                    seat,
                    fence,
                    since: self.now,
                    has_gateway: gateway,
                    is_broken: false,
                };
                self.is_welcome(number, place, token);
            }
            Reply::Found { gateway: true } => {
                self.peers[number].attempt.as_mut().unwrap().finds = false;
                self.knocks(number, from.relay, true);
            }
            Reply::Redirect { to, fence } => {
                let finds = going.finds;
                self.follows(number, from.relay, to, fence, finds);
            }
            Reply::Found { gateway: false } | Reply::Nobody => {
                let peer = &mut self.peers[number];
                peer.without_host += 1;
                let is_soon = peer.without_host <= SOON_TIMES;
                self.fails(number, is_soon, EAGER);
            }
            Reply::Refused => {
                self.tally.count("refused");
                self.fails(number, false, u64::MAX);
            }
        }
    }

    fn follows(
        &mut self,
        number: usize,
        from: usize,
        to: usize,
        fence: Option<Fence>,
        finds: bool,
    ) {
        let now = self.now;
        let peer = &mut self.peers[number];
        let is_stale = fence.is_some_and(|fence| peer.is_stale(now, fence));
        let failed = peer.failed[to];
        let has_just_failed = failed.is_some_and(|(at, _)| now < at + FAILED);
        let attempt = peer.attempt.as_mut().unwrap();
        if !attempt.been.contains(&from) {
            attempt.been.push(from);
        }
        let is_circle = attempt.step >= REDIRECTS || attempt.been.contains(&to);
        if is_stale || is_circle || has_just_failed {
            self.tally.count("not followed");
            return self.fails_misled(number);
        }
        attempt.been.push(to);
        attempt.step += 1;
        attempt.reached = None;
        attempt.finds = finds;
        self.tally.count("redirected");
        self.knocks(number, to, false);
        let time = match failed {
            Some((at, times)) if now < at + DOUBTED_FOR => DOUBTED[times.min(DOUBTED.len()) - 1],
            _ => CONNECT,
        };
        self.has_time(number, time);
    }
}
