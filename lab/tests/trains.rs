//! Trains of UDP datagrams (`UDP_SEGMENT`), as QUIC and media servers send them, between a player and the LAN: each datagram
//! arrives as the kernel would have cut it, and what that costs is printed.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: this test owns sockets and the clock"
)]

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{Ends, Train, Trains, cut_by};
use lanparty_lab::{Machine, Needs, Party, Player, RawSocket, Suite, Venue, checks, run};
use lanparty_proto::frame_buf::FrameSlab;
use lanparty_proto::offload::{HEADER_LEN, VnetHeader, wire_frames};

/// How long datagrams are, and how many bytes a train has.
const SHAPES: [(u16, usize); 7] = [
    (1100, 11_001),
    (1100, 3 * 1100),
    (999, 5000),
    (1, 64),
    (7, 440),
    (1200, 40_000),
    (500, 501),
];
/// What has not come by then does not come.
const SOON: Duration = Duration::from_secs(5);
/// Other work on the machine may cost a datagram its place in a queue; it may not in all of these.
const ATTEMPTS: usize = 5;
/// For what it costs, each way; LANPARTY_ROUNDS asks for more.
const ROUNDS: usize = 1;
const TIME: Duration = Duration::from_secs(1);
/// Bytes a second.
const RATE: f64 = 20e6;
const FEATURE: &str = "tx-udp-segmentation";

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "ping"]);
    let party = || Party::builder().players(1).start();
    let whole = checks![
        each_datagram_of_a_train_arrives_as_it_was_sent,
        a_train_is_on_the_lan_what_the_kernel_makes_of_it,
        a_train_is_at_the_player_what_the_kernel_makes_of_it,
    ];
    let cost = checks![what_a_train_costs];
    run(
        &needs,
        [
            Suite::new("trains", party, whole),
            Suite::new("cost", party, cost),
        ],
    )
}

fn each_datagram_of_a_train_arrives_as_it_was_sent(party: &Party) -> Result<()> {
    let (player, lan) = (&party.players[0], &party.venue.lan1);
    for (from, to, bound) in [
        (&player.machine, lan, address(lan, "eth0", false)?),
        (&player.machine, lan, address(lan, "eth0", true)?),
        (
            lan,
            &player.machine,
            address(&player.machine, Player::TAP, false)?,
        ),
        (
            lan,
            &player.machine,
            address(&player.machine, Player::TAP, true)?,
        ),
    ] {
        for (size, len) in SHAPES {
            arrives(from, to, bound, size, len)
                .with_context(|| format!("{size} bytes each, {len} in all, to {bound}"))?;
        }
    }
    Ok(())
}

/// Sends one train and expects its datagrams, in order and nothing else.
fn arrives(from: &Machine, to: &Machine, bound: SocketAddr, size: u16, len: usize) -> Result<()> {
    let mut came = 0;
    for attempt in 0..ATTEMPTS {
        let listener = to.enter(|| UdpSocket::bind(bound))?;
        listener.set_read_timeout(Some(SOON))?;
        let target = seen_from(from, listener.local_addr()?)?;
        let sender = from.enter(|| UdpSocket::bind(any(target)))?;
        cut_by(&sender, size)?;
        let sent = content(len, attempt);
        sender.send_to(&sent, target)?;
        let expected: Vec<_> = sent.chunks(size.into()).collect();
        let (mut received, mut buffer) = (Vec::new(), [0; 2048]);
        while received.len() < expected.len() {
            let Ok(length) = listener.recv(&mut buffer) else {
                break;
            };
            received.push(buffer[..length].to_vec());
        }
        came = received.len();
        let mut left = expected.iter();
        let in_order = received.iter().all(|one| left.any(|other| one == other));
        ensure!(
            in_order,
            "a datagram was changed, or came in another's place"
        );
        if came == expected.len() {
            return Ok(());
        }
    }
    anyhow::bail!("{came} of {} datagrams came", len.div_ceil(size.into()))
}

fn a_train_is_on_the_lan_what_the_kernel_makes_of_it(party: &Party) -> Result<()> {
    let (player, venue) = (&party.players[0], &party.venue);
    let to = (&venue.lan1, "eth0");
    is_cut_alike((&player.machine, Player::TAP), to)
}

