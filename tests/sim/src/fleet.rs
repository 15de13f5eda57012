//! An operator's fleet for a minute: three relays around one directory, and thousands of players at 60 frames a second.
//!
//! The relays' parts in the fleet ([`lanparty_fleet::Fleet`]), their rooms ([`lanparty_relay::Registry`]) and the directory's
//! model are the real ones, and every frame gets its verdict. Around them stands what the shells do and no more: `relay` has
//! a door with room for so many handshakes a second, asks the fleet where a room is, admits, and does what the fleet says;
//! `peer` notices a dead link after four seconds, asks again, follows whom it is sent to, looks for its gateway. `faults` are
//! what happens to machines: a relay dies, stands still and wakes, is cut off from the directory, drains; the directory is
//! away or slow; single links break. `checks` has what must always hold.
//!
//! Left out is how packets are lost on the way, and QUIC: `lab/` has them.

mod checks;
mod faults;
mod frames;
mod hall;
mod peer;
mod relay;

use crate::dice::Dice;
use checks::Checks;
use faults::{Fault, Faults};
use frames::Frames;
use hall::Hall;
use lanparty_fleet::model::Model;
use peer::{Peer, Reply, Told};
use relay::{Knock, Relay};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So many relays.
const RELAYS: usize = 3;
/// Before this everybody comes in, and nothing is broken.
const BEGIN: u64 = 24_000;
/// After the last fault there is so much time, and everybody is whole.
const CALM: u64 = 14_000;

/// How large it is.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Rooms, each with its gateway.
    pub rooms: usize,
    /// Players in all.
    pub players: usize,
    /// How long it is played, after everybody has come.
    pub seconds: u64,
    /// How many handshakes with their hellos each relay does in a second, beside the frames of its players.
    pub handshakes: usize,
}

/// What is broken on purpose, to see that it is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// A relay takes its lease for alive while it is cut off from the directory.
    NeverFenced,
    /// A relay neither tells nor sends away the members of a room that it has lost.
    KeepsLostRooms,
    /// A gateway takes frames from a link that it has given up.
    HearsOldLinks,
    /// The directory's key of a room does not depend on its host.
    HashesWithoutHost,
    /// Everybody knocks at once and again and again.
    Herd,
}

/// What happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Faults, and how they were met.
    pub events: BTreeMap<String, u64>,
    /// Frames that players and gateways gave to their links.
    pub frames: u64,
    /// Frames that came out at somebody's port.
    pub delivered: u64,
    /// Frames to links that their peers had given up.
    pub into_the_void: u64,
    /// Handshakes that relays did.
    pub handshakes: u64,
    /// The longest that anybody waited in a queue for one, in milliseconds.
    pub longest_queue: u64,
    /// The longest that anybody was without its party, where somebody could have it, in milliseconds.
    pub longest_alone: u64,
}

impl Tally {
    /// Adds another fleet's.
    pub fn add(&mut self, other: Tally) {
        for (event, n) in other.events {
            *self.events.entry(event).or_default() += n;
        }
        self.frames += other.frames;
        self.delivered += other.delivered;
        self.into_the_void += other.into_the_void;
        self.handshakes += other.handshakes;
        self.longest_queue = self.longest_queue.max(other.longest_queue);
        self.longest_alone = self.longest_alone.max(other.longest_alone);
    }

    fn count(&mut self, event: &str) {
        self.count_all(event, 1);
    }

    fn count_all(&mut self, event: &str, n: u64) {
        match self.events.get_mut(event) {
            Some(count) => *count += n,
            None => {
                self.events.insert(event.to_owned(), n);
            }
        }
    }
}

/// One link of a peer's: each is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Link {
    peer: u32,
    number: u32,
}

impl Link {
    fn peer(self) -> usize {
        self.peer as usize
    }
}

/// A relay, and which run of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct At {
    relay: usize,
    run: u32,
}

#[derive(Debug, Clone)]
enum Event {
    /// Somebody's first packet reaches a relay.
    Knocks(usize, Knock),
    /// A relay's answer reaches who has asked.
    Answered {
        peer: usize,
        attempt: u32,
        from: At,
        reply: Reply,
    },
    /// A relay tells a member something.
    Told(Link, Told),
    /// A relay hears that a link was closed, or has heard nothing for too long.
    Closed(At, Link),
    /// A peer has heard nothing from its relay for too long.
    Silence(Link),
    /// Somebody's waiting is over.
    Wakes {
        peer: usize,
        attempt: u32,
    },
    /// A handshake takes long: the next address is tried beside.
    Staggers {
        peer: usize,
        attempt: u32,
        next: usize,
    },
    /// An attempt has taken too long; of the handshake after so many redirects.
    Expires {
        peer: usize,
        attempt: u32,
        step: u32,
    },
    /// A player without its gateway looks for it.
    Looks(Link),
    Fault(Fault),
}

