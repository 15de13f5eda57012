use super::*;

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn prefix(text: &str) -> Prefix {
    let (network, len) = text.split_once('/').unwrap();
    Prefix::new(ip(network), len.parse().unwrap())
}

fn seat(text: &str) -> Seat {
    let (own, len) = text.split_once('/').unwrap();
    Seat::new(ip(own), len.parse().unwrap())
}

fn home(networks: &[(&str, &str)], used: &[(&str, Role)]) -> Home {
    let mut home = Home::default();
    home.networks
        .extend(networks.iter().map(|(network, interface)| HomeNetwork {
            prefix: prefix(network),
            interface: (*interface).to_owned(),
        }));
    for &(address, role) in used {
        home.uses(ip(address), role);
    }
    home
}

fn ips(texts: &[&str]) -> BTreeSet<Ipv4Addr> {
    texts.iter().map(|text| ip(text)).collect()
}

#[test]
fn other_networks_do_not_overlap() {
    let home = home(
        &[("192.168.1.0/24", "eth0"), ("172.17.0.0/16", "docker0")],
        &[("192.168.1.1", Role::Router), ("192.168.1.7", Role::Own)],
    );
    let overlap = decide(&seat("10.73.42.9/24"), &home, ips(&["10.73.42.1"]));
    assert!(overlap.whole && !overlap.exists() && !overlap.shares_broadcast);
    assert!(overlap.hosts.is_empty(), "one route leads to all of them");
    assert!(overlap.sentences().is_empty());
}

#[test]
fn in_the_same_network_each_host_of_the_party_has_a_route() {
    let home = home(
        &[("192.168.1.0/24", "wlan0")],
        &[
            ("192.168.1.1", Role::Router),
            ("192.168.1.1", Role::NameServer),
            ("192.168.1.30", Role::Machine),
            ("192.168.1.77", Role::Own),
        ],
    );
    let heard = ips(&[
        "192.168.1.1",
        "192.168.1.11",
        "192.168.1.30",
        "192.168.1.77",
        // Nobody's, the own one, and another network's.
        "192.168.1.0",
        "192.168.1.255",
        "192.168.1.20",
        "192.168.2.9",
    ]);
    let overlap = decide(&seat("192.168.1.20/24"), &home, heard);
    assert!(!overlap.whole && overlap.shares_broadcast);
    assert_eq!(overlap.hosts, ips(&["192.168.1.11"]));
    assert_eq!(
        overlap.sentences(),
        [
            "Your home network has addresses of the party's (192.168.1.0/24 on wlan0): home stays as it is, and the \
             party's machines are reached one by one, as they are heard.",
            "192.168.1.1 is your router at home and a machine at the party; the one at home is used.",
            "192.168.1.30 is a machine at your home and a machine at the party; the one at home is used.",
            "192.168.1.77 is this machine's own address at home and a machine at the party; the one at home is used.",
        ]
    );
}

#[test]
fn a_wider_home_keeps_what_it_has_of_the_party() {
    for wider in ["192.168.0.0/16", "192.0.0.0/8"] {
        let home = home(&[(wider, "eth0")], &[("192.168.1.30", Role::Machine)]);
        let heard = ips(&["192.168.1.11", "192.168.1.30"]);
        let overlap = decide(&seat("192.168.1.20/24"), &home, heard);
        assert!(!overlap.whole, "the party's route would go first");
        assert_eq!(overlap.hosts, ips(&["192.168.1.11"]));
        assert!(!overlap.shares_broadcast);
        assert_eq!(overlap.doubles.len(), 1);
    }
}

#[test]
fn a_wider_party_has_its_own_route_and_hosts_of_home_s_network_one_each() {
    let home = home(
        &[("10.0.3.0/24", "eth0"), ("10.0.9.0/24", "docker0")],
        &[("10.0.3.1", Role::Router)],
    );
    let heard = ips(&["10.0.3.1", "10.0.3.9", "10.0.9.9", "10.0.4.4"]);
    let overlap = decide(&seat("10.0.200.7/16"), &home, heard);
    assert!(overlap.whole);
    assert_eq!(overlap.hosts, ips(&["10.0.3.9", "10.0.9.9"]));
    assert!(overlap.sentences()[0].contains("10.0.3.0/24 on eth0 and 10.0.9.0/24 on docker0"));
    assert!(overlap.sentences()[1].starts_with("10.0.3.1 is your router at home"));
}

#[test]
fn networks_that_end_alike_share_the_address_that_means_all() {
    let home = home(&[("192.168.0.0/16", "eth0")], &[]);
    let shares = |party| decide(&seat(party), &home, []).shares_broadcast;
    assert!(shares("192.168.255.7/24"));
    assert!(!shares("192.168.254.7/24"));
}

