//! What an invite says, and how it is shown: as a link and as a picture of it.

mod picture;
mod show;

pub(crate) use show::{ShowArgs, for_views};

use lanparty_ctrl::{Pin, RoomCode};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::Invite;
use lanparty_edge::runtime;
use lanparty_edge::speech::complain;
use lanparty_peer::link::acquaintance::{self, Acquaintance};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells whoever hands an invite out of its relays, where it names several.
pub(crate) fn say_relays(invite: &Invite) {
    relays_of(invite).iter().for_each(complain);
}

/// The same as a sentence.
pub(crate) fn relays_of(invite: &Invite) -> Option<String> {
    let others = invite.others().map(|other| &other.address);
    let relays: Vec<_> = [&invite.relay].into_iter().chain(others).collect();
    let (last, before @ [first, ..]) = relays.split_last()? else {
        return None;
    };
    let before: Vec<_> = before.iter().map(ToString::to_string).collect();
    Some(format!(
        "The invite names {} relays, {} and {last}: the party is at one of them, and moves to another by itself when that is gone. \
         Older programs know {first} alone.",
        relays.len(),
        before.join(", "),
    ))
}

/// What must stand in the invite so that players know the relay. It is asked, and if it does not answer, nobody knows:
/// who makes the invite hears of both.
pub(crate) fn known_by(relay: &RelayAddress, room: &RoomCode) -> anyhow::Result<Option<Pin>> {
    match runtime::run(acquaintance::ask(relay.clone(), room.clone()))? {
        Ok(Acquaintance::Certificate) => Ok(None),
        Ok(Acquaintance::Key(pin)) => {
            eprintln!(
                "The relay at {relay} shows a key with the pin {pin}, which is in the invite now. Compare it with what the \
                 relay printed when it started, or give that: --pin, or behind the relay's ~."
            );
            Ok(Some(pin))
        }
        Err(error) => {
            eprintln!(
                "warning: the relay at {relay} cannot be asked for its key: {error}. If it has no certificate of an \
                 authority, nobody gets to it by this invite: give its pin, which it prints when it starts, with --pin or behind its ~."
            );
            Ok(None)
        }
    }
}

/// A number of hours for which an invite can hold.
///
/// # Errors
/// A sentence.
pub(crate) fn hours(text: &str) -> Result<u32, &'static str> {
    match text.parse() {
        Ok(0) => Err(
            "that invite would have ended before it came; give 1 hour or more, or leave --hours out for one without end",
        ),
        Ok(hours) => Ok(hours),
        Err(_) => Err("give a whole number of hours, like 48"),
    }
}

/// When an invite ends that holds for so many hours, in seconds since 1970.
pub(crate) fn end_after(hours: u32, now: SystemTime) -> u64 {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since_1970 + Duration::from_secs(3600 * u64::from(hours))).as_secs()
}
