//! A long evening: memory and handles must not grow. Asked for by `cargo xtask windows --soak MINUTES`.

use anyhow::{Result, ensure};
use lanparty_lab::Venue;

use crate::guest::Guest;

/// What one reading may grow by beyond the first, once everything is warm.
const MEMORY_SLACK: u64 = 8 << 20;
const OPEN_SLACK: usize = 8;

const ROUNDS_PER_MINUTE: u64 = 3;

pub(crate) fn minutes() -> Option<u64> {
    std::env::var("LANPARTY_WINDOWS_SOAK").ok()?.parse().ok()
}

pub(crate) fn nothing_grows_while_a_party_goes_on(guest: &Guest) -> Result<()> {
    let minutes = minutes().unwrap_or(10);
    let half = (ROUNDS_PER_MINUTE * minutes).div_ceil(2);
    plays_a_round(guest)?;
    let start = Reading::take(guest, "at the start")?;
    (0..half).try_for_each(|_| plays_a_round(guest))?;
    Reading::take(guest, "half-way")?;
    (0..half).try_for_each(|_| plays_a_round(guest))?;
    let end = Reading::take(guest, "at the end")?;
    ensure!(
        end.memory <= start.memory + MEMORY_SLACK,
        "memory grew from {} to {} bytes",
        start.memory,
        end.memory
    );
    ensure!(
        end.open <= start.open + OPEN_SLACK && end.handles <= start.handles + OPEN_SLACK,
        "open things grew: {start:?} to {end:?}"
    );
    Ok(())
}

/// What the client has.
#[derive(Debug)]
struct Reading {
    /// Resident, in bytes.
    memory: u64,
    /// Descriptors of the program, as Linux counts them.
    open: usize,
    /// Those of Wine's server, which has one for each Windows handle of a file, socket or device.
    handles: usize,
}

impl Reading {
    fn take(guest: &Guest, when: &str) -> Result<Self> {
        let usage = guest.program()?.usage()?;
        let reading = Reading {
            memory: usage.memory_bytes,
            open: usage.descriptors,
            handles: guest.pc.open_in_wineserver()?,
        };
        println!(
            "{when}: {} KiB resident, {} descriptors, {} in Wine's server",
            reading.memory >> 10,
            reading.open,
            reading.handles
        );
        Ok(reading)
    }
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
