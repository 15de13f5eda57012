//! What an operator can set: by flags, or in a file with the same names.

#[allow(clippy::disallowed_methods, reason = "shell: reads the file")]
mod file;
#[cfg(test)]
mod tests;

pub use file::FileError;

use crate::registry::{GuessLimits, Limits};
use crate::room::{Rate, Rates};
use crate::strangers::KnockLimits;
use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use clap::{Args, CommandFactory, Parser};
use lanparty_ctrl::{AccessToken, RoomCode, RoomKey};
use lanparty_net::access_args::{AccessArgs, AccessError};
use lanparty_net::address::ListenAddress;
use lanparty_net::log::LogArgs;
use lanparty_net::quic::Congestion;
use lanparty_net::state::StateFolder;
use lanparty_net::tls::{self, TrustError};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The name of the relay's state folder, where the operator names none.
pub(crate) const PROGRAM: &str = "lanparty-relay";
/// The socket in that folder, at which the operator steers the relay.
pub(crate) const SOCKET: &str = "relay.ctl";

/// The name in the development certificate unless another is given.
pub const DEFAULT_SERVER_NAME: &str = "lanparty-relay";

/// Everything a relay needs to know before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: ListenAddress,
    /// The name in the certificate that the relay makes for itself.
    pub server_name: String,
    /// Where its key comes from.
    pub identity: IdentitySource,
    /// Where to put its certificate for others to pin.
    pub dev_cert_der_out: Option<PathBuf>,
    /// How much to take on.
    pub limits: Limits,
    /// How much each client may send.
    pub rates: Rates,
    /// How many connections may be on their way in.
    pub knocks: KnockLimits,
    /// How many wrong proofs of an invitation are answered.
    pub guesses: GuessLimits,
    /// What gateways must show that want to open rooms, if anything.
    pub access: Option<AccessToken>,
    /// Where the operator steers it, if anywhere.
    pub socket: Option<PathBuf>,
    /// With what it was started, to read its settings again.
    pub settings: Option<CommandLine>,
    /// The one room that there may be, for those who have its key; otherwise any.
    pub only: Option<(RoomCode, RoomKey)>,
    /// How to share the paths to peers.
    pub congestion: Congestion,
}

/// Where the relay's key and certificate come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySource {
    /// A key for this run only.
    Fresh,
    /// A key that is made once and kept in this folder, or where the system keeps such things.
    Kept(Option<PathBuf>),
    /// PEM files that somebody else renews.
    Files {
        /// The chain, the relay's own certificate first.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

impl Config {
    /// A relay at `listen` with the default limits and a key for this run.
    pub fn new(listen: ListenAddress) -> Self {
        Config {
            listen,
            server_name: DEFAULT_SERVER_NAME.to_owned(),
            identity: IdentitySource::Fresh,
            dev_cert_der_out: None,
            limits: Limits::default(),
            rates: Rates::default(),
            knocks: KnockLimits::default(),
            guesses: GuessLimits::default(),
            access: None,
            socket: None,
            settings: None,
            only: None,
            congestion: Congestion::default(),
        }
    }
}

/// The public meeting point of a LAN party: carries Ethernet frames between the players of a room
/// and the gateway on the party's LAN.
///
/// `lanparty-relay ctl --help` says how to see and steer a running one.
#[derive(Debug, Clone, Parser)]
#[command(name = "lanparty-relay", version)]
pub struct RelayArgs {
    /// Read settings from this TOML file. Its keys are the flags' names without dashes in front; what
    /// is also given as a flag comes from the flag. Limits and access token are read again on SIGHUP.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where to listen: an address and port, or PORT/udp for all addresses, IPv6 too.
    #[arg(long, value_name = "ADDR:PORT", default_value = "443/udp")]
    pub listen: ListenAddress,

    /// Write the relay's certificate (DER) to this file, for --relay-ca-cert of gateway and clients.
    #[arg(long, value_name = "FILE")]
    pub dev_cert_der_out: Option<PathBuf>,

    /// Keep the relay's key in this folder [default: where systemd says, else
    /// /var/lib/lanparty-relay as root and the user's data folder otherwise].
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Use this certificate chain (PEM) instead of a key of the relay's own; read again on SIGHUP and
    /// when it changes.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// The private key (PEM) of that certificate.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// The name in the certificate that the relay makes for its own key.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SERVER_NAME, value_parser = server_name)]
    pub server_name: String,

    /// How to share a path to a peer that is full, for comparisons.
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    congestion: Congestion,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    rates: RateArgs,

    /// What to log.
    #[command(flatten, next_help_heading = "Logs")]
    pub log: LogArgs,

    #[arg(skip)]
    words: CommandLine,
}

/// The words with which a relay was started, to read its settings again. They may hold a secret, so `Debug`
/// says nothing of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CommandLine(Vec<OsString>);

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandLine(…)")
    }
}

