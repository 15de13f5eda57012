//! Everything a player could be asked for when something does not work (spec R64).

use crate::{NoAddress, PeerStats, PlayerStatus, RelayPlace, Ways};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// A snapshot of a client. Optional fields are absent while they are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    /// True while the link to the relay stands.
    pub relay_reachable: bool,
    /// True while it has not answered for a second, as the last thing before the link is given up.
    pub relay_faint: bool,
    /// Which relay that is, where the invite names several.
    pub place: Option<RelayPlace>,
    /// Round trip to the relay.
    pub rtt: Option<Duration>,
    /// How many packets of a thousand got lost in the last minute, on the way there or back, whichever is worse.
    pub loss_permille: Option<u16>,
    /// The way that frames take to the gateway and back, how long it is, and why it is no shorter one.
    pub ways: Ways,
    /// True while the room has a gateway on the LAN, the host's as far as the player can know.
    pub gateway_present: bool,
    /// True while it has one that does not answer who asks whether it is the host's.
    pub gateway_silent: bool,
    /// True while it has one that does not prove to be the host's.
    pub gateway_doubted: bool,
    /// True while broadcast comes from the LAN, on this link and of late.
    pub broadcast: bool,
    /// What of the player's own does not cross, or did not until a moment ago, as a sentence.
    pub notice: Option<String>,
    /// Who can let the party through where that is a firewall of this machine's.
    pub opening: Option<Opening>,
    /// True when a host route keeps the relay off the virtual adapter.
    pub route_pinned: bool,
    /// The largest datagram the path takes now, in bytes.
    pub datagram_budget: Option<u16>,
    /// How long the room's packets may be, once that is known.
    pub room_mtu: Option<u16>,
    /// The DHCP server that has lent the adapter's address, and for how much longer.
    pub lease: Option<(Ipv4Addr, Option<Duration>)>,
    /// The virtual adapter's name, while there is one.
    pub adapter: Option<String>,
    /// True when that was up, and somebody has set it down.
    pub adapter_down: bool,
    /// Why it has no address on the LAN, once that has lasted for too long.
    pub no_address: Option<NoAddress>,
    /// What of the party's addresses the player's home has as well, and what becomes of it: a sentence each. All is well
    /// for all that.
    pub overlap: Vec<String>,
    /// The adapter's addresses.
    pub addresses: Vec<IpAddr>,
    /// What was carried and what died.
    pub stats: PeerStats,
}

/// Who can let the party through a firewall on the player's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// The client, for as long as it plays.
    Here,
    /// A program of the firewall's own, with an administrator's word.
    ByAdmin,
}

impl Diagnostics {
    /// The adapter's IPv4 address on the LAN: one that somebody gave it, or the one that it gave itself where nobody
    /// does. Few games know IPv6, and a router that gives an address for that says nothing of the LAN's DHCP server.
    pub fn lan_address(&self) -> Option<IpAddr> {
        let addresses = || self.addresses.iter().copied().filter(IpAddr::is_ipv4);
        let given = addresses().find(|address| !is_self_assigned(*address));
        given.or_else(|| addresses().next())
    }

    /// The status that these facts amount to, for a client that has joined `room`.
    pub fn joined_status(&self, room: &str) -> PlayerStatus {
        if !self.gateway_present && self.gateway_doubted {
            return PlayerStatus::StrangeGateway {
                room: room.to_owned(),
            };
        }
        let others = self
            .place
            .as_ref()
            .map_or(0, |place| place.of.saturating_sub(1));
        if !self.gateway_present && others > 0 {
            return PlayerStatus::LookingBeside {
                room: room.to_owned(),
                others,
                is_silent: self.gateway_silent,
            };
        }
        if !self.gateway_present && self.gateway_silent {
            return PlayerStatus::SilentGateway {
                room: room.to_owned(),
            };
        }
        if !self.gateway_present {
            return PlayerStatus::WaitingForGateway {
                room: room.to_owned(),
            };
        }
        if let (true, Some(adapter)) = (self.adapter_down, &self.adapter) {
            return PlayerStatus::AdapterDown {
                adapter: adapter.clone(),
            };
        }
        // Who is not heard would look for the fault in the game.
        if let Some(notice) = &self.notice {
            return PlayerStatus::Hindered {
                notice: notice.clone(),
            };
        }
        match (self.lan_address(), self.no_address) {
            (Some(address), _) if is_self_assigned(address) => {
                PlayerStatus::SelfAssigned { address }
            }
            (Some(address), _) => PlayerStatus::OnTheLan {
                address,
                broadcast: self.broadcast,
            },
            (None, Some(why)) => PlayerStatus::AddressMissing(why),
            (None, None) => PlayerStatus::NoLanAddress,
        }
    }
}

