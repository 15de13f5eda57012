//! The flags that gateway and clients share.

use crate::address::RelayAddress;
use crate::tls::{self, Trust};
use clap::Args;
use lanparty_ctrl::{Pin, RoomCode};
use lanparty_proto::DatagramBudget;
use std::path::PathBuf;

/// Which relay, which room, and whom to trust.
#[derive(Debug, Clone, Args)]
pub struct RelayArgs {
    /// The relay to meet at; the port is 443 unless given.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub relay: RelayAddress,

    /// The name that the relay's certificate must carry [default: the host in --relay].
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,

    /// Trust this certificate, or what it has signed, and no other (PEM or DER) [default: the
    /// certificate authorities that the system trusts].
    #[arg(long, value_name = "FILE")]
    pub relay_ca_cert: Option<PathBuf>,

    /// Trust the relay that has the key with this pin (it prints it when it starts), whatever its
    /// certificate says.
    #[arg(
        long,
        value_name = "PIN",
        allow_hyphen_values = true,
        conflicts_with = "relay_ca_cert"
    )]
    pub pin: Option<Pin>,

    /// The room to meet in: 4 to 32 letters, digits and hyphens.
    #[arg(long, value_name = "CODE")]
    pub room: RoomCode,

    /// Never send datagrams longer than this many bytes; longer frames travel in pieces [default:
    /// what the path takes].
    #[arg(long, value_name = "BYTES")]
    pub datagram_budget: Option<DatagramBudget>,
}

/// A relay that a peer may connect to: [`RelayArgs`] with the files read and checked.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Where it is.
    pub address: RelayAddress,
    /// The name its certificate must carry.
    pub server_name: String,
    /// Whose signature that certificate must carry.
    pub trust: Trust,
    /// The room to enter.
    pub room: RoomCode,
    /// The largest datagram to send, where the player wants less than the path takes.
    pub budget_cap: Option<DatagramBudget>,
}

impl RelayArgs {
    /// Reads the files that the flags name.
    ///
    /// # Errors
    /// [`tls::TrustError`] when a certificate cannot be read or used.
    pub fn load(self) -> Result<RelayConfig, tls::TrustError> {
        let server_name = self
            .server_name
            .unwrap_or_else(|| self.relay.host().to_owned());
        tls::check_server_name(&server_name)?;
        Ok(RelayConfig {
            trust: match self.pin {
                Some(pin) => Trust::pinned(pin),
                None => Trust::load(self.relay_ca_cert.as_deref())?,
            },
            address: self.relay,
            server_name,
            room: self.room,
            budget_cap: self.datagram_budget,
        })
    }
}
