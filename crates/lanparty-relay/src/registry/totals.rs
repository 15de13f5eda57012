//! What a relay has done since it started, those who have left among it.

use super::{Admits, Limits, Registry};
use crate::room::{Introductions, PeerRecord};
use lanparty_ctrl::LeaveReason;
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_obs::DropCounts;

/// What has become of the datagrams of some peers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Datagrams that came from them: each was forwarded, kept as a piece, sent back as a probe, or dropped.
    pub datagrams: u64,
    /// Pieces among them that waited for the rest of their frame.
    pub pieces: u64,
    /// Probes among them, each of which went back.
    pub probes: u64,
    /// Frames of theirs that were forwarded.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was dropped, by reason.
    pub drops: DropCounts,
}

impl Carried {
    fn add(&mut self, record: &PeerRecord) {
        self.datagrams += record.datagrams;
        self.pieces += record.pieces;
        self.probes += record.probes;
        self.frames += record.frames;
        self.bytes += record.bytes;
        self.drops.add_all(&record.drops);
    }
}

/// What peers of one kind have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindTotals {
    /// How many came in for the first time,
    pub new: u64,
    /// and how many took their own place back.
    pub back: u64,
    /// What has become of what they sent.
    pub carried: Carried,
}

/// What there has been since the relay started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// What clients did.
    pub players: KindTotals,
    /// What gateways did.
    pub gateways: KindTotals,
    /// Rooms that were opened.
    pub rooms: u64,
    /// Who was introduced to whom.
    pub introductions: Introductions,
    /// How many have left, in the order of [`LeaveReason::ALL`].
    pub left: [u64; LeaveReason::ALL.len()],
}

impl Totals {
    fn of(&mut self, who: Newcomer) -> &mut KindTotals {
        match who {
            Newcomer::Client(_) => &mut self.players,
            Newcomer::Gateway => &mut self.gateways,
        }
    }

    pub(super) fn note_joined(&mut self, entry: &Entry, is_back: bool) {
        let kind = self.of(entry.who);
        match is_back {
            true => kind.back += 1,
            false => kind.new += 1,
        }
    }

    pub(super) fn note_left(&mut self, record: &PeerRecord, reason: LeaveReason) {
        self.of(record.who).carried.add(record);
        self.left[reason as usize] += 1;
    }
}

/// The relay at one moment, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Rooms for invited people,
    pub keyed_rooms: usize,
    /// and those that are open to everybody.
    pub open_rooms: usize,
    /// Clients that are in.
    pub players: usize,
    /// Gateways that are in.
    pub gateways: usize,
    /// Players who have asked in vain for a room in the last seconds.
    pub waiting: usize,
    /// How many were told where their party is since the relay started.
    pub finds: u64,
    /// True while nobody new comes in.
    pub is_draining: bool,
    /// How much the relay takes on.
    pub limits: Limits,
    /// What there has been, what those who are in have done so far included.
    pub totals: Totals,
}

impl<L: Clone> Registry<L> {
    /// Counts everybody and everything.
    pub fn census(&self) -> Census {
        let mut totals = self.totals.clone();
        let (mut players, mut gateways) = (0, 0);
        for (_, record) in self.peers() {
            totals.of(record.who).carried.add(record);
            match record.who {
                Newcomer::Client(_) => players += 1,
                Newcomer::Gateway => gateways += 1,
            }
        }
        let keyed_rooms = self.names.keys().filter(|name| name.host.is_some()).count();
        Census {
            keyed_rooms,
            open_rooms: self.rooms.len() - keyed_rooms,
            players,
            gateways,
            waiting: self.waiting.count(),
            finds: self.finds,
            is_draining: self.admits != Admits::All,
            limits: self.limits,
            totals,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::room::Step;
    use crate::testing::{Relay, client, client_mac, frame, lan_mac, whole};
    use lanparty_ctrl::{LeaveReason, RelayMessage};
    use lanparty_obs::DropReason;
    use lanparty_proto::MacAddr;

    #[test]
    fn what_those_did_who_have_left_still_counts() {
        let mut relay = Relay::new();
        let [gateway, player] = [relay.gateway(9), relay.client(1)];
        let hello = frame(client_mac(9), client_mac(1), 100);
        for _ in 0..3 {
            relay.frame(player, &hello);
        }
        relay.frame(gateway, &frame(client_mac(1), lan_mac(5), 60));
        relay.datagram(player, vec![0; 3]);
        let before = relay.registry.census();
        assert_eq!((before.players, before.gateways), (1, 1));
        assert_eq!((before.open_rooms, before.keyed_rooms), (1, 0));
        let players = &before.totals.players.carried;
        assert_eq!(
            (players.datagrams, players.frames, players.bytes),
            (4, 3, 300)
        );
        assert_eq!(players.drops.of(DropReason::Malformed), 1);
        let gateways = &before.totals.gateways.carried;
        assert_eq!((gateways.frames, gateways.bytes), (1, 60));

        relay.leave(player);
        relay.leave(gateway);
        let after = relay.registry.census();
        assert_eq!((after.players, after.gateways, after.open_rooms), (0, 0, 0));
        assert_eq!(after.totals.players, before.totals.players);
        assert_eq!(after.totals.gateways, before.totals.gateways);
        assert_eq!(after.totals.left[LeaveReason::Closed as usize], 2);
        // The same numbers for somebody else begin at nothing, and the totals go on.
        let again = relay.client(1);
        let to_all = frame(MacAddr::new([0xff; 6]), client_mac(1), 60);
        relay.datagram(again, whole(again, &to_all));
        let totals = relay.registry.census().totals;
        assert_eq!(totals.players.carried.frames, 4);
        assert_eq!(
            (totals.players.new, totals.gateways.new, totals.rooms),
            (2, 1, 2)
        );
    }

    #[test]
    fn who_takes_a_place_back_is_not_new_and_the_one_before_was_replaced() {
        let mut relay = Relay::new();
        let first = relay.admit(1, "lanparty", client(1)).unwrap();
        let welcome = first.steps.iter().find_map(|step| match step {
            Step::Answer(RelayMessage::Welcome(welcome)) => Some(welcome),
            _ => None,
        });
        relay.token = welcome.map(|welcome| welcome.resume_token.clone());
        relay.admit(2, "lanparty", client(1)).unwrap();
        let totals = relay.registry.census().totals;
        assert_eq!((totals.players.new, totals.players.back), (1, 1));
        assert_eq!(totals.left[LeaveReason::Replaced as usize], 1);
        assert_eq!(totals.rooms, 1);
    }
}
