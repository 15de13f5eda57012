//! Questions to the kernel's routing netlink (rtnetlink(7)), which anybody may ask.

use crate::facts::Prefix;
use lanparty_netlink::{ask, list};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::rule::{RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who made a route, in `rtm_protocol`: "L" for LAN party. The client writes it (`ip route show proto 76`), and the process
/// that made the route as its metric; the lab's `doctor` test holds both together.
const OURS: u8 = 0x4c;
/// What the client adds to that metric for a route that shall stand behind everybody's; no process has so high a number.
pub(super) const BEHIND: u32 = 0x4c00_0000;

/// A unicast route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) destination: Prefix,
    pub(super) device: u32,
    pub(super) metric: u32,
    pub(super) is_ours: bool,
}

impl Route {
    /// The process that made it, if it is ours.
    pub(super) fn owner(&self) -> u32 {
        self.metric & !BEHIND
    }
}

/// An interface but loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) is_up: bool,
}

pub(super) fn routes() -> io::Result<Vec<Route>> {
    let mut routes = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        let answers = list(RouteNetlinkMessage::GetRoute(question))?;
        routes.extend(answers.iter().filter_map(route));
    }
    Ok(routes)
}

fn route(answer: &RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = answer else {
        return None;
    };
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let mut route = Route {
        // Default routes do not name theirs.
        destination: Prefix {
            ip: match header.address_family {
                AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
                AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
                _ => return None,
            },
            len: header.destination_prefix_length,
        },
        device: device(message)?,
        metric: 0,
        is_ours: u8::from(header.protocol) == OURS,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => {
                route.destination.ip = (*ip).into();
            }
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => {
                route.destination.ip = (*ip).into();
            }
            RouteAttribute::Priority(metric) => route.metric = *metric,
            _ => {}
        }
    }
    Some(route)
}

fn device(message: &RouteMessage) -> Option<u32> {
    let mut attributes = message.attributes.iter();
    attributes.find_map(|attribute| match attribute {
        RouteAttribute::Oif(device) => Some(*device),
        RouteAttribute::MultiPath(hops) => Some(hops.first()?.interface_index),
        _ => None,
    })
}

/// How many routing rules of a client there are that no adapter has.
pub(super) fn our_rules() -> io::Result<usize> {
    let rules = rules(AddressFamily::Inet)?;
    Ok(rules.iter().filter(|rule| is_ours(rule)).count())
}

/// How many there are whose adapter is gone.
pub(super) fn our_lone_rules() -> io::Result<usize> {
    let rules = rules(AddressFamily::Inet6)?;
    let is_lone = |rule: &&RuleMessage| rule.header.flags.contains(RuleFlags::IifDetached);
    let lone = rules.iter().filter(is_lone);
    Ok(lone.filter(|rule| is_ours(rule)).count())
}

fn is_ours(rule: &RuleMessage) -> bool {
    let ours = RuleAttribute::Protocol(RouteProtocol::Other(OURS));
    rule.attributes.contains(&ours)
}

fn rules(family: AddressFamily) -> io::Result<Vec<RuleMessage>> {
    let mut question = RuleMessage::default();
    question.header.family = family;
    let answers = list(RouteNetlinkMessage::GetRule(question))?;
    let rule = |answer| match answer {
        RouteNetlinkMessage::NewRule(rule) => Some(rule),
        _ => None,
    };
    Ok(answers.into_iter().filter_map(rule).collect())
}

/// The interface by which packets to `ip` leave now, if there is a way.
pub(super) fn way_to(ip: IpAddr) -> io::Result<Option<u32>> {
    let mut question = RouteMessage::default();
    let (family, len) = match ip {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    question.header.address_family = family;
    question.header.destination_prefix_length = len;
    question
        .attributes
        .push(RouteAttribute::Destination(ip.into()));
    match ask(RouteNetlinkMessage::GetRoute(question)) {
        Ok(Some(RouteNetlinkMessage::NewRoute(way))) => Ok(device(&way)),
        Err(error) if !is_no_way(&error) => Err(error),
        Ok(_) | Err(_) => Ok(None),
    }
}

fn is_no_way(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkUnreachable, PermissionDenied};
    // The last by a route of the kind `prohibit`.
    matches!(
        error.kind(),
        NetworkUnreachable | HostUnreachable | PermissionDenied
    )
}

pub(super) fn links() -> io::Result<Vec<Link>> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let answers = list(question)?;
    Ok(answers.iter().filter_map(link).collect())
}

fn link(answer: &RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = answer else {
        return None;
    };
    let flags = message.header.flags;
    let name = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
    (!flags.contains(LinkFlags::Loopback)).then_some(Link {
        index: message.header.index,
        name,
        is_up: flags.contains(LinkFlags::Up),
    })
}

/// The addresses, each with its interface.
pub(super) fn addresses() -> io::Result<Vec<(u32, Prefix)>> {
    let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let answers = list(question)?;
    Ok(answers.iter().filter_map(address).collect())
}

fn address(answer: &RouteNetlinkMessage) -> Option<(u32, Prefix)> {
    let RouteNetlinkMessage::NewAddress(message) = answer else {
        return None;
    };
    let attributes = || message.attributes.iter();
    let local = attributes().find_map(|attribute| match attribute {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    let any = attributes().find_map(|attribute| match attribute {
        AddressAttribute::Address(ip) => Some(*ip),
        _ => None,
    });
    let prefix = Prefix {
        ip: local.or(any)?,
        len: message.header.prefix_len,
    };
    Some((message.header.index, prefix))
}
