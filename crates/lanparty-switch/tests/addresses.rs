//! Whose address it is, from datagram to verdict (spec R103, R104).

#![allow(clippy::disallowed_methods, reason = "tests own the clock")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests fail as tests do"
)]

use bytes::Bytes;
use lanparty_obs::{DropCounts, DropReason};
use lanparty_proto::{Header, MacAddr, PeerId, RoomId};
use lanparty_switch::{Judged, Rates, Speaker, Switch};
use std::net::IpAddr;
use std::time::{Duration, Instant};

const ALICE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const MALLORY: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 0x66]);
const ROUTER: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]);
const ACCESS_POINT: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 2]);

type Verdict = Result<(), DropReason>;
const TAKEN: Verdict = Err(DropReason::ClaimedAddress);
const SPOOF: Verdict = Err(DropReason::DhcpSpoof);

#[test]
fn nobody_gets_an_address_in_somebody_elses_name() {
    let mut room = Room::new();
    assert_eq!(room.lan(&ack(ALICE, 10)), Ok(()));
    let request = |identifier: MacAddr| {
        let options = [&[53, 1, 3, 61, 7, 1][..], &identifier.octets(), &[255]].concat();
        question(MALLORY, MALLORY, &options)
    };
    assert_eq!(room.player(MALLORY, &request(ALICE)), SPOOF);
    assert_eq!(room.player(MALLORY, &request(MALLORY)), Ok(()));
    let discover = question(MALLORY, ALICE, &[53, 1, 1, 255]);
    assert_eq!(room.player(MALLORY, &discover), SPOOF);
    // The machine's identifier that Alice would have, by the kind that has a MAC (RFC 4361).
    let machine = |mac: MacAddr| {
        let duid = [&[255, 0, 0, 0, 1, 0, 3, 0, 1][..], &mac.octets()].concat();
        question(
            MALLORY,
            MALLORY,
            &[&[53, 1, 3, 61, 15][..], &duid, &[255]].concat(),
        )
    };
    assert_eq!(room.player(MALLORY, &machine(ALICE)), SPOOF);
    assert_eq!(
        room.player(MALLORY, &machine(MacAddr::new([0x54, 0, 0, 0, 0, 1]))),
        Ok(())
    );
}

#[test]
fn an_acknowledgement_of_somebody_elses_address_does_not_arrive() {
    let mut room = Room::new();
    let conflict = Err(DropReason::LeaseConflict);
    assert_eq!(room.lan(&ack(ALICE, 10)), Ok(()));
    assert_eq!(room.lan(&ack(MALLORY, 10)), conflict);
    assert_eq!(room.player(ALICE, &arp(1, ALICE, ALICE, 10)), Ok(()));
    assert_eq!(room.player(MALLORY, &arp(1, MALLORY, MALLORY, 10)), TAKEN);
    // Nor one of what a machine on the LAN has.
    room.lan(&arp(1, ROUTER, ROUTER, 1)).unwrap();
    assert_eq!(room.lan(&ack(MALLORY, 1)), conflict);
    // A renewal arrives, and so does what was only claimed before.
    assert_eq!(room.lan(&ack(ALICE, 10)), Ok(()));
    room.player(ALICE, &arp(1, ALICE, ALICE, 11)).unwrap();
    assert_eq!(room.lan(&ack(MALLORY, 11)), Ok(()));
}

#[test]
fn an_address_is_given_up_by_its_owner_only() {
    let mut room = Room::new();
    room.lan(&ack(ALICE, 10)).unwrap();
    room.lan(&arp(1, ROUTER, ROUTER, 1)).unwrap();
    let release = |mac: MacAddr, number: u8| {
        let mut frame = question(mac, mac, &[53, 1, 7, 255]);
        frame[42 + 12..42 + 16].copy_from_slice(&[192, 168, 50, number]);
        frame
    };
    let decline = |number| {
        question(
            MALLORY,
            MALLORY,
            &[53, 1, 4, 50, 4, 192, 168, 50, number, 255],
        )
    };
    assert_eq!(room.player(MALLORY, &release(MALLORY, 10)), TAKEN);
    assert_eq!(room.player(MALLORY, &decline(10)), TAKEN);
    assert_eq!(room.player(MALLORY, &decline(1)), TAKEN);
    assert_eq!(room.player(MALLORY, &decline(99)), Ok(()), "nobody's");
    assert_eq!(room.addresses(ALICE), [IpAddr::from([192, 168, 50, 10])]);
    assert_eq!(room.player(ALICE, &release(ALICE, 10)), Ok(()));
    assert_eq!(room.addresses(ALICE), [] as [IpAddr; 0]);
    assert_eq!(room.lan(&ack(MALLORY, 10)), Ok(()));
}

