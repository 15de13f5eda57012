//! The service `LanPartyClient`: the shared one, with this PC to play on and a pipe to be asked by.

use crate::running;
use crate::session;
use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use lanparty_client_core::{Player, Reporter, sentence};
use lanparty_client_rights::{
    self as rights, Account, Ended, Manager, access, be_service, install_service, remove_service,
    stop_service,
};
use lanparty_client_route::{self as ip, PipeListener, PipeStream};
use lanparty_client_service::{Caller, Listener, Options, Place, Wishes};
use lanparty_ctrl::Text;
use lanparty_edge::state_folder::StateFolder;
use lanparty_edge::{runtime, speech};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// Where the service says what it does; the last run's is kept beside it.
const LOG: &str = "service.log";
const OLD_LOG: &str = "service.old.log";

/// What to do about the service. Without a flag: be it, which only Windows' service manager can start.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServiceArgs {
    /// Register this very file as the service, as the installer does; needs an administrator's rights.
    #[arg(long, group = "what")]
    install: bool,

    /// Stop the service and take it away.
    #[arg(long, group = "what")]
    remove: bool,

    /// Stop the service; ends with 10 if it ran.
    #[arg(long, group = "what")]
    stop: bool,

    /// Start the service.
    #[arg(long, group = "what")]
    start: bool,
}

/// What `--stop` ends with when there was something to stop, for the installer, which starts it again then.
pub(crate) const DID_RUN: u8 = 10;

/// Does what the flags say; answers with the process's exit code.
pub(crate) fn run(args: &ServiceArgs) -> Result<u8> {
    match args {
        ServiceArgs { install: true, .. } => {
            let program = std::env::current_exe().context("cannot find this program's file")?;
            install_service(&program, &["service"]).context("cannot register the service")?;
            // So that nobody else makes it first.
            running::folder().map(|_| 0)
        }
        ServiceArgs { remove: true, .. } => {
            remove_service().context("cannot remove the service")?;
            Ok(0)
        }
        ServiceArgs { stop: true, .. } => {
            let did_run = stop_service().context("cannot stop the service")?;
            Ok(if did_run { DID_RUN } else { 0 })
        }
        ServiceArgs { start: true, .. } => {
            rights::start_service().context("cannot start the service")?;
            Ok(0)
        }
        ServiceArgs { .. } => {
            be_service(work).map_err(|error| {
                anyhow!(
                    "only Windows starts the service ({error}); `lanparty-client status` starts it too"
                )
            })?;
            Ok(0)
        }
    }
}

/// What the service manager has us do.
fn work(manager: Manager) -> Ended {
    let ran = match begin() {
        Ok(folder) => {
            let stop = Arc::new(Notify::new());
            let asked = stop.clone();
            manager.when_asked_to_stop(move || asked.notify_one());
            runtime::run(serve(manager, folder, stop))
        }
        Err(error) => Ok(Err(error)),
    };
    let ended = match ran {
        Ok(Ok(())) => Ended::Asked,
        Ok(Err(error)) => {
            tracing::error!("{}", sentence(&*error));
            Ended::Unable
        }
        Err(error) => {
            tracing::error!("{}", sentence(&error));
            Ended::Failed
        }
    };
    speech::finish();
    ended
}

/// Makes the folder for what is kept, and writes the log there, as nobody sees what a service says.
fn begin() -> Result<PathBuf> {
    let folder = running::folder()?;
    let log = folder.join(LOG);
    // The first run has none to keep, and nobody misses one that cannot be moved.
    let _ = fs::rename(&log, folder.join(OLD_LOG));
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    ip::log_into(file).context("cannot write a log")?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "The service begins");
    Ok(folder)
}

/// Answers views until it is asked to stop.
async fn serve(manager: Manager, folder: PathBuf, stop: Arc<Notify>) -> Result<()> {
    let pipe = PipeListener::open(access::PIPE).map_err(not_heard)?;
    manager.runs();
    let options = Options {
        program: env!("CARGO_PKG_VERSION"),
        state: StateFolder::new(folder),
        // No flag stands where Windows starts a service; proxies are found in the system's variables.
        tcp: Default::default(),
        relay_only: false,
    };
    let ended = manager.clone();
    let stop = async move {
        stop.notified().await;
        ended.ends();
    };
    lanparty_client_service::run(Pc, Pipe(pipe), options, stop).await
}

/// Whoever made the pipe first says who may use it, so it is not used.
fn not_heard(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => anyhow!(
            "another program has taken {}, by which the service is asked; end that program, or start the PC anew",
            access::PIPE
        ),
        _ => anyhow::Error::from(error).context(format!("cannot be asked by {}", access::PIPE)),
    }
}

/// The pipe, and who asks there.
struct Pipe(PipeListener);

impl Listener for Pipe {
    type Stream = PipeStream;

    async fn accept(&mut self) -> io::Result<(PipeStream, Caller)> {
        let (stream, account) = self.0.accept().await?;
        Ok((stream, caller(account)))
    }
}

fn caller(account: Account) -> Caller {
    Caller {
        account: account.name,
        id: account.sid,
        is_admin: account.is_admin,
    }
}

/// This PC, as something to play on.
struct Pc;

impl Place for Pc {
    fn boot(&self) -> Option<String> {
        let boot = ip::boot_mark(|| format!("{:032x}", rand::random::<u128>()));
        boot.inspect_err(|error| tracing::warn!(%error, "Windows does not tell its starts apart"))
            .ok()
    }

    async fn play(
        &self,
        player: Player,
        reporter: impl Reporter + 'static,
        wishes: &Wishes,
        stop: impl Future<Output = Text>,
    ) -> Result<()> {
        session::play(player, None, reporter, wishes, stop).await
    }

    fn repair(&self) -> Result<String> {
        session::repair()
    }

    fn begin_with_machine(&self, yes: bool) {
        if let Err(error) = rights::start_service_with_windows(yes) {
            tracing::warn!(%error, "Windows does not take when the service begins");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_told_with_what_to_do() {
        let taken = not_heard(io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(taken.contains("another program has taken"), "{taken}");
        let other = not_heard(io::ErrorKind::OutOfMemory.into());
        assert!(!sentence(&*other).contains("another program"));
    }
}
