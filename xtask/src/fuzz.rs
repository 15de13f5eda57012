//! `cargo xtask fuzz`: libFuzzer on the targets of `fuzz/`.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::cargo::cargo;
use crate::stages::Stages;
use crate::tools::FUZZ;

const HARNESS: &str = "fuzz/harness";
/// Where a run keeps what it finds; the committed corpora stay as they are.
const FOUND: &str = "target/fuzz-corpus";

/// Runs one target, or each of them, for so many minutes.
pub(crate) fn run(minutes: u32, target: Option<&str>) -> Result<ExitCode> {
    let mut targets = targets()?;
    if let Some(wanted) = target {
        targets.retain(|name| name == wanted);
        ensure!(
            !targets.is_empty(),
            "there is no fuzz target `{wanted}`; `ls {HARNESS}/fuzz_targets` shows them"
        );
    }
    ensure!(
        FUZZ.is_had(),
        "cargo-fuzz could not be installed, see above"
    );
    let mut stages = Stages::default();
    for name in targets {
        let mut command = fuzz(&name, minutes)?;
        // Stages keep their names for as long as the program runs; there are a handful of these.
        let name: &'static str = name.leak();
        if !stages.run(name, &mut command)? {
            println!(
                "What broke it is in {HARNESS}/artifacts/{name}; fuzz/README.md says how to go on."
            );
        }
    }
    Ok(stages.finish())
}

/// The names of the harness's programs.
fn targets() -> Result<Vec<String>> {
    let folder = Path::new(HARNESS).join("fuzz_targets");
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("list {}; is this the repository's root?", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.context("list the fuzz targets")?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn fuzz(target: &str, minutes: u32) -> Result<Command> {
    let found = Path::new(FOUND).join(target);
    fs::create_dir_all(&found).with_context(|| format!("create {}", found.display()))?;
    let mut command = cargo();
    // libFuzzer needs flags that a stable compiler only takes like this.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.args(["fuzz", "run", "--fuzz-dir", HARNESS]);
    command.args(["--target-dir", "target/fuzz", target]);
    command.arg(&found);
    for kind in ["corpus", "regressions"] {
        let known = Path::new("fuzz").join(kind).join(target);
        if known.is_dir() {
            command.arg(known);
        }
    }
    command.arg("--").arg("-print_final_stats=1");
    command.arg(format!("-max_total_time={}", minutes * 60));
    command.arg("-max_len=1024");
    let dictionary = Path::new(HARNESS).join(format!("dictionaries/{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    Ok(command)
}
