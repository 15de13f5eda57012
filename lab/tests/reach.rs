//! What players may reach is the host's choice: a file share, a router's page, a box's SSH, and games, through the real programs.
//!
//! Listeners stand in for the services: what matters is whether anything answers. The games are Debian's.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests run real programs"
)]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::traffic::{
    EchoSession, openarena_server, openarena_servers_seen, speaker, teeworlds_server,
    teeworlds_servers_seen,
};
use lanparty_lab::{
    LAN_BROADCAST, Machine, Needs, Plan, Process, Suite, Venue, World, checks, eventually, program,
    run,
};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
/// A program that is refused must not wait for as long.
const AT_ONCE: Duration = Duration::from_secs(5);
const ROOM: &str = "FRIDAY-LAN";
const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 1));
/// The address on the LAN of the machine that the gateway runs on.
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 2));
const QUAKE: u16 = 27_960;
const TEE: u16 = 8303;

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "dnsmasq",
        "openarena-server",
        "quakestat",
        "setpriv",
        "teeworlds-server",
    ]);
    let evening = checks![
        everything_is_reached_before_the_host_says_otherwise,
        games_only_ends_what_is_under_way,
        both_games_are_found_and_played,
        nothing_else_answers,
        what_the_lan_begins_is_answered,
        an_announced_port_opens_and_no_other,
        what_was_tried_is_listed_and_allowed_at_once,
        a_player_has_a_reach_of_its_own,
        a_flood_of_ports_stays_within_its_memory,
        named_is_named,
        a_restart_keeps_it,
    ];
    run(&needs, [Suite::new("reach", Evening::begin, evening)])
}

/// Anna and Bert play from home.
struct Evening {
    relay: Process,
    gateway: Mutex<Option<Process>>,
    services: Vec<Process>,
    /// The open ports of the LAN's machines.
    _listeners: Vec<TcpListener>,
    session: EchoSession,
    opening: Vec<String>,
    anna: IpAddr,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        let gateway = self.gateway();
        let programs = [&self.relay].into_iter().chain(gateway.as_ref());
        let programs = programs.chain(&self.services);
        let tails = programs.map(|program| program.tail(25));
        tails.collect::<Vec<_>>().join("\n---\n")
    }
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 2,
            ..Plan::default()
        })?;
        let relay = venue.relay.spawn("relay", program("lanparty-relay")?)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let address = Venue::RELAY.to_string();
        let place = ["--relay", &address, "--pin", &pin, "--room", ROOM].map(String::from);
        let mut print = program("lanparty-gateway")?;
        print.extend(["invite".to_owned()].into_iter().chain(place.clone()));
        let printed = venue.gateway.run(&print)?;
        let invite = printed.lines().next().context("an invite")?;
        let file = venue.lab.write("invite.txt", invite)?;
        let mut opening = program("lanparty-gateway")?;
        opening.extend(place);
        opening.extend(["--interface", "eth0", "--with-this-machine"].map(String::from));
        let gateway = venue.gateway.spawn("gateway", &opening)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let mut services = Vec::new();
        let mut addresses = Vec::new();
        for (machine, name) in venue.remotes.iter().zip(["Anna", "Bert"]) {
            let socket = format!("{name}.sock");
            let service = client(&["service", "--socket", &socket, "--state", name])?;
            let service = machine.spawn("service", service)?;
            service.wait_for_line("Views are heard", SOON)?;
            let at = format!("@{file}");
            let join = ["join", &at, "--name", name, "--socket", &socket];
            machine.run(client(&join)?)?;
            addresses.push(eventually("an address on the LAN", SOON, || {
                let snapshot = snapshot(machine, &socket).ok()?;
                snapshot["address"]["ip"].as_str()?.parse().ok()
            })?);
            services.push(service);
        }
        let mut listeners = Vec::new();
        for (machine, ports) in [
            (&venue.lan1, &[445, 9123, 54_321][..]),
            (&venue.router, &[80]),
            (&venue.gateway, &[22]),
        ] {
            for &port in ports {
                let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
                listeners.push(machine.enter(|| TcpListener::bind(any))?);
            }
        }
        let session = EchoSession::open(&venue.remotes[0], &venue.lan1, Venue::LAN1)?;
        Ok(Evening {
            relay,
            gateway: Some(gateway).into(),
            services,
            _listeners: listeners,
            session,
            opening,
            anna: addresses[0],
            venue,
        })
    }

    fn gateway(&self) -> MutexGuard<'_, Option<Process>> {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn anna(&self) -> &Machine {
        &self.venue.remotes[0]
    }

    fn ctl(&self, words: &[&str]) -> Result<String> {
        self.venue.gateway.ctl("lanparty-gateway", words)
    }

    /// What is counted as out of reach.
    fn refused(&self) -> Result<u64> {
        let stats: Value = serde_json::from_str(&self.ctl(&["stats"])?)?;
        Ok(stats["drops"]["out_of_reach"].as_u64().unwrap_or(0))
    }
}

