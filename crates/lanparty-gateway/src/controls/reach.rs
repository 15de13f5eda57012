//! What players may reach on the LAN, as the host orders it: for everybody, and for some of them.

use super::wishes::{MAX_OWN_REACH, OrderedReach};
use super::{Controls, Mark, Present, absent, ambiguous};
use crate::reach::{Wanted, kept, meant, told, written};
use lanparty_gateway_control::{Answer, Attempt, OwnReach, Reach, Reaches, Request};
use lanparty_switch::reach::{Policy, Target};

const FULL: &str = "as many players have a reach of their own as there can be; `lanparty-gateway ctl reach --player WHO \
    default` takes one back";
const OPEN: &str = "players reach everything already; `lanparty-gateway ctl reach games` lets them have games only, and then \
    what you allow";

/// True for what the gateway does by itself, whatever its link and its relay are like.
pub(super) fn is_about(request: &Request) -> bool {
    matches!(
        request,
        Request::Reach { .. } | Request::Reaches | Request::Allow { .. } | Request::Disallow { .. }
    )
}

impl Controls {
    /// The same where players may reach this, as long as nothing else is ordered.
    pub(crate) fn reaching(mut self, configured: Policy) -> Self {
        self.configured = configured;
        // What was ordered instead of something else is out of date.
        let configured = written(&self.configured);
        let ordered = self.wishes.reach.take();
        self.wishes.reach = ordered.filter(|ordered| ordered.instead_of == configured);
        self.work_out();
        self
    }

    /// What the bridge is to know.
    pub(crate) fn wanted_reach(&self) -> &Wanted {
        &self.wanted
    }

    /// The bridge has refused this of late.
    pub(crate) fn note_attempts(&mut self, attempts: Vec<Attempt>) {
        self.attempts = attempts;
    }

    /// How things stand, for a snapshot as for who asks. Players are called what they call themselves.
    pub(crate) fn reaches(&self) -> Reaches {
        let mut attempts = self.attempts.clone();
        for attempt in &mut attempts {
            let mac = attempt.mac.parse().ok();
            attempt.name = self.name_of(mac).map(ToString::to_string);
        }
        Reaches {
            everybody: written(&self.wanted.everybody),
            own: self.wishes.own_reach.clone(),
            attempts,
        }
    }

    /// What of the LAN this player may reach, where it is not what everybody may.
    pub(crate) fn own_reach(&self, player: &Present) -> Option<Reach> {
        let mut own = self.wishes.own_reach.iter();
        let own = own.find(|own| own.who == player.person())?;
        Some(own.reach.clone())
    }

    pub(super) fn reach(&mut self, request: Request) -> Result<Option<Answer>, String> {
        let done = match request {
            Request::Reaches => return Ok(Some(Answer::Reaches(Box::new(self.reaches())))),
            Request::Reach { who: None, reach } => self.set_reach(reach)?,
            Request::Reach {
                who: Some(who),
                reach,
            } => self.set_own_reach(&who, reach)?,
            Request::Allow { who, what } => self.allow(who.as_deref(), &what)?,
            Request::Disallow { who, what } => self.disallow(who.as_deref(), &what)?,
            _ => return Err(super::UNKNOWN.to_owned()),
        };
        self.work_out();
        Ok(Some(Answer::Done(done)))
    }

    fn set_reach(&mut self, reach: Option<Reach>) -> Result<String, String> {
        let policy = match reach {
            Some(reach) => meant(&reach).map_err(|bad| bad.to_string())?,
            None => self.configured.clone(),
        };
        self.order_reach(&policy);
        Ok(match self.wishes.own_reach.len() {
            0 => format!("Players reach {}.", told(&policy)),
            1 => format!(
                "Players reach {}, but for one who has a reach of its own.",
                told(&policy)
            ),
            n => format!(
                "Players reach {}, but for {n} who have a reach of their own.",
                told(&policy)
            ),
        })
    }

    fn order_reach(&mut self, policy: &Policy) {
        self.since.reach = true;
        let instead_of = written(&self.configured);
        let reach = written(policy);
        self.wishes.reach = (reach != instead_of).then_some(OrderedReach { reach, instead_of });
    }

    fn set_own_reach(&mut self, who: &str, reach: Option<Reach>) -> Result<String, String> {
        let Some(reach) = reach else {
            let own = self.own_reach_of(who)?;
            self.wishes.own_reach.remove(own);
            return Ok(format!(
                "{who} reaches what everybody does: {}.",
                told(&self.wanted.everybody)
            ));
        };
        let policy = meant(&reach).map_err(|bad| bad.to_string())?;
        let reach = written(&policy);
        let sentence = format!("{who} reaches {}.", told(&policy));
        let mut found = Mark::all(who).filter_map(|mark| self.known(mark, who).transpose());
        let Some(player) = found.next().transpose()? else {
            let own = self.own_reach_of(who)?;
            self.wishes.own_reach[own].reach = reach;
            return Ok(sentence);
        };
        let person = player.person();
        let name = self.shown_name(&player).cloned();
        let own = &mut self.wishes.own_reach;
        own.retain(|known| known.who != person);
        if own.len() >= MAX_OWN_REACH {
            return Err(FULL.to_owned());
        }
        own.push(OwnReach {
            who: person,
            mac: Some(player.mac),
            name,
            reach,
        });
        Ok(sentence)
    }

