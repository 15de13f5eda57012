//! The kernel's side: what the adapter is like, and what is ordered.

use super::foreign;
use super::host::{Ipv4Setting, OWN_ADDRESS};
use super::wanted::{Address, Order, Seen};
use crate::address::InterfaceAddress;
use crate::link::Link;
use lanparty_netlink::family;
use netlink_packet_core::{
    DefaultNla, Emitable as _, NLA_F_NESTED, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE,
};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{
    self, DelAddress, DelRoute, GetAddress, GetLink, GetRoute, NewAddress, NewLink, NewRoute,
};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, CacheInfo};
use netlink_packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, LinkAttribute, LinkFlags, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::time::Instant;

/// IPv4's settings among an interface's attributes (linux/if_link.h).
const IFLA_INET_CONF: u16 = 1;
/// Where each interface has a folder.
pub(crate) const IPV6_SETTINGS: &str = "/proc/sys/net/ipv6/conf";
/// The file that restarts IPv6 on an interface.
const DISABLE: &str = "disable_ipv6";

/// The adapter as the kernel has it.
#[derive(Debug)]
pub(super) struct Kernel {
    link: Link,
}

impl Kernel {
    pub(super) fn new(link: Link) -> Self {
        Kernel { link }
    }

    /// Whether new interfaces get an IPv6 address out of their MAC here.
    pub(super) fn makes_own_addresses() -> bool {
        let file = format!("{IPV6_SETTINGS}/default/{}", OWN_ADDRESS.name);
        fs::read_to_string(file).is_ok_and(|mode| mode.trim() == "0")
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// What one question answers: whether it is up, its MTU, MAC and settings.
    pub(super) fn look_at_link(&self) -> io::Result<Seen> {
        match lanparty_netlink::ask(GetLink(self.link.message()))? {
            Some(NewLink(link)) => Ok(seen_link(&link)),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The same, with addresses and routes.
    pub(super) fn look(&self) -> io::Result<Seen> {
        let index = self.link.index();
        let addresses = lanparty_netlink::list(GetAddress(AddressMessage::default()))?;
        let mut routes = list_routes(AddressFamily::Inet, index)?;
        routes.extend(list_routes(AddressFamily::Inet6, index)?);
        routes.retain(|route| foreign::leads_to(index, route));
        Ok(Seen {
            addresses: addresses.iter().filter_map(|a| address(a, index)).collect(),
            routes,
            ..self.look_at_link()?
        })
    }

    pub(super) fn perform(&self, order: &Order) -> io::Result<()> {
        match order {
            Order::SetMac(mac) => self.link.set(LinkAttribute::Address(mac.to_vec())),
            Order::SetMtu(mtu) => self.link.set(LinkAttribute::Mtu(*mtu)),
            Order::SetUp => self.link.set_up(),
            Order::SetIpv4(settings) => self.set_ipv4(settings),
            Order::SetIpv6(setting) => self.write_ipv6(setting.name, "0"),
            Order::RestartIpv6 => {
                self.write_ipv6(DISABLE, "1")?;
                self.write_ipv6(DISABLE, "0")
            }
            Order::AddAddress(address) => self.add_address(*address),
            Order::RenewAddress(address) => {
                self.remove_address(address.at())?;
                self.add_address(*address)
            }
            Order::AddRoute(route) => route.add(),
            Order::AddLanRoute(at) => {
                let route = self.lan_route(*at);
                lanparty_netlink::order(NewRoute(route), NLM_F_CREATE | NLM_F_EXCL)
            }
            Order::RemoveForeign(foreign) => match foreign.without(self.link.index()) {
                Some(rest) => lanparty_netlink::order(NewRoute(rest), NLM_F_REPLACE),
                None => lanparty_netlink::order(DelRoute(foreign.to_message()), 0),
            },
        }
    }

    pub(super) fn add_address(&self, address: Address) -> io::Result<()> {
        let mut message = self.address_message(address.at());
        let attributes = &mut message.attributes;
        attributes.extend(address.broadcast().map(AddressAttribute::Broadcast));
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_valid = address.seconds_left(Instant::now());
        lifetime.ifa_preferred = lifetime.ifa_valid;
        attributes.push(AddressAttribute::CacheInfo(lifetime));
        if !address.is_routed() {
            attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
        }
        lanparty_netlink::order(NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
    }

    pub(super) fn remove_address(&self, at: InterfaceAddress) -> io::Result<()> {
        lanparty_netlink::order(DelAddress(self.address_message(at)), 0)
    }

    fn address_message(&self, at: InterfaceAddress) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = family(at.ip());
        message.header.prefix_len = at.prefix_len();
        message.header.index = self.link.index();
        message.attributes = vec![
            AddressAttribute::Local(at.ip()),
            AddressAttribute::Address(at.ip()),
        ];
        message
    }

    /// As the kernel makes it, so that it goes with its address.
    fn lan_route(&self, at: InterfaceAddress) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header.address_family = family(at.ip());
        message.header.destination_prefix_length = at.prefix_len();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Kernel;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(at.network().into()),
            RouteAttribute::Oif(self.link.index()),
        ];
        match at.ip() {
            IpAddr::V4(ip) => {
                message.header.scope = RouteScope::Link;
                message
                    .attributes
                    .push(RouteAttribute::PrefSource(ip.into()));
            }
            // The metric of IPv6 routes that the kernel makes.
            IpAddr::V6(_) => message.attributes.push(RouteAttribute::Priority(256)),
        }
        message
    }

    /// IPv4's settings can be given in a message, so that this needs no file below /proc/sys.
    fn set_ipv4(&self, settings: &[Ipv4Setting]) -> io::Result<()> {
        let number = |setting: &Ipv4Setting| {
            DefaultNla::new(setting.number, setting.value.to_ne_bytes().to_vec())
        };
        let settings: Vec<_> = settings.iter().map(number).collect();
        let mut bytes = vec![0; settings.as_slice().buffer_len()];
        settings.as_slice().emit(&mut bytes);
        let settings = DefaultNla::new(IFLA_INET_CONF | NLA_F_NESTED, bytes);
        let inet = AfSpecUnspec::Inet(vec![AfSpecInet::Other(settings)]);
        self.link.set(LinkAttribute::AfSpecUnspec(vec![inet]))
    }

    /// The kernel has no message for these. Their files come and go with IPv6 on the interface, which an MTU below its
    /// least (RFC 8200 §5) ends.
    fn write_ipv6(&self, name: &str, value: &str) -> io::Result<()> {
        let file = format!("{IPV6_SETTINGS}/{}/{name}", self.link.name());
        match fs::write(file, value) {
            // Not every kernel has every setting, or IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

fn seen_link(link: &LinkMessage) -> Seen {
    let mut seen = Seen {
        index: link.header.index,
        up: link.header.flags.contains(LinkFlags::Up),
        ..Seen::default()
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => seen.mtu = *mtu,
            LinkAttribute::Address(mac) => seen.mac.clone_from(mac),
            LinkAttribute::AfSpecUnspec(families) => read_settings(families, &mut seen),
            _ => {}
        }
    }
    seen
}

fn read_settings(families: &[AfSpecUnspec], seen: &mut Seen) {
    for family in families {
        match family {
            AfSpecUnspec::Inet(of_ipv4) => {
                for attribute in of_ipv4 {
                    if let AfSpecInet::DevConf(conf) = attribute {
                        seen.ipv4 = Some(*conf);
                    }
                }
            }
            AfSpecUnspec::Inet6(of_ipv6) => {
                for attribute in of_ipv6 {
                    if let AfSpecInet6::DevConf(conf) = attribute {
                        seen.ipv6 = Some(*conf);
                    }
                }
            }
            _ => {}
        }
    }
}

fn address(answer: &RouteNetlinkMessage, index: u32) -> Option<(IpAddr, u8)> {
    let NewAddress(message) = answer else {
        return None;
    };
    let ip = |attribute: &AddressAttribute| match (attribute, message.header.family) {
        (AddressAttribute::Local(ip), _) => Some(*ip),
        (AddressAttribute::Address(ip), AddressFamily::Inet6) => Some(*ip),
        _ => None,
    };
    let ip = message.attributes.iter().find_map(ip)?;
    (message.header.index == index).then_some((ip, message.header.prefix_len))
}

/// Those of one interface, and perhaps others.
fn list_routes(family: AddressFamily, index: u32) -> io::Result<Vec<RouteMessage>> {
    let mut question = RouteMessage::default();
    question.header.address_family = family;
    question.attributes.push(RouteAttribute::Oif(index));
    let answers = lanparty_netlink::list_some(GetRoute(question))?;
    let route = |answer| match answer {
        NewRoute(route) => Some(route),
        _ => None,
    };
    Ok(answers.into_iter().filter_map(route).collect())
}
