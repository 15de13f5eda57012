//! How much a peer carries of late, from its own counters.

use lanparty_obs::PeerStats;
use std::time::Instant;

/// Bytes per second between a peer's last two counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Speeds {
    pub(super) sends: u64,
    pub(super) receives: u64,
}

impl Speeds {
    /// The speeds between two counts; none while no time has passed. Counts come from strangers: what
    /// goes backwards is nothing.
    pub(super) fn between(
        (then, before): (Instant, &PeerStats),
        (now, after): (Instant, &PeerStats),
    ) -> Option<Self> {
        let millis = now.checked_duration_since(then)?.as_millis();
        let speed = |before: u64, after: u64| {
            let bytes = u128::from(after.saturating_sub(before));
            let speed = (1000 * bytes).checked_div(millis)?;
            Some(u64::try_from(speed).unwrap_or(u64::MAX))
        };
        Some(Speeds {
            sends: speed(before.bytes_to_relay, after.bytes_to_relay)?,
            receives: speed(before.bytes_from_relay, after.bytes_from_relay)?,
        })
    }
}
