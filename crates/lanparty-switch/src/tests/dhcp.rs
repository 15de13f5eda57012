//! What may be asked of DHCP servers, and which of their answers give an address (spec R103).

use super::*;
use crate::dhcp::Lease;
use crate::judge::read;
use crate::said::Said;
use lanparty_proto::EthernetFrame;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const SPOOF: Result<(), DropReason> = Err(DropReason::DhcpSpoof);
const HIS: [u8; 4] = [192, 168, 50, 7];
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A message of the given operation for our own MAC, with these options.
fn message(operation: u8, options: &[&[u8]]) -> Vec<u8> {
    let mut message = vec![operation, 1, 6, 0];
    message.resize(240, 0);
    message[28..34].copy_from_slice(&OWN.octets());
    message[236..].copy_from_slice(&COOKIE);
    message.extend(options.concat());
    message
}

fn question(options: &[&[u8]]) -> Vec<u8> {
    message(1, options)
}

fn ask(message: &[u8]) -> Result<(), DropReason> {
    let frame = ethernet(MacAddr::BROADCAST, IPV4, &udp_v4(68, 67, message));
    assert_eq!(
        judge(&frame, Speaker::Lan),
        Ok(()),
        "the LAN may ask for all"
    );
    judge(&frame, CLIENT)
}

