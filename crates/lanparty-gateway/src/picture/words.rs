//! Why frames were dropped, in words for a host.

use lanparty_obs::DropReason;

/// What the frames of a player were, of which most were dropped for this reason.
pub(super) fn why(reason: DropReason) -> String {
    let words = match reason {
        DropReason::ClaimedAddress => "claims of an address that somebody else has",
        DropReason::ArpSpoof => "claims of somebody else's MAC address",
        DropReason::DhcpSpoof => "DHCP in another machine's name",
        DropReason::DhcpServerReply | DropReason::Dhcpv6ServerReply => {
            "answers of a DHCP server on the player's machine"
        }
        DropReason::RouterAdvertisement => "advertisements of a router on the player's machine",
        DropReason::RouterProtocol => "what only routers say to each other",
        DropReason::GroupQuery => "questions that only the LAN's querier asks",
        DropReason::BridgeProtocol | DropReason::ReservedMulticast => {
            "what only switches say to each other"
        }
        DropReason::UnauthorizedSourceMac | DropReason::InvalidSourceMac => {
            "frames under another MAC address, as of a bridge or virtual machine"
        }
        DropReason::MacOnLan => "frames under the MAC address of a machine on the LAN",
        DropReason::BroadcastRate => "more to everybody than one player may say",
        DropReason::ControlRate => "more questions for addresses than one player may ask",
        DropReason::UnknownUnicastRate => "much to machines that are not here",
        DropReason::FrameRate | DropReason::ByteRate => "more than one player may send",
        DropReason::Muted => "what a muted player says to everybody",
        DropReason::Isolated => "to other players, who are kept apart",
        DropReason::UnknownDestination => "to machines that are not here",
        DropReason::VlanTagged => "frames with a VLAN tag",
        DropReason::Lldp
        | DropReason::Eapol
        | DropReason::SlowProtocol
        | DropReason::MacSec
        | DropReason::Pause => "what concerns one cable alone",
        DropReason::QueueFull | DropReason::QueueDelay => "what waited too long for a full line",
        DropReason::HiddenUpperHeader => "fragments that hide what they carry",
        other => return other.name().replace('_', " "),
    };
    words.to_owned()
}
