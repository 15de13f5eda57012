//! The page of an operator's or host's own that hands an invite to the program (`dist/invite-page`).

use std::fmt;
use std::str::FromStr;

/// Longer than any address that somebody would give to friends.
const MAX_LEN: usize = 512;

/// Where such a page is: `https://` and no `#`, behind which the invite will stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitePage(String);

/// The text is no address of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page's address is like https://lan.example.net/join/, with nothing behind a #")]
pub struct InvitePageError;

impl FromStr for InvitePage {
    type Err = InvitePageError;

    fn from_str(text: &str) -> Result<Self, InvitePageError> {
        const SCHEME: &str = "https://";
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/:?=%[]".contains(c);
        let rest = text.get(SCHEME.len()..).ok_or(InvitePageError)?;
        let is_https = text[..SCHEME.len()].eq_ignore_ascii_case(SCHEME);
        let has_host = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
        if !is_https || !has_host || text.len() > MAX_LEN || !rest.chars().all(allowed) {
            return Err(InvitePageError);
        }
        // A path is what a browser adds to a bare host anyway, and chats find the link's end with it.
        let path = if rest.contains('/') { "" } else { "/" };
        Ok(InvitePage(format!("{SCHEME}{rest}{path}")))
    }
}

impl fmt::Display for InvitePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
