//! Multicast as service discovery uses it, and as streams do.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::{Machine, wait::pass};

/// The group and port of mDNS.
pub const MDNS: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);
/// How much of a stream is sent at once.
const BURST: usize = 8;
/// The payload of RTP that carries seven MPEG packets.
const RTP_LEN: usize = 12 + 7 * 188;

/// Sends one datagram to a group out of `from`'s address and fails unless `to` hears it on its own address.
pub fn multicast_crosses(
    (group, port): (Ipv4Addr, u16),
    from: (&Machine, IpAddr),
    to: (&Machine, IpAddr),
) -> Result<()> {
    let listener = join((group, port), to)?;
    listener.set_read_timeout(Some(Duration::from_secs(3)))?;
    let speaker = speaker(from)?;
    let question = format!("who is there? asks {}", from.1);
    speaker.send_to(question.as_bytes(), (group, port))?;
    let mut heard = [0; 1500];
    let (length, speaker) = listener
        .recv_from(&mut heard)
        .context("no multicast arrived")?;
    ensure!(
        heard[..length] == *question.as_bytes() && speaker.ip() == from.1,
        "heard something else from {speaker}"
    );
    Ok(())
}

/// A socket that has joined a group on this machine's address.
pub fn join(
    (group, port): (Ipv4Addr, u16),
    (machine, address): (&Machine, IpAddr),
) -> Result<UdpSocket> {
    let IpAddr::V4(member) = address else {
        bail!("IPv4 groups want IPv4 addresses")
    };
    machine.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((group, port)).into())?;
        socket.join_multicast_v4(&group, &member)?;
        Ok(UdpSocket::from(socket))
    })
}

/// A socket that speaks to groups out of this machine's address.
pub fn speaker((machine, address): (&Machine, IpAddr)) -> Result<UdpSocket> {
    let IpAddr::V4(source) = address else {
        bail!("IPv4 groups want IPv4 addresses")
    };
    machine.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_multicast_if_v4(&source)?;
        socket.set_multicast_ttl_v4(4)?;
        Ok(UdpSocket::from(socket))
    })
}

/// Sends RTP of `bits` a second to a group for `time`; answers how many bytes of UDP that were.
pub fn stream(
    to: (Ipv4Addr, u16),
    from: (&Machine, IpAddr),
    bits: usize,
    time: Duration,
) -> Result<u64> {
    let speaker = speaker(from)?;
    let packets = usize::try_from(time.as_millis())? * bits / 8 / 1000 / RTP_LEN;
    let start = Instant::now();
    let mut packet = [0x80; RTP_LEN];
    for number in 0..packets {
        if number % BURST == 0 {
            let due = time.mul_f64(number as f64 / packets as f64);
            pass(due.saturating_sub(start.elapsed()));
        }
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        speaker.send_to(&packet, to)?;
    }
    Ok((packets * RTP_LEN) as u64)
}

/// Says so many things a second to a group, until it is enough.
pub fn chat(speaker: &UdpSocket, to: (Ipv4Addr, u16), per_second: u32, said_enough: &AtomicBool) {
    let start = Instant::now();
    for number in 0.. {
        if said_enough.load(Ordering::Relaxed) {
            return;
        }
        // What does not go out is missed by nobody.
        let _ = speaker.send_to(&[0x4d; 100], to);
        let due = Duration::from_secs(1) * number / per_second;
        pass(due.saturating_sub(start.elapsed()));
    }
}
