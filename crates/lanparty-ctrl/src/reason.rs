//! Why somebody is not let in, or is no longer there, each with a sentence a player understands.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why the relay refuses a `hello` (spec R12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// Another version of the protocol.
    Version,
    /// Not a room code.
    BadRoomCode,
    /// The room has all the clients it may have.
    RoomFull,
    /// The relay has all the peers or rooms it may have.
    RelayFull,
    /// The room has a gateway already.
    GatewayPresent,
    /// Somebody in the room has this MAC.
    MacInUse,
    /// A machine on the LAN has this MAC.
    MacOnLan,
    /// The proof that this room or relay asks for is missing or wrong.
    NotAuthorised,
    /// Invited people have a room of this code, and this gateway wants an open one.
    CodeClaimed,
    /// This relay opens rooms only for hosts who have its access token, and this gateway has shown none, or
    /// another one.
    NoAccess,
    /// The gateway has not shown the key of this room's host.
    NotHost,
    /// Nobody has opened this room, and only a gateway may.
    NotOpened,
    /// The host has locked the room.
    Locked,
    /// The host does not want this person in the room.
    Banned,
    /// Too many attempts, peers or rooms from this address, too many attempts at this room, or one peer that comes
    /// in again and again.
    RateLimited,
    /// The relay is about to stop.
    Draining,
    /// A reason of a newer relay; its text says more.
    #[serde(other)]
    Other,
}

impl RejectReason {
    /// Every reason, in the order of the enum.
    pub const ALL: [RejectReason; 17] = [
        RejectReason::Version,
        RejectReason::BadRoomCode,
        RejectReason::RoomFull,
        RejectReason::RelayFull,
        RejectReason::GatewayPresent,
        RejectReason::MacInUse,
        RejectReason::MacOnLan,
        RejectReason::NotAuthorised,
        RejectReason::CodeClaimed,
        RejectReason::NoAccess,
        RejectReason::NotHost,
        RejectReason::NotOpened,
        RejectReason::Locked,
        RejectReason::Banned,
        RejectReason::RateLimited,
        RejectReason::Draining,
        RejectReason::Other,
    ];

    /// The reason as it stands on the wire and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            RejectReason::Version => "version",
            RejectReason::BadRoomCode => "bad_room_code",
            RejectReason::RoomFull => "room_full",
            RejectReason::RelayFull => "relay_full",
            RejectReason::GatewayPresent => "gateway_present",
            RejectReason::MacInUse => "mac_in_use",
            RejectReason::MacOnLan => "mac_on_lan",
            RejectReason::NotAuthorised => "not_authorised",
            RejectReason::CodeClaimed => "code_claimed",
            RejectReason::NoAccess => "no_access",
            RejectReason::NotHost => "not_host",
            RejectReason::NotOpened => "not_opened",
            RejectReason::Locked => "locked",
            RejectReason::Banned => "banned",
            RejectReason::RateLimited => "rate_limited",
            RejectReason::Draining => "draining",
            RejectReason::Other => "other",
        }
    }

    /// True when the same `hello` may be accepted later, so that trying again makes sense.
    pub fn may_pass(self) -> bool {
        match self {
            RejectReason::Version
            | RejectReason::BadRoomCode
            | RejectReason::NotAuthorised
            | RejectReason::CodeClaimed
            | RejectReason::NoAccess
            | RejectReason::NotHost
            | RejectReason::Banned => false,
            RejectReason::RoomFull
            | RejectReason::RelayFull
            | RejectReason::GatewayPresent
            | RejectReason::MacInUse
            | RejectReason::MacOnLan
            | RejectReason::NotOpened
            | RejectReason::Locked
            | RejectReason::RateLimited
            | RejectReason::Draining
            | RejectReason::Other => true,
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RejectReason::Version => {
                "this program and the relay speak different versions; update the older one"
            }
            RejectReason::BadRoomCode => {
                "the relay does not accept this room code; ask the host for the right one"
            }
            RejectReason::RoomFull => "the room is full; ask the host to make room",
            RejectReason::RelayFull => "the relay is full; try again later or use another relay",
            RejectReason::GatewayPresent => {
                "the room has a gateway already; stop the other one or choose another room"
            }
            RejectReason::MacInUse => {
                "somebody in the room has this MAC address; wait a moment or use --virtual-mac"
            }
            RejectReason::MacOnLan => {
                "a machine on the LAN has your MAC address; use another --virtual-mac, or wait some minutes if that machine has gone"
            }
            RejectReason::NotAuthorised => {
                "you are not invited to this room; ask the host for a new invite"
            }
            RejectReason::CodeClaimed => {
                "invited people have a room of this code; choose another code, or make invites"
            }
            RejectReason::NoAccess => {
                "it opens rooms only for hosts who have its access token; ask its operator, and use --access-token-file"
            }
            RejectReason::NotHost => {
                "only the host's own machine can be the gateway of this room; join it as a player, or, as its host, update this gateway"
            }
            RejectReason::NotOpened => "nobody has opened this room yet; ask the host to",
            RejectReason::Locked => "the host has locked the room; ask the host to unlock it",
            RejectReason::Banned => "the host has banned you from this room",
            RejectReason::RateLimited => {
                "you, or others at your address, have come too often or have too many rooms or players here; wait a minute"
            }
            RejectReason::Draining => "the relay is about to restart; trying again shortly helps",
            RejectReason::Other => "the relay refused for a reason this version does not know",
        })
    }
}

