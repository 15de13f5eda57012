//! The same judge from four places (spec R100).

#![allow(clippy::disallowed_methods, reason = "tests own the clock")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests fail as tests do"
)]

use lanparty_obs::DropReason;
use lanparty_proto::{MacAddr, PeerId, RoomId};
use lanparty_switch::{Rates, Route, Speaker, Switch, View};
use proptest::prelude::*;
use std::time::Instant;

const VIEWS: [View; 4] = [View::Whole, View::Door, View::Outside, View::Inside];
const ALICE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const BOB: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);
const HOST: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 9]);

type Verdict = Result<Route, DropReason>;

#[test]
fn unicast_between_a_player_and_the_lan_passes_in_every_view() {
    for view in VIEWS {
        let mut room = Room::new(view);
        let out = game(HOST, ALICE);
        assert_eq!(
            room.say(ALICE, &out),
            Ok(Route::Unknown(room.gateway)),
            "{view:?}"
        );
        assert_eq!(
            room.lan(&game(ALICE, HOST)),
            Ok(Route::Known(room.alice)),
            "{view:?}"
        );
        assert_eq!(
            room.say(ALICE, &out),
            Ok(Route::Known(room.gateway)),
            "{view:?}"
        );
    }
}

#[test]
fn whose_mac_it_is_every_view_sees() {
    for view in VIEWS {
        let mut room = Room::new(view);
        let stolen = Err(DropReason::UnauthorizedSourceMac);
        assert_eq!(room.say(ALICE, &game(HOST, BOB)), stolen, "{view:?}");
        assert_eq!(room.lan(&game(ALICE, BOB)), stolen, "{view:?}");
        let nobody = Err(DropReason::InvalidSourceMac);
        assert_eq!(room.lan(&game(ALICE, MacAddr::ZERO)), nobody, "{view:?}");
        let bridges = MacAddr::new([1, 0x80, 0xc2, 0, 0, 0]);
        let reserved = Err(DropReason::ReservedMulticast);
        assert_eq!(room.lan(&game(bridges, HOST)), reserved, "{view:?}");
    }
}

#[test]
fn the_door_is_for_one_player_and_the_lan_alone() {
    let mut room = Room::new(View::Door);
    let not_direct = Err(DropReason::NotDirect);
    let group = MacAddr::new([1, 0, 0x5e, 0, 0, 0xfb]);
    for destination in [MacAddr::BROADCAST, group] {
        assert_eq!(room.say(ALICE, &game(destination, ALICE)), not_direct);
        assert_eq!(room.lan(&game(destination, HOST)), not_direct);
    }
    assert_eq!(room.say(ALICE, &game(BOB, ALICE)), not_direct);
    for (name, to_lan, to_alice) in [
        ("ARP", arp(HOST, ALICE, 7), arp(ALICE, HOST, 8)),
        (
            "DHCP",
            dhcp(HOST, ALICE, (68, 67)),
            dhcp(ALICE, HOST, (67, 68)),
        ),
        ("ND", advertisement(HOST, ALICE), advertisement(ALICE, HOST)),
    ] {
        assert_eq!(room.say(ALICE, &to_lan), not_direct, "{name}");
        assert_eq!(room.lan(&to_alice), not_direct, "{name}");
    }
    // What nobody may say is refused for what it is.
    let router = typed(HOST, ALICE, 0x8863, &[0; 46]);
    assert_eq!(room.say(ALICE, &router), Err(DropReason::RouterProtocol));
}

#[test]
fn from_inside_addresses_are_held_and_nothing_is_counted() {
    let mut room = Room::new(View::Inside);
    room.lan(&arp(MacAddr::BROADCAST, HOST, 1)).unwrap();
    let claim = room.say(ALICE, &arp(MacAddr::BROADCAST, ALICE, 1));
    assert_eq!(claim, Err(DropReason::ClaimedAddress));
    for _ in 0..5000 {
        let said = room.say(ALICE, &game(MacAddr::BROADCAST, ALICE));
        assert_eq!(said, Ok(Route::Group));
    }
    room.switch.set_muted(room.alice, true);
    let said = room.say(ALICE, &game(MacAddr::BROADCAST, ALICE));
    assert_eq!(said, Err(DropReason::Muted));
}

#[test]
fn from_outside_it_is_counted_and_ordered_and_not_read() {
    let mut room = Room::new(View::Outside);
    let mut forged = typed(MacAddr::BROADCAST, ALICE, 0x0806, &[0; 46]);
    assert_eq!(room.say(ALICE, &forged), Ok(Route::Group));
    forged.resize(1519, 0);
    assert_eq!(room.say(ALICE, &forged), Err(DropReason::Jumbo));
    let chatter = game(MacAddr::BROADCAST, ALICE);
    let passed = (0..500)
        .filter(|_| room.say(ALICE, &chatter).is_ok())
        .count();
    assert_eq!(passed, 127, "of a bucket of 128");
    room.switch.set_isolated(true);
    let to_bob = room.say(ALICE, &game(BOB, ALICE));
    assert_eq!(to_bob, Err(DropReason::Isolated));
}

