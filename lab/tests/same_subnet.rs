//! Home and party with the same addresses: both stay reachable, and what collides is named.

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{
    EchoSession, MDNS, multicast_crosses, openarena_server, openarena_servers_seen,
    teeworlds_server, teeworlds_servers_seen,
};
use lanparty_lab::{
    Check, HomePlan, LAN_BROADCAST, Machine, Needs, Party, Player, Process, Suite, Venue, checks,
    eventually, program, run,
};

/// A host that is known is reached at once; a busy machine gets the rest.
const SOON: Duration = Duration::from_secs(10);
/// What a person is told of it.
const NOTICED: &str = "has addresses of the party's";

/// Home is like the party, number for number.
const TWIN: HomePlan = HomePlan {
    player: Ipv4Addr::new(192, 168, 50, 77),
    router: Ipv4Addr::new(192, 168, 50, 254),
    printer: Ipv4Addr::new(192, 168, 50, 30),
    prefix_len: 24,
};
/// Both routers have the same number, as they do from the shop.
const SAME_ROUTER: HomePlan = HomePlan {
    router: Ipv4Addr::new(192, 168, 50, 1),
    ..TWIN
};
/// The party is a part of home's network.
const WIDER: HomePlan = HomePlan {
    prefix_len: 16,
    ..TWIN
};
/// Home is a part of the party's network: 192.168.50.64 to 127.
const NARROWER: HomePlan = HomePlan {
    router: Ipv4Addr::new(192, 168, 50, 126),
    printer: Ipv4Addr::new(192, 168, 50, 90),
    prefix_len: 26,
    ..TWIN
};
/// A host of the party in any of these networks.
const INSIDE: Ipv4Addr = Ipv4Addr::new(192, 168, 50, 70);

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "dhclient",
        "dnsmasq",
        "openarena-server",
        "ping",
        "quakestat",
        "teeworlds-server",
    ]);
    let suites = [
        Suite::new("twin", || party(TWIN), twin()),
        Suite::new("same_router", || party(SAME_ROUTER), same_router()),
        Suite::new("wider_home", || party(WIDER), reach()),
        Suite::new("narrower_home", || party(NARROWER), reach()),
        Suite::new("late", || Party::builder().players(1).start(), late()),
        Suite::new(
            "taken",
            taken,
            checks![an_address_that_home_uses_is_not_taken],
        ),
        Suite::new("undone", stranger, undone()),
    ];
    run(&needs, suites)
}

fn party(home: HomePlan) -> Result<Party> {
    let party = Party::builder().players(1).home(home).start()?;
    // A host of the party that nobody has heard of, with a number of home's.
    party
        .venue
        .lan2
        .ip(&format!("addr add {INSIDE}/24 dev eth0"))?;
    Ok(party)
}

fn twin() -> Vec<Check<Party>> {
    let mut checks = reach();
    checks.extend(checks![
        games_are_found_by_both_kinds_of_broadcast_and_both_ways,
        a_number_that_both_have_is_named_and_home_keeps_it,
        a_machine_at_home_that_nobody_has_spoken_with_keeps_its_number,
        a_number_that_is_free_at_home_again_is_the_partys,
    ]);
    checks
}

fn reach() -> Vec<Check<Party>> {
    checks![
        a_host_that_nobody_has_heard_of_is_reached_at_its_number,
        it_is_said_in_one_line_and_the_status_stays,
        party_hosts_and_player_reach_each_other_while_home_goes_on,
        a_host_of_the_party_speaks_first,
        multicast_crosses_both_ways,
        it_was_said_once,
    ]
}

fn same_router() -> Vec<Check<Party>> {
    checks![the_router_at_home_is_the_one_and_the_others_are_reached]
}

fn late() -> Vec<Check<Party>> {
    checks![
        a_network_that_home_gets_in_the_evening_takes_no_host_of_the_partys_away,
        a_vpn_that_has_the_partys_network_keeps_the_rest_of_its_own,
        a_vpn_with_rules_of_its_own_is_gone_before,
    ]
}

