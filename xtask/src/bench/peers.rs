//! Other VPNs that carry Ethernet frames through a public machine, to compare with.

mod fastd;
mod n2n;
mod openvpn;
mod tinc;

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use lanparty_lab::{Machine, Party, Plan, Process, Venue, eventually, has_program};

use super::Tunnel;
use crate::packages;

/// What every peer calls its device at the player and at the gateway.
const TAP: &str = "tap0";
/// For everybody the same: what fits into the internet's 1500 with the largest of their headers.
const MTU: &str = "1400";
const READY: Duration = Duration::from_secs(20);

const PEERS: [Peer; 4] = [openvpn::PEER, n2n::PEER, fastd::PEER, tinc::PEER];

/// A VPN as its users have it.
pub(crate) struct Peer {
    name: &'static str,
    /// How it encrypts.
    cipher: &'static str,
    /// The Debian package, and what it must bring.
    package: &'static str,
    programs: &'static [&'static str],
    /// Starts client, public server and gateway, so that the first and the last have a [`TAP`].
    start: fn(&Venue) -> Result<[Process; 3]>,
}

/// A running peer: the player's [`TAP`] has an address, the gateway's is bridged to the LAN.
pub(crate) struct Running {
    programs: [Process; 3],
    venue: Venue,
}

impl Peer {
    /// All that can be had here; says which cannot, and why.
    pub(crate) fn available() -> Vec<Self> {
        PEERS.into_iter().filter(Self::is_available).collect()
    }

    fn is_available(&self) -> bool {
        let is_here = || self.programs.iter().all(|program| has_program(program));
        if is_here() {
            return true;
        }
        let reason = match packages::offer("The comparison with others also uses", &[self.package])
        {
            Ok(true) if is_here() => return true,
            Ok(true) => format!("its package has no {}", self.programs.join(", ")),
            Ok(false) => format!("its package {} may not be installed", self.package),
            Err(error) => format!("{error:#}"),
        };
        println!("SKIPPED: {}: {reason}", self.name);
        false
    }

    /// What its row is called.
    pub(crate) fn title(&self) -> String {
        let Self {
            name,
            cipher,
            package,
            ..
        } = self;
        let shown = Command::new("dpkg-query")
            .args(["--show", "--showformat=${Version}", package])
            .output();
        let shown = shown.map_or(String::new(), |output| {
            String::from_utf8_lossy(&output.stdout).into_owned()
        });
        // Debian's own part of a version begins with one of these.
        let version = shown.split(['-', '+', '~']).next().unwrap_or_default();
        format!("{name} {version}, {cipher}")
    }

    /// Builds a venue and starts it there.
    pub(crate) fn start(&self) -> Result<Running> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        let remote = &venue.remotes[0];
        // Relayed, as ours is: neither end can be reached from the other one.
        remote.ip("route add unreachable 10.9.2.0/24")?;
        venue.gateway.ip("route add unreachable 10.9.11.0/24")?;
        let programs = (self.start)(&venue)?;
        bridge(&venue.gateway)?;
        prepare(remote)?;
        let address = Party::FIRST_STATIC;
        remote.ip(&format!("addr add {address}/24 brd + dev {TAP}"))?;
        eventually(&format!("{} carries a ping", self.name), READY, || {
            remote.pings(Venue::LAN1, 56).ok()
        })?;
        Ok(Running { programs, venue })
    }
}

impl Tunnel for Running {
    fn venue(&self) -> &Venue {
        &self.venue
    }

    fn programs(&self) -> Vec<&Process> {
        self.programs.iter().collect()
    }
}

/// Some give their device an address of their own.
fn prepare(machine: &Machine) -> Result<()> {
    machine.ip(&format!("addr flush dev {TAP}"))?;
    machine.ip(&format!("link set {TAP} up mtu {MTU}"))
}

fn bridge(gateway: &Machine) -> Result<()> {
    prepare(gateway)?;
    gateway.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")?;
    for port in ["eth0", TAP] {
        gateway.ip(&format!("link set {port} up master br0"))?;
    }
    gateway.ip("link set br0 up")
}

/// The machines of a peer, the server first, with the names that they have in its configuration.
fn roles(venue: &Venue) -> [(&'static str, &Machine); 3] {
    [
        ("relay", &venue.relay),
        ("gateway", &venue.gateway),
        ("player", &venue.remotes[0]),
    ]
}

/// In the order of [`Tunnel::programs`].
fn in_order([server, gateway, client]: [Process; 3]) -> [Process; 3] {
    [client, server, gateway]
}
