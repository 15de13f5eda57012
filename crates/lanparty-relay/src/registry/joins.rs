//! How often somebody may come in: each coming and going is told to a whole room.
//!
//! Only who comes in spends anything. A member that flaps has an allowance of its own, so it costs nobody else's. A
//! source's allowance is for those who take no place back, and large enough for a party behind one address that
//! comes back after a lost relay. A host comes in as often as it likes: it is the only one in its place.

use super::guesses::Spent;
use crate::room::Rate;
use lanparty_ctrl::message::Entry;
use lanparty_ctrl::{Fingerprint, RejectReason};
use lanparty_proto::VirtualMac;
use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

/// How many may come in, a minute and at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinLimits {
    /// Of one identity, or of one MAC from one source where there is none.
    pub per_identity: u32,
    /// Of one source: an IPv4 address, or an IPv6 /64.
    pub per_address: u32,
}

impl Default for JoinLimits {
    /// A link that breaks every two seconds; and fifty players behind one address who come back five times a minute.
    fn default() -> Self {
        JoinLimits {
            per_identity: 30,
            per_address: 250,
        }
    }
}

impl fmt::Display for JoinLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JoinLimits {
            per_identity,
            per_address,
        } = self;
        write!(f, "{per_identity} a minute, {per_address} per address")
    }
}

/// Who has come in of late.
#[derive(Debug)]
pub(crate) struct Joins {
    by_person: Spent<Comer>,
    by_source: Spent<IpAddr>,
    /// Those who only looked, so that they take nothing from who wants to come in.
    looks: Spent<IpAddr>,
    /// Those who asked for their party and may enter.
    finds: Spent<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Comer {
    Identity(Fingerprint),
    /// Nobody can use up somebody else's from elsewhere.
    Seat(IpAddr, Option<VirtualMac>),
}

impl Joins {
    pub(crate) fn new(limits: JoinLimits) -> Self {
        Joins {
            by_person: Spent::new(a_minute(limits.per_identity), SECONDS),
            by_source: Spent::new(a_minute(limits.per_address), SECONDS),
            looks: Spent::new(a_minute(limits.per_address), SECONDS),
            finds: Spent::new(finds(limits), SECONDS),
        }
    }

    /// Grants so much to whoever comes for the first time from now on.
    pub(crate) fn set_limits(&mut self, limits: JoinLimits) {
        self.by_person.set_rate(a_minute(limits.per_identity));
        self.by_source.set_rate(a_minute(limits.per_address));
        self.looks.set_rate(a_minute(limits.per_address));
        self.finds.set_rate(finds(limits));
    }

    /// May it come in once more?
    pub(crate) fn check(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
        is_new: bool,
    ) -> Result<(), RejectReason> {
        let source_holds = !is_new || self.by_source.holds(now, &source);
        match source_holds && self.by_person.holds(now, &comer(entry, source)) {
            true => Ok(()),
            false => Err(RejectReason::RateLimited),
        }
    }

    /// It has come in.
    pub(crate) fn note(&mut self, now: Instant, entry: &Entry, source: IpAddr, is_new: bool) {
        self.by_person.take(now, comer(entry, source));
        if is_new {
            self.by_source.take(now, source);
        }
    }

    /// May somebody from there have a look?
    pub(crate) fn may_look(&mut self, now: Instant, source: IpAddr) -> bool {
        self.looks.take(now, source)
    }

    /// May somebody from there ask for its party once more?
    pub(crate) fn may_find(&mut self, now: Instant, source: IpAddr) -> bool {
        self.finds.take(now, source)
    }

    /// Forgets who has been quiet for long enough.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.by_person.forget(now);
        self.by_source.forget(now);
        self.looks.forget(now);
        self.finds.forget(now);
    }
}

fn comer(entry: &Entry, source: IpAddr) -> Comer {
    match entry.identity {
        Some(identity) => Comer::Identity(identity),
        None => Comer::Seat(source, entry.who.mac()),
    }
}

/// A find tells nobody anything but who asks, so ten are as one join: fifty players behind one address who ask each 1.5 s
/// while their gateway is away are 2000 a minute.
fn finds(limits: JoinLimits) -> Rate {
    a_minute(limits.per_address.saturating_mul(10))
}

/// In a minute; a join costs so many tokens, of which `joins` come each second.
const SECONDS: usize = 60;

fn a_minute(joins: u32) -> Rate {
    Rate {
        burst: joins.saturating_mul(60),
        per_second: joins,
    }
}