fn it_is_said_in_one_line_and_the_status_stays(party: &Party) -> Result<()> {
    let program = &player(party)?.program;
    let line = program.wait_for_line(NOTICED, SOON)?;
    ensure!(line.contains("on wan0"), "{line}");
    program.wait_for_line("Connected to the LAN with the address", SOON)?;
    Ok(())
}

/// Last, when everything has happened that could have it said again.
fn it_was_said_once(party: &Party) -> Result<()> {
    let log = player(party)?.program.log();
    let said = log.matches(NOTICED).count();
    ensure!(said == 1, "it is said {said} times:\n{log}");
    Ok(())
}

/// First, as nothing may have been said there yet. A game's first packets may be lost, its next ones are not.
fn a_host_that_nobody_has_heard_of_is_reached_at_its_number(party: &Party) -> Result<()> {
    let machine = &player(party)?.machine;
    reaches(machine, INSIDE.into())?;
    let session = EchoSession::open(machine, &party.venue.lan2, INSIDE.into())?;
    session.lives(SOON)
}

fn party_hosts_and_player_reach_each_other_while_home_goes_on(party: &Party) -> Result<()> {
    let player = player(party)?;
    let own = player.address()?;
    let (machine, venue) = (&player.machine, &party.venue);
    let (home, printer) = (home(party)?, printer(party)?);
    let printing = EchoSession::open(machine, printer, home.printer.into())?;
    for (host, address) in [(&venue.lan1, Venue::LAN1), (&venue.lan2, Venue::LAN2)] {
        reaches(machine, address)?;
        machine.pings(address, 56)?;
        host.pings(own, 56)?;
        EchoSession::open(machine, host, address)?.lives(SOON)?;
        EchoSession::open(host, machine, own)?.lives(SOON)?;
    }
    for at_home in [home.router, home.printer] {
        machine.pings(at_home.into(), 56)?;
    }
    printer.pings(home.player.into(), 56)?;
    machine.pings(Venue::RELAY, 56)?;
    printing.lives(SOON)
}

/// The answer to the very first packet goes to the party.
fn a_host_of_the_party_speaks_first(party: &Party) -> Result<()> {
    let player = player(party)?;
    let (lan2, own) = (&party.venue.lan2, player.address()?);
    for number in [95, 96, 97] {
        let address: IpAddr = Ipv4Addr::new(192, 168, 50, number).into();
        lan2.ip(&format!("addr add {address}/24 dev eth0"))?;
        let source = address.to_string();
        // One packet, and nobody asks again; a busy machine may take its time.
        let pinged = lan2.run(["ping", "-n", "-c1", "-W10", "-I", &source, &own.to_string()]);
        pinged.with_context(|| format!("the first ping of {address} has no answer"))?;
    }
    Ok(())
}

fn multicast_crosses_both_ways(party: &Party) -> Result<()> {
    let player = player(party)?;
    let lan = (&party.venue.lan1, Venue::LAN1);
    let player = (&player.machine, player.address()?);
    multicast_crosses(MDNS, lan, player)?;
    multicast_crosses(MDNS, player, lan)
}

fn games_are_found_by_both_kinds_of_broadcast_and_both_ways(party: &Party) -> Result<()> {
    let player = player(party)?;
    let (lan1, machine) = (&party.venue.lan1, &player.machine);
    // Without any way there is none for 255.255.255.255 either.
    lan1.ip("route add default via 192.168.50.1")?;
    finds_games(machine, (lan1, Venue::LAN1))?;
    finds_games(lan1, (machine, player.address()?))
}

fn finds_games(seeker: &Machine, (host, address): (&Machine, IpAddr)) -> Result<()> {
    let _servers = [
        teeworlds_server(host, "the tees")?,
        openarena_server(host, "the arena")?,
    ];
    for broadcast in [LAN_BROADCAST, Ipv4Addr::BROADCAST] {
        let found = eventually("the teeworlds server is found", SOON, || {
            let seen = teeworlds_servers_seen(seeker, broadcast).ok()?;
            let mut seen = seen.iter();
            seen.find(|(at, name)| at.ip() == address && *name == "the tees")?;
            Some(())
        });
        found.with_context(|| format!("{} by {broadcast}", seeker.name()))?;
    }
    let seen = openarena_servers_seen(seeker, LAN_BROADCAST)?;
    ensure!(seen.contains("the arena"), "{seen}");
    Ok(())
}

