//! What the host wants of the room until it is taken back: kept, and said again at every start.

use crate::ctl::wire::Ban;
use lanparty_ctrl::HostOrder;
use lanparty_ctrl::host::Person;
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The standing orders. Fields of later versions are ignored, and missing ones mean that nothing is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wishes {
    /// Who may come back into the room, while it is locked.
    pub(super) guests: Option<BTreeSet<VirtualMac>>,
    pub(super) isolated: bool,
    pub(super) muted: BTreeSet<Person>,
    pub(super) banned: Vec<Ban>,
}

impl Wishes {
    /// All of it, also what is not wanted: the relay may know nothing of it, have missed that something was
    /// taken back, or have followed another gateway meanwhile.
    pub(super) fn orders(&self) -> Vec<HostOrder> {
        vec![self.lock(), self.isolate(), self.ban()]
    }

    /// Whether the room is locked, and for whom it is not.
    pub(super) fn lock(&self) -> HostOrder {
        HostOrder::Lock {
            locked: self.guests.is_some(),
            also: self.guests.iter().flatten().copied().collect(),
        }
    }

    /// Whether the players are kept apart.
    pub(super) fn isolate(&self) -> HostOrder {
        HostOrder::Isolate {
            isolated: self.isolated,
        }
    }

    /// Everybody who is banned, as an order.
    pub(super) fn ban(&self) -> HostOrder {
        HostOrder::Ban {
            banned: self.banned.iter().map(|ban| ban.who).collect(),
        }
    }

    /// A sentence for a host who has forgotten; `None` when nothing is wanted.
    pub(crate) fn reminder(&self) -> Option<String> {
        let count = |people: usize, what: &str| match people {
            0 => None,
            1 => Some(format!("1 player is {what}")),
            n => Some(format!("{n} players are {what}")),
        };
        let parts = [
            self.guests
                .as_ref()
                .map(|_| "the room is locked".to_owned()),
            self.isolated.then(|| "players are kept apart".to_owned()),
            count(self.muted.len(), "muted"),
            count(self.banned.len(), "banned"),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let wanted = parts.join(", ");
        (!parts.is_empty()).then(|| {
            format!("As you ordered before: {wanted}. `lanparty-gateway ctl --help` says how to change that.")
        })
    }
}
