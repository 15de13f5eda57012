//! What waits.

use super::tag::Tag;
use std::time::Instant;

/// A frame, its length in bytes, since when it waits, and its flow.
#[derive(Debug)]
pub(super) struct Waiting<T> {
    pub(super) frame: T,
    pub(super) len: usize,
    pub(super) since: Instant,
    pub(super) flow: Tag,
}
