//! One evening on the direct path: what breaks it, and what lives through that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::traffic::{EchoSession, PingReport, Pings, Trips, copy};
use lanparty_lab::{
    Check, Guests, Machine, Nat, Player, RawSocket, Spare, Venue, Weather, World, binaries, checks,
    eventually, pass,
};

use crate::{LINUX, SOON, goes_direct, guests};

/// What a game sends.
const PER_SECOND: u32 = 60;
/// Without an answer when the path ends (spec R140).
const GAP: Duration = Duration::from_millis(400);
/// Where a router forgets, each end finds out for itself.
const GAP_OF_BOTH: Duration = Duration::from_millis(500);
/// What debug programs and their turn on a machine with two processors may add to that.
const JITTER: Duration = Duration::from_millis(200);
/// Where others have the processor, they may take this on top.
const BUSY_GAP: Duration = Duration::from_millis(1600);
/// When the player's address changes, the relay link follows first.
const MOVE: Duration = Duration::from_secs(2);
/// With so much of the machine to spare, waits are our own.
const TO_SPARE: f64 = 0.2;
/// A path that broke must be good for ten seconds before it is taken again, and for twice as long each time that it broke before: so
/// it may have, on a busy machine, for nobody's fault. To the second that is judged where time is only a number
/// (`lanparty-peer/src/ways/tests.rs`).
const AGAIN: Duration = Duration::from_secs(150);
/// The relay is gone for so long.
const WITHOUT_RELAY: Duration = Duration::from_secs(20);
/// Longer than a fallback, so that what shall have passed has passed.
const A_MOMENT: Duration = Duration::from_secs(2);
/// What a direct path may cost beside the internet between the routers (spec R140); programs that are built for
/// debugging take longer.
const ON_TOP: Duration = Duration::from_micros(300);
const ON_TOP_DEBUG: Duration = Duration::from_millis(2);
const ATTEMPTS: usize = 5;
/// Of a TCP copy beside all that.
const COPY: u64 = 8_000_000;

/// Who is disturbed by what; each once, since a path that breaks again is left for longer.
const CUT: usize = 0;
const FORGETS: usize = 1;
const MOVES: usize = 2;
const UNHARMED: usize = 3;

pub(crate) struct Evening {
    games: Vec<Game>,
    guests: Mutex<Guests>,
}

/// What a player does all evening.
struct Game {
    pings: Pings,
    tcp: EchoSession,
}

impl World for Evening {
    fn report(&self) -> String {
        self.guests().report()
    }
}

pub(crate) fn begin() -> Result<Evening> {
    let guests = guests(LINUX, &[LINUX; 4])?;
    let games = (0..guests.players.len()).map(|player| {
        goes_direct(&guests, player)?;
        let machine = &guests.players[player].machine;
        Ok(Game {
            tcp: EchoSession::open(machine, &guests.venue.lan1, Venue::LAN1)?,
            pings: Pings::start(machine, Venue::LAN1, PER_SECOND, 56)?,
        })
    });
    let games: Result<Vec<_>> = games.collect();
    Ok(Evening {
        games: games?,
        guests: Mutex::new(guests),
    })
}

pub(crate) fn all() -> Vec<Check<Evening>> {
    checks![
        a_direct_path_costs_hardly_more_than_the_internet_between,
        a_copy_goes_direct,
        a_path_that_is_cut_ends_within_less_than_half_a_second,
        a_players_router_that_forgets_everything,
        a_players_address_changes,
        the_relay_dies_and_nobody_who_is_direct_notices,
        all_of_them_are_direct_again,
        a_hosts_router_that_forgets_everything,
        who_is_kicked_has_no_way_at_all,
    ]
}

impl Evening {
    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happens to a game and to TCP that go direct: neither is without answers for longer than that, and TCP goes on.
    fn lives_through(
        &self,
        player: usize,
        what: &str,
        gap: Duration,
        happens: impl FnOnce(&mut Guests) -> Result<()>,
    ) -> Result<()> {
        self.guests().players[player].goes("direct", AGAIN)?;
        let game = &self.games[player];
        let (begin, spare) = (Instant::now(), Spare::now()?);
        happens(&mut self.guests())?;
        pass(A_MOMENT);
        let report = game.pings.report(begin, Instant::now());
        game.tcp.lives(SOON)?;
        judge(what, &report, gap, spare.was_more_than(TO_SPARE)?)
    }
}

