//! A list of commands with names: run one after the other, timed, summed up.

use std::io::{BufRead, BufReader, IsTerminal};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Tests that cannot run say so in a line that begins like this.
const SKIPPED: &str = "SKIPPED: ";

/// Runs stages and remembers how they went.
#[derive(Default)]
pub(crate) struct Stages {
    results: Vec<StageResult>,
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
        println!("\n=== {name}");
        let begin = Instant::now();
        let (passed, skipped) =
            run_and_watch(command).with_context(|| format!("run stage `{name}`"))?;
        let took = begin.elapsed();
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

    /// Notes a stage that this machine cannot run.
    pub(crate) fn skip(&mut self, name: &'static str, reason: &str) {
        println!("\n=== {name}\n{SKIPPED}{reason}");
        let skipped = vec![reason.to_owned()];
        self.results.push(StageResult {
            name,
            passed: true,
            took: Duration::ZERO,
            skipped,
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
fn run_and_watch(command: &mut Command) -> Result<(bool, Vec<String>)> {
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always"); // our pipe would turn colours off
    }
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let mut skipped = Vec::new();
    let stdout = child.stdout.take().context("a piped child has a stdout")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("read the stage's output")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        skipped.extend(line.strip_prefix(SKIPPED).map(str::to_owned));
    }
    skipped.dedup();
    Ok((
        child.wait().context("wait for the stage")?.success(),
        skipped,
    ))
}

fn in_words(duration: Duration) -> String {
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
            run_and_watch(&mut shell).unwrap(),
            (false, vec!["no root".to_owned()])
        );
    }

    #[test]
    fn says_durations_as_people_do() {
        assert_eq!(in_words(Duration::from_millis(1540)), "1.5 s");
        assert_eq!(in_words(Duration::from_secs(125)), "2 min 05 s");
    }
}
