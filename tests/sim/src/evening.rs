//! A whole party for one evening: players' sessions, gateways' bridges and the relay's rooms, joined by
//! bad links, and everything that may end ends at the worst moment.
//!
//! The cores are the real ones. Around them stands what their shells do and no more: `peer` connects,
//! says hello, waits and tries again with its token; `relay` admits, carries and gives up the silent;
//! `network` delays, loses, doubles and reorders datagrams and keeps control messages in order.
//!
//! Players and gateways are introduced to each other, and frames that concern the two alone go straight where that is the better
//! way (`doors`): each frame by one way, nothing by a direct path that belongs on the relay, whoever sends it, and nothing at all
//! by that of somebody who is out.
//!
//! QUIC throws out doubled packets (RFC 9000 §12.3), so here links are worse than in life. The rule for
//! them: a frame of which no datagram was doubled arrives at most once at each port; a doubled one may
//! arrive once for each copy.

mod checks;
mod doors;
mod host;
mod network;
mod peer;
mod relay;

use crate::dice::Dice;
use crate::frames::{BROADCAST, Frame, KINDS, Kind, Mac};
use checks::Ledger;
use doors::{Doors, Turn};
use host::{HOST, Orders};
use network::{Event, Network, Side};
use peer::{Peer, Stage};
use relay::Relay;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A relay gives a link up when nothing has been heard for so long (spec R32).
const SILENCE: u64 = 15_000;
/// A peer does after three beats without a sign of life, one a second (`lanparty_peer::pulse`).
const GIVEN_UP: (usize, usize) = (3_000, 4_000);
/// Or when it says something to a relay that was restarted, and gets a stateless reset (RFC 9000 §10.3): a quiet peer
/// says something at the second beat. `lanparty-quic` shows that with real QUIC (`engine/tests/outages.rs`).
const TOLD: (usize, usize) = (2, 2_100);
/// After the last one is back the party is whole (spec R93).
const WHOLE_AGAIN: u64 = 5_000;
/// Enough for silence to be noticed, the longest wait after it, and a handshake.
const SETTLING: u64 = 45_000;
const GATEWAYS: usize = 2;
const CLIENTS: usize = 3;

/// What happened, to see that the dice reach everything.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Who ended at which step, and other mishaps.
    pub events: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another evening's.
    pub fn add(&mut self, other: Tally) {
        for (event, n) in other.events {
            *self.events.entry(event).or_default() += n;
        }
    }

    fn count(&mut self, event: impl Into<String>) {
        *self.events.entry(event.into()).or_default() += 1;
    }
}

struct Evening {
    dice: Dice,
    verbose: bool,
    start: Instant,
    network: Network,
    relay: Relay,
    // Two gateways for one place, then the players.
    peers: Vec<Peer>,
    doors: Doors,
    ledger: Ledger,
    /// What the host has ordered, on evenings with one.
    orders: Option<Orders>,
    tally: Tally,
}

/// Plays `steps` steps of the evening with this seed, and lets the dust settle.
///
/// # Panics
/// When an invariant does not hold.
pub fn play(seed: u64, steps: usize, verbose: bool) -> Tally {
    let mut evening = Evening::new(seed, verbose);
    if evening.dice.one_in(2) {
        evening.leave(GATEWAYS - 1);
        evening.orders = Some(Orders::new());
    }
    for _ in 0..steps {
        evening.step();
        evening.check();
    }
    evening.settle();
    evening.tally
}

/// Who is killed and comes back.
#[derive(Debug, Clone, Copy)]
pub enum Who {
    /// The relay, with all that it knew.
    Relay,
    /// The gateway, which has kept its token.
    Gateway,
    /// A player, which has as well.
    Client,
}

