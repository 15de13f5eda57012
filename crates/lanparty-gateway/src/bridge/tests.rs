use super::*;
use lanparty_ctrl::host_key::Introduction;
use lanparty_ctrl::message::{PeerJoined, PeerLeft, Role, Vouched};
use lanparty_ctrl::{Challenge, HostOrder, HostSecret, LeaveReason, ResumeToken};
use lanparty_proto::early::PATIENCE;
use lanparty_proto::ethernet::ether_type::LOCAL_EXPERIMENTAL_1;
use lanparty_proto::{EthernetFrame, Header, fragment};

mod deserted;
mod doors;
mod games;
mod groups;
mod lan_macs;
mod proof;

const NIC: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 1]);
const LAN_HOST: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 2]);
const ALICE: (u16, MacAddr) = (7, MacAddr::new([2, 0, 0, 0, 0, 7]));
const BOB: (u16, MacAddr) = (8, MacAddr::new([2, 0, 0, 0, 0, 8]));
const OWN_ID: u16 = 1;
const ROOM: u32 = 99;

#[test]
fn nothing_crosses_before_the_welcome_or_after_the_link_is_lost() {
    let mut party = Party::new();
    party.bridge = Bridge::new(NIC);
    let broadcast = ip(MacAddr::BROADCAST, LAN_HOST);
    assert_eq!(party.lan_says(&broadcast), Err(DropReason::LinkDown));
    assert_eq!(party.bridge.poll_timeout(), None);

    let mut party = Party::with(&[ALICE]);
    party.bridge.handle_lost_link(party.now);
    assert_eq!(party.lan_says(&broadcast), Err(DropReason::LinkDown));
    assert_eq!(
        party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1)),
        Err(DropReason::LinkDown)
    );
    assert_eq!(party.bridge.poll_timeout(), None);
    assert!(party.outputs().is_empty());
}

#[test]
fn the_lan_reaches_clients_and_groups_and_nobody_else() {
    let mut party = Party::with(&[ALICE]);
    let group = MacAddr::new([1, 0, 0x5e, 0, 0, 0xfb]);
    for destination in [ALICE.1, MacAddr::BROADCAST, group] {
        let frame = ip(destination, LAN_HOST);
        assert_eq!(party.lan_says(&frame), Ok(frame));
    }
    for destination in [BOB.1, NIC, LAN_HOST] {
        let verdict = party.lan_says(&ip(destination, LAN_HOST));
        assert_eq!(verdict, Err(DropReason::UnknownDestination));
    }
    let stats = party.bridge.counters();
    assert_eq!((stats.frames_to_relay, stats.bytes_to_relay), (3, 180));
    assert_eq!(stats.drops.of(DropReason::UnknownDestination), 3);
    assert_eq!(stats.drops.total(), 3);
}

#[test]
fn what_clients_said_does_not_come_back_from_the_lan() {
    let mut party = Party::with(&[ALICE]);
    assert_eq!(
        party.lan_says(&ip(MacAddr::BROADCAST, ALICE.1)),
        Err(DropReason::UnauthorizedSourceMac)
    );
    let refresh = frame(MacAddr::BROADCAST, ALICE.1, 0x88b5);
    assert_eq!(party.lan_says(&refresh), Err(DropReason::CamRefresh));
    // Somebody else's experiments are none of our business.
    let foreign = frame(MacAddr::BROADCAST, LAN_HOST, 0x88b5);
    assert!(party.lan_says(&foreign).is_ok());
}

#[test]
fn forbidden_frames_cross_in_neither_direction() {
    let mut party = Party::with(&[ALICE]);
    let lldp = |source| frame(MacAddr::BROADCAST, source, 0x88cc);
    assert_eq!(party.lan_says(&lldp(LAN_HOST)), Err(DropReason::Lldp));
    assert_eq!(
        party.client_says(ALICE.0, &lldp(ALICE.1)),
        Err(DropReason::Lldp)
    );
    // A router on the LAN advertises itself by ARP as itself; a client may not speak for it.
    let mut arp = frame(MacAddr::BROADCAST, ALICE.1, 0x0806);
    arp[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 2]);
    arp[22..28].copy_from_slice(&LAN_HOST.octets());
    assert_eq!(party.client_says(ALICE.0, &arp), Err(DropReason::ArpSpoof));
    assert_eq!(party.lan_says(&[0; 13]), Err(DropReason::Runt));
    assert_eq!(party.client_says(ALICE.0, &[0; 13]), Err(DropReason::Runt));
    assert_eq!(party.bridge.counters().drops.total(), 5);
}

