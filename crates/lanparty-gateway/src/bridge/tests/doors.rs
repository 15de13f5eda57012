//! Direct paths: what passes, what does not, who may have one, and who stays when the relay goes.

use super::*;
use lanparty_ctrl::Fingerprint;
use lanparty_obs::DropReason as No;
use lanparty_switch::reach::Policy;
use proptest::prelude::*;
use std::collections::BTreeSet;

const CAROL: (u16, MacAddr) = (9, MacAddr::new([2, 0, 0, 0, 0, 9]));

type Heard = Result<Option<Vec<u8>>, DropReason>;

impl Party {
    /// Players, of whom the first has a direct path, in a room whose relay introduces people.
    pub(super) fn with_door(clients: &[(u16, MacAddr)]) -> Self {
        let mut party = Party::new();
        party.welcome_by(&[DOORS]);
        for &client in clients {
            party.join(client);
        }
        party.open(clients[0]);
        party.outputs();
        party
    }

    fn open(&mut self, client: (u16, MacAddr)) {
        let door = door(client, OWN_ID, ROOM);
        self.bridge.open_door(self.now, door);
    }

    fn directly(&mut self, client: (u16, MacAddr), frame: &[u8]) -> Heard {
        self.directly_as(client, header(client.0, ROOM), frame)
    }

    fn directly_as(&mut self, client: (u16, MacAddr), header: Header, frame: &[u8]) -> Heard {
        let datagram = FrameBuf::from_frame(frame).into_datagram(header);
        self.by_door(client, datagram)
    }

    fn by_door(&mut self, (_, mac): (u16, MacAddr), datagram: Bytes) -> Heard {
        let heard = self
            .bridge
            .handle_direct(self.now, virtual_mac(mac), datagram);
        heard.map(|frame| frame.map(|frame| frame.to_vec()))
    }

    /// By whose direct path a frame of the LAN goes.
    fn way_of(&mut self, frame: &[u8]) -> Option<MacAddr> {
        self.lan_says(frame).ok()?;
        let way = self.bridge.direct_player(self.now, frame);
        way.map(VirtualMac::addr)
    }

    fn standing(&self, (_, mac): (u16, MacAddr)) -> Standing {
        self.bridge.standing(virtual_mac(mac))
    }

    fn kick(&mut self, id: u16) {
        let peer_id = PeerId::new(id).unwrap();
        let order = PeerMessage::Host(HostOrder::Kick { peer_id });
        self.bridge.handle_own(self.now, &order);
    }

    /// A relay lets us in that counts anew.
    fn welcome_anew(&mut self, room: u32, own_id: u16) {
        let welcome = Welcome {
            room_id: RoomId::new(room).unwrap(),
            peer_id: PeerId::new(own_id).unwrap(),
            effective_mtu: IpMtu::new(1290).unwrap(),
            gateway: None,
            resume_token: ResumeToken::from_random([1; 16]),
            capabilities: vec![DOORS.to_owned()],
            term: None,
            fence: None,
            region: None,
        };
        let budget = DatagramBudget::new(1412).unwrap();
        self.bridge.handle_welcome(self.now, &welcome, budget);
    }

    fn join_as(&mut self, (id, mac): (u16, MacAddr), identity: u8) {
        self.announce(PeerJoined {
            peer_id: PeerId::new(id).unwrap(),
            role: Role::Client,
            mac: Some(mac.try_into().unwrap()),
            name: None,
            identity: Some(Fingerprint::from_sha256([identity; 32])),
            host_challenge: None,
            tells_groups: false,
            takes_new_keys: false,
            term: None,
        });
    }
}

fn virtual_mac(mac: MacAddr) -> VirtualMac {
    mac.try_into().unwrap()
}

fn door((id, mac): (u16, MacAddr), own_id: u16, room: u32) -> Door {
    Door {
        player: virtual_mac(mac),
        client: PeerId::new(id).unwrap(),
        gateway: PeerId::new(own_id).unwrap(),
        room: RoomId::new(room).unwrap(),
    }
}

/// UDP between these ports, to one machine.
fn udp(destination: MacAddr, source: MacAddr, (from, to): (u16, u16)) -> Vec<u8> {
    let mut frame = ip(destination, source);
    frame[23] = 17;
    frame[34..42].copy_from_slice(&[from, to, 8, 0].map(u16::to_be_bytes).concat());
    frame
}

fn neighbour(destination: MacAddr, source: MacAddr) -> Vec<u8> {
    let mut frame = frame(destination, source, 0x86dd);
    frame.truncate(14);
    frame.extend([0x60, 0, 0, 0, 0, 24, 58, 255]);
    frame.extend([0xfe; 32]);
    frame.extend([136, 0, 0, 0, 0x60, 0, 0, 0]);
    frame.extend([0xfe; 16]);
    frame
}

