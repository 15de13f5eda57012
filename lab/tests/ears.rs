//! Both ears: programs that are tied to the home network's interface hear the party, and are heard by it.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::{
    Check, LAN_BROADCAST, Machine, Needs, Party, Player, Suite, Venue, checks, eventually, pass,
    run,
};
use socket2::{Domain, InterfaceIndexOrAddress, Socket, Type};

const PORT: u16 = 27_960;
const HOME: &str = "wan0";
/// The first player's home, and its neighbour there.
const AT_HOME: Ipv4Addr = Ipv4Addr::new(10, 9, 11, 1);
const HOME_BROADCAST: Ipv4Addr = Ipv4Addr::new(10, 9, 11, 255);
const NEIGHBOUR: &str = "r1";
const MDNS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const ALL: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const OWN_USE: Ipv4Addr = Ipv4Addr::new(239, 7, 7, 7);
const SOON: Duration = Duration::from_secs(3);
/// What is not heard by then does not come.
const LATE: Duration = Duration::from_millis(700);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dhclient", "dnsmasq", "tc"]);
    let party = || {
        Party::builder()
            .players(2)
            .player_flags(&["--both-ears"])
            .start()
    };
    run(&needs, [Suite::new("both_ears", party, ears())])
}

fn ears() -> Vec<Check<Party>> {
    checks![
        a_program_tied_to_home_hears_the_party,
        what_a_program_says_at_home_reaches_the_party_and_the_answer_comes_back,
        the_party_does_not_hear_the_neighbours_but_the_adapter_does,
        a_killed_client_leaves_nothing_at_home,
    ]
}

fn a_program_tied_to_home_hears_the_party(party: &Party) -> Result<()> {
    let lan = (&party.venue.lan1, "eth0");
    let [player, other] = players(party)?;
    for (group, heard) in [
        (IpAddr::from(Ipv4Addr::BROADCAST), true),
        (LAN_BROADCAST.into(), true),
        (MDNS.into(), true),
        (ALL.into(), true),
        (OWN_USE.into(), false),
    ] {
        for from in [lan, (other, Player::TAP)] {
            let at_home = listen((player, HOME), group)?;
            pass(LATE);
            say(from, group)?;
            if heard {
                hears(&at_home).with_context(|| format!("{group} from {}", from.0.name()))?;
            } else {
                hears_nothing(&at_home)?;
            }
            ensure!(next(&at_home)?.is_none(), "{group} came twice");
        }
    }
    Ok(())
}

fn what_a_program_says_at_home_reaches_the_party_and_the_answer_comes_back(
    party: &Party,
) -> Result<()> {
    let [player, _] = players(party)?;
    let adapter = player.ipv4(Player::TAP).context("no address")?;
    for to in [Ipv4Addr::BROADCAST, HOME_BROADCAST] {
        let server = listen((&party.venue.lan1, "eth0"), Ipv4Addr::BROADCAST.into())?;
        let neighbour = listen((&party.venue.internet, NEIGHBOUR), to.into())?;
        let program = player.enter(|| {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
            socket.set_broadcast(true)?;
            socket.bind_device(Some(HOME.as_bytes()))?;
            socket.bind(&SocketAddr::from((AT_HOME, 0)).into())?;
            Ok(UdpSocket::from(socket))
        })?;
        program.set_nonblocking(true)?;
        program.send_to(b"who is there?", (to, PORT))?;
        let asker = hears(&server).with_context(|| format!("{to} at the party"))?;
        ensure!(
            asker.ip() == adapter,
            "{asker} asks, which is not {adapter}"
        );
        hears(&neighbour).context("at home, as ever")?;
        server.send_to(b"I am", asker)?;
        let server = hears(&program).context("the answer")?;
        ensure!(server.ip() == Venue::LAN1, "{server} answers");
        ensure!(next(&program)?.is_none(), "the answer came twice");
    }
    Ok(())
}

fn the_party_does_not_hear_the_neighbours_but_the_adapter_does(party: &Party) -> Result<()> {
    let [player, other] = players(party)?;
    for group in [IpAddr::from(Ipv4Addr::BROADCAST), MDNS.into()] {
        let at_the_adapter = listen((player, Player::TAP), group)?;
        let at_home = listen((player, HOME), group)?;
        let on_the_lan = listen((&party.venue.lan1, "eth0"), group)?;
        let at_the_others = listen((other, Player::TAP), group)?;
        pass(LATE);
        say((&party.venue.internet, NEIGHBOUR), group)?;
        hears(&at_the_adapter).with_context(|| format!("{group} at the adapter"))?;
        hears(&at_home)?;
        for socket in [&at_the_adapter, &at_home, &on_the_lan, &at_the_others] {
            hears_nothing(socket)?;
        }
    }
    Ok(())
}

