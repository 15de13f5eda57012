//! The fleet, a party with adapters on it, and a crowd.

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use lanparty_lab::traffic::Pings;
use lanparty_lab::{
    Etcd, Fleet, FleetPlan, Plan, Process, Several, SeveralPlan, Spare, Venue, WireConditions,
    binaries, pass, program,
};

use crate::crowd::Crowd;

/// How many clients there are, gateways included; two make a party.
const CROWD: &str = "LANPARTY_CROWD";
const CROWD_IN_CI: usize = 40;
/// Of the crowd's machine: 10.9.8.1.
const CROWD_NUMBER: usize = 8;
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Notice, jitter, lease and hello (spec R151); programs that are built for debugging take longer.
const WHOLE_AGAIN: Duration = Duration::from_secs(10);
/// What goes wrong late, goes wrong by then.
pub(crate) const SETTLED: Duration = Duration::from_secs(2);
/// Where others have the processor, they may take this on top. A relay that is lost costs more than both.
const BUSY: Duration = Duration::from_millis(1500);
/// With so much of the machine to spare, waits are our own.
const TO_SPARE: f64 = 0.2;
/// What a game sends.
const PER_SECOND: u32 = 60;

pub(crate) struct World {
    /// Ends before the machines do.
    pub(crate) crowd: Crowd,
    pub(crate) pings: Pings,
    inner: Mutex<Inner>,
}

/// What changes.
pub(crate) struct Inner {
    pub(crate) party: Several,
    pub(crate) etcd: Etcd,
}

impl lanparty_lab::World for World {
    fn report(&self) -> String {
        let inner = self.inner();
        inner.etcd.tails() + &lanparty_lab::World::report(&inner.party)
    }
}

impl World {
    pub(crate) fn begin() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        let plan = FleetPlan {
            etcd_path: Some(WireConditions::default()),
            relay: generous(),
            ..FleetPlan::default()
        };
        let Fleet { relays, etcd } = Fleet::start(&venue, plan)?;
        let machine = venue.public_machine("crowd", CROWD_NUMBER)?;
        let crowd = Crowd::gather(&machine, &relays, parties())?;
        let plan = SeveralPlan {
            relays: relays.len(),
            relay: Vec::new(),
            gateway: Vec::new(),
            remotes: 1,
            log: None,
        };
        let mut party = Several::gather_at(plan, venue, relays)?;
        party.join(Several::INVITE, &["--relay-only"])?;
        let player = &party.players[0].machine;
        let pings = Pings::start(player, Venue::LAN1, PER_SECOND, 56)?;
        pings.wait_for_answers(Instant::now(), 30, SOON)?;
        Ok(Self {
            crowd,
            pings,
            inner: Mutex::new(Inner { party, etcd }),
        })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happens; then everybody hears everybody in time, and nothing comes twice or late.
    pub(crate) fn lives_through(
        &self,
        what: &str,
        longest: Duration,
        happens: impl FnOnce(&Self, &mut Inner) -> Result<()>,
    ) -> Result<()> {
        self.all_is_well()?;
        let (begin, spare) = (Instant::now(), Spare::now()?);
        happens(self, &mut self.inner())?;
        self.all_is_well()?;
        pass(SETTLED);
        let end = Instant::now();
        let longest = match spare.was_more_than(TO_SPARE)? {
            true => longest,
            false => longest + BUSY,
        };
        let game = self.pings.report(begin, end);
        println!(
            "{what}: a game with an adapter was without answers for {:.1} s",
            game.silence.as_secs_f32()
        );
        anyhow::ensure!(game.twice == 0, "{} answers came twice", game.twice);
        anyhow::ensure!(
            game.silence <= longest,
            "a game was without answers for {:.1?}",
            game.silence
        );
        self.crowd.report(begin, end).judge(what, longest)
    }

    /// What is said from now on is heard.
    pub(crate) fn all_is_well(&self) -> Result<()> {
        let now = Instant::now();
        self.crowd.all_hear_since(now, SOON)?;
        self.pings.wait_for_answers(now, 30, SOON)
    }
}

/// How long a party may be without anything when its relay is gone.
pub(crate) fn whole_again() -> Result<Duration> {
    let is_release = binaries()?.ends_with("release");
    Ok(if is_release {
        WHOLE_AGAIN
    } else {
        WHOLE_AGAIN * 3 / 2
    })
}

pub(crate) fn parties() -> usize {
    let said = env::var(CROWD).ok().and_then(|crowd| crowd.parse().ok());
    said.unwrap_or(CROWD_IN_CI).max(2) / 2
}

/// The whole crowd has one address.
pub(crate) fn generous() -> Vec<String> {
    let limits = [
        "--max-rooms",
        "--max-rooms-per-address",
        "--max-peers",
        "--max-peers-per-address",
        "--max-joins",
        "--max-joins-per-address",
        "--max-handshakes",
        "--max-handshakes-per-address",
    ];
    let flags = limits.into_iter().flat_map(|limit| [limit, "2000"]);
    flags.map(str::to_owned).collect()
}

/// From now on the host's room with this code is for invited people.
pub(crate) fn make_keyed(party: &Several, room: &str) -> Result<()> {
    let relay = &party.relays[0];
    let mut command = program("lanparty-gateway")?;
    let address = relay.address.to_string();
    let words = [
        "invite", "--relay", &address, "--pin", &relay.pin, "--room", room,
    ];
    command.extend(words.map(str::to_owned));
    party.venue.gateway.run(command).map(drop)
}

/// A gateway that wants a room of its own, at the relay with this index.
pub(crate) fn opens_a_room(
    party: &Several,
    room: &str,
    keys: &str,
    relay: usize,
) -> Result<Process> {
    let relay = &party.relays[relay];
    let mut command = program("lanparty-gateway")?;
    let address = relay.address.to_string();
    let state = format!("{keys}.place.json");
    let words = [
        "--interface",
        "eth0",
        "--beside-another",
        "--state",
        &state,
        "--relay",
        &address,
        "--pin",
        &relay.pin,
        "--room",
        room,
    ];
    command.extend(words.map(str::to_owned));
    party.venue.gateway.spawn(keys, command)
}