fn arp_to(destination: MacAddr, source: MacAddr) -> Vec<u8> {
    let mut frame = arp(source, source, 7);
    frame[..6].copy_from_slice(&destination.octets());
    frame
}

#[test]
fn what_one_player_and_the_lan_say_to_each_other_goes_straight() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    let (out, back) = (ip(LAN_HOST, ALICE.1), ip(ALICE.1, LAN_HOST));
    assert_eq!(party.directly(ALICE, &out), Ok(Some(out.clone())));
    let short = &out[..42];
    let padded = party.directly(ALICE, short).unwrap().unwrap();
    assert_eq!(padded.len(), 60, "the wire is the same");
    assert_eq!(party.way_of(&back), Some(ALICE.1));
    assert_eq!(party.way_of(&ip(BOB.1, LAN_HOST)), None, "Bob has no door");
    let stats = party.bridge.counters();
    assert_eq!((stats.frames_from_relay, stats.drops.total()), (2, 0));
}

#[test]
fn a_tcp_handshake_by_a_door_is_told_what_fits_both_ways() {
    let mut party = Party::with_door(&[ALICE]);
    let by_relay = party.client_says(ALICE.0, &syn(LAN_HOST, ALICE.1, 1460));
    let by_door = party.directly(ALICE, &syn(LAN_HOST, ALICE.1, 1460));
    assert_eq!(by_door, by_relay);
    let clamped = by_door.unwrap().unwrap();
    assert!(u16::from_be_bytes([clamped[56], clamped[57]]) < 1460);
}

#[test]
fn what_others_must_hear_of_is_refused_whoever_sends_it() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    let group = MacAddr::new([1, 0, 0x5e, 1, 2, 3]);
    let dhcp = |to, from: MacAddr, ports: (u16, u16)| {
        let mut message = udp(to, from, ports);
        message.truncate(42);
        message.resize(14 + 20 + 8 + 240, 0);
        message[16..18].copy_from_slice(&268u16.to_be_bytes());
        message[38..40].copy_from_slice(&248u16.to_be_bytes());
        message[42..45].copy_from_slice(&[if ports.0 == 68 { 1 } else { 2 }, 1, 6]);
        message[70..76].copy_from_slice(&from.octets());
        message
    };
    for (what, said) in [
        ("broadcast", ip(MacAddr::BROADCAST, ALICE.1)),
        ("multicast", ip(group, ALICE.1)),
        ("a report", report(ALICE.1, 0x16)),
        ("ARP", arp_to(LAN_HOST, ALICE.1)),
        ("ARP to all", arp(ALICE.1, ALICE.1, 7)),
        ("ND", neighbour(LAN_HOST, ALICE.1)),
        ("DHCP", dhcp(LAN_HOST, ALICE.1, (68, 67))),
        ("another player", ip(BOB.1, ALICE.1)),
    ] {
        assert_eq!(party.directly(ALICE, &said), Err(No::NotDirect), "{what}");
    }
    let drops = &party.bridge.counters().drops;
    assert_eq!((drops.of(No::NotDirect), drops.total()), (8, 8));
    assert_eq!(party.bridge.counters().frames_from_relay, 0);
    for (what, said) in [
        ("broadcast", ip(MacAddr::BROADCAST, LAN_HOST)),
        ("ARP", arp_to(ALICE.1, LAN_HOST)),
        ("ND", neighbour(ALICE.1, LAN_HOST)),
        ("DHCP", dhcp(ALICE.1, LAN_HOST, (67, 68))),
    ] {
        assert_eq!(party.way_of(&said), None, "{what}");
    }
}

#[test]
fn what_nobody_may_say_is_refused_for_what_it_is() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    let out = ip(LAN_HOST, ALICE.1);
    let tagged = [&out[..12], &[0x81, 0, 0, 7], &out[12..]].concat();
    let mut jumbo = out.clone();
    jumbo.resize(1600, 0);
    let mut foreign_arp = arp_to(LAN_HOST, ALICE.1);
    foreign_arp[22..28].copy_from_slice(&BOB.1.octets());
    for (said, reason) in [
        (ip(LAN_HOST, BOB.1), No::UnauthorizedSourceMac),
        (ip(LAN_HOST, NIC), No::UnauthorizedSourceMac),
        (ip(LAN_HOST, MacAddr::BROADCAST), No::InvalidSourceMac),
        (tagged, No::VlanTagged),
        (frame(LAN_HOST, ALICE.1, 0x88cc), No::Lldp),
        (frame(LAN_HOST, ALICE.1, 0x8863), No::RouterProtocol),
        (frame(LAN_HOST, ALICE.1, 0x88b5), No::CamRefresh),
        (foreign_arp, No::ArpSpoof),
        (jumbo, No::Jumbo),
        (vec![0; 13], No::Runt),
    ] {
        assert_eq!(party.directly(ALICE, &said), Err(reason));
    }
    assert_eq!(party.bridge.counters().frames_from_relay, 0);
}

