use super::*;
use crate::registry::Seat;
use crate::testing::Outcome::{self, Dropped, Expelled, Pending, To};
use crate::testing::{Relay, client_mac, frame, header, lan_mac, whole};
use lanparty_ctrl::{HostOrder, Notice, NoticeKind};
use lanparty_proto::overlay::Probe;
use lanparty_proto::{DatagramBudget, MacAddr, fragment};
use std::time::Duration;

mod lookalikes;
mod pings;
mod silences;

/// A gateway on link 1 and players on links 2 to 4.
fn party() -> (Relay, Seat, [Seat; 3]) {
    let mut relay = Relay::new();
    let gateway = relay.gateway(1);
    let players = [2, 3, 4].map(|link| relay.client(link));
    (relay, gateway, players)
}

fn pieces(from: Seat, frame: &[u8], budget: u16) -> Vec<Bytes> {
    fragment::cut(header(from), 7, frame, DatagramBudget::new(budget).unwrap()).collect()
}

/// A question that claims `address` for its sender.
fn arp(source: MacAddr, address: [u8; 4]) -> Vec<u8> {
    let mut frame = frame(MacAddr::BROADCAST, source, 60);
    frame[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&source.octets());
    frame[28..32].copy_from_slice(&address);
    frame
}

const MULTICAST: MacAddr = MacAddr::new([0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb]);

#[test]
fn known_unicast_goes_to_its_one_peer() {
    let (mut relay, gateway, [two, ..]) = party();
    let to_three = frame(client_mac(3), client_mac(2), 60);
    assert_eq!(relay.frame(two, &to_three), To(vec![3]));
    let from_lan = frame(client_mac(3), lan_mac(9), 60);
    assert_eq!(relay.frame(gateway, &from_lan), To(vec![3]));
}

#[test]
fn groups_go_to_every_other_peer() {
    let (mut relay, gateway, [two, ..]) = party();
    for group in [MacAddr::BROADCAST, MULTICAST] {
        let from_two = frame(group, client_mac(2), 60);
        assert_eq!(relay.frame(two, &from_two), To(vec![1, 3, 4]));
        let from_lan = frame(group, lan_mac(9), 60);
        assert_eq!(relay.frame(gateway, &from_lan), To(vec![2, 3, 4]));
    }
}

#[test]
fn unknown_unicast_goes_to_the_gateway_only_and_never_from_it() {
    let (mut relay, gateway, [two, ..]) = party();
    let to_lan = frame(lan_mac(9), client_mac(2), 60);
    assert_eq!(relay.frame(two, &to_lan), To(vec![1]));
    let between_lan_hosts = frame(lan_mac(8), lan_mac(9), 60);
    let outcome = relay.frame(gateway, &between_lan_hosts);
    assert_eq!(outcome, Dropped(DropReason::UnknownDestination));
    relay.leave(gateway);
    let outcome = relay.frame(two, &to_lan);
    assert_eq!(outcome, Dropped(DropReason::UnknownDestination));
}

#[test]
fn nothing_returns_to_its_sender() {
    let (mut relay, _, [two, ..]) = party();
    let to_itself = frame(client_mac(2), client_mac(2), 60);
    let outcome = relay.frame(two, &to_itself);
    assert_eq!(outcome, Dropped(DropReason::UnknownDestination));
}

#[test]
fn a_talk_with_a_lan_host_is_limited_only_until_the_host_has_spoken() {
    let (mut relay, gateway, [two, ..]) = party();
    let to_lan = frame(lan_mac(9), client_mac(2), 60);
    for _ in 0..64 {
        assert_eq!(relay.frame(two, &to_lan), To(vec![1]));
    }
    let outcome = relay.frame(two, &to_lan);
    assert_eq!(outcome, Dropped(DropReason::UnknownUnicastRate));
    relay.frame(gateway, &frame(client_mac(2), lan_mac(9), 60));
    for _ in 0..1000 {
        assert_eq!(relay.frame(two, &to_lan), To(vec![1]));
    }
    relay.leave(gateway);
    relay.gateway(5);
    let outcome = relay.frame(two, &to_lan);
    assert_eq!(
        outcome,
        Dropped(DropReason::UnknownUnicastRate),
        "another gateway may be on another LAN"
    );
}

