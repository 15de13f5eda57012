//! The way that frames take between a player and the party's LAN, how long it is, and why it is not the shortest
//! (spec R141).
//!
//! Who chooses it says so with [`Ways`], of one player and one gateway, from either side. What a person reads is made here
//! too: a [`Reason`] has a sentence for the player and one for the host.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The way that frames between one player and the LAN take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By the relay.
    #[default]
    Relay,
    /// By the relay, to which the player has nothing but TCP.
    RelayOverTcp,
    /// Straight between player and gateway.
    Direct,
    /// By the relay, which the gateway runs itself: that is straight.
    Here,
    /// The same, and the player has nothing but TCP.
    HereOverTcp,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

impl Way {
    /// All that have a name.
    pub const ALL: [Way; 5] = [
        Way::Relay,
        Way::RelayOverTcp,
        Way::Direct,
        Way::Here,
        Way::HereOverTcp,
    ];

    /// The way by a relay.
    pub fn by_relay(is_the_gateways: bool, over_tcp: bool) -> Self {
        match (is_the_gateways, over_tcp) {
            (false, false) => Way::Relay,
            (false, true) => Way::RelayOverTcp,
            (true, false) => Way::Here,
            (true, true) => Way::HereOverTcp,
        }
    }

    /// True where no third machine is in between.
    pub fn is_direct(self) -> bool {
        match self {
            Way::Direct | Way::Here | Way::HereOverTcp => true,
            Way::Relay | Way::RelayOverTcp | Way::Other => false,
        }
    }

    /// True where a lost packet delays all those behind it.
    pub fn is_over_tcp(self) -> bool {
        match self {
            Way::RelayOverTcp | Way::HereOverTcp => true,
            Way::Relay | Way::Direct | Way::Here | Way::Other => false,
        }
    }

    /// The same word as in JSON, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Way::Relay => "relay",
            Way::RelayOverTcp => "relay_over_tcp",
            Way::Direct => "direct",
            Way::Here => "here",
            Way::HereOverTcp => "here_over_tcp",
            Way::Other => "other",
        }
    }

    /// The way and its round trip, as all views write it: `direct 12 ms`.
    pub fn with_ping(self, us: Option<u32>) -> String {
        match us {
            Some(us) => format!("{self} {}", ms(us)),
            None => self.to_string(),
        }
    }
}

/// As people read it.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Relay => "relay",
            Way::RelayOverTcp => "relay over TCP",
            Way::Direct | Way::Here => "direct",
            Way::HereOverTcp => "direct over TCP",
            Way::Other => "other",
        })
    }
}

/// A time in microseconds as all views write it.
pub fn ms(us: u32) -> String {
    match us {
        ..1000 => "under 1 ms".to_owned(),
        us => format!("{} ms", us.saturating_add(500) / 1000),
    }
}

/// What a player on TCP is told.
pub const OVER_TCP: &str = "UDP does not get through where you are, or loses too much, so the party comes over TCP: when packets \
    get lost, games stutter. UDP is tried again now and then; another network, or UDP allowed in this one, helps.";

/// What one way measures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// The round trip between player and gateway, in microseconds: by a relay both halves, as far as both are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// How many packets of a thousand got lost of late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_permille: Option<u16>,
}

/// The ways between one player and the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ways {
    /// The one that frames for one machine take now. Those for everybody go by the relay whatever this says.
    pub way: Way,
    /// By the relay, whether or not that is the way now.
    pub relay: Measured,
    /// Straight, while such a path stands.
    pub direct: Measured,
    /// Why it is not direct; nothing where it is, and where there is nobody to go straight to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_direct: Option<NotDirect>,
}

impl Ways {
    /// What the way that is taken measures.
    pub fn now(&self) -> Measured {
        match self.way {
            Way::Direct => self.direct,
            Way::Relay | Way::RelayOverTcp | Way::Here | Way::HereOverTcp | Way::Other => {
                self.relay
            }
        }
    }
}

/// As all views write it: `relay 31 ms`.
impl fmt::Display for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.way.with_ping(self.now().rtt_us))
    }
}

