//! What a player's machine hears of leases and routers.

use crate::packet::{ethernet, finish_checksum, ipv4, ipv6, pseudo_sum, udp};
use arbitrary::{Arbitrary, Unstructured};
use lanparty_lease::{concerns, games_only};

#[derive(Arbitrary, Debug)]
enum Input {
    Raw(Vec<u8>),
    Lease {
        ip_option_words: u8,
        fragment: u8,
        overload: Option<u8>,
        file: Vec<u8>,
        options: Vec<DhcpOption>,
        tail: Vec<u8>,
    },
    Advertisement {
        flags: u8,
        lifetime: u16,
        options: Vec<Vec<u8>>,
        tail: Vec<u8>,
    },
    Reply {
        options: Vec<(u16, Vec<u8>)>,
        tail: Vec<u8>,
    },
}

#[derive(Arbitrary, Debug)]
struct DhcpOption {
    kind: u8,
    value: Vec<u8>,
}

/// By a careless reader nothing is left that leads away; lengths stay, checksums stay right, what is no lease and no
/// advertisement stays as it was, and once is enough.
pub fn lease(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let before = input.build();
    let mut after = before.clone();
    let outcome = games_only(&mut after);
    assert_eq!(after.len(), before.len());
    if !concerns(&before) {
        assert_eq!(outcome, Ok(false));
    }
    let Ok(changed) = outcome else { return };
    assert_eq!(changed, after != before);
    let mut again = after.clone();
    assert_eq!(games_only(&mut again), Ok(false), "once is enough");
    let Some((upper, protocol)) = upper(&before) else {
        return;
    };
    assert_eq!(after[..upper], before[..upper], "headers stay");
    match (protocol, &after[upper..]) {
        (17, [_, _, 0, 68, datagram @ ..]) if before[12] == 8 => check_lease(&datagram[4..]),
        (17, [_, _, 2, 34, datagram @ ..]) if before[12] == 0x86 => check_reply(&datagram[4..]),
        (58, [134, ..]) => check_advertisement(&after[upper..]),
        _ => assert_eq!(after, before, "neither lease nor advertisement"),
    }
    if !matches!(input, Input::Raw(_)) && changed {
        assert_checksum(&after, upper, protocol);
    }
}

/// Where the upper header stands and which it is, in an IP packet without extension headers.
fn upper(frame: &[u8]) -> Option<(usize, u8)> {
    match *frame.get(12..15)? {
        [8, 0, first] => {
            let upper = 14 + usize::from(first & 15) * 4;
            let whole = frame.get(20..22) == Some(&[0, 0]);
            (first >> 4 == 4 && upper + 12 <= frame.len() && whole).then(|| (upper, frame[23]))
        }
        [0x86, 0xdd, _] => (frame.len() >= 54 + 16).then(|| (54, frame[20])),
        _ => None,
    }
}

fn check_lease(message: &[u8]) {
    if message.get(236..240) != Some(&[99, 130, 83, 99]) {
        return;
    }
    let mut rest = &message[240..];
    while let [kind, after @ ..] = rest {
        assert!(
            !matches!(kind, 3 | 6 | 15 | 33 | 42 | 119 | 121 | 249 | 252),
            "option {kind}"
        );
        rest = match (kind, after) {
            (255, _) => return,
            (0, _) => after,
            (_, [len, value @ ..]) => &value[usize::from(*len).min(value.len())..],
            (_, []) => return,
        };
    }
}

fn check_advertisement(message: &[u8]) {
    assert_eq!((message[5] & 0x18, &message[6..8]), (0, &[0, 0][..]));
    let mut rest = &message[16..];
    while let [kind, eighths @ 1..=255, ..] = rest {
        assert!(!matches!(kind, 24 | 25 | 31), "option {kind}");
        rest = rest.get(usize::from(*eighths) * 8..).unwrap_or_default();
    }
}

fn check_reply(message: &[u8]) {
    let mut rest = message.get(4..).unwrap_or_default();
    while let Some((&[high, low, l0, l1], after)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([high, low]);
        assert!(!matches!(kind, 23 | 24 | 31 | 56), "option {kind}");
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        rest = after.get(len..).unwrap_or_default();
    }
}

fn assert_checksum(frame: &[u8], upper: usize, protocol: u8) {
    let addresses = match frame[12] {
        8 => &frame[26..34],
        _ => &frame[22..54],
    };
    assert_eq!(pseudo_sum(addresses, protocol, &frame[upper..]), 0xffff);
}

impl Input {
    fn build(&self) -> Vec<u8> {
        match self {
            Input::Raw(bytes) => bytes.clone(),
            Input::Lease {
                ip_option_words,
                fragment,
                overload,
                file,
                options,
                tail,
            } => {
                let mut message = vec![2, 1, 6, 0];
                message.resize(108, 0);
                message.extend(&file[..file.len().min(128)]);
                message.resize(236, 0);
                message.extend([99, 130, 83, 99]);
                if let Some(fields) = overload {
                    message.extend([52, 1, *fields]);
                }
                for DhcpOption { kind, value } in options.iter().take(40) {
                    let value = &value[..value.len().min(20)];
                    message.extend([*kind, value.len() as u8]);
                    message.extend(value);
                }
                message.extend(&tail[..tail.len().min(40)]);
                let mut datagram = udp(67, 68, &message);
                finish_checksum(&[10, 0, 0, 1, 10, 0, 0, 2], 17, &mut datagram);
                let words = vec![1; usize::from(ip_option_words % 11) * 4];
                let fragment = if *fragment == 7 { 0x2000 } else { 0 };
                ethernet(
                    [2; 6],
                    [4; 6],
                    0x0800,
                    &ipv4(17, fragment, &words, &datagram),
                )
            }
            Input::Advertisement {
                flags,
                lifetime,
                options,
                tail,
            } => {
                let [high, low] = lifetime.to_be_bytes();
                let mut message = vec![134, 0, 0, 0, 64, *flags, high, low];
                message.resize(16, 0);
                for option in options.iter().take(20) {
                    let mut option = option[..option.len().min(40)].to_vec();
                    option.resize(option.len().next_multiple_of(8).max(8), 0);
                    option[1] = (option.len() / 8) as u8;
                    message.extend(option);
                }
                message.extend(&tail[..tail.len().min(20)]);
                let packet = ipv6(58, &message);
                let sum = pseudo_sum(&packet[8..40], 58, &message);
                message[2..4].copy_from_slice(&(!sum).to_be_bytes());
                ethernet([2; 6], [4; 6], 0x86dd, &ipv6(58, &message))
            }
            Input::Reply { options, tail } => {
                let mut message = vec![7, 1, 2, 3];
                for (kind, value) in options.iter().take(30) {
                    let value = &value[..value.len().min(40)];
                    message.extend(kind.to_be_bytes());
                    message.extend((value.len() as u16).to_be_bytes());
                    message.extend(value);
                }
                message.extend(&tail[..tail.len().min(20)]);
                let mut datagram = udp(547, 546, &message);
                finish_checksum(&ipv6(17, &[])[8..40], 17, &mut datagram);
                ethernet([2; 6], [4; 6], 0x86dd, &ipv6(17, &datagram))
            }
        }
    }
}
