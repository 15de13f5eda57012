//! What the routers tell nftables.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result};

use super::{Nat, Router};

/// What becomes of some of what is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing gets through.
    Nothing,
    /// No UDP at all.
    NoUdp,
    /// No UDP from or to this port.
    NoUdpPort(u16),
    /// What is behind the router hears no UDP from outside.
    DeafToUdp,
    /// No UDP between these two.
    NoUdpBetween(IpAddr, IpAddr),
    /// Nothing at all between these two.
    NothingBetween(IpAddr, IpAddr),
    /// Of a hundred packets of UDP so many get lost, by chance.
    UdpLoss(u8),
    /// Of a hundred packets of TCP so many get lost, by chance.
    TcpLoss(u8),
    /// Nothing comes or goes but by this machine, a proxy.
    OnlyBy(Ipv4Addr),
}

impl Weather {
    fn rules(self) -> Vec<String> {
        let loss =
            |what, percent| format!("meta l4proto {what} numgen random mod 100 < {percent} drop");
        match self {
            Self::Nothing => vec!["drop".into()],
            Self::NoUdp => vec!["meta l4proto udp drop".into()],
            Self::DeafToUdp => vec!["iifname \"wan0\" meta l4proto udp drop".into()],
            Self::NoUdpPort(port) => ["sport", "dport"]
                .map(|end| format!("udp {end} {port} drop"))
                .into(),
            Self::NoUdpBetween(a, b) => between(a, b, "meta l4proto udp drop"),
            Self::NothingBetween(a, b) => between(a, b, "drop"),
            Self::UdpLoss(percent) => vec![loss("udp", percent)],
            Self::TcpLoss(percent) => vec![loss("tcp", percent)],
            Self::OnlyBy(proxy) => {
                vec![format!("ip saddr != {proxy} ip daddr != {proxy} drop")]
            }
        }
    }
}

/// Both ways.
fn between(a: IpAddr, b: IpAddr, what: &str) -> Vec<String> {
    let ip = if a.is_ipv4() { "ip" } else { "ip6" };
    [(a, b), (b, a)]
        .map(|(a, b)| format!("{ip} saddr {a} {ip} daddr {b} {what}"))
        .into()
}

/// Behind translation, so that addresses are those of the packets as they come in.
pub(super) fn weather(weather: &[Weather]) -> String {
    let rules = weather.iter().flat_map(|one| one.rules());
    let rules: String = rules.map(|rule| rule + "; ").collect();
    format!(
        "table inet weather {{}}; delete table inet weather; \
         table inet weather {{ chain forward {{ type filter hook forward priority 10; {rules} }}; }}"
    )
}

/// Before anything is dropped.
pub(super) fn counter(name: &str, matching: &str) -> String {
    format!(
        "table inet {name} {{ counter seen {{ }}; \
         chain forward {{ type filter hook forward priority -10; {matching} counter name seen; }}; }}"
    )
}

/// Out of `counter seen { packets 3 bytes 252 }`.
pub(super) fn packets(shown: &str) -> Result<u64> {
    let mut words = shown
        .split_whitespace()
        .skip_while(|word| *word != "packets");
    let number = words.nth(1).context("a counter without packets")?;
    Ok(number.parse()?)
}

