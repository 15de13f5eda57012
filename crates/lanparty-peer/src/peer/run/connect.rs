//! Making a link: to the one relay that there is, or to where it sends us.

use super::super::{Event, FramePort, PeerCore, PeerHost, RunError};
use super::fleet::are_machines;
use super::{LOOKS_LONG, Peer, RESOLVE};
use crate::link::greeting::over;
use crate::link::race::{Reached, Targets, near_proxy, race};
use crate::link::{self, ConnectError, RelayLink};
use crate::relay_args::RelayConfig;
use crate::relays::NotFollowed;
use crate::relays::trail::Trail;
use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_ctrl::{DOORS, DRAINS, GROUPS, NEW_KEYS, PINGS, Pin as Key, REDIRECTS, RejectReason};
use lanparty_edge::source_address::{outgoing, source_towards};
use lanparty_proto::DatagramBudget;
use lanparty_quic::{HandshakeError, PathFloor};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Instant;

/// So many machines of one name are asked in one attempt, beside the first.
const MACHINES: usize = 3;

/// What a hello says of the attempt that it is part of.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// It takes its place only if that is free.
    yields: bool,
    /// How often it was sent on.
    sent_on: u8,
}

/// What has come of a hello.
struct Entered {
    /// The relay is one of the internet.
    is_of_internet: bool,
    /// Where it is, if it was reached.
    to: Option<SocketAddr>,
    link: Result<RelayLink, ConnectError>,
}

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// One attempt. The outer error ends the peer, the inner one is worth another attempt.
    pub(super) async fn connect(
        &mut self,
        yields: bool,
    ) -> Result<Result<RelayLink, ConnectError>, RunError> {
        let connected = match self.relays.are_several() {
            true => self.connect_to_one_of_several(yields).await?,
            false => self.connect_to(0, None, yields).await?,
        };
        match connected {
            Err(ConnectError::NotOpen) if self.has_been_in => Ok(Err(ConnectError::HostAway)),
            // Once we have been in, the relay's operator may mend what is wrong now.
            Err(error) if !error.may_pass() && !self.has_been_in => Err(RunError::Relay {
                relay: self.relay.address.to_string(),
                error,
            }),
            attempt => Ok(attempt),
        }
    }

    /// Enters the relay with this number, which may have been reached already, or the one to which it sends us.
    pub(super) async fn connect_to(
        &mut self,
        mut place: usize,
        mut reached: Option<(Targets, Reached)>,
        yields: bool,
    ) -> Result<Result<RelayLink, ConnectError>, RunError> {
        let first = place;
        let mut trail = Trail::from(&self.relays.place(place).address);
        // Machines of this place that were of no use to us.
        let mut tried = Vec::new();
        let mut sent_on = 0;
        loop {
            let said = Said { yields, sent_on };
            let entering = self.enter(place, reached.take(), &tried, said);
            let Entered {
                is_of_internet,
                to: asked,
                link: entered,
            } = entering.await?;
            let now = Instant::now();
            match entered {
                Err(ConnectError::Sent(to)) => {
                    tracing::info!(relay = to.address, "The room is at another relay");
                    let config = self.config();
                    let followed =
                        self.relays
                            .follow(now, &config, &mut trail, (place, is_of_internet), &to);
                    place = match followed {
                        Ok(place) => place,
                        Err(error) => return Ok(Err(error.into())),
                    };
                    tried.clear();
                    sent_on += 1;
                }
                // One name may lead to several relays of a fleet, of which this one cannot help us.
                Err(error)
                    if tried.len() < MACHINES
                        && may_another_help(&error)
                        && has_another(&self.relays.place(place).known, &tried, asked) =>
                {
                    tracing::info!(%error, relay = ?asked, "Asking at the name's next address");
                    tried.extend(asked);
                }
                // What a directory says may be mended any moment, so nobody ends for it.
                Err(ConnectError::Handshake(HandshakeError::Certificate(_))) if place != first => {
                    return Ok(Err(NotFollowed::Stranger.into()));
                }
                Err(error) => {
                    if !error.is_refusal() {
                        let address = self.relays.place(place).address.clone();
                        self.relays.failures.note(now, &address, asked);
                    }
                    return Ok(Err(error));
                }
                Ok(link) if self.relays.is_stale(now, place, link.welcome().fence) => {
                    return Ok(Err(ConnectError::Lost));
                }
                Ok(link) => return Ok(Ok(link)),
            }
        }
    }

    /// Reaches a relay and says hello there, at none of the machines that were tried.
    async fn enter(
        &mut self,
        place: usize,
        reached: Option<(Targets, Reached)>,
        tried: &[SocketAddr],
        Said { yields, sent_on }: Said,
    ) -> Result<Entered, RunError> {
        let failed = |error| Entered {
            is_of_internet: false,
            to: None,
            link: Err(error),
        };
        let (targets, reached) = match reached {
            Some(reached) => reached,
            None => {
                let mut targets = match self.find_relay(place).await? {
                    Ok(targets) => targets,
                    Err(error) => return Ok(failed(error)),
                };
                targets.addresses.retain(|to| !tried.contains(to));
                self.tell(Event::Connecting {
                    addresses: &targets.all_addresses(),
                })
                .await?;
                let config = self.config_of(place);
                if config.inside.is_some() {
                    let hello = self.hello(&config, place, None, yields);
                    let connecting = RelayLink::connect_to(&config, &targets, over(&hello));
                    return Ok(Entered {
                        is_of_internet: false,
                        to: None,
                        link: self.meanwhile(connecting).await?,
                    });
                }
                let own = self.relays.own_addresses(place);
                let failures = &self.relays.failures;
                let patience = failures.patience(&config.address, &own, Instant::now());
                // Nobody is to be asked but this one, by whatever name.
                let is_alone = place == 0 && !self.relays.are_several();
                let racing = async {
                    let racing = race(&config, &targets, PathFloor::Ordinary);
                    match patience.filter(|_| !is_alone) {
                        Some(patience) => tokio::time::timeout(patience, racing)
                            .await
                            .unwrap_or(Err(HandshakeError::NoAnswer.into())),
                        None => racing.await,
                    }
                };
                match self.meanwhile(racing).await? {
                    Ok(reached) => (targets, reached),
                    Err(error) => return Ok(failed(error.of_invite(&config))),
                }
            }
        };
        let is_of_internet = reached.is_of_internet();
        let to = Some(reached.address());
        let reached = match self.looks_like_fleet(place) {
            true => match self.learn_fleet(place, &targets, reached).await? {
                Ok(reached) => reached,
                Err(error) => {
                    return Ok(Entered {
                        is_of_internet,
                        to,
                        link: Err(error),
                    });
                }
            },
            false => reached,
        };
        let config = self.config_of(place);
        let hello = Hello {
            sent_on,
            ..self.hello(&config, place, reached.connection().key(), yields)
        };
        let entering = RelayLink::enter(&config, &targets, reached, over(&hello));
        let entered = self.meanwhile(entering).await?;
        Ok(Entered {
            is_of_internet,
            to,
            link: entered.map(|link| link.at(place)),
        })
    }

    /// What is said on a link that begins, whatever its path takes.
    pub(super) fn hello(
        &mut self,
        config: &RelayConfig,
        place: usize,
        relay: Option<Key>,
        yields: bool,
    ) -> Hello {
        let newcomer = self.core.newcomer();
        let orders = self.host.standing_orders();
        let groups = self.core.tells_groups().then_some(GROUPS);
        let pings = self.core.shows_pings().then_some(PINGS);
        let new_keys = self.core.takes_new_keys().then_some(NEW_KEYS);
        let doors = self.core.knows_doors().then_some(DOORS);
        let abilities = [groups, pings, new_keys, doors, Some(DRAINS)]
            .into_iter()
            .flatten()
            .map(str::to_owned);
        let host_challenge = self.core.challenge(rand::random());
        let relay = relay.filter(|_| newcomer == Newcomer::Gateway);
        let term = relay.and_then(|relay| self.host.term(&relay));
        let preferred = self.host.preferred_relay();
        let near = self.nearby.near(preferred.as_ref());
        let mut hello = self.question(config, place);
        hello.capabilities.extend(abilities);
        Hello {
            orders,
            host_challenge,
            yields,
            term,
            near,
            name: config.name.clone().map(Into::into),
            ..hello
        }
    }

    /// What is said where it is only asked whether the party is there.
    pub(super) fn question(&self, config: &RelayConfig, place: usize) -> Hello {
        let newcomer = self.core.newcomer();
        let mut hello = Hello::new(&config.room, newcomer, DatagramBudget::MIN);
        hello.capabilities.push(REDIRECTS.to_owned());
        Hello {
            host: config.host.filter(|_| newcomer != Newcomer::Gateway),
            access_token: config.access_token.clone(),
            // A relay where we have a place still would take us for somebody else.
            resume_token: self.relays.place(place).token.clone(),
            ..hello
        }
    }

    /// The configuration, with the key that the room has now.
    pub(super) fn config(&self) -> RelayConfig {
        let mut config = self.relay.clone();
        config.key = self.host.room_key().or(config.key);
        config
    }

    /// The same, for the relay with this number alone.
    pub(super) fn config_of(&self, place: usize) -> RelayConfig {
        self.relays.place(place).config(&self.config())
    }

    /// Where the relay is. It may have moved, so its name is resolved for each attempt. A proxy resolves it itself.
    async fn find_relay(
        &mut self,
        place: usize,
    ) -> Result<Result<Targets, ConnectError>, RunError> {
        let config = self.config_of(place);
        let proxy = self.meanwhile(near_proxy(&config)).await?;
        let resolving = link::resolve(&config.address);
        let is_known = !self.relays.place(place).known.is_empty();
        let resolved = match !is_known && proxy.is_none() {
            true => self.wait_for_name(resolving).await?,
            false => {
                let in_time = tokio::time::timeout(RESOLVE, resolving);
                let resolved = self.meanwhile(in_time).await?;
                resolved.unwrap_or(Ok(Vec::new()))
            }
        };
        let at = self.relays.place_mut(place);
        match resolved {
            Ok(addresses) if !addresses.is_empty() => at.known = addresses,
            Err(error) if at.addresses().is_empty() && proxy.is_none() => return Ok(Err(error)),
            Ok(_) | Err(_) => tracing::debug!("The relay's name is not resolved now"),
        }
        let now = Instant::now();
        let addresses = at.addresses();
        let starts = at.carriage.starts(now, network(&addresses));
        let addresses = match self.relays.are_fleet() {
            true => self.relays.failures.last(addresses, now),
            false => addresses,
        };
        Ok(Ok(Targets {
            addresses,
            proxy,
            starts,
        }))
    }

    /// The first time there is no other address, so the resolver has all the time that it takes.
    async fn wait_for_name<T>(
        &mut self,
        resolving: impl Future<Output = T>,
    ) -> Result<T, RunError> {
        let mut resolving = pin!(resolving);
        self.tell(Event::Resolving { takes_long: false }).await?;
        let soon = tokio::time::timeout(LOOKS_LONG, &mut resolving);
        if let Ok(resolved) = self.meanwhile(soon).await? {
            return Ok(resolved);
        }
        self.tell(Event::Resolving { takes_long: true }).await?;
        self.meanwhile(resolving).await
    }
}

