//! Boxes on the LAN that answer ARP for addresses that are not theirs.

use super::lan::{Lan, OTHER, Proxy, Server, seconds};
use super::*;

#[test]
fn a_box_that_answers_for_every_address_costs_one_decline_at_most() {
    for (proxy, declines) in [(Proxy::Whoever, 1), (Proxy::Holders, 0)] {
        let mut lan = Lan::new(40).with(Server::new(1));
        lan.proxy = Some(proxy);
        lan.client.plug_in(lan.now);
        lan.run(seconds(5));
        let held = *lan.client.held().unwrap_or_else(|| panic!("{proxy:?}"));
        assert_eq!(held.address, lan.servers[0].address);
        assert_eq!(lan.servers[0].declined.len(), declines, "{proxy:?}");
        assert_eq!(lan.client.word(lan.now), None);
        // For the whole evening, and on the next link.
        lan.run(seconds(4 * 3600));
        lan.client.unplug();
        lan.client.plug_in(lan.now);
        lan.run(seconds(60));
        lan.claim(OTHER, held.address);
        lan.claim(OTHER, held.address);
        assert_eq!(lan.client.held().unwrap().address, held.address);
        assert_eq!(lan.servers[0].declined.len(), declines, "{proxy:?}");
    }
}

#[test]
fn a_server_with_one_address_for_this_machine_is_taken_at_its_word_behind_such_a_box() {
    let mut lan = Lan::new(41).with(Server {
        has_one_only: true,
        ..Server::new(1)
    });
    lan.proxy = Some(Proxy::Whoever);
    lan.client.plug_in(lan.now);
    lan.run(seconds(5));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[0].address);
}

#[test]
fn in_a_network_too_small_to_ask_around_three_addresses_must_do() {
    for proxy in [Proxy::Whoever, Proxy::Holders] {
        let mut lan = Lan::new(42).with(Server {
            own: Ipv4Addr::new(192, 168, 50, 97),
            address: Ipv4Addr::new(192, 168, 50, 98),
            mask: Ipv4Addr::new(255, 255, 255, 248),
            ..Server::new(1)
        });
        lan.proxy = Some(proxy);
        lan.client.plug_in(lan.now);
        lan.run(seconds(20));
        assert!(lan.client.held().is_some(), "{proxy:?}");
        assert_eq!(lan.servers[0].declined.len(), 2, "{proxy:?}");
    }
}

#[test]
fn who_really_has_the_address_is_heard_beside_such_a_box() {
    let mut lan = Lan::new(43).with(Server::new(1));
    let third = MacAddr::new([0, 0x1b, 0x21, 0, 0, 33]);
    lan.proxy = Some(Proxy::Whoever);
    let [a, b, c, d] = lan.servers[0].address.octets();
    let taken = [0, 1, 2].map(|more| Ipv4Addr::new(a, b, c, d + more));
    lan.hosts = taken.map(|address| (third, address))[1..2].to_vec();
    lan.client.plug_in(lan.now);
    lan.run(seconds(30));
    assert_eq!(lan.client.held().unwrap().address, taken[2]);
    assert_eq!(lan.servers[0].declined, taken[..2]);
}

#[test]
fn a_machine_with_two_addresses_is_no_such_box() {
    let mut lan = Lan::new(44).with(Server::new(1));
    let [a, b, c, d] = lan.servers[0].address.octets();
    let taken = [0, 1].map(|more| Ipv4Addr::new(a, b, c, d + more));
    lan.hosts = taken.map(|address| (OTHER, address)).to_vec();
    lan.client.plug_in(lan.now);
    lan.run(seconds(20));
    let held = lan.client.held().unwrap().address;
    assert!(!taken.contains(&held));
    assert_eq!(lan.servers[0].declined, taken);
    // It is still believed.
    lan.run(seconds(120));
    lan.claim(OTHER, held);
    lan.claim(OTHER, held);
    assert!(lan.client.held().is_none());
}

#[test]
fn an_address_is_made_up_behind_such_a_box() {
    for proxy in [Proxy::Whoever, Proxy::Holders] {
        let mut lan = Lan::new(45);
        lan.proxy = Some(proxy);
        lan.client.plug_in(lan.now);
        lan.run(seconds(25));
        let held = *lan.client.held().unwrap_or_else(|| panic!("{proxy:?}"));
        assert_eq!(held.how, How::MadeUp);
        lan.run(seconds(3600));
        assert_eq!(lan.client.held().unwrap().address, held.address);
    }
}
