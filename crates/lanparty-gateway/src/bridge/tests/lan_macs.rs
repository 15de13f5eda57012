//! Players with the MAC of a machine on the LAN (spec R102).

use super::*;

/// A relay that wants to know what the LAN has.
fn asked() -> Party {
    let mut party = Party::new();
    party.welcome_by(&[LAN_MACS]);
    party
}

/// What was ordered, and how many frames were put on the LAN, since the last look.
fn done(party: &mut Party) -> (Vec<HostOrder>, usize) {
    let (mut orders, mut frames) = (Vec::new(), 0);
    for output in party.outputs() {
        match output {
            PeerOutput::Message(PeerMessage::Host(order)) => orders.push(order),
            PeerOutput::Message(_) | PeerOutput::ToRelay(_) => {}
            PeerOutput::Frame(_) => frames += 1,
        }
    }
    (orders, frames)
}

fn on_lan((_, mac): (u16, MacAddr)) -> Vec<HostOrder> {
    let mac = mac.try_into().unwrap();
    vec![HostOrder::OnLan { mac }]
}

fn broadcast(source: MacAddr, number: u8) -> Vec<u8> {
    let mut frame = ip(MacAddr::BROADCAST, source);
    frame[33] = number;
    frame
}

#[test]
fn a_player_with_the_mac_of_a_machine_is_not_carried_and_not_shown_to_the_switch() {
    for said in [
        broadcast(ALICE.1, 1),
        ip(LAN_HOST, ALICE.1),
        ip(NIC, ALICE.1),
    ] {
        let mut party = asked();
        // Nobody in the room wants most of it, and it counts all the same.
        let _ = party.lan_says(&said);
        assert_eq!(party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1)), Ok(None));
        party.join(ALICE);
        assert_eq!(done(&mut party), (on_lan(ALICE), 0));
        let verdict = party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1));
        assert_eq!(verdict, Err(DropReason::MacOnLan));
        assert_eq!(party.bridge.counters().drops.of(DropReason::MacOnLan), 2);
        // The machine itself speaks to the room.
        assert!(party.lan_says(&broadcast(ALICE.1, 2)).is_ok());
        assert_eq!(party.bridge.take_lookalike(), None, "the relay says it");
    }
}

#[test]
fn nobody_is_our_own_interface() {
    let nic = (ALICE.0, MacAddr::new([2, 0, 0, 0, 0, 0xee]));
    let mut party = Party::new();
    party.bridge = Bridge::new(nic.1);
    party.welcome();
    party.join(nic);
    assert_eq!(done(&mut party), (Vec::new(), 0));
    assert_eq!(party.bridge.take_lookalike(), Some(nic.1));
    assert_eq!(party.bridge.take_lookalike(), None);
    let verdict = party.client_says(nic.0, &ip(LAN_HOST, nic.1));
    assert_eq!(verdict, Err(DropReason::MacOnLan));
    party.advance(Duration::from_secs(3600));
    assert_eq!(done(&mut party).1, 0, "not even later");
}

#[test]
fn whose_machine_has_been_silent_for_long_comes_in() {
    let mut party = Party::new();
    let _ = party.lan_says(&broadcast(ALICE.1, 1));
    party.join(ALICE);
    assert_eq!(party.bridge.take_lookalike(), Some(ALICE.1));
    party.advance(Duration::from_secs(399));
    assert_eq!(done(&mut party).1, 0);
    party.advance(Duration::from_secs(5));
    assert_eq!(party.refreshed(), [ALICE.1]);
    assert!(party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1)).is_ok());
}

#[test]
fn who_comes_in_so_late_is_heard_about_its_groups_like_anybody() {
    let mut party = Party::new();
    let _ = party.lan_says(&broadcast(ALICE.1, 1));
    party.join_telling(ALICE);
    party.advance(Duration::from_secs(399));
    party.advance(Duration::from_secs(5));
    assert_eq!(party.refreshed(), [ALICE.1]);
    party.advance(snooping::SETTLING);
    assert_eq!(party.lan_says(&stream()), Err(DropReason::Unwanted));
    party.client_says(ALICE.0, &report(ALICE.1, 0x16)).unwrap();
    assert!(party.lan_says(&stream()).is_ok());
}