/// An address of 169.254.0.0/16, which an adapter has of itself (RFC 3927).
pub fn is_self_assigned(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(addresses: &[&str]) -> PlayerStatus {
        Diagnostics {
            gateway_present: true,
            addresses: addresses
                .iter()
                .map(|address| address.parse().unwrap())
                .collect(),
            ..Diagnostics::default()
        }
        .joined_status("FRIDAY")
    }

    #[test]
    fn an_address_that_the_adapter_gave_itself_is_one_with_a_sentence() {
        assert_eq!(status(&[]), PlayerStatus::NoLanAddress);
        assert_eq!(status(&["fe80::1"]), PlayerStatus::NoLanAddress);
        assert_eq!(
            status(&["fe80::1", "2001:db8::5"]),
            PlayerStatus::NoLanAddress,
            "a router's, where no DHCP server answers"
        );
        let address = "169.254.7.7".parse().unwrap();
        assert_eq!(
            status(&["fe80::1", "169.254.7.7"]),
            PlayerStatus::SelfAssigned { address }
        );
    }

    #[test]
    fn an_adapter_without_an_address_or_set_down_is_told_with_what_to_do() {
        let mut diagnostics = Diagnostics {
            gateway_present: true,
            no_address: Some(NoAddress::NotGiven),
            adapter: Some("lanparty0".to_owned()),
            ..Diagnostics::default()
        };
        let said = |diagnostics: &Diagnostics| diagnostics.joined_status("FRIDAY").to_string();
        assert!(said(&diagnostics).contains("--address"));
        diagnostics.adapter_down = true;
        assert!(said(&diagnostics).contains("ip link set lanparty0 up"));
        diagnostics.addresses = vec!["192.168.50.17".parse().unwrap()];
        assert!(said(&diagnostics).contains("set the adapter lanparty0 down"));
        diagnostics.adapter_down = false;
        assert!(said(&diagnostics).contains("all is well"));
    }

    #[test]
    fn a_lan_address_wins_over_link_local_ones() {
        let address = "192.168.50.17".parse().unwrap();
        assert_eq!(
            status(&["fe80::1", "169.254.7.7", "192.168.50.17"]),
            PlayerStatus::OnTheLan {
                address,
                broadcast: false
            }
        );
    }

    #[test]
    fn what_does_not_cross_is_said_before_what_does() {
        let mut diagnostics = Diagnostics {
            gateway_present: true,
            broadcast: true,
            addresses: vec!["192.168.50.17".parse().unwrap()],
            ..Diagnostics::default()
        };
        // Ever so much has come, on other links.
        diagnostics.stats.group_frames_from_relay = 1000;
        let well = diagnostics.joined_status("FRIDAY").to_string();
        assert!(well.ends_with("broadcast is flowing."), "{well}");
        diagnostics.broadcast = false;
        let quiet = diagnostics.joined_status("FRIDAY").to_string();
        assert!(!quiet.contains("flowing"), "{quiet}");
        diagnostics.notice = Some("Nobody hears you.".to_owned());
        let hindered = diagnostics.joined_status("FRIDAY").to_string();
        assert_eq!(hindered, "Nobody hears you.");
    }

    #[test]
    fn a_strangers_gateway_is_no_lan_either() {
        let diagnostics = Diagnostics {
            gateway_doubted: true,
            addresses: vec!["192.168.50.17".parse().unwrap()],
            ..Diagnostics::default()
        };
        let room = "FRIDAY".to_owned();
        assert_eq!(
            diagnostics.joined_status("FRIDAY"),
            PlayerStatus::StrangeGateway { room }
        );
    }

    #[test]
    fn where_there_are_other_relays_a_party_without_its_gateway_is_looked_for() {
        let mut diagnostics = Diagnostics {
            place: Some(RelayPlace {
                number: Some(1),
                of: 3,
                ..RelayPlace::default()
            }),
            ..Diagnostics::default()
        };
        let away = diagnostics.joined_status("FRIDAY");
        assert_eq!(
            away.to_string(),
            "Connected to room FRIDAY, but the LAN gateway is not there; looking for the party at the other 2 relays of the invite."
        );
        assert!(!away.is_on_the_lan());
        diagnostics.gateway_silent = true;
        let silent = diagnostics.joined_status("FRIDAY").to_string();
        assert!(silent.contains("does not answer; looking"), "{silent}");
        diagnostics.gateway_doubted = true;
        let strange = diagnostics.joined_status("FRIDAY").to_string();
        assert!(strange.contains("does not prove"), "{strange}");
        diagnostics = Diagnostics {
            gateway_present: true,
            ..diagnostics
        };
        assert!(diagnostics.joined_status("FRIDAY").is_on_the_lan());
    }

    #[test]
    fn without_a_gateway_there_is_no_lan() {
        let status = Diagnostics::default().joined_status("FRIDAY");
        assert_eq!(
            status,
            PlayerStatus::WaitingForGateway {
                room: "FRIDAY".into()
            }
        );
    }
}