#[test]
fn the_same_gateway_finds_what_the_room_knew_of_its_lan() {
    let key = Some(Fingerprint::from_sha256([7; 32]));
    for identity in [None, key] {
        let mut relay = Relay::new();
        relay.identity = identity;
        let admitted = relay.admit(1, "lanparty", Newcomer::Gateway).unwrap();
        let gateway = admitted.place;
        relay.identity = None;
        let [two, three] = [2, 3].map(|link| relay.client(link));
        relay.frame(gateway, &arp(lan_mac(9), [192, 168, 50, 1]));
        relay.leave(gateway);
        let claim = arp(client_mac(3), [192, 168, 50, 1]);
        let taken = Dropped(DropReason::ClaimedAddress);
        assert_eq!(relay.frame(three, &claim), taken, "while it is away");
        relay.advance(Duration::from_secs(5));
        // By its key, or without one by its token.
        relay.identity = identity;
        relay.token = identity.is_none().then(|| token_of(&admitted.steps));
        relay.gateway(5);
        let to_lan = frame(lan_mac(9), client_mac(2), 60);
        for number in 0..200 {
            assert_eq!(relay.frame(two, &to_lan), To(vec![5]), "frame {number}");
        }
        assert_eq!(relay.frame(three, &claim), taken, "after its return");
    }
}

#[test]
fn another_gateway_finds_nothing_of_the_first_ones_lan() {
    let key = |number| Some(Fingerprint::from_sha256([number; 32]));
    for (first, second) in [
        (None, None),
        (key(7), key(8)),
        (key(7), None),
        (None, key(8)),
    ] {
        let mut relay = Relay::new();
        relay.identity = first;
        let gateway = relay.gateway(1);
        relay.identity = None;
        let three = relay.client(3);
        relay.frame(gateway, &arp(lan_mac(9), [192, 168, 50, 1]));
        relay.leave(gateway);
        relay.identity = second;
        relay.gateway(5);
        let claim = arp(client_mac(3), [192, 168, 50, 1]);
        assert_eq!(relay.frame(three, &claim), To(vec![5]));
    }
}

fn token_of(steps: &[Step<u8>]) -> ResumeToken {
    let token = steps.iter().find_map(|step| match step {
        Step::Answer(RelayMessage::Welcome(welcome)) => Some(welcome.resume_token.clone()),
        _ => None,
    });
    token.unwrap()
}

#[test]
fn a_storm_from_a_client_is_cut_and_from_the_lan_is_not() {
    let (mut relay, gateway, [two, ..]) = party();
    let storm = frame(MacAddr::BROADCAST, client_mac(2), 60);
    let passed = (0..500).filter(|_| relay.frame(two, &storm) == To(vec![1, 3, 4]));
    assert_eq!(passed.count(), 128);
    assert_eq!(
        relay.frame(two, &storm),
        Dropped(DropReason::BroadcastRate),
        "and never a disconnect"
    );
    let from_lan = frame(MacAddr::BROADCAST, lan_mac(9), 60);
    let passed = (0..500).filter(|_| relay.frame(gateway, &from_lan) == To(vec![2, 3, 4]));
    assert_eq!(passed.count(), 500);
}

#[test]
fn a_client_sends_from_its_own_mac_and_the_gateway_from_no_clients() {
    let (mut relay, gateway, [two, ..]) = party();
    let mut drop = |from, source| {
        let outcome = relay.frame(from, &frame(MacAddr::BROADCAST, source, 60));
        match outcome {
            Dropped(reason) => Some(reason),
            _ => None,
        }
    };
    use DropReason::{InvalidSourceMac, UnauthorizedSourceMac};
    assert_eq!(drop(two, client_mac(3)), Some(UnauthorizedSourceMac));
    assert_eq!(drop(two, lan_mac(9)), Some(UnauthorizedSourceMac));
    assert_eq!(drop(two, MULTICAST), Some(InvalidSourceMac));
    assert_eq!(drop(two, MacAddr::ZERO), Some(InvalidSourceMac));
    assert_eq!(drop(gateway, client_mac(3)), Some(UnauthorizedSourceMac));
    assert_eq!(drop(gateway, MacAddr::BROADCAST), Some(InvalidSourceMac));
    assert_eq!(drop(gateway, lan_mac(9)), None);
}

