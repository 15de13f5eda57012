//! What must hold after every step, and when the dust has settled.

use super::peer::Stage;
use super::{Evening, HOST, SETTLING, client_mac, lan_mac};
use crate::frames::{BROADCAST, Frame, Kind, Mac};
use lanparty_obs::DropReason;
use lanparty_proto::{FrameBuf, Header, MacAddr, VirtualMac};
use lanparty_relay::registry::Seat;
use std::collections::BTreeSet;

/// Two links at their slowest and a frame's pieces: what comes later is replayed.
const FRESH: u64 = 1_000;

/// Every frame that a port gave, and where it arrived. The last eight bytes of a frame are its number.
#[derive(Default)]
pub(super) struct Ledger(Vec<Sent>);

struct Sent {
    at: u64,
    from: usize,
    frame: Frame,
    from_client: bool,
    doubled: bool,
    way: Way,
    arrived: Vec<usize>,
}

/// How a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Relay,
    Straight,
    /// By a direct path, from somebody whose program is not ours, with its own MAC or another one.
    Forced {
        is_own: bool,
    },
}

impl Sent {
    /// True for what concerns one player and the LAN alone.
    fn is_direct(&self, clients: &BTreeSet<Mac>) -> bool {
        let Frame {
            source,
            destination,
            ..
        } = &self.frame;
        let is_group = destination[0] % 2 == 1;
        let is_between = clients.contains(source) && clients.contains(destination);
        !is_group && !is_between && !self.frame.concerns_all()
    }

    /// A tag that names a priority only is taken off on the way (IEEE 802.1Q §6.9). What the LAN gives or announces loses,
    /// for a player, all that is not for games; the test of that is the editor's own.
    fn as_it_arrives(&self, at_player: bool) -> Vec<u8> {
        let bytes = &self.frame.bytes;
        let mut bytes = match self.frame.kind {
            Kind::Priority => [&bytes[..12], &bytes[16..]].concat(),
            _ => bytes.clone(),
        };
        if at_player && !self.from_client {
            lanparty_lease::games_only(&mut bytes).expect("what is refused does not arrive");
        }
        bytes
    }
}

impl Ledger {
    pub(super) fn sent(&mut self, now: u64, from: usize, mut frame: Frame) -> (u64, Vec<u8>) {
        let id = self.0.len() as u64 + 1;
        if frame.bytes.len() > 1506 && frame.kind != Kind::Jumbo {
            frame.bytes.truncate(1506);
        }
        if frame.kind != Kind::Runt {
            frame.bytes.extend(id.to_be_bytes());
        }
        let bytes = frame.bytes.clone();
        self.0.push(Sent {
            at: now,
            from,
            from_client: frame.source[0] == 2,
            frame,
            doubled: false,
            way: Way::Relay,
            arrived: Vec::new(),
        });
        (id, bytes)
    }

    /// A link has made a second copy of one of its datagrams.
    pub(super) fn doubled(&mut self, frame: &[u8]) {
        self.find(frame).doubled = true;
    }

    /// Its sender has chosen a direct path: it is for that.
    pub(super) fn goes_straight(&mut self, id: u64, clients: &BTreeSet<Mac>) {
        let sent = &mut self.0[id as usize - 1];
        sent.way = Way::Straight;
        assert!(
            sent.is_direct(clients),
            "{:?} to {:?} went straight",
            sent.frame.kind,
            sent.frame.destination
        );
    }

    /// It goes there whatever it is.
    pub(super) fn is_forced_straight(&mut self, id: u64, is_own: bool) {
        self.0[id as usize - 1].way = Way::Forced { is_own };
    }

    /// It has come by a direct path from this peer.
    pub(super) fn comes_straight(&mut self, frame: &[u8], from: usize, clients: &BTreeSet<Mac>) {
        let sent = self.find(frame);
        assert_eq!(sent.from, from, "a direct path has two ends");
        assert_ne!(sent.way, Way::Relay, "a frame has one way");
        assert_ne!(
            sent.way,
            Way::Forced { is_own: false },
            "nobody speaks for others"
        );
        assert!(
            sent.is_direct(clients),
            "{:?} to {:?} came straight",
            sent.frame.kind,
            sent.frame.destination
        );
    }

