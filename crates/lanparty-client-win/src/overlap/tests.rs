//! The table follows what is decided, and is as before at the end.

use super::*;
use crate::fake_pc::Pc;
use lanparty_client_core::overlap::{HomeNetwork, Prefix};
use lanparty_client_route::neighbours::{Answer, Neighbour};
use lanparty_client_route::overlap::OwnAddress;

const TAP: Luid = Luid(1);
const WIFI: Luid = Luid(2);

#[test]
fn rows_follow_what_is_decided_and_are_gone_at_the_end() {
    let pc = pc();
    let before = pc.state();
    let mut rows = rows(&pc);
    let dear = Route {
        metric: BEHIND_HOME,
        ..network()
    };
    let follow = |rows: &mut PartyRows, hosts: &[u8]| follow(&pc, rows, 24, hosts);
    let expected = [dear.clone(), host(40), host(41)];
    assert_eq!(follow(&mut rows, &[40, 41]), expected);
    assert_eq!(follow(&mut rows, &[41]), [dear.clone(), host(41)]);
    // Windows makes the row anew with a new lease.
    pc.0.borrow_mut().state.routes[0].metric = 256;
    assert_eq!(follow(&mut rows, &[41]), [dear, host(41)]);
    assert!(pc.disk().contains("RouteMetric"));
    rows.apply(&pc.state().routes, None).unwrap();
    assert_eq!(pc.state(), before);
    assert_eq!(pc.disk(), "");
}

#[test]
fn before_a_wider_network_the_partys_row_is_out_until_the_end() {
    let pc = pc();
    let before = pc.state();
    let mut rows = rows(&pc);
    assert_eq!(follow(&pc, &mut rows, 16, &[40]), [host(40)]);
    assert_eq!(follow(&pc, &mut rows, 16, &[40]), [host(40)]);
    // Windows makes the row anew with a new lease.
    pc.0.borrow_mut().state.routes.push(network());
    assert_eq!(follow(&pc, &mut rows, 16, &[40]), [host(40)]);
    assert!(pc.disk().contains("NoRoute"));
    rows.apply(&pc.state().routes, None).unwrap();
    assert_eq!(pc.state(), before);
    assert_eq!(pc.disk(), "");
}

#[test]
fn a_row_is_not_put_back_for_an_address_that_is_gone() {
    let pc = pc();
    let mut rows = rows(&pc);
    assert_eq!(follow(&pc, &mut rows, 16, &[]), []);
    pc.0.borrow_mut().has_no_address = true;
    drop(rows);
    assert_eq!((pc.state().routes, pc.disk()), (vec![], String::new()));
}

#[test]
fn home_may_change_its_network_in_the_evening() {
    let pc = pc();
    let before = pc.state();
    let mut rows = rows(&pc);
    let metric = |rows: &[Route]| rows.iter().map(|row| row.metric).collect::<Vec<_>>();
    assert_eq!(metric(&follow(&pc, &mut rows, 24, &[])), [BEHIND_HOME]);
    // What the table said when it was looked at is what stood then; the next look sees the row that is there again.
    follow(&pc, &mut rows, 16, &[]);
    assert_eq!(follow(&pc, &mut rows, 16, &[]), []);
    follow(&pc, &mut rows, 24, &[]);
    assert_eq!(metric(&follow(&pc, &mut rows, 24, &[])), [BEHIND_HOME]);
    assert_eq!(metric(&follow(&pc, &mut rows, 26, &[])), [256]);
    drop(rows);
    assert_eq!(pc.state(), before);
}

#[test]
fn what_a_killed_run_left_is_undone_and_what_is_gone_needs_no_undoing() {
    for (home, is_gone) in [(24, false), (24, true), (16, false)] {
        let pc = pc();
        let mut rows = rows(&pc);
        follow(&pc, &mut rows, home, &[40]);
        std::mem::forget(rows);
        if is_gone {
            pc.0.borrow_mut().state.routes.clear();
        }
        let left = if is_gone { vec![] } else { vec![network()] };
        assert_eq!(pc.journal().repair(), 2);
        assert_eq!((pc.state().routes, pc.disk()), (left, String::new()));
    }
}