struct Fleets {
    dice: Dice,
    scale: Scale,
    sabotage: Sabotage,
    verbose: bool,
    start: Instant,
    /// Milliseconds since then.
    now: u64,
    agenda: BTreeMap<(u64, u64), Event>,
    last_event: u64,
    model: Model,
    relays: Vec<Relay>,
    halls: Vec<Hall>,
    peers: Vec<Peer>,
    frames: Frames,
    faults: Faults,
    checks: Checks,
    tally: Tally,
}

/// Plays the minute with this seed.
///
/// # Panics
/// When an invariant does not hold.
pub fn play(seed: u64, scale: Scale, sabotage: Sabotage, verbose: bool) -> Tally {
    let mut fleets = Fleets::new(seed, scale, sabotage, verbose);
    let end = BEGIN + scale.seconds * 1_000;
    while fleets.now < end {
        fleets.step();
    }
    fleets.check_the_end();
    fleets.tally
}

impl Fleets {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere"
    )]
    fn new(seed: u64, scale: Scale, sabotage: Sabotage, verbose: bool) -> Self {
        let start = Instant::now();
        let mut dice = Dice::new(seed);
        let mut halls = Hall::all(&mut dice, &scale, sabotage);
        let peers = Peer::all(&mut dice, &scale, &mut halls);
        let mut fleets = Fleets {
            dice,
            scale,
            sabotage,
            verbose,
            start,
            now: 0,
            agenda: BTreeMap::new(),
            last_event: 0,
            model: Model::new(start),
            relays: Vec::new(),
            frames: Frames::new(peers.iter().map(|peer| peer.is_gateway)),
            checks: Checks::new(halls.len(), peers.len()),
            halls,
            peers,
            faults: Faults::default(),
            tally: Tally::default(),
        };
        for number in 0..RELAYS {
            let relay = Relay::new(&mut fleets, number, 0);
            fleets.relays.push(relay);
        }
        // The relays are given out when they are up for five seconds; and hosts are there before their guests.
        for peer in 0..fleets.peers.len() {
            let comes = match fleets.peers[peer].is_gateway {
                true => fleets.dice.between(6_000, 9_000),
                false => fleets.dice.between(10_000, 19_000),
            };
            let attempt = 0;
            fleets.at(comes as u64, Event::Wakes { peer, attempt });
        }
        fleets.plan_faults();
        fleets
    }

    fn at(&mut self, at: u64, event: Event) {
        self.last_event += 1;
        self.agenda.insert((at, self.last_event), event);
    }

    fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now + wait, event);
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn note(&self, words: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>6} ms  {}", self.now as i64 - BEGIN as i64, words());
        }
    }

    /// A millisecond passes.
    fn step(&mut self) {
        self.now += 1;
        while let Some(first) = self.agenda.first_entry()
            && first.key().0 <= self.now
        {
            let event = first.remove();
            self.take(event);
        }
        self.model.handle_timeout(self.instant());
        for number in 0..RELAYS {
            self.relay_turns(number);
        }
        if self.now > BEGIN {
            self.everybody_plays();
        }
        self.check();
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Knocks(relay, knock) => self.somebody_knocks(relay, knock),
            Event::Answered {
                peer,
                attempt,
                from,
                reply,
            } => self.is_answered(peer, attempt, from, reply),
            Event::Told(link, told) => self.is_told(link, told),
            Event::Closed(at, link) => self.link_is_closed(at, link),
            Event::Silence(link) => self.gives_up(link),
            Event::Wakes { peer, attempt } => self.wakes(peer, attempt),
            Event::Staggers {
                peer,
                attempt,
                next,
            } => self.staggers(peer, attempt, next),
            Event::Expires {
                peer,
                attempt,
                step,
            } => self.expires(peer, attempt, step),
            Event::Looks(link) => self.looks(link),
            Event::Fault(fault) => self.strikes(fault),
        }
    }
}
