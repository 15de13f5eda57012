//! The client as the system's service, which runs sessions for whoever may use its socket.

use crate::managers;
use crate::party::{self, Addressing, Setup};
use crate::privilege;
use crate::systemd::socket as handed_over;
use crate::tap::TapName;
use anyhow::{Context as _, Result};
use clap::Args;
use lanparty_client_control::connection::USUAL;
use lanparty_client_core::{Player, Reporter};
use lanparty_client_service::socket::Socket;
use lanparty_client_service::{Options, Place, Wishes};
use lanparty_ctrl::Text;
use lanparty_edge::log::LogArgs;
use lanparty_edge::runtime;
use lanparty_edge::signals;
use lanparty_edge::state_folder::StateFolder;
use lanparty_edge::systemd;
use lanparty_peer::relay_args::TcpArgs;
use std::fs;
use std::path::{Path, PathBuf};

/// Names this start of the machine (random(4)).
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// How the service is started, which is systemd's affair.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServiceArgs {
    /// Listen at this socket, if systemd hands none over.
    #[arg(long, value_name = "FILE", default_value = USUAL)]
    socket: PathBuf,

    /// Keep rooms and identity in this folder [default: $STATE_DIRECTORY, or /var/lib/lanparty-client as root].
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// The adapter's name.
    #[arg(long, value_name = "NAME", default_value = "lanparty0")]
    tap: TapName,

    #[command(flatten)]
    tcp: TcpArgs,

    /// Have all frames of all sessions go by relays: no host and player see each other's internet address.
    #[arg(long)]
    relay_only: bool,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// Runs the service until it is asked to stop.
pub(crate) fn run(args: ServiceArgs) -> Result<()> {
    privilege::check()?;
    let state = match args.state {
        Some(folder) => StateFolder::new(folder),
        None => StateFolder::of("lanparty-client")?,
    };
    let options = Options {
        program: env!("CARGO_PKG_VERSION"),
        state,
        tcp: args.tcp,
        relay_only: args.relay_only,
    };
    managers::warn_unless_packaged(&args.tap);
    let place = ThisMachine { tap: args.tap };
    runtime::run(async move {
        let stop = asked_to_stop();
        // There is one thread, so this holds for everything that follows.
        privilege::narrow().context("cannot give up capabilities that are not needed")?;
        let socket = socket(&args.socket)?;
        let watchdog = tokio::task::spawn_local(systemd::keep_watched());
        systemd::ready("No party.");
        let ended = lanparty_client_service::run(place, socket, options, stop).await;
        watchdog.abort();
        systemd::stopping();
        ended
    })?
}

fn socket(file: &Path) -> Result<Socket> {
    let cannot = || format!("cannot listen at {}", file.display());
    match handed_over().context("cannot take systemd's socket")? {
        Some(listener) => Socket::take(listener).context("cannot listen at systemd's socket"),
        None => Socket::bind(file).with_context(cannot),
    }
}

/// Listens from the call on: who reads that the service is ready may stop it at once.
fn asked_to_stop() -> impl Future<Output = ()> {
    let signal = signals::shutdown();
    async {
        let signal = signal.await.unwrap_or("no signals can be received");
        tracing::info!(signal, "The service ends");
    }
}

/// This machine, on which sessions run.
#[derive(Debug)]
struct ThisMachine {
    tap: TapName,
}

impl Place for ThisMachine {
    fn boot(&self) -> Option<String> {
        let boot = fs::read_to_string(BOOT).ok()?;
        Some(boot.trim().to_owned())
    }

    async fn play(
        &self,
        player: Player,
        reporter: impl Reporter + 'static,
        wishes: &Wishes,
        stop: impl Future<Output = Text>,
    ) -> Result<()> {
        let setup = Setup {
            tap: self.tap.clone(),
            addressing: Addressing::Lan,
            ear: None,
            alone: false,
            // Its package has files for them.
            managers: None,
        };
        party::play(player, setup, reporter, wishes, stop).await
    }

    fn repair(&self) -> Result<String> {
        party::remove_leftovers()?;
        Ok(party::REPAIRED.to_owned())
    }

    fn let_party_through(&self) -> Result<String> {
        Ok(lanparty_doctor::open_firewall(self.tap.as_str())?)
    }

    fn tell(&self, standing: &str) {
        systemd::status(standing);
    }
}
