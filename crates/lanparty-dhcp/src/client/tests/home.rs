//! Addresses that the player's home uses as well.

use super::lan::{Lan, Server, seconds};
use super::*;

fn machines<const N: usize>(machines: [Ipv4Addr; N]) -> AtHome {
    AtHome {
        machines: machines.into(),
        ..AtHome::default()
    }
}

fn vital<const N: usize>(vital: [Ipv4Addr; N]) -> AtHome {
    AtHome {
        vital: vital.into(),
        ..AtHome::default()
    }
}

fn stubborn(seed: u64) -> Lan {
    Lan::new(seed).with(Server {
        has_one_only: true,
        ..Server::new(1)
    })
}

#[test]
fn an_address_of_a_machine_at_home_is_given_back_a_few_times_and_then_taken_with_a_word() {
    let mut lan = Lan::new(18).with(Server::new(1));
    let first = lan.servers[0].address;
    lan.client.forbid(lan.now, machines([first]));
    lan.client.plug_in(lan.now);
    lan.run(seconds(5));
    assert_ne!(lan.client.held().unwrap().address, first);
    assert_eq!(lan.client.word(lan.now), None);

    let mut lan = stubborn(19);
    let address = lan.servers[0].address;
    lan.client.forbid(lan.now, machines([address]));
    lan.client.plug_in(lan.now);
    let took = lan.run_until(|lan| lan.client.held().is_some());
    assert!(took < seconds(8), "{took:?}");
    assert_eq!(lan.servers[0].declined.len(), 3);
    assert_eq!(lan.client.word(lan.now), Some(Word::UsedAtHome { address }));
    // It is said each second that home has it; on other links as well.
    for _ in 0..30 {
        lan.run(seconds(1));
        lan.client.forbid(lan.now, machines([address]));
    }
    lan.client.unplug();
    lan.client.plug_in(lan.now);
    lan.client.forbid(lan.now, machines([address]));
    lan.run(seconds(5));
    assert_eq!((lan.lost, lan.servers[0].declined.len()), (0, 3));
}

#[test]
fn an_address_that_the_machine_cannot_do_without_is_never_taken() {
    let mut lan = stubborn(60);
    let address = lan.servers[0].address;
    lan.client.forbid(lan.now, vital([address]));
    lan.client.plug_in(lan.now);
    let took = lan.run_until(|lan| lan.client.held().is_some());
    assert!(took < seconds(25), "{took:?}");
    assert_eq!(lan.client.held().unwrap().how, How::MadeUp);
    // For the whole evening, with a word, and without asking in circles.
    for _ in 0..60 {
        lan.run(seconds(60));
        lan.client.forbid(lan.now, vital([address]));
        assert_eq!(lan.client.held().unwrap().how, How::MadeUp);
        let word = Some(Word::NeededAtHome { address });
        assert_eq!(lan.client.word(lan.now), word);
    }
    assert_eq!(lan.servers[0].declined.len(), 3);
    // A person may try again, and another server may give what is good.
    lan.client.ask_anew(lan.now);
    lan.run(seconds(60));
    assert_eq!(lan.servers[0].declined.len(), 6);
    lan.servers.push(Server::new(2));
    lan.run(seconds(60));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[1].address);
    assert_eq!(lan.lost, 0);
}

#[test]
fn who_has_a_good_one_and_asks_for_another_is_not_given_a_needed_one() {
    let mut lan = Lan::bound(66);
    let held = *lan.client.held().unwrap();
    let address = Ipv4Addr::new(192, 168, 50, 254);
    lan.servers[0].address = address;
    lan.servers[0].has_one_only = true;
    lan.client.ask_anew(lan.now);
    for _ in 0..300 {
        lan.client.forbid(lan.now, vital([address]));
        lan.run(seconds(1));
    }
    assert_eq!(lan.client.held(), Some(&held));
    assert_eq!(lan.servers[0].declined.len(), 3);
}

