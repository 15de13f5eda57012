//! A full house whose relay dies: everybody comes back in time. How the players' attempts are spread is the business of
//! `lanparty_peer::backoff`, and tested there: here it would be this machine's pace.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_e2e::Peer;
use lanparty_lab::{Lab, Machine, Process, pass, program};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::tls::Trust;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};

const PLAYERS: u8 = 50;
const ADDRESS: &str = "127.0.0.1:4433";
const CERTIFICATE: &str = "relay.der";
const SOON: Duration = Duration::from_secs(5);
/// Long enough for everybody to have noticed.
const GONE: Duration = Duration::from_secs(4);
/// The promise of spec R93.
const BACK: Duration = Duration::from_secs(5);
const SLOT: Duration = Duration::from_millis(250);

pub(crate) fn fifty_players_come_back_at_once((): &()) -> Result<()> {
    let lab = Lab::new()?;
    let machine = lab.machine("crowd")?;
    let relay = start_relay(&machine)?;
    let certificate = lab.folder().join(CERTIFICATE);
    let config = RelayConfig {
        server_name: "lanparty-relay".to_owned(),
        ..RelayConfig::new(
            ADDRESS.parse()?,
            Trust::load(Some(&certificate))?,
            "CROWD".parse()?,
        )
    };

    let restart = {
        let machine = machine.clone();
        move || {
            relay.kill()?;
            pass(GONE);
            let back = Instant::now();
            Ok((back, start_relay(&machine)?))
        }
    };
    // The sockets are made in there, so they are the machine's.
    let story = || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(LocalSet::new().block_on(&runtime, play(config, restart)))
    };
    let (mut arrivals, relay) = machine.enter(story)??;
    arrivals.sort();
    print(&arrivals, &relay)?;
    let last = arrivals.last().copied().unwrap_or_default();
    ensure!(last <= BACK, "the last player was back after {last:?}");
    Ok(())
}

/// Everybody joins, the relay is restarted, everybody is back: how long after the relay each was.
async fn play(
    config: RelayConfig,
    restart: impl FnOnce() -> Result<(Instant, Process)> + Send + 'static,
) -> Result<(Vec<Duration>, Process)> {
    let mut players = Vec::new();
    for number in 1..=PLAYERS {
        let mac = VirtualMac::try_from(MacAddr::new([2, 0x1a, 0, 0, 1, number]))?;
        let mut player = Peer::client(config.clone(), mac);
        player.is_in().await;
        players.push(player);
    }
    let restarting = spawn_blocking(restart);
    let comes_back = |mut player: Peer| {
        spawn_local(async move {
            player.is_in().await;
            (Instant::now(), player)
        })
    };
    let coming: Vec<_> = players.into_iter().map(comes_back).collect();
    let (back, relay) = restarting.await??;
    let mut arrivals = Vec::new();
    for player in coming {
        let (at, _player) = player.await?;
        arrivals.push(at.saturating_duration_since(back));
    }
    Ok((arrivals, relay))
}

fn start_relay(machine: &Machine) -> Result<Process> {
    let mut command = program("lanparty-relay")?;
    let everybody = usize::from(PLAYERS).to_string();
    let flags = [
        "--listen",
        ADDRESS,
        "--dev-cert-der-out",
        CERTIFICATE,
        "--max-peers-per-address",
        &everybody,
    ];
    command.extend(flags.map(Into::into));
    let relay = machine.spawn("relay", command)?;
    relay.wait_for_line("Relay listening on ", SOON)?;
    Ok(relay)
}

/// How many came in each slot of time.
fn slots(arrivals: &[Duration]) -> Vec<usize> {
    let mut slots = Vec::new();
    for arrival in arrivals {
        let slot = (arrival.as_millis() / SLOT.as_millis()) as usize;
        slots.resize(slots.len().max(slot + 1), 0);
        slots[slot] += 1;
    }
    slots
}

fn print(arrivals: &[Duration], relay: &Process) -> Result<()> {
    println!("\n{PLAYERS} players come back after the relay does:");
    for (slot, players) in slots(arrivals).into_iter().enumerate() {
        let from = SLOT * slot as u32;
        println!("  from {:>4} ms  {}", from.as_millis(), "*".repeat(players));
    }
    let usage = relay.usage().context("look at the relay")?;
    println!(
        "  the relay needed {:.2} s of processor time and {:.1} MB",
        usage.cpu.as_secs_f32(),
        usage.memory_bytes as f64 / 1e6
    );
    Ok(())
}
