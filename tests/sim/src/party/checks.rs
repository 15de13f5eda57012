//! What must always hold.

use super::*;

impl Party {
    pub(super) fn check(&self) {
        let peers = &self.reference.peers;
        let here: Vec<_> = self.registry.peers().map(|(place, _)| place).collect();
        let mut expected: Vec<_> = self.present.values().copied().collect();
        expected.sort_unstable();
        assert_eq!(here, expected, "who is there");
        assert_eq!(self.registry.rooms(), self.reference.rooms());
        // Whose claim lives opens its room again however many there are, and claims are twice the rooms at most.
        assert!(self.registry.rooms() <= 3 * self.limits.rooms);
        // The place of a keyed room's host is kept free whatever else is full.
        let kept_free = |peer: &&Peer| peer.mac.is_none() && peer.is_keyed;
        let counted: Vec<_> = peers.iter().filter(|peer| !kept_free(peer)).collect();
        assert!(counted.len() <= self.limits.peers);
        for peer in peers {
            let same_source = counted.iter().filter(|other| other.source == peer.source);
            assert!(same_source.count() <= self.limits.peers_per_address);
            let room = self.reference.room(&peer.room);
            let clients = room.iter().filter(|other| other.mac.is_some()).count();
            assert!(clients <= self.limits.clients_per_room);
            let same_place = room.iter().filter(|other| other.mac == peer.mac).count();
            assert_eq!(same_place, 1, "one peer for each MAC, and one gateway");
        }
    }

    pub(super) fn check_targets(&self, from: u32, place: Seat, frame: &[u8], targets: &[u32]) {
        assert!(!targets.contains(&from), "nothing returns to its sender");
        assert!(targets.is_sorted_by(|a, b| a < b), "nothing arrives twice");
        assert!(
            frame[0] % 2 == 1 || targets.len() == 1,
            "unicast reaches one port"
        );
        for target in targets {
            let room = self.present[target].room;
            assert_eq!(room, place.room, "rooms do not hear each other");
        }
    }

    /// Received is forwarded, kept as a piece, or dropped for the reasons that the reference had.
    pub(super) fn check_counts(&self, link: u32, place: Seat) {
        let record = self.registry.peer(place).unwrap();
        let peer = self.peer(link);
        assert_eq!([record.frames, record.pieces, record.probes], peer.counts);
        let mut drops = lanparty_obs::DropCounts::default();
        peer.drops.iter().for_each(|&reason| drops.count(reason));
        assert_eq!(record.drops, drops);
        let dropped = drops.total() - drops.of(DropReason::Incomplete);
        let passed = record.frames + record.pieces + record.probes;
        assert_eq!(record.datagrams, passed + dropped);
    }
}

/// A step in comparable words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Said {
    Welcome(Given, Option<u16>),
    Here(u16, Option<Mac>),
    Joined(u32, u16, Option<Mac>),
    Left(Notice),
}

pub(super) fn said(steps: &[Step<u32>]) -> Vec<Said> {
    let mac = |joined: &PeerJoined| joined.mac.map(|mac| mac.addr().octets());
    steps
        .iter()
        .map(|step| match step {
            Step::Answer(RelayMessage::Welcome(welcome)) => {
                let token = u128::from_str_radix(&String::from(welcome.resume_token.clone()), 16);
                let given = Given {
                    room_id: welcome.room_id.number(),
                    peer_id: welcome.peer_id.number(),
                    token: token.unwrap().to_be_bytes(),
                    mtu: welcome.effective_mtu.number(),
                };
                Said::Welcome(given, welcome.gateway.map(PeerId::number))
            }
            Step::Answer(RelayMessage::PeerJoined(joined)) => {
                Said::Here(joined.peer_id.number(), mac(joined))
            }
            Step::Tell(link, RelayMessage::PeerJoined(joined)) => {
                Said::Joined(*link, joined.peer_id.number(), mac(joined))
            }
            Step::Tell(link, RelayMessage::PeerLeft(left)) => {
                Said::Left((*link, left.peer_id.number(), Some(left.reason)))
            }
            other => panic!("nobody says {other:?}"),
        })
        .collect()
}
