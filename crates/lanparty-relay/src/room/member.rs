//! One peer in a room: what it may do, and what it has done.

use super::allowance::{Allowance, Rates};
use super::speed::Speeds;
use bytes::{BufMut, Bytes, BytesMut};
use lanparty_ctrl::message::{Entry, Newcomer, PeerJoined};
use lanparty_ctrl::{Fingerprint, Name, RelayMessage, ResumeToken};
use lanparty_obs::{DropCounts, DropReason, LinkStats, PeerStats};
use lanparty_proto::fragment::{Fragment, Reassembler};
use lanparty_proto::overlay::Probe;
use lanparty_proto::{Header, PeerId, RoomId, overlay};
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
    // Only clients are limited.
    pub(super) allowance: Option<Allowance>,
    /// True while its host wants nothing of what it says to groups.
    pub(super) muted: bool,
    pub(super) speeds: Option<Speeds>,
    stats_at: Instant,
    reassembler: Reassembler,
    last_frame_id: u16,
}

/// A whole frame behind its header, and how many of its bytes are still to be paid for.
pub(super) struct Received {
    pub(super) datagram: Bytes,
    pub(super) unpaid: usize,
}

impl Received {
    pub(super) fn frame(&self) -> &[u8] {
        &self.datagram[overlay::HEADER_LEN..]
    }
}

impl<L> Member<L> {
    pub(super) fn new(
        now: Instant,
        entry: &Entry,
        source: IpAddr,
        token: ResumeToken,
        link: L,
        rates: Rates,
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
            allowance: match entry.who {
                Newcomer::Client(_) => Some(Allowance::new(now, rates)),
                Newcomer::Gateway => None,
            },
            muted: false,
            speeds: None,
            stats_at: now,
            reassembler: Reassembler::default(),
            last_frame_id: 0,
        }
    }

    pub(super) fn set_rates(&mut self, now: Instant, rates: Rates) {
        if let Some(allowance) = &mut self.allowance {
            *allowance = Allowance::new(now, rates);
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
        })
    }

    /// Takes a datagram whose header must be `expected`, but for the fragment flag. Answers the whole
    /// frame, or nothing while pieces are missing.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        expected: (RoomId, PeerId),
        datagram: Bytes,
    ) -> Result<Option<Received>, DropReason> {
        let (header, body) = Header::decode(&datagram).map_err(|_| DropReason::Malformed)?;
        if (header.room, header.peer) != expected {
            return Err(DropReason::ForgedHeader);
        }
        if header.fragment {
            return self.receive_piece(now, header, body);
        }
        Ok(Some(Received {
            unpaid: body.len(),
            datagram,
        }))
    }

    /// Takes a probe of the path; it costs its bytes, like a frame.
    pub(super) fn receive_probe(
        &mut self,
        now: Instant,
        expected: (RoomId, PeerId),
        probe: Probe,
        len: usize,
    ) -> Result<(), DropReason> {
        let paid = match (probe.room, probe.peer) == expected {
            true => self
                .allowance
                .as_mut()
                .map_or(Ok(()), |allowance| allowance.spend_bytes(now, len)),
            false => Err(DropReason::ForgedHeader),
        };
        match paid {
            Ok(()) => self.record.probes += 1,
            Err(reason) => self.count_drop(reason),
        }
        paid
    }

    /// A piece is paid for when it comes: also frames that never become whole cost their sender.
    fn receive_piece(
        &mut self,
        now: Instant,
        header: Header,
        body: &[u8],
    ) -> Result<Option<Received>, DropReason> {
        let fragment = Fragment::decode(body).map_err(|_| DropReason::BadFragment)?;
        if let Some(allowance) = &mut self.allowance {
            allowance.spend_bytes(now, fragment.piece.len())?;
        }
        let inserted = self.reassembler.insert(now, fragment);
        self.count_incomplete();
        let frame = inserted.map_err(|_| DropReason::BadFragment)?;
        Ok(frame.map(|frame| Received {
            datagram: whole_datagram(header, &frame),
            unpaid: 0,
        }))
    }

    pub(super) fn take_stats(&mut self, now: Instant, stats: PeerStats) {
        let before = self.record.stats.as_ref();
        self.speeds =
            before.and_then(|before| Speeds::between((self.stats_at, before), (now, &stats)));
        self.stats_at = now;
        self.record.stats = Some(stats);
    }

    pub(super) fn count_drop(&mut self, reason: DropReason) {
        self.record.drops.count(reason);
        if is_malformed(reason) {
            self.record.malformed += 1;
        }
    }

    pub(super) fn count_forward(&mut self, frame_len: usize) {
        self.record.frames += 1;
        self.record.bytes += frame_len as u64;
    }

    /// The number under which the next frame travels where it must be cut again.
    pub(super) fn next_frame_id(&mut self) -> u16 {
        self.last_frame_id = self.last_frame_id.wrapping_add(1);
        self.last_frame_id
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.reassembler.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.reassembler.expire(now);
        self.count_incomplete();
    }

    fn count_incomplete(&mut self) {
        let lost = self.reassembler.take_lost();
        self.record.drops.add(DropReason::Incomplete, lost);
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

fn whole_datagram(header: Header, frame: &[u8]) -> Bytes {
    let header = Header {
        fragment: false,
        ..header
    };
    let mut datagram = BytesMut::with_capacity(overlay::HEADER_LEN + frame.len());
    datagram.put_slice(&header.encode());
    datagram.put_slice(frame);
    datagram.freeze()
}
