//! Which IP address is whose: a switch's ARP inspection and DHCP snooping, in small.
//!
//! Neighbours believe whoever claimed an address last. So a player's claim of an address that
//! somebody else here has goes no further. What counts as having it, the strongest first:
//!
//! 1. The LAN's DHCP server has given it to a player. Only the gateway's side can say so. It may not
//!    give away what somebody else here has: then its acknowledgement goes no further either.
//! 2. Somebody on the LAN claims it, or the DHCP server calls it its own or the router's. The LAN is
//!    never told what it may say. But an answer that names a player's own MAC claims nothing for the
//!    LAN, nor does a machine that has an address and answers for another: it stands in for whoever
//!    has that one.
//! 3. A player claims it. First come, first served.
//!
//! A lease holds for its time or until the same player gets another one, a claim for [`HOLD`] after it was last made, in the room and out of
//! it: whoever reconnects finds its addresses kept. Each has a room of its own in the table, so that
//! no number of claims, visits or machines pushes out another's.

use crate::claim::Claim;
use crate::dhcp::Lease;
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a claim holds. Hosts ask for their neighbours again within a minute of talking to them
/// (RFC 4861 §7.3.3), and each question is a claim; so this is silence, as for a switch's MACs.
const HOLD: Duration = Duration::from_secs(300);
/// A server may give an address for ever; believed is a day, and then the last claim.
const LONGEST_LEASE: Duration = Duration::from_secs(86_400);
/// How many addresses one player has: IPv4, link-local, and a week of temporary ones (RFC 8981) with
/// those of a second prefix. Of more, the one that would lapse first is forgotten, a lease last.
const MAX_OF_PLAYER: usize = 16;
/// How many players that have left keep what they had: a room's guests of an evening. Of more, the one
/// that left first is forgotten, whoever has a lease last.
const MAX_DEPARTED: usize = 64;
/// How many addresses of the LAN are known; further ones are nobody's until some have lapsed.
const MAX_OF_LAN: usize = 2048;
/// How many servers and routers are known beyond that.
const MAX_NAMED: usize = 64;
/// A full table is not searched for lapsed holdings more often than this.
const PURGE_PAUSE: Duration = Duration::from_secs(1);

/// Who has what.
#[derive(Debug)]
pub(crate) struct Addresses {
    held: HashMap<IpAddr, Holding>,
    of_players: HashMap<MacAddr, Vec<IpAddr>>,
    // In the order in which they left.
    departed: VecDeque<MacAddr>,
    // The first address of each family that a machine on the LAN claimed.
    of_lan: HashMap<(MacAddr, Family), IpAddr>,
    held_by_lan: usize,
    next_purge: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Holding {
    holder: Holder,
    until: Instant,
    // A claim or a lease, whichever was later.
    confirmed: Instant,
    leased: bool,
    /// True for what a player had before it got another lease, until it claims that again.
    former: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Player(MacAddr),
    Lan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    V4,
    V6,
}

impl Addresses {
    pub(crate) fn new(now: Instant) -> Self {
        Addresses {
            held: HashMap::new(),
            of_players: HashMap::new(),
            departed: VecDeque::new(),
            of_lan: HashMap::new(),
            held_by_lan: 0,
            next_purge: now,
        }
    }

    /// A player is here: what it had is kept while it stays.
    pub(crate) fn come(&mut self, mac: MacAddr) {
        self.departed.retain(|departed| *departed != mac);
    }

    /// A player has left.
    pub(crate) fn leave(&mut self, mac: MacAddr) {
        if !self.of_players.contains_key(&mac) {
            return;
        }
        self.departed.push_back(mac);
        if self.departed.len() > MAX_DEPARTED {
            let is_light = |mac: &MacAddr| !self.has_lease(*mac);
            let first = self.departed.iter().position(is_light).unwrap_or(0);
            if let Some(mac) = self.departed.remove(first) {
                self.forget_player(mac);
            }
        }
    }

