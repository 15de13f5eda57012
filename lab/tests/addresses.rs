//! A player gets an address on every LAN, from every system, and keeps it for the whole evening.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Machine, Needs, Party, Player, Process, Suite, Venue, checks, eventually, pass, program, run,
};
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(10);
/// The address of a LAN without a server is there after eight to eleven seconds.
const MADE_UP: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let needs = Needs::programs(&["arping", "dnsmasq", "ping", "setpriv", "unshare"]);
    let alone = checks![
        one_right_and_nothing_else_is_enough_for_an_address,
        a_killed_client_gets_its_address_again_and_gives_it_back_at_the_end,
        an_address_that_somebody_has_is_declined_and_another_one_taken,
        an_address_that_the_switch_knows_to_be_anothers_is_declined_too,
        what_somebody_insists_on_is_given_up_and_said,
        a_chosen_address_that_somebody_has_is_said,
        a_person_can_leave_the_address_to_others,
    ];
    let together = checks![two_without_a_server_reach_each_other_until_there_is_one];
    let short = checks![a_short_lease_is_renewed_without_a_gap_by_a_server_that_was_restarted];
    let suites = [
        Suite::new("addresses", || Party::builder().strangers(1).start(), alone),
        Suite::new("without_a_server", || Scene::start(2), together),
        Suite::new("short_lease", || Scene::start(1), short),
    ];
    run(&needs, suites)
}

/// A party whose DHCP server comes and goes, and machines far away without clients.
struct Scene {
    party: Party,
    server: Mutex<Option<Process>>,
}

impl lanparty_lab::World for Scene {
    fn report(&self) -> String {
        self.party.report()
    }
}

impl Scene {
    fn start(strangers: usize) -> Result<Self> {
        let party = Party::builder().strangers(strangers).start()?;
        party.venue.dhcp.kill()?;
        Ok(Scene {
            party,
            server: Mutex::default(),
        })
    }

    fn server(&self) -> MutexGuard<'_, Option<Process>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With leases of two minutes, the shortest that it gives.
    fn start_server(&self) -> Result<()> {
        let server = self.party.venue.router.spawn(
            "short-dnsmasq",
            [
                "dnsmasq",
                "--keep-in-foreground",
                "--log-facility=-",
                "--log-dhcp",
                "--conf-file=/dev/null",
                "--port=0",
                "--no-ping",
                "--user=root",
                "--pid-file=",
                "--dhcp-leasefile=short.leases",
                "--dhcp-authoritative",
                "--interface=eth0",
                "--dhcp-range=192.168.50.100,192.168.50.199,255.255.255.0,2m",
            ],
        )?;
        server.wait_for_line("started", SOON)?;
        *self.server() = Some(server);
        Ok(())
    }
}

/// What other DHCP clients need is not there: a shell, a helper, a folder to run scripts from, raw sockets, low ports.
fn one_right_and_nothing_else_is_enough_for_an_address(party: &Party) -> Result<()> {
    let bare = "mount -t tmpfs -o noexec none /mnt && exec setpriv --bounding-set=-all,+net_admin \
                --inh-caps=-all env -i PATH=/nowhere HOME=/mnt TMPDIR=/mnt \"$@\"";
    let mut command: Vec<_> = ["unshare", "--mount", "sh", "-c", bare, "sh"]
        .map(str::to_owned)
        .into();
    command.extend(client(party, &["--log", "info"])?);
    let machine = stranger(party, 0);
    let client = machine.spawn("bare", command)?;
    client.wait_for_line("Joined the room", SOON)?;
    let joined = Instant::now();
    let address = address(machine)?;
    println!(
        "from Joined to the address {address}: {:?}",
        joined.elapsed()
    );
    client.wait_for_line(&format!("with the address {address}"), SOON)?;
    let shown = machine.ip_shows(&format!("-4 address show dev {}", Player::TAP))?;
    ensure!(
        shown.contains("brd 192.168.50.255") && !shown.contains("valid_lft forever"),
        "{shown}"
    );
    machine.pings(Venue::LAN1, 56)?;
    ends_well(&client)
}

