#![allow(clippy::disallowed_methods, reason = "tests own the clock")]

mod address;
mod door;
mod games;
mod host;
mod hosts;
mod lease;
mod members;
mod proof;
mod relays;

use super::*;
use lanparty_ctrl::message::{PeerJoined, PeerLeft, Vouched, Welcome};
use lanparty_ctrl::{LeaveReason, ResumeToken};
use lanparty_proto::early::PATIENCE;
use lanparty_proto::{Header, IpMtu, MacAddr, RoomId, fragment};

const BROADCAST: [u8; 6] = [0xff; 6];
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const THIRD: [u8; 6] = [2, 0, 0, 0, 0, 3];
const LAN_HOST: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 9];

const OWN_ID: u16 = 1;
const OTHER_ID: u16 = 2;
const GATEWAY_ID: u16 = 9;

#[test]
fn the_machine_is_asked_for_its_groups_and_the_room_told_again_what_it_has_said() {
    let (mut now, mut session) = (Instant::now(), Session::new(virtual_mac(OWN)));
    // IGMPv2: the group 239.1.2.3 is wanted. It is said while there is no link.
    let header = [0x45, 0, 0, 28, 0, 0, 0, 0, 1, 2, 0, 0, 192, 168, 50, 7];
    let group = [239, 1, 2, 3];
    let message = [0x16, 0, 0, 0, 239, 1, 2, 3];
    let to = [1, 0, 0x5e, 1, 2, 3];
    let report = [&to[..], &OWN, &[8, 0], &header, &group, &message].concat();
    session.overhear(now, &report);
    for (abilities, expected) in [(vec![], (0, 0)), (vec![GROUPS.to_owned()], (2, 1))] {
        let welcome = Welcome {
            capabilities: abilities,
            ..welcome(None)
        };
        session.handle_welcome(now, &welcome, budget());
        session.handle_timeout(now);
        let (mut asked, mut told) = (0, 0);
        while let Some(output) = session.poll_output() {
            match output {
                PeerOutput::Frame(_) => asked += 1,
                PeerOutput::ToRelay(report) => {
                    assert_eq!(report.frame()[6..12], OWN);
                    assert!(report.frame().ends_with(&group));
                    told += 1;
                }
                PeerOutput::Message(message) => panic!("{message:?}"),
            }
        }
        assert_eq!((asked, told), expected);
        session.handle_lost_link(now);
        now += STATS_INTERVAL;
    }
}

#[test]
fn a_gateway_that_is_back_hears_the_groups_again() {
    let (now, mut session) = (Instant::now(), joined());
    let comes = |session: &mut Session, now| {
        let gateway = RelayMessage::PeerJoined(peer_joined(GATEWAY_ID, Newcomer::Gateway));
        session.handle_control(now, gateway);
        session.handle_timeout(now);
        std::iter::from_fn(|| session.poll_output())
            .filter(|output| matches!(output, PeerOutput::Frame(_)))
            .count()
    };
    assert_eq!(comes(&mut session, now), 0, "an older relay");
    let welcome = Welcome {
        capabilities: vec![GROUPS.to_owned()],
        ..welcome(None)
    };
    session.handle_welcome(now, &welcome, budget());
    session.handle_timeout(now);
    while session.poll_output().is_some() {}
    assert_eq!(comes(&mut session, now), 2, "it asks at once");
}

#[test]
fn nothing_crosses_before_the_welcome_and_after_the_link_is_lost() {
    let now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN));
    assert_eq!(send(&mut session, LAN_HOST, OWN), Err(DropReason::LinkDown));
    session.handle_welcome(now, &welcome(Some(GATEWAY_ID)), budget());
    assert_eq!(send(&mut session, LAN_HOST, OWN), Ok(()));
    session.handle_lost_link(now);
    assert_eq!(send(&mut session, LAN_HOST, OWN), Err(DropReason::LinkDown));
    assert_eq!(
        hear(&mut session, GATEWAY_ID, BROADCAST, LAN_HOST),
        Err(DropReason::LinkDown)
    );
    assert_eq!(
        session
            .diagnostics(Instant::now())
            .drops_of(DropReason::LinkDown),
        3
    );
    assert_eq!(
        (session.poll_timeout(), session.poll_output().is_some()),
        (None, false)
    );
}

