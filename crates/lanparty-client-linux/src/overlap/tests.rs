#![allow(clippy::disallowed_methods, reason = "tests own programs")]

use super::*;
use crate::link::Link;
use crate::tap::Tap;
use crate::tap::tests::{in_a_network_of_its_own, name, set_up};
use std::process::Command;

const HOME: u32 = 2;
const TAP: u32 = 7;

#[test]
fn a_network_that_is_the_partys_alone_has_one_route() {
    let decided = decided("10.73.42.9", 24, true, &[]);
    let routes = Routes::decided(TAP, &decided, &[route("10.73.42.0", 24)]);
    let network = route("10.73.42.0", 24).behind_others();
    assert_eq!(routes.wanted, [network]);
    assert!(routes.forbidden.is_empty());
}

#[test]
fn a_route_of_the_kernels_will_do() {
    let decided = decided("10.73.42.9", 24, true, &[]);
    let routes = Routes::decided(TAP, &decided, &[kernels("10.73.42.0", 24)]);
    assert!(routes.wanted.is_empty() && routes.forbidden.is_empty());
}

#[test]
fn where_home_has_the_network_the_adapters_route_goes_and_hosts_have_theirs() {
    let decided = decided("10.73.42.9", 24, false, &["10.73.42.11", "10.73.42.12"]);
    let homes = Route {
        device: HOME,
        ..kernels("10.73.42.0", 24)
    };
    let groups = route("224.0.0.0", 4);
    let there = [homes, kernels("10.73.42.0", 24), groups];
    let routes = Routes::decided(TAP, &decided, &there);
    assert_eq!(routes.forbidden, [kernels("10.73.42.0", 24)]);
    let hosts = ["10.73.42.11", "10.73.42.12"].map(|host| route(host, 32));
    assert_eq!(routes.wanted, hosts);
}

#[test]
fn nobody_has_the_network_of_an_address_that_is_alone() {
    let decided = decided("10.73.42.9", 32, true, &[]);
    assert!(Routes::decided(TAP, &decided, &[]).wanted.is_empty());
}

#[test]
fn each_network_is_spoken_to_from_the_own_address_there() {
    let mut two = decided("10.73.42.9", 24, true, &[]);
    two.extend(decided("192.168.60.7", 24, false, &["192.168.60.1"]));
    two.extend(decided("192.168.60.8", 24, false, &["192.168.60.1"]));
    let wanted = Routes::decided(TAP, &two, &[]).wanted;
    let from = |source: &str| Some(source.parse().unwrap());
    let sources: Vec<_> = wanted.iter().map(|route| route.source).collect();
    assert_eq!(sources, [from("10.73.42.9"), from("192.168.60.7")]);
}

#[test]
fn without_a_link_hosts_keep_their_routes_for_a_while_and_at_this_home_only() {
    let now = Instant::now();
    let later = |seconds| now + Duration::from_secs(seconds);
    let home = |interface: &str| {
        BTreeSet::from([HomeNetwork {
            prefix: core::Prefix::new(Ipv4Addr::new(192, 168, 1, 0), 24),
            interface: interface.into(),
        }])
    };
    let (here, there) = (home("wlan0"), home("eth0"));
    let mut routes = PartyRoutes::default();
    assert!(routes.leads_hosts(now, Room::There, &here));
    assert!(routes.leads_hosts(now, Room::Gone, &here));
    assert!(routes.leads_hosts(later(14), Room::Gone, &here));
    assert!(!routes.leads_hosts(later(15), Room::Gone, &here));
    assert!(routes.leads_hosts(later(16), Room::There, &here));
    assert!(routes.leads_hosts(later(17), Room::Gone, &here));
    assert!(!routes.leads_hosts(later(18), Room::Gone, &there));
    assert!(routes.leads_hosts(later(19), Room::There, &there));
    assert!(!routes.leads_hosts(later(20), Room::Slept, &there));
    assert!(!routes.leads_hosts(later(21), Room::Gone, &there));
}

#[test]
fn a_vpn_is_looked_for_by_an_address_that_is_nobody_elses() {
    let looked_at = |own: &str, len| {
        let (seat, overlap) = decided(own, len, true, &[]).remove(0);
        example(&seat, &overlap).map(|(host, reach)| (host.to_string(), reach))
    };
    let network = |host: &str| Some((host.to_owned(), Reach::Network));
    assert_eq!(looked_at("10.73.42.9", 24), network("10.73.42.1"));
    assert_eq!(looked_at("10.73.42.1", 24), network("10.73.42.2"));
    assert_eq!(looked_at("10.73.42.1", 31), network("10.73.42.0"));
    assert_eq!(looked_at("10.73.42.9", 32), None);
    let (seat, shared) = decided("10.73.42.9", 24, false, &["10.73.42.11"]).remove(0);
    let host = Ipv4Addr::new(10, 73, 42, 11);
    assert_eq!(example(&seat, &shared), Some((host, Reach::Hosts)));
}

#[test]
fn a_vpn_that_takes_everything_leaves_the_party_where_it_is() {
    in_a_network_of_its_own(async || {
        let _tap = Tap::create(&name()).unwrap();
        let link = Link::find("tap9").unwrap();
        let adapter = set_up(&link);
        let run = |words: &str| {
            let done = Command::new("sh").args(["-c", words]).status();
            assert!(done.unwrap().success(), "{words}");
        };
        run("ip link add vpn0 type veth peer name vpn1; ip link set vpn0 up; ip link set vpn1 up");
        run("ip route add default dev vpn0 table 52; ip rule add pref 5270 lookup 52");
        let leads = |ip: &str, device| {
            let way = Route::lookup(ip.parse().unwrap()).unwrap();
            way.is_some_and(|way| way.device == device)
        };
        assert!(!leads("192.168.50.1", link.index()));
        let mut routes = PartyRoutes::default();
        let decided = decided("192.168.50.7", 24, true, &[]);
        for _ in 0..2 {
            routes.route(link.index(), &adapter, &decided).unwrap();
            assert!(leads("192.168.50.1", link.index()));
            assert!(
                !leads("192.168.51.1", link.index()),
                "the rest is the VPN's"
            );
        }
        drop(routes);
        assert!(!leads("192.168.50.1", link.index()), "the rule went");
    });
}

fn decided(own: &str, len: u8, whole: bool, hosts: &[&str]) -> Vec<(Seat, Overlap)> {
    let overlap = Overlap {
        whole,
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        ..Overlap::default()
    };
    vec![(Seat::new(own.parse().unwrap(), len), overlap)]
}

/// A route of ours, from the address that the tests have.
fn route(destination: &str, len: u8) -> Route {
    let route = Route::on_link(destination.parse().unwrap(), len, TAP);
    route.from("10.73.42.9".parse().unwrap())
}

fn kernels(destination: &str, len: u8) -> Route {
    Route {
        protocol: 2,
        ..route(destination, len)
    }
}
