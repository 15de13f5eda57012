//! The client and the LAN around it, under virtual time.

mod home;
mod lan;
mod proxy;

use super::*;
use lan::{Lan, OTHER, OWN, Server, seconds};
use std::net::Ipv4Addr;

#[test]
fn an_address_is_there_a_second_after_the_cable() {
    let mut lan = Lan::new(1).with(Server::new(1));
    lan.client.plug_in(lan.now);
    let took = lan.run_until(|lan| lan.client.held().is_some());
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_millis(1100),
        "{took:?}"
    );
    let held = *lan.client.held().unwrap();
    assert_eq!(held.address, lan.servers[0].address);
    assert_eq!(
        (held.prefix_len, held.broadcast),
        (24, Some(Ipv4Addr::new(192, 168, 50, 255)))
    );
    let server = lan.servers[0].own;
    assert_eq!(held.how, How::Leased { server });
    assert_eq!(
        lan.said(),
        ["discover", "request", "probe", "probe", "probe"]
    );
    assert!(lan.client.take_news() && !lan.client.take_news());
    lan.run(seconds(10));
    assert_eq!(lan.said(), ["announce"; 2], "and nothing else");
}

#[test]
fn a_lease_is_renewed_by_its_server_for_a_whole_evening() {
    let mut lan = Lan::bound(2);
    for _ in 0..50 {
        lan.run(seconds(1800));
        assert_eq!(lan.said(), ["renew"]);
        let until = lan.client.held().unwrap().until.unwrap();
        assert!(until >= lan.now + seconds(3590), "it is extended");
    }
}

#[test]
fn who_gets_no_answer_from_its_server_asks_all_and_keeps_the_address_to_its_end() {
    let mut lan = Lan::bound(3);
    lan.servers[0].is_up = false;
    let before = lan.now;
    let took = lan.run_until(|lan| lan.client.held().is_none());
    assert!(took < seconds(3601) && lan.now <= before + seconds(3601));
    let said = lan.said();
    let renewed = said.iter().filter(|what| **what == "renew").count();
    let rebound = said.iter().filter(|what| **what == "rebind").count();
    assert!(
        (3..10).contains(&renewed) && (2..8).contains(&rebound),
        "{said:?}"
    );
    // Then it makes one up.
    lan.run_until(|lan| lan.client.held().is_some());
    assert_eq!(lan.client.held().unwrap().how, How::MadeUp);
}

#[test]
fn another_server_may_take_over_when_all_are_asked() {
    let mut lan = Lan::bound(4);
    let address = lan.servers[0].address;
    lan.servers[0].is_up = false;
    let mut other = Server::new(2);
    other.address = address;
    other.knows = Some(address);
    lan.servers.push(other);
    lan.run(seconds(3500));
    let held = lan.client.held().unwrap();
    assert_eq!(held.address, address);
    assert_eq!(
        held.how,
        How::Leased {
            server: lan.servers[1].own
        }
    );
}

#[test]
fn a_lease_of_two_minutes_survives_a_server_that_is_away_for_half_a_minute() {
    let mut lan = Lan::new(5).with(Server {
        lease: 120,
        ..Server::new(1)
    });
    lan.client.plug_in(lan.now);
    lan.run(seconds(50));
    lan.servers[0].is_up = false;
    lan.run(seconds(35));
    lan.servers[0].is_up = true;
    lan.run(seconds(600));
    assert_eq!(lan.lost, 0);
    assert!(lan.client.held().is_some());
}

#[test]
fn on_another_link_the_address_of_before_is_asked_about_and_stays() {
    let mut lan = Lan::bound(6);
    for _ in 0..3 {
        lan.client.unplug();
        lan.run(seconds(5));
        assert!(lan.said().is_empty() && lan.client.held().is_some());
        lan.client.plug_in(lan.now);
        lan.run(Duration::from_millis(100));
        assert_eq!(lan.said(), ["reboot", "announce"]);
        lan.run(seconds(30));
        assert_eq!(lan.said(), ["announce"]);
    }
    assert_eq!(lan.lost, 0);
}

