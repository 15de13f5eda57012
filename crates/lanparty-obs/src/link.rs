//! How a link is doing, in numbers: what waits in front of it, in which batches it moves, and what its
//! congestion controller thinks of the path.

use serde::{Deserialize, Serialize};

/// One end of a link. What is counted is counted since the link stands, waits are those of late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkStats {
    /// Who decides how much is on the path.
    pub congestion: CongestionStats,
    /// The frames in front of it.
    pub queue: QueueStats,
    /// The UDP socket below it.
    pub udp: UdpStats,
}

/// How much is on the path, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CongestionStats {
    /// Which controller decides.
    pub controller: Controller,
    /// What it does now; only a gate tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Bytes that may be on the path.
    pub window_bytes: u64,
    /// The smoothed round trip, in µs.
    pub rtt_us: u64,
    /// The shortest round trip of late, in µs; only a gate tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_rtt_us: Option<u64>,
    /// What the last round trip took longer than that, in µs, which is how long the path's own queues are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_queue_us: Option<u64>,
}

/// A congestion controller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// The delay gate.
    Gate,
    /// BBRv3.
    Bbr3,
    /// CUBIC.
    Cubic,
    /// None: both ends are in one program, and there is no path.
    None,
    /// One that this version does not know, or there is no link any more.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What a gate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It looks for the path's rate.
    Start,
    /// It keeps the path's queue short.
    Steady,
    /// It lets the queue empty, to see how long a round trip is without one.
    Drain,
    /// It holds its own beside somebody who fills the queue.
    Compete,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// The frames that wait in front of a link, and what became of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueStats {
    /// Bytes that wait now.
    pub bytes: u64,
    /// How long the frames of late have waited.
    pub waits: Waits,
    /// Frames of flows that send little, which died here.
    pub sparse: QueueDrops,
    /// The same for flows that send all they can.
    pub bulk: QueueDrops,
    /// Frames that QUIC did not take: it held too much, or the path had become too narrow.
    pub refused: u64,
    /// The other way: datagrams of the other side that came faster than they were read, and that QUIC threw away.
    pub overrun: u64,
}

impl QueueStats {
    /// What another link has counted as well; what waits there now is its own.
    pub fn add(&mut self, other: &QueueStats) {
        for (drops, others) in [
            (&mut self.sparse, other.sparse),
            (&mut self.bulk, other.bulk),
        ] {
            drops.full += others.full;
            drops.delay += others.delay;
            drops.stale += others.stale;
        }
        self.refused += other.refused;
        self.overrun += other.overrun;
    }

    /// Frames that died because there was no room.
    pub fn without_room(&self) -> u64 {
        self.sparse.full + self.bulk.full + self.refused
    }

    /// Frames that died because they had waited too long.
    pub fn late(&self) -> u64 {
        let late = |drops: QueueDrops| drops.delay + drops.stale;
        late(self.sparse) + late(self.bulk)
    }
}

/// How long frames have waited in a queue, of those that went on in the last seconds: five for a peer, for a
/// relay since the peer last sent its counters. Times are at most a quarter too long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Waits {
    /// How many frames that were.
    pub frames: u64,
    /// Half of them waited for no longer, in µs.
    pub p50_us: u64,
    /// All but one of a hundred waited for no longer, in µs.
    pub p99_us: u64,
    /// None waited for longer, in µs.
    pub max_us: u64,
}

/// Frames that died in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueDrops {
    /// The queue was full, and theirs was the longest flow.
    pub full: u64,
    /// They had waited while the queue stood (RFC 8289).
    pub delay: u64,
    /// They had waited for more than a second.
    pub stale: u64,
}

/// What a UDP socket has moved. A relay has one for all its peers; what is said to strangers is not
/// counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UdpStats {
    /// System calls that sent something.
    pub sends: u64,
    /// UDP datagrams that these sent.
    pub sent: u64,
    /// System calls that received something.
    pub receives: u64,
    /// UDP datagrams that these received.
    pub received: u64,
    /// True while one call may send a train of datagrams (`UDP_SEGMENT`).
    pub gso: bool,
    /// True when the kernel may hand over a train of datagrams as one (`UDP_GRO`).
    pub gro: bool,
}

impl UdpStats {
    /// What another socket has moved as well.
    pub fn add(&mut self, other: &UdpStats) {
        self.sends += other.sends;
        self.sent += other.sent;
        self.receives += other.receives;
        self.received += other.received;
        self.gso |= other.gso;
        self.gro |= other.gro;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_in_numbers_with_their_units() {
        let mut link = LinkStats::default();
        link.congestion.controller = Controller::Gate;
        link.congestion.phase = Some(Phase::Compete);
        link.queue.bulk.delay = 3;
        let json = serde_json::to_value(link).unwrap();
        assert_eq!(json["congestion"]["controller"], "gate");
        assert_eq!(json["congestion"]["phase"], "compete");
        assert_eq!(json["congestion"].get("base_rtt_us"), None);
        assert_eq!(json["queue"]["bulk"]["delay"], 3);
        assert_eq!(serde_json::from_value::<LinkStats>(json).unwrap(), link);
    }

    #[test]
    fn what_a_newer_peer_says_is_taken_as_far_as_it_is_known() {
        let json = r#"{ "congestion": { "controller": "bbr9", "phase": "nap" }, "later": 1 }"#;
        let link: LinkStats = serde_json::from_str(json).unwrap();
        assert_eq!(link.congestion.controller, Controller::Unknown);
        assert_eq!(link.congestion.phase, Some(Phase::Other));
    }
}
