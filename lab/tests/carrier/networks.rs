//! One player in each kind of network. Those who need a minute are asked last.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::traffic::{EchoSession, Pings};
use lanparty_lab::{
    Check, Guest, GuestPlan, Guests, Nat, Plan, Process, Router, Spare, Venue, Weather, World,
    checks, http_proxy,
};

use crate::{SOON, cuts, strangers};

const HOME: &[Router] = &[Router::new(Nat::Linux)];
const PROXY: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 9, 3, 1);
/// In the room (spec R142), where the machine has time: UDP and what needs no proxy have their head start.
const JOINED: Duration = Duration::from_secs(3);
/// UDP that ends in mid-evening.
const MOVED: Duration = Duration::from_secs(5);
/// Where others have the processor.
const BUSY: Duration = Duration::from_secs(15);
/// UDP that loses so much is left after ten seconds of it, or a minute after that where TCP did not look better, as it may not on a
/// busy machine. To the second it is judged where time is only a number (`lanparty-peer/src/link/carriage/tests.rs`).
const LEFT: Duration = Duration::from_secs(150);
/// UDP that died young is asked for after a minute, and then each minute; on a busy machine an answer may be too late for the first
/// two. To the second it is judged there as well.
const ASKED: Duration = Duration::from_secs(200);
const TO_SPARE: f64 = 0.2;

/// Who is where; the numbers are those of the players, from 0.
pub(crate) const NO_UDP: usize = 0;
const NO_443: usize = 1;
const THROTTLED: usize = 2;
const BY_TINYPROXY: usize = 3;
const BY_SQUID: usize = 4;
const UNHARMED: usize = 5;
const PLAYERS: usize = 6;

pub(crate) struct Networks {
    /// What goes on while UDP ends and comes back.
    game: Mutex<Game>,
    proxies: [Process; 2],
    pub(crate) guests: Guests,
}

impl World for Networks {
    fn report(&self) -> String {
        let proxies = self.proxies.iter().map(|proxy| proxy.tail(10));
        self.guests.report() + &proxies.collect::<Vec<_>>().join("\n---\n")
    }
}

type Game = Option<(Pings, EchoSession)>;

impl Networks {
    fn game(&self) -> Result<MutexGuard<'_, Game>> {
        let game = self.game.lock();
        game.map_err(|_| anyhow::anyhow!("poisoned"))
    }
}

pub(crate) fn begin() -> Result<Networks> {
    let plan = GuestPlan {
        venue: Plan {
            remotes: PLAYERS,
            player_routers: &[HOME; PLAYERS],
            ..Plan::default()
        },
        // Players have numbers from 1 there.
        environment: &[
            (1 + BY_TINYPROXY, "https_proxy=http://10.9.3.1:8888"),
            (1 + BY_SQUID, "https_proxy=http://10.9.3.1:3128"),
        ],
        // What a direct path would have: another test's matter.
        gateway: &["--no-door"],
        ..GuestPlan::default()
    };
    let venue = Venue::build(plan.venue)?;
    let machine = venue.public_machine("proxy", 3)?;
    let proxies = [
        http_proxy::tinyproxy(&venue.lab, &machine)?,
        http_proxy::squid(&venue.lab, &machine)?,
    ];
    for (player, weather) in [
        (NO_UDP, Weather::NoUdp),
        (NO_443, Weather::NoUdpPort(443)),
        (BY_TINYPROXY, Weather::OnlyBy(PROXY)),
        (BY_SQUID, Weather::OnlyBy(PROXY)),
    ] {
        venue.player_routers[player][0].weather(&[weather])?;
    }
    Ok(Networks {
        game: Mutex::default(),
        proxies,
        guests: Guests::gather_at(plan, venue)?,
    })
}

pub(crate) fn all() -> Vec<Check<Networks>> {
    checks![
        where_no_udp_gets_through,
        where_udp_to_the_relays_port_does_not,
        where_everything_goes_by_tinyproxy,
        where_everything_goes_by_squid,
        udp_that_ends_in_mid_evening_is_replaced,
        udp_that_loses_a_third_is_left,
        cuts::what_tcp_keeps_while_a_path_is_cut_is_not_played_again,
        strangers::slow_and_senseless_strangers_disturb_no_game,
        udp_that_is_back_is_taken_again,
    ]
}

/// The player joins over TCP, soon, is told so, and plays.
pub(crate) fn joins_over_tcp(guest: &Guest, what: &str) -> Result<()> {
    let (begin, spare) = (Instant::now(), Spare::now()?);
    guest.begin_to_join()?;
    let took = guest.goes("relay_over_tcp", SOON)?;
    let had_time = spare.was_more_than(TO_SPARE)?;
    let on_the_lan = guest.is_in(begin)?;
    println!("{what}: joined after {took:.1?}, on the LAN after {on_the_lan:.1?}");
    let allowed = if had_time { JOINED } else { JOINED + BUSY };
    ensure!(took <= allowed, "it took {took:?}");
    is_told(guest)?;
    guest.machine.pings(Venue::LAN1, 1000)?;
    guest.leave()?;
    guest.goes_away()
}

