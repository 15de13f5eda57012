//! The adapter as the system's network stack sees it.

use crate::address::InterfaceAddress;
use crate::netlink;
use crate::route::Route;
use lanparty_proto::{IpMtu, VirtualMac};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage::{GetAddress, GetLink, NewAddress, SetLink};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::{IpAddr, Ipv4Addr};
use std::{fs, io};

/// A network interface of ours: what is set here disappears with it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    index: u32,
    name: String,
}

impl Link {
    /// The interface with this name.
    pub(crate) fn find(name: &str) -> io::Result<Self> {
        let mut question = LinkMessage::default();
        question
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        match netlink::ask(GetLink(question))? {
            Some(RouteNetlinkMessage::NewLink(link)) => Ok(Link {
                index: link.header.index,
                name: name.to_owned(),
            }),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sets the MAC; the link must be down.
    pub(crate) fn set_mac(&self, mac: VirtualMac) -> io::Result<()> {
        self.set(LinkAttribute::Address(mac.addr().octets().to_vec()))
    }

    /// Sets the IP MTU.
    pub(crate) fn set_mtu(&self, mtu: IpMtu) -> io::Result<()> {
        self.set(LinkAttribute::Mtu(mtu.number().into()))
    }

    /// Sets the link up.
    pub(crate) fn set_up(&self) -> io::Result<()> {
        let mut message = self.message();
        message.header.flags |= LinkFlags::Up;
        message.header.change_mask |= LinkFlags::Up;
        netlink::order(SetLink(message), 0)
    }

    /// Whether it is up; who removes it is seen elsewhere.
    pub(crate) fn is_up(&self) -> io::Result<bool> {
        match netlink::ask(GetLink(self.message()))? {
            Some(RouteNetlinkMessage::NewLink(link)) => {
                Ok(link.header.flags.contains(LinkFlags::Up))
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Adds an address, and with it the route to its LAN.
    pub(crate) fn add_address(&self, address: InterfaceAddress) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = netlink::family(address.ip());
        message.header.prefix_len = address.prefix_len();
        message.header.index = self.index;
        message
            .attributes
            .push(AddressAttribute::Local(address.ip()));
        message
            .attributes
            .push(AddressAttribute::Address(address.ip()));
        message
            .attributes
            .extend(address.broadcast().map(AddressAttribute::Broadcast));
        netlink::order(NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// The addresses that can be used now, IPv4 first.
    pub(crate) fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        let answers = netlink::list(GetAddress(AddressMessage::default()))?;
        let mut addresses: Vec<_> = answers
            .iter()
            .filter_map(|answer| usable_address(answer, self.index))
            .collect();
        addresses.sort();
        Ok(addresses)
    }

    /// Sends 255.255.255.255 and IPv4 multicast to the LAN: games that look for servers that way
    /// mean the party, not the home network.
    pub(crate) fn attract_group_traffic(&self) -> io::Result<()> {
        let groups = [(Ipv4Addr::BROADCAST, 32), (Ipv4Addr::new(224, 0, 0, 0), 4)];
        for (destination, prefix_len) in groups {
            Route::on_link(destination.into(), prefix_len, self.index).add()?;
        }
        Ok(())
    }

    /// Keeps the LAN's IPv6 routers from changing where the player's other traffic goes (spec R81):
    /// they may announce prefixes, but neither default routes nor others, nor redirect anything.
    /// IPv4 needs no such care: a redirect counts only when the route's own next hop sends it.
    pub(crate) fn distrust_routers(&self) -> io::Result<()> {
        let settings = [
            "accept_ra_defrtr",
            "accept_ra_rtr_pref",
            "accept_ra_rt_info_max_plen",
            "accept_redirects",
        ];
        for setting in settings {
            let file = format!("/proc/sys/net/ipv6/conf/{}/{setting}", self.name);
            match fs::write(file, "0") {
                // Not every kernel has every setting, or IPv6.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn message(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = self.index;
        message
    }

    fn set(&self, attribute: LinkAttribute) -> io::Result<()> {
        let mut message = self.message();
        message.attributes.push(attribute);
        netlink::order(SetLink(message), 0)
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
