//! What is held: taking it, and giving it back.

use super::conflict::SOON;
use super::{AddressClient, LONGEST_REFUSAL, about};
use crate::asking::Asking;
use crate::at_home::{AtHome, Harm, TurnedDown};
use crate::claim::Watch;
use crate::lease::{self, Lease};
use crate::made_up;
use crate::wire::{Kind, Question};
use crate::word::Word;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// So soon after it came an address can be given back without a loss: no game has used it yet.
const UNUSED: Duration = Duration::from_secs(10);

/// What the adapter should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub address: Ipv4Addr,
    /// How many of its bits name the LAN.
    pub prefix_len: u8,
    /// Where one speaks to everybody on that LAN.
    pub broadcast: Option<Ipv4Addr>,
    /// Until when it may be used; none is for ever.
    pub until: Option<Instant>,
    /// Where it is from.
    pub how: How,
}

/// Where an address is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// This DHCP server has lent it.
    Leased {
        /// The server's own address.
        server: Ipv4Addr,
    },
    /// The adapter has given it to itself: the LAN has no server.
    MadeUp,
}

#[derive(Debug)]
pub(super) struct Holding {
    pub(super) held: Held,
    /// None for an address that was made up.
    pub(super) lease: Option<Lease>,
    pub(super) watch: Watch,
    /// Since when this machine has the address.
    since: Instant,
    /// A machine at home has it too, and that is put up with.
    is_put_up_with: bool,
}

impl AddressClient {
    /// What this machine's home uses. A LAN is asked for other addresses, a few times; also where home shows only now that
    /// it has the one that is held. One without which nothing works any more is never taken, and given back at once.
    pub fn forbid(&mut self, now: Instant, at_home: AtHome) {
        self.at_home = at_home;
        let Some(holding) = &mut self.holding else {
            return;
        };
        let (address, lease) = (holding.held.address, holding.lease);
        let is_unused = now.saturating_duration_since(holding.since) < UNUSED;
        let is_plugged = !matches!(self.asking, Asking::Idle);
        match self.at_home.harm(address) {
            // The server has given a good one.
            Harm::None => {
                if !is_unused && matches!(self.asking, Asking::Bound) {
                    self.turned_down = TurnedDown::default();
                }
            }
            Harm::CutsOff => {
                self.holding = None;
                self.has_news = true;
                self.tell(now, Word::NeededAtHome { address });
                match lease {
                    _ if !is_plugged => {}
                    None => self.made_up.lost(now),
                    Some(lease) if is_unused => self.turn_down(now, &lease),
                    Some(lease) => {
                        self.release(now, &lease);
                        self.start_over(now, SOON);
                    }
                }
            }
            Harm::Hides if holding.is_put_up_with || !is_plugged => {}
            Harm::Hides => match lease {
                Some(lease) if is_unused && self.turned_down.may_take(address) => {
                    self.holding = None;
                    self.has_news = true;
                    self.turn_down(now, &lease);
                }
                // Games use it, and would all be cut off.
                _ => {
                    holding.is_put_up_with = true;
                    self.tell(now, Word::UsedAtHome { address });
                }
            },
        }
    }

    /// Whether home uses it, so that another one is asked for.
    pub(super) fn is_unwanted(&self, address: Ipv4Addr) -> bool {
        match self.at_home.harm(address) {
            Harm::None => false,
            Harm::Hides => self.turned_down.may_take(address),
            Harm::CutsOff => true,
        }
    }

    /// Whether it can never be taken, and its server was told so for long enough.
    pub(super) fn is_hopeless(&self, address: Ipv4Addr) -> bool {
        self.at_home.harm(address) == Harm::CutsOff && !self.turned_down.may_take(address)
    }

    /// Gives one of home's back, which a server has just given.
    pub(super) fn turn_down(&mut self, now: Instant, lease: &Lease) {
        let address = lease.address;
        if self.turned_down.may_take(address) {
            self.turned_down.note(address);
            return self.decline(now, lease, SOON);
        }
        self.tell(now, Word::NeededAtHome { address });
        self.say_decline(now, lease);
        // Meanwhile an address may be made up.
        self.asking = Asking::Waiting(now + LONGEST_REFUSAL);
    }

    /// Tells the server that its address is free again.
    pub(super) fn release(&mut self, now: Instant, lease: &Lease) {
        let exchange = self.exchange(now);
        self.say(Question {
            kind: Kind::Release,
            own: Some(lease.address),
            server: Some(lease.server),
            to: Some((lease.server_mac, lease.server)),
            ..about(&exchange)
        });
    }

    /// The lease is this machine's from now on, or for longer.
    pub(super) fn bind(&mut self, now: Instant, lease: Lease) {
        let is_checked = matches!(self.asking, Asking::Extending(_));
        let address = lease.address;
        let known = self.holding.take();
        let old = known.as_ref().and_then(|holding| holding.lease);
        if let Some(old) = old.filter(|old| old.address != address) {
            self.release(now, &old);
        }
        let known = known.filter(|holding| holding.held.address == address);
        let (mut watch, since) = match known {
            Some(holding) => (holding.watch, holding.since),
            None => (Watch::new(now, address), now),
        };
        let is_put_up_with = self.at_home.harm(address) == Harm::Hides;
        if is_put_up_with {
            self.tell(now, Word::UsedAtHome { address });
        }
        if !is_checked {
            watch.announce_again(now);
        }
        self.holding = Some(Holding {
            held: Held {
                address: lease.address,
                prefix_len: lease.prefix_len,
                broadcast: lease.broadcast,
                until: lease.until,
                how: How::Leased {
                    server: lease.server,
                },
            },
            lease: Some(lease),
            watch,
            since,
            is_put_up_with,
        });
        self.asking = Asking::Bound;
        self.made_up.stop();
        self.refusals = 0;
        self.has_news = true;
    }

    pub(super) fn hold_made_up(&mut self, now: Instant, address: Ipv4Addr) {
        // Home may have shown meanwhile that it has it.
        if self.at_home.harm(address) == Harm::CutsOff {
            return self.made_up.lost(now);
        }
        let prefix_len = made_up::PREFIX_LEN;
        self.holding = Some(Holding {
            held: Held {
                address,
                prefix_len,
                broadcast: lease::broadcast(address, prefix_len),
                until: None,
                how: How::MadeUp,
            },
            lease: None,
            watch: Watch::new(now, address),
            since: now,
            is_put_up_with: false,
        });
        self.has_news = true;
    }
}