    /// Where somebody's own reach stands, here or not.
    fn own_reach_of(&self, who: &str) -> Result<usize, String> {
        for mark in Mark::all(who) {
            let here = self.known(mark, who)?.map(|player| player.person());
            let is_meant = |known: &OwnReach| {
                let is_mac = known.mac.is_some_and(|mac| mark == Mark::Mac(mac));
                here == Some(known.who)
                    || mark.is_of(known.who)
                    || is_mac
                    || mark.is_name(known.name.as_ref())
            };
            let own = self.wishes.own_reach.iter().enumerate();
            let meant: Vec<_> = own.filter(|(_, known)| is_meant(known)).collect();
            match meant[..] {
                [] if here.is_some() => {
                    return Err(nothing_own(who));
                }
                [] => {}
                [(at, _)] => return Ok(at),
                [..] => return Err(ambiguous(who)),
            }
        }
        Err(absent(who))
    }

    /// For everybody it is also for those who have a reach of their own.
    fn allow(&mut self, who: Option<&str>, what: &str) -> Result<String, String> {
        let target: Target = what.trim().parse().map_err(|bad| format!("{bad}"))?;
        let mut is_new = false;
        self.change(who, |policy| {
            is_new |= policy.allow(target).map_err(|bad| bad.to_string())?;
            Ok(())
        })?;
        Ok(match (is_new, who) {
            (true, None) => format!("Players reach {target}."),
            (true, Some(who)) => format!("{who} reaches {target}."),
            (false, _) => format!("{target} was allowed already."),
        })
    }

    fn disallow(&mut self, who: Option<&str>, what: &str) -> Result<String, String> {
        let target: Target = what.trim().parse().map_err(|bad| format!("{bad}"))?;
        let mut was_there = false;
        self.change(who, |policy| {
            was_there |= policy.disallow(target);
            Ok(())
        })?;
        match was_there {
            true => Ok(format!("{target} is not allowed any more.")),
            false => Err(not_allowed(target)),
        }
    }

    /// Nothing is changed where one of the changes cannot be made.
    fn change(
        &mut self,
        who: Option<&str>,
        mut change: impl FnMut(&mut Policy) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut own = self.wishes.own_reach.clone();
        let changed = |reach: &Reach, change: &mut dyn FnMut(&mut Policy) -> Result<(), String>| {
            let mut policy = kept(reach);
            change(&mut policy).map(|()| policy)
        };
        if let Some(who) = who {
            let at = self.own_reach_of(who)?;
            let policy = changed(&own[at].reach, &mut change)?;
            if policy.is_everything() {
                return Err(OPEN.to_owned());
            }
            own[at].reach = written(&policy);
            self.wishes.own_reach = own;
            return Ok(());
        }
        let everybody = changed(&written(&self.wanted.everybody), &mut change)?;
        let mut is_open = everybody.is_everything();
        for known in &mut own {
            let policy = changed(&known.reach, &mut change)?;
            is_open &= policy.is_everything();
            known.reach = written(&policy);
        }
        if is_open {
            return Err(OPEN.to_owned());
        }
        self.order_reach(&everybody);
        self.wishes.own_reach = own;
        Ok(())
    }

    /// Wishes of before that cannot be read may have held players to something: they reach no more than games until the
    /// host has said what they may.
    fn work_out(&mut self) {
        let ordered = self.wishes.reach.as_ref();
        let everybody = match ordered {
            Some(ordered) => kept(&ordered.reach),
            None if self.forgot.is_some()
                && !self.since.reach
                && self.configured.is_everything() =>
            {
                Policy::Games { also: Vec::new() }
            }
            None => self.configured.clone(),
        };
        let own = self.wishes.own_reach.iter();
        let wanted = Wanted {
            everybody,
            own: own.map(|known| (known.who, kept(&known.reach))).collect(),
        };
        self.has_new_wishes |= self.wanted != wanted;
        self.wanted = wanted;
    }
}

fn nothing_own(who: &str) -> String {
    format!("{who} has no reach of its own; `lanparty-gateway ctl reach` shows who has")
}

fn not_allowed(target: Target) -> String {
    format!("{target} was not allowed by these words; `lanparty-gateway ctl reach` shows what is")
}

/// What `ctl` may hear instead of an answer, for the page that explains it.
#[cfg(test)]
pub(super) fn refusals() -> Vec<lanparty_told::Told> {
    let told = |sentence: String, means, remedy| lanparty_told::Told {
        sentence,
        means,
        remedy,
    };
    vec![
        told(
            FULL.to_owned(),
            "The list has an end.",
            "Take one back, or one policy for all.",
        ),
        told(
            OPEN.to_owned(),
            "There is nothing to allow or to take back.",
            "`ctl reach games` first, if players shall not reach everything.",
        ),
        told(
            nothing_own("Bert"),
            "What everybody reaches is what this player reaches.",
            "`ctl reach --player` gives one.",
        ),
        told(
            not_allowed(Target::one([192, 168, 50, 2].into(), 6, Some(445))),
            "It is allowed by other words, such as a network's, or not at all.",
            "The words that `ctl reach` shows.",
        ),
    ]
}