#[test]
fn the_classifier_judges_by_the_senders_role() {
    let (mut relay, gateway, [two, ..]) = party();
    let bpdu_to = MacAddr::new([0x01, 0x80, 0xc2, 0, 0, 0]);
    let bpdu = frame(bpdu_to, lan_mac(9), 60);
    let outcome = relay.frame(gateway, &bpdu);
    assert_eq!(outcome, Dropped(DropReason::ReservedMulticast));
    let arp = |source: MacAddr, claimed: MacAddr| {
        let mut frame = frame(MacAddr::BROADCAST, source, 60);
        frame[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
        frame[22..28].copy_from_slice(&claimed.octets());
        frame
    };
    let spoof = arp(client_mac(2), lan_mac(8));
    assert_eq!(relay.frame(two, &spoof), Dropped(DropReason::ArpSpoof));
    let own = arp(client_mac(2), client_mac(2));
    assert_eq!(relay.frame(two, &own), To(vec![1, 3, 4]));
    let proxy = arp(lan_mac(9), lan_mac(8));
    assert_eq!(relay.frame(gateway, &proxy), To(vec![2, 3, 4]));
}

#[test]
fn a_client_cannot_claim_an_address_that_somebody_else_has() {
    let (mut relay, gateway, [two, three, _]) = party();
    relay.frame(gateway, &arp(lan_mac(9), [192, 168, 50, 1]));
    relay.frame(two, &arp(client_mac(2), [192, 168, 50, 202]));
    for (from, mac, address) in [(two, 2, 1), (three, 3, 1), (three, 3, 202)] {
        let outcome = relay.frame(from, &arp(client_mac(mac), [192, 168, 50, address]));
        assert_eq!(outcome, Dropped(DropReason::ClaimedAddress));
    }
    relay.leave(two);
    let two = relay.client(2);
    let outcome = relay.frame(three, &arp(client_mac(3), [192, 168, 50, 202]));
    assert_eq!(outcome, Dropped(DropReason::ClaimedAddress), "kept for it");
    assert_eq!(
        relay.frame(two, &arp(client_mac(2), [192, 168, 50, 202])),
        To(vec![1, 3, 4])
    );
    let drops = &relay.registry.peer(three).unwrap().drops;
    assert_eq!(drops.of(DropReason::ClaimedAddress), 3);
}

#[test]
fn a_refused_claim_is_told_to_whose_it_is_and_to_the_host_if_they_take_notices() {
    let (mut relay, gateway, [two, three, _]) = party();
    relay.takes_notices = false;
    let old = relay.client(5);
    relay.frame(gateway, &arp(lan_mac(9), [192, 168, 50, 1]));
    for (from, number) in [(two, 2), (two, 2), (old, 5)] {
        relay.frame(from, &arp(client_mac(number), [192, 168, 50, 1]));
    }
    // A good claim is not what was refused before.
    relay.frame(three, &arp(client_mac(3), [192, 168, 50, 203]));
    let taken = |frames| Notice {
        address: Some([192, 168, 50, 1].into()),
        ..Notice::new(NoticeKind::AddressTaken, frames)
    };
    let told = relay.registry.poll_notices(relay.now);
    assert_eq!(
        told,
        [
            (2, taken(2)),
            (1, taken(2).about(two.peer)),
            (1, taken(1).about(old.peer))
        ]
    );
    relay.frame(two, &arp(client_mac(2), [192, 168, 50, 1]));
    assert_eq!(relay.registry.poll_notices(relay.now), []);
    relay.leave(gateway);
    relay.advance(notices::PAUSE);
    let told = relay.registry.poll_notices(relay.now);
    assert_eq!(told, [(2, taken(1))], "there is no host");
}

#[test]
fn a_withheld_lease_is_told_to_whom_it_was_for_and_to_the_host() {
    let (mut relay, gateway, [two, three, _]) = party();
    relay.frame(gateway, &arp(lan_mac(9), [192, 168, 50, 1]));
    for _ in 0..2 {
        let lease = acknowledgement(client_mac(3), [192, 168, 50, 1]);
        let outcome = relay.frame(gateway, &lease);
        assert_eq!(outcome, Dropped(DropReason::LeaseConflict));
    }
    // What dies next is its sender's.
    relay.frame(two, &arp(client_mac(2), [192, 168, 50, 1]));
    let about = |kind, frames| Notice {
        address: Some([192, 168, 50, 1].into()),
        ..Notice::new(kind, frames)
    };
    let (taken, withheld) = (NoticeKind::AddressTaken, NoticeKind::LeaseWithheld);
    assert_eq!(
        relay.registry.poll_notices(relay.now),
        [
            (2, about(taken, 1)),
            (1, about(taken, 1).about(two.peer)),
            (3, about(withheld, 2)),
            (1, about(withheld, 2).about(three.peer)),
        ]
    );
}

#[test]
fn who_is_muted_hears_it_and_the_host_who_wants_it_does_not() {
    let (mut relay, gateway, [two, ..]) = party();
    let mute = HostOrder::Mute {
        peer_id: two.peer,
        muted: true,
    };
    relay
        .registry
        .handle_order(relay.now, gateway, mute)
        .unwrap();
    let outcome = relay.frame(two, &frame(MacAddr::BROADCAST, client_mac(2), 60));
    assert_eq!(outcome, Dropped(DropReason::Muted));
    let told = relay.registry.poll_notices(relay.now);
    assert_eq!(told, [(2, Notice::new(NoticeKind::Muted, 1))]);
}

/// The LAN's DHCP server gives an address.
fn acknowledgement(mac: MacAddr, address: [u8; 4]) -> Vec<u8> {
    let mut message = vec![2, 1, 6, 0];
    message.resize(240, 0);
    message[16..20].copy_from_slice(&address);
    message[28..34].copy_from_slice(&mac.octets());
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, 5, 51, 4, 0, 0, 14, 16, 255]);
    let len = u16::try_from(8 + message.len()).unwrap();
    let mut frame = [[0xff; 6], lan_mac(9).octets()].concat();
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((20 + len).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
    frame.extend([67, 68, len, 0].map(u16::to_be_bytes).concat());
    frame.extend(message);
    frame
}