/// Why frames do not go straight between a player and the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotDirect {
    /// It has not been tried yet.
    NotYet,
    /// The two are about to meet.
    Meeting,
    /// The player's router gives every destination another port, and the host's lets nobody in that it does not know.
    PlayerNat,
    /// The same with the host's router.
    HostNat,
    /// Both routers give every destination another port.
    BothNats,
    /// UDP gets to servers that are known, and to nobody else.
    Blocked,
    /// The host wants no direct paths.
    HostOff,
    /// The player wants none.
    PlayerOff,
    /// In a room that is open to everybody nobody is shown another's internet address.
    OpenRoom,
    /// The relay introduces nobody, as its operator wants it.
    RelayRefuses,
    /// The relay introduces nobody, as it cannot.
    OldRelay,
    /// The host's program is too old.
    OldGateway,
    /// The player's program is too old.
    OldPlayer,
    /// The player has nothing but TCP.
    OverTcp,
    /// The host has nothing but TCP.
    HostOverTcp,
    /// Nothing came back, for none of the reasons above.
    NoAnswer,
    /// Who answered did not prove to be the other one.
    Unproven,
    /// A path stands, and full packets do not come through it.
    Narrow,
    /// A path stands, and the relay is faster.
    Slower,
    /// It broke off a moment ago.
    BrokenOff,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

impl NotDirect {
    /// All that have a name.
    pub const ALL: [NotDirect; 20] = [
        NotDirect::NotYet,
        NotDirect::Meeting,
        NotDirect::PlayerNat,
        NotDirect::HostNat,
        NotDirect::BothNats,
        NotDirect::Blocked,
        NotDirect::HostOff,
        NotDirect::PlayerOff,
        NotDirect::OpenRoom,
        NotDirect::RelayRefuses,
        NotDirect::OldRelay,
        NotDirect::OldGateway,
        NotDirect::OldPlayer,
        NotDirect::OverTcp,
        NotDirect::HostOverTcp,
        NotDirect::NoAnswer,
        NotDirect::Unproven,
        NotDirect::Narrow,
        NotDirect::Slower,
        NotDirect::BrokenOff,
    ];

