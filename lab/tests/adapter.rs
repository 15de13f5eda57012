//! What was set on a player's adapter stays set; who manages networks there leaves it alone; the machine is one host of the
//! party's LAN; and nothing of all that is left when the party ends, however it does.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests read what is left behind"
)]

use std::fs;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{
    Addressing, Machine, Needs, Party, Process, Snapshot, Suite, System, Venue, checks, eventually,
    program, run,
};
use rustix::process::{Pid, Signal, kill_process};

/// How `ip rule` shows a rule that a client has made.
const OWN_RULE: &str = "proto 76";
const SOON: Duration = Duration::from_secs(15);
const TAP: &str = "lanparty0";
const ADDRESS: &str = "192.168.50.231";
/// Where networkd's file is, and NetworkManager's.
const TOLD: [&str; 2] = ["run/systemd/network", "run/NetworkManager/conf.d"];

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "/lib/systemd/systemd-networkd",
        "NetworkManager",
        "arping",
        "dbus-daemon",
        "dhcpcd",
        "dnsmasq",
        "nmcli",
        "nsenter",
        "nstat",
        "ping",
        "unshare",
    ]);
    let stays = checks![
        what_somebody_changes_comes_back_at_once,
        what_somebody_changes_without_a_link_comes_back_as_well,
        a_default_route_of_somebody_else_is_removed_and_named,
    ];
    let host = checks![
        the_lan_is_not_answered_for_the_players_home_address,
        nothing_is_forwarded_between_party_and_home,
        nothing_is_forwarded_over_ipv6_and_what_is_for_this_machine_comes_in,
        a_killed_clients_rule_goes_at_the_next_start_and_anothers_stays,
    ];
    let managers = checks![
        networkd_that_takes_every_ether_leaves_the_adapter_alone,
        networkd_that_takes_every_ether_gives_the_ear_nothing,
        network_manager_that_takes_every_device_leaves_the_adapter_alone,
        dhcpcd_that_takes_the_adapter_changes_nothing_of_ours,
        what_managers_were_told_is_taken_back_after_a_kill,
        who_leaves_the_address_to_others_keeps_nobody_away,
        network_manager_gives_it_an_address_when_asked_as_the_guide_says,
    ];
    let suites = [
        Suite::new("stays", start, stays),
        Suite::new("host", start, host),
        Suite::new("managers", start, managers),
    ];
    run(&needs, suites)
}

/// A party, and a machine far away without a client yet.
fn start() -> Result<Party> {
    Party::builder()
        .players(0)
        .strangers(1)
        .addressing(Addressing::Static)
        .start()
}

fn what_somebody_changes_comes_back_at_once(party: &Party) -> Result<()> {
    let machine = home(party);
    let before = Snapshot::of(machine)?;
    let client = join(machine, party)?;
    let joined = Snapshot::of(machine)?;
    for poke in POKES {
        let mark = client.mark();
        machine.run(["sh", "-c", poke])?;
        comes_back(machine, &joined).with_context(|| poke.to_owned())?;
        // Nobody else put it back.
        client.wait_for_line_after(mark, "has again", SOON)?;
    }
    machine.pings(Venue::LAN1, 56)?;
    ends_well(&client)?;
    before.ensure_now(machine)
}

/// Each is a thing of its own that somebody, or a program, does to an adapter.
const POKES: [&str; 8] = [
    "ip link set lanparty0 down; ip link set lanparty0 up",
    "ip addr flush dev lanparty0",
    "ip route flush dev lanparty0",
    "ip route del 255.255.255.255",
    "ip route del 224.0.0.0/4",
    "ip link set lanparty0 mtu 1500",
    "ip link set lanparty0 address 02:1a:00:00:00:99",
    "echo 0 >/proc/sys/net/ipv4/conf/lanparty0/arp_ignore; echo 1 >/proc/sys/net/ipv6/conf/lanparty0/accept_redirects",
];

fn what_somebody_changes_without_a_link_comes_back_as_well(party: &Party) -> Result<()> {
    let machine = home(party);
    let client = join(machine, party)?;
    let joined = Snapshot::of(machine)?;
    party.relay.signal(Signal::STOP)?;
    let lost = client.wait_for_line("is not reachable", 2 * SOON);
    let changed = machine.run(["sh", "-c", "ip addr flush dev lanparty0"]);
    let back = comes_back(machine, &joined);
    party.relay.signal(Signal::CONT)?;
    lost.and(changed)?;
    back?;
    ends_well(&client)
}

