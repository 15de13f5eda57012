//! One remote player at a real party, over paths of every usual width: what a person would try first.

mod bulk;
mod frames;
mod games;
mod reach;

use std::process::ExitCode;

use anyhow::{Context, Result};
use lanparty_lab::{Check, Needs, Party, Player, Suite, checks, run};

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "arping",
        "dnsmasq",
        "iperf3",
        "nstat",
        "openarena-server",
        "ping",
        "quakestat",
        "teeworlds-server",
    ]);
    let suites = [
        Suite::new(
            "undisturbed",
            || Party::builder().players(1).start(),
            undisturbed(),
        ),
        Suite::new(
            "mtu_1500",
            || Party::builder().players(1).path_mtu(1500).start(),
            narrow(),
        ),
        Suite::new(
            "mtu_1400",
            || Party::builder().players(1).path_mtu(1400).start(),
            narrow(),
        ),
        Suite::new(
            "mtu_1280",
            || Party::builder().players(1).path_mtu(1280).start(),
            narrow(),
        ),
        Suite::new(
            "frame_log",
            || Party::builder().players(1).log(FRAME_LOG).start(),
            logged(),
        ),
        Suite::new(
            "home_overlaps",
            || Party::builder().players(1).home_overlaps().start(),
            overlap(),
        ),
    ];
    run(&needs, suites)
}

/// Everything, with nothing in between.
fn undisturbed() -> Vec<Check<Party>> {
    let mut checks = narrow();
    checks.extend(checks![
        bulk::a_200_mb_file_arrives_whole_in_both_directions
    ]);
    checks
}

/// What only the frame log shows.
const FRAME_LOG: &str = "info,lanparty::frames=trace";

fn logged() -> Vec<Check<Party>> {
    checks![
        frames::frames_that_a_party_has_no_use_for_die_at_the_door_with_a_reason,
        frames::frames_longer_than_a_room_allows_die_counted,
    ]
}

/// Everything that must work whatever the path carries.
fn narrow() -> Vec<Check<Party>> {
    checks![
        reach::the_lease_comes_from_the_lan_and_leaves_default_route_and_dns_alone,
        reach::player_and_lan_ping_each_other,
        reach::a_ping_that_fills_the_lans_frames_is_answered,
        reach::ipv6_link_local_pings_work_both_ways,
        reach::arp_finds_both_ends,
        reach::service_discovery_multicast_is_heard_both_ways,
        frames::frames_of_every_length_arrive_unchanged,
        frames::ipx_and_other_old_protocols_arrive_unchanged,
        bulk::tcp_and_udp_run_at_speed_in_both_directions_with_correct_checksums,
        bulk::a_file_arrives_whole_in_both_directions,
        games::the_player_finds_game_servers_on_the_lan_by_broadcast,
        games::the_lan_finds_game_servers_of_the_player_by_broadcast,
    ]
}

/// The player's home network has the LAN's addresses: the relay must stay reachable past the TAP.
fn overlap() -> Vec<Check<Party>> {
    checks![reach::the_relay_stays_reachable_when_home_and_lan_share_addresses]
}

fn player(party: &Party) -> Result<&Player> {
    party.players.first().context("this party has one player")
}
