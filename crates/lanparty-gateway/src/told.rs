//! What docs/errors.md says to hosts.

use crate::keys::KeyError;
use crate::lan::{InterfaceError, LegError, NotSole};
use lanparty_switch::reach::{BadPolicy, BadTarget};
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_the_lans_interface() {
    let name = || String::from("eth0");
    let system = || io::Error::from_raw_os_error(19);
    let lan = told!(InterfaceError {
        InterfaceError::BadName(_) = InterfaceError::BadName("a/b".into()) => "--interface is written wrongly.", "A name that `ip link` shows.";
        InterfaceError::Missing(_) = InterfaceError::Missing(name()) => "No such interface is here.", "A name that `ip link` shows.";
        InterfaceError::Loopback(_) = InterfaceError::Loopback("lo".into()) => "That one leads back into this machine.", "The one with the LAN's cable.";
        InterfaceError::NotEthernet { .. } = InterfaceError::NotEthernet { name: "tun0".into(), hardware: 65534 } => "A tunnel or the like, without MAC addresses.", "The one with the LAN's cable.";
        InterfaceError::BadAddress { .. } = InterfaceError::BadAddress { name: name(), mac: lanparty_proto::MacAddr::new([0; 6]) } => "The driver has no address for it.", "Set one.";
        InterfaceError::Wireless(_) = InterfaceError::Wireless("wlan0".into()) => "Over Wi-Fi players could be seen by nobody.", "A cable.";
        InterfaceError::Apart { .. } = InterfaceError::Apart { name: "mv0".into(), kind: "macvlan".into(), below: Some(name()) } => "It gets only its own frames.", "The interface below it.";
        InterfaceError::Member { .. } = InterfaceError::Member { name: name(), of: Some("br0".into()) } => "It belongs to a bridge or bond.", "That one.";
        InterfaceError::OfOpenVSwitch(_) = InterfaceError::OfOpenVSwitch(name()) => "It belongs to Open vSwitch.", "The bridge's internal port.";
        InterfaceError::Nowhere { .. } = InterfaceError::Nowhere { name: "ifb0".into(), kind: "ifb".into() } => "Nobody is behind it.", "The one with the LAN's cable.";
        InterfaceError::Down(_) = InterfaceError::Down(name()) => "It is switched off.", "Switch it on.";
        InterfaceError::NoCarrier(_) = InterfaceError::NoCarrier(name()) => "No cable, or a switch without power.", "Plug it in.";
        InterfaceError::MissingPrivilege { .. } = InterfaceError::MissingPrivilege { name: name(), advice: "run this with sudo, or once `sudo setcap cap_net_raw+ep` on the program".into() } => "A right is missing; what helps depends on the machine, as for players on Linux.", "What the sentence says.";
        InterfaceError::NotPromiscuous { .. } = InterfaceError::NotPromiscuous { name: name(), error: system() } => "The driver or the hypervisor forbids it.", "Allow promiscuous mode, or another interface.";
        InterfaceError::System { .. } = InterfaceError::System { name: name(), step: "look up the interface", error: system() } => "The system refuses a step, for the reason behind the colon.", "What the reason says.";
    });
    let sole = told!(NotSole {
        NotSole { .. } = NotSole { interface: name(), pid: Some(1234) } => "Two gateways would carry each frame twice.", "Stop the other one.";
    });
    Chapter::new("interface").with(lan).with(sole).check();
}

#[test]
fn the_page_explains_why_this_machine_takes_no_part() {
    let system = || io::Error::from_raw_os_error(2);
    let leg = told!(LegError {
        LegError::NotPermitted(_) = LegError::NotPermitted("run this with sudo, or once `sudo setcap cap_net_admin,cap_net_raw+ep` on the program".into()) => "A right is missing that only this needs.", "What the sentence says, or --without-this-machine.";
        LegError::NoDevice = LegError::NoDevice => "The kernel's module for adapters is not loaded, or the container has no such device.", "What the sentence says.";
        LegError::DeviceClosed = LegError::DeviceClosed => "The device is not for everybody here.", "What the sentence says.";
        LegError::NoRedirection { .. } = LegError::NoRedirection { error: system() } => "The kernel lacks what leads frames from one interface to another.", "Load it; or --without-this-machine.";
        LegError::System { .. } = LegError::System { step: "making a TAP adapter", error: system() } => "The system refuses a step, for the reason in brackets.", "What the reason says; or --without-this-machine.";
    });
    Chapter::new("this-machine").with(leg).check();
}

#[test]
fn the_page_explains_a_hosts_keys() {
    let file = |name: &str| format!("/var/lib/lanparty-gateway/{name}").into();
    let keys = told!(KeyError {
        KeyError::Broken(_) = KeyError::Broken(file("FRIDAY.room-key")) => "The room's key was changed or cut off.", "Put it back; else all need new invites.";
        KeyError::NoIdentity(_) = KeyError::NoIdentity(file("gateway.identity-key")) => "The gateway's own key was changed.", "Delete it.";
        KeyError::NoSecret(_) = KeyError::NoSecret(file("gateway.host-secret")) => "What makes this machine the host was changed.", "Put it back; else all need new invites.";
        KeyError::NotTheHost(_) = KeyError::NotTheHost("FRIDAY".parse().unwrap()) => "The gateway was started with a guest's invite.", "Play with the client; or start it with the right --keys.";
    } elsewhere KeyError::State(_));
    Chapter::new("keys")
        .with(keys)
        .with(crate::terms::warnings())
        .check();
}

#[test]
fn the_page_explains_what_players_may_reach() {
    let policy = told!(BadPolicy {
        BadPolicy::Empty = BadPolicy::Empty => "Nothing is named, which may be a slip.", "What the sentence says.";
        BadPolicy::EverythingAnd = BadPolicy::EverythingAnd => "The rest would have no effect.", "One of both.";
        BadPolicy::TooMany = BadPolicy::TooMany => "The list has an end.", "Networks, or ports in a row.";
    } elsewhere BadPolicy::Target(_));
    let target = told!(BadTarget {
        BadTarget::Address(_) = BadTarget::Address("nas:445".into()) => "Names are not looked up.", "The machine's address.";
        BadTarget::Brackets(_) = BadTarget::Brackets("fd00::2".into()) => "Where the address ends and the port begins would not be clear.", "Brackets.";
        BadTarget::Nobodys(_) = BadTarget::Nobodys([224, 0, 0, 251].into()) => "It is everybody's, a group's, or this machine's for itself; or an IPv4 address in IPv6's dress.", "A machine's address.";
        BadTarget::Bits(_) = BadTarget::Bits("33".into()) => "What stands behind the stroke is no number, or too large.", "The network's size.";
        BadTarget::NotItsBeginning { .. } = BadTarget::NotItsBeginning { written: "192.168.50.2/24".into(), network: "192.168.50.0/24".into() } => "It could mean the machine or the whole network.", "The one that is meant.";
        BadTarget::Ports(_) = BadTarget::Ports("500-400".into()) => "A port is no number from 1 to 65535, or the last one is below the first.", "Ports in order.";
        BadTarget::Rest(_) = BadTarget::Rest("/icmp".into()) => "Only TCP and UDP have ports.", "Leave it out, or /tcp or /udp.";
    });
    Chapter::new("reach").with(policy).with(target).check();
}

#[test]
fn the_page_explains_what_ctl_refuses() {
    Chapter::new("ctl")
        .with(crate::controls::refusals())
        .with(crate::relays::refusals())
        .check();
}
