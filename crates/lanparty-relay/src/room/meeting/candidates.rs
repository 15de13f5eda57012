//! Which addresses of one peer another one is told of.
//!
//! Whoever is told of an address sends a few packets there, so what a peer names of itself could be anybody's. It is
//! only handed on where it can be of use, and of what the relay has not seen itself there is little: one IPv4 address
//! with one port, and one IPv6 /64 with two. A peer that names somebody else so makes each of those it meets send that
//! one what one round costs, and rounds are counted.

use super::Sight;
use crate::sources::{place_of, source_of};
use lanparty_ctrl::door::MAX_ADDRESSES;
use std::net::{IpAddr, SocketAddr};

/// Services of machines that want nothing of us. No system gives such a port to a socket that asks for any.
const PRIVILEGED: std::ops::Range<u16> = 0..1024;

/// What `to` is told of a peer that is seen as `of` and has `named` some addresses of its own: where it is seen, first.
pub(super) fn given(of: &Sight, named: &[SocketAddr], to: &Sight) -> Vec<SocketAddr> {
    let seen = of.address;
    let is_near = is_near(seen.ip(), to.address.ip());
    let mut given = Vec::with_capacity(1 + named.len().min(MAX_ADDRESSES));
    if is_near && seen.ip().is_loopback() == to.address.ip().is_loopback() || is_public(seen.ip()) {
        given.push(seen);
    }
    let mut unseen = Unseen::default();
    for &address in named.iter().take(MAX_ADDRESSES) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let is_relay = [of.relay, to.relay].contains(&Some(address));
        if is_relay || given.contains(&address) || !may_be_a_peer(address) {
            continue;
        }
        let is_of_use = match address.ip() {
            ip if !is_public(ip) => is_near,
            ip if source_of(ip) == source_of(seen.ip()) => true,
            _ => unseen.takes(address),
        };
        if is_of_use {
            given.push(address);
        }
    }
    given
}

/// Public addresses at which the relay has not seen who names them: another uplink, a mapped port, the other family.
#[derive(Debug, Default)]
struct Unseen {
    v4: Option<IpAddr>,
    v6: Vec<IpAddr>,
}

impl Unseen {
    fn takes(&mut self, address: SocketAddr) -> bool {
        let ip = address.ip();
        if ip.is_ipv4() {
            return self.v4.replace(ip).is_none();
        }
        let is_first = self.v6.is_empty();
        let is_beside = |other: &IpAddr| source_of(*other) == source_of(ip);
        // One that stays, and one that a system makes up for a day (RFC 8981).
        let fits = is_first || self.v6.len() < 2 && self.v6.iter().all(is_beside);
        if fits {
            self.v6.push(ip);
        }
        fits
    }
}

/// Whether the two may be in one network, so that a private address of one means the same to the other: behind one NAT,
/// or several of one site. Where the relay sees one of them by IPv4 and the other by IPv6 it cannot tell.
fn is_near(one: IpAddr, other: IpAddr) -> bool {
    if !is_public(one) || !is_public(other) {
        // The relay is in that network itself: whoever comes from outside of it is elsewhere.
        return !is_public(one) && !is_public(other);
    }
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..2] == other.octets()[..2],
        (IpAddr::V6(_), IpAddr::V6(_)) => place_of(source_of(one)) == place_of(source_of(other)),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => true,
    }
}