#[test]
fn numbers_at_a_door_are_its_own_players() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    party.open(BOB);
    let out = ip(LAN_HOST, ALICE.1);
    for header in [
        header(BOB.0, ROOM),
        header(OWN_ID, ROOM),
        header(ALICE.0, ROOM + 1),
    ] {
        let heard = party.directly_as(ALICE, header, &out);
        assert_eq!(heard, Err(No::ForgedHeader));
    }
    // Nor does Bob say it in her name at his.
    let heard = party.directly_as(BOB, header(ALICE.0, ROOM), &out);
    assert_eq!(heard, Err(No::ForgedHeader));
    // Who has none has no say there.
    assert_eq!(party.directly(CAROL, &out), Err(No::LinkDown));
}

#[test]
fn pieces_of_two_ways_never_meet() {
    let mut party = Party::with_door(&[ALICE]);
    let whole = |payload: u8| {
        let mut frame = ip(LAN_HOST, ALICE.1);
        frame.resize(1514, payload);
        frame[16..18].copy_from_slice(&1500u16.to_be_bytes());
        frame
    };
    let (one, other) = (whole(1), whole(2));
    let (by_relay, by_door) = (cut(ALICE.0, 5, &one), cut(ALICE.0, 5, &other));
    let relay = |party: &mut Party, piece: &Bytes| {
        let heard = party.bridge.handle_datagram(party.now, piece.clone());
        heard.map(|frame| frame.map(|frame| frame.to_vec()))
    };
    let (last_of_one, rest_of_one) = by_relay.split_last().unwrap();
    let (first_of_other, rest_of_other) = by_door.split_first().unwrap();
    for piece in rest_of_one {
        assert_eq!(relay(&mut party, piece), Ok(None));
    }
    for piece in rest_of_other {
        assert_eq!(party.by_door(ALICE, piece.clone()), Ok(None));
    }
    let heard = party.by_door(ALICE, first_of_other.clone());
    assert!(heard == Ok(Some(other)));
    assert!(relay(&mut party, last_of_one) == Ok(Some(one)));
}

#[test]
fn the_gateway_counts_what_no_relay_counts() {
    let mut party = Party::with_door(&[ALICE]);
    let passed = |party: &mut Party, to: MacAddr, frames: usize| {
        let said = ip(to, ALICE.1);
        let heard = (0..frames).map(|_| party.directly(ALICE, &said));
        heard.filter(Result::is_ok).count()
    };
    assert_eq!(passed(&mut party, LAN_HOST, 100), 64, "nobody knows it");
    let reason = No::UnknownUnicastRate;
    assert_eq!(party.bridge.counters().drops.of(reason), 36);
    // Also what the LAN says past all players shows that somebody is there.
    let _ = party.lan_says(&ip(NIC, LAN_HOST));
    assert_eq!(passed(&mut party, LAN_HOST, 1000), 1000);
    assert_eq!(passed(&mut party, LAN_HOST, 10_000), 7092, "of 8192 in all");
    assert_eq!(party.bridge.counters().drops.of(No::FrameRate), 2908);
}

#[test]
fn a_machine_that_was_heard_before_there_was_a_door_is_known_at_it() {
    let mut party = Party::with(&[ALICE]);
    party.lan_says(&ip(MacAddr::BROADCAST, LAN_HOST)).unwrap();
    party.open(ALICE);
    let said = ip(LAN_HOST, ALICE.1);
    assert!((0..100).all(|_| party.directly(ALICE, &said).is_ok()));
}

#[test]
fn the_seventeenth_malformed_datagram_shuts_the_door_and_the_host_hears_of_it() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    for _ in 0..16 {
        let heard = party.by_door(ALICE, Bytes::from_static(&[0x31, 0]));
        assert_eq!(heard, Err(No::Malformed));
        assert_eq!(party.standing(ALICE), Standing::In);
    }
    // Nor does a new door wash anybody clean.
    party.open(ALICE);
    assert!(party.directly(ALICE, &[0; 13]).is_err());
    assert_eq!(party.standing(ALICE), Standing::Out);
    assert_eq!(party.bridge.take_misused_door(), Some(ALICE.1));
    assert_eq!(party.bridge.take_misused_door(), None);
    let out = ip(LAN_HOST, ALICE.1);
    assert_eq!(party.directly(ALICE, &out), Err(No::LinkDown));
    assert_eq!(party.way_of(&ip(ALICE.1, LAN_HOST)), None);
    assert_eq!(party.bridge.meets(PeerId::new(ALICE.0).unwrap()), None);
    party.open(ALICE);
    assert_eq!(party.directly(ALICE, &out), Err(No::LinkDown));
    // What comes by the relay is the relay's to judge.
    assert!(party.client_says(ALICE.0, &out).is_ok());
    party.leave(ALICE);
    party.join(ALICE);
    party.open(ALICE);
    assert!(party.directly(ALICE, &out).is_ok());
}