#[test]
fn the_host_sees_why_frames_died_also_of_those_who_have_left() {
    let (mut relay, gateway, [two, three, _]) = party();
    relay.frame(gateway, &arp(lan_mac(9), [192, 168, 50, 1]));
    for (player, number) in [(two, 2), (three, 3)] {
        relay.frame(player, &arp(client_mac(number), [192, 168, 50, 1]));
    }
    relay.leave(two);
    let obeyed = relay
        .registry
        .handle_order(relay.now, gateway, HostOrder::Members)
        .unwrap();
    let [Step::Answer(RelayMessage::Members(members))] = &obeyed.steps[..] else {
        panic!("{:?}", obeyed.steps)
    };
    let claims = |drops: &DropCounts| drops.of(DropReason::ClaimedAddress);
    assert_eq!(claims(&members.drops), 2);
    let of_each: Vec<_> = members
        .members
        .iter()
        .map(|one| claims(&one.drops))
        .collect();
    assert_eq!(of_each, [1, 0]);
}

#[test]
fn a_crowd_that_is_refused_does_not_fill_the_hosts_queue() {
    let mut relay = Relay::new();
    let gateway = relay.gateway(1);
    relay.frame(gateway, &arp(lan_mac(9), [192, 168, 50, 1]));
    for number in 2..52 {
        relay.source = [192, 0, 2, number].into();
        let player = relay.client(number);
        relay.frame(player, &arp(client_mac(number), [192, 168, 50, 1]));
    }
    let mut turns = Vec::new();
    loop {
        let told = relay.registry.poll_notices(relay.now);
        let to_host = told.iter().filter(|&&(link, _)| link == 1).count();
        match to_host {
            0 => break,
            to_host => turns.push(to_host),
        }
    }
    assert_eq!(turns, [16, 16, 16, 2]);
}

