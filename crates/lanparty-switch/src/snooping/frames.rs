//! The frames with which machines are asked for their groups, and with which a client, and the gateway, say them.

use super::message::IGMP;
use lanparty_proto::MacAddr;
use lanparty_proto::checksum::Sum;
use lanparty_proto::ip::ICMPV6;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// From whom a client's questions are, in the machine's eyes: nobody else has this address, and no frame with it leaves
/// the machine.
pub(super) const ASKER: MacAddr = MacAddr::new([0x0e, b'l', b'a', b'n', 0, 1]);
/// The next question comes after so many seconds.
const PERIOD: u8 = 125;
/// How often we ask before we give up, for the machine's own sums (RFC 3376 §4.1.6).
const ROBUSTNESS: u8 = 2;
/// Routers shall look into this packet (RFC 2113, RFC 2711).
const ROUTER_ALERT_V4: [u8; 4] = [0x94, 4, 0, 0];
const ROUTER_ALERT_V6: [u8; 8] = [ICMPV6, 0, 5, 2, 0, 0, 1, 0];
/// What the newest versions say to: all routers that snoop, or route, groups.
const ROUTERS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const ROUTERS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// How many groups one report names: as many as the smallest packet of IPv6 holds (RFC 8200 §5).
pub(super) const GROUPS_V4: usize = 128;
pub(super) const GROUPS_V6: usize = 60;

/// What is said about a group, by the numbers of RFC 3376 §4.2.12 and RFC 3810 §5.2.12. Sources are not named: it is
/// wanted from all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// It is wanted, as it was before.
    Wanted = 2,
    /// It is not wanted any more.
    Left = 3,
    /// It is wanted from now on.
    Joined = 4,
}

/// "Which groups do you want?" in IPv4 and IPv6, to be answered within a second.
///
/// IPv4's is from no address, as switches ask (RFC 4541 §2.1.1). IPv6's is from the one that is made of the MAC: a
/// question from none is not heard (RFC 3810 §5.1.14).
pub fn questions(from: MacAddr) -> [Vec<u8>; 2] {
    [question_v4(from), question_v6(from)]
}

/// RFC 3376 §4.1.
fn question_v4(from: MacAddr) -> Vec<u8> {
    const TENTHS: u8 = 10;
    let question = vec![0x11, TENTHS, 0, 0, 0, 0, 0, 0, ROBUSTNESS, PERIOD, 0, 0];
    let all_machines = Ipv4Addr::new(224, 0, 0, 1);
    v4(from, Ipv4Addr::UNSPECIFIED, all_machines, question)
}

/// RFC 3810 §5.1.
fn question_v6(from: MacAddr) -> Vec<u8> {
    const MILLISECONDS: [u8; 2] = 1000u16.to_be_bytes();
    let mut question = vec![130, 0, 0, 0, MILLISECONDS[0], MILLISECONDS[1], 0, 0];
    question.extend([0; 16]);
    question.extend([ROBUSTNESS, PERIOD, 0, 0]);
    let all_machines = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    v6(from, link_local(from), all_machines, question)
}

/// The address of one link that is made of a MAC (RFC 4291, appendix A).
pub(super) fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.octets();
    let [id, zero] = [[a ^ 2, b, c, 0xff, 0xfe, d, e, f], [0; 8]];
    let mut octets = [zero, id].concat();
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    Ipv6Addr::from(<[u8; 16]>::try_from(octets).expect("twice eight"))
}

/// Says these groups in the newest version (RFC 3376 §4.2, RFC 3810 §5.2), in as many frames as it takes. They are all
/// of the source's protocol.
pub(super) fn reports(
    from: MacAddr,
    source: IpAddr,
    groups: impl IntoIterator<Item = (Group, IpAddr)>,
) -> Vec<Vec<u8>> {
    let groups: Vec<_> = groups.into_iter().collect();
    match source {
        IpAddr::V4(source) => groups
            .chunks(GROUPS_V4)
            .map(|groups| v4(from, source, ROUTERS_V4, records(0x22, groups)))
            .collect(),
        IpAddr::V6(source) => groups
            .chunks(GROUPS_V6)
            .map(|groups| v6(from, source, ROUTERS_V6, records(143, groups)))
            .collect(),
    }
}

fn records(kind: u8, groups: &[(Group, IpAddr)]) -> Vec<u8> {
    let [high, low] = u16::try_from(groups.len())
        .expect("there are few")
        .to_be_bytes();
    let mut report = vec![kind, 0, 0, 0, 0, 0, high, low];
    for &(said, group) in groups {
        report.extend([said as u8, 0, 0, 0]);
        match group {
            IpAddr::V4(group) => report.extend(group.octets()),
            IpAddr::V6(group) => report.extend(group.octets()),
        }
    }
    report
}

/// Says one group in the first version of IGMP or MLD, or IGMP's second; nothing where that has no word for it.
pub(super) fn old_report(
    (from, source): (MacAddr, IpAddr),
    version: u8,
    (said, group): (Group, IpAddr),
) -> Option<Vec<u8>> {
    match (source, group) {
        (IpAddr::V4(source), IpAddr::V4(group)) => {
            let (kind, to) = match (said, version) {
                (Group::Left, 1) => return None,
                (Group::Left, _) => (0x17, Ipv4Addr::new(224, 0, 0, 2)),
                (_, 1) => (0x12, group),
                _ => (0x16, group),
            };
            let message = [&[kind, 0, 0, 0], &group.octets()[..]].concat();
            Some(v4(from, source, to, message))
        }
        (IpAddr::V6(source), IpAddr::V6(group)) => {
            let (kind, to) = match said {
                Group::Left => (132, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2)),
                Group::Wanted | Group::Joined => (131, group),
            };
            let message = [&[kind, 0, 0, 0, 0, 0, 0, 0], &group.octets()[..]].concat();
            Some(v6(from, source, to, message))
        }
        _ => None,
    }
}

fn v4(from: MacAddr, source: Ipv4Addr, to: Ipv4Addr, mut message: Vec<u8>) -> Vec<u8> {
    set_checksum(&mut message, Sum::of(&[]));
    let [high, low] = length(24 + message.len());
    // Internetwork control (RFC 791), not in pieces, for one hop.
    let mut header = vec![0x46, 0xc0, high, low, 0, 0, 0x40, 0, 1, IGMP, 0, 0];
    header.extend(source.octets());
    header.extend(to.octets());
    header.extend(ROUTER_ALERT_V4);
    let checksum = Sum::of(&header).checksum().to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    let [_, b, c, d] = to.octets();
    let to = MacAddr::new([1, 0, 0x5e, b & 0x7f, c, d]);
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
