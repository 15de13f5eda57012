//! What becomes of etcd, and what is in it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Weather, WireConditions, eventually, pass};

use crate::world::{Inner, SOON, World, opens_a_room, parties};

/// Nobody's frames go by etcd; a hiccup of a busy machine is all that may be seen.
const NOTHING: Duration = Duration::from_millis(1500);
/// A way to etcd and back takes so long.
const SLOW: Duration = Duration::from_millis(200);
/// Longer than leases last without etcd.
const GONE: Duration = Duration::from_secs(8);
/// All is in the directory again by then.
const BACK: Duration = Duration::from_secs(30);
const PREFIX: &str = "/lanparty/";

pub(crate) fn one_etcd_is_cut_off(world: &World) -> Result<()> {
    world.lives_through("one etcd of three is cut off", NOTHING, |_, inner| {
        while_cut_off(inner, &[1], |inner| opens(inner, "ONE-GONE", "one-gone"))
    })
}

pub(crate) fn two_etcd_are_cut_off(world: &World) -> Result<()> {
    world.lives_through("two etcd of three are cut off", NOTHING, |_, inner| {
        while_cut_off(inner, &[0, 1], |inner| {
            is_refused(inner, "TWO-GONE", "two-gone")
        })?;
        is_in_the_directory_again(inner)
    })
}

pub(crate) fn all_etcd_are_cut_off_and_come_back(world: &World) -> Result<()> {
    world.lives_through("all etcd are cut off", NOTHING, |_, inner| {
        while_cut_off(inner, &[0, 1, 2], |inner| {
            is_refused(inner, "ALL-GONE", "all-gone")
        })?;
        is_in_the_directory_again(inner)
    })
}

/// There is nothing to back up (docs/fleet.md).
pub(crate) fn all_etcd_lose_all_that_they_know(world: &World) -> Result<()> {
    world.lives_through("all etcd lose their data", NOTHING, |_, inner| {
        inner.etcd.lose_all()?;
        is_in_the_directory_again(inner)?;
        opens(inner, "NEW-DATA", "new-data")
    })
}

pub(crate) fn etcd_is_slow(world: &World) -> Result<()> {
    world.lives_through("etcd takes 200 ms for everything", NOTHING, |_, inner| {
        let slow = WireConditions {
            delay: SLOW / 2,
            ..WireConditions::default()
        };
        conditions(inner, slow);
        pass(GONE);
        let begin = Instant::now();
        opens(inner, "SLOW-1", "slow")?;
        println!(
            "a room was opened in {:.1} s",
            begin.elapsed().as_secs_f32()
        );
        conditions(inner, WireConditions::default());
        inner.etcd.agrees()
    })
}

/// Whoever writes it has the directory's password, and is not an attacker but a mistake.
pub(crate) fn garbage_in_the_directory(world: &World) -> Result<()> {
    world.lives_through("garbage in the directory", NOTHING, |_, inner| {
        let long = "x".repeat(100_000);
        let garbage = [
            ("relays/", "{}"),
            ("relays/zzz", "not JSON"),
            ("relays/00000000000000ff", "{\"address\":\"\",\"free\":-1}"),
            ("rooms/../../etc", "{\"relay\":7}"),
            ("rooms/abc", &long),
            ("claims/00", "\u{1}\u{2}"),
            ("nonsense", "{\"relay\":{}}"),
        ];
        let lines = |inner: &Inner| {
            inner
                .party
                .relays
                .iter()
                .map(|it| it.program.mark())
                .sum::<usize>()
        };
        let before = lines(inner);
        for _ in 0..20 {
            for (key, value) in garbage {
                inner.etcd.ctl(&["put", &format!("{PREFIX}{key}"), value])?;
            }
        }
        opens(inner, "GARBAGE-1", "garbage")?;
        let said = lines(inner) - before;
        ensure!(said < 30, "{said} lines about garbage");
        for (key, _) in garbage {
            inner.etcd.ctl(&["del", &format!("{PREFIX}{key}")])?;
        }
        Ok(())
    })
}

/// Nobody hears these members, and they hear nobody.
fn while_cut_off(
    inner: &Inner,
    members: &[usize],
    happens: impl FnOnce(&Inner) -> Result<()>,
) -> Result<()> {
    let etcd = inner
        .etcd
        .members
        .iter()
        .map(|member| IpAddr::from(member.address));
    let relays = inner.party.relays.iter().map(|relay| relay.address);
    let everybody: Vec<_> = etcd.chain(relays).collect();
    let cut = members.iter().flat_map(|member| {
        let gone = everybody[*member];
        let others = everybody.iter().filter(move |other| **other != gone);
        others.map(move |other| Weather::NothingBetween(gone, *other))
    });
    let internet = &inner.party.venue.internet;
    internet.weather(&cut.collect::<Vec<_>>())?;
    pass(GONE);
    let happened = happens(inner);
    internet.weather(&[])?;
    happened
}

fn conditions(inner: &Inner, conditions: WireConditions) {
    let wires = inner
        .etcd
        .members
        .iter()
        .filter_map(|member| member.wire.as_ref());
    wires.for_each(|wire| wire.set(conditions));
}

/// Any relay that runs.
fn asked(inner: &Inner) -> Result<usize> {
    let mut relays = inner.party.relays.iter();
    let runs = relays.position(|relay| relay.program.is_running());
    runs.context("no relay runs")
}

fn opens(inner: &Inner, room: &str, keys: &str) -> Result<()> {
    let gateway = opens_a_room(&inner.party, room, keys, asked(inner)?)?;
    gateway.wait_for_line(": connected to the relay", SOON)?;
    let status = gateway.interrupt()?;
    ensure!(status.success(), "{status}: {}", gateway.tail(10));
    Ok(())
}

/// With a sentence that says what is wrong.
fn is_refused(inner: &Inner, room: &str, keys: &str) -> Result<()> {
    let gateway = opens_a_room(&inner.party, room, keys, asked(inner)?)?;
    let line = gateway.wait_for_line("directory", SOON)?;
    println!("without a directory: {line}");
    ensure!(
        !gateway.log().contains(": connected to the relay"),
        "{}",
        gateway.tail(10)
    );
    gateway.interrupt().map(drop)
}

/// All rooms are, the party with adapters included.
fn is_in_the_directory_again(inner: &Inner) -> Result<()> {
    let begin = Instant::now();
    let rooms = || {
        let prefix = format!("{PREFIX}rooms/");
        let keys = inner
            .etcd
            .ctl(&["get", "--prefix", "--keys-only", &prefix])
            .ok()?;
        let rooms = keys
            .lines()
            .filter(|line| line.starts_with(&prefix))
            .count();
        (rooms > parties()).then_some(rooms)
    };
    let rooms = eventually("all rooms are in the directory again", BACK, rooms)
        .context("some rooms did not come back")?;
    println!(
        "{rooms} rooms are in the directory {:.1} s after etcd was back",
        begin.elapsed().as_secs_f32()
    );
    Ok(())
}
