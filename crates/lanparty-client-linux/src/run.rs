//! The client at a terminal, until somebody presses Ctrl-C.

use crate::config::Config;
use crate::ears::HomeEar;
use crate::managers::{self, Managers};
use crate::party::Addressing;
use crate::party::{self, Setup};
use crate::privilege;
use anyhow::{Context as _, Result};
use lanparty_client_core::StatusLine;
use lanparty_client_service::Wishes;
use lanparty_ctrl::Text;
use lanparty_edge::runtime;
use lanparty_edge::signals::{self, Hangups};

/// Runs the client until it is asked to stop.
pub(crate) fn run(config: Config) -> Result<()> {
    privilege::check()?;
    managers::remove_leftovers();
    // Whoever leaves the address to others needs them.
    let is_ours = config.addressing != Addressing::Others;
    let managers = is_ours.then(|| Managers::keep_away(&config.tap)).flatten();
    runtime::run(async move {
        let stop = asked_to_stop();
        let ear = config
            .ears
            .as_ref()
            .map(|ears| HomeEar::open(ears.as_deref()));
        let ear = ear.transpose()?;
        // There is one thread, so this holds for everything that follows.
        privilege::narrow().context("cannot give up capabilities that are not needed")?;
        let Config {
            player,
            tap,
            addressing,
            ears: _,
        } = config;
        let setup = Setup {
            tap,
            addressing,
            ear,
            alone: true,
            managers,
        };
        let (line, no_wishes) = (StatusLine::default(), Wishes::default());
        party::play(player, setup, line, &no_wishes, stop).await
    })?
}

/// Waits for Ctrl-C, SIGTERM or the terminal's end; answers with the words for the relay. It listens
/// from the call on.
fn asked_to_stop() -> impl Future<Output = Text> {
    let (shutdown, hangups) = (signals::shutdown(), Hangups::listen());
    async {
        let signal = tokio::select! {
            signal = shutdown => signal.unwrap_or("no signals can be received"),
            () = hangup(hangups.ok()) => "SIGHUP",
        };
        tracing::info!(signal, "Leaving the party");
        format!("the player ended the client ({signal})").into()
    }
}

async fn hangup(hangups: Option<Hangups>) {
    match hangups {
        Some(mut hangups) => hangups.next().await,
        None => std::future::pending().await,
    }
}
