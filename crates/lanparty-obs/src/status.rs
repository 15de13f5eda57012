//! How things stand, in sentences a player understands (spec R64).

use std::fmt;
use std::net::IpAddr;

/// Where a player's session stands. Each status says one thing and, where it helps, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerStatus {
    /// No relay yet.
    Connecting {
        /// The relay as the player named it.
        relay: String,
    },
    /// No relay yet, because nobody says where its name leads.
    LookingUp {
        /// The relay as the player named it.
        relay: String,
    },
    /// The relay does not answer, or the link to it broke.
    NotReachable {
        /// The relay as the player named it.
        relay: String,
        /// What went wrong, as part of a sentence.
        cause: String,
    },
    /// No relay yet, and the invite names several.
    LookingForParty {
        /// How many.
        relays: usize,
    },
    /// The link broke, and the invite names other relays.
    LookingElsewhere {
        /// How many beside the one that was lost.
        others: usize,
    },
    /// None of several relays takes the player.
    NoRelay {
        /// Why, as part of a sentence.
        cause: String,
        /// True when one of them answered and said no.
        refused: bool,
    },
    /// This machine or program stood still, and makes a new link; the relay has nothing to do with it.
    Awake,
    /// The relay answers, and says no.
    Refused {
        /// The relay as the player named it.
        relay: String,
        /// Why, as part of a sentence.
        cause: String,
    },
    /// The virtual adapter does not work: disabled, restarting, its driver being replaced.
    AdapterAway,
    /// In the room, but nobody is plugged into the LAN.
    WaitingForGateway {
        /// The room's code.
        room: String,
    },
    /// In the room, with a gateway that does not answer: it may have lost its power or stand still.
    SilentGateway {
        /// The room's code.
        room: String,
    },
    /// In the room without its gateway, or with one that does not answer, while the invite names other relays: the party may
    /// have gone there.
    LookingBeside {
        /// The room's code.
        room: String,
        /// How many relays there are beside this one.
        others: usize,
        /// Its gateway is there and does not answer.
        is_silent: bool,
    },
    /// In the room, with a gateway that is not the host's: nothing is taken from it.
    StrangeGateway {
        /// The room's code.
        room: String,
    },
    /// In the room, but something of the player's own does not cross.
    Hindered {
        /// What, and what to do about it: a whole sentence.
        notice: String,
    },
    /// In the room, with the LAN's gateway present; no usable address known yet.
    NoLanAddress,
    /// The same for so long that a person must do something.
    AddressMissing(NoAddress),
    /// In the room, but somebody has set the adapter down.
    AdapterDown {
        /// The adapter's name.
        adapter: String,
    },
    /// In the room, with an address that the adapter has given itself, because nobody on the LAN gives one that it can use.
    SelfAssigned {
        /// The address (169.254.x.x).
        address: IpAddr,
    },
    /// In the room, with a LAN address.
    OnTheLan {
        /// The address on the LAN.
        address: IpAddr,
        /// True while broadcast comes from the LAN: games will find each other.
        broadcast: bool,
    },
}

impl PlayerStatus {
    /// True in the room, with the party's gateway.
    pub fn is_on_the_lan(&self) -> bool {
        match self {
            PlayerStatus::Connecting { .. }
            | PlayerStatus::LookingUp { .. }
            | PlayerStatus::NotReachable { .. }
            | PlayerStatus::LookingForParty { .. }
            | PlayerStatus::LookingElsewhere { .. }
            | PlayerStatus::NoRelay { .. }
            | PlayerStatus::Awake
            | PlayerStatus::Refused { .. }
            | PlayerStatus::AdapterAway
            | PlayerStatus::WaitingForGateway { .. }
            | PlayerStatus::SilentGateway { .. }
            | PlayerStatus::LookingBeside { .. }
            | PlayerStatus::StrangeGateway { .. } => false,
            PlayerStatus::Hindered { .. }
            | PlayerStatus::NoLanAddress
            | PlayerStatus::AddressMissing(_)
            | PlayerStatus::AdapterDown { .. }
            | PlayerStatus::SelfAssigned { .. }
            | PlayerStatus::OnTheLan { .. } => true,
        }
    }
}

/// Why the adapter still has no address on the LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum NoAddress {
    /// The LAN's DHCP server is asked, and gives none that can be used.
    NotGiven,
    /// This program was told to leave it to others.
    NotAsked,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoAddress::NotGiven => {
                "Connected to the LAN, but no DHCP server there gives this machine an address that it can use; ask the \
                 host whether the LAN has one, or start again with --address and one that is free."
            }
            NoAddress::NotAsked => {
                "Connected to the LAN, but nothing gives the adapter an address; start again without --no-dhcp, or with \
                 --address and one that the host names."
            }
        })
    }
}

