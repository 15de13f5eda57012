//! The flags of the program, and what they amount to.

mod door;

use crate::keys::{self, KeyError, Shown};
#[cfg(target_os = "linux")]
use crate::lan::survey;
use crate::page::{PageArgs, Places};
use clap::{CommandFactory as _, Parser, ValueEnum};
use door::DoorArgs;
use lanparty_ctrl::Text;
use lanparty_edge::access_args::{AccessArgs, AccessError};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::InvitePage;
use lanparty_edge::log::LogArgs;
#[cfg(target_os = "linux")]
use lanparty_edge::speech::say;
use lanparty_edge::systemd;
use lanparty_metrics::MetricsAddress;
use lanparty_peer::relay_args::{RelayArgs, RelayArgsError, RelayConfig};
use lanparty_relay::config::{ArgsError, command_line, text_of};
use lanparty_switch::reach::Policy;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// Plug remote players into this LAN.
///
/// The gateway joins a room on a relay and carries Ethernet frames between that room and the LAN
/// behind one network interface: what remote players send appears on the LAN's switch under their
/// own MAC addresses, and what the LAN sends to them, to everybody or to a group goes to the room.
/// DHCP, broadcast, multicast and protocols without IP work as on a cable.
///
/// Only the interface's frames are read and written; no address, route, bridge or firewall rule of
/// this machine is changed. With --with-this-machine the machine itself takes part too: players reach
/// the game servers on it, and its own games see players. Without it, remote players are on the LAN
/// for every machine but this one.
#[derive(Debug, Clone, Parser)]
#[command(name = "lanparty-gateway", version, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    relay: RelayArgs,

    #[command(flatten)]
    lan: LanArgs,

    #[command(flatten)]
    door: DoorArgs,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    file: FileArgs,

    /// What to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The file with a party's settings.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct FileArgs {
    /// Read settings from this TOML file, as `lanparty-gateway setup` writes one. Its keys are the flags' names without
    /// dashes in front; what is also given as a flag comes from the flag. With `mode = "host"` in it the party is one of
    /// `lanparty-gateway host`.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Only say whether a gateway would start with these settings, and take them: it exits with 0 if so, and with 2 and a
    /// sentence if not.
    #[arg(long)]
    pub(crate) check: bool,

    /// For the file: which kind of party it describes.
    #[arg(long, value_name = "KIND", hide = true)]
    pub(crate) mode: Option<Mode>,
}

/// Where the players of a party meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// On this machine, which is relay and gateway in one.
    Host,
    /// At a relay elsewhere.
    Relay,
}

/// The file that these words name with --config.
fn file_in(words: &[OsString]) -> Option<PathBuf> {
    let mut words = words.iter();
    let mut file = None;
    while let Some(word) = words.next() {
        let word = word.to_str().unwrap_or_default();
        match word.strip_prefix("--config") {
            Some("") => file = words.next().map(PathBuf::from),
            Some(name) => file = name.strip_prefix('=').map(PathBuf::from).or(file),
            None => {}
        }
    }
    file
}

/// Which kind of party the file describes that these words name. A file that cannot be read is told of by who reads all of it.
pub(crate) fn mode_in(words: &[OsString]) -> Option<Mode> {
    let (_, mode) = text_of(&file_in(words)?, "mode").ok()??;
    Mode::from_str(&mode, false).ok()
}

/// No secret stands in a file that everybody reads, and that is shown to who helps.
///
/// # Errors
/// A sentence, as clap's.
pub(crate) fn without_secrets(words: &[OsString]) -> Result<(), clap::Error> {
    let Some(file) = file_in(words) else {
        return Ok(());
    };
    let Ok(Some((line, _))) = text_of(&file, "access-token") else {
        return Ok(());
    };
    let problem = format!(
        "the configuration {} has an access token in line {line}, where others may read it; put it into a file of its own, \
         and name that with access-token-file",
        file.display()
    );
    Err(Args::command().error(clap::error::ErrorKind::ValueValidation, problem))
}

