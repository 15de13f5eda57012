//! The machine on which the gateway runs takes part in its party (spec R134).

mod bridged;
mod managed;
mod reach;
mod refusals;
mod rooms;
mod trace;
mod troubles;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use lanparty_lab::{Needs, Party, PartyBuilder, Player, Suite, checks, run};

pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const WITH: &str = "--with-this-machine";
/// The adapter by which players' frames come in.
pub(crate) const LEG: &str = "lanparty-leg0";

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "/lib/systemd/systemd-networkd",
        "NetworkManager",
        "bridge",
        "dbus-daemon",
        "dhclient",
        "dnsmasq",
        "iperf3",
        "nstat",
        "openarena-server",
        "ping",
        "quakestat",
        "teeworlds-server",
        "unshare",
    ]);
    let reach = checks![
        reach::player_and_machine_ping_each_other,
        reach::ipv6_link_local_pings_work_both_ways,
        reach::bytes_arrive_whole_both_ways_and_with_right_checksums,
        reach::the_machine_reaches_the_lan_as_before,
        reach::multicast_is_heard_both_ways,
        reach::a_broadcast_arrives_once_with_everybody,
        reach::a_player_finds_the_machines_game_servers_and_so_does_the_lan,
        reach::the_machine_finds_a_players_game_servers,
        reach::who_has_said_nothing_has_no_address_there,
        reach::what_the_machine_sends_elsewhere_stays_out_of_the_room,
        reach::what_the_leg_brings_in_is_not_heard_again,
    ];
    let troubles = checks![
        troubles::a_leg_that_was_switched_off_or_removed_comes_back,
        troubles::an_interface_that_was_down_has_its_leg_again,
        troubles::a_new_name_changes_nothing,
        troubles::another_mac_of_the_interface_is_taken_up,
        troubles::a_loop_stops_broadcast_until_it_ends,
        // It replaces the interface.
        troubles::another_interface_of_the_same_name_has_the_leg,
    ];
    let trace = checks![
        trace::nothing_is_left_of_a_gateway_that_ends,
        trace::nothing_is_left_of_one_that_is_killed_at_any_step,
        trace::a_queue_of_the_interface_stays_as_it_is,
    ];
    let suites = [
        Suite::new("reach", || party().start(), reach),
        Suite::new(
            "dhcp",
            reach::with_its_own_dhcp_server,
            checks![reach::players_and_lan_lease_from_the_machine],
        ),
        Suite::new("troubles", || party().start(), troubles),
        Suite::new("trace", trace::Traces::begin, trace),
        Suite::new("bridged", bridged::begin, bridged::checks()),
        Suite::new("managed", managed::begin, managed::checks()),
        Suite::new("rooms", rooms::Rooms::begin, rooms::checks()),
        Suite::new("refusals", refusals::begin, refusals::checks()),
    ];
    run(&needs, suites)
}

/// One player, and a gateway whose machine takes part.
pub(crate) fn party() -> PartyBuilder {
    Party::builder().players(1).gateway_flags(&[WITH])
}

pub(crate) fn player(party: &Party) -> Result<&Player> {
    party.players.first().context("this party has one player")
}
