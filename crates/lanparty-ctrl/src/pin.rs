//! How peers know their relay: by its public key.

use crate::base64url;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a public key in the form in which certificates hold it (SubjectPublicKeyInfo,
/// RFC 5280 §4.1), written as 43 characters of base64url. A certificate may be renewed, its name and
/// dates may change: as long as the key is the same, the pin is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin([u8; 32]);

/// The text is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pin is the 43 letters, digits, hyphens and underscores that the relay prints when it starts"
)]
pub struct PinError;

impl Pin {
    /// The pin of a key, from the SHA-256 of its SubjectPublicKeyInfo.
    pub const fn from_sha256(digest: [u8; 32]) -> Self {
        Pin(digest)
    }

    /// Its bytes, for where text would be too long.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        base64url::decode(text).map(Pin).ok_or(PinError)
    }
}

impl TryFrom<String> for Pin {
    type Error = PinError;

    fn try_from(text: String) -> Result<Self, PinError> {
        text.parse()
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> String {
        pin.to_string()
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_43_characters() {
        let pin = Pin::from_sha256([0xff; 32]);
        let text = format!("{}8", "_".repeat(42));
        assert_eq!(pin.to_string(), text);
        assert_eq!(text.parse(), Ok(pin));
        for bad in ["", "_", &text[1..], &format!("{text}=")] {
            assert_eq!(bad.parse::<Pin>(), Err(PinError), "{bad}");
        }
    }
}
