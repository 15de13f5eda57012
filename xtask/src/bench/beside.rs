//! Somebody's pings beside a storm.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use lanparty_lab::traffic::{Storm, StormPlan, Trips};
use lanparty_lab::{Machine, Party, Player, Venue, eventually, pass};

use super::aims::median;

/// A storm has filled all queues by then, and been heard by everybody who learns from frames.
const BEGIN: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_secs(2);
const STORMY: Duration = Duration::from_secs(5);
/// Of a game that was there before the storm: enough for a flow to be known.
const HEAD_START: Duration = Duration::from_millis(500);

/// After a storm: so many pings in a row that are as quick again.
const FEW: u32 = 10;
const PER_SECOND: f64 = 60.0;
const QUICK: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

/// Who sends a storm to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// A machine of the LAN, to a player.
    LanToPlayer(usize),
    /// A program on a player's machine, to a machine of the LAN.
    PlayerToLan(usize),
    /// The same, to another player.
    Between(usize, usize),
}

/// What became of the pings of those who watched.
#[derive(Debug)]
pub(crate) struct Round {
    /// Without the storm and with it, each in milliseconds.
    pub(crate) quiet: Quantiles,
    pub(crate) stormy: Quantiles,
    /// Of those with the storm, 0 to 1.
    pub(crate) lost: f64,
    /// Frames a second that found room in the interface.
    pub(crate) per_second: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Lets these players play with the LAN, first alone, then beside the storm; of several the worst is shown.
pub(crate) fn round(party: &Party, watchers: &[usize], way: Way, plan: StormPlan) -> Result<Round> {
    let (quiet, _) = worst(party, watchers, QUIET)?;
    let storm = begin(party, way, plan)?;
    pass(BEGIN);
    let before = storm.offered();
    let (stormy, lost) = worst(party, watchers, STORMY)?;
    let per_second = (storm.offered() - before) as f64 / STORMY.as_secs_f64();
    drop(storm);
    settle(party, watchers)?;
    Ok(Round {
        quiet,
        stormy,
        lost,
        per_second,
    })
}

/// The same beside a storm that begins while they play.
pub(crate) fn round_begun_before(
    party: &Party,
    watchers: &[usize],
    way: Way,
    plan: StormPlan,
) -> Result<Round> {
    let (quiet, _) = worst(party, watchers, QUIET)?;
    let ((stormy, lost), per_second) = thread::scope(|scope| {
        let game = scope.spawn(|| worst(party, watchers, STORMY));
        pass(HEAD_START);
        let (storm, began) = (begin(party, way, plan)?, Instant::now());
        let Ok(played) = game.join() else {
            bail!("a game panicked")
        };
        let per_second = storm.taken() as f64 / began.elapsed().as_secs_f64();
        Ok((played?, per_second))
    })?;
    settle(party, watchers)?;
    Ok(Round {
        quiet,
        stormy,
        lost,
        per_second,
    })
}

/// What is still on its way is none of the next round's.
fn settle(party: &Party, watchers: &[usize]) -> Result<()> {
    pass(BEGIN);
    for &index in watchers {
        let machine = &party.players[index].machine;
        let is_quick = || {
            let times = machine.round_trips(Venue::LAN1, FEW, PER_SECOND).ok()?;
            let longest = times.last()?;
            (times.len() == FEW as usize && *longest < QUICK).then_some(())
        };
        eventually("pings are quick again", PATIENCE, is_quick)?;
    }
    Ok(())
}

/// Frames a second that come out at the other end while as many go in as the machine can send.
pub(crate) fn carried(party: &Party, way: Way) -> Result<f64> {
    let (machine, interface) = match way {
        Way::PlayerToLan(_) => (&party.venue.lan2, "eth0"),
        Way::LanToPlayer(to) | Way::Between(_, to) => (&party.players[to].machine, Player::TAP),
    };
    let storm = begin(party, way, StormPlan::default())?;
    pass(BEGIN);
    let (before, began) = (machine.packets_received(interface)?, Instant::now());
    pass(BEGIN);
    let came = machine.packets_received(interface)? - before;
    let per_second = came as f64 / began.elapsed().as_secs_f64();
    drop(storm);
    pass(BEGIN);
    Ok(per_second)
}

/// Everybody is known to every switch on the way: a frame to a stranger goes to all.
pub(crate) fn introduce(party: &Party) -> Result<()> {
    for player in &party.players {
        for machine in [Venue::LAN1, Venue::LAN2] {
            player.machine.pings(machine, 56)?;
        }
    }
    Ok(())
}

fn begin(party: &Party, way: Way, plan: StormPlan) -> Result<Storm> {
    let lan2 = &party.venue.lan2;
    let mac = lan2.mac("eth0")?;
    let player = |index: usize| &party.players[index];
    match way {
        Way::LanToPlayer(to) => Storm::of(plan, (lan2, "eth0"), mac, player(to).mac()),
        Way::PlayerToLan(from) => {
            let from = player(from);
            Storm::of(plan, (&from.machine, Player::TAP), from.mac(), mac)
        }
        Way::Between(from, to) => {
            let (from, to) = (player(from), player(to).mac());
            Storm::of(plan, (&from.machine, Player::TAP), from.mac(), to)
        }
    }
}

/// All of them at once; the longest quantiles and the greatest loss.
fn worst(party: &Party, watchers: &[usize], time: Duration) -> Result<(Quantiles, f64)> {
    let measure = |machine: &Machine| Trips::measure(machine, Venue::LAN1, time);
    let all = thread::scope(|scope| {
        let running: Vec<_> = watchers
            .iter()
            .map(|&index| scope.spawn(move || measure(&party.players[index].machine)))
            .collect();
        let ended = running.into_iter().map(|watcher| match watcher.join() {
            Ok(trips) => trips,
            Err(_) => bail!("a watcher panicked"),
        });
        ended.collect::<Result<Vec<_>>>()
    })?;
    let longest = |percent| {
        let times = all.iter().map(|trips| trips.quantile(percent));
        times.max().unwrap_or_default().as_secs_f64() * 1e3
    };
    let lost = all.iter().map(|trips| trips.lost).fold(0.0, f64::max);
    let quantiles = Quantiles {
        p50: longest(50),
        p99: longest(99),
    };
    Ok((quantiles, lost))
}

/// The medians of all rounds, but the greatest loss of any: what got lost once is not undone by two rounds without.
pub(crate) fn summary(rounds: &[Round]) -> Round {
    let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    Round {
        quiet: Quantiles {
            p50: of(|round| round.quiet.p50),
            p99: of(|round| round.quiet.p99),
        },
        stormy: Quantiles {
            p50: of(|round| round.stormy.p50),
            p99: of(|round| round.stormy.p99),
        },
        lost: rounds.iter().map(|round| round.lost).fold(0.0, f64::max),
        per_second: of(|round| round.per_second),
    }
}
