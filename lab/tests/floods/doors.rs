//! What a flood does to the program behind its door, and to others.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::traffic::{End, Storm, Trips};
use lanparty_lab::{
    Machine, Party, Plan, Player, Process, Spare, Venue, World, eventually, pass, program,
};

use crate::door::{Door, PORTS, SHORTEST, of_a_player, of_the_lan};
use crate::{ATTEMPTS, TO_SPARE, WATCHED};

const EVERYBODY: [u8; 6] = [0xff; 6];
const QUARTER: Duration = Duration::from_millis(250);
const QUARTERS: usize = 12;
/// A storm of fewer frames a second is none.
const STORM: f64 = 20_000.0;
/// In so many of the quarters of a second others may have the processor. A loop that reads its port for as long as there is
/// something in it is silent in two of three.
const SILENT: usize = QUARTERS / 3;
/// How long a program may take to say how things stand, which it never does while a flood keeps it from that.
const ANSWERS: Duration = Duration::from_secs(30);
const JOIN: Duration = Duration::from_secs(20);

/// Of what gets through a party in a storm, a flood of this part is one that it can carry: nobody's frames are lost on the
/// way into a program, where none of ours decides which.
const CARRIED: f64 = 0.5;
/// But no port is silent for a second.
const LEAST: f64 = PORTS as f64;

/// By how much pings may take longer beside a flood than without.
struct Slower {
    median: Duration,
    /// So many of a hundred, and by how much.
    most: (usize, Duration),
    /// The part that may get lost, on the way into a program that had no turn.
    lost: f64,
}

const TIGHT: Slower = Slower {
    median: Duration::from_millis(2),
    most: (99, Duration::from_millis(5)),
    lost: 0.0,
};
/// Where others have the processor. A program that a flood keeps from sending takes seconds, or loses most.
const BUSY: Slower = Slower {
    median: Duration::from_millis(20),
    most: (90, Duration::from_millis(200)),
    lost: 0.1,
};

pub(crate) fn of_two() -> Result<Party> {
    Party::builder().players(2).start()
}

pub(crate) fn of_three() -> Result<Party> {
    Party::builder().players(3).start()
}

pub(crate) fn others_play_on_beside_a_flood_of_the_lan(party: &Party) -> Result<()> {
    let flooded = &party.players[0];
    let door = of_the_lan(party, flooded)?;
    let pace = pace(door, (&flooded.machine, Player::TAP))?;
    others_play_on(door, pace, &[&party.players[1].machine])
}

pub(crate) fn a_storm_on_the_lan_does_not_silence_the_gateway(party: &Party) -> Result<()> {
    let gateway = &party.venue.gateway;
    let storm = of_the_lan(party, &party.players[0])?.storm(None)?;
    sends_all_the_time((gateway, "gateway"), &storm, &[&party.players[1].machine])?;
    answers("gateway", || gateway.ctl("lanparty-gateway", &["list"]))?;
    ends_soon(&party.gateway)
}

pub(crate) fn others_play_on_beside_a_flood_at_an_adapter(scene: &Serviced) -> Result<()> {
    let door = scene.door()?;
    let pace = pace(door, (&scene.venue.lan2, "eth0"))?;
    others_play_on(door, pace, &[&scene.venue.remotes[1]])
}

pub(crate) fn a_storm_at_an_adapter_neither_silences_the_client_nor_makes_it_deaf(
    scene: &Serviced,
) -> Result<()> {
    let machine = &scene.venue.remotes[0];
    let storm = scene.door()?.storm(None)?;
    sends_all_the_time((machine, "client"), &storm, &[&scene.venue.remotes[1]])?;
    answers("client", || {
        machine.run(client(&["status", "--socket", &socket(machine)])?)
    })?;
    ends_soon(&scene.services[0])
}

pub(crate) fn others_play_on_beside_a_player_who_floods_another(party: &Party) -> Result<()> {
    let [_, hit, other] = players_of(party)?;
    let door = of_a_player(&party.players[0], hit.mac());
    let pace = pace(door, (&hit.machine, Player::TAP))?;
    others_play_on(door, pace, &[&hit.machine, &other.machine])
}

pub(crate) fn others_play_on_beside_a_player_who_floods_everybody(party: &Party) -> Result<()> {
    let [_, hit, other] = players_of(party)?;
    // The relay lets few broadcasts through, so what it can carry of them is what it can carry of anything.
    let pace = pace(
        of_a_player(&party.players[0], hit.mac()),
        (&hit.machine, Player::TAP),
    )?;
    let door = of_a_player(&party.players[0], EVERYBODY);
    others_play_on(door, pace, &[&hit.machine, &other.machine])
}

