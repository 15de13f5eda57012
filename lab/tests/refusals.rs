//! Whatever is wrong at the start: one sentence that says what, an exit code, and nothing half-started.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Addressing, Machine, Needs, Party, Player, Suite, checks, program, run};

const SOON: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq"]);
    let all = checks![
        unknown_and_missing_flags_are_refused,
        malformed_values_are_refused,
        missing_and_broken_certificates_are_refused,
        a_certificate_that_is_not_the_relays_is_refused,
        the_gateway_refuses_interfaces_that_cannot_work,
        a_second_gateway_is_told_that_there_is_one,
        a_second_player_with_the_same_mac_is_told_so,
        a_relay_whose_name_leads_nowhere_is_named_and_tried_again,
        a_broken_identity_is_refused,
        a_tap_name_that_is_taken_is_refused,
        missing_privileges_are_refused,
        the_relay_refuses_addresses_and_files_it_cannot_use,
        and_nothing_of_all_that_disturbed_the_party,
    ];
    let party = || {
        Party::builder()
            .players(2)
            .addressing(Addressing::Static)
            .start()
    };
    run(&needs, [Suite::new("refusals", party, all)])
}

fn unknown_and_missing_flags_are_refused(party: &Party) -> Result<()> {
    for (machine, name) in everywhere(party) {
        refuses(machine, name, &["--frobnicate"], "--frobnicate")?;
    }
    let venue = &party.venue;
    refuses(
        &venue.gateway,
        "lanparty-gateway",
        &["--relay", "10.9.1.1"],
        "--room",
    )?;
    refuses(
        &venue.remotes[0],
        "lanparty-client",
        &["--room", "LAB-1"],
        "--relay",
    )
}

fn malformed_values_are_refused(party: &Party) -> Result<()> {
    let client =
        |flags: &[&str], says| refuses(&party.venue.remotes[0], "lanparty-client", flags, says);
    let whole = |flag, value| ["--relay", "10.9.1.1", "--room", "LAB-1", flag, value];
    client(&["--relay", "10.9.1.1", "--room", "no"], "room")?;
    client(&["--relay", "10.9.1.1", "--room", "white space"], "room")?;
    client(
        &["--relay", "10.9.1.1:99999", "--room", "LAB-1"],
        "10.9.1.1:99999",
    )?;
    client(&whole("--virtual-mac", "02:1a:00"), "--virtual-mac")?;
    client(
        &whole("--virtual-mac", "ff:ff:ff:ff:ff:ff"),
        "--virtual-mac",
    )?;
    client(&whole("--address", "192.168.50.300/24"), "--address")?;
    client(&whole("--datagram-budget", "12"), "--datagram-budget")?;
    client(&whole("--tap", "a-name-that-is-far-too-long"), "--tap")?;
    client(&whole("--log-format", "xml"), "--log-format")?;
    refuses(
        &party.venue.relay,
        "lanparty-relay",
        &["--listen", "everywhere"],
        "--listen",
    )
}

fn missing_and_broken_certificates_are_refused(party: &Party) -> Result<()> {
    let broken = party
        .venue
        .lab
        .write("broken.der", "this is no certificate")?;
    for (machine, name) in peers(party) {
        let with = |file| {
            peer_flags(
                name,
                &[
                    "--relay",
                    "10.9.1.1",
                    "--room",
                    "LAB-1",
                    "--relay-ca-cert",
                    file,
                ],
            )
        };
        refuses(
            machine,
            name,
            &with("/no/such/file.der"),
            "/no/such/file.der",
        )?;
        refuses(machine, name, &with(&broken), "broken.der")?;
    }
    Ok(())
}

fn a_certificate_that_is_not_the_relays_is_refused(party: &Party) -> Result<()> {
    let mut other = program("lanparty-relay")?;
    other.extend(["--listen", "127.0.0.1:0", "--state", "other-state"].map(Into::into));
    other.extend(["--dev-cert-der-out", "other.der"].map(Into::into));
    let other = party.venue.relay.spawn("other-relay", other)?;
    other.wait_for_line("Relay listening", SOON)?;
    for (machine, name) in peers(party) {
        let flags = [
            "--relay",
            "10.9.1.1",
            "--server-name",
            "lanparty-relay",
            "--room",
            "LAB-1",
            "--relay-ca-cert",
        ];
        let flags: Vec<_> = flags.into_iter().chain(["other.der"]).collect();
        refuses(machine, name, &peer_flags(name, &flags), "certificate")?;
    }
    Ok(())
}

