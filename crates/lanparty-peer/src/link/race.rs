//! The ways to a relay, tried one after the other and side by side.

use super::ConnectError;
use super::carriage::{Means, Starts};
use crate::relay_args::RelayConfig;
use lanparty_carrier::{Dial, DialError, Proxy, dial};
use lanparty_edge::source_address::is_public;
use lanparty_quic::{Connection, Endpoint, HandshakeError, PathFloor};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long all attempts together may take to reach the relay.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long an attempt has before the next one starts beside it.
const STAGGER: Duration = Duration::from_millis(400);
/// How long an attempt goes on of which nothing leaves this machine; QUIC has sent its second packet by then.
const UNSENT_PATIENCE: Duration = Duration::from_millis(1500);
/// How long the name of a proxy may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(1);

/// A proxy, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct NearProxy {
    proxy: Proxy,
    addresses: Vec<SocketAddr>,
}

/// Where a relay is looked for, and over what.
#[derive(Debug, Clone)]
pub(crate) struct Targets {
    /// The relay's own addresses, then the invite's further ones.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) proxy: Option<NearProxy>,
    pub(crate) starts: Starts,
}

impl Targets {
    /// These addresses, in the usual order, and the proxy if there is one in front of them.
    pub(crate) async fn usual(config: &RelayConfig, addresses: &[SocketAddr]) -> Self {
        Targets {
            addresses: addresses.to_vec(),
            proxy: near_proxy(config).await,
            starts: Starts::USUAL,
        }
    }

    /// All addresses to which packets go.
    pub(crate) fn all_addresses(&self) -> Vec<SocketAddr> {
        let proxies = self.proxy.iter().flat_map(|proxy| &proxy.addresses);
        self.addresses.iter().chain(proxies).copied().collect()
    }

    /// Another address at which packets from here look the same as at this one, but for a NAT that makes a difference.
    pub(super) fn like(&self, one: SocketAddr) -> Option<SocketAddr> {
        let kind = |address: SocketAddr| {
            let ip = address.ip().to_canonical();
            (ip.is_ipv4(), ip.is_loopback(), is_public(ip))
        };
        let other = |address: &&SocketAddr| {
            address.ip().to_canonical() != one.ip().to_canonical() && kind(**address) == kind(one)
        };
        self.addresses.iter().find(other).copied()
    }

    /// What is tried, and how long after the beginning.
    fn attempts(&self, config: &RelayConfig) -> Vec<(Duration, Road)> {
        // Where there is nothing else, nothing is waited for.
        let starts = match self.addresses.is_empty() {
            true => Starts {
                proxy: self.starts.proxy.map(|_| Duration::ZERO),
                ..self.starts
            },
            false => self.starts,
        };
        let own = |means| self.addresses.iter().map(move |&to| Road::Own(means, to));
        let proxied = self.proxy.iter().flat_map(|near| near.roads(config));
        let mut attempts = Vec::new();
        add(&mut attempts, starts.udp, own(Means::Udp));
        if config.tcp.is_wanted {
            add(&mut attempts, starts.tcp, own(Means::Tcp));
            add(&mut attempts, starts.proxy, proxied);
        }
        attempts
    }
}

fn add(
    attempts: &mut Vec<(Duration, Road)>,
    start: Option<Duration>,
    roads: impl Iterator<Item = Road>,
) {
    let Some(start) = start else { return };
    let starts = (0u32..).map(|turn| start + STAGGER * turn);
    attempts.extend(
        starts
            .zip(roads)
            .filter(|(start, _)| *start < CONNECT_DEADLINE),
    );
}

impl NearProxy {
    /// The relay's name, and the invite's further addresses, by each of its own.
    fn roads(&self, config: &RelayConfig) -> Vec<Road> {
        let named = (config.address.host().to_owned(), config.address.port());
        let also = config.also.iter();
        let also = also.map(|also| (also.ip().to_string(), also.port()));
        let relays = std::iter::once(named).chain(also);
        let road = |(host, port): (String, u16), &at: &SocketAddr| Road::Proxy {
            proxy: self.proxy.clone(),
            at,
            host,
            port,
        };
        relays
            .flat_map(|relay| self.addresses.iter().map(move |at| road(relay.clone(), at)))
            .collect()
    }
}

/// The proxy in front of a relay, if there is one and TCP is wanted.
pub(crate) async fn near_proxy(config: &RelayConfig) -> Option<NearProxy> {
    if !config.tcp.is_wanted || config.inside.is_some() {
        return None;
    }
    let (host, port) = (config.address.host(), config.address.port());
    let proxy = config.tcp.proxies.towards(host, port)?;
    let resolving = tokio::net::lookup_host((proxy.host(), proxy.port()));
    let resolved = timeout(RESOLVE, resolving).await.ok()?;
    let addresses = resolved.ok()?.collect();
    Some(NearProxy { proxy, addresses })
}