    pub(super) fn comes_by_the_relay(&mut self, frame: &[u8]) {
        assert_eq!(self.find(frame).way, Way::Relay, "a frame has one way");
    }

    /// It has come out of a port.
    pub(super) fn delivered(&mut self, now: u64, at: usize, mac: Option<Mac>, frame: &[u8]) {
        let sent = self.find(frame);
        let as_it_arrives = sent.as_it_arrives(mac.is_some());
        assert_eq!(as_it_arrives, frame, "it arrives as it was sent");
        assert_ne!(sent.from, at, "nothing returns to its sender");
        let forbidden = sent.frame.forbidden(sent.from_client);
        assert_eq!(forbidden, None, "forbidden frames never cross");
        assert!(now - sent.at <= FRESH, "nothing is replayed late");
        let destination = sent.frame.destination;
        let is_group = destination[0] % 2 == 1;
        assert!(is_group || mac.is_none_or(|mac| mac == destination));
        if !sent.doubled {
            assert!(!sent.arrived.contains(&at), "nothing arrives twice");
            assert!(
                is_group || sent.arrived.is_empty(),
                "unicast reaches one port"
            );
        }
        sent.arrived.push(at);
    }

    pub(super) fn arrived(&self, id: u64) -> &[usize] {
        &self.0[id as usize - 1].arrived
    }

    fn find(&mut self, frame: &[u8]) -> &mut Sent {
        let id = frame.last_chunk().expect("runts stay at home");
        &mut self.0[u64::from_be_bytes(*id) as usize - 1]
    }
}

impl Evening {
    /// Received is passed on, kept as a piece, or dropped for a reason: at each core.
    pub(super) fn check(&mut self) {
        for peer in &mut self.peers {
            let (stats, seen) = (peer.core.counters(), &peer.counts);
            assert_eq!(stats.frames_to_relay, seen.frames_sent);
            assert_eq!(stats.datagrams_from_relay, seen.datagrams);
            assert_eq!(stats.frames_from_relay, seen.frames_delivered);
            // What waited in vain: for the rest of a frame, or for its sender's announcement.
            let late = stats.drops.total() - seen.drops;
            assert!(late <= seen.waiting);
        }
        let registered: BTreeSet<_> = self.relay.registry.peers().map(|(at, _)| at).collect();
        let seats: BTreeSet<_> = self.relay.seats.values().copied().collect();
        assert_eq!(registered, seats, "who is there");
        assert_eq!(seats.len(), self.relay.seats.len(), "a place for each");
    }

    pub(super) fn check_record(&self, place: Seat) {
        let record = self.relay.registry.peer(place).unwrap();
        let drops = record.drops.total() - record.drops.of(DropReason::Incomplete);
        assert_eq!(record.datagrams, record.frames + record.pieces + drops);
    }

    /// Nothing more goes wrong, and after a while everybody who lives knows exactly the others.
    pub(super) fn settle(&mut self) {
        self.note(|| "the dust settles".to_owned());
        self.network.is_calm = true;
        self.paths_heal();
        if self.orders.is_some() {
            // Nobody knows what a host wants whose gateway is off, once the relay has been killed.
            self.begin(HOST);
        }
        self.run(self.network.now + SETTLING);
        self.check();
        let living = self.living();
        let joined: Vec<_> = self.joined();
        assert_eq!(living, joined, "who lives is in");
        assert_eq!(self.relay.seats.len(), joined.len(), "and nobody else");
        for &number in &joined {
            self.everybody_hears(number, &joined);
        }
        self.everybody_plays();
        for &number in &joined {
            self.knows_no_ghosts(number);
        }
    }

    /// The players that run, and one gateway if any does.
    pub(super) fn living(&self) -> Vec<usize> {
        let runs = |&number: &usize| self.peers[number].stage != Stage::Off;
        let gateways = (0..super::GATEWAYS).filter(runs);
        let seated = |number: &usize| self.peers[*number].stage == Stage::Joined;
        let gateway = gateways.clone().find(seated).or(gateways.clone().next());
        let admitted = |number: &usize| {
            let host = self.orders.as_ref();
            host.is_none_or(|host| host.admits(*number))
        };
        let players = (super::GATEWAYS..self.peers.len())
            .filter(runs)
            .filter(admitted);
        gateway.into_iter().chain(players).collect()
    }

