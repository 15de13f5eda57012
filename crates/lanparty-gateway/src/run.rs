//! From flags to a running gateway and back: the whole story in one place.

use crate::bridge::{Bridge, LOOP_QUIET};
use crate::config::Config;
use crate::lan::{LanPort, LanSocket};
use anyhow::Context;
use lanparty_ctrl::message::{PeerJoined, PeerLeft};
use lanparty_ctrl::{RelayMessage, Text};
use lanparty_net::peer::{self, Event, HostError, PeerHost};
use lanparty_net::signals;
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};
use tracing::Instrument;

/// Runs a gateway until Ctrl-C or SIGTERM: opens the LAN first, so that nobody joins a room without one.
///
/// # Errors
/// One sentence, with its causes, for whoever started the program.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let lan = LanSocket::open(&config.interface)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let span = tracing::info_span!("gateway", interface = %config.interface);
    runtime.block_on(serve(config, lan).instrument(span))
}

async fn serve(config: &Config, lan: LanSocket) -> anyhow::Result<()> {
    let mac = lan.interface().mac();
    tracing::info!(%mac, receive_buffer = lan.receive_buffer(), "Opened the LAN interface");
    let mut bridge = Bridge::new(mac);
    let mut port = LanPort::new(lan).context("cannot watch the LAN interface")?;
    let mut host = Host::new(config);
    let outcome = peer::run(
        &mut bridge,
        &mut port,
        &mut host,
        &config.relay,
        asked_to_stop(),
    );
    outcome.await?;
    host.say(format_args!(
        "Gateway of room {} stopped.",
        config.relay.room
    ));
    Ok(())
}

async fn asked_to_stop() -> Text {
    match signals::shutdown().await {
        Ok(by) => format!("the gateway was stopped by {by}").into(),
        Err(error) => {
            tracing::warn!(%error, "Cannot listen for signals; Ctrl-C will end without a goodbye");
            std::future::pending().await
        }
    }
}

/// Tells the party's host how things are, one sentence per change.
struct Host {
    room: String,
    interface: String,
    relay: String,
    players: BTreeMap<PeerId, VirtualMac>,
    /// The last sentence about a missing link; not said twice in a row.
    complaint: Option<String>,
    /// Whose frames come back from the LAN.
    looped: Option<MacAddr>,
}

impl Host {
    fn new(config: &Config) -> Self {
        Host {
            room: config.relay.room.as_str().to_owned(),
            interface: config.interface.clone(),
            relay: config.relay.address.to_string(),
            players: BTreeMap::new(),
            complaint: None,
            looped: None,
        }
    }

    fn say(&self, sentence: impl Display) {
        // Nobody has to listen.
        let _ = writeln!(io::stdout(), "{sentence}");
    }

    fn tell_of(&mut self, message: &RelayMessage) {
        match *message {
            RelayMessage::PeerJoined(PeerJoined {
                peer_id,
                mac: Some(mac),
                ..
            }) => {
                self.players.insert(peer_id, mac);
                self.say(format_args!("Player {mac} joined."));
            }
            RelayMessage::PeerLeft(PeerLeft { peer_id, reason }) => {
                if let Some(mac) = self.players.remove(&peer_id) {
                    self.say(format_args!("Player {mac} left: it {reason}."));
                }
            }
            RelayMessage::PeerJoined(_)
            | RelayMessage::Welcome(_)
            | RelayMessage::Reject(_)
            | RelayMessage::Disconnect(_) => {}
        }
    }

    /// Once when a loop begins and once when it ends, which takes a while: so lines stay few.
    fn watch_for_loops(&mut self, looped: Option<MacAddr>) {
        let interface = &self.interface;
        match (self.looped, looped) {
            (None, Some(mac)) => {
                tracing::warn!(%mac, "Our own frames come back from the LAN: another bridge joins it to the room; unplug one. Broadcast is off until then");
                self.say(format_args!(
                    "Loop: what we send for player {mac} comes back from {interface}. Another bridge joins \
                     this LAN to the room: unplug one. Until then broadcast is off."
                ));
            }
            (Some(mac), None) => {
                tracing::info!(%mac, "The loop has ended; broadcast is on");
                self.say(format_args!(
                    "The loop on {interface} has ended: nothing came back for {} seconds. Broadcast is on \
                     again.",
                    LOOP_QUIET.as_secs()
                ));
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.looped = looped;
    }

    fn complain(&mut self, cause: &str) {
        self.players.clear();
        self.looped = None;
        let complaint = format!(
            "Not connected to the relay {}: {cause}. Trying again.",
            self.relay
        );
        if self.complaint.as_ref() != Some(&complaint) {
            self.say(&complaint);
            self.complaint = Some(complaint);
        }
    }
}

impl PeerHost<Bridge> for Host {
    async fn handle_event(
        &mut self,
        bridge: &mut Bridge,
        event: Event<'_>,
    ) -> Result<(), HostError> {
        match event {
            Event::Connecting { addresses } => tracing::debug!(?addresses, "Connecting"),
            Event::Joined { relay, .. } => {
                self.complaint = None;
                let (room, interface) = (&self.room, &self.interface);
                self.say(format_args!(
                    "Gateway of room {room} on {interface}: connected to the relay {relay}."
                ));
            }
            Event::Control(message) => self.tell_of(message),
            Event::Tick(facts) => {
                tracing::trace!(?facts, "The link stands");
                self.watch_for_loops(bridge.looped());
            }
            Event::NoLink { cause } => self.complain(&cause),
        }
        Ok(())
    }
}
