//! A path that is cut for moments while everything goes over TCP, which keeps all that a game has said meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::traffic::{EchoSession, Pings};
use lanparty_lab::{Venue, Weather, pass};

use crate::SOON;
use crate::networks::{NO_UDP, Networks};

/// Shorter than the time after which a link is given up. TCP, which asks more and more rarely, notices its end a second late.
const CUT: Duration = Duration::from_secs(2);
const CUTS: usize = 3;
/// Each of the two ways may keep a frame for a second, and the machine has other work. Without an end to that all that was said in the
/// cut is as old as the silence was long.
const OLD: Duration = Duration::from_millis(2500);

pub(crate) fn what_tcp_keeps_while_a_path_is_cut_is_not_played_again(
    networks: &Networks,
) -> Result<()> {
    let guests = &networks.guests;
    let (guest, router) = (
        &guests.players[NO_UDP],
        &guests.venue.player_routers[NO_UDP][0],
    );
    guest.join()?;
    guest.goes("relay_over_tcp", SOON)?;
    let tcp = EchoSession::open(&guest.machine, &guests.venue.lan1, Venue::LAN1)?;
    let pings = Pings::start(&guest.machine, Venue::LAN1, 60, 56)?;
    for _ in 0..CUTS {
        pings.wait_for_answers(Instant::now(), 60, SOON)?;
        let begin = Instant::now();
        router.weather(&[Weather::Nothing])?;
        pass(CUT);
        router.weather(&[Weather::NoUdp])?;
        pings.wait_for_answers(Instant::now(), 60, SOON)?;
        let report = pings.report(begin, Instant::now());
        println!(
            "a cut of {CUT:?}: {:.1?} without an answer, the oldest {:.2?} old",
            report.silence, report.oldest
        );
        let allowed = OLD.max(report.silence * 3 / 4);
        ensure!(report.oldest < allowed, "{:?} old", report.oldest);
    }
    tcp.lives(SOON)?;
    guest.leave()?;
    guest.goes_away()
}
