//! Multicast on a LAN whose switch snoops: streams reach who has joined them, discovery reaches everybody.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{MDNS, chat, join, multicast_crosses, speaker, stream};
use lanparty_lab::{Check, Machine, Needs, Party, Player, Suite, Venue, checks, pass, run};

const CAMERA: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 1, 2, 3), 5004);
const SSDP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);
const MINECRAFT: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 2, 60), 4445);

/// What a camera sends.
const BITS: usize = 8_000_000;
const TIME: Duration = Duration::from_secs(3);
/// After it a player that has come in hears no more than it wants.
const SETTLED: Duration = Duration::from_secs(4);
/// How long a report and the first packet after it may take.
const HEARD: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let needs = Needs::programs(&["arping", "dnsmasq"]);
    let suites = [
        Suite::new("without_a_querier", || party("0"), groups()),
        Suite::new("with_a_querier", || party("1"), groups()),
    ];
    run(&needs, suites)
}

fn party(querier: &str) -> Result<Party> {
    let party = Party::builder().players(2).start()?;
    let switch = &party.venue.switch;
    switch.ip("link set br0 type bridge mcast_snooping 1")?;
    switch.ip(&format!("link set br0 type bridge mcast_querier {querier}"))?;
    pass(SETTLED);
    Ok(party)
}

fn groups() -> Vec<Check<Party>> {
    checks![
        a_stream_that_nobody_has_joined_reaches_no_player,
        a_stream_reaches_the_player_who_has_joined_it_and_nobody_else,
        discovery_reaches_everybody_both_ways,
        a_chatty_program_costs_its_player_no_answer_and_no_discovery,
    ]
}

fn a_stream_that_nobody_has_joined_reaches_no_player(party: &Party) -> Result<()> {
    let (sent, heard) = watch(party)?;
    // What a LAN says to everybody meanwhile is a few frames.
    ensure!(
        heard.iter().all(|&bytes| bytes < sent / 20),
        "the players got {heard:?} bytes of {sent}"
    );
    Ok(())
}

fn a_stream_reaches_the_player_who_has_joined_it_and_nobody_else(party: &Party) -> Result<()> {
    let [member, _] = players(party)?;
    let _listener = join(CAMERA, (&member.machine, member.address()?))?;
    pass(HEARD);
    let (sent, heard) = watch(party)?;
    // A busy machine queues and drops; that a member gets it whole is a table's to show.
    ensure!(
        heard[0] > sent / 4 && heard[1] < sent / 20,
        "who has joined and who has not got {heard:?} bytes of {sent}"
    );
    Ok(())
}

/// Lets a camera send; answers its bytes, and what has come out of each player's adapter meanwhile.
fn watch(party: &Party) -> Result<(u64, Vec<u64>)> {
    let tap_bytes = || -> Result<Vec<u64>> {
        let players = party.players.iter();
        players.map(|player| tap_bytes(&player.machine)).collect()
    };
    let before = tap_bytes()?;
    let sent = stream(CAMERA, (&party.venue.lan1, Venue::LAN1), BITS, TIME)?;
    pass(HEARD);
    let heard = before.into_iter().zip(tap_bytes()?);
    Ok((sent, heard.map(|(before, after)| after - before).collect()))
}

fn discovery_reaches_everybody_both_ways(party: &Party) -> Result<()> {
    let [one, two] = players(party)?;
    let lan = (&party.venue.lan1, Venue::LAN1);
    for player in [one, two] {
        let player = (&player.machine, player.address()?);
        for (group, from, to) in [(MDNS, lan, player), (MDNS, player, lan)] {
            multicast_crosses(group, from, to).with_context(|| format!("{group:?} to {to:?}"))?;
        }
        for group in [SSDP, MINECRAFT] {
            hears(group, lan, player)?;
            hears(group, player, lan)?;
        }
    }
    hears(
        MINECRAFT,
        (&one.machine, one.address()?),
        (&two.machine, two.address()?),
    )
}

/// Who joins a group hears it as soon as its report has crossed.
fn hears(group: (Ipv4Addr, u16), from: (&Machine, IpAddr), to: (&Machine, IpAddr)) -> Result<()> {
    let _member = join(group, to)?;
    pass(HEARD);
    multicast_crosses(group, from, to).with_context(|| format!("{group:?} to {}", to.1))
}

/// A stock Windows has said 88 things a second by mDNS; its player had 3 of 12 answers, and was found by no game.
fn a_chatty_program_costs_its_player_no_answer_and_no_discovery(party: &Party) -> Result<()> {
    let [player, _] = players(party)?;
    let (own, lan) = (
        (&player.machine, player.address()?),
        (&party.venue.lan1, Venue::LAN1),
    );
    let tap = Player::TAP;
    let asked = Venue::LAN1.to_string();
    let said_enough = AtomicBool::new(false);
    let speaker = speaker(own)?;
    thread::scope(|scope| {
        scope.spawn(|| chat(&speaker, MDNS, 90, &said_enough));
        let _at_the_end = Defer(&said_enough);
        let answers = player
            .machine
            .run(["arping", "-b", "-c12", "-I", tap, &asked])?;
        ensure!(answers.contains("Received 12 response"), "{answers}");
        let _member = join(MINECRAFT, lan)?;
        pass(HEARD);
        for number in 1..=20 {
            multicast_crosses(MINECRAFT, own, lan).with_context(|| format!("question {number}"))?;
        }
        Ok(())
    })
}

/// Sets this when it goes.
struct Defer<'a>(&'a AtomicBool);

impl Drop for Defer<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn players(party: &Party) -> Result<[&Player; 2]> {
    match &party.players[..] {
        [one, two] => Ok([one, two]),
        _ => anyhow::bail!("this party has two players"),
    }
}

/// What has come out of a player's adapter.
fn tap_bytes(machine: &Machine) -> Result<u64> {
    let shown = machine.ip_shows(&format!("-s -j link show dev {}", Player::TAP))?;
    let shown: serde_json::Value = serde_json::from_str(&shown)?;
    let bytes = shown[0]["stats64"]["rx"]["bytes"].as_u64();
    bytes.context("`ip` shows no counters")
}
