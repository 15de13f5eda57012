//! Whole Ethernet frames by AF_PACKET.

#![allow(
    unsafe_code,
    reason = "no safe wrapper of ours makes a sockaddr_ll or sets a packet socket option"
)]

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, SockAddr, Socket, Type};

/// A socket that sends and receives every frame of one interface, except the ones it sent itself.
#[derive(Debug)]
pub struct RawSocket(Socket);

impl RawSocket {
    /// Opens the interface; call it on the machine: `machine.enter(|| RawSocket::open("eth0"))`.
    pub fn open(interface: &str) -> io::Result<Self> {
        // Protocol 0 hears nothing, so no frame of another interface gets in before the bind names ours.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        ignore_outgoing(&socket)?;
        socket.bind(&all_frames_of(name_to_index(&socket, interface)?)?)?;
        Ok(Self(socket))
    }

    /// Sends one frame as it is.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame).map(drop)
    }

    /// Sends frames with one call; answers how many it took. The others found no room.
    pub fn pour(&self, frames: &[Vec<u8>]) -> io::Result<usize> {
        let mut slices: Vec<_> = frames
            .iter()
            .map(|frame| libc::iovec {
                iov_base: frame.as_ptr().cast_mut().cast(),
                iov_len: frame.len(),
            })
            .collect();
        let mut messages: Vec<_> = slices
            .iter_mut()
            .map(|slice| {
                // SAFETY: a msghdr without address, data and control is all zeroes.
                let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
                message.msg_hdr.msg_iov = slice;
                message.msg_hdr.msg_iovlen = 1;
                message
            })
            .collect();
        let count = messages.len() as libc::c_uint;
        // SAFETY: `count` headers, each with one slice of `slices`, which describe frames that are only read; all of
        // them live through the call.
        let sent = unsafe { libc::sendmmsg(self.0.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// After this, frames do not wait in the interface's queue.
    pub fn pass_the_queue(&self) -> io::Result<()> {
        set_packet_option(&self.0, libc::PACKET_QDISC_BYPASS)
    }

    /// After this, each frame has a vnet header before it, both ways, and may be one that a NIC would cut.
    pub fn show_offloads(&self) -> io::Result<()> {
        set_packet_option(&self.0, libc::PACKET_VNET_HDR)
    }

    /// Receives one frame into `buffer`; a longer one is cut.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }

    /// After this, `receive` gives up with `WouldBlock` when nothing came for so long.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(timeout))
    }

    /// After this, nothing waits.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        self.0.set_nonblocking(true)?;
        self.0.set_recv_buffer_size(8 << 20)
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn all_frames_of(interface: u32) -> io::Result<SockAddr> {
    // SAFETY: `storage` is zeroed memory, large enough and aligned for every socket address, and zeroes are a valid
    // sockaddr_ll; the length is that of what was written.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let link = &mut *storage.cast::<libc::sockaddr_ll>();
            link.sll_family = libc::AF_PACKET as u16;
            link.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
            link.sll_ifindex = interface.cast_signed();
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })
    }?;
    Ok(address)
}

fn ignore_outgoing(socket: &Socket) -> io::Result<()> {
    set_packet_option(socket, libc::PACKET_IGNORE_OUTGOING)
}

fn set_packet_option(socket: &Socket, option: libc::c_int) -> io::Result<()> {
    let yes: libc::c_int = 1;
    // SAFETY: the pointer and the length describe `yes`, which lives through the call; the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            (&raw const yes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