#[test]
fn a_priority_tag_comes_off_both_ways_and_a_vlan_stays_away() {
    let mut party = Party::with(&[ALICE]);
    let tagged = |frame: &[u8], control: [u8; 2]| {
        [&frame[..12], &[0x81, 0], &control, &frame[12..]].concat()
    };
    let (back, out) = (ip(ALICE.1, LAN_HOST), ip(LAN_HOST, ALICE.1));
    assert_eq!(party.lan_says(&tagged(&back, [0xe0, 0])), Ok(back.clone()));
    let heard = party.client_says(ALICE.0, &tagged(&out, [0, 0]));
    assert_eq!(heard, Ok(Some(out.clone())));
    let vlan = Err(DropReason::VlanTagged);
    assert_eq!(party.lan_says(&tagged(&back, [0, 7])).map(drop), vlan);
    let heard = party.client_says(ALICE.0, &tagged(&out, [0, 7]));
    assert_eq!(heard.map(drop), vlan);
}

/// A question of `mac`, who has the address with this number.
fn arp(source: MacAddr, mac: MacAddr, number: u8) -> Vec<u8> {
    let mut frame = frame(MacAddr::BROADCAST, source, 0x0806);
    frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&mac.octets());
    frame[28..32].copy_from_slice(&[192, 168, 50, number]);
    frame[32..42].fill(0);
    frame
}

#[test]
fn a_relay_that_lies_gets_no_stolen_address_onto_the_lan() {
    let mut party = Party::with(&[ALICE, BOB]);
    // Between two machines on the LAN: nobody in the room wants it, and it counts.
    let mut between = arp(LAN_HOST, LAN_HOST, 1);
    between[..6].copy_from_slice(&[0x52, 0, 0, 0, 0, 3]);
    let unwanted = Err(DropReason::UnknownDestination);
    assert_eq!(party.lan_says(&between).map(drop), unwanted);
    let taken = Err(DropReason::ClaimedAddress);
    let claim = |party: &mut Party, (id, mac): (u16, MacAddr), number| {
        let said = party.client_says(id, &arp(mac, mac, number));
        said.map(drop)
    };
    assert_eq!(claim(&mut party, ALICE, 1), taken);
    assert_eq!(claim(&mut party, ALICE, 10), Ok(()));
    assert_eq!(claim(&mut party, BOB, 10), taken);
    // The next relay, or the same one again, does not make it forget its own LAN.
    party.bridge.handle_lost_link(party.now);
    party.welcome();
    party.join(BOB);
    assert_eq!(claim(&mut party, BOB, 1), taken);
    assert_eq!(claim(&mut party, BOB, 10), taken, "Alice's, for a while");
    party.advance(Duration::from_secs(300));
    assert_eq!(claim(&mut party, BOB, 10), Ok(()));
}

#[test]
fn a_relay_that_lies_gets_no_other_players_frames_and_no_floods_judged() {
    let mut party = Party::with(&[ALICE, BOB]);
    let to_bob = party.client_says(ALICE.0, &ip(BOB.1, ALICE.1));
    assert_eq!(to_bob.map(drop), Err(DropReason::UnknownDestination));
    // How much is said is the relay's to judge: the gateway has no buckets.
    for _ in 0..2000 {
        let said = party.client_says(ALICE.0, &ip(MacAddr::BROADCAST, ALICE.1));
        assert!(said.is_ok());
    }
    // Nor does it lose its own place by a message about it.
    party.leave((OWN_ID, NIC));
    assert!(party.lan_says(&ip(ALICE.1, LAN_HOST)).is_ok());
}