fn a_number_that_both_have_is_named_and_home_keeps_it(party: &Party) -> Result<()> {
    let player = player(party)?;
    let (machine, home) = (&player.machine, home(party)?);
    let printing = EchoSession::open(machine, printer(party)?, home.printer.into())?;
    let lan2 = &party.venue.lan2;
    lan2.ip(&format!("addr add {}/24 dev eth0", home.printer))?;
    let _ = speak_as(lan2, home.printer, player.address()?);
    let named = format!(
        "{} is a machine at your home and a machine at the party",
        home.printer
    );
    player.program.wait_for_line(&named, SOON)?;
    stays_at_home(machine, home.printer)?;
    machine.pings(home.printer.into(), 56)?;
    printing.lives(SOON)?;
    reaches(machine, Venue::LAN1)
}

/// It is asked for at home as soon as the party has that number.
fn a_machine_at_home_that_nobody_has_spoken_with_keeps_its_number(party: &Party) -> Result<()> {
    let player = player(party)?;
    let television = Ipv4Addr::new(192, 168, 50, 31);
    for machine in [printer(party)?, &party.venue.lan2] {
        machine.ip(&format!("addr add {television}/24 dev eth0"))?;
    }
    let _ = speak_as(&party.venue.lan2, television, player.address()?);
    let named = format!("{television} is a machine at your home and a machine at the party");
    player.program.wait_for_line(&named, SOON)?;
    eventually("home has it", SOON, || {
        stays_at_home(&player.machine, television).ok()
    })?;
    player.machine.pings(television.into(), 56)
}

/// Who was at home last week is not there for ever.
fn a_number_that_is_free_at_home_again_is_the_partys(party: &Party) -> Result<()> {
    let player = player(party)?;
    let visitor = Ipv4Addr::new(192, 168, 50, 32);
    let (machine, lan2) = (&player.machine, &party.venue.lan2);
    machine.ip(&format!(
        "neigh add {visitor} lladdr 02:00:00:00:00:99 dev wan0 nud stale"
    ))?;
    lan2.ip(&format!("addr add {visitor}/24 dev eth0"))?;
    let _ = speak_as(lan2, visitor, player.address()?);
    eventually("the party has it", 3 * SOON, || {
        speak_as(lan2, visitor, player.address().ok()?).ok()
    })
}

fn the_router_at_home_is_the_one_and_the_others_are_reached(party: &Party) -> Result<()> {
    let player = player(party)?;
    let machine = &player.machine;
    let router = home(party)?.router;
    let named = format!("{router} is your router at home and a machine at the party");
    let _ = speak_as(&party.venue.router, router, player.address()?);
    player.program.wait_for_line(&named, SOON)?;
    stays_at_home(machine, router)?;
    machine.pings(router.into(), 56)?;
    machine.pings(Venue::RELAY, 56)?;
    reaches(machine, Venue::LAN1)?;
    party.venue.lan1.pings(player.address()?, 56)
}

/// As when somebody starts a container or a VPN, or moves to another room.
fn a_network_that_home_gets_in_the_evening_takes_no_host_of_the_partys_away(
    party: &Party,
) -> Result<()> {
    let player = player(party)?;
    let machine = &player.machine;
    let playing = EchoSession::open(machine, &party.venue.lan1, Venue::LAN1)?;
    machine.ip("link add docker0 type bridge")?;
    machine.ip("addr add 192.168.50.254/24 brd + dev docker0")?;
    machine.ip("link set docker0 up")?;
    let line = player.program.wait_for_line(NOTICED, SOON)?;
    ensure!(line.contains("192.168.50.0/24 on docker0"), "{line}");
    playing.lives(SOON)?;
    reaches(machine, Venue::LAN2)?;
    party.venue.lan2.pings(player.address()?, 56)?;
    machine.ip("link del docker0")?;
    eventually("one route leads to the party again", SOON, || {
        let routes = machine.ip_shows("route show 192.168.50.0/24").ok()?;
        routes.contains(Player::TAP).then_some(())
    })?;
    playing.lives(SOON)?;
    machine.pings(Venue::LAN2, 56)
}

