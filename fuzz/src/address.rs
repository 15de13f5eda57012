//! A player's DHCP client among strangers.

use lanparty_dhcp::{AddressClient, AtHome, How};
use lanparty_proto::MacAddr;
use lanparty_proto::checksum::Sum;
use lanparty_switch::{Speaker, classify};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const OWN: MacAddr = MacAddr::new([2, 0x1a, 0, 0, 0, 1]);
const STRANGER: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 9];
/// An hour of minutes without a stranger's word says more than the same word again.
const MAX_STEPS: usize = 64;
/// What it says in one moment: a question, a probe, an announcement, a defence.
const MAX_FRAMES: usize = 8;

/// Whatever strangers say and whenever: what is held is an address that a machine can have, until then; what is said is
/// little, and a careful switch lets it pass.
pub fn address(bytes: &[u8]) {
    let mut now = crate::epoch();
    let mut client = AddressClient::new(OWN, bytes.len() as u64);
    client.plug_in(now);
    let mut xid = [0; 4];
    let mut at_home = AtHome::default();
    let mut rest = bytes;
    for _ in 0..MAX_STEPS {
        let [step, len, more @ ..] = rest else { break };
        let (given, more) = more.split_at(usize::from(*len).min(more.len()));
        rest = more;
        match step % 9 {
            0 => now = client.poll_timeout().unwrap_or(now).max(now),
            1 => now += Duration::from_secs(u64::from(*len) * 16),
            2 => drop(client.handle_frame(now, given)),
            3 => drop(client.handle_frame(now, &claim(given))),
            4 => client.plug_in(now),
            5 => client.unplug(),
            6 => client.ask_anew(now),
            7 => {
                at_home = home(given);
                client.forbid(now, at_home.clone());
            }
            _ => drop(client.handle_frame(now, &answer(xid, given))),
        }
        client.handle_timeout(now);
        check_held(&client, now, &at_home);
        let mut said = 0;
        while let Some(frame) = client.poll_output() {
            said += 1;
            assert!(said <= MAX_FRAMES, "it floods");
            assert_eq!(classify(&frame, Speaker::Player(OWN)).err(), None);
            if let Some(&[a, b, c, d]) = frame.get(46..50) {
                xid = [a, b, c, d];
            }
        }
        client.take_news();
    }
    client.handle_shutdown(now);
}

fn check_held(client: &AddressClient, now: Instant, at_home: &AtHome) {
    let Some(held) = client.held() else { return };
    let first = held.address.octets()[0];
    assert!((1..224).contains(&first) && first != 127, "{held:?}");
    assert!((8..=31).contains(&held.prefix_len), "{held:?}");
    assert!(held.until.is_none_or(|until| until > now), "{held:?}");
    assert!(!at_home.vital.contains(&held.address), "{held:?}");
    let is_made_up = held.how == How::MadeUp;
    assert_eq!(held.address.is_link_local(), is_made_up, "{held:?}");
}

/// What home uses: the first half machines, the other what this one needs.
fn home(given: &[u8]) -> AtHome {
    let (machines, vital) = given.split_at(given.len() / 2);
    let addresses = |bytes: &[u8]| {
        let (all, _) = bytes.as_chunks::<4>();
        all.iter().map(|octets| Ipv4Addr::from(*octets)).collect()
    };
    AtHome {
        vital: addresses(vital),
        machines: addresses(machines),
    }
}

/// Who has which address, and says so.
fn claim(given: &[u8]) -> Vec<u8> {
    let byte = |at: usize| given.get(at).copied().unwrap_or(0);
    let mut frame = [&[0xff; 6][..], &STRANGER, &[8, 6, 0, 1, 8, 0, 6, 4, 0]].concat();
    frame.push(1 + byte(0) % 2);
    frame.extend(STRANGER);
    frame.extend([byte(1), byte(2), byte(3), byte(4)]);
    frame.extend(OWN.octets());
    frame.extend([byte(5), byte(6), byte(7), byte(8)]);
    frame
}

/// A server's answer to the last question: four bytes are the address, the others are options.
fn answer(xid: [u8; 4], given: &[u8]) -> Vec<u8> {
    let (address, options) = given.split_at(given.len().min(4));
    let mut message = vec![2, 1, 6, 0];
    message.extend(xid);
    message.resize(236, 0);
    message[16..16 + address.len()].copy_from_slice(address);
    message[28..34].copy_from_slice(&OWN.octets());
    message.extend([99, 130, 83, 99]);
    message.extend(options);
    let len = 28 + message.len();
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend(Ipv4Addr::new(192, 168, 50, 1).octets());
    ip.extend(Ipv4Addr::BROADCAST.octets());
    ip[2..4].copy_from_slice(&u16::try_from(len).unwrap_or(0).to_be_bytes());
    let sum = Sum::of(&ip).checksum();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let udp = u16::try_from(len - 20).unwrap_or(0).to_be_bytes();
    let mut frame = [&OWN.octets()[..], &STRANGER, &[8, 0], &ip].concat();
    // A checksum of zero is none.
    frame.extend([0, 67, 0, 68, udp[0], udp[1], 0, 0]);
    frame.extend(message);
    frame
}