/// Whom somebody here looks for is asked for at once and again; others now and then.
#[test]
fn whom_home_does_not_have_the_party_is_asked_for() {
    let pc = pc();
    let mut rows = rows(&pc);
    let known = [
        neighbour(WIFI, 50, Answer::Awaited),
        neighbour(WIFI, 51, Answer::None),
        neighbour(WIFI, 52, Answer::Fresh),
        neighbour(TAP, 53, Answer::Old),
    ];
    let known = Neighbours::new(known.into(), TAP, [2; 6]);
    let begin = now();
    let mut lacking = |seconds| {
        let at = begin + Duration::from_secs(seconds);
        let lacking = rows.lacking_at_home(at, &known).into_iter();
        lacking.map(|ip| ip.octets()[3]).collect::<Vec<_>>()
    };
    assert_eq!(lacking(0), [50, 51, 53]);
    assert_eq!(lacking(1), [50]);
    assert_eq!(lacking(31), [50, 51, 53]);
}

#[test]
fn home_is_asked_for_what_the_party_has_a_lot_at_a_time() {
    let pc = pc();
    let mut rows = rows(&pc);
    let heard: Vec<_> = (40..60).map(ip).collect();
    let surroundings = Surroundings {
        routes: vec![network(), on(WIFI, network())],
        own: vec![own(TAP, 77), own(WIFI, 30)],
        ..Surroundings::default()
    };
    let seat = shared_seat(&surroundings, TAP).unwrap();
    let overlap = decide(&seat, &surroundings.home(TAP), heard);
    let begin = now();
    let mut asked = Vec::new();
    for _ in 0..4 {
        let lot = rows.due_at_home(begin, &surroundings, &seat, &overlap);
        assert!(lot.iter().all(|(link, _)| *link == WIFI));
        asked.push(lot.len());
    }
    // Twenty hosts, and the own address.
    assert_eq!(asked, [8, 8, 5, 0]);
}

#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
fn now() -> Instant {
    Instant::now()
}

fn pc() -> Pc {
    let pc = Pc::default();
    pc.0.borrow_mut().state.routes.push(network());
    pc
}

fn rows(pc: &Pc) -> PartyRows {
    PartyRows::new(pc.journal(), TAP, VirtualMac::from_random([1; 6]))
}

/// Follows a look at a home whose network is so long, at a party where these are to have rows.
fn follow(pc: &Pc, rows: &mut PartyRows, home: u8, hosts: &[u8]) -> Vec<Route> {
    let seat = Seat::new(ip(77), 24);
    let overlap = Overlap {
        whole: home > 24,
        hosts: hosts.iter().copied().map(ip).collect(),
        networks: vec![HomeNetwork {
            prefix: Prefix::new(ip(0), home),
            interface: "Wi-Fi".to_owned(),
        }],
        ..Overlap::default()
    };
    let routes = pc.state().routes;
    rows.apply(&routes, Some((seat, overlap))).unwrap();
    pc.state().routes
}

fn neighbour(interface: Luid, last: u8, answer: Answer) -> Neighbour {
    Neighbour {
        interface,
        ip: ip(last),
        mac: [4; 6],
        answer,
    }
}

fn own(interface: Luid, last: u8) -> OwnAddress {
    OwnAddress {
        interface,
        ip: ip(last),
        prefix_len: 24,
    }
}

fn ip(last: u8) -> Ipv4Addr {
    [192, 168, 1, last].into()
}

fn network() -> Route {
    row(0, 24, 256)
}

fn host(last: u8) -> Route {
    row(last, 32, 0)
}

fn on(interface: Luid, row: Route) -> Route {
    Route { interface, ..row }
}

fn row(last: u8, prefix_len: u8, metric: u32) -> Route {
    Route {
        destination: ip(last).into(),
        prefix_len,
        interface: TAP,
        next_hop: Ipv4Addr::UNSPECIFIED.into(),
        metric,
    }
}
