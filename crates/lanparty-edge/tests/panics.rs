//! A panic anywhere ends the program, with a sentence, an exit code and everything undone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that starts itself as a child and panics there"
)]

use lanparty_edge::runtime;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Which part of the child panics; not set in the parent.
const WHERE: &str = "LANPARTY_TEST_PANICS_IN";
const SENTENCE: &str =
    "error: a part of this program has failed, so all of it ends: please report the lines above";

fn main() -> ExitCode {
    if let Ok(part) = std::env::var(WHERE) {
        return child(part);
    }
    // Whoever asks for the list of tests gets this one.
    let asks = |word: &str| std::env::args().any(|argument| argument == word);
    if asks("--list") {
        if !asks("--ignored") {
            println!("a_panic_anywhere_ends_the_program: test");
        }
        return ExitCode::SUCCESS;
    }
    for part in ["program", "task", "local task", "thread", "blocking"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .env(WHERE, part)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr);
        assert_eq!(child.status.code(), Some(1), "{part}: {said}");
        assert!(said.contains("as a test wants it"), "{part}: {said}");
        assert!(said.contains("undone"), "{part}: {said}");
        assert_eq!(said.lines().last(), Some(SENTENCE), "{part}: {said}");
    }
    ExitCode::SUCCESS
}

/// A program as ours are, of which a part fails while the rest waits for its work.
fn child(part: String) -> ExitCode {
    let program = async move {
        let _changes = Changes;
        let fail = || panic!("as a test wants it");
        match part.as_str() {
            "program" => fail(),
            "task" => _ = tokio::spawn(async move { fail() }),
            "local task" => _ = tokio::task::spawn_local(async move { fail() }),
            "thread" => _ = std::thread::spawn(fail),
            "blocking" => _ = tokio::task::spawn_blocking(fail),
            _ => unreachable!("there are no others"),
        }
        std::future::pending::<()>().await;
    };
    // Whatever is wrong, it must not wait for ever.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        std::process::exit(99);
    });
    match runtime::run(program) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a program has changed on the machine.
struct Changes;

impl Drop for Changes {
    fn drop(&mut self) {
        eprintln!("undone");
    }
}
