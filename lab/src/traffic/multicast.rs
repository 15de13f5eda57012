//! Multicast as service discovery uses it.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::Machine;

const MDNS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;

/// Sends one datagram to the mDNS group out of `from`'s address and fails unless `to` hears it on its own address.
pub fn multicast_crosses(from: (&Machine, IpAddr), to: (&Machine, IpAddr)) -> Result<()> {
    let (IpAddr::V4(source), IpAddr::V4(member)) = (from.1, to.1) else {
        bail!("mDNS over IPv4 wants IPv4 addresses")
    };
    let listener = to.0.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&std::net::SocketAddr::from((MDNS, PORT)).into())?;
        socket.join_multicast_v4(&MDNS, &member)?;
        Ok(UdpSocket::from(socket))
    })?;
    listener.set_read_timeout(Some(Duration::from_secs(3)))?;
    let speaker = from.0.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.set_multicast_if_v4(&source)?;
        Ok(UdpSocket::from(socket))
    })?;
    let question = format!("who is there? asks {source}");
    speaker.send_to(question.as_bytes(), (MDNS, PORT))?;
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
