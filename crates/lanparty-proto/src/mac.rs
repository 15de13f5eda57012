//! MAC addresses, and the ones we may give to a virtual adapter.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A 48-bit MAC address (IEEE 802, EUI-48), in transmission order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

/// As one number: tables ask for it several times a frame.
impl Hash for MacAddr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f] = self.0;
        state.write_u64(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
    }
}

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`, everybody on the segment.
    pub const BROADCAST: MacAddr = MacAddr([0xff; 6]);
    /// `00:00:00:00:00:00`, nobody: invalid as a source.
    pub const ZERO: MacAddr = MacAddr([0; 6]);

    /// An address from its six octets.
    pub const fn new(octets: [u8; 6]) -> Self {
        MacAddr(octets)
    }

    /// The six octets, first transmitted first.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// True for group addresses: multicast and broadcast (the I/G bit, IEEE 802 §8.2).
    pub const fn is_group(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// True for `ff:ff:ff:ff:ff:ff`.
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }

    /// True when this may stand in a frame's source field: one station, and not all zero.
    pub fn is_valid_source(self) -> bool {
        !self.is_group() && self != Self::ZERO
    }

    /// True for addresses that are administered locally rather than by a vendor (the U/L bit).
    pub const fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }
}

impl TryFrom<String> for MacAddr {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> String {
        mac.to_string()
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a MAC address we can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// Not six two-digit hexadecimal octets with one kind of separator.
    #[error("a MAC address is written as six hexadecimal pairs, like 02:1a:2b:3c:4d:5e")]
    Syntax,
    /// A group address cannot belong to one adapter.
    #[error("a virtual MAC must be a unicast address: make the first pair even, like 02")]
    Group,
    /// A vendor's address is not ours to give.
    #[error(
        "a virtual MAC must be locally administered: its second digit is 2, 6, A or E, like 02:…"
    )]
    NotLocal,
}

impl FromStr for MacAddr {
    type Err = MacError;

    /// Reads `02:1a:2b:3c:4d:5e` or `02-1A-2B-3C-4D-5E`; nothing shorter, longer or mixed.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let bytes = text.as_bytes();
        if bytes.len() != 17 {
            return Err(MacError::Syntax);
        }
        let separator = bytes[2];
        if separator != b':' && separator != b'-' {
            return Err(MacError::Syntax);
        }
        let mut octets = [0; 6];
        for (octet, pair) in octets.iter_mut().zip(bytes.chunks(3)) {
            if pair.len() == 3 && pair[2] != separator {
                return Err(MacError::Syntax);
            }
            *octet = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(MacAddr(octets))
    }
}

fn hex_digit(digit: u8) -> Result<u8, MacError> {
    let value = char::from(digit).to_digit(16).ok_or(MacError::Syntax)?;
    Ok(u8::try_from(value).expect("a hexadecimal digit is below 16"))
}

/// The MAC of a player's virtual adapter: always unicast and locally administered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VirtualMac(MacAddr);

impl VirtualMac {
    /// Makes a MAC from 48 random bits by setting the local bit and clearing the group bit.
    pub const fn from_random(mut octets: [u8; 6]) -> Self {
        octets[0] = octets[0] & 0xfc | 0x02;
        VirtualMac(MacAddr(octets))
    }

    /// The address itself.
    pub const fn addr(self) -> MacAddr {
        self.0
    }
}

impl TryFrom<MacAddr> for VirtualMac {
    type Error = MacError;

    fn try_from(mac: MacAddr) -> Result<Self, MacError> {
        if mac.is_group() {
            return Err(MacError::Group);
        }
        if !mac.is_local() {
            return Err(MacError::NotLocal);
        }
        Ok(VirtualMac(mac))
    }
}

impl FromStr for VirtualMac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        text.parse::<MacAddr>()?.try_into()
    }
}

impl TryFrom<String> for VirtualMac {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, MacError> {
        text.parse()
    }
}

impl From<VirtualMac> for String {
    fn from(mac: VirtualMac) -> String {
        mac.to_string()
    }
}

impl fmt::Display for VirtualMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for VirtualMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_usual_spellings_and_prints_one() {
        let mac: MacAddr = "02-1A-2b-3C-4d-5E".parse().unwrap();
        assert_eq!(mac, "02:1a:2b:3c:4d:5e".parse().unwrap());
        assert_eq!(mac.to_string(), "02:1a:2b:3c:4d:5e");
    }

    #[test]
    fn refuses_what_is_not_exactly_six_pairs() {
        for bad in [
            "",
            "02:1a:2b:3c:4d",
            "02:1a:2b:3c:4d:5e:6f",
            "021a2b3c4d5e",
            "02:1a-2b:3c:4d:5e",
            "02:1a:2b:3c:4d:5g",
            "+2:1a:2b:3c:4d:5e",
            "02:1a:2b:3c:4d:5é",
        ] {
            assert_eq!(bad.parse::<MacAddr>(), Err(MacError::Syntax), "{bad}");
        }
    }

    #[test]
    fn a_virtual_mac_is_unicast_and_local() {
        assert_eq!(
            "03:00:00:00:00:01".parse::<VirtualMac>(),
            Err(MacError::Group)
        );
        assert_eq!(
            "00:1a:2b:3c:4d:5e".parse::<VirtualMac>(),
            Err(MacError::NotLocal)
        );
        for first in 0..=255 {
            let mac = VirtualMac::from_random([first, 0, 0, 0, 0, 0]).addr();
            assert!(mac.is_local() && mac.is_valid_source(), "{mac}");
        }
    }

    #[test]
    fn group_and_zero_addresses_are_no_sources() {
        assert!(!MacAddr::BROADCAST.is_valid_source());
        assert!(!MacAddr::ZERO.is_valid_source());
        assert!(!MacAddr::new([1, 0, 0x5e, 0, 0, 0xfb]).is_valid_source());
        assert!(MacAddr::new([0, 0, 0, 0, 0, 1]).is_valid_source());
    }
}
