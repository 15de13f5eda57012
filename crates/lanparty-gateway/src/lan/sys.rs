//! The system calls of an AF_PACKET socket that have no safe wrapper elsewhere.

#![allow(
    unsafe_code,
    reason = "packet sockets, ancillary data and interface requests exist only in libc"
)]

use lanparty_proto::MacAddr;
use lanparty_proto::ethernet::{ether_type, is_priority_tag};
use socket2::{Domain, SockAddr, SockFilter, SockRef, Socket, Type};
use std::ffi::{c_int, c_short, c_uint, c_ulong};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What wakes a reader: an interface that goes down is an error and nothing to read.
pub(super) const INTEREST: Interest = Interest::READABLE.add(Interest::ERROR);

/// What Linux says about an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) index: u32,
    pub(super) hardware: u16,
    pub(super) mac: MacAddr,
    pub(super) up: bool,
    pub(super) carrier: bool,
}

/// Asks about an interface; `None` when there is none of that name.
pub(super) fn facts(name: &str) -> io::Result<Option<Facts>> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    let index = match rustix::net::netdevice::name_to_index(&socket, name) {
        Ok(index) => index,
        Err(rustix::io::Errno::NODEV) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (hardware, mac) = hardware(&socket, name)?;
    let flags = c_int::from(flags(&socket, name)?);
    Ok(Some(Facts {
        index,
        hardware,
        mac,
        up: flags & libc::IFF_UP != 0,
        // Flags learn of a cable up to a second late, so they are only asked where nobody else answers.
        carrier: carrier(&socket, name).unwrap_or(flags & libc::IFF_RUNNING != 0),
    }))
}

fn flags(socket: &Socket, name: &str) -> io::Result<c_short> {
    let mut ifreq = request_about(name);
    // SAFETY: SIOCGIFFLAGS reads the name and fills in the flags.
    unsafe { ask(socket, libc::SIOCGIFFLAGS, &mut ifreq) }?;
    // SAFETY: the flags have been filled in, and any bits are a number.
    Ok(unsafe { ifreq.ifr_ifru.ifru_flags })
}

fn hardware(socket: &Socket, name: &str) -> io::Result<(u16, MacAddr)> {
    let mut ifreq = request_about(name);
    // SAFETY: SIOCGIFHWADDR reads the name and fills in the hardware address.
    unsafe { ask(socket, libc::SIOCGIFHWADDR, &mut ifreq) }?;
    // SAFETY: the address has been filled in, and any bits are numbers.
    let address = unsafe { ifreq.ifr_ifru.ifru_hwaddr };
    let [a, b, c, d, e, f, ..] = address.sa_data.map(|octet| octet.to_ne_bytes()[0]);
    Ok((address.sa_family, MacAddr::new([a, b, c, d, e, f])))
}

/// Asks the driver whether there is something at the other end of the cable; some cannot tell.
fn carrier(socket: &Socket, name: &str) -> io::Result<bool> {
    /// `struct ethtool_value`
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    const ETHTOOL_GLINK: u32 = 0x0a;

    let mut value = Value {
        command: ETHTOOL_GLINK,
        data: 0,
    };
    let mut ifreq = request_about(name);
    ifreq.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: SIOCETHTOOL reads the name and the pointer, which leads to an `ethtool_value` as this
    // command wants it. It lives through the call, and nobody else uses it meanwhile.
    unsafe { ask(socket, libc::SIOCETHTOOL, &mut ifreq) }?;
    Ok(value.data != 0)
}

