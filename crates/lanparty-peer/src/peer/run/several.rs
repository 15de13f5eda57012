//! Making a link to one of several relays.

use super::super::{Event, FramePort, PeerCore, PeerHost, RelaySight, RunError};
use super::Peer;
use super::connect::network;
use crate::link::race::Targets;
use crate::link::{ConnectError, RelayLink};
use crate::relays::choose::{Answer, Choice, Chooser};
use crate::relays::nearby::Measured;
use crate::relays::survey::{LookedUp, Question, Replied, Reply, Step, Survey};
use crate::relays::trail::Trail;
use crate::relays::{Relays, cause};
use lanparty_ctrl::message::{Newcomer, Reject};
use lanparty_ctrl::{Pin, RejectReason, Text};
use lanparty_edge::address::RelayAddress;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// So long a gateway goes by what was answered while its link was failing.
const FRESH: Duration = Duration::from_millis(1500);
/// Nobody waits for the next answer for longer without looking around.
const LONG: Duration = Duration::from_secs(10);

/// Whom an inquiry disturbs: where it is looked, no packet may go into the tunnel.
#[derive(Debug, Default)]
pub(super) struct Looked {
    addresses: Vec<SocketAddr>,
    /// The first relay that is looked for without a link is told of as the one that is connected to.
    is_told: bool,
}

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// Asks all, and enters the one where the party is; a gateway, the best one.
    pub(super) async fn connect_to_one_of_several(
        &mut self,
        yields: bool,
    ) -> Result<Result<RelayLink, ConnectError>, RunError> {
        let mut survey = std::mem::take(&mut self.survey);
        let connected = self.search(&mut survey, yields).await;
        // Whoever has not answered yet may do so before the next attempt.
        if matches!(connected, Ok(Err(_))) {
            self.survey = survey;
        }
        connected
    }

    async fn search(
        &mut self,
        survey: &mut Survey,
        yields: bool,
    ) -> Result<Result<RelayLink, ConnectError>, RunError> {
        let chooser = self.chooser();
        let mut looked = Looked::default();
        let keep = match chooser {
            Chooser::Gateway { .. } => FRESH,
            Chooser::Player { .. } => Duration::ZERO,
        };
        survey.begin(Instant::now(), keep);
        if self
            .relays
            .invited()
            .all(|place| self.relays.place(place).known.is_empty())
        {
            self.tell(Event::Resolving { takes_long: false }).await?;
        }
        for place in self.relays.invited() {
            self.look_up(survey, place, Question::Find);
        }
        let order = self.relays.order(self.relay);
        loop {
            let now = Instant::now();
            if yields && survey.replies().any(|it| has_gateway(it.answer)) {
                return Ok(Err(ConnectError::Rejected(Reject {
                    reason: RejectReason::GatewayPresent,
                    text: Text::default(),
                })));
            }
            let is_doubted = |place| self.is_doubted(now, place);
            let wait = match survey.choose(now, chooser, &order, |_, _| true, is_doubted) {
                Choice::Enter(place) => {
                    self.note_sights(survey);
                    self.measure_fleet(survey, place).await?;
                    let reached = self.take_reached(survey, place);
                    match self.connect_to(place, reached, yields).await? {
                        Ok(link) => return Ok(Ok(link)),
                        Err(error) => {
                            tracing::debug!(%error, relay = %self.relays.place(place).address, "Not let in");
                            survey.refused(Instant::now(), place, error);
                        }
                    }
                    continue;
                }
                Choice::Nowhere => {
                    self.note_sights(survey);
                    self.tell_sights(None).await?;
                    let errors = survey.take_errors().into_iter();
                    let named = |(place, error)| (self.relays.place(place).address.clone(), error);
                    return Ok(Err(cause(errors.map(named).collect())));
                }
                Choice::Wait(wait) => wait.unwrap_or(LONG),
            };
            let step = tokio::time::timeout(wait, survey.next());
            if let Ok((place, step)) = self.meanwhile(step).await? {
                self.handle_step(survey, (place, step), None, &mut looked)
                    .await?;
            }
        }
    }

    /// True for a relay that has failed of late, for which nobody waits who has been answered by others.
    pub(super) fn is_doubted(&self, now: Instant, place: usize) -> bool {
        let address = &self.relays.place(place).address;
        let own = self.relays.own_addresses(place);
        self.relays.failures.is_doubted(address, &own, now)
    }

    /// Who chooses, where nothing special has happened.
    pub(super) fn chooser(&self) -> Chooser {
        match self.core.newcomer() {
            Newcomer::Gateway => Chooser::Gateway { is_sought: false },
            Newcomer::Client(_) => Chooser::Player {
                seen: self.relays.seen(),
                is_open_room: self.relay.key.is_none(),
            },
        }
    }

    /// The connection on which this one was asked. One on another port than this machine's chosen one is of no use.
    pub(super) fn take_reached(
        &self,
        survey: &mut Survey,
        place: usize,
    ) -> Option<(Targets, crate::link::race::Reached)> {
        let has_port = self
            .relay
            .door
            .as_ref()
            .is_some_and(|door| door.port.is_some());
        let reached = survey.take_reached(Instant::now(), place);
        reached.filter(|_| !has_port)
    }

    /// Begins to ask this one.
    pub(super) fn look_up(&self, survey: &mut Survey, place: usize, question: Question) {
        let trail = Trail::from(&self.relays.place(place).address);
        self.look_up_by(survey, place, question, trail);
    }

    fn look_up_by(&self, survey: &mut Survey, place: usize, question: Question, trail: Trail) {
        let is_known = !self.relays.place(place).addresses().is_empty();
        let mut config = self.config_of(place);
        // Several relays are asked from as many sockets.
        if let Some(door) = &mut config.door {
            door.port = None;
        }
        survey.look_up(place, question, trail, config, is_known);
    }

    /// Goes on with one of those that are asked. `link` is the one that stands.
    pub(super) async fn handle_step(
        &mut self,
        survey: &mut Survey,
        (place, step): (usize, Step),
        link: Option<&RelayLink>,
        looked: &mut Looked,
    ) -> Result<(), RunError> {
        let now = Instant::now();
        let chooser = self.chooser();
        match step {
            Step::LookedUp(LookedUp { addresses, proxy }) => {
                let at = self.relays.place_mut(place);
                let nothing = || io::Error::new(io::ErrorKind::NotFound, "it has no address");
                let error = match addresses {
                    Ok(addresses) if !addresses.is_empty() => {
                        at.known = addresses;
                        ConnectError::Resolve(nothing())
                    }
                    Ok(_) => ConnectError::Resolve(nothing()),
                    Err(error) => error,
                };
                let addresses = at.addresses();
                if addresses.is_empty() && proxy.is_none() {
                    survey.note(now, place, chooser, Err(error), None);
                    return Ok(());
                }
                let targets = Targets {
                    starts: at.carriage.starts(now, network(&addresses)),
                    addresses,
                    proxy,
                };
                let is_old = at.is_old(now);
                looked.addresses.extend(targets.all_addresses());
                let mut addresses = looked.addresses.clone();
                addresses.extend(link.map(RelayLink::relay));
                let addresses = &addresses;
                let event = match link.is_none() && !looked.is_told {
                    true => Event::Connecting { addresses },
                    false => Event::Trying { addresses },
                };
                looked.is_told = true;
                self.tell(event).await?;
                let mut config = self.config_of(place);
                if let Some(door) = &mut config.door {
                    door.port = None;
                }
                let hello = self.question(&config, place);
                survey.ask(place, config, targets, hello, is_old);
            }
            Step::Replied(reply) => {
                let mut term = None;
                match &reply {
                    Ok(Reply::Old) => self.relays.place_mut(place).note_old(now),
                    Ok(Reply::Found(found, reached)) => {
                        let key = reached.as_ref().and_then(|it| it.1.connection().key());
                        term = Relays::term(self.relay, found.term.as_ref(), key);
                    }
                    Ok(Reply::Sent(to, is_of_internet)) => {
                        let mut trail = survey.trail(place).cloned().unwrap_or_default();
                        let config = self.config();
                        let from = (place, *is_of_internet);
                        match self.relays.follow(now, &config, &mut trail, from, to) {
                            Ok(next) => self.look_up_by(survey, next, Question::Find, trail),
                            Err(error) => {
                                survey.note(now, place, chooser, Err(error.into()), None);
                                return Ok(());
                            }
                        }
                    }
                    Err(error) if !error.is_refusal() => {
                        let address = self.relays.place(place).address.clone();
                        self.relays.failures.note(now, &address, None);
                    }
                    Ok(Reply::Reached(_)) | Err(_) => {}
                }
                survey.note(now, place, chooser, reply, term);
            }
        }
        Ok(())
    }

    /// Remembers what was seen of each relay.
    pub(super) fn note_sights(&mut self, survey: &Survey) {
        for replied in survey.replies() {
            let Replied { reply, answer, .. } = replied;
            let mut sight = RelaySight {
                address: self.relays.place(replied.place).address.clone(),
                region: None,
                rtt: None,
                at: replied.at,
                is_here: false,
                leads_to: None,
                said: None,
            };
            match reply {
                Ok(Reply::Found(found, _)) => {
                    sight.region.clone_from(&found.region);
                    if let Answer::Open(open) = answer {
                        sight.rtt = Some(open.rtt);
                    }
                }
                Ok(Reply::Sent(to, _)) => sight.leads_to = to.address.parse().ok(),
                Ok(Reply::Reached(_)) => {}
                Ok(Reply::Old) => {
                    if let Answer::Open(open) = answer {
                        sight.rtt = Some(open.rtt);
                    } else {
                        sight.said = Some("it is too old to be one of several".to_owned());
                    }
                }
                Err(error) => sight.said = Some(error.to_string()),
            }
            self.sights.note(sight);
        }
    }

    /// Tells the host how its relays are, where there are several. `link` is the one that stands.
    pub(super) async fn tell_sights(&mut self, link: Option<&RelayLink>) -> Result<(), RunError> {
        if !self.relays.are_several() && !self.relays.are_fleet() {
            return Ok(());
        }
        let mut names =
            Vec::from_iter(link.map(|link| self.relays.place(link.place()).address.clone()));
        // The fleet's common name has led there, and the machine has one of its own.
        let own = link.and_then(RelayLink::key);
        let own = own.and_then(|key| named_by_key(self.nearby.measured(), &key));
        names.extend(own);
        self.sights.stand_at(&names);
        let sights = self.sights.all().to_vec();
        self.tell(Event::Relays(&sights)).await
    }
}

