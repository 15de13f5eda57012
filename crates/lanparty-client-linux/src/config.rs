//! What the player wants: flags and files, checked before anything is touched.

use crate::address::InterfaceAddress;
use crate::party::Addressing;
use crate::service::ServiceArgs;
use crate::tap::TapName;
use anyhow::Result;
use clap::{Parser, Subcommand};
use lanparty_client_core::identity_store::{FILE_NAME, Random};
use lanparty_client_core::{Player, PlayerArgs};
use lanparty_client_service::cli;
use lanparty_edge::log::LogArgs;
use lanparty_peer::relay_args::RelayArgs;
use std::env;
use std::io;
use std::path::PathBuf;

/// Joins a LAN party from afar: this machine gets a network adapter that is plugged into the
/// party's switch.
///
/// Games find each other by broadcast as if you were there. The adapter exists while this program
/// runs, and your own internet connection stays as it is.
#[derive(Debug, Parser)]
#[command(
    name = "lanparty-client",
    version,
    after_long_help = manual(),
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    relay: RelayArgs,

    #[command(flatten)]
    player: PlayerArgs,

    /// The adapter's name.
    #[arg(long, value_name = "NAME", default_value = "lanparty0")]
    tap: TapName,

    /// Take an address of the LAN's DHCP server, or one of your own making where there is none. This is the default.
    #[arg(long, conflicts_with_all = ["address", "no_dhcp"])]
    dhcp: bool,

    /// Leave the adapter's address to somebody else on this machine.
    #[arg(long, conflicts_with = "address")]
    no_dhcp: bool,

    /// An address on the LAN, like 192.168.50.7/24, instead of one by DHCP; may be given several times.
    #[arg(long, value_name = "ADDR/PREFIX")]
    address: Vec<InterfaceAddress>,

    /// Let games that are tied to the home network's interface (the default route's, or the one you name) hear the
    /// party, and be heard by it: what is said there to everybody, or to a group of one link.
    #[arg(long, value_name = "INTERFACE", num_args = 0..=1, require_equals = true)]
    both_ears: Option<Option<String>>,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What else the program can do.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Ask the service.
    #[command(flatten)]
    View(cli::Command),
    /// Run as the service that the other commands speak to; systemd starts it.
    Service(Box<ServiceArgs>),
    /// Carry a user's lines to the service, for pkexec.
    #[command(hide = true)]
    Bridge,
    /// Tell network managers to leave the adapter alone, until standard input ends.
    #[command(hide = true)]
    KeepManagersAway {
        /// The adapter's name.
        tap: TapName,
        /// The process that it is for.
        parent: u32,
    },
}

fn manual() -> String {
    format!("{MANUAL}\n\n{}", cli::EXIT_CODES)
}

const MANUAL: &str = "\
The commands above ask the service, which an installed softlan-vpn has: `lanparty-client join @invite.txt`.
With an invite and no command the program joins by itself, and stays in this terminal.

What happens, in this order:
  1. NetworkManager and systemd-networkd, if they run, are told to leave the adapter alone (as root, without --no-dhcp);
     then a TAP adapter with your MAC address is made, which answers for its own addresses only and forwards nothing
  2. a host route keeps the relay on your own internet connection, and the relay is asked to let you in
  3. the adapter gets the room's MTU and goes up; then it gets an address:
       by itself    from the LAN's DHCP server (default route and DNS stay yours), or, where it has none,
                    169.254.x.y, which reaches others who have done the same
       --address    the one you say
       --no-dhcp    whatever your system does with a new adapter
  4. 255.255.255.255 and IPv4 multicast go to the LAN
  5. with --both-ears, a second TAP by which programs that are tied to home's interface hear what the party says to
     all; what they say to all there, the party hears from the adapter's address, and its answers find them
  6. whatever somebody changes of this comes back within a second
  7. a sentence on standard output says how things are, whenever that changes
Ctrl-C ends it and undoes all of this. What a killed run leaves (a host route, a routing rule, files
for network managers), the next start removes.

Needs CAP_NET_ADMIN: run it with sudo, or once
  sudo setcap cap_net_admin+ep lanparty-client
--both-ears needs CAP_NET_RAW as well, and gives it up once it has begun to listen.

Examples:
  sudo lanparty-client @invite.txt
  sudo lanparty-client --relay relay.example.net --room FRIDAY-LAN --address 192.168.50.7/24";

/// What the player wants, checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// Who joins which room.
    pub(crate) player: Player,
    /// The adapter's name.
    pub(crate) tap: TapName,
    /// Where its address comes from.
    pub(crate) addressing: Addressing,
    /// Whether home's interface is heard as well, and which one that is, if it was said.
    pub(crate) ears: Option<Option<String>>,
}

impl Args {
    /// Reads the files that the flags name.
    pub(crate) fn check(self) -> Result<Config> {
        let addressing = match (self.no_dhcp, self.address.is_empty()) {
            (true, _) => Addressing::Others,
            (false, true) => Addressing::Lan,
            (false, false) => Addressing::Fixed(self.address),
        };
        let identity = default_identity(env::var_os("XDG_DATA_HOME"), env::var_os("HOME"));
        Ok(Config {
            player: self.player.load(self.relay, identity, random)?,
            tap: self.tap,
            addressing,
            ears: self.both_ears,
        })
    }
}

