//! TUNSETIFF, which turns an open `/dev/net/tun` into an adapter (Documentation/networking/tuntap.rst),
//! what the adapter leaves to us (linux/if_tun.h), and the descriptor's place among those that tokio
//! watches.

use lanparty_proto::offload;
use rustix::ioctl::{IntegerSetter, Setter, Updater, ioctl};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `struct ifreq` of netdevice(7), where its union holds `ifr_flags`.
#[repr(C, align(8))]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; REST],
}

const REST: usize = size_of::<libc::ifreq>() - libc::IFNAMSIZ - size_of::<libc::c_short>();

const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());
const _: () = assert!(align_of::<InterfaceRequest>() >= align_of::<libc::ifreq>());

const TUNSETIFF: rustix::ioctl::Opcode = libc::TUNSETIFF as rustix::ioctl::Opcode;
const TUNSETVNETHDRSZ: rustix::ioctl::Opcode = libc::TUNSETVNETHDRSZ as rustix::ioctl::Opcode;
const TUNSETCARRIER: rustix::ioctl::Opcode = libc::TUNSETCARRIER as rustix::ioctl::Opcode;
const TUNSETOFFLOAD: rustix::ioctl::Opcode = libc::TUNSETOFFLOAD as rustix::ioctl::Opcode;

/// Makes a new TAP with a vnet header before its frames; refuses a name that exists.
pub(super) fn create_tap(fd: impl AsFd, name: [u8; libc::IFNAMSIZ]) -> io::Result<()> {
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL;
    let mut request = InterfaceRequest {
        name,
        // IFF_TUN_EXCL is the highest of 16 bits.
        flags: (flags as u16).cast_signed(),
        rest: [0; REST],
    };
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whatever its number says about an int.
    // `InterfaceRequest` has its size and at least its alignment (asserted above), and its layout:
    // the name comes first, the flags are the union's first bytes. Any bytes are valid in it, so the
    // kernel may write what it likes. The kernel keeps no pointer to it.
    unsafe { ioctl(&fd, Updater::<TUNSETIFF, _>::new(&mut request))? };
    let header_len = offload::HEADER_LEN as libc::c_int;
    // SAFETY: TUNSETVNETHDRSZ reads one int, and keeps no pointer to it.
    unsafe { ioctl(fd, Setter::<TUNSETVNETHDRSZ, _>::new(header_len))? };
    Ok(())
}

/// Offers to complete checksums and to cut TCP, so that the system hands over up to 64 KiB at once. Not to cut UDP
/// (`TUN_F_USO4`): nothing slows its senders down, and the adapter's queue of 1000 would hold 64 MB of trains in front of
/// a game's next packet (docs/performance.md).
pub(super) fn offer_offloads(fd: impl AsFd) -> io::Result<()> {
    let offers = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
    // SAFETY: TUNSETOFFLOAD takes its argument by value, whatever its number says about a pointer.
    unsafe {
        let offer = IntegerSetter::<TUNSETOFFLOAD>::new_usize(offers as usize);
        ioctl(fd, offer)?;
    }
    Ok(())
}

/// Pulls the cable, as the system sees it.
pub(super) fn take_carrier(fd: impl AsFd) -> io::Result<()> {
    let none: libc::c_int = 0;
    // SAFETY: TUNSETCARRIER reads one int, and keeps no pointer to it.
    unsafe { ioctl(fd, Setter::<TUNSETCARRIER, _>::new(none))? };
    Ok(())
}

/// Has tokio watch a descriptor.
pub(crate) fn watch(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the `AsyncFd` owns the descriptor, so it stays open until that is dropped, and an
    // `OwnedFd` never changes which descriptor it is: nobody takes it out or replaces it, because
    // the module above and `adapter/monitor.rs` use `get_ref` only.
    let registered = unsafe { AsyncFd::register_with_interest(fd, interest) };
    Ok(registered?)
}
