//! An address that the adapter gives itself where nobody else gives one (RFC 3927).

use crate::at_home::{AtHome, Harm};
use crate::claim::{Pace, Probing, Step};
use crate::random::Random;
use crate::wire::Claim;
use lanparty_proto::MacAddr;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// With it the whole of 169.254.0.0/16 is on the link (RFC 3927 §2.1).
pub(crate) const PREFIX_LEN: u8 = 16;
/// After how long without a server's word an address is looked for. By then a third question has gone out, and also a
/// server that looks for three seconds whether an address is free (dnsmasq) has answered the first. Looking takes four to
/// seven seconds more, so a player without a server plays after eight to eleven.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);
/// RFC 3927 §9: after so many addresses that somebody has, one a minute is tried.
const MAX_CONFLICTS: u32 = 10;
const RATE_LIMIT: Duration = Duration::from_secs(60);
/// Home hardly uses so many in a row.
const MAX_USED: usize = 16;
/// The first and last 256 addresses are kept for the future (RFC 3927 §2.1).
const FIRST: u32 = 0xa9fe_0100;
const COUNT: u32 = 0xfe00;

/// Looks for one.
#[derive(Debug)]
pub(crate) struct MadeUp {
    /// From the MAC, so that a machine has the same one each time.
    candidates: Random,
    random: Random,
    conflicts: u32,
    /// The last one that was free.
    last: Option<Ipv4Addr>,
    search: Search,
}

#[derive(Debug)]
enum Search {
    Off,
    From(Instant),
    Probing(Probing),
}

impl MadeUp {
    pub(crate) fn new(mac: MacAddr, seed: u64) -> Self {
        let [a, b, c, d, e, f] = mac.octets();
        MadeUp {
            candidates: Random::new(u64::from_be_bytes([0, 0, a, b, c, d, e, f])),
            random: Random::new(seed),
            conflicts: 0,
            last: None,
            search: Search::Off,
        }
    }

    /// Looks for one from then on.
    pub(crate) fn search_from(&mut self, at: Instant) {
        self.search = Search::From(at);
    }

    /// Somebody gives addresses after all, or the LAN is gone.
    pub(crate) fn stop(&mut self) {
        self.search = Search::Off;
    }

    /// The one that this machine had is somebody else's.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.last = None;
        self.conflicts += 1;
        let pause = match self.conflicts {
            0..MAX_CONFLICTS => Duration::ZERO,
            _ => RATE_LIMIT,
        };
        self.search = Search::From(now + pause);
    }

    /// Somebody has said something of an address.
    pub(crate) fn hear(&mut self, now: Instant, mac: MacAddr, claim: &Claim) {
        if let Search::Probing(probing) = &self.search
            && probing.is_lost(mac, claim)
        {
            self.lost(now);
        }
    }

    /// The address that is looked at.
    pub(crate) fn looks_at(&self) -> Option<Ipv4Addr> {
        match &self.search {
            Search::Probing(probing) => Some(probing.address),
            Search::Off | Search::From(_) => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match &self.search {
            Search::Off => None,
            Search::From(at) => Some(*at),
            Search::Probing(probing) => Some(probing.next),
        }
    }

    /// A frame to say, or the address that is free.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        mac: MacAddr,
        at_home: &AtHome,
    ) -> Option<Result<Ipv4Addr, Vec<u8>>> {
        if let Search::From(at) = self.search
            && at <= now
        {
            let address = self.candidate(at_home);
            let probing = Probing::new(now, address, Pace::MADE_UP, &mut self.random);
            self.search = Search::Probing(probing);
        }
        let Search::Probing(probing) = &mut self.search else {
            return None;
        };
        if probing.next > now {
            return None;
        }
        match probing.step(now, mac, &mut self.random) {
            Step::Say(frame) => Some(Err(frame)),
            Step::Free => {
                let address = probing.address;
                self.last = Some(address);
                self.search = Search::Off;
                Some(Ok(address))
            }
        }
    }

    /// The next one that home does not use.
    fn candidate(&mut self, at_home: &AtHome) -> Ipv4Addr {
        let is_free = |address: &Ipv4Addr| at_home.harm(*address) == Harm::None;
        if let Some(last) = self.last.filter(is_free) {
            return last;
        }
        let mut next = || Ipv4Addr::from_bits(FIRST + self.candidates.below(COUNT));
        let first = next();
        if is_free(&first) {
            return first;
        }
        (0..MAX_USED).map(|_| next()).find(is_free).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_tries_the_same_addresses_each_time_and_others_try_others() {
        let tries = |last: u8| {
            let mut made_up = MadeUp::new(MacAddr::new([2, 0, 0, 0, 0, last]), 7);
            [(); 20].map(|()| made_up.candidate(&AtHome::default()))
        };
        assert_eq!(tries(1), tries(1));
        assert_ne!(tries(1), tries(2));
        for address in tries(1).into_iter().chain(tries(2)) {
            let [a, b, c, _] = address.octets();
            assert_eq!((a, b), (169, 254));
            assert!((1..=254).contains(&c), "{address}");
        }
    }

    #[test]
    fn after_ten_that_somebody_has_one_a_minute_is_tried() {
        let (now, mac) = (Instant::now(), MacAddr::new([2, 0, 0, 0, 0, 1]));
        let mut made_up = MadeUp::new(mac, 7);
        made_up.search_from(now);
        for conflicts in 1..=12 {
            let start = made_up.poll_timeout().unwrap();
            let waits = conflicts > 10;
            assert_eq!(start > now + Duration::from_secs(59), waits, "{conflicts}");
            let _ = made_up.handle_timeout(start, mac, &AtHome::default());
            let Search::Probing(probing) = &made_up.search else {
                panic!("it does not look: {made_up:?}");
            };
            let claim = Claim {
                mac: MacAddr::new([2, 0, 0, 0, 0, 9]),
                address: probing.address,
                target: mac_less(),
                is_request: false,
            };
            made_up.hear(now, mac, &claim);
        }
    }

    fn mac_less() -> Ipv4Addr {
        Ipv4Addr::UNSPECIFIED
    }
}