    pub(super) fn joined(&self) -> Vec<usize> {
        let numbers = 0..self.peers.len();
        numbers
            .filter(|&number| self.peers[number].stage == Stage::Joined)
            .collect()
    }

    pub(super) fn everybody_hears(&mut self, number: usize, joined: &[usize]) {
        let source = self.peers[number].mac.unwrap_or(lan_mac(1));
        let frame = Frame::new(&mut self.dice, Kind::Ipx, BROADCAST, source);
        let id = self.send(number, frame);
        self.run(self.network.now + 400);
        let mut arrived = self.ledger.arrived(id).to_vec();
        arrived.sort_unstable();
        let others = joined.iter().copied().filter(|&at| at != number);
        let hears = |at: usize| match &self.orders {
            Some(orders) => orders.hears(number, at),
            None => Some(true),
        };
        for other in others {
            if let Some(expected) = hears(other) {
                let heard = arrived.contains(&other);
                assert_eq!(heard, expected, "whether {other} hears {number}");
            }
        }
        arrived.retain(|at| !joined.contains(at));
        assert!(arrived.is_empty(), "and nobody else does: {arrived:?}");
    }

    /// Who has no direct path is not heard by one, whatever it says, and nothing is sent to it there.
    fn hears_nobody_straight_without_a_path(&mut self, number: usize) {
        let (now, at_gateway) = (self.instant(), self.peers[number].mac.is_none());
        let places: Vec<_> = self.relay.seats.values().copied().collect();
        let own = self.peers[number].mac;
        let players = (0..super::CLIENTS).map(client_mac);
        for player in players.filter(|&player| own.is_none_or(|own| own == player)) {
            let player = VirtualMac::try_from(MacAddr::new(player)).unwrap();
            if self.doors.of(number, player).is_some() {
                continue;
            }
            let (source, destination) = match at_gateway {
                true => (player.addr().octets(), lan_mac(1)),
                false => (lan_mac(1), player.addr().octets()),
            };
            let frame = Frame::new(&mut self.dice, Kind::Game, destination, source);
            for place in places.iter().chain(&self.relay.gone) {
                let header = Header {
                    peer: place.peer,
                    room: place.room,
                    fragment: false,
                };
                let datagram = [&header.encode()[..], &frame.bytes].concat();
                let core = &mut self.peers[number].core;
                let heard = core.handle_direct(now, player, datagram.into());
                assert!(heard.is_err(), "{player} has no direct path");
            }
            let frame = Frame::new(&mut self.dice, Kind::Game, source, destination);
            let core = &mut self.peers[number].core;
            assert_eq!(core.direct_player(now, &frame.bytes), None);
        }
    }

    /// Whoever has left is not heard any more, and nothing is sent to it.
    fn knows_no_ghosts(&mut self, number: usize) {
        let now = self.instant();
        let mut frame = Frame::new(&mut self.dice, Kind::Ipx, BROADCAST, client_mac(0));
        for gone in self.relay.gone.clone() {
            for source in 0..super::CLIENTS {
                frame.bytes[6..12].copy_from_slice(&client_mac(source));
                let header = Header {
                    peer: gone.peer,
                    room: gone.room,
                    fragment: false,
                };
                let datagram = [&header.encode()[..], &frame.bytes].concat();
                let heard = self.peers[number]
                    .core
                    .handle_datagram(now, datagram.into());
                let is_stranger = [DropReason::ForgedHeader, DropReason::UnauthorizedSourceMac];
                match heard {
                    // It waits for an announcement that does not come.
                    Ok(heard) => assert_eq!(heard, None, "a ghost is not heard"),
                    Err(reason) => assert!(is_stranger.contains(&reason), "{reason}"),
                }
            }
        }
        self.hears_nobody_straight_without_a_path(number);
        if self.peers[number].mac.is_some() {
            return;
        }
        for player in 0..super::CLIENTS {
            let destination = client_mac(player);
            let frame = Frame::new(&mut self.dice, Kind::Game, destination, lan_mac(1));
            let mut frame = FrameBuf::from_frame(&frame.bytes);
            let sent = self.peers[number].core.handle_frame(now, &mut frame);
            let is_here = self.peers[super::GATEWAYS + player].stage == Stage::Joined;
            assert_eq!(sent.is_ok(), is_here, "who is a client");
        }
    }
}
