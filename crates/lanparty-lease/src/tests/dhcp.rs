//! Leases.

use super::frames::{ethernet, ipv4, udp, udp_over_v4};
use super::{edited, message};
use crate::Refused;
use crate::dhcp::is_taken;

/// Ethernet, IPv4 and UDP.
const HEADERS: usize = 42;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// What stands in front of the options, with the cookie: a reply, with addresses, names and a client.
pub(super) fn fields() -> Vec<u8> {
    let mut bytes = vec![2, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0x80, 0];
    bytes.extend([0, 0, 0, 0, 192, 168, 50, 100, 192, 168, 50, 1, 0, 0, 0, 0]);
    bytes.extend([2, 0, 0, 0, 0, 1]);
    bytes.resize(236, 0);
    bytes.extend(COOKIE);
    bytes
}

/// An offer with these options, an end, and padding to BOOTP's 300 bytes.
pub(super) fn offer(options: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [&fields()[..], &[53, 1, 2], &options.concat(), &[255]].concat();
    bytes.resize(bytes.len().max(300), 0);
    bytes
}

fn lease(options: &[&[u8]]) -> Vec<u8> {
    message(&udp_over_v4((67, 68), &offer(options)), HEADERS)
}

#[test]
fn what_leads_away_becomes_padding_and_all_else_stays() {
    let kept: [&[u8]; 6] = [
        &[54, 4, 192, 168, 50, 1],
        &[51, 4, 0, 0, 14, 16],
        &[1, 4, 255, 255, 255, 0],
        &[28, 4, 192, 168, 50, 255],
        &[12, 4, b'b', b'e', b'r', b't'],
        &[224, 2, 1, 2],
    ];
    let taken = [3_u8, 6, 15, 33, 42, 119, 121, 249, 252].map(|kind| [kind, 4, 192, 168, 50, 1]);
    let pairs = kept
        .iter()
        .zip(&taken)
        .flat_map(|(kept, taken)| [*kept, taken]);
    let mixed: Vec<&[u8]> = pairs
        .chain(taken[6..].iter().map(|option| &option[..]))
        .collect();
    let after = lease(&mixed);
    let expected: Vec<_> = mixed
        .iter()
        .map(|option| match is_taken(option[0]) {
            true => &[0; 6][..],
            false => option,
        })
        .collect();
    assert_eq!(after, offer(&expected));
}

#[test]
fn each_number_is_taken_or_left_whole() {
    for kind in 1..=254 {
        if matches!(kind, 1 | 52) {
            continue;
        }
        let option = [kind, 3, 7, 8, 9];
        let after = lease(&[&option]);
        let expected = if is_taken(kind) { [0; 5] } else { option };
        assert_eq!(after, offer(&[&expected]), "{kind}");
    }
    let promised = [3, 6, 15, 33, 42, 119, 121, 249, 252];
    let kin = [2, 4, 5, 26, 31, 44, 100, 101, 108, 114, 120, 160, 162, 212];
    assert!(promised.into_iter().chain(kin).all(is_taken));
    let needed = [
        1, 12, 28, 50, 51, 53, 54, 55, 56, 57, 58, 59, 60, 61, 80, 81, 82, 116, 255,
    ];
    assert!(!needed.into_iter().any(is_taken));
}

#[test]
fn fields_that_have_options_are_walked_too() {
    for (fields, in_file, in_name) in [(1, true, false), (2, false, true), (3, true, true)] {
        let mut bytes = offer(&[&[52, 1, fields]]);
        bytes[108..115].copy_from_slice(&[3, 4, 192, 168, 50, 1, 255]);
        bytes[44..51].copy_from_slice(&[6, 4, 192, 168, 50, 1, 255]);
        let after = message(&udp_over_v4((67, 68), &bytes), HEADERS);
        for (at, is_read) in [(108, in_file), (44, in_name)] {
            let expected = if is_read { &[0; 6] } else { &bytes[at..at + 6] };
            assert_eq!(&after[at..at + 6], expected, "overload {fields} at {at}");
        }
    }
}

#[test]
fn every_piece_of_a_long_option_goes() {
    let piece = [&[121, 255][..], &[24; 255]].concat();
    let after = lease(&[&piece, &[51, 4, 0, 0, 1, 0], &piece[..], &[121, 0]]);
    let blank = [0; 257];
    assert_eq!(
        after,
        offer(&[&blank, &[51, 4, 0, 0, 1, 0], &blank, &[0, 0]])
    );
}