/// Or the server, which does not know of it, offers it for ever, and its acknowledgement is withheld each time.
#[test]
fn what_the_server_offers_and_somebody_has_may_be_declined() {
    let mut room = Room::new();
    room.lan(&ack(ALICE, 10)).unwrap();
    room.lan(&arp(1, ROUTER, ROUTER, 20)).unwrap();
    let offer = |mac, number| answer(mac, number, &[53, 1, 2, 51, 4, 0, 0, 14, 16, 255]);
    let with = |kind, number| {
        let options = [53, 1, kind, 50, 4, 192, 168, 50, number, 255];
        question(MALLORY, MALLORY, &options)
    };
    let decline = |number| with(4, number);
    room.lan(&offer(ALICE, 20)).unwrap();
    assert_eq!(room.player(MALLORY, &decline(20)), TAKEN, "another's offer");
    room.lan(&offer(MALLORY, 20)).unwrap();
    let conflict = Err(DropReason::LeaseConflict);
    assert_eq!(room.lan(&ack(MALLORY, 20)), conflict);
    assert_eq!(room.player(MALLORY, &decline(10)), TAKEN);
    assert_eq!(room.player(MALLORY, &decline(20)), Ok(()));
    // Whose it is stays so.
    assert_eq!(room.player(MALLORY, &arp(1, MALLORY, MALLORY, 20)), TAKEN);
    room.lan(&offer(MALLORY, 10)).unwrap();
    assert_eq!(room.player(MALLORY, &decline(10)), Ok(()));
    assert_eq!(room.addresses(ALICE), [IpAddr::from([192, 168, 50, 10])]);
}

#[test]
fn an_offer_of_long_ago_or_that_another_has_got_is_declined_no_more() {
    let offer = |mac, number| answer(mac, number, &[53, 1, 2, 51, 4, 0, 0, 14, 16, 255]);
    let decline = |number| {
        let options = [53, 1, 4, 50, 4, 192, 168, 50, number, 255];
        question(MALLORY, MALLORY, &options)
    };
    for seconds in [59, 60] {
        let mut room = Room::new();
        room.lan(&offer(MALLORY, 20)).unwrap();
        room.player(ALICE, &arp(1, ALICE, ALICE, 20)).unwrap();
        room.now += Duration::from_secs(seconds);
        let expected = if seconds < 60 { Ok(()) } else { TAKEN };
        assert_eq!(room.player(MALLORY, &decline(20)), expected, "{seconds}");
    }
    let mut room = Room::new();
    room.lan(&offer(MALLORY, 20)).unwrap();
    room.lan(&ack(ALICE, 20)).unwrap();
    assert_eq!(room.player(MALLORY, &decline(20)), TAKEN);
}

#[test]
fn what_an_access_point_answers_for_a_player_is_that_players_claim() {
    let mut room = Room::new();
    room.player(ALICE, &arp(1, ALICE, ALICE, 10)).unwrap();
    let suppressed = arp(2, ACCESS_POINT, ALICE, 10);
    assert_eq!(room.lan(&suppressed), Ok(()), "it goes to who asked");
    assert_eq!(room.player(ALICE, &arp(1, ALICE, ALICE, 10)), Ok(()));
    assert_eq!(room.player(MALLORY, &arp(1, MALLORY, MALLORY, 10)), TAKEN);
    // Nor while she is away for a moment.
    room.leave(ALICE);
    assert_eq!(room.lan(&suppressed), Ok(()));
    room.join(ALICE);
    assert_eq!(room.player(ALICE, &arp(1, ALICE, ALICE, 10)), Ok(()));
}

#[test]
fn a_router_that_answers_for_everybody_takes_nobodys_address() {
    let mut room = Room::new();
    room.lan(&arp(1, ROUTER, ROUTER, 1)).unwrap();
    for number in [10, 11] {
        // With proxy_arp_pvlan, before Alice has said anything and after.
        room.lan(&arp(2, ROUTER, ROUTER, number)).unwrap();
        assert_eq!(room.player(ALICE, &arp(1, ALICE, ALICE, number)), Ok(()));
        room.lan(&arp(2, ROUTER, ROUTER, number)).unwrap();
        assert_eq!(room.player(ALICE, &arp(1, ALICE, ALICE, number)), Ok(()));
    }
    assert_eq!(room.player(MALLORY, &arp(1, MALLORY, MALLORY, 1)), TAKEN);
}

