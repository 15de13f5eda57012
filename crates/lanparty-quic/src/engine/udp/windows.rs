//! A UDP socket that its task waits for, on Windows, where waiting for room to send costs nothing.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;

/// A socket that tokio watches.
#[derive(Debug)]
pub(super) struct WatchedSocket(tokio::net::UdpSocket);

impl WatchedSocket {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        tokio::net::UdpSocket::from_std(socket).map(WatchedSocket)
    }

    pub(super) fn get(&self) -> &tokio::net::UdpSocket {
        &self.0
    }

    /// Relays do not hand their sockets over on Windows.
    pub(super) fn duplicate(&self) -> io::Result<UdpSocket> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Calls `receive` once there may be something; it answers what that was, and whether that was all,
    /// which only the system can say here.
    pub(super) fn poll_receive<T>(
        &self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut() -> io::Result<(T, bool)>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.0.poll_recv_ready(cx))?;
            match self.0.try_io(Interest::READABLE, &mut receive) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                received => return Poll::Ready(received.map(|(received, _)| received)),
            }
        }
    }

    /// Calls `send` once there may be room, until it has succeeded or failed for good.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut() -> io::Result<()>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_send_ready(cx))?;
            match self.try_send(&mut send) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// Calls `send` if there may be room.
    pub(super) fn try_send(&self, send: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.0.try_io(Interest::WRITABLE, send)
    }
}