#[test]
fn a_withheld_lease_is_told_to_the_host_once() {
    let mut party = Party::with(&[ALICE, BOB]);
    let lease = |mac: MacAddr| {
        let mut message = vec![2, 1, 6, 0];
        message.resize(240, 0);
        message[16..20].copy_from_slice(&[192, 168, 50, 10]);
        message[28..34].copy_from_slice(&mac.octets());
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        message.extend([53, 1, 5, 51, 4, 0, 0, 14, 16, 255]);
        let len = u16::try_from(8 + message.len()).unwrap();
        let mut frame = frame(MacAddr::BROADCAST, LAN_HOST, 0x0800);
        frame.truncate(14);
        frame.extend([0x45, 0]);
        frame.extend((20 + len).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
        frame.extend([67, 68, len, 0].map(u16::to_be_bytes).concat());
        frame.extend(message);
        frame
    };
    party.lan_says(&lease(ALICE.1)).unwrap();
    assert_eq!(party.bridge.take_withheld(), None);
    let conflict = Err(DropReason::LeaseConflict);
    assert_eq!(party.lan_says(&lease(BOB.1)).map(drop), conflict);
    let told = party.bridge.take_withheld().unwrap();
    assert_eq!(told.mac.map(VirtualMac::addr), Some(BOB.1));
    assert_eq!(told.address, Some([192, 168, 50, 10].into()));
    assert_eq!(party.bridge.take_withheld(), None);
}

#[test]
fn dhcp_in_another_players_name_does_not_reach_the_lan() {
    let mut party = Party::with(&[ALICE, BOB]);
    let request = |identifier: MacAddr| {
        let mut message = vec![1, 1, 6, 0];
        message.resize(240, 0);
        message[28..34].copy_from_slice(&BOB.1.octets());
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        message.extend([53, 1, 3, 61, 7, 1]);
        message.extend(identifier.octets());
        message.push(255);
        let len = u16::try_from(8 + message.len()).unwrap();
        let mut frame = frame(MacAddr::BROADCAST, BOB.1, 0x0800);
        frame.truncate(14);
        frame.extend([0x45, 0]);
        frame.extend((20 + len).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
        frame.extend([68, 67, len, 0].map(u16::to_be_bytes).concat());
        frame.extend(message);
        frame
    };
    let said = party.client_says(BOB.0, &request(ALICE.1));
    assert_eq!(said.map(drop), Err(DropReason::DhcpSpoof));
    assert!(party.client_says(BOB.0, &request(BOB.1)).is_ok());
}

#[test]
fn only_announced_pairs_reach_the_lan() {
    let mut party = Party::with(&[ALICE, BOB]);
    let alices = ip(LAN_HOST, ALICE.1);
    assert_eq!(
        party.client_says(ALICE.0, &alices),
        Ok(Some(alices.clone()))
    );
    let forged = party.client_says(BOB.0, &alices);
    assert_eq!(forged, Err(DropReason::UnauthorizedSourceMac));
    assert_eq!(party.client_says(9, &alices), Ok(None));
    party.advance(PATIENCE);
    assert_eq!(
        party.client_says(ALICE.0, &ip(LAN_HOST, MacAddr::BROADCAST)),
        Err(DropReason::InvalidSourceMac)
    );
    let broadcast = ip(MacAddr::BROADCAST, BOB.1);
    assert!(party.client_says(BOB.0, &broadcast).is_ok());
    let stats = party.bridge.counters();
    assert_eq!(stats.datagrams_from_relay, 5);
    assert_eq!((stats.frames_from_relay, stats.bytes_from_relay), (2, 120));
    assert_eq!(stats.group_frames_from_relay, 1);
    assert_eq!(stats.drops.total(), 3);
}

#[test]
fn a_client_that_left_is_a_stranger() {
    let mut party = Party::with(&[ALICE]);
    party.leave(ALICE);
    assert_eq!(party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1)), Ok(None));
    party.advance(PATIENCE);
    let stats = party.bridge.counters();
    assert_eq!(stats.drops.of(DropReason::UnauthorizedSourceMac), 1);
    assert!(party.outputs().is_empty());
    assert_eq!(
        party.lan_says(&ip(ALICE.1, LAN_HOST)),
        Err(DropReason::UnknownDestination)
    );
    party.advance(CAM_REFRESH_PERIOD);
    assert!(party.refreshed().is_empty());
}

#[test]
fn a_discover_that_overtakes_the_announcement_reaches_the_lan_after_it() {
    let mut party = Party::new();
    party.join_telling(BOB);
    party.outputs();
    let discover = ip(MacAddr::BROADCAST, ALICE.1);
    let second = ip(LAN_HOST, ALICE.1);
    for frame in [&discover, &second] {
        assert_eq!(party.client_says(ALICE.0, frame), Ok(None));
    }
    assert_eq!(party.bridge.poll_timeout(), Some(party.now + PATIENCE));
    party.now += PATIENCE / 2;
    party.join(ALICE);
    let frames = party.outputs().into_iter().map(|output| match output {
        PeerOutput::Frame(frame) => frame.to_vec(),
        PeerOutput::Message(_) | PeerOutput::ToRelay(_) => panic!("no frame for the port"),
    });
    let frames: Vec<_> = frames.collect();
    // Switches learn where the player is before its first word.
    assert_eq!(frames[0][12..14], LOCAL_EXPERIMENTAL_1.to_be_bytes());
    assert_eq!(frames[1..], [discover, second]);
    let stats = party.bridge.counters();
    assert_eq!((stats.frames_from_relay, stats.drops.total()), (2, 0));
}

#[test]
fn what_waited_for_an_announcement_dies_with_its_link() {
    let mut party = Party::new();
    let discover = ip(MacAddr::BROADCAST, ALICE.1);
    assert_eq!(party.client_says(ALICE.0, &discover), Ok(None));
    party.welcome();
    party.join(ALICE);
    assert_eq!(party.refreshed().len(), 1);
    assert_eq!(party.bridge.counters().drops.total(), 1);
}

