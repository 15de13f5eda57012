//! Rooms that go where their host wants them.

use super::room::State;
use super::{Fleet, Standing};
use crate::name::RoomHash;
use std::time::{Duration, Instant};

/// So many rooms are on their way at once because their hosts want it.
const MAX_WISHED: usize = 8;
/// So long a room stays where it is before it goes elsewhere for its host.
const STAYS: Duration = Duration::from_secs(2);

/// Why a room does not go where its host wants it; part of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPlaced {
    /// It is there.
    #[error("the party is there already")]
    Here,
    /// No relay of the fleet is called so.
    #[error("the fleet has no such relay now")]
    Unknown,
    /// It is about to end, or full.
    #[error("it takes no rooms now")]
    TakesNone,
    /// It was offered the room.
    #[error("it did not answer in time")]
    NotTaken,
    /// It is on its way, or has just come, or many are on their way.
    #[error("the party is on its way or has just come; try again in some seconds")]
    Busy,
    /// The directory does not answer.
    #[error("its fleet's directory does not answer now, and nothing moves until it does")]
    NoDirectory,
}

impl Fleet {
    /// The host wants its room at the relay with this address. It is told of as any other move ([`Output::Moved`](super::Output::Moved)), or
    /// [`Output::Stays`](super::Output::Stays) says that the relay has not taken it.
    ///
    /// # Errors
    /// [`NotPlaced`]; nothing has changed then.
    pub fn place_at(&mut self, now: Instant, room: RoomHash, relay: &str) -> Result<(), NotPlaced> {
        self.handle_timeout(now);
        let placed = self.try_place(now, room, relay);
        self.handle_timeout(now);
        placed
    }

    fn try_place(&mut self, now: Instant, room: RoomHash, relay: &str) -> Result<(), NotPlaced> {
        if self.standing != Standing::In || self.lease.live(now).is_none() {
            return Err(NotPlaced::NoDirectory);
        }
        if self.settings.address.as_str() == relay {
            return Err(NotPlaced::Here);
        }
        let cards = self.view.relays.iter();
        let mut named = cards
            .filter(|(_, card)| card.address.as_str() == relay)
            .peekable();
        if named.peek().is_none() {
            return Err(NotPlaced::Unknown);
        }
        let taker = named.find(|(_, card)| card.takes_rooms());
        let (&to, card) = taker.ok_or(NotPlaced::TakesNone)?;
        let address = card.address.clone();
        let wished = self.rooms.values().filter(|ours| {
            let moving = ours.moving.as_ref();
            moving.is_some_and(|moving| moving.wished.is_some())
        });
        let is_crowded = wished.take(MAX_WISHED).count() >= MAX_WISHED;
        let is_settled = self.rooms.get(&room).is_some_and(|ours| {
            let is_held = matches!(ours.state, State::Held(_));
            is_held && ours.open && ours.moving.is_none() && now >= ours.opened + STAYS
        });
        if is_crowded || !is_settled {
            return Err(NotPlaced::Busy);
        }
        match self.offer_to(now, room, to, Vec::new(), Some(address)) {
            true => Ok(()),
            false => Err(NotPlaced::NoDirectory),
        }
    }
}
