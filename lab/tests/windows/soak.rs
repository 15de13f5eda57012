//! A long evening: memory and handles must not grow. Asked for by `cargo xtask windows --soak MINUTES`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Process, Venue};

use crate::guest::Guest;

/// What one reading may grow by beyond the first, once everything is warm.
const MEMORY_SLACK: u64 = 8 << 20;
const HANDLE_SLACK: usize = 8;

const ROUNDS_PER_MINUTE: u64 = 3;

pub(crate) fn minutes() -> Option<u64> {
    std::env::var("LANPARTY_WINDOWS_SOAK").ok()?.parse().ok()
}

pub(crate) fn nothing_grows_while_a_party_goes_on(guest: &Guest) -> Result<()> {
    let rounds = ROUNDS_PER_MINUTE * minutes().unwrap_or(10);
    let program = guest.program()?;
    plays_a_round(guest)?;
    let (memory, handles) = usage(program)?;
    for _ in 0..rounds {
        plays_a_round(guest)?;
    }
    let (memory_now, handles_now) = usage(program)?;
    println!(
        "{rounds} rounds: memory {} -> {} KiB, handles {handles} -> {handles_now}",
        memory >> 10,
        memory_now >> 10
    );
    ensure!(
        memory_now <= memory + MEMORY_SLACK,
        "memory grew from {memory} to {memory_now} bytes"
    );
    ensure!(
        handles_now <= handles + HANDLE_SLACK,
        "handles grew from {handles} to {handles_now}"
    );
    Ok(())
}

/// Twenty seconds of traffic in both directions.
fn plays_a_round(guest: &Guest) -> Result<()> {
    let target = Venue::LAN1.to_string();
    let ping = "ping -n -q -c 400 -i 0.05 -W 5 -s 1400";
    let shown = guest
        .pc
        .machine()
        .run(ping.split(' ').chain([target.as_str()]))?;
    ensure!(shown.contains(" 0% packet loss"), "{shown}");
    Ok(())
}

/// Resident memory, and open files as Linux counts them, which grow with Windows handles that own one.
fn usage(program: &Process) -> Result<(u64, usize)> {
    let files = Path::new("/proc").join(program.id().to_string()).join("fd");
    let files = fs::read_dir(files).context("count the open files")?.count();
    Ok((program.usage()?.memory_bytes, files))
}
