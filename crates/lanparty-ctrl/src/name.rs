//! What a player wants to be called.

use crate::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most characters a [`Name`] has.
pub const MAX_CHARS: usize = 32;

/// A player's name for people: nothing proves it, and several may have the same. It has a [`Text`]'s
/// characters, begins and ends with one that shows, and is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Text);

/// The text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to {MAX_CHARS} characters")]
pub struct NameError;

impl Name {
    /// The name in what a stranger wrote: cleaned and cut, if something is left.
    pub fn from_stranger(text: &Text) -> Option<Self> {
        let cut: String = text.as_str().trim().chars().take(MAX_CHARS).collect();
        cut.parse().ok()
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = Text::from(text);
        let name = text.as_str().trim();
        match (1..=MAX_CHARS).contains(&name.chars().count()) {
            true => Ok(Name(name.into())),
            false => Err(NameError),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for Text {
    fn from(name: Name) -> Text {
        name.0
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_shows_itself_and_nothing_else() {
        assert_eq!(" Ann\u{202e} ".parse::<Name>().unwrap().as_str(), "Ann");
        assert_eq!("\u{7}".parse::<Name>(), Err(NameError));
        let long = Text::from("x".repeat(99));
        assert_eq!(long.as_str().parse::<Name>(), Err(NameError));
        let cut = Name::from_stranger(&long).unwrap();
        assert_eq!(cut.as_str().len(), MAX_CHARS);
        assert_eq!(Name::from_stranger(&Text::from(" \n")), None);
    }
}