    /// A player says that it has this address.
    pub(crate) fn claim(
        &mut self,
        now: Instant,
        mac: MacAddr,
        address: IpAddr,
    ) -> Result<(), DropReason> {
        let me = Holder::Player(mac);
        match self.holding(now, address) {
            Some(holding) if holding.holder == me => {
                holding.until = holding.until.max(now + HOLD);
                holding.confirmed = now;
                holding.former = false;
                Ok(())
            }
            Some(_) => Err(DropReason::ClaimedAddress),
            None => {
                self.hold(now, address, me, HOLD, false);
                Ok(())
            }
        }
    }

    /// A player says that it does not want this address any more.
    pub(crate) fn give_up(
        &mut self,
        now: Instant,
        mac: MacAddr,
        address: IpAddr,
    ) -> Result<(), DropReason> {
        match self.holding(now, address) {
            Some(holding) if holding.holder != Holder::Player(mac) => {
                Err(DropReason::ClaimedAddress)
            }
            Some(_) => {
                self.remove(address);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Somebody on the LAN says so, for itself or for another; not of a player's MAC.
    pub(crate) fn claim_from_lan(&mut self, now: Instant, claim: Claim) {
        let Claim { mac, address, firm } = claim;
        if !firm && self.stands_in(now, mac, address) {
            return;
        }
        // What an access point says of a player that has just left is no claim of the LAN's either.
        let holder = self.holding(now, address).map(|holding| holding.holder);
        if holder == Some(Holder::Player(mac)) {
            return;
        }
        self.hold_for_lan(now, address, HOLD, MAX_OF_LAN);
        if self.first_of(now, mac, address).is_none() && self.is_lans(now, address) {
            self.of_lan.insert((mac, Family::of(address)), address);
        }
    }

    /// The LAN's DHCP server gives an address to a player, and names the LAN's own.
    ///
    /// # Errors
    /// [`DropReason::LeaseConflict`] when somebody else has it: a machine on the LAN, or by a lease a
    /// player that `is_here` or has only just gone.
    pub(crate) fn lease(
        &mut self,
        now: Instant,
        lease: Lease,
        is_here: impl Fn(MacAddr) -> bool,
    ) -> Result<(), DropReason> {
        let (address, me) = (lease.address.into(), Holder::Player(lease.mac));
        if let Some(holding) = self.holding(now, address)
            && holding.holder != me
        {
            let is_alive = match holding.holder {
                Holder::Lan => true,
                Holder::Player(mac) => is_here(mac) || now < holding.confirmed + HOLD,
            };
            let is_strong = holding.leased || holding.holder == Holder::Lan;
            if is_strong && is_alive {
                return Err(DropReason::LeaseConflict);
            }
        }
        let duration = lease.duration.min(LONGEST_LEASE);
        for address in lease.lan.into_iter().flatten() {
            self.hold_for_lan(now, address.into(), duration, MAX_OF_LAN + MAX_NAMED);
        }
        // The server has it think of the others no more.
        for other in self.of_players.get(&lease.mac).into_iter().flatten() {
            if *other != address
                && let Some(holding) = self.held.get_mut(other)
            {
                holding.former = holding.leased;
                holding.end_lease();
            }
        }
        self.hold(now, address, me, duration, true);
        Ok(())
    }

    /// What a player has now.
    pub(crate) fn of(&self, now: Instant, mac: MacAddr) -> impl Iterator<Item = IpAddr> {
        let known = self.of_players.get(&mac).into_iter().flatten().copied();
        known.filter(move |address| {
            let holding = self.held.get(address);
            holding.is_some_and(|held| now < held.until && !held.former)
        })
    }

    /// Another LAN is there now, where the old one's word means nothing.
    pub(crate) fn forget_lan(&mut self) {
        self.held.retain(|_, holding| holding.holder != Holder::Lan);
        self.held_by_lan = 0;
        self.of_lan.clear();
        self.held.values_mut().for_each(Holding::end_lease);
    }

    /// True for a machine that has another address and speaks of this one too.
    fn stands_in(&mut self, now: Instant, mac: MacAddr, address: IpAddr) -> bool {
        let first = self.first_of(now, mac, address);
        first.is_some_and(|first| first != address)
    }

    /// The first address that a machine on the LAN claimed, of the same kind, while the LAN has it.
    fn first_of(&mut self, now: Instant, mac: MacAddr, like: IpAddr) -> Option<IpAddr> {
        let first = self.of_lan.get(&(mac, Family::of(like))).copied()?;
        self.is_lans(now, first).then_some(first)
    }

    fn is_lans(&mut self, now: Instant, address: IpAddr) -> bool {
        let holding = self.holding(now, address);
        holding.is_some_and(|holding| holding.holder == Holder::Lan)
    }

    fn hold_for_lan(&mut self, now: Instant, address: IpAddr, duration: Duration, most: usize) {
        match self.holding(now, address) {
            Some(holding) if holding.holder == Holder::Lan => {
                holding.until = holding.until.max(now + duration);
                return;
            }
            Some(holding) if holding.leased => return,
            Some(_) | None => {}
        }
        // What has lapsed may still be the LAN's.
        let before = self.held.get(&address).map(|holding| holding.holder);
        if before == Some(Holder::Lan) || self.has_room(now, most) {
            self.hold(now, address, Holder::Lan, duration, false);
        }
    }

    fn has_room(&mut self, now: Instant, most: usize) -> bool {
        if self.held_by_lan >= most && now >= self.next_purge {
            self.next_purge = now + PURGE_PAUSE;
            self.purge(now);
        }
        self.held_by_lan < most
    }

    fn holding(&mut self, now: Instant, address: IpAddr) -> Option<&mut Holding> {
        let holding = self.held.get_mut(&address);
        holding.filter(|holding| holding.until > now)
    }

    fn hold(
        &mut self,
        now: Instant,
        address: IpAddr,
        holder: Holder,
        duration: Duration,
        leased: bool,
    ) {
        let before = self.held.get(&address).map(|holding| holding.holder);
        if before != Some(holder) {
            self.remove(address);
            match holder {
                Holder::Lan => self.held_by_lan += 1,
                Holder::Player(mac) => self.give_to(mac, address),
            }
        }
        let holding = Holding {
            holder,
            until: now + duration,
            confirmed: now,
            leased,
            former: false,
        };
        self.held.insert(address, holding);
    }

    fn give_to(&mut self, mac: MacAddr, address: IpAddr) {
        let addresses = self.of_players.entry(mac).or_default();
        if addresses.len() >= MAX_OF_PLAYER {
            let held = &self.held;
            let worth = |address: &IpAddr| held.get(address).map(|held| (held.leased, held.until));
            let (at, _) = addresses
                .iter()
                .enumerate()
                .min_by_key(|(_, address)| worth(address))
                .expect("there are that many");
            self.held.remove(&addresses.remove(at));
        }
        addresses.push(address);
    }

    /// Nobody has it any more.
    fn remove(&mut self, address: IpAddr) {
        match self.held.remove(&address).map(|holding| holding.holder) {
            Some(Holder::Lan) => self.held_by_lan -= 1,
            Some(Holder::Player(mac)) => {
                if let Some(addresses) = self.of_players.get_mut(&mac) {
                    addresses.retain(|held| *held != address);
                    if addresses.is_empty() {
                        self.of_players.remove(&mac);
                        self.departed.retain(|departed| *departed != mac);
                    }
                }
            }
            None => {}
        }
    }

    fn has_lease(&self, mac: MacAddr) -> bool {
        let addresses = self.of_players.get(&mac).into_iter().flatten();
        let mut holdings = addresses.filter_map(|address| self.held.get(address));
        holdings.any(|holding| holding.leased)
    }

    fn forget_player(&mut self, mac: MacAddr) {
        for address in self.of_players.remove(&mac).into_iter().flatten() {
            self.held.remove(&address);
        }
    }

    fn purge(&mut self, now: Instant) {
        let lapsed = self.held.iter().filter(|(_, holding)| holding.until <= now);
        let lapsed: Vec<_> = lapsed.map(|(&address, _)| address).collect();
        for address in lapsed {
            self.remove(address);
        }
        let held = &self.held;
        self.of_lan.retain(|_, address| held.contains_key(address));
    }
}

impl Holding {
    /// Of a lease a claim is left.
    fn end_lease(&mut self) {
        if self.leased {
            self.leased = false;
            self.until = self.until.min(self.confirmed + HOLD);
        }
    }
}

impl Family {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

#[cfg(test)]
mod tests;
