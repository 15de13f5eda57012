//! Random numbers from a seed (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>): for waits that differ between
//! machines, and for numbers that tell one exchange from another. Nothing secret is made of them.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(crate) fn number(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).expect("32 bits are left")
    }

    /// One of `count`, from 0.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        self.number() % count
    }

    /// From nothing up to `most`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(f64::from(self.number()) / f64::from(u32::MAX))
    }

    /// Give or take an eighth.
    pub(crate) fn around(&mut self, wait: Duration) -> Duration {
        wait - wait / 8 + self.up_to(wait / 4)
    }
}
