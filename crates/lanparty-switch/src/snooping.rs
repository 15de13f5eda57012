//! Which groups a machine wants to hear, by its own reports: IGMP and MLD snooping (RFC 4541).
//!
//! Without it every frame to a group goes to everybody, and one camera that nobody watches fills every player's
//! line. A group is heard by those who have reported it within [`LIFETIME`]; groups of one link's scope, broadcast
//! and what is no IP are heard by all, as RFC 4541 has it (§2.1.2).
//!
//! What a switch of wire gets wrong is taken care of where the machine is: a player's client remembers what its
//! machine has reported, says it again at each return and every [`RENEWAL`], and asks the machine as well
//! ([`Reporter`]). So nobody depends on a querier in the LAN, on a firewall that lets queries in, or on a relay that
//! remembers. A client that does not do so (an older one) hears everything, and so does everybody for a moment after
//! coming in and who wants more groups than fit.
//!
//! The LAN's own switches hear of it from the gateway, which speaks for all players as one machine ([`Proxy`]).

mod frames;
mod host;
mod members;
mod message;
mod proxy;
mod query;
mod reporter;
mod rounds;
#[cfg(test)]
mod tests;

pub use frames::questions;
pub use proxy::Proxy;
pub use reporter::Reporter;
pub use rounds::Rounds;

use lanparty_proto::ethernet::ether_type;
use lanparty_proto::{Content, EthernetFrame, PeerId};
use message::Change;
pub(crate) use message::Message;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How many groups one machine is remembered with.
pub const MAX_GROUPS: usize = 64;
/// How long a report holds: the Group Membership Interval (RFC 3376 §8.4, RFC 3810 §9.4), twice the period of queries
/// and the time to answer them.
pub const LIFETIME: Duration = Duration::from_secs(260);
/// How often a client says again what its machine wants: the Query Interval (RFC 3376 §8.2).
pub const RENEWAL: Duration = Duration::from_secs(125);
/// How long after coming in everything is heard: until the machine has been asked and has answered.
pub const SETTLING: Duration = Duration::from_secs(3);
/// A full memory is not searched for what has lapsed more often than this.
const PURGE_PAUSE: Duration = Duration::from_secs(1);

/// What each player of a room wants to hear.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<PeerId, Hearing>);

impl Groups {
    /// A player comes, who hears everything unless its client says what it wants.
    pub(crate) fn add(&mut self, peer: PeerId) {
        self.0.insert(peer, Hearing::everything());
    }

    /// Its client has said what it wants by then; until then it hears everything.
    pub(crate) fn trust(&mut self, peer: PeerId, then: Instant) {
        if let Some(hearing) = self.0.get_mut(&peer) {
            *hearing = Hearing::told(then);
        }
    }

    /// A player goes.
    pub(crate) fn remove(&mut self, peer: PeerId) {
        self.0.remove(&peer);
    }

    pub(crate) fn learn(&mut self, now: Instant, peer: PeerId, report: &Message<'_>) {
        if let Some(hearing) = self.0.get_mut(&peer) {
            hearing.learn(now, report);
        }
    }

    /// Whether this player wants a group.
    pub(crate) fn wants(&self, now: Instant, peer: PeerId, group: IpAddr) -> Wants {
        let hearing = self.0.get(&peer);
        hearing.map_or(Wants::No, |hearing| hearing.wants(now, group))
    }

    /// Whether anybody wants it for sure, and whether anybody may.
    pub(crate) fn audience(&self, now: Instant, group: IpAddr) -> (bool, bool) {
        let mut audience = (false, false);
        for hearing in self.0.values() {
            match hearing.wants(now, group) {
                Wants::No => {}
                Wants::Perhaps => audience.1 = true,
                Wants::Yes => audience.0 = true,
            }
        }
        audience
    }
}

/// What one machine wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hearing {
    everything: Everything,
    groups: Vec<Membership>,
    purged_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Everything {
    /// Nobody says again what it wants.
    Always,
    Until(Instant),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Membership {
    group: IpAddr,
    reported_at: Instant,
}

/// Whether a machine wants a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wants {
    No,
    /// Nobody knows.
    Perhaps,
    Yes,
}

impl Hearing {
    /// That of a machine whose client does not say its groups again.
    pub(crate) fn everything() -> Self {
        Hearing {
            everything: Everything::Always,
            groups: Vec::new(),
            purged_at: None,
        }
    }

    /// That of a machine whose client has done so by then.
    pub(crate) fn told(then: Instant) -> Self {
        Hearing {
            everything: Everything::Until(then),
            groups: Vec::new(),
            purged_at: None,
        }
    }