fn client(words: &[&str]) -> Result<Vec<String>> {
    let mut command = program("lanparty-client")?;
    command.extend(words.iter().map(|word| (*word).to_owned()));
    Ok(command)
}

fn snapshot(machine: &Machine, socket: &str) -> Result<Value> {
    let output = machine.output(client(&["status", "--json", "--socket", socket])?)?;
    serde_json::from_slice(&output.stdout).context("a snapshot")
}

/// Whether somebody listens there for this machine; silence is no answer that a program should get.
fn is_reached(from: &Machine, at: IpAddr, port: u16) -> Result<bool> {
    let began = Instant::now();
    let outcome = from.enter(|| {
        let connected = TcpStream::connect_timeout(&SocketAddr::new(at, port), SOON);
        Ok(connected.map(drop).map_err(|error| error.kind()))
    })?;
    ensure!(
        began.elapsed() < AT_ONCE,
        "{at}:{port} took {:?}",
        began.elapsed()
    );
    match outcome {
        Ok(()) => Ok(true),
        Err(ErrorKind::ConnectionRefused) => Ok(false),
        Err(other) => bail!("{at}:{port}: {other}"),
    }
}

/// Says something to a game's server and hears what it says back, so many times.
fn plays(from: &Machine, at: IpAddr, port: u16, said: &[u8], times: usize) -> Result<()> {
    let socket = from.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    socket.connect((at, port))?;
    for round in 0..times {
        let what = format!("{at}:{port} answers, round {round}");
        eventually(&what, SOON, || {
            socket.send(said).ok()?;
            socket.recv(&mut [0; 2048]).ok()
        })?;
    }
    Ok(())
}

fn everything_is_reached_before_the_host_says_otherwise(evening: &Evening) -> Result<()> {
    for (at, port) in [(Venue::LAN1, 445), (ROUTER, 80), (OWN, 22)] {
        ensure!(is_reached(evening.anna(), at, port)?, "{at}:{port}");
    }
    ensure!(
        evening
            .ctl(&["reach"])?
            .starts_with("Players reach everything")
    );
    evening.session.lives(SOON)
}

fn games_only_ends_what_is_under_way(evening: &Evening) -> Result<()> {
    let said = evening.ctl(&["reach", "games"])?;
    ensure!(
        said == "Players reach games on the LAN, and nothing else.\n",
        "{said}"
    );
    ensure!(
        evening.session.lives(Duration::from_secs(2)).is_err(),
        "it lives"
    );
    Ok(())
}

fn both_games_are_found_and_played(evening: &Evening) -> Result<()> {
    let (lan1, anna) = (&evening.venue.lan1, evening.anna());
    let _quake = openarena_server(lan1, "Quaking")?;
    let _tee = teeworlds_server(lan1, "Teeing")?;
    let seen = openarena_servers_seen(anna, LAN_BROADCAST)?;
    ensure!(seen.contains(&format!("{}:{QUAKE}", Venue::LAN1)), "{seen}");
    let seen = teeworlds_servers_seen(anna, LAN_BROADCAST)?;
    ensure!(seen.contains_key(&(Venue::LAN1, TEE).into()), "{seen:?}");
    plays(anna, Venue::LAN1, QUAKE, b"\xff\xff\xff\xffgetinfo x", 50)?;
    let _own = openarena_server(anna, "Anna's")?;
    plays(lan1, evening.anna, QUAKE, b"\xff\xff\xff\xffgetinfo x", 50)
}