#[test]
fn nobody_comes_in_by_a_door_whom_the_relay_has_not_announced() {
    let mut party = Party::with(&[ALICE]);
    let meets = |party: &Party, id: u16| party.bridge.meets(PeerId::new(id).unwrap());
    assert_eq!(meets(&party, ALICE.0), Some(virtual_mac(ALICE.1)));
    assert_eq!(meets(&party, BOB.0), None);
    assert_eq!(meets(&party, OWN_ID), None);
    for strange in [
        door(BOB, OWN_ID, ROOM),
        door((ALICE.0, BOB.1), OWN_ID, ROOM),
        door((BOB.0, ALICE.1), OWN_ID, ROOM),
        door(ALICE, 2, ROOM),
        door(ALICE, OWN_ID, ROOM + 1),
    ] {
        party.bridge.open_door(party.now, strange);
        for player in [ALICE, BOB] {
            let said = ip(LAN_HOST, player.1);
            assert_eq!(party.directly(player, &said), Err(No::LinkDown));
        }
    }
}

#[test]
fn who_is_sent_out_has_no_door_before_the_relay_knows() {
    let out = ip(LAN_HOST, ALICE.1);
    let back = ip(ALICE.1, LAN_HOST);
    let me = Person::Mac(virtual_mac(ALICE.1));
    let ban = |party: &mut Party| {
        let banned = vec![me];
        let order = PeerMessage::Host(HostOrder::Ban { banned });
        party.bridge.handle_own(party.now, &order);
    };
    let wish = |party: &mut Party| {
        let orders = Orders {
            banned: BTreeSet::from([me]),
            ..Orders::default()
        };
        party.bridge.set_orders(party.now, orders);
    };
    let on_lan = |party: &mut Party| {
        // A loop's echo is none; a machine says what we have not said.
        for number in 0..100u8 {
            let mut said = ip(MacAddr::BROADCAST, ALICE.1);
            said[40] = number;
            let _ = party.lan_says(&said);
            party.advance(Duration::from_millis(500));
        }
    };
    type Way<'a> = (&'a str, &'a dyn Fn(&mut Party));
    let ways: [Way<'_>; 5] = [
        ("kick", &|party| party.kick(ALICE.0)),
        ("ban", &ban),
        ("an earlier ban", &wish),
        ("leave", &|party| party.leave(ALICE)),
        ("a machine has its MAC", &on_lan),
    ];
    for (how, goes) in ways {
        let mut party = Party::with_door(&[ALICE, BOB]);
        assert_eq!(party.standing(ALICE), Standing::In, "{how}");
        goes(&mut party);
        assert_eq!(party.standing(ALICE), Standing::Out, "{how}");
        assert!(party.directly(ALICE, &out).is_err(), "{how}");
        assert_eq!(party.way_of(&back), None, "{how}");
        party.open(ALICE);
        assert!(party.directly(ALICE, &out).is_err(), "{how}: not again");
        assert_eq!(party.bridge.counters().frames_from_relay, 0, "{how}");
    }
}

#[test]
fn somebody_else_with_the_same_mac_does_not_come_in_by_her_door() {
    let mut party = Party::new();
    party.join_as(ALICE, 1);
    party.open(ALICE);
    let out = ip(LAN_HOST, ALICE.1);
    // Announced again it is she still.
    party.join_as((17, ALICE.1), 1);
    assert_eq!(party.standing(ALICE), Standing::In);
    assert!(party.directly(ALICE, &out).is_ok());
    party.join_as((18, ALICE.1), 2);
    assert_eq!(party.directly(ALICE, &out), Err(No::LinkDown));
    assert_eq!(party.bridge.meets(PeerId::new(ALICE.0).unwrap()), None);
}

