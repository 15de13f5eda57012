//! The words of a frame log line (spec R33, R49, R61): one vocabulary for relay, gateway and client.

use crate::DropReason;
use lanparty_proto::{EthernetFrame, FrameKind, MacAddr, PeerId};
use std::fmt;

/// Which way a frame was going, seen from the program that logs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the adapter or the LAN into the tunnel.
    ToRelay,
    /// Out of the tunnel, to the adapter or the LAN.
    FromRelay,
    /// Inside the relay, from one peer to others.
    Across,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It went on, to so many places.
    Forward {
        /// How many peers or ports got it.
        targets: usize,
    },
    /// It went nowhere.
    Drop(DropReason),
}

/// One frame's line. [`Display`](fmt::Display) gives `key=value` pairs; the frame's contents never appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLog {
    /// Which way it was going.
    pub direction: Direction,
    /// The peer it comes from, where that is known.
    pub peer: Option<PeerId>,
    /// What became of it.
    pub action: Action,
    /// Its length in bytes.
    pub len: usize,
    /// Destination, source and type, unless it is too short to have them.
    pub head: Option<(MacAddr, MacAddr, FrameKind)>,
}

impl FrameLog {
    /// The line for a frame.
    pub fn new(direction: Direction, peer: Option<PeerId>, frame: &[u8], action: Action) -> Self {
        let head = EthernetFrame::parse(frame)
            .ok()
            .map(|frame| (frame.destination(), frame.source(), frame.kind()));
        FrameLog {
            direction,
            peer,
            action,
            len: frame.len(),
            head,
        }
    }
}

impl fmt::Display for FrameLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "direction={} ", self.direction)?;
        if let Some(peer) = self.peer {
            write!(f, "peer={peer} ")?;
        }
        if let Some((destination, source, kind)) = self.head {
            write!(f, "dst={destination} src={source} ")?;
            match kind {
                FrameKind::EtherType(ether_type) => write!(f, "type=0x{ether_type:04x} ")?,
                FrameKind::Length(length) => write!(f, "llc_length={length} ")?,
            }
        }
        write!(f, "len={} ", self.len)?;
        match self.action {
            Action::Forward { targets } => write!(f, "action=forward targets={targets}"),
            Action::Drop(reason) => write!(f, "action=drop reason={reason}"),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::ToRelay => "to_relay",
            Direction::FromRelay => "from_relay",
            Direction::Across => "across",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_everything_but_the_contents() {
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06]);
        frame.resize(60, 0x55);
        let peer = PeerId::new(4);
        let line = FrameLog::new(
            Direction::Across,
            peer,
            &frame,
            Action::Forward { targets: 3 },
        );
        assert_eq!(
            line.to_string(),
            "direction=across peer=4 dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:01 type=0x0806 \
             len=60 action=forward targets=3"
        );
        let runt = FrameLog::new(
            Direction::ToRelay,
            None,
            &frame[..5],
            Action::Drop(DropReason::Runt),
        );
        assert_eq!(
            runt.to_string(),
            "direction=to_relay len=5 action=drop reason=runt"
        );
    }
}