fn nothing_else_answers(evening: &Evening) -> Result<()> {
    let before = evening.refused()?;
    for (at, port) in [
        (Venue::LAN1, 445),
        (Venue::LAN1, 9123),
        (ROUTER, 80),
        (ROUTER, 53),
        (OWN, 22),
    ] {
        ensure!(!is_reached(evening.anna(), at, port)?, "{at}:{port}");
    }
    // The router's name server answers nobody, and says so at once.
    let socket = evening
        .anna()
        .enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    socket.set_read_timeout(Some(AT_ONCE))?;
    socket.connect((ROUTER, 53))?;
    socket.send(b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x05games\x05party\x04test\0\0\x01\0\x01")?;
    let error = socket.recv(&mut [0; 512]).err().context("it answers")?;
    ensure!(error.kind() != ErrorKind::WouldBlock, "silence");
    for at in [Venue::LAN1, ROUTER, OWN] {
        evening.anna().pings(at, 56)?;
    }
    let counted = || evening.refused().ok().filter(|&now| now >= before + 6);
    eventually("refused frames are counted", SOON, counted).map(drop)
}

fn what_the_lan_begins_is_answered(evening: &Evening) -> Result<()> {
    let any = (Ipv4Addr::UNSPECIFIED, 9321);
    let _listener = evening.anna().enter(|| TcpListener::bind(any))?;
    ensure!(is_reached(&evening.venue.lan1, evening.anna, 9321)?);
    Ok(())
}

/// What Minecraft says of a world that was opened to the LAN.
fn an_announced_port_opens_and_no_other(evening: &Evening) -> Result<()> {
    ensure!(!is_reached(evening.anna(), Venue::LAN1, 54_321)?);
    // A player who says so in the machine's name opens nothing.
    let group = (Ipv4Addr::new(224, 0, 2, 60), 4445);
    let said = b"[MOTD]Ann - World[/MOTD][AD]54321[/AD]";
    let annas = speaker((evening.anna(), evening.anna))?;
    annas.send_to(said, group)?;
    ensure!(!is_reached(evening.anna(), Venue::LAN1, 54_321)?);
    let lans = speaker((&evening.venue.lan1, Venue::LAN1))?;
    eventually("the announced port is open", SOON, || {
        lans.send_to(said, group).ok()?;
        is_reached(evening.anna(), Venue::LAN1, 54_321)
            .ok()?
            .then_some(())
    })?;
    ensure!(!is_reached(evening.anna(), Venue::LAN1, 9123)?);
    Ok(())
}

fn what_was_tried_is_listed_and_allowed_at_once(evening: &Evening) -> Result<()> {
    ensure!(!is_reached(evening.anna(), Venue::LAN1, 445)?);
    let row = eventually("the attempt is listed", SOON, || {
        let listed = evening.ctl(&["reach"]).ok()?;
        let mut rows = listed.lines();
        let row = rows.find(|row| row.contains("192.168.50.11:445/tcp"))?;
        Some(row.to_owned())
    })?;
    ensure!(
        row.starts_with("Anna") && row.contains("file shares"),
        "{row}"
    );
    evening.ctl(&["allow", "192.168.50.11:445/tcp"])?;
    ensure!(
        is_reached(evening.anna(), Venue::LAN1, 445)?,
        "it was allowed"
    );
    evening.ctl(&["disallow", "192.168.50.11:445/tcp"])?;
    ensure!(
        !is_reached(evening.anna(), Venue::LAN1, 445)?,
        "it was taken back"
    );
    Ok(())
}

fn a_player_has_a_reach_of_its_own(evening: &Evening) -> Result<()> {
    let bert = &evening.venue.remotes[1];
    ensure!(!is_reached(bert, Venue::LAN1, 445)?);
    evening.ctl(&["reach", "--player", "Bert", "games", "192.168.50.11:445"])?;
    ensure!(is_reached(bert, Venue::LAN1, 445)? && !is_reached(bert, ROUTER, 80)?);
    ensure!(!is_reached(evening.anna(), Venue::LAN1, 445)?);
    let listed = evening.ctl(&["reach"])?;
    ensure!(
        listed.contains("Bert reaches games on the LAN and 192.168.50.11:445"),
        "{listed}"
    );
    evening.ctl(&["reach", "--player", "Bert", "default"])?;
    ensure!(!is_reached(bert, Venue::LAN1, 445)?);
    Ok(())
}

fn a_flood_of_ports_stays_within_its_memory(evening: &Evening) -> Result<()> {
    let gateway = evening.gateway();
    let gateway = gateway.as_ref().context("a gateway")?;
    let resident = || -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(number.context("a size")?.parse()?)
    };
    let (before, refused) = (resident()?, evening.refused()?);
    let socket = evening
        .anna()
        .enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
    // What a player may send is limited; it takes as long as it takes.
    for port in 30_001..=50_000_u16 {
        while socket.send_to(b"open?", (Venue::LAN1, port)).is_err() {}
        if port % 100 == 0 {
            lanparty_lab::pass(Duration::from_millis(20));
        }
    }
    let counted = || {
        evening
            .refused()
            .ok()
            .filter(|&now| now >= refused + 10_000)
    };
    let counted = eventually("the flood is counted", SOON, counted)?;
    let grown = resident()?.saturating_sub(before);
    println!(
        "{} frames refused; the gateway grew by {grown} KiB",
        counted - refused
    );
    ensure!(grown < 4096, "{grown} KiB");
    let listed = evening.ctl(&["reach"])?;
    let annas = listed.lines().filter(|row| row.starts_with("Anna")).count();
    ensure!((1..=16).contains(&annas), "{listed}");
    let _quake = openarena_server(&evening.venue.lan1, "Quaking")?;
    let said = b"\xff\xff\xff\xffgetinfo x";
    plays(&evening.venue.remotes[1], Venue::LAN1, QUAKE, said, 5)
}