pub(crate) fn a_storm_from_a_player_neither_silences_the_relay_nor_makes_it_deaf(
    party: &Party,
) -> Result<()> {
    let relay = &party.venue.relay;
    let storm = of_a_player(&party.players[0], party.players[1].mac()).storm(None)?;
    let [_, hit, other] = players_of(party)?;
    sends_all_the_time((relay, "relay"), &storm, &[&hit.machine, &other.machine])?;
    answers("relay", || relay.ctl("lanparty-relay", &["peers"]))?;
    ends_soon(&party.relay)?;
    // And the client, which now has nobody to send to, while its adapter is flooded as before.
    ends_soon(&party.players[0].program)
}

fn players_of(party: &Party) -> Result<&[Player; 3]> {
    party.players[..].try_into().context("three players")
}

/// A party whose players have the client as a service; the first one's adapter is flooded.
pub(crate) struct Serviced {
    services: Vec<Process>,
    gateway: Process,
    relay: Process,
    venue: Venue,
}

impl World for Serviced {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway];
        let programs = programs.into_iter().chain(&self.services);
        let tails = programs.map(|program| program.tail(15));
        tails.collect::<Vec<_>>().join("\n---\n")
    }
}

impl Serviced {
    pub(crate) fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", program("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", JOIN)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim();
        let address = Venue::RELAY.to_string();
        let place = ["--relay", &address, "--pin", pin, "--room", "FLOODED"];
        let gateway = |first: &[&str]| {
            let mut command = program("lanparty-gateway")?;
            command.extend(first.iter().chain(&place).map(|&word| word.to_owned()));
            anyhow::Ok(command)
        };
        let printed = venue.gateway.run(gateway(&["invite"])?)?;
        let invite = printed.lines().next().context("an invite")?;
        let opening = gateway(&["--interface", "eth0"])?;
        let gateway = venue.gateway.spawn("gateway", opening)?;
        gateway.wait_for_line("connected to the relay", JOIN)?;
        let mut services = Vec::new();
        for machine in &venue.remotes {
            let (socket, state) = (socket(machine), format!("{}-service", machine.name()));
            let service = client(&["service", "--socket", &socket, "--state", &state])?;
            let service = machine.spawn("service", service)?;
            service.wait_for_line("Views are heard", JOIN)?;
            machine.run(client(&["join", invite, "--socket", &socket])?)?;
            let address = || machine.ipv4(Player::TAP);
            eventually("a player has an address", JOIN, address)?;
            services.push(service);
        }
        Ok(Self {
            services,
            gateway,
            relay,
            venue,
        })
    }

    /// From the first player's adapter to a machine of the LAN. The other one is for pings.
    fn door(&self) -> Result<Door<'_>> {
        let (machine, lan2) = (&self.venue.remotes[0], &self.venue.lan2);
        let (source, to) = (machine.mac(Player::TAP)?, lan2.mac("eth0")?);
        let from = (machine, Player::TAP);
        // What is for somebody whom nobody knows is a broadcast, of which few are let through.
        machine.pings(Venue::LAN2, 56)?;
        Ok(Door {
            from,
            source,
            to,
            length: SHORTEST,
        })
    }
}

fn socket(of: &Machine) -> String {
    format!("{}.sock", of.name())
}

fn client(words: &[&str]) -> Result<Vec<String>> {
    let mut command = program("lanparty-client")?;
    command.extend(words.iter().map(|word| (*word).to_owned()));
    Ok(command)
}

/// Frames a second that the party can carry from there to `sink` without losing others' on the way into a program.
fn pace(door: Door<'_>, sink: End<'_>) -> Result<f64> {
    Ok((door.carried(Some(STORM), sink)? * CARRIED).max(LEAST))
}

/// While the flood goes on at this pace the players' pings to the LAN come back, and as soon as without it.
fn others_play_on(door: Door<'_>, pace: f64, players: &[&Machine]) -> Result<()> {
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        let quiet = pings(players)?;
        let spare = Spare::now()?;
        let storm = door.storm(Some(pace))?;
        let begin = Instant::now();
        let flooded = pings(players)?;
        let sent = storm.offered() as f64 / begin.elapsed().as_secs_f64();
        drop(storm);
        let is_quiet = spare.was_more_than(TO_SPARE)?;
        println!("  {sent:.0} frames a second, is the machine our own: {is_quiet}");
        ensure!(sent > pace / 2.0, "{sent:.0} frames a second are no flood");
        outcome = quiet.iter().zip(&flooded).try_for_each(|(quiet, flooded)| {
            compare(quiet, flooded, if is_quiet { TIGHT } else { BUSY })
        });
        if outcome.is_ok() {
            break;
        }
        // Only others can take a ping from a machine that has time for it.
        if is_quiet && flooded.iter().any(|trips| trips.lost > 0.0) {
            break;
        }
    }
    outcome
}