    /// The same word as in JSON, for programs.
    pub fn name(self) -> &'static str {
        match self {
            NotDirect::NotYet => "not_yet",
            NotDirect::Meeting => "meeting",
            NotDirect::PlayerNat => "player_nat",
            NotDirect::HostNat => "host_nat",
            NotDirect::BothNats => "both_nats",
            NotDirect::Blocked => "blocked",
            NotDirect::HostOff => "host_off",
            NotDirect::PlayerOff => "player_off",
            NotDirect::OpenRoom => "open_room",
            NotDirect::RelayRefuses => "relay_refuses",
            NotDirect::OldRelay => "old_relay",
            NotDirect::OldGateway => "old_gateway",
            NotDirect::OldPlayer => "old_player",
            NotDirect::OverTcp => "over_tcp",
            NotDirect::HostOverTcp => "host_over_tcp",
            NotDirect::NoAnswer => "no_answer",
            NotDirect::Unproven => "unproven",
            NotDirect::Narrow => "narrow",
            NotDirect::Slower => "slower",
            NotDirect::BrokenOff => "broken_off",
            NotDirect::Other => "other",
        }
    }

    /// True for what is over by itself in a moment, and nobody's trouble.
    pub fn is_passing(self) -> bool {
        match self {
            NotDirect::NotYet | NotDirect::Meeting | NotDirect::BrokenOff => true,
            NotDirect::PlayerNat
            | NotDirect::HostNat
            | NotDirect::BothNats
            | NotDirect::Blocked
            | NotDirect::HostOff
            | NotDirect::PlayerOff
            | NotDirect::OpenRoom
            | NotDirect::RelayRefuses
            | NotDirect::OldRelay
            | NotDirect::OldGateway
            | NotDirect::OldPlayer
            | NotDirect::OverTcp
            | NotDirect::HostOverTcp
            | NotDirect::NoAnswer
            | NotDirect::Unproven
            | NotDirect::Narrow
            | NotDirect::Slower
            | NotDirect::Other => false,
        }
    }

    /// For the player: what is, and what could be done.
    pub fn to_player(self) -> Reason {
        let sentence = match self {
            NotDirect::NotYet => {
                "A direct path to the host will be tried in a moment; until then the relay carries everything."
            }
            NotDirect::Meeting => {
                "A direct path to the host is being tried; until it stands the relay carries everything."
            }
            NotDirect::PlayerNat => {
                "Your router gives every destination another port (symmetric NAT), so the host's answers do not find you; \
                 IPv6 on both sides, another network here, or a port opened in the host's router (UPnP) makes up for it."
            }
            NotDirect::HostNat => {
                "The host's router gives every destination another port (symmetric NAT), so you do not find the host; IPv6 \
                 on both sides, or a port opened in the host's router (UPnP), makes up for it."
            }
            NotDirect::BothNats => {
                "Your router and the host's give every destination another port (symmetric NAT), so neither finds the \
                 other; IPv6 on both sides, or a port opened in the host's router (UPnP), makes up for it."
            }
            NotDirect::Blocked => {
                "A firewall lets UDP through to the relay and to no other machine; if it is yours, allow outgoing UDP to \
                 any address and port."
            }
            NotDirect::HostOff => {
                "The host has turned direct paths off (--no-door); the relay carries everything."
            }
            NotDirect::PlayerOff => {
                "You have turned direct paths off (--relay-only, `direct off`); without that the host would see your \
                 internet address, and games might be faster."
            }
            NotDirect::OpenRoom => {
                "This room is open to everybody who knows its code, so nobody in it is shown another's internet address; a \
                 host who wants direct paths hands out invites."
            }
            NotDirect::RelayRefuses => {
                "The relay's operator lets it introduce nobody, so there is no direct path; the relay carries everything."
            }
            NotDirect::OldRelay => {
                "The relay cannot introduce you to the host, as it is of an older version; its operator could update it."
            }
            NotDirect::OldGateway => {
                "The host's program is of an older version, without direct paths; the host could update it."
            }
            NotDirect::OldPlayer => {
                "This program is of an older version, without direct paths; update it."
            }
            NotDirect::OverTcp => {
                "UDP does not get through where you are, and a direct path needs it; another network, or UDP allowed in \
                 this one, helps."
            }
            NotDirect::HostOverTcp => {
                "UDP does not get through where the host is, and a direct path needs it; the host could allow it."
            }
            NotDirect::NoAnswer => {
                "The host did not answer on a direct path, because of a router or firewall on the way; it is tried again \
                 every few minutes, and UPnP or IPv6 on either side may help."
            }
            NotDirect::Unproven => {
                "Who answered on the direct path did not prove to be your host, so nothing is sent there; tell the host, as \
                 the relay may not be honest."
            }
            NotDirect::Narrow => {
                "The direct path does not carry full packets, so it is not used; the relay does."
            }
            NotDirect::Slower => {
                "A direct path stands, and the relay is faster or loses less just now; the better one is taken all the time."
            }
            NotDirect::BrokenOff => {
                "The direct path broke off a moment ago; it is taken again once it has been good for a while."
            }
            NotDirect::Other => {
                "The relay carries everything, for a reason that this version does not know; update this program."
            }
        };
        Reason {
            id: self,
            sentence: sentence.to_owned(),
        }
    }

    /// The same for the host, of one player.
    pub fn to_host(self) -> Reason {
        let sentence = match self {
            NotDirect::NotYet => "A direct path to this player will be tried in a moment.",
            NotDirect::Meeting => "A direct path to this player is being tried.",
            NotDirect::PlayerNat => {
                "The player's router gives every destination another port (symmetric NAT); a port opened in your router \
                 (UPnP), or IPv6 on both sides, makes up for it."
            }
            NotDirect::HostNat => {
                "Your router gives every destination another port (symmetric NAT), so players do not find you; switch on \
                 UPnP in it, or IPv6."
            }
            NotDirect::BothNats => {
                "Your router and the player's give every destination another port (symmetric NAT); switch on UPnP in \
                 yours, or IPv6."
            }
            NotDirect::Blocked => {
                "A firewall lets UDP through to the relay and to no other machine; if it is yours, allow outgoing UDP to \
                 any address and port."
            }
            NotDirect::HostOff => "You have turned direct paths off (--no-door).",
            NotDirect::PlayerOff => {
                "This player has turned direct paths off (--relay-only), or has an older program."
            }
            NotDirect::OpenRoom => {
                "The room is open to everybody who knows its code, so nobody is shown another's internet address; give it \
                 a key and hand out invites if you want direct paths."
            }
            NotDirect::RelayRefuses => {
                "The relay's operator lets it introduce nobody; another relay, or `lanparty-gateway host`, would."
            }
            NotDirect::OldRelay => {
                "The relay cannot introduce players to you, as it is of an older version; its operator could update it."
            }
            NotDirect::OldGateway => {
                "This program is of an older version, without direct paths; update it."
            }
            NotDirect::OldPlayer => {
                "This player's program is of an older version, without direct paths."
            }
            NotDirect::OverTcp => {
                "UDP does not get through where this player is, so there is TCP to the relay alone: games stutter when \
                 packets get lost."
            }
            NotDirect::HostOverTcp => {
                "UDP does not get through where you are, and a direct path needs it: allow outgoing UDP."
            }
            NotDirect::NoAnswer => {
                "This player did not answer on a direct path, because of a router or firewall on the way; it is tried again \
                 every few minutes."
            }
            NotDirect::Unproven => {
                "Who came by the direct path did not prove to be this player, and was sent away; the relay may not be \
                 honest."
            }
            NotDirect::Narrow => {
                "The direct path to this player does not carry full packets, so it is not used."
            }
            NotDirect::Slower => {
                "A direct path stands, and the relay is faster or loses less just now."
            }
            NotDirect::BrokenOff => {
                "The direct path broke off a moment ago; it is taken again once it has been good for a while."
            }
            NotDirect::Other => {
                "The relay carries everything, for a reason that this version does not know."
            }
        };
        Reason {
            id: self,
            sentence: sentence.to_owned(),
        }
    }
}

