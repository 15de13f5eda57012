//! Whose program it is.

/// An account of a PC.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account {
    /// As Windows knows it for ever, such as `S-1-5-21-…-1001`.
    pub sid: String,
    /// As people know it, such as `PC\anna`; the SID where it has no name.
    pub name: String,
    /// Whether the program has an administrator's rights now.
    pub is_admin: bool,
}
