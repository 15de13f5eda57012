//! Text from a file or a pipe, in whatever encoding a shell or an editor has written it.

use super::MAX_TEXT;
use std::borrow::Cow;

/// The text of these bytes: UTF-8, or UTF-16 (what PowerShell's `>` writes) with a mark or without one.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.get(..MAX_TEXT).unwrap_or(bytes);
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).into(),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).into(),
        _ if zeros(bytes, 1) > bytes.len() / 8 => utf16(bytes, u16::from_le_bytes).into(),
        _ if zeros(bytes, 0) > bytes.len() / 8 => utf16(bytes, u16::from_be_bytes).into(),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// How many of every other byte are zero, as half of an ASCII character is in UTF-16.
fn zeros(bytes: &[u8], first: usize) -> usize {
    let every_other = bytes.iter().skip(first).step_by(2);
    every_other.filter(|byte| **byte == 0).count()
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks();
    let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
    String::from_utf16_lossy(&units)
}
