//! UDP sockets with buffers that survive a burst.

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
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    enlarge_buffers(&socket);
    socket.bind(&address.into())?;
    measured(socket)
}

/// The same with a socket that another program has bound.
pub(crate) fn adopt(socket: UdpSocket) -> io::Result<(UdpSocket, UdpBuffers)> {
    measured(socket.into())
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
