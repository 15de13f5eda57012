//! What the player wants: flags and files, checked before anything is touched.

use crate::service::ServiceArgs;
use anyhow::Result;
use clap::{Parser, Subcommand};
use lanparty_client_core::identity_store::FILE_NAME;
use lanparty_client_core::{Player, PlayerArgs};
use lanparty_client_route::AdapterGuid;
use lanparty_client_service::cli;
use lanparty_edge::log::LogArgs;
use lanparty_peer::relay_args::RelayArgs;
use std::env;
use std::path::PathBuf;

/// Joins a LAN party from afar: the PC's TAP adapter is plugged into the party's switch.
///
/// Games find each other by broadcast as if you were there. Your own internet connection stays as it
/// is, and what is changed on the PC is undone at the end.
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

    /// The TAP-Windows6 adapter to use, where there are several.
    #[arg(long, value_name = "GUID")]
    pub(crate) tap_instance_id: Option<AdapterGuid>,

    /// List the TAP-Windows6 adapters and end.
    #[arg(long, exclusive = true)]
    pub(crate) list_tap_adapters: bool,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What else the program can do.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Ask the service.
    #[command(flatten)]
    View(cli::Command),
    /// Undo what a killed client left behind; every start does that too.
    Repair,
    /// Be the service that the other commands speak to, or install, start, stop or remove it.
    Service(ServiceArgs),
}

fn manual() -> String {
    format!("{MANUAL}\n\n{}", cli::EXIT_CODES)
}

const MANUAL: &str = "\
The commands above ask the service, which an installed softlan-vpn has: `lanparty-client join @invite.txt`.
With an invite and no command the program joins by itself, and stays in this console.

What happens, in this order; each step is undone at the end, the last one first:
  1. the TAP-Windows6 adapter gets your MAC address and is restarted, if it has another one
  2. a host route keeps the relay on your own internet connection, and the relay is asked to let you in
  3. the adapter gets the room's MTU, the lowest metric so that broadcast goes to the LAN, no default
     route, and the DNS servers of your own connection
  4. its cable is plugged in, and its network becomes a private one, so that games pass the firewall
  5. a sentence on standard output says how things are, whenever that changes
Ctrl-C or closing the window ends it. What a killed run leaves, the next start or `repair` undoes.

Joining by itself needs an administrator's rights. Whoever joins needs OpenVPN's TAP-Windows6 driver 9.26 or later (tap0901).

Examples:
  lanparty-client @invite.txt
  lanparty-client --relay relay.example.net --room FRIDAY-LAN
  lanparty-client doctor";

/// What the player wants, checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// Who joins which room.
    pub(crate) player: Player,
    /// The adapter, if the player named one.
    pub(crate) adapter: Option<AdapterGuid>,
}

impl Args {
    /// Reads the files that the flags name.
    pub(crate) fn check(self) -> Result<Config> {
        let identity = default_identity(env::var_os("LOCALAPPDATA"));
        Ok(Config {
            player: self
                .player
                .load(self.relay, identity, || Ok(rand::random()))?,
            adapter: self.tap_instance_id,
        })
    }
}

fn default_identity<S: Into<PathBuf>>(local_data: Option<S>) -> Option<PathBuf> {
    Some(local_data?.into().join("softlan-vpn").join(FILE_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_flags_are_spelled_like_this() {
        let args = parse(
            "--relay relay.example.net --room friday --virtual-mac 02:00:00:00:00:07 --identity me.json \
             --tap-instance-id {00000002-0000-0000-0000-4E6574446576} --server-name lanparty-relay \
             --relay-ca-cert relay.der --datagram-budget 1200 --full-lease --log debug --log-format json",
        )
        .unwrap();
        assert!(!args.relay.relay.is_empty() && args.command.is_none());
        assert_eq!(
            args.player.virtual_mac.unwrap().to_string(),
            "02:00:00:00:00:07"
        );
        assert_eq!(args.player.identity.unwrap(), PathBuf::from("me.json"));
        assert!(args.player.full_lease);
        assert!(args.tap_instance_id.is_some());
    }

    #[test]
    fn relay_and_room_are_enough() {
        assert!(parse("--relay relay.example.net --room friday").is_ok());
        assert!(parse("--relay relay.example.net").is_err());
        assert!(parse("--room friday").is_err());
    }

    #[test]
    fn an_invite_is_enough() {
        let args = parse("lanparty://r.example/FRIDAY#key=x").unwrap();
        assert!(args.relay.invite.is_some() && args.command.is_none());
    }

    #[test]
    fn other_tasks_need_no_relay() {
        let command = |line| parse(line).unwrap().command.unwrap();
        assert!(matches!(command("status"), Command::View(_)));
        assert!(matches!(command("join FRIDAY"), Command::View(_)));
        assert!(matches!(command("repair"), Command::Repair));
        assert!(matches!(command("doctor --json"), Command::View(_)));
        assert!(matches!(command("service --install"), Command::Service(_)));
        assert!(parse("service --install --remove").is_err());
        assert!(parse("--list-tap-adapters").unwrap().list_tap_adapters);
        assert!(parse("--relay r.example --room friday doctor").is_err());
    }

    #[test]
    fn wrong_values_are_refused() {
        for wrong in [
            "--virtual-mac 00:1b:21:00:00:01",
            "--tap-instance-id tap0",
            "--tap-instance-id {00000002-0000-0000-0000-4E6574446576",
        ] {
            let line = format!("--relay r.example --room friday {wrong}");
            assert!(parse(&line).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_identity_is_kept_in_the_local_data_folder() {
        let file = default_identity(Some("data")).unwrap();
        assert!(file.starts_with("data") && file.ends_with(FILE_NAME));
        assert_eq!(default_identity::<PathBuf>(None), None);
    }

    #[test]
    fn help_names_every_flag() {
        let help = Args::command().render_long_help().to_string();
        for flag in [
            "--relay",
            "--room",
            "--identity",
            "--tap-instance-id",
            "--list-tap-adapters",
            "repair",
            "administrator",
        ] {
            assert!(help.contains(flag), "{flag}");
        }
    }

    fn parse(line: &str) -> Result<Args, clap::Error> {
        let program = ["lanparty-client"].into_iter();
        Args::try_parse_from(program.chain(line.split_whitespace()))
    }
}
