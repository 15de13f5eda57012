//! What an interface is beside its hardware: one of its own, a part of something, or apart from its cable
//! (rtnetlink(7)).

use lanparty_netlink::link;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoMacVtap, InfoPortKind, LinkAttribute, LinkInfo,
    LinkMessage, MacVlanMode,
};
use std::io;
use std::path::Path;

/// How an interface is related to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Nature {
    /// It has a wire of its own, or is the bridge or the bond itself.
    Plain,
    /// It gets from the interface below only what is for its own MAC, or sends only from that.
    Apart { kind: String, below: Option<String> },
    /// What it gets and sends belongs to a bridge or a bond.
    Member { of: Option<String> },
    /// It is a port of an Open vSwitch bridge, whose datapath is not an interface to be given.
    OfOpenVSwitch,
    /// It is a virtual function of a NIC, whose switch lets only its own MAC speak and be spoken to.
    VirtualFunction,
    /// It leads into this machine.
    Nowhere { kind: String },
}

/// Asks the kernel. An interface about which it says nothing is plain.
pub(super) fn look_up(name: &str) -> io::Result<Nature> {
    let link = link::named(name)?;
    let nature = link.map_or(Nature::Plain, |link| nature(&link, name_of));
    // A virtual function with a driver of its own is a NIC for the kernel.
    match nature {
        Nature::Plain if is_virtual_function(Path::new("/sys/class/net"), name) => {
            Ok(Nature::VirtualFunction)
        }
        nature => Ok(nature),
    }
}

/// An SR-IOV virtual function knows its physical one (Linux' `Documentation/PCI/pci-iov-howto.rst`).
fn is_virtual_function(interfaces: &Path, name: &str) -> bool {
    interfaces.join(name).join("device/physfn").exists()
}

fn name_of(index: u32) -> Option<String> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None).ok()?;
    rustix::net::netdevice::index_to_name(socket, index).ok()
}

fn nature(link: &LinkMessage, name_of: impl Fn(u32) -> Option<String>) -> Nature {
    let (mut info, mut below, mut of, mut is_elsewhere) = (&[][..], None, None, false);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::LinkInfo(parts) => info = parts,
            LinkAttribute::Link(index) => below = Some(*index),
            LinkAttribute::Controller(index) => of = Some(*index),
            // The number of what is below counts in another namespace, as for a container's macvlan.
            LinkAttribute::LinkNetNsId(_) => is_elsewhere = true,
            _ => {}
        }
    }
    let kind = info.iter().find_map(|part| match part {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    });
    if let Some(kind) = kind {
        match kind {
            InfoKind::Dummy | InfoKind::Ifb | InfoKind::Vrf | InfoKind::Nlmon => {
                return Nature::Nowhere {
                    kind: kind.to_string(),
                };
            }
            InfoKind::IpVlan | InfoKind::IpVtap | InfoKind::MacVlan | InfoKind::MacVtap
                if !passes_all(info) =>
            {
                return Nature::Apart {
                    kind: kind.to_string(),
                    below: below.filter(|_| !is_elsewhere).and_then(&name_of),
                };
            }
            _ => {}
        }
    }
    // A VRF is about routes: frames pass its members as they did before.
    let is_routed = |part: &LinkInfo| matches!(part, LinkInfo::PortKind(InfoPortKind::Vrf));
    let is_of_ovs = |part: &LinkInfo| matches!(part, LinkInfo::PortKind(InfoPortKind::Other(kind)) if kind == "openvswitch");
    match of {
        Some(_) if info.iter().any(is_of_ovs) => Nature::OfOpenVSwitch,
        Some(of) if !info.iter().any(is_routed) => Nature::Member { of: name_of(of) },
        _ => Nature::Plain,
    }
}

