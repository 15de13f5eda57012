//! The clients that the relay has announced: the only ones that may speak on the LAN.

use bytes::Bytes;
use lanparty_obs::{DropCounts, DropReason};
use lanparty_proto::fragment::{Fragment, Reassembler};
use lanparty_proto::{MacAddr, PeerId};
use std::collections::BTreeMap;
use std::time::Instant;

/// How many clients a gateway serves at most; a relay that announces more is mad or bad.
pub const MAX_CLIENTS: usize = 4096;

/// A client and the pieces of its frames that are under way.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) mac: MacAddr,
    pieces: Reassembler,
}

impl Client {
    /// Takes a piece of one of its frames; answers the frame when this was the last one.
    pub(super) fn reassemble(
        &mut self,
        now: Instant,
        body: &[u8],
        drops: &mut DropCounts,
    ) -> Result<Option<Bytes>, DropReason> {
        let piece = Fragment::decode(body).map_err(|_| DropReason::BadFragment)?;
        let frame = self.pieces.insert(now, piece);
        drops.add(DropReason::Incomplete, self.pieces.take_lost());
        frame.map_err(|_| DropReason::BadFragment)
    }

    fn expire(&mut self, now: Instant, drops: &mut DropCounts) {
        self.pieces.expire(now);
        drops.add(DropReason::Incomplete, self.pieces.take_lost());
    }
}

/// The announced (peer id, MAC) pairs: no two share an id, and no two share a MAC.
#[derive(Debug, Default)]
pub(super) struct Clients {
    by_id: BTreeMap<PeerId, Client>,
    by_mac: BTreeMap<MacAddr, PeerId>,
}

impl Clients {
    /// Adds a client whose id and MAC nobody has, unless there are too many.
    pub(super) fn insert(&mut self, id: PeerId, mac: MacAddr) -> bool {
        debug_assert!(!self.by_id.contains_key(&id) && !self.has(mac));
        if self.by_id.len() == MAX_CLIENTS {
            return false;
        }
        let pieces = Reassembler::default();
        self.by_id.insert(id, Client { mac, pieces });
        self.by_mac.insert(mac, id);
        true
    }

    /// Removes a client; false when there was none.
    pub(super) fn remove(&mut self, id: PeerId) -> bool {
        let client = self.by_id.remove(&id);
        client.is_some_and(|client| self.by_mac.remove(&client.mac).is_some())
    }

    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.by_mac.clear();
    }

    pub(super) fn has(&self, mac: MacAddr) -> bool {
        self.by_mac.contains_key(&mac)
    }

    pub(super) fn id_of(&self, mac: MacAddr) -> Option<PeerId> {
        self.by_mac.get(&mac).copied()
    }

    pub(super) fn of(&mut self, id: PeerId) -> Option<&mut Client> {
        self.by_id.get_mut(&id)
    }

    /// Gives up frames whose pieces do not come. Pieces that do come see to this themselves, so it is
    /// enough to do it now and then, for clients that have fallen silent.
    pub(super) fn expire(&mut self, now: Instant, drops: &mut DropCounts) {
        for client in self.by_id.values_mut() {
            client.expire(now, drops);
        }
    }
}
