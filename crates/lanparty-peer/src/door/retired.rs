//! Direct paths whose place newer ones have taken: what was on its way there still comes in, and nothing goes out.

use super::{Door, DoorLink};
use bytes::Bytes;
use lanparty_proto::{Header, VirtualMac};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// For how long. The other end may hear of the newer one a round trip later, and sends by this one until then.
pub(super) const LINGER: Duration = Duration::from_millis(500);

/// One for each player at most.
#[derive(Debug, Default)]
pub(super) struct Retired(BTreeMap<VirtualMac, (DoorLink, Instant)>);

impl Retired {
    /// The path that `new` has taken the place of. Answers the one that has had its time now.
    pub(super) fn add(&mut self, now: Instant, mut link: DoorLink, new: Door) -> Option<DoorLink> {
        link.replaced_by = Some(new);
        let before = self.0.insert(new.player, (link, now + LINGER));
        before.map(|(link, _)| link)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = &DoorLink> {
        self.0.values().map(|(link, _)| link)
    }

    pub(super) fn links_mut(&mut self) -> impl Iterator<Item = (VirtualMac, &mut DoorLink)> {
        let links = self.0.iter_mut();
        links.map(|(&player, (link, _))| (player, link))
    }

    pub(super) fn take(&mut self, player: VirtualMac) -> Option<DoorLink> {
        self.0.remove(&player).map(|(link, _)| link)
    }

    /// Some whose time is over.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<DoorLink> {
        let mut all = self.0.iter();
        let (&player, _) = all.find(|(_, (_, until))| *until <= now)?;
        self.take(player)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.values().map(|&(_, until)| until).min()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether what was sent by one door may come in beside the other. In one room a number is one person's, so that another's frames
/// are not; another relay, or one that was away, gives out new ones.
pub(super) fn is_same_pair(before: Door, new: Door) -> bool {
    before == new || before.room != new.room
}

/// What was sent by one door, as it would stand in the other one.
pub(super) fn renumbered(datagram: Bytes, before: Door, new: Door) -> Bytes {
    let Ok((header, body)) = Header::decode(&datagram) else {
        return datagram;
    };
    let peer = match header.peer {
        peer if peer == before.client => new.client,
        peer if peer == before.gateway => new.gateway,
        _ => return datagram,
    };
    if before == new || header.room != before.room {
        return datagram;
    }
    let header = Header {
        peer,
        room: new.room,
        ..header
    };
    [&header.encode()[..], body].concat().into()
}
