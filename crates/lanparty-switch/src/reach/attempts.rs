//! What players tried and were not let: the latest of each, and of all.

use super::{protocol_name, services, target::Target};
use lanparty_proto::MacAddr;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many are kept.
pub const MAX_ATTEMPTS: usize = 128;
/// How many of one player.
pub const MAX_OF_ONE: usize = 16;
/// After so long nobody wants to know any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1800);

/// What a player tried and was not let.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The player's MAC.
    pub player: MacAddr,
    /// IP's number of the protocol.
    pub protocol: u8,
    /// Where to.
    pub address: IpAddr,
    /// The port, where the protocol has any.
    pub port: Option<u16>,
    /// How many frames.
    pub frames: u64,
    /// When the last one was.
    pub last: Instant,
}

impl Attempt {
    /// The protocol's name.
    pub fn protocol_name(&self) -> String {
        protocol_name(self.protocol)
    }

    /// What usually listens there.
    pub fn what(&self) -> Option<&'static str> {
        services::name(self.protocol, self.port?)
    }

    /// What lets it through.
    pub fn allow(&self) -> Target {
        Target::one(self.address, self.protocol, self.port)
    }

    pub(super) fn is_let_by(&self, target: &Target) -> bool {
        target.allows(self.address, self.protocol, self.port)
    }

    fn key(&self) -> Key {
        (self.player, self.protocol, self.address, self.port)
    }
}

pub(super) type Key = (MacAddr, u8, IpAddr, Option<u16>);

/// All of them, in no order.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    all: Vec<Attempt>,
}

impl Attempts {
    pub(super) fn note(&mut self, now: Instant, key: Key) {
        if let Some(known) = self.all.iter_mut().find(|known| known.key() == key) {
            known.frames += 1;
            known.last = now;
            return;
        }
        let (player, protocol, address, port) = key;
        let of_it = self.all.iter().filter(|known| known.player == player);
        if of_it.count() >= MAX_OF_ONE {
            self.drop_oldest(|known| known.player == player);
        } else if self.all.len() >= MAX_ATTEMPTS {
            let most = self.busiest();
            self.drop_oldest(|known| Some(known.player) == most);
        }
        self.all.push(Attempt {
            player,
            protocol,
            address,
            port,
            frames: 1,
            last: now,
        });
    }

    pub(super) fn list(&self, now: Instant) -> impl Iterator<Item = &Attempt> {
        let is_young =
            move |at: &&Attempt| now.saturating_duration_since(at.last) < FORGOTTEN_AFTER;
        let mut all: Vec<_> = self.all.iter().filter(is_young).collect();
        all.sort_by_key(|known| std::cmp::Reverse(known.last));
        all.into_iter()
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&Attempt) -> bool) {
        self.all.retain(is_kept);
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Who has the most.
    fn busiest(&self) -> Option<MacAddr> {
        let count = |player| {
            let of_it = self.all.iter().filter(move |known| known.player == player);
            of_it.count()
        };
        let players = self.all.iter().map(|known| known.player);
        players.max_by_key(|&player| count(player))
    }

    fn drop_oldest(&mut self, may_go: impl Fn(&Attempt) -> bool) {
        let known = (0..self.all.len()).filter(|&at| may_go(&self.all[at]));
        if let Some(oldest) = known.min_by_key(|&at| self.all[at].last) {
            self.all.swap_remove(oldest);
        }
    }
}