#[test]
fn a_newcomer_takes_over_an_id_or_a_mac() {
    let mut party = Party::with(&[ALICE]);
    party.join((9, ALICE.1));
    assert!(party.client_says(9, &ip(LAN_HOST, ALICE.1)).is_ok());
    assert_eq!(party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1)), Ok(None));
    party.join((9, BOB.1));
    assert!(party.lan_says(&ip(BOB.1, LAN_HOST)).is_ok());
    assert!(party.lan_says(&ip(ALICE.1, LAN_HOST)).is_err());
}

#[test]
fn a_welcome_empties_the_tables() {
    let mut party = Party::with(&[ALICE]);
    party.welcome();
    assert!(party.outputs().is_empty());
    assert_eq!(
        party.lan_says(&ip(ALICE.1, LAN_HOST)),
        Err(DropReason::UnknownDestination)
    );
}

#[test]
fn headers_that_the_relay_cannot_have_sent_die() {
    let mut party = Party::with(&[ALICE]);
    let payload = ip(LAN_HOST, ALICE.1);
    for (peer, room) in [(OWN_ID, ROOM), (ALICE.0, ROOM + 1)] {
        let datagram = FrameBuf::from_frame(&payload).into_datagram(header(peer, room));
        assert_eq!(
            party.bridge.handle_datagram(party.now, datagram),
            Err(DropReason::ForgedHeader)
        );
    }
    for datagram in [&b""[..], &[0x21, 0, 0, 7, 0, 0, 0, 99, 1, 2, 3]] {
        let datagram = Bytes::copy_from_slice(datagram);
        assert_eq!(
            party.bridge.handle_datagram(party.now, datagram),
            Err(DropReason::Malformed)
        );
    }
}

#[test]
fn a_frame_in_pieces_reaches_the_lan_whole() {
    let mut party = Party::with(&[ALICE, BOB]);
    let mut long = ip(LAN_HOST, ALICE.1);
    long.resize(1514, 0x5a);
    let pieces = cut(ALICE.0, 5, &long);
    assert_eq!(pieces.len(), 4);
    // Bob's pieces with the same number belong to another frame.
    let mut bobs = ip(LAN_HOST, BOB.1);
    bobs.resize(1514, 0xa5);
    for (alices, bobs) in pieces[..3].iter().zip(cut(BOB.0, 5, &bobs)) {
        assert_eq!(party.bridge.handle_datagram(party.now, bobs), Ok(None));
        assert_eq!(
            party.bridge.handle_datagram(party.now, alices.clone()),
            Ok(None)
        );
    }
    let last = party.bridge.handle_datagram(party.now, pieces[3].clone());
    assert_eq!(last, Ok(Some(Bytes::from(long))));
    let stats = party.bridge.counters();
    assert_eq!(
        (stats.datagrams_from_relay, stats.frames_from_relay),
        (7, 1)
    );
}

#[test]
fn pieces_are_judged_as_a_whole_and_given_up_in_time() {
    let mut party = Party::with(&[ALICE]);
    let bobs = cut(ALICE.0, 1, &[&ip(LAN_HOST, BOB.1)[..], &[0; 600]].concat());
    assert_eq!(
        party.bridge.handle_datagram(party.now, bobs[0].clone()),
        Ok(None)
    );
    assert_eq!(
        party.bridge.handle_datagram(party.now, bobs[1].clone()),
        Err(DropReason::UnauthorizedSourceMac)
    );
    let lonely = cut(ALICE.0, 2, &[0; 600]).remove(0);
    assert_eq!(party.bridge.handle_datagram(party.now, lonely), Ok(None));
    party.advance(STATS_PERIOD);
    assert_eq!(party.bridge.counters().drops.of(DropReason::Incomplete), 1);
    let header = Header {
        fragment: true,
        ..header(ALICE.0, ROOM)
    };
    let nothing = Bytes::copy_from_slice(&header.encode());
    assert_eq!(
        party.bridge.handle_datagram(party.now, nothing),
        Err(DropReason::BadFragment)
    );
}

#[test]
fn handshakes_learn_what_fits_in_both_directions() {
    let mut party = Party::with(&[ALICE]);
    // The room's MTU of 1290, less 20 bytes of IPv4 and 20 of TCP.
    let clamped = party.lan_says(&syn(ALICE.1, LAN_HOST, 1460)).unwrap();
    assert_eq!(clamped, syn(ALICE.1, LAN_HOST, 1250));
    let clamped = party
        .client_says(ALICE.0, &syn(LAN_HOST, ALICE.1, 1460))
        .unwrap()
        .unwrap();
    assert_eq!(clamped[..58], syn(LAN_HOST, ALICE.1, 1250));
}

