//! What the adapter shall be like, what it is like, and what is to be done about the difference. Pure.

use super::foreign::{self, Foreign};
use super::host::{IPV4, IPV6, Ipv4Setting, Ipv6Setting, OWN_ADDRESS};
use crate::address::InterfaceAddress;
use crate::route::Route;
use netlink_packet_route::link::{Inet6DevConf, InetDevConf};
use netlink_packet_route::route::RouteMessage;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// An address that the adapter shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    at: InterfaceAddress,
    is_routed: bool,
    /// Another one than the network's last.
    broadcast: Option<Ipv4Addr>,
    /// A lease's end; none is never.
    until: Option<Instant>,
}

/// What the adapter shall be like.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) up: bool,
    pub(super) mtu: Option<u32>,
    pub(super) mac: Option<[u8; 6]>,
    pub(super) addresses: Vec<Address>,
    pub(super) routes: Vec<Route>,
    /// Whether it is one host of its LAN ([`super::host`]).
    pub(super) is_host: bool,
    /// Whether the kernel makes its own IPv6 address out of the MAC, as it does on this system.
    pub(super) own_address: bool,
    /// Whether it had the IPv6 address that the kernel makes by itself.
    pub(super) link_local: bool,
    /// What this machine needs elsewhere: nobody's route leads it to the adapter.
    pub(super) kept_off: Vec<IpAddr>,
    /// Whether others may send through it whatever they want.
    pub(super) leaves_routes: bool,
}

/// What it is like.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) index: u32,
    pub(super) up: bool,
    pub(super) mtu: u32,
    pub(super) mac: Vec<u8>,
    pub(super) ipv4: Option<InetDevConf>,
    pub(super) ipv6: Option<Inet6DevConf>,
    pub(super) addresses: Vec<(IpAddr, u8)>,
    /// Every route that leads to it, in whichever table.
    pub(super) routes: Vec<RouteMessage>,
}

/// What is to be done.
#[derive(Clone)]
pub(super) enum Order {
    SetMac([u8; 6]),
    SetMtu(u32),
    SetUp,
    SetIpv4(Vec<Ipv4Setting>),
    SetIpv6(Ipv6Setting),
    /// Has the kernel make its own IPv6 address again, and ask for routers.
    RestartIpv6,
    AddAddress(Address),
    AddRoute(Route),
    /// Has the kernel make anew what it makes with an address.
    RenewAddress(Address),
    /// The route to its own LAN, which the kernel makes with an address.
    AddLanRoute(InterfaceAddress),
    /// A route of somebody else's that would take the player's other traffic into the party.
    RemoveForeign(Foreign),
}

impl Address {
    /// One whose network is reached through the adapter.
    pub(crate) fn new(at: InterfaceAddress) -> Self {
        Address {
            at,
            is_routed: true,
            broadcast: None,
            until: None,
        }
    }

    /// One on the party's LAN. Which routes lead to its IPv4 network is for `PartyRoutes` to say, as home may have it too.
    pub(crate) fn of_lan(at: InterfaceAddress) -> Self {
        match at.ip() {
            IpAddr::V4(_) => Self::without_route(at),
            IpAddr::V6(_) => Self::new(at),
        }
    }

    /// One that brings no route to its network: that leads elsewhere.
    pub(crate) fn without_route(at: InterfaceAddress) -> Self {
        Address {
            is_routed: false,
            ..Address::new(at)
        }
    }

    /// The same with this broadcast address, if that is known.
    pub(crate) fn with_broadcast(self, broadcast: Option<Ipv4Addr>) -> Self {
        Address { broadcast, ..self }
    }

    /// The same for this long: a kernel that hears of no renewal takes it away itself.
    pub(crate) fn until(self, until: Option<Instant>) -> Self {
        Address { until, ..self }
    }

    pub(crate) fn at(self) -> InterfaceAddress {
        self.at
    }

    pub(crate) fn is_routed(self) -> bool {
        self.is_routed
    }

    fn leads_to(self, ip: IpAddr) -> bool {
        self.is_routed && self.at.is_neighbour(ip)
    }

    pub(super) fn broadcast(self) -> Option<Ipv4Addr> {
        self.broadcast.or(self.at.broadcast())
    }

    /// Whole seconds for the kernel, rounded up, or for ever. One at least, as none would be an order to take it away.
    pub(super) fn seconds_left(self, now: Instant) -> u32 {
        let Some(until) = self.until else {
            return u32::MAX;
        };
        let left = until.saturating_duration_since(now).as_millis();
        let left = left.div_ceil(1000);
        u32::try_from(left).unwrap_or(u32::MAX - 1).max(1)
    }

