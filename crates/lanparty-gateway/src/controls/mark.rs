//! By what a host means somebody.

use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{Fingerprint, Name};
use lanparty_proto::VirtualMac;

/// What a word of the host's may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    Mac(VirtualMac),
    /// A fingerprint, whole or as `list` shows it.
    Key(&'a str),
    /// A name that the host gave, however its letters are written.
    Label(&'a str),
    Name(&'a str),
    /// A name, however its letters are written.
    Called(&'a str),
}

impl<'a> Mark<'a> {
    /// All that it may be, to be tried in this order: anybody can choose a name that looks like somebody's
    /// MAC or key, and a name that the host gave is no stranger's.
    pub(super) fn all(who: &'a str) -> impl Iterator<Item = Self> {
        let mac = who.parse().ok().map(Mark::Mac);
        let words = [
            Mark::Key(who),
            Mark::Label(who),
            Mark::Name(who),
            Mark::Called(who),
        ];
        let words = words.into_iter().filter(move |_| mac.is_none());
        mac.into_iter().chain(words)
    }

    /// True for this MAC, or this key.
    pub(super) fn is_of(self, person: Person) -> bool {
        match (self, person) {
            (Mark::Mac(meant), Person::Mac(mac)) => meant == mac,
            (Mark::Key(meant), Person::Identity(identity)) => {
                meant.len() >= Fingerprint::SHORT_LEN && identity.to_string().starts_with(meant)
            }
            _ => false,
        }
    }

    /// True for a name that the host gave.
    pub(super) fn is_label(self, label: Option<&Name>) -> bool {
        match (self, label) {
            (Mark::Label(meant), Some(label)) => {
                meant.to_lowercase() == label.as_str().to_lowercase()
            }
            _ => false,
        }
    }

    /// True for this name.
    pub(super) fn is_name(self, name: Option<&Name>) -> bool {
        let Some(name) = name.map(Name::as_str) else {
            return false;
        };
        match self {
            Mark::Name(meant) => meant == name,
            Mark::Called(meant) => meant.to_lowercase() == name.to_lowercase(),
            Mark::Mac(_) | Mark::Key(_) | Mark::Label(_) => false,
        }
    }
}
