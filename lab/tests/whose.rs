//! Whose address it is: who takes what somebody else here has is told so, and so is the host.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::{
    Machine, Needs, Plan, Process, Suite, Venue, World, checks, eventually, program, run,
};

const SOON: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let all = checks![who_claims_an_address_of_the_lan_is_told_so];
    run(
        &Needs::programs(&["dnsmasq"]),
        [Suite::new("whose", Evening::begin, all)],
    )
}

/// A party without players.
struct Evening {
    gateway: Process,
    relay: Process,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        [&self.relay, &self.gateway]
            .map(|program| program.tail(15))
            .join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        let relay = start(
            &venue.relay,
            "lanparty-relay",
            "--listen 0.0.0.0:443 --state relay-state --dev-cert-der-out relay.der",
        )?;
        relay.wait_for_line("Relay listening", SOON)?;
        let gateway = start(
            &venue.gateway,
            "lanparty-gateway",
            &format!("{SHARED} --interface eth0"),
        )?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        Ok(Evening {
            gateway,
            relay,
            venue,
        })
    }

    fn player(&self, mac: &str, address: &str) -> Result<Process> {
        start(
            &self.venue.remotes[0],
            "lanparty-client",
            &format!("{SHARED} --name Ann --virtual-mac {mac} --address {address}"),
        )
    }

    fn list(&self) -> Result<String> {
        self.venue.gateway.ctl("lanparty-gateway", &["list"])
    }
}

const SHARED: &str =
    "--relay 10.9.1.1 --server-name lanparty-relay --relay-ca-cert relay.der --room WHOSE";

fn who_claims_an_address_of_the_lan_is_told_so(evening: &Evening) -> Result<()> {
    let venue = &evening.venue;
    let player = evening.player("02:1a:00:00:00:01", "192.168.50.11/24")?;
    player.wait_for_line("Connected to the LAN", SOON)?;
    let said = "192.168.50.11 belongs to somebody else here";
    eventually("the player is told", SOON, || {
        // Its owner says that it is there.
        venue.lan1.pings(Venue::LAN2, 56).ok()?;
        let _ = venue.remotes[0].ping_on("lanparty0", Venue::LAN2);
        player.log().contains(said).then_some(())
    })?;
    let of_player =
        "Player Ann (02:1a:00:00:00:01) claims 192.168.50.11, which belongs to somebody else here";
    evening.gateway.wait_for_line(of_player, SOON)?;
    ensure!(
        evening.list()?.contains("(claimed_address "),
        "{}",
        evening.list()?
    );
    ensure!(player.interrupt()?.success(), "{}", player.tail(10));
    let list = eventually("it has left", SOON, || {
        evening
            .list()
            .ok()
            .filter(|list| list.contains("Nobody is in the room"))
    })?;
    let of_gone = list
        .lines()
        .find(|line| line.contains("also of those who have left"));
    let is_told = of_gone.is_some_and(|line| line.contains("claimed_address "));
    ensure!(is_told, "{list}");
    Ok(())
}

fn start(machine: &Machine, name: &str, flags: &str) -> Result<Process> {
    let flags = flags.split_whitespace().map(Into::into);
    machine.spawn(name, program(name)?.into_iter().chain(flags))
}
