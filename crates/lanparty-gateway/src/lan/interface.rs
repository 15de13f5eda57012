//! Which interfaces can carry a LAN party, and why others cannot (spec R41).

use super::nature::{self, Nature};
use super::sys::{self, Facts};
use lanparty_proto::MacAddr;
use std::io;
use std::path::Path;

/// Linux' hardware type of Ethernet (ARPHRD_ETHER).
const ETHERNET: u16 = libc::ARPHRD_ETHER;
const LOOPBACK: u16 = libc::ARPHRD_LOOPBACK;
/// What to do when the NIC's own switch stands between a virtual function and its LAN.
const VIRTUAL_FUNCTION: &str = "is a virtual function of a NIC (SR-IOV), which by default gets and sends only frames of \
    its own MAC: if players get no answer, set `trust on` and `spoofchk off` for it (`ip link set PF vf N …`), or give \
    the physical function";

/// An Ethernet interface with a cable in it, when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    name: String,
    index: u32,
    mac: MacAddr,
}

/// Why an interface cannot be used. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// Linux has no such names.
    #[error("'{0}' cannot be the name of an interface: give one that `ip link` shows")]
    BadName(String),
    /// Nothing of that name here.
    #[error("there is no interface {0}: give one that `ip link` shows")]
    Missing(String),
    /// It leads back into this machine.
    #[error("{0} is the loopback interface and leads to no LAN: give the one with the LAN's cable")]
    Loopback(String),
    /// Its frames are no Ethernet frames.
    #[error(
        "{name} is not an Ethernet interface (its hardware type is {hardware}): give the one with \
         the LAN's cable"
    )]
    NotEthernet {
        /// The interface.
        name: String,
        /// Linux' number for what it is (ARPHRD_…).
        hardware: u16,
    },
    /// Zero, or a group address.
    #[error(
        "{name} has the hardware address {mac}, which no station can have: give it a proper one \
         with `ip link set {name} address …`"
    )]
    BadAddress {
        /// The interface.
        name: String,
        /// Its address.
        mac: MacAddr,
    },
    /// An access point only takes frames from the MAC that has logged in.
    #[error(
        "{0} is wireless, and an access point takes no frames from other machines' MACs: use a \
         cable and its interface"
    )]
    Wireless(String),
    /// It would neither see what the LAN says to players, nor speak for them.
    #[error(
        "{name} is of the kind {kind}, which gets only frames for its own MAC address: give {}, or a veth into a bridge",
        below.as_deref().map_or_else(|| "the NIC itself".to_owned(), |below| format!("{below} itself"))
    )]
    Apart {
        /// The interface.
        name: String,
        /// What it is.
        kind: String,
        /// The interface on which it was made, if that is on this machine.
        below: Option<String>,
    },
    /// Whoever is behind the others would neither see players nor be seen.
    #[error(
        "{name} is a part of {}, and the LAN behind the other parts would not be reached: give {} instead",
        of.as_deref().unwrap_or("a bridge or bond"), of.as_deref().unwrap_or("that")
    )]
    Member {
        /// The interface.
        name: String,
        /// The bridge or bond.
        of: Option<String>,
    },
    /// The kernel's name for what holds its bridge (`ovs-system`) is no interface with frames.
    #[error(
        "{0} is a port of an Open vSwitch bridge, and the LAN behind the other ports would not be reached: give the \
         bridge's internal port, which has the bridge's own name in `ovs-vsctl show`"
    )]
    OfOpenVSwitch(String),
    /// Nobody is behind it.
    #[error(
        "{name} is of the kind {kind}, which leads to no LAN: give the one with the LAN's cable"
    )]
    Nowhere {
        /// The interface.
        name: String,
        /// What it is.
        kind: String,
    },
    /// Somebody has to switch it on.
    #[error("{0} is down: bring it up with `ip link set {0} up`")]
    Down(String),
    /// Nothing at the other end.
    #[error("{0} has no carrier: plug its cable into the LAN's switch")]
    NoCarrier(String),
    /// Raw sockets are not for everybody.
    #[error("capturing frames on {name} needs the privilege CAP_NET_RAW: {advice}")]
    MissingPrivilege {
        /// The interface.
        name: String,
        /// What to do here.
        advice: String,
    },
    /// Without it, frames for clients would not be seen.
    #[error("{name} cannot be made promiscuous, so it would miss the clients' frames: {error}")]
    NotPromiscuous {
        /// The interface.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// Something else that the system refuses.
    #[error("cannot {step} {name}: {error}")]
    System {
        /// The interface.
        name: String,
        /// What was tried, up to the interface's name.
        step: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl InterfaceError {
    /// Whether a machine that has just been started, or a hand at the cable, may change that.
    pub fn may_pass(&self) -> bool {
        use InterfaceError::{Down, Missing, NoCarrier};
        matches!(self, Missing(_) | Down(_) | NoCarrier(_))
    }

    /// Whether it is of a kind that never will do.
    pub fn is_for_good(&self) -> bool {
        use InterfaceError::{
            Apart, BadName, Loopback, Member, NotEthernet, Nowhere, OfOpenVSwitch, Wireless,
        };
        match self {
            BadName(_)
            | Loopback(_)
            | NotEthernet { .. }
            | Wireless(_)
            | Apart { .. }
            | Member { .. }
            | OfOpenVSwitch(_)
            | Nowhere { .. } => true,
            InterfaceError::Missing(_)
            | InterfaceError::Down(_)
            | InterfaceError::NoCarrier(_)
            | InterfaceError::BadAddress { .. }
            | InterfaceError::MissingPrivilege { .. }
            | InterfaceError::NotPromiscuous { .. }
            | InterfaceError::System { .. } => false,
        }
    }
}

impl Interface {
    /// Looks an interface up and judges it.
    ///
    /// # Errors
    /// [`InterfaceError`], the first that applies.
    pub fn find(name: &str) -> Result<Self, InterfaceError> {
        check_name(name)?;
        let facts = sys::facts(name).map_err(|error| InterfaceError::System {
            name: name.to_owned(),
            step: "look up the interface",
            error,
        })?;
        // Whoever cannot be asked cannot say no.
        let nature = nature::look_up(name).unwrap_or_else(|error| {
            tracing::debug!(%error, "The system does not say what {name} is");
            Nature::Plain
        });
        judge(name, facts, is_wireless(name), nature)
    }

    /// Its name when it was found.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number, which stays even when it gets another name.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its hardware address.
    pub fn mac(&self) -> MacAddr {
        self.mac
    }
}

/// What Linux takes as a name: 1 to 15 bytes without slashes, colons and white space.
fn check_name(name: &str) -> Result<(), InterfaceError> {
    let strange = |byte: u8| matches!(byte, b'/' | b':' | 0) || byte.is_ascii_whitespace();
    let fits = (1..libc::IFNAMSIZ).contains(&name.len());
    if fits && name != "." && name != ".." && !name.bytes().any(strange) {
        Ok(())
    } else {
        Err(InterfaceError::BadName(name.to_owned()))
    }
}

fn judge(
    name: &str,
    facts: Option<Facts>,
    wireless: bool,
    nature: Nature,
) -> Result<Interface, InterfaceError> {
    use InterfaceError::{
        Apart, BadAddress, Down, Loopback, Member, Missing, NoCarrier, NotEthernet, Nowhere,
        Wireless,
    };
    let name = name.to_owned();
    let Some(facts) = facts else {
        return Err(Missing(name));
    };
    let mac = facts.mac;
    match facts.hardware {
        ETHERNET => {}
        LOOPBACK => return Err(Loopback(name)),
        hardware => return Err(NotEthernet { name, hardware }),
    }
    if !mac.is_valid_source() {
        return Err(BadAddress { name, mac });
    }
    // What will not do is often down too, and bringing it up would be in vain.
    if wireless {
        return Err(Wireless(name));
    }
    match nature {
        Nature::Plain => {}
        Nature::Apart { kind, below } => return Err(Apart { name, kind, below }),
        Nature::Member { of } => return Err(Member { name, of }),
        Nature::OfOpenVSwitch => return Err(InterfaceError::OfOpenVSwitch(name)),
        // Its owner may have told the NIC to trust it, which cannot be seen from here.
        Nature::VirtualFunction => tracing::warn!("{name} {VIRTUAL_FUNCTION}"),
        Nature::Nowhere { kind } => return Err(Nowhere { name, kind }),
    }
    if !facts.up {
        return Err(Down(name));
    }
    if !facts.carrier {
        return Err(NoCarrier(name));
    }
    let index = facts.index;
    Ok(Interface { name, index, mac })
}

fn is_wireless(name: &str) -> bool {
    let folder = Path::new("/sys/class/net").join(name);
    ["wireless", "phy80211"]
        .iter()
        .any(|mark| folder.join(mark).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Facts = Facts {
        index: 3,
        hardware: ETHERNET,
        mac: MacAddr::new([0x52, 0x54, 0, 0, 0, 1]),
        up: true,
        carrier: true,
    };

    #[test]
    fn an_ethernet_interface_with_a_cable_will_do() {
        let interface = judge("eth0", Some(GOOD), false, Nature::Plain).unwrap();
        assert_eq!(
            (interface.name(), interface.index(), interface.mac()),
            ("eth0", 3, GOOD.mac)
        );
    }

    #[test]
    fn every_other_interface_is_refused_in_one_sentence() {
        let down = Facts {
            up: false,
            carrier: false,
            ..GOOD
        };
        let with_mac = |octets| Facts {
            mac: MacAddr::new(octets),
            ..GOOD
        };
        let with_hardware = |hardware| Facts { hardware, ..GOOD };
        for (facts, wireless, start) in [
            (None, false, "there is no interface eth0"),
            (Some(with_hardware(772)), false, "eth0 is the loopback"),
            (Some(with_hardware(65534)), false, "eth0 is not an Ethernet"),
            (
                Some(with_mac([0; 6])),
                false,
                "eth0 has the hardware address 00:",
            ),
            (
                Some(with_mac([1; 6])),
                false,
                "eth0 has the hardware address 01:",
            ),
            (Some(down), true, "eth0 is wireless"),
            (Some(down), false, "eth0 is down"),
            (
                Some(Facts {
                    carrier: false,
                    ..GOOD
                }),
                false,
                "eth0 has no carrier",
            ),
        ] {
            let error = judge("eth0", facts, wireless, Nature::Plain)
                .unwrap_err()
                .to_string();
            assert!(error.starts_with(start), "{error}");
            assert!(error.contains(": "), "says what to do: {error}");
        }
    }

    #[test]
    fn an_interface_that_is_not_the_lans_end_is_refused_before_it_is_brought_up() {
        let down = Facts { up: false, ..GOOD };
        let text = |text: &str| Some(text.to_owned());
        let (kind, below) = ("macvlan".to_owned(), text("eno1"));
        for (nature, sentence) in [
            (
                Nature::Apart { kind, below },
                "eth0 is of the kind macvlan, which gets only frames for its own MAC address: give eno1 itself, or a veth \
                 into a bridge",
            ),
            (
                Nature::Apart {
                    kind: "ipvlan".to_owned(),
                    below: None,
                },
                "eth0 is of the kind ipvlan, which gets only frames for its own MAC address: give the NIC itself, or a veth \
                 into a bridge",
            ),
            (
                Nature::Member { of: text("br0") },
                "eth0 is a part of br0, and the LAN behind the other parts would not be reached: give br0 instead",
            ),
            (
                Nature::OfOpenVSwitch,
                "eth0 is a port of an Open vSwitch bridge, and the LAN behind the other ports would not be reached: give \
                 the bridge's internal port, which has the bridge's own name in `ovs-vsctl show`",
            ),
            (
                Nature::Nowhere {
                    kind: "dummy".to_owned(),
                },
                "eth0 is of the kind dummy, which leads to no LAN: give the one with the LAN's cable",
            ),
        ] {
            let error = judge("eth0", Some(down), false, nature).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }

    #[test]
    fn names_are_what_linux_takes() {
        for name in [
            "eth0",
            "enp0s31f6",
            "br-lan",
            "eth0.5",
            "fifteen-letters",
            "ü",
        ] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "sixteen-letters-",
            "eth 0",
            "eth0\n",
            "../eth0",
            "eth0:1",
            "e\0",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
