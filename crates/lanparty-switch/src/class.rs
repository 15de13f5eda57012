//! The one classifier: which frames may not cross between a player and a LAN (spec R3, R28, R29).
//!
//! Client, relay and gateway ask [`classify`] about the same bytes and get the same answer, so a
//! manipulated client gains nothing. Two questions are asked of every frame: is it a frame that
//! stays on its own cable (switch and link control, tags, jumbo), and, from a client, does it claim
//! to be what only the LAN may be (DHCP server, router, somebody else's address).
//!
//! It looks through 802.3 with LLC and SNAP, IPv4 options, and the extension headers of IPv4 and
//! IPv6. It does not look into tunnels (IPv6 in IPv4, GRE, ESP, Teredo): their insides are payload
//! for one host that agreed to unpack them. Nothing is remembered between frames, so IP fragments
//! are judged one by one: the first must show its upper header and is judged by it, later ones pass
//! unless they begin where that header stands, and overlaps further on are refused by the receiver
//! (RFC 5722).
//!
//! Not its business: whether a source is the peer's own MAC (the switch knows), and where a frame goes.

mod claims;
mod ip;

pub use claims::{Lease, claimed_address, confirmed_lease};

use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_proto::ethernet::{EthernetFrame, FrameKind, ether_type};

/// Who speaks at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A player's machine, and the MAC that it registered.
    Player(MacAddr),
    /// The party's LAN, through its gateway.
    Lan,
}

/// Why a frame may not cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Forbidden {
    /// Shorter than an Ethernet header (IEEE 802.3 §3.2).
    #[error("the frame is shorter than an Ethernet header")]
    Runt,
    /// More than 1500 bytes of payload (IEEE 802.3 §3.2.7); tagged, 1518 bytes in all.
    #[error("the frame is longer than Ethernet allows")]
    Jumbo,
    /// A group address or zero as the source (IEEE 802.3 §3.2.3).
    #[error("the source MAC is a group address or zero")]
    InvalidSourceMac,
    /// For bridges: 01-80-C2-00-00-00 to -0F (IEEE 802.1Q §8.6.3), spanning tree by its LLC address
    /// 0x42 (IEEE 802.1D §9), and Cisco's 01-00-0C-CC-CC-CC and -CD (CDP, VTP, DTP, UDLD, PVST+).
    #[error("the frame is addressed to the bridges of one LAN")]
    ReservedMulticast,
    /// Port authentication, EtherTypes 0x888E and 0x88C7 (IEEE 802.1X, IEEE 802.11i).
    #[error("the frame is port authentication (802.1X)")]
    Eapol,
    /// Link layer discovery, EtherType 0x88CC (IEEE 802.1AB).
    #[error("the frame is link discovery (LLDP)")]
    Lldp,
    /// Link aggregation and OAM, EtherType 0x8809 (IEEE 802.3 Annex 57A).
    #[error("the frame is link control (slow protocols)")]
    SlowProtocol,
    /// Encrypted for one cable, EtherType 0x88E5 (IEEE 802.1AE).
    #[error("the frame is encrypted for one cable (MACsec)")]
    MacSec,
    /// MAC control: PAUSE and priority flow control, EtherType 0x8808 (IEEE 802.3 Annex 31).
    #[error("the frame is flow control (PAUSE)")]
    Pause,
    /// A client's frame of EtherType 0x88B5, with which gateways keep switches informed (spec R46).
    #[error("the frame pretends to be a gateway's CAM refresh")]
    CamRefresh,
    /// A client answers as a DHCP server (RFC 2131 §4.1): from UDP port 67, to port 68, or BOOTREPLY.
    #[error("a client may not answer as a DHCP server")]
    DhcpServerReply,
    /// A client answers as a DHCPv6 server (RFC 8415 §7.2): from UDP port 547 or to port 546.
    #[error("a client may not answer as a DHCPv6 server")]
    Dhcpv6ServerReply,
    /// A client speaks as a router: ICMPv6 router advertisement or redirect (RFC 4861 §4.2, §4.5), or
    /// their ICMPv4 forms (RFC 1256 §3, RFC 792).
    #[error("a client may not speak as a router")]
    RouterAdvertisement,
    /// A client's IP packet does not show what it is: cut short, too many extension headers, a first
    /// fragment without its upper header (RFC 7112, RFC 1858), a later one that overlaps it, or
    /// neighbour discovery in a fragment (RFC 6980).
    #[error("an IP packet hides its upper header")]
    HiddenUpperHeader,
    /// A VLAN tag of any kind (IEEE 802.1Q §9.6): 0x8100, 0x88A8, 0x9100; in SNAP too.
    #[error("the frame carries a VLAN tag")]
    VlanTagged,
    /// A client's ARP (RFC 826) or neighbour discovery (RFC 4861 §4.6.1) names a link-layer address
    /// that is not its own, or cannot be read.
    #[error("a client may not answer for another machine's address")]
    ArpSpoof,
}

impl From<Forbidden> for DropReason {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::Runt => DropReason::Runt,
            Forbidden::Jumbo => DropReason::Jumbo,
            Forbidden::InvalidSourceMac => DropReason::InvalidSourceMac,
            Forbidden::ReservedMulticast => DropReason::ReservedMulticast,
            Forbidden::Eapol => DropReason::Eapol,
            Forbidden::Lldp => DropReason::Lldp,
            Forbidden::SlowProtocol => DropReason::SlowProtocol,
            Forbidden::MacSec => DropReason::MacSec,
            Forbidden::Pause => DropReason::Pause,
            Forbidden::CamRefresh => DropReason::CamRefresh,
            Forbidden::DhcpServerReply => DropReason::DhcpServerReply,
            Forbidden::Dhcpv6ServerReply => DropReason::Dhcpv6ServerReply,
            Forbidden::RouterAdvertisement => DropReason::RouterAdvertisement,
            Forbidden::HiddenUpperHeader => DropReason::HiddenUpperHeader,
            Forbidden::VlanTagged => DropReason::VlanTagged,
            Forbidden::ArpSpoof => DropReason::ArpSpoof,
        }
    }
}

