//! What somebody else's claim of an address leads to.

use super::{AddressClient, Holding, about};
use crate::asking::Asking;
use crate::claim::Dispute;
use crate::lease::Lease;
use crate::wire::{self, Claim, Kind, Question};
use crate::word::Word;
use lanparty_proto::MacAddr;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// After one address that somebody has, the next is asked for soon: that is one stale machine. When that happens again
/// within a minute, RFC 2131 §3.1.5's ten seconds keep client and server from going in circles.
pub(super) const SOON: Duration = Duration::from_secs(1);
const AFTER_DECLINE: Duration = Duration::from_secs(10);
const MEMORY: Duration = Duration::from_secs(60);

/// What was given back of late.
#[derive(Debug, Default)]
pub(super) struct Declined {
    last: Option<Instant>,
    taken: u32,
}

impl AddressClient {
    pub(super) fn handle_claim(&mut self, now: Instant, claim: &Claim) {
        self.note_server(claim);
        let is_asked = self.asks_about(claim.address);
        if claim.mac == self.mac || self.proxies.hear(now, claim, is_asked) {
            return;
        }
        self.made_up.hear(now, self.mac, claim);
        let lost = match &self.asking {
            Asking::Probing(lease, probing) if probing.is_lost(self.mac, claim) => Some(**lease),
            Asking::Requesting(_, offer) if claim.is_of_other(self.mac, offer.address) => {
                Some(**offer)
            }
            _ => None,
        };
        if let Some(lease) = lost {
            self.lost_to(now, &lease, claim.mac);
        }
        let Some(holding) = &mut self.holding else {
            return;
        };
        match holding.watch.hear(now, self.mac, claim) {
            Dispute::None => {}
            Dispute::Defend(frame) => {
                let (own, prefix_len) = (holding.held.address, holding.held.prefix_len);
                // Their answers come before the one to the defence, which would be the second claim.
                self.test(own, own, prefix_len);
                self.output.push_back(frame);
            }
            Dispute::GiveUp => self.give_up(now, claim.mac),
        }
    }

    /// The server of before may be there though it says nothing.
    fn note_server(&mut self, claim: &Claim) {
        if let Asking::Rebooting(_, is_there) = &mut self.asking
            && let Some(Holding {
                lease: Some(lease), ..
            }) = &self.holding
        {
            *is_there |= (claim.address, claim.mac) == (lease.server, lease.server_mac);
        }
    }

    /// Whether this machine has, wants or looks for this address.
    fn asks_about(&self, address: Ipv4Addr) -> bool {
        let asked = match &self.asking {
            Asking::Probing(lease, _) | Asking::Requesting(_, lease) => Some(lease.address),
            _ => None,
        };
        let all = [
            asked,
            self.made_up.looks_at(),
            self.held().map(|held| held.address),
        ];
        all.contains(&Some(address))
    }

    /// Looks whether who claims an address claims everything.
    fn test(&mut self, sender: Ipv4Addr, address: Ipv4Addr, prefix_len: u8) {
        let asked = self
            .proxies
            .test_addresses(address, prefix_len, &mut self.random);
        let frames = asked.map(|asked| wire::arp_request(self.mac, sender, asked));
        self.output.extend(frames);
    }

    /// Somebody has what a server gives.
    fn lost_to(&mut self, now: Instant, lease: &Lease, holder: MacAddr) {
        let pause = self.declined.pause(now);
        if pause > SOON {
            let address = lease.address;
            self.tell(now, Word::AllTaken { address, holder });
        }
        self.test(Ipv4Addr::UNSPECIFIED, lease.address, lease.prefix_len);
        self.decline(now, lease, pause);
    }

    /// Somebody insists on the address that is held.
    fn give_up(&mut self, now: Instant, holder: MacAddr) {
        let Some(Holding { held, lease, .. }) = self.holding.take() else {
            return;
        };
        self.has_news = true;
        let address = held.address;
        self.tell(now, Word::GivenUp { address, holder });
        match lease {
            Some(lease) => {
                let pause = self.declined.pause(now);
                self.decline(now, &lease, pause);
            }
            None => self.made_up.lost(now),
        }
    }

    /// Tells the server that somebody has what it gave, and asks again later.
    pub(super) fn decline(&mut self, now: Instant, lease: &Lease, pause: Duration) {
        self.say_decline(now, lease);
        match self.holding {
            Some(_) => self.asking = Asking::Waiting(now + pause),
            None => self.start_over(now, pause),
        }
    }

    pub(super) fn say_decline(&mut self, now: Instant, lease: &Lease) {
        let exchange = self.exchange(now);
        self.say(Question {
            kind: Kind::Decline,
            requested: Some(lease.address),
            server: Some(lease.server),
            ..about(&exchange)
        });
    }
}

impl Declined {
    /// How long to wait after another one that somebody has.
    fn pause(&mut self, now: Instant) -> Duration {
        let is_old = |at| now.saturating_duration_since(at) > MEMORY;
        if self.last.is_none_or(is_old) {
            self.taken = 0;
        }
        self.last = Some(now);
        self.taken += 1;
        match self.taken {
            1 => SOON,
            _ => AFTER_DECLINE,
        }
    }
}
