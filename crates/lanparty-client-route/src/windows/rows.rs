//! Our values as the rows of the IP Helper API, and back.
#![allow(unsafe_code, reason = "socket addresses are C unions")]

use crate::guid::AdapterGuid;
use crate::neighbours::{Answer, Neighbour};
use crate::overlap::OwnAddress;
use crate::route::{Family, Luid, Route};
use crate::settings::{InterfaceSettings, Metric, RouterDiscovery};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    IP_ADDRESS_PREFIX, MIB_IPFORWARD_ROW2, MIB_IPINTERFACE_ROW, MIB_IPNET_ROW2,
    MIB_UNICASTIPADDRESS_ROW,
};
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;
use windows_sys::Win32::Networking::WinSock::{
    ADDRESS_FAMILY, AF_INET, AF_INET6, IN_ADDR, IN_ADDR_0, IN6_ADDR, IN6_ADDR_0,
    MIB_IPPROTO_NETMGMT, NL_NEIGHBOR_STATE, NlnsDelay, NlnsIncomplete, NlnsPermanent, NlnsProbe,
    NlnsReachable, NlnsStale, NlroManual, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET,
};
use windows_sys::core::GUID;

pub(super) fn family(family: Family) -> ADDRESS_FAMILY {
    match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    }
}

pub(super) fn luid(luid: Luid) -> NET_LUID_LH {
    NET_LUID_LH { Value: luid.0 }
}

pub(super) fn from_luid(luid: NET_LUID_LH) -> Luid {
    // SAFETY: every 64 bits are a value.
    Luid(unsafe { luid.Value })
}

pub(super) fn guid(guid: AdapterGuid) -> GUID {
    GUID::from_u128(guid.as_u128())
}

pub(super) fn from_guid(guid: GUID) -> AdapterGuid {
    let high =
        u128::from(guid.data1) << 96 | u128::from(guid.data2) << 80 | u128::from(guid.data3) << 64;
    AdapterGuid::from_u128(high | u128::from(u64::from_be_bytes(guid.data4)))
}

pub(super) fn address(ip: IpAddr) -> SOCKADDR_INET {
    match ip {
        IpAddr::V4(ip) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_addr: IN_ADDR {
                    S_un: IN_ADDR_0 {
                        S_addr: u32::from_ne_bytes(ip.octets()),
                    },
                },
                ..SOCKADDR_IN::default()
            },
        },
        IpAddr::V6(ip) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_addr: IN6_ADDR {
                    u: IN6_ADDR_0 { Byte: ip.octets() },
                },
                ..SOCKADDR_IN6::default()
            },
        },
    }
}