/// One way to a relay.
#[derive(Debug, Clone)]
enum Road {
    /// To this address of it.
    Own(Means, SocketAddr),
    /// By way of a proxy.
    Proxy {
        proxy: Proxy,
        at: SocketAddr,
        host: String,
        port: u16,
    },
}

impl Road {
    /// Where its packets go.
    fn address(&self) -> SocketAddr {
        match self {
            Road::Own(_, address) | Road::Proxy { at: address, .. } => *address,
        }
    }

    fn means(&self) -> Means {
        match self {
            Road::Own(means, _) => *means,
            Road::Proxy { .. } => Means::Proxy,
        }
    }

    /// How its TCP is dialled, if it has any.
    fn dial(&self, config: &RelayConfig) -> Option<Dial> {
        let address = self.address();
        let (host, port, proxy) = match self {
            Road::Own(Means::Udp, _) => return None,
            Road::Own(..) => (address.ip().to_string(), address.port(), None),
            Road::Proxy {
                proxy, host, port, ..
            } => (host.clone(), *port, Some(proxy.clone())),
        };
        Some(Dial {
            address,
            host,
            port,
            server_name: config.server_name.clone(),
            proxy,
        })
    }
}

/// A relay whose handshake is complete.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(super) endpoint: Endpoint,
    pub(super) connection: Connection,
    /// Where the packets go: to the relay, or to the proxy.
    pub(super) address: SocketAddr,
    pub(crate) means: Means,
}

impl Reached {
    pub(super) fn into_parts(self) -> (Option<Endpoint>, Connection, SocketAddr, Means) {
        (
            Some(self.endpoint),
            self.connection,
            self.address,
            self.means,
        )
    }

    /// The connection to it.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The address where its packets go.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// True for a relay of the internet, and for one behind a proxy, where nobody knows.
    pub(crate) fn is_of_internet(&self) -> bool {
        self.means == Means::Proxy || is_public(self.address.ip())
    }

    /// The round trip to the relay.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.connection.rtt()
    }
}

/// Tries all ways, each when it is its turn (RFC 8305); the first that completes its QUIC handshake wins, as no other has proved
/// so much by then: it leads to this relay, and packets of an ordinary size come back.
///
/// At the invite's further addresses anybody may be: a private one is another machine in each home. All that whoever is
/// there gets to see is a handshake's first packet, over TCP in a request that a web server refuses, and what is wrong with him is
/// said only where nothing is known of the relay itself.
pub(crate) async fn race(
    config: &RelayConfig,
    targets: &Targets,
    floor: PathFloor,
) -> Result<Reached, ConnectError> {
    let mut running = JoinSet::new();
    for (start, road) in targets.attempts(config) {
        let config = config.clone();
        running.spawn(async move {
            tokio::time::sleep(start).await;
            let patience = CONNECT_DEADLINE.saturating_sub(start);
            let attempt = attempt(&config, &road, floor, patience).await;
            (road, attempt)
        });
    }
    let (mut closest, mut elsewhere) = (None, None);
    while let Some(attempt) = running.join_next().await {
        let (road, attempt) =
            attempt.expect("an attempt neither panics nor is cancelled while we wait");
        match attempt {
            Ok(won) => return Ok(won),
            // A certificate is as wrong on the next attempt: do not make the player wait.
            Err(error) if !error.may_pass() && config.also.is_empty() => return Err(error),
            Err(error) if is_elsewhere(config, &targets.addresses, &road) => {
                elsewhere = Some(closer(elsewhere, error));
            }
            Err(error) => closest = Some(closer(closest, error)),
        }
    }
    let strangers = elsewhere.filter(ConnectError::may_pass);
    Err(closest
        .or(strangers)
        .unwrap_or(HandshakeError::NoAnswer.into()))
}

async fn attempt(
    config: &RelayConfig,
    road: &Road,
    floor: PathFloor,
    patience: Duration,
) -> Result<Reached, ConnectError> {
    let port = config.door.as_ref().and_then(|door| door.port);
    let port = port.filter(|_| !road.means().is_tcp());
    let endpoint = Endpoint::client_on(port.unwrap_or(0), floor, config.congestion);
    let endpoint = endpoint.map_err(ConnectError::Socket)?;
    let endpoint = endpoint.in_company(config.company());
    // Who has another relay to go to leaves a silent one soon, and is to be missed there as soon.
    let endpoint = match config.others.is_empty() {
        true => endpoint,
        false => endpoint.brisk(),
    };
    let (address, means) = (road.address(), road.means());
    let connecting = async {
        // QUIC knows a stream by an address that is made up.
        let remote = match road.dial(config) {
            Some(how) => endpoint.carry(dial(&how).await?, address),
            None => address,
        };
        let (name, identity) = (&config.server_name, config.identity.as_ref());
        let connecting = endpoint.connect(remote, name, &config.trust, identity, floor);
        Ok::<_, ConnectError>(connecting.await?)
    };
    let connection = tokio::select! {
        connected = connecting => connected?,
        never = give_up(&endpoint, road, patience) => return Err(never),
    };
    tracing::debug!(%address, ?means, ?floor, "The handshake is complete");
    Ok(Reached {
        endpoint,
        connection,
        address,
        means,
    })
}

