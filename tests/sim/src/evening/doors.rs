//! Direct paths of an evening: the relay's real introductions, the cores' real ends and the real choice between two ways;
//! between the ends a way with a delay and losses of its own, which breaks without a word, and NATs that let some pairs
//! through and others never.
//!
//! Around them stands what a peer's shell does (`lanparty_peer::door`): it asks the core who may have a path, sends frames by
//! the one way or the other, and ends the paths of those who may have none whenever anything but frames has happened.

mod frames;

use super::network::{Event, Said};
use super::peer::Stage;
use super::{Evening, GATEWAYS};
use bytes::Bytes;
use lanparty_ctrl::door::{Door as Wish, MeetSecret, Ready};
use lanparty_ctrl::{DOORS, PeerMessage, Pin, RelayMessage};
use lanparty_peer::door::{Door, Standing};
use lanparty_peer::ways::{Trial, Ways};
use lanparty_proto::{DatagramBudget, PeerId, VirtualMac};
use lanparty_relay::room::{Sight, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a path goes on of which nobody knows whether its player may still have it.
const ORPHANED: u64 = 60_000;
/// How soon after `go` the player connects, and how soon after one that came to nothing it asks again.
const LATER: u64 = 130;
const AGAIN: u64 = 5_000;
/// How long QUIC believes in somebody who says nothing.
const BELIEVES: u64 = 15_000;

/// The ends of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Client,
    Gateway,
}

impl At {
    fn other(self) -> At {
        match self {
            At::Client => At::Gateway,
            At::Gateway => At::Client,
        }
    }
}

/// What happens at a moment between two who have a direct path, or want one.
#[derive(Debug)]
pub(super) enum Turn {
    /// A player connects, in the round that has this secret.
    Connects(usize, PeerId, String),
    /// The gateway's answer is there.
    Enters(u32),
    /// A peer asks for another round.
    Asks(usize),
    /// An end has something to do.
    Wakes(u32, At),
    Arrives(u32, At, Parcel),
    /// An end hears that the other one has closed, or nothing for too long.
    Ends(u32, At),
    /// The relay does what is due.
    Relay,
}

/// What goes by a direct path.
#[derive(Debug)]
pub(super) enum Parcel {
    Datagram(Bytes),
    /// A probe, and its way back.
    Question(u32),
    Echo(u32),
}

/// A round that a peer is in.
#[derive(Debug, Clone)]
struct Round {
    number: u32,
    player: VirtualMac,
    secret: String,
}

struct Path {
    /// The peers at its ends.
    peers: [usize; 2],
    door: Door,
    round: u32,
    ends: [Option<End>; 2],
    budget: DatagramBudget,
    delay: (usize, usize),
    lost_one_in: usize,
    /// Nothing passes, and nobody says so.
    is_broken: bool,
}

struct End {
    ways: Ways,
    last_frame_id: u16,
    wakes_at: u64,
    judged_at: u64,
    /// How long it goes on at most.
    until: Option<u64>,
    /// There is no other way.
    is_only: bool,
}

/// All direct paths, and those that are being made.
#[derive(Default)]
pub(super) struct Doors {
    paths: BTreeMap<u32, Path>,
    last: u32,
    rounds: BTreeMap<(usize, PeerId), Round>,
    /// Whether the NATs of these two let them through.
    verdicts: BTreeMap<(usize, usize), bool>,
    trials: BTreeMap<(usize, usize), Trial>,
    /// Players whose gateway knows that they are out.
    pub(super) out: BTreeSet<(usize, usize)>,
}

impl Doors {
    /// The path that this peer has for a player.
    pub(super) fn of(&self, number: usize, player: VirtualMac) -> Option<(u32, At)> {
        self.ends(number)
            .find(|(path, _)| self.paths[path].door.player == player)
    }

    fn ends(&self, number: usize) -> impl Iterator<Item = (u32, At)> {
        self.paths.iter().flat_map(move |(&id, path)| {
            [At::Client, At::Gateway]
                .into_iter()
                .filter(move |&at| {
                    path.peers[at as usize] == number && path.ends[at as usize].is_some()
                })
                .map(move |at| (id, at))
        })
    }