/// The last one: its player is gone.
fn a_killed_client_leaves_nothing_at_home(party: &Party) -> Result<()> {
    let player = party.players.first().context("there is no player")?;
    let ear = format!("{}-ear", Player::TAP);
    ensure!(player.machine.has_interface(&ear), "there is no ear");
    let with_it = state_of_home(&player.machine)?;
    ensure!(
        !with_it.contains("ingress") && !with_it.contains("clsact"),
        "home's interface is changed:\n{with_it}"
    );
    player.program.kill()?;
    eventually("the ear goes", SOON, || {
        (!player.machine.has_interface(&ear)).then_some(())
    })?;
    let after = state_of_home(&player.machine)?;
    ensure!(after == with_it, "before:\n{with_it}\nafter:\n{after}");
    for question in [
        &["ip", "route", "show", "table", "all"][..],
        &["tc", "qdisc", "show"],
    ] {
        let shown = player.machine.run(question.iter().copied())?;
        ensure!(!shown.contains(Player::TAP), "{question:?}:\n{shown}");
    }
    Ok(())
}

/// All that the ear could have changed at home's interface, in words.
fn state_of_home(machine: &Machine) -> Result<String> {
    let mut state = String::new();
    for question in [
        &["ip", "-d", "link", "show", "dev", HOME][..],
        &["ip", "addr", "show", "dev", HOME],
        &["ip", "route", "show", "table", "all", "dev", HOME],
        &["tc", "qdisc", "show", "dev", HOME],
        &["tc", "filter", "show", "dev", HOME, "ingress"],
    ] {
        state += &machine.run(question.iter().copied())?;
    }
    let settings = format!("/proc/sys/net/ipv4/conf/{HOME}");
    // Some of them can only be written, which is no failure.
    let settings = machine.output(["grep", "-rs", ".", &settings])?;
    Ok(state + &String::from_utf8_lossy(&settings.stdout))
}

fn players(party: &Party) -> Result<[&Machine; 2]> {
    match &party.players[..] {
        [one, two] => Ok([&one.machine, &two.machine]),
        _ => bail!("this party has two players"),
    }
}

fn hears(socket: &UdpSocket) -> Result<SocketAddr> {
    eventually("it is heard", SOON, || next(socket).ok()?)
}

fn hears_nothing(socket: &UdpSocket) -> Result<()> {
    pass(LATE);
    ensure!(next(socket)?.is_none(), "it is heard");
    Ok(())
}

fn next(socket: &UdpSocket) -> Result<Option<SocketAddr>> {
    match socket.recv_from(&mut [0; 2048]) {
        Ok((_, from)) => Ok(Some(from)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A socket that hears one interface alone.
fn listen((machine, interface): (&Machine, &str), group: IpAddr) -> Result<UdpSocket> {
    let socket = machine.enter(|| {
        let index = index_of(interface)?;
        let (domain, any) = match group {
            IpAddr::V4(_) => (Domain::IPV4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            IpAddr::V6(_) => (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
        };
        let socket = Socket::new(domain, Type::DGRAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.bind(&SocketAddr::from((any, PORT)).into())?;
        if let IpAddr::V4(group) = group
            && group.is_multicast()
        {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
        }
        Ok(UdpSocket::from(socket))
    })?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn say((machine, interface): (&Machine, &str), group: IpAddr) -> Result<()> {
    machine.enter(|| {
        let index = index_of(interface)?;
        let domain = if group.is_ipv4() {
            Domain::IPV4
        } else {
            Domain::IPV6
        };
        let socket = Socket::new(domain, Type::DGRAM, None)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        if group.is_ipv4() {
            socket.set_broadcast(true)?;
        }
        let to = match group {
            IpAddr::V4(group) => SocketAddr::from((group, PORT)),
            IpAddr::V6(group) => SocketAddrV6::new(group, PORT, 0, index).into(),
        };
        UdpSocket::from(socket).send_to(b"who is there?", to)
    })?;
    Ok(())
}

fn index_of(interface: &str) -> std::io::Result<u32> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    Ok(rustix::net::netdevice::name_to_index(&socket, interface)?)
}