    pub(crate) fn wants(&self, now: Instant, group: IpAddr) -> Wants {
        let hears_all = match self.everything {
            Everything::Always => true,
            Everything::Until(then) => now < then,
        };
        let mut groups = self.groups.iter();
        match groups.any(|known| known.group == group && known.is_live(now)) {
            true => Wants::Yes,
            false if hears_all => Wants::Perhaps,
            false => Wants::No,
        }
    }

    /// The machine says which groups it wants, or not any more.
    pub(crate) fn learn(&mut self, now: Instant, report: &Message<'_>) {
        let mut changes = report.changes();
        for change in changes.by_ref().take(MAX_GROUPS + 1) {
            match change {
                Change::Joins(group) => self.join(now, group),
                Change::Leaves(group) => self.leave(group),
            }
        }
        if changes.next().is_some() {
            self.hear_everything_until(now + LIFETIME);
        }
    }

    fn leave(&mut self, group: IpAddr) {
        let at = self.groups.iter().position(|known| known.group == group);
        if let Some(at) = at {
            self.groups.swap_remove(at);
        }
    }

    fn join(&mut self, now: Instant, group: IpAddr) {
        if let Some(known) = self.groups.iter_mut().find(|known| known.group == group) {
            known.reported_at = now;
            return;
        }
        let may_purge = self.purged_at.is_none_or(|then| now >= then + PURGE_PAUSE);
        if self.groups.len() == MAX_GROUPS && may_purge {
            self.purged_at = Some(now);
            self.groups.retain(|known| known.is_live(now));
        }
        if self.groups.len() == MAX_GROUPS {
            self.hear_everything_until(now + LIFETIME);
            return;
        }
        let reported_at = now;
        self.groups.push(Membership { group, reported_at });
    }

    fn hear_everything_until(&mut self, then: Instant) {
        if let Everything::Until(before) = self.everything {
            self.everything = Everything::Until(before.max(then));
        }
    }
}

impl Membership {
    fn is_live(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.reported_at) < LIFETIME
    }
}

/// What a frame means for groups.
pub(crate) enum Meaning<'a> {
    /// It is for this group, which not everybody hears.
    For(IpAddr),
    /// It says which groups its sender wants: for routers only, so that no machine keeps quiet because another one
    /// has spoken (RFC 4541 §2.1.1).
    Report(Message<'a>),
    /// Everybody hears it.
    ForAll,
}

impl<'a> Meaning<'a> {
    /// Reads a frame to a group, that reports or not.
    pub(crate) fn of(frame: EthernetFrame<'a>, reports: bool) -> Self {
        let message = if reports { Message::read(frame) } else { None };
        match message.filter(Message::is_report) {
            Some(report) => Meaning::Report(report),
            None => destination(frame).map_or(Meaning::ForAll, Meaning::For),
        }
    }
}

/// The group to which a frame's packet goes, if that is one which machines must report.
fn destination(frame: EthernetFrame<'_>) -> Option<IpAddr> {
    if frame.destination().is_broadcast() {
        return None;
    }
    let group = match Content::of(frame) {
        Content::Typed(ether_type::IPV4, packet) => {
            Ipv4Addr::from(*packet.get(16..)?.first_chunk::<4>()?).into()
        }
        Content::Typed(ether_type::IPV6, packet) => {
            Ipv6Addr::from(*packet.get(24..)?.first_chunk::<16>()?).into()
        }
        Content::Typed(..) | Content::Snap(_) | Content::Llc(..) | Content::Empty => return None,
    };
    Some(group).filter(|group| is_reported(*group))
}

/// False for what is no group, and for groups of one machine's or one link's scope, which all hear: 224.0.0.0/24
/// (RFC 5771 §4), and the scopes 0 to 2 of IPv6 (RFC 4291 §2.7).
fn is_reported(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group.is_multicast() && group.octets()[..3] != [224, 0, 0],
        IpAddr::V6(group) => group.is_multicast() && group.octets()[1] & 0x0f > 2,
    }
}

/// False for what is no group, and for those that machines never report: that of all machines, which none leaves
/// (RFC 3376 §6, RFC 3810 §6), and those of no link.
fn is_worth_saying(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group.is_multicast() && group.octets() != [224, 0, 0, 1],
        IpAddr::V6(group) => {
            const ALL_MACHINES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            group.is_multicast() && group.octets()[1] & 0x0f > 1 && group != ALL_MACHINES
        }
    }
}
