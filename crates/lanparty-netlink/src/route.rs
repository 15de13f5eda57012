//! Which way packets take, and from which address.

use crate::{ask, family, list};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{GetAddress, GetRoute, NewAddress, NewRoute};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use std::io;
use std::net::{IpAddr, Ipv6Addr};

/// The way that packets to somewhere take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Towards {
    /// The next router; none where the destination is a neighbour.
    pub gateway: Option<IpAddr>,
    /// This machine's address in them.
    pub source: IpAddr,
    /// The interface by which they leave.
    pub interface: u32,
}

/// The way to there, by all of the kernel's rules; `None` when there is none, or none that can be read.
///
/// # Errors
/// The kernel's; most often `ENETUNREACH`.
pub fn towards(ip: IpAddr) -> io::Result<Option<Towards>> {
    let mut question = RouteMessage::default();
    question.header.address_family = family(ip);
    let (to, len) = match ip {
        IpAddr::V4(ip) => (RouteAddress::Inet(ip), 32),
        IpAddr::V6(ip) => (RouteAddress::Inet6(ip), 128),
    };
    question.header.destination_prefix_length = len;
    question.attributes = vec![RouteAttribute::Destination(to)];
    match ask(GetRoute(question))? {
        Some(NewRoute(way)) => Ok(read(&way)),
        _ => Ok(None),
    }
}

fn read(way: &RouteMessage) -> Option<Towards> {
    let attributes = &way.attributes;
    let gateway = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(router) => address(router),
        _ => None,
    });
    let source = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::PrefSource(source) => address(source),
        _ => None,
    });
    let interface = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(interface) => Some(*interface),
        _ => None,
    });
    Some(Towards {
        gateway,
        source: source?,
        interface: interface?,
    })
}

fn address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

/// The IPv6 addresses of an interface that are for the whole internet and stay: none that is made up for a day (RFC 8981),
/// on its way out or not yet sure.
///
/// # Errors
/// The kernel's.
pub fn lasting_ipv6(interface: u32) -> io::Result<Vec<Ipv6Addr>> {
    let passing = AddressFlags::Secondary // for IPv6 it means: temporary
        | AddressFlags::Deprecated
        | AddressFlags::Tentative
        | AddressFlags::Dadfailed;
    let mut question = AddressMessage::default();
    question.header.family = AddressFamily::Inet6;
    let answers = list(GetAddress(question))?;
    let lasts = answers.into_iter().filter_map(|answer| match answer {
        NewAddress(address)
            if address.header.index == interface
                && address.header.scope == AddressScope::Universe =>
        {
            let mut flags = AddressFlags::from_bits_retain(address.header.flags.bits().into());
            let mut ip = None;
            for attribute in &address.attributes {
                match attribute {
                    AddressAttribute::Address(IpAddr::V6(own)) => ip = Some(*own),
                    AddressAttribute::Flags(all) => flags |= *all,
                    _ => {}
                }
            }
            ip.filter(|_| !flags.intersects(passing))
        }
        _ => None,
    });
    Ok(lasts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_way_to_this_machine_is_its_loopback() {
        let own = Ipv4Addr::LOCALHOST.into();
        let way = towards(own).unwrap().unwrap();
        assert_eq!((way.gateway, way.source), (None, own));
        assert_eq!(lasting_ipv6(way.interface).unwrap(), Vec::<Ipv6Addr>::new());
    }

    #[test]
    fn a_way_without_a_source_is_none() {
        let mut way = RouteMessage::default();
        way.attributes = vec![RouteAttribute::Oif(7)];
        assert_eq!(read(&way), None);
        let own = Ipv4Addr::new(192, 168, 1, 7);
        let router = Ipv4Addr::new(192, 168, 1, 1);
        way.attributes
            .push(RouteAttribute::PrefSource(RouteAddress::Inet(own)));
        way.attributes
            .push(RouteAttribute::Gateway(RouteAddress::Inet(router)));
        let read = read(&way).unwrap();
        assert_eq!(read.gateway, Some(router.into()));
        assert_eq!((read.source, read.interface), (own.into(), 7));
    }
}
