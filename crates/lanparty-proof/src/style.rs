//! The ways in which games find each other.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The port to which the questions go that have none of their own, in a range that IANA has given to nobody. Above 1023, so
/// that any program may use it.
pub const PORT: u16 = 20_764;
/// The port from which those come that have another one at each end.
pub(crate) const OTHER_PORT: u16 = PORT + 1;
/// The socket of IPX to which they go: one of those that programs take for themselves.
pub(crate) const IPX_SOCKET: u16 = 0x4c50;

/// A group of an organisation's own scope (RFC 2365) for nothing but this.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 76, 80);
/// SSDP's group.
pub const SSDP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
pub(crate) const MDNS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
pub(crate) const MDNS_PORT: u16 = 5353;
pub(crate) const SSDP_PORT: u16 = 1900;

/// A way in which games find each other, or what answers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Style {
    /// To 255.255.255.255, with the same port at both ends.
    Limited = 0,
    /// The same from another port.
    LimitedOther = 1,
    /// To the subnet's broadcast address, with the same port at both ends.
    Directed = 2,
    /// The same from another port.
    DirectedOther = 3,
    /// To 224.0.0.1, which is one link's and needs no membership.
    LinkGroup = 4,
    /// To a group 239.x, which needs membership.
    AdminGroup = 5,
    /// To 224.0.2.60, Minecraft's.
    GlobalGroup = 6,
    /// To ff02::1.
    AllNodes = 7,
    /// mDNS: 224.0.0.251.
    Mdns = 8,
    /// mDNS: ff02::fb.
    MdnsV6 = 9,
    /// SSDP: 239.255.255.250.
    Ssdp = 10,
    /// IPX in Ethernet II.
    IpxEthernet = 11,
    /// IPX in raw 802.3.
    IpxRaw = 12,
    /// A broadcast as long as the room's packets may be: 1472 bytes of UDP where that is 1500.
    Large = 13,
    /// A broadcast of 8 KB, in pieces of IP's own.
    Pieces = 14,
    /// To the gateway alone.
    Unicast = 15,
}

impl Style {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Style; 16] = [
        Style::Limited,
        Style::LimitedOther,
        Style::Directed,
        Style::DirectedOther,
        Style::LinkGroup,
        Style::AdminGroup,
        Style::GlobalGroup,
        Style::AllNodes,
        Style::Mdns,
        Style::MdnsV6,
        Style::Ssdp,
        Style::IpxEthernet,
        Style::IpxRaw,
        Style::Large,
        Style::Pieces,
        Style::Unicast,
    ];

    /// The one with this number.
    pub(crate) fn of(number: u8) -> Option<Self> {
        Style::ALL.get(usize::from(number)).copied()
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Style::Limited => "broadcast to 255.255.255.255",
            Style::LimitedOther => "broadcast to 255.255.255.255 from another port",
            Style::Directed => "broadcast to the subnet",
            Style::DirectedOther => "broadcast to the subnet from another port",
            Style::LinkGroup => "multicast 224.0.0.x",
            Style::AdminGroup => "multicast 239.x",
            Style::GlobalGroup => "multicast 224.0.2.60",
            Style::AllNodes => "multicast ff02::1",
            Style::Mdns => "mDNS",
            Style::MdnsV6 => "mDNS over IPv6",
            Style::Ssdp => "SSDP",
            Style::IpxEthernet => "IPX (Ethernet II)",
            Style::IpxRaw => "IPX (802.3)",
            Style::Large => "a full packet",
            Style::Pieces => "8 KB in pieces",
            Style::Unicast => "unicast",
        }
    }

    /// The group of IPv4 to which it goes, if it is one.
    pub fn group(self) -> Option<Ipv4Addr> {
        match self {
            Style::LinkGroup => Some(Ipv4Addr::new(224, 0, 0, 1)),
            Style::AdminGroup => Some(GROUP),
            Style::GlobalGroup => Some(Ipv4Addr::new(224, 0, 2, 60)),
            Style::Mdns => Some(MDNS),
            Style::Ssdp => Some(SSDP),
            _ => None,
        }
    }

    /// The group of IPv6 to which it goes, if it is one.
    pub fn group_v6(self) -> Option<Ipv6Addr> {
        match self {
            Style::AllNodes => Some(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
            Style::MdnsV6 => Some(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb)),
            _ => None,
        }
    }

    /// Where its questions go.
    pub fn port(self) -> u16 {
        match self {
            Style::Mdns | Style::MdnsV6 => MDNS_PORT,
            Style::Ssdp => SSDP_PORT,
            _ => PORT,
        }
    }

    /// Where they come from, if the asker may choose.
    pub(crate) fn source_port(self) -> u16 {
        match self {
            Style::LimitedOther | Style::DirectedOther => OTHER_PORT,
            style => style.port(),
        }
    }

    /// True for IPX.
    pub fn is_ipx(self) -> bool {
        matches!(self, Style::IpxEthernet | Style::IpxRaw)
    }

    /// True where the asker needs an address of IPv4.
    pub(crate) fn is_ipv4(self) -> bool {
        !self.is_ipx() && self.group_v6().is_none()
    }
}

/// Some of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Styles(u32);

impl Styles {
    pub(crate) fn from_bits(bits: u32) -> Self {
        Styles(bits)
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// Puts one in.
    pub fn insert(&mut self, style: Style) {
        self.0 |= 1 << (style as u8);
    }

    /// Puts another set's in.
    pub fn extend(&mut self, others: Styles) {
        self.0 |= others.0;
    }

    /// Whether this one is among them.
    pub fn has(self, style: Style) -> bool {
        self.0 & (1 << (style as u8)) != 0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
