//! Group membership on the wire: IGMP in its three versions (RFC 1112, RFC 2236, RFC 3376), MLD in its two (RFC 2710,
//! RFC 3810).

use super::{is_reported, is_worth_saying};
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{self, ICMPV6, Part};
use lanparty_proto::{Content, EthernetFrame};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The number of IGMP among the protocols over IPv4.
pub(crate) const IGMP: u8 = 2;

/// A message about memberships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    kind: Kind,
    /// From whom it is.
    pub(super) source: IpAddr,
    body: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Query,
    /// One group is wanted.
    Join,
    /// One group is not wanted any more.
    Leave,
    /// Records of many groups, in the newest version of each protocol.
    Records,
}

/// What a machine says about a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Joins(IpAddr),
    Leaves(IpAddr),
}

impl<'a> Message<'a> {
    /// Reads a frame; nothing when it is about something else, or not whole.
    pub(crate) fn read(frame: EthernetFrame<'a>) -> Option<Self> {
        match Content::of(frame) {
            Content::Typed(ether_type::IPV4, packet) => Self::read_igmp(packet),
            Content::Typed(ether_type::IPV6, packet) => Self::read_mld(packet),
            Content::Typed(..) | Content::Snap(_) | Content::Llc(..) | Content::Empty => None,
        }
    }

    fn read_igmp(packet: &'a [u8]) -> Option<Self> {
        let upper = ip::ipv4(packet).ok()?;
        if (upper.protocol, upper.part) != (IGMP, Part::Whole) {
            return None;
        }
        let body = packet.get(upper.range)?;
        let kind = match body.first_chunk::<8>()?[0] {
            0x11 => Kind::Query,
            0x12 | 0x16 => Kind::Join,
            0x17 => Kind::Leave,
            0x22 => Kind::Records,
            _ => return None,
        };
        let source = Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?).into();
        Some(Message { kind, source, body })
    }

    fn read_mld(packet: &'a [u8]) -> Option<Self> {
        let upper = ip::ipv6(packet).ok()?;
        if (upper.protocol, upper.part) != (ICMPV6, Part::Whole) {
            return None;
        }
        let body = packet.get(upper.range)?;
        let kind = match body.first_chunk::<8>()?[0] {
            130 => Kind::Query,
            131 => Kind::Join,
            132 => Kind::Leave,
            143 => Kind::Records,
            _ => return None,
        };
        let source = Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?).into();
        Some(Message { kind, source, body })
    }

    pub(super) fn is_report(&self) -> bool {
        self.kind != Kind::Query
    }

    /// What it says about which groups, of those that a room gives to members alone.
    pub(super) fn changes(&self) -> impl Iterator<Item = Change> {
        self.all_changes().filter(|change| {
            let (Change::Joins(group) | Change::Leaves(group)) = *change;
            is_reported(group)
        })
    }

    /// The same of all groups that machines report.
    pub(super) fn all_changes(&self) -> impl Iterator<Item = Change> {
        let group = self
            .body
            .get(self.group_at()..)
            .and_then(|bytes| self.group(bytes));
        let (one, rest) = match self.kind {
            Kind::Query => (None, &[][..]),
            Kind::Join => (group.map(Change::Joins), &[][..]),
            Kind::Leave => (group.map(Change::Leaves), &[][..]),
            Kind::Records => (None, &self.body[8..]),
        };
        let message = *self;
        let changes = one.into_iter().chain(Records { message, rest });
        changes.filter(|change| {
            let (Change::Joins(group) | Change::Leaves(group)) = *change;
            is_worth_saying(group)
        })
    }

    /// Where the old kinds have their one group.
    fn group_at(&self) -> usize {
        match self.source {
            IpAddr::V4(_) => 4,
            IpAddr::V6(_) => 8,
        }
    }

    fn group(&self, bytes: &[u8]) -> Option<IpAddr> {
        match self.source {
            IpAddr::V4(_) => Some(Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()),
            IpAddr::V6(_) => Some(Ipv6Addr::from(*bytes.first_chunk::<16>()?).into()),
        }
    }
}

/// Group records one behind the other (RFC 3376 §4.2.4, RFC 3810 §5.2.5):
///
/// ```text
///  0      1             2                     4
///  +------+-------------+---------------------+---------+---------------+-----------------+
///  | type | auxiliary/4 | number of sources   |  group  | the sources … | the auxiliary … |
///  +------+-------------+---------------------+---------+---------------+-----------------+
/// ```
struct Records<'a> {
    message: Message<'a>,
    rest: &'a [u8],
}

impl Iterator for Records<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        const IS_INCLUDE: u8 = 1;
        const TO_INCLUDE: u8 = 3;
        const BLOCK: u8 = 6;
        loop {
            let (&[kind, auxiliary, high, low], rest) = self.rest.split_first_chunk()?;
            let address_len = match self.message.source {
                IpAddr::V4(_) => 4,
                IpAddr::V6(_) => 16,
            };
            let sources = usize::from(u16::from_be_bytes([high, low]));
            let len = address_len * (1 + sources) + 4 * usize::from(auxiliary);
            let (record, rest) = rest.split_at_checked(len)?;
            self.rest = rest;
            let group = self.message.group(record)?;
            match kind {
                // From no source at all: that is to leave.
                IS_INCLUDE | TO_INCLUDE if sources == 0 => return Some(Change::Leaves(group)),
                // Some sources less; the group itself may stay.
                BLOCK => {}
                _ => return Some(Change::Joins(group)),
            }
        }
    }
}