/// What the fleet calls the relay with this key; nothing where several have it.
fn named_by_key(measured: &[Measured], key: &Pin) -> Option<RelayAddress> {
    let has_key = |it: &&Measured| it.relay.pin.as_ref() == Some(key);
    let mut with_key = measured.iter().filter(has_key);
    let it = with_key.next().filter(|_| with_key.next().is_none())?;
    it.relay.address.parse().ok()
}

fn has_gateway(answer: &Answer) -> bool {
    matches!(answer, Answer::Open(open) if open.gateway.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::places::FleetRelay;

    #[test]
    fn a_machine_of_a_fleet_is_known_by_a_key_that_is_its_alone() {
        let pin = |byte| Pin::from_sha256([byte; 32]);
        let measured = |address: &str, pin| Measured {
            relay: FleetRelay {
                address: address.to_owned(),
                pin,
                region: None,
            },
            rtt: None,
        };
        let fleet = [
            measured("r1.example:443", Some(pin(1))),
            measured("r2.example:443", Some(pin(2))),
            measured("r3.example:443", Some(pin(3))),
            measured("r4.example:443", Some(pin(3))),
            measured("r5.example:443", None),
        ];
        let named = |byte| named_by_key(&fleet, &pin(byte)).map(|it| it.to_string());
        assert_eq!(named(2).as_deref(), Some("r2.example:443"));
        assert_eq!((named(3), named(4)), (None, None));
    }
}