#[test]
fn on_another_lan_the_address_of_before_is_refused_and_another_one_comes() {
    let mut lan = Lan::bound(7);
    lan.client.unplug();
    lan.servers[0] = Server::new(3);
    lan.client.plug_in(lan.now);
    lan.run(seconds(2));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[0].address);
    assert_eq!(lan.said()[..3], ["reboot", "discover", "request"]);
}

#[test]
fn where_the_server_is_there_and_silent_the_address_of_before_stays() {
    let mut lan = Lan::bound(8);
    let address = lan.servers[0].address;
    lan.client.unplug();
    let server = lan.servers.remove(0);
    lan.hosts.push((server.mac, server.own));
    lan.client.plug_in(lan.now);
    lan.run(seconds(60));
    assert_eq!(lan.client.held().unwrap().address, address);
    let said = lan.said();
    assert_eq!(said[..5], ["reboot", "probe", "reboot", "probe", "reboot"]);
    assert!(
        said.contains(&"announce") && said.contains(&"discover"),
        "{said:?}"
    );
    // A server that gives another one is believed.
    lan.servers.push(Server::new(3));
    lan.run(seconds(40));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[0].address);
}

#[test]
fn where_the_server_is_not_there_either_it_is_another_lan_and_an_address_is_made_up() {
    // Another machine has the server's number there, as every second router has 192.168.1.1.
    let strangers = [vec![], vec![(OTHER, Server::new(1).own)]];
    for strangers in strangers {
        let mut lan = Lan::bound(8);
        lan.client.unplug();
        lan.servers.clear();
        lan.hosts = strangers;
        lan.client.take_news();
        lan.client.plug_in(lan.now);
        let took = lan.run_until(|lan| lan.client.held().is_none());
        assert!(took >= seconds(6) && took < seconds(9), "{took:?}");
        assert!(lan.client.take_news());
        let took = lan.run_until(|lan| lan.client.held().is_some());
        assert!(took < seconds(12), "{took:?}");
        assert_eq!(lan.client.held().unwrap().how, How::MadeUp);
    }
}

#[test]
fn a_server_behind_a_router_cannot_be_looked_for_and_its_lease_stays() {
    let mut lan = Lan::new(8).with(Server {
        own: Ipv4Addr::new(10, 0, 0, 1),
        ..Server::new(1)
    });
    lan.client.plug_in(lan.now);
    lan.run(seconds(10));
    let held = *lan.client.held().unwrap();
    lan.client.unplug();
    lan.servers.clear();
    lan.client.plug_in(lan.now);
    lan.run(seconds(60));
    assert_eq!(lan.client.held(), Some(&held));
}

#[test]
fn bogus_answers_wake_the_shell_a_few_times_a_second_at_most() {
    let mut lan = Lan::new(50);
    lan.client.plug_in(lan.now);
    lan.run(Duration::from_millis(10));
    let question = lan.last.clone().unwrap();
    let mut bad = Server {
        mask: Ipv4Addr::new(255, 0, 255, 0),
        ..Server::new(1)
    };
    let mut news = 0;
    // The same one, and then as many as there are.
    for number in 0..2000_u16 {
        bad.address = Ipv4Addr::from_bits(0x0a00_0100 + u32::from(number.saturating_sub(1000)));
        let answer = bad.answer(lan::OFFER, &question, question.xid, OWN);
        lan.client.handle_frame(lan.now, &answer.unwrap());
        news += usize::from(lan.client.take_news());
        lan.now += Duration::from_micros(500);
        if number == 999 {
            assert_eq!(news, 1, "it says nothing new");
        }
    }
    assert!(news <= 3, "{news} in a second");
    let address = bad.address;
    assert_eq!(lan.client.word(lan.now), Some(Word::Unusable { address }));
}

