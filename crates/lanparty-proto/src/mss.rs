//! Keeps bulk TCP out of fragmentation: lowers the MSS that both ends announce (RFC 9293 §3.7.1).
//!
//! A LAN host believes that its peer takes 1460 bytes per segment, and a player's frames must fit
//! the QUIC path. So the option in SYN and SYN-ACK is lowered to what goes in one piece, in both
//! directions. It is never raised, and a SYN without the option is left alone: its peer then sends
//! 536 bytes (1220 over IPv6), which fits every usual path.
//!
//! Only plain Ethernet II is looked at, and nothing that IPsec authenticates; the clamp is a
//! convenience, and what it misses still crosses in fragments. Checksums must be finished before (see [`crate::offload`]).

use crate::checksum;
use crate::ethernet::{self, ether_type};
use crate::ip::{self, IPV4_HEADER_LEN, IPV6_HEADER_LEN, Part, TCP};
use crate::mtu::DatagramBudget;
use bytes::{Bytes, BytesMut};
use std::ops::Range;

const TCP_HEADER_LEN: usize = 20;
const SYN: u8 = 0x02;

/// Lowers the MSS option of a TCP SYN or SYN-ACK so that full segments fit the budget in one piece;
/// true when the frame was changed.
///
/// The limit is the packet less the headers without options, as RFC 6691 §2 has it.
pub fn clamp(frame: &mut [u8], budget: DatagramBudget) -> bool {
    let Some((tcp, ip_header_len)) = find_syn(frame) else {
        return false;
    };
    let limit = budget.whole_packet() - ip_header_len - TCP_HEADER_LEN;
    let limit = u16::try_from(limit).unwrap_or(u16::MAX);
    lower(&mut frame[tcp], limit)
}

/// True when [`clamp`] would have a closer look: a shared frame needs a copy of its own first.
pub fn is_syn(frame: &[u8]) -> bool {
    find_syn(frame).is_some()
}

/// The same for a frame whose memory others may share: only a handshake is copied.
pub fn clamped(frame: Bytes, budget: DatagramBudget) -> Bytes {
    if !is_syn(&frame) {
        return frame;
    }
    let mut copy = BytesMut::from(frame);
    clamp(&mut copy, budget);
    copy.freeze()
}

/// Finds a whole TCP header with SYN set, and how long the IP header in front of it is at least.
fn find_syn(frame: &[u8]) -> Option<(Range<usize>, usize)> {
    let (header, packet) = frame.split_at_checked(ethernet::HEADER_LEN)?;
    let (upper, ip_header_len) = match u16::from_be_bytes([header[12], header[13]]) {
        // Most frames leave here: the protocol stands at a fixed place.
        ether_type::IPV4 if *packet.get(9)? == TCP => (ip::ipv4(packet).ok()?, IPV4_HEADER_LEN),
        ether_type::IPV6 if *packet.get(6)? != ip::UDP => (ip::ipv6(packet).ok()?, IPV6_HEADER_LEN),
        _ => return None,
    };
    if upper.protocol != TCP || upper.authenticated || matches!(upper.part, Part::Later(_)) {
        return None;
    }
    let tcp = &packet[upper.range.clone()];
    let header_len = usize::from(tcp.get(12)? >> 4) * 4;
    if tcp.get(13)? & SYN == 0 || !(TCP_HEADER_LEN..=tcp.len()).contains(&header_len) {
        return None;
    }
    let start = ethernet::HEADER_LEN + upper.range.start;
    Some((start..start + header_len, ip_header_len))
}

/// Lowers every MSS option in a TCP header (RFC 9293 §3.2) and repairs the checksum.
fn lower(tcp: &mut [u8], limit: u16) -> bool {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    const MSS: u8 = 2;
    let mut changed = false;
    let mut at = TCP_HEADER_LEN;
    while at < tcp.len() {
        let len = match tcp[at..] {
            [END, ..] => break,
            [NO_OPERATION, ..] => 1,
            [MSS, 4, high, low, ..] => {
                let mss = u16::from_be_bytes([high, low]);
                if mss > limit {
                    replace(tcp, at + 2, mss, limit);
                    changed = true;
                }
                4
            }
            [_, len, ..] if len >= 2 => usize::from(len),
            _ => break,
        };
        at += len;
    }
    changed
}

