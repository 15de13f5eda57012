//! What goes wrong with leg and interface, and how it ends.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{frame, frames_cross};
use lanparty_lab::{Party, Player, RawSocket, Venue, Wire, WireConditions, eventually};

use crate::reach::{MACHINE, everybody_hears_everybody_once};
use crate::{LEG, SOON, player};

const EXPERIMENT: u16 = 0x88b6;
/// Ten quiet seconds, and the line that the gateway prints every second at most.
const LOOP_ENDED: Duration = Duration::from_secs(16);

pub(crate) fn a_leg_that_was_switched_off_or_removed_comes_back(party: &Party) -> Result<()> {
    reached_again(party)?;
    for trouble in ["set", "del"] {
        let mark = party.gateway.mark();
        let command = match trouble {
            "set" => format!("link set {LEG} down"),
            _ => format!("link del {LEG}"),
        };
        party.venue.gateway.ip(&command)?;
        reached_again(party).context(trouble)?;
        party
            .gateway
            .wait_for_line_after(mark, "This machine takes part again", SOON)?;
        player(party)?.machine.pings(Venue::LAN1, 56)?;
    }
    everybody_hears_everybody_once(party, "eth0")
}

pub(crate) fn an_interface_that_was_down_has_its_leg_again(party: &Party) -> Result<()> {
    let mark = party.gateway.mark();
    party.venue.gateway.ip("link set eth0 down")?;
    party
        .gateway
        .wait_for_line_after(mark, "Out of the room", SOON)?;
    party.venue.gateway.ip("link set eth0 up")?;
    back(party, mark)
}

pub(crate) fn a_new_name_changes_nothing(party: &Party) -> Result<()> {
    let gateway = &party.venue.gateway;
    // Linux renames an interface that is up since 6.0 only, so not every kernel lets us ask.
    if gateway.ip("link set eth0 name lan9").is_err() {
        return Ok(());
    }
    let reached = reached_again(party);
    gateway.ip("link set lan9 name eth0")?;
    reached
}

/// Which network managers give an interface when they come to it.
pub(crate) fn another_mac_of_the_interface_is_taken_up(party: &Party) -> Result<()> {
    let (gateway, mark) = (&party.venue.gateway, party.gateway.mark());
    gateway.ip("link set eth0 address 52:54:00:0a:0b:0c")?;
    back(party, mark)?;
    everybody_hears_everybody_once(party, "eth0")
}

/// As at a party where two sockets of the switch are joined: what the leg brings in is no echo, and what the LAN
/// brings back is one.
pub(crate) fn a_loop_stops_broadcast_until_it_ends(party: &Party) -> Result<()> {
    let (venue, gateway, player) = (&party.venue, &party.gateway, player(party)?);
    let mark = gateway.mark();
    let tap = player.machine.enter(|| RawSocket::open(Player::TAP))?;
    let shout = |number: u8| {
        let mut shout = frame([0xff; 6], player.mac(), EXPERIMENT, 100);
        shout[20] = number;
        tap.send(&shout)
    };
    (0..50).try_for_each(shout)?;
    player.machine.pings(MACHINE, 56)?;
    let said = gateway.log();
    ensure!(!said.contains("Loop: "), "{said}");

    // The delay keeps what goes round for ever from filling the processor.
    let slow = WireConditions {
        delay: Duration::from_millis(50),
        ..WireConditions::default()
    };
    let sockets = ["loop1", "loop2"].map(|socket| (&venue.switch, socket));
    let wire = Wire::lay(&venue.lab, "wire-loop", sockets[0], sockets[1], slow)?;
    for (_, socket) in sockets {
        venue.switch.ip(&format!("link set {socket} master br0"))?;
    }
    let mut number = 50;
    eventually("the gateway notices the loop", SOON, || {
        if number < 70 {
            number += 1;
            let _ = shout(number);
        }
        let found = gateway.wait_for_line_after(mark, "Loop: ", Duration::from_millis(50));
        found.ok()
    })?;
    drop(wire);
    for (_, socket) in sockets {
        venue.switch.ip(&format!("link del {socket}"))?;
    }
    gateway.wait_for_line_after(mark, "The loop on eth0 has ended", LOOP_ENDED)?;
    reached_again(party)?;
    everybody_hears_everybody_once(party, "eth0")
}

pub(crate) fn another_interface_of_the_same_name_has_the_leg(party: &Party) -> Result<()> {
    let (venue, mark) = (&party.venue, party.gateway.mark());
    venue.gateway.ip("link del eth0")?;
    party
        .gateway
        .wait_for_line_after(mark, "Out of the room", SOON)?;
    venue.lab.plug(&venue.gateway, "eth0", &venue.switch)?;
    venue
        .gateway
        .ip("addr add 192.168.50.2/24 brd + dev eth0")?;
    back(party, mark)?;
    let shout = frame([0xff; 6], venue.gateway.mac("eth0")?, EXPERIMENT, 400);
    let tap = (&player(party)?.machine, Player::TAP);
    frames_cross((&venue.gateway, "eth0"), tap, &[shout])
}

fn back(party: &Party, mark: usize) -> Result<()> {
    party
        .gateway
        .wait_for_line_after(mark, "eth0 is back", SOON)?;
    party
        .gateway
        .wait_for_line_after(mark, "connected to the relay", SOON)?;
    // Whoever knows an old MAC believes it for up to a minute, as on every LAN.
    let forget = format!("neigh flush dev {}", Player::TAP);
    player(party)?.machine.ip(&forget)?;
    reached_again(party)
}

fn reached_again(party: &Party) -> Result<()> {
    let player = &player(party)?.machine;
    eventually("the player reaches the machine", SOON, || {
        player.ping_on(Player::TAP, MACHINE).ok()
    })
}
