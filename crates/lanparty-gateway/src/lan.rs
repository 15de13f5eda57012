//! The gateway's port on the LAN: an AF_PACKET socket that shows frames as the wire has them (spec
//! R41–R43).
//!
//! A raw socket alone would not: with offloads on, Linux hands over TCP super-frames of up to 64 KiB
//! and checksums that nobody has finished, and takes VLAN tags out. So the socket asks for a vnet
//! header and for auxiliary data, and [`lanparty_proto::offload`] does what a NIC would do.
//!
//! [`LanSocket::open`] checks the interface and opens it, [`LanPort`] is what a running peer uses. With a [`Leg`] the
//! machine itself is a part of that LAN.

pub(crate) mod choice;
pub(crate) mod facts;
mod filter;
mod interface;
mod leg;
mod nature;
mod sole;
pub(crate) mod survey;
mod sys;

pub use interface::{Interface, InterfaceError};
pub use leg::{Leg, LegError};
pub use sole::{NotSole, Sole};

use bytes::Bytes;
use lanparty_edge::privilege::{self, CapabilitySet};
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_peer::readable::Readable;
use lanparty_peer::vnet::{self, ENOUGH, READ_LEN, Sent, SuperFrameWriter};
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::{FrameBuf, MacAddr};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use sys::{BATCH, FEW, Notes, PacketSocket, Slot};
use tokio::time::{Instant, Sleep};

/// Frames that wait for us while somebody else has the processor: 4 MiB hold about 15 ms of a full
/// gigabit, counting the kernel's own bytes.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Frames on their way to the NIC.
const SEND_BUFFER: usize = 1 << 20;
/// How often the interface is looked at: nobody tells when a cable is pulled.
const LOOK: Duration = Duration::from_secs(1);

/// A raw socket on a checked interface.
#[derive(Debug)]
pub struct LanSocket {
    socket: PacketSocket,
    interface: Interface,
    receive_buffer: usize,
}

impl LanSocket {
    /// Checks an interface and opens it for all frames, promiscuously, without our own.
    ///
    /// # Errors
    /// [`InterfaceError`] in one sentence.
    pub fn open(name: &str) -> Result<Self, InterfaceError> {
        let interface = Interface::find(name)?;
        let fail = |step| {
            let name = name.to_owned();
            move |error| InterfaceError::System { name, step, error }
        };
        let socket = PacketSocket::new().map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => InterfaceError::MissingPrivilege {
                name: name.to_owned(),
                advice: privilege::advice(CapabilitySet::NET_RAW, &[]),
            },
            _ => fail("make a raw socket for")(error),
        })?;
        set_up(&socket).map_err(fail("set up the raw socket for"))?;
        let receive_buffer = size_buffers(&socket).map_err(fail("set the buffers for"))?;
        socket
            .join_promiscuous(interface.index())
            .map_err(|error| InterfaceError::NotPromiscuous {
                name: name.to_owned(),
                error,
            })?;
        socket
            .bind(interface.index())
            .map_err(fail("bind the raw socket to"))?;
        Ok(LanSocket {
            socket,
            interface,
            receive_buffer,
        })
    }

    /// The interface.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Lets this machine take part: the leg leads to it from now on, and what it sends is heard.
    ///
    /// # Errors
    /// [`LegError`], in a sentence; the LAN's frames come as before.
    pub fn admit(&self, leg: &Leg) -> Result<(), LegError> {
        leg.lead_to(self.interface.index())?;
        let program = filter::of_lan_and_machine(self.interface.mac());
        self.socket
            .filter(&program)
            .and_then(|()| self.socket.hear_outgoing())
            .map_err(LegError::of_hearing)
    }

    /// How many bytes the system granted for frames that wait, its own bytes included.
    pub fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }
}

fn set_up(socket: &PacketSocket) -> io::Result<()> {
    socket.enable(libc::PACKET_IGNORE_OUTGOING)?;
    socket.filter(&filter::of_lan())?;
    socket.enable(libc::PACKET_VNET_HDR)?;
    socket.enable(libc::PACKET_AUXDATA)?;
    socket.report_overruns()
}

