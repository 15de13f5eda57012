//! What of a relay outlives it in the one that takes its place: which rooms are claimed, whether it drains, and nothing else.
//! The members come back and bring the rest: their places, their host's orders.

use super::Registry;
use super::claims::KeptClaim;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, Instant};

/// So long members have to come back to a relay that takes in nobody new: it does not know who they are.
const RETURN: Duration = Duration::from_secs(10);

/// What a relay leaves to its successor. It holds keys, so `Debug` counts only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Legacy {
    #[serde(default)]
    claims: Vec<KeptClaim>,
    #[serde(default)]
    drain: Option<KeptDrain>,
    /// In which time systemd wants to hear of it: it tells that to those alone that it starts.
    #[serde(default)]
    pub(crate) watchdog: Option<Duration>,
}

/// How a relay drains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptDrain {
    /// How long it goes on at most.
    left: Option<Duration>,
}

impl fmt::Debug for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (claims, drain) = (self.claims.len(), &self.drain);
        write!(f, "Legacy({claims} claims, {drain:?})")
    }
}

impl<L: Clone> Registry<L> {
    /// What a successor needs of this relay.
    pub(crate) fn legacy(&self, now: Instant) -> Legacy {
        let left = |until: Instant| until.saturating_duration_since(now);
        Legacy {
            claims: self.claims.kept(now),
            drain: self.draining().map(|draining| KeptDrain {
                left: draining.until.map(left),
            }),
            watchdog: None,
        }
    }

    /// Takes on what a predecessor had.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only Linux has relays that take over")
    )]
    pub(crate) fn inherit(&mut self, now: Instant, legacy: Legacy) {
        self.claims.inherit(now, legacy.claims);
        if let Some(drain) = legacy.drain {
            self.drain_gently(drain.left.and_then(|left| now.checked_add(left)));
            self.members_return_until = Some(now + RETURN);
        }
    }
}