fn judge(what: &str, report: &PingReport, gap: Duration, had_time: bool) -> Result<()> {
    println!(
        "{what}: {:.0?} without an answer, {} of {} lost, {} twice",
        report.silence, report.lost, report.sent, report.twice
    );
    let allowed = gap + if had_time { JITTER } else { BUSY_GAP };
    ensure!(
        report.silence <= allowed,
        "{:?} without an answer",
        report.silence
    );
    ensure!(
        report.twice == 0,
        "{} pings were answered twice",
        report.twice
    );
    Ok(())
}

/// Where the relay is 10 ms away from everybody, its way would take 40 ms.
fn a_direct_path_costs_hardly_more_than_the_internet_between(evening: &Evening) -> Result<()> {
    let guests = evening.guests();
    let player = &guests.players[0].machine;
    let home = &guests.venue.player_routers[0][0].machine;
    let party = guests.venue.gateway_routers[0].outside();
    let is_release = binaries()?.ends_with("release");
    let allowed = if is_release { ON_TOP } else { ON_TOP_DEBUG };
    let mut least = Duration::MAX;
    let spare = Spare::now()?;
    for _ in 0..ATTEMPTS {
        let plain = Trips::measure(home, party.into(), Duration::from_secs(1))?;
        let direct = Trips::measure(player, Venue::LAN1, Duration::from_secs(1))?;
        let (plain, direct) = (plain.quantile(50), direct.quantile(50));
        println!("median: {plain:.3?} between the routers, {direct:.3?} between player and LAN");
        least = least.min(direct.saturating_sub(plain));
        if least <= allowed {
            return Ok(());
        }
    }
    ensure!(
        !spare.was_more_than(TO_SPARE)? && least < Duration::from_millis(10),
        "the direct path takes {least:?} longer than the internet between the routers"
    );
    Ok(())
}

fn a_copy_goes_direct(evening: &Evening) -> Result<()> {
    let guests = evening.guests();
    let relay = &guests.venue.relay;
    let before = relay.packets_received("wan0")?;
    let (player, lan) = (&guests.players[0].machine, &guests.venue.lan1);
    copy(player, lan, Venue::LAN1, COPY)?;
    copy(lan, player, guests.players[0].address()?, COPY)?;
    let by_the_relay = relay.packets_received("wan0")? - before;
    let whole = 2 * COPY / 1500;
    ensure!(
        by_the_relay < whole / 10,
        "{by_the_relay} of more than {whole} packets went by the relay"
    );
    Ok(())
}

fn a_path_that_is_cut_ends_within_less_than_half_a_second(evening: &Evening) -> Result<()> {
    let cut = |guests: &mut Guests| {
        let venue = &guests.venue;
        let home = venue.player_routers[CUT][0].outside();
        let party = venue.gateway_routers[0].outside();
        let cut = Weather::NoUdpBetween(home.into(), party.into());
        venue.internet.weather(&[cut])
    };
    evening.lives_through(CUT, "the path is cut", GAP, cut)?;
    let guests = evening.guests();
    guests.players[CUT].goes("relay", SOON)?;
    guests.venue.internet.weather(&[])
}

/// As some carriers' do after a minute, whatever goes on: the next packets leave by another port.
fn a_players_router_that_forgets_everything(evening: &Evening) -> Result<()> {
    let forgets =
        |guests: &mut Guests| guests.venue.player_routers[FORGETS][0].becomes(Nat::Port(7000));
    evening.lives_through(FORGETS, "a player's router forgets", GAP_OF_BOTH, forgets)
}

fn a_players_address_changes(evening: &Evening) -> Result<()> {
    let moves = |guests: &mut Guests| {
        let router = &mut guests.venue.player_routers[MOVES][0];
        router.renumber()?;
        router.forget().map(drop)
    };
    evening.lives_through(MOVES, "a player's address changes", MOVE, moves)
}

