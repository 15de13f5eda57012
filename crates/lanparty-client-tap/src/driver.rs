//! The driver's vocabulary: its control codes, its version and its registry value.

use lanparty_proto::{MacAddr, VirtualMac};
use std::fmt;

/// The registry value that replaces an adapter's own MAC address, below its driver key.
pub const NETWORK_ADDRESS: &str = "NetworkAddress";

/// What the driver can be asked, by `tap-windows.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// `TAP_WIN_IOCTL_GET_MAC`: answers six bytes.
    Mac = 1,
    /// `TAP_WIN_IOCTL_GET_VERSION`: answers three u32: major, minor, debug build.
    Version = 2,
    /// `TAP_WIN_IOCTL_GET_MTU`: answers a u32.
    Mtu = 3,
    /// `TAP_WIN_IOCTL_SET_MEDIA_STATUS`: takes a u32, 1 for a cable that is plugged in.
    SetMediaStatus = 6,
}

impl Request {
    /// `TAP_WIN_CONTROL_CODE(request, METHOD_BUFFERED)`, which is
    /// `CTL_CODE(FILE_DEVICE_UNKNOWN, request, METHOD_BUFFERED, FILE_ANY_ACCESS)`.
    pub const fn control_code(self) -> u32 {
        const FILE_DEVICE_UNKNOWN: u32 = 0x22;
        (FILE_DEVICE_UNKNOWN << 16) | ((self as u32) << 2)
    }
}

/// A version of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriverVersion {
    /// Before the dot.
    pub major: u32,
    /// Behind it.
    pub minor: u32,
}

/// The driver is older than [`DriverVersion::OLDEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the TAP-Windows driver is version {0}, and {oldest} or later is needed; install the current one", oldest = DriverVersion::OLDEST)]
pub struct OldDriver(pub DriverVersion);

impl DriverVersion {
    /// The first whose signature Windows 11 takes and that we know to work: 9.26.
    pub const OLDEST: DriverVersion = DriverVersion {
        major: 9,
        minor: 26,
    };

    /// Reads the driver's answer.
    pub fn from_answer(answer: [u8; 12]) -> Self {
        let number = |at: usize| {
            u32::from_le_bytes([answer[at], answer[at + 1], answer[at + 2], answer[at + 3]])
        };
        DriverVersion {
            major: number(0),
            minor: number(4),
        }
    }

    /// # Errors
    /// [`OldDriver`] before [`Self::OLDEST`].
    pub fn check(self) -> Result<(), OldDriver> {
        match self < Self::OLDEST {
            true => Err(OldDriver(self)),
            false => Ok(()),
        }
    }
}

impl fmt::Display for DriverVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What [`NETWORK_ADDRESS`] holds: twelve hexadecimal digits, or whatever somebody wrote there; `None`
/// where there is no such value.
pub type MacValue = Option<String>;

/// The text that gives an adapter this MAC address.
pub fn mac_value(mac: VirtualMac) -> String {
    mac.addr()
        .octets()
        .iter()
        .map(|octet| format!("{octet:02X}"))
        .collect()
}

/// The MAC address that such a text gives, in the spellings that NDIS takes.
pub fn mac_of_value(value: &str) -> Option<MacAddr> {
    let digits: String = value.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    if digits.len() != 12 || !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let number = u64::from_str_radix(&digits, 16).ok()?;
    let [_, _, octets @ ..] = number.to_be_bytes();
    Some(MacAddr::new(octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_control_codes_are_the_drivers() {
        assert_eq!(Request::Mac.control_code(), 0x0022_0004);
        assert_eq!(Request::Version.control_code(), 0x0022_0008);
        assert_eq!(Request::Mtu.control_code(), 0x0022_000c);
        assert_eq!(Request::SetMediaStatus.control_code(), 0x0022_0018);
    }

    #[test]
    fn a_driver_before_9_26_is_too_old() {
        let version = |major, minor| DriverVersion { major, minor };
        for old in [version(8, 99), version(9, 25)] {
            let sentence = old.check().unwrap_err().to_string();
            assert!(sentence.contains("9.26"), "{sentence}");
        }
        for new in [version(9, 26), version(9, 27), version(10, 0)] {
            assert!(new.check().is_ok());
        }
    }

    #[test]
    fn a_version_is_three_little_endian_numbers() {
        let version = DriverVersion::from_answer([9, 0, 0, 0, 27, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(version.to_string(), "9.27");
    }

    proptest! {
        #[test]
        fn a_mac_goes_into_the_registry_and_comes_back(octets: [u8; 6]) {
            let mac = VirtualMac::from_random(octets);
            let value = mac_value(mac);
            prop_assert_eq!(value.len(), 12);
            prop_assert_eq!(mac_of_value(&value), Some(mac.addr()));
        }

        #[test]
        fn no_value_panics(text: String) {
            let _ = mac_of_value(&text);
        }
    }
}
