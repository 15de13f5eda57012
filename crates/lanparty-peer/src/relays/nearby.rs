//! How far a gateway is from the relays of a fleet, which puts its room near it.

use super::place::Place;
use crate::link::greeting::{Finding, find};
use crate::link::race::{Targets, race};
use crate::link::{ConnectError, resolve};
use crate::relay_args::RelayConfig;
use lanparty_ctrl::message::Hello;
use lanparty_ctrl::places::{FleetRelay, Near};
use lanparty_edge::address::RelayAddress;
use lanparty_quic::PathFloor;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};

/// How many relays of a fleet are measured.
const MOST: usize = 8;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the others may take once one has answered, where a party waits for it: a new room goes to one that is nearer.
const OTHERS: Duration = Duration::from_secs(1);
/// How often it is done: relays come and go.
const EACH: Duration = Duration::from_secs(600);

/// A relay of a fleet, and how far it is if it has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) relay: FleetRelay,
    pub(crate) rtt: Option<Duration>,
}

/// What is known of the fleet around.
#[derive(Debug, Default)]
pub(crate) struct Nearby {
    measured: Vec<Measured>,
    at: Option<Instant>,
    running: JoinSet<Vec<Measured>>,
}

impl Nearby {
    /// True where nothing has been measured yet.
    pub(crate) fn is_unknown(&self) -> bool {
        self.at.is_none()
    }

    /// The relays have been measured.
    pub(crate) fn note(&mut self, now: Instant, measured: Vec<Measured>) {
        self.at = Some(now);
        self.measured = measured;
    }

    /// What stands in a gateway's hello. The one that the host wants is nearer than any other.
    pub(crate) fn near(&self, preferred: Option<&RelayAddress>) -> Vec<Near> {
        let wanted = preferred.and_then(|preferred| self.named(preferred));
        let near = |measured: &Measured| {
            let address = measured.relay.address.clone();
            let is_preferred = wanted.is_some_and(|wanted| wanted == address);
            let in_ms = |rtt: Duration| u16::try_from(rtt.as_millis()).unwrap_or(u16::MAX);
            let rtt_ms = match is_preferred {
                true => 0,
                false => in_ms(measured.rtt?).max(1),
            };
            Some(Near { address, rtt_ms })
        };
        self.measured.iter().filter_map(near).collect()
    }

    /// The relay of the fleet that is meant, as the fleet names it.
    pub(crate) fn named(&self, relay: &RelayAddress) -> Option<&str> {
        let is_it = |name: &str| name.parse().is_ok_and(|it: RelayAddress| it.is_same(relay));
        let mut names = self.measured.iter().map(|it| it.relay.address.as_str());
        names.find(|name| is_it(name))
    }

    /// All that were looked at.
    pub(crate) fn measured(&self) -> &[Measured] {
        &self.measured
    }

    /// Asks this relay of the fleet for the others, and measures them, where it is time to.
    pub(crate) fn look_around(&mut self, now: Instant, config: RelayConfig, question: Hello) {
        let is_due = self
            .at
            .is_none_or(|at| now.saturating_duration_since(at) >= EACH);
        if !is_due || !self.running.is_empty() {
            return;
        }
        self.at = Some(now);
        self.running.spawn(async move {
            match ask(&config, question).await {
                Ok((is_of_internet, relays)) => {
                    measure(config, is_of_internet, relays, PATIENCE).await
                }
                Err(error) => {
                    tracing::debug!(%error, "The fleet's relays are not known");
                    Vec::new()
                }
            }
        });
    }

