//! One socket per request and no waiting worth the name: the kernel answers within the call that asks. So changes can
//! be undone in a plain `Drop`.

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
///
/// # Errors
/// The kernel's, with its number.
pub fn order(order: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    exchange(&socket()?, order, flags | NLM_F_ACK).map(drop)
}

/// Asks about one thing; `None` when the kernel says nothing about it that can be read.
///
/// # Errors
/// The kernel's, with its number; often that is how it says that there is no such thing.
pub fn ask(question: RouteNetlinkMessage) -> io::Result<Option<RouteNetlinkMessage>> {
    exchange(&socket()?, question, NLM_F_ACK).map(|mut answers| answers.pop())
}

/// Asks for everything of a kind.
///
/// # Errors
/// The kernel's, with its number.
pub fn list(question: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
    exchange(&socket()?, question, NLM_F_DUMP)
}

/// The same for what the question names, like one interface. Kernels before 4.20 answer with all of the kind.
///
/// # Errors
/// The kernel's, with its number.
pub fn list_some(question: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
    let socket = socket()?;
    // Who cannot be told so says more than it is asked for.
    let _ = socket.set_netlink_get_strict_chk(true);
    exchange(&socket, question, NLM_F_DUMP)
}

/// The family of an address, as the kernel names it.
pub fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn socket() -> io::Result<Socket> {
    Socket::new(NETLINK_ROUTE)
}

fn exchange(
    socket: &Socket,
    message: RouteNetlinkMessage,
    flags: u16,
) -> io::Result<Vec<RouteNetlinkMessage>> {
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    socket.send(&bytes_of(header, message), 0)?;

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

fn bytes_of(header: NetlinkHeader, message: RouteNetlinkMessage) -> Vec<u8> {
    let mut message = Message::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// The messages in what one read gave, without those that the library cannot read: a newer kernel may say more than we
/// need.
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

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_route::link::LinkMessage;

    #[test]
    fn what_the_library_cannot_read_is_stepped_over() {
        let known = message(7);
        let mut unknown = message(8);
        unknown[4..6].copy_from_slice(&u16::MAX.to_ne_bytes());
        let cut = &message(9)[..20];
        let bytes = [&unknown[..], &known, &unknown, cut].concat();
        assert_eq!(indices(&bytes), [7]);
        assert_eq!(indices(&[]), [0; 0]);
    }

    fn message(index: u32) -> Vec<u8> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        bytes_of(NetlinkHeader::default(), RouteNetlinkMessage::NewLink(link))
    }

    fn indices(bytes: &[u8]) -> Vec<u32> {
        let index = |message: Message| match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => link.header.index,
            other => panic!("{other:?}"),
        };
        messages(bytes).map(index).collect()
    }
}