pub(crate) fn pings(players: &[&Machine]) -> Result<Vec<Trips>> {
    thread::scope(|scope| {
        let measured: Vec<_> = players
            .iter()
            .map(|player| scope.spawn(|| Trips::measure(player, Venue::LAN1, WATCHED)))
            .collect();
        let joined = measured.into_iter().map(|trips| match trips.join() {
            Ok(trips) => trips,
            Err(_) => bail!("the pings panicked"),
        });
        joined.collect()
    })
}

fn compare(quiet: &Trips, flooded: &Trips, slower: Slower) -> Result<()> {
    let of = |trips: &Trips| [50, 99].map(|percent| trips.quantile(percent));
    let ([median, p99], [median_now, p99_now]) = (of(quiet), of(flooded));
    println!(
        "    p50 {median:.2?}, p99 {p99:.2?} without the flood; {median_now:.2?}, {p99_now:.2?} beside it, {:.3} lost",
        flooded.lost
    );
    ensure!(quiet.lost <= slower.lost, "pings get lost without a flood");
    ensure!(
        flooded.lost <= slower.lost,
        "{:.3} of the pings got lost",
        flooded.lost
    );
    ensure!(
        median_now <= median + slower.median,
        "half of the pings take {median_now:?} beside the flood, {median:?} without"
    );
    let (percent, most) = slower.most;
    let [before, now] = [quiet, flooded].map(|trips| trips.quantile(percent));
    ensure!(
        now <= before + most,
        "{percent} of a hundred pings take up to {now:?} beside the flood, {before:?} without"
    );
    Ok(())
}

/// The program goes on sending to the internet, all the time of the storm; not each time where others have the processor, but one
/// that a flood silences it silences whenever it is looked at.
fn sends_all_the_time(
    (machine, who): (&Machine, &str),
    storm: &Storm,
    others: &[&Machine],
) -> Result<()> {
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        outcome = sends_now((machine, who), storm, others);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Says how others' pings fare meanwhile.
fn sends_now((machine, who): (&Machine, &str), storm: &Storm, others: &[&Machine]) -> Result<()> {
    thread::scope(|scope| {
        let pings = scope.spawn(|| pings(others));
        let (begin, before) = (Instant::now(), storm.offered());
        let counts = counts(machine)?;
        let per_second = (storm.offered() - before) as f64 / begin.elapsed().as_secs_f64();
        println!(
            "\n  {per_second:.0} frames a second; packets that the {who} sent in each quarter of a second: {counts:?}"
        );
        ensure!(
            per_second >= STORM,
            "{per_second:.0} frames a second are no storm"
        );
        let silent = counts.iter().filter(|&&count| count == 0).count();
        ensure!(silent <= SILENT, "the {who} fell silent: {counts:?}");
        let Ok(pings) = pings.join() else {
            bail!("the pings panicked")
        };
        for trips in pings? {
            let [median, p99] = [50, 99].map(|percent| trips.quantile(percent));
            println!(
                "    p50 {median:.2?}, p99 {p99:.2?}, {:.3} lost",
                trips.lost
            );
        }
        Ok(())
    })
}

/// Packets that leave in each quarter of a second.
fn counts(machine: &Machine) -> Result<Vec<u64>> {
    let mut before = machine.packets_sent("wan0")?;
    let mut count = || {
        pass(QUARTER);
        let now = machine.packets_sent("wan0")?;
        Ok(now - std::mem::replace(&mut before, now))
    };
    (0..QUARTERS).map(|_| count()).collect()
}

fn answers(who: &str, ask: impl FnOnce() -> Result<String>) -> Result<()> {
    let asked = Instant::now();
    ask()?;
    let took = asked.elapsed();
    println!("  the {who} says how things stand after {took:.1?}");
    ensure!(took < ANSWERS, "the {who} answered after {took:?}");
    Ok(())
}

/// Within the few seconds after which it would be killed.
fn ends_soon(program: &Process) -> Result<()> {
    let (asked, who) = (Instant::now(), program.title());
    let status = program.interrupt()?;
    println!("  the {who} ended {:.1?} after Ctrl-C", asked.elapsed());
    ensure!(status.success(), "{who} ended with {status}");
    Ok(())
}