#[test]
fn a_frame_reaches_the_adapter_as_it_was_sent() {
    let mut session = joined();
    let frame = ipx(BROADCAST, LAN_HOST);
    let received = session.handle_datagram(Instant::now(), datagram(GATEWAY_ID, &frame));
    assert_eq!(received.unwrap().unwrap(), frame);
    let stats = session.counters();
    assert_eq!((stats.frames_from_relay, stats.bytes_from_relay), (1, 60));
    assert_eq!(
        (stats.datagrams_from_relay, stats.group_frames_from_relay),
        (1, 1)
    );
}

#[test]
fn a_priority_tag_comes_off_both_ways_and_a_vlan_stays_away() {
    let mut session = joined();
    let tagged = |frame: &[u8], control: [u8; 2]| {
        [&frame[..12], &[0x81, 0], &control, &frame[12..]].concat()
    };
    let out = ipx(LAN_HOST, OWN);
    let mut buf = FrameBuf::from_frame(&tagged(&out, [0xe0, 0]));
    assert_eq!(session.handle_frame(Instant::now(), &mut buf), Ok(()));
    assert_eq!(buf.frame(), out);
    let back = ipx(OWN, LAN_HOST);
    let datagram = |control| datagram(GATEWAY_ID, &tagged(&back, control));
    let heard = session.handle_datagram(Instant::now(), datagram([0, 0]));
    assert_eq!(heard, Ok(Some(Bytes::from(back.clone()))));
    let heard = session.handle_datagram(Instant::now(), datagram([0, 7]));
    assert_eq!(heard, Err(DropReason::VlanTagged));
}

#[test]
fn only_announced_peers_are_heard() {
    let mut session = joined();
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    assert_eq!(hear(&mut session, OTHER_ID, OWN, OTHER), Ok(true));
    leave(&mut session, OTHER_ID);
    assert_eq!(hear(&mut session, OTHER_ID, OWN, OTHER), Ok(false));
    session.handle_timeout(Instant::now() + PATIENCE);
    assert_eq!(
        session
            .diagnostics(Instant::now())
            .drops_of(DropReason::ForgedHeader),
        1
    );
    assert!(session.poll_output().is_none());
}

