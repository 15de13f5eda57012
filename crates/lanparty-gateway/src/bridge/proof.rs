//! Answers players who look whether games' ways lead to the LAN (spec R137).
//!
//! Only what the switch has let through from a member is heard, and it goes on to the LAN as any frame does. The answers
//! come from our own NIC's MAC, go into the room alone, and say nothing that a machine on the LAN would have to hear.

use super::Bridge;
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_proto::FrameBuf;
use std::time::Instant;

impl Bridge {
    /// Answers a player's question, if this is one; true when it was for us alone.
    pub(super) fn answer_proof(&mut self, now: Instant, frame: &[u8]) -> bool {
        let refused = self.stats.drops.of(DropReason::PortRefused);
        let Some(heard) = self.proofs.hear(now, frame, refused) else {
            return false;
        };
        for answer in heard.answers {
            self.stats.count_sent(&answer);
            let answer = FrameBuf::from_frame(&answer);
            self.outputs.push_back(PeerOutput::ToRelay(answer));
        }
        heard.is_ours
    }
}
