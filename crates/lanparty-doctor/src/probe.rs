//! Does UDP to a relay pass? A QUIC packet of a version that nobody has is answered with the list of those that the relay has
//! (RFC 9000 §6.1), and costs it nothing else: no handshake, no key, no place.

use crate::facts::{Probe, Probes};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long all of it takes at most.
const PATIENCE: Duration = Duration::from_millis(1700);
/// How long one packet's answer is waited for before the next is sent.
const RETRY: Duration = Duration::from_millis(400);
/// How long the other family is waited for, once one has answered.
const OTHER: Duration = Duration::from_millis(500);
/// A name may have many addresses.
const MAX_ADDRESSES: usize = 6;
/// A server answers to no shorter first packet (RFC 9000 §14.1).
const LEN: usize = 1200;
/// A version that is kept free for this (RFC 9000 §15).
const VERSION: [u8; 4] = [0x1a, 0x2a, 0x3a, 0x4a];

/// Asks at all addresses beside each other; of each family the first answer counts, or else what tells most.
pub(crate) fn probe(addresses: &[SocketAddr]) -> Probes {
    let (tell, told) = mpsc::channel();
    let mut probes = Probes::default();
    for &address in addresses.iter().take(MAX_ADDRESSES) {
        *family(&mut probes, address) = Some(Probe::Failed);
        let tell = tell.clone();
        let ask = move || {
            let _ = tell.send((address, ask(address)));
        };
        let _ = thread::Builder::new().spawn(ask);
    }
    drop(tell);
    let mut deadline = Instant::now() + 2 * PATIENCE;
    while let Ok((address, answer)) =
        told.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        let known = family(&mut probes, address);
        *known = Some(known.map_or(answer, |known| known.better(answer)));
        let both = [probes.four, probes.six];
        let is_answer = |probe: &Option<Probe>| matches!(probe, Some(Probe::Answered(_)));
        if both.iter().flatten().count() == both.iter().filter(|probe| is_answer(probe)).count() {
            return probes;
        }
        if both.iter().any(is_answer) {
            deadline = deadline.min(Instant::now() + OTHER);
        }
    }
    // Who has not answered by then is silent.
    for address in addresses {
        let known = family(&mut probes, *address);
        if *known == Some(Probe::Failed) && !matches!(probes.best(), Probe::Failed) {
            *family(&mut probes, *address) = Some(Probe::Silent);
        }
    }
    probes
}

fn family(probes: &mut Probes, address: SocketAddr) -> &mut Option<Probe> {
    match address {
        SocketAddr::V4(_) => &mut probes.four,
        SocketAddr::V6(_) => &mut probes.six,
    }
}

fn ask(relay: SocketAddr) -> Probe {
    let asked = try_ask(relay);
    asked.unwrap_or_else(|error| match error.kind() {
        // What Linux says when netfilter drops on the way out.
        io::ErrorKind::PermissionDenied => Probe::Blocked,
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Probe::Refused,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable => Probe::NoRoute,
        _ => Probe::Failed,
    })
}

fn try_ask(relay: SocketAddr) -> io::Result<Probe> {
    let any: SocketAddr = match relay {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    // So that what routers and firewalls say of it is heard.
    socket.connect(relay)?;
    let deadline = Instant::now() + PATIENCE;
    let ids = RandomState::new();
    let mut sent = Vec::new();
    let mut answer = [0; 2048];
    while Instant::now() < deadline {
        let id = ids.hash_one(sent.len()).to_be_bytes();
        sent.push((id, Instant::now()));
        socket.send(&question(id))?;
        let next = deadline.min(Instant::now() + RETRY);
        loop {
            let wait = next.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(wait))?;
            let len = match socket.recv(&mut answer) {
                Ok(len) => len,
                Err(error) if is_no_answer(&error) => break,
                Err(error) => return Err(error),
            };
            let asked = sent.iter().find(|(id, _)| is_answer(&answer[..len], *id));
            if let Some((_, when)) = asked {
                return Ok(Probe::Answered(when.elapsed()));
            }
        }
    }
    Ok(Probe::Silent)
}

fn is_no_answer(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// A long header (RFC 8999 §5.1) and nothing:
///
/// ```text
/// 1 form, fixed, type | 4 version | 1 length 8 | 8 destination id | 1 length 8 | 8 source id | zeros
/// ```
fn question(id: [u8; 8]) -> [u8; LEN] {
    let mut packet = [0; LEN];
    packet[0] = 0xc0;
    packet[1..5].copy_from_slice(&VERSION);
    packet[5] = 8;
    packet[6..14].copy_from_slice(&id);
    packet[14] = 8;
    packet[15..23].copy_from_slice(&id);
    packet
}

/// A version negotiation packet: version 0, and our ids the other way round, which are the same.
fn is_answer(packet: &[u8], id: [u8; 8]) -> bool {
    let Some(header) = packet.first_chunk::<23>() else {
        return false;
    };
    header[0] & 0x80 != 0
        && header[1..5] == [0; 4]
        && header[5] == 8
        && header[6..14] == id
        && header[14] == 8
        && header[15..23] == id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relays_versions_are_an_answer_and_noise_is_none() {
        let id = [7; 8];
        let mut answer = question(id);
        assert!(!is_answer(&answer, id), "our own packet is none");
        answer[1..5].fill(0);
        assert!(is_answer(&answer, id));
        assert!(!is_answer(&answer, [8; 8]));
        assert!(!is_answer(&answer[..22], id));
    }

    #[test]
    fn who_answers_is_heard() {
        let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = relay.local_addr().unwrap();
        let answers = thread::spawn(move || {
            let mut packet = [0; 2048];
            let (len, from) = relay.recv_from(&mut packet).unwrap();
            packet[1..5].fill(0);
            relay.send_to(b"noise", from).unwrap();
            relay.send_to(&packet[..27], from).unwrap();
            len
        });
        assert!(matches!(probe(&[address]).best(), Probe::Answered(_)));
        assert_eq!(answers.join().unwrap(), LEN);
    }

    #[test]
    fn silence_and_a_closed_port_are_told_apart() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let asked = probe(&[silent.local_addr().unwrap()]);
        assert_eq!((asked.four, asked.six), (Some(Probe::Silent), None));
        let closed = silent.local_addr().unwrap();
        drop(silent);
        if cfg!(target_os = "linux") {
            assert_eq!(probe(&[closed]).best(), Probe::Refused);
        }
        assert_eq!(probe(&[]).best(), Probe::Failed);
    }
}