fn a_train_is_at_the_player_what_the_kernel_makes_of_it(party: &Party) -> Result<()> {
    let (player, venue) = (&party.players[0], &party.venue);
    let to = (&player.machine, Player::TAP);
    is_cut_alike((&venue.lan1, "eth0"), to)
}

type End<'a> = (&'a Machine, &'a str);

/// A train arrives as the frames that the kernel makes of it, whoever cuts it: a player's kernel does before our adapter, a
/// LAN's machine where its card is told not to. Our own cut is the kernel's, byte for byte (`lan_port` of the gateway).
fn is_cut_alike(from: End<'_>, to: End<'_>) -> Result<()> {
    for v6 in [false, true] {
        let ends = Ends {
            source: from.0.mac(from.1)?,
            destination: to.0.mac(to.1)?,
            from: with_port(address(from.0, from.1, v6)?, 40_000),
            to: with_port(address(to.0, to.1, v6)?, 27_999),
        };
        for (size, len) in SHAPES {
            let train = Train::new(&ends, size, &content(len, 0));
            let expected = wires(train.header, &train.frame)?;
            let offers = if from.1 == Player::TAP {
                &["off"][..]
            } else {
                &["off", "on"]
            };
            for offer in offers {
                if from.1 != Player::TAP {
                    from.0.run(["ethtool", "-K", from.1, FEATURE, offer])?;
                }
                let what = || format!("{size} bytes each, {len} in all, {ends:?}, offload {offer}");
                let came = what_comes(from, to, &train, expected.len()).with_context(what)?;
                ensure!(came == expected, "not alike: {}", what());
            }
        }
    }
    Ok(())
}

/// The frames of a train that arrive, as a wire would have them.
fn what_comes(from: End<'_>, to: End<'_>, train: &Train, count: usize) -> Result<Vec<Vec<u8>>> {
    let receiver = to.0.enter(|| RawSocket::open(to.1))?;
    receiver.show_offloads()?;
    receiver.set_timeout(Duration::from_millis(100))?;
    let sender = from.0.enter(|| RawSocket::open(from.1))?;
    sender.show_offloads()?;
    let macs = &train.frame[..14];
    let (mut frames, mut buffer) = (Vec::new(), vec![0; 70_000]);
    for _ in 0..ATTEMPTS {
        frames.clear();
        sender.send(&train.bytes())?;
        let end = Instant::now() + SOON;
        while frames.len() < count && Instant::now() < end {
            let Ok(length) = receiver.receive(&mut buffer) else {
                continue;
            };
            let Some((header, frame)) = buffer[..length].split_first_chunk::<HEADER_LEN>() else {
                continue;
            };
            if frame.starts_with(macs) && is_for(frame, train) {
                frames.extend(wires(*header, frame)?);
            }
        }
        if frames.len() >= count {
            return Ok(frames);
        }
    }
    anyhow::bail!("{} of {count} frames came", frames.len())
}

/// True for UDP to the train's ports.
fn is_for(frame: &[u8], train: &Train) -> bool {
    let start = usize::from(u16::from_ne_bytes([train.header[6], train.header[7]]));
    frame.get(start..start + 4) == train.frame.get(start..start + 4)
}

fn wires(header: [u8; HEADER_LEN], frame: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut slab = FrameSlab::default();
    let wires = wire_frames(VnetHeader::decode(header), frame)?;
    Ok(wires
        .map(|wire| {
            // An Ethernet frame that was filled up is as good as one that was not.
            let len = wire.frame_len();
            let frame = wire.write_into(&mut slab).frame().to_vec();
            frame[..without_padding(&frame).min(len)].to_vec()
        })
        .collect())
}

fn without_padding(frame: &[u8]) -> usize {
    let number = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
    match number(12) {
        0x0800 => 14 + number(16),
        _ => 54 + number(18),
    }
}

