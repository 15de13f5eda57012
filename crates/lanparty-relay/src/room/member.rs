//! One peer in a room, and what it has done.

use super::notices::Notices;
use super::pings::Gauge;
use super::silence::Hearing;
use super::speed::Speeds;
use lanparty_ctrl::message::{Entry, Newcomer, PeerJoined};
use lanparty_ctrl::{Challenge, Fingerprint, Name, RelayMessage, ResumeToken, SignedTerm};
use lanparty_obs::{DropCounts, DropReason, LinkStats, PeerStats};
use lanparty_proto::{PeerId, overlay};
use lanparty_switch::Crossing;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many malformed datagrams a peer may send; the next one is its last (spec R31).
pub const MAX_MALFORMED: u32 = 16;

/// How the link to a peer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkHealth {
    /// The round trip.
    pub rtt: Option<Duration>,
    /// How many packets of a thousand got lost on the way to the peer, since it came.
    pub loss_permille: Option<u16>,
    /// Its end at the relay in numbers; waits are those since the peer's counters came before.
    pub stats: Option<LinkStats>,
}

/// What is known about a peer (spec R34).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRecord {
    /// What it is.
    pub who: Newcomer,
    /// What its player wants to be called.
    pub name: Option<Name>,
    /// Whose key it has, if it showed one.
    pub identity: Option<Fingerprint>,
    /// The address it came from.
    pub source: IpAddr,
    /// When it was let in.
    pub joined_at: Instant,
    /// When its last datagram or message came.
    pub last_seen: Instant,
    /// How its link was when it last sent its counters.
    pub health: LinkHealth,
    /// The counters that it last sent.
    pub stats: Option<PeerStats>,
    /// How many of its datagrams were malformed.
    pub malformed: u32,
    /// Datagrams that came from it: each was forwarded, kept as a piece, sent back as a probe, or dropped.
    pub datagrams: u64,
    /// Pieces among them that waited for the rest of their frame.
    pub pieces: u64,
    /// Probes among them, each of which went back.
    pub probes: u64,
    /// Frames of its that were forwarded.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was dropped: one for each datagram, and `Incomplete` for each frame that never became whole.
    pub drops: DropCounts,
}

#[derive(Debug)]
pub(super) struct Member<L> {
    pub(super) link: L,
    pub(super) token: ResumeToken,
    pub(super) record: PeerRecord,
    pub(super) speeds: Option<Speeds>,
    /// What it is to be told, if it takes notices.
    pub(super) notices: Notices,
    pub(super) takes_notices: bool,
    pub(super) takes_pings: bool,
    pub(super) takes_drains: bool,
    pub(super) knows_doors: bool,
    pub(super) takes_redirects: bool,
    pub(super) gauge: Gauge,
    pub(super) hearing: Hearing,
    /// Which stay of its party this is; few peers are gateways.
    term: Option<Box<SignedTerm>>,
    tells_groups: bool,
    pub(super) takes_new_keys: bool,
    /// What it wants the gateway to sign, and the gateway that has done so.
    pub(super) host_challenge: Option<Challenge>,
    pub(super) vouched_by: Option<PeerId>,
    stats_at: Instant,
}

impl<L> Member<L> {
    pub(super) fn new(
        now: Instant,
        entry: &Entry,
        source: IpAddr,
        token: ResumeToken,
        link: L,
    ) -> Self {
        Member {
            link,
            token,
            record: PeerRecord {
                who: entry.who,
                name: entry.name.clone(),
                identity: entry.identity,
                source,
                joined_at: now,
                last_seen: now,
                health: LinkHealth::default(),
                stats: None,
                malformed: 0,
                datagrams: 0,
                pieces: 0,
                probes: 0,
                frames: 0,
                bytes: 0,
                drops: DropCounts::default(),
            },
            speeds: None,
            notices: Notices::default(),
            takes_notices: entry.takes_notices,
            takes_pings: entry.takes_pings,
            takes_drains: entry.takes_drains,
            knows_doors: entry.knows_doors,
            takes_redirects: entry.takes_redirects,
            gauge: Gauge::default(),
            hearing: Hearing::new(now),
            term: entry.term.map(Box::new),
            tells_groups: entry.tells_groups,
            takes_new_keys: entry.takes_new_keys,
            host_challenge: entry.host_challenge,
            vouched_by: None,
            stats_at: now,
        }
    }

    /// What this one hears of it; by whose key it came is the host's business.
    pub(super) fn introduction(&self, peer_id: PeerId, to: Newcomer) -> RelayMessage {
        let who = self.record.who;
        RelayMessage::PeerJoined(PeerJoined {
            peer_id,
            role: who.role(),
            mac: who.mac(),
            name: self.record.name.clone(),
            identity: self.record.identity.filter(|_| to == Newcomer::Gateway),
            host_challenge: self.host_challenge.filter(|_| to == Newcomer::Gateway),
            tells_groups: self.tells_groups && to == Newcomer::Gateway,
            takes_new_keys: self.takes_new_keys && to == Newcomer::Gateway,
            term: self.term(),
        })
    }

    /// The gateway's term, if it has told one.
    pub(super) fn term(&self) -> Option<SignedTerm> {
        self.term.as_deref().copied()
    }

    pub(super) fn take_stats(&mut self, now: Instant, stats: PeerStats) {
        let before = self.record.stats.as_ref();
        self.speeds =
            before.and_then(|before| Speeds::between((self.stats_at, before), (now, &stats)));
        self.stats_at = now;
        self.record.stats = Some(stats);
    }

    /// Takes note of a datagram that was dropped; false when it was one malformed one too many.
    pub(super) fn is_forgiven(&mut self, reason: DropReason) -> bool {
        self.record.malformed += u32::from(is_malformed(reason));
        self.record.malformed <= MAX_MALFORMED
    }

    pub(super) fn count_forward(&mut self, crossing: &Crossing) {
        let len = crossing.datagram.len() - overlay::HEADER_LEN;
        self.record.frames += 1;
        self.record.bytes += len as u64;
    }
}

/// True for what no program of ours sends, even by accident. A forged header is well formed: it is
/// dropped and counted, no more.
fn is_malformed(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::Malformed | DropReason::BadFragment | DropReason::Runt
    )
}
