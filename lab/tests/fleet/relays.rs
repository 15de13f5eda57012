//! What becomes of the relays of a fleet, and who wants one.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::traffic::copy;
use lanparty_lab::{Fleet, Several, Venue, eventually, fleet_flags, pass, program};
use rustix::process::Signal;

use crate::world::{Inner, SETTLED, SOON, World, make_keyed, opens_a_room, parties, whole_again};

/// Longer than every lease.
const FROZEN: Duration = Duration::from_secs(10);
/// Of a move that is planned.
const GAP: Duration = Duration::from_secs(1);
/// What debug programs and a busy machine may add.
const BUSY: Duration = Duration::from_millis(500);
/// Goes on for longer than the drain takes.
const COPY: u64 = 24_000_000;

pub(crate) fn parties_are_spread_over_the_relays(world: &World) -> Result<()> {
    let inner = world.inner();
    let rooms = inner.party.relays.iter().map(|relay| {
        let shown = relay.ctl(&["rooms"])?;
        Ok(shown.lines().filter(|line| line.contains("CROWD-")).count())
    });
    let rooms = rooms.collect::<Result<Vec<_>>>()?;
    println!("rooms on each relay: {rooms:?}");
    ensure!(rooms.iter().sum::<usize>() == parties(), "{rooms:?}");
    // Each has its turn by chance: of three relays and twenty rooms one has none in one of a thousand evenings.
    ensure!(
        parties() < 20 || rooms.iter().all(|rooms| *rooms > 0),
        "{rooms:?}"
    );
    let shown = inner.party.relays[0].ctl(&["fleet"])?;
    println!("{shown}");
    for index in 0..Fleet::RELAYS {
        ensure!(shown.contains(Fleet::region(index)), "{shown}");
    }
    Ok(())
}

pub(crate) fn an_owner_is_killed(world: &World) -> Result<()> {
    world.lives_through("a relay is killed", whole_again()?, |world, inner| {
        let at = owner(inner)?;
        inner.party.relays[at].program.kill()?;
        inner.party.moves_from(at, SOON)?;
        world.all_is_well()?;
        inner.party.relays[at].start_again()
    })
}

/// What it has kept meanwhile comes nowhere.
pub(crate) fn an_owner_freezes_and_wakes_as_a_zombie(world: &World) -> Result<()> {
    let what = "a relay freezes for 10 s and wakes up as a zombie";
    world.lives_through(what, whole_again()?, |world, inner| {
        let at = owner(inner)?;
        let begin = Instant::now();
        inner.party.relays[at].program.signal(Signal::STOP)?;
        let moved = inner
            .party
            .moves_from(at, SOON)
            .and_then(|_| world.all_is_well());
        pass(FROZEN.saturating_sub(begin.elapsed()));
        inner.party.relays[at].program.signal(Signal::CONT)?;
        moved
    })
}

pub(crate) fn a_relay_is_drained_under_a_game_and_a_copy(world: &World) -> Result<()> {
    world.lives_through("a relay is drained", GAP + BUSY, |_, inner| {
        let at = owner(inner)?;
        let (player, lan) = (
            inner.party.players[0].machine.clone(),
            inner.party.venue.lan1.clone(),
        );
        let copying = thread::spawn(move || copy(&player, &lan, Venue::LAN1, COPY));
        inner.party.relays[at].ctl(&["drain"])?;
        if let Err(error) = inner.party.moves_from(at, SOON) {
            inner.party.relays[at].ctl(&["undrain"])?;
            return Err(error);
        }
        let Ok(copied) = copying.join() else {
            bail!("the copy panicked")
        };
        let took = copied.context("a copy while the relay is drained")?;
        println!(
            "a copy went through the drain: {} MB in {:.1} s",
            COPY / 1_000_000,
            took.as_secs_f32()
        );
        // The last of its rooms is gone, and so it has ended; its operator starts the new version.
        let relay = &mut inner.party.relays[at];
        let status = relay.program.wait(SOON)?;
        ensure!(status.success(), "{status}: {}", relay.program.tail(10));
        relay.start_again()
    })
}

/// The fleet moves it, and answers for what it is told of regions.
pub(crate) fn a_host_takes_its_party_to_another_relay(world: &World) -> Result<()> {
    let what = "a host takes its party to another relay of the fleet";
    world.lives_through(what, GAP + BUSY, |_, inner| {
        let at = owner(inner)?;
        let to = (at + 1) % Fleet::RELAYS;
        let said = inner.party.ctl(&["relay", Fleet::region(to)])?;
        println!("{}", said.trim());
        let now = inner.party.moves_from(at, SOON)?;
        ensure!(now == to, "it is at relay {} and not {}", now + 1, to + 1);
        ensure!(said.contains(Fleet::region(to)), "{said}");
        Ok(())
    })
}

/// They are one host's, who has started it twice, and each asks another relay in the same moment.
pub(crate) fn two_gateways_want_one_room(world: &World) -> Result<()> {
    const ROOM: &str = "RACE-1";
    let inner = world.inner();
    make_keyed(&inner.party, ROOM)?;
    let begin = |relay| opens_a_room(&inner.party, ROOM, &format!("racer-{relay}"), relay);
    let gateways = [0, 1].map(begin);
    let gateways = gateways.into_iter().collect::<Result<Vec<_>>>()?;
    let says = |text: &str| {
        let logs = gateways.iter().map(lanparty_lab::Process::log);
        logs.filter(|log| log.contains(text)).count()
    };
    let decided = eventually("one of two gets the room", SOON, || {
        let has_lost = says("has a gateway already") + says("has taken its place");
        (says(": connected to the relay") > 0 && has_lost > 0).then_some(())
    });
    decided.with_context(|| {
        gateways
            .iter()
            .map(|gateway| gateway.tail(5))
            .collect::<String>()
    })?;
    pass(SETTLED);
    let relays = inner.party.relays.iter();
    let owners = relays
        .filter(|relay| relay.room(ROOM).ok().flatten().is_some())
        .count();
    ensure!(owners == 1, "{owners} relays have the room");
    let has_lost = says("has a gateway already") + says("has taken its place");
    ensure!(has_lost == 1, "{has_lost} gateways wait");
    Ok(())
}

pub(crate) fn who_has_another_secret_is_sent_away(world: &World) -> Result<()> {
    let inner = world.inner();
    let venue = &inner.party.venue;
    let secret = venue
        .lab
        .write("other-secret.txt", "another-secret-of-thirty-two-letters")?;
    let mut command = program("lanparty-relay")?;
    command.extend(fleet_flags(&inner.etcd.hosts(), &secret, 0));
    let stranger = venue.public_machine("stranger", 9)?;
    let relay = stranger.spawn("stranger", command)?;
    let line = relay.wait_for_line("a fleet with another secret", SOON)?;
    println!("another secret: {line}");
    Ok(())
}

/// The relay where the party with adapters is.
fn owner(inner: &Inner) -> Result<usize> {
    let party: &Several = &inner.party;
    party.where_it_is(None).context("the party is nowhere")
}
