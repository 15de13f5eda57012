//! A relay's lease: asked for, kept alive each second, and how long ago that worked.

use crate::directory::LeaseId;
use std::time::{Duration, Instant};

/// Everything of a relay is gone from the directory when it was silent for so long.
pub(crate) const TTL: Duration = Duration::from_secs(5);
/// So often it is kept alive.
const BEAT: Duration = Duration::from_secs(1);
/// Who was not kept alive for so long opens no room: two seconds before another relay could.
pub(crate) const FENCED_AFTER: Duration = Duration::from_secs(3);
/// After a failure it is asked for again.
const AGAIN: Duration = Duration::from_millis(500);
/// A relay is given out when its lease is so old.
pub(crate) const UP: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Lease {
    held: Option<Held>,
    /// When to ask next; `None` while an answer is awaited.
    next: Option<Instant>,
    /// When what is awaited was asked.
    asked: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    id: LeaseId,
    since: Instant,
    /// When the last answered sign of life was sent.
    alive: Instant,
}

/// What to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Grant,
    KeepAlive(LeaseId),
}

impl Lease {
    pub(crate) fn new(now: Instant) -> Self {
        Lease {
            held: None,
            next: Some(now),
            asked: now,
        }
    }

    /// The lease, however long ago it was kept alive.
    pub(crate) fn id(&self) -> Option<LeaseId> {
        self.held.map(|held| held.id)
    }

    /// The lease, while nobody else can have what is under it.
    pub(crate) fn live(&self, now: Instant) -> Option<LeaseId> {
        let held = self.held?;
        (now < held.alive + FENCED_AFTER).then_some(held.id)
    }

    /// Whether it has been there long enough.
    pub(crate) fn is_up(&self, now: Instant) -> bool {
        self.held.is_some_and(|held| now >= held.since + UP)
    }

    /// How long ago it was kept alive.
    pub(crate) fn age(&self, now: Instant) -> Option<Duration> {
        let held = self.held?;
        Some(now.saturating_duration_since(held.alive))
    }

    /// What is due, if anything.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Ask> {
        self.next.take_if(|next| *next <= now)?;
        self.asked = now;
        Some(self.held.map_or(Ask::Grant, |held| Ask::KeepAlive(held.id)))
    }

    pub(crate) fn granted(&mut self, now: Instant, id: LeaseId) {
        self.held = Some(Held {
            id,
            since: now,
            alive: self.asked,
        });
        self.next = Some((self.asked + BEAT).max(now));
    }

    pub(crate) fn kept(&mut self, now: Instant) {
        if let Some(held) = &mut self.held {
            held.alive = self.asked;
        }
        self.next = Some((self.asked + BEAT).max(now));
    }

    /// No answer.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.next = Some(now + AGAIN);
    }

    /// The directory has ended this lease.
    pub(crate) fn lost(&mut self, now: Instant, id: LeaseId) -> bool {
        let was = self.held.take_if(|held| held.id == id).is_some();
        if was {
            self.next = Some(now);
        }
        was
    }

    /// When to look again: to ask, to be fenced, to be up.
    pub(crate) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let held = self.held;
        let fence = held.map(|held| held.alive + FENCED_AFTER);
        let up = held.map(|held| held.since + UP);
        let later = [fence, up].into_iter().flatten().filter(|&at| at > now);
        self.next.into_iter().chain(later).min()
    }
}
