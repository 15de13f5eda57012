//! Nothing steers packets here, so nothing shares an address.

use socket2::Socket;
use std::io;
use std::net::UdpSocket;

pub(crate) fn make_joinable(_bound: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn leave(_bound: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn join(_unbound: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn attach(_member: &UdpSocket, _loops: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
