//! Several players: everybody is on one LAN, and whoever leaves is gone.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::broadcast_reaches_each_once;
use lanparty_lab::{Check, Needs, Party, Player, Suite, Venue, checks, run};

/// A relay that hears nothing gives a peer up after 15 seconds.
const GIVEN_UP: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dhclient", "dnsmasq", "ping"]);
    let suites = [
        Suite::new(
            "two_players",
            || Party::builder().players(2).start(),
            together(),
        ),
        Suite::new(
            "five_players",
            || {
                Party::builder()
                    .players(5)
                    .log("info,lanparty::frames=trace")
                    .start()
            },
            together(),
        ),
        Suite::new(
            "leaving",
            || Party::builder().players(2).start(),
            checks![a_player_who_leaves_is_noticed_at_once],
        ),
        Suite::new(
            "vanishing",
            || Party::builder().players(2).start(),
            checks![a_player_who_vanishes_is_given_up],
        ),
    ];
    run(&needs, suites)
}

fn together() -> Vec<Check<Party>> {
    checks![
        every_player_has_an_address_of_its_own,
        players_reach_each_other_and_the_lan,
        a_broadcast_reaches_everybody_once,
    ]
}

fn every_player_has_an_address_of_its_own(party: &Party) -> Result<()> {
    let mut addresses = party
        .players
        .iter()
        .map(Player::address)
        .collect::<Result<Vec<_>>>()?;
    addresses.sort();
    addresses.dedup();
    ensure!(
        addresses.len() == party.players.len(),
        "an address was given twice"
    );
    Ok(())
}

fn players_reach_each_other_and_the_lan(party: &Party) -> Result<()> {
    for player in &party.players {
        player.machine.pings(Venue::LAN1, 56)?;
        party.venue.lan2.pings(player.address()?, 1472)?;
        for other in party
            .players
            .iter()
            .filter(|other| other.mac() != player.mac())
        {
            let ping = player.machine.pings(other.address()?, 1200);
            ping.with_context(|| {
                format!("from {} to {}", player.machine.name(), other.machine.name())
            })?;
        }
    }
    Ok(())
}

fn a_broadcast_reaches_everybody_once(party: &Party) -> Result<()> {
    let players: Vec<_> = party
        .players
        .iter()
        .map(|player| (&player.machine, Player::TAP))
        .collect();
    let lan = [(&party.venue.lan1, "eth0"), (&party.venue.lan2, "eth0")];
    let sources = players
        .iter()
        .zip(party.players.iter().map(Player::mac))
        .map(|(end, mac)| (*end, mac));
    for (from, mac) in sources.chain([(lan[0], party.venue.lan1.mac("eth0")?)]) {
        let others: Vec<_> = players
            .iter()
            .chain(&lan)
            .filter(|to| to.0.name() != from.0.name())
            .copied()
            .collect();
        broadcast_reaches_each_once(from, mac, &others)
            .with_context(|| format!("from {}", from.0.name()))?;
    }
    Ok(())
}

fn a_player_who_leaves_is_noticed_at_once(party: &Party) -> Result<()> {
    let [stays, leaves] = &party.players[..] else {
        unreachable!("a party of two")
    };
    stays.machine.pings(leaves.address()?, 56)?;
    let status = leaves.program.interrupt()?;
    ensure!(status.success(), "{}", leaves.program.tail(10));
    is_gone_within(SOON, party, leaves)
}

fn a_player_who_vanishes_is_given_up(party: &Party) -> Result<()> {
    let [stays, vanishes] = &party.players[..] else {
        unreachable!("a party of two")
    };
    stays.machine.pings(vanishes.address()?, 56)?;
    vanishes.program.kill()?;
    ensure!(
        !vanishes.machine.has_interface(Player::TAP),
        "the TAP outlived its program"
    );
    is_gone_within(GIVEN_UP, party, vanishes)?;
    stays.machine.pings(Venue::LAN1, 56)
}

/// The gateway names the player who left; the relay says that somebody did.
fn is_gone_within(deadline: Duration, party: &Party, player: &Player) -> Result<()> {
    let mac = player.mac().map(|byte| format!("{byte:02x}")).join(":");
    party
        .gateway
        .wait_for_line(&format!("Player {mac} left"), deadline)?;
    party
        .relay
        .wait_for_line("Left reason=", deadline)
        .map(drop)
}
