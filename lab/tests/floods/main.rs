//! Floods of small packets from a thousand ports. At each door of a party the program behind it goes on with everything else,
//! and others play on; before a line that is full, who floods it waits behind himself.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests look at the clock"
)]

mod door;
mod doors;
mod line;

use std::process::ExitCode;
use std::time::Duration;

use lanparty_lab::{Needs, Suite, checks, run};

use doors::*;
use line::*;

/// The machine is shared: whoever disturbs a ping may be somebody else.
const ATTEMPTS: usize = 3;
/// With so much of the machine to spare, waits are our own.
const TO_SPARE: f64 = 0.2;
/// How long a ping is watched, 60 times a second.
const WATCHED: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "ping"]);
    let suites = [
        Suite::new(
            "lan_flood",
            of_two,
            checks![
                others_play_on_beside_a_flood_of_the_lan,
                a_storm_on_the_lan_does_not_silence_the_gateway,
            ],
        ),
        Suite::new(
            "tap_flood",
            Serviced::begin,
            checks![
                others_play_on_beside_a_flood_at_an_adapter,
                a_storm_at_an_adapter_neither_silences_the_client_nor_makes_it_deaf,
            ],
        ),
        Suite::new(
            "peer_flood",
            of_three,
            checks![
                others_play_on_beside_a_player_who_floods_another,
                others_play_on_beside_a_player_who_floods_everybody,
                a_storm_from_a_player_neither_silences_the_relay_nor_makes_it_deaf,
            ],
        ),
        Suite::new(
            "full_line",
            behind_lines,
            checks![
                a_game_passes_another_player_who_floods_its_line,
                a_game_passes_another_player_who_floods_the_gateways_line,
                a_game_passes_a_machine_of_the_lan_that_floods_its_player,
            ],
        ),
    ];
    run(&needs, suites)
}