fn is_told(guest: &Guest) -> Result<()> {
    let told = |snapshot: &serde_json::Value| {
        let shown = snapshot.to_string();
        shown.contains("UDP does not get through") && shown.contains("TCP")
    };
    guest.shows("the player is told what TCP means", SOON, told)?;
    let said = guest.ask(&["status"])?;
    ensure!(said.contains("relay over TCP"), "{said}");
    Ok(())
}

fn where_no_udp_gets_through(networks: &Networks) -> Result<()> {
    joins_over_tcp(&networks.guests.players[NO_UDP], "no UDP")
}

fn where_udp_to_the_relays_port_does_not(networks: &Networks) -> Result<()> {
    joins_over_tcp(&networks.guests.players[NO_443], "no UDP to 443")
}

fn where_everything_goes_by_tinyproxy(networks: &Networks) -> Result<()> {
    joins_over_tcp(&networks.guests.players[BY_TINYPROXY], "tinyproxy")
}

fn where_everything_goes_by_squid(networks: &Networks) -> Result<()> {
    joins_over_tcp(&networks.guests.players[BY_SQUID], "squid")
}

fn udp_that_ends_in_mid_evening_is_replaced(networks: &Networks) -> Result<()> {
    let mut game = networks.game()?;
    *game = Some(play_until_udp_ends(&networks.guests)?);
    Ok(())
}

/// A game whose player has gone over to TCP, with UDP allowed again.
fn play_until_udp_ends(guests: &Guests) -> Result<(Pings, EchoSession)> {
    let guest = &guests.players[UNHARMED];
    guest.join()?;
    guest.goes("relay", SOON)?;
    let tcp = EchoSession::open(&guest.machine, &guests.venue.lan1, Venue::LAN1)?;
    let pings = Pings::start(&guest.machine, Venue::LAN1, 60, 56)?;
    pings.wait_for_answers(Instant::now(), 10, SOON)?;
    let (begin, spare) = (Instant::now(), Spare::now()?);
    guests.venue.player_routers[UNHARMED][0].weather(&[Weather::NoUdp])?;
    guest.goes("relay_over_tcp", SOON)?;
    pings.wait_for_answers(Instant::now(), 10, SOON)?;
    let report = pings.report(begin, Instant::now());
    let had_time = spare.was_more_than(TO_SPARE)?;
    println!("UDP ends: {:.1?} without an answer", report.silence);
    let allowed = if had_time { MOVED } else { MOVED + BUSY };
    ensure!(report.silence <= allowed, "{:?}", report.silence);
    tcp.lives(SOON)?;
    is_told(guest)?;
    guests.venue.player_routers[UNHARMED][0].weather(&[])?;
    Ok((pings, tcp))
}

fn udp_that_loses_a_third_is_left(networks: &Networks) -> Result<()> {
    let guests = &networks.guests;
    let guest = &guests.players[THROTTLED];
    guest.join()?;
    // Else chance decides by which way it comes in.
    guest.goes("relay", SOON)?;
    guests.venue.player_routers[THROTTLED][0].weather(&[Weather::UdpLoss(30)])?;
    let _game = Pings::start(&guest.machine, Venue::LAN1, 60, 56)?;
    let took = guest.goes("relay_over_tcp", LEFT)?;
    println!("30 % loss: over TCP after {took:.1?}");
    let pings = Pings::start(&guest.machine, Venue::LAN1, 60, 56)?;
    let begin = Instant::now();
    pings.wait_for_answers(begin, 120, SOON)?;
    let end = Instant::now();
    // What is on its way at the end is not lost.
    pings.wait_for_answers(end, 10, SOON)?;
    let report = pings.report(begin, end);
    ensure!(
        report.lost_part() < 0.1,
        "{} of {} lost over TCP",
        report.lost,
        report.sent
    );
    guest.leave()
}

/// A while after it was lifted; the others' tests ran meanwhile, if they ran.
fn udp_that_is_back_is_taken_again(networks: &Networks) -> Result<()> {
    let guest = &networks.guests.players[UNHARMED];
    let game = networks.game()?.take();
    let game = game.map_or_else(|| play_until_udp_ends(&networks.guests), Ok);
    let (pings, tcp) = game?;
    let took = guest.goes("relay", ASKED)?;
    println!("UDP is back: taken again after {took:.0?}");
    pings.wait_for_answers(Instant::now(), 10, SOON)?;
    tcp.lives(SOON)?;
    let status = guest.snapshot()?.to_string();
    ensure!(!status.contains("UDP does not get through"), "{status}");
    guest.leave()?;
    guest.goes_away()
}