/// Which LAN, and where to keep what outlives the gateway.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LanArgs {
    /// The wired interface whose cable leads to the LAN [default: the one that can be it, where there is exactly
    /// one; a DHCP server there tells it from others].
    #[arg(long, visible_alias = "iface", value_name = "IF")]
    pub(crate) interface: Option<String>,

    /// The file that keeps the gateway's place in its room, so that a killed gateway takes it back at
    /// once [default: lanparty-gateway-IF.place.json in $STATE_DIRECTORY, which systemd sets, or in
    /// ~/.local/state].
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Let this machine itself take part: players reach its game servers, as the LAN does, and its games
    /// see players. Its addresses, routes and bridges stay as they are; a TAP adapter that ends with
    /// the gateway brings players' frames in. Needs CAP_NET_ADMIN [`host` does it by itself where it can].
    #[arg(long, overrides_with = "without_this_machine")]
    with_this_machine: bool,

    /// Keep this machine itself out of the party, as a gateway does that is not told otherwise.
    #[arg(long, overrides_with = "with_this_machine")]
    without_this_machine: bool,

    /// Run also where another gateway runs on this interface already. Each needs a room of its own, and a --state in
    /// a folder of its own so that `ctl --socket` finds it.
    #[arg(long)]
    pub(crate) beside_another: bool,

    /// Serve metrics for Prometheus at /metrics of this address, and /healthz and /readyz: plain HTTP without a password,
    /// so an address of this machine alone, like 127.0.0.1:9464 [default: nowhere].
    #[arg(long, value_name = "ADDR:PORT")]
    metrics: Option<MetricsAddress>,

    /// What players may reach on the LAN: everything; games, which is what machines there announce as games, ports of
    /// games, answers to what they begin, and ping; or what is named, as ADDRESS, ADDRESS:PORT or ADDRESS:FIRST-LAST, with
    /// commas between, also behind games. IPv6 stands in brackets, /24 behind the address of a network, /tcp or /udp at the
    /// end. Broadcast and DHCP stay. `lanparty-gateway ctl reach` changes it at any time, and that stays.
    #[arg(long, value_name = "WHAT", default_value = "everything")]
    reach: Policy,

    /// The folder with the keys of rooms for which invites were made here [default: where systemd
    /// says, else /var/lib/lanparty-gateway as root and your data folder otherwise].
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) page: PageArgs,
}

const EXAMPLES: &str = "\
Examples:
  Have a party without a server, if you can forward a UDP port; `lanparty-gateway host --help` says more:
      lanparty-gateway host --interface eth0

  Be asked what is needed, and have it kept for next time and for the service:
      lanparty-gateway setup
      lanparty-gateway --config /etc/lanparty/gateway.toml

  Make an invite to the room FRIDAY, for the players; `lanparty-gateway invite --help` says more:
      lanparty-gateway invite --relay relay.example.net --room FRIDAY

  Plug the LAN behind eth0 into that room:
      lanparty-gateway --relay relay.example.net --room FRIDAY --interface eth0

  The same with a second relay, to which the party moves when the first is gone; the invite names the same two:
      lanparty-gateway --relay relay.example.net --relay other.example.org --room FRIDAY --interface eth0

  The same with a relay of one's own, on port 4433 and with the certificate that it wrote:
      lanparty-gateway --relay 203.0.113.7:4433 --server-name lanparty-relay \\
          --relay-ca-cert relay.der --room FRIDAY --interface eth0

  Who is there? Send somebody out, lock the room; `lanparty-gateway ctl --help` says what else:
      lanparty-gateway ctl list

  The same with this machine taking part, whose LAN is a bridge with virtual machines on it:
      lanparty-gateway --relay relay.example.net --room FRIDAY --interface vmbr0 --with-this-machine

  Let players have games on the LAN and one folder of the NAS, and nothing else of your home:
      lanparty-gateway --relay relay.example.net --room FRIDAY --interface eth0 --reach games,192.168.50.2:445

  Have all frames go by the relay, so that neither you nor players see each other's internet address:
      lanparty-gateway --relay relay.example.net --room FRIDAY --interface eth0 --no-door

  Why do frames die? Log each of them:
      lanparty-gateway --log info,lanparty::frames=trace …

