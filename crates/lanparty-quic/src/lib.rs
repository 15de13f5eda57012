//! QUIC behind one small face, which is all that relay, gateway and clients know of it.
//!
//! Endpoints and connections ([`Endpoint`], [`Connection`]; `engine` is the driver of noq's sans-IO core, and
//! no file outside this crate knows that it is noq's), connections between two ends in one program ([`memory`]), who is
//! trusted and who one is ([`tls`]), and control messages on streams ([`control`]). What waits in front of a connection, and how much may go, decides
//! `lanparty-flow`.
#![allow(
    clippy::disallowed_methods,
    reason = "shell: owns sockets, tasks and the clock"
)]

mod close;
mod congestion;
mod connection;
pub mod control;
mod drive;
mod endpoint;
mod engine;
mod life;
pub mod memory;
mod patient;
mod reset;
mod socket;
mod steer;
mod stream;
pub mod tls;
#[cfg(all(test, not(windows)))]
mod told;
mod transport;

pub use close::{CloseCode, Closed, HandshakeError, Unsent, WrongTime};
pub use connection::Connection;
pub use drive::Drive;
pub use endpoint::{Endpoint, Incoming, ListenError};
pub use engine::{Beat, CarriedStats, LagWindow, PacketStream, RING, StreamError, Totals};
pub use lanparty_flow::Congestion;
pub use lanparty_flow::queue::WaitWindow;
pub use socket::UdpBuffers;
pub use steer::{Company, MAX_LOOPS, steer_to_first};
pub use stream::{RecvStream, SendStream};
pub use transport::{IDLE_TIMEOUT, KEEP_ALIVE, PathFloor};
