//! `lanparty-gateway host`: a party without a server, as the relay runs in the same program.
//!
//! The gateway comes in by the relay's side door, without packets and encryption; all that is said and done on that link
//! is as on any other, so there is one code path.

use crate::config::{self, Config, FileArgs, LanArgs, Mode, ThisMachine};
use crate::host::Host;
use crate::invite::ShowArgs;
use crate::keys;
use crate::lan::{LanSocket, Sole};
use crate::own_part::OwnPart;
use crate::run;
use crate::standing::open_lan;
use crate::way_in::{self, Herald, WayIn};
use anyhow::Context;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use lanparty_ctrl::{Pin, RoomCode, Text};
use lanparty_edge::address::{DEFAULT_PORT, ListenAddress, RelayAddress, RelayAddressError};
use lanparty_edge::congestion_args::{self, congestion};
use lanparty_edge::invite::{Extra, Invite};
use lanparty_edge::log::LogArgs;
use lanparty_edge::privilege::{self, CapabilitySet};
use lanparty_edge::runtime;
use lanparty_edge::source_address::outgoing;
use lanparty_edge::speech::say;
use lanparty_edge::state_folder::StateFolder;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::DatagramBudget;
use lanparty_quic::Congestion;
use lanparty_quic::tls::Trust;
use lanparty_relay::config::{
    ArgsError, BoundArgs, Bounds, CommandLine, IdentitySource, TcpArgs, command_line,
};
use lanparty_relay::server::kept_pin;
use lanparty_relay::{RelayServer, SocketGone};
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Where the code of the room is kept, if the host names none.
pub(crate) const ROOM_FILE: &str = "host-room";
/// Letters and digits that nobody takes for one another, so that a code can be said on the telephone.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Have a party without a server: this machine is gateway and relay in one.
///
/// It prints an invite, which is all that players need; keep it to those you mean. Room, key and the
/// relay's identity are made at the first start and kept, so the invite is the same the next evening.
/// The relay carries this one room, and talks to nobody who has no invite. The machine itself takes part where
/// it can: players reach the game servers on it, and its games see players (--without-this-machine: not so).
///
/// For players elsewhere this machine must be reachable from the internet by one UDP port. The router is asked to
/// open it (PCP, NAT-PMP, UPnP), it is kept open, and given back at the end; what has come of it is said in one
/// sentence. Where the router does not, forward the port in it by hand, or use a relay on a server
/// (`lanparty-gateway --help`).
#[derive(Debug, Clone, Parser)]
#[command(name = "lanparty-gateway host", bin_name = "lanparty-gateway host", version, after_help = EXAMPLES)]
pub struct HostArgs {
    #[command(flatten)]
    lan: LanArgs,

    /// Where to listen for players: an address and port, or PORT/udp for all addresses, IPv6 too.
    #[arg(long, value_name = "ADDR:PORT", default_value = "443/udp")]
    listen: ListenAddress,

    #[command(flatten)]
    tcp: TcpArgs,

    /// Where players find this machine, for the invite: your public name or address, with a port if
    /// your router forwards another one than --listen has [default: what the router says, or this machine's own
    /// address].
    #[arg(long, value_name = "HOST[:PORT]", value_parser = address_text)]
    public_address: Option<String>,

    /// Do not ask the router to open the port, and tell invites only what this machine knows itself.
    #[arg(long)]
    no_port_mapping: bool,

    /// The room: 4 to 32 letters, digits and hyphens [default: one that is made and kept].
    #[arg(long, value_name = "CODE")]
    room: Option<RoomCode>,

    /// What the party is called.
    #[arg(long, value_name = "TEXT")]
    name: Option<Text>,

    #[command(flatten)]
    show: ShowArgs,

    /// Between relay and gateway, cut frames into datagrams of no more than this many bytes, for tests and
    /// comparisons; below 1312 the MTU of players and LAN follows it [default: nothing is cut].
    #[arg(long, value_name = "BYTES")]
    datagram_budget: Option<DatagramBudget>,

    /// How to share a path that is full, for comparisons.
    #[arg(long, value_parser = congestion(), value_name = "HOW", default_value = congestion_args::DEFAULT)]
    congestion: Congestion,

    /// Limits are read again on SIGHUP.
    #[command(flatten)]
    file: FileArgs,

    #[command(flatten)]
    bounds: BoundArgs,

    /// What to log.
    #[command(flatten, next_help_heading = "Logs")]
    log: LogArgs,

