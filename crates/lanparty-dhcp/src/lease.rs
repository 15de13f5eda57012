//! What a DHCP server lends: an address that a machine on a LAN can have, and for how long.

use crate::random::Random;
use crate::wire::Answer;
use lanparty_proto::MacAddr;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Servers must say a time. One that does not has lent for an hour before with other clients.
const UNSAID: u32 = 3600;
/// For ever (RFC 2131 §3.3).
const INFINITE: u32 = u32::MAX;
/// Less than this is a server's mistake, and would have us ask without a pause.
const SHORTEST: u32 = 10;
/// Networks that are larger or smaller than these are no LAN's: they would take over a player's other traffic, or have
/// room for nobody else.
const PREFIXES: std::ops::RangeInclusive<u8> = 8..=31;

/// A lease, as a server gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix_len: u8,
    pub(crate) broadcast: Option<Ipv4Addr>,
    /// The server, and the MAC that its word came from: a relay agent's, where it is not on this LAN.
    pub(crate) server: Ipv4Addr,
    pub(crate) server_mac: MacAddr,
    /// When the server is asked for more time, and when every server is.
    pub(crate) renew_at: Option<Instant>,
    pub(crate) rebind_at: Option<Instant>,
    /// Its end; none is never.
    pub(crate) until: Option<Instant>,
}

/// No machine can have what the server gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub(crate) address: Ipv4Addr,
}

impl Lease {
    /// Reads what an offer or an acknowledgement gives to who asked at `asked`.
    pub(crate) fn read(answer: &Answer, asked: Instant) -> Result<Self, Unusable> {
        let unusable = Unusable {
            address: answer.address,
        };
        let server = answer.server.filter(|server| is_host(*server));
        let server = server.ok_or(unusable)?;
        let prefix_len = match answer.mask {
            Some(mask) => prefix_len(mask).ok_or(unusable)?,
            None => usual_prefix_len(answer.address),
        };
        let address = answer.address;
        let is_usable = is_host(address)
            && PREFIXES.contains(&prefix_len)
            && is_in_network(address, prefix_len)
            && address != server;
        if !is_usable {
            return Err(unusable);
        }
        let seconds = answer.lease.unwrap_or(UNSAID);
        let times = (seconds != INFINITE).then(|| Times::of(seconds.max(SHORTEST), answer));
        let after = |pick: fn(Times) -> u32| {
            let seconds = u64::from(pick(times?));
            asked.checked_add(Duration::from_secs(seconds))
        };
        let named = answer.broadcast;
        let sensible = |broadcast: &Ipv4Addr| {
            *broadcast != address && network(*broadcast, prefix_len) == network(address, prefix_len)
        };
        Ok(Lease {
            address,
            prefix_len,
            broadcast: named.filter(sensible).or(broadcast(address, prefix_len)),
            server,
            server_mac: answer.from,
            renew_at: after(|times| times.renew),
            rebind_at: after(|times| times.rebind),
            until: after(|times| times.whole),
        })
    }
}

impl Lease {
    /// Whether its server is on the same LAN, where ARP finds it.
    pub(crate) fn has_near_server(&self) -> bool {
        network(self.server, self.prefix_len) == network(self.address, self.prefix_len)
    }

    /// So much of it has passed besides, which no clock here has counted.
    pub(crate) fn age(&mut self, now: Instant, passed: Duration) {
        for at in [&mut self.renew_at, &mut self.rebind_at, &mut self.until] {
            // What is before the clock's beginning is over.
            *at = at.map(|at| at.checked_sub(passed).unwrap_or(now));
        }
    }
}

/// Seconds of a lease, in order.
#[derive(Debug, Clone, Copy)]
struct Times {
    renew: u32,
    rebind: u32,
    whole: u32,
}

impl Times {
    /// What the server says of T1 and T2, if it makes sense, or what is usual (RFC 2131 §4.4.5).
    fn of(whole: u32, answer: &Answer) -> Self {
        let rebind = answer.t2.filter(|t2| (2..whole).contains(t2));
        let rebind = rebind.unwrap_or(whole - whole / 8);
        let renew = answer.t1.filter(|t1| (1..rebind).contains(t1));
        let renew = renew.unwrap_or(whole / 2).min(rebind - 1);
        Times {
            renew,
            rebind,
            whole,
        }
    }
}

/// The network's broadcast address; two machines on a cable have none (RFC 3021).
pub(crate) fn broadcast(address: Ipv4Addr, prefix_len: u8) -> Option<Ipv4Addr> {
    let host_bits = host_bits(prefix_len);
    (prefix_len < 31).then(|| Ipv4Addr::from_bits(address.to_bits() | host_bits))
}

/// Another host's address in the same network, which has room for more than one.
pub(crate) fn neighbour(address: Ipv4Addr, prefix_len: u8, random: &mut Random) -> Ipv4Addr {
    let hosts = host_bits(prefix_len) - 1;
    // From 1 on, as 0 names the network, and round the own one.
    let own = address.to_bits() & host_bits(prefix_len);
    let other = (own + random.below(hosts - 1)) % hosts + 1;
    Ipv4Addr::from_bits(network(address, prefix_len) | other)
}

/// The length of a mask without holes.
fn prefix_len(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (bits.count_ones() == ones).then(|| u8::try_from(ones).expect("at most 32"))
}

/// By classes, as before there were masks (RFC 950 §2.1).
fn usual_prefix_len(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        192.. => 24,
    }
}

/// An address that a server can lend: nobody's, a group's, the own machine's and made-up ones are none.
fn is_host(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    (1..224).contains(&first) && !address.is_loopback() && !address.is_link_local()
}

