//! Routes of somebody else's that would send the player's internet into the party.

use crate::route::PROTOCOL;
use lanparty_client_core::way::is_within;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteNextHop, RouteNextHopFlags,
    RouteProtocol, RouteType,
};
use std::fmt;
use std::net::IpAddr;

/// The table of what is this machine itself.
const LOCAL: u32 = 255;
/// Routes to more than a network: the default route, its two halves, and what else is made in their stead. Nobody's LAN is
/// as large as that, 10.0.0.0/8 not either.
const WIDE_IPV4: u8 = 8;
/// 2000::/3 is all of today's internet. fc00::/7 is nobody's internet.
const WIDE_IPV6: u8 = 7;

/// Such a route, as the kernel has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Foreign(RouteMessage);

/// Those among the routes that lead to the adapter, where nothing shall lead these addresses there.
pub(super) fn routes(
    index: u32,
    routes: &[RouteMessage],
    kept_off: &[IpAddr],
) -> impl Iterator<Item = Foreign> {
    let foreign = move |route: &&RouteMessage| {
        route.header.kind == RouteType::Unicast
            && route.header.protocol != RouteProtocol::Other(PROTOCOL)
            && table(route) != LOCAL
            && (is_wide(route) || kept_off.iter().any(|ip| covers(route, *ip)))
            && leads_to(index, route)
    };
    routes.iter().filter(foreign).cloned().map(Foreign)
}

/// Whether a route leads to this interface, as its only way or as one of several.
pub(super) fn leads_to(index: u32, route: &RouteMessage) -> bool {
    route.attributes.iter().any(|attribute| match attribute {
        RouteAttribute::Oif(device) => *device == index,
        RouteAttribute::MultiPath(hops) => hops.iter().any(|hop| hop.interface_index == index),
        _ => false,
    })
}

/// Whether what comes for this address is taken.
pub(super) fn is_local(ip: IpAddr, routes: &[RouteMessage]) -> bool {
    routes.iter().any(|route| {
        route.header.kind == RouteType::Local
            && table(route) == LOCAL
            && destination(route) == Some(ip)
    })
}

fn is_wide(route: &RouteMessage) -> bool {
    let len = route.header.destination_prefix_length;
    match (route.header.address_family, destination(route)) {
        // Multicast goes to the LAN, whoever says so.
        (_, Some(ip)) if ip.is_multicast() => false,
        (AddressFamily::Inet, _) => len < WIDE_IPV4,
        (AddressFamily::Inet6, _) => len < WIDE_IPV6,
        _ => false,
    }
}

fn covers(route: &RouteMessage, ip: IpAddr) -> bool {
    let len = route.header.destination_prefix_length;
    destination(route).is_some_and(|network| is_within(ip, network, len))
}

fn table(route: &RouteMessage) -> u32 {
    let named = |attribute: &RouteAttribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    };
    let named = route.attributes.iter().find_map(named);
    named.unwrap_or_else(|| route.header.table.into())
}

fn destination(route: &RouteMessage) -> Option<IpAddr> {
    route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(address) => ip(address),
            _ => None,
        })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

impl Foreign {
    /// What it shall be instead, if it leads elsewhere as well: the same less the ways to this interface.
    pub(super) fn without(&self, index: u32) -> Option<RouteMessage> {
        let mut message = self.to_message();
        let mut is_left = false;
        for attribute in &mut message.attributes {
            if let RouteAttribute::MultiPath(hops) = attribute {
                hops.retain(|hop| hop.interface_index != index);
                // How each hop is at this moment is the kernel's to say.
                let said = |hop: &mut RouteNextHop| hop.flags &= RouteNextHopFlags::Onlink;
                hops.iter_mut().for_each(said);
                is_left = !hops.is_empty();
            }
        }
        // An object of its own may have been named, which has all of the ways.
        let is_object = |attribute: &RouteAttribute| matches!(attribute, RouteAttribute::NhId(_));
        message.attributes.retain(|attribute| !is_object(attribute));
        is_left.then_some(message)
    }

    /// What removes it, and no other: what the kernel said of it, less what is no key.
    pub(super) fn to_message(&self) -> RouteMessage {
        let mut message = self.0.clone();
        message.attributes.retain(|attribute| {
            !matches!(
                attribute,
                RouteAttribute::CacheInfo(_)
                    | RouteAttribute::Metrics(_)
                    | RouteAttribute::Preference(_)
                    | RouteAttribute::MulticastExpires(_)
                    | RouteAttribute::Expires(_)
            )
        });
        message.header.flags = Default::default();
        message
    }

    /// Who makes such routes, by what the kernel keeps of that (rtnetlink(7)).
    pub(super) fn maker(&self) -> &'static str {
        match self.0.header.protocol {
            RouteProtocol::Dhcp => "A DHCP client of this system",
            RouteProtocol::Ra | RouteProtocol::Kernel => "The LAN's IPv6 router",
            _ => "A program of this system",
        }
    }
}

/// As `ip route` writes it.
impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.header.destination_prefix_length;
        match (destination(&self.0), self.0.header.address_family) {
            (Some(ip), _) if len > 0 => write!(f, "{ip}/{len}")?,
            (_, AddressFamily::Inet6) => f.write_str("default (IPv6)")?,
            _ => f.write_str("default")?,
        }
        for attribute in &self.0.attributes {
            if let RouteAttribute::Gateway(gateway) = attribute
                && let Some(gateway) = ip(gateway)
            {
                write!(f, " via {gateway}")?;
            }
        }
        match table(&self.0) {
            table if table == u32::from(RouteHeader::RT_TABLE_MAIN) => Ok(()),
            table => write!(f, " of table {table}"),
        }
    }
}
