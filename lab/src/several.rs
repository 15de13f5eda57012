//! A party that may be at one of several relays, for those who have its invite.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::suite::World;
use crate::venue::{Plan, Venue};
use crate::{Player, Process, RelaySite, eventually, program};

/// Joining takes well under a second; a busy machine gets the rest.
const SOON: Duration = Duration::from_secs(30);

/// What the party shall be like.
#[derive(Clone, Debug)]
pub struct SeveralPlan {
    /// So many relays.
    pub relays: usize,
    /// Flags of each.
    pub relay: Vec<String>,
    /// More flags for the gateway.
    pub gateway: Vec<String>,
    /// Machines for players.
    pub remotes: usize,
    /// The programs' `--log` filter.
    pub log: Option<&'static str>,
}

/// Everything ends and disappears when it is dropped. No player has joined when it begins.
#[derive(Debug)]
pub struct Several {
    /// Who has joined.
    pub players: Vec<Player>,
    /// The gateway's program.
    pub gateway: Process,
    /// The relays, in the order in which the invite names them.
    pub relays: Vec<RelaySite>,
    /// The machines.
    pub venue: Venue,
    plan: SeveralPlan,
}

impl Several {
    /// The room.
    pub const ROOM: &str = "FRIDAY-LAN";
    /// The file with the invite that names all relays.
    pub const INVITE: &str = "invite.txt";

    /// Starts relays and gateway.
    pub fn gather(plan: SeveralPlan) -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: plan.remotes,
            ..Plan::default()
        })?;
        let relays = (0..plan.relays).map(|index| RelaySite::start(&venue, index, &plan.relay));
        let relays = relays.collect::<Result<Vec<_>>>()?;
        Self::gather_at(plan, venue, relays)
    }

    /// The same where relays run already.
    pub fn gather_at(plan: SeveralPlan, venue: Venue, relays: Vec<RelaySite>) -> Result<Self> {
        let all: Vec<_> = relays.iter().collect();
        make_invite(&venue, Self::INVITE, &all)?;
        let gateway = start_gateway(&venue, &relays, &plan)?;
        gateway.wait_for_line(": connected to the relay", SOON)?;
        Ok(Self {
            players: Vec::new(),
            gateway,
            relays,
            venue,
            plan,
        })
    }

    /// Writes an invite that names these relays into a file; one alone is what programs of before read.
    pub fn invite(&self, file: &str, relays: &[&RelaySite]) -> Result<()> {
        make_invite(&self.venue, file, relays)
    }

    /// Starts a player's client on the next free machine, and waits for nothing.
    pub fn begin_to_join(&mut self, invite: &str, flags: &[&str]) -> Result<usize> {
        let number = self.players.len() + 1;
        let machine = self.venue.remotes.get(number - 1);
        let machine = machine.context("no machine is left for a player")?.clone();
        let mut command = program("lanparty-client")?;
        let identity = format!("identity-{number}.json");
        let name = format!("player{number}");
        let mac = format!("02:1a:00:00:00:{number:02x}");
        let own = [
            "--invite-file",
            invite,
            "--identity",
            &identity,
            "--name",
            &name,
        ];
        let own = own.into_iter().chain(["--virtual-mac", &mac]);
        let words = own.chain(flags.iter().copied());
        command.extend(words.map(str::to_owned));
        command.extend(self.plan.log_flags());
        let program = machine.spawn("client", command)?;
        self.players.push(Player::new(machine, program, number));
        Ok(number - 1)
    }

    /// The same, and waits for the LAN and an address there; answers with the time until then.
    pub fn join(&mut self, invite: &str, flags: &[&str]) -> Result<(usize, Duration)> {
        let begin = Instant::now();
        let index = self.begin_to_join(invite, flags)?;
        self.is_in(index)?;
        Ok((index, begin.elapsed()))
    }

    /// Waits until a player is on the LAN and has an address; answers with that.
    pub fn is_in(&self, index: usize) -> Result<IpAddr> {
        let player = &self.players[index];
        player.program.wait_for_line("Connected to the LAN", SOON)?;
        let got = eventually("the player gets a LAN address", SOON, || {
            player.machine.ipv4(Player::TAP)
        });
        got.with_context(|| player.program.tail(30))
    }

    /// The last player leaves, so that the machine is free for another one.
    pub fn last_leaves(&mut self) -> Result<()> {
        let player = self.players.pop().context("nobody is there")?;
        let status = player.program.interrupt()?;
        ensure!(status.success(), "{status}:\n{}", player.program.tail(15));
        Ok(())
    }

    /// The relay where the gateway is, of those that run and are not `asleep`.
    pub fn where_it_is(&self, asleep: Option<usize>) -> Option<usize> {
        let mut awake = (0..self.relays.len()).filter(|index| Some(*index) != asleep);
        awake.find(|&index| self.relays[index].has_gateway_of(Self::ROOM))
    }

    /// Waits until the gateway is at a relay other than this one, which may be asleep or dead; answers at which.
    pub fn moves_from(&self, index: usize, deadline: Duration) -> Result<usize> {
        let what = format!("the gateway is at another relay than {}", index + 1);
        eventually(&what, deadline, || self.where_it_is(Some(index)))
    }

    /// `lanparty-gateway ctl`.
    pub fn ctl(&self, words: &[&str]) -> Result<String> {
        self.venue.gateway.ctl("lanparty-gateway", words)
    }

    /// Starts the gateway again, after it has ended, and waits for its relay.
    pub fn restart_gateway(&mut self) -> Result<()> {
        self.gateway = start_gateway(&self.venue, &self.relays, &self.plan)?;
        let connected = ": connected to the relay";
        self.gateway.wait_for_line(connected, SOON).map(drop)
    }

    /// Presses Ctrl-C everywhere, players first, and removes the venue; fails when a program did not end clean.
    pub fn end(self) -> Result<()> {
        let players = self.players.iter().map(|player| &player.program);
        let relays = self.relays.iter().map(|relay| &relay.program);
        let programs = players.chain([&self.gateway]).chain(relays);
        for program in programs.filter(|program| program.is_running()) {
            let status = program.interrupt()?;
            let (title, tail) = (program.title(), program.tail(15));
            ensure!(status.success(), "{title} ended with {status}:\n{tail}");
        }
        Ok(())
    }
}

