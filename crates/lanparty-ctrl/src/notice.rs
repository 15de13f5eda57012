//! What the relay says about frames and players that it does not carry: to whose they are, and to the host.
//!
//! A drop is silent, and whoever is dropped blames the game. So a relay tells, for each kind once and then
//! seldom, and only peers whose `hello` names the ability [`NOTICES`]: older programs take an unknown
//! message for a broken protocol.

use crate::Name;
use lanparty_proto::{PeerId, VirtualMac};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// The ability of a peer to take notices, in its `hello`.
pub const NOTICES: &str = "notices";
/// The ability of a peer to take notices of a relay that is about to end, in its `hello`; others would read that their
/// frames are dropped.
pub const DRAINS: &str = "drains";

/// Something does not cross, and somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What.
    pub kind: NoticeKind,
    /// Who is meant, in a notice to the host; without it and without `mac` it is whoever gets this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_id: Option<PeerId>,
    /// Who is meant, where it is no member of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<VirtualMac>,
    /// What that one wants to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The address that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// How many frames died of it since the last notice of this kind.
    #[serde(default)]
    pub frames: u64,
    /// In so many seconds the relay ends at the latest, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

/// What does not cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The claim of an IP address that somebody else here has.
    AddressTaken,
    /// What the LAN's DHCP server gives a player: an address that somebody else here has.
    LeaseWithheld,
    /// What a player says to everybody or a group, while the host wants none of that from it.
    Muted,
    /// What a player says to another, while the host keeps players apart.
    Isolated,
    /// What a player says whose MAC is that of a machine on the LAN.
    MacOnLan,
    /// More to everybody and to groups than one player may say.
    GroupRate,
    /// More questions and claims about addresses (ARP, neighbour discovery, DHCP, group membership).
    ControlRate,
    /// More to machines that nobody has heard of.
    UnknownRate,
    /// More frames.
    FrameRate,
    /// More bytes.
    ByteRate,
    /// Nothing of anybody's: the relay takes in nobody new and ends with the last player.
    Draining,
    /// It has been taken back: the relay stays.
    Staying,
    /// What this version does not know.
    #[serde(other)]
    Other,
}

impl Notice {
    /// A notice to whoever gets it, about its own frames.
    pub fn new(kind: NoticeKind, frames: u64) -> Self {
        Notice {
            kind,
            peer_id: None,
            mac: None,
            name: None,
            address: None,
            frames,
            seconds: None,
        }
    }

    /// False for one to the host, about somebody else.
    pub fn is_about_its_reader(&self) -> bool {
        self.peer_id.is_none() && self.mac.is_none()
    }

    /// The same to the host, about this member.
    pub fn about(self, peer: PeerId) -> Self {
        Notice {
            peer_id: Some(peer),
            ..self
        }
    }

    /// How long a relay that drains goes on, in words.
    fn at_the_latest(&self) -> String {
        match self.seconds {
            None => String::new(),
            Some(..=90) => ", or within two minutes".to_owned(),
            Some(seconds) => format!(", or in {} minutes", seconds.div_ceil(60)),
        }
    }