fn a_default_route_of_somebody_else_is_removed_and_named(party: &Party) -> Result<()> {
    let machine = home(party);
    let client = join(machine, party)?;
    let joined = Snapshot::of(machine)?;
    for route in [
        "default via 192.168.50.1 proto dhcp metric 100",
        "0.0.0.0/1 via 192.168.50.1",
        "default via 192.168.50.1 table 1000",
        "default via fe80::1 dev lanparty0 metric 1",
    ] {
        let mark = client.mark();
        machine.ip(&format!("route add {route}"))?;
        client.wait_for_line_after(mark, "your internet stays yours", SOON)?;
        comes_back(machine, &joined).with_context(|| route.to_owned())?;
    }
    ends_well(&client)
}

fn the_lan_is_not_answered_for_the_players_home_address(party: &Party) -> Result<()> {
    let client = join(home(party), party)?;
    // As a machine probes that wants an address (RFC 5227): it fails where somebody answers.
    let probe = |ip: &str| {
        let words = ["arping", "-D", "-c", "2", "-w", "2", "-I", "eth0", ip];
        party.venue.lan1.output(words)
    };
    let own = probe(ADDRESS)?;
    ensure!(!own.status.success(), "nobody has {ADDRESS}: {own:?}");
    let home = probe("10.9.11.1")?;
    ensure!(home.status.success(), "somebody has 10.9.11.1: {home:?}");
    ends_well(&client)
}

fn nothing_is_forwarded_between_party_and_home(party: &Party) -> Result<()> {
    let (machine, lan1) = (home(party), &party.venue.lan1);
    let before = Snapshot::of(machine)?;
    // As whoever has containers or virtual machines.
    machine.sysctl("net/ipv4/ip_forward", "1")?;
    let client = join(machine, party)?;
    machine.pings(Venue::LAN1, 56)?;
    let home: IpAddr = "10.9.11.254".parse()?;
    lan1.ip(&format!("route add 10.9.11.0/24 via {ADDRESS}"))?;
    let answered = lan1.pings(home, 56);
    lan1.ip("route del 10.9.11.0/24")?;
    ensure!(answered.is_err(), "the LAN reaches the player's home");
    let forwarded = machine.counter("IpForwDatagrams")?;
    ensure!(forwarded == 0, "{forwarded} packets were forwarded");
    ends_well(&client)?;
    machine.sysctl("net/ipv4/ip_forward", "0")?;
    before.ensure_now(machine)
}

fn nothing_is_forwarded_over_ipv6_and_what_is_for_this_machine_comes_in(
    party: &Party,
) -> Result<()> {
    let (machine, lan1) = (home(party), &party.venue.lan1);
    let before = Snapshot::of(machine)?;
    machine.ip("-6 addr add fd00:9:77::1/64 dev wan0 nodad")?;
    machine.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    let client = join(machine, party)?;
    machine.ip(&format!("-6 addr add fd00:50::77/64 dev {TAP} nodad"))?;
    lan1.ip("-6 addr add fd00:50::1/64 dev eth0 nodad")?;
    let own: IpAddr = "fd00:50::77".parse()?;
    let link_local = eventually("IPv6's own address", SOON, || machine.ipv6_link_local(TAP))?;
    let close = format!("{link_local}%eth0");
    let ping = |to: &str| lan1.output(["ping", "-6", "-c", "2", "-i", "0.3", "-w", "4", to]);

    // Somebody at home, who would answer by this machine.
    lan1.ip(&format!("-6 route add fd00:9:77::/64 via {own}"))?;
    machine.ip("-6 neigh add fd00:9:77::2 lladdr 02:00:00:00:00:02 dev wan0")?;
    let sent = || machine.counter("Ip6OutForwDatagrams");
    let tried = ping("fd00:9:77::2")?;
    let forwarded = sent()?;
    let is_heard = [&own.to_string(), &close, "ff02::1%eth0"].map(ping);
    let rules = machine.ip_shows("-6 rule show")?;

    lan1.ip(&format!("-6 route del fd00:9:77::/64 via {own}"))?;
    lan1.ip("-6 addr del fd00:50::1/64 dev eth0")?;
    ensure!(
        forwarded == 0,
        "{forwarded} were forwarded: {tried:?}\n{rules}"
    );
    for heard in is_heard {
        let heard = heard?;
        ensure!(heard.status.success(), "it does not hear: {heard:?}");
    }
    // A rule that somebody removes comes back.
    machine.run(["sh", "-c", "ip -6 rule del pref 76"])?;
    let is_back = || {
        machine
            .ip_shows("-6 rule show")
            .ok()?
            .contains("blackhole")
            .then_some(())
    };
    eventually("the rule is there again", SOON, is_back)?;
    ends_well(&client)?;
    machine.sysctl("net/ipv6/conf/all/forwarding", "0")?;
    machine.ip("-6 addr del fd00:9:77::1/64 dev wan0")?;
    let is_as_before = || before.ensure_now(machine).ok();
    eventually("everything is as before", SOON, is_as_before)
        .or_else(|_| before.ensure_now(machine))
}

