//! What an operator can set.

use crate::registry::Limits;
use crate::room::{Rate, Rates};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use lanparty_net::address::ListenAddress;
use lanparty_net::tls::{self, TrustError};
use std::path::PathBuf;

/// The name in the development certificate unless another is given.
pub const DEFAULT_SERVER_NAME: &str = "lanparty-relay";

/// Everything a relay needs to know before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: ListenAddress,
    /// The name in the certificate that the relay makes for itself.
    pub server_name: String,
    /// Where to put that certificate for others to pin.
    pub dev_cert_der_out: Option<PathBuf>,
    /// How much to take on.
    pub limits: Limits,
    /// How much each client may send.
    pub rates: Rates,
}

impl Config {
    /// A relay at `listen` with the default limits.
    pub fn new(listen: ListenAddress) -> Self {
        Config {
            listen,
            server_name: DEFAULT_SERVER_NAME.to_owned(),
            dev_cert_der_out: None,
            limits: Limits::default(),
            rates: Rates::default(),
        }
    }
}

/// A relay's flags.
#[derive(Debug, Clone, Args)]
pub struct RelayArgs {
    /// Where to listen: an address and port, or PORT/udp for all addresses, IPv6 too.
    #[arg(long, value_name = "ADDR:PORT", default_value = "443/udp")]
    pub listen: ListenAddress,

    /// Write the relay's certificate (DER) to this file, for --relay-ca-cert of gateway and clients.
    #[arg(long, value_name = "FILE")]
    pub dev_cert_der_out: Option<PathBuf>,

    /// The name in that certificate.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SERVER_NAME, value_parser = server_name)]
    pub server_name: String,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    rates: RateArgs,
}

fn server_name(text: &str) -> Result<String, TrustError> {
    tls::check_server_name(text)?;
    Ok(text.to_owned())
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Rooms on this relay.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rooms, value_parser = at_least_one())]
    max_rooms: usize,

    /// Peers on this relay, gateways included.
    #[arg(long, value_name = "N", default_value_t = Limits::default().peers, value_parser = at_least_one())]
    max_peers: usize,

    /// Peers from one IPv4 address or IPv6 /64.
    #[arg(long, value_name = "N", default_value_t = Limits::default().peers_per_address, value_parser = at_least_one())]
    max_peers_per_address: usize,

    /// Clients in one room; its gateway comes on top.
    #[arg(long, value_name = "N", default_value_t = Limits::default().clients_per_room, value_parser = at_least_one())]
    max_clients_per_room: usize,
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What each client may send")]
struct RateArgs {
    /// Broadcast and multicast frames at once.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().group.burst)]
    broadcast_burst: u32,

    /// Broadcast and multicast frames a second.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().group.per_second)]
    broadcast_rate: u32,

    /// Frames to unknown addresses at once.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().unknown.burst)]
    unknown_unicast_burst: u32,

    /// Frames to unknown addresses a second.
    #[arg(long, value_name = "FRAMES", default_value_t = Rates::default().unknown.per_second)]
    unknown_unicast_rate: u32,

    /// Bytes at once; at least one full frame of 1514.
    #[arg(long, value_name = "BYTES", default_value_t = Rates::default().bytes.burst, value_parser = clap::value_parser!(u32).range(1514..))]
    byte_burst: u32,

    /// Bytes a second.
    #[arg(long, value_name = "BYTES", default_value_t = Rates::default().bytes.per_second)]
    byte_rate: u32,
}

impl From<RelayArgs> for Config {
    fn from(args: RelayArgs) -> Self {
        let RelayArgs { limits, rates, .. } = args;
        let rate = |burst, per_second| Rate { burst, per_second };
        Config {
            listen: args.listen,
            server_name: args.server_name,
            dev_cert_der_out: args.dev_cert_der_out,
            limits: Limits {
                rooms: limits.max_rooms,
                peers: limits.max_peers,
                peers_per_address: limits.max_peers_per_address,
                clients_per_room: limits.max_clients_per_room,
            },
            rates: Rates {
                group: rate(rates.broadcast_burst, rates.broadcast_rate),
                unknown: rate(rates.unknown_unicast_burst, rates.unknown_unicast_rate),
                bytes: rate(rates.byte_burst, rates.byte_rate),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        relay: RelayArgs,
    }

    fn config(flags: &str) -> Result<Config, clap::Error> {
        let words = std::iter::once("lanparty-relay").chain(flags.split_whitespace());
        Ok(Cli::try_parse_from(words)?.relay.into())
    }

    #[test]
    fn without_flags_it_listens_on_443_with_the_default_limits() {
        let expected = Config::new("443/udp".parse().unwrap());
        assert_eq!(config("").unwrap(), expected);
    }

    #[test]
    fn every_flag_has_this_spelling() {
        let config = config(
            "--listen 127.0.0.1:4433 --dev-cert-der-out a/b.der --server-name lan.example \
             --max-rooms 1 --max-peers 2 --max-peers-per-address 3 --max-clients-per-room 4 \
             --broadcast-burst 5 --broadcast-rate 6 --unknown-unicast-burst 7 \
             --unknown-unicast-rate 8 --byte-burst 9000 --byte-rate 10",
        );
        let rate = |burst, per_second| Rate { burst, per_second };
        let expected = Config {
            listen: "127.0.0.1:4433".parse().unwrap(),
            server_name: "lan.example".to_owned(),
            dev_cert_der_out: Some("a/b.der".into()),
            limits: Limits {
                rooms: 1,
                peers: 2,
                peers_per_address: 3,
                clients_per_room: 4,
            },
            rates: Rates {
                group: rate(5, 6),
                unknown: rate(7, 8),
                bytes: rate(9000, 10),
            },
        };
        assert_eq!(config.unwrap(), expected);
    }

    #[test]
    fn values_with_which_no_relay_works_are_refused() {
        for flags in [
            "--max-rooms 0",
            "--max-peers 0",
            "--byte-burst 1513",
            "--listen 443/tcp",
            "--server-name a_b!",
        ] {
            assert!(config(flags).is_err(), "{flags}");
        }
    }
}
