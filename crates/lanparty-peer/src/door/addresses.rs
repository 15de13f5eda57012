//! Which addresses the two of a meeting try: pure, what is asked of the system is passed in.
//!
//! One trap is between them: an address of the party's LAN is reached through the tunnel, with a fine round trip, and a path
//! to it would lead through itself. So nobody names such an address, and nobody tries one.

use lanparty_ctrl::door::MAX_ADDRESSES;
use lanparty_edge::source_address::source_towards;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// As many of the other one's are tried: where the relay sees it, and what it has named.
const MAX_TRIED: usize = MAX_ADDRESSES + 1;

/// As many that were not told are tried in a round.
const MAX_UNFORESEEN: u8 = 2;
const FIRST_LENT: u16 = 1024;

/// The socket with this port at the addresses from which this machine sends to the internet, one of each family where it
/// has both; nothing is sent.
pub fn outgoing(port: u16) -> Vec<SocketAddr> {
    // For documentation (RFC 5737, RFC 3849): they are nobody's, so the default routes lead there.
    let anywhere: [SocketAddr; 2] = [
        (Ipv4Addr::new(192, 0, 2, 1), 443).into(),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 443).into(),
    ];
    let sources = anywhere.into_iter().filter_map(source_towards);
    sources.map(|ip| SocketAddr::new(ip, port)).collect()
}

/// What of a program's addresses its peer names: those at which others may find it.
pub(super) fn named(own: &[SocketAddr], is_inside: impl Fn(IpAddr) -> bool) -> Vec<SocketAddr> {
    let mut named: Vec<SocketAddr> = Vec::new();
    for address in own {
        let ip = address.ip().to_canonical();
        let address = SocketAddr::new(ip, address.port());
        let is_of_use = is_somebody(ip) && !ip.is_loopback() && !is_inside(ip);
        if is_of_use && !named.contains(&address) && named.len() < MAX_ADDRESSES {
            named.push(address);
        }
    }
    named
}

/// What else must be known to choose among the addresses of somebody else.
pub(super) struct Around<I, S> {
    /// The relay, which is not the other one whatever it says.
    pub(super) relay: SocketAddr,
    /// Whether an address is the party's.
    pub(super) is_inside: I,
    /// From which of its addresses this machine sends there.
    pub(super) source: S,
    /// True at the party's LAN itself: what leaves there by the LAN's own router goes through no tunnel.
    pub(super) is_at_home: bool,
}

impl<I: Fn(IpAddr) -> bool, S: Fn(SocketAddr) -> Option<IpAddr>> Around<I, S> {
    /// Those that may be tried.
    pub(super) fn worth_trying(&self, given: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut tried: Vec<SocketAddr> = Vec::new();
        for &address in given {
            let address = SocketAddr::new(address.ip().to_canonical(), address.port());
            if self.is_worth_trying(address) && !tried.contains(&address) && tried.len() < MAX_TRIED
            {
                tried.push(address);
            }
        }
        tried
    }

    fn is_worth_trying(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        // On this machine is only what is there with the relay, in a test or a rehearsal.
        let is_too_near = ip.is_loopback() && !self.relay.ip().to_canonical().is_loopback();
        let is_relay = ip == self.relay.ip().to_canonical() && address.port() == self.relay.port();
        let is_outside = |own| self.is_at_home || !(self.is_inside)(own);
        let leads_outside = || (self.source)(address).is_some_and(is_outside);
        is_somebody(ip)
            && address.port() != 0
            && !is_too_near
            && !is_relay
            && !(self.is_inside)(ip)
            && leads_outside()
    }
}

/// Which other ports of the other one's are tried, from which it has punched: those that its NAT has given this destination alone.
/// Whoever forges senders gains no more than a dial or two, as proofs decide.
pub(super) struct Unforeseen {
    tried: Vec<SocketAddr>,
    relay: SocketAddr,
    left: u8,
}

impl Unforeseen {
    pub(super) fn beside(tried: &[SocketAddr], relay: SocketAddr) -> Self {
        Unforeseen {
            tried: tried.to_vec(),
            relay: SocketAddr::new(relay.ip().to_canonical(), relay.port()),
            left: MAX_UNFORESEEN,
        }
    }

    /// True once, for one that is worth it.
    pub(super) fn is_worth_trying(&mut self, address: SocketAddr) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let is_others = self.tried.iter().any(|tried| tried.ip() == address.ip());
        let is_new = !self.tried.contains(&address) && address != self.relay;
        // No NAT lends the ports of a machine's own services.
        if self.left == 0 || !is_others || !is_new || address.port() < FIRST_LENT {
            return false;
        }
        self.left -= 1;
        self.tried.push(address);
        true
    }
}