fn the_gateway_refuses_interfaces_that_cannot_work(party: &Party) -> Result<()> {
    let gateway = &party.venue.gateway;
    gateway.ip("tuntap add dev tun7 mode tun")?;
    gateway.ip("link add down0 type veth peer name down1")?;
    gateway.ip("link add lonely0 type veth peer name lonely1")?;
    gateway.ip("link set lonely0 up")?;
    let with = |interface, says| {
        let mut flags = party.join_flags();
        flags.extend(["--interface".into(), String::from(interface)]);
        refuses(gateway, "lanparty-gateway", &flags, says)
    };
    with("eth9", "there is no interface eth9")?;
    with("a-name-that-is-far-too-long", "a-name-that-is-far-too-long")?;
    with("tun7", "tun7 is not an Ethernet interface")?;
    with("lo", "lo is the loopback interface")?;
    with("down0", "down0 is down")?;
    with("lonely0", "lonely0 has no carrier")?;
    gateway.ip("link add lan9 type bridge")?;
    gateway.ip("link set lonely0 master lan9")?;
    with("lonely0", "lonely0 is a part of lan9")?;
    gateway.ip("link add link down1 mv0 type macvlan mode bridge")?;
    with("mv0", "give down1 itself, or a veth into a bridge")?;
    gateway.ip("link add in0 type ifb")?;
    with("in0", "leads to no LAN")?;
    for extra in ["in0", "mv0", "lan9"] {
        gateway.ip(&format!("link del {extra}"))?;
    }
    gateway.ip("link del down0")?;
    gateway.ip("link del lonely0")?;
    gateway.ip("tuntap del dev tun7 mode tun")
}

/// The first one may be a ghost of ours that the relay has not given up yet, so both of these keep trying.
fn a_second_gateway_is_told_that_there_is_one(party: &Party) -> Result<()> {
    let mut flags = party.join_flags();
    flags.extend(["--interface", "eth0", "--beside-another"].map(Into::into));
    let says = "the room has a gateway already";
    keeps_trying(&party.venue.gateway, "lanparty-gateway", flags, says)
}

fn a_second_player_with_the_same_mac_is_told_so(party: &Party) -> Result<()> {
    let mut flags = party.join_flags();
    flags.extend(
        [
            "--virtual-mac",
            "02:1a:00:00:00:01",
            "--tap",
            "second0",
            "--identity",
            "second.json",
        ]
        .map(Into::into),
    );
    let says = "somebody in the room has this MAC address";
    keeps_trying(&party.venue.remotes[1], "lanparty-client", flags, says)
}

fn a_relay_whose_name_leads_nowhere_is_named_and_tried_again(party: &Party) -> Result<()> {
    for (machine, name) in peers(party) {
        let flags = peer_flags(
            name,
            &["--relay", "no-such-host.invalid", "--room", "LAB-1"],
        );
        let flags = flags.into_iter().map(Into::into).collect();
        keeps_trying(machine, name, flags, "no-such-host.invalid")?;
    }
    Ok(())
}

/// The program says what is wrong, goes on, and ends clean when it is asked to.
fn keeps_trying(machine: &Machine, name: &str, flags: Vec<String>, says: &str) -> Result<()> {
    let process = machine.spawn(
        &format!("trying-{name}"),
        program(name)?.into_iter().chain(flags),
    )?;
    process.wait_for_line(says, SOON)?;
    process.wait_for_line("Trying again", SOON)?;
    let status = process.interrupt()?;
    ensure!(
        status.success(),
        "ended with {status}:\n{}",
        process.tail(20)
    );
    ensure!(!machine.has_interface("second0"), "a TAP was left behind");
    Ok(())
}

fn a_broken_identity_is_refused(party: &Party) -> Result<()> {
    let file = party.venue.lab.write("scribble.json", "{ not json")?;
    let mut flags = party.join_flags();
    flags.extend(["--tap", "second0", "--identity"].map(Into::into));
    flags.push(file);
    refuses(
        &party.venue.remotes[1],
        "lanparty-client",
        &flags,
        "scribble.json",
    )
}

fn a_tap_name_that_is_taken_is_refused(party: &Party) -> Result<()> {
    let mut flags = party.join_flags();
    flags.extend(["--tap", "wan0", "--identity", "second.json"].map(Into::into));
    refuses(&party.venue.remotes[1], "lanparty-client", &flags, "wan0")
}

