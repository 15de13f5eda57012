//! Answers players who look whether games' ways lead to the LAN (spec R137).
//!
//! Only what the switch has let through from a member is heard, and it goes on to the LAN as any frame does. The answers
//! come from our own NIC's MAC, go into the room alone, and say nothing that a machine on the LAN would have to hear. What
//! the LAN itself hears is one ping to all, when it has said nothing for so long that its cable may hang in the air.

use super::Bridge;
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_proof::Lan;
use lanparty_proto::checksum::Sum;
use lanparty_proto::ip::ICMPV6;
use lanparty_proto::{FrameBuf, MacAddr};
use std::time::{Duration, Instant};

/// A LAN that has said nothing for so long is asked whether it is there.
const SILENT: Duration = Duration::from_secs(30);

impl Bridge {
    /// Answers a player's question, if this is one; true when it was for us alone.
    pub(super) fn answer_proof(&mut self, now: Instant, frame: &[u8]) -> bool {
        let lan = Lan {
            refused: self.stats.drops.of(DropReason::PortRefused),
            is_silent: self.lan_is_silent(now),
        };
        if lan.is_silent && self.proofs.is_new(frame) {
            let ping = ping_all(self.nic);
            self.outputs.push_back(PeerOutput::Frame(ping.into()));
        }
        let Some(heard) = self.proofs.hear(now, frame, lan) else {
            return false;
        };
        for answer in heard.answers {
            self.stats.count_sent(&answer);
            let answer = FrameBuf::from_frame(&answer);
            self.outputs.push_back(PeerOutput::ToRelay(answer));
        }
        heard.is_ours
    }

    fn lan_is_silent(&self, now: Instant) -> bool {
        let since = |at| now.saturating_duration_since(at) >= SILENT;
        self.lan_heard_at.is_none_or(since)
    }

    /// Tells whether the host keeps players apart: then none of them makes others hear an answer.
    pub fn keep_apart(&mut self, is_so: bool) {
        self.proofs.keep_apart(is_so);
    }
}

/// "Is anybody there?" (RFC 4443 §4.1), from our NIC to ff02::1. Whoever has IPv6 looks for us at least.
fn ping_all(nic: MacAddr) -> Vec<u8> {
    const ECHO: u8 = 128;
    let [a, b, c, d, e, f] = nic.octets();
    let mut source = [0; 16];
    source[..2].copy_from_slice(&[0xfe, 0x80]);
    source[8..].copy_from_slice(&[a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    let mut all = [0; 16];
    (all[0], all[1], all[15]) = (0xff, 2, 1);
    let mut message = [ECHO, 0, 0, 0, b's', b'p', 0, 1];
    let mut sum = Sum::pseudo_v6(source, all, ICMPV6, message.len() as u32);
    sum += Sum::of(&message);
    message[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
    let header = [0x60, 0, 0, 0, 0, message.len() as u8, ICMPV6, 255];
    let ethernet = [&[0x33, 0x33, 0, 0, 0, 1][..], &nic.octets(), &[0x86, 0xdd]].concat();
    [&ethernet[..], &header, &source, &all, &message].concat()
}