#[test]
fn a_lease_that_ran_out_while_the_machine_slept_is_kept_no_longer() {
    let mut lan = Lan::bound(30);
    let until = lan.client.held().unwrap().until.unwrap();
    lan.client.take_news();
    // Half of it: it is asked about as ever, and ends when it ends.
    lan.client.handle_sleep(lan.now, seconds(1800));
    lan.client.unplug();
    assert_eq!(
        lan.client.held().unwrap().until,
        Some(until - seconds(1800))
    );
    assert!(lan.client.take_news(), "the kernel is to hear of it");
    lan.servers[0].is_up = false;
    lan.client.plug_in(lan.now);
    lan.run(seconds(1780));
    assert!(lan.client.held().is_some());
    lan.run(seconds(20));
    let how = lan.client.held().map(|held| held.how);
    assert_ne!(
        how,
        Some(How::Leased {
            server: lan.servers[0].own
        })
    );

    // More than all of it, before there is a link again.
    let mut lan = Lan::bound(31);
    lan.client.take_news();
    for slept in [seconds(5000), Duration::MAX] {
        lan.client.handle_sleep(lan.now, slept);
        lan.client.unplug();
        assert_eq!(lan.client.held(), None);
    }
    assert!(lan.client.take_news());
    lan.said();
    lan.client.plug_in(lan.now);
    lan.run(seconds(3));
    assert_eq!(lan.said()[..2], ["discover", "request"]);
}

#[test]
fn a_sleep_takes_nothing_from_what_has_no_end() {
    let mut lan = Lan::new(32);
    lan.client.plug_in(lan.now);
    lan.run(seconds(15));
    let held = *lan.client.held().unwrap();
    lan.client.handle_sleep(lan.now, Duration::MAX);
    assert_eq!(lan.client.held(), Some(&held));
}

#[test]
fn an_address_that_somebody_has_is_declined_and_another_one_taken() {
    let mut lan = Lan::new(9).with(Server::new(1));
    let taken = lan.servers[0].address;
    lan.hosts.push((OTHER, taken));
    lan.client.plug_in(lan.now);
    lan.run(seconds(4));
    let held = lan.client.held().expect("another one");
    assert_ne!(held.address, taken);
    assert_eq!(lan.servers[0].declined, [taken]);
    assert_eq!(
        lan.client.word(lan.now),
        None,
        "nobody needs to know of one stale machine"
    );
    assert_eq!(
        lan.said()[..7],
        [
            "discover", "request", "probe", "probe", "probe", "decline", "discover"
        ],
        "it is looked whether everything is that machine's"
    );
}

#[test]
fn where_all_are_taken_the_server_is_not_asked_in_circles_and_the_player_hears_of_it() {
    let mut lan = Lan::new(10).with(Server::new(1));
    lan.everything_is_taken = true;
    lan.client.plug_in(lan.now);
    lan.run(seconds(120));
    let declined = lan.servers[0].declined.len();
    assert!((8..=14).contains(&declined), "{declined}");
    let word = lan.client.word(lan.now).unwrap();
    assert!(matches!(word, Word::AllTaken { .. }), "{word}");
    assert!(lan.client.held().is_none());
}

#[test]
fn an_offer_that_a_switch_withholds_is_declined_so_that_the_server_gives_another() {
    let mut lan = Lan::new(11).with(Server::new(1));
    let taken = lan.servers[0].address;
    lan.hosts.push((OTHER, taken));
    lan.withheld = Some(taken);
    lan.client.plug_in(lan.now);
    let took = lan.run_until(|lan| lan.client.held().is_some());
    assert!(took < seconds(5), "{took:?}");
    assert_eq!(lan.servers[0].declined, [taken]);
    assert_ne!(lan.client.held().unwrap().address, taken);
}