/// Everything that a router does.
pub(super) fn router(plan: &Router, outside: Ipv4Addr, host: Ipv4Addr) -> String {
    if plan.nat == Nat::Hop {
        return "flush ruleset".into();
    }
    let [a, b, c, _] = host.octets();
    let inside = format!("{a}.{b}.{c}.0/24");
    let masquerade = |how: &str| format!("oifname \"wan0\" masquerade {how};");
    let (mut pre, mut post) = (String::new(), String::new());
    let mut map = "";
    if plan.hairpin {
        // Whom a port outside leads to is what the machines behind have sent from it.
        map = "map behind { type inet_service : ipv4_addr; flags dynamic; size 1024; };";
        pre += &format!(
            "iifname \"lan0\" ip daddr {outside} meta l4proto udp dnat to udp dport map @behind; "
        );
        post += "oifname \"wan0\" meta l4proto udp add @behind { udp sport : ip saddr }; ";
        post += &format!("oifname \"lan0\" ip saddr {inside} snat to {outside}; ");
    }
    post += &match plan.nat {
        Nat::Linux | Nat::LinuxOpen => masquerade(""),
        Nat::Random => masquerade("fully-random"),
        Nat::FullCone => masquerade("persistent"),
        Nat::Port(port) => format!(
            "oifname \"wan0\" meta l4proto udp snat to {outside}:{port}; {}",
            masquerade("")
        ),
        Nat::None | Nat::Hop => String::new(),
    };
    if plan.nat == Nat::FullCone {
        pre += &format!("iifname \"wan0\" udp dport 1024-65535 dnat to {host};");
    }
    let input = match plan.nat {
        Nat::LinuxOpen => "accept",
        _ => "drop",
    };
    format!(
        "flush ruleset; \
         table ip nat {{ {map} \
           chain pre {{ type nat hook prerouting priority -100; {pre} }}; \
           chain post {{ type nat hook postrouting priority 100; {post} }}; }}; \
         table ip filter {{ \
           chain input {{ type filter hook input priority 0; policy {input}; iifname \"lo\" accept; \
             ct state established,related accept; icmp type echo-request accept; }}; \
           chain forward {{ type filter hook forward priority 0; policy drop; {forward} }}; }}; \
         table ip6 filter {{ \
           chain forward {{ type filter hook forward priority 0; policy drop; \
             ct state established,related accept; iifname \"lan0\" accept; }}; }}",
        forward = forward(plan)
    )
}

fn forward(plan: &Router) -> String {
    if plan.nat == Nat::FullCone {
        return "accept;".into();
    }
    let answers = "ct state established,related accept;";
    match plan.udp_only_to {
        None => format!("{answers} iifname \"lan0\" accept;"),
        Some(known) => format!(
            "{answers} iifname \"lan0\" meta l4proto != udp accept; iifname \"lan0\" ip daddr {known} accept;"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 18);
    const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 11, 2);

    fn rules(plan: Router) -> String {
        router(&plan, OUTSIDE, HOST)
    }

    #[test]
    fn a_router_translates_as_its_kind_does() {
        let ordinary = rules(Router::new(Nat::Linux));
        assert!(
            ordinary.contains("oifname \"wan0\" masquerade ;")
                && ordinary.contains("policy drop; iifname \"lo\"")
        );
        assert!(rules(Router::new(Nat::LinuxOpen)).contains("policy accept; iifname \"lo\""));
        assert!(rules(Router::new(Nat::Random)).contains("masquerade fully-random;"));
        assert!(rules(Router::new(Nat::FullCone)).contains("dnat to 192.168.11.2;"));
        assert!(rules(Router::new(Nat::Port(4000))).contains("snat to 203.0.113.18:4000;"));
        assert!(!rules(Router::new(Nat::None)).contains("masquerade"));
        assert_eq!(rules(Router::new(Nat::Hop)), "flush ruleset");
    }

    #[test]
    fn udp_may_go_to_one_address_alone() {
        let plan = Router::new(Nat::Linux).udp_only_to(Ipv4Addr::new(10, 9, 1, 1));
        assert!(rules(plan).contains("iifname \"lan0\" ip daddr 10.9.1.1 accept;"));
        assert!(!rules(plan).contains("iifname \"lan0\" accept; }; }; table ip6"));
    }

    #[test]
    fn weather_replaces_weather() {
        let fine = weather(&[]);
        assert!(fine.contains("delete table inet weather") && !fine.contains("drop"));
        let between = Weather::NoUdpBetween([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert_eq!(between.rules().len(), 2);
        let nothing = Weather::NothingBetween([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert_eq!(
            nothing.rules(),
            [
                "ip saddr 10.0.0.1 ip daddr 10.0.0.2 drop",
                "ip saddr 10.0.0.2 ip daddr 10.0.0.1 drop"
            ]
        );
    }

    #[test]
    fn reads_a_counter() {
        let shown = "table inet a {\n\tcounter seen {\n\t\tpackets 17 bytes 1428\n\t}\n}\n";
        assert_eq!(packets(shown).unwrap(), 17);
        assert!(packets("nothing").is_err());
    }
}