#[test]
fn ways_to_the_internet_are_no_networks() {
    let halves = home(
        &[
            ("0.0.0.0/0", "eth0"),
            ("0.0.0.0/1", "tun0"),
            ("128.0.0.0/1", "tun0"),
        ],
        &[],
    );
    assert!(!decide(&seat("10.73.42.9/24"), &halves, []).exists());
    let vpn = home(&[("10.0.0.0/8", "tun0")], &[]);
    assert!(decide(&seat("10.73.42.9/24"), &vpn, []).exists());
}

#[test]
fn a_route_to_made_up_addresses_counts_where_there_is_one() {
    let networks = [("169.254.0.0/16", "eth0")];
    let seat = seat("169.254.7.7/16");
    let in_case = home(&networks, &[("192.168.1.7", Role::Own)]);
    assert!(!decide(&seat, &in_case, []).exists());
    let has_one = home(&networks, &[("169.254.9.9", Role::Own)]);
    assert!(decide(&seat, &has_one, []).exists());
}

#[test]
fn an_own_address_that_home_uses_is_named() {
    let home = home(
        &[("192.168.1.0/24", "eth0")],
        &[("192.168.1.20", Role::Machine)],
    );
    let overlap = decide(&seat("192.168.1.20/24"), &home, []);
    assert_eq!(
        overlap.sentences()[1],
        "192.168.1.20 is a machine at your home and the party's LAN gave it to this one; if no other comes by itself, join with another address."
    );
}

#[test]
fn a_flood_of_hosts_and_doubles_has_an_end() {
    let all = |number: u32| Ipv4Addr::from_bits(ip("172.16.0.0").to_bits() + number);
    let mut home = home(&[("172.16.0.0/12", "docker0")], &[]);
    for number in 1..=100 {
        home.uses(all(number), Role::Machine);
    }
    let overlap = decide(&seat("172.16.200.7/16"), &home, (1..5000).map(all));
    assert_eq!(overlap.hosts.len(), MAX_HOSTS);
    let sentences = overlap.sentences();
    assert_eq!(sentences.len(), 2 + TOLD_DOUBLES);
    assert!(sentences.last().unwrap().starts_with("97 more addresses"));
}

#[test]
fn many_networks_are_told_in_short() {
    let home = home(
        &[
            ("10.0.1.0/24", "br-1"),
            ("10.0.2.0/24", "br-2"),
            ("10.0.3.0/24", "br-3"),
        ],
        &[],
    );
    let sentences = decide(&seat("10.0.200.7/16"), &home, []).sentences();
    assert!(sentences[0].contains("10.0.1.0/24 on br-1, 10.0.2.0/24 on br-2 and 1 more"));
}

#[test]
fn two_on_a_cable_are_hosts_both() {
    let cable = prefix("10.0.0.0/31");
    assert!(cable.has_host(ip("10.0.0.0")) && cable.has_host(ip("10.0.0.1")));
    assert_eq!(cable.broadcast(), None);
    assert_eq!(prefix("10.0.0.9/8").to_string(), "10.0.0.0/8");
    assert!(prefix("0.0.0.0/0").covers(ip("203.0.113.7")));
}

#[test]
fn what_the_machine_needs_is_not_the_party_s_for_the_network_that_a_lease_names() {
    for role in [Role::NameServer, Role::Router, Role::Relay] {
        let home = home(&[("192.168.1.0/24", "eth0")], &[("1.1.1.1", role)]);
        for party in ["1.1.1.7/24", "1.200.0.7/8", "1.1.1.0/31"] {
            let overlap = decide(&seat(party), &home, ips(&["1.1.1.1"]));
            assert!(!overlap.whole && overlap.hosts.is_empty(), "{party}");
            let said = overlap.sentences().join("\n");
            assert!(said.contains("1.1.1.1 in it"), "{said}");
        }
        let overlap = decide(&seat("1.1.1.7/24"), &home, ips(&["1.1.1.9"]));
        assert!(overlap.exists());
        assert_eq!(overlap.hosts, ips(&["1.1.1.9"]));
        let overlap = decide(&seat("1.1.1.1/24"), &home, []);
        assert!(!overlap.whole && overlap.doubles[0].is_own);
        let elsewhere = decide(&seat("1.1.2.7/24"), &home, []);
        assert!(elsewhere.whole && !elsewhere.exists());
    }
}

#[test]
fn a_router_in_a_network_of_home_s_own_leaves_the_party_its_route() {
    let home = home(&[("10.0.3.0/24", "eth0")], &[("10.0.3.1", Role::Router)]);
    assert!(decide(&seat("10.0.200.7/16"), &home, []).whole);
}
