use super::*;

const HOME: u32 = 2;
const TAP: u32 = 7;

#[test]
fn a_network_that_is_the_partys_alone_has_one_route() {
    let decided = decided("10.73.42.9", 24, true, &[]);
    let routes = Routes::decided(TAP, &decided, &[route("10.73.42.0", 24)]);
    assert_eq!(routes.wanted, [route("10.73.42.0", 24)]);
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

fn decided(own: &str, len: u8, whole: bool, hosts: &[&str]) -> Vec<(Seat, Overlap)> {
    let overlap = Overlap {
        whole,
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        ..Overlap::default()
    };
    vec![(Seat::new(own.parse().unwrap(), len), overlap)]
}

/// A route of ours.
fn route(destination: &str, len: u8) -> Route {
    Route::on_link(destination.parse().unwrap(), len, TAP)
}

fn kernels(destination: &str, len: u8) -> Route {
    Route {
        protocol: 2,
        ..route(destination, len)
    }
}
