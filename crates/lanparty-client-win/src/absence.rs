//! An adapter that is not there any more: when to tell the player, and when not to wait for it.

use std::time::{Duration, Instant};

/// A restart takes a second or two, and waking up not much more.
const RESTART: Duration = Duration::from_secs(4);
/// How long an adapter that is not even installed is waited for: a new driver may take it away and bring
/// it back.
const NEW_DRIVER: Duration = Duration::from_secs(15);

/// Where the adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Here, or back in a moment.
    Here,
    /// Disabled, asleep or broken: it may come back whenever somebody wants.
    Away,
    /// Uninstalled: what is installed next is another one.
    Gone,
}

/// How long the adapter has been away.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    since: Option<Instant>,
}

impl Absence {
    /// Looks again; whether it is installed is asked only when that matters.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        is_open: bool,
        is_installed: impl FnOnce() -> bool,
    ) -> Presence {
        if is_open {
            self.since = None;
            return Presence::Here;
        }
        let since = *self.since.get_or_insert(now);
        match now.saturating_duration_since(since) {
            away if away < RESTART => Presence::Here,
            away if away < NEW_DRIVER || is_installed() => Presence::Away,
            _ => Presence::Gone,
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_no_absence() {
        let (mut absence, begin) = (Absence::default(), Instant::now());
        assert_eq!(absence.look(begin, false, || true), Presence::Here);
        let later = begin + RESTART - Duration::from_secs(1);
        assert_eq!(absence.look(later, false, || true), Presence::Here);
        assert_eq!(absence.look(later, true, || true), Presence::Here);
        // The next one begins anew.
        let next = begin + RESTART;
        assert_eq!(absence.look(next, false, || true), Presence::Here);
    }

    #[test]
    fn a_disabled_adapter_is_waited_for_all_evening() {
        let (mut absence, begin) = (Absence::default(), Instant::now());
        absence.look(begin, false, || true);
        for minutes in 1..240 {
            let now = begin + Duration::from_secs(60 * minutes);
            assert_eq!(absence.look(now, false, || true), Presence::Away);
        }
    }

    #[test]
    fn an_uninstalled_adapter_is_waited_for_as_long_as_a_new_driver_takes() {
        let (mut absence, begin) = (Absence::default(), Instant::now());
        absence.look(begin, false, || false);
        let soon = begin + NEW_DRIVER - Duration::from_secs(1);
        assert_eq!(absence.look(soon, false, || false), Presence::Away);
        assert_eq!(
            absence.look(begin + NEW_DRIVER, false, || false),
            Presence::Gone
        );
    }
}
