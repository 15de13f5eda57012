//! A room of this relay's, as it stands between the directory and here.

use super::Refusal;
use super::agreement::Stamp;
use crate::card::{Address, Card};
use crate::directory::{LeaseId, Revision};
use crate::name::{Fence, RelayId};
use crate::placement::Distances;
use std::time::{Duration, Instant};

/// A room that nobody entered is let go after that time.
const NEVER_OPENED: Duration = Duration::from_secs(10);
/// A room that all have left.
const CLOSED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Room {
    pub(super) state: State,
    /// It has members.
    pub(super) open: bool,
    /// Since when.
    pub(super) opened: Instant,
    /// When it is let go, unless it is open.
    pub(super) idle_at: Instant,
    /// As its gateway has measured.
    pub(super) near: Distances,
    /// Its gateway has had its say in where it is.
    pub(super) placed: bool,
    pub(super) moving: Option<Moving>,
}

#[derive(Debug)]
pub(super) enum State {
    Claiming(Claiming),
    Held(Held),
    Leaving(Gone),
    Failed { until: Instant, why: Refusal },
}

#[derive(Debug)]
pub(super) struct Claiming {
    pub(super) since: Instant,
    /// As the room's key must be.
    pub(super) expect: Stamp,
    /// It was offered by its owner.
    pub(super) offered: bool,
    pub(super) asked: bool,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) revision: Revision,
    pub(super) fence: Fence,
    pub(super) terms: Terms,
    /// Being put back, where the key must be so.
    pub(super) back: Option<Stamp>,
    pub(super) asked: bool,
}

impl Held {
    /// As the room's key was written.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            revision: self.revision,
            base: Some(self.terms.base),
        }
    }
}

/// Under what a room's key was written. All of it is the directory's of that time: a lease is granted by one directory,
/// and a base of fences stands in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) lease: LeaseId,
    pub(super) base: u64,
}

/// A room that is offered.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) to: RelayId,
    pub(super) until: Instant,
    /// Who did not take it.
    pub(super) declined: Vec<RelayId>,
    /// Where its host wants it, and nowhere else.
    pub(super) wished: Option<Address>,
}

/// A room that is elsewhere.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) to: Card,
    pub(super) fence: Fence,
    pub(super) clients_at: Option<Instant>,
    pub(super) evict_at: Instant,
}

impl Room {
    pub(super) fn claiming(now: Instant, expect: Stamp, offered: bool) -> Self {
        Room {
            state: State::Claiming(Claiming {
                since: now,
                expect,
                offered,
                asked: false,
            }),
            open: false,
            opened: now,
            idle_at: now + NEVER_OPENED,
            near: Distances::new(),
            placed: false,
            moving: None,
        }
    }

    /// What to write, if something is to be.
    pub(super) fn wants(&self) -> Option<(Stamp, bool)> {
        match &self.state {
            State::Claiming(claiming) if !claiming.asked => {
                Some((claiming.expect, claiming.offered))
            }
            State::Held(held) if !held.asked => held.back.map(|expect| (expect, false)),
            _ => None,
        }
    }

    pub(super) fn set_asked(&mut self, is: bool) {
        match &mut self.state {
            State::Claiming(claiming) => claiming.asked = is,
            State::Held(held) => held.asked = is,
            State::Leaving(_) | State::Failed { .. } => {}
        }
    }

    pub(super) fn expect(&mut self, stamp: Stamp) {
        match &mut self.state {
            State::Claiming(claiming) => claiming.expect = stamp,
            State::Held(held) => held.back = Some(stamp),
            State::Leaving(_) | State::Failed { .. } => {}
        }
    }

    /// All have left; it is let go at the moment that this says.
    pub(super) fn close(&mut self, now: Instant) -> Instant {
        self.open = false;
        self.idle_at = now + CLOSED;
        self.idle_at
    }
}
