//! The header in front of every frame.

use lanparty_proto::overlay::Probe;
use lanparty_proto::{FrameBuf, Header};

/// A datagram is read exactly when version 1 defines it, and written back as the same bytes.
pub fn overlay(datagram: &[u8]) {
    check_frame(datagram);
    check_probe(datagram);
}

fn check_frame(datagram: &[u8]) {
    let decoded = Header::decode(datagram);
    let is_frame = matches!(datagram, [0x11, 0 | 1, ..]);
    assert_eq!(decoded.is_ok(), is_frame && names_somebody(datagram));
    if let Ok((header, body)) = decoded {
        assert_eq!([&header.encode()[..], body].concat(), datagram);
        let rewritten = FrameBuf::from_frame(body).into_datagram(header);
        assert_eq!(rewritten, datagram);
    }
}

fn check_probe(datagram: &[u8]) {
    let decoded = Probe::decode(datagram);
    let is_probe = matches!(datagram, [0x12, 0, ..]) && datagram.len() >= 12;
    assert_eq!(decoded.is_some(), is_probe && names_somebody(datagram));
    if let Some(probe) = decoded {
        let rewritten = probe.encode(datagram.len());
        assert_eq!(rewritten.len(), datagram.len());
        assert_eq!(rewritten[..12], datagram[..12]);
    }
}

/// The reserved numbers of spec R5, written down once more.
fn names_somebody(datagram: &[u8]) -> bool {
    match *datagram {
        [_, _, p0, p1, r0, r1, r2, r3, ..] => {
            let reserved_peer = [p0, p1] == [0, 0] || [p0, p1] == [255, 255];
            !reserved_peer && [r0, r1, r2, r3] != [0; 4]
        }
        _ => false,
    }
}
