//! Addresses that this machine's home uses.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A server that gives one of home's is told so three times, and all servers together six times: each time takes an address
/// from the LAN's range for hours.
const SAME: usize = 3;
const ALL: usize = 6;

/// What home uses of the addresses that a LAN may give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtHome {
    /// Who takes one of these has no internet or no party any more: this machine's own, the routers', the name servers',
    /// the relay's.
    pub vital: BTreeSet<Ipv4Addr>,
    /// Whoever takes one of these does not reach the machine at home.
    pub machines: BTreeSet<Ipv4Addr>,
}

/// What it does to this machine to have an address at the party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    None,
    /// A machine at home is not reachable.
    Hides,
    /// Nothing is.
    CutsOff,
}

impl AtHome {
    pub(crate) fn harm(&self, address: Ipv4Addr) -> Harm {
        if self.vital.contains(&address) {
            Harm::CutsOff
        } else if self.machines.contains(&address) {
            Harm::Hides
        } else {
            Harm::None
        }
    }
}

/// Which of them were given back of late.
#[derive(Debug, Default)]
pub(crate) struct TurnedDown(Vec<Ipv4Addr>);

impl TurnedDown {
    /// Whether a server may be told once more that this one is not wanted.
    pub(crate) fn may_take(&self, address: Ipv4Addr) -> bool {
        let same = self.0.iter().filter(|known| **known == address);
        self.0.len() < ALL && same.count() < SAME
    }

    pub(crate) fn note(&mut self, address: Ipv4Addr) {
        self.0.push(address);
    }
}
