//! What a peer is told about its frames that do not cross: at once for the first time, then seldom, and with a count.

use super::{Member, Room};
use lanparty_ctrl::message::Newcomer;
use lanparty_ctrl::{Name, Notice, NoticeKind};
use lanparty_obs::DropReason;
use lanparty_proto::{PeerId, VirtualMac};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long one kind is not told again.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// How many frames a bucket may swallow without a word: who runs into its edge is not held up by it.
const UNNOTICED: u64 = 8;

/// Of how many players a host hears in one turn: its queue of messages has room for them.
const PLAYERS_TOLD_AT_ONCE: usize = 16;

impl<L: Clone> Room<L> {
    /// Somebody has the MAC of a machine on the LAN, and is not in for that.
    pub(crate) fn note_mac_on_lan(&mut self, now: Instant, mac: VirtualMac, name: Option<Name>) {
        self.lookalikes.note(now, mac, name);
    }

    /// A frame has died: a member is to hear of it. That is its sender, or whom a lease was for.
    pub(super) fn note(&mut self, now: Instant, from: PeerId, reason: DropReason) {
        let (whose, address) = match self.switch.take_withheld() {
            Some((mac, address)) => {
                let mut members = self.members.iter();
                let meant = members
                    .find(|(_, one)| one.record.who.mac().is_some_and(|own| own.addr() == mac));
                (meant.map(|(&peer, _)| peer), Some(address))
            }
            None => (Some(from), self.switch.take_refused()),
        };
        if let Some(member) = whose.and_then(|peer| self.members.get_mut(&peer)) {
            member.notices.note(now, reason, address);
        }
    }

    /// Who hears that the relay is about to end.
    pub fn who_hears_of_drains(&self) -> impl Iterator<Item = &L> {
        let members = self.members.values().filter(|member| member.takes_drains);
        members.map(|member| &member.link)
    }

    /// What is to be told about frames that do not cross: to whose they are, and to the host. The host hears of
    /// a few players at a time, and of the others soon after.
    pub fn poll_notices(&mut self, now: Instant) -> Vec<(L, Notice)> {
        let host = self.gateway().and_then(|host| self.members.get(&host));
        let host = host.filter(|host| host.takes_notices);
        let host = host.map(|host| host.link.clone());
        let due = |member: &Member<L>| member.notices.poll_timeout().is_some_and(|at| at <= now);
        let players = self.members.iter_mut();
        let players =
            players.filter(|(_, member)| member.record.who != Newcomer::Gateway && due(member));
        let mut told = Vec::new();
        for notice in self.lookalikes.take() {
            told.extend(host.clone().map(|host| (host, notice)));
        }
        for (&peer, member) in players.take(PLAYERS_TOLD_AT_ONCE) {
            for notice in member.notices.take(now) {
                let host = host.clone().filter(|_| !is_the_hosts_will(notice.kind));
                let to_host = host.map(|host| (host, notice.clone().about(peer)));
                let own = member.takes_notices.then(|| member.link.clone());
                told.extend(own.map(|own| (own, notice)));
                told.extend(to_host);
            }
        }
        told
    }
}

/// For how long a host needs not hear again who has the MAC of a machine on its LAN: as long as the LAN's MACs are
/// remembered.
const REMEMBERED: Duration = Duration::from_secs(400);
/// How many of them are remembered; anybody may come with any MAC.
const MAX_LOOKALIKES: usize = 16;

/// Who has come with the MAC of a machine on the LAN.
#[derive(Debug, Default)]
pub(super) struct Lookalikes {
    known: VecDeque<(Instant, VirtualMac)>,
    untold: Vec<Notice>,
}

impl Lookalikes {
    fn note(&mut self, now: Instant, mac: VirtualMac, name: Option<Name>) {
        self.known
            .retain(|&(then, _)| now.saturating_duration_since(then) < REMEMBERED);
        let is_known = self.known.iter().any(|&(_, known)| known == mac);
        if is_known || self.known.len() == MAX_LOOKALIKES {
            return;
        }
        self.known.push_back((now, mac));
        self.untold.push(Notice {
            mac: Some(mac),
            name,
            ..Notice::new(NoticeKind::MacOnLan, 0)
        });
    }

    fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.untold)
    }
}

/// What the host has ordered is no news to it.
fn is_the_hosts_will(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::Muted | NoticeKind::Isolated)
}