#[test]
fn a_lease_of_every_form_guards_its_address() {
    for options in [
        &[53, 1, 5, 51, 4, 0, 0, 14, 16, 255][..],
        &[53, 1, 5, 255],
        &[53, 1, 5, 51, 2, 0, 0, 51, 2, 14, 16, 255],
        &[255],
    ] {
        let mut room = Room::new();
        assert_eq!(room.lan(&answer(ALICE, 10, options)), Ok(()));
        room.now += Duration::from_secs(900);
        let claim = room.player(MALLORY, &arp(1, MALLORY, MALLORY, 10));
        assert_eq!(claim, TAKEN, "{options:?}");
    }
}

/// A gateway and two players.
struct Room {
    now: Instant,
    switch: Switch,
    drops: DropCounts,
}

impl Room {
    fn new() -> Self {
        let now = Instant::now();
        let mut switch = Switch::new(now, room_id(), Rates::default());
        switch.plug_in(now, peer(Speaker::Lan), Speaker::Lan);
        let drops = DropCounts::default();
        let mut room = Room { now, switch, drops };
        room.join(ALICE);
        room.join(MALLORY);
        room
    }

    fn join(&mut self, mac: MacAddr) {
        let who = Speaker::Player(mac);
        self.switch.plug_in(self.now, peer(who), who);
    }

    fn leave(&mut self, mac: MacAddr) {
        self.switch.unplug(peer(Speaker::Player(mac)));
    }

    fn lan(&mut self, frame: &[u8]) -> Verdict {
        self.say(Speaker::Lan, frame)
    }

    fn player(&mut self, mac: MacAddr, frame: &[u8]) -> Verdict {
        self.say(Speaker::Player(mac), frame)
    }

    fn addresses(&self, mac: MacAddr) -> Vec<IpAddr> {
        self.switch.addresses_of(self.now, mac).collect()
    }

    fn say(&mut self, who: Speaker, frame: &[u8]) -> Verdict {
        let header = Header {
            peer: peer(who),
            room: room_id(),
            fragment: false,
        };
        let datagram = Bytes::from([&header.encode(), frame].concat());
        let judged = self
            .switch
            .judge(self.now, peer(who), datagram, &mut self.drops)?;
        assert!(matches!(judged, Judged::Frame(_)));
        Ok(())
    }
}

fn room_id() -> RoomId {
    RoomId::new(7).unwrap()
}

fn peer(who: Speaker) -> PeerId {
    let number = match who {
        Speaker::Lan => 1,
        Speaker::Player(mac) => 0x100 + u16::from(mac.octets()[5]),
    };
    PeerId::new(number).unwrap()
}

/// From `source` to everybody: `mac` has this address.
fn arp(operation: u8, source: MacAddr, mac: MacAddr, number: u8) -> Vec<u8> {
    let mut frame = [[0xff; 6], source.octets()].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(mac.octets());
    frame.extend([192, 168, 50, number, 0, 0, 0, 0, 0, 0, 192, 168, 50, 250]);
    frame.resize(60, 0);
    frame
}

fn ack(mac: MacAddr, number: u8) -> Vec<u8> {
    answer(mac, number, &[53, 1, 5, 51, 4, 0, 0, 14, 16, 255])
}

fn answer(mac: MacAddr, number: u8, options: &[u8]) -> Vec<u8> {
    let mut message = message(2, mac, options);
    message[16..20].copy_from_slice(&[192, 168, 50, number]);
    udp(ROUTER, (67, 68), &message)
}

/// A client's question, of the given hardware address.
fn question(source: MacAddr, mac: MacAddr, options: &[u8]) -> Vec<u8> {
    udp(source, (68, 67), &message(1, mac, options))
}

fn message(operation: u8, mac: MacAddr, options: &[u8]) -> Vec<u8> {
    let mut message = vec![operation, 1, 6, 0];
    message.resize(240, 0);
    message[28..34].copy_from_slice(&mac.octets());
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend(options);
    message
}

fn udp(source: MacAddr, (from, to): (u16, u16), message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + message.len()).unwrap();
    let mut frame = [[0xff; 6], source.octets()].concat();
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((20 + len).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
    frame.extend([from, to, len, 0].map(u16::to_be_bytes).concat());
    frame.extend(message);
    frame
}
