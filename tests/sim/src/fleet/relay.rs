//! A relay's shell: its door, its part in the fleet, its rooms.

use super::hall::{address, secret};
use super::peer::{Reply, Told};
use super::{At, Event, Fleets, Link, Sabotage};
use bytes::Bytes;
use lanparty_ctrl::{LeaveReason, RejectReason, RelayMessage, ResumeToken};
use lanparty_fleet::model::{Heard, Site};
use lanparty_fleet::{
    Answer, Asker, Card, Fence, Fleet, Load, Located, OnLoss, Output, Refusal, RelayId, Request,
    RoomHash, Settings, Whom,
};
use lanparty_relay::registry::Seat;
use lanparty_relay::room::{Departure, Step};
use lanparty_relay::{Limits, Rates, Registry};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// How long somebody who says hello waits to hear where its room is (`server/fleet/membership.rs`).
const PATIENCE: u64 = 2_000;
/// The directory answers so soon.
pub(super) const DELAY: Duration = Duration::from_millis(4);
/// More than any test brings.
const LIMITS: Limits = Limits {
    rooms: 8_192,
    peers: 32_768,
    peers_per_address: 32,
    peers_per_network: 128,
    rooms_per_address: 8,
    rooms_per_network: 32,
    clients_per_room: 64,
    joins: lanparty_relay::JoinLimits {
        per_identity: 120,
        per_address: 250,
    },
};
/// A handshake, in thousandths.
const HANDSHAKE: usize = 1_000;
/// What the system keeps of datagrams for a program that stands still.
const BUFFER: usize = 2_000;
/// A first packet that was lost is sent again.
const AGAIN: u64 = 600;
/// How often a relay looks at its clocks and tells its load.
const TICK: u64 = 250;

/// Somebody at a relay's door.
#[derive(Debug, Clone)]
pub(super) struct Knock {
    pub(super) peer: usize,
    pub(super) attempt: u32,
    /// It asks whether its party is here; else it wants to come in.
    pub(super) finds: bool,
    /// After so many redirects.
    pub(super) step: u32,
    /// It has a connection already.
    pub(super) is_greeted: bool,
    /// Since when it waits.
    pub(super) since: u64,
}

/// What comes to a relay that stands still.
#[derive(Debug)]
pub(super) enum Waiting {
    Event(Event),
    Datagram(Link, Bytes),
}

/// A room's members here.
#[derive(Debug, Default)]
pub(super) struct Here {
    pub(super) members: BTreeMap<Link, Seat>,
    pub(super) gateway: Option<Link>,
}

pub(super) struct Relay {
    pub(super) at: At,
    pub(super) fleet: Fleet,
    pub(super) site: Site,
    pub(super) registry: Registry<Link>,
    /// The link of each peer that has a seat; 0 for none.
    pub(super) seated: Vec<u32>,
    pub(super) here: HashMap<RoomHash, Here>,
    /// Rooms whose keys it knows, as their gateways have been here.
    knows: HashSet<RoomHash>,
    door: VecDeque<Knock>,
    /// What it may spend on handshakes.
    strength: usize,
    waiters: BTreeMap<RoomHash, Vec<(Knock, u64)>>,
    pub(super) inbox: VecDeque<Waiting>,
    datagrams: usize,
    pub(super) is_up: bool,
    pub(super) is_asleep: bool,
    /// It is cut off from the directory.
    pub(super) is_cut: bool,
    pub(super) is_drained: bool,
    /// When its fleet wants to be called.
    next: Option<Instant>,
}

impl Relay {
    pub(super) fn new(fleets: &mut Fleets, number: usize, run: u32) -> Self {
        let now = fleets.instant();
        let settings = Settings {
            id: RelayId::from_random(fleets.dice.bits()),
            address: address(number).parse().unwrap(),
            pin: None,
            region: "".into(),
            secret: secret(),
            free: LIMITS.peers as u32,
            on_loss: OnLoss::Keep,
            unix: 1_800_000_000 + fleets.now / 1_000,
            pace: Settings::PACE,
        };
        Relay {
            at: At { relay: number, run },
            fleet: Fleet::new(now, settings),
            site: fleets.model.join(DELAY),
            registry: Registry::new(LIMITS, Rates::default()),
            seated: vec![0; fleets.peers.len()],
            here: HashMap::new(),
            knows: HashSet::new(),
            door: VecDeque::new(),
            strength: 0,
            waiters: BTreeMap::new(),
            inbox: VecDeque::new(),
            datagrams: 0,
            is_up: true,
            is_asleep: false,
            is_cut: false,
            is_drained: false,
            next: Some(now),
        }
    }

