//! The secret with which a peer takes its old place back (spec R91).

use serde::{Deserialize, Serialize};
use std::fmt;

/// 128 random bits that the relay gives at a welcome. Shown to nobody: `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResumeToken([u8; 16]);

/// Not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a resume token is 32 hexadecimal digits")]
pub struct TokenError;

impl ResumeToken {
    /// A token from 128 bits of OS randomness.
    pub const fn from_random(bits: [u8; 16]) -> Self {
        ResumeToken(bits)
    }

    /// True when both are the same; takes the same time wherever they differ.
    pub fn matches(self, other: ResumeToken) -> bool {
        self.0
            .iter()
            .zip(other.0)
            .fold(0, |differ, (a, b)| differ | (a ^ b))
            == 0
    }
}

impl TryFrom<String> for ResumeToken {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        let digits = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let bits = digits
            .then(|| u128::from_str_radix(&text, 16).ok())
            .flatten();
        bits.map(|bits| ResumeToken(bits.to_be_bytes()))
            .ok_or(TokenError)
    }
}

impl From<ResumeToken> for String {
    fn from(token: ResumeToken) -> String {
        format!("{:032x}", u128::from_be_bytes(token.0))
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_32_hexadecimal_digits_and_never_shown() {
        let token = ResumeToken::from_random([0x0f; 16]);
        let text = String::from(token);
        assert_eq!(text, "0f".repeat(16));
        assert_eq!(ResumeToken::try_from(text), Ok(token));
        assert_eq!(format!("{token:?}"), "ResumeToken(…)");
        for bad in ["", "0f", &"0g".repeat(16), &format!("+{}", "0".repeat(31))] {
            assert_eq!(ResumeToken::try_from(bad.to_owned()), Err(TokenError));
        }
        assert!(token.matches(token) && !token.matches(ResumeToken::from_random([0; 16])));
    }
}
