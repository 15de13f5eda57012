//! Router advertisements.

use super::frames::{ethernet, icmpv6, ipv6};
use super::{edited, message};
use crate::Refused;
use crate::advertisement::NOBODYS;

/// Ethernet and IPv6, and the eight bytes whose checksum may change.
const HEADERS: usize = 54;

fn advertisement(flags: u8, lifetime: [u8; 2], options: &[&[u8]]) -> Vec<u8> {
    let fields = [134, 0, 0, 0, 64, flags, lifetime[0], lifetime[1]];
    [
        &fields[..],
        &[0, 0, 117, 48, 0, 0, 3, 232],
        &options.concat(),
    ]
    .concat()
}

/// A router's, with a prefix.
pub(super) fn plain() -> Vec<u8> {
    icmpv6(&advertisement(
        0xc8,
        [7, 8],
        &[&prefix(64, 0xc0, [0xfd, 0])],
    ))
}

fn prefix(len: u8, flags: u8, start: [u8; 2]) -> Vec<u8> {
    let mut option = vec![3, 4, len, flags, 0, 1, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0];
    option.extend(start);
    option.resize(32, 0);
    option
}

fn nobodys(len: usize) -> Vec<u8> {
    let mut option = vec![NOBODYS, u8::try_from(len / 8).unwrap()];
    option.resize(len, 0);
    option
}

/// What becomes of one, without its checksum.
fn heard(said: &[u8]) -> Vec<u8> {
    let frame = icmpv6(said);
    let mut after = message(&frame, HEADERS);
    after[2..4].fill(0);
    after
}

#[test]
fn a_router_is_none_and_its_prefix_stays() {
    let lan = prefix(64, 0xc0, [0xfd, 0]);
    let source = [1, 1, 0, 0x16, 0x3e, 0, 0, 9];
    // High and low preference, with the flags that ask for DHCPv6.
    for (flags, left) in [(0xc8, 0xc0), (0x18, 0), (0xe0, 0xe0), (0, 0)] {
        let said = advertisement(flags, [0xff, 0xff], &[&source, &lan]);
        assert_eq!(heard(&said), advertisement(left, [0, 0], &[&source, &lan]));
    }
    let silent = icmpv6(&advertisement(0x40, [0, 0], &[&lan]));
    assert_eq!(edited(&silent), Ok(silent), "nothing to take");
}

#[test]
fn each_type_is_renamed_or_left_whole() {
    let taken = [5, 21, 23, 24, 25, 31, 37, 38, 144];
    for kind in (0..=255_u8).filter(|&kind| kind != 3) {
        let mut option = vec![9; 24];
        option[..2].copy_from_slice(&[kind, 3]);
        let expected = match taken.contains(&kind) {
            true => nobodys(24),
            false => option.clone(),
        };
        let end = [1, 1, 1, 2, 3, 4, 5, 6];
        let said = advertisement(0, [7, 8], &[&option, &end]);
        assert_eq!(
            heard(&said),
            advertisement(0, [0, 0], &[&expected, &end]),
            "{kind}"
        );
    }
}

#[test]
fn a_prefix_that_is_no_lans_goes() {
    let cases = [
        (prefix(0, 0xc0, [0, 0]), false),
        (prefix(3, 0x80, [0x20, 0]), false),
        (prefix(47, 0x80, [0x20, 1]), false),
        (prefix(48, 0x80, [0x20, 1]), true),
        (prefix(64, 0xc0, [0xfd, 0x12]), true),
        (prefix(64, 0x80, [0xfe, 0x80]), true),
        (prefix(128, 0x80, [0x20, 1]), true),
        (prefix(96, 0x80, [0, 0x64]), false),
        (prefix(64, 0xc0, [0xfe, 0xc0]), false),
        (prefix(3, 0x40, [0x20, 0]), true), // on no link, so no route
    ];
    for (option, stays) in cases {
        let expected = if stays { option.clone() } else { nobodys(32) };
        let said = advertisement(0, [7, 8], &[&option]);
        assert_eq!(
            heard(&said),
            advertisement(0, [0, 0], &[&expected]),
            "{option:?}"
        );
    }
    let short = [3, 1, 0, 0xc0, 0, 0, 0, 0];
    let said = advertisement(0, [7, 8], &[&short]);
    assert_eq!(heard(&said), advertisement(0, [0, 0], &[&nobodys(8)]));
}

#[test]
fn more_prefixes_than_a_lan_has_go() {
    let prefixes: Vec<_> = (0..40).map(|n| prefix(64, 0xc0, [0xfd, n])).collect();
    let said: Vec<_> = prefixes.iter().map(Vec::as_slice).collect();
    let nobodys = nobodys(32);
    let left: Vec<_> = (0..40)
        .map(|n| if n < 8 { said[n] } else { &nobodys })
        .collect();
    let heard = heard(&advertisement(0, [0, 0], &said));
    assert_eq!(heard, advertisement(0, [0, 0], &left));
}

#[test]
fn what_cannot_be_walked_to_its_end_is_refused() {
    for options in [&[25_u8, 0][..], &[25, 3, 0, 0], &[25], &[0; 8]] {
        let frame = icmpv6(&advertisement(0, [7, 8], &[options]));
        assert_eq!(edited(&frame), Err(Refused::Broken), "{options:?}");
    }
    let short = icmpv6(&advertisement(0, [7, 8], &[])[..15]);
    assert_eq!(edited(&short), Err(Refused::Broken));
}

#[test]
fn it_is_found_behind_extension_headers() {
    let said = advertisement(0x08, [7, 8], &[]);
    let chain = [
        &[60, 0, 5, 2, 0, 0, 1, 0][..],
        &[58, 0, 1, 4, 0, 0, 0, 0],
        &said,
    ]
    .concat();
    let frame = ethernet(0x86dd, &ipv6(0, &chain));
    let after = edited(&frame).unwrap();
    assert_eq!(after[70 + 5..70 + 8], [0, 0, 0], "flags and lifetime");
    assert_eq!(after[..70], frame[..70]);
}