/// Neither the network's own address nor its broadcast address.
fn is_in_network(address: Ipv4Addr, prefix_len: u8) -> bool {
    let host = address.to_bits() & host_bits(prefix_len);
    prefix_len >= 31 || host != 0 && host != host_bits(prefix_len)
}

fn network(address: Ipv4Addr, prefix_len: u8) -> u32 {
    address.to_bits() & !host_bits(prefix_len)
}

fn host_bits(prefix_len: u8) -> u32 {
    u32::MAX.checked_shr(prefix_len.into()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Verdict;

    #[test]
    fn a_lease_lasts_from_the_question_on_and_is_renewed_at_half_time() {
        let asked = Instant::now();
        let lease = Lease::read(&answer(), asked).unwrap();
        let after = |seconds| Some(asked + Duration::from_secs(seconds));
        assert_eq!(lease.address, Ipv4Addr::new(192, 168, 50, 100));
        assert_eq!(lease.prefix_len, 24);
        assert_eq!(lease.broadcast, Some(Ipv4Addr::new(192, 168, 50, 255)));
        assert_eq!(lease.renew_at, after(1800));
        assert_eq!(lease.rebind_at, after(3150));
        assert_eq!(lease.until, after(3600));
    }

    #[test]
    fn times_that_make_no_sense_are_the_usual_ones() {
        let asked = Instant::now();
        let times = |lease, t1, t2| {
            let answer = Answer {
                lease,
                t1,
                t2,
                ..answer()
            };
            let lease = Lease::read(&answer, asked).unwrap();
            [lease.renew_at, lease.rebind_at, lease.until]
                .map(|at| at.map(|at| (at - asked).as_secs()))
        };
        let some = |numbers: [u64; 3]| numbers.map(Some);
        assert_eq!(times(Some(120), Some(60), Some(105)), some([60, 105, 120]));
        assert_eq!(times(Some(120), Some(110), Some(20)), some([19, 20, 120]));
        assert_eq!(times(Some(120), Some(0), Some(500)), some([60, 105, 120]));
        assert_eq!(times(Some(0), None, None), some([5, 9, 10]));
        assert_eq!(times(None, None, None), some([1800, 3150, 3600]));
        assert_eq!(times(Some(u32::MAX), Some(60), None), [None; 3]);
        let [renew, rebind, until] = times(Some(u32::MAX - 1), None, None);
        assert!(renew < rebind && rebind < until && until.is_some());
    }

    #[test]
    fn what_no_machine_can_have_is_refused() {
        let refused = |address: &str, mask: &str, server: &str| {
            let answer = Answer {
                address: address.parse().unwrap(),
                mask: Some(mask.parse().unwrap()),
                server: Some(server.parse().unwrap()),
                ..answer()
            };
            Lease::read(&answer, Instant::now()).is_err()
        };
        let server = "192.168.50.1";
        assert!(!refused("192.168.50.7", "255.255.255.0", server));
        assert!(!refused("10.0.0.7", "255.0.0.0", server));
        for address in [
            "0.0.0.0",
            "0.0.0.7",
            "127.0.0.7",
            "169.254.7.7",
            "224.0.0.7",
            "240.0.0.1",
            "255.255.255.255",
            "192.168.50.0",
            "192.168.50.255",
            "192.168.50.1",
        ] {
            assert!(refused(address, "255.255.255.0", server), "{address}");
        }
        for mask in [
            "0.0.0.0",
            "128.0.0.0",
            "255.0.255.0",
            "0.255.255.255",
            "255.255.255.255",
        ] {
            assert!(refused("192.168.50.7", mask, server), "{mask}");
        }
        for server in ["0.0.0.0", "255.255.255.255", "224.0.0.1"] {
            assert!(refused("192.168.50.7", "255.255.255.0", server), "{server}");
        }
        let anonymous = Answer {
            server: None,
            ..answer()
        };
        assert!(Lease::read(&anonymous, Instant::now()).is_err());
    }

    #[test]
    fn an_old_server_that_says_no_mask_means_its_class() {
        let prefix_len = |address: &str| {
            let answer = Answer {
                address: address.parse().unwrap(),
                mask: None,
                ..answer()
            };
            Lease::read(&answer, Instant::now()).unwrap().prefix_len
        };
        assert_eq!(prefix_len("10.0.0.7"), 8);
        assert_eq!(prefix_len("172.16.0.7"), 16);
        assert_eq!(prefix_len("192.168.1.7"), 24);
    }

    #[test]
    fn a_broadcast_address_of_another_network_is_not_taken() {
        let broadcast = |named: &str| {
            let answer = Answer {
                broadcast: Some(named.parse().unwrap()),
                ..answer()
            };
            let lease = Lease::read(&answer, Instant::now()).unwrap();
            lease.broadcast.unwrap().to_string()
        };
        assert_eq!(broadcast("192.168.50.0"), "192.168.50.0");
        assert_eq!(broadcast("192.168.50.100"), "192.168.50.255");
        assert_eq!(broadcast("10.255.255.255"), "192.168.50.255");
    }

    fn answer() -> Answer {
        Answer {
            verdict: Verdict::Ack,
            xid: 7,
            from: MacAddr::new([0, 0x1b, 0x21, 0, 0, 1]),
            server: Some(Ipv4Addr::new(192, 168, 50, 1)),
            address: Ipv4Addr::new(192, 168, 50, 100),
            mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            broadcast: None,
            lease: Some(3600),
            t1: None,
            t2: None,
        }
    }
}
