//! Which of several relays a peer enters, by what they have answered so far. Pure: the time is passed in.
//!
//! Public for `tests/sim`, which plays it against relays that fail.

use lanparty_ctrl::Term;
use std::time::Duration;

/// How long the others may take once the first one can be entered.
const OTHERS: Duration = Duration::from_millis(300);
/// How long the others may take once the first one has said that nobody is there.
const LATE: Duration = Duration::from_millis(800);
/// The same for those that have failed of late, which are dead most likely.
const DOUBTED: Duration = Duration::from_millis(200);
/// Relays that are nearer to each other than this are equally good.
const EQUAL: Duration = Duration::from_millis(10);

/// What is known of a relay's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is asked still.
    None,
    /// The same, and it has failed of late.
    Doubted,
    /// We may enter.
    Open(Open),
    /// It is there, and does not know how to answer: only a hello tells.
    Old,
    /// It does not answer, or it has refused.
    No {
        /// It was there to say so.
        is_refusal: bool,
    },
}

/// What a relay has told that may be entered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    /// The gateway that is there. Its term is none where it has said none, or none of its host's.
    pub gateway: Option<Option<Term>>,
    /// How many players have asked there in vain.
    pub waiting: u16,
    /// The round trip to it.
    pub rtt: Duration,
}

/// How long it has been, when choosing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ages {
    /// Since the first relay answered that may be entered and has a gateway; for gateways, that may be entered.
    pub good: Option<Duration>,
    /// Since the first one answered at all.
    pub any: Option<Duration>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Wait for another answer, or for so long.
    Wait(Option<Duration>),
    /// Enter this one.
    Enter(usize),
    /// There is nowhere to go now.
    Nowhere,
}

/// Who chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chooser {
    /// A player, who has seen the party at this term.
    Player {
        /// The highest one.
        seen: Term,
        /// Without an invite players meet also where no gateway is.
        is_open_room: bool,
    },
    /// A gateway.
    Gateway {
        /// Its players are elsewhere: it goes to where they ask for it.
        is_sought: bool,
    },
}

/// Chooses. `order` has the numbers of all relays, the first of equals first.
pub fn choose(chooser: Chooser, answers: &[Answer], order: &[usize], ages: Ages) -> Choice {
    match chooser {
        Chooser::Player { seen, is_open_room } => {
            for_player(seen, is_open_room, answers, order, ages)
        }
        Chooser::Gateway { is_sought } => for_gateway(is_sought, answers, order, ages),
    }
}

/// True where an answer may begin the time that the others have.
pub fn is_good(chooser: Chooser, answer: &Answer) -> bool {
    match (chooser, answer) {
        (Chooser::Player { seen, .. }, Answer::Open(open)) => term_of(open, seen).is_some(),
        (Chooser::Gateway { .. }, Answer::Open(_)) => true,
        (_, Answer::None | Answer::Doubted | Answer::Old | Answer::No { .. }) => false,
    }
}

/// The gateway's term there, if it is no earlier one. Who has never seen one believes a gateway without any.
fn term_of(open: &Open, seen: Term) -> Option<Term> {
    let term = open.gateway?.unwrap_or_default();
    (term >= seen).then_some(term)
}

fn for_player(
    seen: Term,
    is_open_room: bool,
    answers: &[Answer],
    order: &[usize],
    ages: Ages,
) -> Choice {
    let is_asked = answers.contains(&Answer::None);
    let mut best: Option<(Term, usize)> = None;
    for &number in order {
        if let Answer::Open(open) = &answers[number]
            && let Some(term) = term_of(open, seen)
            && best.is_none_or(|(best, _)| term > best)
        {
            best = Some((term, number));
        }
    }
    if let Some((term, number)) = best {
        // Nobody else could have a higher one but the same host a moment later.
        let is_news = seen > Term::default() && term > seen;
        return match is_asked && !is_news {
            true => wait_or(OTHERS, ages.good, Choice::Enter(number)),
            false => Choice::Enter(number),
        };
    }
    let last_resort = || {
        let first = |is_wanted: &dyn Fn(&Answer) -> bool| {
            let mut order = order.iter().copied();
            order.find(|&number| is_wanted(&answers[number]))
        };
        // A gateway of before terms; what it is worth shows inside.
        first(&|answer| matches!(answer, Answer::Open(open) if open.gateway == Some(None)))
            .or_else(|| first(&|answer| *answer == Answer::Old))
            .or_else(|| {
                first(&|answer| {
                    is_open_room && matches!(answer, Answer::Open(open) if open.gateway.is_none())
                })
            })
            .map_or(Choice::Nowhere, Choice::Enter)
    };
    let patience = patience(answers);
    patience.map_or_else(&last_resort, |patience| {
        wait_or(patience, ages.any, last_resort())
    })
}

fn for_gateway(is_sought: bool, answers: &[Answer], order: &[usize], ages: Ages) -> Choice {
    let is_asked = answers.contains(&Answer::None);
    let open = |number: &usize| match &answers[*number] {
        Answer::Open(open) => Some((*number, *open)),
        Answer::None | Answer::Doubted | Answer::Old | Answer::No { .. } => None,
    };
    let mut candidates: Vec<_> = order.iter().filter_map(open).collect();
    if is_sought && candidates.iter().any(|(_, open)| open.waiting > 0) {
        candidates.retain(|(_, open)| open.waiting > 0);
    }
    let nearest = candidates.iter().map(|(_, open)| open.rtt).min();
    if let Some(nearest) = nearest {
        let is_near = |(_, open): &&(usize, Open)| open.rtt <= nearest + EQUAL;
        let (number, _) = candidates.iter().find(is_near).expect("the nearest is one");
        return match is_asked {
            true => wait_or(OTHERS, ages.good, Choice::Enter(*number)),
            false => Choice::Enter(*number),
        };
    }
    let old = order.iter().find(|number| answers[**number] == Answer::Old);
    let last_resort = old.map_or(Choice::Nowhere, |&number| Choice::Enter(number));
    match patience(answers) {
        Some(patience) => wait_or(patience, ages.any, last_resort),
        None => last_resort,
    }
}

/// How long those have who have not answered, once somebody has; none, if all have. Whoever is later than that is heard all the
/// same, by the next attempt.
fn patience(answers: &[Answer]) -> Option<Duration> {
    let is_asked = |asked| answers.contains(&asked);
    match (is_asked(Answer::None), is_asked(Answer::Doubted)) {
        (true, _) => Some(LATE),
        (false, true) => Some(DOUBTED),
        (false, false) => None,
    }
}

fn wait_or(patience: Duration, age: Option<Duration>, choice: Choice) -> Choice {
    match age {
        None => Choice::Wait(None),
        Some(age) if age < patience => Choice::Wait(Some(patience - age)),
        Some(_) => choice,
    }
}

#[cfg(test)]
mod tests;
