//! Which of a party's gateways is the one of now. Pure.
//!
//! Public for `tests/sim`, as [`choose`](super::choose) is.

use lanparty_ctrl::Term;

/// The highest term that the party's gateway was seen at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen(Term);

impl Seen {
    /// That term.
    pub fn highest(self) -> Term {
        self.0
    }

    /// The gateway is there at this term. False when that is over: the party is at another relay.
    pub fn believe(&mut self, term: Option<Term>) -> bool {
        let is_over = self.is_over(term);
        self.0 = self.0.max(term.unwrap_or_default());
        !is_over
    }

    /// True for a term that is lower than one that was seen. Gateways and relays of before terms tell none: their gateway has
    /// to prove who it is all the same.
    pub fn is_over(self, term: Option<Term>) -> bool {
        term.is_some_and(|term| term < self.0)
    }
}
