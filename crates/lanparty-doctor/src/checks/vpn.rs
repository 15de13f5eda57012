//! Other programs' tunnels: do they take the way to the relay or the party's addresses, or keep back what is not theirs?
//! One that takes everything is said by `ways`.

use super::Check;
use crate::facts::{Interface, Lookup, Network, Pc};
use crate::found::{Cure, Found};
use crate::relay_place;
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const CHECK: Check = Check {
    id: "vpn",
    about: "Other VPNs",
    look,
    is_personal: false,
};

fn look(pc: &dyn Pc) -> Option<Found> {
    if let Some(switch) = pc.kill_switch() {
        let mut cure = switch.cure;
        cure[..1].make_ascii_uppercase();
        let sentence = format!(
            "{} has a kill switch, which may keep the party's packets back.",
            switch.name
        );
        return Some(Found::doubt(sentence).cured(Cure::by_hand(cure)));
    }
    let network = pc.network().ok()?;
    let tunnels: Vec<_> = network
        .interfaces
        .iter()
        .filter(|interface| is_others(interface) && interface.is_up)
        .collect();
    let first = tunnels.first()?;
    if let Some(thief) = takes_party(&network) {
        return Some(Found::bad(
            format!(
                "Another VPN, {thief}, takes addresses of the party's LAN: games there are not reached."
            ),
            Cure::by_hand("Switch the other VPN off while you play."),
        ));
    }
    if takes_everything(&network) {
        return None;
    }
    if let Some(thief) = takes_relay(pc, &network) {
        let sentence =
            format!("The way to the relay leads through another VPN, {thief}, which costs ping.");
        let cure = Cure::by_hand("Switch the other VPN off while you play, if the ping is bad.");
        return Some(Found::doubt(sentence).cured(cure));
    }
    let names: Vec<_> = tunnels.iter().map(|tunnel| tunnel.name.as_str()).collect();
    Some(Found::good(match names.len() {
        1 => format!("Another VPN is up ({}), and is not in the way.", first.name),
        2..=3 => format!(
            "Other VPNs are up ({}), and are not in the way.",
            names.join(", ")
        ),
        more => format!("{more} other VPNs are up, and are not in the way."),
    }))
}

fn is_others(interface: &Interface) -> bool {
    interface.is_tunnel && !interface.is_party
}

/// The tunnel that packets to `ip` take.
fn thief(network: &Network, ip: IpAddr) -> Option<String> {
    let way = network.way_to(ip)?;
    let interface = network.interface(&way.interface)?;
    is_others(interface).then(|| interface.name.clone())
}

fn takes_everything(network: &Network) -> bool {
    // An address on the internet (RFC 5737); nothing is sent to it.
    thief(network, Ipv4Addr::new(198, 51, 100, 1).into()).is_some()
}

/// Looked at next to the own address, where a route of a part of the LAN has it, and at both ends.
fn takes_party(network: &Network) -> Option<String> {
    let adapter = network.party().filter(|adapter| adapter.is_up)?;
    let of_lan = adapter
        .addresses
        .iter()
        .filter_map(|prefix| match prefix.ip {
            IpAddr::V4(ip) if prefix.len < 31 && !ip.is_link_local() => {
                let hosts = u32::MAX >> prefix.len;
                let (first, own) = (ip.to_bits() & !hosts, ip.to_bits());
                Some([own ^ 1, first + 1, first + hosts - 1].map(|bits| (own, bits)))
            }
            _ => None,
        });
    let others = of_lan.flatten().filter(|(own, bits)| own != bits);
    others
        .map(|(_, bits)| IpAddr::V4(bits.into()))
        .find_map(|ip| thief(network, ip))
}

fn takes_relay(pc: &dyn Pc, network: &Network) -> Option<String> {
    let (host, _) = relay_place(&pc.party()?.relay);
    let addresses = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => match pc.look_up(&host) {
            Lookup::Found(addresses) => addresses,
            Lookup::Unknown | Lookup::Silent | Lookup::Failed => return None,
        },
    };
    addresses.into_iter().find_map(|ip| thief(network, ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakePc, kill_switch, tunnel};
    use lanparty_client_control::Mark;

    fn with_tunnel(pc: &FakePc, destination: &str) -> Option<(Mark, String)> {
        let mut pc = pc.clone();
        tunnel(pc.network.as_mut().unwrap(), destination);
        let row = look(&pc)?.row(CHECK.id);
        Some((row.mark, row.sentence))
    }

    #[test]
    fn a_tunnel_is_in_the_way_by_what_it_takes() {
        for mut pc in FakePc::both() {
            assert_eq!(look(&pc), None);
            let of = |destination| with_tunnel(&pc, destination).unwrap();
            let (mark, said) = of("10.8.0.0/24");
            assert!(mark == Mark::Good && said.contains("(wg0)"), "{said}");
            // A wider route takes nothing of the party's.
            assert_eq!(of("192.168.0.0/16").0, Mark::Good);
            let (mark, said) = of("192.168.50.0/25");
            assert!(
                mark == Mark::Bad && said.contains("takes addresses"),
                "{said}"
            );
            let (mark, said) = of("203.0.113.0/24");
            assert!(mark == Mark::Doubt && said.contains("costs ping"), "{said}");
            // `ways` says that.
            assert_eq!(with_tunnel(&pc, "128.0.0.0/1"), None);
            pc.kill_switch = Some(kill_switch());
            let row = look(&pc).unwrap().row(CHECK.id);
            assert_eq!(row.mark, Mark::Doubt);
            assert!(row.how_to.unwrap().starts_with("Say `mullvad"));
        }
    }
}
