//! Hears from the kernel when links, addresses, routes or their settings change (rtnetlink(7)).

use crate::tap;
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The groups of linux/rtnetlink.h (`RTNLGRP_*`) of which each change is heard.
const GROUPS: [u32; 7] = [
    1,  // LINK
    5,  // IPV4_IFADDR
    7,  // IPV4_ROUTE
    9,  // IPV6_IFADDR
    11, // IPV6_ROUTE
    24, // IPV4_NETCONF
    25, // IPV6_NETCONF
];
/// A message is shorter than this, and what is cut off is of no interest.
const READ_LEN: usize = 8192;

/// A socket that becomes readable when something has changed.
#[derive(Debug)]
pub(super) struct Monitor(AsyncFd<OwnedFd>);

impl Monitor {
    /// To be called within the runtime.
    pub(super) fn new() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // No protocol is NETLINK_ROUTE, which is 0.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        let groups = GROUPS.iter().fold(0, |all, group| all | 1 << (group - 1));
        bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        Ok(Monitor(tap::watch(socket, Interest::READABLE)?))
    }

    /// Waits for a change, or for several at once. What it was is not read: somebody looks at everything, as messages are
    /// lost when many come (ENOBUFS).
    pub(super) async fn changed(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut room = [0; READ_LEN];
        loop {
            match recv(self.0.get_ref(), &mut room, RecvFlags::empty()) {
                Ok(_) | Err(Errno::NOBUFS) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        ready.clear_ready();
        Ok(())
    }
}