/// A tunnel has no neighbours: nobody hears that somebody is looked for there, so the first round has to find who is silent.
fn a_vpn_that_has_the_partys_network_keeps_the_rest_of_its_own(party: &Party) -> Result<()> {
    let player = player(party)?;
    let machine = &player.machine;
    let playing = EchoSession::open(machine, &party.venue.lan1, Venue::LAN1)?;
    let silent = Ipv4Addr::new(192, 168, 50, 9);
    party
        .venue
        .lan2
        .ip(&format!("addr add {silent}/24 dev eth0"))?;
    machine.ip("tuntap add tun0 mode tun")?;
    machine.ip("link set tun0 up")?;
    machine.ip("route add 192.168.48.0/20 dev tun0")?;
    let noticed = "192.168.48.0/20 on tun0";
    player.program.wait_for_line(noticed, SOON)?;
    playing.lives(SOON)?;
    reaches(machine, silent.into())?;
    let way = machine.ip_shows("route get 192.168.49.9")?;
    ensure!(way.contains("dev tun0"), "{way}");
    machine.ip("link del tun0")?;
    playing.lives(SOON)
}

/// As Tailscale does it: a table that is asked before the main one.
fn a_vpn_with_rules_of_its_own_is_gone_before(party: &Party) -> Result<()> {
    let player = player(party)?;
    let machine = &player.machine;
    let playing = EchoSession::open(machine, &party.venue.lan1, Venue::LAN1)?;
    machine.ip("tuntap add tun0 mode tun")?;
    machine.ip("link set tun0 up")?;
    machine.ip("route add 192.168.50.0/24 dev tun0 table 52")?;
    machine.ip("rule add pref 5270 lookup 52")?;
    player
        .program
        .wait_for_line("192.168.50.0/24 on tun0", SOON)?;
    playing.lives(SOON)?;
    reaches(machine, Venue::LAN2)?;
    let way = machine.ip_shows("route get 192.168.50.250")?;
    ensure!(way.contains("dev tun0"), "{way}");
    machine.ip("rule del pref 5270")?;
    machine.ip("link del tun0")?;
    playing.lives(SOON)?;
    eventually("the rule goes", SOON, || {
        let rules = machine.ip_shows("rule").ok()?;
        (!rules.contains("suppress_prefixlength")).then_some(())
    })
}

/// The first address that the party's DHCP server gives is the printer's at home.
fn taken() -> Result<Party> {
    let party = Party::builder().players(1).home(TWIN).start()?;
    let given = party.players[0].address()?;
    party.players[0].program.interrupt()?;
    let printer = party.venue.printer.as_ref().context("no printer")?;
    printer.ip(&format!("addr add {given}/24 dev eth0"))?;
    Ok(party)
}

/// Nobody has spoken with it yet, so it shows only when home is asked.
fn an_address_that_home_uses_is_not_taken(party: &Party) -> Result<()> {
    let printers = printer(party)?.ip_shows("-4 -o addr show dev eth0")?;
    let machine = &party.players[0].machine;
    let mut command = program("lanparty-client")?;
    command.extend(party.join_flags());
    let same = [
        "--identity",
        "identity-1.json",
        "--virtual-mac",
        "02:1a:00:00:00:01",
    ];
    command.extend(same.map(str::to_owned));
    let client = machine.spawn("client-again", command)?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    let got = eventually("another address", 2 * SOON, || {
        let own = machine.ipv4(Player::TAP)?;
        (!printers.contains(&format!(" {own}/"))).then_some(())
    });
    got.with_context(|| client.tail(15))?;
    reaches(machine, Venue::LAN1)?;
    client.interrupt().map(drop)
}

/// A party that nobody has joined yet, and what the player's machine was like before.
fn stranger() -> Result<Party> {
    Party::builder().strangers(1).home(TWIN).start()
}

