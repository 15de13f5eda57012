//! When and on what a run was made: without that no figure means anything.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use lanparty_lab::binaries;

/// One line, as docs/performance.md has it.
pub(super) fn description(rounds: u8) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = field(&read("/proc/cpuinfo"), "model name", ':');
    let system = field(&read("/etc/os-release"), "PRETTY_NAME", '=');
    let kernel = read("/proc/sys/kernel/osrelease");
    // Their folder says how they were built.
    let programs = binaries().ok();
    let programs = programs.as_deref().and_then(Path::file_name);
    let programs = programs.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    format!(
        "{}, {cores} cores of {processor}, {system}, Linux {}, {programs} builds, rounds: {rounds}",
        today(),
        kernel.trim(),
    )
}

fn today() -> String {
    let shown = Command::new("date")
        .arg("+%-d %B %Y")
        .env("LC_ALL", "C")
        .output();
    shown.map_or_else(
        |_| "today".to_owned(),
        |shown| String::from_utf8_lossy(&shown.stdout).trim().to_owned(),
    )
}

/// The first value of that name in a list of names and values.
fn field(list: &str, name: &str, separator: char) -> String {
    let value = list.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    });
    value.unwrap_or_else(|| format!("an unknown {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_values_with_and_without_quotes() {
        let cpu = "processor\t: 0\nmodel name\t: AMD EPYC 7B13\nmodel name\t: another\n";
        assert_eq!(field(cpu, "model name", ':'), "AMD EPYC 7B13");
        let system = "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        let name = field(system, "PRETTY_NAME", '=');
        assert_eq!(name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(field("", "cores", ':'), "an unknown cores");
    }
}