    fn end(&mut self, path: u32, at: At) -> Option<&mut End> {
        self.paths.get_mut(&path)?.ends[at as usize].as_mut()
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.ends(number).next().is_some()
    }
}

impl Evening {
    // Introductions.

    /// What a relay tells of a peer's link is made up; behind the same numbers are the same routers.
    pub(super) fn the_relay_introduces(&mut self) {
        let now = self.instant();
        let network = &self.network;
        let sight = |link: &u32| {
            let found = network.links.get(link)?;
            let place = u8::try_from(found.peer).ok()?;
            Some(Sight {
                address: ([203, 0, place, 10], 40_000 + *link as u16 % 10_000).into(),
                relay: Some(([192, 0, 2, 1], 443).into()),
                rtt: Duration::from_millis(found.rtt()),
            })
        };
        let dice = &mut self.dice;
        let secret = || MeetSecret::from_random(std::array::from_fn(|_| dice.bits() as u8));
        let registry = &mut self.relay.registry;
        let steps = registry.poll_meetings(now, None, sight, secret);
        for step in steps {
            let Step::Tell(link, message) = step else {
                panic!("nobody has asked");
            };
            self.network
                .say_to_peer(&mut self.dice, link, Said::Message(message));
        }
    }

    /// It is in the room, and says whether it wants to be introduced.
    pub(super) fn opens_its_door(&mut self, number: usize) {
        let peer = &self.peers[number];
        let (Some(link), Stage::Joined, true) = (peer.link, peer.stage, peer.core.knows_doors())
        else {
            return;
        };
        let door = Wish {
            open: true,
            addresses: Vec::new(),
            pin: peer.mac.is_none().then(|| Pin::from_sha256([9; 32])),
            nat: None,
        };
        let door = Said::Message(PeerMessage::Door(door));
        self.network.say_to_relay(&mut self.dice, link, door);
    }

    /// True for a word about meetings, which is no core's.
    pub(super) fn hears_of_meetings(&mut self, number: usize, message: &RelayMessage) -> bool {
        match message {
            RelayMessage::Meet(meet) => {
                let Some(player) = self.peers[number].core.meets(meet.peer_id) else {
                    self.tally.count("met by nobody");
                    return true;
                };
                let round = Round {
                    number: meet.round,
                    player,
                    secret: meet.secret.clone().into(),
                };
                self.doors.rounds.insert((number, meet.peer_id), round);
                let (peer_id, round) = (meet.peer_id, meet.round);
                let ready = Said::Message(PeerMessage::Ready(Ready { peer_id, round }));
                let link = self.peers[number]
                    .link
                    .expect("it has just heard something");
                self.network.say_to_relay(&mut self.dice, link, ready);
            }
            RelayMessage::Go(go) => {
                let round = self.doors.rounds.get(&(number, go.peer_id));
                let round = round.filter(|round| round.number == go.round);
                if let (Some(round), true) = (round, number >= GATEWAYS) {
                    let turn = Turn::Connects(number, go.peer_id, round.secret.clone());
                    self.network.after(LATER, Event::Door(turn));
                }
            }
            RelayMessage::NoMeeting(none) => {
                self.tally.count(format!("no meeting: {}", none.why.name()));
            }
            _ => return false,
        }
        true
    }

    /// A peer's numbers are new, or nobody's.
    pub(super) fn forgets_its_rounds(&mut self, number: usize) {
        self.doors.rounds.retain(|&(peer, _), _| peer != number);
    }

    pub(super) fn door_turns(&mut self, turn: Turn) {
        match turn {
            Turn::Connects(client, gateway, secret) => self.connects(client, gateway, &secret),
            Turn::Enters(path) => self.enters(path),
            Turn::Asks(number) => self.opens_its_door(number),
            Turn::Wakes(path, at) => self.end_wakes(path, at),
            Turn::Arrives(path, at, parcel) => self.end_gets(path, at, parcel),
            Turn::Ends(path, at) => self.end_is_told(path, at),
            Turn::Relay => {
                if self.relay.is_up {
                    self.the_relay_introduces();
                }
                self.network.after(1_000, Event::Door(Turn::Relay));
            }
        }
    }