/// Replaces a 16-bit number in a TCP header and keeps the checksum as right as it was.
fn replace(tcp: &mut [u8], at: usize, old: u16, new: u16) {
    tcp[at..at + 2].copy_from_slice(&new.to_be_bytes());
    let sum = u16::from_be_bytes([tcp[16], tcp[17]]);
    // At an odd place its bytes belong to two words of the sum, each with the other's weight.
    let sum = if at.is_multiple_of(2) {
        checksum::updated(sum, old, new)
    } else {
        checksum::updated(sum, old.swap_bytes(), new.swap_bytes())
    };
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Sum;
    use proptest::prelude::*;

    const MSS_1460: [u8; 4] = [2, 4, 0x05, 0xb4];
    const SYN_ACK: u8 = SYN | 0x10;
    const ACK: u8 = 0x10;

    #[test]
    fn lowers_syn_and_syn_ack_to_what_fits_in_one_piece() {
        for flags in [SYN, SYN_ACK] {
            let mut frame = v4(&tcp(flags, &MSS_1460));
            assert!(is_syn(&frame));
            assert!(clamp(&mut frame, budget(1312)));
            // 1312 − 8 − 14 − 20 − 20
            assert_eq!(frame, v4(&tcp(flags, &[2, 4, 0x04, 0xe2])));

            let mut frame = v6(&[], &tcp(flags, &MSS_1460));
            assert!(clamp(&mut frame, budget(1312)));
            // and 20 less for the longer header
            assert_eq!(frame, v6(&[], &tcp(flags, &[2, 4, 0x04, 0xce])));
        }
    }

    #[test]
    fn finds_the_option_behind_others_and_at_odd_places() {
        for before in [
            &[1, 1, 4, 2][..],
            &[1],
            &[3, 3, 7],
            &[8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
        ] {
            let options = |mss: [u8; 2]| {
                let mut options = [before, &[2, 4], &mss].concat();
                options.resize(options.len().next_multiple_of(4), 0);
                options
            };
            let mut frame = v4(&tcp(SYN, &options([0x05, 0xb4])));
            assert!(clamp(&mut frame, budget(1312)), "{before:?}");
            assert_eq!(frame, v4(&tcp(SYN, &options([0x04, 0xe2]))), "{before:?}");
        }
    }

    #[test]
    fn walks_ipv6_extension_headers_and_ipv4_options() {
        let destination_options = [6, 0, 1, 4, 0, 0, 0, 0];
        let mut frame = v6(&destination_options, &tcp(SYN, &MSS_1460));
        assert!(clamp(&mut frame, budget(1312)));
        assert_eq!(
            frame,
            v6(&destination_options, &tcp(SYN, &[2, 4, 0x04, 0xce]))
        );

        let with_options = |mss| {
            let mut frame = v4(&tcp(SYN, mss));
            frame[14] = 0x46;
            frame[17] += 4;
            frame.splice(34..34, [1, 1, 1, 0]);
            frame
        };
        let mut frame = with_options(&MSS_1460);
        assert!(clamp(&mut frame, budget(1312)));
        assert_eq!(frame, with_options(&[2, 4, 0x04, 0xe2]));
    }

    #[test]
    fn leaves_everything_else_alone() {
        let mut later_fragment = v4(&tcp(SYN, &MSS_1460));
        later_fragment[21] = 1;
        let mut udp = v4(&tcp(SYN, &MSS_1460));
        udp[23] = 17;
        let mut cut = v4(&tcp(SYN, &MSS_1460));
        cut.pop();
        let mut covered = v6(&[6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], &tcp(SYN, &MSS_1460));
        covered[20] = 51;
        for (name, frame) in [
            ("an MSS that fits", v4(&tcp(SYN, &[2, 4, 0x04, 0xe2]))),
            ("a smaller MSS", v4(&tcp(SYN, &[2, 4, 0x02, 0x18]))),
            ("no SYN", v4(&tcp(ACK, &MSS_1460))),
            ("no options", v4(&tcp(SYN, &[]))),
            (
                "behind the end of the options",
                v4(&tcp(SYN, &[0, 0, 0, 0, 2, 4, 5, 0xb4])),
            ),
            (
                "an option of no length",
                v4(&tcp(SYN, &[9, 0, 2, 4, 5, 0xb4, 0, 0])),
            ),
            ("an option cut short", v4(&tcp(SYN, &[1, 2, 4, 5]))),
            ("a later fragment", later_fragment),
            ("a segment that an authentication header covers", covered),
            ("UDP", udp),
            ("a packet cut short", cut),
        ] {
            let mut clamped = frame.clone();
            assert!(!clamp(&mut clamped, budget(1312)), "{name}");
            assert_eq!(clamped, frame, "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_checksum_stays_right(
            options in prop::collection::vec(any::<u8>(), 0..9),
            mss: u16,
            budget in 512_u16..2000,
        ) {
            // At any even or odd place, behind anything.
            let mut options = [&options[..], &[2, 4], &mss.to_be_bytes()].concat();
            options.resize(options.len().next_multiple_of(4), 1);
            let mut frame = v4(&tcp(SYN, &options));
            clamp(&mut frame, DatagramBudget::new(budget).unwrap());
            let mut sum = pseudo_header(frame.len() - 34);
            sum += Sum::of(&frame[34..]);
            prop_assert_eq!(sum.checksum(), 0);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..100),
            ether_type in prop::sample::select(vec![0x0800_u16, 0x86dd]),
            first in prop::sample::select(vec![0x45_u8, 0x46, 0x60]),
            protocol in prop::sample::select(vec![TCP, 0, 44, 60]),
        ) {
            clamp(&mut bytes.clone(), DatagramBudget::MIN);
            if bytes.len() > 60 {
                bytes[12..14].copy_from_slice(&ether_type.to_be_bytes());
                bytes[14] = first;
                bytes[16..18].fill(0);
                bytes[17] = u8::try_from(bytes.len() - 14).unwrap();
                if ether_type == 0x86dd {
                    bytes[18..20].copy_from_slice(&[0, 6]);
                    bytes[20] = protocol;
                } else {
                    bytes[20..22].fill(0);
                    bytes[23] = TCP;
                }
                clamp(&mut bytes, DatagramBudget::MIN);
            }
        }
    }

    fn budget(bytes: u16) -> DatagramBudget {
        DatagramBudget::new(bytes).unwrap()
    }

    /// A TCP header with these options, checksummed for [`v4`]; under IPv6 the sum is the same,
    /// because its addresses sum up alike.
    fn tcp(flags: u8, options: &[u8]) -> Vec<u8> {
        let mut tcp = vec![0; TCP_HEADER_LEN];
        tcp[..4].copy_from_slice(&[0xc0, 0x00, 0x6d, 0x38]);
        tcp[12] = u8::try_from((TCP_HEADER_LEN + options.len()) / 4).unwrap() << 4;
        tcp[13] = flags;
        tcp.extend(options);
        let mut sum = pseudo_header(tcp.len());
        sum += Sum::of(&tcp);
        tcp[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
        tcp
    }

    fn pseudo_header(len: usize) -> Sum {
        Sum::pseudo_v4(
            [10, 0, 0, 1],
            [10, 0, 0, 2],
            TCP,
            u16::try_from(len).unwrap(),
        )
    }

    fn v4(tcp: &[u8]) -> Vec<u8> {
        let mut frame = ethernet_header(0x0800);
        frame.extend([0x45, 0]);
        frame.extend(u16::try_from(20 + tcp.len()).unwrap().to_be_bytes());
        frame.extend([0, 1, 0x40, 0, 64, TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend(tcp);
        frame
    }

    fn v6(extensions: &[u8], tcp: &[u8]) -> Vec<u8> {
        let mut frame = ethernet_header(0x86dd);
        frame.extend([0x60, 0, 0, 0]);
        frame.extend(
            u16::try_from(extensions.len() + tcp.len())
                .unwrap()
                .to_be_bytes(),
        );
        frame.push(if extensions.is_empty() { TCP } else { 60 });
        frame.push(64);
        frame.extend([&[0; 12][..], &[10, 0, 0, 1], &[0; 12], &[10, 0, 0, 2]].concat());
        frame.extend(extensions);
        frame.extend(tcp);
        frame
    }

    fn ethernet_header(ether_type: u16) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        frame.extend(ether_type.to_be_bytes());
        frame
    }
}
