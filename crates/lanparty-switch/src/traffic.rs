//! What kind of frame wants to pass, for the bucket that pays for it.

use crate::llc::Content;
use crate::segment::Route;
use crate::snooping::IGMP;
use lanparty_proto::ethernet::{EthernetFrame, ether_type};
use lanparty_proto::ip::{self, ICMPV6, Part, UDP, Upper};

/// What systems say by themselves: NetBIOS names and datagrams (RFC 1002), SSDP, WS-Discovery, mDNS (RFC 6762),
/// LLMNR (RFC 4795).
const CHATTER: [u16; 6] = [137, 138, 1900, 3702, 5353, 5355];

/// What kind of frame wants to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// To somebody who has been heard of.
    Known,
    /// On the chance that the LAN has the address.
    Unknown,
    /// To a group, and what keeps a machine on the LAN at all.
    Control,
    /// To a group, and what systems say by themselves.
    Chatter,
    /// To a group otherwise.
    Group,
}

impl Traffic {
    /// The kind of a frame that goes there.
    pub(crate) fn of(route: Route, frame: &[u8]) -> Self {
        match route {
            Route::Known(_) => Traffic::Known,
            Route::Unknown(_) => Traffic::Unknown,
            Route::Group | Route::Members { .. } | Route::GroupOfLan => Self::to_group(frame),
        }
    }

    fn to_group(frame: &[u8]) -> Self {
        let frame = EthernetFrame::parse(frame);
        match frame.map_or(Content::Empty, Content::of) {
            Content::Typed(ether_type::ARP, _) => Traffic::Control,
            Content::Typed(ether_type::IPV4, packet) => Self::over_ip(packet, ip::ipv4(packet)),
            Content::Typed(ether_type::IPV6, packet) => Self::over_ip(packet, ip::ipv6(packet)),
            Content::Typed(..) | Content::Snap(_) | Content::Llc(..) | Content::Empty => {
                Traffic::Group
            }
        }
    }

    fn over_ip(packet: &[u8], upper: Result<Upper, ip::Unclear>) -> Self {
        let Ok(upper) = upper else {
            return Traffic::Group;
        };
        if let Part::Later(_) = upper.part {
            return Traffic::Group;
        }
        match (upper.protocol, packet.get(upper.range).unwrap_or_default()) {
            // Multicast listener and neighbour discovery (RFC 2710, RFC 4861, RFC 9777).
            (IGMP, _) | (ICMPV6, [130..=137 | 143, ..]) => Traffic::Control,
            // DHCP's ports 67 and 68, DHCPv6's 546 and 547, each to each.
            (UDP, [0, 67 | 68, 0, 67 | 68, ..] | [2, 34 | 35, 2, 34 | 35, ..]) => Traffic::Control,
            (UDP, &[_, _, high, low, ..]) if CHATTER.contains(&u16::from_be_bytes([high, low])) => {
                Traffic::Chatter
            }
            _ => Traffic::Group,
        }
    }
}
