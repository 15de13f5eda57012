//! Host routes that keep the relay off the TAP.
//!
//! A LAN may have the addresses of the player's home network, or the relay's own. Once the TAP has
//! an address there, the system would send the tunnel's datagrams into the tunnel. A host route
//! along the way that leads to the relay today prevents that; it is looked up before the TAP goes up.
//!
//! Our routes carry [`PROTOCOL`] and, in their metric, the process that made them. So routes of
//! several clients never mix, and the next start finds what a killed client left behind:
//! `ip route show proto 76`.

mod pins;

pub(crate) use pins::{Pins, remove_leftovers};

use lanparty_client_core::way::{host_prefix, is_within, stays_here};
use lanparty_netlink::family;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{self, DelRoute, GetRoute, NewRoute};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteScope, RouteType, RouteVia,
};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process;

/// Who made a route, in `rtm_protocol` of rtnetlink(7): "L" for LAN party. Nobody else in
/// iproute2's rt_protos has it.
pub(crate) const PROTOCOL: u8 = 0x4c;

/// Added to the metric of a route that shall stand behind everybody's: above what programs take, 600 or 1024 and 20000 more
/// for one that leads nowhere. No process has such a number (proc(5), `pid_max`).
const BEHIND: u32 = 0x4c00_0000;

/// A unicast route of the main table, as far as we care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) destination: IpAddr,
    pub(crate) prefix_len: u8,
    pub(crate) device: u32,
    pub(crate) next_hop: Option<IpAddr>,
    /// The address that packets get that have none yet.
    pub(crate) source: Option<IpAddr>,
    pub(crate) metric: u32,
    pub(crate) protocol: u8,
}

/// What is to be done to keep a relay off the TAP.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing: it is on this machine, or cannot be reached at all now.
    Nothing,
    /// Somebody has made that very route; it stays theirs.
    Borrow,
    /// This route is to be added.
    Add(Route),
}

/// Decides about a relay whose traffic takes the way `way`, where `routes` exist.
fn plan(relay: IpAddr, way: Option<&Route>, routes: &[Route], owner: u32) -> Plan {
    let Some(way) = way.filter(|_| !stays_here(relay)) else {
        return Plan::Nothing;
    };
    let pin = Route {
        destination: relay,
        prefix_len: host_prefix(relay),
        device: way.device,
        next_hop: way.next_hop,
        source: None,
        metric: owner,
        protocol: PROTOCOL,
    };
    // Another client's pin goes away with that client.
    let same = |route: &&Route| route.leads_like(&pin) && route.protocol != PROTOCOL;
    match routes.iter().find(same) {
        Some(_) => Plan::Borrow,
        None => Plan::Add(pin),
    }
}

/// The route that would lead to `ip` if neither `tap` nor any pin were there.
fn best_without(tap: u32, ip: IpAddr, routes: &[Route]) -> Option<&Route> {
    routes
        .iter()
        .filter(|route| route.device != tap && route.protocol != PROTOCOL && route.covers(ip))
        .min_by_key(|route| (u8::MAX - route.prefix_len, route.metric))
}

/// Whether a route's maker was a client that is gone.
fn is_leftover(route: &Route, is_client: impl Fn(u32) -> bool) -> bool {
    route.protocol == PROTOCOL && !is_client(route.metric & !BEHIND)
}

impl Route {
    /// A route of this process to a network that `device` reaches without a next hop.
    pub(crate) fn on_link(destination: IpAddr, prefix_len: u8, device: u32) -> Self {
        Route {
            destination,
            prefix_len,
            device,
            next_hop: None,
            source: None,
            metric: process::id(),
            protocol: PROTOCOL,
        }
    }

    /// The same for what leaves with this address of the device's.
    pub(crate) fn from(self, source: IpAddr) -> Self {
        let source = Some(source);
        Route { source, ..self }
    }

    /// The same behind everybody's routes to that network.
    pub(crate) fn behind_others(self) -> Self {
        let metric = self.metric | BEHIND;
        Route { metric, ..self }
    }

