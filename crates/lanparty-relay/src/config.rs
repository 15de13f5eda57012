//! What an operator can set: by flags, or in a file with the same names.

pub mod command_line;
#[allow(clippy::disallowed_methods, reason = "shell: reads the file")]
mod file;
#[allow(clippy::disallowed_methods, reason = "shell: reads the file")]
mod fleet;
pub(crate) mod limits;
mod tcp;
#[cfg(test)]
mod tests;

pub use command_line::CommandLine;
pub use file::{FileError, text_of};
pub use fleet::{
    FleetArgs, FleetArgsError, FleetConfig, FleetSecretText, OF_A_FLEET, OnDirectoryLoss,
};
pub use limits::{BoundArgs, Bounds};
pub use tcp::{Tcp, TcpArgs};

use crate::registry::{GuessLimits, Limits};
use crate::room::Rates;
use crate::strangers::KnockLimits;
use clap::Parser;
use lanparty_ctrl::{AccessToken, HostId, RoomCode, Text};
use lanparty_edge::access_args::{AccessArgs, AccessError};
use lanparty_edge::address::ListenAddress;
use lanparty_edge::congestion_args::{self, congestion};
use lanparty_edge::log::LogArgs;
use lanparty_edge::state_folder::StateFolder;
use lanparty_metrics::MetricsAddress;
use lanparty_quic::tls::{self, TrustError};
use lanparty_quic::{Congestion, MAX_LOOPS};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The name of the relay's state folder, where the operator names none.
pub(crate) const PROGRAM: &str = "lanparty-relay";
/// The socket in that folder, at which the operator steers the relay.
pub(crate) const SOCKET: &str = "relay.ctl";
/// The one at which another relay asks for this one's place.
pub(crate) const HANDOVER: &str = "relay.handover";

/// The first name in the development certificate unless another is given.
pub const DEFAULT_SERVER_NAME: &str = "lanparty-relay";

/// Everything a relay needs to know before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: ListenAddress,
    /// Where to listen for TCP, if anywhere.
    pub tcp: Tcp,
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
    /// There may be more: systemd does not show what it hands over to a relay that a reload has started.
    pub is_access_hidden: bool,
    /// Whether to introduce players to their gateways, for direct paths.
    pub introduces: bool,
    /// Where the relay is, for people who choose among several.
    pub region: Option<Text>,
    /// The fleet that it is in, if any.
    pub fleet: Option<FleetConfig>,
    /// Where the operator steers it, if anywhere.
    pub socket: Option<PathBuf>,
    /// Where another relay asks for this one's place, if anywhere.
    pub handover: Option<PathBuf>,
    /// Whether to take the place of the one that listens there.
    pub takes_over: bool,
    /// Whether whoever has started it waits at standard input to hear that it serves.
    pub tells_starter: bool,
    /// With what it was started, to read its settings again.
    pub settings: Option<CommandLine>,
    /// The one room that there may be, and whose it is; otherwise any.
    pub only: Option<(RoomCode, HostId)>,
    /// How to share the paths to peers.
    pub congestion: Congestion,
    /// On how many threads it moves packets; on as many as it may use processors, if nothing is said.
    pub threads: Option<NonZeroUsize>,
    /// Where its metrics are served, if anywhere.
    pub metrics: Option<MetricsAddress>,
}

