//! Somebody in the room who means harm. Its datagrams are the test's own bytes, so nothing of ours has filtered them; and
//! the machine of a real player says the same through his TAP. The judges are real: a switch's tables, a DHCP client, the
//! kernel's neighbours and routes, and a ping of another player to the LAN.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: the lab owns processes, sockets, files and the clock"
)]

mod disturbance;
mod floods;
mod frames;
mod guesses;
mod lies;
mod loops;
mod peer;
mod roles;
mod scene;

use std::process::ExitCode;

use lanparty_lab::{Needs, Suite, checks, run};
use scene::Scene;

fn main() -> ExitCode {
    let needs = Needs::programs(&["bridge", "dhclient", "dnsmasq", "keepalived", "ping"]);
    let lies = checks![
        lies::a_stolen_mac_is_heard_by_nobody_and_moves_no_entry_of_the_switch,
        lies::a_rogue_dhcp_server_gives_no_lease,
        lies::a_rogue_router_gives_no_address_and_no_route,
        lies::what_is_for_bridges_and_cables_stays_out_of_the_lan,
        lies::a_lie_about_an_address_changes_no_neighbour,
    ];
    let roles = checks![
        roles::a_player_with_keepalived_is_no_router_of_the_lan,
        roles::what_routers_queriers_and_bridges_say_stays_out_of_the_lan,
        roles::nobody_asks_for_another_players_lease,
        roles::a_router_that_answers_for_players_takes_no_address,
    ];
    let floods = checks![
        floods::the_seventeenth_malformed_datagram_is_the_last,
        floods::wrong_headers_disturb_nobody,
        floods::a_broadcast_storm_disturbs_nobody,
        floods::oversize_datagrams_disturb_nobody,
        floods::ten_thousand_malformed_datagrams_disturb_nobody,
        floods::half_open_handshakes_disturb_nobody_and_newcomers_get_in,
        floods::a_thousand_connections_without_a_hello_disturb_nobody,
    ];
    let guessers = checks![
        guesses::guesses_from_one_address_are_limited_and_disturb_no_game,
        guesses::guesses_from_two_hundred_are_limited_and_disturb_no_game,
    ];
    let loops = checks![loops::a_loop_stops_broadcast_until_it_ends];
    run(
        &needs,
        [
            Suite::new("lies", Scene::build, lies),
            Suite::new("roles", Scene::build, roles),
            Suite::new("floods", Scene::build, floods),
            Suite::new("guesses", guesses::build, guessers),
            Suite::new("loops", Scene::build, loops),
        ],
    )
}
