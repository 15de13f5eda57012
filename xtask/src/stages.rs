//! A list of commands with names: run one after the other, timed, summed up.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lanparty_skip::{SKIPPED, STRICT, is_strict};

use crate::watch;

/// Runs stages and remembers how they went.
pub(crate) struct Stages {
    results: Vec<StageResult>,
    /// Whether what is skipped has failed.
    strict: bool,
}

impl Default for Stages {
    fn default() -> Self {
        Self {
            results: Vec::new(),
            strict: is_strict(),
        }
    }
}

struct StageResult {
    name: &'static str,
    passed: bool,
    took: Duration,
    skipped: Vec<String>,
    /// The last that it said, where it failed and nobody may look further up.
    last_lines: Vec<String>,
}

/// How a command went.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    passed: bool,
    skipped: Vec<String>,
    last_lines: Vec<String>,
}

/// Of a failed stage the summary repeats so many lines: a compiler's error is among them.
const LAST_LINES: usize = 40;

impl Stages {
    /// Runs a command as a stage; a failed one does not keep the next from running. Says whether it passed.
    pub(crate) fn run(&mut self, name: &'static str, command: &mut Command) -> Result<bool> {
        self.run_within(Duration::MAX, name, command)
    }

    /// The same, and ends the command with all that it started when it takes longer.
    pub(crate) fn run_within(
        &mut self,
        limit: Duration,
        name: &'static str,
        command: &mut Command,
    ) -> Result<bool> {
        println!("\n=== {name}");
        let begin = Instant::now();
        let Run {
            passed,
            skipped,
            last_lines,
        } = run_and_watch(command, limit).with_context(|| format!("run stage `{name}`"))?;
        let took = begin.elapsed();
        let passed = passed && (skipped.is_empty() || !self.strict);
        println!(
            "=== {name}: {} after {}",
            if passed { "passed" } else { "FAILED" },
            in_words(took)
        );
        self.results.push(StageResult {
            name,
            passed,
            took,
            skipped,
            last_lines: if passed { Vec::new() } else { last_lines },
        });
        Ok(passed)
    }

    /// Notes a stage that this machine cannot run, which is a failure where nothing may be skipped.
    pub(crate) fn skip(&mut self, name: &'static str, reason: &str) {
        let passed = !self.strict;
        if self.strict {
            println!("FAILED: {STRICT} allows nothing to be skipped.");
        }
        self.note(name, reason, passed);
    }

    /// Notes a stage that is nowhere run as part of this task.
    pub(crate) fn leave_out(&mut self, name: &'static str, reason: &str) {
        self.note(name, reason, true);
    }

    fn note(&mut self, name: &'static str, reason: &str, passed: bool) {
        println!("\n=== {name}\n{SKIPPED}{reason}");
        self.results.push(StageResult {
            name,
            passed,
            took: Duration::ZERO,
            skipped: vec![reason.to_owned()],
            last_lines: Vec::new(),
        });
    }

    /// Prints the summary and answers with the process's exit code.
    pub(crate) fn finish(self) -> ExitCode {
        for stage in self.results.iter().filter(|stage| !stage.passed) {
            println!("\n=== {}: its last lines", stage.name);
            stage.last_lines.iter().for_each(|line| println!("{line}"));
        }
        println!("\n=== summary");
        for StageResult {
            name,
            passed,
            took,
            skipped,
            last_lines: _,
        } in &self.results
        {
            let outcome = match (passed, skipped.is_empty()) {
                (false, _) => "FAILED",
                (true, true) => "passed",
                (true, false) => "skipped",
            };
            println!("{outcome:<8} {:>11}  {name}", in_words(*took));
            skipped
                .iter()
                .for_each(|reason| println!("{:22}skipped: {reason}", ""));
        }
        let failed = self.results.iter().filter(|result| !result.passed).count();
        let total = self.results.iter().map(|result| result.took).sum();
        if failed == 0 {
            println!("All good after {}.", in_words(total));
            return ExitCode::SUCCESS;
        }
        println!(
            "{failed} of {} stages failed after {}.",
            self.results.len(),
            in_words(total)
        );
        ExitCode::FAILURE
    }
}

/// Shows the command's output as it comes, and keeps its last lines and the reasons for skipping. At a terminal what goes to stderr
/// goes straight there, so that cargo shows how far it is, and is not among these lines.
fn run_and_watch(command: &mut Command, limit: Duration) -> Result<Run> {
    let (output, stdout) = io::pipe().context("make a pipe")?;
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always"); // our pipe would turn colours off
    } else {
        command.stderr(stdout.try_clone().context("share a pipe")?);
    }
    let child = command.stdout(stdout).spawn();
    // The command holds the pipe open for as long as it may start another child.
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = child.with_context(|| format!("start {command:?}"))?;
    let mut skipped = Vec::new();
    let mut last_lines = VecDeque::with_capacity(LAST_LINES);
    let watched = watch::for_the_time(child.id(), limit);
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("read the stage's output")?;
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        skipped.extend(line.strip_prefix(SKIPPED).map(str::to_owned));
        if last_lines.len() == LAST_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line);
    }
    skipped.dedup();
    let mut passed = child.wait().context("wait for the stage")?.success();
    if watched.is_over() {
        println!(
            "It was ended because it was not done after {}.",
            in_words(limit)
        );
        passed = false;
    }
    Ok(Run {
        passed,
        skipped,
        last_lines: last_lines.into(),
    })
}

pub(crate) fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= 60 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{:.1} s", duration.as_secs_f32()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collects_what_a_stage_skipped_and_how_it_ended() {
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "echo fine; echo 'SKIPPED: no root'; echo 'SKIPPED: no root'; exit 3",
        ]);
        let run = run_and_watch(&mut shell, Duration::MAX).unwrap();
        assert!(!run.passed);
        assert_eq!(run.skipped, ["no root"]);
    }

    #[test]
    fn keeps_the_last_that_a_stage_said() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "seq 100; echo 'error: a crate is missing' >&2"]);
        let run = run_and_watch(&mut shell, Duration::MAX).unwrap();
        assert!(run.last_lines.len() <= LAST_LINES);
        let last = run.last_lines.last().unwrap();
        if io::stdout().is_terminal() {
            assert_eq!(last, "100");
        } else {
            assert_eq!(last, "error: a crate is missing");
        }
    }

    #[test]
    fn what_is_skipped_fails_where_nothing_may_be() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo 'SKIPPED: no root'"]);
        for strict in [false, true] {
            let results = Vec::new();
            let mut stages = Stages { results, strict };
            assert_eq!(stages.run("tests", &mut shell).unwrap(), !strict);
            stages.skip("licences", "cargo-deny could not be had");
            stages.leave_out("Windows", "it takes longer than CI has");
            let passed: Vec<_> = stages.results.iter().map(|stage| stage.passed).collect();
            assert_eq!(passed, [!strict, !strict, true]);
        }
    }

    #[test]
    fn a_stage_that_hangs_is_ended_with_all_that_it_started() {
        let mut shell = Command::new("sh");
        // What a test starts holds the pipe that we read.
        shell.args(["-c", "(sleep 1000; echo woken) & wait"]);
        let begin = Instant::now();
        let limit = Duration::from_millis(300);
        assert!(!run_and_watch(&mut shell, limit).unwrap().passed);
        assert!(begin.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn says_durations_as_people_do() {
        assert_eq!(in_words(Duration::from_millis(1540)), "1.5 s");
        assert_eq!(in_words(Duration::from_secs(125)), "2 min 05 s");
    }
}
