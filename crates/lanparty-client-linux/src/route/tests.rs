use super::*;
use std::slice::from_ref;

const HOME: u32 = 2;
const TAP: u32 = 7;
const OWNER: u32 = 4242;

#[test]
fn the_relay_is_pinned_to_the_way_that_leads_to_it() {
    let way = route("0.0.0.0/0", HOME, Some("192.168.1.1"));
    let pin = pin("203.0.113.7/32", HOME, Some("192.168.1.1"));
    assert_eq!(planned("203.0.113.7", Some(&way), &[]), Plan::Add(pin));
}

#[test]
fn a_relay_next_door_is_pinned_without_a_next_hop() {
    let way = route("192.168.1.0/24", HOME, None);
    assert_eq!(
        planned("192.168.1.9", Some(&way), &[]),
        Plan::Add(pin("192.168.1.9/32", HOME, None))
    );
    let way = route("fd00::/64", HOME, None);
    assert_eq!(
        planned("fd00::9", Some(&way), &[]),
        Plan::Add(pin("fd00::9/128", HOME, None))
    );
}

#[test]
fn the_same_route_of_somebody_else_is_borrowed() {
    let theirs = route("203.0.113.7/32", HOME, Some("192.168.1.1"));
    assert_eq!(
        planned("203.0.113.7", Some(&theirs), from_ref(&theirs)),
        Plan::Borrow
    );
    let elsewhere = route("203.0.113.7/32", HOME, Some("192.168.1.2"));
    assert!(matches!(
        planned("203.0.113.7", Some(&theirs), &[elsewhere]),
        Plan::Add(_)
    ));
}

#[test]
fn another_clients_pin_is_not_borrowed() {
    let way = route("0.0.0.0/0", HOME, Some("192.168.1.1"));
    let theirs = Route {
        metric: 17,
        ..pin("203.0.113.7/32", HOME, Some("192.168.1.1"))
    };
    assert!(matches!(
        planned("203.0.113.7", Some(&way), &[theirs]),
        Plan::Add(_)
    ));
}

#[test]
fn relays_that_no_route_leads_to_are_left_alone() {
    let way = route("0.0.0.0/0", HOME, Some("192.168.1.1"));
    for here in ["127.0.0.1", "::1", "169.254.3.4", "fe80::1", "0.0.0.0"] {
        assert_eq!(planned(here, Some(&way), &[]), Plan::Nothing, "{here}");
    }
    assert_eq!(planned("203.0.113.7", None, &[]), Plan::Nothing);
}

#[test]
fn without_the_tap_the_longest_prefix_and_then_the_lowest_metric_leads() {
    let routes = [
        route("0.0.0.0/0", HOME, Some("192.168.1.1")),
        Route {
            metric: 600,
            ..route("192.168.0.0/16", 3, None)
        },
        Route {
            metric: 100,
            ..route("192.168.0.0/16", HOME, None)
        },
        route("192.168.50.0/24", TAP, None),
        route("10.0.0.0/8", 4, None),
        pin("203.0.113.7/32", 4, None),
    ];
    let best = |relay: &str| best_without(TAP, relay.parse().unwrap(), &routes);
    assert_eq!(best("192.168.50.9"), Some(&routes[2]));
    assert_eq!(best("203.0.113.7"), Some(&routes[0]));
    assert_eq!(best("fd00::1"), None);
}

#[test]
fn only_pins_of_dead_clients_are_leftovers() {
    let dead = |_| false;
    let alive = |process| process == OWNER;
    let ours = pin("203.0.113.7/32", HOME, None);
    assert!(is_leftover(&ours, dead));
    assert!(!is_leftover(&ours, alive));
    let behind = ours.clone().behind_others();
    assert!(behind.metric > 20_000 + 1024 && is_leftover(&behind, dead));
    assert!(!is_leftover(&behind, alive));
    assert!(!is_leftover(&route("203.0.113.7/32", HOME, None), dead));
}

#[test]
fn a_route_survives_its_message() {
    for route in [
        pin("203.0.113.7/32", HOME, Some("192.168.1.1")),
        pin("203.0.113.7/32", HOME, Some("fe80::1")),
        pin("2001:db8::7/128", HOME, Some("fe80::1")),
        pin("192.168.1.9/32", HOME, None),
        pin("192.168.1.0/24", HOME, None).from("192.168.1.7".parse().unwrap()),
    ] {
        assert_eq!(Route::from_message(&route.to_message()), Some(route));
    }
}

fn planned(relay: &str, way: Option<&Route>, routes: &[Route]) -> Plan {
    plan(relay.parse().unwrap(), way, routes, OWNER)
}

fn route(destination: &str, device: u32, next_hop: Option<&str>) -> Route {
    let (ip, prefix_len) = destination.split_once('/').unwrap();
    Route {
        destination: ip.parse().unwrap(),
        prefix_len: prefix_len.parse().unwrap(),
        device,
        next_hop: next_hop.map(|ip| ip.parse().unwrap()),
        source: None,
        metric: 0,
        protocol: 3,
    }
}

fn pin(destination: &str, device: u32, next_hop: Option<&str>) -> Route {
    Route {
        metric: OWNER,
        protocol: PROTOCOL,
        ..route(destination, device, next_hop)
    }
}
