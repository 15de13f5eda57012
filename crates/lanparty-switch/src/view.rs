//! From where a switch looks, and so what it asks.
//!
//! A frame may meet several judges on its way, and each has its view. What one of them refuses goes no
//! further; nobody lets through what [`View::Whole`] refuses, once all on the way have spoken.
//!
//! | asked | `Whole` | `Door` | `Outside` | `Inside` |
//! | --- | --- | --- | --- | --- |
//! | header, pieces, whose MAC, length, groups of bridges | ✓ | ✓ | ✓ | ✓ |
//! | what is said ([`classify`](crate::classify)) | ✓ | ✓ | | ✓ |
//! | who has which IP address, learnt and held | ✓ | | | ✓ |
//! | to groups, and from player to player | ✓ | refused | ✓ | ✓ |
//! | ARP, neighbour discovery, DHCP, group membership | ✓ | refused | unseen | ✓ |
//! | who listens to which group | ✓ | | | ✓ |
//! | the host's orders: mute, isolation | ✓ | | ✓ | ✓ |
//! | how much: buckets | ✓ | ✓ | ✓ | |
//!
//! Clients see too little to hold anybody to a claim: they were not there when it was made. They ask
//! [`classify`](crate::classify), which is what [`View::Inside`] remembers nothing for.

/// From where a switch looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// A relay with a room whose frames it can read: everything.
    #[default]
    Whole,
    /// The end of a direct path at the gateway: what one player and the LAN say to each other alone, and
    /// nothing that others would have to know of.
    Door,
    /// A relay with a room whose frames are sealed: MAC addresses and lengths. Two frames that differ in
    /// what is behind their addresses get the same verdict.
    Outside,
    /// The gateway: what is said, by whom, and who has which address. A relay that lies gets no stolen
    /// address and no forged DHCP onto the LAN past it. How much is said the relay has judged.
    Inside,
}

impl View {
    /// True when it sees what frames say.
    pub(crate) fn reads(self) -> bool {
        self != View::Outside
    }

    /// True when it holds people to what they and the LAN have said about addresses.
    pub(crate) fn remembers(self) -> bool {
        matches!(self, View::Whole | View::Inside)
    }

    /// True when it sends frames to those in a group who listen.
    pub(crate) fn snoops(self) -> bool {
        matches!(self, View::Whole | View::Inside)
    }

    /// True when only what concerns one player and the LAN may pass.
    pub(crate) fn is_direct(self) -> bool {
        self == View::Door
    }

    /// True when frames are paid for.
    pub(crate) fn counts(self) -> bool {
        self != View::Inside
    }
}
