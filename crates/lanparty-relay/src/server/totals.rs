//! The relay's numbers, for `lanparty-relay ctl stats --total`.

use super::counts::{HANDSHAKES, KNOCKS};
use super::metrics::Figures;
use crate::ctl::wire::{Come, Introduced, Received, Sent, Status, TotalNumbers};
use crate::registry::KindTotals;
use lanparty_ctrl::door::NoMeetingReason;
use lanparty_ctrl::{LeaveReason, RejectReason};
use std::collections::BTreeMap;

impl Figures {
    /// The same as its metrics, as one value.
    pub(super) fn totals(&self, status: Status) -> TotalNumbers {
        let (totals, counted) = (&self.census.totals, &self.counted);
        let left = LeaveReason::ALL.map(LeaveReason::name);
        let refused = RejectReason::ALL.map(RejectReason::name);
        let mut refused = named(&refused, &counted.refused);
        refused.insert("protocol".to_owned(), counted.strange);
        let [to_players, to_gateways] = counted.sent.map(|[frames, bytes, link_down]| Sent {
            frames,
            bytes,
            link_down,
        });
        TotalNumbers {
            status,
            opened_rooms: totals.rooms,
            joined_players: come(&totals.players),
            joined_gateways: come(&totals.gateways),
            left: named(&left, &totals.left),
            refused,
            knocks: named(&KNOCKS, &counted.knocks),
            handshakes: named(&HANDSHAKES, &counted.handshakes),
            introductions: Introduced {
                begun: totals.introductions.rounds,
                ready: totals.introductions.ready,
                met: totals.introductions.met,
            },
            no_meetings: named(
                &NoMeetingReason::ALL.map(NoMeetingReason::name),
                &totals.introductions.refused,
            ),
            from_players: received(&totals.players),
            from_gateways: received(&totals.gateways),
            to_players,
            to_gateways,
            queue: self.links.queue,
            udp: self.links.udp,
        }
    }
}

/// Those that are not zero, by their names.
fn named(names: &[&str], counts: &[u64]) -> BTreeMap<String, u64> {
    let counted = names.iter().zip(counts).filter(|&(_, &count)| count > 0);
    counted
        .map(|(&name, &count)| (name.to_owned(), count))
        .collect()
}

fn come(kind: &KindTotals) -> Come {
    Come {
        new: kind.new,
        back: kind.back,
    }
}

fn received(kind: &KindTotals) -> Received {
    let carried = &kind.carried;
    Received {
        datagrams: carried.datagrams,
        pieces: carried.pieces,
        probes: carried.probes,
        frames: carried.frames,
        bytes: carried.bytes,
        drops: carried.drops.clone(),
    }
}
