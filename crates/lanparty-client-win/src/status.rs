//! How the running client is doing: a file that it alone writes and everybody may read, which also
//! shows that it runs.

use anyhow::{Context as _, Result, bail};
use lanparty_client_route::take_file;
use lanparty_obs::Diagnostics;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::PathBuf;

/// The right to be the client on this PC; lost with the process, however it ends.
pub(crate) struct Running {
    file: File,
    said: String,
}

impl Running {
    /// Takes it.
    pub(crate) fn take() -> Result<Self> {
        let file = file()?;
        match take_file(&file) {
            Ok(file) => Ok(Running {
                file,
                said: String::new(),
            }),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                bail!("another client is running on this PC; end that one first")
            }
            Err(error) => Err(error).with_context(|| format!("cannot write {}", file.display())),
        }
    }

    /// Replaces what `status` says. A failure only leaves the old words.
    pub(crate) fn say(&mut self, report: String) {
        if report != self.said && self.write(&report).is_ok() {
            self.said = report;
        }
    }

    fn write(&mut self, report: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(report.as_bytes())
    }
}

/// Says how the client that runs on this PC is doing.
pub(crate) fn print() -> Result<()> {
    let report = match Running::take() {
        Ok(_) => "No client is running on this PC.\n".to_owned(),
        Err(_) => {
            std::fs::read_to_string(file()?).context("cannot read how the client is doing")?
        }
    };
    print!("{report}");
    Ok(())
}

fn file() -> Result<PathBuf> {
    let folder = std::env::var_os("ProgramData").context("%ProgramData% is not set")?;
    Ok(PathBuf::from(folder)
        .join("softlan-vpn")
        .join("running.txt"))
}

/// How the adapter is set, while it is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdapterState {
    /// Its IP MTU for IPv4, in bytes.
    pub(crate) mtu: Option<u16>,
    /// Whether its cable is in.
    pub(crate) is_plugged_in: bool,
}

/// The sentence for the player, and the facts behind it (spec R64, R75).
pub(crate) fn report(sentence: &str, facts: &Diagnostics, adapter: Option<AdapterState>) -> String {
    let mut report = format!("{sentence}\n");
    let mut line = |name: &str, value: String| {
        writeln!(report, "  {name:<20}{value}").expect("text has room");
    };
    line("relay reachable", yes(facts.relay_reachable));
    if let Some(rtt) = facts.rtt {
        line("round trip", format!("{} ms", rtt.as_millis()));
    }
    line("gateway present", yes(facts.gateway_present));
    line("route pinned", yes(facts.route_pinned));
    if let Some(budget) = facts.datagram_budget {
        line("datagram budget", format!("{budget} bytes"));
    }
    line(
        "adapter",
        facts.adapter.clone().unwrap_or_else(|| "none".to_owned()),
    );
    if let Some(AdapterState { mtu, is_plugged_in }) = adapter {
        line("cable plugged in", yes(is_plugged_in));
        if let Some(mtu) = mtu {
            line("IP MTU", format!("{mtu} bytes"));
        }
    }
    let addresses: Vec<_> = facts.addresses.iter().map(ToString::to_string).collect();
    line("addresses", addresses.join(" "));
    let stats = &facts.stats;
    line(
        "to the relay",
        format!(
            "{} frames, {} bytes",
            stats.frames_to_relay, stats.bytes_to_relay
        ),
    );
    line(
        "from the relay",
        format!(
            "{} frames, {} bytes, {} of them to a group",
            stats.frames_from_relay, stats.bytes_from_relay, stats.group_frames_from_relay
        ),
    );
    if let Some(link) = &stats.link {
        let waits = link.queue.waits;
        line(
            "waits of late",
            format!(
                "half below {} µs, 99 % below {} µs",
                waits.p50_us, waits.p99_us
            ),
        );
    }
    for (reason, frames) in stats.drops.iter().filter(|(_, frames)| *frames > 0) {
        line("dropped", format!("{frames} {reason}"));
    }
    report
}

fn yes(is: bool) -> String {
    match is {
        true => "yes".to_owned(),
        false => "no".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_obs::DropReason;

    #[test]
    fn a_report_has_the_sentence_first_and_no_drop_that_never_was() {
        let mut facts = Diagnostics {
            addresses: vec!["192.168.50.17".parse().unwrap()],
            ..Diagnostics::default()
        };
        facts.stats.drops.count(DropReason::Jumbo);
        let adapter = AdapterState {
            mtu: Some(1392),
            is_plugged_in: true,
        };
        let report = report("All is well.", &facts, Some(adapter));
        assert!(report.starts_with("All is well.\n"));
        assert!(report.contains("192.168.50.17") && report.contains("1392 bytes"));
        assert!(report.contains("1 jumbo"));
        assert_eq!(report.matches("dropped").count(), 1);
    }
}
