//! `\key\value\key\value`, as Quake and GameSpy say what they know.

use crate::cursor::decimal;

/// The pairs of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InfoString<'a>(&'a [u8]);

impl<'a> InfoString<'a> {
    /// A text that begins with a backslash.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        text.strip_prefix(b"\\").map(InfoString)
    }

    /// The first value with this key, in capitals or not.
    pub(crate) fn value(self, key: &str) -> Option<&'a [u8]> {
        let mut parts = self.0.split(|&byte| byte == b'\\');
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            if name.eq_ignore_ascii_case(key.as_bytes()) {
                return Some(value);
            }
        }
        None
    }

    /// The first of these keys that has a value.
    pub(crate) fn any(self, keys: &[&str]) -> Option<&'a [u8]> {
        let mut values = keys.iter().filter_map(|key| self.value(key));
        values.find(|value| !value.is_empty())
    }

    pub(crate) fn number(self, keys: &[&str]) -> Option<u16> {
        self.any(keys).and_then(decimal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_key() {
        let info = InfoString::parse(b"\\Map\\dm1\\n\\\\clients\\3\\odd").unwrap();
        assert_eq!(info.value("map"), Some(&b"dm1"[..]));
        assert_eq!(info.any(&["n", "map"]), Some(&b"dm1"[..]));
        assert_eq!(info.number(&["players", "clients"]), Some(3));
        assert_eq!((info.value("dm1"), info.value("odd")), (None, None));
        assert!(InfoString::parse(b"map\\dm1").is_none());
    }
}