#[test]
fn a_claim_is_answered_once_and_yielded_to_the_second_time() {
    let mut lan = Lan::bound(12);
    let address = lan.servers[0].address;
    lan.claim(OTHER, address);
    assert_eq!(lan.said(), ["ask", "ask", "announce"], "it is defended");
    assert!(lan.client.held().is_some());
    lan.run(seconds(3));
    lan.claim(OTHER, address);
    assert!(lan.client.held().is_none());
    assert_eq!(
        lan.client.word(lan.now),
        Some(Word::GivenUp {
            address,
            holder: OTHER
        })
    );
    lan.run(seconds(4));
    assert_eq!(lan.servers[0].declined, [address]);
    assert_ne!(lan.client.held().unwrap().address, address);
    // Who says it now and then only is stopped each time.
    let address = lan.client.held().unwrap().address;
    for _ in 0..5 {
        lan.run(seconds(11));
        lan.claim(OTHER, address);
    }
    assert_eq!(lan.client.held().unwrap().address, address);
}

#[test]
fn without_a_server_the_adapter_gives_itself_an_address_and_asks_on() {
    let mut lan = Lan::new(13);
    lan.client.plug_in(lan.now);
    let took = lan.run_until(|lan| lan.client.held().is_some());
    assert!(took >= seconds(8) && took <= seconds(11), "{took:?}");
    let held = *lan.client.held().unwrap();
    assert!(held.address.is_link_local() && held.prefix_len == 16 && held.until.is_none());
    assert_eq!(held.how, How::MadeUp);
    assert_eq!(held.broadcast, Some(Ipv4Addr::new(169, 254, 255, 255)));
    let said = lan.said();
    assert_eq!(said.iter().filter(|what| **what == "probe").count(), 3);
    assert_eq!(said.iter().filter(|what| **what == "discover").count(), 4);
    lan.run(seconds(3600));
    let said = lan.said();
    let asked = said.iter().filter(|what| **what == "discover").count();
    assert!((100..130).contains(&asked), "{asked} in an hour");
    // A server comes.
    lan.servers.push(Server::new(1));
    lan.run(seconds(38));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[0].address);
    assert_eq!(lan.lost, 0, "one was in the other's place at once");
    // The same machine has the same address the next time.
    let mut again = Lan::new(14);
    again.client.plug_in(again.now);
    again.run(seconds(15));
    assert_eq!(again.client.held().unwrap().address, held.address);
}

#[test]
fn a_made_up_address_that_somebody_has_is_not_taken_or_given_up() {
    let mut lan = Lan::new(15);
    lan.client.plug_in(lan.now);
    lan.run(seconds(15));
    let first = lan.client.held().unwrap().address;
    let mut lan = Lan::new(16);
    lan.hosts.push((OTHER, first));
    lan.client.plug_in(lan.now);
    lan.run(seconds(25));
    let second = lan.client.held().unwrap().address;
    assert_ne!(second, first);
    lan.claim(OTHER, second);
    lan.claim(OTHER, second);
    assert!(lan.client.held().is_none());
    lan.run(seconds(10));
    assert_ne!(lan.client.held().unwrap().address, second);
    // Two that look for the same one at the same time: RFC 5227 §2.1.1.
    let mut lan = Lan::new(17);
    lan.client.plug_in(lan.now);
    lan.run(seconds(6));
    lan.hear(wire::probe(OTHER, first));
    lan.run(seconds(15));
    assert_ne!(lan.client.held().unwrap().address, first);
}

#[test]
fn of_two_servers_the_first_good_offer_is_taken() {
    let bad = Server {
        mask: Ipv4Addr::new(255, 0, 255, 0),
        ..Server::new(1)
    };
    let mut lan = Lan::new(20)
        .with(bad)
        .with(Server::new(2))
        .with(Server::new(3));
    lan.client.plug_in(lan.now);
    lan.run(seconds(3));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[1].address);
    assert_eq!(lan.servers[2].given, 0, "the other was not asked");
}

