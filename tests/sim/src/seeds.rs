//! Which seeds are played: ten thousand, four thousand where the build is not optimised, or what the environment says.
//!
//! `LANPARTY_SIM_SEEDS=1000000 cargo test -p lanparty-sim` plays more of them;
//! `LANPARTY_SIM_SEED=4711 cargo test -p lanparty-sim -- --nocapture` replays one and tells it step by step.

use std::panic::{self, AssertUnwindSafe};
use std::thread;

/// How many seeds are played where nobody asks for another number. As many reach every corner that the tests want reached.
pub const SEEDS: u64 = if cfg!(debug_assertions) {
    4_000
} else {
    10_000
};

/// Plays them all with `play`, which gets a seed and whether to tell what happens, and adds up what they
/// say; answers how many and their sum, or nothing when a single one was replayed.
///
/// # Panics
/// When a seed fails; the message says how to replay it.
pub fn play_all<T: Default + Send>(
    test: &str,
    play: fn(u64, bool) -> T,
    add: fn(&mut T, T),
) -> Option<(u64, T)> {
    play_some(test, SEEDS, play, add)
}

/// The same with so many seeds where nobody asks for another number.
///
/// # Panics
/// As [`play_all`] does.
pub fn play_some<T: Default + Send>(
    test: &str,
    usual: u64,
    play: fn(u64, bool) -> T,
    add: fn(&mut T, T),
) -> Option<(u64, T)> {
    if let Some(seed) = number("LANPARTY_SIM_SEED") {
        play(seed, true);
        return None;
    }
    let seeds = number("LANPARTY_SIM_SEEDS").unwrap_or(usual);
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let play_some = |worker| {
        let mut sum = T::default();
        for seed in (worker..seeds).step_by(workers as usize) {
            match panic::catch_unwind(AssertUnwindSafe(|| play(seed, false))) {
                Ok(played) => add(&mut sum, played),
                Err(_) => panic!(
                    "seed {seed} fails; replay it with LANPARTY_SIM_SEED={seed} cargo test -p lanparty-sim --test {test} -- --nocapture"
                ),
            }
        }
        sum
    };
    let sum = thread::scope(|scope| {
        let played: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || play_some(worker)))
            .collect();
        let mut sum = T::default();
        for worker in played {
            add(&mut sum, worker.join().expect("no seed fails, see above"));
        }
        sum
    });
    Some((seeds, sum))
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not `{value}`")),
    )
}
