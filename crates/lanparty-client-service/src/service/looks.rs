//! Looks at the machine: one at a time, however many ask, as each of them has threads and programs of its own.

use crate::desk::Ticket;
use lanparty_client_control::Snapshot;
use std::cell::RefCell;
use std::collections::VecDeque;

/// Who waits for which look; the first one is being taken.
#[derive(Debug, Default)]
pub(super) struct Looks(RefCell<VecDeque<Look>>);

#[derive(Debug)]
struct Look {
    snapshot: Snapshot,
    tickets: Vec<Ticket>,
}

impl Looks {
    /// Somebody wants one; true when it is to begin. Who would see the same shares the rows of one that is on its way.
    pub(super) fn ask(&self, ticket: Ticket, snapshot: Snapshot) -> bool {
        let mut looks = self.0.borrow_mut();
        // What the rows name besides the machine: the party, and nobody else's rooms.
        let is_same = |look: &&mut Look| {
            look.snapshot.party == snapshot.party && look.snapshot.rooms == snapshot.rooms
        };
        match looks.iter_mut().find(is_same) {
            Some(look) => look.tickets.push(ticket),
            None => looks.push_back(Look {
                snapshot,
                tickets: vec![ticket],
            }),
        }
        looks.len() == 1 && looks[0].tickets.len() == 1
    }

    /// What the one that is to be taken now is for.
    pub(super) fn current(&self) -> Option<Snapshot> {
        let looks = self.0.borrow();
        Some(looks.front()?.snapshot.clone())
    }

    /// That one has been taken; who waits for it.
    pub(super) fn finish(&self) -> Vec<Ticket> {
        let look = self.0.borrow_mut().pop_front();
        look.map(|look| look.tickets).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_client_control::{Party, Room};

    #[test]
    fn however_many_ask_there_is_one_look_and_nobody_sees_anothers_rooms() {
        let looks = Looks::default();
        let nobody = Snapshot::idle("0.1.0");
        let mut anna = nobody.clone();
        anna.rooms.push(Room {
            name: "FRIDAY".to_owned(),
            party: Party {
                room: "FRIDAY".to_owned(),
                name: None,
                relay: "relay.example:443".to_owned(),
                expires: None,
                joined_by: None,
            },
        });
        let begun: Vec<_> = (0..64)
            .map(|ticket| {
                let snapshot = if ticket % 2 == 0 { &anna } else { &nobody };
                looks.ask(ticket, snapshot.clone())
            })
            .collect();
        assert_eq!(begun.iter().filter(|begun| **begun).count(), 1);
        assert!(begun[0]);
        assert_eq!(looks.current(), Some(anna));
        assert!(looks.finish().iter().all(|ticket| ticket % 2 == 0));
        assert_eq!(looks.current(), Some(nobody.clone()));
        assert_eq!(looks.finish().len(), 32);
        assert_eq!(looks.current(), None);
        assert!(looks.ask(64, nobody), "the next one is taken anew");
    }
}