#[test]
fn short_frames_are_padded_as_a_nic_would() {
    let mut party = Party::with(&[ALICE]);
    let short = &ip(LAN_HOST, ALICE.1)[..42];
    let padded = party.client_says(ALICE.0, short).unwrap().unwrap();
    assert_eq!(padded, [short, &[0; 18]].concat());
    assert_eq!(party.bridge.counters().bytes_from_relay, 42);
}

#[test]
fn a_client_is_announced_to_the_switch_at_once_and_every_minute() {
    let mut party = Party::new();
    party.join(ALICE);
    let outputs = party.outputs();
    let [PeerOutput::Frame(refresh)] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    let expected = frame(NIC, ALICE.1, 0x88b5);
    assert_eq!(refresh[..14], expected[..14]);
    assert_eq!(refresh[14..], [0; 46]);

    let mut refreshes = 0;
    for _ in 0..600 {
        party.advance(Duration::from_secs(1));
        refreshes += party.refreshed().len();
    }
    // Ten minutes hold ten, and one more because the first period is shorter.
    assert!((10..=11).contains(&refreshes), "{refreshes}");
}

#[test]
fn a_refresh_comes_at_its_time_and_not_later() {
    let mut party = Party::with(&[ALICE]);
    party.refreshed();
    for _ in 0..3 {
        let due = party.bridge.refresh.poll_timeout().unwrap();
        party.now = due - Duration::from_nanos(1);
        party.bridge.handle_timeout(party.now);
        assert_eq!(party.refreshed(), []);
        party.now = due;
        party.bridge.handle_timeout(party.now);
        assert_eq!(party.refreshed(), [ALICE.1]);
    }
}

#[test]
fn refreshes_are_spread_over_the_period() {
    let clients: Vec<_> = (2..66)
        .map(|id: u16| (id, MacAddr::new([2, 0, 0, 0, 1, u8::try_from(id).unwrap()])))
        .collect();
    let mut party = Party::with(&clients);
    let mut most = 0;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        party.advance(Duration::from_secs(1));
        let refreshed = party.refreshed();
        most = most.max(refreshed.len());
        seen.extend(refreshed);
    }
    assert_eq!(seen.len(), clients.len(), "everybody within a minute");
    assert!(most <= 4, "{most} in one second");
}

#[test]
fn a_clock_that_jumps_neither_bursts_nor_breaks_the_spread() {
    let clients = [ALICE, (40, MacAddr::new([2, 0, 0, 0, 1, 40]))];
    let mut party = Party::with(&clients);
    party.advance(Duration::from_secs(8 * 3600));
    assert_eq!(party.refreshed().len(), 2, "one each");
    let mut moments = 0;
    for _ in 0..60 {
        party.advance(Duration::from_secs(1));
        moments += usize::from(!party.refreshed().is_empty());
    }
    assert_eq!(moments, 2, "each at a moment of its own");
}

#[test]
fn after_another_welcome_every_client_is_announced_to_the_switch_at_once() {
    let mut party = Party::with(&[ALICE]);
    party.bridge.handle_lost_link(party.now);
    party.advance(Duration::from_secs(20));
    party.welcome();
    party.join(ALICE);
    assert_eq!(party.refreshed(), [ALICE.1]);
}

#[test]
fn the_relay_hears_the_counters_every_five_seconds() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    party.outputs();
    party.bridge.counters().drops.add(DropReason::QueueFull, 3);
    party.bridge.counters().datagrams_to_relay += 2;
    assert_eq!(party.bridge.poll_timeout(), Some(party.now + STATS_PERIOD));
    party.advance(STATS_PERIOD - Duration::from_millis(1));
    assert!(party.outputs().is_empty());
    party.advance(Duration::from_millis(1));
    let outputs = party.outputs();
    let [PeerOutput::Message(PeerMessage::Stats(stats))] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(stats.datagrams_to_relay, 2);
    assert_eq!(stats.drops.of(DropReason::QueueFull), 3);
    assert_eq!(party.bridge.poll_timeout(), Some(party.now + STATS_PERIOD));
}

#[test]
fn a_mad_relay_cannot_make_us_grow() {
    let mut party = Party::new();
    for id in 2..u16::MAX {
        let [high, low] = id.to_be_bytes();
        party.join((id, MacAddr::new([2, 0, 0, 1, high, low])));
    }
    assert_eq!(party.outputs().len(), MAX_CLIENTS);
}

