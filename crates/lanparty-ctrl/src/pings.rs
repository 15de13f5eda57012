//! How far the others are from the relay, as a player is told it: what its window shows beside their names.
//!
//! A peer's address is nobody's business but the relay's, so players cannot ping each other without a LAN address; the
//! relay knows the round trips anyway. It tells only peers whose `hello` names the ability [`PINGS`]: older programs
//! take an unknown message for a broken protocol.

use lanparty_proto::PeerId;
use serde::{Deserialize, Serialize};

/// The ability of a peer to be told of round trips, in its `hello`.
pub const PINGS: &str = "pings";

/// Round trips between the relay and members of the room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pings {
    /// True when these are all that there is to know: whatever was told before is not true any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub all: bool,
    /// Members by their numbers, and the smoothed round trip to each in microseconds.
    pub rtt_us: Vec<(PeerId, u32)>,
    /// How many of a thousand packets of the relay's to whoever gets this got lost in the last minute; absent where too few
    /// were sent to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_permille: Option<u16>,
}

impl Pings {
    /// How many members are told of at most; no client keeps more in mind. One takes up to 19 bytes (`[65534,4294967295],`), so
    /// all of them are 19 KiB of the 64 that a message may have.
    pub const MOST: usize = 1024;

    /// Takes in what is to be told later than this.
    pub fn follow(&mut self, later: Pings) {
        if later.all {
            *self = later;
            return;
        }
        self.loss_permille = later.loss_permille;
        for (peer, rtt_us) in later.rtt_us {
            self.forget(peer);
            if self.rtt_us.len() < Self::MOST {
                self.rtt_us.push((peer, rtt_us));
            }
        }
    }

    /// Says nothing of this one any more.
    pub fn forget(&mut self, peer: PeerId) {
        self.rtt_us.retain(|&(known, _)| known != peer);
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RelayMessage, codec};

    fn pings(all: bool, rtts: &[(u16, u32)]) -> Pings {
        let rtts = rtts.iter();
        Pings {
            all,
            rtt_us: rtts
                .map(|&(peer, rtt)| (PeerId::new(peer).unwrap(), rtt))
                .collect(),
            loss_permille: None,
        }
    }

    #[test]
    fn what_waits_is_one_message_with_the_last_word_on_each() {
        let mut waiting = pings(true, &[(1, 10), (2, 20)]);
        waiting.follow(pings(false, &[(2, 21), (3, 30)]));
        assert_eq!(waiting, pings(true, &[(1, 10), (2, 21), (3, 30)]));
        waiting.forget(PeerId::new(1).unwrap());
        assert_eq!(waiting, pings(true, &[(2, 21), (3, 30)]));
        waiting.follow(Pings {
            loss_permille: Some(7),
            ..Pings::default()
        });
        assert_eq!(waiting.loss_permille, Some(7));
        waiting.follow(pings(true, &[(4, 40)]));
        assert_eq!(waiting, pings(true, &[(4, 40)]));
    }

    #[test]
    fn the_fullest_message_fits_whatever_waits_before_it() {
        let numbers = (1..).filter_map(PeerId::new);
        let rtt_us = numbers.map(|peer| (peer, u32::MAX));
        let all = |range: std::ops::Range<usize>| Pings {
            all: true,
            rtt_us: rtt_us.clone().skip(range.start).take(range.len()).collect(),
            loss_permille: Some(u16::MAX),
        };
        let mut waiting = all(60_000..60_000 + Pings::MOST);
        waiting.follow(Pings {
            all: false,
            ..all(0..Pings::MOST)
        });
        assert_eq!(waiting.rtt_us.len(), Pings::MOST);
        let bytes = codec::encode(&RelayMessage::Pings(waiting)).unwrap();
        assert!(bytes.len() < 20 * Pings::MOST, "{}", bytes.len());
    }
}
