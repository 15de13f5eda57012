//! One of several relays, on a machine of its own on the internet.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Machine, Process, Venue, program};

/// Starting takes well under a second; a busy machine gets the rest.
const SOON: Duration = Duration::from_secs(30);

/// A relay that can be ended, stopped and started again; it keeps its key.
#[derive(Debug)]
pub struct RelaySite {
    /// Where it runs.
    pub machine: Machine,
    /// The address of that machine.
    pub address: IpAddr,
    /// The relay.
    pub program: Process,
    /// By which it is known.
    pub pin: String,
    flags: Vec<String>,
}

/// A room as the relay's operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomSeen {
    /// Its gateway is there.
    pub has_gateway: bool,
    /// Players in it.
    pub players: usize,
}

impl RelaySite {
    /// Starts the relay with this index: the first is on [`Venue::relay`], others on machines of their own at
    /// 10.9.3.1 and so on.
    pub fn start(venue: &Venue, index: usize, flags: &[String]) -> Result<Self> {
        let machine = match index {
            0 => venue.relay.clone(),
            _ => venue.public_machine(&format!("relay{}", index + 1), number(index))?,
        };
        let program = start(&machine, flags)?;
        let pin = pin(&program)?;
        Ok(Self {
            machine,
            address: Self::address_of(index),
            program,
            pin,
            flags: flags.to_vec(),
        })
    }

    /// Where the relay with this index is.
    pub fn address_of(index: usize) -> IpAddr {
        Ipv4Addr::new(10, 9, number(index) as u8, 1).into()
    }

    /// Starts it again, after it has ended.
    pub fn start_again(&mut self) -> Result<()> {
        self.program = start(&self.machine, &self.flags)?;
        pin(&self.program).map(drop)
    }

    /// The same with other flags, from now on.
    pub fn start_again_with(&mut self, flags: Vec<String>) -> Result<()> {
        self.flags = flags;
        self.start_again()
    }

    /// `HOST~PIN`, as gateways and invites name one of several relays.
    pub fn named(&self) -> String {
        format!("{}~{}", self.address, self.pin)
    }

    /// `lanparty-relay ctl`; one that is stopped never answers.
    pub fn ctl(&self, words: &[&str]) -> Result<String> {
        self.machine.ctl("lanparty-relay", words)
    }

    /// A room there, if there is one.
    pub fn room(&self, code: &str) -> Result<Option<RoomSeen>> {
        let rooms = self.ctl(&["rooms"])?;
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let rows = rooms.lines().map(words);
        let row = rows
            .into_iter()
            .find(|row| row.iter().any(|word| word == code));
        row.map(|row| {
            let players = row.last().context("a row without players")?;
            Ok(RoomSeen {
                has_gateway: row.iter().any(|word| word == "here"),
                players: players
                    .parse()
                    .context("a row that ends without a number")?,
            })
        })
        .transpose()
    }

    /// Whether it runs and has this room's gateway. Not for one that is stopped.
    pub fn has_gateway_of(&self, code: &str) -> bool {
        let is_there = |room: RoomSeen| room.has_gateway;
        self.program.is_running() && self.room(code).ok().flatten().is_some_and(is_there)
    }
}

/// Of its network.
fn number(index: usize) -> usize {
    match index {
        0 => 1,
        _ => index + 2,
    }
}

fn start(machine: &Machine, flags: &[String]) -> Result<Process> {
    let mut command = program("lanparty-relay")?;
    command.extend(flags.iter().cloned());
    let relay = machine.spawn("relay", command)?;
    relay.wait_for_line("Relay listening on ", SOON)?;
    Ok(relay)
}

fn pin(relay: &Process) -> Result<String> {
    let line = relay.wait_for_line("--pin ", SOON)?;
    let pin = line.rsplit(' ').next().context("a pin")?;
    Ok(pin.trim().to_owned())
}