    /// It runs, and does not stand still.
    pub(super) fn is_awake(&self) -> bool {
        self.is_up && !self.is_asleep
    }

    /// What the system keeps for a program that stands still.
    pub(super) fn keep(&mut self, waiting: Waiting) {
        if matches!(waiting, Waiting::Datagram(..)) {
            if self.datagrams >= BUFFER {
                return;
            }
            self.datagrams += 1;
        }
        self.inbox.push_back(waiting);
    }

    pub(super) fn members(&self, room: &RoomHash) -> Vec<Link> {
        let here = self.here.get(room);
        here.map_or_else(Vec::new, |here| here.members.keys().copied().collect())
    }
}

/// Which relay that is.
fn number_of(card: &Card) -> usize {
    let digit = card.address.as_str().bytes().find(u8::is_ascii_digit);
    usize::from(digit.unwrap() - b'0')
}

impl Fleets {
    /// What a relay does in a millisecond.
    pub(super) fn relay_turns(&mut self, number: usize) {
        if !self.relays[number].is_awake() {
            return;
        }
        let now = self.instant();
        let relay = &mut self.relays[number];
        let mut is_news = false;
        while let Some(heard) = self.model.poll(relay.site) {
            is_news = true;
            match heard {
                Heard::Event(event) => relay.fleet.handle_event(now, event),
                Heard::Answer(tag, answer) => relay.fleet.handle_answer(now, tag, answer),
            }
        }
        if relay.next.is_some_and(|next| next <= now) {
            is_news = true;
            relay.fleet.handle_timeout(now);
        }
        let tick = self.now % TICK == 83 * number as u64;
        if tick {
            is_news = true;
            relay.registry.handle_timeout(now);
            let free = LIMITS.peers - relay.registry.peers().count();
            let load = Load {
                free: free as u32,
                lag: Duration::ZERO,
            };
            relay.fleet.handle_load(now, load);
        }
        if is_news {
            self.obey_the_fleet(number);
        }
        self.waiters_lose_patience(number);
        self.shake_hands(number);
    }

    /// It wakes, and finds what has come meanwhile; the directory's word may be first or last.
    pub(super) fn relay_wakes(&mut self, number: usize) {
        self.checks.is_news = true;
        self.relays[number].is_asleep = false;
        self.relays[number].datagrams = 0;
        if self.dice.one_in(2) {
            self.relay_turns(number);
        }
        while let Some(waiting) = self.relays[number].inbox.pop_front() {
            match waiting {
                Waiting::Event(event) => self.take(event),
                Waiting::Datagram(link, datagram) => {
                    let relay = &self.relays[number];
                    let seat = self.seat_of(relay, link);
                    if let Some(seat) = seat {
                        self.judge(number, link, seat, datagram);
                    }
                }
            }
        }
    }

    fn seat_of(&self, relay: &Relay, link: Link) -> Option<Seat> {
        let room = self.halls[self.peers[link.peer()].hall].hash;
        relay.here.get(&room)?.members.get(&link).copied()
    }

    // The door.

    pub(super) fn somebody_knocks(&mut self, number: usize, mut knock: Knock) {
        knock.since = self.now;
        let relay = &mut self.relays[number];
        if !relay.is_up {
            return;
        }
        if relay.is_asleep {
            // Frames have filled the system's buffer; it is said again, as long as it is worth it.
            if self.peers[knock.peer].waits_for(&knock) {
                self.after(AGAIN, Event::Knocks(number, knock));
            }
            return;
        }
        match knock.is_greeted {
            true => self.hear(number, knock),
            false => relay.door.push_back(knock),
        }
    }

    fn shake_hands(&mut self, number: usize) {
        let relay = &mut self.relays[number];
        let most = HANDSHAKE + self.scale.handshakes;
        relay.strength = (relay.strength + self.scale.handshakes).min(most);
        while self.relays[number].strength >= HANDSHAKE
            && let Some(knock) = self.relays[number].door.pop_front()
        {
            self.relays[number].strength -= HANDSHAKE;
            self.tally.handshakes += 1;
            let waited = self.now.saturating_sub(knock.since);
            self.check_the_queue(number, waited);
            let at = self.relays[number].at;
            if self.peers[knock.peer].reaches(knock.attempt, at) {
                self.hear(number, knock);
            }
        }
    }

    /// A hello, or a find.
    fn hear(&mut self, number: usize, knock: Knock) {
        let until = self.now + PATIENCE;
        self.place(number, knock, until);
        self.obey_the_fleet(number);
    }

