//! Nothing ends the party: a whole evening of faults, bad wires, a crowd that comes back at once, and hours of churn.
//!
//! `cargo xtask lab --scenario evening` runs everything; without it, as in CI, only the most telling faults are run.

#![allow(
    clippy::disallowed_methods,
    reason = "shell: these tests measure by the clock"
)]

mod bad_wire;
mod certificate;
mod crowd;
mod faults;
mod soak;
mod table;

use std::env;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{EchoSession, Pings};
use lanparty_lab::{Needs, Party, Player, Suite, Venue, World, checks, eventually, pass, run};

use faults::Fault;
use table::{Row, Table};

/// Set by `cargo xtask lab --scenario`: take the time that it takes.
const WHOLE: &str = "LANPARTY_WHOLE";
/// How long a test may take: the whole evening is a few dozen faults, of which each has its own patience.
const LONGEST: Duration = Duration::from_secs(3600);
/// And the short one a few.
const LONGEST_SHORT: Duration = Duration::from_secs(900);
/// What a game sends.
const PINGS_PER_SECOND: u32 = 60;
/// When nothing has come back by then, nothing will.
const GIVEN_UP: Duration = Duration::from_secs(40);
/// TCP waits twice as long before every new attempt, so after an outage it sleeps for up to as long again.
const TCP_WAKES: Duration = Duration::from_secs(60);
/// Half a second of answers is a path that works.
const STEADY: usize = 30;
/// What goes wrong late, goes wrong by then.
const SETTLED: Duration = Duration::from_secs(3);
/// What was sent less than this ago may be on its way.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// An answer older than this is a frame that somebody kept.
const STALE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let needs = Needs::programs(&["dnsmasq", "nft"]);
    // Each has a party of its own.
    let evening = checks![
        nothing_ends_the_party,
        bad_wire::a_party_over_a_bad_path,
        bad_wire::a_party_over_a_path_that_keeps_the_order,
        crowd::fifty_players_come_back_at_once,
    ];
    let soak = checks![soak::nothing_grows];
    let longest = if is_whole() { LONGEST } else { LONGEST_SHORT };
    let suites = [
        Suite::within(longest, "evening", || Ok(()), evening),
        Suite::within(longest + soak::length(), "soak", || Ok(()), soak),
    ];
    run(&needs, suites)
}

fn is_whole() -> bool {
    env::var_os(WHOLE).is_some()
}

fn nothing_ends_the_party((): &()) -> Result<()> {
    let mut table = Table::begin();
    let mut evening = Evening::begin()?;
    for fault in faults::faults().iter().filter(|fault| {
        env::var("ONLY").map_or(is_whole() || fault.telling, |o| fault.name.contains(&o))
    }) {
        let outcome = evening.suffer(fault);
        table.add(fault, &outcome);
        if outcome.is_err() {
            println!("{}", evening.party.report());
            evening = Evening::begin()?;
        }
    }
    table.end()
}

/// A party with traffic that goes on.
struct Evening {
    traffic: Traffic,
    party: Party,
}

/// What a player holds to the LAN, and the LAN to the player.
struct Traffic {
    session: EchoSession,
    pings: [Pings; 2],
    address: IpAddr,
}

impl Evening {
    fn begin() -> Result<Self> {
        let builder = Party::builder().players(1).relay_by_name();
        Self::with(certificate::of_an_operator(builder)?.start()?)
    }

    fn with(party: Party) -> Result<Self> {
        let traffic = Traffic::begin(&party)?;
        Ok(Self { traffic, party })
    }

    fn suffer(&mut self, fault: &Fault) -> Result<Row> {
        self.hosts_keep_nothing()?;
        let begin = Instant::now();
        let back = (fault.happens)(&mut self.party)?;
        for pings in &self.traffic.pings {
            pings.wait_for_answers(back, STEADY, GIVEN_UP)?;
        }
        pass(SETTLED);
        let end = Instant::now();
        let reports = self.traffic.pings.each_ref();
        let calm = reports.map(|pings| pings.report(end - SETTLED, end - LAST_ANSWERS));
        let reports = reports.map(|pings| pings.report(begin, end));
        let tcp = self.traffic.session.lives(TCP_WAKES);
        self.same_player()?;
        if tcp.is_err() {
            self.traffic = Traffic::begin(&self.party)?;
        }
        if let Some(proof) = fault.proof {
            proof(&self.party)?;
        }
        Ok(Row::new(back, &reports, &calm, tcp))
    }

    /// A host keeps packets for up to three seconds while it asks for their next hop's MAC (arp(7), `unres_qlen_bytes`).
    /// Here it keeps only the newest, so that an old packet is one that we kept.
    fn hosts_keep_nothing(&self) -> Result<()> {
        let Venue { lan1, lan2, .. } = &self.party.venue;
        let player = &self.party.players[0].machine;
        for (host, interface) in [(player, Player::TAP), (lan1, "eth0"), (lan2, "eth0")] {
            let kept = format!("net/ipv4/neigh/{interface}/unres_qlen_bytes");
            host.sysctl(&kept, "0")?;
        }
        Ok(())
    }

    /// MAC and LAN address are what they were; a killed client's come back with it.
    fn same_player(&self) -> Result<()> {
        let player = &self.party.players[0];
        let address = eventually("the player gets an address", GIVEN_UP, || {
            player.machine.ipv4(Player::TAP)
        })?;
        ensure!(
            address == self.traffic.address,
            "the player's address changed to {address}"
        );
        let mac = player.machine.mac(Player::TAP)?;
        ensure!(mac == player.mac(), "the player's MAC changed to {mac:x?}");
        Ok(())
    }
}

impl Traffic {
    fn begin(party: &Party) -> Result<Self> {
        let (venue, player) = (&party.venue, &party.players[0]);
        let address = player.address()?;
        let way = (&player.machine, &venue.lan1, Venue::LAN1);
        let session = EchoSession::open(way.0, way.1, way.2)?;
        let pings = [(&player.machine, Venue::LAN1), (&venue.lan2, address)]
            .map(|(from, to)| Pings::start(from, to, PINGS_PER_SECOND, 56));
        let [from_player, from_lan] = pings;
        let pings = [from_player?, from_lan?];
        for pings in &pings {
            pings
                .wait_for_answers(Instant::now(), STEADY, GIVEN_UP)
                .context("before the fault")?;
        }
        Ok(Self {
            session,
            pings,
            address,
        })
    }
}