/// Two clients on one machine have a rule each, and a start takes none of those that play.
fn a_killed_clients_rule_goes_at_the_next_start_and_anothers_stays(party: &Party) -> Result<()> {
    let machine = home(party);
    let rules = || machine.ip_shows("-6 rule show");
    // The relay keeps a killed one's MAC for a while.
    let joins = |tap: &str, mac: &str| {
        let mut command = program("lanparty-client")?;
        command.extend(party.join_flags());
        let own = ["--no-dhcp", "--tap", tap, "--virtual-mac", mac];
        command.extend(own.map(String::from));
        let client = machine.spawn(tap, command)?;
        client.wait_for_line("no LAN address yet", SOON)?;
        anyhow::Ok(client)
    };
    let killed = joins(TAP, "02:1a:00:00:00:79")?;
    killed.kill()?;
    let is_gone = || (!machine.has_interface(TAP)).then_some(());
    eventually("the adapter goes", SOON, is_gone)?;
    ensure!(rules()?.contains("blackhole"), "{}", rules()?);
    let other = joins("party2", "02:1a:00:00:00:78")?;
    let told = rules()?;
    ensure!(told.contains("iif party2") && !told.contains(TAP), "{told}");
    let client = join(machine, party)?;
    let told = rules()?;
    ensure!(told.contains("iif party2") && told.contains(TAP), "{told}");
    ends_well(&other)?;
    ends_well(&client)?;
    ensure!(!rules()?.contains("blackhole"), "{}", rules()?);
    Ok(())
}

fn networkd_that_takes_every_ether_leaves_the_adapter_alone(party: &Party) -> Result<()> {
    let system = System::start(home(party))?;
    let all = "[Match]\nType=ether\n[Network]\nDHCP=yes\nKeepConfiguration=yes\n";
    system.write("etc/systemd/network/80-all.network", all)?;
    let networkd = system.networkd()?;
    let machine = system.machine();
    let before = Snapshot::of(machine)?;
    let client = join(machine, party)?;
    let is_unmanaged = || {
        let shown = machine.run(["networkctl", "list", "--no-pager"]).ok()?;
        let ours = shown.lines().find(|line| line.contains(TAP))?;
        ours.trim_end().ends_with("unmanaged").then_some(())
    };
    eventually("networkd leaves it alone", SOON, is_unmanaged)?;
    let joined = Snapshot::of(machine)?;
    networkd.stop()?;
    drop(networkd);
    let _networkd = system.networkd()?;
    eventually("networkd leaves it alone again", SOON, is_unmanaged)?;
    comes_back(machine, &joined)?;
    machine.pings(Venue::LAN1, 56)?;
    ends_well(&client)?;
    ensure!(told(&system).is_empty(), "{:?}", told(&system));
    before.ensure_now(machine)
}

