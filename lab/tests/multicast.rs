//! Multicast that lasts, on a LAN whose switch snoops: the gateway speaks for its players' groups as one host.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::{
    Check, Machine, Needs, Party, Player, RawSocket, Suite, Venue, checks, eventually, pass, run,
};
use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};

const MINECRAFT: Ipv4Addr = Ipv4Addr::new(224, 0, 2, 60);
const FREECIV: Ipv4Addr = Ipv4Addr::new(225, 1, 1, 1);
const OWN_USE: Ipv4Addr = Ipv4Addr::new(239, 7, 7, 7);
const SITE: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0x7, 0x7);
const LINK: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0x7, 0x7);
const PORT: u16 = 4445;

/// After it a player that has come in hears no more than it wants.
const SETTLED: Duration = Duration::from_secs(4);
/// How long a report and the first packet after it may take.
const SOON: Duration = Duration::from_secs(5);
/// After a querier's question a host answers within ten seconds, and everything else takes two.
const AS_A_PC: Duration = Duration::from_secs(12);
/// For so long after it has begun to ask, the kernel's bridge gives every group to everybody.
const QUERIER_COUNTS: Duration = Duration::from_secs(11);
/// How long a report takes to cross.
const HEARD: Duration = Duration::from_millis(500);
/// A switch that asks after a leave, twice, waits a second for each answer.
const AS_LAST_MEMBER: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let needs = Needs::programs(&["bridge", "dhclient", "dnsmasq"]);
    let suites = [
        Suite::new("without_a_querier", || party("0"), lasting()),
        Suite::new("with_a_querier", || party("1"), with_a_querier()),
    ];
    run(&needs, suites)
}

fn party(querier: &str) -> Result<Party> {
    let party = Party::builder().players(3).start()?;
    let switch = &party.venue.switch;
    switch.sysctl("net/ipv6/conf/br0/disable_ipv6", "0")?;
    switch.ip("link set br0 type bridge mcast_snooping 1")?;
    switch.ip(&format!("link set br0 type bridge mcast_querier {querier}"))?;
    pass(SETTLED);
    Ok(party)
}

fn lasting() -> Vec<Check<Party>> {
    checks![
        three_players_cost_the_reports_of_one_host,
        who_wants_a_group_from_one_source_hears_it,
        what_the_switch_knows_comes_back_with_the_cable,
    ]
}

fn with_a_querier() -> Vec<Check<Party>> {
    let own: Vec<Check<Party>> = checks![
        every_group_crosses_both_ways,
        the_querier_is_answered_for_players,
        a_replugged_gateway_hears_its_groups_within_seconds,
    ];
    lasting().into_iter().chain(own).collect()
}

/// The port of the LAN's switch behind which the players are.
const GATEWAY_PORT: &str = "gw";

fn three_players_cost_the_reports_of_one_host(party: &Party) -> Result<()> {
    let own = party.venue.gateway.mac("eth0")?;
    for group in [IpAddr::from(OWN_USE), SITE.into()] {
        let switch = &party.venue.switch;
        let wire = switch.enter(|| RawSocket::open(GATEWAY_PORT))?;
        let mut listeners = Vec::new();
        for player in players(party) {
            listeners.push(Ear::open(player, Player::TAP, group)?);
        }
        eventually("the switch knows the group", SOON, || {
            switch_knows(party, group)
        })?;
        let reports = reports_on(&wire, group)?;
        // Each player would say it twice; a querier may ask meanwhile, and once more when it begins.
        ensure!(
            (1..=4).contains(&reports.len()) && reports.iter().all(|from| *from == own),
            "{group}: one host says it, and once again; these did: {reports:x?}"
        );
        for listener in &listeners {
            crosses((&party.venue.lan1, "eth0"), listener)?;
        }
        // As long as one player wants it, it stays.
        listeners.truncate(1);
        pass(AS_LAST_MEMBER);
        ensure!(switch_knows(party, group).is_some(), "{group} is forgotten");
        listeners.clear();
        eventually("the switch forgets the group", SOON, || {
            switch_knows(party, group).is_none().then_some(())
        })?;
    }
    Ok(())
}

fn every_group_crosses_both_ways(party: &Party) -> Result<()> {
    let lan = (&party.venue.lan1, "eth0");
    for player in players(party).take(2) {
        let player = (player, Player::TAP);
        for group in [
            lanparty_lab::traffic::MDNS.0.into(),
            MINECRAFT.into(),
            FREECIV.into(),
            OWN_USE.into(),
            LINK.into(),
            SITE.into(),
        ] {
            for (from, (to, interface)) in [(lan, player), (player, lan)] {
                let listener = Ear::open(to, interface, group)?;
                pass(HEARD);
                crosses(from, &listener).with_context(|| format!("to {interface}"))?;
            }
        }
    }
    Ok(())
}

