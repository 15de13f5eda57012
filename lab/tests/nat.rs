//! The lab's routers, judged by plain UDP before they judge a program: who reaches whom, and what the opening changes.
//!
//! Everything happens in one thread and in a fixed order, and a packet is there as soon as it was sent; so that each cell of
//! the matrix always has the same outcome, on a busy machine too.

#![allow(clippy::disallowed_methods, reason = "a test with real sockets")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Machine, Nat, Needs, Plan, Router, Suite, Venue, Weather, World};
use lanparty_lab::{checks, eventually, run};

/// How often both sides send before they are said not to reach each other.
const ROUNDS: usize = 12;
const SOON: Duration = Duration::from_secs(5);
const PORT: u16 = 40_000;
const RENDEZVOUS: u16 = 7000;
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 1, 2);
/// What a packet begins with that shall end at the router between the two sides.
const DIES_BETWEEN: u32 = 2;

const LINUX: &[Router] = &[Router::new(Nat::Linux)];
const OPEN: &[Router] = &[Router::new(Nat::LinuxOpen)];
const RANDOM: &[Router] = &[Router::new(Nat::Random)];
const CONE: &[Router] = &[Router::new(Nat::FullCone)];
const PORT_5000: &[Router] = &[Router::new(Nat::Port(5000))];
const CARRIER: &[Router] = &[Router::new(Nat::Linux), Router::new(Nat::Linux)];
const RANDOM_CARRIER: &[Router] = &[Router::new(Nat::Linux), Router::new(Nat::Random)];
const RELAY_ONLY: &[Router] = &[Router::new(Nat::Linux).udp_only_to(Ipv4Addr::new(10, 9, 1, 1))];
const NONE: &[Router] = &[Router::new(Nat::None).with_ipv6()];
const FORGETS: &[Router] = &[Router::new(Nat::Linux).forgets_after(1)];
const HOPS: &[Router] = &[Router::new(Nat::Linux), Router::new(Nat::Hop)];
const HAIRPIN: &[Router] = &[Router::new(Nat::Linux).with_hairpin()];

/// Against each kind of the gateway's router.
const PLAYERS: &[&[Router]] = &[
    LINUX,
    OPEN,
    RANDOM,
    CONE,
    PORT_5000,
    CARRIER,
    RANDOM_CARRIER,
    RELAY_ONLY,
    NONE,
    FORGETS,
    HOPS,
];
/// Words that mean nothing but "hello", and one that shall arrive nowhere.
const PLAIN: &str = "P";
const OPENED: &str = "O";

fn main() -> ExitCode {
    let needs = Needs::programs(&["conntrack", "dnsmasq", "nft"]);
    let ordinary = checks![
        an_ordinary_router_keeps_the_port_for_every_destination,
        a_symmetric_router_shows_each_destination_another_port,
        a_changed_port_stays_the_same,
        ordinary_routers_let_each_other_in,
        a_symmetric_router_and_an_ordinary_one_never_do,
        a_full_cone_is_reached_by_everybody,
        an_open_router_in_time_is_reached,
        an_open_router_that_hears_too_early_is_never_reached_without_the_opening,
        two_routers_in_a_row_are_as_the_weaker_one,
        where_udp_goes_to_the_relay_alone_nobody_else_is_reached,
        without_translation_the_firewall_lets_in_who_was_asked,
        a_low_ttl_ends_between_the_routers_and_one_more_does_not,
        what_was_silent_too_long_is_forgotten,
        what_is_deleted_is_forgotten_at_once,
        another_port_and_another_address_are_had_at_once,
        weather_comes_and_goes,
    ];
    let open = checks![two_open_routers_need_the_opening];
    let beside = checks![
        behind_one_router_the_homes_own_addresses_reach,
        without_hairpin_the_address_outside_does_not,
    ];
    let hairpin = checks![
        behind_one_router_the_homes_own_addresses_reach,
        with_hairpin_the_address_outside_reaches,
    ];
    let ipv6 = checks![ipv6_needs_no_translation_and_has_a_firewall];
    run(
        &needs,
        [
            Suite::new("ordinary", || Net::with(LINUX, PLAYERS), ordinary),
            Suite::new("open", || Net::with(OPEN, &[OPEN]), open),
            Suite::new("beside", || Net::beside(LINUX), beside),
            Suite::new("hairpin", || Net::beside(HAIRPIN), hairpin),
            Suite::new("ipv6", || Net::with(NONE, &[NONE]), ipv6),
        ],
    )
}