    /// At the gateway's door, with what both were told, if they were.
    fn connects(&mut self, client: usize, gateway: PeerId, secret: &str) {
        let is_it = |round: &Round| round.secret == secret;
        let rounds = &self.doors.rounds;
        let its_own = rounds.get(&(client, gateway)).filter(|round| is_it(round));
        let (Some(round), Some(own)) = (its_own.cloned(), self.peers[client].header()) else {
            return;
        };
        let mut others = rounds.iter();
        let host = others
            .find(|((peer, other), round)| *peer < GATEWAYS && *other == own.peer && is_it(round));
        let host = host.map(|((peer, _), _)| *peer);
        let dice = &mut self.dice;
        let passes = host.is_some_and(|host| {
            let verdict = self.doors.verdicts.entry((client, host));
            *verdict.or_insert_with(|| !dice.one_in(3))
        });
        let host = host.filter(|&host| {
            let host = &self.peers[host];
            passes && host.stage == Stage::Joined && !host.is_asleep(self.network.now)
        });
        let may = host.and_then(|host| self.peers[host].core.meets(own.peer));
        let (Some(host), true) = (host, may == Some(round.player)) else {
            self.tally.count("round in vain");
            self.network.after(AGAIN, Event::Door(Turn::Asks(client)));
            return;
        };
        let door = Door {
            player: round.player,
            client: own.peer,
            gateway,
            room: own.room,
        };
        let path = self.a_new_path([client, host], door, round.number);
        self.takes_the_place(path, At::Gateway);
        let delay = self.doors.paths[&path].delay.1 as u64;
        self.network.after(delay, Event::Door(Turn::Enters(path)));
    }

    fn a_new_path(&mut self, peers: [usize; 2], door: Door, round: u32) -> u32 {
        let dice = &mut self.dice;
        let least = dice.between(1, 60);
        self.doors.last += 1;
        let path = Path {
            peers,
            door,
            round,
            ends: [None, None],
            budget: DatagramBudget::clamped(dice.between(512, 1600)),
            delay: (least, least + dice.between(0, 40)),
            lost_one_in: *dice.pick(&[10, 50, usize::MAX]),
            is_broken: false,
        };
        self.doors.paths.insert(self.doors.last, path);
        self.doors.last
    }

    fn enters(&mut self, path: u32) {
        let Some(found) = self.doors.paths.get(&path) else {
            return;
        };
        let (client, door, round) = (found.peers[0], found.door, found.round);
        let peer = &self.peers[client];
        let is_in = peer.stage == Stage::Joined
            && !peer.is_asleep(self.network.now)
            && peer
                .header()
                .is_some_and(|own| own.peer == door.client && own.room == door.room)
            && peer.core.meets(door.gateway) == Some(door.player);
        if !is_in {
            return self.tells_the_other(path, At::Client);
        }
        self.takes_the_place(path, At::Client);
        self.tally.count("direct path");
        let peer_id = door.gateway;
        let met = Said::Message(PeerMessage::Met(Ready { peer_id, round }));
        let link = self.peers[client].link.expect("it is in the room");
        self.network.say_to_relay(&mut self.dice, link, met);
    }

    /// A path stands at this end, in the place of one that was there before.
    fn takes_the_place(&mut self, path: u32, at: At) {
        let (now, door) = (self.instant(), self.doors.paths[&path].door);
        let peers = self.doors.paths[&path].peers;
        let number = peers[at as usize];
        let before = self.doors.of(number, door.player);
        let trial = self.doors.trials.get(&(number, peers[at.other() as usize]));
        let end = End {
            ways: Ways::new(now, trial.copied().unwrap_or_default()),
            last_frame_id: 0,
            wakes_at: u64::MAX,
            judged_at: 0,
            until: None,
            is_only: false,
        };
        let found = self.doors.paths.get_mut(&path).expect("it was just there");
        found.ends[at as usize] = Some(end);
        self.peers[number].core.open_door(now, door);
        if at == At::Gateway {
            self.doors.out.remove(&(number, peers[0]));
        }
        if let Some((before, at)) = before {
            self.drop_end(before, at);
            self.tells_the_other(before, at);
        }
        self.note(|| format!("{number} has the direct path {path} of {:?}", door.player));
        self.doors_settle(number);
        self.end_plans(path, at);
    }

