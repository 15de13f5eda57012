//! `lanparty-crowd`: many players in one process, to measure a relay alone.
//!
//! Each is a real client: its own UDP socket, QUIC, the session and the loop that the Linux client has. Only the adapter
//! is missing; in its place a [`GamePort`] sends what a game sends, to the next player of its room, and
//! notes how long what comes was on its way. All have one clock, so a way is measured one way.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: a load generator owns tasks and the clock"
)]

mod clock;
mod game;
mod tally;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use lanparty_client_core::Session;
use lanparty_edge::runtime;
use lanparty_peer::relay_args::RelayConfig;
use lanparty_peer::{Event, HostError, PeerHost};
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::tls::Trust;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

use clock::Clock;
use game::GamePort;
use tally::Tally;

/// So many knock at once; handshakes are work for both sides.
const JOIN_TOGETHER: usize = 16;
/// Before what counts, so that every queue and table is as it stays.
const WARM_UP: Duration = Duration::from_secs(1);
/// What is still on its way at the end has this long.
const LAST_FRAMES: Duration = Duration::from_millis(500);

/// Lets many players play through one relay, and says how their frames fared.
#[derive(Debug, Parser)]
struct Arguments {
    /// The relay.
    #[arg(long)]
    relay: SocketAddr,
    /// Its certificate.
    #[arg(long, value_name = "FILE")]
    relay_ca_cert: PathBuf,
    /// How many players.
    #[arg(long)]
    players: usize,
    /// So many of them in each room.
    #[arg(long)]
    room_of: usize,
    /// For how long they are measured.
    #[arg(long)]
    seconds: u64,
    /// They join and send nothing.
    #[arg(long)]
    idle: bool,
    /// The number of their first room, so that several crowds share a relay.
    #[arg(long, default_value_t = 0)]
    first_room: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    allow_a_socket_for_everybody()?;
    runtime::run(play(arguments))?
}

/// The usual limit is 1024, and may be raised by everybody.
fn allow_a_socket_for_everybody() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, most).context("ask for more sockets")
}

async fn play(arguments: Arguments) -> Result<()> {
    let trust = Trust::load(Some(&arguments.relay_ca_cert))?;
    let tally = Rc::new(Tally::default());
    let clock = Rc::new(Clock::new().context("make a timer")?);
    let plays = (!arguments.idle).then_some(&clock);
    let everybody: Vec<_> = (0..arguments.players).collect();
    for together in everybody.chunks(JOIN_TOGETHER) {
        let (sender, mut joined) = mpsc::unbounded_channel();
        for &number in together {
            let config = relay_config(&arguments, &trust, number)?;
            let next = next_of(&arguments, number);
            let port = GamePort::new(number, next, tally.clone(), plays.cloned())?;
            let session = Session::new(mac(number)?);
            spawn_local(one_player(config, session, port, Listener(sender.clone())));
        }
        // Without this one, the channel ends with the last of them.
        drop(sender);
        for _ in together {
            joined
                .recv()
                .await
                .context("nobody is left who could join")?;
        }
    }
    println!("Joined");
    spawn_local(async move { clock.run().await });
    let window = Duration::from_secs(arguments.seconds);
    tally.open(WARM_UP, window);
    tokio::time::sleep(WARM_UP).await;
    println!("Playing");
    tokio::time::sleep(window).await;
    println!("Played");
    tokio::time::sleep(LAST_FRAMES).await;
    println!("{}", tally.summary());
    Ok(())
}

async fn one_player(
    config: RelayConfig,
    mut session: Session,
    mut port: GamePort,
    mut listener: Listener,
) {
    let never = std::future::pending();
    let ended = lanparty_peer::run(&mut session, &mut port, &mut listener, &config, never).await;
    if let Err(error) = ended {
        eprintln!("A player has ended: {error}");
    }
}

fn relay_config(arguments: &Arguments, trust: &Trust, number: usize) -> Result<RelayConfig> {
    let room = arguments.first_room + number / arguments.room_of;
    Ok(RelayConfig {
        server_name: "lanparty-relay".to_owned(),
        ..RelayConfig::new(
            arguments.relay.to_string().parse()?,
            trust.clone(),
            format!("CROWD-{room}").parse()?,
        )
    })
}

/// The players of a room send in a ring.
fn next_of(arguments: &Arguments, number: usize) -> usize {
    let first = number - number % arguments.room_of;
    let room = arguments.room_of.min(arguments.players - first);
    first + (number - first + 1) % room
}

fn mac(number: usize) -> Result<VirtualMac> {
    let [.., high, low] = number.to_be_bytes();
    Ok(VirtualMac::try_from(MacAddr::new([
        2, 0x1a, 0, 0, high, low,
    ]))?)
}

/// Tells when a player is in for the first time.
struct Listener(mpsc::UnboundedSender<()>);

impl PeerHost<Session> for Listener {
    async fn handle_event(
        &mut self,
        _core: &mut Session,
        event: Event<'_>,
    ) -> Result<(), HostError> {
        match event {
            // Later nobody listens.
            Event::Joined { .. } => drop(self.0.send(())),
            Event::NoLink { cause, .. } => eprintln!("A player has no link: {cause}"),
            Event::Resolving { .. }
            | Event::Connecting { .. }
            | Event::Trying { .. }
            | Event::Control(_)
            | Event::Tick(_)
            | Event::Ways(_)
            | Event::Relays(_)
            | Event::Stays { .. }
            | Event::News
            | Event::Slept => {}
        }
        Ok(())
    }
}
