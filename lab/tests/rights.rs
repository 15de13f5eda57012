//! What the running programs may do on their machines is what docs/threat-model.md says.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Needs, Party, Process, Suite, Venue, checks, run, skip};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};

const DOCUMENT: &str = include_str!("../../docs/threat-model.md");
/// Numbers of linux/capability.h.
const CAPABILITIES: [(&str, u64); 3] = [
    ("CAP_NET_BIND_SERVICE", 1 << 10),
    ("CAP_NET_ADMIN", 1 << 12),
    ("CAP_NET_RAW", 1 << 13),
];

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq"]);
    let all = checks![
        every_program_is_confined_to_its_files,
        every_thread_has_the_capabilities_that_are_written_down_and_gets_no_more,
        // The last, as it ends them.
        no_program_leaves_a_core_file,
    ];
    let suites = [Suite::new("rights", start, all)];
    run(&needs, suites)
}

/// By name, so that names are looked up by programs that are confined already.
fn start() -> Result<Party> {
    let any = Rlimit {
        current: None,
        maximum: None,
    };
    setrlimit(Resource::Core, any).context("allow core files")?;
    Party::builder()
        .players(1)
        .relay_by_name()
        .log("info,lanparty_edge::privilege=debug")
        .start()
}

/// And reaches the LAN with that.
fn every_program_is_confined_to_its_files(party: &Party) -> Result<()> {
    for (name, process) in programs(party) {
        let said = process.wait_for_line("onfined to the files", Duration::from_secs(1))?;
        if said.contains("NotEnforced") {
            skip("this kernel has no Landlock");
            return Ok(());
        }
        ensure!(said.contains("FullyEnforced"), "{name}: {said}");
    }
    party.players[0].machine.pings(Venue::LAN1, 56)
}

fn every_thread_has_the_capabilities_that_are_written_down_and_gets_no_more(
    party: &Party,
) -> Result<()> {
    for (name, process) in programs(party) {
        let [used, lent] = documented(name)?;
        for status in process.threads()? {
            let set =
                |field| -> Result<u64> { Ok(u64::from_str_radix(value(&status, field)?, 16)?) };
            let sets = [set("CapEff")?, set("CapPrm")?, set("CapBnd")?];
            // Threads that write what is said, and what is kept, need nothing, nor do those that others ask.
            let aside = [
                "stdout",
                "stderr",
                "kept-file",
                "page",
                "metrics",
                "handover",
            ];
            let is_aside = aside.contains(&value(&status, "Name")?);
            let expected = match is_aside {
                true => [0, 0, 0],
                false => [used, used | lent, lent],
            };
            // One that was started when most was given up already could give up no more.
            let holds = sets == expected || is_aside && sets == [0, 0, lent];
            ensure!(holds, "{name}: {expected:x?}\n{status}");
            ensure!(value(&status, "NoNewPrivs")? == "1", "{name}:\n{status}");
        }
    }
    Ok(())
}

fn no_program_leaves_a_core_file(party: &Party) -> Result<()> {
    let usual = party.venue.lan1.spawn("sleep", ["sleep", "60"])?;
    if !dumps_core(&usual)? {
        skip("this system writes no core files at all");
        return Ok(());
    }
    for (name, process) in programs(party) {
        ensure!(!dumps_core(process)?, "{name} left a core file");
    }
    Ok(())
}

fn dumps_core(process: &Process) -> Result<bool> {
    process.signal(Signal::ABORT)?;
    let status = process.wait(Duration::from_secs(10))?;
    ensure!(status.signal() == Some(Signal::ABORT.as_raw()), "{status}");
    Ok(status.core_dumped())
}

fn programs(party: &Party) -> [(&'static str, &Process); 3] {
    [
        ("lanparty-client", &party.players[0].program),
        ("lanparty-gateway", &party.gateway),
        ("lanparty-relay", &party.relay),
    ]
}

/// What the table says that a program may use, and that it may lend to its children.
fn documented(program: &str) -> Result<[u64; 2]> {
    let start = format!("| `{program}` |");
    let row = DOCUMENT.lines().find_map(|line| line.strip_prefix(&start));
    let mut cells = row.context("no row for this program")?.split('|');
    let mut set = || -> Result<u64> {
        let cell = cells.next().context("a cell is missing")?;
        let named = CAPABILITIES.iter().filter(|(name, _)| cell.contains(name));
        Ok(named.fold(0, |all, (_, bit)| all | bit))
    };
    Ok([set()?, set()?])
}

fn value<'a>(status: &'a str, field: &str) -> Result<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let value = line.and_then(|line| line.strip_prefix(':'));
    Ok(value.with_context(|| format!("no {field}"))?.trim())
}