#[test]
fn a_machine_that_is_heard_after_the_player_wins() {
    let mut party = asked();
    party.join(ALICE);
    assert_eq!(done(&mut party), (Vec::new(), 1));
    for number in 0..3 {
        let said = broadcast(ALICE.1, 100 + number);
        assert!(party.client_says(ALICE.0, &said).is_ok());
        let _ = party.lan_says(&broadcast(ALICE.1, number));
        party.advance(Duration::from_millis(300));
    }
    assert_eq!(done(&mut party).0, [], "it may still be an echo");
    party.advance(Duration::from_secs(1));
    assert_eq!(done(&mut party), (on_lan(ALICE), 0));
    let verdict = party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1));
    assert_eq!(verdict, Err(DropReason::MacOnLan));
    party.advance(CAM_REFRESH_PERIOD);
    assert_eq!(party.refreshed(), [], "its MAC stays where the machine is");
}

/// Both ask for routers, and join the group of their address, which is made of their MAC.
#[test]
fn two_machines_with_one_mac_say_the_same_and_that_is_no_loop() {
    let mut party = asked();
    party.join(ALICE);
    let mut same = frame(MacAddr::new([0x33, 0x33, 0, 0, 0, 2]), ALICE.1, 0x86dd);
    same.resize(14 + 40 + 8, 0);
    same[14..22].copy_from_slice(&[0x60, 0, 0, 0, 0, 8, 58, 255]);
    same[54] = 133;
    for _ in 0..10 {
        let _ = party.client_says(ALICE.0, &same);
        let _ = party.lan_says(&same);
    }
    assert_eq!(party.bridge.looped(), None);
    party.advance(Duration::from_secs(2));
    assert_eq!(done(&mut party).0, [], "nor is it a machine for that");
}

#[test]
fn what_comes_back_by_a_loop_is_no_machine() {
    let mut party = asked();
    party.join(ALICE);
    for number in 0..200 {
        let said = broadcast(ALICE.1, number);
        let _ = party.client_says(ALICE.0, &said);
        for _ in 0..3 {
            let _ = party.lan_says(&said);
        }
        party.advance(Duration::from_millis(100));
    }
    assert!(party.bridge.looped().is_some());
    party.advance(LOOP_QUIET);
    party.advance(Duration::from_secs(2));
    assert_eq!(done(&mut party).0, []);
    assert!(party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1)).is_ok());
}

#[test]
fn what_comes_back_after_its_player_has_left_is_no_machine() {
    let mut party = asked();
    party.join(ALICE);
    party.leave(ALICE);
    let late = party.lan_says(&broadcast(ALICE.1, 1));
    assert_eq!(late, Err(DropReason::UnauthorizedSourceMac));
    let late = party.lan_says(&frame(NIC, ALICE.1, 0x88b5));
    assert_eq!(late, Err(DropReason::UnauthorizedSourceMac));
    party.outputs();
    party.join(ALICE);
    assert_eq!(done(&mut party), (Vec::new(), 1));
    // The same over another link.
    party.bridge.handle_lost_link(party.now);
    party.now += Duration::from_secs(60);
    party.welcome_by(&[LAN_MACS]);
    let _ = party.lan_says(&broadcast(ALICE.1, 2));
    party.join(ALICE);
    assert_eq!(done(&mut party), (Vec::new(), 1));
    // Ten seconds later it is on the LAN: it has come in by the door.
    party.leave(ALICE);
    party.now += Duration::from_secs(10);
    assert!(party.lan_says(&broadcast(ALICE.1, 3)).is_ok());
    party.join(ALICE);
    assert_eq!(done(&mut party).0, on_lan(ALICE));
}