#[test]
fn frames_that_overtake_their_senders_announcement_come_after_it() {
    let (mut session, now) = (joined(), Instant::now());
    let first = ipx(BROADCAST, OTHER);
    let second = ipx(OWN, OTHER);
    let forged = ipx(OWN, LAN_HOST);
    for frame in [&first, &forged, &second] {
        let heard = session.handle_datagram(now, datagram(OTHER_ID, frame));
        assert_eq!(heard, Ok(None));
    }
    assert_eq!(session.poll_timeout(), Some(now + PATIENCE));
    let joined = peer_joined(OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    session.handle_control(now + PATIENCE / 2, RelayMessage::PeerJoined(joined));
    let outputs = std::iter::from_fn(|| session.poll_output());
    let frames = outputs.map(|output| match output {
        PeerOutput::Frame(frame) => frame.to_vec(),
        PeerOutput::Message(_) | PeerOutput::ToRelay(_) => panic!("no frame for the port"),
    });
    assert_eq!(frames.collect::<Vec<_>>(), [first, second]);
    let stats = session.counters();
    assert_eq!(stats.frames_from_relay, 2);
    assert_eq!(stats.drops.of(DropReason::UnauthorizedSourceMac), 1);
    assert_eq!(stats.drops.total(), 1);
}

#[test]
fn what_waited_for_an_announcement_dies_with_its_link() {
    let (mut session, now) = (joined(), Instant::now());
    assert_eq!(hear(&mut session, OTHER_ID, OWN, OTHER), Ok(false));
    session.handle_lost_link(now);
    session.handle_welcome(now, &welcome(None), budget());
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    assert!(session.poll_output().is_none());
    assert_eq!(
        session
            .diagnostics(Instant::now())
            .drops_of(DropReason::ForgedHeader),
        1
    );
}

#[test]
fn our_own_number_and_other_rooms_are_forged() {
    let mut session = joined();
    announce(&mut session, OWN_ID, Newcomer::Client(virtual_mac(OTHER)));
    assert_eq!(
        hear(&mut session, OWN_ID, OWN, OTHER),
        Err(DropReason::ForgedHeader)
    );
    let elsewhere = Header {
        room: RoomId::new(8).unwrap(),
        ..header(GATEWAY_ID)
    };
    let frame = FrameBuf::from_frame(&ipx(OWN, LAN_HOST)).into_datagram(elsewhere);
    let heard = session.handle_datagram(Instant::now(), frame);
    assert_eq!(heard, Err(DropReason::ForgedHeader));
}

#[test]
fn bytes_that_are_no_datagram_are_malformed() {
    let mut session = joined();
    let heard = session.handle_datagram(Instant::now(), Bytes::from_static(&[0; 30]));
    assert_eq!(heard, Err(DropReason::Malformed));
    assert_eq!(hear_bytes(&mut session, &[0; 5]), Err(DropReason::Runt));
}

#[test]
fn the_gateways_coming_and_going_is_known_at_once() {
    let mut session = Session::new(virtual_mac(OWN));
    session.handle_welcome(Instant::now(), &welcome(None), budget());
    assert!(!session.diagnostics(Instant::now()).gateway_present);
    announce(&mut session, GATEWAY_ID, Newcomer::Gateway);
    assert!(session.diagnostics(Instant::now()).gateway_present);
    assert_eq!(hear(&mut session, GATEWAY_ID, OWN, LAN_HOST), Ok(true));
    leave(&mut session, GATEWAY_ID);
    assert!(!session.diagnostics(Instant::now()).gateway_present);
}

#[test]
fn pieces_become_a_frame_whatever_their_order() {
    let mut session = joined();
    let now = Instant::now();
    let mut frame = ipx(OWN, LAN_HOST);
    frame.resize(1514, 0x5a);
    let mut pieces: Vec<_> = cut(&frame, 7).collect();
    pieces.reverse();
    let last = pieces.pop().unwrap();
    for piece in pieces {
        assert_eq!(session.handle_datagram(now, piece), Ok(None));
    }
    assert_eq!(session.handle_datagram(now, last).unwrap().unwrap(), frame);
    assert_eq!(session.counters().frames_from_relay, 1);
    assert_eq!(session.counters().datagrams_from_relay, 4);
}

#[test]
fn pieces_of_two_peers_never_meet() {
    let mut session = joined();
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    let now = Instant::now();
    let mut frame = ipx(OWN, OTHER);
    frame.resize(600, 0);
    let pieces: Vec<_> = cut(&frame, 7).collect();
    assert_eq!(session.handle_datagram(now, pieces[0].clone()), Ok(None));
    let mut rest = pieces[1].to_vec();
    rest[2..4].copy_from_slice(&OTHER_ID.to_be_bytes());
    assert_eq!(session.handle_datagram(now, rest.into()), Ok(None));
}

#[test]
fn frames_whose_pieces_never_come_are_counted() {
    let mut session = joined();
    let now = Instant::now();
    let mut frame = ipx(OWN, LAN_HOST);
    frame.resize(600, 0);
    for id in [7, 8, 9] {
        let first = cut(&frame, id).next().unwrap();
        assert_eq!(session.handle_datagram(now, first), Ok(None));
    }
    session.handle_timeout(now + STATS_INTERVAL);
    assert_eq!(
        session
            .diagnostics(Instant::now())
            .drops_of(DropReason::Incomplete),
        3
    );
}

#[test]
fn a_number_that_somebody_else_has_now_speaks_with_the_new_mac() {
    let mut session = joined();
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(OTHER)));
    announce(&mut session, OTHER_ID, Newcomer::Client(virtual_mac(THIRD)));
    assert_eq!(hear(&mut session, OTHER_ID, OWN, THIRD), Ok(true));
    assert_eq!(
        hear(&mut session, OTHER_ID, OWN, OTHER),
        Err(DropReason::UnauthorizedSourceMac)
    );
}

#[test]
fn who_is_announced_again_keeps_its_pieces() {
    let mut session = joined();
    let now = Instant::now();
    let mut frame = ipx(OWN, LAN_HOST);
    frame.resize(1514, 0x5a);
    let mut pieces: Vec<_> = cut(&frame, 7).collect();
    let last = pieces.pop().unwrap();
    for piece in pieces {
        assert_eq!(session.handle_datagram(now, piece), Ok(None));
    }
    announce(&mut session, GATEWAY_ID, Newcomer::Gateway);
    assert_eq!(session.handle_datagram(now, last).unwrap().unwrap(), frame);
}

#[test]
fn counters_go_to_the_relay_soon_and_then_every_five_seconds() {
    let now = Instant::now();
    let mut session = Session::new(virtual_mac(OWN));
    session.handle_welcome(now, &welcome(None), budget());
    send(&mut session, BROADCAST, OWN).unwrap();
    let due = session.poll_timeout().unwrap();
    assert_eq!(due, now + FIRST_STATS);
    session.handle_timeout(due - Duration::from_millis(1));
    assert!(session.poll_output().is_none());
    session.handle_timeout(due);
    let Some(PeerOutput::Message(PeerMessage::Stats(stats))) = session.poll_output() else {
        panic!("no stats");
    };
    assert_eq!(stats.frames_to_relay, 1);
    assert!(session.poll_output().is_none());
    let again = due + FIRST_STATS;
    assert_eq!(session.poll_timeout(), Some(again));
    session.handle_timeout(again);
    assert_eq!(session.poll_timeout(), Some(again + STATS_INTERVAL));
}

