//! n2n: a supernode that passes on what the edges encrypt for each other.
//!
//! Debian 12 has n2n 1.3, whose only cipher is Twofish; AES came with n2n 2.

use anyhow::Result;
use lanparty_lab::{Machine, Process, Venue, eventually};

use super::{Peer, READY, TAP};

pub(super) const PEER: Peer = Peer {
    name: "n2n",
    cipher: "Twofish",
    package: "n2n",
    programs: &["supernode", "edge"],
    start,
};

const PORT: &str = "7654";

fn start(venue: &Venue) -> Result<[Process; 3]> {
    let supernode = venue.relay.spawn("supernode", ["supernode", "-l", PORT])?;
    let gateway = edge(&venue.gateway, "10.77.0.1")?;
    let client = edge(&venue.remotes[0], "10.77.0.2")?;
    Ok([client, supernode, gateway])
}

/// Its own address is of no use here, but it wants one. `-r` lets frames of other machines pass.
fn edge(machine: &Machine, address: &str) -> Result<Process> {
    let supernode = format!("{}:{PORT}", Venue::RELAY);
    let process = machine.spawn(
        "edge",
        [
            "edge", "-d", TAP, "-a", address, "-c", "party", "-k", "secret", "-l", &supernode, "-r",
        ],
    )?;
    eventually("n2n has a device", READY, || machine.ipv4(TAP))?;
    Ok(process)
}
