//! What a check found, and what can be done about it.

use lanparty_client_control::{Fix, FixOffer, Mark, Row};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    mark: Mark,
    sentence: String,
    cure: Cure,
    is_guess: bool,
    details: Vec<String>,
}

/// What can be done: one press here, something by hand, or either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cure {
    fix: Option<FixOffer>,
    how_to: Option<String>,
}

impl Cure {
    /// Not for crosses, so nobody else has it.
    const NONE: Cure = Cure {
        fix: None,
        how_to: None,
    };

    /// One press.
    pub fn fix(offer: FixOffer) -> Self {
        Cure {
            fix: Some(offer),
            how_to: None,
        }
    }

    /// Something by hand, as one sentence.
    pub fn by_hand(how_to: impl Into<String>) -> Self {
        Cure {
            fix: None,
            how_to: Some(how_to.into()),
        }
    }

    /// And what can be done by hand besides.
    pub fn or_by_hand(mut self, how_to: impl Into<String>) -> Self {
        self.how_to = Some(how_to.into());
        self
    }
}

impl Found {
    /// As it should be.
    pub fn good(sentence: impl Into<String>) -> Self {
        Found::new(Mark::Good, sentence, Cure::NONE)
    }

    /// It may be in the way; there need not be a cure.
    pub fn doubt(sentence: impl Into<String>) -> Self {
        Found::new(Mark::Doubt, sentence, Cure::NONE)
    }

    /// It could not be seen: whoever sees it knows better.
    pub fn unseen(sentence: impl Into<String>) -> Self {
        Found {
            is_guess: true,
            ..Found::doubt(sentence)
        }
    }

    /// It is in the way.
    pub fn bad(sentence: impl Into<String>, cure: Cure) -> Self {
        Found::new(Mark::Bad, sentence, cure)
    }

    /// What helps against a doubt.
    pub fn cured(self, cure: Cure) -> Self {
        Found { cure, ..self }
    }

    /// With what was looked at one by one.
    pub fn detailed(self, details: Vec<String>) -> Self {
        Found { details, ..self }
    }

    fn new(mark: Mark, sentence: impl Into<String>, cure: Cure) -> Self {
        Found {
            mark,
            sentence: sentence.into(),
            cure,
            is_guess: false,
            details: Vec::new(),
        }
    }

    /// Whether it could not be seen.
    pub(crate) fn is_guess(&self) -> bool {
        self.is_guess
    }

    /// The row of the check with this id.
    pub(crate) fn row(self, id: &str) -> Row {
        Row {
            id: id.to_owned(),
            mark: self.mark,
            sentence: self.sentence,
            fix: self.cure.fix,
            how_to: self.cure.how_to,
            details: self.details,
        }
    }
}

/// A fix that the running service carries out, with its own rights.
pub(crate) fn by_service(fix: Fix, label: &str, changes: &str) -> FixOffer {
    FixOffer {
        fix,
        label: label.to_owned(),
        changes: changes.to_owned(),
        asks_admin: false,
    }
}
