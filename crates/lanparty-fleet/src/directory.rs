//! What a fleet and its directory say to each other.
//!
//! Keys are bytes below the fleet's prefix, which only the shell knows. Every word here has its match in etcd.

pub use crate::entry::{Entry, Revision};

use crate::view::View;
use std::time::Duration;

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
    /// Under which conditions, all of them.
    pub guards: Vec<Guard>,
    /// Keys to put.
    pub puts: Vec<Put>,
    /// Keys to delete, if they are there.
    pub deletes: Vec<Vec<u8>>,
}

/// What must be so, in the moment of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// A key was changed last at this revision; revision 0 means that it is not there.
    Revision {
        /// The key.
        key: Vec<u8>,
        /// Its revision (etcd: `mod_revision`).
        revision: Revision,
    },
    /// A key is there and has this value.
    Value {
        /// The key.
        key: Vec<u8>,
        /// Its value, byte by byte.
        value: Vec<u8>,
    },
}

impl Guard {
    /// Of which key.
    pub fn key(&self) -> &[u8] {
        match self {
            Guard::Revision { key, .. } | Guard::Value { key, .. } => key,
        }
    }
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
    /// Not all guards hold, nothing is written.
    Refused {
        /// What the guarded keys are, one for each guard, where they are there.
        found: Vec<Option<Found>>,
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

/// What the directory tells of itself: first all that is there, then each change in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Everything, as it is at this revision; also after the thread of changes was lost.
    Snapshot {
        /// Which directory this is (etcd: `cluster_id`).
        cluster: u64,
        /// As of when.
        revision: Revision,
        /// All that is below the fleet's prefix, read already: for a large fleet that takes longer than a relay's rooms
        /// may wait.
        view: Box<View>,
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