fn named_is_named(evening: &Evening) -> Result<()> {
    let anna = evening.anna();
    evening.ctl(&["reach", "only", "192.168.50.0/24:1-500,192.168.50.1:80"])?;
    // The box's way to the relay is another cable: any machine of this LAN may be its router, until a route says which.
    ensure!(!is_reached(anna, Venue::LAN1, 445)?, "no router is known");
    let route = "ip route add 203.0.113.0/24 via 192.168.50.1";
    evening.venue.gateway.run(route.split(' '))?;
    eventually("the network's name opens its machines", SOON, || {
        is_reached(anna, Venue::LAN1, 445).ok()?.then_some(())
    })?;
    // The network's name opens neither router nor box; the very address does.
    ensure!(!is_reached(anna, OWN, 22)? && is_reached(anna, ROUTER, 80)?);
    ensure!(!is_reached(anna, Venue::LAN1, 9123)?);
    let wrong = evening.ctl(&["reach", "only", "nas:445"]);
    let wrong = format!("{:#}", wrong.err().context("a name is no address")?);
    ensure!(
        wrong.contains("does not begin with an IP address"),
        "{wrong}"
    );
    evening.ctl(&["reach", "games"]).map(drop)
}

fn a_restart_keeps_it(evening: &Evening) -> Result<()> {
    drop(evening.gateway().take());
    let gateway = evening.venue.gateway.spawn("gateway", &evening.opening)?;
    gateway.wait_for_line("players reach games on the LAN", SOON)?;
    gateway.wait_for_line("connected to the relay", SOON)?;
    evening.gateway().replace(gateway);
    let anna = evening.anna();
    eventually("Anna reaches the LAN again", SOON, || {
        anna.pings(ROUTER, 56).ok()
    })?;
    ensure!(!is_reached(anna, Venue::LAN1, 445)?);
    let _quake = openarena_server(&evening.venue.lan1, "Quaking")?;
    plays(anna, Venue::LAN1, QUAKE, b"\xff\xff\xff\xffgetinfo x", 5)
}