    fn place(&mut self, number: usize, knock: Knock, until: u64) {
        let now = self.instant();
        let peer = &self.peers[knock.peer];
        let hall = &self.halls[peer.hall];
        let relay = &mut self.relays[number];
        let gateway = peer.is_gateway;
        let is_known = gateway || !peer.is_intruder && relay.knows.contains(&hall.hash);
        let asker = Asker {
            gateway,
            near: &hall.near,
            redirects: 0,
            looks: knock.finds || !is_known,
            open: false,
        };
        match relay.fleet.locate(now, hall.hash, &asker) {
            Located::Here { fence } if knock.finds => {
                self.check_a_fence(number, self.peers[knock.peer].hall, fence);
                let hash = self.halls[self.peers[knock.peer].hall].hash;
                let here = self.relays[number].here.get(&hash);
                let gateway = here.is_some_and(|here| here.gateway.is_some());
                self.answer(number, &knock, Reply::Found { gateway });
            }
            Located::Here { fence } => {
                self.check_a_fence(number, self.peers[knock.peer].hall, fence);
                self.admit(number, &knock, fence);
            }
            Located::Redirect { to, fence } => {
                let to = number_of(&to);
                self.answer(number, &knock, Reply::Redirect { to, fence });
            }
            Located::Nobody => self.answer(number, &knock, Reply::Nobody),
            Located::Ask | Located::Refused(Refusal::Entering) => {
                let waiters = relay.waiters.entry(hall.hash).or_default();
                waiters.push((knock, until));
            }
            // Nobody here wants an open room.
            Located::Refused(_) | Located::Claimed => self.answer(number, &knock, Reply::Refused),
        }
    }

    fn waiters_lose_patience(&mut self, number: usize) {
        let relay = &mut self.relays[number];
        if relay.waiters.is_empty() {
            return;
        }
        let now = self.now;
        let mut out = Vec::new();
        relay.waiters.retain(|_, waiters| {
            out.extend(waiters.extract_if(.., |(_, until)| *until <= now));
            !waiters.is_empty()
        });
        for (knock, _) in out {
            self.answer(number, &knock, Reply::Refused);
        }
    }

    fn answer(&mut self, number: usize, knock: &Knock, reply: Reply) {
        let event = Event::Answered {
            peer: knock.peer,
            attempt: knock.attempt,
            from: self.relays[number].at,
            reply,
        };
        self.after(self.peers[knock.peer].delay, event);
    }

