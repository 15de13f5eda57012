//! What the host wants of the room until it is taken back: kept, and said again at every start.

use super::names::{Label, MAX_LABELS, Renamed};
use crate::reach::{kept, told};
use lanparty_ctrl::HostOrder;
use lanparty_ctrl::orders::{MAX_BANNED, MAX_GUESTS, Person};
use lanparty_gateway_control::{Ban, OwnReach, Reach};
use lanparty_proto::VirtualMac;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many people can be muted, here or not.
pub(super) const MAX_MUTED: usize = 256;

/// How many people can have a reach of their own, here or not.
pub(super) const MAX_OWN_REACH: usize = 64;

/// The standing orders. However many they are, they fit a gateway's hello, or no relay would let it in.
/// Fields of later versions are ignored, and missing ones mean that nothing is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wishes {
    /// Who may come back into the room, while it is locked.
    pub(super) guests: Option<BTreeSet<VirtualMac>>,
    pub(super) isolated: bool,
    pub(super) muted: BTreeSet<Person>,
    pub(super) banned: Vec<Ban>,
    /// What the host calls people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) labels: Vec<Label>,
    /// And the party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) renamed: Option<Renamed>,
    /// What players may reach, if that has been ordered.
    pub(super) reach: Option<OrderedReach>,
    pub(super) own_reach: Vec<OwnReach>,
}

/// What players may reach by the host's order. It holds until the configuration says something new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OrderedReach {
    pub(super) reach: Reach,
    /// What the configuration said.
    pub(super) instead_of: Reach,
}

impl Wishes {
    /// Keeps as many as there may be, the latest bans above all: another version of the program, or a
    /// person, may have written more. A sentence for the host says what is left out.
    pub(crate) fn trim(&mut self) -> Option<String> {
        let surplus = |what: &str, count: usize, most: usize| {
            (count > most).then(|| format!("{} {what}", count - most))
        };
        let guests = self.guests.as_ref().map_or(0, BTreeSet::len);
        let parts = [
            surplus("of the oldest bans", self.banned.len(), MAX_BANNED),
            surplus("who are muted", self.muted.len(), MAX_MUTED),
            surplus("who may come back into the locked room", guests, MAX_GUESTS),
            surplus(
                "who have a reach of their own",
                self.own_reach.len(),
                MAX_OWN_REACH,
            ),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        self.banned
            .drain(..self.banned.len().saturating_sub(MAX_BANNED));
        self.own_reach.truncate(MAX_OWN_REACH);
        self.labels.truncate(MAX_LABELS);
        while self.muted.len() > MAX_MUTED {
            self.muted.pop_last();
        }
        while let Some(guests) = self
            .guests
            .as_mut()
            .filter(|guests| guests.len() > MAX_GUESTS)
        {
            guests.pop_last();
        }
        (!parts.is_empty()).then(|| {
            format!(
                "You ordered more before than a room keeps, so this is forgotten: {}. `lanparty-gateway ctl bans` \
                 and `list` say what holds.",
                parts.join(", ")
            )
        })
    }

    /// True while no relay has to know of any of it.
    pub(super) fn need_no_relay(&self) -> bool {
        self.guests.is_none() && !self.isolated && self.muted.is_empty() && self.banned.is_empty()
    }

    /// Lets one more back into the locked room, while there is room for it. True when that is new.
    pub(super) fn welcome_back(&mut self, mac: VirtualMac) -> bool {
        let guests = self.guests.as_mut();
        guests.is_some_and(|guests| guests.len() < MAX_GUESTS && guests.insert(mac))
    }

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
            self.reach
                .as_ref()
                .map(|ordered| format!("players reach {}", told(&kept(&ordered.reach)))),
            count(self.own_reach.len(), "given a reach of their own"),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let wanted = parts.join(", ");
        (!parts.is_empty()).then(|| {
            format!("As you ordered before: {wanted}. `lanparty-gateway ctl --help` says how to change that.")
        })
    }
}