#[test]
fn nobody_is_announced_as_the_gateway_itself() {
    let mut party = Party::new();
    party.join((9, NIC));
    party.join((OWN_ID, ALICE.1));
    party.bridge.handle_control(
        party.now,
        RelayMessage::PeerJoined(PeerJoined {
            peer_id: PeerId::new(10).unwrap(),
            role: Role::Gateway,
            mac: None,
            name: None,
            identity: None,
            host_challenge: None,
            tells_groups: false,
            takes_new_keys: false,
            term: None,
        }),
    );
    assert!(party.outputs().is_empty());
    assert!(party.lan_says(&ip(NIC, LAN_HOST)).is_err());
}

#[test]
fn a_refresh_that_comes_back_stops_groups_both_ways_until_it_is_quiet() {
    let mut party = Party::with(&[ALICE]);
    party.join(BOB);
    let Some(PeerOutput::Frame(refresh)) = party.outputs().pop() else {
        panic!("no refresh");
    };
    assert_eq!(party.lan_says(&refresh), Err(DropReason::CamRefresh));
    assert_eq!(party.bridge.looped(), Some(BOB.1));
    let from_lan = ip(MacAddr::BROADCAST, LAN_HOST);
    let from_alice = ip(MacAddr::BROADCAST, ALICE.1);
    assert_eq!(party.lan_says(&from_lan), Err(DropReason::Loop));
    let verdict = party.client_says(ALICE.0, &from_alice);
    assert_eq!(verdict, Err(DropReason::Loop));
    assert!(party.lan_says(&ip(ALICE.1, LAN_HOST)).is_ok());
    assert!(party.client_says(ALICE.0, &ip(LAN_HOST, ALICE.1)).is_ok());
    let stats = party.bridge.counters();
    assert_eq!(stats.drops.of(DropReason::Loop), 2);
    assert_eq!((stats.frames_from_relay, stats.frames_to_relay), (1, 1));
    party.advance(LOOP_QUIET);
    assert_eq!(party.bridge.looped(), None);
    assert!(party.lan_says(&from_lan).is_ok());
    assert!(party.client_says(ALICE.0, &from_alice).is_ok());
}

#[test]
fn a_third_echo_of_what_a_client_said_is_a_loop() {
    let mut party = Party::with(&[ALICE]);
    let broadcast = &ip(MacAddr::BROADCAST, ALICE.1)[..42];
    let padded = party.client_says(ALICE.0, broadcast).unwrap().unwrap();
    for came_back in [false, false, true] {
        let echo = party.lan_says(&padded);
        assert_eq!(echo, Err(DropReason::UnauthorizedSourceMac));
        assert_eq!(party.bridge.looped().is_some(), came_back);
    }
    // The deadline is kept even when nothing else happens.
    party.advance(STATS_PERIOD);
    assert!(party.bridge.poll_timeout().unwrap() <= party.now + LOOP_QUIET - STATS_PERIOD);
}

#[test]
fn a_machine_on_the_lan_with_a_members_mac_silences_nobody() {
    let mut party = Party::with(&[ALICE]);
    for number in 0..100 {
        let mut broadcast = ip(MacAddr::BROADCAST, ALICE.1);
        broadcast[19] = number;
        let verdict = party.lan_says(&broadcast);
        assert_eq!(verdict, Err(DropReason::UnauthorizedSourceMac));
    }
    // Nor does another gateway's refresh, whose clients are not ours or whose NIC is not.
    let foreign = frame(LAN_HOST, ALICE.1, 0x88b5);
    assert_eq!(party.lan_says(&foreign), Err(DropReason::CamRefresh));
    assert_eq!(party.bridge.looped(), None);
}

#[test]
fn a_new_link_begins_without_a_loop() {
    let mut party = Party::with(&[ALICE]);
    assert!(party.lan_says(&frame(NIC, ALICE.1, 0x88b5)).is_err());
    assert!(party.bridge.looped().is_some());
    party.bridge.handle_lost_link(party.now);
    assert_eq!(party.bridge.looped(), None);
    assert_eq!(party.bridge.poll_timeout(), None);
}

/// Also when it comes back to players who were there, for whom the relay says all of this again.
#[test]
fn who_asks_is_told_that_this_is_the_hosts_gateway() {
    let room: RoomCode = "FRIDAY".parse().unwrap();
    let host = HostSecret::from_random([1; 32]).host_key(&room);
    let mut party = Party::new();
    party.bridge = Bridge::new(NIC).vouching(host.clone(), room.clone());
    party.welcome();
    let challenge = Challenge::from_random([3; 32]);
    let answers = |party: &mut Party| -> Vec<Vouched> {
        let outputs = party.outputs().into_iter();
        let answers = outputs.filter_map(|output| match output {
            PeerOutput::Message(PeerMessage::Vouch(answer)) => Some(answer),
            PeerOutput::Message(_) | PeerOutput::Frame(_) | PeerOutput::ToRelay(_) => None,
        });
        answers.collect()
    };
    party.join_asking(BOB, None);
    assert_eq!(answers(&mut party), []);
    party.join_asking(ALICE, Some(challenge));
    let [answer] = &answers(&mut party)[..] else {
        panic!("one answer");
    };
    let introduction = Introduction {
        challenge,
        client: ALICE.1.try_into().unwrap(),
        gateway: PeerId::new(OWN_ID).unwrap(),
        room_id: RoomId::new(ROOM).unwrap(),
        room: &room,
    };
    assert_eq!(answer.peer_id.number(), ALICE.0);
    assert!(answer.vouch.holds(&host.id(), &introduction));

    let mut nobodys = Party::new();
    nobodys.join_asking(ALICE, Some(challenge));
    assert_eq!(answers(&mut nobodys), [], "it has no host's key");
}