#[test]
fn what_the_host_orders_holds_whichever_way_a_frame_comes() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    let orders = Orders {
        muted: BTreeSet::from([Person::Mac(virtual_mac(ALICE.1))]),
        isolated: true,
        ..Orders::default()
    };
    party.bridge.set_orders(party.now, orders);
    let to_all = ip(MacAddr::BROADCAST, ALICE.1);
    assert_eq!(party.client_says(ALICE.0, &to_all), Err(No::Muted));
    assert_eq!(party.directly(ALICE, &to_all), Err(No::NotDirect));
    assert_eq!(
        party.directly(ALICE, &ip(BOB.1, ALICE.1)),
        Err(No::NotDirect)
    );
    let bobs = party.client_says(BOB.0, &ip(MacAddr::BROADCAST, BOB.1));
    assert!(bobs.is_ok(), "it is not Bob who is muted");
    // Who comes later is held to it too.
    party.leave(ALICE);
    party.join(ALICE);
    assert_eq!(party.client_says(ALICE.0, &to_all), Err(No::Muted));
    party.bridge.set_orders(party.now, Orders::default());
    assert!(party.client_says(ALICE.0, &to_all).is_ok());
}

#[test]
fn what_is_out_of_reach_is_so_by_a_door_too() {
    let mut party = Party::with_door(&[ALICE]);
    let wanted = Wanted {
        everybody: Policy::games([]).unwrap(),
        ..Wanted::default()
    };
    party.bridge.set_reach(party.now, wanted);
    let to_share = udp(LAN_HOST, ALICE.1, (50_000, 445));
    assert_eq!(party.directly(ALICE, &to_share), Err(No::OutOfReach));
    assert_eq!(
        party.client_says(ALICE.0, &to_share),
        Err(No::OutOfReach),
        "as by the relay"
    );
}

#[test]
fn what_players_said_leaves_by_no_door_when_the_lan_brings_it_back() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    for source in [BOB.1, ALICE.1] {
        let echo = ip(ALICE.1, source);
        assert!(party.lan_says(&echo).is_err());
        assert_eq!(party.bridge.direct_player(party.now, &echo), None);
    }
}

#[test]
fn the_relay_hears_which_machines_speak_by_doors_alone() {
    let told = |party: &mut Party| -> Vec<MacAddr> {
        let outputs = party.outputs().into_iter();
        let macs = outputs.filter_map(|output| match output {
            PeerOutput::Message(PeerMessage::Host(HostOrder::Known { macs })) => Some(macs),
            _ => None,
        });
        macs.flatten().collect()
    };
    let mut party = Party::with_door(&[ALICE]);
    let back = ip(ALICE.1, LAN_HOST);
    assert_eq!(party.way_of(&back), Some(ALICE.1));
    let soon = Duration::from_millis(250);
    assert!(party.bridge.poll_timeout().unwrap() <= party.now + soon);
    party.advance(soon);
    assert_eq!(told(&mut party), [LAN_HOST]);
    party.way_of(&back);
    party.advance(Duration::from_secs(90));
    assert_eq!(told(&mut party), [], "it knows");
    party.bridge.handle_lost_link(party.now);
    party.welcome_by(&[DOORS]);
    party.way_of(&back);
    party.advance(soon);
    assert_eq!(told(&mut party), [LAN_HOST], "another one does not");
    // An older relay is told nothing that it does not understand.
    party.welcome();
    party.join(ALICE);
    party.open(ALICE);
    party.way_of(&back);
    party.advance(Duration::from_secs(120));
    assert_eq!(told(&mut party), []);
}

#[test]
fn who_loses_the_relay_alone_plays_on_until_back_and_who_leaves_does_not() {
    use lanparty_ctrl::LeaveReason::{Closed, Kicked, Leaving, Replaced, TimedOut};
    let (out, back) = (ip(LAN_HOST, ALICE.1), ip(ALICE.1, LAN_HOST));
    for reason in [Closed, TimedOut, Replaced] {
        let mut party = Party::with_door(&[ALICE]);
        party.leaves(ALICE, reason);
        assert_eq!(party.standing(ALICE), Standing::Unknown, "{reason}");
        assert!(party.directly(ALICE, &out).is_ok(), "{reason}");
        assert_eq!(party.way_of(&back), Some(ALICE.1), "{reason}");
        // Her number is somebody else's by now, and hers another one.
        party.join((ALICE.0, BOB.1));
        party.join((BOB.0, ALICE.1));
        assert_eq!(party.standing(ALICE), Standing::In, "{reason}");
        assert!(party.directly(ALICE, &out).is_ok(), "{reason}");
    }
    let mut party = Party::with_door(&[ALICE]);
    party.leaves(ALICE, TimedOut);
    party.advance(Duration::from_secs(60));
    assert_eq!(
        party.standing(ALICE),
        Standing::Out,
        "she has not come back"
    );
    for reason in [Leaving, Kicked] {
        let mut party = Party::with_door(&[ALICE]);
        party.leaves(ALICE, reason);
        assert_eq!(party.standing(ALICE), Standing::Out, "{reason}");
        assert!(party.directly(ALICE, &out).is_err(), "{reason}");
    }
}