    pub(super) fn is_over(self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether only times differ, which are set anew without taking the address away.
    pub(super) fn is_renewal_of(self, before: Address) -> bool {
        let Address { until, .. } = self;
        self == Address { until, ..before }
    }
}

impl Wanted {
    /// What is to be done, in this order.
    pub(super) fn orders(&self, seen: &Seen) -> Vec<Order> {
        let mut orders = Vec::new();
        if !self.leaves_routes {
            // What the player has given the adapter is the player's affair.
            let given = |ip: &IpAddr| self.addresses.iter().any(|own| own.leads_to(*ip));
            let kept_off = self.kept_off.iter().copied().filter(|ip| !given(ip));
            let kept_off: Vec<_> = kept_off.collect();
            let foreign = foreign::routes(seen.index, &seen.routes, &kept_off);
            orders.extend(foreign.map(Order::RemoveForeign));
        }
        orders.extend(self.mac.filter(|mac| *mac != *seen.mac).map(Order::SetMac));
        orders.extend(self.mtu.filter(|mtu| *mtu != seen.mtu).map(Order::SetMtu));
        if self.is_host {
            orders.extend(host_orders(seen));
        }
        orders.extend(self.own_address_order(seen));
        if !self.up {
            return orders;
        }
        if !seen.up {
            orders.push(Order::SetUp);
        }
        orders.extend(self.address_orders(seen));
        let there: Vec<_> = seen.routes.iter().filter_map(Route::in_main).collect();
        let missing = self.routes.iter().filter(|route| !there.contains(route));
        // A route goes with the address that it speaks from.
        let has = |ip: IpAddr| {
            let wanted = self.addresses.iter().map(|own| own.at.ip());
            wanted
                .chain(seen.addresses.iter().map(|own| own.0))
                .any(|own| own == ip)
        };
        let missing = missing.filter(|route| route.source.is_none_or(has));
        orders.extend(missing.cloned().map(Order::AddRoute));
        orders
    }

    /// Whether there is a difference in what one answer of the kernel tells.
    pub(super) fn differs_in_link(&self, seen: &Seen) -> bool {
        self.mac.is_some_and(|mac| mac != *seen.mac)
            || self.mtu.is_some_and(|mtu| mtu != seen.mtu)
            || self.up && !seen.up
            || self.own_address_order(seen).is_some()
            || self.is_host && !host_orders(seen).is_empty()
    }

    fn own_address_order(&self, seen: &Seen) -> Option<Order> {
        let is_off = seen
            .ipv6
            .as_ref()
            .is_some_and(|conf| (OWN_ADDRESS.read)(conf) != 0);
        (self.own_address && is_off).then_some(Order::SetIpv6(OWN_ADDRESS))
    }

    fn address_orders(&self, seen: &Seen) -> Vec<Order> {
        let mut orders = Vec::new();
        let has_ipv6 = seen.ipv6.is_some_and(|conf| conf.disable_ipv6 == 0);
        if self.link_local && seen.up && has_ipv6 && seen.link_local().is_none() {
            orders.push(Order::RestartIpv6);
        }
        let link_local = seen.link_local();
        let link_local = link_local.filter(|at| seen.up && !seen.leads_to_lan(*at));
        orders.extend(link_local.map(Order::AddLanRoute));
        for &address in &self.addresses {
            let at = address.at;
            if !seen.addresses.contains(&(at.ip(), at.prefix_len())) {
                orders.push(Order::AddAddress(address));
            } else if seen.up && at.ip().is_ipv4() && !foreign::is_local(at.ip(), &seen.routes) {
                orders.push(Order::RenewAddress(address));
            } else if seen.up && address.is_routed && !seen.leads_to_lan(at) {
                orders.push(Order::AddLanRoute(at));
            }
        }
        orders
    }
}

fn host_orders(seen: &Seen) -> Vec<Order> {
    let mut orders = Vec::new();
    if let Some(conf) = &seen.ipv4 {
        let differs = |setting: &Ipv4Setting| setting.read(conf) != Some(setting.value);
        let different: Vec<_> = IPV4.into_iter().filter(differs).collect();
        if !different.is_empty() {
            orders.push(Order::SetIpv4(different));
        }
    }
    if let Some(conf) = &seen.ipv6 {
        let on = IPV6.into_iter().filter(|setting| (setting.read)(conf) != 0);
        orders.extend(on.map(Order::SetIpv6));
    }
    orders
}

impl Seen {
    /// The address that IPv6 gives to every interface.
    pub(super) fn link_local(&self) -> Option<InterfaceAddress> {
        let is_it = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let (ip, prefix_len) = self.addresses.iter().find(|(ip, _)| is_it(ip))?;
        InterfaceAddress::new(*ip, *prefix_len).ok()
    }

    /// Whether there is a way to the network of this address; one host alone has none.
    fn leads_to_lan(&self, at: InterfaceAddress) -> bool {
        let host_prefix = if at.ip().is_ipv4() { 32 } else { 128 };
        let mut routes = self.routes.iter().filter_map(Route::in_main);
        at.prefix_len() == host_prefix
            || routes.any(|route| route.is_to(at.network(), at.prefix_len()))
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As part of a sentence.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::SetMac(_) => f.write_str("its MAC address"),
            Order::SetMtu(mtu) => write!(f, "its MTU {mtu}"),
            Order::SetUp => f.write_str("that it is up"),
            Order::SetIpv4(settings) => {
                let names: Vec<_> = settings.iter().map(|setting| setting.name).collect();
                write!(f, "its IPv4 settings ({})", names.join(", "))
            }
            Order::SetIpv6(setting) => write!(f, "its IPv6 setting {}", setting.name),
            Order::RestartIpv6 => f.write_str("its own IPv6 address"),
            Order::AddAddress(address) | Order::RenewAddress(address) => {
                write!(f, "its address {}", address.at)
            }
            Order::AddRoute(route) => write!(f, "its route to {route}"),
            Order::AddLanRoute(at) => {
                write!(f, "its route to {}/{}", at.network(), at.prefix_len())
            }
            Order::RemoveForeign(foreign) => write!(f, "without the route {foreign}"),
        }
    }
}

#[cfg(test)]
mod tests;