/// Prints it. Only that trains pass at all is judged, for the rest depends on the machine.
fn what_a_train_costs(party: &Party) -> Result<()> {
    let (player, lan) = (&party.players[0], &party.venue.lan1);
    let (up, down) = (Venue::LAN1, player.address()?);
    for round in 1..=rounds() {
        for (way, from, to, address) in [
            ("up", &player.machine, lan, up),
            ("down", lan, &player.machine, down),
        ] {
            for rate in [Some(RATE), None] {
                let (cost, pings) = thread::scope(|scope| -> Result<_> {
                    let pings = scope.spawn(|| from.round_trips(address, 200, 200.0));
                    let cost = cost(party, from, to, address, rate)?;
                    Ok((cost, pings.join().ok().context("ping panicked")??))
                })?;
                let offered = if rate.is_some() { "a little" } else { "all" };
                println!("{way}, {offered} offered, round {round}: {cost}");
                let at = |percent: usize| pings.get((pings.len().max(1) - 1) * percent / 100);
                let (p50, p99) = (at(50), at(99));
                println!(
                    "      pings: {} of 200, p50 {p50:?} p99 {p99:?}",
                    pings.len()
                );
            }
        }
    }
    Ok(())
}

fn rounds() -> usize {
    let asked = std::env::var("LANPARTY_ROUNDS").ok();
    asked
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS)
}

/// What came, and what it cost whom for each GB of it.
fn cost(
    party: &Party,
    from: &Machine,
    to: &Machine,
    address: IpAddr,
    rate: Option<f64>,
) -> Result<String> {
    let programs = [&party.players[0].program, &party.relay, &party.gateway];
    let used = || -> Result<Vec<_>> { programs.iter().map(|one| Ok(one.usage()?.cpu)).collect() };
    let before = used()?;
    let trains = Trains::send(from, to, address, rate, TIME)?;
    let after = used()?;
    ensure!(
        trains.received > 0,
        "none of {} datagrams came",
        trains.sent
    );
    let gigabytes = trains.received as f64 * f64::from(Trains::SIZE) / 1e9;
    let per_gb = |time: Duration| time.as_secs_f64() / gigabytes;
    let shares: Vec<_> = before
        .iter()
        .zip(&after)
        .map(|(a, b)| per_gb(*b - *a))
        .collect();
    let (sender, listener) = (per_gb(trains.sender), per_gb(trains.listener));
    let sum = shares.iter().sum::<f64>() + sender + listener;
    Ok(format!(
        "{:.0} MB/s ({:.1} % lost), s/GB: client {:.2}, relay {:.2}, gateway {:.2}, sender {sender:.2}, listener {listener:.2}, all {sum:.2}",
        gigabytes * 1e3 / trains.took.as_secs_f64(),
        100.0 - 100.0 * trains.received as f64 / trains.sent as f64,
        shares[0],
        shares[1],
        shares[2],
    ))
}

fn content(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| ((at + seed) * 7 / 3) as u8).collect()
}

fn address(machine: &Machine, interface: &str, v6: bool) -> Result<SocketAddr> {
    let address = match v6 {
        false => machine.ipv4(interface),
        true => machine.ipv6_link_local(interface),
    };
    let address = address.with_context(|| format!("{interface} has no address"))?;
    let scope = if v6 { index(machine, interface)? } else { 0 };
    Ok(with_scope(SocketAddr::new(address, 0), scope))
}

/// An IPv6 address of the one network that the other machine shares with it.
fn seen_from(machine: &Machine, target: SocketAddr) -> Result<SocketAddr> {
    if target.is_ipv4() {
        return Ok(target);
    }
    let tap = machine.has_interface(Player::TAP);
    let interface = if tap { Player::TAP } else { "eth0" };
    Ok(with_scope(target, index(machine, interface)?))
}

fn with_scope(address: SocketAddr, scope: u32) -> SocketAddr {
    match address {
        SocketAddr::V6(address) => {
            SocketAddrV6::new(*address.ip(), address.port(), 0, scope).into()
        }
        v4 => v4,
    }
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

fn any(target: SocketAddr) -> SocketAddr {
    match target {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn index(machine: &Machine, interface: &str) -> Result<u32> {
    let shown = machine.ip_shows(&format!("-o link show dev {interface}"))?;
    let number = shown.split(':').next().map(str::parse);
    Ok(number.context("a link without a number")??)
}
