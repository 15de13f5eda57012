//! The adapter as the system's network stack sees it.

use crate::route::Route;
use lanparty_netlink::link;
use lanparty_proto::MacAddr;
use netlink_packet_route::RouteNetlinkMessage::{GetAddress, GetLink, NewAddress};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// A network interface of ours: what is set here disappears with it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    index: u32,
    name: String,
}

impl Link {
    /// The interface with this name.
    pub(crate) fn find(name: &str) -> io::Result<Self> {
        let link = link::named(name)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Link {
            index: link.header.index,
            name: name.to_owned(),
        })
    }

    #[cfg(test)]
    pub(crate) fn known(index: u32, name: &str) -> Self {
        let name = name.to_owned();
        Link { index, name }
    }

    /// The interface with this number.
    pub(crate) fn with_index(index: u32) -> io::Result<Self> {
        let answer = lanparty_netlink::ask(GetLink(link::message(index)))?;
        let name = answer.and_then(|answer| {
            attribute(answer, |attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            })
        });
        Ok(Link {
            index,
            name: name.ok_or(io::ErrorKind::NotFound)?,
        })
    }

    /// Its MAC.
    pub(crate) fn mac(&self) -> io::Result<MacAddr> {
        let answer = lanparty_netlink::ask(GetLink(self.message()))?;
        let mac = answer.and_then(|answer| {
            attribute(answer, |attribute| match attribute {
                LinkAttribute::Address(mac) => mac.try_into().ok(),
                _ => None,
            })
        });
        Ok(MacAddr::new(mac.ok_or(io::ErrorKind::Unsupported)?))
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sets the link up.
    pub(crate) fn set_up(&self) -> io::Result<()> {
        link::set_up(self.index)
    }

    /// Whether it is up; who removes it is seen elsewhere.
    pub(crate) fn is_up(&self) -> io::Result<bool> {
        match lanparty_netlink::ask(GetLink(self.message()))? {
            Some(RouteNetlinkMessage::NewLink(link)) => {
                Ok(link.header.flags.contains(LinkFlags::Up))
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The addresses that can be used now, IPv4 first.
    pub(crate) fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        let answers = lanparty_netlink::list(GetAddress(AddressMessage::default()))?;
        let mut addresses: Vec<_> = answers
            .iter()
            .filter_map(|answer| usable_address(answer, self.index))
            .collect();
        addresses.sort();
        Ok(addresses)
    }

    /// Leads 255.255.255.255 and IPv4 multicast to the LAN: games that look for servers that way mean the party, not the
    /// home network.
    pub(crate) fn group_routes(&self) -> [Route; 2] {
        let groups = [(Ipv4Addr::BROADCAST, 32), (Ipv4Addr::new(224, 0, 0, 0), 4)];
        groups.map(|(destination, len)| Route::on_link(destination.into(), len, self.index))
    }

    pub(crate) fn message(&self) -> LinkMessage {
        link::message(self.index)
    }

    pub(crate) fn set(&self, attribute: LinkAttribute) -> io::Result<()> {
        link::set(self.index, attribute)
    }
}

/// What an answer says of a link.
fn attribute<T>(
    answer: RouteNetlinkMessage,
    wanted: impl FnMut(LinkAttribute) -> Option<T>,
) -> Option<T> {
    match answer {
        RouteNetlinkMessage::NewLink(link) => link.attributes.into_iter().find_map(wanted),
        _ => None,
    }
}

/// The address in an answer, if it is on this link and not still being checked for a double.
fn usable_address(answer: &RouteNetlinkMessage, index: u32) -> Option<IpAddr> {
    let NewAddress(message) = answer else {
        return None;
    };
    let unsure = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    if message.header.index != index || message.header.flags.intersects(unsure) {
        return None;
    }
    message
        .attributes
        .iter()
        .find_map(|attribute| match (attribute, message.header.family) {
            (AddressAttribute::Local(ip), _) => Some(*ip),
            (AddressAttribute::Address(ip), AddressFamily::Inet6) => Some(*ip),
            _ => None,
        })
}
