//! Which IP address is whose: a switch's ARP inspection and DHCP snooping, in small.
//!
//! Neighbours believe whoever claimed an address last. So a client's claim of an address that
//! somebody else here has goes no further. What counts as having it, the strongest first:
//!
//! 1. The LAN's DHCP server has given it to a client. Only the gateway's side can say so, and what it
//!    says last holds, whoever had the address before.
//! 2. Somebody on the LAN claims it, or the DHCP server calls it its own or the router's. The LAN is
//!    never told what it may say.
//! 3. A client claims it. First come, first served.
//!
//! A lease holds for its time, a claim for [`HOLD`] after it was last made, in the room and out of
//! it: whoever reconnects finds its addresses kept.

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
/// How many addresses one client has: IPv4, link-local, and a week of temporary ones (RFC 8981) with
/// those of a second prefix. Of more, the one that came first is forgotten.
const MAX_OF_CLIENT: usize = 16;
/// How many addresses a room knows; further ones are nobody's until some have lapsed.
const MAX: usize = 4096;
/// A full table is not searched for lapsed holdings more often than this.
const PURGE_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Addresses {
    held: HashMap<IpAddr, Holding>,
    // In the order in which they came.
    of_clients: HashMap<MacAddr, VecDeque<IpAddr>>,
    next_purge: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Holding {
    holder: Holder,
    until: Instant,
    leased: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Client(MacAddr),
    Lan,
}

impl Addresses {
    pub(crate) fn new(now: Instant) -> Self {
        Addresses {
            held: HashMap::new(),
            of_clients: HashMap::new(),
            next_purge: now,
        }
    }

    /// A client says that it has this address.
    pub(crate) fn claim(
        &mut self,
        now: Instant,
        mac: MacAddr,
        address: IpAddr,
    ) -> Result<(), DropReason> {
        let me = Holder::Client(mac);
        match self.holding(now, address) {
            Some(holding) if holding.holder == me => {
                holding.until = holding.until.max(now + HOLD);
                Ok(())
            }
            Some(_) => Err(DropReason::ClaimedAddress),
            None => {
                self.hold(now, address, me, HOLD, false);
                Ok(())
            }
        }
    }

    /// Somebody on the LAN says so.
    pub(crate) fn claim_from_lan(&mut self, now: Instant, address: IpAddr) {
        self.hold_for_lan(now, address, HOLD);
    }

    /// The LAN's DHCP server gives an address to a client, and names the LAN's own.
    pub(crate) fn lease(&mut self, now: Instant, lease: Lease) {
        let duration = lease.duration.min(LONGEST_LEASE);
        for address in lease.lan.into_iter().flatten() {
            self.hold_for_lan(now, address.into(), duration);
        }
        self.hold(
            now,
            lease.address.into(),
            Holder::Client(lease.mac),
            duration,
            true,
        );
    }

    /// What a client has now, the latest last.
    pub(crate) fn of(&self, now: Instant, mac: MacAddr) -> impl Iterator<Item = IpAddr> {
        let known = self.of_clients.get(&mac).into_iter().flatten().copied();
        known.filter(move |address| {
            let holding = self.held.get(address);
            holding.is_some_and(|held| held.holder == Holder::Client(mac) && now < held.until)
        })
    }

    /// The gateway has left. The next one may be on another LAN, where the old one's word means nothing.
    pub(crate) fn forget_lan(&mut self) {
        self.held.retain(|_, holding| holding.holder != Holder::Lan);
        for holding in self.held.values_mut() {
            holding.leased = false;
        }
    }

    fn hold_for_lan(&mut self, now: Instant, address: IpAddr, duration: Duration) {
        match self.holding(now, address) {
            Some(holding) if holding.holder == Holder::Lan => {
                holding.until = holding.until.max(now + duration);
            }
            Some(holding) if holding.leased => {}
            Some(_) | None => self.hold(now, address, Holder::Lan, duration, false),
        }
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
        if !self.has_room(now, address) {
            return;
        }
        let until = now + duration;
        let holding = Holding {
            holder,
            until,
            leased,
        };
        let before = self.held.insert(address, holding);
        if let Some(before) = before
            && before.holder != holder
        {
            self.take_from(before.holder, address);
        }
        if let Holder::Client(mac) = holder {
            self.give_to(mac, address);
        }
    }

    fn has_room(&mut self, now: Instant, address: IpAddr) -> bool {
        if self.held.len() >= MAX && now >= self.next_purge {
            self.next_purge = now + PURGE_PAUSE;
            self.purge(now);
        }
        self.held.len() < MAX || self.held.contains_key(&address)
    }

    fn purge(&mut self, now: Instant) {
        self.held.retain(|_, holding| holding.until > now);
        self.of_clients.retain(|_, addresses| {
            addresses.retain(|address| self.held.contains_key(address));
            !addresses.is_empty()
        });
    }

    fn give_to(&mut self, mac: MacAddr, address: IpAddr) {
        let addresses = self.of_clients.entry(mac).or_default();
        if addresses.contains(&address) {
            return;
        }
        addresses.push_back(address);
        if addresses.len() > MAX_OF_CLIENT
            && let Some(first) = addresses.pop_front()
        {
            self.held.remove(&first);
        }
    }

    fn take_from(&mut self, holder: Holder, address: IpAddr) {
        let Holder::Client(mac) = holder else { return };
        let Some(addresses) = self.of_clients.get_mut(&mac) else {
            return;
        };
        addresses.retain(|held| *held != address);
        if addresses.is_empty() {
            self.of_clients.remove(&mac);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ALICE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
    const MALLORY: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 0x66]);
    const TAKEN: Result<(), DropReason> = Err(DropReason::ClaimedAddress);

    fn table() -> (Instant, Addresses) {
        let now = Instant::now();
        (now, Addresses::new(now))
    }

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(0xc0a8_0000 + number).into()
    }

    fn lease(mac: MacAddr, number: u32, seconds: u64) -> Lease {
        Lease {
            mac,
            address: Ipv4Addr::from(0xc0a8_0000 + number),
            duration: Duration::from_secs(seconds),
            lan: [None, None],
        }
    }

    #[test]
    fn an_address_is_its_claimants_until_it_has_been_silent() {
        let (now, mut table) = table();
        assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
        assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN);
        let later = now + HOLD / 2;
        assert_eq!(table.claim(later, ALICE, address(1)), Ok(()));
        let end = later + HOLD;
        let just_before = end - Duration::from_millis(1);
        assert_eq!(table.claim(just_before, MALLORY, address(1)), TAKEN);
        assert_eq!(table.claim(end, MALLORY, address(1)), Ok(()));
        assert_eq!(table.claim(end, ALICE, address(1)), TAKEN);
    }

    #[test]
    fn a_refused_claim_does_not_prolong_anything() {
        let (now, mut table) = table();
        table.claim(now, MALLORY, address(1)).unwrap();
        assert_eq!(table.claim(now + HOLD / 2, ALICE, address(1)), TAKEN);
        assert_eq!(table.claim(now + HOLD, ALICE, address(1)), Ok(()));
    }

    #[test]
    fn the_lan_takes_what_a_client_only_claimed() {
        let (now, mut table) = table();
        table.claim(now, MALLORY, address(1)).unwrap();
        table.claim_from_lan(now, address(1));
        assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN);
        assert_eq!(table.claim(now + HOLD, ALICE, address(1)), Ok(()));
    }

    #[test]
    fn a_lease_takes_the_address_from_whoever_claimed_it_first() {
        let (now, mut table) = table();
        table.claim(now, MALLORY, address(1)).unwrap();
        table.claim_from_lan(now, address(2));
        for number in [1, 2] {
            table.lease(now, lease(ALICE, number, 3600));
            assert_eq!(table.claim(now, ALICE, address(number)), Ok(()));
            assert_eq!(table.claim(now, MALLORY, address(number)), TAKEN);
        }
    }

    #[test]
    fn a_lease_holds_for_its_time_in_silence_and_against_the_lans_proxies() {
        let (now, mut table) = table();
        table.lease(now, lease(ALICE, 1, 3600));
        let later = now + Duration::from_secs(3599);
        table.claim_from_lan(later, address(1));
        assert_eq!(table.claim(later, MALLORY, address(1)), TAKEN);
        let end = now + Duration::from_secs(3600);
        assert_eq!(table.claim(end, MALLORY, address(1)), Ok(()));
        table.lease(end, lease(ALICE, 2, u32::MAX.into()));
        assert_eq!(
            table.claim(end + LONGEST_LEASE, MALLORY, address(2)),
            Ok(())
        );
    }

    #[test]
    fn the_router_that_the_server_names_is_the_lans() {
        let (now, mut table) = table();
        table.claim(now, MALLORY, address(254)).unwrap();
        let mut lease = lease(ALICE, 1, 3600);
        lease.lan = [None, Some(Ipv4Addr::from(0xc0a8_00fe))];
        table.lease(now, lease);
        table.claim_from_lan(now, address(254));
        assert_eq!(table.claim(now + HOLD, MALLORY, address(254)), TAKEN);
    }

    #[test]
    fn a_new_lease_moves_the_address_of_somebody_who_has_gone() {
        let (now, mut table) = table();
        table.lease(now, lease(MALLORY, 1, 3600));
        table.lease(now, lease(ALICE, 1, 60));
        assert_eq!(table.claim(now, MALLORY, address(1)), TAKEN);
        assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
    }

    #[test]
    fn another_lans_word_replaces_that_of_the_first() {
        let (now, mut table) = table();
        table.claim_from_lan(now, address(1));
        table.lease(now, lease(MALLORY, 2, 3600));
        table.forget_lan();
        assert_eq!(table.claim(now, ALICE, address(1)), Ok(()));
        assert_eq!(table.claim(now, ALICE, address(2)), TAKEN, "first come");
        table.claim_from_lan(now, address(2));
        assert_eq!(table.claim(now, MALLORY, address(2)), TAKEN);
    }

    #[test]
    fn who_claims_everything_keeps_little() {
        let (now, mut table) = table();
        for number in 0..100_000 {
            assert_eq!(table.claim(now, MALLORY, address(number)), Ok(()));
        }
        assert_eq!(table.held.len(), MAX_OF_CLIENT);
        assert_eq!(table.claim(now, ALICE, address(0)), Ok(()));
        assert_eq!(table.claim(now, ALICE, address(99_999)), TAKEN);
    }

    #[test]
    fn a_full_table_is_searched_once_a_second_at_most() {
        let (now, mut table) = table();
        let second = Duration::from_secs(1);
        // Half of them lapse half a second after the others.
        for number in 0..u32::try_from(MAX).unwrap() {
            let half = number % 2;
            table.claim_from_lan(now + second / 2 * half, address(number));
        }
        let lapse = now + HOLD;
        table.claim_from_lan(lapse - second / 4, address(50_000));
        assert!(!table.held.contains_key(&address(50_000)), "it is full");
        // Searched a quarter of a second ago, and nothing had lapsed then.
        table.claim_from_lan(lapse + second / 2, address(50_001));
        assert_eq!(table.held.len(), MAX);
        assert!(!table.held.contains_key(&address(50_001)));
        table.claim_from_lan(lapse + second, address(50_002));
        assert!(table.held.contains_key(&address(50_002)));
    }

    #[test]
    fn a_flood_of_addresses_stays_bounded_and_keeps_what_was_known() {
        let (now, mut table) = table();
        table.claim(now, ALICE, address(0)).unwrap();
        for number in 0..20_000 {
            table.claim_from_lan(now, address(1000 + number));
        }
        assert_eq!(table.held.len(), MAX);
        assert_eq!(table.claim(now, MALLORY, address(0)), TAKEN);
        let later = now + HOLD;
        assert_eq!(table.claim(later, MALLORY, address(20_999)), Ok(()));
        assert_eq!((table.held.len(), table.of_clients.len()), (1, 1));
    }
}