fn undone() -> Vec<Check<Party>> {
    checks![
        after_the_end_everything_is_as_before,
        after_a_kill_and_another_run_everything_is_as_before,
    ]
}

fn after_the_end_everything_is_as_before(party: &Party) -> Result<()> {
    let machine = &party.venue.remotes[0];
    let before = state_of(machine)?;
    let client = play(party, machine)?;
    ensure!(state_of(machine)? != before, "nothing was changed");
    let ended = client.interrupt()?;
    ensure!(ended.success(), "{}", client.tail(15));
    is_as(machine, &before)
}

fn after_a_kill_and_another_run_everything_is_as_before(party: &Party) -> Result<()> {
    let machine = &party.venue.remotes[0];
    machine.ip("rule add pref 5270 lookup 52")?;
    machine.ip("route add 192.168.50.0/24 dev wan0 table 52")?;
    let before = &state_of(machine)?;
    play(party, machine)?.kill()?;
    let left = machine.ip_shows("rule")?;
    ensure!(
        left.contains("suppress_prefixlength 31"),
        "no rule was needed:\n{left}"
    );
    let mut doctor = program("lanparty-client")?;
    doctor.push("doctor".to_owned());
    let said = String::from_utf8(machine.output(doctor)?.stdout)?;
    ensure!(said.contains("✗ A run that was killed"), "{said}");
    let client = play(party, machine)?;
    client.interrupt()?;
    is_as(machine, before)
}

/// Joins, and waits until the party is reached.
fn play(party: &Party, machine: &Machine) -> Result<Process> {
    let mut command = program("lanparty-client")?;
    command.extend(party.join_flags());
    let more = ["--address", "192.168.50.201/24", "--tap", Player::TAP];
    command.extend(more.map(str::to_owned));
    let client = machine.spawn("client", command)?;
    client.wait_for_line("Connected to the LAN", SOON)?;
    reaches(machine, Venue::LAN1)?;
    Ok(client)
}

fn is_as(machine: &Machine, before: &str) -> Result<()> {
    let is_gone = || (!machine.has_interface(Player::TAP)).then_some(());
    eventually("the adapter is gone", SOON, is_gone)?;
    let after = state_of(machine)?;
    ensure!(after == before, "before:\n{before}\nafter:\n{after}");
    Ok(())
}

/// Routes of every table, rules and addresses.
fn state_of(machine: &Machine) -> Result<String> {
    let parts = ["-4 route show table all", "-4 rule", "-4 -o addr"];
    let shown: Result<Vec<_>> = parts.iter().map(|part| machine.ip_shows(part)).collect();
    Ok(shown?.concat())
}

/// Fails unless `host` answers within a few seconds, by way of the adapter.
fn reaches(machine: &Machine, host: IpAddr) -> Result<()> {
    let ping = || {
        machine
            .run(["ping", "-n", "-c1", "-W1", &host.to_string()])
            .ok()
    };
    eventually(&format!("{host} answers"), SOON, ping)?;
    let way = machine.ip_shows(&format!("route get {host}"))?;
    ensure!(way.contains(Player::TAP), "it was answered at home: {way}");
    Ok(())
}

/// A machine speaks with the player by one of its addresses.
fn speak_as(machine: &Machine, address: Ipv4Addr, player: IpAddr) -> Result<()> {
    let (source, player) = (address.to_string(), player.to_string());
    let ping = ["ping", "-n", "-c1", "-W1", "-I", &source, &player];
    machine.run(ping).map(drop)
}

fn stays_at_home(machine: &Machine, address: Ipv4Addr) -> Result<()> {
    let way = machine.ip_shows(&format!("route get {address}"))?;
    ensure!(way.contains("dev wan0"), "{way}");
    Ok(())
}

fn player(party: &Party) -> Result<&Player> {
    party.players.first().context("this party has one player")
}

fn home(party: &Party) -> Result<HomePlan> {
    party.home().context("this player has a home")
}

fn printer(party: &Party) -> Result<&Machine> {
    party
        .venue
        .printer
        .as_ref()
        .context("this home has a printer")
}
