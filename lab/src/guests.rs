//! A party for those who have its invite, whose players have the service: what each is told can be asked at any moment.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::suite::World;
use crate::venue::{Plan, Venue};
use crate::{Machine, Player, Process, eventually, program};

/// Joining takes well under a second; a busy machine gets the rest.
const SOON: Duration = Duration::from_secs(30);

/// What the party shall be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuestPlan {
    /// The machines; each remote one is a player's.
    pub venue: Plan,
    /// More flags for the relay.
    pub relay: &'static [&'static str],
    /// More flags for the gateway.
    pub gateway: &'static [&'static str],
    /// More flags for the players' services.
    pub service: &'static [&'static str],
    /// More variables in the environment of a player's service: the player's number, `NAME=value`.
    pub environment: &'static [(usize, &'static str)],
    /// What everybody calls the relay, which is in their hosts files then.
    pub relay_name: Option<&'static str>,
    /// The relay has a second address, to which that name leads as well.
    pub relay_too: bool,
    /// The programs' `--log` filter.
    pub log: Option<&'static str>,
}

/// Everything ends and disappears when it is dropped. Nobody has joined when it begins.
#[derive(Debug)]
pub struct Guests {
    /// One on each remote machine.
    pub players: Vec<Guest>,
    /// The gateway's program.
    pub gateway: Process,
    /// The relay's program.
    pub relay: Process,
    /// The link that everybody has.
    pub invite: String,
    /// By which the relay is known.
    pub pin: String,
    /// The machines.
    pub venue: Venue,
    plan: GuestPlan,
}

/// A player with a service.
#[derive(Debug)]
pub struct Guest {
    /// The player's computer.
    pub machine: Machine,
    /// The service.
    pub service: Process,
    number: usize,
}

impl Guests {
    /// The room.
    pub const ROOM: &str = "FRIDAY-LAN";
    const INVITE: &str = "invite.txt";

    /// Starts relay, gateway and services.
    pub fn gather(plan: GuestPlan) -> Result<Self> {
        Self::gather_at(plan, Venue::build(plan.venue)?)
    }

    /// The same at a place that is there already.
    pub fn gather_at(plan: GuestPlan, venue: Venue) -> Result<Self> {
        let mut addresses = vec![Venue::RELAY];
        if plan.relay_too {
            let second = Venue::RELAY_TOO;
            venue
                .relay
                .ip(&format!("addr add {second}/24 brd + dev wan0"))?;
            addresses.push(second);
        }
        if let Some(name) = plan.relay_name {
            for machine in venue.remotes.iter().chain([&venue.gateway]) {
                machine.set_host_at(name, &addresses)?;
            }
        }
        let relay = plan.start_relay(&venue)?;
        let line = relay.wait_for_line("--pin ", SOON)?;
        let pin = line.rsplit(' ').next().context("a pin")?.trim().to_owned();
        let place = plan.place(&pin);
        let mut print = program("lanparty-gateway")?;
        print.extend(["invite".to_owned()].into_iter().chain(place.clone()));
        let printed = venue.gateway.run(print)?;
        let invite = printed.lines().next().context("an invite")?.to_owned();
        venue.lab.write(Self::INVITE, &invite)?;
        let gateway = plan.start_gateway(&venue, place)?;
        let players = (1..).zip(&venue.remotes);
        let players = players.map(|(number, machine)| plan.start_service(machine, number));
        let players: Result<Vec<_>> = players.collect();
        let mut guests = Self {
            players: players?,
            gateway,
            relay,
            invite,
            pin,
            venue,
            plan,
        };
        guests.gateway_is_in()?;
        for player in &guests.players {
            player.service.wait_for_line("Views are heard", SOON)?;
        }
        Ok(guests)
    }

    /// Starts the relay again, after it has ended.
    pub fn restart_relay(&mut self) -> Result<()> {
        self.relay = self.plan.start_relay(&self.venue)?;
        self.relay.wait_for_line("Relay listening", SOON).map(drop)
    }

    /// Starts the gateway again, after it has ended, with more flags.
    pub fn restart_gateway(&mut self, flags: &'static [&'static str]) -> Result<()> {
        self.plan.gateway = flags;
        self.gateway = self
            .plan
            .start_gateway(&self.venue, self.plan.place(&self.pin))?;
        self.gateway_is_in()
    }

    /// `lanparty-gateway ctl`.
    pub fn ctl(&self, words: &[&str]) -> Result<String> {
        self.venue.gateway.ctl("lanparty-gateway", words)
    }

    fn gateway_is_in(&mut self) -> Result<()> {
        let connected = "connected to the relay";
        self.gateway.wait_for_line(connected, SOON).map(drop)
    }
}

impl World for Guests {
    fn report(&self) -> String {
        let programs = [&self.relay, &self.gateway].into_iter();
        let services = self.players.iter().map(|player| &player.service);
        let tails = programs.chain(services).map(|program| {
            let (title, tail) = (program.title(), program.tail(25));
            format!("--- {title} said at the end:\n{tail}\n")
        });
        tails.collect()
    }
}

impl GuestPlan {
    fn place(&self, pin: &str) -> [String; 6] {
        let relay = match self.relay_name {
            Some(name) => name.to_owned(),
            None => Venue::RELAY.to_string(),
        };
        ["--relay", &relay, "--pin", pin, "--room", Guests::ROOM].map(str::to_owned)
    }

