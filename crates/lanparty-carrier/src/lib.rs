//! QUIC's packets over TCP, for networks that let no UDP through.
//!
//! One packet is one binary WebSocket message, the WebSocket is in TLS 1.3, and that is in TCP: what hotels, schools and
//! offices take for a web page. A peer calls [`dial`], by itself or through an HTTP [`Proxy`]; a relay calls [`accept`]. Both
//! get a [`CarrierStream`], which is all that a QUIC endpoint needs of a path.
//!
//! What TCP kept while a path was cut is not handed out when it comes seconds later: a packet is lost then, as it would be over UDP.
//!
//! This TLS proves nothing and hides nothing that matters: whom one speaks to, who one is and what is said stay with the TLS of
//! the QUIC connection inside, which ends at relay and peer as it does over UDP, whoever carries its packets.
#![allow(
    clippy::disallowed_methods,
    reason = "shell: owns sockets and waits for them"
)]

mod accept;
mod dial;
mod head;
mod lateness;
mod proxy;
mod socket;
mod stream;
mod tls;
#[cfg(all(test, not(windows)))]
mod told;

pub use accept::{AcceptError, Accepted, Limits, accept};
pub use dial::{Dial, DialError, dial};
pub use proxy::{Proxies, Proxy, ProxyUrl, ProxyUrlError};
pub use stream::CarrierStream;
pub use tls::server_config;

/// What a relay is asked for; whatever else is asked for is not there.
pub const PATH: &str = "/lanparty";

/// No message is longer, in bytes: no packet of ours is that has crossed an Ethernet.
pub const MAX_MESSAGE: usize = 2 * 1024;
