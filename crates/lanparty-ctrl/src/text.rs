//! Words from the other side, made safe to show.

use lanparty_proto::letters::{is_control, is_invisible};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most characters a [`Text`] holds.
pub const MAX_CHARS: usize = 200;

/// A short text without control characters and invisible ones, so that a stranger's words cannot move the cursor,
/// forge a log line or fill a screen. Longer texts are cut, control characters become spaces.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// The text as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let seen = text.chars().filter(|&c| !is_invisible(c));
        let clean = |c: char| if is_control(c) { ' ' } else { c };
        Text(seen.take(MAX_CHARS).map(clean).collect())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_words_stay_on_one_short_line() {
        assert_eq!(
            Text::from("bye\r\n\x1b[2Jnow\u{202e}").as_str(),
            "bye   [2Jnow"
        );
        let hidden = "\u{feff}A\u{200b}n\u{200d}n\u{61c}a\u{2060}\u{e0041}\u{2028}";
        assert_eq!(Text::from(hidden).as_str(), "Anna ");
        assert_eq!(Text::from("ü".repeat(500)).as_str(), "ü".repeat(MAX_CHARS));
    }
}
