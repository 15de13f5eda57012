//! Real game servers, found through the tunnel in both directions, and named in both lists: the player's and the gateway's.
//!
//! The servers are Debian's. Where a game has no browser without a screen, a socket says what the browser says; the server's
//! answers are its own. The LAN's switch snoops and has a querier, so a group reaches only who has asked for it.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests run real programs"
)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{
    Look, armagetron_server, bzflag_server, ddnet_server, freeciv_server, openarena_server,
    openarena_servers_seen, openttd_server, speaker, teeworlds_server, teeworlds_servers_seen,
};
use lanparty_lab::{
    LAN_BROADCAST, Machine, Needs, Plan, Process, Suite, Venue, World, checks, eventually, program,
    run,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
/// How soon a game shows in a list: both are made anew once a second.
const SHOWS: Duration = Duration::from_secs(5);
const ROOM: &str = "FRIDAY-LAN";
/// The address on the LAN of the machine that the gateway runs on.
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 50, 2));

fn main() -> ExitCode {
    let needs = Needs::programs(&[
        "/usr/share/games/openttd/baseset/opengfx/opengfx.obg",
        "DDNet-Server",
        "armagetronad-dedicated",
        "bridge",
        "bzfs",
        "dnsmasq",
        "freeciv-server",
        "openarena-server",
        "openttd",
        "quakestat",
        "setpriv",
        "teeworlds-server",
    ]);
    let both_ways = checks![
        openarena,
        teeworlds,
        ddnet,
        openttd,
        freeciv,
        armagetron,
        bzflag,
        the_hosts_own_machine_plays_too,
        a_world_is_named_that_no_machine_listens_to,
        the_lists_are_tables_for_people,
        a_game_leaves_with_the_player_who_hosts_it,
    ];
    run(
        &needs,
        [Suite::new("games named", Evening::begin, both_ways)],
    )
}

/// Anna plays from home by way of the service; one machine of the LAN plays too.
struct Evening {
    programs: Vec<Process>,
    anna: IpAddr,
    venue: Venue,
}

impl World for Evening {
    fn report(&self) -> String {
        let tails = self.programs.iter().map(|program| program.tail(25));
        tails.collect::<Vec<_>>().join("\n---\n")
    }
}

/// What must be in a list.
struct Wanted {
    game: &'static str,
    /// What the server calls itself, unless it does not say.
    server: Option<String>,
    port: u16,
}

impl Evening {
    fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        venue
            .switch
            .ip("link set br0 type bridge mcast_snooping 1 mcast_querier 1")?;
        venue.lan1.ip("route add 224.0.0.0/4 dev eth0")?;
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
        let mut open = program("lanparty-gateway")?;
        open.extend(place);
        open.extend(["--interface", "eth0", "--with-this-machine"].map(String::from));
        let gateway = venue.gateway.spawn("gateway", open)?;
        gateway.wait_for_line("connected to the relay", SOON)?;
        let machine = &venue.remotes[0];
        let service = client(&["service", "--socket", "client.sock", "--state", "service"])?;
        let service = machine.spawn("service", service)?;
        service.wait_for_line("Views are heard", SOON)?;
        let at = format!("@{file}");
        machine.run(client(&[
            "join",
            &at,
            "--name",
            "Anna",
            "--socket",
            "client.sock",
        ])?)?;
        let anna = eventually("Anna has an address on the LAN", SOON, || {
            let snapshot = snapshot(machine).ok()?;
            snapshot["address"]["ip"].as_str()?.parse().ok()
        })?;
        // Some servers ask who they are before they listen, and nobody here would answer.
        let name = host_name()?;
        venue.lan1.set_host(&name, Venue::LAN1)?;
        venue.gateway.set_host(&name, OWN)?;
        machine.set_host(&name, anna)?;
        Ok(Evening {
            programs: vec![relay, gateway, service],
            anna,
            venue,
        })
    }

    fn player(&self) -> &Machine {
        &self.venue.remotes[0]
    }

    /// The games of Anna's service.
    fn players_list(&self) -> Result<Vec<Value>> {
        let mut snapshot = snapshot(self.player())?;
        serde_json::from_value(snapshot["games"].take()).context("a list of games")
    }

    fn gateways_list(&self) -> Result<Vec<Value>> {
        let printed = self
            .venue
            .gateway
            .ctl("lanparty-gateway", &["games", "--json"])?;
        let lines = printed.lines().map(serde_json::from_str);
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// A server at this address of the LAN is in both lists as the LAN's.
    fn is_named_as_the_lans(&self, wanted: &Wanted, at: IpAddr) -> Result<()> {
        let lan = json!("lan");
        wanted.is_in("Anna's", (at, &lan), || self.players_list())?;
        wanted.is_in("the gateway's", (at, &lan), || self.gateways_list())
    }

    /// A server on Anna's machine is in the gateway's list as hers.
    fn is_named_as_annas(&self, wanted: &Wanted) -> Result<()> {
        let anna = json!({"player": "Anna"});
        wanted.is_in("the gateway's", (self.anna, &anna), || self.gateways_list())
    }

    /// A server that this starts is found and named on the LAN, and on Anna's machine.
    fn both_ways(
        &self,
        wanted: &Wanted,
        start: impl Fn(&Machine) -> Result<Process>,
        find: impl Fn((&Machine, IpAddr), IpAddr) -> Result<()>,
    ) -> Result<()> {
        self.both_ways_with((&self.venue.lan1, Venue::LAN1), wanted, start, find)
    }

    /// The same with this machine on the LAN.
    fn both_ways_with(
        &self,
        (lan, at): (&Machine, IpAddr),
        wanted: &Wanted,
        start: impl Fn(&Machine) -> Result<Process>,
        find: impl Fn((&Machine, IpAddr), IpAddr) -> Result<()>,
    ) -> Result<()> {
        let player = self.player();
        let server = start(lan)?;
        find((player, self.anna), at).context("on the LAN, by Anna")?;
        self.is_named_as_the_lans(wanted, at)?;
        drop(server);
        let _server = start(player)?;
        find((lan, at), self.anna).context("on Anna's machine, by the LAN")?;
        self.is_named_as_annas(wanted)
    }
}

