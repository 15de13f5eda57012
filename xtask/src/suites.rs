//! The lab's suites, two at a time: most of their time they wait for something that takes its time.

use std::collections::VecDeque;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::build::FEATURES;
use crate::cargo::cargo;
use crate::stages::in_words;

/// The package of them all.
const LAB: &str = "lanparty-lab";
/// So many at once.
const AT_ONCE: usize = 2;
/// These compare times, or load the machine: each has it for itself.
const ALONE: &[&str] = &[
    "bottleneck",
    "carrier",
    "doors",
    "evening",
    "fleet",
    "floods",
    "hostile",
    "proof",
    "relays",
    "this_machine",
    "trains",
];

/// A suite that has been built.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Suite {
    name: String,
    program: PathBuf,
    /// Where cargo would run it.
    folder: PathBuf,
}

/// Builds and runs the suites; `filter` goes to each of them.
pub(crate) fn run(filter: &[String]) -> Result<ExitCode> {
    let suites = built()?;
    let is_alone = |suite: &Suite| ALONE.contains(&suite.name.as_str());
    let (alone, pairs): (Vec<_>, Vec<_>) = suites.into_iter().partition(is_alone);
    let mut failed = side_by_side(pairs, AT_ONCE, filter)?;
    failed.extend(side_by_side(alone, 1, filter)?);
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("Failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Builds them all, and answers where they are.
fn built() -> Result<Vec<Suite>> {
    let mut command = cargo();
    command.args(["test", "-p", LAB, "--all-targets", "--no-run"]);
    command.args(FEATURES);
    command.arg("--message-format=json-render-diagnostics");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .context("run cargo")?;
    let told = child.stdout.take().context("a piped child has a stdout")?;
    let mut suites = Vec::new();
    for message in serde_json::Deserializer::from_reader(BufReader::new(told)).into_iter() {
        suites.extend(suite(&message.context("read what cargo has built")?));
    }
    let is_built = child.wait().context("wait for cargo")?.success();
    ensure!(is_built, "the build failed, see above");
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(suites)
}

/// The suite that cargo has just told of, if that is what it tells.
fn suite(message: &Value) -> Option<Suite> {
    let is_lab = message["package_id"].as_str()?.contains(LAB);
    let is_test = message["profile"]["test"].as_bool()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    (is_lab && is_test).then_some(Suite {
        name: message["target"]["name"].as_str()?.to_owned(),
        program: message["executable"].as_str()?.into(),
        folder: manifest.parent()?.to_owned(),
    })
}

/// Runs them, so many at a time, and answers the names of those that failed. What one says comes in one piece.
fn side_by_side(suites: Vec<Suite>, at_once: usize, filter: &[String]) -> Result<Vec<String>> {
    let waiting = Mutex::new(VecDeque::from(suites));
    let failed = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        loop {
            let next = locked(&waiting).pop_front();
            let Some(suite) = next else { return Ok(()) };
            println!("Running {}…", suite.name);
            let begin = Instant::now();
            let mut command = Command::new(&suite.program);
            command.args(filter).current_dir(&suite.folder);
            let output = command
                .output()
                .with_context(|| format!("run the suite {}", suite.name))?;
            let mut out = io::stdout().lock();
            writeln!(
                out,
                "\n--- {} after {}",
                suite.name,
                in_words(begin.elapsed())
            )?;
            out.write_all(&output.stdout)?;
            out.write_all(&output.stderr)?;
            out.flush()?;
            if !output.status.success() {
                locked(&failed).push(suite.name);
            }
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            let ended = worker.join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_labs_tests_are_suites() {
        let message = |package: &str, test, executable: Value| {
            json!({
                "reason": "compiler-artifact",
                "package_id": format!("path+file:///here/{package}#0.1.0"),
                "manifest_path": "/here/lab/Cargo.toml",
                "target": { "name": "party" },
                "profile": { "test": test },
                "executable": executable,
            })
        };
        let expected = Suite {
            name: "party".to_owned(),
            program: "/here/target/party-1".into(),
            folder: "/here/lab".into(),
        };
        let program = || json!("/here/target/party-1");
        assert_eq!(suite(&message(LAB, true, program())), Some(expected));
        assert_eq!(suite(&message("lanparty-e2e", true, program())), None);
        assert_eq!(suite(&message(LAB, false, program())), None);
        assert_eq!(suite(&message(LAB, true, Value::Null)), None);
        assert_eq!(
            suite(&json!({ "reason": "build-finished", "success": true })),
            None
        );
    }
}
