//! What speaks as a router, a first hop or a bridge: a player is none of these (spec R106).
//!
//! A LAN believes its routers and bridges without asking who they are. Whoever plays one for a while
//! takes the traffic, or leaves a hole where it was. So players may say none of it, whole kinds at a
//! time, by the number that each has; `docs/threat-model.md` has the same table in words.
//!
//! Not refused, and why: BGP, LDP's and MSDP's sessions, and BFD, which need a neighbour that was
//! configured to believe this very address; mtrace's and BFD's questions with them; clocks (NTP, PTP
//! over UDP), name servers and UPnP, which are services and no first hop; and routing that no LAN of
//! today listens to (DECnet, Vines, XNS, AppleTalk), but for IPX, which old games still speak.

use crate::said::Said;
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;

const ROUTER: DropReason = DropReason::RouterProtocol;
const BRIDGE: DropReason = DropReason::BridgeProtocol;

/// IP protocols (IANA protocol numbers), in every fragment.
pub(crate) fn protocol(number: u8) -> Option<DropReason> {
    let spoken = matches!(
        number,
        3       // GGP, RFC 823
        | 8     // EGP, RFC 904
        | 9     // IGRP and other interior gateways' own
        | 45    // IDRP
        | 54    // NHRP, RFC 2332
        | 85    // NSFNET's interior protocol
        | 86    // DGP
        | 88    // EIGRP, RFC 7868
        | 89    // OSPF, RFC 2328 and RFC 5340
        | 91    // Locus' ARP
        | 103   // PIM, RFC 7761
        | 112   // VRRP 2 and 3, RFC 9568; CARP
        | 124   // IS-IS over IPv4
        | 138   // manet: OLSRv2 and others, RFC 5498
        | 240 // pfsync, which goes with CARP
    );
    spoken.then_some(ROUTER)
}

/// UDP (IANA port numbers). Programs of today take any port above 1023 for themselves; there a packet
/// is a router's when it comes from the same port, as routers' do, or is for a group.
pub(crate) fn udp((from, to): (u16, u16), to_group: bool) -> Option<DropReason> {
    let spoken = match to {
        269         // MANET, RFC 5498
        | 496       // Auto-RP
        | 520       // RIP, RFC 2453
        | 521       // RIPng, RFC 2080
        | 646       // LDP's hello, RFC 5036
        | 654       // AODV, RFC 3561
        | 698       // OLSR, RFC 3626
        | 711       // TDP, Cisco's LDP
        | 712       // TBRPF, RFC 3684
        => true,
        1985        // HSRP, RFC 2281
        | 2029      // HSRP for IPv6
        | 3222      // GLBP
        | 4305      // B.A.T.M.A.N.
        | 6696      // Babel, RFC 8966
        => from == to || to_group,
        5350        // NAT-PMP's and PCP's news, RFC 6886, RFC 6887
        => from == 5351 || to_group,
        _ => false,
    };
    spoken.then_some(ROUTER)
}

/// ICMPv4 (IANA ICMP types).
pub(crate) fn icmpv4<'a>(kind: u8) -> Said<'a> {
    match kind {
        5       // redirect, RFC 792
        | 9     // router and mobility agent advertisement, RFC 1256, RFC 5944
        | 18    // address mask reply, RFC 950
        | 32    // mobile host redirect
        => Said::OnlyTheLan(DropReason::RouterAdvertisement),
        _ => Said::Anything,
    }
}

/// ICMPv6 (IANA ICMPv6 types).
pub(crate) fn icmpv6(kind: u8) -> Option<DropReason> {
    Some(match kind {
        134     // router advertisement, RFC 4861
        | 137   // redirect, RFC 4861
        | 138   // router renumbering, RFC 2894
        | 145   // home agent address discovery reply, RFC 6275
        | 147   // mobile prefix advertisement, RFC 6275
        | 149   // certification path advertisement, RFC 3971
        | 154   // FMIPv6: proxy router advertisements, RFC 5568
        => DropReason::RouterAdvertisement,
        155     // RPL, RFC 6550
        | 157   // duplicate address request of a 6LoWPAN border router, RFC 6775
        | 158   // and its confirmation
        | 159   // MPL, RFC 7731
        => ROUTER,
        // Inverse neighbour discovery, which nobody here can check (RFC 3122).
        141 | 142 => DropReason::ArpSpoof,
        _ => return None,
    })
}