#[test]
fn the_lan_may_claim_any_address_and_a_question_claims_none() {
    let (mut relay, gateway, [two, three, _]) = party();
    let hers = [192, 168, 50, 202];
    assert_eq!(
        relay.frame(two, &arp(client_mac(2), hers)),
        To(vec![1, 3, 4])
    );
    assert_eq!(
        relay.frame(three, &arp(client_mac(3), [0; 4])),
        To(vec![1, 2, 4])
    );
    assert_eq!(
        relay.frame(gateway, &arp(lan_mac(9), hers)),
        To(vec![2, 3, 4])
    );
    let outcome = relay.frame(two, &arp(client_mac(2), hers));
    assert_eq!(
        outcome,
        Dropped(DropReason::ClaimedAddress),
        "the LAN's now"
    );
}

#[test]
fn a_probe_goes_back_to_its_sender_and_costs_its_bytes() {
    let (mut relay, gateway, [two, ..]) = party();
    let probe = |from: Seat, len| {
        let (peer, room) = (from.peer, from.room);
        Probe {
            peer,
            room,
            number: 7,
        }
        .encode(len)
    };
    let echoed = relay.datagram(two, probe(two, 1312));
    assert_eq!(echoed, Outcome::Echoed(probe(two, 1312)));
    let forged = relay.datagram(two, probe(gateway, 1312));
    assert_eq!(forged, Dropped(DropReason::ForgedHeader));
    let flood = (0..5000).map(|_| relay.datagram(two, probe(two, 1312)));
    assert_eq!(flood.last(), Some(Dropped(DropReason::ByteRate)));
    let record = relay.registry.peer(two).unwrap();
    assert_eq!(record.datagrams, record.probes + record.drops.total());
}

#[test]
fn a_whole_frame_passes_as_the_very_bytes_that_came() {
    let (mut relay, _, [two, ..]) = party();
    let datagram = Bytes::from(whole(two, &frame(client_mac(3), client_mac(2), 1514)));
    let verdict = relay
        .registry
        .handle_datagram(relay.now, two, datagram.clone());
    let Verdict::Forward(forward) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(forward.datagram.as_ptr(), datagram.as_ptr());
    assert_eq!(forward.datagram, datagram);
}

#[test]
fn a_frame_in_pieces_is_judged_and_passed_on_whole() {
    let (mut relay, _, [two, ..]) = party();
    let frame = frame(client_mac(3), client_mac(2), 1514);
    let mut datagrams = pieces(two, &frame, 700);
    let last = datagrams.pop().unwrap();
    for datagram in datagrams {
        assert_eq!(relay.datagram(two, datagram), Pending);
    }
    let verdict = relay.registry.handle_datagram(relay.now, two, last);
    let Verdict::Forward(forward) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(forward.datagram, whole(two, &frame));
    assert_eq!(forward.targets.to_vec(), [3]);
}

#[test]
fn a_forbidden_frame_does_not_pass_in_pieces() {
    let (mut relay, _, [two, ..]) = party();
    let spoofed = frame(client_mac(3), lan_mac(9), 600);
    let datagrams = pieces(two, &spoofed, 512);
    assert_eq!(relay.datagram(two, datagrams[0].clone()), Pending);
    assert_eq!(
        relay.datagram(two, datagrams[1].clone()),
        Dropped(DropReason::UnauthorizedSourceMac)
    );
}