/// Of sources nobody on the way knows: who wants the group from one gets it, and the own machine sorts it out.
fn who_wants_a_group_from_one_source_hears_it(party: &Party) -> Result<()> {
    let Some(player) = players(party).next() else {
        bail!("there is no player")
    };
    let (IpAddr::V4(own), IpAddr::V4(source)) =
        (player.ipv4(Player::TAP).context("no address")?, Venue::LAN1)
    else {
        bail!("IPv4 is wanted")
    };
    let socket = player.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        socket.bind(&SocketAddr::from((OWN_USE, PORT)).into())?;
        socket.join_ssm_v4(&source, &OWN_USE, &own)?;
        Ok(UdpSocket::from(socket))
    })?;
    socket.set_nonblocking(true)?;
    let listener = Ear {
        socket,
        group: OWN_USE.into(),
    };
    pass(HEARD);
    crosses((&party.venue.lan1, "eth0"), &listener)?;
    ensure!(
        crosses((&party.venue.lan2, "eth0"), &listener).is_err(),
        "it hears a source that it does not want"
    );
    Ok(())
}

fn what_the_switch_knows_comes_back_with_the_cable(party: &Party) -> Result<()> {
    let Some(player) = players(party).next() else {
        bail!("there is no player")
    };
    let mut listeners = Vec::new();
    for group in [IpAddr::from(OWN_USE), SITE.into()] {
        listeners.push(Ear::open(player, Player::TAP, group)?);
        eventually("the switch knows the group", SOON, || {
            switch_knows(party, group)
        })?;
    }
    let port = |state: &str| {
        let switch = &party.venue.switch;
        switch.ip(&format!("link set {GATEWAY_PORT} {state}"))
    };
    let mark = party.gateway.mark();
    port("down")?;
    party
        .gateway
        .wait_for_line_after(mark, "Out of the room", SOON)?;
    port("up")?;
    for group in [IpAddr::from(OWN_USE), SITE.into()] {
        eventually("the switch knows the group again", AS_A_PC, || {
            switch_knows(party, group)
        })?;
    }
    for listener in &listeners {
        crosses((&party.venue.lan1, "eth0"), listener)?;
    }
    Ok(())
}

/// A querier that has heard nothing yet asks: ours answers, and no player does.
fn the_querier_is_answered_for_players(party: &Party) -> Result<()> {
    let own = party.venue.gateway.mac("eth0")?;
    let mut listeners = Vec::new();
    for player in players(party) {
        listeners.push(Ear::open(player, Player::TAP, OWN_USE.into())?);
    }
    pass(HEARD * 4);
    let switch = &party.venue.switch;
    for version in ["2", "3"] {
        let wire = switch.enter(|| RawSocket::open(GATEWAY_PORT))?;
        // A querier that begins asks at once.
        switch.ip("link set br0 type bridge mcast_querier 0")?;
        switch.ip(&format!(
            "link set br0 type bridge mcast_igmp_version {version}"
        ))?;
        switch.ip("link set br0 type bridge mcast_querier 1")?;
        pass(Duration::from_secs(3));
        let reports = reports_on(&wire, OWN_USE.into())?;
        ensure!(
            (1..=2).contains(&reports.len()) && reports.iter().all(|from| *from == own),
            "IGMPv{version} was answered by {reports:x?}"
        );
    }
    Ok(())
}

/// The cable of a PC, and the gateway's, out and in again; how long its group is missed.
fn a_replugged_gateway_hears_its_groups_within_seconds(party: &Party) -> Result<()> {
    let Some(player) = players(party).next() else {
        bail!("there is no player")
    };
    let lan2 = &party.venue.lan2;
    pass(QUERIER_COUNTS);
    for group in [IpAddr::from(OWN_USE), SITE.into()] {
        let pc = Ear::open(lan2, "eth0", group)?;
        let own = Ear::open(player, Player::TAP, group)?;
        pass(HEARD);
        let of_pc = replugged(party, "lan2", &pc)?;
        let of_player = replugged(party, GATEWAY_PORT, &own)?;
        eprintln!(
            "{group} is heard again: by a PC after {of_pc:?}, by a player after {of_player:?}"
        );
        ensure!(
            of_player < AS_A_PC,
            "{group}: the PC hears it after {of_pc:?}, the player after {of_player:?}"
        );
    }
    Ok(())
}

fn replugged(party: &Party, port: &str, ear: &Ear) -> Result<Duration> {
    let switch = &party.venue.switch;
    switch.ip(&format!("link set {port} down"))?;
    pass(SETTLED);
    switch.ip(&format!("link set {port} up"))?;
    let start = Instant::now();
    let lan1 = (&party.venue.lan1, "eth0");
    let speaker = ear.speaker(lan1)?;
    let index = lan1.0.enter(|| index_of(lan1.1))?;
    while ear.drain()? {}
    eventually("it is heard again", Duration::from_secs(60), || {
        speaker.send_to(b"again", ear.address(index).ok()?).ok()?;
        ear.drain().ok()?.then_some(())
    })?;
    Ok(start.elapsed())
}

