//! A list of commands with names: run one after the other, timed, summed up.

use std::io::{BufRead, BufReader, IsTerminal};
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
}

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
        let (passed, skipped) =
            run_and_watch(command, limit).with_context(|| format!("run stage `{name}`"))?;
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
        });
    }

    /// Prints the summary and answers with the process's exit code.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\n=== summary");
        for StageResult {
            name,
            passed,
            took,
            skipped,
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

/// Shows the command's output as it comes and collects the reasons for skipping.
fn run_and_watch(command: &mut Command, limit: Duration) -> Result<(bool, Vec<String>)> {
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always"); // our pipe would turn colours off
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let mut skipped = Vec::new();
    let stdout = child.stdout.take().context("a piped child has a stdout")?;
    let watched = watch::for_the_time(child.id(), limit);
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("read the stage's output")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        skipped.extend(line.strip_prefix(SKIPPED).map(str::to_owned));
    }
    skipped.dedup();
    let success = child.wait().context("wait for the stage")?.success();
    if watched.is_over() {
        println!(
            "It was ended because it was not done after {}.",
            in_words(limit)
        );
        return Ok((false, skipped));
    }
    Ok((success, skipped))
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
        assert_eq!(
            run_and_watch(&mut shell, Duration::MAX).unwrap(),
            (false, vec!["no root".to_owned()])
        );
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
        assert_eq!(run_and_watch(&mut shell, limit).unwrap(), (false, vec![]));
        assert!(begin.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn says_durations_as_people_do() {
        assert_eq!(in_words(Duration::from_millis(1540)), "1.5 s");
        assert_eq!(in_words(Duration::from_secs(125)), "2 min 05 s");
    }
}
