//! A TAP of Linux, and its cable (Documentation/networking/tuntap.rst).

#![allow(unsafe_code, reason = "no safe wrapper makes a TAP")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::ioctl::{Opcode, Setter, Updater, ioctl};

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

const TUNSETIFF: Opcode = libc::TUNSETIFF as Opcode;
/// `_IOW('T', 226, int)` of linux/if_tun.h, which libc lacks.
const TUNSETCARRIER: Opcode = 0x4004_54e2;

/// An interface whose frames we read and write; gone when dropped.
#[derive(Debug)]
pub struct Tap(File);

impl Tap {
    /// Makes it in the thread's network namespace.
    pub fn create(name: &str) -> io::Result<Self> {
        Self::with_flags(name, 0)
    }

    /// The same for frames with a vnet header before each, as a virtual machine's NIC has them.
    pub fn with_vnet_header(name: &str) -> io::Result<Self> {
        Self::with_flags(name, libc::IFF_VNET_HDR)
    }

    fn with_flags(name: &str, flags: libc::c_int) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .open("/dev/net/tun")?;
        let mut request = InterfaceRequest {
            name: [0; libc::IFNAMSIZ],
            flags: (libc::IFF_TAP | libc::IFF_NO_PI | flags) as libc::c_short,
            rest: [0; REST],
        };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whose size and layout `InterfaceRequest` has (asserted
        // above) and in which any bytes are valid. The kernel keeps no pointer to it.
        unsafe { ioctl(&file, Updater::<TUNSETIFF, _>::new(&mut request))? };
        Ok(Self(file))
    }

    /// Plugs its cable in or out.
    pub fn plug(&self, plugged_in: bool) -> io::Result<()> {
        // SAFETY: TUNSETCARRIER reads one int.
        unsafe {
            ioctl(
                &self.0,
                Setter::<TUNSETCARRIER, libc::c_int>::new(plugged_in.into()),
            )?;
        }
        Ok(())
    }

    /// Waits so long for a frame; nothing when none came.
    pub fn receive(&self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<usize>> {
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&wait))? {
            0 => Ok(None),
            _ => (&self.0).read(buffer).map(Some),
        }
    }

    /// Gives the machine a frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        (&self.0).write_all(frame)
    }
}
