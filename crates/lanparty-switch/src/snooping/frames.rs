//! The frames with which a client asks its machine for its groups, and says them to the room.

use lanparty_proto::MacAddr;
use lanparty_proto::checksum::Sum;
use lanparty_proto::ip::ICMPV6;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::message::IGMP;

/// From whom the questions are, in the machine's eyes: nobody else has this address, and no frame with it leaves the
/// machine.
const ASKER: MacAddr = MacAddr::new([0x0e, b'l', b'a', b'n', 0, 1]);
/// Its address in IPv6, made of the other as RFC 4291 (appendix A) has it; a question from none is not heard.
const ASKER_V6: [u8; 16] = [
    0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x0c, b'l', b'a', 0xff, 0xfe, b'n', 0, 1,
];
/// The next question comes after so many seconds.
const PERIOD: u8 = 125;
/// How often we ask before we give up, for the machine's own sums (RFC 3376 §4.1.6).
const ROBUSTNESS: u8 = 2;
/// "This group, from any source" (RFC 3376 §4.2.12, RFC 3810 §5.2.12).
const IS_EXCLUDE: u8 = 2;
/// Routers shall look into this packet (RFC 2113, RFC 2711).
const ROUTER_ALERT_V4: [u8; 4] = [0x94, 4, 0, 0];
const ROUTER_ALERT_V6: [u8; 8] = [ICMPV6, 0, 5, 2, 0, 0, 1, 0];

/// "Which groups do you want?", to be answered within a second (RFC 3376 §4.1), from no address, as switches ask
/// (RFC 4541 §2.1.1).
pub(super) fn question_v4() -> Vec<u8> {
    const TENTHS: u8 = 10;
    let question = vec![0x11, TENTHS, 0, 0, 0, 0, 0, 0, ROBUSTNESS, PERIOD, 0, 0];
    let all_machines = [224, 0, 0, 1];
    v4(ASKER, Ipv4Addr::UNSPECIFIED, all_machines, question)
}

/// The same in IPv6 (RFC 3810 §5.1).
pub(super) fn question_v6() -> Vec<u8> {
    const MILLISECONDS: [u8; 2] = 1000u16.to_be_bytes();
    let mut question = vec![130, 0, 0, 0, MILLISECONDS[0], MILLISECONDS[1], 0, 0];
    question.extend([0; 16]);
    question.extend([ROBUSTNESS, PERIOD, 0, 0]);
    let all_machines = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    v6(ASKER, ASKER_V6.into(), all_machines, question)
}

/// "I want these groups" (RFC 3376 §4.2), to all routers.
pub(super) fn report_v4(from: MacAddr, source: Ipv4Addr, groups: &[Ipv4Addr]) -> Vec<u8> {
    let report = report(0x22, groups.iter().map(Ipv4Addr::octets));
    v4(from, source, [224, 0, 0, 22], report)
}

/// The same in IPv6 (RFC 3810 §5.2).
pub(super) fn report_v6(from: MacAddr, source: Ipv6Addr, groups: &[Ipv6Addr]) -> Vec<u8> {
    let report = report(143, groups.iter().map(Ipv6Addr::octets));
    let all_routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
    v6(from, source, all_routers, report)
}

fn report<const LEN: usize>(kind: u8, groups: impl ExactSizeIterator<Item = [u8; LEN]>) -> Vec<u8> {
    let [high, low] = u16::try_from(groups.len())
        .expect("there are few")
        .to_be_bytes();
    let mut report = vec![kind, 0, 0, 0, 0, 0, high, low];
    for group in groups {
        report.extend([IS_EXCLUDE, 0, 0, 0]);
        report.extend(group);
    }
    report
}

fn v4(from: MacAddr, source: Ipv4Addr, to: [u8; 4], mut message: Vec<u8>) -> Vec<u8> {
    set_checksum(&mut message, Sum::of(&[]));
    let [high, low] = length(24 + message.len());
    // Internetwork control (RFC 791), not in pieces, for one hop.
    let mut header = vec![0x46, 0xc0, high, low, 0, 0, 0x40, 0, 1, IGMP, 0, 0];
    header.extend(source.octets());
    header.extend(to);
    header.extend(ROUTER_ALERT_V4);
    let checksum = Sum::of(&header).checksum().to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    let to = MacAddr::new([1, 0, 0x5e, to[1] & 0x7f, to[2], to[3]]);
    [&ethernet(to, from, [8, 0])[..], &header, &message].concat()
}

fn v6(from: MacAddr, source: Ipv6Addr, to: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("it fits a frame");
    let (source, to) = (source.octets(), to.octets());
    set_checksum(&mut message, Sum::pseudo_v6(source, to, ICMPV6, len));
    let [high, low] = length(ROUTER_ALERT_V6.len() + message.len());
    let header = [&[0x60, 0, 0, 0, high, low, 0, 1][..], &source, &to].concat();
    let mac = MacAddr::new([0x33, 0x33, to[12], to[13], to[14], to[15]]);
    [
        &ethernet(mac, from, [0x86, 0xdd])[..],
        &header,
        &ROUTER_ALERT_V6,
        &message,
    ]
    .concat()
}

/// IGMP and ICMPv6 have it in the same place.
fn set_checksum(message: &mut [u8], mut sum: Sum) {
    sum += Sum::of(message);
    message[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
}

fn length(len: usize) -> [u8; 2] {
    u16::try_from(len).expect("it fits a frame").to_be_bytes()
}

fn ethernet(to: MacAddr, from: MacAddr, ether_type: [u8; 2]) -> Vec<u8> {
    [&to.octets()[..], &from.octets(), &ether_type].concat()
}
