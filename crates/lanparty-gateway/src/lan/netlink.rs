//! Questions and orders to the kernel's routing netlink (rtnetlink(7)), which answers within the call that asks.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use std::io;

/// Asks about one thing; `None` when the kernel says nothing about it.
pub(super) fn ask(question: RouteNetlinkMessage) -> io::Result<Option<RouteNetlinkMessage>> {
    exchange(question, 0)
}

/// Gives an order, with `flags` like `NLM_F_CREATE`.
pub(super) fn order(order: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    exchange(order, NLM_F_ACK | flags).map(drop)
}

fn exchange(message: RouteNetlinkMessage, flags: u16) -> io::Result<Option<RouteNetlinkMessage>> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (bytes, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::deserialize(&bytes).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(answer) => Ok(Some(answer)),
        // An error of zero is the acknowledgement.
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
        _ => Ok(None),
    }
}
