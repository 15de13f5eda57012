//! A player at Windows: the unchanged program under Wine (see lab/windows/README.md). Run by `cargo xtask windows`.

mod ending;
mod equipment;
mod guest;
mod making;
mod playing;
#[allow(clippy::disallowed_methods, reason = "a test that measures a gap")]
mod relays;
#[allow(clippy::disallowed_methods, reason = "a test that reads logs")]
mod service;
mod soak;
#[allow(clippy::disallowed_methods, reason = "a test that measures a gap")]
mod ways;

use std::process::ExitCode;
use std::time::Duration;

use lanparty_lab::{Check, Needs, Suite, WindowsPc, checks, run};

use guest::Guest;
use service::Household;

/// Wine is slow, and what a PC is left in is looked at once for each change.
const LONGEST: Duration = Duration::from_secs(1200);

fn main() -> ExitCode {
    if let Some(reason) = WindowsPc::missing() {
        println!("Left out: {reason}");
        return ExitCode::SUCCESS;
    }
    let needs = Needs::programs(&[
        "conntrack",
        "dhclient",
        "dnsmasq",
        "nft",
        "ping",
        "teeworlds-server",
        "tinyproxy",
    ]);
    let mut suites = vec![
        Suite::within(
            LONGEST,
            "equipment",
            equipment::Desk::new,
            checks![equipment::the_stand_ins_answer_as_the_driver_and_windows_do],
        ),
        Suite::within(LONGEST, "playing", Guest::at_the_party, playing()),
        Suite::within(LONGEST, "ending", Guest::at_home, ending()),
        Suite::within(
            LONGEST,
            "making",
            Guest::without_adapter,
            checks![
                making::an_adapter_is_made_first_and_removed_last,
                making::without_a_driver_the_client_says_so_and_leaves_no_device,
                making::a_client_killed_while_it_makes_one_is_repaired,
            ],
        ),
        Suite::within(
            LONGEST,
            "ways",
            ways::Traveller::at_home,
            checks![
                ways::where_no_udp_gets_through_it_is_tcp,
                ways::what_ends_in_mid_evening_is_replaced,
                ways::the_proxy_of_windows_settings_is_used,
            ],
        ),
        Suite::within(LONGEST, "service", Household::move_in, service()),
    ];
    if let Some(minutes) = soak::minutes() {
        let watched = checks![soak::nothing_grows_while_a_party_goes_on];
        // A round takes a third of a minute, and more where Wine is slow.
        let longest = Duration::from_secs(600 + 180 * minutes);
        let soak = Suite::within(longest, "soak", Guest::at_the_party, watched);
        suites.push(soak);
    }
    run(&needs, suites)
}

fn playing() -> Vec<Check<Guest>> {
    checks![
        playing::the_lease_comes_from_the_lan_and_leaves_the_default_route_alone,
        playing::a_thousand_pings_of_1400_bytes_are_answered,
        playing::the_lan_reaches_the_player,
        playing::a_game_server_on_the_lan_is_found_by_broadcast,
        playing::the_network_is_made_private_again_and_the_firewall_follows,
        playing::frames_do_not_wait_for_windows_answers,
        playing::a_router_on_the_lan_is_not_heard,
        playing::a_sleep_is_survived,
        playing::a_restart_of_the_adapter_is_survived,
        playing::a_disabled_adapter_is_waited_for_and_said_so,
    ]
}

fn service() -> Vec<Check<Household>> {
    checks![
        service::the_installer_leaves_a_service_that_starts_when_it_is_asked,
        service::an_invite_is_joined_over_the_pipe_and_the_player_is_on_the_lan,
        service::a_client_in_a_console_is_told_that_there_is_one,
        relays::a_dead_relay_is_survived_at_the_other_one,
        service::the_window_shows_the_party,
        service::an_upgrade_keeps_the_invite_and_reconnects,
        service::a_killed_service_is_noticed_repaired_and_joins_again,
        service::who_leaves_leaves_no_trace,
        service::nobody_can_answer_in_the_services_place,
        service::the_uninstaller_takes_everything_away,
    ]
}

fn ending() -> Vec<Check<Guest>> {
    checks![
        ending::a_look_at_the_pc_changes_nothing,
        ending::changes_are_made_in_order_and_undone_in_reverse,
        ending::a_closed_console_undoes_them_in_the_same_order,
        ending::ctrl_c_leaves_the_pc_as_it_was,
        ending::the_lan_gets_its_address_back,
        ending::an_uninstalled_adapter_ends_the_client_in_words,
        ending::an_uninstalled_adapter_is_noticed_without_a_relay,
        ending::closing_the_console_leaves_the_pc_as_it_was,
        ending::whatever_change_is_refused_the_pc_is_left_as_it_was,
        ending::what_a_program_ended_before_any_change_left_the_next_start_repairs,
        ending::what_a_program_ended_after_any_change_left_is_repaired,
    ]
}
