//! What makes this machine one host of the party's LAN, with one address there, and no way between that LAN and its home.
//!
//! Linux takes an address to be the machine's, not the interface's: it answers the LAN's ARP for the player's home address,
//! so a machine of the LAN that probes for such an address refuses it. And a machine that forwards for its containers or
//! virtual machines forwards for the LAN as well.

use netlink_packet_core::Emitable as _;
use netlink_packet_route::link::{Inet6DevConf, InetDevConf};

/// A setting of the adapter's IPv4, by its number in `IPV4_DEVCONF_*` of linux/ip.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ipv4Setting {
    pub(crate) name: &'static str,
    pub(crate) number: u16,
    pub(crate) value: u32,
}

/// A setting of the adapter's IPv6, which is a file below /proc/sys, and is always off.
#[derive(Clone, Copy)]
pub(crate) struct Ipv6Setting {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&Inet6DevConf) -> i32,
}

const fn ipv4(name: &'static str, number: u16, value: u32) -> Ipv4Setting {
    Ipv4Setting {
        name,
        number,
        value,
    }
}

/// The settings of ip-sysctl in the kernel's documentation.
pub(crate) const IPV4: [Ipv4Setting; 14] = [
    // Answers for the adapter's own addresses only,
    ipv4("arp_ignore", 19, 1),
    // and asks in the name of one that the LAN knows.
    ipv4("arp_announce", 18, 2),
    ipv4("arp_filter", 13, 0),
    ipv4("proxy_arp", 3, 0),
    ipv4("proxy_arp_pvlan", 25, 0),
    // Loose: with two networks an answer may come by the adapter for which the route goes elsewhere.
    ipv4("rp_filter", 8, 2),
    // No router, and none whose word counts.
    ipv4("forwarding", 1, 0),
    ipv4("bc_forwarding", 32, 0),
    ipv4("accept_redirects", 4, 0),
    ipv4("send_redirects", 6, 0),
    ipv4("accept_source_route", 9, 0),
    // Nobody out there is this machine itself.
    ipv4("accept_local", 23, 0),
    ipv4("route_localnet", 26, 0),
    ipv4("bootp_relay", 10, 0),
];

/// How the adapter gets IPv6's own address, in the way of most systems: NetworkManager turns that off on what it finds.
pub(crate) const OWN_ADDRESS: Ipv6Setting = Ipv6Setting {
    name: "addr_gen_mode",
    read: |conf| conf.addr_gen_mode,
};

/// The LAN's routers may announce prefixes, but neither default routes nor others, nor redirect anything (spec R81).
pub(crate) const IPV6: [Ipv6Setting; 7] = [
    Ipv6Setting {
        name: "forwarding",
        read: |conf| conf.forwarding,
    },
    Ipv6Setting {
        name: "proxy_ndp",
        read: |conf| conf.proxy_ndp,
    },
    Ipv6Setting {
        name: "accept_source_route",
        read: |conf| conf.accept_source_route,
    },
    Ipv6Setting {
        name: "accept_redirects",
        read: |conf| conf.accept_redirects,
    },
    Ipv6Setting {
        name: "accept_ra_defrtr",
        read: |conf| conf.accept_ra_defrtr,
    },
    Ipv6Setting {
        name: "accept_ra_rtr_pref",
        read: |conf| conf.accept_ra_rtr_pref,
    },
    Ipv6Setting {
        name: "accept_ra_rt_info_max_plen",
        read: |conf| conf.accept_ra_rt_info_max_plen,
    },
];

impl Ipv4Setting {
    /// Its value among all of an interface; a kernel may not know it.
    pub(super) fn read(&self, conf: &InetDevConf) -> Option<u32> {
        let mut all = vec![0; conf.buffer_len()];
        // As the kernel writes it: one number behind the other.
        conf.emit(&mut all);
        let numbers = all.as_chunks::<4>().0;
        let number = numbers.get(usize::from(self.number) - 1)?;
        Some(u32::from_ne_bytes(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_where_the_kernel_has_it() {
        let mut conf = InetDevConf::default();
        (conf.arp_ignore, conf.arp_announce, conf.rp_filter) = (1, 2, 3);
        (conf.forwarding, conf.bc_forwarding) = (4, 5);
        let value = |name| {
            let setting = IPV4.iter().find(|setting| setting.name == name);
            setting.unwrap().read(&conf)
        };
        let names = [
            "arp_ignore",
            "arp_announce",
            "rp_filter",
            "forwarding",
            "bc_forwarding",
        ];
        assert_eq!(names.map(value), [1, 2, 3, 4, 5].map(Some));
        assert_eq!(value("accept_local"), Some(0));
    }
}
