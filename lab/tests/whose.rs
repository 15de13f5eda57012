//! Whose address and whose MAC it is: who takes what somebody else here has is told so, and so is the host.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use lanparty_lab::{
    Machine, Needs, Plan, Process, Suite, Venue, World, checks, eventually, program, run,
};

const SOON: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let all = checks![
        who_claims_an_address_of_the_lan_is_told_so,
        a_player_with_the_mac_of_a_machine_is_refused_and_the_machine_answers,
        a_player_with_the_mac_of_the_gateway_is_refused,
        a_machine_that_comes_after_a_player_with_its_mac_has_it_back,
    ];
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
    // The client has asked for it itself, and knows who answers.
    let said = "uses the address 192.168.50.11 as well, which you have chosen";
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

const YOURS: &str = "a machine on the LAN has your MAC address; use another --virtual-mac";

/// The virtual machine of somebody at the party, say.
fn a_player_with_the_mac_of_a_machine_is_refused_and_the_machine_answers(
    evening: &Evening,
) -> Result<()> {
    let (venue, mac) = (&evening.venue, mac_of(&evening.venue.lan2)?);
    says_something_to_everybody(&venue.lan2, Venue::LAN2)?;
    let player = evening.player(&mac, "192.168.50.12/24")?;
    player.wait_for_line(YOURS, SOON)?;
    let pings = venue.lan1.run([
        "ping",
        "-n",
        "-c",
        "30",
        "-i",
        "0.1",
        "-W",
        "1",
        "192.168.50.12",
    ])?;
    ensure!(pings.contains("30 received"), "{pings}");
    ensure!(!pings.contains("duplicates"), "{pings}");
    let switch = venue.switch.run(["bridge", "fdb", "show", "br", "br0"])?;
    let place = switch.lines().find(|line| line.starts_with(&mac));
    ensure!(
        place.is_some_and(|line| line.contains("dev lan2")),
        "{switch}"
    );
    ensure!(player.interrupt()?.success(), "{}", player.tail(10));
    told_once(evening, &mac)
}

fn a_player_with_the_mac_of_the_gateway_is_refused(evening: &Evening) -> Result<()> {
    let mac = mac_of(&evening.venue.gateway)?;
    let player = evening.player(&mac, "192.168.50.202/24")?;
    player.wait_for_line(YOURS, SOON)?;
    ensure!(player.interrupt()?.success(), "{}", player.tail(10));
    told_once(evening, &mac)
}

fn a_machine_that_comes_after_a_player_with_its_mac_has_it_back(evening: &Evening) -> Result<()> {
    const MAC: &str = "02:1a:00:00:00:77";
    const LATE: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 13);
    let venue = &evening.venue;
    let player = evening.player(MAC, "192.168.50.203/24")?;
    player.wait_for_line("Connected to the LAN", SOON)?;
    venue.remotes[0].ping_on("lanparty0", Venue::LAN1)?;
    let late = venue.lab.machine("late")?;
    venue.lab.plug(&late, "eth0", &venue.switch)?;
    late.ip("link set eth0 down")?;
    late.ip(&format!("link set eth0 address {MAC}"))?;
    late.ip("link set eth0 up")?;
    late.ip(&format!("addr add {LATE}/24 brd + dev eth0"))?;
    eventually("the player gives way", SOON, || {
        says_something_to_everybody(&late, LATE.into()).ok()?;
        player.log().contains(YOURS).then_some(())
    })?;
    let pings = late.run([
        "ping",
        "-n",
        "-c",
        "30",
        "-i",
        "0.1",
        "-W",
        "1",
        "192.168.50.11",
    ])?;
    ensure!(pings.contains("30 received"), "{pings}");
    ensure!(player.interrupt()?.success(), "{}", player.tail(10));
    told_once(evening, MAC)
}

/// The gateway knows a machine by what it hears of it. A ping is none of that where both know each other already, as the
/// switch leads it past the gateway; this comes to everybody whoever knows whom.
fn says_something_to_everybody(machine: &Machine, address: IpAddr) -> Result<()> {
    const DISCARD: u16 = 9;
    let everybody = (Ipv4Addr::new(192, 168, 50, 255), DISCARD);
    let socket = machine.enter(|| UdpSocket::bind((address, 0)))?;
    socket.set_broadcast(true)?;
    socket.send_to(b"here", everybody)?;
    Ok(())
}

fn told_once(evening: &Evening, mac: &str) -> Result<()> {
    let line = format!("Player Ann ({mac}) has the MAC of a machine on this LAN");
    evening.gateway.wait_for_line(&line, SOON)?;
    let log = evening.gateway.log();
    ensure!(log.matches(&line).count() == 1, "{log}");
    Ok(())
}

fn mac_of(machine: &Machine) -> Result<String> {
    let octets = machine.mac("eth0")?.map(|octet| format!("{octet:02x}"));
    Ok(octets.join(":"))
}

fn start(machine: &Machine, name: &str, flags: &str) -> Result<Process> {
    let flags = flags.split_whitespace().map(Into::into);
    machine.spawn(name, program(name)?.into_iter().chain(flags))
}
