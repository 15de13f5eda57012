//! Another way to the relay while a link stands, and going over to it.

use super::super::beside::Outcome;
use super::super::retries::End;
use super::super::{Event, FramePort, PeerCore, PeerHost, RunError};
use super::{Ended, Peer};
use crate::link::RelayLink;
use crate::link::carriage::Starts;
use crate::link::race::{Targets, near_proxy};
use std::time::Instant;

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// Looks for another way to the relay, while the link stands.
    pub(super) async fn try_beside(
        &mut self,
        link: &RelayLink,
        starts: Starts,
    ) -> Result<(), RunError> {
        if !self.beside.is_idle() {
            return Ok(());
        }
        let config = self.config_of(link.place());
        let proxy = match starts.proxy {
            Some(_) => self.turns.beside(near_proxy(&config)).await,
            None => None,
        };
        let targets = Targets {
            addresses: self.relays.place(link.place()).addresses(),
            proxy,
            starts,
        };
        let mut addresses = targets.all_addresses();
        addresses.push(link.relay());
        self.tell(Event::Trying {
            addresses: &addresses,
        })
        .await?;
        self.beside.reach(config, targets);
        Ok(())
    }

    /// Goes over to another way once the relay has let us in there; until then this link carries on.
    pub(super) fn handle_beside(&mut self, link: &RelayLink, outcome: Outcome) -> Option<Ended> {
        let now = Instant::now();
        match outcome {
            Outcome::Reached(Ok(other)) => {
                let reached = &other.1;
                let (means, rtt) = (reached.means, reached.rtt());
                let is_silent = link.is_silent();
                let key = reached.connection().key();
                let carriage = &mut self.relays.here_mut().carriage;
                let is_better = carriage.is_better(now, means, rtt, link.rtt(), is_silent);
                if is_better || self.elsewhere.said.is_outdated() {
                    let place = link.place();
                    let config = self.config_of(place);
                    let hello = self.hello(&config, place, key, false);
                    self.beside.enter(place, config, *other, hello);
                }
                None
            }
            Outcome::Reached(Err(error)) => {
                tracing::debug!(%error, "No other way leads to the relay");
                None
            }
            Outcome::Entered(_, Ok(other)) => self.goes_over(link.place(), other).map(Ended::Over),
            Outcome::Entered(place, Err(error)) if place == link.place() => {
                tracing::debug!(%error, "The relay does not let us in another way");
                self.relays.here_mut().carriage.was_no_use(now);
                None
            }
            Outcome::Entered(place, Err(error)) => {
                self.not_let_in_elsewhere(place, error);
                None
            }
        }
    }

    /// The relay has closed this link: where it has let us in another way meanwhile, that is why.
    pub(super) async fn or_over(
        &mut self,
        ended: Result<Ended, RunError>,
    ) -> Result<Ended, RunError> {
        let was_entering = self.beside.is_entering();
        let entered = self.beside.entered();
        let entered = self.turns.beside(entered).await;
        let here = self.relays.here();
        let entered = entered.and_then(|link| self.goes_over(here, link));
        match (entered, ended) {
            (Some(link), _) => Ok(Ended::Over(link)),
            (None, Ok(Ended::By(End::Replaced))) if was_entering => {
                let carriage = &mut self.relays.here_mut().carriage;
                carriage.was_no_use(Instant::now());
                let cause = "another way to the relay came to nothing".to_owned();
                Ok(Ended::By(End::Lost(cause)))
            }
            (None, ended) => ended,
        }
    }
}
