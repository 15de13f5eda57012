//! The lab by itself, without any program of ours: what the other suites stand on.

use std::env;
use std::net::IpAddr;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{
    Load, MDNS, copy, frame, frames_cross, iperf, multicast_crosses, openarena_server,
    openarena_servers_seen, teeworlds_server, teeworlds_servers_seen,
};
use lanparty_lab::{
    LAN_BROADCAST, Lab, Needs, Plan, Suite, Venue, Wire, WireConditions, World, checks, leftovers,
    run,
};

/// Makes a suite of this program that hangs; only its own test sets this.
const HANGS: &str = "LANPARTY_HANGS";

fn main() -> ExitCode {
    if env::var_os(HANGS).is_some() {
        let checks = checks![waits_for_a_program_that_never_ends, comes_after_it];
        let hangs = Suite::within(Duration::from_secs(1), "hangs", || Ok(()), checks);
        return run(&Needs::programs(&[]), [hangs]);
    }
    let needs = Needs::programs(&[
        "dnsmasq",
        "iperf3",
        "openarena-server",
        "ping",
        "quakestat",
        "teeworlds-server",
    ]);
    let venue = checks![
        machines_on_the_lan_reach_each_other,
        the_lan_carries_super_frames_as_a_real_card_hands_them_up,
        remote_machines_reach_the_relay_but_not_the_lan,
        multicast_reaches_the_neighbour,
        raw_frames_reach_the_neighbour_unchanged,
        a_copied_file_is_the_same,
        game_servers_are_found_by_broadcast,
    ];
    let wire = checks![
        a_narrow_wire_drops_long_packets_without_a_word,
        a_long_wire_takes_its_time,
        a_bad_wire_loses_and_repeats_packets_but_a_file_still_arrives,
        a_slow_wire_carries_what_its_rate_allows,
    ];
    let nothing = checks![
        a_dropped_lab_leaves_nothing_behind,
        a_hanging_test_is_one_failed_test,
        what_this_machine_lacks_fails_where_nothing_may_be_skipped,
    ];
    let suites = [
        Suite::new(
            "venue",
            || {
                Venue::build(Plan {
                    remotes: 1,
                    ..Plan::default()
                })
            },
            venue,
        ),
        Suite::new("wire", WirePair::new, wire),
        Suite::new("end", || Ok(()), nothing),
    ];
    run(&needs, suites)
}

fn waits_for_a_program_that_never_ends((): &()) -> Result<()> {
    let lab = Lab::new()?;
    lab.machine("patient")?.run(["sleep", "1000"]).map(drop)
}

fn comes_after_it((): &()) -> Result<()> {
    Ok(())
}

fn a_hanging_test_is_one_failed_test((): &()) -> Result<()> {
    let mut again = Command::new(env::current_exe()?);
    let output = again.env(HANGS, "1").output().context("run this again")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(!output.status.success(), "{said}");
    ensure!(said.contains("hung: not done within 1s"), "{said}");
    ensure!(said.contains("signal: 9"), "its program goes on: {said}");
    ensure!(
        said.contains("not run, because `waits_for_a_program_that_never_ends` hung"),
        "{said}"
    );
    ensure!(leftovers().is_empty(), "left behind: {:?}", leftovers());
    Ok(())
}

/// A guest is not root, which is the first thing that is asked for.
fn what_this_machine_lacks_fails_where_nothing_may_be_skipped((): &()) -> Result<()> {
    for (strict, word) in [("0", "SKIPPED: "), ("1", "FAILED: LANPARTY_STRICT")] {
        let mut again = Command::new("setpriv");
        again
            .args(["--reuid", "65534", "--clear-groups"])
            .arg(env::current_exe()?)
            .env("LANPARTY_STRICT", strict);
        let output = again.output().context("run this again, not as root")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(said.starts_with(word), "{said}");
        ensure!(output.status.success() == (strict == "0"), "{said}");
    }
    Ok(())
}

fn machines_on_the_lan_reach_each_other(venue: &Venue) -> Result<()> {
    venue.lan1.pings(Venue::LAN2, 56)?;
    venue.lan1.pings(Venue::LAN2, 1472)?;
    let lan2 = venue.lan2.ipv6_link_local("eth0").expect("IPv6 is on");
    venue.lan1.ping_target(&format!("{lan2}%eth0"), 56)
}

fn the_lan_carries_super_frames_as_a_real_card_hands_them_up(venue: &Venue) -> Result<()> {
    let offloads = venue.lan1.run(["ethtool", "-k", "eth0"])?;
    ensure!(
        offloads.contains("tcp-segmentation-offload: on"),
        "{offloads}"
    );
    let report = iperf(
        &venue.lan1,
        &venue.lan2,
        Venue::LAN2,
        Load::Tcp { seconds: 1 },
    )?;
    ensure!(
        report.bits_per_second > 1e9,
        "only {} bit/s without anything in between",
        report.bits_per_second
    );
    Ok(())
}

fn remote_machines_reach_the_relay_but_not_the_lan(venue: &Venue) -> Result<()> {
    let remote = &venue.remotes[0];
    remote.pings(Venue::RELAY, 1472)?;
    remote.ping_target("fd00:9:1::1", 56)?;
    ensure!(
        !remote
            .output(["ping", "-c1", "-W1", &Venue::LAN1.to_string()])?
            .status
            .success(),
        "the LAN is public"
    );
    ensure!(
        remote.resolver()? == "nameserver 192.0.2.53\n"
            && remote.default_routes()?.lines().count() == 2
    );
    Ok(())
}