impl Config {
    /// On how many threads to move packets: else one for each processor that its mask and its cgroup let it have.
    pub(crate) fn thread_count(&self) -> NonZeroUsize {
        let all = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(all).min(MAX_THREADS)
    }
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
    /// A relay at `listen` for UDP alone with the default limits, a key for this run, and one thread.
    pub fn new(listen: ListenAddress) -> Self {
        Config {
            listen,
            tcp: Tcp::Off,
            server_name: DEFAULT_SERVER_NAME.to_owned(),
            identity: IdentitySource::Fresh,
            dev_cert_der_out: None,
            limits: Limits::default(),
            rates: Rates::default(),
            knocks: KnockLimits::default(),
            guesses: GuessLimits::default(),
            access: None,
            is_access_hidden: false,
            introduces: true,
            region: None,
            fleet: None,
            socket: None,
            handover: None,
            takes_over: false,
            tells_starter: false,
            settings: None,
            only: None,
            congestion: Congestion::default(),
            threads: Some(NonZeroUsize::MIN),
            metrics: None,
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

    /// Only say whether a relay would start with these settings, and take them: it exits with 0 if so, and with 2 and a
    /// sentence if not.
    #[arg(long)]
    pub check: bool,

    /// Where to listen: an address and port, or PORT/udp for all addresses, IPv6 too.
    #[arg(long, value_name = "ADDR:PORT", default_value = "443/udp")]
    pub listen: ListenAddress,

    #[command(flatten)]
    tcp: TcpArgs,

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

    /// The name in the certificate that the relay makes for its own key, beside lanparty-relay and
    /// lanparty-relay.local.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SERVER_NAME, value_parser = server_name)]
    pub server_name: String,

    /// Take the place of the relay that runs with this state folder: its socket goes on listening, its peers come over within a
    /// moment, and it ends. So a new version is started without an evening's end. Without one that runs, start as usual.
    #[arg(long)]
    pub take_over: bool,

    /// Says on standard input, a socket, that it serves: for --reload, which waits for that. With --reload, starts such a relay.
    #[arg(long, hide = true)]
    pub tells_starter: bool,

    /// For `systemctl reload`: where the relay that runs with this state folder is another program than this one, start a relay
    /// in the background that takes its place; otherwise have it read its settings again. Fails where these are wrong.
    #[arg(long, conflicts_with = "take_over")]
    pub reload: bool,

    /// How to share a path to a peer that is full, for comparisons.
    #[arg(long, value_parser = congestion(), value_name = "HOW", default_value = congestion_args::DEFAULT)]
    congestion: Congestion,

    /// Move packets on so many threads, 1 to 64: each has a socket at the same port, and the kernel sends a peer's packets to
    /// the same one always [default: as many as this relay may use of the machine's processors].
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,

    /// Serve metrics for Prometheus at /metrics of this address, and /healthz and /readyz for whoever watches over
    /// services: plain HTTP without a password, so an address of this machine alone, like 127.0.0.1:9464 [default:
    /// nowhere].
    #[arg(long, value_name = "ADDR:PORT")]
    metrics: Option<MetricsAddress>,

    /// Introduce no player to a gateway for a direct path between the two: every frame goes by this relay. Read again on
    /// SIGHUP.
    #[arg(long)]
    no_introductions: bool,

    /// Where this relay is, in a word or two, like Paris: shown to hosts and players who have several relays. 1 to 32 letters,
    /// digits, spaces and hyphens. Read again on SIGHUP.
    #[arg(long, value_name = "NAME", value_parser = region)]
    region: Option<Text>,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    bounds: BoundArgs,

    #[command(flatten)]
    fleet: FleetArgs,

    /// What to log.
    #[command(flatten, next_help_heading = "Logs")]
    pub log: LogArgs,

    #[arg(skip)]
    words: Vec<OsString>,
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
    /// What it is told of its fleet is wrong.
    #[error(transparent)]
    Fleet(#[from] FleetArgsError),
}

impl RelayArgs {
    /// Reads the command line, of which the first word is the program, and the file that it names.
    ///
    /// # Errors
    /// [`ArgsError`].
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, ArgsError> {
        let words: Vec<OsString> = words.into_iter().collect();
        let args = command_line::read(words.clone())?;
        Ok(RelayArgs { words, ..args })
    }

    /// With what it was started, and the files in which that may have changed.
    fn command_line(&self) -> CommandLine {
        let files = self.config.iter().cloned().chain(self.access.file());
        let files = files.chain(self.fleet.files());
        CommandLine::new(self.words.clone(), files, |words| {
            RelayArgs::read(words)?.try_into()
        })
    }
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let wrong = || format!("it is a whole number from 1 to {MAX_LOOPS}");
    let number = text.parse().map_err(|_| wrong())?;
    if number > MAX_THREADS {
        return Err(wrong());
    }
    Ok(number)
}

/// A name that looks well in a table and in a sentence, whoever reads it.
fn region(text: &str) -> Result<Text, &'static str> {
    let is_well = |letter: char| letter.is_alphanumeric() || letter == ' ' || letter == '-';
    let is_trimmed = text.trim() == text;
    match (1..=32).contains(&text.chars().count()) && is_trimmed && text.chars().all(is_well) {
        true => Ok(text.into()),
        false => Err(
            "a region is 1 to 32 letters, digits, spaces and hyphens, with no space at its ends",
        ),
    }
}

/// As many as an endpoint takes.
const MAX_THREADS: NonZeroUsize = NonZeroUsize::new(MAX_LOOPS).expect("it is some");

fn server_name(text: &str) -> Result<String, TrustError> {
    tls::check_server_name(text)?;
    Ok(text.to_owned())
}

impl TryFrom<RelayArgs> for Config {
    type Error = ArgsError;

    fn try_from(args: RelayArgs) -> Result<Self, ArgsError> {
        let is_successor = args.reload || args.take_over;
        let (access, is_access_hidden) = match args.access.load() {
            Err(AccessError::OutOfSight(_)) if is_successor || args.check => (None, true),
            read => (read?, false),
        };
        let folder = match &args.state {
            Some(folder) => Some(StateFolder::new(folder.clone())),
            None => StateFolder::of(PROGRAM).ok(),
        };
        let socket = folder.as_ref().map(|folder| folder.file(SOCKET));
        let handover = folder.map(|folder| folder.file(HANDOVER));
        let settings = Some(args.command_line());
        let Bounds {
            limits,
            rates,
            knocks,
            guesses,
        } = args.bounds.into();
        Ok(Config {
            listen: args.listen,
            tcp: args.tcp.into(),
            server_name: args.server_name,
            identity: match (args.cert, args.key) {
                (Some(cert), Some(key)) => IdentitySource::Files { cert, key },
                _ => IdentitySource::Kept(args.state),
            },
            dev_cert_der_out: args.dev_cert_der_out,
            limits,
            rates,
            knocks,
            guesses,
            access,
            is_access_hidden,
            introduces: !args.no_introductions,
            region: args.region,
            fleet: args.fleet.load()?,
            socket,
            handover,
            takes_over: args.take_over,
            tells_starter: args.tells_starter,
            settings,
            only: None,
            congestion: args.congestion,
            threads: args.threads,
            metrics: args.metrics,
        })
    }
}
