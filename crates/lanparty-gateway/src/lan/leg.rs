//! How this machine takes part in the party that it carries (spec R134): players' frames come in at its interface as
//! if the LAN's cable had brought them.
//!
//! ```text
//!             this machine's own stack
//!                       ▲
//!        (comes in)     │           ┌───────────── gateway ──────────────┐
//!   LAN ═══ cable ═══ eth0 ──────── AF_PACKET: LAN, and what the machine sends
//!                       ▲           └── TAP ────── players' frames ──────┘
//!                       │                │
//!                       └─ tc redirect ◄─┘
//! ```
//!
//! The leg is a TAP whose only filter hands all that comes in there over to the interface (tc-u32(8), tc-mirred(8)).
//! Nothing else of the machine is touched, no address, route, bridge or NIC, and TAP and filter vanish with the
//! process, however it ends. The interface may be a NIC, a bond or a bridge: whoever listens there hears players.
//!
//! Packet sockets at the interface hear what comes by the leg, gateways' own included. So it is marked, in ways
//! which the stack behind them does not mind: a frame for this machine has the leg's MAC as its destination, which makes
//! it one for this machine wherever it goes; one to a group has a service tag without a VLAN in it, which
//! nobody uses, and which Linux takes off as it must (IEEE 802.1Q §6.9.1).

mod error;

pub use error::LegError;

use super::sys;
use bytes::{BufMut, Bytes, BytesMut};
use lanparty_netlink::{link, redirect};
use lanparty_peer::vnet::{Sent, SuperFrameWriter};
use lanparty_proto::MacAddr;
use lanparty_proto::ethernet::{HEADER_LEN, ether_type};
use netlink_packet_route::link::LinkAttribute;
use rustix::fs::{Mode, OFlags};
use std::cell::Cell;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

/// Where TAPs come from.
const CLONE_DEVICE: &str = "/dev/net/tun";
/// What legs are called; the kernel finds the number.
const NAME: &str = "lanparty-leg%d";
/// The MAC of every leg. Nobody on a LAN has it.
pub(super) const LEG_MAC: MacAddr = MacAddr::new([0xfe, 0xff, 0x4c, 0x41, 0x4e, 0x50]);
/// The tag of what goes to a group.
pub(super) const MARK: Mark = Mark {
    tag: ether_type::SERVICE_VLAN,
    control: 0x3000,
};

/// A tag of IEEE 802.1Q without a VLAN in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) tag: u16,
    /// Priority and drop eligibility; the lower twelve bits would be the VLAN.
    pub(super) control: u16,
}

const _: () = assert!(MARK.control & 0x0fff == 0);

/// A way for players' frames into this machine. It exists until this is dropped, or its process dies.
#[derive(Debug)]
pub struct Leg {
    device: OwnedFd,
    /// The TAP's number.
    index: Cell<u32>,
    state: Cell<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Works,
    /// Somebody has removed the TAP, or switched it off.
    Broken,
    /// And it has been said that it cannot be mended.
    GivenUp,
}

impl Leg {
    /// Makes one that leads nowhere yet.
    ///
    /// # Errors
    /// [`LegError`], in a sentence.
    pub fn make() -> Result<Self, LegError> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = rustix::fs::open(CLONE_DEVICE, flags, Mode::empty())
            .map_err(|errno| LegError::of_device(errno.into()))?;
        let leg = Leg {
            device,
            index: Cell::new(0),
            state: Cell::new(State::Works),
        };
        leg.grow().map_err(LegError::of_tap)?;
        Ok(leg)
    }

    /// Makes the open device into a TAP that is up, of which nobody takes notice.
    fn grow(&self) -> io::Result<()> {
        let name = sys::make_tap(&self.device, NAME)?;
        if let Err(error) = sys::take_carrier(&self.device) {
            tracing::debug!(%error, "{name} looks as if it had a cable");
        }
        let tap = link::named(&name)?.ok_or(io::ErrorKind::NotFound)?;
        let index = tap.header.index;
        self.index.set(index);
        link::set(index, LinkAttribute::Address(LEG_MAC.octets().to_vec()))?;
        // Only for those who look at it; not every kernel has IPv6.
        let _ = link::make_up_no_address(index);
        let alias = "lanparty-gateway: frames of remote players for this machine";
        let _ = link::set(index, LinkAttribute::IfAlias(alias.to_owned()));
        link::set_up(index)
    }

    /// Leads it to this interface, and to no other.
    pub(super) fn lead_to(&self, interface: u32) -> Result<(), LegError> {
        // With it goes where it led before.
        let _ = redirect::stop(self.index.get());
        redirect::start(self.index.get(), interface).map_err(LegError::of_redirection)
    }

    /// Puts out what is already as the leg wants it.
    pub(super) fn send(&self, writer: &mut SuperFrameWriter, frames: &[Bytes]) -> Sent {
        writer.send(frames, |pieces| self.write(pieces))
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = rustix::io::writev(&self.device, pieces);
        if let Err(rustix::io::Errno::IO | rustix::io::Errno::BADFD) = written
            && self.state.get() == State::Works
        {
            self.state.set(State::Broken);
        }
        Ok(written?)
    }

    /// Mends it if somebody has removed it or switched it off. To be called now and then.
    pub(super) fn tend(&self, interface: u32) {
        if self.state.get() == State::Works {
            return;
        }
        match self.mend(interface) {
            Ok(()) => {
                tracing::info!("This machine takes part again");
                self.state.set(State::Works);
            }
            Err(error) if self.state.get() == State::Broken => {
                tracing::warn!("This machine takes no part for now: {error}");
                self.state.set(State::GivenUp);
            }
            Err(error) => tracing::debug!(%error, "This machine still takes no part"),
        }
    }

    fn mend(&self, interface: u32) -> Result<(), LegError> {
        match self.grow() {
            // It is one already.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                link::set_up(self.index.get())
            }
            grown => grown,
        }
        .map_err(LegError::of_tap)?;
        self.lead_to(interface)
    }
}

