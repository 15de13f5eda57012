//! OpenVPN: a public server that relays between the player and a client on the LAN.

use anyhow::Result;
use lanparty_lab::{Machine, Process, Venue};

use super::{Peer, READY, TAP};

pub(super) const PEER: Peer = Peer {
    name: "OpenVPN",
    cipher: "AES-128-GCM",
    package: "openvpn",
    programs: &["openvpn"],
    start,
};

fn start(venue: &Venue) -> Result<[Process; 3]> {
    make_certificates(&venue.relay)?;
    let serving = [
        "--mode",
        "server",
        "--tls-server",
        "--dh",
        "none",
        "--client-to-client",
        "--duplicate-cn",
    ];
    let server = spawn(&venue.relay, &serving)?;
    venue.relay.ip(&format!("link set {TAP} up"))?; // the server stalls on a device that is down
    let relay = Venue::RELAY.to_string();
    let joining = ["--tls-client", "--pull", "--nobind", "--remote", &relay];
    let gateway = spawn(&venue.gateway, &joining)?;
    let client = spawn(&venue.remotes[0], &joining)?;
    Ok([client, server, gateway])
}

fn spawn(machine: &Machine, role: &[&str]) -> Result<Process> {
    let shared = [
        "openvpn", "--dev", TAP, "--proto", "udp", "--ca", "ca.crt", "--cert", "peer.crt", "--key",
        "peer.key",
    ];
    let ciphers = [
        "--data-ciphers",
        "AES-128-GCM",
        "--port",
        "1194",
        "--verb",
        "3",
    ];
    let process = machine.spawn("openvpn", shared.iter().chain(&ciphers).chain(role))?;
    process.wait_for_line("Initialization Sequence Completed", READY)?;
    Ok(process)
}

/// A small authority and one certificate for everybody.
fn make_certificates(machine: &Machine) -> Result<()> {
    let new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    let authority = format!("{new} -subj /CN=authority -keyout ca.key -out ca.crt");
    let peer =
        format!("{new} -subj /CN=peer -keyout peer.key -out peer.crt -CA ca.crt -CAkey ca.key");
    for command in [authority, peer] {
        machine.run(command.split_whitespace())?;
    }
    Ok(())
}
