//! Whether a router is still the one that was asked, or has started anew and forgotten everything.
//!
//! Each answer of PCP and NAT-PMP, and what a router says to everybody when it starts, has the seconds since then
//! (RFC 6886 §3.6, RFC 6887 §8.5):
//!
//! ```text
//!  NAT-PMP   0 | 128 + op | result (2) | epoch (4) | …                          8 bytes and more
//!  PCP       2 | 128 + op | 0 | result | lifetime (4) | epoch (4) | 0 (12) | …  24 bytes and more
//! ```

use crate::way::Way;
use std::net::IpAddr;
use std::time::Instant;

/// What only asks for the epoch: a NAT-PMP router its address outside, a PCP server an ANNOUNCE.
pub(crate) fn question(way: Way, own: IpAddr) -> Option<Vec<u8>> {
    match way {
        Way::NatPmp => Some(vec![0, 0]),
        Way::Pcp => {
            let own = match own {
                IpAddr::V4(own) => own.to_ipv6_mapped(),
                IpAddr::V6(own) => own,
            };
            Some([&[2, 0, 0, 0, 0, 0, 0, 0][..], &own.octets()].concat())
        }
        Way::Upnp => None,
    }
}

/// The epoch in an answer, or in what a router says to everybody.
pub(crate) fn read(bytes: &[u8]) -> Option<u32> {
    const ANSWER: u8 = 128;
    let at = match bytes {
        [0, op, ..] if op & ANSWER != 0 => 4,
        [2, op, ..] if op & ANSWER != 0 && bytes.len() >= 24 => 8,
        _ => return None,
    };
    let epoch = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(epoch))
}

/// An epoch, and when it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) seconds: u32,
    pub(crate) at: Instant,
}

impl Epoch {
    /// False when the router that says this epoch now has started anew since this one.
    pub(crate) fn goes_on_to(self, now: Instant, seconds: u32) -> bool {
        // One second backwards is two answers that overtook each other.
        let Some(router) = (i64::from(seconds) + 1).checked_sub(i64::from(self.seconds)) else {
            return false;
        };
        if router < 0 {
            return false;
        }
        let router = router - 1;
        let passed = now.saturating_duration_since(self.at).as_secs();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        // Clocks may differ by a sixteenth.
        let slow = |seconds: i64| seconds - seconds / 16;
        passed.saturating_add(2) >= slow(router) && router + 2 >= slow(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn an_answer_has_the_seconds_since_the_routers_start() {
        let natpmp = [0, 128, 0, 0, 0, 0, 1, 2, 203, 0, 113, 7];
        assert_eq!(read(&natpmp), Some(258));
        // One that cannot do it answers so as well.
        assert_eq!(read(&[0, 128, 0, 1, 0, 0, 0, 9]), Some(9));
        let mut pcp = [0; 24];
        pcp[..2].copy_from_slice(&[2, 128]);
        pcp[11] = 7;
        assert_eq!(read(&pcp), Some(7));
        assert_eq!(read(&pcp[..23]), None);
        assert_eq!(read(&natpmp[..7]), None);
        assert_eq!(read(&[0, 0, 0, 0, 0, 0, 1, 2]), None, "a question");
        assert_eq!(read(&[1, 128, 0, 0, 0, 0, 1, 2]), None, "another version");
    }

    #[test]
    fn a_question_is_as_long_as_its_protocol_has_it() {
        let own = "192.168.1.7".parse().unwrap();
        assert_eq!(question(Way::NatPmp, own).unwrap(), [0, 0]);
        let pcp = question(Way::Pcp, own).unwrap();
        assert_eq!(
            (pcp.len(), &pcp[18..]),
            (24, &[255, 255, 192, 168, 1, 7][..])
        );
        assert_eq!(question(Way::Upnp, own), None);
    }

    #[test]
    fn a_router_that_counts_on_is_the_same() {
        let at = Instant::now();
        let heard = Epoch { seconds: 1000, at };
        for (passed, seconds, same) in [
            (0, 1000, true),
            (0, 999, true),
            (0, 998, false),
            (60, 1060, true),
            (60, 1057, true),
            (60, 1000, false),
            (60, 1200, false),
            (3600, 4450, true),
            (3600, 10, false),
            // It has started before, and for longer than we have known it.
            (3600, 2000, false),
        ] {
            let now = at + Duration::from_secs(passed);
            let goes_on = heard.goes_on_to(now, seconds);
            assert_eq!(goes_on, same, "{passed} s later: {seconds}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let read = read(&bytes);
            prop_assert!(read.is_none() || bytes.len() >= 8);
        }

        #[test]
        fn no_epoch_is_too_much(before: u32, after: u32, passed in 0u64..1 << 40) {
            let at = Instant::now();
            let heard = Epoch { seconds: before, at };
            let now = at.checked_add(Duration::from_secs(passed)).unwrap_or(at);
            let goes_on = heard.goes_on_to(now, after);
            prop_assert!(!goes_on || u64::from(after) + 1 >= u64::from(before));
        }
    }
}
