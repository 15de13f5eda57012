//! Bytes on the wire and the words of layer 2.
//!
//! This crate knows what softlan-vpn puts into a QUIC datagram ([`overlay`], [`fragment`]), what an
//! Ethernet frame is ([`ethernet`], [`mac`]) and carries ([`content`]), where a packet's upper header
//! stands ([`ip`]), and a DHCP message's options ([`dhcp_options`]), how sizes relate ([`mtu`], [`mss`]),
//! how a frame looks before a NIC has finished it ([`offload`]), how several become one for a stack that
//! takes them so ([`coalesce`]), and which letters of strangers are shown ([`letters`]). It does no I/O,
//! reads no clock and keeps no global state: every function can be called from any thread, in any test,
//! on any system.
//!
//! Start with [`overlay::Header`] and [`ethernet::EthernetFrame`]; `docs/protocol.md` tells the same
//! story in prose, and the golden tests in these files are its source.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests own the clock")
)]

pub mod checksum;
pub mod coalesce;
pub mod content;
pub mod dhcp_options;
pub mod early;
pub mod ethernet;
pub mod flow;
pub mod fragment;
pub mod frame_buf;
pub mod ids;
pub mod ip;
pub mod letters;
pub mod mac;
pub mod mss;
pub mod mtu;
pub mod offload;
pub mod overlay;
#[cfg(all(test, not(windows)))]
mod told;

pub use content::Content;
pub use ethernet::{EthernetFrame, FrameKind};
pub use frame_buf::FrameBuf;
pub use ids::{PeerId, RoomId};
pub use mac::{MacAddr, VirtualMac};
pub use mtu::{DatagramBudget, IpMtu};
pub use overlay::Header;
