//! What can become of the relay where the party is.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::{Player, Several, Weather, eventually, pass};
use rustix::process::Signal;

use crate::table::{Row, each_run, must_move};
use crate::world::Relays;

/// Longer than every timeout.
const FROZEN: Duration = Duration::from_secs(10);
/// Longer than anything that might make somebody move back.
const A_MOMENT: Duration = Duration::from_secs(2);
/// How long a relay that comes and goes is gone, and how long it is there.
const GONE: Duration = Duration::from_secs(2);
const BACK: Duration = Duration::from_secs(2);
const TIMES: usize = 3;
/// A gateway that moves does so by then, or never.
const MOVES: Duration = Duration::from_secs(30);
const OUTSIDE: &str = "wan0";

/// Somebody joins while it is dead; when it is back nobody goes there.
pub(crate) fn the_relay_is_killed(world: &Relays) -> Result<()> {
    each_run("the relay is killed", 2, || {
        with_one_more(world, |world, party, at| {
            party.relays[at].program.kill()?;
            goes_on_elsewhere(world, party, at)?;
            party.relays[at].start_again()
        })
    })
}

/// The same for one that does not answer; when it wakes up, nothing of what it has kept comes anywhere.
pub(crate) fn the_relay_freezes_for_ten_seconds(world: &Relays) -> Result<()> {
    each_run("the relay freezes for 10 s", 2, || {
        with_one_more(world, |world, party, at| {
            let begin = Instant::now();
            party.relays[at].program.signal(Signal::STOP)?;
            let moved = goes_on_elsewhere(world, party, at);
            pass(FROZEN.saturating_sub(begin.elapsed()));
            party.relays[at].program.signal(Signal::CONT)?;
            moved
        })
    })
}

pub(crate) fn the_relay_is_cut_off_from_the_gateway(world: &Relays) -> Result<()> {
    each_run("the relay is cut off from the gateway", 2, || {
        let row = world.lives_through(|world, party, at| {
            let gateway = party.venue.gateway.ipv4(OUTSIDE).context("no address")?;
            let cut = Weather::NothingBetween(gateway, party.relays[at].address);
            cut_off(world, party, at, &[cut])
        });
        must_move(row?)
    })
}

pub(crate) fn the_relay_is_cut_off_from_the_players(world: &Relays) -> Result<()> {
    each_run("the relay is cut off from the players", 2, || {
        let row = world.lives_through(|world, party, at| {
            let relay = party.relays[at].address;
            let players = party.venue.remotes.iter();
            let players = players.filter_map(|player| player.ipv4(OUTSIDE));
            let cut: Vec<_> = players
                .map(|player| Weather::NothingBetween(player, relay))
                .collect();
            ensure!(cut.len() == party.venue.remotes.len(), "who is where?");
            cut_off(world, party, at, &cut)
        });
        must_move(row?)
    })
}

/// Whether the party stays or goes, each time it is whole in time.
pub(crate) fn the_relay_comes_and_goes(world: &Relays) -> Result<()> {
    each_run("the relay is gone for 2 s, three times", 1, || {
        world.lives_through(|_, party, at| {
            let (gateway, relay) = (&party.venue.gateway, party.relays[at].address);
            let everybody = party.venue.remotes.iter().chain([gateway]);
            let addresses = everybody.filter_map(|machine| machine.ipv4(OUTSIDE));
            let cut: Vec<_> = addresses
                .map(|address| Weather::NothingBetween(address, relay))
                .collect();
            for _ in 0..TIMES {
                party.venue.internet.weather(&cut)?;
                pass(GONE);
                party.venue.internet.weather(&[])?;
                pass(BACK);
            }
            Ok(())
        })
    })
}

/// While that happens another player joins, who leaves afterwards.
fn with_one_more(
    world: &Relays,
    happens: impl FnOnce(&Relays, &mut Several, usize) -> Result<()>,
) -> Result<Row> {
    let mut joined = Duration::ZERO;
    let row = world.lives_through(|world, party, at| {
        let begin = Instant::now();
        let newcomer = party.begin_to_join(Several::INVITE, &["--relay-only"])?;
        let machine = party.players[newcomer].machine.clone();
        let is_in = thread::spawn(move || {
            let address = || machine.ipv4(Player::TAP);
            eventually("who joins meanwhile gets an address", MOVES, address)
                .map(|_| begin.elapsed())
        });
        happens(world, party, at)?;
        let Ok(is_in) = is_in.join() else {
            bail!("a thread panicked")
        };
        joined = is_in.with_context(|| party.players[newcomer].program.tail(20))?;
        Ok(())
    });
    let left = world.party().last_leaves();
    let mut row = must_move(row?)?;
    left?;
    row.joined = Some(joined);
    Ok(row)
}

/// The party is at another relay, where all is well.
fn goes_on_elsewhere(world: &Relays, party: &mut Several, from: usize) -> Result<()> {
    party.moves_from(from, MOVES)?;
    world.answers_come(Instant::now())
}

/// Until the party is elsewhere; what was cut is whole again then.
fn cut_off(world: &Relays, party: &mut Several, at: usize, cut: &[Weather]) -> Result<()> {
    party.venue.internet.weather(cut)?;
    let moved = goes_on_elsewhere(world, party, at);
    pass(A_MOMENT);
    party.venue.internet.weather(&[])?;
    moved
}