/// True for what a socket of a peer's can have, as others see it.
fn may_be_a_peer(address: SocketAddr) -> bool {
    let ip = address.ip();
    let is_nobodys = match ip {
        // The last are reserved, and everybody.
        IpAddr::V4(ip) => ip.is_link_local() || ip.octets()[0] == 0 || ip.octets()[0] >= 240,
        // Without its interface it says nothing.
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let is_anybodys = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast();
    !is_nobodys && !is_anybodys && !PRIVILEGED.contains(&address.port())
}

/// True for what means the same everywhere.
fn is_public(ip: IpAddr) -> bool {
    !match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            // RFC 6598: between a carrier's NAT and its customers.
            let is_carriers = first == 100 && second & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_carriers
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sight(address: &str) -> Sight {
        Sight {
            address: address.parse().unwrap(),
            relay: Some("192.0.2.1:4433".parse().unwrap()),
            rtt: Duration::ZERO,
        }
    }

    /// What somebody at `to` is told of who is seen `at` and names these.
    fn told(at: &str, named: &[&str], to: &str) -> Vec<String> {
        let named: Vec<_> = named.iter().map(|name| name.parse().unwrap()).collect();
        let given = given(&sight(at), &named, &sight(to));
        given.iter().map(SocketAddr::to_string).collect()
    }

    const HERE: &str = "203.0.113.10:40000";
    const AWAY: &str = "198.51.100.20:40000";

    #[test]
    fn where_it_is_seen_comes_first_and_nothing_twice() {
        let named = ["203.0.113.10:50000", HERE, "[::ffff:203.0.113.10]:50000"];
        assert_eq!(told(HERE, &named, AWAY), [HERE, "203.0.113.10:50000"]);
        let many: Vec<_> = (0..20)
            .map(|port| format!("203.0.113.10:{}", 5000 + port))
            .collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(told(HERE, &many, AWAY).len(), 1 + MAX_ADDRESSES);
    }

    #[test]
    fn what_is_nobodys_everybodys_or_the_relays_is_never_told() {
        let named = [
            "127.0.0.1:40000",
            "[::1]:40000",
            "[::ffff:127.0.0.1]:40000",
            "0.0.0.0:40000",
            "[::]:40000",
            "224.0.0.251:5353",
            "[ff02::fb]:5353",
            "255.255.255.255:40000",
            "250.1.2.3:40000",
        ];
        assert_eq!(told(HERE, &named, HERE), [HERE]);
        let named = [
            "0.1.2.3:40000",
            "169.254.169.254:40000",
            "[fe80::1]:40000",
            "203.0.113.10:0",
            "203.0.113.10:53",
            "192.0.2.1:4433",
        ];
        assert_eq!(told(HERE, &named, HERE), [HERE]);
    }

    #[test]
    fn of_what_the_relay_has_not_seen_there_is_little() {
        let victims = ["192.0.2.80:40000", "192.0.2.80:40001", "192.0.2.81:40000"];
        assert_eq!(told(HERE, &victims, AWAY), [HERE, victims[0]]);
        let own = [
            "[2001:db8:1:1::1]:40000",
            "[2001:db8:1:1::2]:40000",
            "[2001:db8:1:1::3]:40000",
            "[2001:db8:1:2::1]:40000",
        ];
        assert_eq!(told(HERE, &own, AWAY), [HERE, own[0], own[1]]);
        let seen = "[2001:db8:1:1::9]:40000";
        assert_eq!(
            told(seen, &own, AWAY),
            [seen, own[0], own[1], own[2], own[3]]
        );
    }

    #[test]
    fn private_addresses_are_for_who_may_be_in_the_same_network() {
        let private = [
            "192.168.1.5:40000",
            "10.1.2.3:40000",
            "100.64.0.2:40000",
            "[fd00::5]:40000",
        ];
        let all = [&[HERE][..], &private[..]].concat();
        assert_eq!(told(HERE, &private, HERE), all, "behind one NAT");
        assert_eq!(told(HERE, &private, "203.0.77.1:9"), all, "of one site");
        assert_eq!(told(HERE, &private, "[2001:db8::1]:9"), all, "who knows");
        assert_eq!(told(HERE, &private, AWAY), [HERE]);
        let [one, same, other] = [
            "[2001:db8:1:1::1]:40000",
            "[2001:db8:1:2::1]:40000",
            "[2001:db8:2:1::1]:40000",
        ];
        assert_eq!(told(one, &private[..1], same).len(), 2);
        assert_eq!(told(one, &private[..1], other), [one]);
    }

    #[test]
    fn a_relay_in_their_own_network_tells_those_who_are_there_too() {
        let (beside, lan) = ("127.0.0.1:40000", "192.168.1.5:40000");
        let mapped = "203.0.113.10:40001";
        assert_eq!(told(lan, &[mapped], "192.168.1.7:9"), [lan, mapped]);
        assert_eq!(told(lan, &[mapped], AWAY), [mapped], "means nothing there");
        assert_eq!(told(beside, &[lan], "127.0.0.1:9"), [beside, lan]);
        assert_eq!(told(beside, &[lan], "192.168.1.7:9"), [lan]);
        assert_eq!(told(beside, &[lan, mapped], AWAY), [mapped]);
    }
}
