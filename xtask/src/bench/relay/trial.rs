//! One relay, one or more crowds of players without adapters, and what they used.

use std::collections::BTreeMap;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::{Lab, Machine, Process, program};

const ADDRESS: &str = "127.0.0.1:4433";
const CERTIFICATE: &str = "relay.der";
const SOON: Duration = Duration::from_secs(10);
/// A thousand handshakes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Crowds that begin further apart than their windows are long have nothing in common.
const LEAST_TOGETHER: Duration = Duration::from_millis(500);
/// All players come from one address; an operator who knows that lifts the limit for it. The first relays had no more of them.
const LIMITS: [&str; 4] = ["--max-peers", "10000", "--max-peers-per-address", "10000"];
pub(super) const MORE_LIMITS: &[&str] = &[
    "--max-rooms-per-address",
    "10000",
    "--max-joins-per-address",
    "10000",
];

/// The programs of one commit.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(super) relay: String,
    pub(super) crowd: String,
    /// More flags that this relay knows.
    pub(super) limits: &'static [&'static str],
    pub(super) has_threads: bool,
}

impl Programs {
    /// Those that are measured.
    pub(super) fn ours() -> Result<Self> {
        let path = |name| Ok::<_, anyhow::Error>(program(name)?.swap_remove(0));
        Ok(Self {
            relay: path("lanparty-relay")?,
            crowd: path("lanparty-crowd")?,
            limits: MORE_LIMITS,
            has_threads: true,
        })
    }
}

/// Which of the machine's cores the relay may use, and which each crowd, as taskset has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cores {
    pub(super) relay: String,
    pub(super) crowds: Vec<String>,
}

impl Cores {
    /// The relay on one, and one crowd on another one.
    pub(super) fn apart() -> Self {
        let second = usize::from(Self::of_this_machine() > 1);
        Self {
            relay: "0".to_owned(),
            crowds: vec![second.to_string()],
        }
    }

    /// The relay on the first two, a crowd on each of the others; where there are too few, all share all.
    pub(super) fn for_two(all: usize) -> Self {
        let list = |cores: Range<usize>| {
            let cores: Vec<_> = cores.map(|core| core.to_string()).collect();
            cores.join(",")
        };
        if all < 4 {
            return Self {
                relay: list(0..all),
                crowds: vec![list(0..all)],
            };
        }
        Self {
            relay: list(0..2),
            crowds: (2..all).map(|core| core.to_string()).collect(),
        }
    }

    pub(super) fn of_this_machine() -> usize {
        thread::available_parallelism().map_or(1, Into::into)
    }
}

/// What is tried.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) players: usize,
    pub(super) room_of: usize,
    pub(super) seconds: u64,
    pub(super) cores: Cores,
    /// None: as many as the relay itself thinks right.
    pub(super) threads: Option<usize>,
    /// They join and send nothing.
    pub(super) is_idle: bool,
}

/// What it took until all had joined.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) players: usize,
    pub(super) time: Duration,
    /// Processor time of the relay.
    pub(super) relay: Duration,
    /// Of those who joined.
    pub(super) crowd: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) players: usize,
    /// Frames a second.
    pub(super) sent: f64,
    pub(super) received: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// How late 99 of 100 frames were sent at most, if the crowd says that.
    pub(super) late: Option<Duration>,
    /// Of each of the relay's threads, in parts of one core, the busiest first.
    pub(super) threads: Vec<f64>,
    /// Of the busiest crowd, in parts of one core.
    pub(super) crowd: f64,
    /// Of the relay, in bytes.
    pub(super) memory_per_player: f64,
}

impl Point {
    /// Part of the frames that got lost, 0 to 1.
    pub(super) fn lost(&self) -> f64 {
        1.0 - self.received / self.sent
    }

    /// In parts of one core.
    pub(super) fn relay(&self) -> f64 {
        self.threads.iter().sum()
    }

    /// Processor seconds of the relay for each frame that it has forwarded.
    pub(super) fn per_frame(&self) -> f64 {
        self.relay() / self.received
    }

    /// Frames a second with which the busiest thread would be full.
    pub(super) fn capacity(&self) -> f64 {
        let busiest = self.threads.first().copied();
        self.received / busiest.unwrap_or(f64::NAN)
    }
}

impl Trial {
    /// With a relay and a crowd of one commit.
    pub(super) fn run(&self, programs: &Programs) -> Result<Point> {
        self.between(programs, programs, PATIENCE)
    }

