//! What the shell counts: who knocks, what is refused, what is sent. The rest is counted where it is decided.

use super::tcp_knock::TcpKnock;
use crate::strangers::KnockAnswer;
use lanparty_ctrl::{RejectReason, Role};
use lanparty_quic::HandshakeError;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters since the relay started, which several tasks add to.
#[derive(Debug)]
pub(super) struct Counts {
    knocks: [AtomicU64; KNOCKS.len()],
    /// Who has called over TCP.
    tcp: [AtomicU64; TcpKnock::NAMES.len()],
    handshakes: [AtomicU64; HANDSHAKES.len()],
    refused: [AtomicU64; RejectReason::ALL.len()],
    /// Who did not speak our protocol.
    strange: AtomicU64,
    /// Who wanted to know its address and nothing else.
    looks: AtomicU64,
    players: Sent,
    gateways: Sent,
    /// When the certificate ends, in seconds since 1970.
    certificate_ends: AtomicI64,
}

#[derive(Debug, Default)]
struct Sent {
    frames: AtomicU64,
    bytes: AtomicU64,
    link_down: AtomicU64,
}

/// What becomes of a knock, as it stands in metrics.
pub(super) const KNOCKS: [&str; 3] = ["heard", "asked_to_validate", "shut"];
/// And of a handshake.
pub(super) const HANDSHAKES: [&str; 3] = ["ok", "no_answer", "failed"];

/// The relay's own key has no end that anybody looks at.
const NEVER: i64 = i64::MAX;

/// Frames on their way to some peers, noted all at once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) link_down: u64,
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) knocks: [u64; KNOCKS.len()],
    pub(super) tcp: [u64; TcpKnock::NAMES.len()],
    pub(super) handshakes: [u64; HANDSHAKES.len()],
    pub(super) refused: [u64; RejectReason::ALL.len()],
    pub(super) strange: u64,
    pub(super) looks: u64,
    /// Frames, bytes, and frames whose link was down: to players, to gateways.
    pub(super) sent: [[u64; 3]; 2],
    pub(super) certificate_ends: Option<i64>,
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            knocks: Default::default(),
            tcp: Default::default(),
            handshakes: Default::default(),
            refused: Default::default(),
            strange: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            players: Sent::default(),
            gateways: Sent::default(),
            certificate_ends: AtomicI64::new(NEVER),
        }
    }
}

impl Counts {
    pub(super) fn note_knock(&self, answer: KnockAnswer) {
        let place = match answer {
            KnockAnswer::Open => 0,
            KnockAnswer::Validate => 1,
            KnockAnswer::Shut => 2,
        };
        one_more(&self.knocks[place]);
    }

    pub(super) fn note_tcp(&self, knock: TcpKnock) {
        one_more(&self.tcp[knock as usize]);
    }

    pub(super) fn note_handshake(&self, failure: Option<&HandshakeError>) {
        let place = match failure {
            None => 0,
            Some(HandshakeError::NoAnswer) => 1,
            Some(
                HandshakeError::Unsent(_)
                | HandshakeError::Clock(_)
                | HandshakeError::Certificate(_)
                | HandshakeError::NotARelay
                | HandshakeError::Failed(_),
            ) => 2,
        };
        one_more(&self.handshakes[place]);
    }

    /// Somebody was refused, or did not speak our protocol.
    pub(super) fn note_refused(&self, reason: Option<RejectReason>) {
        one_more(match reason {
            Some(reason) => &self.refused[reason as usize],
            None => &self.strange,
        });
    }

    /// Somebody was told from where it is seen.
    pub(super) fn note_look(&self) {
        one_more(&self.looks);
    }

    /// Frames were sent to peers of one kind.
    pub(super) fn note_sent(&self, to: Role, sending: Sending) {
        let sent = match to {
            Role::Client => &self.players,
            Role::Gateway => &self.gateways,
        };
        for (counter, more) in [
            (&sent.frames, sending.frames),
            (&sent.bytes, sending.bytes),
            (&sent.link_down, sending.link_down),
        ] {
            if more > 0 {
                counter.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn set_certificate_end(&self, ends: Option<i64>) {
        self.certificate_ends
            .store(ends.unwrap_or(NEVER), Ordering::Relaxed);
    }

    pub(super) fn copy(&self) -> Counted {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let ends = self.certificate_ends.load(Ordering::Relaxed);
        let sent = [&self.players, &self.gateways];
        Counted {
            knocks: self.knocks.each_ref().map(count),
            tcp: self.tcp.each_ref().map(count),
            handshakes: self.handshakes.each_ref().map(count),
            refused: self.refused.each_ref().map(count),
            strange: count(&self.strange),
            looks: count(&self.looks),
            sent: sent.map(|sent| [&sent.frames, &sent.bytes, &sent.link_down].map(count)),
            certificate_ends: (ends != NEVER).then_some(ends),
        }
    }
}

fn one_more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
