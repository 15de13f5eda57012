//! Which addresses of its own a gateway names to players: pure.
//!
//! Never one of the LAN that it brings to them: that address is reached through the tunnel, with a fine round trip, so a direct path
//! to it would lead through itself. This also leaves out a gateway whose one cable is the LAN's, as most are: players at that
//! LAN need no tunnel, those behind another router of the same home reach it by what the outermost router translates, and everybody
//! else by the address at which the relay sees it, which is the router's. Of IPv6 such a gateway names nothing: it has no address
//! but in the LAN's own prefix, which the players' adapters have too. Where the relay sees it there, a player whose adapter is not
//! in that prefix may use it; that only the player knows.

use lanparty_portmap::{Facts, Held, Outcome, Outside};
use lanparty_switch::reach::LanFacts;
use std::net::{IpAddr, SocketAddr};

/// What is known of where this machine is.
pub(super) struct Known<'a> {
    /// Of the ways out, and of the router's port.
    pub(super) facts: &'a Facts,
    /// Where the relay sees it, and the port that the host has chosen: a router that forwards it by hand need not send from it.
    pub(super) forwarded: Option<(IpAddr, u16)>,
}

/// Where the socket with this port is found, the best first.
pub(super) fn named(
    port: u16,
    known: &Known<'_>,
    is_inside: impl Fn(IpAddr) -> bool,
) -> Vec<SocketAddr> {
    let Known { facts, forwarded } = known;
    let four = match &facts.four {
        Outcome::Open(held) => outside(held),
        Outcome::NoRouter | Outcome::Asking | Outcome::Shut { .. } => None,
    };
    let six = facts.own_ipv6.map(|own| match &facts.six {
        Outcome::Open(held) => SocketAddr::new(held.address.unwrap_or(own), held.port),
        Outcome::NoRouter | Outcome::Asking | Outcome::Shut { .. } => SocketAddr::new(own, port),
    });
    let own = facts.own.map(|own| SocketAddr::new(own, port));
    let by_hand = forwarded.map(SocketAddr::from);
    let mut named = Vec::new();
    for address in [four, six, own, by_hand].into_iter().flatten() {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        if !is_inside(address.ip()) && !named.contains(&address) {
            named.push(address);
        }
    }
    named
}

/// Where the internet finds a port in the router. Behind a second router nobody outside finds it.
pub(super) fn outside(held: &Held) -> Option<SocketAddr> {
    let address = held.address?;
    let is_public = Outside::of(address) == Outside::Public;
    is_public.then(|| SocketAddr::new(address, held.port))
}

/// True for an address in a network of the gateway's interface.
pub(super) fn is_inside(lan: &LanFacts, address: IpAddr) -> bool {
    let address = address.to_canonical();
    lan.networks
        .iter()
        .any(|&(network, bits)| are_of_one(network, address, bits))
}

fn are_of_one(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let (one, other, len): (u128, u128, u32) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let rest = len.saturating_sub(bits.into());
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_portmap::{Router, Way};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn held(address: Option<&str>, port: u16) -> Held {
        Held {
            way: Way::Pcp,
            router: Router {
                address: ip("192.168.1.1"),
                interface: 2,
                own: ip("192.168.1.7"),
            },
            address: address.map(ip),
            port,
        }
    }

    /// The LAN of the party, and another cable that leads out.
    fn lan() -> LanFacts {
        LanFacts {
            own: vec![ip("192.168.50.2"), ip("192.168.1.7")],
            networks: vec![(ip("192.168.50.2"), 24), (ip("2001:db8:5::2"), 64)],
            routers: vec![ip("192.168.1.1")],
        }
    }

    fn of(facts: &Facts, forwarded: Option<(IpAddr, u16)>) -> Vec<SocketAddr> {
        let lan = lan();
        named(40000, &Known { facts, forwarded }, |ip| is_inside(&lan, ip))
    }

    #[test]
    fn a_gateway_names_its_way_out_and_what_the_router_has_opened() {
        let mut facts = Facts {
            own: Some(ip("192.168.1.7")),
            own_ipv6: Some(ip("2001:db8:1::7")),
            ..Facts::default()
        };
        let own = [at("[2001:db8:1::7]:40000"), at("192.168.1.7:40000")];
        assert_eq!(of(&facts, None), own);
        facts.four = Outcome::Open(held(Some("203.0.113.20"), 40001));
        let all = [&[at("203.0.113.20:40001")], &own[..]].concat();
        assert_eq!(of(&facts, None), all, "the router's first");
        // Behind another router that port is nobody's.
        for useless in [Some("100.64.0.2"), Some("10.0.0.2"), None] {
            facts.four = Outcome::Open(held(useless, 40001));
            assert_eq!(of(&facts, None), own);
        }
    }

    #[test]
    fn no_address_of_the_partys_lan_is_named() {
        let one_armed = Facts {
            own: Some(ip("192.168.50.2")),
            own_ipv6: Some(ip("2001:db8:5::2")),
            ..Facts::default()
        };
        assert_eq!(of(&one_armed, None), []);
        let lan = lan();
        for (address, inside) in [
            ("192.168.50.2", true),
            ("192.168.50.255", true),
            ("::ffff:192.168.50.9", true),
            ("192.168.51.2", false),
            ("2001:db8:5::ffff:1", true),
            ("2001:db8:5:1::1", false),
        ] {
            assert_eq!(is_inside(&lan, ip(address)), inside, "{address}");
        }
        let everywhere = LanFacts {
            networks: vec![(ip("10.0.0.1"), 0)],
            ..LanFacts::default()
        };
        assert!(is_inside(&everywhere, ip("203.0.113.1")));
    }

    #[test]
    fn a_port_that_is_forwarded_by_hand_is_named_where_the_relay_sees_the_machine() {
        let facts = Facts::default();
        let forwarded = Some((ip("203.0.113.20"), 40000));
        assert_eq!(of(&facts, forwarded), [at("203.0.113.20:40000")]);
        let inside = Some((ip("192.168.50.1"), 40000));
        assert_eq!(of(&facts, inside), [], "a relay on the LAN sees that");
    }
}
