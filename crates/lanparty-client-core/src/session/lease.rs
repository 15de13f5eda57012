//! What of a lease reaches the player's machine (spec R130): not what leads its own traffic into the LAN.

use bytes::{Bytes, BytesMut};
use lanparty_lease::{Refused, concerns};
use lanparty_obs::DropReason;

/// The frame as the machine gets it. Only leases and router advertisements are copied, where others share their memory.
pub(super) fn games_only(frame: Bytes) -> Result<Bytes, DropReason> {
    if !concerns(&frame) {
        return Ok(frame);
    }
    let mut copy = BytesMut::from(frame);
    match lanparty_lease::games_only(&mut copy) {
        Ok(_) => Ok(copy.freeze()),
        Err(Refused::Broken) => Err(DropReason::BrokenLease),
        Err(Refused::Hidden) => Err(DropReason::HiddenUpperHeader),
        Err(Refused::Router) => Err(DropReason::LanRouter),
    }
}
