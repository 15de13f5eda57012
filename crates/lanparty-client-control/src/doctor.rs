//! What a look at the machine found.

use crate::Fix;
use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The check, such as `driver`; the same on every machine.
    pub id: String,
    /// How it is.
    pub mark: Mark,
    /// What was found, as one sentence without keys or public addresses.
    pub sentence: String,
    /// What can be done about it here.
    #[serde(default)]
    pub fix: Option<FixOffer>,
    /// What a person can do about it elsewhere; every row with a cross has this or a fix.
    #[serde(default)]
    pub how_to: Option<String>,
    /// What was looked at one by one, for programs and for whoever helps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// As it should be.
    Good,
    /// It may be in the way.
    Doubt,
    /// It is in the way.
    Bad,
}

impl Mark {
    /// The sign that stands before a row.
    pub fn sign(self) -> char {
        match self {
            Mark::Good => '✓',
            Mark::Doubt => '!',
            Mark::Bad => '✗',
        }
    }
}

/// Something that can be mended with one press, and what that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixOffer {
    /// What is to be asked for.
    pub fix: Fix,
    /// The button's words, such as `Start the service`.
    pub label: String,
    /// What it will change, as one sentence that is shown before anything happens.
    pub changes: String,
    /// True when the system will ask for an administrator first.
    #[serde(default)]
    pub asks_admin: bool,
}
