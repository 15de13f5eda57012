//! Who asks.

use serde::{Deserialize, Serialize};

/// The account on this machine that asks for something, as the system knows it; no view can say it of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// What people call it.
    pub account: String,
    /// What the system calls it for good: a uid or a SID.
    pub id: String,
    /// True for administrators, who may end anybody's session and speak for others.
    #[serde(skip)]
    pub is_admin: bool,
}

/// What an administrator's program says first when it only carries somebody else's words.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OnBehalfOf {
    /// Whose.
    #[serde(rename = "for")]
    pub(crate) whose: Caller,
}
