//! What the kernel knows of the LAN: who is router there, and which addresses this machine has.

use lanparty_switch::reach::LanFacts;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteVia};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Of the LAN behind this interface.
///
/// # Errors
/// The kernel's.
pub(crate) fn of(interface: &str) -> io::Result<LanFacts> {
    let index = lanparty_netlink::link::named(interface)?.map(|link| link.header.index);
    let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let mut facts = LanFacts::default();
    for answer in lanparty_netlink::list(question)? {
        if let RouteNetlinkMessage::NewAddress(message) = answer {
            note_address(&mut facts, &message, index);
        }
    }
    for any in [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Ipv6Addr::UNSPECIFIED.into(),
    ] {
        let mut question = RouteMessage::default();
        question.header.address_family = lanparty_netlink::family(any);
        for answer in lanparty_netlink::list(RouteNetlinkMessage::GetRoute(question))? {
            if let RouteNetlinkMessage::NewRoute(message) = answer {
                facts.routers.extend(routers(&message));
            }
        }
    }
    facts.routers.sort_unstable();
    facts.routers.dedup();
    Ok(facts)
}

fn note_address(facts: &mut LanFacts, message: &AddressMessage, interface: Option<u32>) {
    let mut attributes = message.attributes.iter();
    let local = attributes.find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    // IPv6 has no local one beside its address.
    let mut attributes = message.attributes.iter();
    let own = local.or_else(|| {
        attributes.find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    });
    let Some(own) = own.filter(|own| !own.is_loopback()) else {
        return;
    };
    facts.own.push(own);
    if interface == Some(message.header.index) {
        facts.networks.push((own, message.header.prefix_len));
    }
}

/// Every router of a route: the way out is not always the default one.
fn routers(message: &RouteMessage) -> Vec<IpAddr> {
    let mut routers = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::MultiPath(hops) => {
                let attributes = hops.iter().flat_map(|hop| &hop.attributes);
                routers.extend(attributes.filter_map(router));
            }
            other => routers.extend(router(other)),
        }
    }
    routers
}

fn router(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some((*address).into()),
        RouteAttribute::Gateway(RouteAddress::Inet6(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    }
}
