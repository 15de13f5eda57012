//! Three relays that are one service, on three etcd.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Etcd, EtcdTls, RelaySite, Venue, WireConditions, eventually};

/// Where the relays are, as their operator calls it.
const REGIONS: [&str; 3] = ["Hamburg", "Frankfurt", "Vienna"];
/// A relay is given out when it has been up for five seconds.
const READY: Duration = Duration::from_secs(40);
const SECRET_FILE: &str = "fleet-secret.txt";
const SECRET: &str = "a-secret-that-every-relay-of-the-lab-has";

/// The relays end before etcd does.
#[derive(Debug)]
pub struct Fleet {
    /// The relays.
    pub relays: Vec<RelaySite>,
    /// The directory.
    pub etcd: Etcd,
}

/// How a fleet finds its directory.
#[derive(Clone, Debug, Default)]
pub struct FleetPlan {
    /// What the paths between etcd and everybody are like, if that may change later.
    pub etcd_path: Option<WireConditions>,
    /// How etcd's TLS is made.
    pub tls: Option<EtcdTls>,
    /// More flags for each relay.
    pub relay: Vec<String>,
}

impl Fleet {
    /// So many relays.
    pub const RELAYS: usize = REGIONS.len();

    /// Starts etcd, then the relays, and waits until rooms may go to all of them.
    pub fn start(venue: &Venue, plan: FleetPlan) -> Result<Self> {
        let etcd = Etcd::start(venue, plan.etcd_path, plan.tls)?;
        let secret = venue.lab.write(SECRET_FILE, SECRET)?;
        let relays = (0..Self::RELAYS).map(|index| {
            let mut flags = flags(&etcd.hosts(), &secret, index);
            flags.extend(plan.relay.iter().cloned());
            RelaySite::start(venue, index, &flags)
        });
        let fleet = Self {
            relays: relays.collect::<Result<_>>()?,
            etcd,
        };
        let ready = || is_ready(&fleet.relays[0]).then_some(());
        eventually("all relays are given out", READY, ready)
            .with_context(|| fleet.relays[0].program.tail(20))?;
        Ok(fleet)
    }

    /// Where a relay of the fleet is, as its operator calls it.
    pub fn region(index: usize) -> &'static str {
        REGIONS[index % REGIONS.len()]
    }

    /// The address at which the others and all peers find it.
    pub fn address(index: usize) -> IpAddr {
        RelaySite::address_of(index)
    }
}

/// Whether this one sees all of them, each up for long enough. On a busy machine they may say that they are late.
fn is_ready(relay: &RelaySite) -> bool {
    let shown = relay.ctl(&["fleet"]).unwrap_or_default();
    let is_seen = |index| shown.contains(&Fleet::address(index).to_string());
    (0..Fleet::RELAYS).all(is_seen) && !shown.contains("just started")
}

/// What a relay of the fleet is told.
pub fn fleet_flags(etcd: &str, secret: &str, index: usize) -> Vec<String> {
    flags(etcd, secret, index)
}

fn flags(etcd: &str, secret: &str, index: usize) -> Vec<String> {
    let directory = format!("etcd://{etcd}");
    let address = RelaySite::address_of(index).to_string();
    let flags = [
        "--directory",
        &directory,
        "--fleet-secret-file",
        secret,
        "--advertise",
        &address,
        "--region",
        Fleet::region(index),
    ];
    flags.map(str::to_owned).to_vec()
}
