//! n2n: a supernode that passes on what the edges encrypt for each other.
//!
//! Debian 12 has n2n 1.3, whose only cipher is Twofish; later ones have AES, and other flags.

use anyhow::Result;
use lanparty_lab::{Machine, Process, Venue, eventually};

use super::{Peer, READY, TAP};

pub(super) const PEER: Peer = Peer {
    name: "n2n",
    cipher: "Twofish (AES from n2n 2 on)",
    package: "n2n",
    programs: &["supernode", "edge"],
    start,
};

const PORT: &str = "7654";

fn start(venue: &Venue) -> Result<[Process; 3]> {
    let shown = venue.relay.output(["edge", "-h"])?;
    let shown = String::from_utf8_lossy(&[shown.stdout, shown.stderr].concat()).into_owned();
    let is_first = shown.contains("n2n v.1.");
    let listen: &[&str] = if is_first {
        &["-l", PORT]
    } else {
        &["-p", PORT, "-f"]
    };
    let command = ["supernode"].iter().chain(listen);
    let supernode = venue.relay.spawn("supernode", command)?;
    let gateway = edge(&venue.gateway, "10.77.0.1", is_first)?;
    let client = edge(&venue.remotes[0], "10.77.0.2", is_first)?;
    Ok([client, supernode, gateway])
}

/// Its own address is of no use here, but it wants one. `-r` lets frames of other machines pass. The first version
/// would go to the background with `-f`; the others would without, and relay everything with `-S1`.
fn edge(machine: &Machine, address: &str, is_first: bool) -> Result<Process> {
    let supernode = format!("{}:{PORT}", Venue::RELAY);
    let common = [
        "edge", "-d", TAP, "-a", address, "-c", "party", "-k", "secret", "-l", &supernode, "-r",
    ];
    let later: &[&str] = if is_first {
        &[]
    } else {
        &["-f", "-E", "-S1", "-A3"]
    };
    let process = machine.spawn("edge", common.iter().chain(later))?;
    eventually("n2n has a device", READY, || machine.ipv4(TAP))?;
    Ok(process)
}
