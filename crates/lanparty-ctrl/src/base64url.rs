//! Bytes as people copy them: base64url without padding (RFC 4648 §5), which a link can hold as it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The `N` bytes of a text; `None` when it is anything but their one spelling.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_spelling() {
        assert_eq!(encode(&[0xfb, 0xef, 0xff, 0]), "--__AA");
        assert_eq!(decode("--__AA"), Some([0xfb, 0xef, 0xff, 0]));
        for other in ["--__AA==", "++//AA", "--__AB", "--__A", " --__AA"] {
            assert_eq!(decode::<4>(other), None, "{other}");
        }
        assert_eq!(decode::<3>("--__AA"), None);
    }
}