fn request_about(name: &str) -> libc::ifreq {
    // SAFETY: `ifreq` is an array of characters and a union of plain numbers, addresses and a pointer,
    // for all of which zero is a value.
    let mut ifreq: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    // The last place stays zero, as the end of the text.
    let places = ifreq.ifr_name.len() - 1;
    for (place, byte) in ifreq.ifr_name[..places].iter_mut().zip(name.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    ifreq
}

/// Asks the kernel about an interface. glibc and musl have the request in types of their own.
///
/// # Safety
/// The request must be one that takes an `ifreq`, filled in as it wants it.
unsafe fn ask(whom: &impl AsRawFd, request: c_ulong, ifreq: &mut libc::ifreq) -> io::Result<()> {
    let request = request as libc::Ioctl;
    // SAFETY: the caller vouches for request and contents; the `ifreq` lives through the call.
    check(unsafe { libc::ioctl(whom.as_raw_fd(), request, ptr::from_mut(ifreq)) }).map(drop)
}

/// Makes an open `/dev/net/tun` into a TAP with a vnet header before its frames, which lives as long as the device is
/// open; `%d` in its name becomes a number that is free. It begins without a carrier where the kernel knows how (6.2), and
/// others do not mind: a network manager may be quicker than [`take_carrier`]. Answers the name.
pub(super) fn make_tap(device: &OwnedFd, name: &str) -> io::Result<String> {
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_NO_CARRIER;
    let mut ifreq = request_about(name);
    ifreq.ifr_ifru.ifru_flags = c_short::try_from(flags).expect("the lower bits");
    // SAFETY: TUNSETIFF reads name and flags, and writes the name that the TAP has got.
    unsafe { ask(device, libc::TUNSETIFF as c_ulong, &mut ifreq) }?;
    let [name @ .., _] = ifreq.ifr_name.map(|letter| letter.to_ne_bytes()[0]);
    let len = name.iter().position(|&byte| byte == 0);
    let name = &name[..len.unwrap_or(name.len())];
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// To the system a TAP has no cable from now on, so that nobody gives it an address or sends anything there; what is
/// written to it comes in all the same.
pub(super) fn take_carrier(tap: &OwnedFd) -> io::Result<()> {
    let none: c_int = 0;
    let request = libc::TUNSETCARRIER;
    // SAFETY: TUNSETCARRIER reads one int, which lives through the call, and keeps no pointer to it.
    check(unsafe { libc::ioctl(tap.as_raw_fd(), request, ptr::from_ref(&none)) }).map(drop)
}

/// An AF_PACKET socket, non-blocking.
#[derive(Debug)]
pub(super) struct PacketSocket(Socket);

impl PacketSocket {
    /// A socket that hears nothing until it is bound.
    pub(super) fn new() -> io::Result<Self> {
        let kind = Type::RAW.nonblocking().cloexec();
        Socket::new_raw(Domain::PACKET, kind, None).map(PacketSocket)
    }

    /// Lets this task's runtime watch the socket, for frames and for errors.
    pub(super) fn watched(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: `as_raw_fd` always answers the one descriptor that the `Socket` inside owns, which is
        // open for as long as `self` lives, and `self` now belongs to the `AsyncFd`.
        Ok(unsafe { AsyncFd::register_with_interest(self, INTEREST) }?)
    }

    /// Its buffers, and sending.
    pub(super) fn plain(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }

    /// Switches a packet option on.
    pub(super) fn enable(&self, option: c_int) -> io::Result<()> {
        self.set(libc::SOL_PACKET, option, &1)
    }

    /// Hears from now on what this machine sends too; not what this socket does.
    pub(super) fn hear_outgoing(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &0)
    }

    /// Hears from now on only what this program lets pass.
    pub(super) fn filter(&self, program: &[SockFilter]) -> io::Result<()> {
        self.0.attach_filter(program)
    }

    /// Every captured frame will tell how many were lost before it.
    pub(super) fn report_overruns(&self) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &1)
    }

    /// Sets a buffer's size beyond what the administrator has set for everybody.
    pub(super) fn force_buffer(&self, option: c_int, bytes: c_int) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, option, &bytes)
    }

    /// Hears what is for other stations too, for as long as this socket lives.
    pub(super) fn join_promiscuous(&self, interface: u32) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: interface.cast_signed(),
            mr_type: u16::try_from(libc::PACKET_MR_PROMISC).expect("a small constant"),
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
    }

    /// Hears every protocol on this interface, and nothing of the others.
    pub(super) fn bind(&self, interface: u32) -> io::Result<()> {
        // SAFETY: `try_init` gives zeroed memory that is large enough and aligned for every socket
        // address. Zeros are a valid `sockaddr_ll`, and the length is that of what is written.
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
        self.0.bind(&address)
    }

    /// Asks whether an interface is up and has a carrier, and for its MAC; `None` when it is gone.
    pub(super) fn is_running(&self, interface: u32) -> io::Result<Option<(bool, MacAddr)>> {
        match rustix::net::netdevice::index_to_name(&self.0, interface) {
            Ok(name) => {
                let flags = c_int::from(flags(&self.0, &name)?);
                let running = libc::IFF_UP | libc::IFF_RUNNING;
                let (_, mac) = hardware(&self.0, &name)?;
                Ok(Some((flags & running == running, mac)))
            }
            Err(rustix::io::Errno::NODEV) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads captured frames, one into each slot from the first on; answers how many.
    pub(super) fn receive(&self, slots: &mut [Slot]) -> io::Result<usize> {
        match slots.len() {
            0..=FEW => self.receive_up_to::<FEW>(slots),
            _ => self.receive_up_to::<BATCH>(slots),
        }
    }

    fn receive_up_to<const MOST: usize>(&self, slots: &mut [Slot]) -> io::Result<usize> {
        let batch = slots.len().min(MOST);
        let slots = &mut slots[..batch];
        let mut controls = [Control([0; CONTROL_WORDS]); MOST];
        let mut pieces = [EMPTY_PIECE; MOST];
        // SAFETY: a `mmsghdr` is numbers and pointers, for all of which zero is a value.
        let mut headers: [libc::mmsghdr; MOST] = unsafe { MaybeUninit::zeroed().assume_init() };
        for (((slot, control), piece), header) in slots
            .iter_mut()
            .zip(&mut controls)
            .zip(&mut pieces)
            .zip(&mut headers)
        {
            piece.iov_base = slot.bytes.as_mut_ptr().cast();
            piece.iov_len = slot.bytes.len();
            header.msg_hdr.msg_iov = ptr::from_mut(piece);
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = ptr::from_mut(control).cast();
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        }
        // SAFETY: the first `slots.len()` headers point to one piece and one control buffer each, with
        // their true lengths; all of them live through the call and nobody else touches them. No
        // address is asked for, and no timeout.
        let received = check(unsafe {
            libc::recvmmsg(
                self.0.as_raw_fd(),
                headers.as_mut_ptr(),
                slots.len() as c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        })?;
        let received = usize::try_from(received).expect("errors are negative");
        for (slot, header) in slots.iter_mut().zip(&headers[..received]) {
            slot.len = usize::try_from(header.msg_len).expect("a length fits");
            slot.notes = Notes {
                cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                ..Notes::default()
            };
            // SAFETY: the kernel has filled this header's control buffer and set its length; header and
            // buffer are alive and unchanged since.
            unsafe { read_notes(&header.msg_hdr, &mut slot.notes) };
        }
        Ok(received)
    }

    fn set<T>(&self, level: c_int, option: c_int, value: &T) -> io::Result<()> {
        // SAFETY: pointer and length describe `value`, which lives through the call; the kernel only
        // reads it.
        check(unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                level,
                option,
                ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        })
        .map(drop)
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// How many frames one call reads at most.
pub(super) const BATCH: usize = 32;
/// As many as it takes to see that a frame has come alone.
pub(super) const FEW: usize = 2;

/// Room for one captured frame.
#[derive(Debug)]
pub(super) struct Slot {
    bytes: Box<[u8]>,
    len: usize,
    pub(super) notes: Notes,
}

/// What the kernel says beside a captured frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// It did not fit the slot.
    pub(super) cut: bool,
    /// It had a tag of some VLAN, which has been taken out. A tag that only names a priority is none.
    pub(super) tagged: bool,
    /// How many frames this socket has lost before it, since it was made; absent while none.
    pub(super) overruns: Option<u32>,
}

impl Slot {
    pub(super) fn new(len: usize) -> Self {
        Slot {
            bytes: vec![0; len].into(),
            len: 0,
            notes: Notes::default(),
        }
    }

    /// What was captured.
    pub(super) fn captured(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Room for the notes beside one frame: 40 bytes of auxiliary data, 24 of overruns, and some to spare.
const CONTROL_WORDS: usize = 16;

/// Words, because control messages are aligned to words.
#[derive(Clone, Copy)]
struct Control(#[allow(dead_code, reason = "the kernel writes it")] [u64; CONTROL_WORDS]);

const EMPTY_PIECE: libc::iovec = libc::iovec {
    iov_base: ptr::null_mut(),
    iov_len: 0,
};

/// True for a frame that had a tag, unless it named a priority only (IEEE 802.1Q §6.9).
fn is_in_a_vlan(extra: &libc::tpacket_auxdata) -> bool {
    let says = |flag| extra.tp_status & flag != 0;
    let tag = match says(libc::TP_STATUS_VLAN_TPID_VALID) {
        true => extra.tp_vlan_tpid,
        // Kernels before 3.14 took out customer tags only.
        false => ether_type::VLAN,
    };
    says(libc::TP_STATUS_VLAN_VALID) && !is_priority_tag(tag, extra.tp_vlan_tci)
}

/// Reads the control messages that came with a frame.
///
/// # Safety
/// The header's control buffer must be alive and hold what the kernel has written there.
unsafe fn read_notes(header: &libc::msghdr, notes: &mut Notes) {
    // SAFETY: the caller vouches for the header, and these functions stay within its length.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: a pointer to a control message is null or points to one inside the buffer.
    while let Some(message) = unsafe { next.as_ref() } {
        // SAFETY: as for the first one.
        let data = unsafe { libc::CMSG_DATA(next) };
        match (message.cmsg_level, message.cmsg_type) {
            (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                // SAFETY: this type's contents are a `tpacket_auxdata`, wherever it lies.
                let extra = unsafe { data.cast::<libc::tpacket_auxdata>().read_unaligned() };
                notes.tagged = is_in_a_vlan(&extra);
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                // SAFETY: this type's contents are a 32-bit number, wherever it lies.
                notes.overruns = Some(unsafe { data.cast::<u32>().read_unaligned() });
            }
            _ => {}
        }
        // SAFETY: `next` lies in the header's buffer.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_names_a_priority_only_is_none() {
        let notes = |status, tag, control| {
            // SAFETY: numbers only, of which zero is one.
            let mut extra: libc::tpacket_auxdata = unsafe { std::mem::zeroed() };
            extra.tp_status = status;
            (extra.tp_vlan_tpid, extra.tp_vlan_tci) = (tag, control);
            is_in_a_vlan(&extra)
        };
        let (tagged, kind) = (libc::TP_STATUS_VLAN_VALID, libc::TP_STATUS_VLAN_TPID_VALID);
        assert!(!notes(0, 0, 0));
        assert!(notes(tagged | kind, 0x8100, 7));
        assert!(notes(tagged, 0, 7), "before Linux 3.14");
        assert!(notes(tagged | kind, 0x88a8, 0));
        assert!(!notes(tagged | kind, 0x8100, 0));
        assert!(!notes(tagged | kind, 0x8100, 0xe000));
        assert!(!notes(tagged, 0, 0xe000));
    }
}
