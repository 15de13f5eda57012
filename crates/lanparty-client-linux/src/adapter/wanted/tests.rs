use super::*;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteProtocol, RouteType};
use std::net::{Ipv4Addr, Ipv6Addr};

const TAP: u32 = 7;
const HOME: u32 = 2;
const MAC: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];

#[test]
fn what_is_as_it_shall_be_is_left_alone() {
    assert_eq!(orders(&wanted(), &seen()), [""; 0]);
}

#[test]
fn a_flap_of_the_link_takes_everything_along_and_everything_comes_back() {
    let down = Seen {
        up: false,
        routes: vec![],
        ..seen()
    };
    assert_eq!(
        orders(&wanted(), &down),
        [
            "that it is up",
            "its route to 255.255.255.255/32",
            "its route to 224.0.0.0/4",
        ]
    );
    let flushed = Seen {
        addresses: vec![],
        routes: vec![],
        ..seen()
    };
    assert_eq!(
        orders(&wanted(), &flushed),
        [
            "its own IPv6 address",
            "its address 192.168.50.7/24",
            "its route to 255.255.255.255/32",
            "its route to 224.0.0.0/4",
        ]
    );
}

#[test]
fn one_route_is_put_back_alone() {
    let without = |gone: usize| {
        let mut seen = seen();
        seen.routes.remove(gone);
        orders(&wanted(), &seen)
    };
    assert_eq!(without(0), ["its route to 255.255.255.255/32"]);
    assert_eq!(without(1), ["its route to 224.0.0.0/4"]);
    assert_eq!(without(2), ["its route to 192.168.50.0/24"]);
    assert_eq!(
        without(3),
        ["its address 192.168.50.7/24"],
        "it is nobody's"
    );
}

#[test]
fn mtu_mac_and_settings_are_put_back() {
    let mut changed = Seen {
        mtu: 1500,
        mac: vec![2, 0, 0, 0, 0, 9],
        ..seen()
    };
    changed.ipv4.as_mut().unwrap().arp_ignore = 0;
    changed.ipv4.as_mut().unwrap().forwarding = 1;
    changed.ipv6.as_mut().unwrap().accept_ra_defrtr = 1;
    changed.ipv6.as_mut().unwrap().addr_gen_mode = 1;
    assert_eq!(
        orders(&wanted(), &changed),
        [
            "its MAC address",
            "its MTU 1332",
            "its IPv4 settings (arp_ignore, forwarding)",
            "its IPv6 setting accept_ra_defrtr",
            "its IPv6 setting addr_gen_mode",
        ]
    );
    assert!(wanted().differs_in_link(&changed) && !wanted().differs_in_link(&seen()));
}

#[test]
fn before_the_room_lets_us_in_the_adapter_stays_down() {
    let wanted = Wanted {
        up: false,
        mtu: None,
        ..wanted()
    };
    let down = Seen {
        up: false,
        mtu: 1500,
        addresses: vec![],
        routes: vec![],
        ..seen()
    };
    assert_eq!(orders(&wanted, &down), [""; 0]);
}

#[test]
fn without_ipv6_nothing_of_it_is_missed() {
    let mut without = seen();
    without.addresses.remove(1);
    without.ipv6.as_mut().unwrap().disable_ipv6 = 1;
    assert_eq!(orders(&wanted(), &without), [""; 0]);
    without.ipv6 = None;
    assert_eq!(orders(&wanted(), &without), [""; 0]);
}

#[test]
fn an_address_without_a_route_needs_none() {
    let mut wanted = wanted();
    let at = wanted.addresses[0].at();
    wanted.addresses = vec![Address::without_route(at)];
    let mut seen = seen();
    seen.routes.remove(2);
    assert_eq!(orders(&wanted, &seen), [""; 0]);
}