    /// With a relay of one commit and a crowd of another one, which must have joined within `patience`.
    pub(super) fn between(
        &self,
        relay: &Programs,
        crowd: &Programs,
        patience: Duration,
    ) -> Result<Point> {
        let lab = Lab::new()?;
        let machine = lab.machine("crowd")?;
        let relay = self.start_relay(&machine, relay)?;
        let empty = relay.usage()?.memory_bytes;
        let crowds = self.start_crowds(&machine, crowd)?;
        for crowd in &crowds {
            crowd.wait_for_line("Playing", patience)?;
        }
        let begin = Moment::now(&relay, &crowds)?;
        let window = Duration::from_secs(self.seconds);
        crowds[0].wait_for_line("Played", window + SOON)?;
        let end = Moment::now(&relay, &crowds)?;
        let memory = relay.usage()?.memory_bytes.saturating_sub(empty);
        let summaries = crowds
            .iter()
            .map(|crowd| Summary::parse(&crowd.wait_for_line("sent ", window + SOON)?))
            .collect::<Result<Vec<_>>>()?;
        let time = end.at - begin.at;
        ensure!(time >= LEAST_TOGETHER, "the crowds did not play together");
        let longest = |value: fn(&Summary) -> Duration| summaries.iter().map(value).max();
        let sum = |value: fn(&Summary) -> f64| summaries.iter().map(value).sum::<f64>();
        Ok(Point {
            players: self.players,
            sent: sum(|summary| summary.sent) / window.as_secs_f64(),
            received: sum(|summary| summary.received) / window.as_secs_f64(),
            p50: longest(|summary| summary.p50).unwrap_or_default(),
            p99: longest(|summary| summary.p99).unwrap_or_default(),
            late: summaries.iter().filter_map(|summary| summary.late).max(),
            threads: end.relay_since(&begin, time),
            crowd: end.crowd_since(&begin, time),
            memory_per_player: memory as f64 / self.players as f64,
        })
    }

    /// Only until all have joined, at a relay that has flags more, for which the machine is prepared first.
    pub(super) fn arrive(
        &self,
        programs: &Programs,
        prepare: impl FnOnce(&Machine) -> Result<&'static [&'static str]>,
    ) -> Result<Arrival> {
        let lab = Lab::new()?;
        let machine = lab.machine("crowd")?;
        let flags = prepare(&machine)?;
        let relay = self.start_relay_with(&machine, programs, flags)?;
        let before: Duration = relay.cpu_by_thread()?.values().sum();
        let crowds = self.start_crowds(&machine, programs)?;
        let begin = Instant::now();
        for crowd in &crowds {
            crowd.wait_for_line("Joined", PATIENCE)?;
        }
        let time = begin.elapsed();
        let relay = relay.cpu_by_thread()?.values().sum::<Duration>();
        let mut all = Duration::ZERO;
        for crowd in &crowds {
            all += crowd.cpu_by_thread()?.values().sum();
        }
        Ok(Arrival {
            players: self.players,
            time,
            relay: relay - before,
            crowd: all,
        })
    }

    fn start_relay(&self, machine: &Machine, programs: &Programs) -> Result<Process> {
        self.start_relay_with(machine, programs, &[])
    }

    fn start_relay_with(
        &self,
        machine: &Machine,
        programs: &Programs,
        more: &[&str],
    ) -> Result<Process> {
        let mut command = on_cores(&self.cores.relay, &programs.relay);
        let flags = ["--listen", ADDRESS, "--dev-cert-der-out", CERTIFICATE];
        let flags = flags.iter().chain(more);
        let all = flags.chain(&LIMITS).chain(programs.limits);
        command.extend(all.map(|&flag| flag.into()));
        if let Some(threads) = self.threads
            && programs.has_threads
        {
            command.extend(["--threads".to_owned(), threads.to_string()]);
        }
        let relay = machine.spawn("relay", command)?;
        relay.wait_for_line("Relay listening on ", SOON)?;
        Ok(relay)
    }

    fn start_crowds(&self, machine: &Machine, programs: &Programs) -> Result<Vec<Process>> {
        let rooms = self.players.div_ceil(self.room_of);
        let (crowds, mut first_room) = (self.cores.crowds.len().min(rooms), 0);
        let start = |(index, cores): (usize, &String)| {
            let until = rooms * (index + 1) / crowds;
            let players = self.players.min(until * self.room_of) - first_room * self.room_of;
            let mut command = on_cores(cores, &programs.crowd);
            let mut flags = vec![
                ("--relay", ADDRESS.to_owned()),
                ("--relay-ca-cert", CERTIFICATE.to_owned()),
                ("--players", players.to_string()),
                ("--room-of", self.room_of.to_string()),
                ("--seconds", self.seconds.to_string()),
            ];
            // The first crowds did not know this flag.
            if first_room > 0 {
                flags.push(("--first-room", first_room.to_string()));
            }
            first_room = until;
            let flags = flags.into_iter();
            command.extend(flags.flat_map(|(flag, value)| [flag.to_owned(), value]));
            if self.is_idle {
                command.push("--idle".to_owned());
            }
            machine.spawn(&format!("crowd-{index}"), command)
        };
        let cores = self.cores.crowds.iter().take(crowds);
        cores.enumerate().map(start).collect()
    }
}

