//! Machines and ports, as a host names them.

use lanparty_proto::ip::{TCP, UDP};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A machine or a network, and all of its ports or some: `ADDRESS`, `ADDRESS:PORT`, `ADDRESS:FIRST-LAST`, with IPv6 in
/// brackets, `/BITS` behind the address of a network, and `/tcp` or `/udp` at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    address: IpAddr,
    bits: u8,
    /// The first and the last.
    ports: Option<(u16, u16)>,
    /// TCP or UDP alone.
    protocol: Option<u8>,
}

/// Why a text names no machines and ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadTarget {
    /// It does not begin with an IP address.
    Address(String),
    /// An IPv6 address without brackets.
    Brackets(String),
    /// No machine can have this address.
    Nobodys(IpAddr),
    /// More bits than the address has.
    Bits(String),
    /// Bits of the address are set that the network's size leaves out.
    NotItsBeginning {
        /// As it was written.
        written: String,
        /// What may be meant.
        network: String,
    },
    /// A port that is none, or ports the wrong way round.
    Ports(String),
    /// Something else behind it.
    Rest(String),
}

impl fmt::Display for BadTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadTarget::Address(written) => write!(
                f,
                "{written:?} does not begin with an IP address; write ADDRESS, ADDRESS:PORT or ADDRESS:FIRST-LAST, such as \
                 192.168.50.2:27960"
            ),
            BadTarget::Brackets(written) => write!(
                f,
                "{written:?} is an IPv6 address without brackets; write [ADDRESS] or [ADDRESS]:PORT"
            ),
            BadTarget::Nobodys(address) => write!(
                f,
                "{address} is no machine's address; name one that a machine on the LAN has"
            ),
            BadTarget::Bits(written) => write!(
                f,
                "{written:?} is no size of a network; write /0 to /32 behind an IPv4 address, /0 to /128 behind IPv6"
            ),
            BadTarget::NotItsBeginning { written, network } => write!(
                f,
                "{written} is not where a network begins; write {network}, or the address alone for one machine"
            ),
            BadTarget::Ports(written) => write!(
                f,
                "{written:?} are no ports; write one from 1 to 65535, or FIRST-LAST"
            ),
            BadTarget::Rest(written) => write!(
                f,
                "{written:?} does not belong there; behind address and ports only /tcp or /udp may follow"
            ),
        }
    }
}

impl std::error::Error for BadTarget {}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let (address, rest) = address(text)?;
        let (bits, rest) = bits(address, rest)?;
        let (ports, rest) = ports(rest)?;
        let protocol = match rest {
            "" => None,
            "/tcp" => Some(TCP),
            "/udp" => Some(UDP),
            _ => return Err(BadTarget::Rest(rest.to_owned())),
        };
        Ok(Target {
            address,
            bits,
            ports,
            protocol,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}")?,
            IpAddr::V6(address) => write!(f, "[{address}]")?,
        }
        if !self.is_one_machine() {
            write!(f, "/{}", self.bits)?;
        }
        match self.ports {
            Some((first, last)) if first == last => write!(f, ":{first}")?,
            Some((first, last)) => write!(f, ":{first}-{last}")?,
            None => {}
        }
        match self.protocol {
            Some(TCP) => f.write_str("/tcp"),
            Some(_) => f.write_str("/udp"),
            None => Ok(()),
        }
    }
}

impl Target {
    /// One machine's port, or the whole machine.
    pub fn one(address: IpAddr, protocol: u8, port: Option<u16>) -> Self {
        Target {
            address,
            bits: width(address),
            ports: port.map(|port| (port, port)),
            protocol: port.and(Some(protocol)).filter(|&p| p == TCP || p == UDP),
        }
    }

    /// True when the very address of a machine is written.
    pub(crate) fn is_one_machine(&self) -> bool {
        self.bits == width(self.address)
    }

