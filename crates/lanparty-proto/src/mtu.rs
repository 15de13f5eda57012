//! How large things may be: from the QUIC path's datagram budget to the MTU of a TAP (spec R7).
//!
//! ```text
//!  QUIC datagram budget         1312    what noq accepts on a 1350-byte path MTU
//!  − overlay header                8
//!  = largest unfragmented frame 1304
//!  − Ethernet header              14
//!  = TAP IP MTU                 1290    never below 1280 (RFC 8200 §5), never above 1500
//! ```

use crate::{ethernet, overlay};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The largest QUIC datagram payload that a path takes now, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct DatagramBudget(u16);

impl DatagramBudget {
    /// QUIC promises 1200-byte packets (RFC 9000 §14); a budget of 512 is far below what is left of
    /// them, and still carries the longest frame in [`crate::fragment::MAX_PIECES`] pieces.
    pub const MIN: DatagramBudget = DatagramBudget(512);

    /// A budget of so many bytes, unless it is below [`Self::MIN`].
    pub const fn new(bytes: u16) -> Option<Self> {
        if bytes < Self::MIN.0 {
            None
        } else {
            Some(DatagramBudget(bytes))
        }
    }

    /// The budget that a QUIC engine reports, held within what this type can say.
    pub fn clamped(bytes: usize) -> Self {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        DatagramBudget(bytes).max(Self::MIN)
    }

    /// The budget in bytes.
    pub const fn bytes(self) -> usize {
        self.0 as usize
    }

    /// The budget as it stands in a `hello`.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The longest frame that goes in one piece.
    pub const fn whole_frame(self) -> usize {
        self.bytes() - overlay::HEADER_LEN
    }

    /// The longest IP packet that goes in one piece; also below 1280, unlike an [`IpMtu`].
    pub const fn whole_packet(self) -> usize {
        self.whole_frame() - ethernet::HEADER_LEN
    }

    /// The MTU for a TAP on this path.
    pub fn ip_mtu(self) -> IpMtu {
        IpMtu::clamped(self.whole_packet())
    }
}

/// The number is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a datagram budget is a number of bytes from 512 to 65535, not {0}")]
pub struct BudgetError(pub(crate) String);

impl TryFrom<u16> for DatagramBudget {
    type Error = BudgetError;

    fn try_from(bytes: u16) -> Result<Self, BudgetError> {
        DatagramBudget::new(bytes).ok_or_else(|| BudgetError(bytes.to_string()))
    }
}

impl From<DatagramBudget> for u16 {
    fn from(value: DatagramBudget) -> u16 {
        value.0
    }
}

impl FromStr for DatagramBudget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        text.parse()
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| BudgetError(text.to_owned()))
    }
}

impl fmt::Display for DatagramBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The MTU of a virtual adapter, in bytes of IP packet: 1280 to 1500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct IpMtu(u16);

impl IpMtu {
    /// The smallest MTU that IPv6 allows (RFC 8200 §5).
    pub const MIN: IpMtu = IpMtu(1280);
    /// The largest payload of an ordinary Ethernet frame.
    pub const MAX: IpMtu = IpMtu(1500);

    /// An MTU, unless it lies outside 1280 to 1500.
    pub fn new(bytes: u16) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0)
            .contains(&bytes)
            .then_some(IpMtu(bytes))
    }

    /// The MTU nearest to this many bytes.
    pub fn clamped(bytes: usize) -> Self {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        IpMtu(bytes).clamp(Self::MIN, Self::MAX)
    }

    /// The MTU in bytes.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// The number is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an MTU is a number of bytes from 1280 to 1500, not {0}")]
pub struct MtuError(String);

impl TryFrom<u16> for IpMtu {
    type Error = MtuError;

    fn try_from(bytes: u16) -> Result<Self, MtuError> {
        IpMtu::new(bytes).ok_or_else(|| MtuError(bytes.to_string()))
    }
}

impl From<IpMtu> for u16 {
    fn from(value: IpMtu) -> u16 {
        value.0
    }
}

impl fmt::Display for IpMtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_mtu_follows_the_budget_between_floor_and_ceiling() {
        for (budget, whole_frame, mtu) in [
            (1162, 1154, 1280), // a 1200-byte path: full frames travel in two pieces
            (1302, 1294, 1280),
            (1312, 1304, 1290),
            (1414, 1406, 1392),
            (1522, 1514, 1500),
            (9000, 8992, 1500),
        ] {
            let budget = DatagramBudget::new(budget).unwrap();
            assert_eq!(budget.whole_frame(), whole_frame);
            assert_eq!(budget.ip_mtu().number(), mtu);
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused_or_clamped() {
        assert_eq!(DatagramBudget::new(511), None);
        assert_eq!(DatagramBudget::clamped(0), DatagramBudget::MIN);
        assert_eq!(DatagramBudget::clamped(1 << 20).number(), u16::MAX);
        assert_eq!(IpMtu::new(1279), None);
        assert_eq!(IpMtu::new(1501), None);
    }
}
