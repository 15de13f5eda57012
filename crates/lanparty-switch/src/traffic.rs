//! What kind of frame wants to pass, for the bucket that pays for it.

use crate::said::Said;
use crate::segment::Route;
use lanparty_obs::DropReason;

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
    /// To a group otherwise.
    Group,
}

impl Traffic {
    /// The kind of a frame that says this and goes there.
    pub(crate) fn of(route: Route, said: &Said<'_>) -> Self {
        match route {
            Route::Known(_) => Traffic::Known,
            Route::Unknown(_) => Traffic::Unknown,
            Route::Group | Route::Members { .. } | Route::GroupOfLan => Self::to_group(said),
        }
    }

    fn to_group(said: &Said<'_>) -> Self {
        use DropReason::{
            ArpSpoof, DhcpServerReply, Dhcpv6ServerReply, GroupQuery, RouterAdvertisement,
        };
        match said {
            Said::Arp(_)
            | Said::Neighbour(_)
            | Said::Membership
            | Said::DhcpQuestion(_)
            | Said::Dhcpv6Question(_)
            | Said::DhcpAnswer(_)
            | Said::OnlyTheLan(
                ArpSpoof | Dhcpv6ServerReply | DhcpServerReply | GroupQuery | RouterAdvertisement,
            ) => Traffic::Control,
            Said::Chatter => Traffic::Chatter,
            Said::Anything | Said::OnOneCable(_) | Said::OnlyTheLan(_) => Traffic::Group,
        }
    }
}