impl CommandLine {
    /// What they mean now, with the files that they name.
    ///
    /// # Errors
    /// [`ArgsError`].
    pub fn read(&self) -> Result<Config, ArgsError> {
        Ok(RelayArgs::read(self.0.iter().cloned())?.try_into()?)
    }

    /// True when there is something that may have changed.
    pub(crate) fn has_files(&self) -> bool {
        !self.folders().is_empty()
    }

    /// Where the files are that they name and are read again.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let Ok(args) = RelayArgs::read(self.0.iter().cloned()) else {
            return Vec::new();
        };
        let files = [args.config, args.access.access_token_file];
        let files = files.into_iter().flatten();
        let files = files.filter_map(|file| std::path::absolute(file).ok());
        files
            .filter_map(|file| file.parent().map(PathBuf::from))
            .collect()
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArgsError {
    /// The command line is wrong, or asks for help.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The access token is wrong.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl RelayArgs {
    /// Reads the command line, of which the first word is the program, and the file that it names.
    ///
    /// # Errors
    /// [`ArgsError`].
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, ArgsError> {
        let mut words: Vec<OsString> = words.into_iter().collect();
        let given = Self::command().try_get_matches_from(&words)?;
        let command_line = CommandLine(words.clone());
        if let Some(file) = given.get_one::<PathBuf>("config") {
            let flags = file::read(file, &given)?;
            words.splice(1..1, flags);
        }
        let args = Self::try_parse_from(words)?;
        Ok(RelayArgs {
            words: command_line,
            ..args
        })
    }
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

    /// Connections at once that are not in a room yet.
    #[arg(long, value_name = "N", default_value_t = KnockLimits::default().at_once, value_parser = at_least_one())]
    max_handshakes: usize,

    /// The same from one IPv4 address or IPv6 /64.
    #[arg(long, value_name = "N", default_value_t = KnockLimits::default().per_address, value_parser = at_least_one())]
    max_handshakes_per_address: usize,

    /// Attempts at once, from one IPv4 address or IPv6 /64, to enter a room for invited people without being
    /// invited; after these it is told to wait. Who is invited is let in all the same.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_source.burst, value_parser = at_least_one_u32())]
    guess_burst: u32,

    /// The same, a second.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_source.per_second, value_parser = at_least_one_u32())]
    guess_rate: u32,

    /// The same at once for one room code, from everywhere.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_room.burst, value_parser = at_least_one_u32())]
    room_guess_burst: u32,

    /// The same, a second.
    #[arg(long, value_name = "N", default_value_t = GuessLimits::default().per_room.per_second, value_parser = at_least_one_u32())]
    room_guess_rate: u32,
}

fn at_least_one_u32() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(1..)
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

impl TryFrom<RelayArgs> for Config {
    type Error = AccessError;

    fn try_from(args: RelayArgs) -> Result<Self, AccessError> {
        let access = args.access.load()?;
        let folder = match &args.state {
            Some(folder) => Some(StateFolder::new(folder.clone())),
            None => StateFolder::of(PROGRAM).ok(),
        };
        let socket = folder.map(|folder| folder.file(SOCKET));
        let RelayArgs { limits, rates, .. } = args;
        let rate = |burst, per_second| Rate { burst, per_second };
        Ok(Config {
            listen: args.listen,
            server_name: args.server_name,
            identity: match (args.cert, args.key) {
                (Some(cert), Some(key)) => IdentitySource::Files { cert, key },
                _ => IdentitySource::Kept(args.state),
            },
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
            knocks: KnockLimits {
                at_once: limits.max_handshakes,
                per_address: limits.max_handshakes_per_address,
            },
            guesses: GuessLimits {
                per_source: rate(limits.guess_burst, limits.guess_rate),
                per_room: rate(limits.room_guess_burst, limits.room_guess_rate),
            },
            access,
            socket,
            settings: Some(args.words),
            only: None,
            congestion: args.congestion,
        })
    }
}
