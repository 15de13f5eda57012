//! What a player is told of an address.

use lanparty_proto::MacAddr;
use std::fmt;
use std::net::Ipv4Addr;

/// Something about the adapter's address that a person should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Somebody else uses the address that the adapter had, which has given it up.
    GivenUp {
        /// The address.
        address: Ipv4Addr,
        /// Who has it.
        holder: MacAddr,
    },
    /// Each address that the LAN's server gives is somebody's already.
    AllTaken {
        /// The last one.
        address: Ipv4Addr,
        /// Who has it.
        holder: MacAddr,
    },
    /// Somebody else uses the address that the player has chosen.
    ChosenTaken {
        /// The address.
        address: Ipv4Addr,
        /// Who has it.
        holder: MacAddr,
    },
    /// The LAN's server gives what no machine can have.
    Unusable {
        /// What it gives.
        address: Ipv4Addr,
    },
    /// The LAN's server gives an address without which this machine is cut off, so it is not taken.
    NeededAtHome {
        /// The address.
        address: Ipv4Addr,
    },
    /// A machine at the player's home has the adapter's address as well.
    UsedAtHome {
        /// The address.
        address: Ipv4Addr,
    },
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::GivenUp { address, holder } => write!(
                f,
                "{holder} uses your address {address} as well, so the adapter has given it up and asks for another one."
            ),
            Word::AllTaken { address, holder } => write!(
                f,
                "The LAN's DHCP server gives you {address}, which {holder} uses already; asking for another one. If this \
                 stays, ask the host to take addresses that are set by hand out of the server's range."
            ),
            Word::ChosenTaken { address, holder } => write!(
                f,
                "{holder} uses the address {address} as well, which you have chosen; choose another one with --address, \
                 or leave it out for one of the LAN's."
            ),
            Word::Unusable { address } => write!(
                f,
                "The LAN's DHCP server gives {address} with settings that no machine can use; ask the host to look at \
                 its range and mask."
            ),
            Word::NeededAtHome { address } => write!(
                f,
                "The LAN's DHCP server gives you {address}, which your internet or the way to the relay needs, so the \
                 adapter does not take it; ask the host to take it out of the server's range."
            ),
            Word::UsedAtHome { address } => write!(
                f,
                "Your address {address} at the party is in use on your home network too; what has it there is not reachable \
                 while you play."
            ),
        }
    }
}
