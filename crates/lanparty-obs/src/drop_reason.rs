//! Why a frame died: the one list, returned, counted and logged alike.

use std::fmt;

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a frame or datagram went no further.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the enum.
            pub const ALL: &[DropReason] = &[$(DropReason::$variant,)+];

            /// The reason as it stands in logs, statistics and control messages.
            pub const fn name(self) -> &'static str {
                match self {
                    $(DropReason::$variant => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// The datagram is none of ours: too short, unknown version, type or flag, reserved ids.
    Malformed = "malformed",
    /// The header names a peer or room that the relay did not give to this connection (spec R26).
    ForgedHeader = "forged_header",
    /// A fragment that cannot be one, overlaps another or contradicts it (spec R2).
    BadFragment = "bad_fragment",
    /// Some of the frame's fragments never came (spec R2).
    Incomplete = "incomplete",
    /// Shorter than an Ethernet header.
    Runt = "runt",
    /// Longer than an ordinary Ethernet frame.
    Jumbo = "jumbo",
    /// The source MAC is a group address or all zero.
    InvalidSourceMac = "invalid_source_mac",
    /// The source MAC is not the sender's own, or belongs to somebody else (spec R28, R45).
    UnauthorizedSourceMac = "unauthorized_source_mac",
    /// The sender has the MAC of a machine on the LAN (spec R102).
    MacOnLan = "mac_on_lan",
    /// Nobody here has the destination MAC (spec R27, R44).
    UnknownDestination = "unknown_destination",
    /// For link-local switch protocols: 01-80-C2-00-00-0x, spanning tree and their like.
    ReservedMulticast = "reserved_multicast",
    /// EAP over LAN (802.1X).
    Eapol = "eapol",
    /// LLDP (802.1AB).
    Lldp = "lldp",
    /// LACP, marker, OAM.
    SlowProtocol = "slow_protocol",
    /// MACsec (802.1AE).
    MacSec = "mac_sec",
    /// PAUSE and other MAC control.
    Pause = "pause",
    /// A gateway's own CAM refresh, or an imitation of it (spec R46).
    CamRefresh = "cam_refresh",
    /// A DHCPv4 server's answer from a client.
    DhcpServerReply = "dhcp_server_reply",
    /// A DHCPv6 server's answer from a client.
    Dhcpv6ServerReply = "dhcpv6_server_reply",
    /// An IPv6 router advertisement or redirect from a client.
    RouterAdvertisement = "router_advertisement",
    /// What only routers and first hops say, from a client: routing, first-hop redundancy, PPPoE (spec R106).
    RouterProtocol = "router_protocol",
    /// A multicast query or router discovery from a client: only the LAN's querier asks (spec R106).
    GroupQuery = "group_query",
    /// What only bridges say to each other, from a client: registration, rings, loop detection (spec R106).
    BridgeProtocol = "bridge_protocol",
    /// A fragment or header chain that hides what it carries: from a client, or from the LAN to a player who gets no
    /// whole leases.
    HiddenUpperHeader = "hidden_upper_header",
    /// A VLAN tag, where none may be.
    VlanTagged = "vlan_tagged",
    /// ARP or neighbour discovery that claims another station's MAC.
    ArpSpoof = "arp_spoof",
    /// DHCP from a client that names another machine than itself, or cannot be read (spec R103).
    DhcpSpoof = "dhcp_spoof",
    /// A DHCP server's acknowledgement to a client, of an address that somebody else here has (spec R103).
    LeaseConflict = "lease_conflict",
    /// ARP, neighbour discovery or a DHCP release from a client, for an IP address that somebody else here has.
    ClaimedAddress = "claimed_address",
    /// More ARP, neighbour discovery, DHCP and group membership than this client may send (spec R107).
    ControlRate = "control_rate",
    /// More other broadcast and multicast than this client may send (spec R107).
    BroadcastRate = "broadcast_rate",
    /// More unknown unicast than this client may send (spec R30).
    UnknownUnicastRate = "unknown_unicast_rate",
    /// More frames than this client may send (spec R107).
    FrameRate = "frame_rate",
    /// More bytes than this client may send (spec R30).
    ByteRate = "byte_rate",
    /// More to everybody than the room takes from its LAN (spec R107).
    LanRate = "lan_rate",
    /// From the LAN to a group of which nobody in the room wants to hear (spec R107).
    Unwanted = "unwanted",
    /// From a gateway that has not proved to be the host's.
    UnprovenHost = "unproven_host",
    /// To everybody or a group, from a client whose host wants to hear none of that.
    Muted = "muted",
    /// By a direct path, but not for one player or the LAN alone: to a group, between players, or a claim.
    NotDirect = "not_direct",
    /// From one client to another, while their host keeps them apart.
    Isolated = "isolated",
    /// From a client to something on the LAN that its host does not let players reach.
    OutOfReach = "out_of_reach",
    /// A queue that is full, by intent: nothing waits on a slow peer.
    /// A queue is full, and this frame's flow took the most of it: nothing waits on a slow peer.
    QueueFull = "queue_full",
    /// It waited too long in a queue that stays long: the sender should send less (RFC 8289).
    QueueDelay = "queue_delay",
    /// The link to the relay, or to that peer, is down.
    LinkDown = "link_down",
    /// The adapter or the LAN did not take the frame.
    PortRefused = "port_refused",
    /// The gateway's own machine, which takes part, did not take the frame; its LAN may have.
    MachineRefused = "machine_refused",
    /// An offloaded super-frame of a kind that cannot be turned into frames (spec R43).
    UnknownOffload = "unknown_offload",
    /// To a group, while a gateway's frames come back to it from its LAN by another way.
    Loop = "loop",
    /// From the LAN to a player: a lease or router advertisement in pieces, or that cannot be read to its end (spec R130).
    BrokenLease = "broken_lease",
    /// From the LAN to a player, who goes nowhere through its routers: a redirect, router discovery for IPv4 (spec R130).
    LanRouter = "lan_router",
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_its_own_name_and_place() {
        let names: BTreeSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
        for (place, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, place);
        }
    }
}
