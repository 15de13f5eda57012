//! What speaks as a router.

use crate::said::Said;
use lanparty_obs::DropReason;

/// Redirect (RFC 792) and router advertisement (RFC 1256 §3).
pub(crate) fn icmpv4<'a>(kind: u8) -> Said<'a> {
    match kind {
        5 | 9 => Said::OnlyTheLan(DropReason::RouterAdvertisement),
        _ => Said::Anything,
    }
}
