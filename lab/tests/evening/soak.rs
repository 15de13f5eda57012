//! Hours of churn: whoever stays must not grow.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::copy;
use lanparty_lab::{Party, Role, Usage, Venue, pass};
use rustix::process::Signal;

use crate::{Evening, GIVEN_UP, STEADY, TCP_WAKES};

/// Set by `cargo xtask lab --minutes`.
const MINUTES: &str = "LANPARTY_MINUTES";
const SHORT: Duration = Duration::from_secs(20);
const PLAYERS: usize = 3;
const BULK: u64 = 20_000_000;
const BETWEEN_ROUNDS: Duration = Duration::from_secs(3);
/// Buffers of bursts, which the allocator keeps.
const BUFFERS: u64 = 4 << 20;
/// What a round may leave on top. In the few rounds of the short form it tells a leak of a megabyte from none, in twenty
/// minutes one of 100 kB.
const ROUND_GROWTH: u64 = 60 << 10;
/// A socket of the moment, such as a name's resolution.
const DESCRIPTOR_GROWTH: usize = 2;

/// How long people come and go.
pub(crate) fn length() -> Duration {
    let minutes = env::var(MINUTES).ok();
    let minutes = minutes.map(|minutes| minutes.parse().expect("LANPARTY_MINUTES is a number"));
    minutes.map_or(SHORT, |minutes: u64| Duration::from_secs(minutes * 60))
}

pub(crate) fn nothing_grows((): &()) -> Result<()> {
    let length = length();
    let mut soak = Soak::begin()?;
    let mut samples = vec![soak.sample("start")?];
    let begin = Instant::now();
    // Who is restarted cannot show a leak: so the relay is in the first half, the gateway in the second.
    let halves = [(Role::Relay, "middle", 1), (Role::Gateway, "end", 2)];
    for (restarted, name, halves) in halves {
        let mut rounds = 0;
        while rounds == 0 || begin.elapsed() < length * halves / 2 {
            soak.round(rounds, restarted)
                .with_context(|| format!("round {rounds} before the {name}"))?;
            rounds += 1;
        }
        println!(
            "{rounds} rounds, in which the {} was restarted",
            title(restarted)
        );
        samples.push(Sample {
            rounds: rounds as u64,
            ..soak.sample(name)?
        });
    }
    judge(&samples)
}

struct Soak {
    evening: Evening,
}

/// What everybody used at one moment.
struct Sample {
    /// The process and what it used: relay, gateway, the player who stays.
    programs: [(u32, Usage); 3],
    /// Since the sample before.
    rounds: u64,
}

const WATCHED: [Role; 3] = [Role::Relay, Role::Gateway, Role::Player(0)];

impl Soak {
    fn begin() -> Result<Self> {
        let party = Party::builder().players(PLAYERS).relay_by_name().start()?;
        println!(
            "\n{:<8} {:>26} {:>26} {:>26}",
            "", "relay", "gateway", "client"
        );
        Ok(Self {
            evening: Evening::with(party)?,
        })
    }

    /// Somebody comes or goes, now and then a program is restarted, and files are copied in between.
    fn round(&mut self, round: usize, restarted: Role) -> Result<()> {
        let guest = Role::Player(1 + round % (PLAYERS - 1));
        let signal = [Signal::INT, Signal::KILL][round / 2 % 2];
        self.restart(guest, signal)?;
        if round.is_multiple_of(3) {
            let signal = [Signal::KILL, Signal::TERM][round / 3 % 2];
            self.restart(restarted, signal)?;
        }
        self.is_whole()?;
        self.copy()?;
        pass(BETWEEN_ROUNDS);
        Ok(())
    }

    fn restart(&mut self, role: Role, signal: Signal) -> Result<()> {
        let party = &mut self.evening.party;
        party.program(role).signal(signal)?;
        party.program(role).wait(GIVEN_UP)?;
        party.start_again(role)
    }

    fn is_whole(&self) -> Result<()> {
        let now = Instant::now();
        for pings in &self.evening.traffic.pings {
            pings.wait_for_answers(now, STEADY, GIVEN_UP)?;
        }
        self.evening.traffic.session.lives(TCP_WAKES)
    }

    fn copy(&self) -> Result<()> {
        let (player, lan) = (
            &self.evening.party.players[0],
            &self.evening.party.venue.lan1,
        );
        let address = player.address()?;
        copy(lan, &player.machine, address, BULK).context("from the LAN")?;
        copy(&player.machine, lan, Venue::LAN1, BULK).context("from the player")?;
        Ok(())
    }

    /// Measured after a copy, because the first one fills buffers that stay.
    fn sample(&self, name: &str) -> Result<Sample> {
        self.is_whole()?;
        self.copy()?;
        let party = &self.evening.party;
        let [relay, gateway, client] = WATCHED.map(|role| {
            let program = party.program(role);
            Ok::<_, anyhow::Error>((program.id(), program.usage()?))
        });
        let programs = [relay?, gateway?, client?];
        let shown = programs.map(|(_, usage)| {
            format!(
                "{:.1} MB {} fds {} threads",
                usage.memory_bytes as f64 / 1e6,
                usage.descriptors,
                usage.threads
            )
        });
        println!(
            "{name:<8} {:>26} {:>26} {:>26}",
            shown[0], shown[1], shown[2]
        );
        Ok(Sample {
            programs,
            rounds: 0,
        })
    }
}

/// Who is the same process in two samples must not have grown.
fn judge(samples: &[Sample]) -> Result<()> {
    for (role, index) in WATCHED.into_iter().zip(0..) {
        for pair in samples.windows(2) {
            let [(before_id, before), (after_id, after)] =
                [0, 1].map(|at| pair[at].programs[index]);
            if before_id != after_id {
                continue;
            }
            let who = title(role);
            let growth = BUFFERS + pair[1].rounds * ROUND_GROWTH;
            ensure!(
                after.memory_bytes <= before.memory_bytes + growth,
                "the {who}'s memory grew from {} to {} bytes in {} rounds",
                before.memory_bytes,
                after.memory_bytes,
                pair[1].rounds
            );
            ensure!(
                after.descriptors <= before.descriptors + DESCRIPTOR_GROWTH,
                "the {who}'s descriptors grew from {} to {}",
                before.descriptors,
                after.descriptors
            );
            ensure!(
                after.threads <= before.threads + 1,
                "the {who}'s threads grew from {} to {}",
                before.threads,
                after.threads
            );
        }
    }
    Ok(())
}

fn title(role: Role) -> &'static str {
    match role {
        Role::Relay => "relay",
        Role::Gateway => "gateway",
        Role::Player(_) => "client",
    }
}
