//! Reading bytes from the front, as far as they go.

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        self.bytes(count).map(drop)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    pub(crate) fn u16_be(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub(crate) fn u16_le(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_le_bytes)
    }

    pub(crate) fn u32_le(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_le_bytes)
    }

    /// Up to the next zero, which is read as well.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    /// A text that is a number in decimal digits.
    pub(crate) fn decimal(&mut self) -> Option<u16> {
        decimal(self.text()?)
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }
}

/// A number in decimal digits; nothing else, and no greater one than people or ports can be counted in.
pub(crate) fn decimal(text: &[u8]) -> Option<u16> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_read() {
        let mut cursor = Cursor(b"\x01\x02\x03ab\x007\0x");
        assert_eq!((cursor.u8(), cursor.u16_be()), (Some(1), Some(0x0203)));
        assert_eq!(cursor.text(), Some(&b"ab"[..]));
        assert_eq!(cursor.decimal(), Some(7));
        assert_eq!((cursor.text(), cursor.u16_le()), (None, None));
        assert_eq!(cursor.0, b"x");
        assert_eq!(decimal(b"+7"), None);
        assert_eq!(decimal(b"65536"), None);
    }
}
