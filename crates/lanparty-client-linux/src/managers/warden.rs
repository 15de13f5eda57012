//! The child that tells network managers, and takes it back when its parent ends, however that ends.

use super::{MANAGERS, Manager, run};
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// How it is started; behind it stand the adapter and the parent.
pub(crate) const COMMAND: &str = "keep-managers-away";
/// What it says when everybody knows.
pub(super) const READY: &str = "ready";
/// What it is told: the adapter exists now,
pub(super) const MADE: &str = "made";
/// and it has DNS servers that somebody gave it.
pub(super) const REVERT_DNS: &str = "revert-dns";

/// Runs until nobody holds the other end of its standard input.
pub(crate) fn main(tap: &str, parent: u32) -> ExitCode {
    let told: Vec<_> = MANAGERS
        .iter()
        .filter(|manager| manager.runs_here() && manager.is_told(tap, parent).is_ok())
        .collect();
    told.iter().for_each(|manager| manager.reload());
    let _ = writeln!(io::stdout(), "{READY}");
    for order in io::stdin().lock().lines().map_while(Result::ok) {
        match order.as_str() {
            MADE => told.iter().for_each(|manager| manager.release(tap)),
            REVERT_DNS => run(&["resolvectl", "revert", tap]),
            _ => {}
        }
    }
    for manager in told {
        // Somebody may have removed it.
        let _ = fs::remove_file(manager.file(parent));
        manager.reload();
    }
    ExitCode::SUCCESS
}

impl Manager {
    fn is_told(&self, tap: &str, parent: u32) -> io::Result<()> {
        let file = self.file(parent);
        // Folders of these services' own, which they make themselves; the last of the path may be missing.
        if Path::new(self.folder).parent().is_some_and(Path::is_dir) {
            let _ = fs::create_dir(self.folder);
        }
        fs::write(file, self.text_for(tap))
    }

    fn release(&self, tap: &str) {
        let words = self.release.iter().map(|word| word.replace("{tap}", tap));
        run(&words.collect::<Vec<_>>());
    }
}
