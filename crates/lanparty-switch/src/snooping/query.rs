//! What a querier asks: IGMP in its three versions (RFC 3376 §7.1), MLD in its two (RFC 3810 §8.1).

use super::message::IGMP;
use lanparty_proto::checksum::Sum;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{self, ICMPV6, Part};
use lanparty_proto::{Content, EthernetFrame};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const MEMBERSHIP_QUERY: u8 = 0x11;
const LISTENER_QUERY: u8 = 130;

/// "Which groups do you want?", or "does anybody want this one?"
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Query {
    /// This group, or all of the protocol: then it has no address.
    pub(super) group: IpAddr,
    /// 1 to 3 for IGMP, 1 or 2 for MLD.
    pub(super) version: u8,
    /// The answer is wanted by then.
    pub(super) within: Duration,
}

impl Query {
    /// Reads a frame; nothing when it is about something else, not whole, or damaged.
    pub(super) fn read(frame: EthernetFrame<'_>) -> Option<Self> {
        match Content::of(frame) {
            Content::Typed(ether_type::IPV4, packet) => Self::read_igmp(packet),
            Content::Typed(ether_type::IPV6, packet) => Self::read_mld(packet),
            Content::Typed(..) | Content::Snap(_) | Content::Llc(..) | Content::Empty => None,
        }
    }

    fn read_igmp(packet: &[u8]) -> Option<Self> {
        let upper = ip::ipv4(packet).ok()?;
        if (upper.protocol, upper.part) != (IGMP, Part::Whole) {
            return None;
        }
        let body = packet.get(upper.range)?;
        let &[kind, code, _, _, a, b, c, d] = body.first_chunk::<8>()?;
        if kind != MEMBERSHIP_QUERY || Sum::of(body).checksum() != 0 {
            return None;
        }
        let (version, tenths) = match (body.len(), code) {
            (8, 0) => (1, 100),
            (8, code) => (2, code.into()),
            (12.., code) => (3, floating(code.into(), 4)),
            _ => return None,
        };
        Some(Query {
            group: Ipv4Addr::from([a, b, c, d]).into(),
            version,
            within: Duration::from_millis(tenths * 100),
        })
    }

    fn read_mld(packet: &[u8]) -> Option<Self> {
        let upper = ip::ipv6(packet).ok()?;
        if (upper.protocol, upper.part) != (ICMPV6, Part::Whole) {
            return None;
        }
        let body = packet.get(upper.range)?;
        let &[kind, _, _, _, high, low, _, _] = body.first_chunk::<8>()?;
        if kind != LISTENER_QUERY {
            return None;
        }
        let source = *packet.get(8..)?.first_chunk::<16>()?;
        let to = *packet.get(24..)?.first_chunk::<16>()?;
        let len = u32::try_from(body.len()).ok()?;
        let mut sum = Sum::pseudo_v6(source, to, ICMPV6, len);
        sum += Sum::of(body);
        if sum.checksum() != 0 {
            return None;
        }
        let group = Ipv6Addr::from(*body.get(8..)?.first_chunk::<16>()?);
        let code = u16::from_be_bytes([high, low]);
        let (version, milliseconds) = match body.len() {
            24 => (1, code.into()),
            28.. => (2, floating(code.into(), 12)),
            _ => return None,
        };
        Some(Query {
            group: group.into(),
            version,
            within: Duration::from_millis(milliseconds),
        })
    }
}

/// A code whose first bit says that three bits of exponent and a mantissa of so many follow (RFC 3376 §4.1.1, RFC 3810
/// §5.1.3).
fn floating(code: u64, mantissa_bits: u32) -> u64 {
    let is_floating = code >> (mantissa_bits + 3) == 1;
    let exponent = (code >> mantissa_bits) & 7;
    let mantissa = code & ((1 << mantissa_bits) - 1);
    match is_floating {
        true => (mantissa | 1 << mantissa_bits) << (exponent + 3),
        false => code,
    }
}
