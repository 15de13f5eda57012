//! Where a relay listens for TCP, beside UDP.

use clap::Args;
use lanparty_edge::address::TcpAddress;
use std::net::SocketAddr;

/// Whether a relay listens for TCP, and where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tcp {
    /// Nowhere.
    #[default]
    Off,
    /// At the address that it has for UDP.
    Beside,
    /// There.
    At(TcpAddress),
}

impl Tcp {
    /// The address to bind, beside the one that UDP has.
    pub(crate) fn beside(self, udp: SocketAddr) -> Option<SocketAddr> {
        match self {
            Tcp::Off => None,
            Tcp::Beside => Some(udp),
            Tcp::At(address) => Some(address.socket_address()),
        }
    }
}

/// The flags for it.
#[derive(Debug, Clone, Args)]
pub struct TcpArgs {
    /// Where to listen for TCP, for players whose network lets no UDP through: an address and port, or PORT/tcp for all addresses
    /// [default: the address and port of --listen]. Where a web server has that port, an address like 127.0.0.1:8443, to which
    /// it passes /lanparty on.
    #[arg(long, value_name = "ADDR:PORT")]
    tcp_listen: Option<TcpAddress>,

    /// Do not listen for TCP: who comes from a network without UDP stays outside.
    #[arg(long, conflicts_with = "tcp_listen")]
    no_tcp: bool,
}

impl From<TcpArgs> for Tcp {
    fn from(args: TcpArgs) -> Self {
        match (args.no_tcp, args.tcp_listen) {
            (true, _) => Tcp::Off,
            (false, Some(address)) => Tcp::At(address),
            (false, None) => Tcp::Beside,
        }
    }
}