impl Wanted {
    fn is_in(
        &self,
        whose: &str,
        (at, host): (IpAddr, &Value),
        list: impl Fn() -> Result<Vec<Value>>,
    ) -> Result<()> {
        let address = SocketAddr::new(at, self.port).to_string();
        let server = self.server.clone().unwrap_or_else(|| at.to_string());
        let mut last = Vec::new();
        let what = format!("{} is in {whose} list", self.game);
        let found = eventually(&what, SHOWS, || {
            last = list().ok()?;
            let mut all = last.iter();
            // The first packet that tells of it may say less than the next.
            all.find(|one| {
                one["address"] == *address && one["game"] == self.game && one["server"] == server
            })
            .cloned()
        });
        let row = found.with_context(|| format!("the last was {last:?}"))?;
        ensure!(row["host"] == *host, "{row}");
        ensure!(row["mac"].is_string(), "{row}");
        Ok(())
    }
}

fn host_name() -> Result<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    Ok(name.trim().to_owned())
}

fn client(words: &[&str]) -> Result<Vec<String>> {
    let mut command = program("lanparty-client")?;
    command.extend(words.iter().map(|word| (*word).to_owned()));
    Ok(command)
}

fn snapshot(machine: &Machine) -> Result<Value> {
    let output = machine.output(client(&["status", "--json", "--socket", "client.sock"])?)?;
    serde_json::from_slice(&output.stdout).context("a snapshot")
}

fn openarena(evening: &Evening) -> Result<()> {
    let wanted = Wanted {
        game: "OpenArena",
        server: Some("Quaking".to_owned()),
        port: 27_960,
    };
    evening.both_ways(
        &wanted,
        |machine| openarena_server(machine, "Quaking"),
        |(seeker, _), server| {
            let seen = openarena_servers_seen(seeker, LAN_BROADCAST)?;
            ensure!(seen.contains(&format!("{server}:27960")), "{seen}");
            Ok(())
        },
    )
}

fn teeworlds(evening: &Evening) -> Result<()> {
    let wanted = Wanted {
        game: "Teeworlds",
        server: Some("Teeing".to_owned()),
        port: 8303,
    };
    evening.both_ways(
        &wanted,
        |machine| teeworlds_server(machine, "Teeing"),
        |(seeker, _), server| {
            let seen = teeworlds_servers_seen(seeker, LAN_BROADCAST)?;
            ensure!(seen.contains_key(&(server, 8303).into()), "{seen:?}");
            Ok(())
        },
    )
}

fn ddnet(evening: &Evening) -> Result<()> {
    let wanted = Wanted {
        game: "DDNet",
        server: Some("Racing [0/64]".to_owned()),
        port: 8303,
    };
    evening.both_ways(
        &wanted,
        |machine| ddnet_server(machine, "Racing"),
        |seeker, server| Look::DDNET.finds(seeker, server),
    )
}

/// It says its name by TCP only.
fn openttd(evening: &Evening) -> Result<()> {
    let wanted = Wanted {
        game: "OpenTTD",
        server: None,
        port: 3979,
    };
    evening.both_ways(&wanted, openttd_server, |seeker, server| {
        Look::OPENTTD.finds(seeker, server)
    })
}

