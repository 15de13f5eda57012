//! The settings of an interface that we change, and those that a LAN party's adapter needs.

use crate::route::Family;
use serde::{Deserialize, Serialize};

/// What an interface's routes cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metric {
    /// What Windows thinks right for the link's speed.
    Automatic,
    /// This much.
    Fixed(u32),
}

/// Whether an interface listens to what routers announce about the network: prefixes to make addresses
/// of, routes, DNS servers (`NL_ROUTER_DISCOVERY_BEHAVIOR`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RouterDiscovery {
    /// It does not.
    Disabled,
    /// It does.
    Enabled,
    /// When DHCP says so; what IPv4 does by itself.
    Dhcp,
    /// Not known: what was written down before we looked at this. Setting it changes nothing.
    #[default]
    Unknown,
}

impl RouterDiscovery {
    /// The behaviour with this number.
    pub fn from_number(number: i32) -> Self {
        match number {
            0 => RouterDiscovery::Disabled,
            2 => RouterDiscovery::Dhcp,
            _ => RouterDiscovery::Enabled,
        }
    }

    /// Its number, where it is known.
    pub fn number(self) -> Option<i32> {
        match self {
            RouterDiscovery::Disabled => Some(0),
            RouterDiscovery::Enabled => Some(1),
            RouterDiscovery::Dhcp => Some(2),
            RouterDiscovery::Unknown => None,
        }
    }
}

/// The settings of an interface, for one IP family, that the client changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSettings {
    /// What its routes cost.
    pub metric: Metric,
    /// The IP MTU, in bytes.
    pub mtu: u32,
    /// Whether Windows ignores default routes by this interface.
    pub ignores_default_routes: bool,
    /// Whether it listens to routers; in what an older version wrote down, this is missing.
    #[serde(default)]
    pub routers: RouterDiscovery,
}

impl InterfaceSettings {
    /// Every IPv6 link carries this much (RFC 8200 §5).
    pub const MIN_IPV6_MTU: u32 = 1280;

    /// What the party's adapter needs (spec R73): broadcast and multicast leave by the cheapest
    /// interface, and nothing else should. A router on the LAN may announce routes to anywhere, and
    /// DNS servers; being the cheapest, the adapter would give them all that the player does.
    pub fn for_party(family: Family, mtu: u16) -> Self {
        let mtu = u32::from(mtu);
        InterfaceSettings {
            metric: Metric::Fixed(1),
            mtu: match family {
                Family::V4 => mtu,
                Family::V6 => mtu.max(Self::MIN_IPV6_MTU),
            },
            ignores_default_routes: true,
            routers: RouterDiscovery::Disabled,
        }
    }
}

/// The addresses in a `NameServer` value of the registry, which Windows separates with commas or
/// spaces; whatever else stands there is left out.
pub fn name_server_list(value: &str, family: Family) -> Vec<std::net::IpAddr> {
    value
        .split([',', ' ', ';'])
        .filter_map(|server| server.parse().ok())
        .filter(|server| Family::of(*server) == family)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_party_gets_broadcast_but_no_route_of_its_routers() {
        let settings = InterfaceSettings::for_party(Family::V4, 1392);
        assert_eq!(settings.metric, Metric::Fixed(1));
        assert_eq!(settings.mtu, 1392);
        assert!(settings.ignores_default_routes);
        assert_eq!(settings.routers, RouterDiscovery::Disabled);
    }

    #[test]
    fn router_discovery_has_windows_numbers() {
        for number in 0..3 {
            assert_eq!(RouterDiscovery::from_number(number).number(), Some(number));
        }
    }

    #[test]
    fn name_servers_are_separated_one_way_or_the_other() {
        let list = |value| name_server_list(value, Family::V4);
        assert_eq!(list("192.168.1.1,1.1.1.1"), list("192.168.1.1 1.1.1.1"));
        assert_eq!(list("192.168.1.1, fe80::1,x").len(), 1);
        assert!(list("").is_empty());
    }

    proptest! {
        #[test]
        fn ipv6_never_gets_less_than_it_needs(mtu: u16) {
            prop_assert!(InterfaceSettings::for_party(Family::V6, mtu).mtu >= 1280);
        }
    }
}
