//! A party with two or three relays in its invite, none of which knows of another, and everything that can happen to them.
//!
//! The relays' rooms ([`lanparty_relay::Registry`]), players' sessions, the gateway's bridge, and what a peer decides are the
//! real ones: which of several relays it enters ([`choose`](lanparty_peer::relays::choose)), when it looks at the others
//! ([`rhythm`](lanparty_peer::relays::rhythm)), which terms are over ([`seen`](lanparty_peer::relays::seen)). Around them stands
//! what the shells do and no more: `relay` answers, admits, and gives up who is silent; `peer` asks all of them, enters, and begins
//! anew; `beside` looks at the others while a link stands. `faults` are what happens: a relay is killed and comes back, stands
//! still and wakes, flaps, is cut off from the gateway alone or from players alone. `checks` has what must always hold.
//!
//! Left out are single lost packets, QUIC, direct paths, and how a host proves itself: `lab/` has them.

mod beside;
mod checks;
mod faults;
mod peer;
mod relay;

use crate::dice::Dice;
use checks::Checks;
use faults::{Fault, Faults, Whom};
use lanparty_ctrl::message::Welcome;
use lanparty_ctrl::places::Found;
use lanparty_ctrl::{HostSecret, Pin, RejectReason, RelayMessage, RoomCode, RoomKey};
use peer::Peer;
use relay::Relay;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The gateway's number among the peers; the players' follow.
const GATEWAY: usize = 0;
/// Before this everybody comes in, and nothing is broken.
const BEGIN: u64 = 20_000;
/// So often everybody says something, hears something, and is checked.
const BEAT: u64 = 10;

/// What is broken on purpose, to see that it is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// The gateway takes frames from links that it has given up.
    HearsOldLinks,
    /// Players forget which terms they have seen.
    FollowsAnyTerm,
    /// A gateway whose players are gone does not look for them elsewhere.
    LeavesPlayersAlone,
    /// A player whose gateway is gone does not look for it elsewhere while its own link stands.
    WaitsForGateway,
}

/// What happened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Faults, and how they were met.
    pub events: BTreeMap<String, u64>,
    /// Frames that came out at somebody's port.
    pub delivered: u64,
    /// Frames to links that their peers had given up.
    pub into_the_void: u64,
    /// The longest that anybody was without its party since a relay failed, or a wire to it, in milliseconds.
    pub longest: u64,
    /// The same where another one failed before all was well.
    pub longest_of_two: u64,
    /// The longest that anybody was without its party at all, however much happened meanwhile, in milliseconds.
    pub longest_at_all: u64,
    /// How often somebody was without its party for so many whole seconds at all.
    pub seconds: BTreeMap<u64, u64>,
}

impl Tally {
    /// Adds another party's.
    pub fn add(&mut self, other: Tally) {
        for (event, n) in other.events {
            *self.events.entry(event).or_default() += n;
        }
        for (seconds, n) in other.seconds {
            *self.seconds.entry(seconds).or_default() += n;
        }
        self.delivered += other.delivered;
        self.into_the_void += other.into_the_void;
        self.longest = self.longest.max(other.longest);
        self.longest_of_two = self.longest_of_two.max(other.longest_of_two);
        self.longest_at_all = self.longest_at_all.max(other.longest_at_all);
    }

    fn count(&mut self, event: impl Into<String>) {
        *self.events.entry(event.into()).or_default() += 1;
    }
}

/// One link of a peer's: each is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Link {
    peer: usize,
    number: u32,
}

/// A relay, and which run of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct At {
    relay: usize,
    run: u32,
}

/// What somebody says to a relay. Each attempt has a number, by which its answer is known.
#[derive(Debug, Clone)]
enum Said {
    /// A handshake, and whether the party is there.
    Find { attempt: u32 },
    /// Hello.
    Hello { attempt: u32 },
    /// It goes.
    Close(Link),
}

/// What a relay answers.
#[derive(Debug, Clone)]
enum Reply {
    Found(Box<Found>),
    Welcome(Link, At, Box<Welcome>),
    No(RejectReason),
}

#[derive(Debug, Clone)]
enum Event {
    /// Somebody's words reach a relay.
    Reaches {
        relay: usize,
        peer: usize,
        said: Said,
    },
    /// A relay's answer reaches who has asked.
    Answered {
        peer: usize,
        relay: usize,
        attempt: u32,
        reply: Reply,
    },
    /// What a relay tells a member is there.
    Tells(Link, At),
    /// An attempt has taken too long.
    Expires {
        peer: usize,
        attempt: u32,
    },
    /// Somebody without a link chooses again, if this is its search still.
    Chooses {
        peer: usize,
        search: u32,
    },
    /// Somebody's waiting is over.
    Wakes {
        peer: usize,
        search: u32,
    },
    /// Once a second, by each link.
    Beats(Link),
    /// Several times a second, by each link.
    Looks(Link),
    /// The link that is being made beside one that is lost has taken too long.
    GivesUp {
        peer: usize,
        search: u32,
    },
    Fault(Fault),
}

/// What the invite says.
struct Invite {
    room: RoomCode,
    key: RoomKey,
    host: lanparty_ctrl::HostKey,
    pins: Vec<Pin>,
}