/// Judges a frame: a checked view of it, or why it may not cross.
///
/// # Errors
/// The first [`Forbidden`] that applies; lengths come first, then the source, then the type, then
/// the destination, then what the frame carries.
pub fn classify(bytes: &[u8], speaker: Speaker) -> Result<EthernetFrame<'_>, Forbidden> {
    let frame = EthernetFrame::parse(bytes).map_err(|_| Forbidden::Runt)?;
    if frame.is_jumbo() {
        return Err(Forbidden::Jumbo);
    }
    if !frame.source().is_valid_source() {
        return Err(Forbidden::InvalidSourceMac);
    }
    let content = Content::of(frame);
    content.check_control()?;
    if is_reserved(frame.destination()) {
        return Err(Forbidden::ReservedMulticast);
    }
    if let Speaker::Player(own) = speaker {
        content.check_claims(own)?;
    }
    Ok(frame)
}

/// What a frame carries, once 802.3, LLC and SNAP are looked through.
enum Content<'a> {
    /// A payload with an EtherType, from Ethernet II or SNAP.
    Typed(u16, &'a [u8]),
    /// LLC without an EtherType: its destination service access point.
    Llc(u8),
    /// Nothing at all.
    Empty,
}

impl<'a> Content<'a> {
    fn of(frame: EthernetFrame<'a>) -> Self {
        match (frame.kind(), frame.payload()) {
            (FrameKind::EtherType(ether_type), payload) => Content::Typed(ether_type, payload),
            (FrameKind::Length(_), payload) => Self::of_llc(payload),
        }
    }

    /// Reads an LLC header (IEEE 802.2). The lowest bit of an access point is a flag. The length and
    /// the source access point are not believed: hosts differ in whether they look at them.
    fn of_llc(payload: &'a [u8]) -> Self {
        // SNAP, with the organisation codes under which an EtherType follows (RFC 1042, IEEE 802.1H).
        if let Some((&[0xaa..=0xab, _, _, 0, 0, 0 | 0xf8, high, low], payload)) =
            payload.split_first_chunk()
        {
            return Content::Typed(u16::from_be_bytes([high, low]), payload);
        }
        match payload.first() {
            Some(destination) => Content::Llc(destination & 0xfe),
            None => Content::Empty,
        }
    }

    /// Refuses what stays on one cable, whoever sent it.
    fn check_control(&self) -> Result<(), Forbidden> {
        use ether_type::{
            EAPOL, LLDP, MAC_CONTROL, MACSEC, OLD_SERVICE_VLAN, SERVICE_VLAN, SLOW, VLAN,
        };
        Err(match *self {
            Content::Typed(EAPOL | PREAUTHENTICATION, _) => Forbidden::Eapol,
            Content::Typed(LLDP, _) => Forbidden::Lldp,
            Content::Typed(SLOW, _) => Forbidden::SlowProtocol,
            Content::Typed(MACSEC, _) => Forbidden::MacSec,
            Content::Typed(MAC_CONTROL, _) => Forbidden::Pause,
            Content::Typed(VLAN | SERVICE_VLAN | OLD_SERVICE_VLAN, _) => Forbidden::VlanTagged,
            Content::Llc(LLC_SPANNING_TREE) => Forbidden::ReservedMulticast,
            Content::Typed(..) | Content::Llc(_) | Content::Empty => return Ok(()),
        })
    }

    /// Refuses what a client may not claim to be.
    fn check_claims(&self, own: MacAddr) -> Result<(), Forbidden> {
        use ether_type::{ARP, IPV4, IPV6, LOCAL_EXPERIMENTAL_1};
        match *self {
            Content::Typed(IPV4, packet) => ip::check_v4(packet),
            Content::Typed(IPV6, packet) => ip::check_v6(packet, own),
            Content::Typed(ARP, message) => check_arp(message, own),
            Content::Typed(LOCAL_EXPERIMENTAL_1, _) => Err(Forbidden::CamRefresh),
            Content::Typed(..) | Content::Llc(_) | Content::Empty => Ok(()),
        }
    }
}

/// 802.1X pre-authentication (IEEE 802.11i).
const PREAUTHENTICATION: u16 = 0x88c7;
/// Where bridges listen for BPDUs (IEEE 802.1D §9.3.1), less the group bit.
const LLC_SPANNING_TREE: u8 = 0x42;

/// Addresses that bridges listen to and never forward.
fn is_reserved(destination: MacAddr) -> bool {
    matches!(
        destination.octets(),
        [0x01, 0x80, 0xc2, 0x00, 0x00, 0x00..=0x0f] | [0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcc | 0xcd]
    )
}

/// Lets a client speak ARP for itself only: Ethernet, IPv4, and its own MAC as the sender (RFC 826).
fn check_arp(message: &[u8], own: MacAddr) -> Result<(), Forbidden> {
    const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
    let well_formed = message.len() >= 28 && message[..6] == ETHERNET_IPV4;
    if well_formed && message[8..14] == own.octets() {
        Ok(())
    } else {
        Err(Forbidden::ArpSpoof)
    }
}

#[cfg(test)]
mod tests;