#[test]
fn a_server_that_gives_nonsense_alone_is_named_and_the_adapter_helps_itself() {
    let bad = Server {
        mask: Ipv4Addr::new(255, 0, 255, 0),
        ..Server::new(1)
    };
    let mut lan = Lan::new(21).with(bad);
    let address = lan.servers[0].address;
    lan.client.plug_in(lan.now);
    lan.run(seconds(15));
    assert_eq!(lan.client.word(lan.now), Some(Word::Unusable { address }));
    assert_eq!(lan.client.held().unwrap().how, How::MadeUp);
}

#[test]
fn a_server_that_offers_and_then_says_no_is_not_asked_in_circles() {
    let mut lan = Lan::new(22).with(Server {
        refuses: true,
        ..Server::new(1)
    });
    lan.client.plug_in(lan.now);
    lan.run(seconds(120));
    let asked = lan
        .said()
        .iter()
        .filter(|what| **what == "discover")
        .count();
    assert!((4..12).contains(&asked), "{asked}");
    lan.servers[0].refuses = false;
    lan.run(seconds(40));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[0].address);
}

#[test]
fn a_no_from_somebody_else_while_the_own_server_is_asked_counts_nothing() {
    let mut lan = Lan::bound(23);
    lan.servers.insert(
        0,
        Server {
            refuses: true,
            ..Server::new(9)
        },
    );
    lan.run(seconds(1805));
    assert_eq!(lan.lost, 0);
    assert_eq!(lan.client.held().unwrap().address, lan.servers[1].address);
}

#[test]
fn answers_to_others_are_left_to_them() {
    let mut lan = Lan::new(24);
    lan.client.plug_in(lan.now);
    lan.run(Duration::from_millis(10));
    let question = lan.last.clone().unwrap();
    let server = Server::new(1);
    let answer = |xid, mac| server.answer(lan::OFFER, &question, xid, mac).unwrap();
    let xid = question.xid;
    assert!(!lan.client.handle_frame(lan.now, &answer(xid ^ 1, OWN)));
    assert!(!lan.client.handle_frame(lan.now, &answer(xid, OTHER)));
    let mut damaged = answer(xid, OWN);
    damaged[300] ^= 1;
    assert!(
        !lan.client.handle_frame(lan.now, &damaged),
        "its checksum is wrong"
    );
    assert!(lan.said() == ["discover"]);
    assert!(lan.client.handle_frame(lan.now, &answer(xid, OWN)));
    // It came twice.
    assert!(lan.client.handle_frame(lan.now, &answer(xid, OWN)));
    lan.run(Duration::from_millis(10));
    assert_eq!(lan.said(), ["request"]);
}

#[test]
fn who_leaves_gives_the_address_back() {
    let mut lan = Lan::bound(25);
    let (now, address) = (lan.now, lan.servers[0].address);
    lan.client.handle_shutdown(now);
    lan.run(seconds(5));
    assert_eq!(lan.said(), ["release"]);
    assert_eq!(lan.servers[0].released, [address]);
    // What was acknowledged, and is still looked at, is as well.
    let mut lan = Lan::new(26).with(Server::new(1));
    lan.client.plug_in(lan.now);
    lan.run(Duration::from_millis(500));
    assert!(lan.client.held().is_none());
    let address = lan.servers[0].address;
    lan.client.handle_shutdown(lan.now);
    lan.run(seconds(5));
    assert_eq!(lan.servers[0].released, [address]);
    // Who has none has nothing to give back.
    let mut lan = Lan::new(26);
    lan.client.plug_in(lan.now);
    lan.run(seconds(15));
    lan.said();
    lan.client.handle_shutdown(lan.now);
    lan.run(seconds(60));
    assert!(lan.said().is_empty());
}

#[test]
fn a_lease_for_ever_is_never_asked_for_again() {
    let mut lan = Lan::new(27).with(Server {
        lease: u32::MAX,
        ..Server::new(1)
    });
    lan.client.plug_in(lan.now);
    lan.run(seconds(5));
    lan.said();
    lan.run(seconds(1_000_000));
    assert!(lan.said().is_empty());
    assert_eq!(lan.client.held().unwrap().until, None);
}