impl fmt::Display for PlayerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlayerStatus::Connecting { relay } => write!(f, "Connecting to the relay {relay}."),
            PlayerStatus::LookingUp { relay } => {
                write!(f, "Looking up where {relay} is; the name server takes its time.")
            }
            PlayerStatus::NotReachable { relay, cause } => {
                write!(
                    f,
                    "The relay {relay} is not reachable: {cause}. Trying again."
                )
            }
            PlayerStatus::LookingForParty { relays } => {
                write!(f, "Looking for the party at the {relays} relays of the invite.")
            }
            PlayerStatus::LookingElsewhere { others: 1 } => {
                f.write_str("Connection lost; looking for the party at the other relay of the invite.")
            }
            PlayerStatus::LookingElsewhere { others } => write!(
                f,
                "Connection lost; looking for the party at the other {others} relays of the invite."
            ),
            PlayerStatus::NoRelay { cause, .. } => {
                write!(f, "The party is not reachable: {cause}. Trying again.")
            }
            PlayerStatus::Awake => f.write_str(
                "This machine or program stood still for some seconds; coming back to the party.",
            ),
            PlayerStatus::Refused { relay, cause } => {
                write!(
                    f,
                    "The relay {relay} answers, but does not let you in: {cause}. Trying again."
                )
            }
            PlayerStatus::AdapterAway => f.write_str(
                "The network adapter for the party is not there; waiting for it to come back. It may be \
                 disabled in the network connections.",
            ),
            PlayerStatus::WaitingForGateway { room } => {
                write!(f, "Connected to room {room}; waiting for the LAN gateway.")
            }
            PlayerStatus::SilentGateway { room } => write!(
                f,
                "Connected to room {room}; waiting for the LAN gateway, which does not answer."
            ),
            PlayerStatus::LookingBeside {
                room,
                others,
                is_silent,
            } => {
                let gateway = match is_silent {
                    true => "does not answer",
                    false => "is not there",
                };
                let others = match others {
                    1 => "the other relay".to_owned(),
                    others => format!("the other {others} relays"),
                };
                write!(
                    f,
                    "Connected to room {room}, but the LAN gateway {gateway}; looking for the party at {others} of the invite."
                )
            }
            PlayerStatus::StrangeGateway { room } => write!(
                f,
                "The gateway in room {room} does not prove that it is your host's, so nothing is taken from \
                 it; ask the host, who may want another relay."
            ),
            PlayerStatus::Hindered { notice } => f.write_str(notice),
            PlayerStatus::NoLanAddress => {
                write!(f, "Connected to the LAN; no LAN address yet.")
            }
            PlayerStatus::SelfAssigned { address } => write!(
                f,
                "Connected to the LAN, but no DHCP server there gives an address that this machine can use: your adapter \
                 has given itself {address}, which reaches others who have done the same."
            ),
            PlayerStatus::AddressMissing(why) => why.fmt(f),
            PlayerStatus::AdapterDown { adapter } => write!(
                f,
                "Somebody has set the adapter {adapter} down, so nothing crosses it; set it up again with \
                 `sudo ip link set {adapter} up`, or start this program again."
            ),
            PlayerStatus::OnTheLan {
                address,
                broadcast: false,
            } => {
                write!(
                    f,
                    "Connected to the LAN with the address {address}; all is well, and the LAN is quiet just now."
                )
            }
            PlayerStatus::OnTheLan {
                address,
                broadcast: true,
            } => {
                write!(
                    f,
                    "Connected to the LAN with the address {address}; broadcast is flowing."
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_a_sentence() {
        let address: IpAddr = "192.168.50.17".parse().unwrap();
        let statuses = [
            PlayerStatus::Connecting {
                relay: "relay.example:443".into(),
            },
            PlayerStatus::LookingUp {
                relay: "relay.example:443".into(),
            },
            PlayerStatus::NotReachable {
                relay: "relay.example:443".into(),
                cause: "it did not answer in time".into(),
            },
            PlayerStatus::Refused {
                relay: "relay.example:443".into(),
                cause: "the room is full".into(),
            },
            PlayerStatus::LookingForParty { relays: 3 },
            PlayerStatus::LookingElsewhere { others: 1 },
            PlayerStatus::LookingElsewhere { others: 2 },
            PlayerStatus::NoRelay {
                cause: "they do not answer".into(),
                refused: false,
            },
            PlayerStatus::WaitingForGateway {
                room: "FRIDAY".into(),
            },
            PlayerStatus::SilentGateway {
                room: "FRIDAY".into(),
            },
            PlayerStatus::LookingBeside {
                room: "FRIDAY".into(),
                others: 1,
                is_silent: true,
            },
            PlayerStatus::StrangeGateway {
                room: "FRIDAY".into(),
            },
            PlayerStatus::AdapterAway,
            PlayerStatus::Awake,
            PlayerStatus::AddressMissing(NoAddress::NotGiven),
            PlayerStatus::AddressMissing(NoAddress::NotAsked),
            PlayerStatus::AdapterDown {
                adapter: "lanparty0".into(),
            },
            PlayerStatus::NoLanAddress,
            PlayerStatus::SelfAssigned {
                address: "169.254.7.7".parse().unwrap(),
            },
            PlayerStatus::OnTheLan {
                address,
                broadcast: false,
            },
            PlayerStatus::OnTheLan {
                address,
                broadcast: true,
            },
        ];
        for status in statuses {
            let sentence = status.to_string();
            assert!(
                sentence.ends_with('.') && !sentence.contains('\n'),
                "{sentence}"
            );
        }
        assert_eq!(
            PlayerStatus::OnTheLan {
                address,
                broadcast: false
            }
            .to_string(),
            "Connected to the LAN with the address 192.168.50.17; all is well, and the LAN is quiet just now."
        );
    }
}