#[test]
fn frames_that_may_go_are_counted() {
    let mut session = joined();
    for to in [BROADCAST, LAN_HOST] {
        send(&mut session, to, OWN).unwrap();
    }
    let stats = session.counters();
    assert_eq!((stats.frames_to_relay, stats.bytes_to_relay), (2, 120));
}

#[test]
fn a_player_who_is_in_can_see_that() {
    let mut session = Session::new(virtual_mac(OWN));
    let of = |session: &Session| {
        let seen = session.diagnostics(Instant::now());
        (seen.relay_reachable, seen.datagram_budget)
    };
    assert_eq!(of(&session), (false, None));
    session.handle_welcome(Instant::now(), &welcome(None), budget());
    assert_eq!(of(&session), (true, Some(budget().number())));
    session.handle_lost_link(Instant::now());
    assert_eq!(of(&session), (false, None));
}

#[test]
fn broadcast_flows_while_it_comes_from_the_lan_on_this_link() {
    let (mut session, start) = (joined(), Instant::now());
    let flows = |session: &Session, after| {
        let now = start + Duration::from_secs(after);
        session.diagnostics(now).broadcast
    };
    announce(&mut session, 10, Newcomer::Client(virtual_mac(OTHER)));
    hear(&mut session, 10, BROADCAST, OTHER).unwrap();
    hear(&mut session, GATEWAY_ID, OWN, LAN_HOST).unwrap();
    assert!(!flows(&session, 0), "not the LAN's, or not to everybody");
    hear(&mut session, GATEWAY_ID, BROADCAST, LAN_HOST).unwrap();
    assert!(flows(&session, 170));
    assert!(!flows(&session, 200));
    session.handle_lost_link(start);
    session.handle_welcome(start, &welcome(Some(GATEWAY_ID)), budget());
    assert!(!flows(&session, 0), "that was another link");
}

#[test]
fn a_player_hears_what_the_own_machine_does_wrong_for_a_minute() {
    let (mut session, mut start) = (joined(), Instant::now());
    let mut said = |frame: &[u8]| {
        start += Duration::from_secs(60);
        let mut frame = FrameBuf::from_frame(frame);
        session.handle_frame(start, &mut frame).unwrap_err();
        let at = |after| {
            session
                .diagnostics(start + Duration::from_secs(after))
                .notice
        };
        assert_eq!(at(60), None);
        let said = at(59).unwrap();
        // Another fault does not make the status flicker.
        let mut stranger = FrameBuf::from_frame(&ipx(BROADCAST, THIRD));
        session.handle_frame(start, &mut stranger).unwrap_err();
        assert_eq!(session.diagnostics(start).notice.as_ref(), Some(&said));
        said
    };
    let mut claim = [
        &BROADCAST[..],
        &OWN,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2],
        &OTHER,
    ]
    .concat();
    claim.resize(60, 1);
    assert!(said(&claim).contains("proxy ARP"));
    let mut question = [&BROADCAST[..], &OWN, &[8, 0]].concat();
    question.extend([0x45, 0, 1, 20, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0]);
    question.extend([255, 255, 255, 255, 0, 68, 0, 67, 1, 8, 0, 0, 1, 1, 6, 0]);
    let hardware_address = question.len() + 24;
    question.resize(14 + 276, 0);
    question[hardware_address..][..6].copy_from_slice(&OTHER);
    question.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255]);
    assert!(said(&question).contains("dhclient.conf"));
    assert!(said(&ipx(BROADCAST, OTHER)).contains("out of bridges"));
}

#[test]
fn tcp_learns_both_ways_what_fits() {
    let mut session = joined();
    let limit = (budget().whole_packet() - 40) as u16;
    let mut leaving = FrameBuf::from_frame(&syn(LAN_HOST, OWN));
    session.handle_frame(Instant::now(), &mut leaving).unwrap();
    assert_eq!(mss_of(leaving.frame()), limit);
    let coming = datagram(GATEWAY_ID, &syn(OWN, LAN_HOST));
    let coming = session
        .handle_datagram(Instant::now(), coming)
        .unwrap()
        .unwrap();
    assert_eq!(mss_of(&coming), limit);
}