/// UDP to the group 239.1.2.3.
fn stream() -> Vec<u8> {
    let mut stream = ip(MacAddr::new([1, 0, 0x5e, 1, 2, 3]), LAN_HOST);
    stream[30..34].copy_from_slice(&[239, 1, 2, 3]);
    stream
}

/// IGMPv2 of a client about that group: it is wanted, or not any more.
fn report(from: MacAddr, kind: u8) -> Vec<u8> {
    let header = [0x46, 0xc0, 0, 32, 0, 0, 0, 0, 1, 2, 0, 0, 192, 168, 50, 7];
    let rest = [239, 1, 2, 3, 0x94, 4, 0, 0, kind, 0, 0, 0, 239, 1, 2, 3];
    let to = [1, 0, 0x5e, 1, 2, 3];
    [&to[..], &from.octets(), &[8, 0], &header, &rest].concat()
}

#[test]
fn a_stream_that_nobody_has_joined_does_not_cost_the_hosts_line() {
    let mut party = Party::new();
    party.advance(CATCH_UP);
    assert_eq!(
        party.lan_says(&stream()),
        Err(DropReason::Unwanted),
        "nobody is there"
    );
    party.join_telling(ALICE);
    assert!(
        party.lan_says(&stream()).is_ok(),
        "who comes in hears everything"
    );
    party.advance(snooping::SETTLING);
    assert_eq!(party.lan_says(&stream()), Err(DropReason::Unwanted));
    party.client_says(ALICE.0, &report(ALICE.1, 0x16)).unwrap();
    assert!(party.lan_says(&stream()).is_ok());
    party.client_says(ALICE.0, &report(ALICE.1, 0x17)).unwrap();
    assert_eq!(party.lan_says(&stream()), Err(DropReason::Unwanted));
    party.join(BOB);
    assert!(party.lan_says(&stream()).is_ok(), "an older client");
    party.leave(BOB);
    assert_eq!(party.lan_says(&stream()), Err(DropReason::Unwanted));
    assert!(party.lan_says(&ip(MacAddr::BROADCAST, LAN_HOST)).is_ok());
}

#[test]
fn a_gateway_that_comes_back_keeps_no_stream_from_who_was_there_before_it() {
    let mut party = Party::new();
    party.join_telling(ALICE);
    party.advance(snooping::RENEWAL);
    assert!(
        party.lan_says(&stream()).is_ok(),
        "its client says it again now"
    );
    party.client_says(ALICE.0, &report(ALICE.1, 0x16)).unwrap();
    party.advance(CATCH_UP);
    assert!(party.lan_says(&stream()).is_ok());
    party.client_says(ALICE.0, &report(ALICE.1, 0x17)).unwrap();
    assert_eq!(party.lan_says(&stream()), Err(DropReason::Unwanted));
}

/// A bridge that has been welcomed, and the time there.
struct Party {
    bridge: Bridge,
    now: Instant,
}

impl Party {
    fn new() -> Self {
        let mut party = Party {
            bridge: Bridge::new(NIC),
            now: Instant::now(),
        };
        party.welcome();
        party
    }

    fn with(clients: &[(u16, MacAddr)]) -> Self {
        let mut party = Party::new();
        for &client in clients {
            party.join(client);
        }
        party.outputs();
        party
    }

    fn welcome(&mut self) {
        self.welcome_by(&[]);
    }

    /// A relay with these abilities lets us in.
    fn welcome_by(&mut self, abilities: &[&str]) {
        let welcome = Welcome {
            room_id: RoomId::new(ROOM).unwrap(),
            peer_id: PeerId::new(OWN_ID).unwrap(),
            effective_mtu: IpMtu::new(1290).unwrap(),
            gateway: None,
            resume_token: ResumeToken::from_random([1; 16]),
            capabilities: abilities.iter().map(|&name| name.to_owned()).collect(),
            term: None,
            fence: None,
            region: None,
        };
        let budget = DatagramBudget::new(1412).unwrap();
        self.bridge.handle_welcome(self.now, &welcome, budget);
    }