    fn start_relay(&self, venue: &Venue) -> Result<Process> {
        let command = self.command("lanparty-relay", &[], self.relay)?;
        venue.relay.spawn("relay", command)
    }

    fn start_gateway(&self, venue: &Venue, place: [String; 6]) -> Result<Process> {
        let mut command =
            self.command("lanparty-gateway", &["--interface", "eth0"], self.gateway)?;
        command.extend(place);
        venue.gateway.spawn("gateway", command)
    }

    fn start_service(&self, machine: &Machine, number: usize) -> Result<Guest> {
        let (socket, state) = (socket_of(number), format!("service-{number}"));
        let own = ["service", "--socket", &socket, "--state", &state];
        let mut command = vec!["env".to_owned()];
        let own_variables = self
            .environment
            .iter()
            .filter(|(whose, _)| *whose == number);
        command.extend(own_variables.map(|(_, variable)| (*variable).to_owned()));
        command.extend(self.command("lanparty-client", &own, self.service)?);
        let service = machine.spawn(&format!("service-{number}"), command)?;
        Ok(Guest {
            machine: machine.clone(),
            service,
            number,
        })
    }

    fn command(&self, name: &str, own: &[&str], more: &[&str]) -> Result<Vec<String>> {
        let mut command = program(name)?;
        let log = self.log.map(|filter| ["--log", filter]);
        let words = own.iter().chain(more).copied();
        let words = words.chain(log.into_iter().flatten());
        command.extend(words.map(str::to_owned));
        Ok(command)
    }
}

impl Guest {
    /// Begins to join, and waits for nothing.
    pub fn begin_to_join(&self) -> Result<()> {
        let file = self.machine.folder().join(Guests::INVITE);
        let invite = format!("@{}", file.display());
        let name = format!("player{}", self.number);
        self.ask(&["join", &invite, "--name", &name, "--wait", "0"])
            .map(drop)
    }

    /// Joins and waits for the LAN and an address there; answers with the time until the LAN was there.
    pub fn join(&self) -> Result<Duration> {
        let begin = Instant::now();
        self.begin_to_join()?;
        self.is_in(begin)
    }

    /// Waits until a player who has begun to join is on the LAN, and for the address there.
    pub fn is_in(&self, begin: Instant) -> Result<Duration> {
        let connected = |snapshot: &Value| snapshot["state"] == "connected";
        self.shows("the player is on the LAN", SOON, connected)?;
        let took = begin.elapsed();
        self.shows("the player has an address", SOON, |snapshot| {
            snapshot["address"]["ip"].is_string()
        })?;
        Ok(took)
    }

    /// Leaves the party.
    pub fn leave(&self) -> Result<()> {
        self.ask(&["leave"]).map(drop)
    }

    /// Waits until a player who leaves is out.
    pub fn goes_away(&self) -> Result<()> {
        let out = |snapshot: &Value| snapshot["state"] == "not_connected";
        self.shows("the player is out", SOON, out).map(drop)
    }

    /// Asks the service by the command line; fails when the command does.
    pub fn ask(&self, words: &[&str]) -> Result<String> {
        let output = self.machine.output(self.command(words)?)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let trouble = String::from_utf8_lossy(&output.stderr);
        // 3: not connected, or not yet.
        let code = output.status.code();
        ensure!(matches!(code, Some(0 | 3)), "{words:?}: {said}{trouble}");
        Ok(said)
    }

    /// How things stand for the player.
    pub fn snapshot(&self) -> Result<Value> {
        let said = self.ask(&["status", "--json"])?;
        serde_json::from_str(&said).with_context(|| format!("not a snapshot: {said}"))
    }

    /// Waits until what the player is shown is like this; answers with the time that it took.
    pub fn shows(
        &self,
        what: &str,
        deadline: Duration,
        is: impl Fn(&Value) -> bool,
    ) -> Result<Duration> {
        let begin = Instant::now();
        let mut last = Value::Null;
        let shown = eventually(what, deadline, || {
            last = self.snapshot().ok()?;
            is(&last).then_some(())
        });
        shown.with_context(|| format!("the last was {last:#}"))?;
        Ok(begin.elapsed())
    }

    /// The way that frames take, as the player is shown it: `direct`, `relay`, `relay_over_tcp`.
    pub fn way(&self) -> Result<String> {
        let snapshot = self.snapshot()?;
        Ok(snapshot["way"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until that is the way.
    pub fn goes(&self, way: &str, deadline: Duration) -> Result<Duration> {
        let what = format!("player {} goes {way}", self.number);
        self.shows(&what, deadline, |snapshot| snapshot["way"] == way)
    }

    /// Why the way is not direct, as a word.
    pub fn not_direct(&self) -> Result<String> {
        let snapshot = self.snapshot()?;
        let why = snapshot["not_direct"]["id"].as_str();
        Ok(why.unwrap_or_default().to_owned())
    }

    /// The address on the LAN.
    pub fn address(&self) -> Result<std::net::IpAddr> {
        let address = self.machine.ipv4(Player::TAP);
        address.context("the player has no LAN address")
    }

    fn command(&self, words: &[&str]) -> Result<Vec<String>> {
        let mut command = program("lanparty-client")?;
        command.extend(words.iter().map(|word| (*word).to_owned()));
        command.extend(["--socket".to_owned(), socket_of(self.number)]);
        Ok(command)
    }
}

fn socket_of(number: usize) -> String {
    format!("client-{number}.sock")
}
