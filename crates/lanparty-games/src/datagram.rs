//! The UDP datagram in a frame, where there is one.

use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{self, Part, UDP};
use lanparty_proto::{EthernetFrame, FrameKind, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// RFC 768.
const HEADER_LEN: usize = 8;

/// A whole datagram and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) mac: MacAddr,
    pub(crate) source: IpAddr,
    pub(crate) from_port: u16,
    pub(crate) to_port: u16,
    pub(crate) payload: &'a [u8],
}

impl<'a> Datagram<'a> {
    /// Looks for it; nothing where a host would have to guess, and in fragments. Nearly every frame is something else, so
    /// `is_lead` is asked first, with the port it comes from, the one it goes to, and the first byte.
    pub(crate) fn in_frame(
        frame: &'a [u8],
        is_lead: impl Fn(u16, u16, u8) -> bool,
    ) -> Option<Self> {
        let frame = EthernetFrame::parse(frame).ok()?;
        let packet = frame.payload();
        let lead = |start: usize| {
            let &[from_1, from_2, to_1, to_2, _, _, _, _, first] =
                packet.get(start..)?.first_chunk()?;
            let [from, to] = [[from_1, from_2], [to_1, to_2]].map(u16::from_be_bytes);
            is_lead(from, to, first).then_some(())
        };
        let (upper, source) = match frame.kind() {
            FrameKind::EtherType(ether_type::IPV4) if packet.get(9) == Some(&UDP) => {
                lead(usize::from(packet[0] & 0x0f) * 4)?;
                let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
                (ip::ipv4(packet).ok()?, Ipv4Addr::from(source).into())
            }
            FrameKind::EtherType(ether_type::IPV6) if packet.get(6) == Some(&UDP) => {
                lead(ip::IPV6_HEADER_LEN)?;
                let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
                (ip::ipv6(packet).ok()?, Ipv6Addr::from(source).into())
            }
            _ => return None,
        };
        if upper.part != Part::Whole || !is_a_hosts(source) {
            return None;
        }
        let datagram = packet.get(upper.range)?;
        let header = datagram.first_chunk::<HEADER_LEN>()?;
        let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let payload = datagram.get(HEADER_LEN..usize::from(number(4)))?;
        Some(Datagram {
            mac: frame.source(),
            source,
            from_port: number(0),
            to_port: number(2),
            payload,
        })
        .filter(|datagram| datagram.from_port != 0)
    }
}

/// An address that one can send an answer to.
fn is_a_hosts(source: IpAddr) -> bool {
    let is_broadcast = source == IpAddr::V4(Ipv4Addr::BROADCAST);
    !source.is_unspecified() && !source.is_multicast() && !source.is_loopback() && !is_broadcast
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Who says all that is said here.
    pub(crate) const HOST: [u8; 6] = [0, 0x16, 0x3e, 0, 0, 9];

    /// A frame with a datagram from 192.168.50.20 to everybody.
    pub(crate) fn frame(from_port: u16, to_port: u16, payload: &[u8]) -> Vec<u8> {
        frame_from([192, 168, 50, 20], from_port, to_port, payload)
    }

    pub(crate) fn frame_from(
        source: [u8; 4],
        from_port: u16,
        to_port: u16,
        payload: &[u8],
    ) -> Vec<u8> {
        let len = u16::try_from(HEADER_LEN + payload.len()).unwrap();
        let mut frame = [[0xff; 6], HOST].concat();
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((20 + len).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        frame.extend(source);
        frame.extend([255, 255, 255, 255]);
        frame.extend([from_port, to_port, len, 0].map(u16::to_be_bytes).concat());
        frame.extend(payload);
        frame.resize(frame.len().max(60), 0);
        frame
    }

    /// What a game says from this port, to a port that says nothing.
    pub(crate) fn said(from_port: u16, payload: &[u8]) -> Datagram<'_> {
        Datagram {
            mac: MacAddr::new(HOST),
            source: [192, 168, 50, 20].into(),
            from_port,
            to_port: 40_000,
            payload,
        }
    }

    fn whole(frame: &[u8]) -> Option<Datagram<'_>> {
        Datagram::in_frame(frame, |_, _, _| true)
    }

    #[test]
    fn only_leads_are_followed() {
        let frame = frame(3979, 40_000, b"abc");
        let followed =
            |lead| Datagram::in_frame(&frame, |from, to, first| (from, to, first) == lead);
        assert!(followed((3979, 40_000, b'a')).is_some());
        assert!(followed((3979, 40_000, b'b')).is_none());
    }

    #[test]
    fn padding_is_no_part_of_a_datagram() {
        let frame = frame(3979, 40_000, b"abc");
        let expected = said(3979, b"abc");
        assert_eq!(whole(&frame), Some(expected));
    }

    #[test]
    fn ipv6_is_heard_too() {
        let mut frame = [[0xff; 6], [0, 0x16, 0x3e, 0, 0, 9]].concat();
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 11, 17, 64]);
        let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9);
        frame.extend(source.octets());
        frame.extend([0xff; 16]);
        frame.extend([0x6d, 0x38, 0, 1, 0, 11, 0, 0, b'a', b'b', b'c']);
        let heard = whole(&frame).unwrap();
        assert_eq!((heard.source, heard.from_port), (source.into(), 27_960));
        assert_eq!(heard.payload, b"abc");
    }

    #[test]
    fn what_is_cut_short_or_comes_from_nobody_is_not_heard() {
        let long = frame(27_960, 40_000, &[7; 40]);
        for len in 0..long.len() {
            assert_eq!(whole(&long[..len]), None, "{len}");
        }
        for source in [[0; 4], [255; 4], [224, 0, 0, 1], [127, 0, 0, 1]] {
            let frame = frame_from(source, 27_960, 40_000, b"abc");
            assert_eq!(whole(&frame), None, "{source:?}");
        }
        assert_eq!(whole(&frame(0, 40_000, b"abc")), None);
        let mut fragment = long.clone();
        fragment[20] = 0x20;
        assert_eq!(whole(&fragment), None);
        let mut tcp = long;
        tcp[23] = 6;
        assert_eq!(whole(&tcp), None);
    }
}
