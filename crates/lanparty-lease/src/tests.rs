//! What becomes of frames; the bytes of each kind in files of their own.

mod advertisements;
mod dhcp;
mod dhcpv6;
mod frames;
mod oracle;

use crate::{Refused, concerns, games_only};
use frames::{ethernet, icmpv6, ipv4, ipv6, udp_over_v4, udp_over_v6};
use lanparty_proto::content::Content;
use lanparty_proto::ethernet::EthernetFrame;
use proptest::prelude::*;

/// What becomes of a frame; the way there is checked too.
fn edited(frame: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut after = frame.to_vec();
    let outcome = games_only(&mut after);
    if !concerns(frame) {
        assert_eq!(outcome, Ok(false), "nothing to do and done");
    }
    let changed = outcome?;
    assert_eq!(changed, after != frame);
    let mut again = after.clone();
    assert_eq!(games_only(&mut again), Ok(false), "once is enough");
    Ok(after)
}

/// The message in an edited frame, whose checksum must be right.
fn message(frame: &[u8], headers: usize) -> Vec<u8> {
    let after = edited(frame).unwrap();
    assert_eq!(
        after[..headers - 8],
        frame[..headers - 8],
        "addresses and headers"
    );
    frames::assert_checksum(&after);
    after[headers..].to_vec()
}

#[test]
fn what_is_no_lease_and_no_advertisement_passes_as_it_came() {
    let lease = dhcp::offer(&[&[3, 4, 192, 168, 50, 1]]);
    let frames = [
        vec![],
        vec![0xff; 13],
        vec![0xff; 14],
        // A question, and what happens to be between other ports.
        udp_over_v4((68, 67), &lease),
        udp_over_v4((67, 67), &lease),
        udp_over_v4((1234, 69), &lease),
        udp_over_v6((547, 547), &lease),
        udp_over_v6((67, 68), &lease),
        // TCP to the same number; a ping; a neighbour.
        ethernet(0x0800, &ipv4(6, 0, &[], &[0, 67, 0, 68, 0, 0, 0, 0])),
        ethernet(0x0800, &ipv4(1, 0, &[], &[8, 0, 0, 0, 0, 0, 0, 0])),
        icmpv6(&[135, 0, 0, 0, 0, 0, 0, 0]),
        ethernet(0x0806, &udp_over_v4((67, 68), &lease)[14..]),
        ethernet(0x8137, &udp_over_v4((67, 68), &lease)[14..]),
    ];
    for frame in frames {
        assert_eq!(edited(&frame).as_ref(), Ok(&frame), "{frame:02x?}");
        assert!(!concerns(&frame));
    }
}

#[test]
fn nothing_of_the_lans_makes_itself_a_router() {
    let kinds = [
        ethernet(0x0800, &ipv4(1, 0, &[], &[5, 1, 0, 0, 192, 168, 50, 66])),
        ethernet(0x0800, &ipv4(1, 0, &[], &[9, 0, 0, 0, 1, 2, 7, 8])),
        ethernet(0x0800, &ipv4(1, 0x2000, &[], &[32, 0, 0, 0, 0, 0, 0, 0])),
        icmpv6(&[[137, 0, 0, 0].as_slice(), &[0; 36]].concat()),
    ];
    for frame in kinds {
        assert_eq!(edited(&frame), Err(Refused::Router), "{frame:02x?}");
    }
}

#[test]
fn pieces_and_signed_ones_cannot_be_edited() {
    let lease = &udp_over_v4((67, 68), &dhcp::offer(&[]))[34..];
    let signed = [&[17, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], lease].concat();
    let advertisement = &advertisements::plain()[54..];
    let in_fragment = |more: u8| {
        let header = [58, 0, 0, more, 0, 0, 0, 1];
        ethernet(0x86dd, &ipv6(44, &[&header, advertisement].concat()))
    };
    for frame in [
        ethernet(0x0800, &ipv4(17, 0x2000, &[], lease)),
        ethernet(0x0800, &ipv4(51, 0, &[], &signed)),
        in_fragment(1),
        in_fragment(0), // RFC 6946; hosts ignore it (RFC 6980)
    ] {
        assert_eq!(edited(&frame), Err(Refused::Broken), "{frame:02x?}");
    }
    // The rest of one whose beginning was refused never becomes whole.
    let rest = ethernet(0x0800, &ipv4(17, 0x0002, &[], lease));
    assert_eq!(edited(&rest), Ok(rest));
}

#[test]
fn what_hides_a_lease_from_a_strict_reader_hides_it_from_nobody() {
    let lease = udp_over_v4((67, 68), &dhcp::offer(&[]));
    // Longer than it is, shorter than its own header, of a version that is none.
    for (at, byte) in [(16, 0x40), (14, 0x44), (14, 0x65)] {
        let mut frame = lease.clone();
        frame[at] = byte;
        let looks_like_one = at != 14 || byte == 0x65;
        let outcome = edited(&frame);
        match looks_like_one {
            true => assert_eq!(outcome, Err(Refused::Hidden)),
            false => assert_eq!(outcome, Ok(frame), "the ports stand nowhere"),
        }
    }
    let advertisement = &advertisements::plain()[54..];
    let options = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
    let last = [58, 0, 1, 4, 0, 0, 0, 0];
    let hidden = [&options, &last[..], advertisement].concat();
    let frame = ethernet(0x86dd, &ipv6(60, &hidden));
    assert_eq!(edited(&frame), Err(Refused::Hidden), "a long chain");
    let first = ethernet(0x86dd, &ipv6(44, &[58, 0, 0, 1, 0, 0, 0, 1]));
    assert_eq!(
        edited(&first),
        Err(Refused::Hidden),
        "no header in the first piece"
    );
    // Cut short: no host reads it.
    let mut cut = ethernet(0x86dd, &ipv6(60, &hidden));
    cut.truncate(80);
    assert_eq!(edited(&cut), Ok(cut));
}

#[test]
fn lengths_that_disagree_are_no_lease() {
    for len in [8_u16, 100, 0xffff] {
        let mut frame = udp_over_v4((67, 68), &dhcp::offer(&[]));
        frame[38..40].copy_from_slice(&len.to_be_bytes());
        assert_eq!(edited(&frame), Err(Refused::Broken), "{len}");
    }
}

/// Frames of every kind, most of them nearly what is edited.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let parts = (0..6_u8, any::<u16>(), bytes, any::<bool>());
    parts.prop_map(|(kind, number, bytes, cookie)| {
        let message = match cookie {
            true => [&dhcp::fields()[..], &bytes].concat(),
            false => bytes,
        };
        match kind {
            0 => message,
            1 => udp_over_v4((67, 68), &message),
            2 => udp_over_v6((547, 546), &message),
            3 => icmpv6(&[&[134, 0, 0, 0][..], &message].concat()),
            4 => ethernet(0x0800, &ipv4(17, number, &[1; 4], &message)),
            _ => ethernet(number, &message),
        }
    })
}

fn is_readable(frame: &[u8]) -> bool {
    let view = EthernetFrame::parse(frame).map(Content::of);
    matches!(view, Ok(Content::Typed(0x0800 | 0x86dd, _)))
}

proptest! {
    #[test]
    fn whatever_comes_keeps_its_length_and_its_peace(frame in any_frame()) {
        if let Ok(after) = edited(&frame) {
            prop_assert_eq!(after.len(), frame.len());
            prop_assert!(after == frame || is_readable(&frame) && concerns(&frame));
            oracle::assert_harmless(&after);
        } else {
            prop_assert!(is_readable(&frame));
        }
    }
}