/// Why one side ends a link, in its `disconnect` (spec R13, R25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectReason {
    /// The program was asked to stop.
    Leaving,
    /// The other side broke the protocol.
    ProtocolError,
    /// The host or the operator wants this peer gone.
    Kicked,
    /// The same identity has come in anew.
    Replaced,
    /// A machine on the LAN has this peer's MAC.
    MacOnLan,
    /// The relay is about to stop.
    Draining,
    /// Another relay has this one's place from now on, at the same address: come back at once.
    Succeeded,
    /// A reason of a newer version; its text says more.
    #[serde(other)]
    Other,
}

/// Why a peer is no longer in the room, in `peer_left` (spec R25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// It said goodbye.
    Leaving,
    /// Its link was closed without a word.
    Closed,
    /// Nothing was heard from it for too long.
    TimedOut,
    /// It broke the protocol.
    ProtocolError,
    /// The host or the operator wanted it gone.
    Kicked,
    /// The same identity has come in anew.
    Replaced,
    /// A machine on the LAN has its MAC.
    MacOnLan,
    /// The relay is about to stop.
    Draining,
    /// A reason of a newer version.
    #[serde(other)]
    Other,
}

impl LeaveReason {
    /// Every reason, in the order of the enum.
    pub const ALL: [LeaveReason; 9] = [
        LeaveReason::Leaving,
        LeaveReason::Closed,
        LeaveReason::TimedOut,
        LeaveReason::ProtocolError,
        LeaveReason::Kicked,
        LeaveReason::Replaced,
        LeaveReason::MacOnLan,
        LeaveReason::Draining,
        LeaveReason::Other,
    ];

    /// The reason as it stands on the wire and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            LeaveReason::Leaving => "leaving",
            LeaveReason::Closed => "closed",
            LeaveReason::TimedOut => "timed_out",
            LeaveReason::ProtocolError => "protocol_error",
            LeaveReason::Kicked => "kicked",
            LeaveReason::Replaced => "replaced",
            LeaveReason::MacOnLan => "mac_on_lan",
            LeaveReason::Draining => "draining",
            LeaveReason::Other => "other",
        }
    }
}

impl From<DisconnectReason> for LeaveReason {
    fn from(reason: DisconnectReason) -> Self {
        match reason {
            DisconnectReason::Leaving => LeaveReason::Leaving,
            DisconnectReason::ProtocolError => LeaveReason::ProtocolError,
            DisconnectReason::Kicked => LeaveReason::Kicked,
            DisconnectReason::Replaced => LeaveReason::Replaced,
            DisconnectReason::MacOnLan => LeaveReason::MacOnLan,
            DisconnectReason::Draining | DisconnectReason::Succeeded => LeaveReason::Draining,
            DisconnectReason::Other => LeaveReason::Other,
        }
    }
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeaveReason::Leaving => "said goodbye",
            LeaveReason::Closed => "closed the link",
            LeaveReason::TimedOut => "was not heard from any more",
            LeaveReason::ProtocolError => "broke the protocol",
            LeaveReason::Kicked => "was asked to go",
            LeaveReason::Replaced => "came in anew",
            LeaveReason::MacOnLan => "has the MAC of a machine on the LAN",
            LeaveReason::Draining => "went with the relay",
            LeaveReason::Other => "left",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_these_names_on_the_wire() {
        let name = |reason| serde_json::to_value(reason).unwrap();
        assert_eq!(name(RejectReason::BadRoomCode), "bad_room_code");
        assert_eq!(name(RejectReason::GatewayPresent), "gateway_present");
        assert_eq!(name(RejectReason::MacInUse), "mac_in_use");
        assert_eq!(name(RejectReason::MacOnLan), "mac_on_lan");
        assert_eq!(name(RejectReason::NotHost), "not_host");
        assert_eq!(name(RejectReason::CodeClaimed), "code_claimed");
        assert_eq!(name(RejectReason::NotAuthorised), "not_authorised");
        assert_eq!(
            serde_json::to_value(LeaveReason::TimedOut).unwrap(),
            "timed_out"
        );
    }

    #[test]
    fn every_reason_stands_in_its_list_by_the_name_it_has_on_the_wire() {
        for (place, reason) in RejectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
        for (place, reason) in LeaveReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
        let last = (RejectReason::Other as usize, LeaveReason::Other as usize);
        assert_eq!(
            last,
            (RejectReason::ALL.len() - 1, LeaveReason::ALL.len() - 1)
        );
    }

    #[test]
    fn a_newer_versions_reason_is_still_a_reason() {
        let reason: RejectReason = serde_json::from_str(r#""phase_of_the_moon""#).unwrap();
        assert_eq!(reason, RejectReason::Other);
    }
}