fn multicast_reaches_the_neighbour(venue: &Venue) -> Result<()> {
    multicast_crosses(MDNS, (&venue.lan1, Venue::LAN1), (&venue.lan2, Venue::LAN2))
}

fn raw_frames_reach_the_neighbour_unchanged(venue: &Venue) -> Result<()> {
    let (source, target) = (venue.lan1.mac("eth0")?, venue.lan2.mac("eth0")?);
    let frames = [60, 61, 1000, 1514].map(|length| frame(target, source, 0x8137, length));
    frames_cross((&venue.lan1, "eth0"), (&venue.lan2, "eth0"), &frames)
}

fn a_copied_file_is_the_same(venue: &Venue) -> Result<()> {
    copy(&venue.lan1, &venue.lan2, Venue::LAN2, 20_000_001).map(drop)
}

fn game_servers_are_found_by_broadcast(venue: &Venue) -> Result<()> {
    let _openarena = openarena_server(&venue.lan1, "Quaking")?;
    let _teeworlds = teeworlds_server(&venue.lan1, "Teeing")?;
    let seen = openarena_servers_seen(&venue.lan2, LAN_BROADCAST)?;
    ensure!(
        seen.contains("192.168.50.11:27960") && seen.contains("Quaking"),
        "{seen}"
    );
    let seen = teeworlds_servers_seen(&venue.lan2, LAN_BROADCAST)?;
    ensure!(
        seen.get(&(Venue::LAN1, 8303).into())
            .is_some_and(|name| name == "Teeing"),
        "{seen:?}"
    );
    Ok(())
}

/// Two machines and a wire.
struct WirePair {
    wire: Wire,
    left: lanparty_lab::Machine,
    right: lanparty_lab::Machine,
    _lab: Lab,
}

impl World for WirePair {
    fn report(&self) -> String {
        format!("the wire: {:?}", self.wire)
    }
}

impl WirePair {
    const RIGHT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let (left, right) = (lab.machine("left")?, lab.machine("right")?);
        let wire = Wire::lay(
            &lab,
            "wire",
            (&left, "eth0"),
            (&right, "eth0"),
            WireConditions::default(),
        )?;
        left.ip("addr add 10.0.0.1/24 dev eth0")?;
        right.ip("addr add 10.0.0.2/24 dev eth0")?;
        Ok(Self {
            wire,
            left,
            right,
            _lab: lab,
        })
    }
}

fn a_narrow_wire_drops_long_packets_without_a_word(pair: &WirePair) -> Result<()> {
    pair.wire.set(WireConditions::default());
    pair.left.pings(WirePair::RIGHT, 1472)?;
    pair.wire.set(WireConditions {
        mtu: 1280,
        ..WireConditions::default()
    });
    pair.left.pings(WirePair::RIGHT, 1252)?;
    ensure!(pair.wire.too_long() == 0);
    ensure!(pair.left.pings(WirePair::RIGHT, 1253).is_err());
    // Three of each attempt, and there are several where the machine is busy.
    let too_long = pair.wire.too_long();
    ensure!(
        too_long > 0 && too_long.is_multiple_of(3),
        "{too_long} were too long"
    );
    Ok(())
}

fn a_long_wire_takes_its_time(pair: &WirePair) -> Result<()> {
    pair.wire.set(WireConditions {
        delay: Duration::from_millis(15),
        ..WireConditions::default()
    });
    let shown = pair.left.run(["ping", "-c3", "-i0.05", "10.0.0.2"])?;
    let fastest = shown
        .rsplit("= ")
        .next()
        .and_then(|times| times.split('/').next()?.parse::<f64>().ok());
    ensure!(
        fastest.is_some_and(|ms| (30.0..40.0).contains(&ms)),
        "two times 15 ms were expected:\n{shown}"
    );
    Ok(())
}

fn a_bad_wire_loses_and_repeats_packets_but_a_file_still_arrives(pair: &WirePair) -> Result<()> {
    let jitter = Duration::from_millis(1);
    pair.wire.set(WireConditions {
        loss: 0.1,
        duplicate: 0.1,
        jitter,
        delay: jitter,
        ..WireConditions::default()
    });
    let output = pair
        .left
        .output(["ping", "-c200", "-i0.002", "-W1", "10.0.0.2"])?;
    let shown = String::from_utf8_lossy(&output.stdout);
    ensure!(
        shown.contains("duplicates") && !shown.contains(" 0% packet loss"),
        "{shown}"
    );
    copy(&pair.left, &pair.right, WirePair::RIGHT, 500_000).map(drop)
}

fn a_slow_wire_carries_what_its_rate_allows(pair: &WirePair) -> Result<()> {
    pair.wire.set(WireConditions {
        rate: Some((20_000_000, 60_000)),
        ..WireConditions::default()
    });
    let report = iperf(
        &pair.left,
        &pair.right,
        WirePair::RIGHT,
        Load::Tcp { seconds: 2 },
    )?;
    ensure!(
        (15e6..20e6).contains(&report.bits_per_second),
        "{} bit/s over 20 Mbit/s",
        report.bits_per_second
    );
    Ok(())
}

fn a_dropped_lab_leaves_nothing_behind((): &()) -> Result<()> {
    let venue = Venue::build(Plan::default())?;
    ensure!(!leftovers().is_empty());
    drop(venue);
    ensure!(leftovers().is_empty(), "left behind: {:?}", leftovers());
    Ok(())
}
