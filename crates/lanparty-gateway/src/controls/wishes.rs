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
    /// What a relay must be told that may know nothing of them.
    pub(super) fn orders(&self) -> Vec<HostOrder> {
        let lock = self.guests.as_ref().map(|guests| HostOrder::Lock {
            locked: true,
            also: guests.iter().copied().collect(),
        });
        let isolate = self
            .isolated
            .then_some(HostOrder::Isolate { isolated: true });
        let ban = (!self.banned.is_empty()).then(|| self.ban());
        lock.into_iter().chain(isolate).chain(ban).collect()
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
