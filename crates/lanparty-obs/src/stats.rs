//! Counters: what a peer tells the relay every few seconds, and what diagnostics show.

use crate::{DropReason, LinkStats};
use lanparty_proto::EthernetFrame;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// How many frames died, by reason. Serialises as a map that leaves out the zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// Counts one.
    pub fn count(&mut self, reason: DropReason) {
        self.add(reason, 1);
    }

    /// Counts several.
    pub fn add(&mut self, reason: DropReason, frames: u64) {
        self.0[reason as usize] += frames;
    }

    /// How many died of this.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many died in all; as many as fit, because counts also come from strangers.
    pub fn total(&self) -> u64 {
        self.0.iter().copied().fold(0, u64::saturating_add)
    }

    /// The commonest reasons alone, so many at most.
    pub fn commonest(&self, reasons: usize) -> Self {
        let mut by_count: Vec<_> = self.iter().collect();
        by_count.sort_by_key(|&(_, frames)| std::cmp::Reverse(frames));
        let mut commonest = DropCounts::default();
        for (reason, frames) in by_count.into_iter().take(reasons) {
            commonest.add(reason, frames);
        }
        commonest
    }

    /// Adds what another has counted.
    pub fn add_all(&mut self, other: &Self) {
        for (reason, frames) in other.iter() {
            let sum = self.of(reason).saturating_add(frames);
            self.0[reason as usize] = sum;
        }
    }

    /// The reasons that have struck, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL
            .iter()
            .map(|&reason| (reason, self.of(reason)))
            .filter(|&(_, n)| n > 0)
    }
}

impl Default for DropCounts {
    fn default() -> Self {
        DropCounts([0; DropReason::ALL.len()])
    }
}

impl Serialize for DropCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(reason, frames)| (reason.name(), frames)))
    }
}

impl<'de> Deserialize<'de> for DropCounts {
    /// Reasons that this version does not know are left out: a newer peer may have more.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = BTreeMap::<String, u64>::deserialize(deserializer)?;
        let mut drops = DropCounts::default();
        for &reason in DropReason::ALL {
            if let Some(&frames) = counts.get(reason.name()) {
                drops.0[reason as usize] = frames;
            }
        }
        Ok(drops)
    }
}

/// What a peer has carried since it joined. "To" and "from" are seen from the peer: to the relay,
/// from the relay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerStats {
    /// Frames sent into the tunnel.
    pub frames_to_relay: u64,
    /// Their bytes, as frames.
    pub bytes_to_relay: u64,
    /// Datagrams sent: more than frames where frames travel in pieces.
    pub datagrams_to_relay: u64,
    /// Frames delivered to the adapter or the LAN.
    pub frames_from_relay: u64,
    /// Their bytes, as frames.
    pub bytes_from_relay: u64,
    /// Datagrams received.
    pub datagrams_from_relay: u64,
    /// Broadcast and multicast frames among those received.
    pub group_frames_from_relay: u64,
    /// Reads of the adapter or the LAN that had something: fewer than frames where several came as one.
    pub port_reads: u64,
    /// Writes to the adapter or the LAN: fewer than frames where several went as one.
    pub port_writes: u64,
    /// Frames that died here, by reason.
    pub drops: DropCounts,
    /// How the link to the relay is doing, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkStats>,
}

impl PeerStats {
    /// Counts a frame that goes into the tunnel; of how many datagrams it is made shows later.
    pub fn count_sent(&mut self, frame: &[u8]) {
        self.frames_to_relay += 1;
        self.bytes_to_relay += frame.len() as u64;
    }

    /// Counts a frame that goes to the adapter or the LAN.
    pub fn count_received(&mut self, frame: &[u8]) {
        self.frames_from_relay += 1;
        self.bytes_from_relay += frame.len() as u64;
        let to_group =
            EthernetFrame::parse(frame).is_ok_and(|frame| frame.destination().is_group());
        self.group_frames_from_relay += u64::from(to_group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_reasons_are_told_and_counts_of_several_added() {
        let mut drops = DropCounts::default();
        for (reason, frames) in [
            (DropReason::Runt, 2),
            (DropReason::Jumbo, 9),
            (DropReason::Eapol, 3),
        ] {
            drops.add(reason, frames);
        }
        let told = drops.commonest(2);
        let told: Vec<_> = told.iter().collect();
        assert_eq!(told, [(DropReason::Jumbo, 9), (DropReason::Eapol, 3)]);
        drops.add_all(&drops.clone());
        assert_eq!((drops.of(DropReason::Runt), drops.total()), (4, 28));
    }

    #[test]
    fn drops_serialise_by_name_without_zeros() {
        let mut stats = PeerStats {
            frames_to_relay: 3,
            ..PeerStats::default()
        };
        stats.drops.count(DropReason::Jumbo);
        stats.drops.add(DropReason::Runt, 2);
        let json = serde_json::to_value(&stats).unwrap();
        assert_eq!(json["drops"], serde_json::json!({ "runt": 2, "jumbo": 1 }));
        assert_eq!(serde_json::from_value::<PeerStats>(json).unwrap(), stats);
    }

    #[test]
    fn a_frame_counts_with_its_bytes_and_as_one_of_a_group() {
        let mut stats = PeerStats::default();
        let mut frame = [0; 60];
        frame[6] = 2;
        stats.count_sent(&frame);
        stats.count_received(&frame);
        frame[0] = 1;
        stats.count_received(&frame);
        assert_eq!((stats.frames_to_relay, stats.bytes_to_relay), (1, 60));
        assert_eq!((stats.frames_from_relay, stats.bytes_from_relay), (2, 120));
        assert_eq!(stats.group_frames_from_relay, 1);
    }

    #[test]
    fn missing_counters_are_zero_and_unknown_ones_ignored() {
        let stats: PeerStats = serde_json::from_str(
            r#"{ "frames_to_relay": 1, "later": 2, "drops": { "runt": 1, "later": 5 } }"#,
        )
        .unwrap();
        assert_eq!((stats.frames_to_relay, stats.drops.total()), (1, 1));
    }

    #[test]
    fn the_counts_of_a_stranger_add_up_to_the_most_there_is() {
        let stats: PeerStats =
            serde_json::from_str(r#"{ "drops": { "runt": 18446744073709551615, "jumbo": 1 } }"#)
                .unwrap();
        assert_eq!(stats.drops.total(), u64::MAX);
    }
}