/// It calls itself what its machine is called, and machines of the lab have one name together.
fn freeciv(evening: &Evening) -> Result<()> {
    let wanted = Wanted {
        game: "Freeciv",
        server: Some(host_name()?),
        port: 5556,
    };
    evening.both_ways(&wanted, freeciv_server, |seeker, server| {
        Look::FREECIV.finds(seeker, server)
    })
}

fn armagetron(evening: &Evening) -> Result<()> {
    armagetron_with(evening, (&evening.venue.lan1, Venue::LAN1))
}

/// The machine of the gateway has a server, and looks for one.
fn the_hosts_own_machine_plays_too(evening: &Evening) -> Result<()> {
    armagetron_with(evening, (&evening.venue.gateway, OWN))
}

fn armagetron_with(evening: &Evening, lan: (&Machine, IpAddr)) -> Result<()> {
    let wanted = Wanted {
        game: "Armagetron Advanced",
        server: Some("Friday grid".to_owned()),
        port: 4534,
    };
    let settings = evening
        .venue
        .lab
        .write("autoexec.cfg", "SERVER_NAME 0xff7700Friday 0x00ffffgrid\n")?;
    let folder = settings.rsplit_once('/').map(|(folder, _)| folder);
    let folder = folder.context("a folder")?;
    evening.both_ways_with(
        lan,
        &wanted,
        |machine| armagetron_server(machine, folder),
        |seeker, server| Look::ARMAGETRON.finds(seeker, server),
    )
}

/// It does not say its name.
fn bzflag(evening: &Evening) -> Result<()> {
    let wanted = Wanted {
        game: "BZFlag",
        server: None,
        port: 5154,
    };
    evening.both_ways(&wanted, bzflag_server, |seeker, server| {
        Look::BZFLAG.finds(seeker, server)
    })
}

/// What Minecraft says of a world that was opened to the LAN. No program on Anna's machine or the gateway's has joined its group; the
/// switch has a querier and floods nothing.
fn a_world_is_named_that_no_machine_listens_to(evening: &Evening) -> Result<()> {
    let group = (Ipv4Addr::new(224, 0, 2, 60), 4445);
    let socket = speaker((&evening.venue.lan1, Venue::LAN1))?;
    let wanted = Wanted {
        game: "Minecraft",
        server: Some("Ann - World".to_owned()),
        port: 54_321,
    };
    let lan = json!("lan");
    let announced = |list: Result<Vec<Value>>| {
        socket.send_to(b"[MOTD]Ann - World[/MOTD][AD]54321[/AD]", group)?;
        list
    };
    wanted.is_in("Anna's", (Venue::LAN1, &lan), || {
        announced(evening.players_list())
    })?;
    wanted.is_in("the gateway's", (Venue::LAN1, &lan), || {
        announced(evening.gateways_list())
    })
}

fn the_lists_are_tables_for_people(evening: &Evening) -> Result<()> {
    let listed = evening.gateways_list()?;
    if !listed.iter().any(|game| game["server"] == "Friday grid") {
        armagetron(evening)?;
    }
    let players = evening
        .player()
        .run(client(&["games", "--socket", "client.sock"])?)?;
    let gateways = evening.venue.gateway.ctl("lanparty-gateway", &["games"])?;
    for printed in [&players, &gateways] {
        let head = printed.lines().next().unwrap_or_default();
        ensure!(
            head.starts_with("GAME") && head.ends_with("HEARD"),
            "{printed}"
        );
        let row = printed.lines().find(|line| line.contains("Friday grid"));
        let row = row.with_context(|| format!("a row in\n{printed}"))?;
        ensure!(
            row.contains("Armagetron Advanced") && row.contains(":4534"),
            "{row}"
        );
    }
    let annas = gateways.lines().filter(|line| line.contains("Anna"));
    let listed = evening.gateways_list()?;
    let hers = listed.iter().filter(|game| game["host"] != json!("lan"));
    let hers = hers.count();
    ensure!(hers > 0 && annas.count() == hers, "{gateways}");
    let list = evening.venue.gateway.ctl("lanparty-gateway", &["list"])?;
    ensure!(list.contains(" games are on"), "{list}");
    println!("{gateways}");
    Ok(())
}

fn a_game_leaves_with_the_player_who_hosts_it(evening: &Evening) -> Result<()> {
    evening
        .player()
        .run(client(&["leave", "--socket", "client.sock"])?)?;
    eventually("no game is Anna's", SOON, || {
        let list = evening.gateways_list().ok()?;
        let is_annas = |game: &Value| game["host"] != json!("lan");
        (!list.is_empty() && !list.iter().any(is_annas)).then_some(())
    })
}
