//! Messages on a stream: a 4-byte big-endian length, then JSON (spec R10).

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The length prefix's own length.
pub const PREFIX_LEN: usize = 4;
/// The longest message, without its prefix.
pub const MAX_LEN: usize = 64 * 1024;

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The prefix announces more than [`MAX_LEN`].
    #[error("a control message of {0} bytes is longer than 65536")]
    TooLong(u64),
    /// Not JSON, or not a message of this direction, or with values that cannot be.
    #[error("a control message does not make sense: {0}")]
    Invalid(#[source] serde_json::Error),
}

/// The prefix and the JSON of a message.
///
/// # Errors
/// [`CodecError::TooLong`] when the message would not be accepted.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![0; PREFIX_LEN];
    serde_json::to_writer(&mut bytes, message).map_err(CodecError::Invalid)?;
    let len = bytes.len() - PREFIX_LEN;
    let prefix = u32::try_from(len).ok().filter(|_| len <= MAX_LEN);
    let prefix = prefix.ok_or(CodecError::TooLong(len as u64))?;
    bytes[..PREFIX_LEN].copy_from_slice(&prefix.to_be_bytes());
    Ok(bytes)
}

/// How many bytes of JSON follow a prefix.
///
/// # Errors
/// [`CodecError::TooLong`] before anything is allocated for them.
pub fn body_len(prefix: [u8; PREFIX_LEN]) -> Result<usize, CodecError> {
    let len = u32::from_be_bytes(prefix);
    usize::try_from(len)
        .ok()
        .filter(|&len| len <= MAX_LEN)
        .ok_or(CodecError::TooLong(len.into()))
}

/// The message in a body of JSON.
///
/// # Errors
/// [`CodecError::Invalid`].
pub fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, CodecError> {
    serde_json::from_slice(body).map_err(CodecError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_its_length_and_json() {
        let bytes = encode(&serde_json::json!({ "a": 1 })).unwrap();
        assert_eq!(bytes, b"\x00\x00\x00\x07{\"a\":1}");
    }

    #[test]
    fn more_than_64_kib_is_refused_both_ways() {
        assert_eq!(body_len([0, 1, 0, 0]).unwrap(), MAX_LEN);
        assert!(matches!(
            body_len([0, 1, 0, 1]),
            Err(CodecError::TooLong(65537))
        ));
        assert!(matches!(body_len([255; 4]), Err(CodecError::TooLong(_))));
        assert!(encode(&"x".repeat(MAX_LEN - 2)).is_ok());
        assert!(matches!(
            encode(&"x".repeat(MAX_LEN - 1)),
            Err(CodecError::TooLong(65537))
        ));
    }

    proptest! {
        #[test]
        fn any_body_decodes_or_errs(body: Vec<u8>) {
            let _ = decode::<crate::PeerMessage>(&body);
            let _ = decode::<crate::RelayMessage>(&body);
        }
    }
}
