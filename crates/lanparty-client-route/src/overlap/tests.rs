//! What Windows says, and what should be in its table.

use super::*;
use crate::neighbours::{Answer, Neighbour};
use lanparty_client_core::overlap::decide;

const TAP: Luid = Luid(1);
const WIFI: Luid = Luid(2);
const VPN: Luid = Luid(3);
const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

#[test]
fn equal_networks_are_homes_and_the_partys_hosts_have_rows() {
    let pc = pc();
    let seats = pc.seats(TAP);
    assert_eq!(seats, [Seat::new(ip(77), 24)]);
    let heard = [ip(1), ip(20), ip(30), ip(40)];
    let overlap = decide(&seats[0], &pc.home(TAP), heard);
    assert!(!overlap.whole && overlap.shares_broadcast);
    assert_eq!(OwnRow::decided(&seats[0], &overlap), OwnRow::Behind);
    // Not home's router, not a machine there, not this one.
    let rows = host_rows(TAP, &overlap);
    assert_eq!(destinations(&rows), [IpAddr::V4(ip(40))]);
    assert!(rows.iter().all(Route::is_host_route));
    let told = overlap.sentences().join(" ");
    assert!(told.contains("192.168.1.0/24 on Wi-Fi"), "{told}");
}

#[test]
fn before_a_wider_network_of_homes_the_partys_row_goes_whatever_it_costs() {
    for (widest, wider) in [([192, 168, 0, 0], 16), ([192, 0, 0, 0], 8)] {
        let mut pc = alone();
        pc.routes.push(route(widest.into(), wider, WIFI, NONE));
        let seat = pc.seats(TAP)[0];
        let overlap = decide(&seat, &pc.home(TAP), [ip(20), ip(40)]);
        assert_eq!(OwnRow::decided(&seat, &overlap), OwnRow::Out);
        assert_eq!(destinations(&host_rows(TAP, &overlap)), [ip(40)]);
        // One that is equal to it as well, such as a container's, changes nothing.
        pc.routes.push(route(ip(0), 24, VPN, NONE));
        let overlap = decide(&seat, &pc.home(TAP), []);
        assert_eq!(OwnRow::decided(&seat, &overlap), OwnRow::Out);
    }
}

#[test]
fn a_narrower_network_of_homes_leaves_the_rest_to_the_party() {
    let mut pc = alone();
    pc.routes.push(route(ip(32), 28, WIFI, NONE));
    let seat = pc.seats(TAP)[0];
    let overlap = decide(&seat, &pc.home(TAP), [ip(20), ip(40), ip(60)]);
    assert_eq!(OwnRow::decided(&seat, &overlap), OwnRow::Stays);
    // Only what home's row would take.
    assert_eq!(destinations(&host_rows(TAP, &overlap)), [ip(40)]);
}

#[test]
fn a_way_to_the_internet_is_no_network_of_homes() {
    let mut pc = alone();
    for (half, len) in [([0, 0, 0, 0], 0), ([0, 0, 0, 0], 1), ([128, 0, 0, 0], 1)] {
        pc.routes
            .push(route(half.into(), len, VPN, [203, 0, 113, 1].into()));
    }
    let seat = pc.seats(TAP)[0];
    let overlap = decide(&seat, &pc.home(TAP), [ip(40)]);
    assert!(!overlap.exists() && overlap.hosts.is_empty());
    assert_eq!(OwnRow::decided(&seat, &overlap), OwnRow::Stays);
}

#[test]
fn who_knows_names_at_home_keeps_its_number() {
    let mut pc = pc();
    pc.name_servers.push(ip(53));
    let overlap = decide(&pc.seats(TAP)[0], &pc.home(TAP), [ip(53)]);
    assert!(overlap.hosts.is_empty());
    let told = overlap.sentences().join(" ");
    let named = "192.168.1.53 is your name server at home and a machine at the party";
    assert!(told.contains(named), "{told}");
}

#[test]
fn the_row_of_the_network_is_found_among_those_of_single_addresses() {
    let pc = pc();
    let row = network_row(&pc.routes, TAP, &Seat::new(ip(77), 24)).unwrap();
    assert_eq!((row.destination, row.metric), (ip(0).into(), 256));
    let elsewhere = Seat::new([10, 0, 0, 1].into(), 24);
    assert_eq!(network_row(&pc.routes, TAP, &elsewhere), None);
    assert_eq!(network_row(&[], TAP, &Seat::new(ip(77), 24)), None);
}

#[test]
fn a_place_stays_one_while_its_row_is_out() {
    let mut pc = pc();
    pc.routes.retain(|route| route.interface != TAP);
    assert_eq!(pc.seats(TAP), [Seat::new(ip(77), 24)]);
    // As Windows has it for a moment, before it knows the network.
    pc.own[0].prefix_len = 255;
    assert_eq!(pc.seats(TAP), []);
}

#[test]
fn home_is_asked_where_the_address_would_be_on_the_link() {
    let mut pc = pc();
    pc.routes
        .push(route([192, 168, 0, 0].into(), 16, VPN, ip(9)));
    assert_eq!(pc.links_to(ip(40), TAP), [WIFI].into());
    assert_eq!(pc.links_to([10, 0, 0, 1].into(), TAP), [].into());
}

/// As `route print` shows it: home's /24 and the party's, each with its address and the one that means all.
fn pc() -> Surroundings {
    let rows = |luid, own| {
        [
            route(ip(0), 24, luid, NONE),
            route(ip(own), 32, luid, NONE),
            route(ip(255), 32, luid, NONE),
            route([224, 0, 0, 0].into(), 4, luid, NONE),
            route([255; 4].into(), 32, luid, NONE),
        ]
    };
    let mut routes = [rows(TAP, 77), rows(WIFI, 30)].concat();
    routes.push(route(NONE, 0, WIFI, ip(1)));
    let neighbour = |(interface, last)| Neighbour {
        interface,
        ip: ip(last),
        mac: [last & !1; 6],
        answer: Answer::Fresh,
    };
    let neighbours = [(WIFI, 20), (TAP, 40)].map(neighbour).into();
    Surroundings {
        routes,
        own: vec![own(TAP, 77), own(WIFI, 30)],
        neighbours: Neighbours::new(neighbours, TAP, [2; 6]),
        names: [(WIFI, "Wi-Fi".to_owned())].into(),
        ..Surroundings::default()
    }
}

/// The same without home's own network.
fn alone() -> Surroundings {
    let mut pc = pc();
    pc.routes.retain(|route| route.interface == TAP);
    pc
}

fn own(interface: Luid, last: u8) -> OwnAddress {
    OwnAddress {
        interface,
        ip: ip(last),
        prefix_len: 24,
    }
}

fn destinations(rows: &[Route]) -> Vec<IpAddr> {
    rows.iter().map(|row| row.destination).collect()
}

fn ip(host: u8) -> Ipv4Addr {
    [192, 168, 1, host].into()
}

fn route(destination: Ipv4Addr, prefix_len: u8, interface: Luid, next_hop: Ipv4Addr) -> Route {
    Route {
        destination: destination.into(),
        prefix_len,
        interface,
        next_hop: next_hop.into(),
        metric: 256,
    }
}