    fn join(&mut self, client: (u16, MacAddr)) {
        self.join_asking(client, None);
    }

    fn join_asking(&mut self, (id, mac): (u16, MacAddr), host_challenge: Option<Challenge>) {
        let joined = PeerJoined {
            peer_id: PeerId::new(id).unwrap(),
            role: Role::Client,
            mac: Some(mac.try_into().unwrap()),
            name: None,
            identity: None,
            host_challenge,
            tells_groups: false,
            takes_new_keys: false,
            term: None,
        };
        self.announce(joined);
    }

    /// A client that says again which groups its machine wants.
    fn join_telling(&mut self, (id, mac): (u16, MacAddr)) {
        self.announce(PeerJoined {
            peer_id: PeerId::new(id).unwrap(),
            role: Role::Client,
            mac: Some(mac.try_into().unwrap()),
            name: None,
            identity: None,
            host_challenge: None,
            tells_groups: true,
            takes_new_keys: false,
            term: None,
        });
    }

    fn announce(&mut self, joined: PeerJoined) {
        self.bridge
            .handle_control(self.now, RelayMessage::PeerJoined(joined));
    }

    fn leave(&mut self, client: (u16, MacAddr)) {
        self.leaves(client, LeaveReason::Leaving);
    }

    fn leaves(&mut self, (id, _): (u16, MacAddr), reason: LeaveReason) {
        let left = PeerLeft {
            peer_id: PeerId::new(id).unwrap(),
            reason,
        };
        self.bridge
            .handle_control(self.now, RelayMessage::PeerLeft(left));
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
        self.bridge.handle_timeout(self.now);
    }

    fn outputs(&mut self) -> Vec<PeerOutput> {
        std::iter::from_fn(|| self.bridge.poll_output()).collect()
    }

    /// The MACs that were refreshed since the last look.
    fn refreshed(&mut self) -> Vec<MacAddr> {
        self.outputs()
            .iter()
            .filter_map(|output| match output {
                PeerOutput::Frame(frame) => Some(EthernetFrame::parse(frame).unwrap().source()),
                PeerOutput::Message(_) | PeerOutput::ToRelay(_) => None,
            })
            .collect()
    }

    fn lan_says(&mut self, frame: &[u8]) -> Result<Vec<u8>, DropReason> {
        let mut frame = FrameBuf::from_frame(frame);
        self.bridge.handle_frame(self.now, &mut frame)?;
        Ok(frame.frame().to_vec())
    }

    fn client_says(&mut self, id: u16, frame: &[u8]) -> Result<Option<Vec<u8>>, DropReason> {
        let datagram = FrameBuf::from_frame(frame).into_datagram(header(id, ROOM));
        let frame = self.bridge.handle_datagram(self.now, datagram)?;
        Ok(frame.map(|frame| frame.to_vec()))
    }
}

fn header(peer: u16, room: u32) -> Header {
    Header {
        peer: PeerId::new(peer).unwrap(),
        room: RoomId::new(room).unwrap(),
        fragment: false,
    }
}

fn cut(peer: u16, frame_id: u16, frame: &[u8]) -> Vec<Bytes> {
    fragment::cut(header(peer, ROOM), frame_id, frame, DatagramBudget::MIN).collect()
}

fn frame(destination: MacAddr, source: MacAddr, ether_type: u16) -> Vec<u8> {
    let mut frame = [destination.octets(), source.octets()].concat();
    frame.extend(ether_type.to_be_bytes());
    frame.resize(60, 0x11);
    frame
}

/// A minimal IPv4 packet of an experimental protocol (RFC 3692), padded.
fn ip(destination: MacAddr, source: MacAddr) -> Vec<u8> {
    let mut frame = frame(destination, source, 0x0800);
    frame[14..34].copy_from_slice(&[
        0x45, 0, 0, 28, 0, 1, 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    frame
}

/// A TCP SYN with an MSS option and a right checksum.
fn syn(destination: MacAddr, source: MacAddr, mss: u16) -> Vec<u8> {
    let mut frame = ip(destination, source);
    frame.truncate(34);
    frame[17] = 44;
    frame[23] = 6;
    let mut tcp = vec![
        0xc0, 0, 0x6d, 0x38, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0xff, 0xff, 0, 0, 0, 0,
    ];
    tcp.extend([2, 4]);
    tcp.extend(mss.to_be_bytes());
    let mut sum = lanparty_proto::checksum::Sum::pseudo_v4([10, 0, 0, 1], [10, 0, 0, 2], 6, 24);
    sum += lanparty_proto::checksum::Sum::of(&tcp);
    tcp[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
    frame.extend(tcp);
    frame
}