/// The same with bytes changed.
fn with(mut message: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, bytes) in changes {
        message[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    message
}

fn identifier(kind: u8, mac: MacAddr) -> Vec<u8> {
    [&[61, 7, kind][..], &mac.octets()].concat()
}

#[test]
fn a_player_asks_for_itself_in_every_way_that_clients_do() {
    let own = identifier(1, OWN);
    let duid = [&[61, 15, 255, 0, 0, 0, 1, 0, 3, 0, 1][..], &OTHER.octets()].concat();
    for (name, message) in [
        ("DISCOVER", question(&[&[53, 1, 1, 255]])),
        (
            "REQUEST",
            question(&[&[53, 1, 3], &own, &[50, 4, 192, 168, 50, 7, 255]]),
        ),
        (
            "DECLINE",
            question(&[&[53, 1, 4, 50, 4, 192, 168, 50, 7, 255]]),
        ),
        ("RELEASE", question(&[&[53, 1, 7], &own, &[255]])),
        ("INFORM", question(&[&[53, 1, 8, 255]])),
        ("BOOTP", question(&[&[255], &[0; 59]])),
        (
            "BOOTP of old",
            with(question(&[&[0; 60]]), &[(236, &[0; 4])]),
        ),
        ("no end", question(&[&[53, 1, 1]])),
        ("pads", question(&[&[0, 0, 53, 1, 1, 0, 0, 255, 0, 0, 0]])),
        (
            "a name as identifier",
            question(&[&[53, 1, 1, 61, 5, 0, b'a', b'b', b'c', b'd', 255]]),
        ),
        (
            "a machine's identifier",
            question(&[&[53, 1, 1], &duid, &[255]]),
        ),
        (
            "more than fits",
            with(
                question(&[&[52, 1, 3, 53, 1, 1, 255]]),
                &[(108, &[12, 2, b'p', b'c', 255]), (44, &own), (53, &[255])],
            ),
        ),
    ] {
        assert_eq!(ask(&message), Ok(()), "{name}");
    }
}

#[test]
fn a_player_asks_for_nobody_else_however_it_hides_that() {
    let (own, his) = (identifier(1, OWN), identifier(1, OTHER));
    let kind: &[u8] = &[53, 1, 3];
    let end: &[u8] = &[255];
    let plain = || question(&[kind, end]);
    let half = [
        &[61, 3, 1][..],
        &OTHER.octets()[..2],
        &[61, 4],
        &OTHER.octets()[2..],
    ]
    .concat();
    for (name, message) in [
        (
            "his hardware address",
            with(plain(), &[(28, &OTHER.octets())]),
        ),
        ("no hardware address", with(plain(), &[(28, &[0; 6])])),
        ("other hardware", with(plain(), &[(1, &[6])])),
        ("a longer address", with(plain(), &[(2, &[16])])),
        ("no address", with(plain(), &[(2, &[0])])),
        (
            "through a relay agent",
            with(plain(), &[(24, &[192, 168, 50, 1])]),
        ),
        ("one hop away", with(plain(), &[(3, &[1])])),
        (
            "with a relay agent's option",
            question(&[kind, &[82, 2, 1, 0], end]),
        ),
        ("his identifier", question(&[kind, &his, end])),
        ("his after ours", question(&[kind, &own, &his, end])),
        ("ours twice", question(&[kind, &own, &own, end])),
        ("his in pieces", question(&[kind, &half, end])),
        (
            "ours and more",
            question(&[kind, &[61, 8, 1], &OWN.octets(), &[0], end]),
        ),
        ("an identifier of nothing", question(&[kind, &[61, 0], end])),
        (
            "his in the file",
            with(
                question(&[kind, &[52, 1, 1], end]),
                &[(108, &his), (117, end)],
            ),
        ),
        (
            "his in the server's name",
            with(
                question(&[kind, &[52, 1, 2], end]),
                &[(44, &his), (53, end)],
            ),
        ),
        (
            "a relay agent in the file",
            with(
                question(&[kind, &[52, 1, 3], end]),
                &[(108, &[82, 0, 255]), (44, end)],
            ),
        ),
        ("what a server says", question(&[&[53, 1, 2], end])),
        ("an acknowledgement", question(&[&[53, 1, 5], end])),
        ("two things at once", question(&[kind, &[53, 1, 7], end])),
        ("nothing at length", question(&[&[53, 2, 3, 3], end])),
        (
            "an option beyond the end",
            question(&[kind, &[12, 9, b'x']]),
        ),
        ("half an option", question(&[kind, &[12]])),
        (
            "a file without an end",
            with(question(&[kind, &[52, 1, 1], end]), &[(108, &[12, 200])]),
        ),
        ("cut in the fields", plain()[..235].to_vec()),
        ("no operation of DHCP", with(plain(), &[(0, &[3])])),
    ] {
        assert_eq!(ask(&message), SPOOF, "{name}");
    }
    assert_eq!(
        ask(&message(2, &[kind, end])),
        Err(DropReason::DhcpServerReply)
    );
}

#[test]
fn both_lengths_of_a_question_say_the_same_and_it_comes_whole() {
    let honest = question(&[&[53, 1, 3, 255], &identifier(1, OTHER)]);
    let mut datagram = udp(68, 67, &honest);
    let shorter = u16::try_from(datagram.len() - 9).unwrap().to_be_bytes();
    datagram[4..6].copy_from_slice(&shorter);
    let frame = ethernet(MacAddr::BROADCAST, IPV4, &v4(17, &datagram));
    assert_eq!(judge(&frame, CLIENT), SPOOF);
    let first = fragment_v4(0, true, 17, &udp(68, 67, &honest));
    assert_eq!(judge(&ethernet(OTHER, IPV4, &first), CLIENT), hidden());
    let from_anywhere = udp_v4(50_000, 67, &with(honest, &[(28, &OTHER.octets())]));
    assert_eq!(judge(&ethernet(OTHER, IPV4, &from_anywhere), CLIENT), SPOOF);
}

#[test]
fn what_is_given_up_is_read_from_where_the_server_reads_it() {
    let gives_up = |message: &[u8]| {
        let frame = ethernet(MacAddr::BROADCAST, IPV4, &udp_v4(68, 67, message));
        match read(EthernetFrame::parse(&frame).unwrap()) {
            Said::DhcpQuestion(question) => question.gives_up(),
            said => panic!("{said:?}"),
        }
    };
    let his = Some(Ipv4Addr::from(HIS));
    let release = with(question(&[&[53, 1, 7, 255]]), &[(12, &HIS)]);
    assert_eq!(gives_up(&release), his);
    let decline = question(&[&[53, 1, 4, 50, 4, 192, 168, 50, 7, 255]]);
    assert_eq!(gives_up(&decline), his);
    let request = with(
        question(&[&[53, 1, 3, 50, 4, 192, 168, 50, 7, 255]]),
        &[(12, &HIS)],
    );
    assert_eq!(gives_up(&request), None);
    assert_eq!(gives_up(&question(&[&[53, 1, 7, 255]])), None);
}

/// The lease in a server's answer to everybody.
fn leased(message: &[u8]) -> Option<Lease> {
    leased_by(&ethernet(
        MacAddr::BROADCAST,
        IPV4,
        &udp_v4(67, 68, message),
    ))
}

fn leased_by(frame: &[u8]) -> Option<Lease> {
    read(EthernetFrame::parse(frame).unwrap()).lease()
}

fn answer(options: &[&[u8]]) -> Vec<u8> {
    with(message(2, options), &[(16, &HIS)])
}

fn lease(seconds: u64) -> Lease {
    Lease {
        mac: OWN,
        address: HIS.into(),
        duration: Duration::from_secs(seconds),
        lan: [
            Some([192, 168, 50, 2].into()),
            Some([192, 168, 50, 1].into()),
        ],
    }
}

#[test]
fn an_acknowledgement_is_a_lease_in_every_legal_form() {
    const ACK: &[u8] = &[53, 1, 5];
    const TIME: &[u8] = &[51, 4, 0, 0, 14, 16];
    const SERVER: &[u8] = &[54, 4, 192, 168, 50, 2];
    const ROUTERS: &[u8] = &[3, 8, 192, 168, 50, 1, 192, 168, 50, 3];
    const END: &[u8] = &[255];
    let forever = u64::from(u32::MAX);
    for (name, message, seconds) in [
        (
            "plain",
            answer(&[&[0], ACK, SERVER, ROUTERS, TIME, END]),
            3600,
        ),
        (
            "without a time",
            answer(&[ACK, SERVER, ROUTERS, END]),
            forever,
        ),
        (
            "for ever",
            answer(&[ACK, &[51, 4, 255, 255, 255, 255], SERVER, ROUTERS]),
            forever,
        ),
        (
            "in pieces",
            answer(&[
                ACK,
                &[51, 1, 0],
                &[3, 3, 192, 168, 50],
                SERVER,
                &[51, 3, 0, 14, 16],
                &[3, 1, 1],
                END,
            ]),
            3600,
        ),
        (
            "in the file",
            with(
                answer(&[SERVER, &[52, 1, 1], ROUTERS, END]),
                &[(108, ACK), (111, TIME), (117, END)],
            ),
            3600,
        ),
        (
            "in the server's name",
            with(
                answer(&[SERVER, &[52, 1, 2], ROUTERS, END]),
                &[(44, ACK), (47, TIME), (53, END)],
            ),
            3600,
        ),
        (
            "in pieces from file to name",
            with(
                answer(&[ACK, &[52, 1, 3], SERVER, ROUTERS, &[51, 2, 0, 0], END]),
                &[(44, &[51, 1, 16, 255]), (108, &[51, 1, 14, 255])],
            ),
            3600,
        ),
        ("BOOTP's", answer(&[SERVER, ROUTERS, END]), forever),
    ] {
        assert_eq!(leased(&message), Some(lease(seconds)), "{name}");
    }
    let bare = with(answer(&[&[0; 60]]), &[(236, &[0; 4])]);
    let bootp = Lease {
        lan: [None, None],
        ..lease(forever)
    };
    assert_eq!(leased(&bare), Some(bootp), "BOOTP's without a cookie");
}

#[test]
fn other_answers_are_no_lease() {
    const ACK: &[u8] = &[53, 1, 5, 51, 4, 0, 0, 14, 16, 255];
    for (name, message) in [
        ("an offer", answer(&[&[53, 1, 2, 51, 4, 0, 0, 14, 16, 255]])),
        ("a refusal", answer(&[&[53, 1, 6, 255]])),
        ("an answer to INFORM", message(2, &[ACK])),
        ("for other hardware", with(answer(&[ACK]), &[(1, &[6])])),
        ("half a time", answer(&[&[53, 1, 5, 51, 2, 0, 14, 255]])),
        ("two times", answer(&[&[51, 4, 0, 0, 14, 16], ACK])),
        (
            "what a file says that nobody reads",
            with(answer(&[&[53, 1, 2, 255]]), &[(108, &[53, 1, 5, 255])]),
        ),
        ("a question", with(question(&[ACK]), &[(16, &HIS)])),
    ] {
        assert_eq!(leased(&message), None, "{name}");
    }
    let packet = udp_v4(67, 68, &answer(&[ACK]));
    let to = |mac| leased_by(&ethernet(mac, IPV4, &packet)).is_some();
    assert_eq!((to(OWN), to(OTHER)), (true, false), "only to that machine");
    for ports in [(67, 67), (68, 68), (68, 67)] {
        let packet = udp_v4(ports.0, ports.1, &answer(&[ACK]));
        assert_eq!(
            leased_by(&ethernet(MacAddr::BROADCAST, IPV4, &packet)),
            None
        );
    }
    for len in 0..packet.len() {
        let mut packet = packet[..len].to_vec();
        if let Some(total) = packet.get_mut(2..4) {
            total.copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        }
        let frame = ethernet(MacAddr::BROADCAST, IPV4, &packet);
        assert_eq!(leased_by(&frame), None, "cut after {len}");
    }
}

fn ask_v6(kind: u8, options: &[&[u8]]) -> Result<(), DropReason> {
    judge(&six(kind, options), CLIENT)
}

fn six(kind: u8, options: &[&[u8]]) -> Vec<u8> {
    let message = [&[kind, 1, 2, 3][..], &options.concat()].concat();
    ethernet(OTHER, IPV6, &v6(17, &udp(546, 547, &message)))
}

#[test]
fn a_player_asks_dhcpv6_servers_as_clients_do() {
    // Of any adapter that the machine has had (RFC 8415 §11).
    let machine = [&[0, 1, 0, 10, 0, 3, 0, 1][..], &OTHER.octets()].concat();
    for kind in [1, 3, 4, 5, 6, 8, 9, 11, 36] {
        assert_eq!(
            ask_v6(kind, &[&machine, &[0, 6, 0, 2, 0, 23]]),
            Ok(()),
            "{kind}"
        );
    }
    for kind in [2, 7, 10, 13, 21] {
        assert_eq!(
            ask_v6(kind, &[&machine]),
            Err(DropReason::Dhcpv6ServerReply),
            "{kind}"
        );
    }
    for (name, kind, options) in [
        ("through a relay agent", 12, &[&machine[..]][..]),
        ("for IPv4", 20, &[&machine]),
        ("a lease query", 14, &[&machine]),
        ("two identifiers", 1, &[&machine, &machine]),
        ("half an option", 1, &[&machine, &[0, 6, 0]]),
        ("an option beyond the end", 1, &[&machine, &[0, 6, 0, 9, 1]]),
    ] {
        assert_eq!(ask_v6(kind, options), SPOOF, "{name}");
    }
    let empty = ethernet(OTHER, IPV6, &v6(17, &udp(546, 547, &[1, 2, 3])));
    assert_eq!(judge(&empty, CLIENT), hidden());
    let first = fragment_v6(0, true, 17, &udp(546, 547, &[1; 24]));
    assert_eq!(judge(&ethernet(OTHER, IPV6, &first), CLIENT), hidden());
}

#[test]
fn dhcpv6_names_a_machine_and_gives_up_addresses() {
    let question = |frame: &[u8]| {
        let said = read(EthernetFrame::parse(frame).unwrap());
        let Said::Dhcpv6Question(question) = said else {
            panic!("{said:?}");
        };
        (said.machine(), question.gives_up().collect::<Vec<_>>())
    };
    let address = |last| Ipv6Addr::from([0xfd77, 0, 0, 0, 0, 0, 0, last]);
    let option = |last| [&[0, 5, 0, 24][..], &address(last).octets(), &[0; 8]].concat();
    let permanent = [&[0, 3, 0, 68][..], &[0; 12], &option(1), &option(2)].concat();
    let temporary = [&[0, 4, 0, 32][..], &[0; 4], &option(3)].concat();
    let by_time = [&[0, 1, 0, 14, 0, 1, 0, 1, 9, 9, 9, 9][..], &OTHER.octets()].concat();
    let all = [address(1), address(2), address(3)];
    for kind in [8, 9] {
        let frame = six(kind, &[&by_time, &permanent, &temporary]);
        assert_eq!(question(&frame), (Some(OTHER), all.to_vec()), "{kind}");
    }
    let vendors = [0, 1, 0, 6, 0, 2, 0, 1, 7, 7];
    assert_eq!(question(&six(5, &[&vendors, &permanent])), (None, vec![]));
}
