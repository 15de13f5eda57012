//! Nobody reads what the programs say: their output is a pipe that is full, and frames flow all the same.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::{Machine, Needs, Plan, Process, Suite, Venue, checks, eventually, program, run};

const SOON: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let venue = || {
        Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })
    };
    let all = checks![frames_flow_while_nobody_reads_what_is_said];
    run(
        &Needs::programs(&["bash", "dnsmasq"]),
        [Suite::new("deaf", venue, all)],
    )
}

fn frames_flow_while_nobody_reads_what_is_said(venue: &Venue) -> Result<()> {
    let relay = start(
        &venue.relay,
        "lanparty-relay",
        "--listen 0.0.0.0:4433 --state relay-state --dev-cert-der-out relay.der --log debug",
    )?;
    let certificate = venue.lab.folder().join("relay.der");
    eventually("the relay is there", SOON, || {
        certificate.exists().then_some(())
    })?;
    let shared = "--relay 10.9.1.1:4433 --server-name lanparty-relay --relay-ca-cert relay.der --room DEAF \
                  --log info,lanparty::frames=trace";
    let gateway = start(
        &venue.gateway,
        "lanparty-gateway",
        &format!("{shared} --interface eth0"),
    )?;
    let client = start(
        &venue.remotes[0],
        "lanparty-client",
        &format!("{shared} --virtual-mac 02:1a:00:00:00:01 --address 192.168.50.201/24"),
    )?;
    let player = &venue.remotes[0];
    eventually("the player reaches the LAN", SOON, || {
        player.ping_on("lanparty0", Venue::LAN1).ok()
    })?;
    // Every frame is a line now.
    for _ in 0..20 {
        player.ping_on("lanparty0", Venue::LAN1)?;
    }
    for process in [&client, &gateway, &relay] {
        let status = process.interrupt()?;
        ensure!(status.success(), "{status}:\n{}", process.tail(20));
    }
    Ok(())
}

/// The program in the place of a shell that has opened a pipe and filled it.
fn start(machine: &Machine, name: &str, flags: &str) -> Result<Process> {
    let command = program(name)?.join(" ");
    let script = format!(
        "mkfifo {name}.pipe && exec 3<>{name}.pipe && head -c 65536 /dev/zero >&3 && \
         exec {command} {flags} >&3 2>&3"
    );
    machine.spawn(name, ["bash".to_owned(), "-c".to_owned(), script])
}
