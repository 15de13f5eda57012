//! A group of sockets and the filter that chooses among them (socket(7), `SO_ATTACH_REUSEPORT_CBPF`).
#![allow(
    unsafe_code,
    reason = "no crate that we use attaches this kind of filter"
)]

use super::{IN_LONG, IN_SHORT, LONG};
use libc::{
    BPF_A, BPF_ABS, BPF_ALU, BPF_B, BPF_JA, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_MOD, BPF_RET,
    sock_filter, sock_fprog,
};
use socket2::Socket;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};

/// Lets others of this user have the address of a socket that is bound already. Whoever binds without that first learns whether
/// somebody else has the address; two programs that both ask for it beforehand would share it without a word.
pub(crate) fn make_joinable(bound: &Socket) -> io::Result<()> {
    bound.set_reuse_port(true)
}

/// Takes that back.
pub(crate) fn leave(bound: &Socket) -> io::Result<()> {
    bound.set_reuse_port(false)
}

/// Makes a socket one that may be bound to the address of another.
pub(crate) fn join(unbound: &Socket) -> io::Result<()> {
    unbound.set_reuse_port(true)
}

/// Has the kernel steer packets to one of so many sockets of a group, in the order in which they were bound; with one,
/// to the first.
///
/// # Errors
/// When this kernel takes no such filter, or the socket is in no group.
pub(crate) fn attach(member: &UdpSocket, loops: usize) -> io::Result<()> {
    let mut filter = steering(u32::try_from(loops.max(1)).expect("there are few"));
    let program = sock_fprog {
        len: u16::try_from(filter.len()).expect("it is short"),
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the descriptor is open as long as `member` is borrowed; `program` is what this option takes, its length is
    // given with it, and it points to `filter`, which has as many instructions as it says and outlives the call. The kernel
    // copies and checks them, and keeps no pointer.
    let answer = unsafe {
        libc::setsockopt(
            member.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of::<sock_fprog>() as libc::socklen_t,
        )
    };
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// [`Place::of`](super::Place::of) as the kernel runs it, over a UDP payload. What is too short for a load ends the
/// program with 0.
fn steering(loops: u32) -> [sock_filter; 7] {
    [
        load(0),
        jump(BPF_JMP | BPF_JSET | BPF_K, LONG.into(), 0, 2),
        load(IN_LONG as u32),
        jump(BPF_JMP | BPF_JA, 1, 0, 0),
        load(IN_SHORT as u32),
        jump(BPF_ALU | BPF_MOD | BPF_K, loops, 0, 0),
        jump(BPF_RET | BPF_A, 0, 0, 0),
    ]
}

fn load(at: u32) -> sock_filter {
    jump(BPF_LD | BPF_B | BPF_ABS, at, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    let code = u16::try_from(code).expect("all codes are short");
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use crate::socket;
    use crate::steer::Place;
    use std::io::ErrorKind;
    use std::net::{SocketAddr, UdpSocket};
    use std::time::Duration;

    fn group(loops: usize) -> (Vec<UdpSocket>, SocketAddr) {
        let listen = "127.0.0.1:0".parse().unwrap();
        let (sockets, _) = socket::bind_group(listen, loops).unwrap();
        assert_eq!(sockets.len(), loops, "this kernel has no such filter");
        let address = sockets[0].local_addr().unwrap();
        for socket in &sockets {
            socket.set_nonblocking(true).unwrap();
            assert_eq!(socket.local_addr().unwrap(), address);
        }
        (sockets, address)
    }

    /// Loopback has a packet in its socket before the sender goes on.
    fn who_has(sockets: &[UdpSocket]) -> Vec<usize> {
        let mut packet = [0; 64];
        let mut has_one = |socket: &UdpSocket| match socket.recv(&mut packet) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        };
        (0..sockets.len())
            .filter(|&index| has_one(&sockets[index]))
            .collect()
    }

    #[test]
    fn the_kernel_steers_as_we_would() {
        for loops in [2, 3, 8] {
            let (sockets, address) = group(loops);
            let place = Place::all(loops).next().unwrap();
            let from = UdpSocket::bind("127.0.0.1:0").unwrap();
            for byte in 0..=255u8 {
                let short = [&[0x40, byte][..], &[7; 30]].concat();
                let long = [&[0xc3, 0, 0, 0, 1, 8, byte][..], &[7; 30]].concat();
                // Runts, and those that end at the byte that counts, or before.
                for packet in [
                    &short[..],
                    &long,
                    &[byte],
                    &short[..2],
                    &long[..7],
                    &long[..6],
                    &[],
                ] {
                    from.send_to(packet, address).unwrap();
                    assert_eq!(who_has(&sockets), [place.of(packet)], "{packet:?}");
                }
            }
        }
    }

    #[test]
    fn whoever_moves_stays_with_its_loop() {
        let (sockets, address) = group(4);
        let packet = [0x40, 7, 1, 2, 3, 4, 5, 6, 7, 8];
        for port in 0..40 {
            let from = UdpSocket::bind((format!("127.0.0.{}", 1 + port % 20).as_str(), 0)).unwrap();
            from.send_to(&packet, address).unwrap();
            assert_eq!(who_has(&sockets), [3]);
        }
    }

    #[test]
    fn a_group_of_which_one_socket_goes_on_is_steered_to_that() {
        let (mut sockets, address) = group(4);
        super::attach(&sockets[2], 1).unwrap();
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        let send_all = || {
            (0..=255).for_each(|byte| {
                from.send_to(&[0x40, byte, 1], address).unwrap();
            });
        };
        send_all();
        sockets.truncate(1);
        send_all();
        let first = &sockets[0];
        first.set_nonblocking(false).unwrap();
        first
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        for _ in 0..2 * 256 {
            first.recv(&mut [0; 8]).unwrap();
        }
    }

    #[test]
    fn nobody_else_has_the_address_of_a_group() {
        let (_sockets, address) = group(2);
        let taken = socket::bind_group(address, 2).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert_eq!(
            socket::bind_group(address, 1).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        let alone = UdpSocket::bind("127.0.0.1:0").unwrap();
        let taken = socket::bind_group(alone.local_addr().unwrap(), 2).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
    }

    #[test]
    fn one_that_was_bound_alone_takes_no_filter() {
        let alone = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(super::attach(&alone, 2).is_err());
    }
}
