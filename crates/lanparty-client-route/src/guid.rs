//! What names a network adapter for as long as it is installed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The GUID of a network adapter: `NetCfgInstanceId` in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AdapterGuid(u128);

/// The text is not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an adapter's id is written like {{12345678-9ABC-DEF0-1234-56789ABCDEF0}}; --list-tap-adapters shows them"
)]
pub struct AdapterGuidError;

/// How many hexadecimal digits stand between the hyphens.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

impl AdapterGuid {
    /// The GUID whose digits, read as one number, are this.
    pub const fn from_u128(digits: u128) -> Self {
        AdapterGuid(digits)
    }

    /// The digits as one number.
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl FromStr for AdapterGuid {
    type Err = AdapterGuidError;

    /// Takes braces or none, and letters of any case.
    fn from_str(text: &str) -> Result<Self, AdapterGuidError> {
        let bare = match text.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}').ok_or(AdapterGuidError)?,
            None => text,
        };
        let groups: Vec<&str> = bare.split('-').collect();
        let well_formed = groups.iter().map(|group| group.len()).eq(GROUPS)
            && bare.bytes().all(|c| c == b'-' || c.is_ascii_hexdigit());
        if !well_formed {
            return Err(AdapterGuidError);
        }
        let digits = u128::from_str_radix(&groups.concat(), 16).map_err(|_| AdapterGuidError)?;
        Ok(AdapterGuid(digits))
    }
}

impl fmt::Display for AdapterGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032X}", self.0);
        let (a, rest) = digits.split_at(8);
        let (b, rest) = rest.split_at(4);
        let (c, rest) = rest.split_at(4);
        let (d, e) = rest.split_at(4);
        write!(f, "{{{a}-{b}-{c}-{d}-{e}}}")
    }
}

impl TryFrom<String> for AdapterGuid {
    type Error = AdapterGuidError;

    fn try_from(text: String) -> Result<Self, AdapterGuidError> {
        text.parse()
    }
}

impl From<AdapterGuid> for String {
    fn from(guid: AdapterGuid) -> String {
        guid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_guid_may_be_written_with_or_without_braces() {
        let guid = AdapterGuid::from_u128(0x12345678_9abc_def0_1234_56789abcdef0);
        assert_eq!(guid.to_string(), "{12345678-9ABC-DEF0-1234-56789ABCDEF0}");
        for text in [
            "{12345678-9abc-def0-1234-56789abcdef0}",
            "12345678-9ABC-DEF0-1234-56789abcdef0",
        ] {
            assert_eq!(text.parse(), Ok(guid));
        }
    }

    #[test]
    fn other_texts_are_no_guids() {
        for bad in [
            "",
            "{}",
            "tap0",
            "{12345678-9abc-def0-1234-56789abcdef0",
            "12345678-9abc-def0-1234-56789abcdef0}",
            "123456789-abc-def0-1234-56789abcdef0",
            "+2345678-9abc-def0-1234-56789abcdef0",
            "12345678-9abc-def0-1234-56789abcdef0-",
        ] {
            assert_eq!(bad.parse::<AdapterGuid>(), Err(AdapterGuidError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(digits: u128) {
            let guid = AdapterGuid::from_u128(digits);
            prop_assert_eq!(guid.to_string().parse(), Ok(guid));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<AdapterGuid>();
        }
    }
}