/// False for groups, for everybody, and for what says nothing without its interface.
fn is_somebody(ip: IpAddr) -> bool {
    let is_nobodys = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(ip.is_unspecified() || ip.is_multicast() || is_nobodys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// The party's LAN.
    fn is_inside(ip: IpAddr) -> bool {
        matches!(ip, IpAddr::V4(ip) if ip.octets()[..3] == [192, 168, 7])
    }

    #[test]
    fn a_peer_names_what_others_can_use() {
        let own = [
            "127.0.0.1",
            "10.0.0.5",
            "169.254.3.4",
            "192.168.7.20",
            "fe80::1",
            "::1",
            "2001:db8::5",
            "10.0.0.5",
        ];
        let own = own.map(|text| SocketAddr::new(ip(text), 40000));
        let named = named(&own, is_inside);
        assert_eq!(named, [at("10.0.0.5:40000"), at("[2001:db8::5]:40000")]);
        let many: Vec<_> = (1..100)
            .map(|port| at(&format!("10.1.0.1:{port}")))
            .collect();
        assert_eq!(super::named(&many, is_inside).len(), MAX_ADDRESSES);
    }

    #[test]
    fn nobody_is_tried_through_the_tunnel_nor_where_nobody_is() {
        let around = |relay: &str| Around {
            relay: at(relay),
            is_inside,
            source: |to: SocketAddr| match to.ip() {
                // A route of the LAN's leads there, through the adapter.
                to if to == ip("10.7.0.1") => Some(ip("192.168.7.99")),
                to if to == ip("10.8.0.1") => None,
                _ => Some(ip("10.0.0.5")),
            },
            is_at_home: false,
        };
        let given = [
            "203.0.113.20:40000",
            "192.168.7.20:40000",
            "10.7.0.1:5",
            "10.8.0.1:5",
            "127.0.0.1:5",
            "224.0.0.1:5",
            "255.255.255.255:5",
            "[ff02::1]:5",
            "[fe80::1]:5",
            "0.0.0.0:5",
            "203.0.113.1:443",
            "203.0.113.1:444",
            "10.9.0.1:0",
            "[::ffff:203.0.113.20]:40000",
        ];
        let tried = around("203.0.113.1:443").worth_trying(&given.map(at));
        assert_eq!(tried, [at("203.0.113.20:40000"), at("203.0.113.1:444")]);
        let here = [at("127.0.0.1:5"), at("127.0.0.1:443")];
        assert_eq!(
            around("127.0.0.1:443").worth_trying(&here),
            [at("127.0.0.1:5")]
        );
        let many: Vec<_> = (1..100)
            .map(|port| at(&format!("10.1.0.1:{port}")))
            .collect();
        assert_eq!(around("127.0.0.1:443").worth_trying(&many).len(), MAX_TRIED);
    }

    #[test]
    fn a_port_that_nobody_told_of_is_tried_where_the_other_one_is() {
        let given = ["203.0.113.20:40000", "10.0.0.5:40000"].map(at);
        let mut unforeseen = Unforeseen::beside(&given, at("203.0.113.20:4443"));
        let punched = [
            "203.0.113.20:40000",
            "203.0.113.21:50000",
            "203.0.113.20:443",
            "203.0.113.20:1023",
            "203.0.113.20:4443",
            "203.0.113.20:50000",
            "[::ffff:203.0.113.20]:50000",
            "10.0.0.5:50000",
            "203.0.113.20:50001",
        ];
        let tried = punched.map(at).into_iter();
        let tried: Vec<_> = tried.filter(|&at| unforeseen.is_worth_trying(at)).collect();
        assert_eq!(tried, [at("203.0.113.20:50000"), at("10.0.0.5:50000")]);
    }

    /// As most gateways: its one cable is the LAN's, and its way out.
    #[test]
    fn a_gateway_goes_out_by_the_lans_own_router() {
        let around = Around {
            relay: at("203.0.113.1:443"),
            is_inside,
            source: |_| Some(ip("192.168.7.2")),
            is_at_home: true,
        };
        let given = ["203.0.113.20:40000", "192.168.7.20:40000"];
        let tried = around.worth_trying(&given.map(at));
        assert_eq!(tried, [at("203.0.113.20:40000")]);
    }
}