/// Where a frame of the room's goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ways {
    /// As the leg wants it, if it is for this machine.
    pub(super) to_machine: Option<Bytes>,
    pub(super) to_wire: bool,
}

/// What is for this machine alone need not go to the wire, where nobody else would take it. A CAM refresh, which only
/// looks as if it was for this machine, is for the switch.
pub(super) fn ways(frame: &Bytes, nic: MacAddr) -> Ways {
    let nobody = Ways {
        to_machine: None,
        to_wire: true,
    };
    let Some((header, rest)) = frame.split_first_chunk::<HEADER_LEN>() else {
        return nobody;
    };
    let (destination, source_and_type) = header.split_at(6);
    let is_refresh = header[12..] == ether_type::LOCAL_EXPERIMENTAL_1.to_be_bytes();
    if destination[0] & 1 != 0 {
        let mut marked = BytesMut::with_capacity(frame.len() + 4);
        marked.put_slice(&header[..12]);
        marked.put_u16(MARK.tag);
        marked.put_u16(MARK.control);
        marked.put_slice(&header[12..]);
        marked.put_slice(rest);
        Ways {
            to_machine: Some(marked.freeze()),
            to_wire: true,
        }
    } else if destination == nic.octets() && !is_refresh {
        let mut readdressed = BytesMut::with_capacity(frame.len());
        readdressed.put_slice(&LEG_MAC.octets());
        readdressed.put_slice(source_and_type);
        readdressed.put_slice(rest);
        Ways {
            to_machine: Some(readdressed.freeze()),
            to_wire: false,
        }
    } else {
        nobody
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIC: MacAddr = MacAddr::new([0x52, 0x54, 0, 0, 0, 1]);
    const PLAYER: [u8; 6] = [2, 0, 0, 0, 0, 7];

    #[test]
    fn what_is_for_groups_goes_both_ways_and_is_marked_for_this_machine() {
        for group in [[0xff; 6], [1, 0, 0x5e, 0, 0, 0xfb]] {
            let frame = frame(group, 0x0800);
            let Ways {
                to_machine,
                to_wire,
            } = ways(&frame, NIC);
            let marked = [&frame[..12], &[0x88, 0xa8, 0x30, 0], &frame[12..]].concat();
            assert_eq!(to_machine.as_deref(), Some(&marked[..]));
            assert!(to_wire);
        }
    }

    #[test]
    fn what_is_for_this_machine_goes_to_it_alone() {
        let frame = frame(NIC.octets(), 0x0800);
        let Ways {
            to_machine,
            to_wire,
        } = ways(&frame, NIC);
        let readdressed = [&LEG_MAC.octets()[..], &frame[6..]].concat();
        assert_eq!(to_machine.as_deref(), Some(&readdressed[..]));
        assert!(!to_wire);
    }

    #[test]
    fn what_is_for_others_or_for_switches_goes_to_the_wire_alone() {
        let refresh = frame(NIC.octets(), ether_type::LOCAL_EXPERIMENTAL_1);
        for frame in [frame([0x52, 0, 0, 0, 0, 9], 0x0800), refresh, Bytes::new()] {
            let Ways {
                to_machine,
                to_wire,
            } = ways(&frame, NIC);
            assert_eq!(to_machine, None);
            assert!(to_wire);
        }
    }

    fn frame(destination: [u8; 6], kind: u16) -> Bytes {
        let mut frame = [destination, PLAYER].concat();
        frame.extend(kind.to_be_bytes());
        frame.extend([7; 46]);
        frame.into()
    }
}