/// True for an address that the invite has beside the relay's own.
fn is_elsewhere(config: &RelayConfig, addresses: &[SocketAddr], road: &Road) -> bool {
    let Road::Own(_, address) = road else {
        return false;
    };
    let first = addresses.len().saturating_sub(config.also.len());
    config.also.contains(address) && !addresses[..first].contains(address)
}

/// Waits until an attempt has had its time, and says why it came to nothing.
async fn give_up(endpoint: &Endpoint, road: &Road, patience: Duration) -> ConnectError {
    if road.means().is_tcp() {
        tokio::time::sleep(patience).await;
        let too_late = io::ErrorKind::TimedOut.into();
        return match road {
            Road::Own(..) => DialError::Unreached(too_late).into(),
            Road::Proxy { proxy, .. } => {
                DialError::ProxyUnreached(proxy.to_string(), too_late).into()
            }
        };
    }
    tokio::time::sleep(patience.min(UNSENT_PATIENCE)).await;
    if let Some(unsent) = endpoint.unsent() {
        return HandshakeError::from(unsent).into();
    }
    tokio::time::sleep(patience.saturating_sub(UNSENT_PATIENCE)).await;
    let unsent = endpoint.unsent();
    unsent.map_or(HandshakeError::NoAnswer, Into::into).into()
}

/// Of two failures the one that came closer to the relay; the first of equals.
fn closer(first: Option<ConnectError>, second: ConnectError) -> ConnectError {
    let reach = |error: &ConnectError| match error {
        // What UDP says of the same silence says more.
        ConnectError::Carrier(error) if !error.is_answer() => 0,
        ConnectError::Handshake(HandshakeError::Unsent(_)) | ConnectError::Socket(_) => 1,
        ConnectError::Handshake(HandshakeError::NoAnswer) => 2,
        ConnectError::Carrier(_) => 3,
        _ => 4,
    };
    match first {
        Some(first) if reach(&first) >= reach(&second) => first,
        _ => second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_quic::Unsent;

    #[test]
    fn another_address_is_of_use_where_only_a_nat_tells_it_apart() {
        let like = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|text| text.parse().unwrap());
            let targets = Targets {
                addresses: addresses.collect(),
                proxy: None,
                starts: Starts::USUAL,
            };
            let like = targets.like(targets.addresses[0]);
            like.map(|address| address.to_string())
        };
        // The same address, another family, the relay's own network.
        let of_no_use = [
            "203.0.113.1:443",
            "203.0.113.1:444",
            "[::ffff:203.0.113.1]:443",
            "[2600::1]:443",
            "192.168.1.9:443",
        ];
        assert_eq!(like(&of_no_use), None);
        assert_eq!(
            like(&["203.0.113.1:443", "[2600::1]:443", "203.0.113.2:443"]).as_deref(),
            Some("203.0.113.2:443")
        );
        assert_eq!(
            like(&["10.9.1.1:443", "203.0.113.2:443", "10.9.1.2:443"]).as_deref(),
            Some("10.9.1.2:443")
        );
    }

    #[test]
    fn of_several_addresses_the_failure_that_came_closest_is_told() {
        let unsent = || ConnectError::from(HandshakeError::from(Unsent::NoNetwork));
        let silent = || ConnectError::from(HandshakeError::NoAnswer);
        let strange = || ConnectError::from(HandshakeError::NotARelay);
        let refused = || DialError::Unreached(io::ErrorKind::ConnectionRefused.into()).into();
        let web_server = || ConnectError::from(DialError::NotARelay(404));
        let told = |first: ConnectError, second| closer(Some(first), second).to_string();
        assert_eq!(told(unsent(), silent()), silent().to_string());
        assert_eq!(told(silent(), unsent()), silent().to_string());
        assert_eq!(told(silent(), strange()), strange().to_string());
        assert_eq!(closer(None, unsent()).to_string(), unsent().to_string());
        assert_eq!(told(refused(), unsent()), unsent().to_string());
        assert_eq!(told(silent(), refused()), silent().to_string());
        assert_eq!(told(silent(), web_server()), web_server().to_string());
        assert_eq!(told(strange(), web_server()), strange().to_string());
    }
}
