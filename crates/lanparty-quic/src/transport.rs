//! What is set for every connection: times, sizes, windows. It was measured: see `docs/performance.md`.

use crate::congestion::factory;
use lanparty_flow::Congestion;
use noq_proto::{IdleTimeout, TransportConfig};
use std::time::Duration;

/// How long a silent peer is believed to be there (spec R35).
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often an idle link says that it is alive, which also keeps NAT bindings open (spec R35).
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The same for a peer that could be at another relay: it leaves a silent one within four seconds, and the one that it has left is to
/// notice as soon, so that it tells the others.
pub(crate) const BRISK_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
pub(crate) const BRISK_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Outgoing datagrams that QUIC can hold, in bytes: more than it is ever given at a time. What waits,
/// waits in a queue of ours.
pub(crate) const SEND_BUFFER: usize = 192 * 1024;
/// Incoming datagrams that may wait for us, in bytes: a burst while the loop writes to the port.
const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;
/// Control messages are at most 64 KiB, and few at a time.
pub(crate) const MAX_STREAMS: u8 = 32;
pub(crate) const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 512 * 1024;
/// First guess of a round trip. The specification's 333 ms (RFC 9002 §6.2.2) makes a lost first
/// packet cost a second; relays are near.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// The label of the TLS exporter (RFC 8446 §7.5) with which proofs are bound to a connection.
pub(crate) const EXPORTER: &[u8] = b"EXPORTER-softlan-vpn admission 1";

/// The size of UDP payload that a link uses from its first to its last packet. It is never probed
/// upwards nor lowered by loss (a burst of congestion looks like an MTU black hole to the engine, and
/// a lowered budget would cut every full frame in two for a minute); so it is a size that paths carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFloor {
    /// 1350 bytes: IPv6 over a path MTU of 1400, which leaves room for PPPoE, DS-Lite and tunnels.
    Ordinary,
    /// 1200 bytes: what every QUIC path must carry (RFC 9000 §14). Full frames travel in two pieces.
    Least,
}

impl PathFloor {
    pub(crate) const fn payload(self) -> u16 {
        match self {
            PathFloor::Ordinary => 1350,
            PathFloor::Least => 1200,
        }
    }
}

/// The settings of a connection.
pub(crate) fn transport(floor: PathFloor, congestion: Congestion) -> TransportConfig {
    let payload = floor.payload();
    let mut config = TransportConfig::default();
    config
        .initial_mtu(payload)
        .min_mtu(payload)
        .mtu_discovery_config(None)
        .initial_rtt(INITIAL_RTT)
        .congestion_controller_factory(factory(congestion, payload))
        .datagram_send_buffer_size(SEND_BUFFER)
        .datagram_receive_buffer_size(Some(RECEIVE_BUFFER))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(
            IdleTimeout::try_from(IDLE_TIMEOUT).expect("fifteen seconds fit a varint"),
        ))
        .max_concurrent_bidi_streams(1u8.into())
        .max_concurrent_uni_streams(MAX_STREAMS.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into());
    config
}

/// The same for a connection that ends after few silent seconds, at both of its ends: the shorter patience of the two counts
/// (RFC 9000 §10.1).
pub(crate) fn brisk_transport(floor: PathFloor, congestion: Congestion) -> TransportConfig {
    let mut config = transport(floor, congestion);
    config
        .keep_alive_interval(Some(BRISK_KEEP_ALIVE))
        .max_idle_timeout(Some(
            IdleTimeout::try_from(BRISK_IDLE_TIMEOUT).expect("four seconds fit a varint"),
        ));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ack_frequency_stays_unset() {
        // noq 1.4.0 panics when a peer answers it in a certain way (RUSTSEC-2026-0340).
        let config = format!(
            "{:?}",
            transport(PathFloor::Ordinary, Congestion::default())
        );
        assert!(config.contains("ack_frequency_config: None"), "{config}");
    }

    #[test]
    fn multipath_and_nat_traversal_stay_off() {
        let config = format!(
            "{:?}",
            transport(PathFloor::Ordinary, Congestion::default())
        );
        assert!(
            config.contains("max_concurrent_multipath_paths: None"),
            "{config}"
        );
        assert!(
            config.contains("max_remote_nat_traversal_addresses: None"),
            "{config}"
        );
    }
}