/// Whether a name leads to more machines than those that were tried and the one that was asked last.
fn has_another(known: &[SocketAddr], tried: &[SocketAddr], asked: Option<SocketAddr>) -> bool {
    let is_one = asked.is_some_and(|asked| known.contains(&asked));
    let mut others = known
        .iter()
        .filter(|to| !tried.contains(to) && Some(**to) != asked);
    is_one && are_machines(known) && others.next().is_some()
}

/// True where a relay cannot help us for a reason of its own, that another one of its fleet may not have.
fn may_another_help(error: &ConnectError) -> bool {
    use RejectReason::{Draining, Other, RelayFull};
    matches!(error, ConnectError::Rejected(reject) if matches!(reject.reason, RelayFull | Draining | Other))
}

/// This machine's address on the way there, which is its network's name.
pub(super) fn network(addresses: &[SocketAddr]) -> Option<std::net::IpAddr> {
    let towards = addresses.first().copied().and_then(source_towards);
    towards.or_else(outgoing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::message::Reject;

    #[test]
    fn a_names_next_machine_is_asked_where_this_one_cannot_help_and_none_twice() {
        let machine = |number: u8| SocketAddr::from(([203, 0, 113, number], 443));
        let known = [1, 2, 3].map(machine);
        let at = |number| Some(machine(number));
        assert!(has_another(&known, &[], at(1)));
        assert!(has_another(&known, &[machine(1)], at(2)));
        assert!(!has_another(&known, &known[..2], at(3)));
        assert!(
            !has_another(&known, &[], at(9)),
            "a further address of the invite's"
        );
        assert!(!has_another(&known, &[], None), "nobody was reached");
        let both: [SocketAddr; 2] = [machine(1), "[2001:db8::1]:443".parse().unwrap()];
        assert!(!has_another(&both, &[], at(1)), "one machine, most likely");
    }

    #[test]
    fn only_what_is_a_relays_own_matter_may_be_another_at_the_next() {
        use RejectReason::{Banned, Draining, Locked, NotAuthorised, Other, RelayFull, RoomFull};
        let helps = |reason| {
            let text = "".into();
            may_another_help(&ConnectError::Rejected(Reject { reason, text }))
        };
        assert!([RelayFull, Draining, Other].into_iter().all(helps));
        let no = [Banned, Locked, NotAuthorised, RoomFull];
        assert!(!no.into_iter().any(helps));
    }
}