/// EtherTypes (IEEE), in SNAP too.
pub(crate) fn ether_type<'a>(kind: u16, payload: &[u8]) -> Said<'a> {
    Said::OnlyTheLan(match kind {
        0x8847 | 0x8848     // MPLS, RFC 3032
        | 0x8863 | 0x8864   // PPPoE, RFC 2516: both ends, a player's first hop is the room
        | 0x8890 | 0x8891 | 0x8893 // FGCP: Fortinet's clusters
        | 0x85be            // EIGRP without IP
        => ROUTER,
        0x22ea              // MSRP, IEEE 802.1Qat
        | 0x22f3 | 0x22f4   // TRILL and its IS-IS, RFC 6325
        | 0x893b | 0x8946   // TRILL: fine labels, channels
        | 0x88f5 | 0x88f6   // MVRP, MMRP, IEEE 802.1ak
        | 0x88f7            // PTP over Ethernet: IEEE 802.1AS speaks it from bridge to bridge
        | 0x88e3            // MRP: rings, IEC 62439-2
        | 0x88fb | 0x892f   // PRP, HSR: rings, IEC 62439-3
        | 0x8902            // CFM and ERPS, IEEE 802.1ag, ITU-T G.8032
        | 0x88ee            // E-LMI
        | 0x8903            // FabricPath
        | 0x9000            // loopback of the Configuration Test Protocol: keepalives, loop detection
        | 0x8102            // loop detection: SLPP
        | 0x9003            // loop detection: MikroTik
        | 0x9998            // loop detection: Huawei
        | 0x8899            // Realtek's RRCP and loop detection
        | 0x88a7            // H3C's and Huawei's cluster management
        | 0x4305            // batman-adv
        | 0x893a            // IEEE 1905.1: mesh of access points
        | 0x887b | 0x88e1 | 0x8912 // HomePlug: configures the bridges between sockets
        | 0x890d            // IEEE 802.11 between access points
        | 0x8906 | 0x8914   // FCoE and FIP: a fabric's switches
        => BRIDGE,
        0x88e7              // service instances, IEEE 802.1ah
        | 0x8926 | 0x893f   // VN-tag, IEEE 802.1BR
        | 0x9200 | 0x9300   // service tags of old
        => DropReason::VlanTagged,
        0x8137 => return ipx(payload),
        _ => return Said::Anything,
    })
}

/// LLC service access points: ISO's network layer, which is IS-IS' and ES-IS', and IPX.
pub(crate) fn llc(access_point: u8, payload: &[u8]) -> Said<'_> {
    match (access_point, payload) {
        // IPX without LLC: in the place of access points stands a checksum that it does not use.
        (_, [0xff, 0xff, ..]) => ipx(payload),
        (0xe0, [_, _, _, packet @ ..]) => ipx(packet),
        (0xfe, _) => Said::OnlyTheLan(ROUTER),
        _ => Said::Anything,
    }
}

/// Makers of switches, by the code in SNAP under which theirs speak to each other.
pub(crate) fn snap<'a>(organisation: [u8; 3]) -> Said<'a> {
    match organisation {
        [0x00, 0x00, 0x0c]      // Cisco: CDP, VTP, DTP, UDLD, PVST+, CGMP
        | [0x00, 0xe0, 0x2b]    // Extreme: EDP, EAPS
        | [0x00, 0xe0, 0x52]    // Foundry: FDP
        | [0x00, 0x00, 0x81]    // Nortel: topology discovery
        | [0x00, 0x80, 0xc2]    // IEEE 802.1: bridged frames of other media, BPDUs among them
        => Said::OnlyTheLan(BRIDGE),
        _ => Said::Anything,
    }
}

/// Groups that only bridges speak to: IEEE 802.1's, and Cisco's.
pub(crate) fn destination(mac: MacAddr) -> Result<(), DropReason> {
    match mac.octets() {
        [0x01, 0x80, 0xc2, ..] | [0x01, 0x00, 0x0c, ..] => Err(BRIDGE),
        _ => Ok(()),
    }
}

/// IPX, which games speak, less its routers: answers of RIP, and NLSP.
fn ipx<'a>(packet: &[u8]) -> Said<'a> {
    const HEADER_LEN: usize = 30;
    const RIP: u16 = 0x0453;
    const NLSP: u16 = 0x9001;
    const ANSWER: [u8; 2] = [0, 2];
    let Some((header, message)) = packet.split_first_chunk::<HEADER_LEN>() else {
        return Said::Anything;
    };
    let socket = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let sockets = [socket(16), socket(28)];
    let is_answer = sockets.contains(&RIP) && message.starts_with(&ANSWER);
    match is_answer || sockets.contains(&NLSP) {
        true => Said::OnlyTheLan(ROUTER),
        false => Said::Anything,
    }
}