/// The second TAP of `--both-ears` has no cable, as far as anybody can see.
fn networkd_that_takes_every_ether_gives_the_ear_nothing(party: &Party) -> Result<()> {
    let system = System::start(home(party))?;
    let all = "[Match]\nName=lanparty*\n[Network]\nDHCP=yes\nLinkLocalAddressing=yes\n";
    system.write("etc/systemd/network/80-all.network", all)?;
    let _networkd = system.networkd()?;
    let machine = system.machine();
    let own = format!("{ADDRESS}/24");
    let words = ["--address", &own, "--both-ears=wan0"];
    let client = machine.spawn("client", command(party, &words)?)?;
    client.wait_for_line("Connected to the LAN with", SOON)?;
    let shown = || machine.run(["networkctl", "list", "--no-pager"]);
    let is_seen = || {
        let shown = shown().ok()?;
        let ear = shown.lines().find(|line| line.contains("lanparty0-ear"))?;
        (!ear.contains("pending")).then(|| ear.to_owned())
    };
    let ear = eventually("networkd has seen the ear", SOON, is_seen)?;
    ensure!(ear.contains("no-carrier"), "{ear}");
    let addresses = machine.ip_shows("-o addr show dev lanparty0-ear")?;
    ensure!(addresses.is_empty(), "{addresses}");
    ends_well(&client)
}

fn network_manager_that_takes_every_device_leaves_the_adapter_alone(party: &Party) -> Result<()> {
    let system = System::start(home(party))?;
    let greedy = "[keyfile]\nunmanaged-devices=interface-name:wan0\n\n\
                  [device-all]\nmatch-device=interface-name:lanparty*\nmanaged=1\n";
    system.write("etc/NetworkManager/conf.d/greedy.conf", greedy)?;
    let manager = system.network_manager()?;
    let machine = system.machine();
    let before = Snapshot::of(machine)?;
    let client = join(machine, party)?;
    let is_unmanaged = || {
        let words = ["nmcli", "-t", "-f", "DEVICE,STATE", "device"];
        let shown = machine.run(words).ok()?;
        shown.contains("lanparty0:unmanaged").then_some(())
    };
    eventually("NetworkManager leaves it alone", SOON, is_unmanaged)?;
    let link_local = || machine.ipv6_link_local(TAP);
    eventually("it has IPv6's own address", SOON, link_local)?;
    machine.pings(Venue::LAN1, 56)?;
    drop(manager);
    ends_well(&client)?;
    ensure!(told(&system).is_empty(), "{:?}", told(&system));
    before.ensure_now(machine)
}

/// By itself it leaves adapters of this kind alone; somebody told it to take this one.
fn dhcpcd_that_takes_the_adapter_changes_nothing_of_ours(party: &Party) -> Result<()> {
    let system = System::start(home(party))?;
    let machine = system.machine();
    let before = Snapshot::of(machine)?;
    system.write(
        "etc/dhcpcd.conf",
        "nohook resolv.conf\ndenyinterfaces wan0\ninterface lanparty0\nnoarp\n",
    )?;
    let dhcpcd = system.dhcpcd()?;
    let client = join(machine, party)?;
    dhcpcd.wait_for_line("leased 192.168.50.", 3 * SOON)?;
    let routes = || machine.ip_shows("route show default dev lanparty0").ok();
    let is_clean = || routes()?.trim().is_empty().then_some(());
    eventually("no default route leads into the party", SOON, is_clean)?;
    machine.pings(Venue::LAN1, 56)?;
    let shown = machine.ip_shows(&format!("-4 addr show dev {TAP}"))?;
    ensure!(shown.contains(ADDRESS), "{shown}");
    ends_well(&client)?;
    drop(dhcpcd);
    let is_as_before = || before.ensure_now(machine).ok();
    eventually("everything is as before", SOON, is_as_before)
        .or_else(|_| before.ensure_now(machine))
}

fn what_managers_were_told_is_taken_back_after_a_kill(party: &Party) -> Result<()> {
    let system = System::start(home(party))?;
    let _networkd = system.networkd()?;
    let _manager = system.network_manager()?;
    let machine = system.machine();
    let before = Snapshot::of(machine)?;

    let client = join(machine, party)?;
    ensure!(told(&system).len() == 2, "{:?}", told(&system));
    client.kill()?;
    let taken_back = || told(&system).is_empty().then_some(());
    eventually("what they were told is taken back", SOON, taken_back)?;

    let client = join(machine, party)?;
    // As the end of a session's whole scope: the child first, as it would take back.
    kill_process(warden(&client)?, Signal::KILL)?;
    client.kill()?;
    ensure!(told(&system).len() == 2, "{:?}", told(&system));
    let client = join(machine, party)?;
    ensure!(told(&system).len() == 2, "of this run: {:?}", told(&system));
    ends_well(&client)?;
    ensure!(told(&system).is_empty(), "{:?}", told(&system));
    before.ensure_now(machine)
}

