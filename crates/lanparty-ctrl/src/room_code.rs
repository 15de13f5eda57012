//! The code that friends tell each other to meet in the same room (spec R6).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// 4 to 32 of `A-Z 0-9 -`; typed in any case, shown upper-case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomCode(String);

/// The text cannot be a room code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a room code is 4 to 32 letters, digits and hyphens, like FRIDAY-LAN")]
pub struct RoomCodeError;

impl RoomCode {
    /// The code as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoomCode {
    type Err = RoomCodeError;

    fn from_str(text: &str) -> Result<Self, RoomCodeError> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if (4..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(RoomCode(text.to_ascii_uppercase()))
        } else {
            Err(RoomCodeError)
        }
    }
}

impl TryFrom<String> for RoomCode {
    type Error = RoomCodeError;

    fn try_from(text: String) -> Result<Self, RoomCodeError> {
        text.parse()
    }
}

impl From<RoomCode> for String {
    fn from(code: RoomCode) -> String {
        code.0
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_any_case_and_shown_upper_case() {
        assert_eq!("Friday-7".parse::<RoomCode>().unwrap().as_str(), "FRIDAY-7");
        assert!("A".repeat(32).parse::<RoomCode>().is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "abc",
            "a b c d",
            "room_1",
            "straße",
            "lan\n1234",
            &"A".repeat(33),
        ] {
            assert_eq!(bad.parse::<RoomCode>(), Err(RoomCodeError), "{bad:?}");
        }
    }
}