fn on_cores(cores: &str, program: &str) -> Vec<String> {
    ["taskset", "--cpu-list", cores, program]
        .map(Into::into)
        .into()
}

/// What everybody has used until then.
struct Moment {
    at: Instant,
    relay: BTreeMap<u32, Duration>,
    crowds: Vec<Duration>,
}

impl Moment {
    fn now(relay: &Process, crowds: &[Process]) -> Result<Self> {
        let all = |crowd: &Process| Ok(crowd.cpu_by_thread()?.values().sum());
        Ok(Self {
            relay: relay.cpu_by_thread()?,
            crowds: crowds.iter().map(all).collect::<Result<_>>()?,
            at: Instant::now(),
        })
    }

    fn relay_since(&self, begin: &Self, time: Duration) -> Vec<f64> {
        let since = |(thread, now): (&u32, &Duration)| {
            let before = begin.relay.get(thread).copied().unwrap_or_default();
            now.saturating_sub(before).div_duration_f64(time)
        };
        let mut threads: Vec<_> = self.relay.iter().map(since).collect();
        threads.sort_by(|one, other| other.total_cmp(one));
        threads
    }

    fn crowd_since(&self, begin: &Self, time: Duration) -> f64 {
        let both = self.crowds.iter().zip(&begin.crowds);
        let parts = both.map(|(now, before)| now.saturating_sub(*before).div_duration_f64(time));
        parts.fold(0.0, f64::max)
    }
}

/// What a crowd says at its end.
#[derive(Debug)]
struct Summary {
    sent: f64,
    received: f64,
    p50: Duration,
    p99: Duration,
    late: Option<Duration>,
}

impl Summary {
    fn parse(line: &str) -> Result<Self> {
        let find = |name: &str| -> Option<f64> {
            let mut words = line.split_whitespace().skip_while(|word| *word != name);
            words.nth(1)?.parse().ok()
        };
        let number = |name: &str| find(name).with_context(|| format!("no {name} in `{line}`"));
        let time = |us: f64| Duration::from_secs_f64(us / 1e6);
        Ok(Self {
            sent: number("sent")?,
            received: number("received")?,
            p50: time(number("p50")?),
            p99: time(number("p99")?),
            late: find("late").map(time),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_crowds_of_today_and_of_then_say() {
        let then = "sent 6000 received 5990 p50 312 us p99 1170 us";
        let summary = Summary::parse(then).unwrap();
        assert_eq!((summary.sent, summary.received), (6000.0, 5990.0));
        assert_eq!(summary.p99, Duration::from_micros(1170));
        assert_eq!(summary.late, None);
        let today = Summary::parse(&format!("{then} late 80 us")).unwrap();
        assert_eq!(today.late, Some(Duration::from_micros(80)));
        assert!(Summary::parse("sent 6000").is_err());
    }

    #[test]
    fn players_have_cores_of_their_own_where_there_are_enough() {
        let cores = |relay: &str, crowds: &[&str]| Cores {
            relay: relay.to_owned(),
            crowds: crowds.iter().map(|&cores| cores.to_owned()).collect(),
        };
        assert_eq!(Cores::for_two(1), cores("0", &["0"]));
        assert_eq!(Cores::for_two(2), cores("0,1", &["0,1"]));
        assert_eq!(Cores::for_two(5), cores("0,1", &["2", "3", "4"]));
    }
}
