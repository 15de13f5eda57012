//! Two sockets of the LAN's switch joined by a cable, as at every party once.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{End, frame, frames_cross};
use lanparty_lab::{Player, RawSocket, Wire, WireConditions, eventually};

use crate::frames::EXPERIMENT;
use crate::frames::{EVERYBODY, ethernet};
use crate::scene::{Eye, Scene};

/// Three echoes within a second, and the line that the gateway prints every second at most.
const NOTICED: Duration = Duration::from_secs(8);
/// Ten quiet seconds, and the same.
const ENDED: Duration = Duration::from_secs(16);
const NOTHING_COMES: Duration = Duration::from_secs(1);

pub(crate) fn a_loop_stops_broadcast_until_it_ends(scene: &Scene) -> Result<()> {
    let (venue, gateway, player) = (&scene.party.venue, &scene.party.gateway, scene.player());
    let lan_end = (&venue.lan2, "eth0");
    let player_end = (&player.machine, Player::TAP);
    let lan_mac = venue.lan2.mac("eth0")?;
    broadcasts_cross((lan_end, lan_mac), (player_end, player.mac()), 100)?;

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
    let tap = player.machine.enter(|| RawSocket::open(Player::TAP))?;
    let mut number = 0;
    let line = eventually("the gateway notices the loop", NOTICED, || {
        if number < 20 {
            number += 1;
            let _ = tap.send(&ethernet(
                EVERYBODY,
                player.mac(),
                EXPERIMENT,
                &[number; 40],
            ));
        }
        let log = gateway.log();
        log.lines()
            .find(|line| line.starts_with("Loop: "))
            .map(str::to_owned)
    })?;
    println!("\n  {line}");
    ensure!(
        line.contains("02:1a:00:00:00:01 comes back from eth0"),
        "{line}"
    );

    let (at_tap, on_lan) = (
        Eye::open(&player.machine, Player::TAP)?,
        Eye::on_the_gateway(scene)?,
    );
    let lan = venue.lan2.enter(|| RawSocket::open("eth0"))?;
    let during = |source| frame(EVERYBODY, source, EXPERIMENT, 300);
    lan.send(&during(lan_mac))?;
    tap.send(&during(player.mac()))?;
    let comes = |eye: &Eye, source| eye.sees_within(NOTHING_COMES, |seen| seen == during(source));
    ensure!(
        !comes(&at_tap, lan_mac),
        "broadcast still reaches the player"
    );
    ensure!(
        !comes(&on_lan, player.mac()),
        "broadcast still reaches the LAN"
    );

    drop(wire);
    for (_, socket) in sockets {
        venue.switch.ip(&format!("link del {socket}"))?;
    }
    gateway.wait_for_line("The loop on eth0 has ended", ENDED)?;
    broadcasts_cross((lan_end, lan_mac), (player_end, player.mac()), 200)
        .context("after the loop")?;
    player.machine.pings(lanparty_lab::Venue::LAN1, 56)
}

fn broadcasts_cross(
    lan: (End<'_>, [u8; 6]),
    player: (End<'_>, [u8; 6]),
    length: usize,
) -> Result<()> {
    let shout = |source| [frame(EVERYBODY, source, EXPERIMENT, length)];
    frames_cross(lan.0, player.0, &shout(lan.1)).context("from the LAN")?;
    frames_cross(player.0, lan.0, &shout(player.1)).context("from the player")
}
