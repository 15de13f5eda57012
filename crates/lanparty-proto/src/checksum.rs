//! The Internet checksum (RFC 1071), whole and repaired in place (RFC 1624).

use std::ops::AddAssign;

/// A one's complement sum under way.
///
/// It adds native words, because the sum does not care about byte order as long as the result is
/// swapped once (RFC 1071 §2 B). 32-bit words in 64 bits leave the carries for the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The sum of these bytes; an odd last byte counts as if a zero followed.
    pub fn of(bytes: &[u8]) -> Self {
        // Four independent lanes, so that the compiler can add them side by side.
        let mut lanes = [0_u64; 4];
        let mut blocks = bytes.chunks_exact(16);
        for block in &mut blocks {
            for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
                *lane += u64::from(native_word(word));
            }
        }
        let mut sum: u64 = lanes.iter().sum();
        for word in blocks.remainder().chunks(4) {
            sum += u64::from(native_word(word));
        }
        Sum(sum)
    }

    /// What TCP and UDP over IPv4 cover besides themselves (RFC 9293 §3.1): addresses, protocol, and
    /// their own length.
    pub fn pseudo_v4(source: [u8; 4], destination: [u8; 4], protocol: u8, len: u16) -> Self {
        let mut sum = Sum::of(&source);
        sum += Sum::of(&destination);
        sum += Sum::of(&[0, protocol]);
        sum += Sum::of(&len.to_be_bytes());
        sum
    }

    /// What TCP, UDP and ICMPv6 over IPv6 cover besides themselves (RFC 8200 §8.1).
    pub fn pseudo_v6(source: [u8; 16], destination: [u8; 16], protocol: u8, len: u32) -> Self {
        let mut sum = Sum::of(&source);
        sum += Sum::of(&destination);
        sum += Sum::of(&[0, protocol]);
        sum += Sum::of(&len.to_be_bytes());
        sum
    }

    /// The sum itself, as it stands in a field that asks others to finish it.
    pub fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::from_be(u16::try_from(sum).expect("the carries are folded in"))
    }

    /// The checksum: the complement of the sum. Bytes that contain their right checksum have 0.
    pub fn checksum(self) -> u16 {
        !self.folded()
    }
}

impl AddAssign for Sum {
    /// Adds the sum of bytes that follow an even number of bytes.
    fn add_assign(&mut self, other: Self) {
        // Folding one side keeps any number of additions within 64 bits.
        self.0 = (self.0 & 0xffff_ffff) + (self.0 >> 32) + other.0;
    }
}

fn native_word(bytes: &[u8]) -> u32 {
    let mut word = [0; 4];
    word[..bytes.len()].copy_from_slice(bytes);
    u32::from_ne_bytes(word)
}

/// The checksum after one covered 16-bit word has changed (RFC 1624 §3, equation 3).
pub fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("the carries are folded in")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sums_the_example_of_rfc_1071() {
        let sum = Sum::of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.folded(), 0xddf2);
        assert_eq!(sum.checksum(), 0x220d);
    }

    #[test]
    fn a_header_with_its_checksum_sums_to_nothing() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8,
            0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
        ];
        assert_eq!(Sum::of(&header).checksum(), 0);
    }

    #[test]
    fn pseudo_headers_are_the_bytes_that_the_rfcs_draw() {
        let drawn = [10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0x12, 0x34];
        assert_eq!(
            Sum::pseudo_v4([10, 0, 0, 1], [10, 0, 0, 2], 17, 0x1234).folded(),
            Sum::of(&drawn).folded()
        );
        let mut drawn = [[0xfe; 16], [0x80; 16]].concat();
        drawn.extend([0, 1, 0x12, 0x34, 0, 0, 0, 58]);
        assert_eq!(
            Sum::pseudo_v6([0xfe; 16], [0x80; 16], 58, 0x0001_1234).folded(),
            Sum::of(&drawn).folded()
        );
    }

    /// Word by word, as RFC 1071 §4.1 writes it.
    fn plain(bytes: &[u8]) -> u16 {
        let mut sum = 0_u64;
        for pair in bytes.chunks(2) {
            sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap()
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_sum(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Sum::of(&bytes).folded(), plain(&bytes));
        }

        #[test]
        fn parts_at_even_places_add_up(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..100,
        ) {
            let (head, tail) = bytes.split_at((cut * 2).min(bytes.len() & !1));
            let mut sum = Sum::of(head);
            sum += Sum::of(tail);
            prop_assert_eq!(sum.folded(), plain(&bytes));
        }

        #[test]
        fn a_repaired_checksum_is_the_recomputed_one(
            mut words in prop::collection::vec(any::<u16>(), 1..50),
            at in any::<prop::sample::Index>(),
            new: u16,
        ) {
            let bytes = |words: &[u16]| -> Vec<u8> {
                words.iter().flat_map(|word| word.to_be_bytes()).collect()
            };
            // Something that is not zero is always covered: a length, a protocol.
            words.push(1);
            let before = Sum::of(&bytes(&words)).checksum();
            let at = at.index(words.len() - 1);
            let old = std::mem::replace(&mut words[at], new);
            prop_assert_eq!(updated(before, old, new), Sum::of(&bytes(&words)).checksum());
        }
    }

    #[test]
    fn the_largest_sum_does_not_overflow() {
        let mut sum = Sum::of(&[0xff; 1 << 16]);
        for _ in 0..100 {
            sum += sum;
        }
        assert_eq!(sum.folded(), 0xffff);
    }
}
