//! What players may reach on the LAN, as the host wants it: for everybody, and for some of them.
//!
//! The judge is [`lanparty_switch::reach`]. Here stands whose policy is whose, and how the host's views write it.

use lanparty_ctrl::orders::Person;
use lanparty_gateway_control as control;
use lanparty_switch::reach::{BadPolicy, Policy};
use std::collections::BTreeMap;

/// What the host wants of everybody's reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of those of whom nothing else is said.
    pub everybody: Policy,
    /// Of these.
    pub own: BTreeMap<Person, Policy>,
}

/// As views write it.
pub(crate) fn written(policy: &Policy) -> control::Reach {
    let words = policy.named().iter().map(ToString::to_string).collect();
    match policy {
        Policy::Everything => control::Reach::Everything,
        Policy::Games { .. } => control::Reach::Games { also: words },
        Policy::Only { .. } => control::Reach::Only { allowed: words },
    }
}

/// What is written so.
///
/// # Errors
/// [`BadPolicy`].
pub(crate) fn meant(reach: &control::Reach) -> Result<Policy, BadPolicy> {
    let words = |words: &'_ [String]| {
        words
            .iter()
            .map(|word| word.trim().to_owned())
            .collect::<Vec<_>>()
    };
    match reach {
        control::Reach::Everything => Ok(Policy::Everything),
        control::Reach::Games { also } => Policy::games(words(also).iter().map(String::as_str)),
        control::Reach::Only { allowed } => Policy::only(words(allowed).iter().map(String::as_str)),
    }
}

/// The same of what was kept: what this version cannot read of it opens nothing.
pub(crate) fn kept(reach: &control::Reach) -> Policy {
    let readable = |words: &[String]| words.iter().filter_map(|word| word.parse().ok()).collect();
    meant(reach).unwrap_or_else(|_| match reach {
        control::Reach::Everything => Policy::Everything,
        control::Reach::Games { also } => Policy::Games {
            also: readable(also),
        },
        control::Reach::Only { allowed } => Policy::Only {
            allowed: readable(allowed),
        },
    })
}

/// What players reach by it, as part of a sentence.
pub(crate) fn told(policy: &Policy) -> String {
    let named: Vec<_> = policy.named().iter().map(ToString::to_string).collect();
    let named = named.join(", ");
    match policy {
        Policy::Everything => "everything on the LAN".to_owned(),
        Policy::Games { also } if also.is_empty() => {
            "games on the LAN, and nothing else".to_owned()
        }
        Policy::Games { .. } => format!("games on the LAN and {named}, and nothing else"),
        Policy::Only { allowed } if allowed.is_empty() => "nothing on the LAN".to_owned(),
        Policy::Only { .. } => format!("{named} on the LAN, and nothing else"),
    }
}
