//! What is remembered of one player's conversations: those that the LAN began, and packets in pieces.
//!
//! Both are each player's own, so nobody pushes out what another needs.

use foldhash::HashMap;
use lanparty_proto::MacAddr;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many conversations of one player that the LAN began are remembered; the least recent makes room.
pub const MAX_FLOWS: usize = 256;
/// How many packets in pieces.
const MAX_PIECES: usize = 32;
/// For how long a packet's pieces may come.
const PIECES: Duration = Duration::from_secs(5);
/// For how long a conversation may be silent: RFC 4787 §4.3, RFC 5382 §5.
const UDP_SILENCE: Duration = Duration::from_secs(300);
const TCP_SILENCE: Duration = Duration::from_secs(7440);

/// A player is told of so many refusals a second, and of so many at once.
const ANSWER_EVERY: Duration = Duration::from_millis(100);
const ANSWERS_AT_ONCE: u32 = 20;

/// One player's.
#[derive(Debug, Default)]
pub(super) struct Player {
    pub(super) flows: Flows,
    pub(super) pieces: Pieces,
    /// When its next answers are paid for (GCRA).
    paid_until: Option<Instant>,
}

impl Player {
    /// Whether there is an answer left for this player.
    pub(super) fn may_hear(&mut self, now: Instant) -> bool {
        let paid_until = self.paid_until.map_or(now, |until| until.max(now));
        let may = paid_until <= now + ANSWER_EVERY * (ANSWERS_AT_ONCE - 1);
        if may {
            self.paid_until = Some(paid_until + ANSWER_EVERY);
        }
        may
    }
}

/// Who speaks with the player: a machine of the LAN, its port and the player's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    pub(super) machine: IpAddr,
    pub(super) protocol: u8,
    pub(super) ports: (u16, u16),
}

impl Flow {
    fn silence(&self) -> Duration {
        match self.protocol {
            lanparty_proto::ip::TCP => TCP_SILENCE,
            _ => UDP_SILENCE,
        }
    }
}

/// The conversations that the LAN began.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// With the machine's MAC, and when it was last heard.
    known: HashMap<Flow, (MacAddr, Instant)>,
}

impl Flows {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The LAN says something to the player.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        flow: Flow,
        mac: MacAddr,
        ends: bool,
        begins: bool,
    ) {
        if ends {
            self.known.remove(&flow);
        } else if let Some(known) = self.known.get_mut(&flow) {
            if known.0 == mac || begins {
                *known = (mac, now);
            }
        } else if begins {
            self.make_room(now);
            self.known.insert(flow, (mac, now));
        }
    }

    /// True for what the player may answer.
    pub(super) fn answer(&mut self, now: Instant, flow: Flow, mac: MacAddr, ends: bool) -> bool {
        let Some((own, at)) = self.known.get_mut(&flow) else {
            return false;
        };
        let is_old = now.saturating_duration_since(*at) >= flow.silence();
        let may = *own == mac && !is_old;
        if may {
            *at = now;
        }
        if is_old || may && ends {
            self.known.remove(&flow);
        }
        may
    }

    fn make_room(&mut self, now: Instant) {
        if self.known.len() < MAX_FLOWS {
            return;
        }
        self.known
            .retain(|flow, (_, at)| now.saturating_duration_since(*at) < flow.silence());
        if self.known.len() >= MAX_FLOWS {
            let oldest = self.known.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(&flow, _)| flow) {
                self.known.remove(&oldest);
            }
        }
    }
}

/// To whom, from and to which address, and the packet's number and protocol.
type Piece = (MacAddr, IpAddr, IpAddr, (u32, u8));

/// Packets in pieces of which the first has passed.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    known: Vec<(Piece, Instant)>,
}

impl Pieces {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The first piece may pass, or may not; then none of the others may.
    pub(super) fn note(&mut self, now: Instant, piece: Piece, may: bool) {
        self.known
            .retain(|(known, until)| *known != piece && now < *until);
        if may {
            if self.known.len() >= MAX_PIECES {
                self.known.remove(0);
            }
            self.known.push((piece, now + PIECES));
        }
    }

    pub(super) fn has(&self, now: Instant, piece: Piece) -> bool {
        let mut known = self.known.iter();
        known.any(|&(known, until)| known == piece && now < until)
    }
}