impl World for Several {
    fn report(&self) -> String {
        let relays = self.relays.iter().enumerate();
        let relays = relays.map(|(index, relay)| (format!("relay {}", index + 1), &relay.program));
        let players = self.players.iter().enumerate();
        let players = players.map(|(index, it)| (format!("player {}", index + 1), &it.program));
        let gateway = [("the gateway".to_owned(), &self.gateway)].into_iter();
        let tails = relays
            .chain(gateway)
            .chain(players)
            .map(|(who, program)| format!("--- {who} said at the end:\n{}\n", program.tail(25)));
        tails.collect()
    }
}

impl SeveralPlan {
    fn log_flags(&self) -> impl Iterator<Item = String> {
        let flags = self.log.map(|filter| ["--log", filter].map(str::to_owned));
        flags.into_iter().flatten()
    }
}

/// The first is the party's own, whose pin has a flag of its own.
fn place(relays: &[&RelaySite]) -> Vec<String> {
    let mut words = Vec::new();
    for (index, relay) in relays.iter().enumerate() {
        let named = match index {
            0 => relay.address.to_string(),
            _ => relay.named(),
        };
        words.extend(["--relay".to_owned(), named]);
    }
    if let Some(first) = relays.first() {
        words.extend(["--pin".to_owned(), first.pin.clone()]);
    }
    words.extend(["--room", Several::ROOM].map(str::to_owned));
    words
}

fn make_invite(venue: &Venue, file: &str, relays: &[&RelaySite]) -> Result<()> {
    let mut command = program("lanparty-gateway")?;
    command.push("invite".to_owned());
    command.extend(place(relays));
    let printed = venue.gateway.run(command)?;
    let invite = printed.lines().next().context("an invite")?;
    venue.lab.write(file, invite).map(drop)
}

fn start_gateway(venue: &Venue, relays: &[RelaySite], plan: &SeveralPlan) -> Result<Process> {
    let mut command = program("lanparty-gateway")?;
    command.extend(["--interface", "eth0"].map(str::to_owned));
    command.extend(place(&relays.iter().collect::<Vec<_>>()));
    command.extend(plan.gateway.iter().cloned());
    command.extend(plan.log_flags());
    venue.gateway.spawn("gateway", command)
}