proptest! {
    #[test]
    fn from_outside_frames_that_differ_in_what_is_sealed_get_the_same_verdict(
        frames in prop::collection::vec((0..3usize, 0..8usize, sealed()), 1..60),
    ) {
        let (mut one, mut other) = (Room::new(View::Outside), Room::new(View::Outside));
        for (speaker, destination, (first, second)) in frames {
            let destination = destinations()[destination];
            let say = |room: &mut Room, sealed: &[u8]| match speaker {
                0 => room.lan(&[&destination.octets(), &HOST.octets(), sealed].concat()),
                1 => room.say(ALICE, &[&destination.octets(), &ALICE.octets(), sealed].concat()),
                _ => room.say(BOB, &[&destination.octets(), &BOB.octets(), sealed].concat()),
            };
            prop_assert_eq!(say(&mut one, &first), say(&mut other, &second));
        }
    }

    #[test]
    fn no_view_that_reads_lets_through_what_a_player_may_not_say(
        kind in any::<u16>(),
        payload in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        for view in [View::Door, View::Inside] {
            let frame = typed(HOST, ALICE, kind, &payload);
            let (mut whole, mut other) = (Room::new(View::Whole), Room::new(view));
            if whole.say(ALICE, &frame).is_err() {
                prop_assert!(other.say(ALICE, &frame).is_err(), "{:?}", view);
            }
        }
    }
}

/// Two payloads of one length, some like ARP and DHCP.
fn sealed() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let starts = prop::sample::select(vec![
        &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1][..],
        &[0x81, 0x00, 0, 0, 8, 0],
        &[0x88, 0xcc],
        &[],
    ]);
    (starts, 2..1508usize, any::<u8>(), any::<u8>()).prop_map(|(start, len, one, other)| {
        let mut first = vec![one; len];
        let known = start.len().min(len);
        first[..known].copy_from_slice(&start[..known]);
        (first, vec![other; len])
    })
}

fn destinations() -> [MacAddr; 8] {
    let group = |last| MacAddr::new([1, 0x80, 0xc2, 0, 0, last]);
    let multicast = MacAddr::new([1, 0, 0x5e, 1, 2, 3]);
    let host = |last| MacAddr::new([0, 0x16, 0x3e, 0, 0, last]);
    [
        ALICE,
        BOB,
        HOST,
        host(7),
        MacAddr::BROADCAST,
        multicast,
        group(1),
        group(0x21),
    ]
}

/// A gateway and two players.
struct Room {
    now: Instant,
    switch: Switch,
    gateway: PeerId,
    alice: PeerId,
    bob: PeerId,
}

impl Room {
    fn new(view: View) -> Self {
        let now = Instant::now();
        let [gateway, alice, bob] = [1, 2, 3].map(|id| PeerId::new(id).unwrap());
        let room = RoomId::new(7).unwrap();
        let mut switch = Switch::with_view(now, view, room, Rates::default());
        switch.plug_in(now, gateway, Speaker::Lan);
        switch.plug_in(now, alice, Speaker::Player(ALICE));
        switch.plug_in(now, bob, Speaker::Player(BOB));
        Room {
            now,
            switch,
            gateway,
            alice,
            bob,
        }
    }

    fn lan(&mut self, frame: &[u8]) -> Verdict {
        self.switch.judge_frame(self.now, self.gateway, frame)
    }

    fn say(&mut self, mac: MacAddr, frame: &[u8]) -> Verdict {
        let peer = if mac == ALICE { self.alice } else { self.bob };
        self.switch.judge_frame(self.now, peer, frame)
    }
}

fn typed(destination: MacAddr, source: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    let addresses = [destination.octets(), source.octets()].concat();
    [&addresses[..], &kind.to_be_bytes(), payload].concat()
}

fn game(destination: MacAddr, source: MacAddr) -> Vec<u8> {
    typed(destination, source, 0x88b6, &[0x47; 46])
}

fn arp(destination: MacAddr, source: MacAddr, number: u8) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1];
    message.extend(source.octets());
    message.extend([192, 168, 50, number, 0, 0, 0, 0, 0, 0, 192, 168, 50, 250]);
    typed(destination, source, 0x0806, &message)
}

fn dhcp(destination: MacAddr, source: MacAddr, (from, to): (u16, u16)) -> Vec<u8> {
    let mut message = vec![if from == 67 { 2 } else { 1 }, 1, 6, 0];
    message.resize(240, 0);
    message[28..34].copy_from_slice(&source.octets());
    let len = u16::try_from(8 + message.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend((20 + len).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend([from, to, len, 0].map(u16::to_be_bytes).concat());
    packet.extend(message);
    typed(destination, source, 0x0800, &packet)
}

fn advertisement(destination: MacAddr, source: MacAddr) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 24, 58, 255];
    packet.extend([0xfe; 32]);
    packet.extend([136, 0, 0, 0, 0x60, 0, 0, 0]);
    packet.extend([0xfe; 16]);
    typed(destination, source, 0x86dd, &packet)
}