It needs CAP_NET_RAW, and CAP_NET_ADMIN if this machine takes part: run it as root, or once \
`setcap cap_net_raw,cap_net_admin+ep` on its file. Ctrl-C or SIGTERM \
ends it: it says goodbye and exits with 0. Anything else that ends it is told in one sentence, and \
exits with 1, or with 2 where another start would end the same way. A lost relay does not end it; it tries again until the relay is back. Without its \
interface it leaves the room, and comes back with it; where another gateway with the same keys has taken \
its place, it waits until that one is gone.";

/// Whether the gateway's own machine takes part in the party.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThisMachine {
    /// It does, or there is no party.
    With,
    /// It does if it can.
    IfPossible,
    /// It does not.
    #[default]
    Without,
}

/// What a gateway needs to know, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Which relay and which room.
    pub relay: RelayConfig,
    /// The interface's name.
    pub interface: String,
    /// Whether there may be another gateway on it.
    pub beside_another: bool,
    /// Whether the machine behind it takes part.
    pub this_machine: ThisMachine,
    /// What players may reach, as long as the host orders nothing else.
    pub reach: Policy,
    /// The file that keeps the place in the room, if there is somewhere to keep it.
    pub state: Option<PathBuf>,
    /// The folder with the rooms' keys, if there is one.
    pub keys: Option<PathBuf>,
    /// Where the party page is shown.
    pub pages: Places,
    /// Where players find the relay, if not where the gateway does.
    pub public_address: Option<RelayAddress>,
    /// Where metrics are served, if anywhere.
    pub metrics: Option<MetricsAddress>,
    /// Whether the home router may be asked for a port for direct paths.
    pub asks_router: bool,
    /// True where the relay runs beside the gateway.
    pub hosted: bool,
    /// What the party is called, as the flags have it.
    pub party: Option<Text>,
    /// The page behind which invites stand as well.
    pub invite_page: Option<InvitePage>,
}

impl Config {
    /// The file that keeps what the host wants of this room, beside the one that keeps its place.
    pub(crate) fn wishes(&self) -> Option<PathBuf> {
        let folder = self.state.as_deref()?.parent()?;
        Some(folder.join(format!("lanparty-gateway-{}.orders.json", self.relay.room)))
    }

    /// Where `lanparty-gateway ctl` finds this gateway: beside the file that keeps its place.
    pub fn socket(&self) -> Option<PathBuf> {
        let folder = self.state.as_deref()?.parent()?;
        Some(folder.join(socket_name(&self.interface)))
    }
}

/// The end of the name of every gateway's socket.
pub(crate) const SOCKET_SUFFIX: &str = ".ctl";

/// The name of the socket of the gateway at an interface.
pub(crate) fn socket_name(interface: &str) -> String {
    format!("lanparty-gateway-{interface}{SOCKET_SUFFIX}")
}

impl Args {
    /// Reads the command line, of which the first word is the program, and the file that it names.
    ///
    /// # Errors
    /// [`ArgsError`].
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, ArgsError> {
        let words: Vec<_> = words.into_iter().collect();
        without_secrets(&words)?;
        command_line::read(words)
    }

    /// Whether these words name a file that describes a party of `lanparty-gateway host`.
    pub fn are_of_a_host(words: &[OsString]) -> bool {
        mode_in(words) == Some(Mode::Host)
    }

    /// Sees to it that there is an interface; see [`LanArgs::find_interface`].
    #[cfg(target_os = "linux")]
    pub(crate) fn find_interface(&mut self) -> anyhow::Result<()> {
        self.lan.find_interface()
    }

    /// Reads the files that the flags name. A room for which invites were made here gets their key, and its host's.
    ///
    /// # Errors
    /// [`LoadError`] when an invite, a certificate or a key cannot be used.
    pub fn load(self) -> Result<Config, LoadError> {
        self.load_for(systemd::waits())
    }

    pub(crate) fn is_check(&self) -> bool {
        self.file.check
    }

    /// Reads what the flags name, and makes nothing.
    pub(crate) fn check(self) -> Result<(), LoadError> {
        self.relay.load()?;
        match self.access.load() {
            // systemd does not show it to what reloads, and the gateway that runs has it.
            Err(AccessError::OutOfSight(_)) => Ok(()),
            read => Ok(read.map(drop)?),
        }
    }

