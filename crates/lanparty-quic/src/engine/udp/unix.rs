//! A UDP socket that its task waits for, on systems with descriptors.
//!
//! tokio's own socket also waits for room to send. The system then wakes the task for every packet that
//! has left, which is once more for every frame; and there is nearly always room. So that is waited for
//! only when the kernel has said that there is none.
#![allow(
    unsafe_code,
    reason = "tokio's safe registration is deprecated: it trusts any descriptor"
)]

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A socket with its reading end watched.
#[derive(Debug)]
pub(super) struct WatchedSocket {
    socket: AsyncFd<UdpSocket>,
    // A second descriptor of the same socket, there while a sender waits for room.
    room: Mutex<Option<AsyncFd<OwnedFd>>>,
}

impl WatchedSocket {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(WatchedSocket {
            socket: watch(socket, Interest::READABLE)?,
            room: Mutex::new(None),
        })
    }

    pub(super) fn get(&self) -> &UdpSocket {
        self.socket.get_ref()
    }

    /// A second descriptor of it.
    pub(super) fn duplicate(&self) -> io::Result<UdpSocket> {
        self.socket.get_ref().try_clone()
    }

    /// Calls `receive` once there may be something; it answers how much that was, and whether that was
    /// surely all.
    pub(super) fn poll_receive<T>(
        &self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut() -> io::Result<(T, bool)>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            match receive() {
                Ok((received, was_all)) => {
                    if was_all {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(received));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Calls `send`, and again when there is room, until it has succeeded or failed for good.
    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut() -> io::Result<()>,
    ) -> Poll<io::Result<()>> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match send() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                sent => {
                    *room = None;
                    return Poll::Ready(sent);
                }
            }
            let watched = match &mut *room {
                Some(watched) => watched,
                none => {
                    let same_socket = self.get().try_clone()?;
                    none.insert(watch(same_socket.into(), Interest::WRITABLE)?)
                }
            };
            ready!(watched.poll_write_ready(cx))?.clear_ready();
        }
    }

    /// Calls `send` whether or not there is room.
    pub(super) fn try_send(&self, send: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        send()
    }
}

/// Has tokio watch a descriptor of its own.
pub(in crate::engine) fn watch<T: AsRawFd>(
    socket: T,
    interest: Interest,
) -> io::Result<AsyncFd<T>> {
    // SAFETY: both types that come here, `UdpSocket` and `OwnedFd`, own one descriptor, always answer
    // that one, and keep it open as long as they live; the `AsyncFd` owns them, and nobody here takes
    // them out or replaces them.
    let watched = unsafe { AsyncFd::register_with_interest(socket, interest) };
    Ok(watched?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn a_sender_waits_for_room_and_a_reader_for_packets() {
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        far.connect(near.local_addr().unwrap()).unwrap();
        near.connect(far.local_addr().unwrap()).unwrap();
        let near = WatchedSocket::new(near).unwrap();

        // A kernel that has no room at first.
        let mut attempts = 0;
        let send = || {
            attempts += 1;
            match attempts {
                1 => Err(ErrorKind::WouldBlock.into()),
                _ => near.get().send(b"out").map(drop),
            }
        };
        let mut send = send;
        poll_fn(|cx| near.poll_send(cx, &mut send)).await.unwrap();
        let mut packet = [0; 8];
        assert_eq!(far.recv(&mut packet).unwrap(), 3);

        for packets in 1..=3 {
            (0..packets).for_each(|_| assert_eq!(far.send(b"in").unwrap(), 2));
            for left in (0..packets).rev() {
                let mut receive = || near.get().recv(&mut packet).map(|len| (len, left == 0));
                let received = poll_fn(|cx| near.poll_receive(cx, &mut receive)).await;
                assert_eq!(received.unwrap(), 2);
            }
        }
    }
}
