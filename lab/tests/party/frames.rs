//! Frames of every length and of protocols that nobody has seen since 1999.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{frame, frames_cross, frames_that_cross};
use lanparty_lab::{Party, Player};

use crate::player;

const IPX: u16 = 0x8137;
const SOON: Duration = Duration::from_secs(5);
const APPLETALK: u16 = 0x809b;
const LAN_DISCOVERY_OF_OURS: u16 = 0x88b6; // for local experiments

pub(crate) fn frames_of_every_length_arrive_unchanged(party: &Party) -> Result<()> {
    let (player, lan) = (player(party)?, &party.venue.lan1);
    let from_lan: Vec<_> = lengths(1514)
        .map(|length| frame(player.mac(), [0x02, 0, 0, 0, 0, 9], IPX, length))
        .collect();
    let lan_end = (lan, "eth0");
    let player_end = (&player.machine, Player::TAP);
    frames_cross(lan_end, player_end, &from_lan).context("from the LAN")?;

    let longest = player.machine.mtu(Player::TAP)? + 14;
    let lan_mac = lan.mac("eth0")?;
    let from_player: Vec<_> = lengths(longest)
        .map(|length| frame(lan_mac, player.mac(), IPX, length))
        .collect();
    frames_cross(player_end, lan_end, &from_player).context("from the player")
}

/// From the shortest Ethernet frame to the longest, dense where fragments begin.
fn lengths(longest: usize) -> impl Iterator<Item = usize> {
    (60..longest)
        .step_by(97)
        .chain(1180..1300.min(longest))
        .step_by(7)
        .chain(longest - 3..=longest)
}

pub(crate) fn ipx_and_other_old_protocols_arrive_unchanged(party: &Party) -> Result<()> {
    let (player, lan) = (player(party)?, &party.venue.lan1);
    // Below 1536 the field is a length: raw 802.3, which IPX of the first network games used.
    let raw_802_3 = 100;
    let everybody = [0xff; 6];
    let kinds = [
        (IPX, 60),
        (IPX, 590),
        (APPLETALK, 400),
        (LAN_DISCOVERY_OF_OURS, 60),
        (raw_802_3, 114),
    ];
    for (kind, length) in kinds {
        for (from_lan, from_player) in [(player.mac(), lan.mac("eth0")?), (everybody, everybody)] {
            let (down, up) = ((lan, "eth0"), (&player.machine, Player::TAP));
            frames_cross(down, up, &[frame(from_lan, lan.mac("eth0")?, kind, length)])
                .with_context(|| format!("{kind:#06x} from the LAN"))?;
            frames_cross(up, down, &[frame(from_player, player.mac(), kind, length)])
                .with_context(|| format!("{kind:#06x} from the player"))?;
        }
    }
    Ok(())
}

/// A frame that is shorter than its header cannot be made with real devices; the units of lanparty-proto cover runts.
pub(crate) fn frames_longer_than_a_room_allows_die_counted(party: &Party) -> Result<()> {
    let (player, venue) = (player(party)?, &party.venue);
    for (machine, interface) in [
        (&venue.lan1, "eth0"),
        (&venue.switch, "lan1"),
        (&venue.switch, "gw"),
        (&venue.gateway, "eth0"),
    ] {
        machine.ip(&format!("link set {interface} mtu 3000"))?;
    }
    venue.switch.ip("link set br0 mtu 3000")?;
    // The player's adapter keeps the room's MTU, so nothing longer comes from there.
    let (down, up) = ((&venue.lan1, "eth0"), (&player.machine, Player::TAP));
    let (to, from) = (player.mac(), venue.lan1.mac("eth0")?);
    let jumbo = [1515, 2500].map(|length| frame(to, from, IPX, length));
    let crossed = frames_that_cross(down, up, &jumbo)?;
    ensure!(crossed.is_empty(), "a jumbo frame reached the player");
    party.gateway.wait_for_line("reason=jumbo", SOON).map(drop)
}

pub(crate) fn frames_that_a_party_has_no_use_for_die_at_the_door_with_a_reason(
    party: &Party,
) -> Result<()> {
    let (player, lan) = (player(party)?, &party.venue.lan1);
    let spanning_tree = [0x01, 0x80, 0xc2, 0, 0, 0];
    let (eapol, lldp) = (0x888e, 0x88cc);
    for (destination, kind, length) in [
        (spanning_tree, 38, 60),
        ([0xff; 6], eapol, 64),
        ([0xff; 6], lldp, 66),
    ] {
        let (down, up) = ((lan, "eth0"), (&player.machine, Player::TAP));
        let crossed = frames_that_cross(
            down,
            up,
            &[frame(destination, lan.mac("eth0")?, kind, length)],
        )?;
        ensure!(crossed.is_empty(), "{kind:#06x} reached the player");
        let crossed =
            frames_that_cross(up, down, &[frame(destination, player.mac(), kind, length)])?;
        ensure!(crossed.is_empty(), "{kind:#06x} reached the LAN");
    }
    // A switch keeps spanning tree frames to itself, so the gateway sees only the other two.
    for program in [&player.program, &party.gateway] {
        program.wait_for_line("action=drop reason=eapol", SOON)?;
        program.wait_for_line("action=drop reason=lldp", SOON)?;
    }
    player
        .program
        .wait_for_line("action=drop reason=reserved_multicast", SOON)
        .map(drop)
}
