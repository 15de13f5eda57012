//! Who is introduced to whom, for a direct path.

use super::{Registry, Seat};
use crate::room::meeting::{Introducer, OF_RELAY};
use crate::room::{Paths, Sight, Step};
use lanparty_ctrl::door::{Door, MeetSecret, Met, Ready};
use lanparty_switch::rates::Bucket;
use std::time::Instant;

impl<L: Clone> Registry<L> {
    /// Introduces players to gateways from now on, or does not. A host's own relay has nobody to introduce.
    pub fn set_introduces(&mut self, introduces: bool) {
        self.paths = match (self.paths, introduces) {
            (Paths::Here, _) => Paths::Here,
            (_, true) => Paths::Introduces,
            (_, false) => Paths::Refuses,
        };
        for room in self.rooms.values_mut() {
            room.set_paths(self.paths);
        }
    }

    /// A peer says where it can be met, or that it does not want to be: what follows comes out of [`Self::poll_meetings`].
    pub fn handle_door(&mut self, from: Seat, door: Door) {
        if let Some(room) = self.rooms.get_mut(&from.room) {
            room.handle_door(from.peer, door);
        }
    }

    /// A peer is ready for a meeting. False where it has not been asked, or has said so.
    pub fn handle_ready(&mut self, from: Seat, ready: Ready) -> bool {
        let room = self.rooms.get_mut(&from.room);
        room.is_some_and(|room| room.handle_ready(from.peer, ready))
    }

    /// A client says that a meeting has led to a direct path.
    pub fn handle_met(&mut self, from: Seat, met: Met) {
        let room = self.rooms.get_mut(&from.room);
        let is_news = room.is_some_and(|room| room.handle_met(from.peer, met));
        self.totals.introductions.met += u64::from(is_news);
    }

    /// What is due between those who want a direct path, or those of them whom this one's words concern: a client's itself and
    /// its gateway, a gateway's all of its room. `sight` knows by a peer's link where
    /// it is seen, nowhere for one that nobody can send to; `secret` makes a new one each time.
    pub fn poll_meetings(
        &mut self,
        now: Instant,
        of: Option<Seat>,
        sight: impl Fn(&L) -> Option<Sight>,
        mut secret: impl FnMut() -> MeetSecret,
    ) -> Vec<Step<L>> {
        let budget = &mut self.meetings_left;
        let mut by = Introducer {
            now,
            budget: budget.get_or_insert_with(|| Bucket::full(now, OF_RELAY)),
            totals: &mut self.totals.introductions,
            secret: &mut secret,
        };
        let rooms = self.rooms.iter_mut();
        let rooms = rooms.filter(|&(&id, _)| of.is_none_or(|of| of.room == id));
        rooms
            .flat_map(|(_, room)| room.poll_meetings(&mut by, of.map(|of| of.peer), &sight))
            .collect()
    }
}
