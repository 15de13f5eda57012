//! The names under which those who wait are known.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The name of a member, from a secret hash: nobody can choose whose queue to be in.
pub(super) type Tag = u64;
/// What is known of each name.
pub(super) type ByTag<T> = HashMap<Tag, T, BuildHasherDefault<TagHasher>>;

/// A number that nobody chooses, as a name that differs in all its bits (Knuth's multiplicative hash); none is zero.
pub(super) fn spread(number: u16) -> Tag {
    (Tag::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A tag is a hash already.
#[derive(Debug, Default)]
pub(super) struct TagHasher(u64);

impl Hasher for TagHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, tag: u64) {
        self.0 = tag;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