    /// Waits for what has become of it, for ever while nothing is looked at. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Vec<Measured> {
        loop {
            match self.running.join_next().await {
                Some(Ok(measured)) => return measured,
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// The relays of the fleet, as this one knows them, and whether it is one of the internet.
async fn ask(
    config: &RelayConfig,
    question: Hello,
) -> Result<(bool, Vec<FleetRelay>), ConnectError> {
    let addresses = resolve(&config.address).await?;
    let targets = Targets::usual(config, &addresses).await;
    let reached = race(config, &targets, PathFloor::Ordinary).await?;
    match find(reached.connection(), question, config).await? {
        Finding::Found(found) => Ok((reached.is_of_internet(), found.relays)),
        Finding::Sent(_) | Finding::Old => Ok((true, Vec::new())),
    }
}

/// The same where a party waits for it.
pub(crate) async fn measure_soon(
    config: RelayConfig,
    is_of_internet: bool,
    relays: Vec<FleetRelay>,
) -> Vec<Measured> {
    measure(config, is_of_internet, relays, OTHERS).await
}

/// Shakes hands with each, side by side, but for those of our own network that a relay of the internet names. Once one has
/// answered, the others have so long.
async fn measure(
    config: RelayConfig,
    is_of_internet: bool,
    relays: Vec<FleetRelay>,
    others: Duration,
) -> Vec<Measured> {
    let mut measured: Vec<_> = relays
        .into_iter()
        .take(MOST)
        .map(|relay| Measured { relay, rtt: None })
        .collect();
    let mut running = JoinSet::new();
    for (number, Measured { relay, .. }) in measured.iter().enumerate() {
        let (config, relay) = (config.clone(), relay.clone());
        running.spawn(async move {
            let rtt = timeout(PATIENCE, shake_hands(&config, is_of_internet, &relay)).await;
            (number, rtt.ok().flatten())
        });
    }
    let mut until = Instant::now() + PATIENCE;
    let mut has_any = false;
    while let Ok(Some(next)) = timeout_at(until.into(), running.join_next()).await {
        let Ok((number, rtt)) = next else { continue };
        measured[number].rtt = rtt;
        if rtt.is_some() && !std::mem::replace(&mut has_any, true) {
            until = until.min(Instant::now() + others);
        }
    }
    measured
}

async fn shake_hands(
    config: &RelayConfig,
    is_of_internet: bool,
    relay: &FleetRelay,
) -> Option<Duration> {
    let address: RelayAddress = relay.address.parse().ok()?;
    let place = Place::other(config, address, relay.pin, None).ok()?;
    let mut place = place.by(0, is_of_internet);
    let mut config = place.config(config);
    if let Some(door) = &mut config.door {
        door.port = None;
    }
    place.known = resolve(&config.address).await.ok()?;
    let addresses = place.addresses();
    if addresses.is_empty() {
        return None;
    }
    let targets = Targets::usual(&config, &addresses).await;
    let reached = race(&config, &targets, PathFloor::Ordinary).await.ok()?;
    reached.rtt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(address: &str, rtt: Option<u64>) -> Measured {
        Measured {
            relay: FleetRelay {
                address: address.to_owned(),
                pin: None,
                region: None,
            },
            rtt: rtt.map(Duration::from_millis),
        }
    }

    #[tokio::test]
    async fn a_relay_of_the_internet_names_nobody_in_our_own_network() {
        let relay = |address: &str| FleetRelay {
            address: address.to_owned(),
            pin: Some(lanparty_ctrl::Pin::from_sha256([7; 32])),
            region: None,
        };
        let listens = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        listens
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let at = listens.local_addr().unwrap().to_string();
        let config = crate::relays::tests::config(&[]);
        let measured = measure_soon(config, true, vec![relay(&at)]).await;
        assert_eq!(measured[0].rtt, None);
        assert!(
            listens.recv(&mut [0; 2000]).is_err(),
            "nothing was sent there"
        );
    }

    #[test]
    fn what_does_not_answer_is_not_near_and_what_the_host_wants_is_nearest() {
        let mut nearby = Nearby::default();
        assert!(nearby.is_unknown() && nearby.near(None).is_empty());
        nearby.note(
            Instant::now(),
            vec![
                measured("a.example:443", Some(0)),
                measured("b.example:443", None),
                measured("c.example:443", Some(100_000)),
            ],
        );
        let rtts = |preferred: Option<&str>| -> Vec<_> {
            let preferred = preferred.map(|text| text.parse().unwrap());
            let near = nearby.near(preferred.as_ref()).into_iter();
            near.map(|near| (near.address, near.rtt_ms)).collect()
        };
        let (a, c) = ("a.example:443".to_owned(), "c.example:443".to_owned());
        assert_eq!(rtts(None), [(a.clone(), 1), (c.clone(), u16::MAX)]);
        let here = || (a.clone(), 1);
        assert_eq!(rtts(Some("C.example")), [here(), (c.clone(), 0)]);
        // The fleet knows better who is there.
        let b = "b.example:443".to_owned();
        assert_eq!(rtts(Some("b.example")), [here(), (b, 0), (c, u16::MAX)]);
    }
}
