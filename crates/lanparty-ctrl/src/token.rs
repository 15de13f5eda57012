//! The secret with which a peer takes its old place back (spec R91).

use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// 128 random bits that the relay gives at a welcome. Shown to nobody: `Debug` hides it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResumeToken(Zeroizing<[u8; 16]>);

/// Not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a resume token is 32 hexadecimal digits")]
pub struct TokenError;

impl ResumeToken {
    /// A token from 128 bits of OS randomness.
    pub fn from_random(bits: [u8; 16]) -> Self {
        ResumeToken(Zeroizing::new(bits))
    }
}

/// Takes the same time wherever two tokens differ.
impl PartialEq for ResumeToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for ResumeToken {}

impl TryFrom<String> for ResumeToken {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        let digits = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let bits = digits
            .then(|| u128::from_str_radix(&text, 16).ok())
            .flatten();
        bits.map(|bits| ResumeToken::from_random(bits.to_be_bytes()))
            .ok_or(TokenError)
    }
}

impl From<ResumeToken> for String {
    fn from(token: ResumeToken) -> String {
        format!("{:032x}", u128::from_be_bytes(*token.0))
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
        let text = String::from(token.clone());
        assert_eq!(text, "0f".repeat(16));
        assert_eq!(ResumeToken::try_from(text), Ok(token.clone()));
        assert_eq!(format!("{token:?}"), "ResumeToken(…)");
        for bad in ["", "0f", &"0g".repeat(16), &format!("+{}", "0".repeat(31))] {
            assert_eq!(ResumeToken::try_from(bad.to_owned()), Err(TokenError));
        }
        assert!(token != ResumeToken::from_random([0; 16]));
    }
}
