//! A client's memory of what its machine wants to hear.

use super::frames::{ASKER, Group, questions, reports};
use super::message::{Change, Message};
use super::rounds::{ROUNDS, Rounds};
use super::{LIFETIME, MAX_GROUPS, is_reported};
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How long a machine may take to answer; it is asked to within a second.
const ANSWER: Duration = Duration::from_secs(5);
/// One more than a room remembers, so that it knows that there are too many; as many again of those which a room gives
/// to everybody, but a LAN's switch perhaps not.
const CAPACITY: usize = MAX_GROUPS + 1;

/// Remembers which groups a machine has reported, and says them again in its name.
///
/// A machine says by itself only what is new. Whether it answers questions is seen: if it does, what it has not said for
/// [`LIFETIME`] is forgotten; if it does not (firewalls often keep IGMP out), it wants what it has not left.
#[derive(Debug)]
pub struct Reporter {
    mac: MacAddr,
    /// Groups that its client wants to hear, whatever the machine wants.
    always: &'static [Ipv4Addr],
    known: Vec<Known>,
    v4: Habits<Ipv4Addr>,
    v6: Habits<Ipv6Addr>,
    asked_at: Option<Instant>,
    rounds: Rounds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    group: IpAddr,
    since: Instant,
    reported_at: Instant,
}

/// What is seen of a machine in one of the two protocols.
#[derive(Debug)]
struct Habits<A> {
    source: A,
    answers: bool,
}

/// What is to be said now.
#[derive(Debug, PartialEq, Eq)]
pub struct Round {
    /// To the machine.
    pub questions: [Vec<u8>; 2],
    /// To the room, in the machine's name.
    pub reports: Vec<Vec<u8>>,
}

impl Reporter {
    /// That of the machine with this MAC, which has not said anything yet.
    pub fn new(mac: MacAddr) -> Self {
        Reporter {
            mac,
            always: &[],
            known: Vec::new(),
            v4: Habits {
                source: Ipv4Addr::UNSPECIFIED,
                answers: false,
            },
            v6: Habits {
                source: Ipv6Addr::UNSPECIFIED,
                answers: false,
            },
            asked_at: None,
            rounds: Rounds::default(),
        }
    }

    /// The same, for a client that listens to these groups itself: they are said with the machine's.
    pub fn always(mut self, groups: &'static [Ipv4Addr]) -> Self {
        self.always = groups;
        self
    }

    /// The machine is in a room, which knows nothing of it yet.
    pub fn come_in(&mut self, now: Instant) {
        self.rounds.begin(now);
    }

    /// True while it is in a room that wants to be told.
    pub fn is_in(&self) -> bool {
        self.rounds.are_on()
    }

    /// It is in no room any more.
    pub fn go(&mut self) {
        self.rounds.end();
    }

    /// Hears a frame of the machine, whether it goes anywhere or not.
    pub fn overhear(&mut self, now: Instant, frame: &[u8]) {
        let Ok(frame) = EthernetFrame::parse(frame) else {
            return;
        };
        if !frame.destination().is_group() || frame.source() != self.mac {
            return;
        }
        let Some(report) = Message::read(frame).filter(Message::is_report) else {
            return;
        };
        match report.source {
            IpAddr::V4(source) => self.v4.source = source,
            IpAddr::V6(source) => self.v6.source = source,
        }
        for change in report.all_changes() {
            match change {
                Change::Joins(group) => self.join(now, group),
                Change::Leaves(group) => self.leave(now, group),
            }
        }
    }

    /// When [`Self::poll`] has something to say.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.rounds.poll_timeout()
    }

    /// What is to be said, if it is time.
    pub fn poll(&mut self, now: Instant) -> Option<Round> {
        self.rounds.poll(now)?;
        self.forget(now);
        self.asked_at = Some(now);
        Some(Round {
            questions: questions(ASKER),
            reports: self.reports(),
        })
    }

    fn join(&mut self, now: Instant, group: IpAddr) {
        let answers = self
            .asked_at
            .filter(|&asked| now.saturating_duration_since(asked) < ANSWER);
        let Some(known) = self.known.iter_mut().find(|known| known.group == group) else {
            if self.has_room_for(group) {
                self.known.push(Known {
                    group,
                    since: now,
                    reported_at: now,
                });
                self.rounds.hurry(now);
            }
            return;
        };
        known.reported_at = now;
        // What is new is said several times without being asked.
        let is_answer = answers.is_some_and(|asked| known.since + ROUNDS[2] + ANSWER <= asked);
        if is_answer {
            match group {
                IpAddr::V4(_) => self.v4.answers = true,
                IpAddr::V6(_) => self.v6.answers = true,
            }
        }
    }

    /// What the machine has left and its client has not is said again at once: the room has heard the machine.
    fn leave(&mut self, now: Instant, group: IpAddr) {
        self.known.retain(|known| known.group != group);
        if self.always.iter().any(|&always| always == group) {
            self.rounds.hurry(now);
        }
    }

    fn has_room_for(&self, group: IpAddr) -> bool {
        let kind = is_reported(group);
        let alike = self
            .known
            .iter()
            .filter(|known| is_reported(known.group) == kind);
        alike.count() < CAPACITY
    }

    /// Forgets what a machine that answers has not said again.
    fn forget(&mut self, now: Instant) {
        let (v4, v6) = (self.v4.answers, self.v6.answers);
        self.known.retain(|known| {
            let answers = if known.group.is_ipv4() { v4 } else { v6 };
            !answers || now.saturating_duration_since(known.reported_at) < LIFETIME
        });
    }

    fn reports(&self) -> Vec<Vec<u8>> {
        let said = |group| (Group::Wanted, group);
        let always = self.always.iter().map(|&group| IpAddr::from(group));
        let known = self.known.iter().map(|known| known.group);
        let known = known.filter(|&group| !self.always.iter().any(|&always| always == group));
        let (v4, v6): (Vec<_>, Vec<_>) = always.chain(known).partition(IpAddr::is_ipv4);
        let v4 = reports(self.mac, self.v4.source.into(), v4.into_iter().map(said));
        let v6 = reports(self.mac, self.v6.source.into(), v6.into_iter().map(said));
        v4.into_iter().chain(v6).collect()
    }
}
