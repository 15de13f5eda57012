//! Three real etcd that are one, each on a machine of its own, with their data in memory.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Machine, Process, Venue, Wire, WireConditions, eventually};

/// Electing a leader takes a second or two; a busy machine gets the rest.
const SOON: Duration = Duration::from_secs(30);
const MEMBERS: usize = 3;
/// The first is at 10.9.5.1.
const FIRST_NUMBER: usize = 5;
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;

/// The three; they end and disappear when it is dropped.
#[derive(Debug)]
pub struct Etcd {
    /// The members.
    pub members: Vec<EtcdMember>,
    data: PathBuf,
    tls: Option<EtcdTls>,
}

/// One of them.
#[derive(Debug)]
pub struct EtcdMember {
    /// Where it runs.
    pub machine: Machine,
    /// The address of that machine.
    pub address: Ipv4Addr,
    /// etcd.
    pub program: Process,
    /// Its way to everybody else.
    pub wire: Option<Wire>,
}

/// Files for TLS between etcd and whoever asks it.
#[derive(Clone, Debug)]
pub struct EtcdTls {
    /// The authority's certificate.
    pub authority: String,
    /// The members' certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Etcd {
    /// The programs that it needs.
    pub const PROGRAMS: [&str; 2] = ["etcd", "etcdctl"];

    /// Starts them and waits until they agree; whoever says what their paths are like may change that later.
    pub fn start(
        venue: &Venue,
        path: Option<WireConditions>,
        tls: Option<EtcdTls>,
    ) -> Result<Self> {
        let data = venue.lab.memory("etcd")?;
        let mut members = Vec::new();
        for index in 0..MEMBERS {
            let number = FIRST_NUMBER + index;
            let (machine, wire) = venue.public_machine_by(&name(index), number, path)?;
            let address = address(index);
            let program = spawn(&machine, index, &data, tls.as_ref())?;
            members.push(EtcdMember {
                machine,
                address,
                program,
                wire,
            });
        }
        let etcd = Self { members, data, tls };
        etcd.agrees()?;
        Ok(etcd)
    }

    /// Where they are, for `--directory`.
    pub fn hosts(&self) -> String {
        let hosts = (0..MEMBERS).map(|index| format!("{}:{CLIENT_PORT}", address(index)));
        hosts.collect::<Vec<_>>().join(",")
    }

    /// Starts a member again, after it has ended; it has what it knew.
    pub fn start_again(&mut self, index: usize) -> Result<()> {
        let member = &mut self.members[index];
        member.program = spawn(&member.machine, index, &self.data, self.tls.as_ref())?;
        Ok(())
    }

    /// Ends all of them, deletes all that they knew, and starts them again.
    pub fn lose_all(&mut self) -> Result<()> {
        for member in &self.members {
            member.program.kill()?;
        }
        for index in 0..MEMBERS {
            let data = self.data.join(name(index));
            fs::remove_dir_all(&data).with_context(|| format!("delete {}", data.display()))?;
            self.start_again(index)?;
        }
        self.agrees()
    }

    /// Waits until something that is written can be read.
    pub fn agrees(&self) -> Result<()> {
        let is_written = || self.ctl(&["put", "lab", "is here"]).ok();
        eventually("etcd agrees", SOON, is_written).with_context(|| self.tails())?;
        self.ctl(&["del", "lab"]).map(drop)
    }

    /// `etcdctl`, at a member that runs.
    pub fn ctl(&self, words: &[&str]) -> Result<String> {
        self.ctl_as(None, words)
    }

    /// The same as this `user:password`.
    pub fn ctl_as(&self, user: Option<&str>, words: &[&str]) -> Result<String> {
        let runs = self
            .members
            .iter()
            .find(|member| member.program.is_running());
        let machine = &runs.context("no etcd runs")?.machine;
        self.ctl_from(machine, user, words)
    }

    /// The same from any machine.
    pub fn ctl_from(&self, from: &Machine, user: Option<&str>, words: &[&str]) -> Result<String> {
        let (scheme, authority) = match &self.tls {
            Some(tls) => ("https", Some(tls.authority.as_str())),
            None => ("http", None),
        };
        let running = self
            .members
            .iter()
            .filter(|member| member.program.is_running());
        let endpoints =
            running.map(|member| format!("{scheme}://{}:{CLIENT_PORT}", member.address));
        let endpoints = endpoints.collect::<Vec<_>>().join(",");
        let mut command = vec!["env", "ETCDCTL_API=3", "etcdctl", "--endpoints", &endpoints];
        command.extend(["--dial-timeout=2s", "--command-timeout=3s"]);
        command.extend(authority.into_iter().flat_map(|file| ["--cacert", file]));
        command.extend(user.into_iter().flat_map(|user| ["--user", user]));
        command.extend(words);
        from.run(command)
    }

    /// What they said at the end.
    pub fn tails(&self) -> String {
        let tails = self.members.iter().map(|member| {
            format!(
                "--- {} said at the end:\n{}\n",
                member.machine.name(),
                member.program.tail(8)
            )
        });
        tails.collect()
    }
}

fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, (FIRST_NUMBER + index) as u8, 1)
}

fn name(index: usize) -> String {
    format!("etcd{}", index + 1)
}

fn spawn(machine: &Machine, index: usize, data: &Path, tls: Option<&EtcdTls>) -> Result<Process> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let client = format!("{scheme}://{}:{CLIENT_PORT}", address(index));
    let peer = |index: usize| format!("http://{}:{PEER_PORT}", address(index));
    let all = (0..MEMBERS).map(|index| format!("{}={}", name(index), peer(index)));
    let all = all.collect::<Vec<_>>().join(",");
    let (own, own_peer) = (name(index), peer(index));
    let data = data.join(&own).to_string_lossy().into_owned();
    let mut command = vec!["etcd", "--name", &own, "--data-dir", &data];
    command.extend([
        "--listen-client-urls",
        &client,
        "--advertise-client-urls",
        &client,
    ]);
    command.extend(["--listen-peer-urls", &own_peer]);
    command.extend(["--initial-advertise-peer-urls", &own_peer]);
    command.extend([
        "--initial-cluster",
        &all,
        "--initial-cluster-token",
        "lanparty-lab",
    ]);
    if let Some(tls) = tls {
        command.extend(["--cert-file", &tls.certificate, "--key-file", &tls.key]);
    }
    machine.spawn("etcd", command)
}
