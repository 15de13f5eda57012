//! What of a relay outlives it in the one that takes its place: which rooms are claimed, and nothing else. The members
//! come back and bring the rest: their places, their host's orders.

use super::Registry;
use super::claims::KeptClaim;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Instant;

/// What a relay leaves to its successor. It holds keys, so `Debug` counts only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Legacy {
    #[serde(default)]
    claims: Vec<KeptClaim>,
}

impl fmt::Debug for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Legacy({} claims)", self.claims.len())
    }
}

impl<L: Clone> Registry<L> {
    /// What a successor needs of this relay.
    pub(crate) fn legacy(&self, now: Instant) -> Legacy {
        Legacy {
            claims: self.claims.kept(now),
        }
    }

    /// Takes on what a predecessor had.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only Linux has relays that take over")
    )]
    pub(crate) fn inherit(&mut self, now: Instant, legacy: Legacy) {
        self.claims.inherit(now, legacy.claims);
    }
}