#[test]
fn a_person_can_have_it_asked_again_and_keeps_the_address_meanwhile() {
    let mut lan = Lan::bound(28);
    lan.client.ask_anew(lan.now);
    lan.run(seconds(2));
    assert_eq!(lan.said()[..2], ["discover", "request"]);
    assert_eq!(lan.lost, 0);
    // Without a LAN there is nobody to ask.
    lan.client.unplug();
    lan.client.ask_anew(lan.now);
    lan.run(seconds(60));
    assert_eq!(lan.said(), ["announce"; 0]);
}

#[test]
fn who_takes_another_address_gives_the_first_one_back() {
    let mut lan = Lan::bound(29);
    let first = lan.servers[0].address;
    lan.servers[0].address = Ipv4Addr::new(192, 168, 50, 200);
    lan.client.ask_anew(lan.now);
    lan.run(seconds(5));
    assert_eq!(lan.client.held().unwrap().address, lan.servers[0].address);
    assert_eq!(lan.servers[0].released, [first]);
    assert_eq!(lan.lost, 0);
    // Once more, and no more.
    lan.client.handle_shutdown(lan.now);
    lan.run(seconds(5));
    assert_eq!(lan.servers[0].released, [first, lan.servers[0].address]);
}

mod any_evening {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever gets lost, comes twice or is made up: what is held is usable, time goes on, and nobody is flooded.
        #[test]
        fn holds_what_a_machine_can_have(
            seed: u64,
            loss in 0u32..60,
            events in prop::collection::vec((0u8..8, 0u64..400), 1..40),
        ) {
            let mut lan = Lan::new(seed).with(Server { lease: 120, ..Server::new(1) });
            lan.loss_percent = loss;
            lan.client.plug_in(lan.now);
            for (event, wait) in events {
                match event {
                    0 => lan.client.unplug(),
                    1 => lan.client.plug_in(lan.now),
                    2 => lan.servers[0].is_up ^= true,
                    3 => if let Some(held) = lan.client.held() {
                        let address = held.address;
                        lan.claim(OTHER, address);
                    },
                    4 => lan.servers[0] = Server { lease: 30, ..Server::new(2) },
                    5 => lan.client.ask_anew(lan.now),
                    6 => lan.servers[0].refuses ^= true,
                    _ => {}
                }
                let (from, before) = (lan.now, lan.frames);
                lan.run(seconds(wait));
                let minutes = (lan.now - from).as_secs() / 60 + 1;
                prop_assert!(lan.frames - before < 120 * usize::try_from(minutes).unwrap());
                if let Some(held) = lan.client.held() {
                    prop_assert!(held.until.is_none_or(|until| until > lan.now));
                    prop_assert!(!held.address.is_unspecified() && (8..=31).contains(&held.prefix_len));
                }
            }
            // When all is well again, so is the address.
            lan.loss_percent = 0;
            lan.servers = vec![Server::new(1)];
            lan.client.plug_in(lan.now);
            lan.run(seconds(80));
            let how = lan.client.held().map(|held| held.how);
            prop_assert_eq!(how, Some(How::Leased { server: lan.servers[0].own }));
        }

        /// Any bytes, and answers with a byte changed, are taken or not, and that is all.
        #[test]
        fn survives_any_frame(
            seed: u64,
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..20),
            flips in prop::collection::vec((0usize..400, any::<u8>()), 0..20),
        ) {
            let mut lan = Lan::new(seed);
            lan.client.plug_in(lan.now);
            lan.run(Duration::from_millis(10));
            let question = lan.last.clone().unwrap();
            for frame in frames {
                lan.client.handle_frame(lan.now, &frame);
            }
            for (at, value) in flips {
                let mut answer = Server::new(1).answer(lan::OFFER, &question, question.xid, OWN).unwrap();
                if let Some(byte) = answer.get_mut(at) {
                    *byte = value;
                }
                lan.client.handle_frame(lan.now, &answer);
            }
            lan.run(seconds(60));
        }
    }
}
