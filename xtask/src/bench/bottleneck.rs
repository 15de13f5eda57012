//! A game behind a slow line that bulk traffic fills: how long its packets wait, and what the bulk gets.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use lanparty_lab::traffic::{Bulk, Load, Trips, trips_beside};
use lanparty_lab::{Addressing, Machine, Party, Venue, WireConditions};

use super::{UNLIMITED, progress};

const CONTROLLERS: [&str; 3] = ["gate", "bbr3", "cubic"];
/// The line in both directions, with 100 ms of queue in front of it.
const RATE: u64 = 20_000_000;
const QUEUE: usize = 250_000;
const DELAY: Duration = Duration::from_millis(10);
const GAME: Duration = Duration::from_secs(10);
const BULK: Load = Load::Cubic { seconds: 13 };
/// Of a game's packets beside others' traffic more is needed: a loss-based TCP swings in seconds.
const LONG_GAME: Duration = Duration::from_secs(27);
const LONG_BULK: Load = Load::Cubic { seconds: 30 };

/// What is in the player's way.
struct Case {
    name: &'static str,
    line: WireConditions,
    bulk: Way,
}

enum Way {
    Up,
    Down,
    /// Beside a TCP outside the tunnel.
    UpBesideAnother,
}

fn cases() -> [Case; 4] {
    let line = WireConditions {
        delay: DELAY,
        rate: Some((RATE, QUEUE)),
        ..WireConditions::default()
    };
    let lossy = WireConditions {
        delay: Duration::from_millis(20),
        loss: 0.01,
        ..line
    };
    [
        ("uplink full", line, Way::Up),
        ("downlink full", line, Way::Down),
        ("uplink full, 40 ms, 1 % lost", lossy, Way::Up),
        ("uplink full, a CUBIC beside", line, Way::UpBesideAnother),
    ]
    .map(|(name, line, bulk)| Case { name, line, bulk })
}

/// Measures all cases with all controllers in turn, and prints a table.
pub(crate) fn run() -> Result<()> {
    println!(
        "\n| | | added p50 / p99, ms | lost, % | TCP in the tunnel, Mbit/s | TCP outside, Mbit/s |"
    );
    println!("|---|---|---|---|---|---|");
    for case in cases() {
        for controller in CONTROLLERS {
            progress(&format!("{}: {controller}", case.name));
            let row = measure(&case, controller)?;
            println!("| {} | {controller} | {row}", case.name);
        }
    }
    Ok(())
}

fn measure(case: &Case, controller: &str) -> Result<String> {
    let party = Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .relay_flags(UNLIMITED)
        .player_paths(case.line)
        .congestion(controller)
        .start()?;
    let (venue, player) = (&party.venue, &party.players[0].machine);
    let idle = Trips::measure(player, Venue::LAN1, Duration::from_secs(3))?;
    let (lan, relay) = (&venue.lan1, &venue.relay);
    let (time, bulks) = match case.bulk {
        Way::Up => (GAME, vec![bulk(player, lan, Venue::LAN1, BULK)]),
        Way::Down => (GAME, vec![bulk(lan, player, Party::FIRST_STATIC, BULK)]),
        Way::UpBesideAnother => {
            let ours = bulk(player, lan, Venue::LAN1, LONG_BULK);
            let another = bulk(player, relay, Venue::RELAY, LONG_BULK);
            (LONG_GAME, vec![ours, another])
        }
    };
    let (trips, reports) = trips_beside(player, Venue::LAN1, time, &bulks)?;
    let added = |percent| {
        let added = trips.quantile(percent).as_secs_f64() - idle.quantile(50).as_secs_f64();
        added * 1e3
    };
    let mbits = |index: usize| {
        let report = reports.get(index);
        report.map_or(String::new(), |report| {
            format!("{:.1}", report.bits_per_second / 1e6)
        })
    };
    Ok(format!(
        "{:.1} / {:.1} | {:.1} | {} | {} |",
        added(50),
        added(99),
        trips.lost * 100.0,
        mbits(0),
        mbits(1)
    ))
}

fn bulk<'a>(from: &'a Machine, to: &'a Machine, address: IpAddr, load: Load) -> Bulk<'a> {
    Bulk {
        from,
        to,
        address,
        load,
    }
}
