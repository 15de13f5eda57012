//! UDP sockets with buffers that survive a burst.

use crate::steer;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// What we ask for. At 50,000 datagrams a second the usual 208 KiB lose 0.5 % of them.
const WANTED_BUFFER: usize = 4 * 1024 * 1024;

/// What the system granted for a UDP socket, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpBuffers {
    /// For datagrams that wait for us.
    pub receive: usize,
    /// For datagrams that wait for the network.
    pub send: usize,
}

/// Binds a UDP socket, for both IP families where the address is an IPv6 wildcard, and says which
/// buffer sizes the system granted.
pub(crate) fn bind(address: SocketAddr) -> io::Result<(UdpSocket, UdpBuffers)> {
    let socket = unbound(address)?;
    socket.bind(&address.into())?;
    measured(socket)
}

/// Binds so many sockets to one address, for the kernel to steer packets to one of them ([`steer`]). Only the first where
/// that cannot be.
///
/// # Errors
/// When the address cannot be had, or is another program's.
pub(crate) fn bind_group(
    address: SocketAddr,
    count: usize,
) -> io::Result<(Vec<UdpSocket>, UdpBuffers)> {
    let first = unbound(address)?;
    // Without the option that shares an address, so that it is refused when somebody has it.
    first.bind(&address.into())?;
    let others = match count {
        0 | 1 => Ok(Vec::new()),
        _ => accompany(&first, count),
    };
    if let Err(error) = &others {
        tracing::info!(%error, "The system does not steer packets to one of several sockets");
    }
    let (first, buffers) = measured(first)?;
    let others = others.unwrap_or_default();
    Ok(([first].into_iter().chain(others).collect(), buffers))
}

/// The other sockets of the group; where one cannot be had, none, and the first is alone as it was.
fn accompany(first: &Socket, count: usize) -> io::Result<Vec<UdpSocket>> {
    let others = || {
        steer::make_joinable(first)?;
        // With the port that it has got.
        let address = first.local_addr()?;
        let domain = address.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let join = |_| {
            let socket = unbound(domain)?;
            steer::join(&socket)?;
            socket.bind(&address)?;
            Ok(UdpSocket::from(socket))
        };
        let others: io::Result<Vec<UdpSocket>> = (1..count).map(join).collect();
        let others = others?;
        let member = others.first().ok_or(io::ErrorKind::Unsupported)?;
        steer::attach(member, count)?;
        Ok(others)
    };
    others().inspect_err(|_| {
        let _ = steer::leave(first);
    })
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    enlarge_buffers(&socket);
    Ok(socket)
}

/// The same with sockets that another program has bound.
pub(crate) fn adopt(sockets: Vec<UdpSocket>) -> io::Result<(Vec<UdpSocket>, UdpBuffers)> {
    let sockets: Result<Vec<_>, _> = sockets
        .into_iter()
        .map(|socket| measured(socket.into()))
        .collect();
    let sockets = sockets?;
    let buffers = sockets.first().ok_or(io::ErrorKind::NotFound)?.1;
    let sockets: Vec<UdpSocket> = sockets.into_iter().map(|(socket, _)| socket).collect();
    if let [member, _, ..] = &sockets[..]
        && let Err(error) = steer::attach(member, sockets.len())
    {
        // A loop hands over what is another's.
        tracing::info!(%error, "The system does not steer packets to one of these sockets");
    }
    Ok((sockets, buffers))
}

fn measured(socket: Socket) -> io::Result<(UdpSocket, UdpBuffers)> {
    let buffers = UdpBuffers {
        receive: socket.recv_buffer_size()?,
        send: socket.send_buffer_size()?,
    };
    Ok((socket.into(), buffers))
}

/// Past `net.core.rmem_max` only the privileged variants go; without the privilege we take what the
/// system gives, which is read back and reported.
#[cfg(target_os = "linux")]
fn enlarge_buffers(socket: &Socket) {
    use rustix::net::sockopt;
    if sockopt::set_socket_recv_buffer_size_force(socket, WANTED_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(WANTED_BUFFER);
    }
    let _ = socket.set_send_buffer_size(WANTED_BUFFER);
}

#[cfg(not(target_os = "linux"))]
fn enlarge_buffers(socket: &Socket) {
    let _ = socket.set_recv_buffer_size(WANTED_BUFFER);
    let _ = socket.set_send_buffer_size(WANTED_BUFFER);
}

/// An IPv4 address as such, also when it came through a dual-stack socket.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
