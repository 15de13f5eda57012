//! Much traffic at once.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{Load, copy, flood, iperf};
use lanparty_lab::{Machine, Party, Player, Venue};

use crate::player;

/// Everything below this is a fault, not a machine that has no processor for us now and then.
const SLOWEST_TCP: f64 = 5e6;
const UDP_RATE: f64 = 15e6;
const FLOOD: Duration = Duration::from_secs(1);
/// A queue overflows where the machine has no processor for us for a while; a length that does not cross would lose
/// everything.
const UDP_LOSS: f64 = 0.1;
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
    let tcp = iperf(from, to, address, Load::Tcp { seconds: 2 })?;
    ensure!(
        tcp.bits_per_second > SLOWEST_TCP,
        "TCP crawls at {} bit/s",
        tcp.bits_per_second
    );
    for (payload, bits) in [(200, UDP_RATE / 4.0), (longest, UDP_RATE)] {
        let per_second = bits / 8.0 / payload as f64;
        let flood = flood(from, to, address, payload, per_second, FLOOD)?;
        ensure!(
            flood.lost() <= UDP_LOSS,
            "{:.1} % of UDP with {payload} bytes got lost",
            flood.lost() * 100.0
        );
    }
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
