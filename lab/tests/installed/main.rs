//! Relay, gateway and client as installed services, on machines that systemd has started: what happens to a party when
//! they start, stop, crash, hang, are set wrong and come with the machine.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

mod boxes;
mod client;
mod gateway;
mod relay;

use std::process::ExitCode;

use lanparty_lab::{Booted, Needs, Suite, checks, run, skip};

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        Booted::PROGRAMS[0],
        Booted::PROGRAMS[1],
        Booted::PROGRAMS[2],
        "dnsmasq",
        "openssl",
        "ping",
    ]);
    if needs.missing().is_none()
        && let Some(reason) = Booted::unable()
    {
        skip(&reason);
        return ExitCode::SUCCESS;
    }
    let checks = checks![
        relay::starts_ready_and_says_how_it_stands,
        relay::listens_below_1024_with_no_other_right,
        relay::a_log_has_no_time_of_its_own_and_no_secret,
        relay::only_what_carries_frames_comes_before_others,
        relay::a_reload_takes_new_limits_and_fails_with_a_wrong_file,
        relay::a_relays_wrong_settings_are_told_and_not_tried_again,
        relay::an_access_token_is_handed_over_by_systemd,
        relay::a_renewed_certificate_comes_by_the_deploy_hook,
        gateway::its_room_is_closed_from_the_first_moment,
        gateway::a_player_joins_the_installed_party,
        gateway::starts_without_a_network_and_has_a_party_when_there_is_one,
        relay::an_update_by_reload_keeps_party_token_and_watchdog,
        gateway::a_crashed_gateway_costs_a_moment,
        relay::a_crashed_relay_costs_a_moment,
        gateway::a_gateway_that_hangs_is_killed_and_comes_back,
        relay::a_relay_that_hangs_is_killed_and_comes_back,
        gateway::a_gateways_wrong_settings_are_told_and_not_tried_again,
        gateway::a_reload_fails_with_a_wrong_file,
        gateway::an_old_unit_per_interface_goes_on,
        gateway::a_party_without_a_relay_is_a_service_too,
        client::is_started_by_its_socket_and_plays,
        gateway::both_stop_clean_and_a_reboot_brings_the_party_back,
        boxes::nothing_is_left_of_a_machine,
    ];
    run(
        &needs,
        [Suite::new("installed", boxes::Boxes::begin, checks)],
    )
}