    /// For who means a gateway at relays.
    #[arg(long, hide = true, value_parser = no_relay)]
    relay: Vec<String>,

    #[arg(skip)]
    words: Vec<OsString>,
}

fn no_relay(_: &str) -> Result<String, &'static str> {
    Err(
        "a party without a server has no relay but this machine, so it cannot move to another one: leave the relays out, or start \
         `lanparty-gateway` without host, with a --relay for each",
    )
}

const EXAMPLES: &str = "\
Examples:
  A party on the LAN behind eth0; the router is asked to open UDP port 443:
      lanparty-gateway host --interface eth0

  The same where the router has the name party.example.net and forwards the port by hand:
      lanparty-gateway host --interface eth0 --no-port-mapping --public-address party.example.net

  The same on port 4433:
      lanparty-gateway host --interface eth0 --listen 4433/udp --public-address party.example.net

It needs CAP_NET_RAW, CAP_NET_BIND_SERVICE for a port below 1024, and CAP_NET_ADMIN so that this machine takes \
part: run it as root, or once `setcap cap_net_raw,cap_net_bind_service,cap_net_admin+ep` on its file. Ctrl-C or SIGTERM ends the gateway, then the relay.";

impl HostArgs {
    /// Reads the words after `lanparty-gateway`, and the file that they name.
    ///
    /// # Errors
    /// [`ArgsError`].
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, ArgsError> {
        let words: Vec<_> = words.into_iter().collect();
        if config::mode_in(&words) == Some(Mode::Relay) {
            let problem = "the configuration describes a party at a relay (its mode is relay): start it with \
                 `lanparty-gateway --config`, without host, or make one for this with `lanparty-gateway setup --host`";
            let command = Self::command();
            return Err(command
                .clone()
                .error(ErrorKind::ValueValidation, problem)
                .into());
        }
        config::without_secrets(&words)?;
        let args = command_line::read(words.clone())?;
        Ok(HostArgs { words, ..args })
    }

    /// Runs relay and gateway until Ctrl-C or SIGTERM.
    ///
    /// # Errors
    /// One sentence, with its causes, for whoever started the program.
    pub fn run(mut self) -> anyhow::Result<()> {
        self.log.clone().start();
        if self.file.check {
            return Ok(());
        }
        let this_machine = self.lan.this_machine(ThisMachine::IfPossible);
        may_host(self.listen.socket_address().port(), this_machine)?;
        self.lan.find_interface()?;
        let interface = self.lan.interface.as_deref().unwrap_or_default();
        let lan = open_lan(interface)?;
        let _sole = Sole::claim(interface, self.lan.beside_another)?;
        runtime::run(async move {
            let asked = run::asked_to_stop();
            let own = OwnPart::begin(this_machine, &lan)?;
            self.serve(lan, own, asked).await
        })?
    }

    /// The limits again, as the file has them by then.
    fn settings(&self) -> CommandLine {
        CommandLine::new(self.words.clone(), self.file.config.clone(), |words| {
            let args = HostArgs::read(words)?;
            Ok(bounded(args.listen, args.tcp, args.bounds))
        })
    }