/// TCP beside the game confirms to the systems at both ends that the other one is there. A game without it is there too:
/// with that machine they ask by ARP, which goes by the relay alone, and here each second, not after half a minute.
fn the_relay_dies_and_nobody_who_is_direct_notices(evening: &Evening) -> Result<()> {
    evening.guests().players[UNHARMED].goes("direct", AGAIN)?;
    let game = &evening.games[UNHARMED];
    let alone = {
        let guests = evening.guests();
        let player = &guests.players[UNHARMED].machine;
        asks_often(player, Player::TAP)?;
        asks_often(&guests.venue.lan2, "eth0")?;
        player.pings(Venue::LAN2, 56)?;
        Pings::start(player, Venue::LAN2, PER_SECOND, 56)?
    };
    pass(A_MOMENT);
    let (begin, spare) = (Instant::now(), Spare::now()?);
    evening.guests().relay.kill()?;
    pass(WITHOUT_RELAY);
    let had_time = spare.was_more_than(TO_SPARE)?;
    for (what, pings) in [("with TCP beside it", &game.pings), ("alone", &alone)] {
        let what = format!("the relay is dead, a game {what}");
        judge(&what, &pings.report(begin, Instant::now()), GAP, had_time)?;
    }
    game.tcp.lives(SOON)?;
    evening.guests().restart_relay()
}

/// Who is not heard of by anything but packets is asked for anew each second.
fn asks_often(machine: &Machine, interface: &str) -> Result<()> {
    let neighbours = format!("net/ipv4/neigh/{interface}");
    machine.sysctl(&format!("{neighbours}/base_reachable_time_ms"), "500")?;
    machine.sysctl(&format!("{neighbours}/delay_first_probe_time"), "1")
}

fn all_of_them_are_direct_again(evening: &Evening) -> Result<()> {
    for (player, game) in evening.games.iter().enumerate() {
        let guests = evening.guests();
        guests.players[player].goes("direct", AGAIN)?;
        let ready = |snapshot: &serde_json::Value| snapshot["state"] == "connected";
        guests.players[player].shows("the player is in", SOON, ready)?;
        drop(guests);
        game.tcp.lives(SOON)?;
    }
    Ok(())
}

fn a_hosts_router_that_forgets_everything(evening: &Evening) -> Result<()> {
    let forgets = |guests: &mut Guests| guests.venue.gateway_routers[0].becomes(Nat::Port(7000));
    evening.lives_through(UNHARMED, "the host's router forgets", GAP_OF_BOTH, forgets)?;
    evening.guests().players[UNHARMED].goes("direct", AGAIN)?;
    Ok(())
}

/// The player's router is made deaf, so that the client is told nothing and goes on sending. It comes back with its invite later,
/// as who was kicked may.
fn who_is_kicked_has_no_way_at_all(evening: &Evening) -> Result<()> {
    let guests = evening.guests();
    // The host's router has just broken this path, which on a busy machine is left again.
    guests.players[UNHARMED].goes("direct", AGAIN)?;
    let player = &guests.players[UNHARMED].machine;
    let mac = player.mac(Player::TAP)?;
    let switch = &guests.venue.switch;
    let eye = switch.enter(|| RawSocket::open("gw"))?;
    eye.set_nonblocking()?;
    let from_player = || {
        let mut buffer = [0; 2048];
        let frames =
            std::iter::from_fn(|| eye.receive(&mut buffer).ok().map(|_| buffer[6..12] == mac));
        frames.filter(|is_players| *is_players).count()
    };
    eventually("a frame of the player's comes to the LAN", SOON, || {
        (from_player() > 0).then_some(())
    })?;
    let router = &guests.venue.player_routers[UNHARMED][0];
    let kicked = thread::scope(|scope| {
        let deaf = scope.spawn(|| router.weather(&[Weather::DeafToUdp]));
        let kicked = guests.ctl(&["kick", "player4"]);
        let Ok(deaf) = deaf.join() else {
            bail!("a thread panicked")
        };
        deaf.and(kicked)
    });
    kicked.context("the host kicks")?;
    let before = from_player();
    pass(A_MOMENT);
    let after = from_player();
    router.weather(&[])?;
    println!("{before} frames of the player's while it was kicked, {after} after it");
    ensure!(
        after == 0,
        "{after} frames of who was kicked came to the LAN"
    );
    Ok(())
}
