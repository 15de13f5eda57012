//! A player behind a slow line, as most are: a game does not wait behind a file copy.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::traffic::{Bulk, Load, Trips, iperf, trips_beside};
use lanparty_lab::{
    Addressing, Machine, Needs, Party, Spare, Suite, Venue, WireConditions, checks, run,
};

/// The line's rate in both directions, where the machine carries twice as much.
const RATE: u64 = 20_000_000;
/// Below that a single packet takes as long as what is judged.
const LEAST_RATE: u64 = 2_000_000;
/// What is judged: a game's packets wait behind a copy, and the copy uses the line.
struct Bounds {
    /// The same for half of them, which others' work hardly touches: a gate that does nothing leaves 70 to 100 ms.
    median: Duration,
    /// How much longer nine of ten packets take at most than on an idle line.
    wait: Duration,
    lost: f64,
    share: f64,
}

/// A gate that lets everything pass fills the queue: 100 ms. A quiet machine measures 1 ms and a share of 0.8.
const TIGHT: Bounds = Bounds {
    median: Duration::from_millis(10),
    wait: Duration::from_millis(20),
    lost: 0.01,
    share: 0.6,
};
/// Where others have the processor, packets wait for those as well, as they do on the idle line; that is allowed on top.
/// But half of what the line's own queue can hold is more than others take from us, and a gate that does nothing leaves
/// the whole of it.
const BUSY: Bounds = Bounds {
    median: Duration::from_millis(30),
    wait: Duration::from_millis(50),
    lost: 0.02,
    share: 0.3,
};
/// With so much of the machine to spare, waits are our own.
const TO_SPARE: f64 = 0.2;
/// Others may have it in some of them.
const ATTEMPTS: usize = 5;

fn main() -> ExitCode {
    let checks = checks![
        a_game_does_not_wait_behind_what_the_player_sends,
        a_game_does_not_wait_behind_what_the_player_receives,
    ];
    let needs = Needs::programs(&["dnsmasq", "iperf3", "ping"]);
    run(&needs, [Suite::new("bottleneck", start, checks)])
}

fn start() -> Result<Party> {
    Party::builder()
        .players(1)
        .addressing(Addressing::Static)
        .player_paths(line(Some(RATE)))
        .congestion("gate")
        .start()
}

/// A line with 100 ms of queue in front of it.
fn line(rate: Option<u64>) -> WireConditions {
    WireConditions {
        delay: Duration::from_millis(5),
        rate: rate.map(|rate| (rate, (rate / 8 / 10) as usize)),
        ..WireConditions::default()
    }
}

fn copy(rate: u64, seconds: u32) -> Load {
    Load::Udp {
        seconds,
        rate,
        payload: 1200,
    }
}

fn a_game_does_not_wait_behind_what_the_player_sends(party: &Party) -> Result<()> {
    let lan = &party.venue.lan1;
    does_not_wait(party, &party.players[0].machine, lan, Venue::LAN1)
}

fn a_game_does_not_wait_behind_what_the_player_receives(party: &Party) -> Result<()> {
    let (lan, player) = (&party.venue.lan1, &party.players[0].machine);
    does_not_wait(party, lan, player, Party::FIRST_STATIC)
}

fn does_not_wait(party: &Party, from: &Machine, to: &Machine, address: IpAddr) -> Result<()> {
    let bulk = |load| Bulk {
        from,
        to,
        address,
        load,
    };
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        outcome = plays_beside(party, &bulk);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The rate of a line that is the narrowest place on the way: where the machine has no time for as much as the line
/// takes, packets wait for the processor, and no gate can help.
fn rate_of_line(party: &Party, bulk: Bulk<'_>) -> Result<u64> {
    party.venue.wires[0].set(line(None));
    let report = iperf(bulk.from, bulk.to, bulk.address, bulk.load)?;
    Ok((report.bits_per_second as u64 / 2).clamp(LEAST_RATE, RATE))
}

fn plays_beside<'a>(party: &'a Party, bulk: &impl Fn(Load) -> Bulk<'a>) -> Result<()> {
    let player = &party.players[0].machine;
    let begin = Spare::now()?;
    let rate = rate_of_line(party, bulk(copy(RATE * 5 / 2, 1)))?;
    party.venue.wires[0].set(line(Some(rate)));
    let bulk = bulk(copy(rate * 3 / 2, 5));
    let idle = Trips::measure(player, Venue::LAN1, Duration::from_secs(1))?;
    let time = Duration::from_secs(2);
    let (trips, reports) = trips_beside(player, Venue::LAN1, time, &[bulk])?;
    let others = idle.quantile(99) - idle.quantile(50);
    let bounds = match begin.was_more_than(TO_SPARE)? {
        true => TIGHT,
        false => Bounds {
            wait: BUSY.wait + others,
            ..BUSY
        },
    };
    let [median, wait] = [50, 90].map(|percent| {
        trips
            .quantile(percent)
            .saturating_sub(idle.quantile(percent))
    });
    let (lost, share) = (trips.lost, reports[0].bits_per_second / rate as f64);
    println!(
        "line of {rate} bit/s: waits {median:?}, nine of ten {wait:?}, {lost:.3} lost, share {share:.2}; {:?} is allowed",
        bounds.wait
    );
    ensure!(
        median < bounds.median,
        "half of a game's packets wait for {median:?}"
    );
    ensure!(
        wait < bounds.wait,
        "one in ten of a game's packets waits for {wait:?}"
    );
    ensure!(lost < bounds.lost, "{lost:.3} of a game's packets got lost");
    ensure!(share > bounds.share, "the copy uses {share:.2} of the line");
    Ok(())
}