#[test]
fn what_would_take_the_internet_into_the_party_is_removed() {
    let gateway = Ipv4Addr::new(192, 168, 50, 1);
    let via = |len, network: [u8; 4], table: u32| {
        let mut route = to(len, Ipv4Addr::from(network), TAP);
        route.header.protocol = RouteProtocol::Dhcp;
        route.header.table = u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
        route.attributes.push(RouteAttribute::Table(table));
        route
            .attributes
            .push(RouteAttribute::Gateway(gateway.into()));
        route
    };
    let removed = |route: RouteMessage| {
        let mut seen = seen();
        seen.routes.push(route);
        orders(&wanted(), &seen)
    };
    assert_eq!(
        removed(via(0, [0, 0, 0, 0], 254)),
        ["without the route default via 192.168.50.1"]
    );
    assert_eq!(
        removed(via(1, [128, 0, 0, 0], 254)),
        ["without the route 128.0.0.0/1 via 192.168.50.1"]
    );
    assert_eq!(
        removed(via(0, [0, 0, 0, 0], 1000)),
        ["without the route default via 192.168.50.1 of table 1000"]
    );
    // A network, however large, is somebody's wish; groups are the LAN's.
    assert_eq!(removed(via(8, [10, 0, 0, 0], 254)), [""; 0]);
    assert_eq!(removed(via(5, [224, 0, 0, 0], 254)), [""; 0]);
    let mut mine = via(0, [0, 0, 0, 0], 254);
    mine.attributes[1] = RouteAttribute::Oif(HOME);
    assert_eq!(removed(mine), [""; 0], "the home's own");
    let wanted = Wanted {
        leaves_routes: true,
        ..wanted()
    };
    let mut seen = seen();
    seen.routes.push(via(0, [0, 0, 0, 0], 254));
    assert_eq!(orders(&wanted, &seen), [""; 0], "with --full-lease");
}

#[test]
fn so_is_what_would_take_the_ipv6_internet_there() {
    let mut route = RouteMessage::default();
    route.header.address_family = AddressFamily::Inet6;
    route.header.kind = RouteType::Unicast;
    route.header.table = RouteHeader::RT_TABLE_MAIN;
    route.header.protocol = RouteProtocol::Ra;
    route.attributes = vec![RouteAttribute::Oif(TAP)];
    let mut seen = seen();
    seen.routes.push(route.clone());
    assert_eq!(
        orders(&wanted(), &seen),
        ["without the route default (IPv6)"]
    );
    route.header.destination_prefix_length = 64;
    seen.routes.pop();
    seen.routes.push(route);
    assert_eq!(orders(&wanted(), &seen), [""; 0]);
}

fn orders(wanted: &Wanted, seen: &Seen) -> Vec<String> {
    let orders = wanted.orders(seen);
    orders.iter().map(ToString::to_string).collect()
}

fn wanted() -> Wanted {
    let groups = [(Ipv4Addr::BROADCAST, 32), (Ipv4Addr::new(224, 0, 0, 0), 4)];
    let routes = groups.map(|(ip, len)| Route::on_link(ip.into(), len, TAP));
    Wanted {
        up: true,
        mtu: Some(1332),
        mac: Some(MAC),
        addresses: vec![Address::new("192.168.50.7/24".parse().unwrap())],
        routes: routes.to_vec(),
        is_host: true,
        own_address: true,
        link_local: true,
        kept_off: vec![],
        leaves_routes: false,
    }
}

fn seen() -> Seen {
    let address = Ipv4Addr::new(192, 168, 50, 7);
    let mut own = to(32, address, TAP);
    own.header.kind = RouteType::Local;
    own.header.table = 255;
    let group = |len, ip| {
        let mut route = to(len, ip, TAP);
        route.header.protocol = RouteProtocol::Other(crate::route::PROTOCOL);
        let metric = RouteAttribute::Priority(std::process::id());
        route.attributes.push(metric);
        route
    };
    let mut ipv4 = InetDevConf::default();
    (ipv4.arp_ignore, ipv4.arp_announce, ipv4.rp_filter) = (1, 2, 2);
    let mut link_local = to(64, Ipv4Addr::UNSPECIFIED, TAP);
    link_local.header.address_family = AddressFamily::Inet6;
    let network: Ipv6Addr = "fe80::".parse().unwrap();
    link_local.attributes[0] = RouteAttribute::Destination(network.into());
    Seen {
        index: TAP,
        up: true,
        mtu: 1332,
        mac: MAC.to_vec(),
        ipv4: Some(ipv4),
        ipv6: Some(Inet6DevConf::default()),
        addresses: vec![(address.into(), 24), ("fe80::1".parse().unwrap(), 64)],
        routes: vec![
            group(32, Ipv4Addr::BROADCAST),
            group(4, Ipv4Addr::new(224, 0, 0, 0)),
            to(24, Ipv4Addr::new(192, 168, 50, 0), TAP),
            own,
            link_local,
        ],
    }
}

fn to(len: u8, network: Ipv4Addr, device: u32) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header.address_family = AddressFamily::Inet;
    route.header.destination_prefix_length = len;
    route.header.kind = RouteType::Unicast;
    route.header.table = RouteHeader::RT_TABLE_MAIN;
    route.header.protocol = RouteProtocol::Kernel;
    route.attributes = vec![
        RouteAttribute::Destination(network.into()),
        RouteAttribute::Oif(device),
    ];
    route
}