    async fn serve(
        self,
        lan: LanSocket,
        own: OwnPart,
        asked: impl Future<Output = Text>,
    ) -> anyhow::Result<()> {
        let settings = self.settings();
        let readable = settings.folders();
        let folder = keys::open(self.lan.keys.as_deref())?;
        let room = match self.room {
            Some(room) => room,
            None => kept_room(&folder, rand::random())?,
        };
        let key = keys::kept_or_made(Some(folder.path()), &room, rand::random())?;
        let host_key = keys::host_secret(Some(folder.path()), rand::random())?.host_key(&room);
        let mut relay = RelayServer::bind(&lanparty_relay::Config {
            identity: IdentitySource::Kept(Some(folder.path().to_owned())),
            only: Some((room.clone(), host_key.id())),
            congestion: self.congestion,
            settings: Some(settings),
            ..bounded(self.listen, self.tcp, self.bounds)
        })?;
        let listening = relay.local_address();
        let address = public(self.public_address.as_deref(), listening, outgoing())?;
        let nonce = way_in::kept_nonce(&folder, rand::random());
        let invite = Invite {
            relay: address,
            room: room.clone(),
            key: key.clone(),
            host: Some(host_key.id()),
            pin: Some(relay.pin()),
            name: self.name,
            expires: None,
            also: Vec::new(),
            others: Vec::new(),
            extra: Extra::default(),
        };
        // One that cannot be shown is said before the party begins.
        self.show.draw(&invite)?;
        let mut config = self.lan.with(RelayConfig {
            server_name: lanparty_relay::config::DEFAULT_SERVER_NAME.to_owned(),
            key: Some(key),
            host_key: Some(host_key),
            budget_cap: self.datagram_budget,
            congestion: self.congestion,
            // Players come here anyway: there is no shorter way.
            inside: Some(relay.side_door()),
            ..RelayConfig::new(nearby(listening).into(), Trust::pinned(relay.pin()), room)
        });
        config.public_address = Some(invite.relay.clone());
        config.hosted = true;
        config.party = invite.name.clone();
        config.invite_page = self.show.page().cloned();
        let host = Host::new(&config);
        run::keep_what_is_needed(&config, &readable)?;

        say(format_args!("Relay listening on {}.", relay.listening()));
        relay.say_what_is_missing();
        let way_in = WayIn::open(listening, nonce, !self.no_port_mapping);
        let desk = host.desk.clone();
        let herald = Herald {
            given: self.public_address.as_deref(),
            invite,
            show: &self.show,
            desk: &desk,
            listens: listening.port(),
        };
        let outcome = tokio::select! {
            outcome = party(relay, &config, (lan, own), host, asked) => outcome,
            never = herald.tell(way_in.facts()) => match never {},
        };
        way_in.close().await;
        outcome
    }
}

/// An address as it is given, once it is one; which port it has by itself says --listen.
fn address_text(text: &str) -> Result<String, RelayAddressError> {
    RelayAddress::parse(text, DEFAULT_PORT)?;
    Ok(text.to_owned())
}

/// Says at once what of all rights that this needs is missing, also of those that it needs later.
fn may_host(port: u16, this_machine: ThisMachine) -> anyhow::Result<()> {
    let first_free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first_free = first_free.ok().and_then(|text| text.trim().parse().ok());
    let needed = needed(port, first_free.unwrap_or(1024), this_machine);
    let held = privilege::held().context("cannot see which rights this program has")?;
    let missing = needed & !held;
    let names: Vec<_> = missing
        .iter_names()
        .map(|(name, _)| format!("CAP_{name}"))
        .collect();
    anyhow::ensure!(
        missing.is_empty(),
        "hosting needs rights that this program lacks ({}): {}{}",
        names.join(" and "),
        privilege::advice(needed, &[]),
        match missing == CapabilitySet::NET_BIND_SERVICE {
            true => "; or choose a port from 1024 on with --listen",
            false => "",
        }
    );
    Ok(())
}

/// To reach the LAN, to listen on a port that is not everybody's, and to let this machine take part if it must.
fn needed(port: u16, first_free: u16, this_machine: ThisMachine) -> CapabilitySet {
    let mut needed = CapabilitySet::NET_RAW;
    if (1..first_free).contains(&port) {
        needed |= CapabilitySet::NET_BIND_SERVICE;
    }
    if this_machine == ThisMachine::With {
        needed |= CapabilitySet::NET_ADMIN;
    }
    needed
}

/// A relay that listens there and takes on so much.
fn bounded(listen: ListenAddress, tcp: TcpArgs, bounds: BoundArgs) -> lanparty_relay::Config {
    let Bounds {
        limits,
        rates,
        knocks,
        guesses,
    } = bounds.into();
    lanparty_relay::Config {
        tcp: tcp.into(),
        limits,
        rates,
        knocks,
        guesses,
        ..lanparty_relay::Config::new(listen)
    }
}

/// The gateway says goodbye while the relay still listens.
async fn party(
    relay: RelayServer,
    config: &Config,
    (lan, own): (LanSocket, OwnPart),
    host: Host<'_>,
    asked: impl Future<Output = Text>,
) -> anyhow::Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    // Dropping the sender is the word.
    let relay = relay.run(async { drop(stopped.await) });
    let relay = tokio::spawn(relay.instrument(tracing::info_span!("relay")));
    together(relay, stop, run::serve(config, lan, own, host, asked)).await
}

