//! What an operator gives to those who may open rooms on a relay.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A secret of 16 to 128 printable ASCII characters without spaces. Shown to nobody: `Debug` hides it and
/// there is no `Display`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccessToken(Zeroizing<String>);

/// The text cannot be an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an access token is 16 to 128 letters, digits and signs, without spaces")]
pub struct AccessTokenError;

impl FromStr for AccessToken {
    type Err = AccessTokenError;

    fn from_str(text: &str) -> Result<Self, AccessTokenError> {
        let fits = (16..=128).contains(&text.len());
        match fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(AccessToken(Zeroizing::new(text.to_owned()))),
            false => Err(AccessTokenError),
        }
    }
}

impl TryFrom<String> for AccessToken {
    type Error = AccessTokenError;

    fn try_from(text: String) -> Result<Self, AccessTokenError> {
        text.parse()
    }
}

impl From<AccessToken> for String {
    fn from(token: AccessToken) -> String {
        token.0.to_string()
    }
}

/// Takes the same time wherever two tokens differ, and however long they are.
impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        let [one, two] = [self, other].map(|token| digest(&SHA256, token.0.as_bytes()));
        one.as_ref().ct_eq(two.as_ref()).into()
    }
}

impl Eq for AccessToken {}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_enough_and_never_shown() {
        let token: AccessToken = "correct-horse-battery".parse().unwrap();
        assert_eq!(format!("{token:?}"), "AccessToken(…)");
        let same: AccessToken = serde_json::from_str(r#""correct-horse-battery""#).unwrap();
        let other: AccessToken = "correct-horse-batterz".parse().unwrap();
        assert!(token == same && token != other);
        for bad in [
            "",
            "too-short",
            "with a space in it",
            &"x".repeat(129),
            "schlüsselschlüssel",
        ] {
            assert_eq!(bad.parse::<AccessToken>(), Err(AccessTokenError), "{bad}");
        }
    }
}