/// A macvlan in this mode is the interface below under another name.
fn passes_all(info: &[LinkInfo]) -> bool {
    info.iter().any(|part| match part {
        LinkInfo::Data(InfoData::MacVlan(data)) => {
            data.contains(&InfoMacVlan::Mode(MacVlanMode::Passthrough))
        }
        LinkInfo::Data(InfoData::MacVtap(data)) => {
            data.contains(&InfoMacVtap::Mode(MacVlanMode::Passthrough))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(attributes: Vec<LinkAttribute>) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.attributes = attributes;
        link
    }

    fn of_kind(kind: &str) -> LinkAttribute {
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind.into())])
    }

    fn port_of(kind: InfoPortKind) -> Vec<LinkAttribute> {
        let info = vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::PortKind(kind)];
        vec![LinkAttribute::Controller(7), LinkAttribute::LinkInfo(info)]
    }

    fn judged(attributes: Vec<LinkAttribute>) -> Nature {
        nature(&link(attributes), |index| Some(format!("if{index}")))
    }

    #[test]
    fn what_has_a_wire_of_its_own_will_do() {
        assert_eq!(judged(Vec::new()), Nature::Plain, "a NIC");
        for kind in [
            "veth", "bridge", "bond", "team", "vlan", "tun", "vxlan", "new",
        ] {
            let attributes = vec![LinkAttribute::Link(3), of_kind(kind)];
            assert_eq!(judged(attributes), Nature::Plain, "{kind}");
        }
        assert_eq!(judged(port_of(InfoPortKind::Vrf)), Nature::Plain);
    }

    #[test]
    fn what_gets_only_its_own_frames_will_not() {
        for kind in ["macvlan", "macvtap", "ipvlan", "ipvtap"] {
            let expected = Nature::Apart {
                kind: kind.to_owned(),
                below: Some("if3".to_owned()),
            };
            let attributes = vec![LinkAttribute::Link(3), of_kind(kind)];
            assert_eq!(judged(attributes), expected);
        }
        let in_a_container = vec![
            LinkAttribute::Link(3),
            LinkAttribute::LinkNetNsId(0),
            of_kind("macvlan"),
        ];
        let expected = Nature::Apart {
            kind: "macvlan".to_owned(),
            below: None,
        };
        assert_eq!(judged(in_a_container), expected, "if3 is another one here");
        let data = |mode| InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]);
        let macvlan = |mode| {
            let info = vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(data(mode)),
            ];
            judged(vec![LinkAttribute::LinkInfo(info)])
        };
        assert!(matches!(macvlan(MacVlanMode::Bridge), Nature::Apart { .. }));
        assert_eq!(macvlan(MacVlanMode::Passthrough), Nature::Plain);
    }

    #[test]
    fn a_part_of_something_will_not_and_is_told_of_what() {
        let of = Some("if7".to_owned());
        let ovs = InfoPortKind::Other("openvswitch".to_owned());
        assert_eq!(judged(port_of(ovs)), Nature::OfOpenVSwitch);
        for kind in [InfoPortKind::Bridge, InfoPortKind::Bond, InfoPortKind::Team] {
            assert_eq!(judged(port_of(kind)), Nature::Member { of: of.clone() });
        }
        assert_eq!(
            judged(vec![LinkAttribute::Controller(7)]),
            Nature::Member { of }
        );
    }

    #[test]
    fn a_virtual_function_is_known_by_its_physical_one() {
        let interfaces = tempfile::tempdir().unwrap();
        for folder in ["eth0/device", "eth1/device/physfn", "eth2"] {
            std::fs::create_dir_all(interfaces.path().join(folder)).unwrap();
        }
        let found =
            ["eth0", "eth1", "eth2"].map(|name| is_virtual_function(interfaces.path(), name));
        assert_eq!(found, [false, true, false]);
    }

    #[test]
    fn what_leads_into_this_machine_will_not() {
        for kind in ["dummy", "ifb", "vrf"] {
            let expected = Nature::Nowhere {
                kind: kind.to_owned(),
            };
            assert_eq!(judged(vec![of_kind(kind)]), expected);
        }
    }
}