fn a_killed_client_gets_its_address_again_and_gives_it_back_at_the_end(
    party: &Party,
) -> Result<()> {
    let machine = stranger(party, 0);
    let killed = join(party, 0, &[])?;
    let before = address(machine)?;
    killed.kill()?;
    ensure!(!machine.has_interface(Player::TAP), "the TAP outlived it");
    let client = join(party, 0, &[])?;
    ensure!(address(machine)? == before, "another address");
    let mark = party.venue.dhcp.mark();
    ends_well(&client)?;
    let release = format!("DHCPRELEASE(eth0) {before}");
    party.venue.dhcp.wait_for_line_after(mark, &release, SOON)?;
    eventually("the lease is gone", SOON, || {
        let leases = std::fs::read_to_string(party.venue.lab.folder().join("dhcp.leases"));
        (!leases.ok()?.contains(&before.to_string())).then_some(())
    })
}

fn an_address_that_somebody_has_is_declined_and_another_one_taken(party: &Party) -> Result<()> {
    let machine = stranger(party, 0);
    let first = join(party, 0, &[])?;
    let taken = address(machine)?;
    ends_well(&first)?;
    let lan2 = &party.venue.lan2;
    lan2.ip(&format!("addr add {taken}/32 dev eth0"))?;
    let mark = party.venue.dhcp.mark();
    let client = join(party, 0, &[])?;
    let other = address(machine)?;
    ensure!(other != taken, "{taken} is another's");
    let decline = format!("DHCPDECLINE(eth0) {taken}");
    party.venue.dhcp.wait_for_line_after(mark, &decline, SOON)?;
    machine.pings(Venue::LAN1, 56)?;
    machine.pings(taken, 56)?;
    lan2.ip(&format!("addr del {taken}/32 dev eth0"))?;
    ends_well(&client)
}

/// The switch withholds the server's word then, and the server would offer it again and again.
fn an_address_that_the_switch_knows_to_be_anothers_is_declined_too(party: &Party) -> Result<()> {
    let machine = stranger(party, 0);
    let first = join(party, 0, &[])?;
    let taken = address(machine)?;
    ends_well(&first)?;
    let lan2 = &party.venue.lan2;
    lan2.ip(&format!("addr add {taken}/32 dev eth0"))?;
    lan2.output(["arping", "-U", "-c", "1", "-I", "eth0", &taken.to_string()])?;
    let mark = party.venue.dhcp.mark();
    let client = join(party, 0, &[])?;
    let other = address(machine)?;
    ensure!(other != taken, "{taken} is another's");
    let decline = format!("DHCPDECLINE(eth0) {taken}");
    party.venue.dhcp.wait_for_line_after(mark, &decline, SOON)?;
    machine.pings(Venue::LAN1, 56)?;
    lan2.ip(&format!("addr del {taken}/32 dev eth0"))?;
    ends_well(&client)
}

fn what_somebody_insists_on_is_given_up_and_said(party: &Party) -> Result<()> {
    let machine = stranger(party, 0);
    let client = join(party, 0, &[])?;
    let first = address(machine)?;
    let lan2 = &party.venue.lan2;
    let claimed = first.to_string();
    let claim = ["arping", "-U", "-c", "3", "-I", "eth0", &claimed];
    lan2.ip(&format!("addr add {first}/32 dev eth0"))?;
    lan2.output(claim)?;
    lan2.ip(&format!("addr del {first}/32 dev eth0"))?;
    client.wait_for_line(&format!("uses your address {first} as well"), SOON)?;
    eventually("another address", SOON, || {
        machine.ipv4(Player::TAP).filter(|now| *now != first)
    })?;
    machine.pings(Venue::LAN1, 56)?;
    ends_well(&client)
}

fn a_chosen_address_that_somebody_has_is_said(party: &Party) -> Result<()> {
    let chosen = format!("{}/24", Venue::LAN1);
    let client = join(party, 0, &["--address", &chosen])?;
    client.wait_for_line(&format!("uses the address {} as well", Venue::LAN1), SOON)?;
    ends_well(&client)
}

