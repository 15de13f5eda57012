//! From where the rooms of a relay were opened.
//!
//! Hosts are counted by themselves: their guests and neighbours, who may be behind the same address, use up nothing of
//! theirs. A host key costs nothing, so hosts are counted by address too; each has one room and one gateway.

use crate::sources::{PerSource, Sources};
use lanparty_proto::RoomId;
use std::collections::HashMap;
use std::net::IpAddr;

/// The rooms that are there, by who opened them.
#[derive(Debug, Default)]
pub(super) struct Openers {
    hosts: Sources,
    others: Sources,
    rooms: HashMap<RoomId, Opener>,
}

#[derive(Debug)]
struct Opener {
    source: IpAddr,
    is_host: bool,
}

impl Openers {
    /// True when one more room may be opened from there.
    pub(super) fn fits(&self, source: IpAddr, is_host: bool, limits: PerSource) -> bool {
        let kind = if is_host { &self.hosts } else { &self.others };
        kind.fits(source, None, limits)
    }

    pub(super) fn open(&mut self, room: RoomId, source: IpAddr, is_host: bool) {
        self.kind(is_host).add(source);
        self.rooms.insert(room, Opener { source, is_host });
    }

    pub(super) fn close(&mut self, room: RoomId) {
        if let Some(Opener { source, is_host }) = self.rooms.remove(&room) {
            self.kind(is_host).remove(source);
        }
    }

    fn kind(&mut self, is_host: bool) -> &mut Sources {
        match is_host {
            true => &mut self.hosts,
            false => &mut self.others,
        }
    }
}