fn players(party: &Party) -> impl Iterator<Item = &Machine> {
    party.players.iter().map(|player| &player.machine)
}

/// What the switch has written down of a group behind the gateway's port.
fn switch_knows(party: &Party, group: IpAddr) -> Option<()> {
    let switch = &party.venue.switch;
    let shown = switch.run(["bridge", "mdb", "show", "dev", "br0"]).ok()?;
    let group = format!("grp {group} ");
    let port = format!("port {GATEWAY_PORT} ");
    let mut lines = shown.lines();
    lines
        .any(|line| line.contains(&group) && line.contains(&port))
        .then_some(())
}

/// Who has reported the group on this wire so far, and for a while more.
fn reports_on(wire: &RawSocket, group: IpAddr) -> Result<Vec<[u8; 6]>> {
    wire.set_timeout(Duration::from_millis(1500))?;
    let (mut from, mut buffer) = (Vec::new(), [0; 2048]);
    let address = match group {
        IpAddr::V4(group) => group.octets().to_vec(),
        IpAddr::V6(group) => group.octets().to_vec(),
    };
    let end = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < end {
        let len = match wire.receive(&mut buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        };
        let frame = &buffer[..len];
        let is_membership = match frame.get(12..14) {
            Some([8, 0]) => frame.get(23) == Some(&2),
            Some([0x86, 0xdd]) => frame.get(20) == Some(&0),
            _ => false,
        };
        let body = frame.get(34..).unwrap_or_default();
        if is_membership && body.windows(address.len()).any(|bytes| bytes == address) {
            from.push(
                *frame
                    .get(6..)
                    .and_then(<[u8]>::first_chunk)
                    .context("no frame")?,
            );
        }
    }
    Ok(from)
}

/// What is said to the group is heard.
fn crosses(from: (&Machine, &str), ear: &Ear) -> Result<()> {
    let speaker = ear.speaker(from)?;
    let index = from.0.enter(|| index_of(from.1))?;
    speaker.send_to(b"who is there?", ear.address(index)?)?;
    let heard = eventually("it is heard", Duration::from_secs(3), || {
        ear.drain().ok()?.then_some(())
    });
    heard.with_context(|| format!("{} from {}", ear.group, from.0.name()))
}

/// A socket that has joined a group.
struct Ear {
    socket: UdpSocket,
    group: IpAddr,
}

impl Ear {
    fn open(machine: &Machine, interface: &str, group: IpAddr) -> Result<Self> {
        let socket = machine.enter(|| {
            let index = index_of(interface)?;
            let socket = match group {
                IpAddr::V4(_) => Socket::new(Domain::IPV4, Type::DGRAM, None)?,
                IpAddr::V6(_) => Socket::new(Domain::IPV6, Type::DGRAM, None)?,
            };
            socket.set_reuse_address(true)?;
            socket.bind_device(Some(interface.as_bytes()))?;
            match group {
                IpAddr::V4(group) => {
                    socket.bind(&SocketAddr::from((group, PORT)).into())?;
                    let by = InterfaceIndexOrAddress::Index(index);
                    socket.join_multicast_v4_n(&group, &by)?;
                }
                IpAddr::V6(group) => {
                    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT));
                    socket.bind(&any.into())?;
                    socket.join_multicast_v6(&group, index)?;
                }
            }
            Ok(UdpSocket::from(socket))
        })?;
        socket.set_nonblocking(true)?;
        Ok(Ear { socket, group })
    }

    /// Whether something has come.
    fn drain(&self) -> Result<bool> {
        let mut buffer = [0; 2048];
        match self.socket.recv(&mut buffer) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A socket that speaks to the group out of this interface.
    fn speaker(&self, (machine, interface): (&Machine, &str)) -> Result<UdpSocket> {
        machine.enter(|| {
            let index = index_of(interface)?;
            let socket = match self.group {
                IpAddr::V4(_) => Socket::new(Domain::IPV4, Type::DGRAM, None)?,
                IpAddr::V6(_) => Socket::new(Domain::IPV6, Type::DGRAM, None)?,
            };
            socket.bind_device(Some(interface.as_bytes()))?;
            match self.group {
                IpAddr::V4(_) => socket.set_multicast_ttl_v4(4)?,
                IpAddr::V6(_) => {
                    socket.set_multicast_if_v6(index)?;
                    socket.set_multicast_hops_v6(4)?;
                }
            }
            Ok(UdpSocket::from(socket))
        })
    }

    fn address(&self, scope: u32) -> Result<SocketAddr> {
        Ok(match self.group {
            IpAddr::V4(group) => (group, PORT).into(),
            IpAddr::V6(group) => SocketAddrV6::new(group, PORT, 0, scope).into(),
        })
    }
}

fn index_of(interface: &str) -> std::io::Result<u32> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    Ok(rustix::net::netdevice::name_to_index(&socket, interface)?)
}
