//! How much a player may send: token buckets (spec R30).

use lanparty_obs::DropReason;
use std::fmt;
use std::time::Instant;

/// A token bucket's size and refill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What a full bucket holds.
    pub burst: u32,
    /// What flows in each second.
    pub per_second: u32,
}

/// What each client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Broadcast and multicast frames.
    pub group: Rate,
    /// Frames to addresses that nobody has been heard from.
    pub unknown: Rate,
    /// Bytes of frames of every kind.
    pub bytes: Rate,
}

impl Default for Rates {
    /// The numbers of spec R30: a LAN's discovery chatter fits many times over, a storm does not.
    fn default() -> Self {
        Rates {
            group: Rate {
                burst: 128,
                per_second: 64,
            },
            unknown: Rate {
                burst: 64,
                per_second: 32,
            },
            bytes: Rate {
                burst: 4 << 20,
                per_second: 12_500_000,
            },
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s after {}", self.per_second, self.burst)
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rates {
            group,
            unknown,
            bytes,
        } = self;
        write!(
            f,
            "broadcast {group}, unknown unicast {unknown}, bytes {bytes}"
        )
    }
}

/// What kind of frame wants to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    Known,
    Unknown,
    Group,
}

/// One client's buckets.
#[derive(Debug)]
pub(crate) struct Allowance {
    group: Bucket,
    unknown: Bucket,
    bytes: Bucket,
}

impl Allowance {
    pub(crate) fn new(now: Instant, rates: Rates) -> Self {
        Allowance {
            group: Bucket::full(now, rates.group),
            unknown: Bucket::full(now, rates.unknown),
            bytes: Bucket::full(now, rates.bytes),
        }
    }

    /// Pays for a frame of `bytes`, or for nothing at all when one of the buckets is too empty.
    pub(crate) fn spend(
        &mut self,
        now: Instant,
        traffic: Traffic,
        bytes: usize,
    ) -> Result<(), DropReason> {
        let frames = match traffic {
            Traffic::Known => return self.spend_bytes(now, bytes),
            Traffic::Unknown => &mut self.unknown,
            Traffic::Group => &mut self.group,
        };
        if !frames.holds(now, 1) {
            return Err(match traffic {
                Traffic::Group => DropReason::BroadcastRate,
                Traffic::Unknown | Traffic::Known => DropReason::UnknownUnicastRate,
            });
        }
        if !self.bytes.take(now, bytes) {
            return Err(DropReason::ByteRate);
        }
        frames.take(now, 1);
        Ok(())
    }

    /// Pays for bytes alone.
    pub(crate) fn spend_bytes(&mut self, now: Instant, bytes: usize) -> Result<(), DropReason> {
        match self.bytes.take(now, bytes) {
            true => Ok(()),
            false => Err(DropReason::ByteRate),
        }
    }
}

/// Tokens are kept in billionths, so that each nanosecond brings `per_second` of them and nothing
/// is ever rounded.
const TOKEN: u64 = 1_000_000_000;

/// Tokens that are taken, and flow back.
#[derive(Debug)]
pub struct Bucket {
    level: u64,
    capacity: u64,
    per_nanosecond: u64,
    filled_at: Instant,
}

impl Bucket {
    /// One that holds what it can.
    pub fn full(now: Instant, rate: Rate) -> Self {
        let capacity = u64::from(rate.burst) * TOKEN;
        Bucket {
            level: capacity,
            capacity,
            per_nanosecond: rate.per_second.into(),
            filled_at: now,
        }
    }

    /// True when nothing is missing.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level == self.capacity
    }

    /// True when there are so many.
    pub fn holds(&mut self, now: Instant, tokens: usize) -> bool {
        self.fill(now);
        self.level >= cost(tokens)
    }

    /// Takes so many, if there are.
    pub fn take(&mut self, now: Instant, tokens: usize) -> bool {
        let holds = self.holds(now, tokens);
        if holds {
            self.level -= cost(tokens);
        }
        holds
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled_at).as_nanos();
        let gain = u64::try_from(elapsed)
            .unwrap_or(u64::MAX)
            .saturating_mul(self.per_nanosecond);
        self.level = self.level.saturating_add(gain).min(self.capacity);
        self.filled_at = self.filled_at.max(now);
    }
}

fn cost(tokens: usize) -> u64 {
    (tokens as u64).saturating_mul(TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn allowance() -> (Instant, Allowance) {
        let now = Instant::now();
        (now, Allowance::new(now, Rates::default()))
    }

    #[test]
    fn a_burst_passes_and_then_the_refill_decides() {
        let (now, mut allowance) = allowance();
        let mut passed = |at: Instant, traffic| {
            (0..1000)
                .filter(|_| allowance.spend(at, traffic, 60).is_ok())
                .count()
        };
        assert_eq!(passed(now, Traffic::Group), 128);
        assert_eq!(passed(now, Traffic::Unknown), 64);
        assert_eq!(
            passed(now, Traffic::Known),
            1000,
            "known unicast only pays bytes"
        );
        let later = now + Duration::from_millis(500);
        assert_eq!(passed(later, Traffic::Group), 32);
        assert_eq!(passed(later, Traffic::Unknown), 16);
        let much_later = now + Duration::from_secs(86_400 * 365 * 100);
        assert_eq!(
            passed(much_later, Traffic::Group),
            128,
            "never more than a burst"
        );
    }

    #[test]
    fn bytes_run_out_for_every_kind_and_cost_no_other_token() {
        let (now, mut allowance) = allowance();
        let mut frames = 0;
        while allowance.spend(now, Traffic::Known, 1514).is_ok() {
            frames += 1;
        }
        assert_eq!(frames, (4 << 20) / 1514);
        let group = allowance.spend(now, Traffic::Group, 1514);
        assert_eq!(group, Err(DropReason::ByteRate));
        let full = u64::from(Rates::default().group.burst) * TOKEN;
        assert_eq!(allowance.group.level, full);
    }

    #[test]
    fn the_numbers_in_force_can_be_read() {
        assert_eq!(
            Rates::default().to_string(),
            "broadcast 64/s after 128, unknown unicast 32/s after 64, bytes 12500000/s after 4194304"
        );
    }

    #[test]
    fn each_kind_has_its_own_reason() {
        let (now, mut allowance) = allowance();
        let mut last = |traffic| {
            (0..200)
                .find_map(|_| allowance.spend(now, traffic, 60).err())
                .unwrap()
        };
        assert_eq!(last(Traffic::Group), DropReason::BroadcastRate);
        assert_eq!(last(Traffic::Unknown), DropReason::UnknownUnicastRate);
    }

    #[test]
    fn a_clock_that_stands_or_steps_back_gives_nothing() {
        let (now, mut allowance) = allowance();
        let now = now + Duration::from_secs(60);
        while allowance.spend(now, Traffic::Group, 0).is_ok() {}
        let earlier = now - Duration::from_secs(30);
        assert!(allowance.spend(earlier, Traffic::Group, 0).is_err());
        assert!(allowance.spend(now, Traffic::Group, 0).is_err());
    }
}