    // Ends.

    fn drop_end(&mut self, path: u32, at: At) -> bool {
        let Some(found) = self.doors.paths.get_mut(&path) else {
            return false;
        };
        let Some(end) = found.ends[at as usize].take() else {
            return false;
        };
        let pair = (found.peers[at as usize], found.peers[at.other() as usize]);
        self.doors.trials.insert(pair, end.ways.trial());
        true
    }

    fn tells_the_other(&mut self, path: u32, at: At) {
        let Some(found) = self.doors.paths.get(&path) else {
            return;
        };
        let delay = match found.is_broken {
            true => BELIEVES,
            false => found.delay.1 as u64,
        };
        self.network
            .after(delay, Event::Door(Turn::Ends(path, at.other())));
    }

    /// This end is shut from here.
    fn shut(&mut self, path: u32, at: At) {
        let (now, door) = (self.instant(), self.doors.paths[&path].door);
        let number = self.doors.paths[&path].peers[at as usize];
        if self.drop_end(path, at) {
            self.tally.count("direct path shut");
            self.note(|| format!("{number} shuts the direct path {path}"));
            self.peers[number].core.close_door(now, door.player);
            self.tells_the_other(path, at);
        }
    }

    fn end_is_told(&mut self, path: u32, at: At) {
        let Some(found) = self.doors.paths.get(&path) else {
            return;
        };
        let (number, player) = (found.peers[at as usize], found.door.player);
        if self.peers[number].is_asleep(self.network.now) {
            let until = self.peers[number].asleep_until;
            return self.network.at(until, Event::Door(Turn::Ends(path, at)));
        }
        let now = self.instant();
        if self.drop_end(path, at) {
            self.tally.count("direct path ended");
            self.peers[number].core.close_door(now, player);
            self.perform(number);
            if at == At::Client {
                self.network.after(500, Event::Door(Turn::Asks(number)));
            }
        }
        let is_over = |path: &Path| path.ends.iter().all(Option::is_none);
        if self.doors.paths.get(&path).is_some_and(is_over) {
            self.doors.paths.remove(&path);
        }
    }

    /// The process of this peer has ended: it says goodbye, or nobody hears anything.
    pub(super) fn doors_end(&mut self, number: usize, says_so: bool) {
        let ends: Vec<_> = self.doors.ends(number).collect();
        for (path, at) in ends {
            self.drop_end(path, at);
            match says_so {
                true => self.tells_the_other(path, at),
                false => {
                    let silence = Event::Door(Turn::Ends(path, at.other()));
                    self.network.after(BELIEVES, silence);
                }
            }
        }
        self.forgets_its_rounds(number);
        self.doors.trials.retain(|&(own, _), _| own != number);
        self.doors.out.retain(|&(gateway, _)| gateway != number);
    }

    /// Ends the paths of those who may have none any more: no frame passes after this.
    pub(super) fn doors_settle(&mut self, number: usize) {
        let now = self.network.now;
        let ends: Vec<_> = self.doors.ends(number).collect();
        for (path, at) in ends {
            let player = self.doors.paths[&path].door.player;
            let standing = self.peers[number].core.standing(player);
            let Some(end) = self.doors.end(path, at) else {
                continue;
            };
            match standing {
                Standing::In => end.until = None,
                Standing::Unknown => {
                    end.until.get_or_insert(now + ORPHANED);
                }
                Standing::Out => end.until = Some(now),
            }
            if end.until.is_some_and(|until| until <= now) {
                self.shut(path, at);
            }
        }
    }

    /// There is no relay: rather a way of which nothing is known than none.
    pub(super) fn doors_lose_the_relay(&mut self, number: usize) {
        self.forgets_its_rounds(number);
        let ends: Vec<_> = self.doors.ends(number).collect();
        for (path, at) in ends {
            if let Some(end) = self.doors.end(path, at) {
                end.is_only = true;
            }
        }
        self.doors_settle(number);
    }
}

/// What a relay that introduces says in its welcome.
pub(super) fn introduces(capabilities: &[String]) -> bool {
    capabilities.iter().any(|name| name == DOORS)
}
