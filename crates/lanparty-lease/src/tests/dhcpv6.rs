//! DHCPv6.

use super::frames::udp_over_v6;
use super::{edited, message};
use crate::Refused;
use crate::dhcpv6::{NOBODYS, is_taken};

/// Ethernet, IPv6 and UDP.
const HEADERS: usize = 62;

fn option(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap();
    [&kind.to_be_bytes()[..], &len.to_be_bytes(), value].concat()
}

fn nobodys(len: usize) -> Vec<u8> {
    option(NOBODYS, &vec![0; len])
}

fn reply(options: &[Vec<u8>]) -> Vec<u8> {
    [&[7, 1, 2, 3][..], &options.concat()].concat()
}

fn answer(options: &[Vec<u8>]) -> Vec<u8> {
    message(&udp_over_v6((547, 546), &reply(options)), HEADERS)
}

#[test]
fn each_number_is_renamed_or_left_whole() {
    for kind in (1..=160).chain([1000, 0xffff]) {
        if matches!(kind, 3..=5) {
            continue;
        }
        let expected = match is_taken(kind) {
            true => nobodys(3),
            false => option(kind, &[7, 8, 9]),
        };
        assert_eq!(
            answer(&[option(kind, &[7, 8, 9])]),
            reply(&[expected]),
            "{kind}"
        );
    }
    assert!(
        [23, 24, 31, 56, 64, 87, 103, 113, 144]
            .into_iter()
            .all(is_taken)
    );
    assert!(
        ![1, 2, 3, 4, 5, 7, 13, 14, 20, 32, 82]
            .into_iter()
            .any(is_taken)
    );
}

#[test]
fn what_stands_inside_an_address_goes_as_well() {
    let address = |inner: &[u8]| option(5, &[&[0xfd; 24], inner].concat());
    let status = option(13, &[0, 0]);
    let association = |servers: &[u8]| {
        let inner = [address(&[servers, &status].concat()), servers.to_vec()].concat();
        option(3, &[&[1; 12], &inner[..]].concat())
    };
    let temporary = |servers: &[u8]| option(4, &[&[1; 4], servers].concat());
    let (servers, none) = (option(23, &[0xfe; 16]), nobodys(16));
    assert_eq!(
        answer(&[association(&servers), temporary(&servers)]),
        reply(&[association(&none), temporary(&none)])
    );
}

#[test]
fn what_cannot_be_walked_to_its_end_is_refused() {
    let nested = |depth: usize| {
        (0..depth).fold(option(13, &[0, 0]), |inner, _| {
            option(4, &[&[1; 4], &inner[..]].concat())
        })
    };
    for options in [
        vec![0, 23, 0, 16, 1, 2],
        vec![0, 23, 0],
        vec![0],
        option(3, &[1; 11]),
        option(3, &[&[1; 12][..], &[0, 23, 0, 9]].concat()),
        nested(3),
    ] {
        let frame = udp_over_v6((547, 546), &reply(&[options]));
        assert_eq!(edited(&frame), Err(Refused::Broken), "{frame:02x?}");
    }
    assert_eq!(answer(&[nested(2)]), reply(&[nested(2)]));
    for bytes in [&[7_u8, 1, 2][..], &[], &[13; 40], &[12; 40]] {
        let frame = udp_over_v6((547, 546), bytes);
        assert_eq!(edited(&frame), Err(Refused::Broken), "{bytes:?}");
    }
}
