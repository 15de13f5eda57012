//! A line of 20 Mbit/s that somebody with a thousand ports fills, and a game beside it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lanparty_lab::traffic::{End, Trips};
use lanparty_lab::{
    Addressing, Machine, Party, Player, Spare, Venue, WireConditions, binaries, pass,
};

use crate::door::{Door, of_a_player, of_the_lan};
use crate::{ATTEMPTS, TO_SPARE, WATCHED};

/// A line, the same in both directions, and the frames that fill it.
#[derive(Clone, Copy)]
struct Line {
    rate: f64,
    length: usize,
}

/// For a machine whose programs carry twice as much as this.
const WIDE: Line = Line {
    rate: 20e6,
    length: 100,
};
/// For one that has other work, or programs that nobody has optimised: a tenth of the frames.
const NARROW: Line = Line {
    rate: 6e6,
    length: 300,
};
/// What waits in front of a line at most, as time.
const QUEUE: Duration = Duration::from_millis(100);
const DELAY: Duration = Duration::from_millis(5);
/// What a frame takes of the line besides itself: a header of ours, and its part of QUIC's and IP's.
const HEADERS: usize = 15;
/// The flood offers so many times what the line takes.
const OFFERED: f64 = 2.0;
/// By then the gate has found the line's rate.
const BEGIN: Duration = Duration::from_secs(2);
/// A flood that fills less of the line with its frames fills no line. The rest is headers of packets, and the game.
const FULL: f64 = 0.5;
/// The same where others have the processor.
const FULL_WHEN_BUSY: f64 = 0.3;
/// Packets that are on their way before any queue of ours are ahead of the game's.
const AHEAD: f64 = 3.0;
const PACKET: f64 = 1250.0 * 8.0;

/// How many of a hundred of a game's packets are judged, and by how much they may take longer than on an idle line.
const TIGHT: (usize, Duration) = (99, Duration::from_millis(5));
/// Where others have the processor. A queue that is fair to flows only loses half of a game's packets, whatever the machine.
const BUSY: (usize, Duration) = (90, Duration::from_millis(200));
const LOST_WHEN_BUSY: f64 = 0.1;

/// The wires, by their places.
const GATEWAYS: usize = 0;
const FIRST_PLAYERS: usize = 1;

pub(crate) fn behind_lines() -> Result<Party> {
    Party::builder()
        .players(2)
        .addressing(Addressing::Static)
        .paths(WireConditions {
            delay: DELAY,
            ..WireConditions::default()
        })
        .start()
}

pub(crate) fn a_game_passes_another_player_who_floods_its_line(party: &Party) -> Result<()> {
    let [game, flooder] = [0, 1].map(|index| &party.players[index]);
    let door = of_a_player(flooder, game.mac());
    passes(party, FIRST_PLAYERS, door, (&game.machine, Player::TAP))
}

pub(crate) fn a_game_passes_another_player_who_floods_the_gateways_line(
    party: &Party,
) -> Result<()> {
    let lan2 = &party.venue.lan2;
    let door = of_a_player(&party.players[1], lan2.mac("eth0")?);
    passes(party, GATEWAYS, door, (lan2, "eth0"))
}

pub(crate) fn a_game_passes_a_machine_of_the_lan_that_floods_its_player(
    party: &Party,
) -> Result<()> {
    let game = &party.players[0];
    let door = of_the_lan(party, game)?;
    passes(party, GATEWAYS, door, (&game.machine, Player::TAP))
}

impl Line {
    /// Frames a second that overfill it.
    fn offered(self) -> f64 {
        OFFERED * self.rate / 8.0 / (self.length + HEADERS) as f64
    }

    fn conditions(self) -> WireConditions {
        let queue = self.rate / 8.0 * QUEUE.as_secs_f64();
        WireConditions {
            rate: Some((self.rate as u64, queue as usize)),
            ..far_away()
        }
    }
}

fn far_away() -> WireConditions {
    WireConditions {
        delay: DELAY,
        ..WireConditions::default()
    }
}

/// The first player's game with the LAN loses nothing while a flood to `sink` fills this wire.
fn passes(party: &Party, wire: usize, door: Door<'_>, sink: End<'_>) -> Result<()> {
    let player = &party.players[0].machine;
    // The room has to know where everybody is, or a flood is one for nobody.
    for machine in [player, &party.players[1].machine] {
        machine.pings(Venue::LAN1, 56)?;
        machine.pings(Venue::LAN2, 56)?;
    }
    let door = |line: Line| Door {
        length: line.length,
        ..door
    };
    let carried = door(WIDE).carried(Some(WIDE.offered()), sink)?;
    // One thread of a debug program is full while half of two processors is idle, so nothing but its folder tells.
    let is_release = binaries()?.ends_with("release");
    let line = match is_release && carried * OFFERED >= WIDE.offered() {
        true => WIDE,
        false => NARROW,
    };
    let wire = &party.venue.wires[wire];
    wire.set(line.conditions());
    let outcome = judge(player, line, door(line), sink);
    wire.set(far_away());
    outcome
}

fn judge(player: &Machine, line: Line, door: Door<'_>, sink: End<'_>) -> Result<()> {
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        let spare = Spare::now()?;
        let idle = Trips::measure(player, Venue::LAN1, WATCHED)?;
        let storm = door.storm(Some(line.offered()))?;
        pass(BEGIN);
        let (begin, before) = (Instant::now(), sink.0.packets_received(sink.1)?);
        let beside = Trips::measure(player, Venue::LAN1, WATCHED)?;
        let came = (sink.0.packets_received(sink.1)? - before) as f64;
        drop(storm);
        let is_quiet = spare.was_more_than(TO_SPARE)?;
        let share = came / begin.elapsed().as_secs_f64() * (8 * line.length) as f64 / line.rate;
        println!(
            "  a line of {:.0} Mbit/s, {share:.2} of it the flood's; is the machine our own: {is_quiet}",
            line.rate / 1e6
        );
        let ((percent, most), full, lost) = match is_quiet {
            true => (TIGHT, FULL, 0.0),
            false => (BUSY, FULL_WHEN_BUSY, LOST_WHEN_BUSY),
        };
        let ahead = Duration::from_secs_f64(AHEAD * PACKET / line.rate);
        outcome = compare(&idle, &beside, lost, (percent, ahead + most)).and_then(|()| {
            ensure!(share >= full, "the flood fills {share:.2} of the line");
            Ok(())
        });
        // Only others can take a packet from a machine that has time for it.
        if outcome.is_ok() || is_quiet && beside.lost > 0.0 {
            break;
        }
    }
    outcome
}

fn compare(
    idle: &Trips,
    beside: &Trips,
    lost: f64,
    (percent, most): (usize, Duration),
) -> Result<()> {
    let [idle50, idle99] = [50, 99].map(|percent| idle.quantile(percent));
    let [beside50, beside99] = [50, 99].map(|percent| beside.quantile(percent));
    println!(
        "    p50 {idle50:.2?}, p99 {idle99:.2?} on an idle line; {beside50:.2?}, {beside99:.2?} beside the flood, {:.3} lost; {most:.0?} more is allowed",
        beside.lost
    );
    ensure!(
        beside.lost <= lost,
        "{:.3} of the game's packets got lost",
        beside.lost
    );
    let [before, now] = [idle, beside].map(|trips| trips.quantile(percent));
    ensure!(
        now <= before + most,
        "{percent} of a hundred of the game's packets take up to {now:?}, {before:?} on an idle line"
    );
    Ok(())
}