    /// Relays that are named without a pin are known by those of the invites that were made here.
    fn know_relays(&mut self) {
        let (None, Some(room)) = (&self.relay.relay_ca_cert, &self.relay.room) else {
            return;
        };
        for (number, relay) in self.relay.relay.iter_mut().enumerate() {
            let is_pinned = relay.pin.is_some() || (number == 0 && self.relay.pin.is_some());
            if !is_pinned {
                relay.pin = keys::kept_pin(self.lan.keys.as_deref(), room, &relay.address);
            }
        }
    }

    /// A service starts with the machine, before anybody could make an invite: its room is closed from the beginning.
    fn load_for(mut self, is_service: bool) -> Result<Config, LoadError> {
        self.know_relays();
        let mut relay = self.relay.load()?;
        relay.access_token = self.access.load()?;
        let host = relay.host;
        let invite = relay.key.as_ref().map(|key| Shown { key, host });
        if invite.is_none() && is_service {
            keys::kept_or_made(self.lan.keys.as_deref(), &relay.room, rand::random())?;
        }
        let own = keys::of_host(
            self.lan.keys.as_deref(),
            &relay.room,
            invite,
            rand::random(),
        )?;
        if let Some((key, host_key)) = own {
            relay.key = Some(key);
            relay.host_key = Some(host_key);
        }
        let keys = self.lan.keys.as_deref();
        relay.door = self.door.config(keys, relay.key.is_some());
        Ok(Config {
            asks_router: self.door.asks_router(),
            ..self.lan.with(relay)
        })
    }
}

impl LanArgs {
    /// What is said of this machine, or else `otherwise`.
    pub(crate) fn this_machine(&self, otherwise: ThisMachine) -> ThisMachine {
        match (self.with_this_machine, self.without_this_machine) {
            (true, _) => ThisMachine::With,
            (false, true) => ThisMachine::Without,
            (false, false) => otherwise,
        }
    }

    /// The interface that is named, or the one that must be meant; says what the host should know of that.
    ///
    /// # Errors
    /// A sentence, where there is none or more than one.
    #[cfg(target_os = "linux")]
    pub(crate) fn find_interface(&mut self) -> anyhow::Result<()> {
        let said = match &self.interface {
            Some(named) => survey::doubt(named),
            None => {
                let (found, said) = survey::find()?;
                self.interface = Some(found);
                Some(said)
            }
        };
        said.iter().for_each(say);
        Ok(())
    }

    /// A gateway between this LAN and that relay. Where it can keep nothing it is nobody in particular.
    pub(crate) fn with(self, mut relay: RelayConfig) -> Config {
        let this_machine = self.this_machine(ThisMachine::Without);
        let interface = self.interface.unwrap_or_default();
        relay.identity = keys::identity(self.keys.as_deref(), rand::random())
            .inspect_err(|error| {
                tracing::warn!("The relay will not know this gateway again: {error}");
            })
            .ok();
        let state = self
            .state
            .or_else(|| default_state(&interface, |name| env::var_os(name)));
        let keys = keys::open(self.keys.as_deref()).ok();
        Config {
            pages: self.page.places(),
            relay,
            this_machine,
            interface,
            beside_another: self.beside_another,
            reach: self.reach,
            state,
            keys: keys.and_then(|folder| std::path::absolute(folder.path()).ok()),
            public_address: None,
            metrics: self.metrics,
            asks_router: false,
            hosted: false,
            party: None,
            invite_page: None,
        }
    }
}

/// Why there is nothing to run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The invite or the relay's certificate.
    #[error(transparent)]
    Relay(#[from] RelayArgsError),
    /// The relay's access token.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The room's key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl LoadError {
    /// Whether another start with the same words and files would end the same way; a disk may have room by then.
    pub fn is_for_good(&self) -> bool {
        match self {
            LoadError::Relay(_) | LoadError::Access(_) => true,
            LoadError::Key(error) => !matches!(error, KeyError::State(_)),
        }
    }
}

/// Where the place is kept when nobody says it; relative folders do not count (XDG Base Directory
/// Specification).
fn default_state(interface: &str, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = state_folder(variable)?;
    Some(folder.join(format!("lanparty-gateway-{interface}.place.json")))
}

/// Where systemd says, or at home.
pub(crate) fn state_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    folder("STATE_DIRECTORY").or_else(|| Some(folder("HOME")?.join(".local/state")))
}

#[cfg(test)]
mod tests;
