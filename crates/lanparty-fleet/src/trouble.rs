//! What an operator hears of the fleet, one sentence each.

use std::collections::HashMap;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

/// The same is said once in that time.
const SELDOM: Duration = Duration::from_secs(60);

/// What an operator should know of; each is said once a minute at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing was heard from the directory for nearly as long as the lease lasts.
    Silent,
    /// It answers again.
    Back,
    /// It ended this relay's lease.
    LeaseLost,
    /// Somebody writes there who is no relay.
    Garbage {
        /// So much has come by since the start.
        seen: u64,
    },
    /// The fleet there has another secret.
    WrongSecret,
    /// What the fleet agrees on is not readable.
    NotAFleet,
    /// It is not the directory that it was.
    AnotherDirectory,
    /// Another relay says that it is where this one is.
    SameAddress,
    /// No other relay takes this one's rooms.
    NowhereToMove,
    /// The relay is slow and gets new rooms only where all are.
    Slow,
    /// It is no longer.
    Recovered,
    /// It is so slow that rooms leave it.
    TooSlow,
}

impl Trouble {
    /// Whether the operator should look, rather than just know.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Trouble::Back | Trouble::Recovered)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Silent => f.write_str(
                "The directory has not answered for more than 2 seconds: rooms that are here go on, new ones are not opened; \
                 see whether etcd runs and can be reached",
            ),
            Trouble::Back => f.write_str("The directory answers again"),
            Trouble::LeaseLost => f.write_str(
                "The directory has ended this relay's lease: rooms that nobody else has are put back under a new one",
            ),
            Trouble::Garbage { seen } => write!(
                f,
                "{seen} keys or values in the directory are none that relays write, and are ignored: \
                 somebody else writes below the fleet's prefix",
            ),
            Trouble::WrongSecret => f.write_str(
                "The directory belongs to a fleet with another secret: give all relays the same one, or this one another prefix",
            ),
            Trouble::NotAFleet => f.write_str(
                "The directory's key `fleet` holds what no relay writes: delete it, or choose another prefix",
            ),
            Trouble::AnotherDirectory => f.write_str(
                "The directory is another one than before, or was emptied: everything that is here is put into it",
            ),
            Trouble::SameAddress => f.write_str(
                "Another relay of the fleet has this one's address, and peers who are sent to either may come to the wrong one: \
                 give each its own with `--advertise`",
            ),
            Trouble::NowhereToMove => f.write_str(
                "No other relay of the fleet takes rooms: those that should leave stay until one does",
            ),
            Trouble::Slow => f.write_str(
                "This relay was late by more than 5 ms for 5 seconds: new rooms go to others, unless those are late too; \
                 it needs a faster machine, or the fleet one relay more",
            ),
            Trouble::Recovered => f.write_str("This relay is fast again and gets new rooms as others do"),
            Trouble::TooSlow => f.write_str(
                "This relay is late by more than 20 ms: its newest rooms move to others",
            ),
        }
    }
}

/// What was said lately.
#[derive(Debug, Default)]
pub(crate) struct Said(HashMap<Discriminant<Trouble>, Instant>);

impl Said {
    /// Whether to say it now.
    pub(crate) fn say(&mut self, now: Instant, trouble: Trouble) -> bool {
        let said = self.0.get(&discriminant(&trouble));
        if said.is_some_and(|&said| now < said + SELDOM) {
            return false;
        }
        self.0.insert(discriminant(&trouble), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute() {
        let start = Instant::now();
        let mut said = Said::default();
        assert!(said.say(start, Trouble::Garbage { seen: 1 }));
        assert!(!said.say(start, Trouble::Garbage { seen: 900 }));
        assert!(said.say(start, Trouble::Silent));
        assert!(said.say(start + SELDOM, Trouble::Garbage { seen: 901 }));
    }
}