#[test]
fn a_room_without_end_is_not_remembered() {
    let mut session = Session::new(virtual_mac(OWN));
    session.handle_welcome(Instant::now(), &welcome(None), budget());
    for id in 10..10 + MAX_CLIENTS as u16 + 5 {
        announce(&mut session, id, Newcomer::Client(virtual_mac(OTHER)));
    }
    assert_eq!(
        session.place.as_ref().unwrap().neighbours.len(),
        MAX_CLIENTS
    );
    announce(&mut session, GATEWAY_ID, Newcomer::Gateway);
    assert!(session.diagnostics(Instant::now()).gateway_present);
}

trait DropsOf {
    fn drops_of(&self, reason: DropReason) -> u64;
}

impl DropsOf for Diagnostics {
    fn drops_of(&self, reason: DropReason) -> u64 {
        self.stats.drops.of(reason)
    }
}

fn joined() -> Session {
    let mut session = Session::new(virtual_mac(OWN));
    session.handle_welcome(Instant::now(), &welcome(Some(GATEWAY_ID)), budget());
    session
}

fn budget() -> DatagramBudget {
    DatagramBudget::MIN
}

fn welcome(gateway: Option<u16>) -> Welcome {
    Welcome {
        room_id: RoomId::new(7).unwrap(),
        peer_id: PeerId::new(OWN_ID).unwrap(),
        effective_mtu: IpMtu::MIN,
        gateway: gateway.and_then(PeerId::new),
        resume_token: ResumeToken::from_random([0; 16]),
        capabilities: Vec::new(),
        term: None,
        fence: None,
        region: None,
    }
}

fn announce(session: &mut Session, id: u16, who: Newcomer) {
    let joined = RelayMessage::PeerJoined(peer_joined(id, who));
    session.handle_control(Instant::now(), joined);
}

fn peer_joined(id: u16, who: Newcomer) -> PeerJoined {
    PeerJoined {
        peer_id: PeerId::new(id).unwrap(),
        role: who.role(),
        mac: who.mac(),
        name: None,
        identity: None,
        host_challenge: None,
        tells_groups: false,
        takes_new_keys: false,
        term: None,
    }
}

fn leave(session: &mut Session, id: u16) {
    let left = PeerLeft {
        peer_id: PeerId::new(id).unwrap(),
        reason: LeaveReason::Leaving,
    };
    session.handle_control(Instant::now(), RelayMessage::PeerLeft(left));
}

fn send(session: &mut Session, to: [u8; 6], from: [u8; 6]) -> Result<(), DropReason> {
    session.handle_frame(Instant::now(), &mut FrameBuf::from_frame(&ipx(to, from)))
}

/// Whether a frame that peer `id` sent came through whole.
fn hear(session: &mut Session, id: u16, to: [u8; 6], from: [u8; 6]) -> Result<bool, DropReason> {
    let heard = session.handle_datagram(Instant::now(), datagram(id, &ipx(to, from)));
    heard.map(|frame| frame.is_some())
}

fn hear_bytes(session: &mut Session, frame: &[u8]) -> Result<bool, DropReason> {
    let heard = session.handle_datagram(Instant::now(), datagram(GATEWAY_ID, frame));
    heard.map(|frame| frame.is_some())
}

fn datagram(origin: u16, frame: &[u8]) -> Bytes {
    FrameBuf::from_frame(frame).into_datagram(header(origin))
}

fn header(origin: u16) -> Header {
    Header {
        peer: PeerId::new(origin).unwrap(),
        room: RoomId::new(7).unwrap(),
        fragment: false,
    }
}

fn cut(frame: &[u8], id: u16) -> impl Iterator<Item = Bytes> {
    fragment::cut(header(GATEWAY_ID), id, frame, budget())
}

fn virtual_mac(octets: [u8; 6]) -> VirtualMac {
    MacAddr::new(octets).try_into().unwrap()
}

fn ipx(destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x81, 0x37]);
    frame.resize(60, 0);
    frame
}

/// An IPv4 TCP SYN that offers 1460 bytes per segment.
fn syn(destination: [u8; 6], source: [u8; 6]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend([0x08, 0x00]);
    frame.extend([
        0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    frame.extend([
        0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x60, 0x02, 0, 0, 0, 0, 0, 0,
    ]);
    frame.extend([2, 4, 0x05, 0xb4, 0, 0]);
    frame
}

fn mss_of(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[56], frame[57]])
}
