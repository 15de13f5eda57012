//! Tests that share one party: built by the first of them, removed after the last, however they end.

use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use lanparty_skip::{SKIPPED, STRICT, is_strict};
use libtest_mimic::{Arguments, Failed, Trial};

use crate::Needs;
use crate::lab::{end_programs, remove_all};

/// A test that takes longer hangs. The longest take a minute where a machine is slow.
const LONGEST: Duration = Duration::from_secs(300);
/// Whoever waited for a program comes back by then, once the programs are gone.
const COMES_BACK: Duration = Duration::from_secs(10);

/// What a suite's tests share.
pub trait World: Send + Sync + 'static {
    /// What a person wants to see beside a failure.
    fn report(&self) -> String {
        String::new()
    }
}

/// For tests that share nothing.
impl World for () {}

/// A test: its name and what it does.
pub type Check<W> = (&'static str, fn(&W) -> Result<()>);

/// Names functions as checks: `checks![a_sentence, another_one]`.
#[macro_export]
macro_rules! checks {
    ($($check:path),* $(,)?) => { vec![$((stringify!($check), $check as fn(&_) -> _)),*] };
}

/// Tests and the world they share.
#[derive(Debug)]
pub struct Suite {
    trials: Vec<Trial>,
}

impl Suite {
    /// Makes a suite; its tests are called `name::check`.
    pub fn new<W: World>(name: &str, world: fn() -> Result<W>, checks: Vec<Check<W>>) -> Self {
        Self::within(LONGEST, name, world, checks)
    }

    /// The same for tests of which each takes so long at most.
    pub fn within<W: World>(
        limit: Duration,
        name: &str,
        world: fn() -> Result<W>,
        checks: Vec<Check<W>>,
    ) -> Self {
        // The last test to be dropped drops the world, so one party at a time is alive.
        let shared = Arc::new(Shared {
            begin: world,
            world: OnceLock::new(),
            hung: OnceLock::new(),
        });
        let trial = |(check, action): Check<W>| {
            let shared = Arc::clone(&shared);
            let check = check.rsplit("::").next().unwrap_or(check);
            Trial::test(format!("{name}::{check}"), move || {
                shared.watch(check, limit, action)
            })
        };
        Self {
            trials: checks.into_iter().map(trial).collect(),
        }
    }
}

struct Shared<W> {
    begin: fn() -> Result<W>,
    world: OnceLock<Result<W, String>>,
    /// The test that took the world with it.
    hung: OnceLock<&'static str>,
}

impl<W: World> Shared<W> {
    /// Runs a test on a thread of its own, so that one that hangs is one that failed. Its programs are ended, which ends
    /// most waits; a thread that waits for something else is left behind.
    fn watch(
        self: &Arc<Self>,
        check: &'static str,
        limit: Duration,
        action: fn(&W) -> Result<()>,
    ) -> Result<(), Failed> {
        if let Some(hung) = self.hung.get() {
            return Err(
                format!("not run, because `{hung}` hung and took the party with it").into(),
            );
        }
        let (ending, ended) = channel();
        let shared = Arc::clone(self);
        let test = thread::spawn(move || {
            let outcome = shared.run(action);
            drop(shared);
            let _ = ending.send(outcome); // nobody waits any more for who hung
        });
        match ended.recv_timeout(limit) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => match test.join() {
                Ok(()) => unreachable!("a test that returns says how it went"),
                Err(panic) => resume_unwind(panic),
            },
            Err(RecvTimeoutError::Timeout) => {}
        }
        let _ = self.hung.set(check);
        end_programs();
        let word = match ended.recv_timeout(COMES_BACK) {
            Ok(Err(why)) => why.message().unwrap_or_default().to_owned(),
            Ok(Ok(())) => "It came back when its programs were gone.".to_owned(),
            Err(_) => "It hangs on after its programs are gone.".to_owned(),
        };
        Err(format!("hung: not done within {limit:?}, so its programs were ended\n{word}").into())
    }

    fn run(&self, action: fn(&W) -> Result<()>) -> Result<(), Failed> {
        let begin = || (self.begin)().map_err(|error| format!("{error:#}"));
        let world = self.world.get_or_init(begin);
        let world = world
            .as_ref()
            .map_err(|error| Failed::from(format!("the suite did not start: {error}")))?;
        action(world).map_err(|error| Failed::from(format!("{error:#}\n{}", world.report())))
    }
}

/// Runs suites one test after the other, as `cargo test` expects; says so when this machine cannot, which is a failure
/// where nothing may be skipped.
pub fn run(needs: &Needs, suites: impl IntoIterator<Item = Suite>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    if !arguments.list
        && let Some(reason) = needs.missing()
    {
        return left_out(&reason, is_strict());
    }
    arguments.test_threads = Some(1);
    let trials = suites.into_iter().flat_map(|suite| suite.trials).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.has_failed() {
        remove_all(); // what a thread that hangs still holds
    }
    conclusion.exit_code()
}

fn left_out(reason: &str, strict: bool) -> ExitCode {
    if strict {
        println!("FAILED: {STRICT} allows nothing to be skipped: {reason}");
        return ExitCode::FAILURE;
    }
    println!("{SKIPPED}{reason}");
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_skipped_or_fails() {
        assert_eq!(left_out("no root", false), ExitCode::SUCCESS);
        assert_eq!(left_out("no root", true), ExitCode::FAILURE);
    }
}