/// On good links somebody is away for so many milliseconds; within five seconds of its return all are in the room and hear
/// each other.
///
/// # Panics
/// When they are not.
pub fn outage(seed: u64, who: Who, away: u64, verbose: bool) {
    let mut evening = Evening::new(seed, verbose);
    evening.network.is_calm = true;
    // One gateway waits for the other's place, which is another story.
    evening.leave(GATEWAYS - 1);
    evening.run(SETTLING);
    evening.time_passes(1_000);
    let everybody = evening.living();
    assert_eq!(evening.joined(), everybody, "before");
    let killed = match who {
        Who::Relay => None,
        Who::Gateway => Some(0),
        Who::Client => Some(GATEWAYS),
    };
    match killed {
        None => evening.the_relay_is_away(away),
        Some(number) => {
            evening.peers[number].forget_everything();
            evening.doors_end(number, false);
            let link = evening.peers[number].link.take();
            evening.cut(link.expect("it is in the room"));
        }
    }
    evening.run(evening.network.now + away);
    if let Some(number) = killed {
        evening.begin(number);
    }
    evening.run(evening.network.now + WHOLE_AGAIN);
    assert_eq!(evening.joined(), everybody, "in time");
    evening.check();
    for &number in &everybody {
        evening.everybody_hears(number, &everybody);
    }
}