/// A venue, and somebody on the internet who says how one looks from there, under two addresses.
struct Net {
    rendezvous: [UdpSocket; 2],
    venue: Venue,
}

impl World for Net {}

impl Net {
    fn with(gateway: &'static [Router], players: &'static [&'static [Router]]) -> Result<Self> {
        Self::of(Plan {
            remotes: players.len(),
            gateway_routers: gateway,
            player_routers: players,
            ..Plan::default()
        })
    }

    fn beside(gateway: &'static [Router]) -> Result<Self> {
        Self::of(Plan {
            remotes: 1,
            gateway_routers: gateway,
            beside_gateway: 1,
            ..Plan::default()
        })
    }

    fn of(plan: Plan) -> Result<Self> {
        let venue = Venue::build(plan)?;
        venue.relay.ip(&format!("addr add {OTHER}/24 dev wan0"))?;
        let rendezvous = [Venue::RELAY, OTHER.into()].map(|address| {
            let socket = venue
                .relay
                .enter(|| UdpSocket::bind((address, RENDEZVOUS)))?;
            socket.set_read_timeout(Some(SOON))?;
            anyhow::Ok(socket)
        });
        let [one, other] = rendezvous;
        Ok(Self {
            rendezvous: [one?, other?],
            venue,
        })
    }

    /// The player behind this list of routers, and the gateway; each test has a port of its own, so that no router
    /// remembers another one.
    fn pair(&self, player: &'static [Router], test: u16) -> Result<[Side; 2]> {
        let index = PLAYERS
            .iter()
            .position(|routers| std::ptr::eq(*routers, player))
            .context("no such player")?;
        Ok([
            self.side(&self.venue.remotes[index], PORT + test)?,
            self.side(&self.venue.gateway, PORT + test)?,
        ])
    }

    fn side(&self, machine: &Machine, port: u16) -> Result<Side> {
        let socket = machine.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?;
        let seen = self.seen(&socket, 0)?;
        Ok(Side::new(socket, seen))
    }

    /// How a socket looks to the rendezvous.
    fn seen(&self, socket: &UdpSocket, by: usize) -> Result<SocketAddr> {
        let at = &self.rendezvous[by];
        socket.send_to(b"who am I", at.local_addr()?)?;
        let mut buffer = [0; 16];
        let (_, from) = at.recv_from(&mut buffer).context("nobody asked")?;
        Ok(from)
    }
}

/// One of the two who want to reach each other.
struct Side {
    socket: UdpSocket,
    /// How the rendezvous saw it.
    seen: SocketAddr,
    /// From where the other was heard.
    heard: Option<SocketAddr>,
    /// The other has said that it hears us.
    is_heard: bool,
}

impl Side {
    fn new(socket: UdpSocket, seen: SocketAddr) -> Self {
        Self {
            socket,
            seen,
            heard: None,
            is_heard: false,
        }
    }

    fn open(&self, to: SocketAddr) -> Result<()> {
        self.socket.set_ttl(DIES_BETWEEN)?;
        self.send(OPENED, to)?;
        Ok(self.socket.set_ttl(64)?)
    }