#[test]
fn frames_whose_pieces_never_come_are_counted_and_paid_for() {
    let (mut relay, _, [two, ..]) = party();
    let first = pieces(two, &frame(client_mac(3), client_mac(2), 1514), 1500)[0].clone();
    assert_eq!(relay.datagram(two, first.clone()), Pending);
    relay.advance(Duration::from_millis(500));
    assert_eq!(relay.registry.poll_timeout(), Some(relay.now));
    relay.registry.handle_timeout(relay.now);
    assert_eq!(relay.registry.poll_timeout(), None);
    let drops = &relay.registry.peer(two).unwrap().drops;
    assert_eq!(drops.of(DropReason::Incomplete), 1);
    let outcomes = (0..5000).map(|_| relay.datagram(two, first.clone()));
    assert!(outcomes.last() == Some(Dropped(DropReason::ByteRate)));
}

#[test]
fn a_header_must_name_its_own_sender_and_room() {
    let (mut relay, _, [two, three, _]) = party();
    let broadcast = frame(MacAddr::BROADCAST, client_mac(2), 60);
    let forged = Dropped(DropReason::ForgedHeader);
    assert_eq!(relay.datagram(two, whole(three, &broadcast)), forged);
    let room = RoomId::new(two.room.number() + 1).unwrap();
    let elsewhere = Seat { room, ..two };
    for _ in 0..100 {
        assert_eq!(relay.datagram(two, whole(elsewhere, &broadcast)), forged);
    }
}

#[test]
fn the_seventeenth_malformed_datagram_expels() {
    let (mut relay, _, [two, ..]) = party();
    let undefined_flag = [0x11, 0x80, 0, 2, 0, 0, 0, 1];
    let runt = whole(two, &[0xff; 13]);
    for n in 0..8 {
        let outcome = relay.datagram(two, undefined_flag.to_vec());
        assert_eq!(outcome, Dropped(DropReason::Malformed), "{n}");
        let outcome = relay.datagram(two, runt.clone());
        assert_eq!(outcome, Dropped(DropReason::Runt), "{n}");
    }
    assert_eq!(relay.registry.peer(two).unwrap().malformed, MAX_MALFORMED);
    assert_eq!(
        relay.datagram(two, Bytes::new()),
        Expelled(DropReason::Malformed)
    );
}

#[test]
fn everything_that_came_is_accounted_for() {
    let (mut relay, _, [two, ..]) = party();
    relay.frame(two, &frame(client_mac(3), client_mac(2), 60));
    relay.frame(two, &frame(client_mac(3), client_mac(4), 60));
    for datagram in pieces(two, &frame(client_mac(3), client_mac(2), 600), 512) {
        relay.datagram(two, datagram);
    }
    relay.datagram(two, Bytes::new());
    let record = relay.registry.peer(two).unwrap();
    assert_eq!(record.datagrams, 5);
    assert_eq!(
        (record.frames, record.pieces, record.drops.total()),
        (2, 1, 2)
    );
    assert_eq!((record.bytes, record.malformed), (660, 1));
}

#[test]
fn who_has_left_gets_and_sends_nothing() {
    let (mut relay, _, [two, three, four]) = party();
    relay.leave(three);
    let from_three = frame(MacAddr::BROADCAST, client_mac(3), 60);
    assert_eq!(
        relay.frame(three, &from_three),
        Dropped(DropReason::LinkDown)
    );
    let from_two = frame(MacAddr::BROADCAST, client_mac(2), 60);
    assert_eq!(relay.frame(two, &from_two), To(vec![1, 4]));
    let to_three = frame(client_mac(3), client_mac(4), 60);
    assert_eq!(
        relay.frame(four, &to_three),
        To(vec![1]),
        "an unknown address now"
    );
}

#[test]
fn the_last_counters_and_the_round_trip_are_kept() {
    let (mut relay, _, [two, ..]) = party();
    relay.advance(Duration::from_secs(5));
    let stats = PeerStats {
        frames_to_relay: 7,
        ..PeerStats::default()
    };
    let health = LinkHealth {
        stats: None,
        rtt: Some(Duration::from_millis(20)),
        loss_permille: Some(3),
    };
    relay
        .registry
        .handle_stats(relay.now, two, stats.clone(), health);
    let record = relay.registry.peer(two).unwrap();
    assert_eq!(
        (record.stats.as_ref(), record.health),
        (Some(&stats), health)
    );
    assert_eq!(record.last_seen, relay.now);
}
