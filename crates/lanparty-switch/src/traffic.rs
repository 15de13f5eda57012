//! What kind of frame wants to pass, for the bucket that pays for it.

use crate::said::Talk;
use crate::segment::Route;

/// What kind of frame wants to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// To somebody who has been heard of.
    Known,
    /// On the chance that the LAN has the address.
    Unknown,
    /// To a group, and what keeps a machine on the LAN at all.
    Control,
    /// To a group, and what systems say by themselves.
    Chatter,
    /// Of the LAN, to a group of which nobody knows whether anybody wants it.
    Unsure,
    /// To a group otherwise.
    Group,
}

impl Traffic {
    /// The kind of a frame with such talk that goes there.
    pub(crate) fn of(route: Route, talk: Talk) -> Self {
        match (route, talk) {
            (Route::Known(_), _) => Traffic::Known,
            (Route::Unknown(_), _) => Traffic::Unknown,
            (_, Talk::Control | Talk::Membership) => Traffic::Control,
            (_, Talk::Chatter) => Traffic::Chatter,
            (_, Talk::Other) => Traffic::Group,
        }
    }
}
