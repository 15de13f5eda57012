//! What is tried beside a link that stands: another way to the same relay, or another relay.

use crate::link::greeting::over;
use crate::link::race::{Reached, Targets, race};
use crate::link::{ConnectError, RelayLink};
use crate::relay_args::RelayConfig;
use lanparty_ctrl::message::Hello;
use lanparty_quic::PathFloor;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a link that was closed meanwhile waits for the other one, which may have to show first how wide it is.
const PATIENCE: Duration = Duration::from_secs(4);

/// What became of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The relay was reached, or not. Nothing has been said yet.
    Reached(Result<Box<(Targets, Reached)>, ConnectError>),
    /// The relay with this number has let us in over the other way, and closes the link that stood if it is the same one; or it
    /// has not.
    Entered(usize, Result<Box<RelayLink>, ConnectError>),
}

/// One attempt at a time, on a task of its own.
#[derive(Debug, Default)]
pub(super) struct Beside {
    running: JoinSet<Outcome>,
    is_entering: bool,
}

impl Beside {
    /// True while nothing is tried.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// True once the relay has been asked to let us in there: then it closes the link that stands, for us.
    pub(super) fn is_entering(&self) -> bool {
        self.is_entering
    }

    /// Looks for the relay there.
    pub(super) fn reach(&mut self, config: RelayConfig, targets: Targets) {
        self.running.spawn(async move {
            let reached = race(&config, &targets, PathFloor::Ordinary).await;
            Outcome::Reached(reached.map(|reached| Box::new((targets, reached))))
        });
    }

    /// Says hello there, to the relay with this number.
    pub(super) fn enter(
        &mut self,
        place: usize,
        config: RelayConfig,
        (targets, reached): (Targets, Reached),
        hello: Hello,
    ) {
        self.is_entering = true;
        self.running.spawn(async move {
            let entered = RelayLink::enter(&config, &targets, reached, over(&hello)).await;
            Outcome::Entered(place, entered.map(|link| Box::new(link.at(place))))
        });
    }

    /// Waits for what becomes of it; for ever while nothing is tried. Safe to cancel.
    pub(super) async fn next(&mut self) -> Outcome {
        loop {
            match self.running.join_next().await {
                Some(Ok(outcome)) => {
                    self.is_entering = false;
                    return outcome;
                }
                Some(Err(_)) => self.is_entering = false,
                None => std::future::pending().await,
            }
        }
    }

    /// The link that takes the place of one that the relay has just closed, where it has done so for that.
    pub(super) async fn entered(&mut self) -> Option<Box<RelayLink>> {
        if !self.is_entering {
            return None;
        }
        match timeout(PATIENCE, self.next()).await {
            Ok(Outcome::Entered(_, Ok(link))) => Some(link),
            Ok(_) | Err(_) => None,
        }
    }

    /// Tries nothing any more.
    pub(super) fn stop(&mut self) {
        *self = Beside::default();
    }
}
