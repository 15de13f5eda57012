//! What a fleet and its directory say to each other.
//!
//! Keys are bytes below the fleet's prefix, which only the shell knows. Every word here has its match in etcd.

use crate::card::MAX_VALUE;
use crate::key::Key;
use std::time::Duration;

/// How many changes the directory had seen; counts up with each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// A lease that the directory has granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub i64);

/// Which request an answer is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// What is asked of the directory. Each gets one [`Answer`], [`Answer::Unreachable`] at the latest after 1.5 s,
/// or after 3 s where much else is asked at the same time; never for the relay's own lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A lease that ends so long after it was last kept alive.
    Grant {
        /// The time, in whole seconds.
        ttl: Duration,
    },
    /// Keep a lease alive.
    KeepAlive {
        /// Which.
        lease: LeaseId,
    },
    /// End a lease, and with it all keys under it.
    Revoke {
        /// Which.
        lease: LeaseId,
    },
    /// Write, all or nothing.
    Write(Write),
}

/// Writes in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Under which condition.
    pub guard: Option<Guard>,
    /// Keys to put.
    pub puts: Vec<Put>,
    /// Keys to delete, if they are there.
    pub deletes: Vec<Vec<u8>>,
}

/// A key must have been changed last at this revision; revision 0 means that it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The key.
    pub key: Vec<u8>,
    /// Its revision (etcd: `mod_revision`).
    pub revision: Revision,
}

/// A key to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// It is deleted when this lease ends.
    pub lease: Option<LeaseId>,
}

/// What the directory answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Here is the lease.
    Granted {
        /// Its name.
        lease: LeaseId,
        /// How long it lasts, which may be longer than asked.
        ttl: Duration,
    },
    /// The lease lives on for so long.
    Alive {
        /// From when it was asked.
        ttl: Duration,
    },
    /// There is no such lease (any more); also says this of a write under one.
    Gone,
    /// It is written; all of it has this revision.
    Written {
        /// The revision.
        revision: Revision,
    },
    /// The guard does not hold, nothing is written.
    Refused {
        /// What the guarded key is, if it is there.
        found: Option<Found>,
    },
    /// The lease has been ended.
    Revoked,
    /// No answer in time, or one that says nothing. The request may have been done.
    Unreachable,
}

/// A value and its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The value.
    pub value: Vec<u8>,
    /// When it was last changed (etcd: `mod_revision`).
    pub revision: Revision,
}

/// A key as it is in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// When it was last changed (etcd: `mod_revision`).
    pub revision: Revision,
}

impl Entry {
    /// Whether a relay may have written it: its key is a fleet's, and its value is no longer than any of those.
    pub fn is_a_fleets(&self) -> bool {
        self.value.len() <= MAX_VALUE && Key::parse(&self.key).is_some()
    }
}

/// What the directory tells of itself: first all that is there, then each change in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Everything, as it is at this revision; also after the thread of changes was lost.
    Snapshot {
        /// Which directory this is (etcd: `cluster_id`).
        cluster: u64,
        /// As of when.
        revision: Revision,
        /// All keys below the fleet's prefix that are a fleet's by their names.
        entries: Vec<Entry>,
        /// How many others there are.
        ignored: u64,
    },
    /// A key has been put.
    Put(Entry),
    /// A key has been deleted, or its lease has ended.
    Gone {
        /// Which.
        key: Vec<u8>,
        /// Since when.
        revision: Revision,
    },
    /// Changes are not heard of at the moment.
    Deaf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_has_another_name_is_no_fleets() {
        let is = |key: &str, length| {
            let entry = Entry {
                key: key.as_bytes().to_vec(),
                value: vec![b'x'; length],
                revision: Revision(1),
            };
            entry.is_a_fleets()
        };
        assert!(is("relays/00000000000000ab", MAX_VALUE) && is("fleet", 0));
        assert!(!is("relays/00000000000000ab", MAX_VALUE + 1) && !is("diary", 1));
    }
}