#[test]
fn a_relay_that_is_gone_takes_nobodys_game_along_who_plays_directly() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    let (out, back) = (ip(LAN_HOST, ALICE.1), ip(ALICE.1, LAN_HOST));
    party.bridge.handle_lost_link(party.now);
    assert_eq!(party.standing(ALICE), Standing::Unknown);
    assert_eq!(party.standing(BOB), Standing::Out);
    assert!(party.bridge.staying().eq([virtual_mac(ALICE.1)]));
    for _ in 0..59 {
        party.advance(Duration::from_secs(1));
        // Nothing is due for ever that nobody can be told.
        assert!(party.bridge.poll_timeout().unwrap() > party.now);
        assert!(party.directly(ALICE, &out).is_ok());
        assert_eq!(party.way_of(&back), Some(ALICE.1));
    }
    // The LAN's switches know where she is, and Bob is nowhere.
    assert!(party.refreshed().contains(&ALICE.1));
    assert!(party.lan_says(&ip(BOB.1, LAN_HOST)).is_err());
    assert_eq!(
        party.bridge.meets(PeerId::new(ALICE.0).unwrap()),
        None,
        "who would introduce her?"
    );
    assert_eq!(
        party.client_says(ALICE.0, &ip(MacAddr::BROADCAST, ALICE.1)),
        Ok(Some(ip(MacAddr::BROADCAST, ALICE.1))),
        "which nobody brings"
    );
    party.advance(Duration::from_secs(1));
    assert_eq!(party.standing(ALICE), Standing::Out);
    assert_eq!(party.directly(ALICE, &out), Err(No::LinkDown));
    assert!(party.lan_says(&back).is_err());
    assert_eq!(party.bridge.poll_timeout(), None, "nothing is left");
}

/// What a machine of the LAN is told who asks by this frame.
fn asked(party: &mut Party, frame: &[u8]) -> Option<Vec<u8>> {
    party.outputs();
    party.lan_says(frame).unwrap();
    let mut outputs = party.outputs();
    assert!(outputs.len() <= 1, "{outputs:?}");
    match outputs.pop()? {
        PeerOutput::Frame(frame) => Some(frame.to_vec()),
        other => panic!("{other:?}"),
    }
}

fn question(to: MacAddr, from: u8, wanted: u8) -> Vec<u8> {
    let mut frame = arp(LAN_HOST, LAN_HOST, from);
    frame[..6].copy_from_slice(&to.octets());
    frame[38..42].copy_from_slice(&[192, 168, 50, wanted]);
    frame
}

fn solicitation(destination: MacAddr, source: MacAddr, from: [u8; 16]) -> Vec<u8> {
    let mut frame = neighbour(destination, source);
    frame[22..38].copy_from_slice(&from);
    frame[54] = 135;
    frame
}

#[test]
fn the_lan_is_answered_for_players_to_whom_no_relay_brings_the_question() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    for ((id, mac), number) in [(ALICE, 7), (BOB, 8)] {
        party.client_says(id, &arp(mac, mac, number)).unwrap();
    }
    let asks = |party: &mut Party, to, wanted| {
        let answer = asked(party, &question(to, 1, wanted))?;
        assert_eq!(answer[..6], LAN_HOST.octets());
        assert_eq!(answer[20..22], [0, 2]);
        assert_eq!(
            (answer[6..12].to_vec(), answer.len()),
            (answer[22..28].to_vec(), 60)
        );
        assert_eq!(answer[28..32], [192, 168, 50, wanted]);
        Some(MacAddr::new(*answer[6..].first_chunk().unwrap()))
    };
    let all = MacAddr::BROADCAST;
    assert_eq!(asks(&mut party, all, 7), None, "Alice answers herself");
    party.bridge.handle_lost_link(party.now);
    for to in [all, ALICE.1] {
        assert_eq!(asks(&mut party, to, 7), Some(ALICE.1));
    }
    assert_eq!(asks(&mut party, all, 8), None, "Bob is nowhere");
    assert_eq!(asks(&mut party, all, 9), None, "nobody's");
    assert_eq!(asks(&mut party, all, 1), None, "its own");
    // Somebody looks whether the address is free.
    let mut probe = question(all, 1, 7);
    probe[28..32].fill(0);
    assert!(asked(&mut party, &probe).is_some());
    // A relay is there again, and Alice is not.
    party.welcome_anew(ROOM, OWN_ID);
    assert_eq!(asks(&mut party, all, 7), Some(ALICE.1));
    party.join(ALICE);
    assert_eq!(asks(&mut party, all, 7), None);
    party.leaves(ALICE, LeaveReason::TimedOut);
    assert_eq!(asks(&mut party, all, 7), Some(ALICE.1), "her link alone");
    party.advance(AFTERGLOW);
    assert_eq!(asks(&mut party, all, 7), None);
}