/// Asks for large buffers as root, or for what everybody may have; answers what was granted.
fn size_buffers(socket: &PacketSocket) -> io::Result<usize> {
    let number = |bytes: usize| i32::try_from(bytes).expect("a small constant");
    let plain = socket.plain();
    if socket
        .force_buffer(libc::SO_RCVBUFFORCE, number(RECEIVE_BUFFER))
        .is_err()
    {
        plain.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    if socket
        .force_buffer(libc::SO_SNDBUFFORCE, number(SEND_BUFFER))
        .is_err()
    {
        plain.set_send_buffer_size(SEND_BUFFER)?;
    }
    plain.recv_buffer_size()
}

/// A [`LanSocket`] at work.
#[derive(Debug)]
pub struct LanPort {
    socket: Readable<PacketSocket>,
    interface: Interface,
    slots: Vec<Slot>,
    /// The slots whose frames have been captured but not handed over.
    captured: Range<usize>,
    /// The last call had no room for more.
    has_more: bool,
    /// How many frames the kernel could not describe, since the last that were handed over.
    nameless: usize,
    /// There may be more than is known to the runtime.
    is_unsure: bool,
    slab: FrameSlab,
    writer: SuperFrameWriter,
    overruns: u32,
    next_look: Pin<Box<Sleep>>,
    machine: Option<Machine>,
}

/// This machine's own part in the LAN.
#[derive(Debug)]
struct Machine {
    leg: Rc<Leg>,
    writer: SuperFrameWriter,
    /// What a turn has for it, and what for the wire.
    to_machine: Vec<Bytes>,
    to_wire: Vec<Bytes>,
}

impl Machine {
    /// Sorts the frames of a turn. Most often none of them is for this machine, and nothing is moved.
    fn sort<'a>(&'a mut self, nic: MacAddr, frames: &'a [Bytes]) -> &'a [Bytes] {
        self.to_machine.clear();
        self.to_wire.clear();
        let mut is_whole = true;
        for (place, frame) in frames.iter().enumerate() {
            let ways = leg::ways(frame, nic);
            self.to_machine.extend(ways.to_machine);
            if !ways.to_wire && is_whole {
                is_whole = false;
                self.to_wire.extend_from_slice(&frames[..place]);
            } else if ways.to_wire && !is_whole {
                self.to_wire.push(frame.clone());
            }
        }
        match is_whole {
            true => frames,
            false => &self.to_wire,
        }
    }
}

impl LanPort {
    /// Puts a socket to work in this task's runtime.
    ///
    /// # Errors
    /// When the system cannot watch another socket.
    pub fn new(lan: LanSocket) -> io::Result<Self> {
        Ok(LanPort {
            socket: Readable::new(lan.socket.watched()?),
            interface: lan.interface,
            slots: (0..BATCH).map(|_| Slot::new(READ_LEN)).collect(),
            captured: 0..0,
            has_more: false,
            nameless: 0,
            is_unsure: false,
            slab: FrameSlab::default(),
            writer: SuperFrameWriter::default(),
            overruns: 0,
            // The system's own picture of a cable may be a second old.
            next_look: Box::pin(tokio::time::sleep(2 * LOOK)),
            machine: None,
        })
    }

    /// The same with this machine taking part by a leg to which the socket has admitted it.
    pub fn with_machine(mut self, leg: Rc<Leg>) -> Self {
        self.machine = Some(Machine {
            leg,
            writer: SuperFrameWriter::default(),
            to_machine: Vec::new(),
            to_wire: Vec::new(),
        });
        self
    }

    /// Captures what is there, a batch at most.
    ///
    /// Fewer than there was room for are all that there was: a frame that comes alone takes one call. Room for a batch is
    /// prepared only once the little of the usual call has been full.
    fn capture(&mut self) -> io::Result<()> {
        let room = if self.has_more { BATCH } else { FEW };
        let slots = &mut self.slots[..room];
        let was_unsure = std::mem::take(&mut self.is_unsure);
        let received = match was_unsure {
            true => self.socket.get_ref().receive(slots),
            false => self.socket.try_read(|socket| {
                let frames = socket.receive(slots)?;
                Ok((frames, frames < room))
            }),
        };
        self.has_more = received.as_ref().is_ok_and(|frames| *frames == room);
        match received {
            Ok(frames) => {
                self.captured = 0..frames;
                self.is_unsure = was_unsure;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if is_nameless(&error) => self.note_loss(),
            // It may be up again already, and the socket works on then.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => self.look()?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A frame is lost, and what came behind it waits.
    fn note_loss(&mut self) {
        self.nameless += 1;
        self.is_unsure = true;
    }

    /// Looks whether the interface is still there, up, and has a carrier.
    fn look(&mut self) -> io::Result<()> {
        self.next_look.as_mut().reset(Instant::now() + LOOK);
        if let Some(machine) = &self.machine {
            machine.leg.tend(self.interface.index());
        }
        // Behind other frames, that one is told by the next call, which nobody makes while nothing comes.
        if let Some(error) = self.socket.get_ref().plain().take_error()?
            && is_nameless(&error)
        {
            self.note_loss();
        }
        let name = self.interface.name();
        let (kind, what) = match self.socket.get_ref().is_running(self.interface.index())? {
            Some((true, mac)) if mac == self.interface.mac() => return Ok(()),
            // What is for this machine, and what it says, is known by it.
            Some((true, _)) => (io::ErrorKind::AddrNotAvailable, "has another MAC now"),
            Some((false, _)) => (io::ErrorKind::NetworkDown, "is down or has no carrier"),
            None => (io::ErrorKind::NotFound, "has been removed"),
        };
        Err(io::Error::new(kind, format!("{name} {what}")))
    }
}

impl FramePort for LanPort {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Also under load; and until it has to wait again.
        while self.next_look.as_mut().poll(cx).is_ready() {
            self.look()?;
        }
        match self.captured.is_empty() && !self.is_unsure {
            true => self.socket.poll(cx).map_ok(|_| ()),
            false => Poll::Ready(Ok(())),
        }
    }

    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        if self.captured.is_empty() {
            self.capture()?;
        }
        let (mut reads, mut handed_over) = (0, 0);
        for _ in 0..std::mem::take(&mut self.nameless) {
            reads += 1;
            handed_over += refuse(DropReason::UnknownOffload, take);
        }
        while handed_over < ENOUGH
            && let Some(next) = self.captured.next()
        {
            let slot = &self.slots[next];
            reads += 1;
            if let Some(overruns) = slot.notes.overruns {
                let lost = overruns.wrapping_sub(self.overruns);
                (0..lost).for_each(|_| take(Err(DropReason::QueueFull)));
                self.overruns = overruns;
            }
            let Notes { cut, tagged, .. } = slot.notes;
            handed_over += match (cut, tagged) {
                (true, _) => refuse(DropReason::Jumbo, take),
                (_, true) => refuse(DropReason::VlanTagged, take),
                (false, false) => vnet::hand_over(slot.captured(), &mut self.slab, take),
            };
        }
        Ok(reads)
    }

    fn try_send(&mut self, frames: &[Bytes]) -> Sent {
        let socket = self.socket.get_ref().plain();
        let mut put_on_wire = |frames: &[Bytes]| {
            self.writer
                .send(frames, |pieces| socket.send_vectored(pieces))
        };
        let Some(machine) = &mut self.machine else {
            return put_on_wire(frames);
        };
        let mut sent = put_on_wire(machine.sort(self.interface.mac(), frames));
        if !machine.to_machine.is_empty() {
            let Machine {
                leg,
                writer,
                to_machine,
                ..
            } = machine;
            let heard = leg.send(writer, to_machine);
            sent.writes += heard.writes;
            sent.unheard += heard.refused;
        }
        sent
    }
}

/// True when the kernel has thrown away a super-frame for which its vnet header has no name: UFO from a virtual machine, and
/// before Linux 6.2 any train of UDP.
fn is_nameless(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

fn refuse(reason: DropReason, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> usize {
    take(Err(reason));
    1
}