    /// A router may say that there is nobody.
    fn send(&self, what: &str, to: SocketAddr) -> Result<()> {
        match self.socket.send_to(what.as_bytes(), to) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn hear(&mut self) -> Result<()> {
        self.socket.set_nonblocking(true)?;
        let mut buffer = [0; 16];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => match &buffer[..length] {
                    b"P0" => self.heard = Some(from),
                    b"P1" => (self.heard, self.is_heard) = (Some(from), true),
                    _ => {}
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Both send in turn, the first of them first; whether each hears the other in the end.
fn reach(mut sides: [Side; 2], opening: bool) -> Result<bool> {
    let [a, b] = &sides;
    let targets = [b.seen, a.seen];
    if opening {
        for (side, target) in sides.iter().zip(targets) {
            side.open(target)?;
        }
    }
    for _ in 0..ROUNDS {
        for number in [0, 1] {
            let side = &mut sides[number];
            side.hear()?;
            let (to, word) = match side.heard {
                Some(from) => (from, "1"),
                None => (targets[number], "0"),
            };
            side.send(&format!("{PLAIN}{word}"), to)?;
        }
    }
    Ok(sides.iter().all(|side| side.is_heard))
}

fn reaches([a, b]: [Side; 2], how: &str) -> Result<()> {
    ensure!(reach([a, b], false)?, "{how}: they never reach each other");
    Ok(())
}

fn never_reaches(sides: [Side; 2], opening: bool, how: &str) -> Result<()> {
    ensure!(!reach(sides, opening)?, "{how}: they reach each other");
    Ok(())
}

fn swapped([a, b]: [Side; 2]) -> [Side; 2] {
    [b, a]
}

fn an_ordinary_router_keeps_the_port_for_every_destination(net: &Net) -> Result<()> {
    let [player, _] = net.pair(LINUX, 0)?;
    let outside = net.venue.player_routers[0][0].outside();
    ensure!(player.seen == (outside, PORT).into(), "{}", player.seen);
    let other = net.seen(&player.socket, 1)?;
    ensure!(player.seen == other, "{} and {other}", player.seen);
    Ok(())
}

fn a_symmetric_router_shows_each_destination_another_port(net: &Net) -> Result<()> {
    let [player, _] = net.pair(RANDOM, 1)?;
    let other = net.seen(&player.socket, 1)?;
    ensure!(
        player.seen.ip() == other.ip() && player.seen.port() != other.port(),
        "{} and {other}",
        player.seen
    );
    Ok(())
}

fn a_changed_port_stays_the_same(net: &Net) -> Result<()> {
    let [player, gateway] = net.pair(PORT_5000, 2)?;
    let other = net.seen(&player.socket, 1)?;
    ensure!(
        player.seen == other && other.port() == 5000,
        "{} and {other}",
        player.seen
    );
    reaches([player, gateway], "a changed port")
}

fn ordinary_routers_let_each_other_in(net: &Net) -> Result<()> {
    reaches(net.pair(LINUX, 3)?, "the player first")?;
    reaches(swapped(net.pair(LINUX, 4)?), "the gateway first")
}

fn a_symmetric_router_and_an_ordinary_one_never_do(net: &Net) -> Result<()> {
    never_reaches(net.pair(RANDOM, 5)?, false, "the player first")?;
    never_reaches(swapped(net.pair(RANDOM, 6)?), true, "with an opening")
}

fn a_full_cone_is_reached_by_everybody(net: &Net) -> Result<()> {
    reaches(net.pair(CONE, 7)?, "by an ordinary router")?;
    let cone = &net.venue.remotes[3];
    for (number, index) in [(8, 1), (9, 2)] {
        let other = net.side(&net.venue.remotes[index], PORT + number)?;
        let cone = net.side(cone, PORT + number)?;
        reaches([cone, other], "by an open or symmetric one")?;
    }
    Ok(())
}

fn an_open_router_in_time_is_reached(net: &Net) -> Result<()> {
    reaches(net.pair(OPEN, 10)?, "what is behind it sends first")
}

fn an_open_router_that_hears_too_early_is_never_reached_without_the_opening(
    net: &Net,
) -> Result<()> {
    let late = || anyhow::Ok(swapped(net.pair(OPEN, 11)?));
    never_reaches(late()?, false, "what is behind it sends second")?;
    let late = swapped(net.pair(OPEN, 12)?);
    ensure!(reach(late, true)?, "the opening does not help");
    Ok(())
}

fn two_open_routers_need_the_opening(net: &Net) -> Result<()> {
    let pair = |port| -> Result<[Side; 2]> {
        let (player, gateway) = (&net.venue.remotes[0], &net.venue.gateway);
        Ok([net.side(player, port)?, net.side(gateway, port)?])
    };
    never_reaches(pair(PORT)?, false, "without")?;
    ensure!(reach(pair(PORT + 1)?, true)?, "the opening does not help");
    Ok(())
}

fn two_routers_in_a_row_are_as_the_weaker_one(net: &Net) -> Result<()> {
    reaches(net.pair(CARRIER, 13)?, "both ordinary")?;
    never_reaches(net.pair(RANDOM_CARRIER, 14)?, true, "a symmetric carrier")
}

fn where_udp_goes_to_the_relay_alone_nobody_else_is_reached(net: &Net) -> Result<()> {
    never_reaches(net.pair(RELAY_ONLY, 15)?, true, "unknown hosts blocked")
}

fn without_translation_the_firewall_lets_in_who_was_asked(net: &Net) -> Result<()> {
    let [player, gateway] = net.pair(NONE, 16)?;
    let own = net.venue.remotes[8].ipv4("wan0").context("no address")?;
    ensure!(player.seen.ip() == own, "{} is not {own}", player.seen);
    gateway.send("P0", player.seen)?;
    let mut player = player;
    player.hear()?;
    ensure!(player.heard.is_none(), "a stranger got in");
    reaches([player, gateway], "a firewall")
}

fn a_low_ttl_ends_between_the_routers_and_one_more_does_not(net: &Net) -> Result<()> {
    // One router between, and two of them.
    for (player, ends, arrives) in [(LINUX, 2, 3), (HOPS, 3, 4)] {
        let [player, gateway] = net.pair(player, 17)?;
        let outside = net.venue.gateway_routers[0].outside();
        let machine = &net.venue.gateway_routers[0].machine;
        let came = || machine.packets_received("wan0");
        let before = came()?;
        player.socket.set_ttl(ends)?;
        player.send(OPENED, gateway.seen)?;
        ensure!(came()? == before, "TTL {ends} reaches {outside}");
        player.socket.set_ttl(arrives)?;
        player.send(OPENED, gateway.seen)?;
        ensure!(came()? > before, "TTL {arrives} does not reach {outside}");
    }
    Ok(())
}

fn what_was_silent_too_long_is_forgotten(net: &Net) -> Result<()> {
    let [player, _] = net.pair(FORGETS, 18)?;
    let router = &net.venue.player_routers[9][0].machine;
    eventually("the router forgets", SOON * 2, || {
        let entries = router.run(["conntrack", "-L", "-p", "udp"]).ok()?;
        let port = player.seen.port().to_string();
        (!entries.contains(&format!("sport={port}"))).then_some(())
    })
}

fn what_is_deleted_is_forgotten_at_once(net: &Net) -> Result<()> {
    let [mut player, gateway] = net.pair(LINUX, 19)?;
    let router = &net.venue.player_routers[0][0];
    player.send("P0", gateway.seen)?;
    gateway.send("P0", player.seen)?;
    player.hear()?;
    ensure!(player.heard.take().is_some(), "an answer does not come in");
    let IpAddr::V4(address) = gateway.seen.ip() else {
        unreachable!("these are IPv4")
    };
    ensure!(router.forget_about(address)? > 0, "nothing to forget");
    gateway.send("P0", player.seen)?;
    player.hear()?;
    ensure!(player.heard.is_none(), "what was forgotten comes in");
    ensure!(router.forget()? > 0, "the rendezvous was forgotten too");
    ensure!(router.forget()? == 0, "something is left");
    Ok(())
}

/// These change a router for good, each one of its own.
fn another_port_and_another_address_are_had_at_once(_net: &Net) -> Result<()> {
    let mut net = Net::with(LINUX, &[PORT_5000])?;
    let player = net.side(&net.venue.remotes[0], PORT)?;
    let router = &mut net.venue.player_routers[0][0];
    router.becomes(Nat::Port(6000))?;
    ensure!(player.seen.port() == 5000, "{}", player.seen);
    let seen = net.seen(&player.socket, 0)?;
    ensure!(seen.port() == 6000, "{seen}");
    let router = &mut net.venue.player_routers[0][0];
    let before = router.outside();
    router.renumber()?;
    router.forget()?;
    let outside = router.outside();
    let seen = net.seen(&player.socket, 1)?;
    ensure!(
        before != outside && seen == (outside, 6000).into(),
        "{seen}"
    );
    let gateway = net.side(&net.venue.gateway, PORT)?;
    let player = Side::new(player.socket, seen);
    reaches([player, gateway], "after a move")
}

fn weather_comes_and_goes(net: &Net) -> Result<()> {
    let [mut player, gateway] = net.pair(LINUX, 20)?;
    let between = Weather::NoUdpBetween(player.seen.ip(), gateway.seen.ip());
    let forwarded = format!("ip daddr {}", gateway.seen.ip());
    net.venue.internet.count("towards_gateway", &forwarded)?;
    player.send("P0", gateway.seen)?;
    for (weather, comes) in [(&[between][..], false), (&[], true)] {
        net.venue.internet.weather(weather)?;
        gateway.send("P0", player.seen)?;
        player.hear()?;
        let heard = player.heard.take().is_some();
        ensure!(heard == comes, "{weather:?}");
    }
    let count = net.venue.internet.counted("towards_gateway")?;
    ensure!(count == 1, "{count} packets were counted");
    let router = &net.venue.player_routers[0][0];
    for weather in [
        Weather::NoUdp,
        Weather::NoUdpPort(RENDEZVOUS),
        Weather::OnlyBy(OTHER),
    ] {
        router.weather(&[weather])?;
        net.rendezvous[0].set_nonblocking(true)?;
        let silent = net.seen(&player.socket, 0).is_err();
        net.rendezvous[0].set_nonblocking(false)?;
        ensure!(silent, "{weather:?} lets UDP through");
        let other = net.rendezvous[1].set_nonblocking(true);
        let reaches = net.seen(&player.socket, 1).is_ok();
        other.and(net.rendezvous[1].set_nonblocking(false))?;
        let lets = matches!(weather, Weather::OnlyBy(_));
        ensure!(reaches == lets, "{weather:?}");
    }
    router.weather(&[Weather::UdpLoss(30), Weather::TcpLoss(1)])?;
    router.weather(&[])
}

fn sides_beside(net: &Net, port: u16) -> Result<[Side; 2]> {
    let (player, gateway) = (&net.venue.remotes[0], &net.venue.gateway);
    Ok([net.side(player, port)?, net.side(gateway, port + 1)?])
}

fn behind_one_router_the_homes_own_addresses_reach(net: &Net) -> Result<()> {
    let machines = [&net.venue.remotes[0], &net.venue.gateway];
    let mut sides = sides_beside(net, PORT)?;
    for (side, machine) in sides.iter_mut().zip(machines) {
        let own = machine.ipv4("wan0").context("no address")?;
        side.seen.set_ip(own);
    }
    reaches(sides, "at home")
}

fn without_hairpin_the_address_outside_does_not(net: &Net) -> Result<()> {
    never_reaches(sides_beside(net, PORT + 2)?, false, "no hairpin")
}

fn with_hairpin_the_address_outside_reaches(net: &Net) -> Result<()> {
    let sides = sides_beside(net, PORT + 4)?;
    let outside = net.venue.gateway_routers[0].outside();
    ensure!(
        sides.iter().all(|side| side.seen.ip() == outside),
        "{} and {}",
        sides[0].seen,
        sides[1].seen
    );
    reaches(sides, "a hairpin")
}

fn ipv6_needs_no_translation_and_has_a_firewall(net: &Net) -> Result<()> {
    let side = |machine: &Machine, number: &str| -> Result<Side> {
        let own: IpAddr = format!("2001:db8:{number}:1::2").parse()?;
        let socket = machine.enter(|| UdpSocket::bind((own, PORT)))?;
        let seen = socket.local_addr()?;
        Ok(Side::new(socket, seen))
    };
    let mut player = side(&net.venue.remotes[0], "11")?;
    let gateway = side(&net.venue.gateway, "2")?;
    gateway.send("P0", player.seen)?;
    player.hear()?;
    ensure!(player.heard.is_none(), "a stranger got in");
    reaches([player, gateway], "IPv6")
}