/// A gateway that ends takes the relay with it, by dropping `stop`; without a relay there is no party.
async fn together(
    mut relay: JoinHandle<Result<(), SocketGone>>,
    stop: oneshot::Sender<()>,
    gateway: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    const FAILED: &str = "the relay failed; please report this";
    tokio::select! {
        outcome = gateway => {
            drop(stop);
            relay.await.context(FAILED)??;
            say("Relay stopped.");
            outcome
        }
        ended = &mut relay => {
            ended.context(FAILED)??;
            anyhow::bail!("the relay has ended, and the party with it; start again")
        }
    }
}

/// The code of the room in this folder, made from `random` bits if there is none yet. It is no secret:
/// the key is.
pub(crate) fn kept_room(folder: &StateFolder, random: [u8; 4]) -> anyhow::Result<RoomCode> {
    let made = || made_room(random).to_string().into_bytes();
    let kept = folder.load_or_create(ROOM_FILE, made)?;
    let text = std::str::from_utf8(&kept).unwrap_or_default();
    text.trim().parse().with_context(|| {
        let file = folder.file(ROOM_FILE);
        format!(
            "{} holds no room code; delete it, and make new invites",
            file.display()
        )
    })
}

/// A code of `random` bits that can be said on the telephone.
pub(crate) fn made_room(random: [u8; 4]) -> RoomCode {
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
    let code = format!("LAN-{}", random.map(letter).iter().collect::<String>());
    code.parse().expect("letters, digits and a hyphen")
}

/// Where players find a party that will listen there with the keys in this folder, and by which pin they know it.
pub(crate) fn found_at(
    keys: &Path,
    listen: ListenAddress,
    public_address: Option<&str>,
) -> anyhow::Result<(RelayAddress, Pin)> {
    let address = public(public_address, listen.socket_address(), outgoing())?;
    Ok((address, kept_pin(keys)?))
}

/// What invites say about where this machine is, as far as that is known without the router.
fn public(
    given: Option<&str>,
    listening: SocketAddr,
    outgoing: Option<IpAddr>,
) -> anyhow::Result<RelayAddress> {
    let port = listening.port();
    let own = match listening.ip() {
        ip if ip.is_unspecified() => outgoing,
        ip => Some(ip),
    };
    match (given, own) {
        (Some(text), _) => Ok(RelayAddress::parse(text, port)?),
        (None, Some(own)) => Ok(SocketAddr::new(own, port).into()),
        (None, None) => anyhow::bail!(
            "this machine has no address that leads to the internet; say with --public-address where players find it"
        ),
    }
}

