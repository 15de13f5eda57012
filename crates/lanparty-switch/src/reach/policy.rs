//! What players may reach, as a host says it.

use super::target::{BadTarget, Target};
use std::fmt;
use std::str::FromStr;

/// How many machines and ports a policy may name.
pub const MAX_TARGETS: usize = 64;

/// What of the LAN players may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Policy {
    /// Everything.
    #[default]
    Everything,
    /// Games, and what is named.
    Games {
        /// What else.
        also: Vec<Target>,
    },
    /// What is named.
    Only {
        /// Which.
        allowed: Vec<Target>,
    },
}

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadPolicy {
    /// It names nothing.
    Empty,
    /// It names everything and something.
    EverythingAnd,
    /// It names too much.
    TooMany,
    /// What it names cannot be read.
    Target(BadTarget),
}

impl fmt::Display for BadPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadPolicy::Empty => f.write_str(
                "it is not said what players may reach; write everything, games, or machines and ports such as \
                 192.168.50.2:27960",
            ),
            BadPolicy::EverythingAnd => f.write_str(
                "everything includes the rest; write everything alone, or leave it out",
            ),
            BadPolicy::TooMany => write!(
                f,
                "more than {MAX_TARGETS} machines and ports are named; name networks (ADDRESS/24) or ports in a row \
                 (ADDRESS:FIRST-LAST)"
            ),
            BadPolicy::Target(bad) => bad.fmt(f),
        }
    }
}

impl std::error::Error for BadPolicy {}

impl FromStr for Policy {
    type Err = BadPolicy;

    /// `everything`, `games`, `games,WHAT,…` or `WHAT,…`.
    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        let words = || text.split(',').map(str::trim);
        let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
        if words().any(|word| is(word, "everything")) {
            return match words().count() {
                1 => Ok(Policy::Everything),
                _ => Err(BadPolicy::EverythingAnd),
            };
        }
        let has_games = words().any(|word| is(word, "games"));
        let named = words().filter(|word| !is(word, "games"));
        match has_games {
            true => Self::games(named),
            false => Self::only(named),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, named) = match self {
            Policy::Everything => return f.write_str("everything"),
            Policy::Games { also } => (Some("games".to_owned()), also),
            Policy::Only { allowed } => (None, allowed),
        };
        let words = word.into_iter().chain(named.iter().map(Target::to_string));
        f.write_str(&words.collect::<Vec<_>>().join(","))
    }
}

impl Policy {
    /// Games, and these.
    ///
    /// # Errors
    /// [`BadPolicy`].
    pub fn games<'a>(also: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPolicy> {
        Ok(Policy::Games {
            also: targets(also)?,
        })
    }

    /// These and nothing else; at least one, or it would be a slip.
    ///
    /// # Errors
    /// [`BadPolicy`].
    pub fn only<'a>(allowed: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPolicy> {
        let allowed: Vec<_> = allowed.into_iter().collect();
        if allowed.is_empty() || allowed == [""] {
            return Err(BadPolicy::Empty);
        }
        Ok(Policy::Only {
            allowed: targets(allowed)?,
        })
    }

    /// True when nobody is held to anything by it.
    pub fn is_everything(&self) -> bool {
        matches!(self, Policy::Everything)
    }

    /// What it names.
    pub fn named(&self) -> &[Target] {
        match self {
            Policy::Everything => &[],
            Policy::Games { also } => also,
            Policy::Only { allowed } => allowed,
        }
    }

    /// One thing more; false when that is no news.
    ///
    /// # Errors
    /// [`BadPolicy::TooMany`].
    pub fn allow(&mut self, target: Target) -> Result<bool, BadPolicy> {
        let named = match self {
            Policy::Everything => return Ok(false),
            Policy::Games { also: named } | Policy::Only { allowed: named } => named,
        };
        if named.contains(&target) {
            return Ok(false);
        }
        if named.len() >= MAX_TARGETS {
            return Err(BadPolicy::TooMany);
        }
        named.push(target);
        Ok(true)
    }

    /// One thing less; false when it was not named.
    pub fn disallow(&mut self, target: Target) -> bool {
        match self {
            Policy::Everything => false,
            Policy::Games { also: named } | Policy::Only { allowed: named } => {
                let before = named.len();
                named.retain(|&other| other != target);
                named.len() < before
            }
        }
    }
}

fn targets<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Target>, BadPolicy> {
    let mut targets = Vec::new();
    for word in words {
        let target: Target = word.parse().map_err(BadPolicy::Target)?;
        if !targets.contains(&target) {
            targets.push(target);
        }
        if targets.len() > MAX_TARGETS {
            return Err(BadPolicy::TooMany);
        }
    }
    Ok(targets)
}
