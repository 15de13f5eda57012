//! What a player has whose network lets no UDP through, beside one whose does.

use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_lab::traffic::{Bulk, Load, Trips, trips_beside};
use lanparty_lab::{Addressing, Machine, Party, Venue, WireConditions};

use super::{UNLIMITED, progress};

const RATE: u64 = 20_000_000;
const QUEUE: usize = 250_000;
const DELAY: Duration = Duration::from_millis(20);
const LOSSES: [f32; 3] = [0.0, 0.01, 0.03];
const GAME: Duration = Duration::from_secs(8);
/// One second before the game begins, and one behind it.
const BULK: Load = Load::Cubic { seconds: 10 };

/// How the player's packets travel.
#[derive(Clone, Copy)]
enum Carrier {
    Udp,
    /// UDP is blocked, and this is the system's TCP.
    Tcp(&'static str),
}

const CARRIERS: [(&str, Carrier); 3] = [
    ("UDP", Carrier::Udp),
    ("TCP, cubic", Carrier::Tcp("cubic")),
    ("TCP, bbr", Carrier::Tcp("bbr")),
];

/// Measures all of them once, and prints a table.
pub(crate) fn run() -> Result<()> {
    let mut rows = Vec::new();
    for loss in LOSSES {
        for (name, carrier) in CARRIERS {
            progress(&format!("carrier: {name}, {:.0} % lost", loss * 100.0));
            rows.push(measure(name, carrier, loss)?);
        }
    }
    println!(
        "\n| carrier | lost each way, % | ping alone: p50 / p99, ms | lost, % | beside bulk: p50 / p99, ms | lost, % | bulk, Mbit/s |"
    );
    println!("|---|---|---|---|---|---|---|");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

fn measure(name: &str, carrier: Carrier, loss: f32) -> Result<String> {
    let line = WireConditions {
        delay: DELAY,
        loss,
        rate: Some((RATE, QUEUE)),
        ..WireConditions::default()
    };
    let builder = Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .relay_flags(UNLIMITED)
        .player_paths(line);
    let builder = match carrier {
        Carrier::Udp => builder,
        Carrier::Tcp("bbr") => builder.prepared(|venue| over_tcp(venue, "bbr")),
        Carrier::Tcp(_) => builder.prepared(|venue| over_tcp(venue, "cubic")),
    };
    let party = builder.start()?;
    let (player, lan) = (&party.players[0].machine, &party.venue.lan1);
    let alone = Trips::measure(player, Venue::LAN1, GAME)?;
    let bulk = Bulk {
        from: player,
        to: lan,
        address: Venue::LAN1,
        load: BULK,
    };
    let (beside, reports) = trips_beside(player, Venue::LAN1, GAME, &[bulk])?;
    let report = reports.first().context("a report for the TCP")?;
    let trips = |trips: &Trips| {
        let at = |percent| trips.quantile(percent).as_secs_f64() * 1e3;
        format!("{:.1} / {:.1} | {:.1}", at(50), at(99), trips.lost * 100.0)
    };
    Ok(format!(
        "| {name} | {:.0} | {} | {} | {:.1} |",
        loss * 100.0,
        trips(&alone),
        trips(&beside),
        report.bits_per_second / 1e6
    ))
}

/// No UDP leaves the players' machines, and TCP shares like this.
fn over_tcp(venue: &Venue, congestion: &str) -> Result<()> {
    let sharing = "net/ipv4/tcp_congestion_control";
    venue.relay.sysctl(sharing, congestion)?;
    for player in &venue.remotes {
        player.sysctl(sharing, congestion)?;
        block_udp(player)?;
    }
    Ok(())
}

fn block_udp(machine: &Machine) -> Result<()> {
    let rules = "add table inet blocked; \
        add chain inet blocked out { type filter hook output priority 0; }; \
        add rule inet blocked out oifname wan0 meta l4proto udp drop";
    machine.run(["nft", rules]).map(drop)
}