/// Where a program on this machine reaches what listens there, as people read it.
fn nearby(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        // An IPv6 wildcard is bound for both families.
        ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_interface_is_enough() {
        HostArgs::command().debug_assert();
        let args = HostArgs::parse_from(["host", "--iface", "eth0"]);
        assert_eq!(args.listen.to_string(), "[::]:443");
        assert_eq!((args.room, args.public_address), (None, None));
        let bare = HostArgs::try_parse_from(["host"]).unwrap();
        assert_eq!(bare.lan.interface, None, "it is found");
    }

    #[test]
    fn it_has_every_limit_of_a_relay_by_flag_and_by_file() {
        let flags = |command: clap::Command| -> BTreeSet<String> {
            let limits = command.get_arguments().filter(|flag| {
                let heading = flag.get_help_heading();
                let others = ["Logs", lanparty_relay::config::OF_A_FLEET];
                heading.is_some_and(|heading| !others.contains(&heading))
            });
            limits.map(|flag| flag.get_id().to_string()).collect()
        };
        let relays = flags(lanparty_relay::config::RelayArgs::command());
        assert!(relays.contains("max_clients_per_room") && relays.contains("byte_rate"));
        assert_eq!(flags(HostArgs::command()), relays);

        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |text| fs::write(file.path(), text).unwrap();
        write("interface = 'eth0'\nmax-clients-per-room = 7\nbyte-rate = 9\n");
        let path = file.path().to_str().unwrap();
        let words = ["host", "--config", path, "--byte-rate", "8"].map(OsString::from);
        let args = HostArgs::read(words).unwrap();
        assert_eq!(args.lan.interface.as_deref(), Some("eth0"));
        let settings = args.settings();
        let of = |config: lanparty_relay::Config| {
            (
                config.limits.clients_per_room,
                config.rates.bytes.per_second,
            )
        };
        assert_eq!(of(bounded(args.listen, args.tcp, args.bounds)), (7, 8));
        write("interface = 'eth0'\nmax-clients-per-room = 5\n");
        assert_eq!(of(settings.read().unwrap()), (5, 8));
        write("max-clients = 5\n");
        let error = settings.read().unwrap_err().to_string();
        assert!(error.contains("`lanparty-gateway host --help`"), "{error}");
    }

    #[test]
    fn the_public_address_is_checked_by_its_name_before_anything_else() {
        let words = ["host", "--iface", "eth0", "--public-address", "x:abc"];
        let error = HostArgs::try_parse_from(words).unwrap_err().to_string();
        assert!(
            error.contains("--public-address") && error.contains("`x:abc`"),
            "{error}"
        );
    }

    #[test]
    fn a_party_without_a_server_names_no_relays() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            file.path(),
            "mode = 'host'\nrelay = ['a.example', 'b.example']\n",
        )
        .unwrap();
        let path = file.path().to_str().unwrap();
        for words in [
            &["host", "--relay", "a.example", "--relay", "b.example"][..],
            &["host", "--config", path],
        ] {
            let error = HostArgs::read(words.iter().map(OsString::from)).unwrap_err();
            let told = error.to_string();
            assert!(told.contains("no relay but this machine"), "{told}");
        }
    }

    #[test]
    fn a_low_port_needs_a_right_of_its_own() {
        let both = CapabilitySet::NET_RAW | CapabilitySet::NET_BIND_SERVICE;
        let needed = |port, first_free| needed(port, first_free, ThisMachine::IfPossible);
        assert_eq!(needed(443, 1024), both);
        assert_eq!(needed(443, 80), CapabilitySet::NET_RAW);
        assert_eq!(needed(0, 1024), CapabilitySet::NET_RAW);
        assert_eq!(needed(4433, 1024), CapabilitySet::NET_RAW);
    }

    #[test]
    fn this_machine_needs_a_right_of_its_own_where_it_must_take_part() {
        let both = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
        assert_eq!(needed(4433, 1024, ThisMachine::With), both);
        let without = needed(4433, 1024, ThisMachine::Without);
        assert_eq!(without, CapabilitySet::NET_RAW);
    }

    #[tokio::test]
    async fn without_its_relay_a_party_ends_with_an_error() {
        let gateway = std::future::pending();
        for (relay, says) in [(Err(SocketGone), "UDP socket"), (Ok(()), "has ended")] {
            let relay = tokio::spawn(std::future::ready(relay));
            let (stop, _stopped) = oneshot::channel();
            let party = together(relay, stop, gateway.clone());
            let ended = tokio::time::timeout(std::time::Duration::from_secs(10), party).await;
            let error = ended.expect("it goes on").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_room_is_the_same_the_next_evening() {
        let folder = tempfile::tempdir().unwrap();
        let folder = StateFolder::new(folder.path().to_owned());
        let room = kept_room(&folder, [0, 31, 32, 255]).unwrap();
        assert_eq!(room.as_str(), "LAN-A9A9");
        assert_eq!(kept_room(&folder, [7; 4]).unwrap(), room);
        fs::write(folder.file(ROOM_FILE), "?").unwrap();
        let error = kept_room(&folder, [7; 4]).unwrap_err().to_string();
        assert!(error.contains(ROOM_FILE), "{error}");
    }

    #[test]
    fn the_invite_names_what_the_host_says_or_this_machine() {
        let all = "[::]:4433".parse().unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().ok();
        for (given, own, named) in [
            (Some("party.example"), None, "party.example:4433"),
            (Some("party.example:1"), None, "party.example:1"),
            (Some("10.0.0.7"), None, "10.0.0.7:4433"),
            (None, ip("203.0.113.7"), "203.0.113.7:4433"),
            (None, ip("192.168.1.7"), "192.168.1.7:4433"),
        ] {
            assert_eq!(public(given, all, own).unwrap().to_string(), named);
        }
        assert!(public(None, all, None).is_err());
        let one = "203.0.113.7:443".parse().unwrap();
        let address = public(None, one, ip("10.0.0.7")).unwrap();
        assert_eq!(address.host(), "203.0.113.7");
    }

    #[test]
    fn the_gateway_finds_the_relay_on_its_own_machine() {
        for (listening, at) in [
            ("[::]:443", "127.0.0.1:443"),
            ("0.0.0.0:443", "127.0.0.1:443"),
            ("10.0.0.7:443", "10.0.0.7:443"),
        ] {
            assert_eq!(nearby(listening.parse().unwrap()).to_string(), at);
        }
    }
}