#[test]
fn who_asks_in_vain_is_answered_for_a_player_who_is_there_before_the_relay_is_known_to_be_gone() {
    let mut party = Party::with_door(&[ALICE]);
    let claims = |party: &mut Party| {
        let claim = arp(ALICE.1, ALICE.1, 7);
        party.client_says(ALICE.0, &claim).unwrap();
    };
    claims(&mut party);
    let asks = |party: &mut Party| asked(party, &question(ALICE.1, 1, 7)).is_some();
    assert!(!asks(&mut party) && !asks(&mut party), "is she there?");
    let mut packet = ip(LAN_HOST, ALICE.1);
    packet[26..30].copy_from_slice(&[192, 168, 50, 7]);
    party.directly(ALICE, &packet).unwrap();
    for _ in 0..2 {
        claims(&mut party);
        assert!(!asks(&mut party), "she answers");
    }
    assert!(asks(&mut party));
}

#[test]
fn neighbour_discovery_is_answered_for_them_too() {
    let mut party = Party::with_door(&[ALICE]);
    let all = MacAddr::new([0x33, 0x33, 0xff, 0xfe, 0xfe, 0xfe]);
    let has_it = neighbour(all, ALICE.1);
    party.client_says(ALICE.0, &has_it).unwrap();
    let asker = [0xfd; 16];
    let asks = |party: &mut Party, from| asked(party, &solicitation(all, LAN_HOST, from));
    assert_eq!(asks(&mut party, asker), None);
    party.bridge.handle_lost_link(party.now);
    let answer = asks(&mut party, asker).unwrap();
    let ends = [LAN_HOST.octets(), ALICE.1.octets()].concat();
    assert_eq!(answer[..12], ends);
    assert_eq!((answer[54], answer[58]), (136, 0x60));
    assert_eq!(answer[80..], ALICE.1.octets());
    // Who looks whether it is free has no address yet.
    let answer = asks(&mut party, [0; 16]).unwrap();
    assert_eq!(
        (answer[..6].to_vec(), answer[58]),
        (vec![0x33, 0x33, 0, 0, 0, 1], 0x20)
    );
}

#[test]
fn without_a_relay_nobody_stays_whose_door_is_shut() {
    for shut in [
        |party: &mut Party| {
            let mac = virtual_mac(ALICE.1);
            party.bridge.close_door(party.now, mac);
        },
        |party: &mut Party| party.kick(ALICE.0),
    ] {
        let mut party = Party::with_door(&[ALICE, BOB]);
        party.bridge.handle_lost_link(party.now);
        shut(&mut party);
        assert_eq!(party.standing(ALICE), Standing::Out);
        let back = ip(ALICE.1, LAN_HOST);
        assert_eq!(party.lan_says(&back).map(drop), Err(No::LinkDown));
        assert_eq!(party.bridge.poll_timeout(), None);
    }
}

#[test]
fn a_relay_that_counts_anew_finds_those_who_stayed() {
    let mut party = Party::with_door(&[ALICE, BOB]);
    party.open(BOB);
    let back = ip(ALICE.1, LAN_HOST);
    party.bridge.handle_lost_link(party.now);
    party.advance(Duration::from_secs(10));
    // Alice's number is the gateway's now, and Bob's is Carol's.
    party.welcome_anew(ROOM + 1, ALICE.0);
    party.join((BOB.0, CAROL.1));
    for player in [ALICE, BOB] {
        assert_eq!(party.standing(player), Standing::Unknown);
        let said = ip(LAN_HOST, player.1);
        let heard = party.directly(player, &said);
        assert_eq!(heard, Ok(Some(said)), "with the numbers of before");
        let to_carol = party.directly(player, &ip(CAROL.1, player.1));
        assert_eq!(to_carol, Err(No::NotDirect));
    }
    assert_eq!(party.way_of(&back), Some(ALICE.1));
    let carols = FrameBuf::from_frame(&ip(LAN_HOST, CAROL.1));
    let carols = carols.into_datagram(header(BOB.0, ROOM + 1));
    assert!(party.bridge.handle_datagram(party.now, carols).is_ok());
    // Alice is announced in time, and Bob is not.
    party.join((31, ALICE.1));
    assert_eq!(party.standing(ALICE), Standing::In);
    party.advance(Duration::from_secs(49));
    assert_eq!(party.standing(BOB), Standing::Unknown);
    party.advance(Duration::from_secs(1));
    assert_eq!(party.standing(BOB), Standing::Out);
    assert!(party.directly(BOB, &ip(LAN_HOST, BOB.1)).is_err());
    let mut long = ip(LAN_HOST, ALICE.1);
    long.resize(1514, 3);
    let pieces = cut(ALICE.0, 4, &long).into_iter();
    let heard = pieces.filter_map(|piece| party.by_door(ALICE, piece).unwrap());
    assert!(heard.eq([long]), "in pieces too");
    // Met anew, she has the new numbers there.
    party
        .bridge
        .open_door(party.now, door((31, ALICE.1), ALICE.0, ROOM + 1));
    let out = ip(LAN_HOST, ALICE.1);
    assert_eq!(party.directly(ALICE, &out), Err(No::ForgedHeader));
    let heard = party.directly_as(ALICE, header(31, ROOM + 1), &out);
    assert_eq!(heard, Ok(Some(out)));
}