    /// True for an address of it.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        is_in(address, self.address, self.bits)
    }

    /// True for what may be sent there by it.
    pub(crate) fn allows(&self, address: IpAddr, protocol: u8, port: Option<u16>) -> bool {
        let is_protocol = self.protocol.is_none_or(|own| own == protocol);
        let is_port = match (self.ports, port) {
            (None, _) => true,
            (Some((first, last)), Some(port)) => (first..=last).contains(&port),
            (Some(_), None) => false,
        };
        is_protocol && is_port && self.has(address)
    }
}

/// True for an address of this network.
pub(crate) fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differ = u32::from(address) ^ u32::from(network);
            bits == 0 || differ >> (32 - u32::from(bits.min(32))) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differ = u128::from(address) ^ u128::from(network);
            bits == 0 || differ >> (128 - u32::from(bits.min(128))) == 0
        }
        _ => false,
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn address(text: &str) -> Result<(IpAddr, &str), BadTarget> {
    let none = || BadTarget::Address(text.to_owned());
    if let Some(text) = text.strip_prefix('[') {
        let (address, rest) = text.split_once(']').ok_or_else(none)?;
        let address: Ipv6Addr = address.parse().map_err(|_| none())?;
        return Ok((address.into(), rest));
    }
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (address, rest) = text.split_at(end);
    if let Ok(address) = address.parse::<Ipv4Addr>() {
        return Ok((address.into(), rest));
    }
    let bare = text.split('/').next().unwrap_or(text);
    match bare.parse::<Ipv6Addr>() {
        Ok(_) => Err(BadTarget::Brackets(text.to_owned())),
        Err(_) => Err(none()),
    }
}

fn bits(address: IpAddr, rest: &str) -> Result<(u8, &str), BadTarget> {
    let width = width(address);
    let digits = rest.strip_prefix('/').filter(|rest| {
        let next = rest.chars().next();
        next.is_some_and(|next| next.is_ascii_digit())
    });
    let Some(digits) = digits else {
        return match is_a_machines(address) {
            true => Ok((width, rest)),
            false => Err(BadTarget::Nobodys(address)),
        };
    };
    let end = digits.find([':', '/']).unwrap_or(digits.len());
    let (written, rest) = digits.split_at(end);
    let bits = number(written).and_then(|bits| u8::try_from(bits).ok());
    let bits = bits.filter(|&bits| bits <= width);
    let bits = bits.ok_or_else(|| BadTarget::Bits(written.to_owned()))?;
    if bits == width && !is_a_machines(address) {
        return Err(BadTarget::Nobodys(address));
    }
    let network = network(address, bits);
    if network != address {
        let shown = |address| match address {
            IpAddr::V4(address) => format!("{address}/{bits}"),
            IpAddr::V6(address) => format!("[{address}]/{bits}"),
        };
        return Err(BadTarget::NotItsBeginning {
            written: shown(address),
            network: shown(network),
        });
    }
    Ok((bits, rest))
}

fn network(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from(u32::from(address) & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from(u128::from(address) & mask).into()
        }
    }
}

fn is_a_machines(address: IpAddr) -> bool {
    let is_mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || is_broadcast
        || is_mapped)
}

/// The first and the last of some ports.
type Ports = (u16, u16);

/// What is written of ports, and what stands behind it.
fn ports(rest: &str) -> Result<(Option<Ports>, &str), BadTarget> {
    let Some(written) = rest.strip_prefix(':') else {
        return Ok((None, rest));
    };
    let end = written.find('/').unwrap_or(written.len());
    let (written, rest) = written.split_at(end);
    let (first, last) = written.split_once('-').unwrap_or((written, written));
    let ports = number(first).zip(number(last));
    let ports = ports.filter(|&(first, last)| 0 < first && first <= last);
    match ports {
        Some(ports) => Ok((Some(ports), rest)),
        None => Err(BadTarget::Ports(written.to_owned())),
    }
}

/// Digits alone: no sign.
fn number(text: &str) -> Option<u16> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}
