//! The party's hosts, where home has the same addresses.

use super::*;
use crate::overlap::Seat;
use std::net::Ipv4Addr;

#[test]
fn a_frame_of_a_new_host_is_news_before_anything_else_happens() {
    let mut session = joined();
    session.listen_for_hosts(
        Instant::now(),
        Some(Seat::new(Ipv4Addr::new(10, 0, 0, 2), 24)),
    );
    assert!(!session.take_news());
    hear_bytes(&mut session, &syn(OWN, LAN_HOST)).unwrap();
    assert!(session.take_news() && !session.take_news());
    let hosts: Vec<_> = session.hosts().collect();
    assert_eq!(hosts, [Ipv4Addr::new(10, 0, 0, 1)]);
}

#[test]
fn questions_go_out_in_the_machines_name_and_only_into_a_room() {
    let now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN));
    session.listen_for_hosts(now, Some(Seat::new(Ipv4Addr::new(10, 0, 0, 2), 24)));
    session.look_for_hosts(now, [Ipv4Addr::new(10, 0, 0, 9)]);
    assert!(session.poll_output().is_none() && session.poll_timeout().is_none());
    session.handle_welcome(now, &welcome(Some(GATEWAY_ID)), budget());
    session.look_for_hosts(now, [Ipv4Addr::new(10, 0, 0, 9)]);
    let Some(PeerOutput::ToRelay(question)) = session.poll_output() else {
        panic!("nobody is asked");
    };
    assert_eq!(question.frame()[6..12], OWN);
    assert!(question.frame().ends_with(&[10, 0, 0, 9]));
    assert!(filter::outgoing(question.frame(), virtual_mac(OWN)).is_ok());
}
