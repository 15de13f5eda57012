//! Routers, Wi-Fi controllers and switches that answer ARP for every address (proxy ARP, RFC 1027).
//!
//! With one of them on the LAN every address looks taken. Whoever answers within a minute for three different addresses that
//! this machine has asked about is taken for one, and what it claims counts no more: neither while an address is looked at
//! nor against one that is held. A machine with two addresses is none. An attacker who answers for everything gains that
//! it is not listened to, where before nobody had an address.

use crate::lease;
use crate::random::Random;
use crate::wire::Claim;
use lanparty_proto::MacAddr;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const MANY: usize = 3;
const MEMORY: Duration = Duration::from_secs(60);
/// Strangers have as many MACs as they like.
const MAX_SUSPECTS: usize = 8;
/// In a smaller network somebody may well have what is asked about.
const LONGEST_PREFIX: u8 = 28;

/// Who they are.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    known: VecDeque<MacAddr>,
    suspects: VecDeque<Suspect>,
    /// Other addresses of the same network that were asked about.
    tests: [Option<Ipv4Addr>; MANY - 1],
}

#[derive(Debug)]
struct Suspect {
    mac: MacAddr,
    heard: Instant,
    addresses: Vec<Ipv4Addr>,
}

impl Proxies {
    /// Whether this is the claim of one of them. `is_asked` says that the machine has asked about the address for its own sake.
    pub(crate) fn hear(&mut self, now: Instant, claim: &Claim, is_asked: bool) -> bool {
        if self.known.contains(&claim.mac) {
            return true;
        }
        if !is_asked && !self.tests.contains(&Some(claim.address)) {
            return false;
        }
        let is_one = self.suspect(now, claim.mac).answers_for(claim.address) >= MANY;
        if is_one {
            self.suspects.retain(|suspect| suspect.mac != claim.mac);
            self.known.truncate(MAX_SUSPECTS - 1);
            self.known.push_front(claim.mac);
        }
        is_one
    }

    fn suspect(&mut self, now: Instant, mac: MacAddr) -> &mut Suspect {
        let is_recent = |heard| now.saturating_duration_since(heard) < MEMORY;
        self.suspects.retain(|suspect| is_recent(suspect.heard));
        let at = self.suspects.iter().position(|suspect| suspect.mac == mac);
        let suspect = at.and_then(|at| self.suspects.remove(at));
        let addresses = suspect.map_or(Vec::new(), |suspect| suspect.addresses);
        self.suspects.truncate(MAX_SUSPECTS - 1);
        self.suspects.push_front(Suspect {
            mac,
            heard: now,
            addresses,
        });
        &mut self.suspects[0]
    }

    /// Addresses to ask about where somebody claims this one: nobody has all three.
    pub(crate) fn test_addresses(
        &mut self,
        address: Ipv4Addr,
        prefix_len: u8,
        random: &mut Random,
    ) -> impl Iterator<Item = Ipv4Addr> + use<> {
        self.tests = [None; MANY - 1];
        if prefix_len <= LONGEST_PREFIX {
            self.tests =
                [(); MANY - 1].map(|()| Some(lease::neighbour(address, prefix_len, random)));
        }
        self.tests.into_iter().flatten()
    }
}

impl Suspect {
    /// How many there are with this one.
    fn answers_for(&mut self, address: Ipv4Addr) -> usize {
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
        self.addresses.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_addresses_within_a_minute_make_one_and_two_do_not() {
        let mut now = Instant::now();
        let mut proxies = Proxies::default();
        for number in [1, 2, 1, 2, 2, 1] {
            assert!(!proxies.hear(now, &claim(9, number), true));
        }
        // What nobody asked about says nothing: machines move.
        assert!(!proxies.hear(now, &claim(9, 3), false));
        now += MEMORY;
        assert!(!proxies.hear(now, &claim(9, 3), true), "that was long ago");
        assert!(!proxies.hear(now, &claim(9, 4), true));
        assert!(!proxies.hear(now, &claim(8, 5), true), "somebody else");
        assert!(proxies.hear(now, &claim(9, 5), true));
        assert!(proxies.hear(now + 2 * MEMORY, &claim(9, 77), false));
        assert!(!proxies.hear(now, &claim(8, 5), true));
    }

    #[test]
    fn whoever_has_many_macs_fills_nothing() {
        let (now, mut proxies) = (Instant::now(), Proxies::default());
        for mac in 0..=255 {
            for number in 0..mac % 5 {
                proxies.hear(now, &claim(mac, number), true);
            }
        }
        assert!(proxies.suspects.len() <= MAX_SUSPECTS && proxies.known.len() <= MAX_SUSPECTS);
    }

    fn claim(mac: u8, number: u8) -> Claim {
        Claim {
            mac: MacAddr::new([0, 0x1b, 0x21, 0, 0, mac]),
            address: Ipv4Addr::new(192, 168, 50, number),
            target: Ipv4Addr::UNSPECIFIED,
            is_request: false,
        }
    }
}
