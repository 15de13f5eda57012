//! A LAN party over real QUIC on loopback, with adapters and a LAN that are only memory.
//!
//! [`Relay`] is the real one; a [`Peer`] is the real session or bridge, run by the real loop, whose
//! port is a [`Cable`] in the test's hand. Everything waits for events, with a deadline.
#![allow(
    clippy::disallowed_methods,
    reason = "shell: owns tasks, files and deadlines"
)]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail where something unexpected happens"
)]

mod cable;
mod fake;
mod front;
mod middlebox;
mod peer;
mod wire;

pub use cable::{Cable, MemoryPort, cable};
pub use fake::FakeRelay;
pub use front::{Front, WebProxy};
pub use middlebox::Middlebox;
pub use peer::{Facts, Heard, Peer};
pub use wire::Wire;

use lanparty_ctrl::Pin;
use lanparty_peer::relay_args::{DoorConfig, OverTcp, Proxies, RelayConfig};
use lanparty_quic::memory::Dialer;
use lanparty_quic::tls::Trust;
use lanparty_relay::config::Tcp;
use lanparty_relay::{Config, Limits, RelayServer};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// How long a test waits for anything.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// The room in which everybody meets.
pub const ROOM: &str = "E2E-1";

/// A relay on loopback; it ends with the test.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    tcp_address: SocketAddr,
    trust: Trust,
    pin: Pin,
    side_door: Dialer,
    stop: oneshot::Sender<()>,
}

impl Relay {
    /// Starts a relay with the usual limits.
    pub fn start() -> Self {
        Self::with(Limits::default())
    }

    /// Starts a relay.
    pub fn with(limits: Limits) -> Self {
        let folder = TempDir::new().unwrap();
        let certificate = folder.path().join("relay.der");
        let mut config = Config::new("127.0.0.1:0".parse().unwrap());
        config.dev_cert_der_out = Some(certificate.clone());
        config.limits = limits;
        // Of two ports with one number the other may be somebody else's.
        config.tcp = Tcp::At("127.0.0.1:0".parse().unwrap());
        let mut server = RelayServer::bind(&config).unwrap();
        let address = server.local_address();
        let tcp_address = server.tcp_address().unwrap();
        let (pin, side_door) = (server.pin(), server.side_door());
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Relay {
            address,
            tcp_address,
            trust: Trust::load(Some(&certificate)).unwrap(),
            pin,
            side_door,
            stop,
        }
    }

    /// Ends it, as whoever runs it would.
    pub fn end(self) {
        drop(self.stop);
    }

    /// Its key.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Where it listens for TCP.
    pub fn tcp_address(&self) -> SocketAddr {
        self.tcp_address
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How a peer gets to this relay.
    pub fn config(&self) -> RelayConfig {
        config_at(self.address, self.trust.clone())
    }

    /// How a peer in the same program gets to it, as a host's gateway does.
    pub fn inside(&self) -> RelayConfig {
        RelayConfig {
            inside: Some(self.side_door.clone()),
            ..self.config()
        }
    }
}

/// How a peer gets to a relay there that is known by this.
pub fn config_at(address: SocketAddr, trust: Trust) -> RelayConfig {
    RelayConfig {
        server_name: "lanparty-relay".to_owned(),
        door: Some(DoorConfig::default()),
        tcp: OverTcp {
            is_wanted: true,
            proxies: Proxies::None,
        },
        ..RelayConfig::new(address.into(), trust, ROOM.parse().unwrap())
    }
}

/// Waits for something that must happen.
///
/// # Panics
/// When it does not.
pub async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(DEADLINE, event).await;
    happened.unwrap_or_else(|_| panic!("{what} has not happened within {DEADLINE:?}"))
}