fn who_leaves_the_address_to_others_keeps_nobody_away(party: &Party) -> Result<()> {
    let system = System::start(home(party))?;
    let all = "[Match]\nName=lanparty0\n[Network]\nDHCP=ipv4\n";
    system.write("etc/systemd/network/80-party.network", all)?;
    let _networkd = system.networkd()?;
    let machine = system.machine();
    let client = machine.spawn("client", command(party, NOT_OURS)?)?;
    eventually("networkd gives it an address", SOON, || machine.ipv4(TAP))?;
    let routes = machine.default_routes()?;
    ensure!(!routes.contains(TAP), "{routes}");
    ends_well(&client)
}

fn network_manager_gives_it_an_address_when_asked_as_the_guide_says(party: &Party) -> Result<()> {
    let system = System::start(home(party))?;
    let own = "[keyfile]\nunmanaged-devices=interface-name:wan0\n";
    system.write("etc/NetworkManager/conf.d/wan.conf", own)?;
    let manager = system.network_manager()?;
    let machine = system.machine();
    let client = machine.spawn("client", command(party, NOT_OURS)?)?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    let typed = GUIDE.split('`').filter(|code| code.starts_with("nmcli "));
    let typed: Vec<_> = typed.collect();
    ensure!(typed.len() == 3, "{typed:?}");
    for command in typed {
        machine.run(command.split_whitespace())?;
    }
    let got = eventually("NetworkManager gives it an address", SOON, || {
        machine.ipv4(TAP)
    });
    got.with_context(|| manager.tail(30))?;
    machine.pings(Venue::LAN1, 56)?;
    let routes = machine.default_routes()?;
    ensure!(!routes.contains(TAP), "{routes}");
    ends_well(&client)
}

const GUIDE: &str = include_str!("../../docs/player-guide.md");
/// How somebody says that the system sees to the address.
const NOT_OURS: &[&str] = &["--no-dhcp"];

/// The files that tell managers about the adapter.
fn told(system: &System) -> Vec<String> {
    let folders = TOLD.map(|folder| system.file(folder));
    let entries = folders.iter().flat_map(fs::read_dir).flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.contains("lanparty")).collect()
}

/// The child that speaks to managers.
fn warden(client: &Process) -> Result<Pid> {
    let task = format!("/proc/{0}/task/{0}/children", client.id());
    let children = fs::read_to_string(task)?;
    let child = children.split_whitespace().next().context("no child")?;
    Pid::from_raw(child.parse()?).context("a process")
}

/// On a machine as busy as this one; how soon it is mended otherwise, the program's own tests show.
fn comes_back(machine: &Machine, joined: &Snapshot) -> Result<()> {
    // A rule of the client's own comes in the moment in which the network leads elsewhere, and stays to its end.
    let look = || joined.ensure_now_but_for(machine, |line| line.contains(OWN_RULE));
    let back = eventually("everything is as it was", SOON / 3, || look().ok());
    back.or_else(|_| look())
}

fn join(machine: &Machine, party: &Party) -> Result<Process> {
    let own = format!("{ADDRESS}/24");
    let client = machine.spawn("client", command(party, &["--address", &own])?)?;
    client.wait_for_line("Connected to the LAN with", SOON)?;
    // A part of what the kernel does by itself.
    let is_ready = || {
        let shown = machine.ip_shows("-6 addr show dev lanparty0 tentative");
        shown.ok()?.trim().is_empty().then_some(())
    };
    eventually("IPv6 is ready", SOON, is_ready)?;
    Ok(client)
}

fn command(party: &Party, more: &[&str]) -> Result<Vec<String>> {
    let mut command = program("lanparty-client")?;
    command.extend(party.join_flags());
    let own = [
        "--virtual-mac",
        "02:1a:00:00:00:77",
        "--log",
        "info,lanparty_client=debug",
    ];
    command.extend(own.iter().chain(more).map(|word| (*word).to_owned()));
    Ok(command)
}

fn ends_well(client: &Process) -> Result<()> {
    let status = client.interrupt()?;
    ensure!(status.success(), "{status}:\n{}", client.tail(20));
    Ok(())
}

fn home(party: &Party) -> &Machine {
    &party.venue.remotes[0]
}
