//! What becomes of calls over TCP, as they are counted.

use lanparty_carrier::AcceptError;

/// What has become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TcpKnock {
    /// It carries packets.
    Carried,
    /// There was no place for it.
    Shut,
    /// It said nothing in time.
    Silent,
    /// It broke.
    Broken,
    /// It wanted something else.
    SomethingElse,
}

impl TcpKnock {
    /// All of them, as they stand in metrics.
    pub(super) const NAMES: [&str; 5] = ["carried", "shut", "silent", "broken", "something_else"];

    pub(super) fn of(error: &AcceptError) -> Self {
        match error {
            AcceptError::Silent => TcpKnock::Silent,
            AcceptError::Broken(_) => TcpKnock::Broken,
            AcceptError::SomethingElse(_) => TcpKnock::SomethingElse,
        }
    }
}