#[test]
fn who_comes_back_as_somebody_else_has_left() {
    let mut party = Party::new();
    party.join_as(ALICE, 1);
    party.open(ALICE);
    party.bridge.handle_lost_link(party.now);
    party.welcome_anew(ROOM, OWN_ID);
    assert_eq!(party.standing(ALICE), Standing::Unknown);
    party.join_as(ALICE, 2);
    let heard = party.directly(ALICE, &ip(LAN_HOST, ALICE.1));
    assert_eq!(heard, Err(No::LinkDown));
}

#[test]
fn a_second_loss_gives_nobody_more_time_who_was_not_back() {
    let mut party = Party::with_door(&[ALICE]);
    party.bridge.handle_lost_link(party.now);
    party.advance(Duration::from_secs(40));
    party.welcome_anew(ROOM, OWN_ID);
    party.advance(Duration::from_secs(10));
    party.bridge.handle_lost_link(party.now);
    party.advance(Duration::from_secs(9));
    assert_eq!(party.standing(ALICE), Standing::Unknown);
    party.advance(Duration::from_secs(1));
    assert_eq!(party.standing(ALICE), Standing::Out);
    assert_eq!(party.bridge.poll_timeout(), None);
}

proptest! {
    /// What a player gets onto the LAN by its door it would have got there by the relay, and it is the same; and what comes out
    /// is for one machine and claims nothing.
    #[test]
    fn a_door_lets_nothing_through_that_the_relays_way_does_not(
        said in prop::collection::vec(frames(), 1..40),
        games_only in any::<bool>(),
    ) {
        let mut direct = Party::with_door(&[ALICE, BOB]);
        let mut relayed = Party::with(&[ALICE, BOB]);
        let wanted = Wanted {
            everybody: match games_only {
                true => Policy::games([]).unwrap(),
                false => Policy::Everything,
            },
            ..Wanted::default()
        };
        for party in [&mut direct, &mut relayed] {
            party.bridge.set_reach(party.now, wanted.clone());
            let _ = party.lan_says(&ip(MacAddr::BROADCAST, LAN_HOST));
        }
        for frame in said {
            if let Ok(Some(out)) = direct.directly(ALICE, &frame) {
                let by_relay = relayed.client_says(ALICE.0, &frame);
                prop_assert_eq!(by_relay, Ok(Some(out.clone())));
                let view = EthernetFrame::parse(&out).unwrap();
                prop_assert!(!view.destination().is_group() && view.destination() != BOB.1);
                prop_assert_eq!(view.source(), ALICE.1);
            }
        }
        let stats = direct.bridge.counters();
        let dropped = stats.drops.total();
        prop_assert_eq!(stats.datagrams_from_relay, stats.frames_from_relay + dropped);
    }
}

/// Frames of all kinds, some as they should be.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let macs = || prop::sample::select(vec![ALICE.1, BOB.1, LAN_HOST, NIC, MacAddr::BROADCAST]);
    let kinds = prop::sample::select(vec![0x0800, 0x0806, 0x86dd, 0x8100, 0x8137, 0x88b5, 0x0100]);
    let random = prop::collection::vec(any::<u8>(), 0..80);
    let odd = (macs(), macs(), kinds, random).prop_map(|(to, from, kind, rest)| {
        let mut frame = [to.octets(), from.octets()].concat();
        frame.extend(u16::to_be_bytes(kind));
        frame.extend(rest);
        frame
    });
    let ports = (
        any::<u16>(),
        prop::sample::select(vec![67, 68, 445, 5353, 27015]),
    );
    let plain = (macs(), ports).prop_map(|(to, ports)| udp(to, ALICE.1, ports));
    prop_oneof![odd, plain]
}