impl Evening {
    #[allow(
        clippy::disallowed_methods,
        reason = "virtual time must begin somewhere"
    )]
    fn new(seed: u64, verbose: bool) -> Self {
        let start = Instant::now();
        let mut evening = Evening {
            dice: Dice::new(seed),
            verbose,
            start,
            network: Network::default(),
            relay: Relay::new(),
            peers: (0..GATEWAYS + CLIENTS).map(Peer::new).collect(),
            doors: Doors::default(),
            ledger: Ledger::default(),
            orders: None,
            tally: Tally::default(),
        };
        for number in 0..evening.peers.len() {
            evening.begin(number);
        }
        evening.network.after(1_000, Event::Door(Turn::Relay));
        evening
    }

    fn note(&self, words: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>8} ms  {}", self.network.now, words());
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_millis(self.network.now)
    }

    /// The millisecond in which a core's deadline has passed.
    fn moment(&self, deadline: Instant) -> u64 {
        let since = deadline.saturating_duration_since(self.start);
        since.as_nanos().div_ceil(1_000_000) as u64
    }

    fn step(&mut self) {
        let number = self.dice.between(0, self.peers.len() - 1);
        match self.dice.between(0, 114) {
            100..105 => self.somebody_orders(),
            105..108 => self.a_direct_path_breaks(),
            108..112 => self.somebody_misuses_a_direct_path(),
            112..115 => self.two_play(),
            0..70 => self.a_port_gives_a_frame(number),
            70..76 => self.crash(number),
            76..79 => self.leave(number),
            79..90 => self.begin(number),
            90..94 => self.a_link_is_cut(number),
            94..96 => self.a_machine_sleeps(number),
            96..98 => self.the_relay_crashes(),
            98 => self.time_passes(30_000),
            _ => self.time_passes(4_000),
        }
        self.time_passes(40);
    }

    fn time_passes(&mut self, most: usize) {
        let until = self.network.now + self.dice.between(0, most) as u64;
        self.run(until);
    }

    /// Everything that is due until then happens.
    fn run(&mut self, until: u64) {
        while let Some(event) = self.network.next(until) {
            match event {
                Event::Message(link, Side::Relay) => self.relay_hears(link),
                Event::Message(link, Side::Peer) => self.peer_hears(link),
                Event::Datagram(link, Side::Relay, datagram) => self.relay_gets(link, datagram),
                Event::Datagram(link, Side::Peer, datagram) => self.peer_gets(link, datagram),
                Event::Silence(link, Side::Relay) => self.relay_gives_up(link),
                Event::Silence(link, Side::Peer) => self.peer_gives_up(link),
                Event::Knock(link) => self.knock(link),
                Event::Wake(number) => self.wake(number),
                Event::RelayIsBack => self.relay.is_up = true,
                Event::Door(turn) => self.door_turns(turn),
            }
        }
    }

    // Mishaps.

    fn crash(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        if peer.stage == Stage::Off {
            return;
        }
        let seated = peer
            .link
            .is_some_and(|link| self.relay.seats.contains_key(&link));
        let (stage, who) = (peer.stage, peer.kind());
        peer.forget_everything();
        self.doors_end(number, false);
        self.gateway_has_ended(number);
        let peer = &mut self.peers[number];
        // Where a client keeps its token, and whether that was written in time.
        if self.dice.one_in(3) {
            peer.token = None;
        }
        if let Some(link) = peer.link.take() {
            self.cut(link);
        }
        self.tally
            .count(format!("{who} killed: {stage:?}, seated: {seated}"));
        self.note(|| format!("{number} is killed while {stage:?}, seated: {seated}"));
        if !self.dice.one_in(4) {
            self.begin(number);
        }
    }

    fn the_relay_crashes(&mut self) {
        for peer in &self.peers {
            self.tally
                .count(format!("relay killed: {} {:?}", peer.kind(), peer.stage));
        }
        let away = self.dice.between(0, 8_000) as u64;
        self.the_relay_is_away(away);
    }

    fn the_relay_is_away(&mut self, away: u64) {
        self.note(|| format!("the relay is killed, and back after {away} ms"));
        self.relay = Relay::new();
        self.relay.is_up = false;
        self.network.after(away, Event::RelayIsBack);
        for number in 0..self.peers.len() {
            if let Some(link) = self.peers[number].link {
                self.cut(link);
                let told = away + self.dice.between(TOLD.0, TOLD.1) as u64;
                self.network.after(told, Event::Silence(link, Side::Peer));
            }
        }
    }

    fn a_link_is_cut(&mut self, number: usize) {
        let Some(link) = self.peers[number].link else {
            return;
        };
        self.tally.count("link cut");
        self.note(|| format!("link {link} of {number} is cut"));
        self.cut(link);
    }

    /// Nothing crosses any more, and both ends notice when they have heard nothing for too long.
    fn cut(&mut self, link: u32) {
        self.network.cut(link);
        self.network
            .after(SILENCE, Event::Silence(link, Side::Relay));
        let given_up = self.dice.between(GIVEN_UP.0, GIVEN_UP.1) as u64;
        self.network
            .after(given_up, Event::Silence(link, Side::Peer));
    }

    fn a_machine_sleeps(&mut self, number: usize) {
        let for_ms = self.dice.between(10, 40_000) as u64;
        let peer = &mut self.peers[number];
        peer.asleep_until = self.network.now + for_ms;
        self.network.at(peer.asleep_until, Event::Wake(number));
        self.tally.count("machine asleep");
        self.note(|| format!("{number} sleeps for {for_ms} ms"));
        if for_ms < SILENCE {
            return;
        }
        self.doors_fall_silent(number);
        if let Some(link) = self.peers[number].link {
            self.cut(link);
        }
    }

    // Frames.

    fn a_port_gives_a_frame(&mut self, number: usize) {
        if self.peers[number].is_asleep(self.network.now) {
            return;
        }
        let kind = match *self.dice.pick(KINDS) {
            // The ledger's number stands where their group does.
            Kind::Joins | Kind::Leaves | Kind::Stream => Kind::Game,
            other => other,
        };
        let destination = match self.dice.between(0, 5) {
            0 | 1 => BROADCAST,
            2 => lan_mac(self.dice.between(1, 3)),
            _ => client_mac(self.dice.between(0, CLIENTS - 1)),
        };
        let source = self.peers[number]
            .mac
            .unwrap_or(lan_mac(self.dice.between(1, 3)));
        let frame = Frame::new(&mut self.dice, kind, destination, source);
        self.send(number, frame);
    }
}

fn client_mac(number: usize) -> Mac {
    [2, 0, 0, 0, 0, (GATEWAYS + number) as u8]
}

fn lan_mac(number: usize) -> Mac {
    [0, 0x16, 0x3e, 0, 0, number as u8]
}
