//! What one round of a measurement found.

use std::time::Duration;

/// What one round found.
pub(crate) struct Measured {
    pub(crate) trips: Quantiles,
    pub(crate) tcp: BothWays<Transfer>,
    pub(crate) small: BothWays<PacketRate>,
}

#[derive(Clone, Copy)]
pub(crate) struct BothWays<T> {
    /// From the LAN to the player.
    pub(crate) down: T,
    pub(crate) up: T,
}

impl<T: Copy> BothWays<T> {
    /// The same, each way changed.
    pub(crate) fn map<U>(self, change: impl Fn(T) -> U) -> BothWays<U> {
        BothWays {
            down: change(self.down),
            up: change(self.up),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Quantiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

#[derive(Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) bits_per_second: f64,
    pub(crate) cpu_seconds_per_gb: f64,
}

/// The highest rate at which nearly all packets come.
#[derive(Clone, Copy)]
pub(crate) struct PacketRate {
    pub(crate) per_second: f64,
    /// More could not be sent, so this is not the way's limit.
    pub(crate) sender_was_the_limit: bool,
}
