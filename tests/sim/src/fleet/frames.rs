//! Sixty frames a second of each player, and what the rooms make of them.

use super::hall::Hall;
use super::peer::Peer;
use super::relay::Waiting;
use super::{Fleets, Link, Sabotage};
use bytes::Bytes;
use lanparty_proto::{Header, MacAddr};
use lanparty_relay::registry::Seat;
use lanparty_relay::room::Verdict;

const LAN_HOST: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0xff, 0, 1]);
/// Three frames of a player in so many milliseconds, at these.
const PLAYERS: u64 = 50;
const BEATS: [u64; 3] = [0, 17, 33];
/// One of a gateway.
const GATEWAYS: u64 = 100;

/// What somebody says while it is in its room.
#[derive(Debug, Clone, Default)]
struct Voice {
    /// To the LAN's host, to another player; of a gateway, to each player.
    to_one: Vec<Bytes>,
    to_all: Bytes,
    turn: usize,
}

pub(super) struct Frames {
    voices: Vec<Voice>,
    /// Who speaks at which millisecond.
    players: Vec<Vec<usize>>,
    gateways: Vec<Vec<usize>>,
}

impl Frames {
    pub(super) fn new(are_gateways: impl Iterator<Item = bool>) -> Self {
        let mut frames = Frames {
            voices: Vec::new(),
            players: vec![Vec::new(); PLAYERS as usize],
            gateways: vec![Vec::new(); GATEWAYS as usize],
        };
        for (number, is_gateway) in are_gateways.enumerate() {
            frames.voices.push(Voice::default());
            let turns = match is_gateway {
                true => &mut frames.gateways,
                false => &mut frames.players,
            };
            let turn = number % turns.len();
            turns[turn].push(number);
        }
        frames
    }

    /// It has a seat, which its frames name.
    pub(super) fn comes_in(&mut self, halls: &[Hall], peers: &[Peer], number: usize) {
        let peer = &peers[number];
        let hall = &halls[peer.hall];
        let Some(place) = &peer.place else { return };
        let players = hall.gateway + 1..=hall.gateway + hall.players;
        let source = match peer.is_gateway {
            true => LAN_HOST,
            false => peer.mac,
        };
        let datagram = |destination| datagram(place.seat, destination, source);
        let to_one = match peer.is_gateway {
            true => players.map(|player| datagram(peers[player].mac)).collect(),
            false => {
                let next = hall.gateway + 1 + peer.number % hall.players;
                vec![datagram(LAN_HOST), datagram(peers[next].mac)]
            }
        };
        let voice = &mut self.voices[number];
        voice.to_one = to_one;
        voice.to_all = datagram(MacAddr::BROADCAST);
    }

    fn next(&mut self, number: usize, is_gateway: bool) -> Bytes {
        let voice = &mut self.voices[number];
        voice.turn += 1;
        let turn = voice.turn;
        if turn.is_multiple_of(60) {
            return voice.to_all.clone();
        }
        match is_gateway {
            true => voice.to_one[turn % voice.to_one.len()].clone(),
            false => voice.to_one[usize::from(turn.is_multiple_of(4))].clone(),
        }
    }
}

impl Fleets {
    pub(super) fn everybody_plays(&mut self) {
        for beat in BEATS {
            let turn = ((self.now + PLAYERS - beat) % PLAYERS) as usize;
            for index in 0..self.frames.players[turn].len() {
                self.speaks_up(self.frames.players[turn][index]);
            }
        }
        let turn = (self.now % GATEWAYS) as usize;
        for index in 0..self.frames.gateways[turn].len() {
            self.speaks_up(self.frames.gateways[turn][index]);
        }
    }

    fn speaks_up(&mut self, number: usize) {
        let peer = &self.peers[number];
        let Some(place) = &peer.place else { return };
        let (at, link, seat) = (place.at, place.link, place.seat);
        let relay = &mut self.relays[at.relay];
        if place.is_broken || relay.at != at || !relay.is_up {
            return;
        }
        let datagram = self.frames.next(number, peer.is_gateway);
        self.tally.frames += 1;
        if relay.is_asleep {
            return relay.keep(Waiting::Datagram(link, datagram));
        }
        if relay.seated[number] == link.number {
            self.judge(at.relay, link, seat, datagram);
        }
    }

    /// The room's verdict, and what comes of it.
    pub(super) fn judge(&mut self, number: usize, from: Link, seat: Seat, datagram: Bytes) {
        let now = self.instant();
        let relay = &mut self.relays[number];
        match relay.registry.handle_datagram(now, seat, datagram) {
            Verdict::Forward(forward) => {
                for to in forward.targets {
                    self.comes_out(number, from, to);
                }
            }
            Verdict::Drop(reason) => self.tally.count(&format!("dropped: {reason}")),
            Verdict::Pending | Verdict::Echo(_) => unreachable!("these are whole frames"),
            Verdict::Expel(reason) => panic!("an honest peer is expelled for {reason}"),
        }
    }

    fn comes_out(&mut self, number: usize, from: Link, to: Link) {
        let at = self.relays[number].at;
        let target = &self.peers[to.peer()];
        let hears_old = self.sabotage == Sabotage::HearsOldLinks && target.is_gateway;
        let is_current = target
            .place
            .as_ref()
            .is_some_and(|place| place.link == to && !place.is_broken);
        if is_current || hears_old {
            self.tally.delivered += 1;
            self.check_a_frame(at, from.peer(), to.peer());
        } else {
            self.tally.into_the_void += 1;
        }
    }
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