    fn admit(&mut self, number: usize, knock: &Knock, fence: Fence) {
        let now = self.instant();
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.dice.bits().to_be_bytes());
        let token = ResumeToken::from_random(random);
        let peer = &mut self.peers[knock.peer];
        peer.links += 1;
        let link = Link {
            peer: knock.peer as u32,
            number: peer.links,
        };
        peer.entry.resume_token = peer.tokens[number].clone();
        let is_gateway = peer.is_gateway;
        let relay = &mut self.relays[number];
        let admitted = relay
            .registry
            .admit(now, &peer.entry, peer.source, token, link);
        let admission = match admitted {
            Ok(admission) => admission,
            Err(reason) => {
                self.tally.count(&format!("rejected: {reason:?}"));
                // Its host's gateway has not been here yet.
                let reply = match reason {
                    RejectReason::NotAuthorised => Reply::Nobody,
                    _ => Reply::Refused,
                };
                return self.answer(number, knock, reply);
            }
        };
        let hall = &self.halls[peer.hall];
        relay.fleet.room_opened(now, hall.hash);
        let here = relay.here.entry(hall.hash).or_default();
        here.members.insert(link, admission.place);
        if is_gateway {
            here.gateway = Some(link);
            relay.knows.insert(hall.hash);
            relay
                .fleet
                .gateway_came(now, hall.hash, hall.open, hall.host);
        }
        relay.seated[knock.peer] = link.number;
        let mut replaced = None;
        if let Some(departure) = admission.replaced {
            here.members.remove(&departure.link);
            replaced = Some(departure.link);
        }
        for step in admission.steps {
            match step {
                Step::Answer(RelayMessage::Welcome(welcome)) => {
                    let reply = Reply::Welcome {
                        link,
                        seat: admission.place,
                        fence,
                        gateway: welcome.gateway.is_some(),
                        token: welcome.resume_token,
                    };
                    self.answer(number, knock, reply);
                }
                Step::Tell(member, RelayMessage::PeerJoined(_)) if is_gateway => {
                    self.tell(member, Told::Gateway(true));
                }
                Step::Answer(_) | Step::Tell(..) => {}
            }
        }
        if let Some(old) = replaced {
            self.tally.count("took its place back");
            self.tell(old, Told::Out);
        }
    }

    fn tell(&mut self, link: Link, told: Told) {
        let delay = self.peers[link.peer()].delay;
        self.after(delay, Event::Told(link, told));
    }

    pub(super) fn link_is_closed(&mut self, at: At, link: Link) {
        let relay = &mut self.relays[at.relay];
        if relay.at != at || !relay.is_up {
            return;
        }
        if relay.is_asleep {
            return relay.keep(Waiting::Event(Event::Closed(at, link)));
        }
        self.seat_is_free(at.relay, link, LeaveReason::Closed);
        self.obey_the_fleet(at.relay);
    }

    fn seat_is_free(&mut self, number: usize, link: Link, reason: LeaveReason) {
        let now = self.instant();
        let Some(seat) = self.seat_of(&self.relays[number], link) else {
            return;
        };
        let hash = self.halls[self.peers[link.peer()].hall].hash;
        let relay = &mut self.relays[number];
        if relay.seated[link.peer()] == link.number {
            relay.seated[link.peer()] = 0;
        }
        let departure = relay.registry.leave(seat, reason).unwrap();
        let here = relay.here.get_mut(&hash).unwrap();
        here.members.remove(&link);
        let was_gateway = here.gateway.take_if(|gateway| *gateway == link).is_some();
        if was_gateway {
            relay.fleet.gateway_left(now, hash);
        }
        let Departure {
            steps, room_closed, ..
        } = departure;
        if room_closed {
            relay.here.remove(&hash);
            relay.fleet.room_closed(now, hash);
        }
        for step in steps {
            if let Step::Tell(member, _) = step
                && was_gateway
            {
                self.tell(member, Told::Gateway(false));
            }
        }
    }

    // The fleet.

    /// Its requests go out, its outputs are done.
    pub(super) fn obey_the_fleet(&mut self, number: usize) {
        self.checks.is_news = true;
        loop {
            self.pass_on_requests(number);
            let Some(output) = self.relays[number].fleet.poll_output() else {
                break;
            };
            self.obey(number, output);
        }
        let now = self.instant();
        let relay = &mut self.relays[number];
        relay.next = relay.fleet.poll_timeout(now);
    }

    fn pass_on_requests(&mut self, number: usize) {
        let now = self.instant();
        let relay = &mut self.relays[number];
        while let Some((tag, request)) = relay.fleet.poll_request() {
            let is_fooled = self.sabotage == Sabotage::NeverFenced && relay.is_cut;
            if is_fooled && matches!(request, Request::KeepAlive { .. }) {
                let ttl = Duration::from_secs(5);
                relay.fleet.handle_answer(now, tag, Answer::Alive { ttl });
                continue;
            }
            self.model.request(now, relay.site, tag, request);
        }
    }

    fn obey(&mut self, number: usize, output: Output) {
        let keeps = self.sabotage == Sabotage::KeepsLostRooms;
        let relay = &mut self.relays[number];
        match output {
            Output::Settled(room) => {
                let waiters = relay.waiters.remove(&room).unwrap_or_default();
                for (knock, until) in waiters {
                    self.place(number, knock, until);
                }
            }
            Output::Unfenced => {
                for (knock, until) in std::mem::take(&mut relay.waiters).into_values().flatten() {
                    self.place(number, knock, until);
                }
            }
            Output::Moved { .. } | Output::RoomLost { .. } if keeps => {}
            Output::Moved {
                room,
                to,
                fence,
                whom,
            } => {
                let to = number_of(&to);
                let members = relay.members(&room);
                for link in members {
                    if self.peers[link.peer()].is_gateway == (whom == Whom::Gateway) {
                        self.tell(link, Told::Moved { to, fence });
                    }
                }
                self.tally.count("a room moves");
            }
            Output::RoomLost { room, why } => {
                let members = relay.members(&room);
                self.tally
                    .count_all(&format!("sent out: {why:?}"), members.len() as u64);
                for link in members {
                    self.seat_is_free(number, link, LeaveReason::Draining);
                    self.tell(link, Told::Out);
                }
            }
            Output::Fenced => self.tally.count("a relay fences itself"),
            Output::Refenced { .. } => self.tally.count("a room is put back"),
            // No host wishes anything here.
            Output::Stays { .. } => {}
            Output::Drained => relay.is_drained = true,
            Output::Say(trouble) => {
                let said = format!("{trouble:?}");
                self.tally.count(&format!("said: {said}"));
            }
        }
    }
}