#[test]
fn what_cannot_be_walked_to_its_end_is_refused() {
    let mut cut = fields();
    cut.extend([53, 1, 2, 3, 4, 192, 168, 50]);
    let mut without_length = fields();
    without_length.extend([53, 1, 2, 3]);
    let mut cut_in_file = offer(&[&[52, 1, 1]]);
    cut_in_file[108..236].fill(b'x');
    for bytes in [
        cut,
        without_length,
        cut_in_file,
        // Clients differ in which of two they believe, and in what a wrong one means.
        offer(&[&[52, 1, 1], &[52, 1, 2]]),
        offer(&[&[52, 2, 1, 1]]),
        offer(&[&[52, 0]]),
        offer(&[&[52, 1, 4]]),
        offer(&[&[1, 4, 255, 255, 255, 0], &[1, 4, 0, 0, 0, 0]]),
        offer(&[&[1, 3, 255, 255, 255]]),
    ] {
        let frame = udp_over_v4((67, 68), &bytes);
        assert_eq!(edited(&frame), Err(Refused::Broken), "{bytes:?}");
    }
    let mut nested = offer(&[&[52, 1, 1]]);
    nested[108..112].copy_from_slice(&[52, 1, 2, 255]);
    let frame = udp_over_v4((67, 68), &nested);
    assert_eq!(
        edited(&frame),
        Err(Refused::Broken),
        "a field that names another"
    );
}

#[test]
fn a_lan_as_wide_as_the_internet_becomes_as_wide_as_the_widest_lan() {
    for (said, heard) in [
        ([0, 0, 0, 0], [255, 0, 0, 0]),
        ([128, 0, 0, 0], [255, 0, 0, 0]),
        ([254, 0, 0, 0], [255, 0, 0, 0]),
        ([255, 0, 0, 0], [255, 0, 0, 0]),
        ([255, 255, 255, 254], [255, 255, 255, 254]),
    ] {
        let option = |mask: [u8; 4]| [&[1, 4][..], &mask].concat();
        assert_eq!(lease(&[&option(said)]), offer(&[&option(heard)]));
    }
}

#[test]
fn bootp_without_options_passes_as_it_came() {
    let mut silent = fields();
    silent[236..].fill(0);
    silent.extend([3, 4, 192, 168, 50, 1]);
    for bytes in [silent, fields()[..236].to_vec(), fields(), vec![2]] {
        let frame = udp_over_v4((67, 68), &bytes);
        assert_eq!(edited(&frame), Ok(frame));
    }
}

#[test]
fn checksums_stay_as_right_as_they_were() {
    let bytes = offer(&[&[3, 4, 192, 168, 50, 1]]);
    let right = udp_over_v4((67, 68), &bytes);
    message(&right, HEADERS);
    let mut none = right.clone();
    none[40..42].fill(0);
    assert_eq!(edited(&none).unwrap()[40..42], [0, 0], "none stays none");
    let mut wrong = right.clone();
    wrong[41] ^= 1;
    let after = edited(&wrong).unwrap();
    let repaired = edited(&right).unwrap();
    let difference = |a: &[u8], b: &[u8]| {
        let checksum = |frame: &[u8]| i32::from(u16::from_be_bytes([frame[40], frame[41]]));
        (checksum(a) - checksum(b)).rem_euclid(0xffff)
    };
    assert_eq!(difference(&after, &repaired), difference(&wrong, &right));
}

#[test]
fn a_checksum_that_comes_out_as_nothing_is_written_as_all_ones() {
    let seen = (0..=0xffff_u16).any(|word| {
        let [high, low] = word.to_be_bytes();
        let frame = udp_over_v4(
            (67, 68),
            &offer(&[&[3, 4, 1, 2, 3, 4], &[224, 2, high, low]]),
        );
        let after = edited(&frame).unwrap();
        assert_ne!(after[40..42], [0, 0]);
        after[40..42] == [0xff, 0xff]
    });
    assert!(seen);
}

#[test]
fn a_lease_is_found_wherever_it_stands() {
    let bytes = offer(&[&[3, 4, 192, 168, 50, 1]]);
    let datagram = &udp_over_v4((67, 68), &bytes)[34..];
    let packet = ipv4(17, 0, &[], datagram);
    // With IP options, from another port, in SNAP, behind a priority tag, padded, from a relay agent.
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &packet].concat();
    let from_elsewhere = udp((1067, 68), &bytes);
    let mut relayed = bytes.clone();
    relayed[3] = 2;
    relayed[24..28].copy_from_slice(&[192, 168, 50, 1]);
    let tagged = [&[0xe0, 0, 8, 0][..], &packet].concat();
    for frame in [
        ethernet(0x0800, &ipv4(17, 0, &[1; 40], datagram)),
        ethernet(0x0800, &ipv4(17, 0, &[], &from_elsewhere)),
        ethernet(u16::try_from(snap.len()).unwrap(), &snap),
        ethernet(0x8100, &tagged),
        [&ethernet(0x0800, &packet)[..], &[0xee; 6]].concat(),
        udp_over_v4((67, 68), &relayed),
    ] {
        let router = [3, 4, 192, 168, 50, 1];
        let has_it = |frame: &[u8]| frame.windows(6).any(|bytes| bytes == router);
        let after = edited(&frame).unwrap();
        assert!(has_it(&frame) && !has_it(&after), "{frame:02x?}");
        let changed: Vec<_> = (0..frame.len())
            .filter(|&at| frame[at] != after[at])
            .collect();
        assert!(changed.len() <= 8, "the option and a checksum: {changed:?}");
    }
}
