//! Looks whether games' ways lead to the party's LAN and back (spec R137): asks in every style in the machine's name, and
//! keeps the answers from the machine.

use super::Session;
use lanparty_proof::{Nonce, Place, Verdict};
use std::net::Ipv4Addr;
use std::time::Instant;

impl Session {
    /// Begins a look, for a machine that has this address and so many bits of it in common with the LAN; false where there
    /// is nobody who could answer.
    pub fn prove(&mut self, now: Instant, nonce: Nonce, address: Option<(Ipv4Addr, u8)>) -> bool {
        let mtu = self.place.as_ref().map(|place| place.mtu);
        let Some(mtu) = mtu.filter(|_| self.has_gateway()) else {
            return false;
        };
        self.proof.begin(now, nonce, Place { address, mtu });
        true
    }

    /// What the last look has found, once. The session has news when there is something.
    pub fn take_verdict(&mut self) -> Option<Verdict> {
        self.proof.take_verdict()
    }

    pub(super) fn ask_for_proof(&mut self, now: Instant) {
        if self.proof.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        for question in self.proof.poll(now) {
            self.say(&question);
        }
        // It ends only here, or with the link, of which the shell hears anyway.
        self.has_news |= self.proof.poll_timeout().is_none();
    }
}
