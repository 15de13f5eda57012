//! Much traffic at once.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{Load, copy, flood, iperf};
use lanparty_lab::{Machine, Party, Player, Spare, Venue};

use crate::player;

/// A twentieth of what a release build carries on a quiet machine of two cores (docs/performance.md).
const SLOW_TCP: f64 = 50e6;
/// Below this it is a fault also where the machine has no processor for us, because others build on it.
const SLOWEST_TCP: f64 = 2e6;
/// Somebody else may have the processor during one of them.
const ATTEMPTS: usize = 3;
/// Who is slow with so much of the machine to spare is slow by himself.
const TO_SPARE: f64 = 0.2;
const UDP_RATE: f64 = 15e6;
const FLOOD: Duration = Duration::from_secs(1);
/// A queue overflows where the machine has no processor for us for a while.
const UDP_LOSS: f64 = 0.1;
/// Where others have it all the time; a length that does not cross would lose everything.
const UDP_LOSS_WHEN_BUSY: f64 = 0.6;
const CHECKSUM_COUNTERS: [&str; 4] = [
    "TcpInCsumErrors",
    "UdpInCsumErrors",
    "IcmpInCsumErrors",
    "Udp6InCsumErrors",
];

pub(crate) fn tcp_and_udp_run_at_speed_in_both_directions_with_correct_checksums(
    party: &Party,
) -> Result<()> {
    let player = player(party)?;
    let lan = &party.venue.lan1;
    let offloads = lan.run(["ethtool", "-k", "eth0"])?;
    ensure!(
        offloads.contains("tx-checksumming: on")
            && offloads.contains("tcp-segmentation-offload: on"),
        "{offloads}"
    );

    let own_payload = player.machine.mtu(Player::TAP)? - 28;
    let down = (lan, &player.machine, player.address()?);
    let up = (&player.machine, lan, Venue::LAN1);
    for (direction, way, longest) in [
        ("from the LAN", down, 1472),
        ("from the player", up, own_payload),
    ] {
        carries(way, longest).context(direction)?;
    }
    for machine in [lan, &player.machine] {
        for counter in CHECKSUM_COUNTERS {
            let errors = machine.counter(counter)?;
            ensure!(errors == 0, "{} counted {errors} {counter}", machine.name());
        }
    }
    Ok(())
}

fn carries((from, to, address): (&Machine, &Machine, IpAddr), longest: usize) -> Result<()> {
    tcp_runs_at_speed((from, to, address))?;
    for (payload, bits) in [(200, UDP_RATE / 4.0), (longest, UDP_RATE)] {
        udp_arrives((from, to, address), payload, bits)?;
    }
    Ok(())
}

fn udp_arrives(
    (from, to, address): (&Machine, &Machine, IpAddr),
    payload: usize,
    bits: f64,
) -> Result<()> {
    let per_second = bits / 8.0 / payload as f64;
    let mut busy = true;
    let mut least = 1.0_f64;
    for _ in 0..ATTEMPTS {
        let begin = Spare::now()?;
        let flood = flood(from, to, address, payload, per_second, FLOOD)?;
        busy &= !begin.was_more_than(TO_SPARE)?;
        least = least.min(flood.lost());
        if least <= UDP_LOSS {
            return Ok(());
        }
    }
    ensure!(
        busy && least <= UDP_LOSS_WHEN_BUSY,
        "{:.1} % of UDP with {payload} bytes got lost",
        least * 100.0
    );
    Ok(())
}

fn tcp_runs_at_speed((from, to, address): (&Machine, &Machine, IpAddr)) -> Result<()> {
    let mut busy = true;
    let mut best = 0.0_f64;
    for _ in 0..ATTEMPTS {
        let begin = Spare::now()?;
        let tcp = iperf(from, to, address, Load::Tcp { seconds: 2 })?;
        busy &= !begin.was_more_than(TO_SPARE)?;
        best = best.max(tcp.bits_per_second);
        if best > SLOW_TCP {
            return Ok(());
        }
    }
    ensure!(
        busy && best > SLOWEST_TCP,
        "TCP crawls at {best:.0} bit/s, and the machine is {}",
        if busy { "busy" } else { "idle" }
    );
    Ok(())
}

pub(crate) fn a_file_arrives_whole_in_both_directions(party: &Party) -> Result<()> {
    both_ways(party, 20_000_000)
}

pub(crate) fn a_200_mb_file_arrives_whole_in_both_directions(party: &Party) -> Result<()> {
    both_ways(party, 200_000_000)
}

fn both_ways(party: &Party, length: u64) -> Result<()> {
    let player = player(party)?;
    copy(
        &party.venue.lan1,
        &player.machine,
        player.address()?,
        length,
    )
    .context("from the LAN")?;
    copy(&player.machine, &party.venue.lan1, Venue::LAN1, length)
        .context("from the player")
        .map(drop)
}
