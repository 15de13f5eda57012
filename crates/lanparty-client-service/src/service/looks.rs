//! Looks at the machine: one at a time, however many ask, as each of them has threads and programs of its own.

use crate::desk::Ticket;
use crate::place::Wishes;
use lanparty_client_control::Snapshot;
use lanparty_doctor::Prover;
use lanparty_proof::Verdict;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long the session may take: until it looks what is wanted, and for the look itself.
const PATIENCE: Duration = Duration::from_millis(3800);

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

/// What a look at the machine wants of the session.
pub(super) struct Asked {
    address: Option<(Ipv4Addr, u8)>,
    answer: mpsc::Sender<Verdict>,
}

/// Asks the session, from a look's own thread.
pub(super) struct Tunnel(UnboundedSender<Asked>);

impl Prover for Tunnel {
    fn prove(&self, address: Option<(Ipv4Addr, u8)>) -> Option<Verdict> {
        let (answer, verdict) = mpsc::channel();
        self.0.send(Asked { address, answer }).ok()?;
        verdict.recv_timeout(PATIENCE).ok()
    }
}

/// The two ends of asking the session.
pub(super) fn tunnel() -> (Tunnel, UnboundedReceiver<Asked>) {
    let (sender, asked) = unbounded_channel();
    (Tunnel(sender), asked)
}

/// Has the session look, for as long as somebody may want that.
pub(super) async fn through_tunnel(
    mut asked: UnboundedReceiver<Asked>,
    wishes: &Wishes,
) -> Infallible {
    while let Some(Asked { address, answer }) = asked.recv().await {
        if let Ok(verdict) = wishes.look(address).await {
            // The look may be over.
            let _ = answer.send(verdict);
        }
    }
    std::future::pending().await
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
                also: Vec::new(),
                others: Vec::new(),
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