/// Where the identity is kept (XDG Base Directory Specification: relative paths do not count).
fn default_identity<S: Into<PathBuf>>(data_home: Option<S>, home: Option<S>) -> Option<PathBuf> {
    let absolute = |path: Option<S>| {
        path.map(Into::into)
            .filter(|path: &PathBuf| path.is_absolute())
    };
    let folder = absolute(data_home).or_else(|| Some(absolute(home)?.join(".local/share")))?;
    Some(folder.join(FILE_NAME))
}

fn random() -> io::Result<Random> {
    let (mut octets, mut seed) = ([0; 6], [0; 32]);
    for bytes in [&mut octets[..], &mut seed] {
        let filled = rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty())?;
        // getrandom(2) never gives less for up to 256 bytes.
        assert_eq!(filled, bytes.len(), "the system's randomness comes whole");
    }
    Ok((octets, seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_flags_are_spelled_like_this() {
        let args = parse(
            "--relay relay.example.net --room friday --virtual-mac 02:00:00:00:00:07 --identity me.json \
             --tap party --address 192.168.50.7/24 --address fd00::7/64 --server-name lanparty-relay \
             --relay-ca-cert relay.der --datagram-budget 1200 --full-lease --proxy http://proxy.example:3128 --log debug --log-format json",
        )
        .unwrap();
        assert!(args.relay.tcp.proxy.is_some());
        assert_eq!(
            args.player.virtual_mac.unwrap().to_string(),
            "02:00:00:00:00:07"
        );
        assert_eq!(args.player.identity.unwrap(), PathBuf::from("me.json"));
        assert!(args.player.full_lease);
        assert_eq!(
            (args.tap.as_str(), args.address.len(), args.dhcp),
            ("party", 2, false)
        );
    }

    #[test]
    fn both_ears_may_name_an_interface_and_take_no_invite_for_one() {
        let ears = |line: &str| {
            let line = format!("{line} lanparty://r.example/FRIDAY#key=x");
            let args = parse(&line).unwrap();
            assert!(args.relay.invite.is_some(), "{line}");
            args.both_ears
        };
        assert_eq!(ears(""), None);
        assert_eq!(ears("--both-ears"), Some(None));
        assert_eq!(ears("--both-ears=eth0"), Some(Some("eth0".to_owned())));
    }

    #[test]
    fn relay_and_room_are_enough() {
        let args = parse("--relay relay.example.net --room friday").unwrap();
        assert_eq!(
            (args.tap.as_str(), args.address.len(), args.dhcp),
            ("lanparty0", 0, false)
        );
        assert!(parse("--relay relay.example.net").is_err());
        assert!(parse("--room friday").is_err());
    }

    #[test]
    fn an_invite_is_enough() {
        let args = parse("--dhcp lanparty://r.example/FRIDAY#key=x").unwrap();
        assert!(args.relay.invite.is_some() && args.command.is_none());
    }

    #[test]
    fn a_command_asks_the_service_and_everything_else_plays_here() {
        for line in [
            "join @invite.txt",
            "leave",
            "status --json",
            "doctor",
            "doctor --fix --json --relay r.example --socket x.sock",
        ] {
            let command = parse(line).unwrap().command;
            assert!(matches!(command, Some(Command::View(_))), "{line}");
        }
        let service = parse("service --socket x.sock --state folder --log debug");
        assert!(matches!(
            service.unwrap().command,
            Some(Command::Service(_))
        ));
        assert!(parse("--relay r.example --room friday leave").is_err());
        assert!(parse("--dhcp").is_err(), "which party?");
    }

    #[test]
    fn an_address_comes_from_one_place() {
        let parse = |flags: &str| parse(&format!("--relay r.example --room friday {flags}"));
        for two in [
            "--dhcp --address 10.0.0.7/8",
            "--no-dhcp --address 10.0.0.7/8",
        ] {
            assert!(parse(two).unwrap_err().to_string().contains("--address"));
        }
        assert!(parse("--dhcp --no-dhcp").is_err());
        // It is in people's notes, and says what happens anyway.
        for one in ["", "--dhcp", "--no-dhcp", "--address 10.0.0.7/8"] {
            assert!(parse(one).is_ok(), "{one}");
        }
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            "--virtual-mac 00:1b:21:00:00:01",
            "--virtual-mac 03:00:00:00:00:01",
            "--address 10.0.0.7",
            "--address 10.0.0.0/8",
            "--tap a/b",
            "--tap a-name-too-long-for-linux",
            "--tap all",
        ] {
            let line = format!("--relay r.example --room friday {wrong}");
            assert!(parse(&line).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_identity_is_kept_in_the_data_folder() {
        let file = |data: Option<&'static str>, home| default_identity(data, home);
        let shown = |file: Option<PathBuf>| file.map(|file| file.display().to_string());
        let data = file(Some("/data"), Some("/home/x"));
        assert_eq!(shown(data).unwrap(), "/data/lanparty-client-identity.json");
        let home = file(Some(""), Some("/home/x"));
        assert_eq!(
            shown(home).unwrap(),
            "/home/x/.local/share/lanparty-client-identity.json"
        );
        assert_eq!(file(None, None), None);
    }

    #[test]
    fn help_names_every_flag() {
        let help = Args::command().render_long_help().to_string();
        for flag in [
            "--relay",
            "--room",
            "--dhcp",
            "--no-dhcp",
            "--address",
            "--tap",
            "--identity",
            "--full-lease",
            "setcap",
        ] {
            assert!(help.contains(flag), "{flag}");
        }
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(
            ["lanparty-client"]
                .into_iter()
                .chain(line.split_whitespace()),
        )
    }
}
