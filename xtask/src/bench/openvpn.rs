//! OpenVPN as the peer to compare with: a public server that relays between the player and a bridge on the LAN.

use std::time::Duration;

use anyhow::Result;
use lanparty_lab::{Machine, Party, Plan, Process, Venue, eventually};

use super::Tunnel;

const READY: Duration = Duration::from_secs(20);

/// A running server with two clients: the player, and the LAN's gateway, which bridges.
pub(crate) struct OpenVpn {
    client: Process,
    server: Process,
    gateway: Process,
    venue: Venue,
}

impl OpenVpn {
    pub(crate) fn start() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
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
        let server = start(&venue.relay, &serving, "Initialization Sequence Completed")?;
        venue.relay.ip("link set tap0 up")?; // the server stalls on a device that is down
        let relay = Venue::RELAY.to_string();
        let joining = ["--tls-client", "--pull", "--nobind", "--remote", &relay];
        let gateway = start(
            &venue.gateway,
            &joining,
            "Initialization Sequence Completed",
        )?;
        let client = start(
            &venue.remotes[0],
            &joining,
            "Initialization Sequence Completed",
        )?;

        let bridge = &venue.gateway;
        bridge.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")?;
        for port in ["eth0", "tap0"] {
            bridge.ip(&format!("link set {port} up master br0"))?;
        }
        bridge.ip("link set br0 up")?;
        let remote = &venue.remotes[0];
        remote.ip(&format!(
            "addr add {}/24 brd + dev tap0",
            Party::FIRST_STATIC
        ))?;
        remote.ip("link set tap0 up")?;
        eventually("OpenVPN carries a ping", READY, || {
            remote.pings(Venue::LAN1, 56).ok()
        })?;
        Ok(Self {
            client,
            server,
            gateway,
            venue,
        })
    }
}

impl Tunnel for OpenVpn {
    fn venue(&self) -> &Venue {
        &self.venue
    }

    fn programs(&self) -> Vec<&Process> {
        vec![&self.client, &self.server, &self.gateway]
    }
}

fn start(machine: &Machine, role: &[&str], ready: &str) -> Result<Process> {
    let shared = [
        "openvpn", "--dev", "tap0", "--proto", "udp", "--ca", "ca.crt", "--cert", "peer.crt",
        "--key", "peer.key",
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
    process.wait_for_line(ready, READY)?;
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