#[test]
fn one_that_turns_out_to_be_needed_while_it_is_looked_at_is_not_taken_either() {
    let mut lan = stubborn(61);
    let address = lan.servers[0].address;
    lan.client.plug_in(lan.now);
    lan.run(Duration::from_millis(500));
    lan.client.forbid(lan.now, vital([address]));
    lan.run(seconds(60));
    assert_eq!(lan.client.held().unwrap().how, How::MadeUp);
}

#[test]
fn one_that_turns_out_to_be_needed_while_it_is_held_goes_at_once() {
    for is_plugged in [true, false] {
        let mut lan = Lan::bound(62);
        lan.run(seconds(600));
        let address = lan.servers[0].address;
        if !is_plugged {
            lan.client.unplug();
        }
        lan.client.take_news();
        lan.client.forbid(lan.now, vital([address]));
        assert!(lan.client.held().is_none() && lan.client.take_news());
        lan.run(seconds(10));
        let released: &[_] = if is_plugged { &[address] } else { &[] };
        assert_eq!(lan.servers[0].released, released);
        lan.client.plug_in(lan.now);
        lan.run(seconds(10));
        assert_ne!(lan.client.held().unwrap().address, address);
    }
    // One that was made up is no exception.
    let mut lan = Lan::new(63);
    lan.client.plug_in(lan.now);
    lan.run(seconds(15));
    let address = lan.client.held().unwrap().address;
    lan.client.forbid(lan.now, vital([address]));
    lan.run(seconds(15));
    // Nor one that shows while it is looked at.
    let mut again = Lan::new(67);
    again.client.plug_in(again.now);
    again.run(seconds(7));
    again.client.forbid(again.now, vital([address]));
    again.run(seconds(20));
    assert_ne!(again.client.held().unwrap().address, address);
    let held = lan.client.held().unwrap();
    assert!(held.address != address && held.how == How::MadeUp);
}

#[test]
fn an_address_that_home_shows_at_once_is_given_back_too() {
    let mut lan = Lan::new(22).with(Server::new(1));
    lan.client.plug_in(lan.now);
    lan.run(seconds(5));
    let first = lan.client.held().unwrap().address;
    let router = Ipv4Addr::new(192, 168, 1, 1);
    lan.client.forbid(lan.now, vital([router]));
    assert_eq!(lan.client.held().unwrap().address, first);
    lan.client.take_news();
    lan.client.forbid(lan.now, machines([first]));
    assert!(lan.client.held().is_none() && lan.client.take_news());
    // It is said again each second.
    lan.client.forbid(lan.now, machines([first]));
    lan.run(seconds(10));
    assert_eq!(lan.servers[0].declined, [first]);
    assert_ne!(lan.client.held().unwrap().address, first);
}

#[test]
fn a_phone_that_comes_home_takes_nobody_out_of_a_game() {
    let mut lan = Lan::bound(64);
    let address = lan.servers[0].address;
    lan.run(seconds(3));
    for _ in 0..100 {
        lan.client.forbid(lan.now, machines([address]));
        lan.run(seconds(1));
    }
    assert_eq!(lan.client.held().unwrap().address, address);
    assert!(lan.servers[0].declined.is_empty() && lan.servers[0].released.is_empty());
    assert_eq!(lan.client.word(lan.now), None, "it is said for a minute");
    lan.client.forbid(lan.now, AtHome::default());
}

#[test]
fn a_range_full_of_homes_machines_costs_the_lan_six_addresses() {
    let mut lan = Lan::new(65).with(Server::new(1));
    let [a, b, c, d] = lan.servers[0].address.octets();
    let all: Vec<_> = (0..40)
        .map(|more| Ipv4Addr::new(a, b, c, d + more))
        .collect();
    lan.client.plug_in(lan.now);
    // Home is asked for each one only when it is had.
    for _ in 0..100 {
        let held = lan.client.held().map(|held| held.address);
        let at_home = AtHome {
            machines: held.into_iter().filter(|held| all.contains(held)).collect(),
            ..AtHome::default()
        };
        lan.client.forbid(lan.now, at_home);
        lan.run(seconds(1));
    }
    assert_eq!(lan.servers[0].declined.len(), 6);
    assert!(lan.client.held().is_some());
}
