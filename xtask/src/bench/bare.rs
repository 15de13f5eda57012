//! The path without any VPN, over the same machines: what the generators and the kernel can do alone.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;
use lanparty_lab::{Plan, Process, Venue};

use super::Tunnel;

/// Player and LAN reach each other by routes: through the internet, the relay's machine, the internet again and the
/// gateway's machine.
pub(crate) struct Bare(Venue);

impl Bare {
    pub(crate) fn start() -> Result<Self> {
        let venue = Venue::build(Plan {
            remotes: 1,
            ..Plan::default()
        })?;
        for router in [&venue.internet, &venue.relay, &venue.gateway] {
            router.sysctl("net/ipv4/ip_forward", "1")?;
            for switch in ["conf/all/send_redirects", "conf/all/rp_filter"] {
                router.sysctl(&format!("net/ipv4/{switch}"), "0")?;
            }
        }
        venue
            .relay
            .sysctl("net/ipv4/conf/wan0/send_redirects", "0")?;
        let (lan, remotes) = ("192.168.50.0/24", "10.9.11.0/24");
        venue
            .lan1
            .ip(&format!("route add {remotes} via 192.168.50.2"))?;
        let internet = &venue.internet;
        internet.ip(&format!("route add {lan} via 10.9.2.1"))?;
        // What comes from either end visits the relay's machine first.
        internet.ip(&format!("route add default via {} table 100", Venue::RELAY))?;
        for (from, to) in [("r1", lan), ("gw", remotes)] {
            internet.sysctl(&format!("net/ipv4/conf/{from}/rp_filter"), "0")?;
            internet.ip(&format!("rule add iif {from} to {to} lookup 100"))?;
        }
        internet.sysctl("net/ipv4/conf/relay/rp_filter", "0")?;
        venue.remotes[0].pings(Venue::LAN1, 56)?;
        Ok(Self(venue))
    }
}

impl Tunnel for Bare {
    fn venue(&self) -> &Venue {
        &self.0
    }

    fn programs(&self) -> Vec<&Process> {
        Vec::new()
    }

    fn player(&self) -> IpAddr {
        Ipv4Addr::new(10, 9, 11, 1).into()
    }
}
