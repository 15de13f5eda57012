//! Having an address on a LAN: looking first whether somebody has it, saying so, and defending it (RFC 5227).

use crate::random::Random;
use crate::wire::{self, Claim};
use lanparty_proto::MacAddr;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// RFC 5227 §1.1.
const ANNOUNCEMENTS: u8 = 2;
const ANNOUNCE_PAUSE: Duration = Duration::from_secs(2);
/// Whoever claims it twice within this time gets it.
const DEFENCE: Duration = Duration::from_secs(10);
const PROBES: u8 = 3;

/// How long it is looked whether an address is free.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// A random part of this comes first.
    before: Duration,
    between: Duration,
    /// Up to this is added to each pause.
    jitter: Duration,
    after: Duration,
}

impl Pace {
    /// For an address that a server lends: the server has looked too, most often, and a person waits. The second that
    /// this takes holds three questions with their answers from a LAN three hundred milliseconds away; whoever answers later
    /// is heard as well, since the address is watched for as long as it is had.
    pub(crate) const LENT: Pace = Pace {
        before: Duration::ZERO,
        between: Duration::from_millis(300),
        jitter: Duration::ZERO,
        after: Duration::from_millis(400),
    };
    /// For one that was made up, of which nobody knows anything: RFC 3927 §2.2.1 and §9.
    pub(crate) const MADE_UP: Pace = Pace {
        before: Duration::from_secs(1),
        between: Duration::from_secs(1),
        jitter: Duration::from_secs(1),
        after: Duration::from_secs(2),
    };
}

/// Looks whether an address is free.
#[derive(Debug, Clone)]
pub(crate) struct Probing {
    pub(crate) address: Ipv4Addr,
    pace: Pace,
    left: u8,
    pub(crate) next: Instant,
}

/// What is to be done when the time has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Say(Vec<u8>),
    Free,
}

impl Probing {
    pub(crate) fn new(now: Instant, address: Ipv4Addr, pace: Pace, random: &mut Random) -> Self {
        Probing {
            address,
            pace,
            left: PROBES,
            next: now + random.up_to(pace.before),
        }
    }

    pub(crate) fn step(&mut self, now: Instant, mac: MacAddr, random: &mut Random) -> Step {
        if self.left == 0 {
            return Step::Free;
        }
        self.left -= 1;
        let pause = match self.left {
            0 => self.pace.after,
            _ => self.pace.between + random.up_to(self.pace.jitter),
        };
        self.next = now + pause;
        Step::Say(wire::probe(mac, self.address))
    }

    /// Whether somebody else has the address, or is about to take it.
    pub(crate) fn is_lost(&self, mac: MacAddr, claim: &Claim) -> bool {
        claim.is_of_other(mac, self.address) || claim.is_probe_of_other(mac, self.address)
    }
}

/// Says that an address is this machine's, and defends it.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    address: Ipv4Addr,
    left: u8,
    next: Option<Instant>,
    defended: Option<Instant>,
}

/// What somebody else's claim of the address leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Dispute {
    None,
    Defend(Vec<u8>),
    GiveUp,
}

impl Watch {
    pub(crate) fn new(now: Instant, address: Ipv4Addr) -> Self {
        Watch {
            address,
            left: ANNOUNCEMENTS,
            next: Some(now),
            defended: None,
        }
    }

    /// Says it anew: on another link the switches have to learn where the address is.
    pub(crate) fn announce_again(&mut self, now: Instant) {
        self.left = ANNOUNCEMENTS;
        self.next = Some(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, mac: MacAddr) -> Option<Vec<u8>> {
        self.next.filter(|&next| next <= now)?;
        self.left = self.left.saturating_sub(1);
        self.next = (self.left > 0).then(|| now + ANNOUNCE_PAUSE);
        Some(wire::announcement(mac, self.address))
    }

    /// Defends it once in a while (RFC 5227 §2.4 b, RFC 3927 §2.5 b).
    pub(crate) fn hear(&mut self, now: Instant, mac: MacAddr, claim: &Claim) -> Dispute {
        if !claim.is_of_other(mac, self.address) {
            return Dispute::None;
        }
        let is_recent = |at| now.saturating_duration_since(at) < DEFENCE;
        if self.defended.is_some_and(is_recent) {
            return Dispute::GiveUp;
        }
        self.defended = Some(now);
        Dispute::Defend(wire::announcement(mac, self.address))
    }
}
