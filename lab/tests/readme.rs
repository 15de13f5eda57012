//! The commands of the first README: what people have in their scripts goes on working as it is written.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::{Machine, Needs, Plan, Process, Suite, Venue, checks, program, run};

const SOON: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let venue = || {
        Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })
    };
    let all = checks![
        the_three_commands_work_as_written,
        a_relay_with_a_name_of_its_own_keeps_the_usual_ones,
    ];
    run(
        &Needs::programs(&["dnsmasq"]),
        [Suite::new("readme", venue, all)],
    )
}

fn the_three_commands_work_as_written(venue: &Venue) -> Result<()> {
    party(venue, "", &["lanparty-relay.local", "lanparty-relay"])
}

fn a_relay_with_a_name_of_its_own_keeps_the_usual_ones(venue: &Venue) -> Result<()> {
    party(
        venue,
        "--server-name relay.example.net",
        &["lanparty-relay.local", "relay.example.net"],
    )
}

/// A party over a relay with these flags, for each name by which its certificate is known.
fn party(venue: &Venue, relay: &str, names: &[&str]) -> Result<()> {
    let listen = "--listen 0.0.0.0:4433 --state relay-state --dev-cert-der-out relay.der";
    let relay = start(&venue.relay, "lanparty-relay", &format!("{listen} {relay}"))?;
    relay.wait_for_line("Relay listening", SOON)?;
    for name in names {
        let shared = format!(
            "--relay 10.9.1.1:4433 --server-name {name} --relay-ca-cert relay.der --room LANPARTY-123"
        );
        let gateway = start(
            &venue.gateway,
            "lanparty-gateway",
            &format!("{shared} --interface eth0"),
        )?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let client = start(
            &venue.remotes[0],
            "lanparty-client",
            &format!("{shared} --virtual-mac 02:1a:00:00:00:01 --address 192.168.50.201/24"),
        )?;
        client.wait_for_line("Connected to the LAN", SOON)?;
        venue.remotes[0].ping_on("lanparty0", Venue::LAN1)?;
        for program in [&client, &gateway] {
            let status = program.interrupt()?;
            ensure!(status.success(), "{status}:\n{}", program.tail(20));
        }
    }
    relay.interrupt()?;
    Ok(())
}

fn start(machine: &Machine, name: &str, flags: &str) -> Result<Process> {
    let flags = flags.split_whitespace().map(Into::into);
    machine.spawn(name, program(name)?.into_iter().chain(flags))
}
