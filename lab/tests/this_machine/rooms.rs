//! Two rooms at one interface, each with its gateway and a player.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{frame, frames_that_cross};
use lanparty_lab::{
    Check, Machine, Party, Player, Process, Venue, World, checks, eventually, program,
};

use crate::reach::MACHINE;
use crate::{SOON, WITH, player};

const EXPERIMENT: u16 = 0x88b6;
/// Where the second room's player is on the LAN.
const OTHER: &str = "192.168.50.231";
/// It is also the MAC of the first room's player, as of somebody who goes from one to the other.
const MAC: &str = "02:1a:00:00:00:01";

pub(crate) struct Rooms {
    party: Party,
    /// Whose machine takes no part.
    second: Process,
    player: Process,
}

impl World for Rooms {
    fn report(&self) -> String {
        format!(
            "{}\n--- second:\n{}\n{}",
            self.party.report(),
            self.second.tail(15),
            self.player.tail(15)
        )
    }
}

impl Rooms {
    pub(crate) fn begin() -> Result<Self> {
        let party = crate::party().strangers(1).start()?;
        let second = gateway(&party, &[])?;
        // Whose MAC that is, the second gateway could take what is said now for.
        player(&party)?.machine.pings(MACHINE, 56)?;
        let player = client(&party)?;
        Ok(Rooms {
            party,
            second,
            player,
        })
    }

    fn other(&self) -> &Machine {
        &self.party.venue.remotes[1]
    }
}

/// A gateway of the second room, on the same machine.
fn gateway(party: &Party, flags: &[&str]) -> Result<Process> {
    let mut command = program("lanparty-gateway")?;
    command.extend(["--interface", "eth0", "--state", "second.place.json"].map(Into::into));
    command.push("--beside-another".into());
    command.extend(in_the_second_room(party));
    command.extend(flags.iter().map(|flag| (*flag).into()));
    let gateway = party.venue.gateway.spawn("second", command)?;
    gateway.wait_for_line("connected to the relay", SOON)?;
    Ok(gateway)
}

fn client(party: &Party) -> Result<Process> {
    let mut command = program("lanparty-client")?;
    command.extend(["--identity", "second.json", "--virtual-mac", MAC].map(Into::into));
    let address = format!("{OTHER}/24");
    command.extend(["--tap", Player::TAP, "--address", &address].map(Into::into));
    command.extend(in_the_second_room(party));
    let client = party.venue.remotes[1].spawn("second-client", command)?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    Ok(client)
}

fn in_the_second_room(party: &Party) -> impl Iterator<Item = String> {
    let flags = party.join_flags().into_iter();
    flags.map(|flag| match flag == Party::ROOM {
        true => "LAB-2".into(),
        false => flag,
    })
}

pub(crate) fn checks() -> Vec<Check<Rooms>> {
    checks![
        only_the_room_with_the_machine_reaches_it,
        what_the_leg_brings_in_stays_out_of_the_other_room,
        // It replaces the second gateway.
        both_rooms_reach_a_machine_that_takes_part_in_both,
    ]
}

fn only_the_room_with_the_machine_reaches_it(rooms: &Rooms) -> Result<()> {
    let first = &player(&rooms.party)?.machine;
    first.pings(MACHINE, 56)?;
    first.pings(Venue::LAN1, 56)?;
    rooms.other().pings(Venue::LAN1, 56)?;
    ensure!(
        rooms.other().ping_on(Player::TAP, MACHINE).is_err(),
        "the second gateway has no flag"
    );
    Ok(())
}

fn what_the_leg_brings_in_stays_out_of_the_other_room(rooms: &Rooms) -> Result<()> {
    apart_and_without_loops(rooms, &rooms.second)
}

fn apart_and_without_loops(rooms: &Rooms, second: &Process) -> Result<()> {
    let first = player(&rooms.party)?;
    let ends = [(&first.machine, Player::TAP), (rooms.other(), Player::TAP)];
    let shouts: Vec<_> = (300..310)
        .map(|length| frame([0xff; 6], first.mac(), EXPERIMENT, length))
        .collect();
    for (from, to) in [(ends[0], ends[1]), (ends[1], ends[0])] {
        let crossed = frames_that_cross(from, to, &shouts)?;
        ensure!(crossed.is_empty(), "{} frames crossed", crossed.len());
    }
    for gateway in [&rooms.party.gateway, second] {
        let said = gateway.log();
        ensure!(!said.contains("Loop: "), "{said}");
        ensure!(
            !said.contains("MAC"),
            "somebody is taken for the LAN's: {said}"
        );
    }
    Ok(())
}

fn both_rooms_reach_a_machine_that_takes_part_in_both(rooms: &Rooms) -> Result<()> {
    ensure!(rooms.second.interrupt()?.success());
    rooms
        .player
        .wait_for_line("waiting for the LAN gateway", SOON)?;
    let mark = rooms.player.mark();
    let second = gateway(&rooms.party, &[WITH])?;
    rooms
        .player
        .wait_for_line_after(mark, "Connected to the LAN", SOON)?;
    let reached = || rooms.other().ping_on(Player::TAP, MACHINE).ok();
    eventually("the second room reaches the machine", SOON, reached)
        .with_context(|| second.tail(10))?;
    player(&rooms.party)?.machine.pings(MACHINE, 56)?;
    let machine = (&rooms.party.venue.gateway, "eth0");
    let shout = [frame([0xff; 6], machine.0.mac("eth0")?, EXPERIMENT, 320)];
    for hears in [&player(&rooms.party)?.machine, rooms.other()] {
        let crossed = frames_that_cross(machine, (hears, Player::TAP), &shout)?;
        ensure!(crossed.len() == 1, "{} missed it", hears.name());
    }
    apart_and_without_loops(rooms, &second)?;
    ensure!(second.interrupt()?.success());
    let still = || player(&rooms.party).ok()?.machine.pings(MACHINE, 56).ok();
    eventually("the first room still does", Duration::from_secs(5), still)
}