fn a_person_can_leave_the_address_to_others(party: &Party) -> Result<()> {
    let machine = stranger(party, 0);
    let mark = party.venue.dhcp.mark();
    let client = join(party, 0, &["--no-dhcp"])?;
    client.wait_for_line("no LAN address yet", SOON)?;
    client.wait_for_line("start again without --no-dhcp", 2 * SOON)?;
    ensure!(machine.ipv4(Player::TAP).is_none(), "it has one");
    let asked = party.venue.dhcp.log();
    let asked = asked
        .lines()
        .skip(mark)
        .any(|line| line.contains("DHCPDISCOVER"));
    ensure!(!asked, "it has asked");
    ends_well(&client)
}

fn two_without_a_server_reach_each_other_until_there_is_one(scene: &Scene) -> Result<()> {
    let party = &scene.party;
    let clients = [join(party, 0, &[])?, join(party, 1, &[])?];
    let begin = Instant::now();
    for number in [0, 1] {
        let made_up = eventually("an address", MADE_UP, || {
            stranger(party, number).ipv4(Player::TAP)
        })?;
        ensure!(is_made_up(made_up), "{made_up}");
    }
    println!("both have made up an address after {:?}", begin.elapsed());
    let second = stranger(party, 1).ipv4(Player::TAP).context("no address")?;
    stranger(party, 0).pings(second, 56)?;
    for client in &clients {
        client.wait_for_line("your adapter has given itself 169.254.", SOON)?;
    }
    scene.start_server()?;
    let begin = Instant::now();
    for number in [0, 1] {
        eventually("a lease in its place", Duration::from_secs(50), || {
            let address = stranger(party, number).ipv4(Player::TAP)?;
            (!is_made_up(address)).then_some(())
        })?;
        let shown =
            stranger(party, number).ip_shows(&format!("-4 address show dev {}", Player::TAP))?;
        ensure!(!shown.contains("169.254."), "{shown}");
        stranger(party, number).pings(Venue::LAN1, 56)?;
    }
    println!("leases took their place after {:?}", begin.elapsed());
    clients.iter().try_for_each(ends_well)
}

fn a_short_lease_is_renewed_without_a_gap_by_a_server_that_was_restarted(
    scene: &Scene,
) -> Result<()> {
    let party = &scene.party;
    scene.start_server()?;
    let machine = stranger(party, 0);
    let client = join(party, 0, &[])?;
    let leased = address(machine)?;
    scene.server().as_ref().context("no server")?.stop()?;
    scene.start_server()?;
    let begin = Instant::now();
    let renewal = format!("DHCPACK(eth0) {leased}");
    loop {
        let now = machine.ipv4(Player::TAP);
        ensure!(now == Some(leased), "it has {now:?}");
        let said = scene.server().as_ref().context("no server")?.log();
        if said.contains(&renewal) {
            break;
        }
        ensure!(begin.elapsed() < Duration::from_secs(80), "{said}");
        pass(Duration::from_millis(500));
    }
    println!("renewed after {:?}", begin.elapsed());
    let shown = machine.ip_shows(&format!("-4 address show dev {}", Player::TAP))?;
    let left = shown
        .split("valid_lft ")
        .nth(1)
        .and_then(|rest| rest.split("sec").next());
    let left: u32 = left.context("no end")?.trim().parse()?;
    ensure!(left > 100, "{shown}");
    ends_well(&client)
}

fn is_made_up(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_link_local())
}

fn stranger(party: &Party, number: usize) -> &Machine {
    &party.venue.remotes[number]
}

fn client(party: &Party, more: &[&str]) -> Result<Vec<String>> {
    let mut command = program("lanparty-client")?;
    command.extend(party.join_flags());
    command.extend(more.iter().map(|word| (*word).into()));
    Ok(command)
}

/// On a machine far away, by the default way of addressing but for what `more` says.
fn join(party: &Party, number: usize, more: &[&str]) -> Result<Process> {
    let identity = format!("stranger-{number}.json");
    let own = ["--identity", &identity, "--log", "info"];
    let more: Vec<_> = own.iter().chain(more).copied().collect();
    stranger(party, number).spawn("client", client(party, &more)?)
}

fn address(machine: &Machine) -> Result<IpAddr> {
    eventually("an address", SOON, || machine.ipv4(Player::TAP))
}

fn ends_well(client: &Process) -> Result<()> {
    client.signal(Signal::INT)?;
    let status = client.wait(SOON)?;
    ensure!(status.success(), "{status}:\n{}", client.tail(20));
    Ok(())
}