/// Why something is not direct, for programs and for the person who was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The same for the same reason.
    pub id: NotDirect,
    /// What is, and what could be done.
    pub sentence: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn a_ping_is_written_like_this() {
        let written = [0, 999, 1000, 23_499, 23_500, u32::MAX].map(ms);
        let expected = [
            "under 1 ms",
            "under 1 ms",
            "1 ms",
            "23 ms",
            "24 ms",
            "4294967 ms",
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn each_name_is_the_one_in_json() {
        for way in Way::ALL {
            assert_eq!(to_value(way).unwrap(), json!(way.name()));
        }
        for reason in NotDirect::ALL {
            assert_eq!(to_value(reason).unwrap(), json!(reason.name()));
        }
        assert_eq!(from_value::<Way>(json!("by_pigeon")).unwrap(), Way::Other);
        let newer: NotDirect = from_value(json!("moon_phase")).unwrap();
        assert_eq!(newer, NotDirect::Other);
    }

    #[test]
    fn each_reason_is_one_sentence_of_its_own_for_either_side() {
        let mut told = std::collections::BTreeSet::new();
        for reason in NotDirect::ALL.into_iter().chain([NotDirect::Other]) {
            let both = [reason.to_player(), reason.to_host()];
            assert!(both.iter().all(|said| said.id == reason));
            for Reason { sentence, .. } in both {
                assert!(sentence.ends_with('.'), "{sentence}");
                assert_eq!(sentence.matches(". ").count(), 0, "{sentence}");
                assert!(sentence.len() < 260, "{sentence}");
            }
            assert!(told.insert(reason.to_player().sentence), "{reason:?}");
        }
    }

    #[test]
    fn a_way_is_written_with_its_own_round_trip() {
        let mut ways = Ways {
            relay: Measured {
                rtt_us: Some(31_200),
                loss_permille: None,
            },
            direct: Measured {
                rtt_us: Some(11_800),
                loss_permille: Some(2),
            },
            ..Ways::default()
        };
        let written = |ways: &Ways| ways.to_string();
        assert_eq!(written(&ways), "relay 31 ms");
        ways.way = Way::Direct;
        assert_eq!(written(&ways), "direct 12 ms");
        ways.way = Way::by_relay(true, false);
        assert_eq!(written(&ways), "direct 31 ms");
        ways.way = Way::by_relay(true, true);
        assert_eq!(written(&ways), "direct over TCP 31 ms");
        ways.way = Way::by_relay(false, true);
        assert_eq!(written(&ways), "relay over TCP 31 ms");
        assert!(ways.way.is_over_tcp() && !ways.way.is_direct());
        assert_eq!(Ways::default().to_string(), "relay");
    }

    #[test]
    fn ways_in_json_leave_out_what_is_not_known() {
        let ways = Ways {
            way: Way::Relay,
            relay: Measured {
                rtt_us: Some(31_200),
                loss_permille: None,
            },
            direct: Measured::default(),
            not_direct: Some(NotDirect::PlayerNat),
        };
        let text = json!({
            "way": "relay", "relay": { "rtt_us": 31_200 }, "direct": {}, "not_direct": "player_nat"
        });
        assert_eq!(to_value(ways).unwrap(), text);
        assert_eq!(from_value::<Ways>(text).unwrap(), ways);
        assert_eq!(from_value::<Ways>(json!({})).unwrap(), Ways::default());
    }
}
