//! Three relays that are one service on three real etcd, with hundreds of real clients in many rooms: what each of these
//! parts costs when it dies, and who is let in when etcd is gone, slow, full of garbage or not the operator's alone.
//!
//! `LANPARTY_CROWD=300 cargo xtask lab --scenario fleet` has 300 clients in 150 rooms; CI has 40 in 20.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

mod crowd;
mod directory;
mod guarded;
mod relays;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use lanparty_lab::{Needs, Suite, checks, run};

use guarded::Guarded;
use world::World;

/// A test takes so long at most.
const LONGEST: Duration = Duration::from_secs(240);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "etcd", "etcdctl", "nft"]);
    let fleet = checks![
        relays::parties_are_spread_over_the_relays,
        relays::an_owner_is_killed,
        relays::an_owner_freezes_and_wakes_as_a_zombie,
        relays::a_relay_is_drained_under_a_game_and_a_copy,
        relays::a_host_takes_its_party_to_another_relay,
        relays::two_gateways_want_one_room,
        relays::who_has_another_secret_is_sent_away,
        directory::one_etcd_is_cut_off,
        directory::two_etcd_are_cut_off,
        directory::all_etcd_are_cut_off_and_come_back,
        directory::all_etcd_lose_all_that_they_know,
        directory::etcd_is_slow,
        directory::garbage_in_the_directory,
    ];
    let guarded = checks![
        guarded::a_relay_with_the_password_gives_out_rooms,
        guarded::a_stranger_with_etcds_port_gets_nothing,
        guarded::a_relay_with_a_wrong_password_or_authority_is_told_so,
    ];
    run(
        &needs,
        [
            Suite::within(LONGEST, "fleet", World::begin, fleet),
            Suite::within(LONGEST, "fleet_guarded", Guarded::begin, guarded),
        ],
    )
}
