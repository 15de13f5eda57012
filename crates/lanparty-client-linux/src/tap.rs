//! A TAP adapter: frames that the system sends through it come out here, and the other way round.
//!
//! To the system it is a NIC that cuts TCP and completes checksums: one read or write moves up to
//! 64 KiB of a stream, with a vnet header in front (see [`lanparty_peer::vnet`]).

#[allow(
    unsafe_code,
    reason = "an ioctl and a registration that have no safe wrapper"
)]
mod sys;

pub(crate) use sys::watch;

use bytes::Bytes;
use lanparty_edge::privilege::{self, CapabilitySet};
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_peer::readable::Readable;
use lanparty_peer::vnet::{self, ENOUGH, READ_LEN, Sent, SuperFrameWriter};
use lanparty_proto::FrameBuf;
use lanparty_proto::frame_buf::FrameSlab;
use rustix::fs::{Mode, OFlags};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::task::{Context, Poll};
use tokio::io::Interest;

/// Where TAPs come from.
pub(crate) const CLONE_DEVICE: &str = "/dev/net/tun";
/// A removed adapter shows as an error, and only to those who ask for errors.
const FRAMES: Interest = Interest::READABLE.add(Interest::ERROR);

/// An open TAP. The adapter exists until this is dropped, or its process dies (spec R80).
#[derive(Debug)]
pub(crate) struct Tap {
    fd: Readable<OwnedFd>,
    /// Where a read goes, before it becomes frames.
    room: Box<[u8]>,
    slab: FrameSlab,
    writer: SuperFrameWriter,
    /// The last read was not in vain.
    has_more: bool,
}

/// Why there is no TAP; each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TapError {
    #[error(
        "this system has no TAP adapters ({CLONE_DEVICE} is missing); load them with `sudo modprobe tun`, or, in a \
         container, start it with `--device {CLONE_DEVICE}`"
    )]
    NoDevice,
    #[error("this program may not make TAP adapters: {0}")]
    NotPermitted(String),
    #[error(
        "you may not open {CLONE_DEVICE}; run this with sudo, or open it to everybody as most systems \
         do: `sudo chmod 666 {CLONE_DEVICE}`"
    )]
    DeviceClosed,
    #[error(
        "not even root may open {CLONE_DEVICE} here, as in a container; start the container with \
         `--device {CLONE_DEVICE}`"
    )]
    DeviceBarred,
    #[error(
        "there is a network interface {0} already; end the other client, or choose another name with --tap"
    )]
    NameTaken(TapName),
    #[error("cannot make the TAP adapter {0} ({1})")]
    Other(TapName, #[source] io::Error),
}

impl Tap {
    /// Makes an adapter with this name; it is down.
    pub(crate) fn create(name: &TapName) -> Result<Self, TapError> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let error = |error: io::Error| TapError::new(name, error);
        let is_root = rustix::process::geteuid().is_root();
        let fd = rustix::fs::open(CLONE_DEVICE, flags, Mode::empty())
            .map_err(|errno| TapError::from_opening(name, errno.into(), is_root))?;
        sys::create_tap(&fd, name.bytes()).map_err(error)?;
        if let Err(error) = sys::offer_offloads(&fd) {
            tracing::debug!(%error, "This system's TAP adapters take no offloads; frames come one by one");
        }
        let fd = watch(fd, FRAMES).map_err(error)?;
        Ok(Tap {
            fd: Readable::new(fd),
            room: vec![0; READ_LEN].into(),
            slab: FrameSlab::default(),
            writer: SuperFrameWriter::default(),
            has_more: false,
        })
    }
}

impl Tap {
    /// To the system it has no cable from now on, so that no network manager takes it for its own; what is written to it comes
    /// in all the same. Kernels before 4.20 cannot.
    pub(crate) fn take_carrier(&self) -> io::Result<()> {
        sys::take_carrier(self.fd.get_ref())
    }
}

impl FramePort for Tap {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.fd.poll(cx) {
            Poll::Ready(Ok(true)) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "somebody removed the adapter; start the client again",
            ))),
            ready => ready.map_ok(|_| ()),
        }
    }

    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        let (mut reads, mut handed_over) = (0, 0);
        // A read brings one frame, and only one in vain says that it was the last. Most come alone: the first one does not
        // wait for that. It is read whether there are more once it has been sent.
        let enough = if self.has_more { ENOUGH } else { 1 };
        while handed_over < enough {
            let room = &mut self.room;
            let read = |fd: &OwnedFd| Ok((rustix::io::read(fd, &mut room[..])?, false));
            let read = self.fd.try_read(read);
            self.has_more = read.is_ok();
            match read {
                Ok(len) => {
                    handed_over += vnet::hand_over(&self.room[..len], &mut self.slab, take);
                    reads += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(reads)
    }

    fn try_send(&mut self, frames: &[Bytes]) -> Sent {
        // A TAP takes a whole write or none of it.
        let fd = self.fd.get_ref();
        self.writer
            .send(frames, |pieces| Ok(rustix::io::writev(fd, pieces)?))
    }
}

impl TapError {
    /// What it means that the device cannot be opened. A container's rules for devices keep everybody out.
    fn from_opening(name: &TapName, error: io::Error, is_root: bool) -> Self {
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) if is_root => TapError::DeviceBarred,
            Some(libc::EPERM | libc::EACCES) => TapError::DeviceClosed,
            _ => TapError::new(name, error),
        }
    }

    /// What it means that the open device makes no adapter.
    fn new(name: &TapName, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => TapError::NoDevice,
            Some(libc::EPERM | libc::EACCES) => {
                let needed = CapabilitySet::NET_ADMIN;
                TapError::NotPermitted(privilege::advice(needed, &[CLONE_DEVICE]))
            }
            Some(libc::EBUSY) => TapError::NameTaken(name.clone()),
            _ => TapError::Other(name.clone(), error),
        }
    }
}

/// The name of a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TapName(String);

/// The text cannot be an interface's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an interface's name has 1 to 15 letters, digits, dots, hyphens and underscores, like lanparty0"
)]
pub(crate) struct TapNameError;

impl TapName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the kernel wants it, with zeros behind it.
    fn bytes(&self) -> [u8; libc::IFNAMSIZ] {
        let mut bytes = [0; libc::IFNAMSIZ];
        bytes[..self.0.len()].copy_from_slice(self.0.as_bytes());
        bytes
    }
}

impl FromStr for TapName {
    type Err = TapNameError;

    fn from_str(text: &str) -> Result<Self, TapNameError> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
        let fits = (1..libc::IFNAMSIZ).contains(&text.len()) && text.bytes().all(allowed);
        // These mean something else as the name of a file in /proc/sys/net.
        if fits && !matches!(text, "." | ".." | "all" | "default") {
            Ok(TapName(text.to_owned()))
        } else {
            Err(TapNameError)
        }
    }
}

impl fmt::Display for TapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
