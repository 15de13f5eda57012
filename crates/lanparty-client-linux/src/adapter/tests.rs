//! With a real adapter, in a network of the test's own.

#![allow(clippy::disallowed_methods, reason = "tests own programs and files")]

use super::*;
use crate::tap::Tap;
use crate::tap::tests::{PATIENCE, in_a_network_of_its_own, name, next_frame, set_up};
use lanparty_peer::FramePort as _;
use std::process::Command;

const ADDRESSES: [&str; 3] = ["192.168.50.7/24", "192.168.60.7/24", "fd00:50::7/64"];

#[test]
fn whatever_somebody_does_to_the_adapter_is_undone() {
    in_a_network_of_its_own(async || {
        let (_tap, adapter) = adapter().await;
        let before = state();
        let others = Monitor::new().unwrap();
        for poke in [
            "ip link set tap9 down",
            "ip link set tap9 down; ip link set tap9 up",
            "ip addr flush dev tap9",
            "ip -4 addr flush dev tap9; ip -6 route flush dev tap9",
            "ip route flush dev tap9",
            "ip route del 255.255.255.255",
            "ip route del 224.0.0.0/4",
            "ip route del 192.168.50.0/24",
            "ip route del local 192.168.50.7 table local",
            "ip -6 route del fd00:50::/64",
            "ip addr del 192.168.60.7/24 dev tap9",
            "ip link set tap9 mtu 1500",
            "ip link set tap9 mtu 1000",
            "ip link set tap9 address 02:00:00:00:00:09",
            "echo 0 >/proc/sys/net/ipv4/conf/tap9/arp_ignore; echo 1 >/proc/sys/net/ipv4/conf/tap9/rp_filter",
            "echo 1 >/proc/sys/net/ipv4/conf/tap9/forwarding; echo 1 >/proc/sys/net/ipv4/conf/tap9/proxy_arp",
            "echo 1 >/proc/sys/net/ipv4/ip_forward",
            "echo 1 >/proc/sys/net/ipv6/conf/tap9/accept_ra_defrtr",
            "ip link set tap9 addrgenmode none; ip -6 addr flush dev tap9",
            "ip route add default via 192.168.50.1",
            "ip route add default via 192.168.50.1 table 1000",
            "ip route add 0.0.0.0/1 dev tap9; ip route add 128.0.0.0/1 via 192.168.50.1 proto dhcp metric 100",
            "ip route add default nexthop via 192.168.50.1 dev tap9 nexthop via 192.168.60.1 dev tap9",
            "ip -6 route add default via fe80::9 dev tap9",
        ] {
            // Each as if it were the first: somebody who insists is another test's.
            adapter.0.borrow_mut().insistence = Insistence::default();
            run(poke);
            assert_ne!(state(), before, "{poke}");
            // What one look finds may keep from sight what the next one does.
            (0..3).for_each(|_| adapter.verify(Instant::now()));
            if poke.contains("ip_forward") {
                run("echo 0 >/proc/sys/net/ipv4/ip_forward");
                adapter.verify(Instant::now());
            }
            settles(&others, &before).await;
            assert_eq!(state(), before, "{poke}");
        }
    });
}

#[test]
fn a_route_that_leads_home_as_well_goes_on_leading_home() {
    in_a_network_of_its_own(async || {
        let (_tap, adapter) = adapter().await;
        run(
            "ip link add home9 type veth peer name home8; ip link set home8 up; ip link set home9 up; \
             ip addr add 10.9.11.2/24 dev home9; ip addr add fd00:9::2/64 dev home9 nodad",
        );
        let hops = |family: &str, home: &str, party: &str| {
            run(&format!(
                "ip {family} route add default metric 50 nexthop via {home} dev home9 nexthop via {party} dev tap9"
            ));
            let before = run(&format!("ip {family} route show default"));
            assert!(before.contains("tap9"), "{before}");
            adapter.verify(Instant::now());
            let left = run(&format!("ip {family} route show default"));
            assert!(left.contains(home) && !left.contains("tap9"), "{left}");
        };
        hops("-4", "10.9.11.1", "192.168.50.1");
        hops("-6", "fd00:9::1", "fd00:50::1");
    });
}

#[test]
fn what_the_machine_needs_elsewhere_is_not_led_to_the_party() {
    in_a_network_of_its_own(async || {
        let (_tap, adapter) = adapter().await;
        let servers = ["2001:db8:53::1", "1.1.1.1", "fd00:50::53", "fe80::53"];
        adapter.keep_off(servers.map(|ip| ip.parse().unwrap()));
        let before = state();
        for poke in [
            "ip -6 route add 2001:db8:53::/64 dev tap9 proto kernel expires 600",
            "ip -6 route add 2001:db8:53::/64 dev tap9 proto ra",
            "ip route add 1.1.1.0/24 dev tap9 proto kernel",
        ] {
            run(poke);
            assert_ne!(state(), before, "{poke}");
            adapter.verify(Instant::now());
            assert_eq!(state(), before, "{poke}");
        }
        run("ip -6 route add 2001:db8:54::/64 dev tap9 proto ra");
        adapter.verify(Instant::now());
        assert!(state().contains("2001:db8:54::"), "a usual LAN's");
    });
}