struct Several {
    dice: Dice,
    sabotage: Sabotage,
    verbose: bool,
    start: Instant,
    /// Milliseconds since then.
    now: u64,
    agenda: BTreeMap<(u64, u64), Event>,
    last_event: u64,
    invite: Invite,
    relays: Vec<Relay>,
    peers: Vec<Peer>,
    /// What was told and is on its way, by links.
    wires: BTreeMap<Link, Vec<RelayMessage>>,
    faults: Faults,
    checks: Checks,
    tally: Tally,
}

/// Plays a party with this seed.
///
/// # Panics
/// When an invariant does not hold.
pub fn play(seed: u64, sabotage: Sabotage, verbose: bool) -> Tally {
    let mut party = Several::new(seed, sabotage, verbose);
    party.plan_faults();
    // How long that is turns out with the last fault.
    while party.now < party.faults.end {
        party.step();
    }
    party.tally
}

/// A relay stands still and wakes when some have gone to another one and some have not.
///
/// # Panics
/// When an invariant does not hold.
pub fn meets_half_a_zombie(seed: u64, sabotage: Sabotage, verbose: bool) -> Tally {
    let mut party = Several::new(seed, sabotage, verbose);
    party.run(BEGIN);
    let here = party.peers[GATEWAY].here().map(|here| here.at.relay);
    let first = here.expect("nothing is broken");
    party.strikes(Fault::StandsStill(first));
    let wakes = BEGIN + 3_300 + party.dice.between(0, 500) as u64;
    party.run(wakes);
    party.relay_wakes(first, |_| true);
    party.run(BEGIN + 20_000);
    party.tally
}

/// A relay stands still, and the party goes to the next; its players are cut off from that one just as the first wakes, which
/// believes its gateway there still: an earlier term, which nobody goes back to.
///
/// # Panics
/// When an invariant does not hold.
pub fn meets_a_zombie(seed: u64, sabotage: Sabotage, verbose: bool) -> Tally {
    let mut party = Several::new(seed, sabotage, verbose);
    let here = |party: &Several| party.peers[GATEWAY].here().map(|here| here.at.relay);
    party.run(BEGIN);
    let first = here(&party).expect("nothing is broken");
    party.strikes(Fault::StandsStill(first));
    party.run(BEGIN + 6_500);
    let second = here(&party).expect("it has had its time");
    party.strikes(Fault::Cut {
        relay: second,
        whom: Whom::Players,
        is_cut: true,
    });
    party.run(BEGIN + 9_000);
    party.relay_wakes(first, |peer| peer == GATEWAY);
    party.run(BEGIN + 30_000);
    party.tally
}

impl Several {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere"
    )]
    fn new(seed: u64, sabotage: Sabotage, verbose: bool) -> Self {
        let mut dice = Dice::new(seed);
        let relays = dice.between(2, 3);
        let players = dice.between(1, 4);
        let room: RoomCode = "FRIDAY-LAN".parse().unwrap();
        let host = HostSecret::from_random([1; 32]).host_key(&room);
        let pin = |number: usize| Pin::from_sha256([number as u8; 32]);
        let invite = Invite {
            host,
            key: RoomKey::from_random([7; 16]),
            pins: (0..relays).map(pin).collect(),
            room,
        };
        let peers = (0..=players).map(|number| Peer::new(&mut dice, number, &invite));
        let mut party = Several {
            peers: peers.collect(),
            relays: (0..relays).map(|number| Relay::new(number, 0)).collect(),
            faults: Faults::new(relays, players + 1),
            checks: Checks::new(players + 1),
            dice,
            sabotage,
            verbose,
            start: Instant::now(),
            now: 0,
            agenda: BTreeMap::new(),
            last_event: 0,
            invite,
            wires: BTreeMap::new(),
            tally: Tally::default(),
        };
        for peer in 0..party.peers.len() {
            let comes = party.dice.between(0, 3_000) as u64;
            party.at(comes, Event::Wakes { peer, search: 0 });
        }
        party
    }

    fn run(&mut self, until: u64) {
        while self.now < until {
            self.step();
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.last_event += 1;
        self.agenda.insert((at, self.last_event), event);
    }

    fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now + wait, event);
    }

    fn instant(&self) -> Instant {
        self.moment(self.now)
    }

    fn moment(&self, at: u64) -> Instant {
        self.start + Duration::from_millis(at)
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
        if self.now.is_multiple_of(BEAT) {
            self.everybody_is_heard();
            self.relays_turn();
            self.everybody_plays();
            self.check();
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Reaches { relay, peer, said } => self.reaches(relay, peer, said),
            Event::Answered {
                peer,
                relay,
                attempt,
                reply,
            } => {
                self.answered(peer, relay, attempt, reply);
            }
            Event::Tells(link, at) => self.tells(link, at),
            Event::Expires { peer, attempt } => self.expires(peer, attempt),
            Event::Chooses { peer, search } => self.chooses_again(peer, search),
            Event::Wakes { peer, search } => self.wakes(peer, search),
            Event::Beats(link) => self.beats(link),
            Event::Looks(link) => self.looks(link),
            Event::GivesUp { peer, search } => self.gives_up(peer, search),
            Event::Fault(fault) => self.strikes(fault),
        }
    }

    /// Packets get from one to the other.
    fn is_open(&self, peer: usize, relay: usize) -> bool {
        self.relays[relay].is_awake() && !self.faults.is_cut[peer][relay]
    }
}
