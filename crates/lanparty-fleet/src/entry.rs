//! A key of the directory, with its value and when that was written.

/// How many changes the directory had seen; counts up with each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

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
