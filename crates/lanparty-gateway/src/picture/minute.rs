//! A player's last minute: a round trip for each second.

use std::collections::VecDeque;

/// So many seconds are shown.
const SECONDS: usize = 60;

/// The round trips, the oldest first; 0 where nothing is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Minute(VecDeque<u32>);

impl Minute {
    /// A second has passed.
    pub(super) fn push(&mut self, ping_us: Option<u32>) {
        if self.0.len() == SECONDS {
            self.0.pop_front();
        }
        self.0.push_back(ping_us.unwrap_or(0));
    }

    pub(super) fn seconds(&self) -> Vec<u32> {
        self.0.iter().copied().collect()
    }
}
