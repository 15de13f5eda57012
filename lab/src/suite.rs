//! Tests that share one party: built by the first of them, removed after the last, however they end.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::Needs;

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
        // The last test to be dropped drops the world, so one party at a time is alive.
        let shared: Arc<OnceLock<Result<W, String>>> = Arc::default();
        let trial = |(check, action): Check<W>| {
            let shared = Arc::clone(&shared);
            let check = check.rsplit("::").next().unwrap_or(check);
            Trial::test(format!("{name}::{check}"), move || {
                let world = shared.get_or_init(|| world().map_err(|error| format!("{error:#}")));
                let world = world
                    .as_ref()
                    .map_err(|error| Failed::from(format!("the suite did not start: {error}")))?;
                action(world)
                    .map_err(|error| Failed::from(format!("{error:#}\n{}", world.report())))
            })
        };
        Self {
            trials: checks.into_iter().map(trial).collect(),
        }
    }
}

/// Runs suites one test after the other, as `cargo test` expects; says so when this machine cannot.
pub fn run(needs: &Needs, suites: impl IntoIterator<Item = Suite>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    if !arguments.list
        && let Some(reason) = needs.missing()
    {
        println!("SKIPPED: {reason}");
        return ExitCode::SUCCESS;
    }
    arguments.test_threads = Some(1);
    let trials = suites.into_iter().flat_map(|suite| suite.trials).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