#[test]
fn what_changes_is_heard_and_mended_at_once() {
    in_a_network_of_its_own(async || {
        let (_tap, adapter) = adapter().await;
        let before = state();
        let others = Monitor::new().unwrap();
        let _watch = adapter.watch().unwrap();
        for poke in ["ip route flush dev tap9", "ip addr flush dev tap9"] {
            run(poke);
            settles(&others, &before).await;
            assert_eq!(state(), before, "{poke}");
        }
    });
}

#[test]
fn who_insists_has_the_adapter_down_until_somebody_sets_it_up() {
    in_a_network_of_its_own(async || {
        let (_tap, adapter) = adapter().await;
        let (before, others) = (state(), Monitor::new().unwrap());
        let now = Instant::now();
        for _ in 0..3 {
            run("ip link set tap9 down");
            adapter.verify(now);
            settles(&others, &before).await;
            assert_eq!(state(), before);
        }
        run("ip link set tap9 down");
        adapter.verify(now);
        let link = Link::find("tap9").unwrap();
        assert!(!link.is_up().unwrap());
        adapter.verify(now + Duration::from_secs(60));
        assert!(!link.is_up().unwrap());
        run("ip link set tap9 up");
        adapter.verify(now);
        settles(&others, &before).await;
        assert_eq!(state(), before);
    });
}

#[test]
fn what_is_not_wanted_any_more_goes_and_stays_away() {
    in_a_network_of_its_own(async || {
        let (_tap, adapter) = adapter().await;
        let before = state();
        let at = "10.66.0.7/16".parse().unwrap();
        adapter.want_address(Address::without_route(at)).unwrap();
        let host = Route::on_link(
            "10.66.1.1".parse().unwrap(),
            32,
            Link::find("tap9").unwrap().index(),
        );
        adapter.want_route(host.clone()).unwrap();
        assert!(state().contains("10.66.0.7/16") && state().contains("10.66.1.1"));
        assert!(!state().contains("10.66.0.0/16"), "{}", state());
        adapter.want_address(Address::new(at)).unwrap();
        assert!(state().contains("10.66.0.0/16"), "{}", state());
        adapter.drop_route(&host).unwrap();
        adapter.drop_address(at.ip()).unwrap();
        adapter.verify(Instant::now());
        assert_eq!(state(), before);
    });
}

#[test]
fn the_lan_is_answered_for_the_adapters_own_addresses_only() {
    in_a_network_of_its_own(async || {
        let (mut tap, _adapter) = adapter().await;
        run("ip link set lo up; ip addr add 10.9.11.1/24 dev lo");
        // A question for the home address, as RFC 5227 probes, and then one for the LAN's.
        for asked in [[10, 9, 11, 1], [192, 168, 50, 7]] {
            assert_eq!(tap.try_send(&[who_has(asked).into()]).refused, 0);
        }
        let mut answered = Vec::new();
        let is_last = |frame: &[u8]| {
            let is_answer = frame[12..14] == [8, 6] && frame[21] == 2;
            answered.extend(is_answer.then(|| frame[28..32].to_vec()));
            is_answer && frame[31] == 7
        };
        next_frame(&mut tap, is_last).await;
        assert_eq!(answered, [[192, 168, 50, 7]]);
    });
}

/// The kernel does a part of its own by and by.
async fn settles(changes: &Monitor, before: &str) {
    let settled = async {
        while state() != before {
            changes.changed().await.unwrap();
        }
    };
    let _ = tokio::time::timeout(PATIENCE / 4, settled).await;
}

async fn adapter() -> (Tap, Adapter) {
    let changes = Monitor::new().unwrap();
    run("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad");
    let tap = Tap::create(&name()).unwrap();
    let adapter = set_up(&Link::find("tap9").unwrap());
    adapter.want_mtu(IpMtu::new(1332).unwrap()).unwrap();
    for address in ADDRESSES {
        let address = Address::new(address.parse().unwrap());
        adapter.want_address(address).unwrap();
    }
    adapter.verify(Instant::now());
    while !run("ip addr show dev tap9 tentative").is_empty() {
        changes.changed().await.unwrap();
    }
    (tap, adapter)
}

/// Everything that somebody could change, less what changes by itself.
fn state() -> String {
    run(
        "ip -o addr show dev tap9 | sort; ip -o link show dev tap9; ip route show table all dev tap9 | sort; \
         ip -6 route show table all dev tap9 | sort; ip route show default table all; \
         grep -H . /proc/sys/net/ipv4/conf/tap9/* /proc/sys/net/ipv6/conf/tap9/* 2>/dev/null | grep -v stable_secret",
    )
}

fn run(commands: &str) -> String {
    let output = Command::new("sh").args(["-c", commands]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asked from no address.
fn who_has(ip: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9]);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend([2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend(ip);
    frame
}
