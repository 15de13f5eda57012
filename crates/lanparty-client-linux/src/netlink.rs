//! Questions and orders to the kernel's routing netlink (rtnetlink(7)).
//!
//! One socket per request and no waiting worth the name: the kernel answers within the call that
//! asks. So changes can be undone in a plain `Drop`.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use std::io;
use std::net::IpAddr;

type Message = NetlinkMessage<RouteNetlinkMessage>;

/// Gives an order, with `flags` like `NLM_F_CREATE`.
pub(crate) fn order(message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    exchange(&Socket::new(NETLINK_ROUTE)?, message, flags | NLM_F_ACK).map(drop)
}

/// Asks about one thing.
pub(crate) fn ask(message: RouteNetlinkMessage) -> io::Result<Option<RouteNetlinkMessage>> {
    exchange(&Socket::new(NETLINK_ROUTE)?, message, NLM_F_ACK).map(|mut answers| answers.pop())
}

/// Asks for everything of a kind.
pub(crate) fn list(message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
    exchange(&Socket::new(NETLINK_ROUTE)?, message, NLM_F_DUMP)
}

/// The same for what the message names, like one interface. Kernels before 4.20 answer with all of the kind.
pub(crate) fn list_some(message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    if let Err(error) = socket.set_netlink_get_strict_chk(true) {
        tracing::trace!(%error, "The kernel says more than it is asked for");
    }
    exchange(&socket, message, NLM_F_DUMP)
}

fn exchange(
    socket: &Socket,
    message: RouteNetlinkMessage,
    flags: u16,
) -> io::Result<Vec<RouteNetlinkMessage>> {
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut request = Message::new(header, NetlinkPayload::InnerMessage(message));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let mut answers = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        for message in messages(&bytes) {
            match message.payload {
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                // An error of zero is the acknowledgement.
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(answers),
                _ => {}
            }
        }
    }
}

/// The messages in what one read gave, without those that the library cannot read: a newer kernel
/// may say more than we need.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message> {
    const HEADER_LEN: usize = 16;
    std::iter::from_fn(move || {
        let len = u32::from_ne_bytes(*bytes.first_chunk()?);
        let len = usize::try_from(len)
            .ok()
            .filter(|len| (HEADER_LEN..=bytes.len()).contains(len))?;
        let message = &bytes[..len];
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Message::deserialize(message).ok())
    })
    .flatten()
}

/// The family of an address, as the kernel names it.
pub(crate) fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