pub(super) fn from_address(address: &SOCKADDR_INET) -> Option<IpAddr> {
    // SAFETY: the family lies at the same place in every member, and any number is one.
    let family = unsafe { address.si_family };
    match family {
        AF_INET => {
            // SAFETY: this is the member of that family; any bytes are an address.
            let octets = unsafe { address.Ipv4.sin_addr.S_un.S_addr }.to_ne_bytes();
            Some(Ipv4Addr::from(octets).into())
        }
        AF_INET6 => {
            // SAFETY: likewise.
            let octets = unsafe { address.Ipv6.sin6_addr.u.Byte };
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// Fills a row that the system has initialized.
pub(super) fn write_route(route: &Route, row: &mut MIB_IPFORWARD_ROW2) {
    row.InterfaceLuid = luid(route.interface);
    row.DestinationPrefix = IP_ADDRESS_PREFIX {
        Prefix: address(route.destination),
        PrefixLength: route.prefix_len,
    };
    row.NextHop = address(route.next_hop);
    row.Metric = route.metric;
    row.Protocol = MIB_IPPROTO_NETMGMT;
    row.Origin = NlroManual;
}

pub(super) fn read_route(row: &MIB_IPFORWARD_ROW2) -> Option<Route> {
    let destination = from_address(&row.DestinationPrefix.Prefix)?;
    Some(Route {
        destination,
        prefix_len: row.DestinationPrefix.PrefixLength,
        interface: from_luid(row.InterfaceLuid),
        next_hop: from_address(&row.NextHop)
            .unwrap_or_else(|| Family::of(destination).unspecified()),
        metric: row.Metric,
    })
}

pub(super) fn read_neighbour(row: &MIB_IPNET_ROW2) -> Option<Neighbour> {
    let IpAddr::V4(ip) = from_address(&row.Address)? else {
        return None;
    };
    let has_mac = row.PhysicalAddressLength == 6;
    Some(Neighbour {
        interface: from_luid(row.InterfaceLuid),
        ip,
        mac: *row.PhysicalAddress.first_chunk()?,
        answer: match has_mac {
            true => answer(row.State),
            // Without hardware addresses nobody asks, and it says nothing that an address is in the table.
            false if row.State == NlnsIncomplete => Answer::Awaited,
            false => Answer::None,
        },
    })
}

#[allow(non_upper_case_globals, reason = "as Windows calls them")]
fn answer(state: NL_NEIGHBOR_STATE) -> Answer {
    match state {
        NlnsIncomplete => Answer::Awaited,
        NlnsDelay | NlnsProbe | NlnsReachable | NlnsPermanent => Answer::Fresh,
        NlnsStale => Answer::Old,
        _ => Answer::None,
    }
}

pub(super) fn read_own_address(row: &MIB_UNICASTIPADDRESS_ROW) -> Option<OwnAddress> {
    let IpAddr::V4(ip) = from_address(&row.Address)? else {
        return None;
    };
    Some(OwnAddress {
        interface: from_luid(row.InterfaceLuid),
        ip,
        prefix_len: row.OnLinkPrefixLength,
    })
}

/// Changes a row that the system has filled.
pub(super) fn write_settings(settings: InterfaceSettings, row: &mut MIB_IPINTERFACE_ROW) {
    match settings.metric {
        Metric::Automatic => row.UseAutomaticMetric = true,
        Metric::Fixed(metric) => {
            row.UseAutomaticMetric = false;
            row.Metric = metric;
        }
    }
    row.NlMtu = settings.mtu;
    row.DisableDefaultRoutes = settings.ignores_default_routes;
    if let Some(number) = settings.routers.number() {
        row.RouterDiscoveryBehavior = number;
    }
    // What GetIpInterfaceEntry answers here, SetIpInterfaceEntry refuses for IPv4.
    row.SitePrefixLength = 0;
}

pub(super) fn read_settings(row: &MIB_IPINTERFACE_ROW) -> InterfaceSettings {
    InterfaceSettings {
        metric: match row.UseAutomaticMetric {
            true => Metric::Automatic,
            false => Metric::Fixed(row.Metric),
        },
        mtu: row.NlMtu,
        ignores_default_routes: row.DisableDefaultRoutes,
        routers: RouterDiscovery::from_number(row.RouterDiscoveryBehavior),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_client_core::way::host_prefix;

    #[test]
    fn a_route_goes_into_a_row_and_comes_back() {
        for (destination, next_hop) in [
            ("203.0.113.7", "192.168.1.1"),
            ("2001:db8::7", "fe80::1"),
            ("10.0.0.1", "0.0.0.0"),
        ] {
            let destination: IpAddr = destination.parse().unwrap();
            let route = Route {
                destination,
                prefix_len: host_prefix(destination),
                interface: Luid(0x0006_0080_0000_0000),
                next_hop: next_hop.parse().unwrap(),
                metric: 3,
            };
            let mut row = MIB_IPFORWARD_ROW2::default();
            write_route(&route, &mut row);
            assert_eq!(read_route(&row), Some(route));
        }
    }

    #[test]
    fn settings_go_into_a_row_and_come_back() {
        for metric in [Metric::Automatic, Metric::Fixed(1)] {
            let settings = InterfaceSettings {
                metric,
                mtu: 1392,
                ignores_default_routes: true,
                routers: RouterDiscovery::Dhcp,
            };
            let mut row = MIB_IPINTERFACE_ROW::default();
            write_settings(settings, &mut row);
            assert_eq!(read_settings(&row), settings);
        }
    }

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        let mut row = MIB_IPINTERFACE_ROW {
            RouterDiscoveryBehavior: 2,
            ..Default::default()
        };
        let settings = InterfaceSettings {
            routers: RouterDiscovery::Unknown,
            ..InterfaceSettings::for_party(Family::V4, 1392)
        };
        write_settings(settings, &mut row);
        assert_eq!(read_settings(&row).routers, RouterDiscovery::Dhcp);
    }

    #[test]
    fn a_guid_keeps_its_digits() {
        let digits = 0x12345678_9abc_def0_1234_56789abcdef0;
        let guid = AdapterGuid::from_u128(digits);
        assert_eq!(from_guid(super::guid(guid)), guid);
    }
}
