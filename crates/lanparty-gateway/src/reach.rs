//! What players may reach on the LAN, as the host wants it: for everybody, and for some of them.
//!
//! The judge is [`lanparty_switch::reach`]. Here stands whose policy is whose, and how the host's views write it.

use lanparty_ctrl::orders::Person;
use lanparty_gateway_control as control;
use lanparty_switch::reach::{BadPolicy, Policy};
use std::collections::BTreeMap;

/// What the host wants of everybody's reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of those of whom nothing else is said.
    pub everybody: Policy,
    /// Of these.
    pub own: BTreeMap<Person, Policy>,
}

/// As views write it.
pub(crate) fn written(policy: &Policy) -> control::Reach {
    let words = policy.named().iter().map(ToString::to_string).collect();
    match policy {
        Policy::Everything => control::Reach::Everything,
        Policy::Games { .. } => control::Reach::Games { also: words },
        Policy::Only { .. } => control::Reach::Only { allowed: words },
    }
}

/// What is written so.
///
/// # Errors
/// [`BadPolicy`].
pub(crate) fn meant(reach: &control::Reach) -> Result<Policy, BadPolicy> {
    let words = |words: &'_ [String]| {
        words
            .iter()
            .map(|word| word.trim().to_owned())
            .collect::<Vec<_>>()
    };
    match reach {
        control::Reach::Everything => Ok(Policy::Everything),
        control::Reach::Games { also } => Policy::games(words(also).iter().map(String::as_str)),
        control::Reach::Only { allowed } => Policy::only(words(allowed).iter().map(String::as_str)),
    }
}

/// The same of what was kept: what this version cannot read of it opens nothing.
pub(crate) fn kept(reach: &control::Reach) -> Policy {
    let readable = |words: &[String]| words.iter().filter_map(|word| word.parse().ok()).collect();
    meant(reach).unwrap_or_else(|_| match reach {
        control::Reach::Everything => Policy::Everything,
        control::Reach::Games { also } => Policy::Games {
            also: readable(also),
        },
        control::Reach::Only { allowed } => Policy::Only {
            allowed: readable(allowed),
        },
    })
}

/// What players reach by it, as part of a sentence.
pub(crate) fn told(policy: &Policy) -> String {
    let named: Vec<_> = policy.named().iter().map(ToString::to_string).collect();
    let named = named.join(", ");
    match policy {
        Policy::Everything => "everything on the LAN".to_owned(),
        Policy::Games { also } if also.is_empty() => {
            "games on the LAN, and nothing else".to_owned()
        }
        Policy::Games { .. } => format!("games on the LAN and {named}, and nothing else"),
        Policy::Only { allowed } if allowed.is_empty() => "nothing on the LAN".to_owned(),
        Policy::Only { .. } => format!("{named} on the LAN, and nothing else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_games::is_game_port;
    use lanparty_proto::ip::{TCP, UDP};
    use lanparty_proto::{EthernetFrame, MacAddr};
    use lanparty_switch::reach::{LanFacts, Reach};
    use std::time::Instant;

    const NIC: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 1]);
    const SERVER: MacAddr = MacAddr::new([0x52, 0, 0, 0, 0, 2]);
    const PLAYER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 7]);

    fn packet(to: (MacAddr, [u8; 4]), protocol: u8, port: u16) -> Vec<u8> {
        let mut upper = [40_000, port, 8, 0].map(u16::to_be_bytes).concat();
        upper.extend([0; 4]);
        // A connection that is asked for, where it is TCP.
        upper.extend([0x50, 2, 1, 0, 0, 0, 0, 0]);
        let header = [0x45, 0, 0, 40, 0, 9, 0, 0, 64, protocol, 0, 0];
        let macs = [to.0.octets(), PLAYER.octets()].concat();
        let addresses = [[192, 168, 50, 100], to.1].concat();
        [&macs[..], &[8, 0], &header, &addresses, &upper].concat()
    }

    /// What is kept from players as administration is no game's.
    #[test]
    fn games_only_lets_every_port_of_games_be_played_and_looked_for() {
        let now = Instant::now();
        let mut reach = Reach::new(NIC, is_game_port);
        reach.set_facts(LanFacts {
            networks: vec![([192, 168, 50, 5].into(), 24)],
            ..LanFacts::default()
        });
        reach.set_policy(now, Policy::games([]).unwrap());
        let one = (SERVER, [192, 168, 50, 2]);
        let all = (MacAddr::BROADCAST, [255; 4]);
        let mut refused = Vec::new();
        for (to, protocol) in [(one, UDP), (one, TCP), (all, UDP)] {
            for port in (1..=u16::MAX).filter(|&port| is_game_port(protocol, port)) {
                let frame = packet(to, protocol, port);
                let frame = EthernetFrame::parse(&frame).unwrap();
                if reach.judge(now, PLAYER, frame).is_err() {
                    refused.push((protocol, port));
                }
            }
        }
        // Docker and etcd are in the middle of what DirectPlay chooses from.
        let expected = [2375, 2376, 2379, 2380].map(|port| (TCP, port));
        assert_eq!(refused, expected);
    }
}
