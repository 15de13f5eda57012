//! Every input that was found worth keeping, with the stable compiler.

#![allow(clippy::disallowed_methods, reason = "reads the corpora")]

use lanparty_fuzz::{TARGETS, Target};
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[test]
fn every_target_has_a_corpus_and_passes_it() {
    for target in TARGETS {
        let inputs = inputs("corpus", target.0);
        assert!(!inputs.is_empty(), "{} has no corpus", target.0);
        replay(target, &inputs);
    }
}

#[test]
fn what_once_failed_does_not_fail_again() {
    for target in TARGETS {
        replay(target, &inputs("regressions", target.0));
    }
}

#[test]
fn no_corpus_is_without_a_target() {
    for kind in ["corpus", "regressions"] {
        for folder in files(&folder(kind)) {
            let name = folder.file_name().and_then(|name| name.to_str());
            assert!(
                TARGETS.iter().any(|target| Some(target.0) == name),
                "{} belongs to no target",
                folder.display()
            );
        }
    }
}

fn replay((name, run): &Target, inputs: &[PathBuf]) {
    for path in inputs {
        let bytes = fs::read(path).expect("a file just listed");
        let outcome = catch_unwind(|| run(&bytes));
        assert!(outcome.is_ok(), "{name} fails on {}", path.display());
    }
}

fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    files(&folder(kind).join(target))
}

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind)
}

/// In order of their names; nothing where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("a folder that can be listed").path())
        .collect();
    paths.sort();
    paths
}