    /// Adds it; fails when the same route exists.
    pub(crate) fn add(&self) -> io::Result<()> {
        lanparty_netlink::order(NewRoute(self.to_message()), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Removes it, and no other.
    pub(crate) fn remove(&self) -> io::Result<()> {
        lanparty_netlink::order(DelRoute(self.to_message()), 0)
    }

    /// The way that a packet to `ip` takes now; nothing when it stays here or has no way.
    pub(crate) fn lookup(ip: IpAddr) -> io::Result<Option<Self>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family(ip);
        question.header.destination_prefix_length = host_prefix(ip);
        question
            .attributes
            .push(RouteAttribute::Destination(ip.into()));
        match lanparty_netlink::ask(GetRoute(question)) {
            Ok(answer) => Ok(answer.as_ref().and_then(Self::from_answer)),
            Err(error) if is_no_way(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The unicast routes of the main table for the family of `ip`.
    pub(crate) fn list(ip: IpAddr) -> io::Result<Vec<Self>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family(ip);
        let answers = lanparty_netlink::list(GetRoute(question))?;
        let in_main = |answer: &&RouteNetlinkMessage| matches!(answer, NewRoute(route) if route.header.table == RouteHeader::RT_TABLE_MAIN);
        Ok(answers
            .iter()
            .filter(in_main)
            .filter_map(Self::from_answer)
            .collect())
    }

    /// The same of every table but the kernel's own: other programs lead networks elsewhere by rules and tables of theirs.
    pub(crate) fn list_everywhere(ip: IpAddr) -> io::Result<Vec<Self>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family(ip);
        let answers = lanparty_netlink::list(GetRoute(question))?;
        // The kernel's own has no unicast routes but for its broadcast ones of old.
        Ok(answers.iter().filter_map(Self::from_answer).collect())
    }

    /// The same of what the kernel said of a route.
    pub(crate) fn in_main(message: &RouteMessage) -> Option<Self> {
        let is_in_main = message.header.table == RouteHeader::RT_TABLE_MAIN;
        is_in_main.then(|| Self::from_message(message)).flatten()
    }

    /// Whether it leads to that network, and no other.
    pub(crate) fn is_to(&self, network: IpAddr, prefix_len: u8) -> bool {
        (self.destination, self.prefix_len) == (network, prefix_len)
    }

    fn from_answer(answer: &RouteNetlinkMessage) -> Option<Self> {
        match answer {
            NewRoute(route) => Self::from_message(route),
            _ => None,
        }
    }

    /// Reads a route with one way; what has several, or leads nowhere, is not for us.
    fn from_message(message: &RouteMessage) -> Option<Self> {
        if message.header.kind != RouteType::Unicast {
            return None;
        }
        let mut route = Route {
            // Default routes do not name theirs.
            destination: any_address(message.header.address_family)?,
            prefix_len: message.header.destination_prefix_length,
            device: 0,
            next_hop: None,
            source: None,
            metric: 0,
            protocol: message.header.protocol.into(),
        };
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => route.destination = ip(address)?,
                RouteAttribute::Gateway(address) => route.next_hop = Some(ip(address)?),
                RouteAttribute::Via(RouteVia::Inet(ip)) => route.next_hop = Some((*ip).into()),
                RouteAttribute::Via(RouteVia::Inet6(ip)) => route.next_hop = Some((*ip).into()),
                RouteAttribute::PrefSource(address) => route.source = Some(ip(address)?),
                RouteAttribute::Oif(device) => route.device = *device,
                RouteAttribute::Priority(metric) => route.metric = *metric,
                _ => {}
            }
        }
        (route.device != 0).then_some(route)
    }

    fn to_message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = family(self.destination);
        message.header.destination_prefix_length = self.prefix_len;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = self.protocol.into();
        message.header.kind = RouteType::Unicast;
        message.header.scope = match (self.next_hop, self.destination) {
            (None, IpAddr::V4(_)) => RouteScope::Link,
            _ => RouteScope::Universe,
        };
        message.attributes = vec![
            RouteAttribute::Destination(self.destination.into()),
            RouteAttribute::Oif(self.device),
            RouteAttribute::Priority(self.metric),
        ];
        let source = self.source.map(RouteAddress::from);
        message
            .attributes
            .extend(source.map(RouteAttribute::PrefSource));
        message.attributes.extend(self.next_hop.map(|next_hop| {
            match (self.destination, next_hop) {
                // An IPv4 route by way of an IPv6 neighbour (RFC 5549).
                (IpAddr::V4(_), IpAddr::V6(next_hop)) => {
                    RouteAttribute::Via(RouteVia::Inet6(next_hop))
                }
                _ => RouteAttribute::Gateway(next_hop.into()),
            }
        }));
        message
    }

    fn covers(&self, ip: IpAddr) -> bool {
        is_within(ip, self.destination, self.prefix_len)
    }

    /// Whether it takes the same packets the same way.
    fn leads_like(&self, other: &Route) -> bool {
        let way = |route: &Route| {
            (
                route.destination,
                route.prefix_len,
                route.device,
                route.next_hop,
            )
        };
        way(self) == way(other)
    }
}

/// As `ip route` writes it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.destination, self.prefix_len)
    }
}

fn any_address(family: AddressFamily) -> Option<IpAddr> {
    match family {
        AddressFamily::Inet => Some(Ipv4Addr::UNSPECIFIED.into()),
        AddressFamily::Inet6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn is_no_way(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable
    )
}

#[cfg(test)]
mod tests;