/// Root without the capabilities is what a user is, but may still read the files of this test.
fn missing_privileges_are_refused(party: &Party) -> Result<()> {
    let gateway = [
        party.join_flags(),
        ["--interface", "eth0", "--beside-another"]
            .map(Into::into)
            .into(),
    ]
    .concat();
    let client = [
        party.join_flags(),
        ["--tap", "second0", "--identity", "second.json"]
            .map(Into::into)
            .into(),
    ]
    .concat();
    let venue = &party.venue;
    for (machine, name, flags) in [
        (&venue.gateway, "lanparty-gateway", gateway),
        (&venue.remotes[1], "lanparty-client", client),
    ] {
        let without = [
            "setpriv",
            "--bounding-set=-net_admin,-net_raw",
            "--inh-caps=-net_admin,-net_raw",
        ];
        let command = without
            .into_iter()
            .map(Into::into)
            .chain(program(name)?)
            .chain(flags);
        refuses_command(machine, name, command.collect(), "CAP_NET_")?;
    }
    Ok(())
}

fn the_relay_refuses_addresses_and_files_it_cannot_use(party: &Party) -> Result<()> {
    let relay = |flags: &[&str], says| refuses(&party.venue.relay, "lanparty-relay", flags, says);
    relay(
        &["--listen", "443/udp", "--dev-cert-der-out", "again.der"],
        "443",
    )?; // the party's relay has it
    relay(
        &[
            "--listen",
            "192.0.2.1:443",
            "--dev-cert-der-out",
            "again.der",
        ],
        "192.0.2.1",
    )?;
    relay(
        &[
            "--listen",
            "127.0.0.1:0",
            "--dev-cert-der-out",
            "/proc/no/relay.der",
        ],
        "/proc/no",
    )
}

fn and_nothing_of_all_that_disturbed_the_party(party: &Party) -> Result<()> {
    for player in &party.players {
        player.machine.pings(lanparty_lab::Venue::LAN1, 56)?;
    }
    Ok(())
}

fn everywhere(party: &Party) -> Vec<(&Machine, &'static str)> {
    [(&party.venue.relay, "lanparty-relay")]
        .into_iter()
        .chain(peers(party))
        .collect()
}

fn peers(party: &Party) -> [(&Machine, &'static str); 2] {
    [
        (&party.venue.gateway, "lanparty-gateway"),
        (&party.venue.remotes[1], "lanparty-client"),
    ]
}

/// What each kind of peer needs besides the flags of both.
fn peer_flags<'a>(name: &str, shared: &[&'a str]) -> Vec<&'a str> {
    let own = if name == "lanparty-gateway" {
        &["--interface", "eth0", "--beside-another"][..]
    } else {
        &["--tap", "second0"]
    };
    shared.iter().chain(own).copied().collect()
}

fn refuses(machine: &Machine, name: &str, flags: &[impl AsRef<str>], says: &str) -> Result<()> {
    let command = program(name)?
        .into_iter()
        .chain(flags.iter().map(|flag| flag.as_ref().to_owned()));
    refuses_command(machine, name, command.collect(), says)
}

/// The program ends by itself with a failure, one error that names what is wrong, and no TAP.
fn refuses_command(machine: &Machine, name: &str, command: Vec<String>, says: &str) -> Result<()> {
    let shown = command.join(" ");
    let process = machine.spawn(&format!("refused-{name}"), command)?;
    let status = process
        .wait(SOON)
        .with_context(|| format!("`{shown}` was not refused"))?;
    let log = process.log();
    ensure!(
        matches!(status.code(), Some(1 | 2)),
        "`{shown}` ended with {status}:\n{log}"
    );
    let errors: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("error:"))
        .collect();
    ensure!(errors.len() == 1, "`{shown}` should say one error:\n{log}");
    let usage = status.code() == Some(2); // clap's own form has more lines
    let error = if usage { log.as_str() } else { errors[0] };
    ensure!(
        error.contains(says),
        "`{shown}` should say something of `{says}`:\n{log}"
    );
    ensure!(!log.contains("panicked"), "`{shown}` panicked:\n{log}");
    for tap in [Player::TAP, "second0"] {
        let own = tap == Player::TAP && name == "lanparty-client";
        ensure!(
            own || !machine.has_interface(tap),
            "`{shown}` left {tap} behind"
        );
    }
    Ok(())
}
