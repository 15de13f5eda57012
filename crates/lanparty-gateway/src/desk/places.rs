//! The relays at which the party may be: what the host asks of them, and who waits for the answer.

use super::{Desk, Pending, moment};
use crate::relays::Ordered;
use lanparty_ctrl::places::NotPlaced;
use lanparty_ctrl::{Term, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_gateway_control::Answer;
use lanparty_peer::RelaySight;
use std::time::Instant;
use tokio::sync::oneshot;

/// Who waits for what.
#[derive(Default)]
pub(super) struct Waiting {
    look: Vec<oneshot::Sender<Answer>>,
    order: Vec<oneshot::Sender<Answer>>,
}

impl Desk {
    /// The link stands, at this relay.
    pub(crate) fn note_relay(&self, at: &RelayAddress, region: Option<Text>, term: Option<Term>) {
        let mut picture = self.picture.borrow_mut();
        picture.note_relay(moment(), at, (region, term));
        let moves = picture.relays.moves();
        drop(picture);
        self.figures.borrow_mut().note_stay(term, moves);
        self.answer_about_relays();
    }

    /// All relays have been looked at.
    pub(crate) fn note_relays(&self, sights: &[RelaySight]) {
        let mut picture = self.picture.borrow_mut();
        picture.relays.note_sights(Instant::now(), sights);
        drop(picture);
        self.answer_about_relays();
        self.tell_soon();
    }

    /// The fleet does not have the party where the host wants it.
    pub(crate) fn note_not_placed(&self, not_placed: &NotPlaced) {
        let mut picture = self.picture.borrow_mut();
        picture.relays.note_not_placed(not_placed);
        drop(picture);
        self.answer_about_relays();
    }

    /// How all of them do, once they have been asked.
    pub(super) fn look_at_relays(&self, now: Instant) -> Pending {
        let looks = self.picture.borrow_mut().relays.look(now);
        let (sender, answer) = oneshot::channel();
        self.waiting.borrow_mut().look.push(sender);
        if !looks {
            self.answer_about_relays();
        }
        Box::pin(async { answer.await.ok() })
    }

    /// The party to this relay.
    pub(super) fn move_to(&self, now: Instant, relay: &str) -> Pending {
        let ordered = self.picture.borrow_mut().relays.order(now, relay);
        // An earlier order may have ended by that.
        self.answer_about_relays();
        let answer = match ordered {
            Ok(Ordered::Done(sentence)) => Answer::Done(sentence),
            Err(why) => Answer::Refused(why),
            Ok(Ordered::Later) => {
                let (sender, answer) = oneshot::channel();
                self.waiting.borrow_mut().order.push(sender);
                return Box::pin(async { answer.await.ok() });
            }
        };
        Box::pin(std::future::ready(Some(answer)))
    }

    /// Answers those of whom it is known by now what they want to know.
    pub(super) fn answer_about_relays(&self) {
        let mut picture = self.picture.borrow_mut();
        let mut waiting = self.waiting.borrow_mut();
        if !picture.relays.is_looked_for() {
            let shown = picture.places(Instant::now());
            for waits in waiting.look.drain(..) {
                // Whoever asked may have lost patience.
                let _ = waits.send(Answer::Relays(shown.clone()));
            }
        }
        let Some(outcome) = picture.relays.take_outcome() else {
            return;
        };
        for waits in waiting.order.drain(..) {
            let answer = match &outcome {
                Ok(sentence) => Answer::Done(sentence.clone()),
                Err(why) => Answer::Refused(why.clone()),
            };
            let _ = waits.send(answer);
        }
    }
}