/// The kinds of drops that a peer is told of, each with what is not told yet.
#[derive(Debug, Default)]
pub(super) struct Notices(BTreeMap<NoticeKind, Untold>);

#[derive(Debug)]
struct Untold {
    frames: u64,
    address: Option<IpAddr>,
    /// Not before this.
    at: Instant,
}

impl Notices {
    /// A frame has died of this; `address` is what it was about, where it was about one.
    pub(super) fn note(&mut self, now: Instant, reason: DropReason, address: Option<IpAddr>) {
        let Some(kind) = kind_of(reason) else { return };
        let untold = self.0.entry(kind).or_insert(Untold {
            frames: 0,
            address: None,
            at: now,
        });
        untold.frames += 1;
        untold.address = address.or(untold.address);
    }

    /// What is to be told now, and with this is.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Notice> {
        let due = self.0.iter_mut();
        let due = due.filter(|(kind, untold)| untold.at <= now && untold.frames >= least(**kind));
        due.map(|(&kind, untold)| {
            untold.at = now + PAUSE;
            Notice {
                address: untold.address.take(),
                ..Notice::new(kind, std::mem::take(&mut untold.frames))
            }
        })
        .collect()
    }

    /// When [`Self::take`] has something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let told = self.0.iter();
        let told = told.filter(|(kind, untold)| untold.frames >= least(**kind));
        told.map(|(_, untold)| untold.at).min()
    }
}

fn least(kind: NoticeKind) -> u64 {
    match kind {
        NoticeKind::AddressTaken
        | NoticeKind::LeaseWithheld
        | NoticeKind::Muted
        | NoticeKind::Isolated
        | NoticeKind::MacOnLan
        | NoticeKind::Draining
        | NoticeKind::Staying
        | NoticeKind::Other => 1,
        NoticeKind::GroupRate
        | NoticeKind::ControlRate
        | NoticeKind::UnknownRate
        | NoticeKind::FrameRate
        | NoticeKind::ByteRate => UNNOTICED,
    }
}

/// What somebody can do something about; the rest is in the counters.
fn kind_of(reason: DropReason) -> Option<NoticeKind> {
    match reason {
        DropReason::ClaimedAddress => Some(NoticeKind::AddressTaken),
        DropReason::LeaseConflict => Some(NoticeKind::LeaseWithheld),
        DropReason::Muted => Some(NoticeKind::Muted),
        DropReason::Isolated => Some(NoticeKind::Isolated),
        DropReason::BroadcastRate => Some(NoticeKind::GroupRate),
        DropReason::ControlRate => Some(NoticeKind::ControlRate),
        DropReason::UnknownUnicastRate => Some(NoticeKind::UnknownRate),
        DropReason::FrameRate => Some(NoticeKind::FrameRate),
        DropReason::ByteRate => Some(NoticeKind::ByteRate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_at_once_and_then_seldom_with_a_count() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        let [first, second] = [10, 11].map(|last| IpAddr::from([192, 168, 50, last]));
        let claim = |notices: &mut Notices, now, address| {
            notices.note(now, DropReason::ClaimedAddress, Some(address));
        };
        let told = |address, frames| Notice {
            address: Some(address),
            ..Notice::new(NoticeKind::AddressTaken, frames)
        };
        assert_eq!(notices.poll_timeout(), None);
        claim(&mut notices, start, first);
        assert_eq!(notices.poll_timeout(), Some(start));
        assert_eq!(notices.take(start), [told(first, 1)]);
        assert_eq!(
            (notices.take(start), notices.poll_timeout()),
            (vec![], None)
        );
        for _ in 0..1000 {
            claim(&mut notices, start, second);
        }
        let later = start + PAUSE;
        assert_eq!(notices.take(later - Duration::from_millis(1)), []);
        assert_eq!(notices.poll_timeout(), Some(later));
        assert_eq!(notices.take(later), [told(second, 1000)]);
    }

    #[test]
    fn the_edge_of_a_bucket_is_no_news_and_other_reasons_are_none() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        for _ in 0..UNNOTICED - 1 {
            notices.note(now, DropReason::BroadcastRate, None);
            notices.note(now, DropReason::UnknownDestination, None);
        }
        assert_eq!((notices.take(now), notices.poll_timeout()), (vec![], None));
        notices.note(now, DropReason::BroadcastRate, None);
        let told = Notice::new(NoticeKind::GroupRate, UNNOTICED);
        assert_eq!(notices.take(now), [told]);
    }
}