    /// The sentence for the player whose frames they are.
    pub fn to_player(&self) -> impl fmt::Display {
        let address = self.address();
        match self.kind {
            NoticeKind::AddressTaken => format!(
                "{address} belongs to somebody else here, and what you say as its owner is dropped: let the \
                 adapter take its address by DHCP, or give it one that is free."
            ),
            NoticeKind::LeaseWithheld => format!(
                "The LAN's DHCP server gives you {address}, which somebody else here has, and that is withheld: ask the \
                 host to take addresses that are set by hand out of the DHCP server's range."
            ),
            NoticeKind::Muted => "The host has muted you: what you say to everybody is dropped, so your games are not \
                                  found; ask the host."
                .to_owned(),
            NoticeKind::Isolated => "The host keeps players apart: you reach the LAN, and what you say to other players is \
                                     dropped."
                .to_owned(),
            NoticeKind::MacOnLan => {
                "A machine on the LAN has your MAC address, and what you say is dropped: join \
                 with another --virtual-mac, or wait some minutes if that machine is gone."
                    .to_owned()
            }
            NoticeKind::GroupRate => {
                "Something on this machine says more to everybody than one player may, and \
                 some of that is dropped: games may be found late until it is quieter."
                    .to_owned()
            }
            NoticeKind::ControlRate => {
                "Something on this machine asks for more addresses than one player may, \
                 and some of that is dropped: machines may be found late until it is quieter."
                    .to_owned()
            }
            NoticeKind::UnknownRate => {
                "Something on this machine says much to machines that are not here, and \
                 some of that is dropped."
                    .to_owned()
            }
            NoticeKind::FrameRate | NoticeKind::ByteRate => {
                "Something on this machine sends more than one player \
                 may, and some of that is dropped: copies are slower than your line."
                    .to_owned()
            }
            NoticeKind::Draining => format!(
                "The relay is about to be restarted: play on; that happens when the last player has left{}, and you come back by \
                 yourself.",
                self.at_the_latest()
            ),
            NoticeKind::Staying => "The relay is not restarted after all.".to_owned(),
            NoticeKind::Other => {
                "The relay drops some of what you send, for a reason that this version does not \
                 know: update this program."
                    .to_owned()
            }
        }
    }

    /// The sentence for the host, who calls the player `who`.
    pub fn to_host(&self, who: impl fmt::Display) -> impl fmt::Display {
        let address = self.address();
        match self.kind {
            NoticeKind::AddressTaken => format!(
                "Player {who} claims {address}, which belongs to somebody else here; that is dropped."
            ),
            NoticeKind::LeaseWithheld => format!(
                "The LAN's DHCP server gives player {who} {address}, which somebody else here has; that is withheld: take \
                 addresses that are set by hand out of its range."
            ),
            NoticeKind::Muted => format!(
                "Player {who} is muted, as you want it; what it says to everybody is dropped."
            ),
            NoticeKind::Isolated => {
                format!("Player {who} talks to other players, which is dropped, as you want it.")
            }
            NoticeKind::MacOnLan => format!(
                "Player {who} has the MAC of a machine on this LAN, and is not let in while that machine is heard."
            ),
            NoticeKind::GroupRate => {
                format!(
                    "Player {who} says more to everybody than one may; some of that is dropped."
                )
            }
            NoticeKind::ControlRate => {
                format!(
                    "Player {who} asks for more addresses than one may; some of that is dropped."
                )
            }
            NoticeKind::UnknownRate => format!(
                "Player {who} says much to machines that are not here; some of that is dropped."
            ),
            NoticeKind::FrameRate | NoticeKind::ByteRate => {
                format!("Player {who} sends more than one may; some of that is dropped.")
            }
            NoticeKind::Draining => format!(
                "The relay is about to be restarted: nobody new comes in until then, who is in plays on; that happens when the \
                 last player has left{}, and all come back by themselves.",
                self.at_the_latest()
            ),
            NoticeKind::Staying => {
                "The relay is not restarted after all: people come in again.".to_owned()
            }
            NoticeKind::Other => format!(
                "The relay drops some of what player {who} sends, for a reason that this version does not know."
            ),
        }
    }

    fn address(&self) -> String {
        self.address
            .map_or_else(|| "an address".to_owned(), |address| address.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_a_sentence_for_each() {
        let notice = Notice {
            address: Some([192, 168, 50, 10].into()),
            ..Notice::new(NoticeKind::AddressTaken, 3)
        };
        let said = notice.to_player().to_string();
        assert!(said.starts_with("192.168.50.10 belongs to somebody else here"));
        let said = notice.to_host("Ann").to_string();
        assert!(
            said.starts_with("Player Ann claims 192.168.50.10"),
            "{said}"
        );
    }

    #[test]
    fn a_newer_relays_notice_is_still_one() {
        let json = r#"{"kind":"phase_of_the_moon","frames":1}"#;
        let notice: Notice = serde_json::from_str(json).unwrap();
        assert_eq!(notice, Notice::new(NoticeKind::Other, 1));
    }
}
