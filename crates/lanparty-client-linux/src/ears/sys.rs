//! AF_PACKET (packet(7)): what an interface hears and says.

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use socket2::{SockFilter, SockRef};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Who has a frame from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By the wire, to everybody or a group.
    In,
    /// Of this machine.
    Out,
    /// Neither matters here.
    Other,
}

/// The kernel wakes us for frames to everybody or a group alone (`Documentation/networking/filter.rst`): a download at home
/// costs nothing.
const TO_A_GROUP: [SockFilter; 4] = [
    // The group bit of the destination decides: all of the frame, or nothing.
    SockFilter::new((libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16, 0, 0, 0),
    SockFilter::new(
        (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16,
        0,
        1,
        1,
    ),
    SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, u32::MAX),
    SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0),
];

/// A socket that hears of an interface what is for everybody or a group.
pub(super) fn open(interface: u32) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    // Without a protocol it hears nothing until it is bound.
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
    SockRef::from(&socket).attach_filter(&TO_A_GROUP)?;
    // SAFETY: any bytes are a valid `sockaddr_ll`, which is numbers throughout.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = interface.cast_signed();
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the pointer is to a `sockaddr_ll` of this length, which outlives the call; the kernel keeps no pointer.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    match bound {
        0 => Ok(socket),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The next frame that waits.
pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<(usize, Way)> {
    // SAFETY: any bytes are a valid `sockaddr_ll`, which is numbers throughout.
    let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut len = size_of_val(&from) as libc::socklen_t;
    // SAFETY: the buffer is writable for its length, and `from` for `len` bytes; both outlive the call, and the kernel
    // keeps no pointer to either.
    let received = unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_TRUNC,
            (&raw mut from).cast(),
            &raw mut len,
        )
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let way = match from.sll_pkttype {
        // A longer frame was cut, and is no discovery.
        _ if received > buffer.len() => Way::Other,
        libc::PACKET_BROADCAST | libc::PACKET_MULTICAST => Way::In,
        libc::PACKET_OUTGOING => Way::Out,
        _ => Way::Other,
    };
    Ok((received.min(buffer.len()), way))
}
