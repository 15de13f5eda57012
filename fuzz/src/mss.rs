//! The MSS clamp.

use crate::packet::{ethernet, finish_checksum, ipv4, ipv6, sum, tcp};
use arbitrary::{Arbitrary, Unstructured};
use etherparse::{SlicedPacket, TcpOptionElement, TransportSlice};
use lanparty_proto::DatagramBudget;
use lanparty_proto::mss::{clamp, is_syn};

#[derive(Arbitrary, Debug)]
struct Input {
    budget: u16,
    frame: Frame,
}

#[derive(Arbitrary, Debug)]
enum Frame {
    Raw(Vec<u8>),
    Segment {
        over_v6: bool,
        authenticated: bool,
        flags: u8,
        options: Vec<TcpOption>,
        ip_option_words: u8,
        payload: Vec<u8>,
    },
}

#[derive(Arbitrary, Debug)]
enum TcpOption {
    End,
    Nothing,
    Mss(u16),
    Timestamps,
    Other { kind: u8, len: u8 },
}

/// The clamp touches nothing but MSS options and their checksum, raises no MSS, leaves none above
/// the limit and leaves every checksum as right as it was.
pub fn mss(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let budget = DatagramBudget::clamped(input.budget.into());
    match &input.frame {
        Frame::Raw(bytes) => {
            check(bytes, budget);
        }
        Frame::Segment {
            authenticated: true,
            ..
        } => {
            let frame = input.frame.build();
            assert_eq!(check(&frame, budget), frame);
        }
        Frame::Segment { .. } => check_segment(&input.frame, budget),
    }
}

fn check(before: &[u8], budget: DatagramBudget) -> Vec<u8> {
    let mut after = before.to_vec();
    let changed = clamp(&mut after, budget);
    assert_eq!(changed, after != before);
    assert!(is_syn(before) || !changed);
    assert_eq!(is_syn(before), is_syn(&after));
    let mut again = after.clone();
    assert!(!clamp(&mut again, budget), "once is enough");
    // TCP begins at an even place: what repairs its checksum keeps the sum of the whole frame.
    assert_eq!(sum(&before_zero(before)), sum(&before_zero(&after)));
    let differing = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert!(differing <= 2 + 2 * 10, "ten options fit a TCP header");
    after
}

/// Zero and 0xffff are the same number in one's complement; a word more makes them the same sum.
fn before_zero(frame: &[u8]) -> Vec<u8> {
    [&[0xff, 0xff], frame].concat()
}

fn check_segment(frame: &Frame, budget: DatagramBudget) {
    let before = frame.build();
    let after = check(&before, budget);
    let flags = before[before.len() - frame.upper_len() + 13];
    assert_eq!(is_syn(&before), flags & 2 != 0);
    let (v6_header, v4_header) = (40, 20);
    let is_v6 = before[12..14] == [0x86, 0xdd];
    let ip_header = if is_v6 { v6_header } else { v4_header };
    let limit = budget.bytes() - 8 - 14 - ip_header - 20;
    for (old, new) in sizes(&before).into_iter().zip(sizes(&after)) {
        let lowered = usize::from(old).min(limit);
        let expected = if is_syn(&before) { lowered } else { old.into() };
        assert_eq!(usize::from(new), expected);
    }
    assert_checksum(&after);
}

/// The MSS options by another parser, up to the first that it cannot read.
fn sizes(frame: &[u8]) -> Vec<u16> {
    let packet = SlicedPacket::from_ethernet(frame).expect("we made it ourselves");
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        unreachable!("we made a TCP segment: {packet:?}")
    };
    let options = tcp.options_iterator().map_while(Result::ok);
    options
        .filter_map(|option| match option {
            TcpOptionElement::MaximumSegmentSize(size) => Some(size),
            _ => None,
        })
        .collect()
}

/// By etherparse's own arithmetic.
fn assert_checksum(frame: &[u8]) {
    use etherparse::NetSlice::{Arp, Ipv4, Ipv6};
    let packet = SlicedPacket::from_ethernet(frame).expect("we made it ourselves");
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        unreachable!("we made a TCP segment: {packet:?}")
    };
    let header = tcp.to_header();
    let computed = match &packet.net {
        Some(Ipv4(ip)) => header.calc_checksum_ipv4(&ip.header().to_header(), tcp.payload()),
        Some(Ipv6(ip)) => header.calc_checksum_ipv6(&ip.header().to_header(), tcp.payload()),
        Some(Arp(_)) | None => unreachable!("we made an IP packet: {packet:?}"),
    };
    let computed = computed.expect("it fits a frame");
    let same = computed == tcp.checksum() || (computed == 0 && tcp.checksum() == 0xffff);
    assert!(same, "{computed:04x} {:04x}", tcp.checksum());
}

impl Frame {
    fn build(&self) -> Vec<u8> {
        let mut segment = self.segment();
        let (over_v6, authenticated, option_words) = match self {
            Frame::Raw(bytes) => return bytes.clone(),
            Frame::Segment {
                over_v6,
                authenticated,
                ip_option_words,
                ..
            } => (*over_v6, *authenticated, *ip_option_words),
        };
        let addresses = match over_v6 {
            true => ipv6(6, &[])[8..40].to_vec(),
            false => vec![10, 0, 0, 1, 10, 0, 0, 2],
        };
        finish_checksum(&addresses, 6, &mut segment);
        let mut protocol = 6;
        if authenticated {
            segment.splice(..0, [6, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
            protocol = 51;
        }
        let options = vec![1; usize::from(option_words % 11) * 4];
        let (ether_type, packet) = match over_v6 {
            true => (0x86dd, ipv6(protocol, &segment)),
            false => (0x0800, ipv4(protocol, 0, &options, &segment)),
        };
        ethernet([2; 6], [4; 6], ether_type, &packet)
    }

    fn upper_len(&self) -> usize {
        self.segment().len()
    }

    fn segment(&self) -> Vec<u8> {
        match self {
            Frame::Raw(_) => Vec::new(),
            Frame::Segment {
                flags,
                options,
                payload,
                ..
            } => {
                let mut bytes: Vec<u8> =
                    options.iter().take(40).flat_map(TcpOption::build).collect();
                bytes.truncate(40);
                bytes.resize(bytes.len().next_multiple_of(4), 0);
                tcp(*flags, &bytes, &payload[..payload.len().min(1400)])
            }
        }
    }
}

impl TcpOption {
    fn build(&self) -> Vec<u8> {
        match *self {
            TcpOption::End => vec![0],
            TcpOption::Nothing => vec![1],
            TcpOption::Mss(size) => [&[2, 4][..], &size.to_be_bytes()].concat(),
            TcpOption::Timestamps => vec![8, 10, 0, 0, 0, 1, 0, 0, 0, 0],
            TcpOption::Other { kind, len } => vec![kind, len, 0, 0],
        }
    }
}
