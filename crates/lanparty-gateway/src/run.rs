//! From flags to a running gateway and back: the whole story in one place.

use crate::bridge::{Bridge, Memory};
use crate::config::{Args, Config};
use crate::desk::Desk;
use crate::host::Host;
use crate::lan::{LanPort, LanSocket, Sole};
use crate::own_part::OwnPart;
use crate::{figures, keys, page, standing};
use anyhow::Context as _;
use lanparty_ctrl::Text;
use lanparty_edge::privilege::{self, CapabilitySet};
use lanparty_edge::signals::{self, Hangups};
use lanparty_edge::speech::say;
use lanparty_edge::{runtime, systemd};
use lanparty_metrics::Bound;
use lanparty_peer::RunError;
use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;
use tracing::Instrument;

impl Args {
    /// Runs the gateway that the flags describe; see [`run`].
    ///
    /// # Errors
    /// One sentence, with its causes, for whoever started the program.
    pub fn run(mut self) -> anyhow::Result<()> {
        self.log.clone().start();
        if self.is_check() {
            return Ok(self.check()?);
        }
        self.find_interface()?;
        run(self.load()?)
    }
}

/// Runs a gateway until Ctrl-C or SIGTERM: opens the LAN first, so that nobody joins a room without one.
///
/// # Errors
/// One sentence, with its causes, for whoever started the program.
pub fn run(config: Config) -> anyhow::Result<()> {
    let lan = standing::open_lan(&config.interface)?;
    let _sole = Sole::claim(&config.interface, config.beside_another)?;
    runtime::run(async move {
        let stop = asked_to_stop();
        let own = OwnPart::begin(config.this_machine, &lan)?;
        let host = Host::new(&config);
        keep_what_is_needed(&config, &[])?;
        tokio::select! {
            ended = serve(&config, lan, own, host, stop) => ended,
            never = tell_of_hangups() => match never {},
        }
    })?
}

/// Raw sockets for an interface that comes back, and, if we may, larger buffers for these and for new
/// links, and the leg of this machine. Names are looked up again for each link, and the room's key may be renewed; beside
/// that and what is in `folders` nothing else is opened by its name.
pub(crate) fn keep_what_is_needed(config: &Config, folders: &[PathBuf]) -> anyhow::Result<()> {
    let used = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
    privilege::held()
        .and_then(|held| privilege::narrow(held & used))
        .context("cannot give up rights that are not needed")?;
    let keys = config.keys.as_slice();
    if let Some(keys) = keys.first().filter(|_| config.relay.key.is_some())
        && let Err(error) = keys::prepare(keys, &config.relay.room)
    {
        tracing::warn!(%error, "A new key for the room could not be kept");
    }
    privilege::read_and_write(folders, keys);
    Ok(())
}

/// Carries frames until `stop` gives the words for the relay.
pub(crate) async fn serve(
    config: &Config,
    lan: LanSocket,
    own: OwnPart,
    mut host: Host<'_>,
    stop: impl Future<Output = Text>,
) -> anyhow::Result<()> {
    let span = tracing::info_span!("gateway", interface = %config.interface);
    let (desk, listener) = (host.desk.clone(), host.listener.take());
    let metrics = host.metrics.take();
    if let Some(page) = host.page.take() {
        desk.note_page(page::show(page, desk.line()));
    }
    let serving = async {
        tokio::select! {
            served = carry(config, lan, own, host, stop) => served,
            never = desk.serve(listener) => match never {},
            never = hand_out(&desk, metrics) => match never {},
            never = systemd::keep_watched() => match never {},
        }
    };
    serving.instrument(span).await
}

/// A service that shall read its settings again reads none while it runs; at a terminal SIGHUP keeps its usual meaning.
async fn tell_of_hangups() -> Infallible {
    if systemd::waits()
        && let Ok(mut hangups) = Hangups::listen()
    {
        loop {
            hangups.next().await;
            say("What the settings say by now is read at the next start of the gateway.");
        }
    }
    std::future::pending().await
}

/// Serves the numbers, if somebody wants them.
async fn hand_out(desk: &Desk, metrics: Option<Bound>) -> Infallible {
    let served = metrics.map(|bound| bound.serve(figures::PREFIX, figures::write, figures::ready));
    match served {
        Some(Ok((_served, ours))) => match ours.run(|| desk.figures.borrow().clone()).await {},
        Some(Err(error)) => say(format_args!("No metrics, and the party goes on: {error}.")),
        None => {}
    }
    std::future::pending().await
}

async fn carry(
    config: &Config,
    mut lan: LanSocket,
    mut own: OwnPart,
    mut host: Host<'_>,
    stop: impl Future<Output = Text>,
) -> anyhow::Result<()> {
    config.relay.warn_if_open();
    own.tell();
    let reminders: Vec<_> = host.desk.controls.borrow().reminders().collect();
    reminders.iter().for_each(say);
    let mut stop = pin!(stop);
    let mut memory = Memory::new(lan.interface().mac(), rand::random());
    loop {
        host.desk.figures.borrow_mut().note_lan(true);
        let mac = lan.interface().mac();
        tracing::info!(%mac, receive_buffer = lan.receive_buffer(), "Opened the LAN interface");
        let mut bridge = Bridge::new(mac).remembering(memory);
        if let Some(key) = &config.relay.host_key {
            bridge = bridge.vouching(key.clone(), config.relay.room.clone());
        }
        let now = Instant::now();
        if let Some(facts) = host.lookout.look_first(now, host.interface).await {
            host.doorway.note_lan(&facts);
            bridge.set_lan_facts(facts);
        }
        host.tell_wishes(&mut bridge);
        let leg = own.leg_to(&lan);
        host.note_lan(None);
        host.note_own_part(&own);
        let mut port = LanPort::new(lan).context("cannot watch the LAN interface")?;
        if let Some(leg) = leg {
            port = port.with_machine(leg);
        }
        let running =
            lanparty_peer::run(&mut bridge, &mut port, &mut host, &config.relay, &mut stop);
        match running.await {
            Ok(()) => break,
            // Players see that there is no LAN until it is back.
            Err(RunError::Port(error)) => {
                tracing::warn!(%error, "Left the room");
                host.lose_lan();
            }
            Err(error) => return Err(error.into()),
        }
        drop(port);
        // What players want outlives a cable that is pulled, and so do the LAN's games; but nobody is in the room now.
        memory = bridge.into_memory();
        host.desk.figures.borrow_mut().note_lan(false);
        host.note_games(memory.games(Instant::now()));
        tokio::select! {
            found = host.find_lan() => lan = found,
            _ = &mut stop => break,
        }
    }
    systemd::stopping();
    host.doorway.close().await;
    say(format_args!(
        "Gateway of room {} stopped.",
        config.relay.room
    ));
    Ok(())
}

/// Ctrl-C or SIGTERM, from the call on: what this machine has for its own part is taken away again whenever they come.
pub(crate) fn asked_to_stop() -> impl Future<Output = Text> {
    let signal = signals::shutdown();
    async {
        match signal.await {
            Ok(by) => format!("the gateway was stopped by {by}").into(),
            Err(error) => {
                tracing::warn!(%error, "Cannot listen for signals; Ctrl-C will end without a goodbye");
                std::future::pending().await
            }
        }
    }
}
