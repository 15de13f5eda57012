//! A direct path between a player and its gateway, beside both links to the relay.
//!
//! The relay introduces them, each opens its NAT towards the other, and the player connects to the gateway, from the
//! sockets that their relay links have. Both prove who they are ([`lanparty_ctrl::door`]). Then frames that concern the two alone
//! go by the better way ([`crate::ways`]).

mod addresses;
mod calls;
mod doors;
mod enter;
mod link;
mod meetings;
mod nat;
mod retired;
mod shell;
#[cfg(test)]
mod tests;
mod why;

pub use addresses::outgoing;
pub(crate) use doors::{Doors, News};
pub(crate) use link::DoorLink;
pub(crate) use shell::Hands;

use lanparty_proto::{PeerId, RoomId, VirtualMac};

/// A direct path as a core sees it. It outlives the numbers in it: they are those of the room when it was opened, and stand
/// in the headers of all that goes by it, while a relay that has come back gives out others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// Whose path to the LAN it is: of the two ends, the player's MAC.
    pub player: VirtualMac,
    /// The number of that player.
    pub client: PeerId,
    /// The number of the gateway.
    pub gateway: PeerId,
    /// The room's number.
    pub room: RoomId,
}

/// How somebody stands with whom there is a direct path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the room.
    In,
    /// It is not known: the relay is away, or it has just come back and has not told everything.
    Unknown,
    /// Gone, or sent away: the path ends at once.
    Out,
}
