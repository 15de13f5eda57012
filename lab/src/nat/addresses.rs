//! Which addresses are where. The internet's are those of documentation, so that nobody takes them for a home's.

use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Net {
    base: [u8; 4],
    len: u8,
}

impl Net {
    /// The network of a machine's address, as [`Place::behind`] gave it.
    pub(super) fn around(host: Ipv4Addr, translated: bool) -> Self {
        let [a, b, c, d] = host.octets();
        match translated {
            true => Self::new([a, b, c, 0], 24),
            false => Self::new([a, b, c, d & !7], 29),
        }
    }

    const fn new(base: [u8; 4], len: u8) -> Self {
        Self { base, len }
    }

    /// Its host with this number; 1 is the router.
    pub(super) fn host(self, number: u8) -> Ipv4Addr {
        let [a, b, c, d] = self.base;
        Ipv4Addr::new(a, b, c, d + number)
    }

    /// The same with the network's length, as `ip addr` wants it.
    pub(super) fn with_len(self, number: u8) -> String {
        format!("{}/{}", self.host(number), self.len)
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.len)
    }
}

/// Where a machine of the venue is connected to the internet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u8);

impl Place {
    /// The venue's numbers: 2 is the gateway, 11 the first player.
    pub(super) fn number(number: usize) -> Self {
        Self(u8::try_from(number).expect("a venue has few machines"))
    }

    /// Sixteen addresses of the internet's: eight between it and the outermost router, eight for what is behind a router
    /// that does not translate.
    fn block(self) -> u8 {
        match self.0 {
            2 => 0,
            number => (number - 10) * 16,
        }
    }

    /// Between the outermost router (host 2, and 3 later) and the internet (host 1).
    pub(super) fn uplink(self) -> Net {
        Net::new([203, 0, 113, self.block()], 29)
    }

    /// Behind the router that is `depth` routers away from the machine.
    pub(super) fn behind(self, depth: usize, translated: bool) -> Net {
        match (translated, depth) {
            (false, _) => Net::new([203, 0, 113, self.block() + 8], 29),
            (true, 0) => Net::new([192, 168, self.0, 0], 24),
            (true, _) => Net::new([100, 64, self.0, 0], 24),
        }
    }

    /// The first halves of the IPv6 networks behind the home's router and between it and the internet.
    pub(super) fn ipv6(self) -> (String, String) {
        let number = self.0;
        (
            format!("2001:db8:{number}:1"),
            format!("2001:db8:{number}:0"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_addresses_of_its_own() {
        let (gateway, player) = (Place::number(2), Place::number(11));
        assert_eq!(gateway.uplink().with_len(2), "203.0.113.2/29");
        assert_eq!(player.uplink().to_string(), "203.0.113.16/29");
        assert_eq!(player.behind(0, true).with_len(2), "192.168.11.2/24");
        assert_eq!(player.behind(1, true).to_string(), "100.64.11.0/24");
        assert_eq!(player.behind(0, false).to_string(), "203.0.113.24/29");
        for (depth, translated) in [(0, true), (1, true), (0, false)] {
            let net = player.behind(depth, translated);
            assert_eq!(Net::around(net.host(2), translated), net);
        }
    }
}
