//! Joining again and again: every time there is a direct path, soon.

use std::env;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::{Check, Guest, Guests, Spare, checks};

use crate::{LINUX, SOON, plan};

/// How often in all; `LANPARTY_JOINS=100` for the promise itself.
const JOINS: &str = "LANPARTY_JOINS";
const USUALLY: usize = 12;
/// From the LAN to the direct path, where the machine has time (spec R140).
const DIRECT_WITHIN: Duration = Duration::from_secs(2);
const TO_SPARE: f64 = 0.2;

pub(crate) fn gather() -> Result<Guests> {
    Guests::gather(plan(LINUX, &[LINUX, LINUX, LINUX, LINUX]))
}

pub(crate) fn all() -> Vec<Check<Guests>> {
    checks![ordinary_and_ordinary_every_time]
}

/// Each has another port each time, as each has another socket.
fn ordinary_and_ordinary_every_time(guests: &Guests) -> Result<()> {
    let wanted = match env::var(JOINS) {
        Ok(number) => number.parse().context(JOINS)?,
        Err(_) => USUALLY,
    };
    let each = wanted / guests.players.len();
    let begin = Spare::now()?;
    let took = thread::scope(|scope| {
        let players = guests.players.iter();
        let threads: Vec<_> = players
            .map(|guest| scope.spawn(move || (0..each).map(|_| comes_and_goes(guest)).collect()))
            .collect();
        let mut took = Vec::new();
        for thread in threads {
            let Ok(times) = thread.join() else {
                bail!("a player panicked")
            };
            let times: Result<Vec<Duration>> = times;
            took.extend(times?);
        }
        Ok(took)
    })?;
    let had_time = begin.was_more_than(TO_SPARE)?;
    let mut took = took;
    took.sort();
    let (middle, last) = (took[took.len() / 2], took[took.len() - 1]);
    println!(
        "{} of {} direct; half of them within {middle:.1?} of the LAN, all within {last:.1?}",
        took.len(),
        each * guests.players.len()
    );
    ensure!(
        middle <= DIRECT_WITHIN || !had_time,
        "half of them took longer than {middle:?}"
    );
    Ok(())
}

fn comes_and_goes(guest: &Guest) -> Result<Duration> {
    guest.join()?;
    let took = guest.goes("direct", SOON)?;
    guest.leave()?;
    guest.goes_away()?;
    Ok(took)
}
