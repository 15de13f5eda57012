//! Whether the host's own machine takes part, and what the host hears of it (spec R134).

use crate::config::ThisMachine;
use crate::lan::{LanSocket, Leg, LegError};
use lanparty_edge::speech::say;
use std::rc::Rc;

/// This machine's part in the party. What is wrong with it never ends the party for the others.
#[derive(Debug)]
pub(crate) struct OwnPart {
    leg: Option<Rc<Leg>>,
    /// What the host should know, once somebody speaks.
    news: Option<String>,
    complaint: Option<String>,
    /// Why it takes no part though it should.
    trouble: Option<String>,
}

impl OwnPart {
    /// Makes what this machine needs, while everything may still be opened.
    ///
    /// # Errors
    /// [`LegError`] when the host insists on it, and it cannot be done.
    pub(crate) fn begin(wish: ThisMachine, lan: &LanSocket) -> Result<Self, LegError> {
        let mut own = OwnPart {
            leg: None,
            news: None,
            complaint: None,
            trouble: None,
        };
        if wish == ThisMachine::Without {
            return Ok(own);
        }
        match Leg::make().and_then(|leg| lan.admit(&leg).map(|()| leg)) {
            Ok(leg) => {
                own.leg = Some(Rc::new(leg));
                own.news = Some(
                    "This machine takes part: players reach the game servers on it, and its games see players."
                        .to_owned(),
                );
            }
            Err(error) if wish == ThisMachine::With => return Err(error),
            Err(error) => {
                let news = format!(
                    "Players and this machine itself do not see each other: {error}. The party goes on; if that is meant, \
                     say --without-this-machine."
                );
                own.trouble = Some(news.clone());
                own.news = Some(news);
            }
        }
        Ok(own)
    }

    /// Says how it is.
    pub(crate) fn tell(&mut self) {
        self.news.take().iter().for_each(say);
    }

    /// Whether it takes part, or why it does not though it should.
    pub(crate) fn is_taken(&self) -> Result<bool, String> {
        match self.complaint.as_ref().or(self.trouble.as_ref()) {
            Some(why) => Err(why.clone()),
            None => Ok(self.leg.is_some()),
        }
    }

    /// The leg, leading to this interface, which may be another than before.
    pub(crate) fn leg_to(&mut self, lan: &LanSocket) -> Option<Rc<Leg>> {
        let leg = self.leg.clone()?;
        match lan.admit(&leg) {
            Ok(()) => {
                self.complaint = None;
                Some(leg)
            }
            Err(error) => {
                let complaint = format!("This machine takes no part for now: {error}.");
                if self.complaint.as_ref() != Some(&complaint) {
                    say(&complaint);
                    self.complaint = Some(complaint);
                }
                None
            }
        }
    }
}
