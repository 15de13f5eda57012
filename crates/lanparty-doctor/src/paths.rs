//! What stands between this PC and others, asked of those who see it from outside: a relay says from where our packets come, at
//! each of its addresses and all to one socket; the router says whether it opens ports. Nothing is changed by it.

use crate::facts::{Paths, Ports, Sight, Tcp, TcpOutcome};
use lanparty_carrier::{Dial, DialError, Proxies, Proxy};
use lanparty_ctrl::message::Seen;
use lanparty_ctrl::{PeerMessage, RelayMessage};
use lanparty_quic::tls::{Identity, Trust};
use lanparty_quic::{CloseCode, Congestion, Endpoint, PathFloor, control};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a relay has to say how it sees us.
const LOOK: Duration = Duration::from_millis(1500);
/// How long this PC has to meet itself.
const HAIRPIN: Duration = Duration::from_millis(500);
/// How long one gets by TCP through proxies.
const TCP: Duration = Duration::from_millis(2000);
/// A relay may have many addresses.
const MAX_ADDRESSES: usize = 6;
/// What is spoken with oneself (RFC 7301).
const ALPN: &[u8] = b"lanparty-look/1";
/// Whose name does not matter, as anybody is asked.
const NAME: &str = "relay";

/// How the relays at these addresses see this PC.
pub(crate) fn look(relays: Vec<SocketAddr>) -> Paths {
    let outcome = with_runtime(async move {
        let endpoint = Endpoint::client(PathFloor::Ordinary, Congestion::default())?;
        let mut asked = JoinSet::new();
        for relay in relays.into_iter().take(MAX_ADDRESSES) {
            let endpoint = endpoint.clone();
            asked.spawn(async move { timeout(LOOK, look_at(&endpoint, relay)).await.ok()? });
        }
        let mut sights = Vec::new();
        while let Some(sight) = asked.join_next().await {
            sights.extend(sight.ok().flatten());
        }
        sights.sort_by_key(|sight| sight.relay);
        let hairpin = meet_oneself(&endpoint, &sights).await;
        Ok(Paths { sights, hairpin })
    });
    outcome.unwrap_or_default()
}

/// Where the relay at one of these addresses is, as its operator calls it.
pub(crate) fn region(relay: Vec<SocketAddr>) -> Option<String> {
    let outcome = with_runtime(async move {
        let endpoint = Endpoint::client(PathFloor::Ordinary, Congestion::default())?;
        let mut asked = JoinSet::new();
        for relay in relay.into_iter().take(MAX_ADDRESSES) {
            let endpoint = endpoint.clone();
            asked.spawn(async move { timeout(LOOK, ask(&endpoint, relay)).await.ok()? });
        }
        while let Some(seen) = asked.join_next().await {
            if let Ok(Some(seen)) = seen {
                let region = seen.and_then(|seen| seen.region);
                return Ok(region.map(|region| region.to_string()));
            }
        }
        Ok(None)
    });
    outcome.ok().flatten()
}

async fn look_at(endpoint: &Endpoint, relay: SocketAddr) -> Option<Sight> {
    let seen = ask(endpoint, relay).await?;
    let port = endpoint.local_address().ok()?.port();
    Some(Sight {
        relay,
        own: SocketAddr::new(own_address(relay).ok()?, port),
        seen: seen.map(|seen| seen.address),
    })
}

/// What a relay says that can be reached; an older one says nothing. Whoever listens there is asked: that somebody lies about our own
/// address would help nobody.
async fn ask(endpoint: &Endpoint, relay: SocketAddr) -> Option<Option<Seen>> {
    let connect = async |trust: &Trust| {
        let floor = PathFloor::Ordinary;
        endpoint.connect(relay, NAME, trust, None, floor).await
    };
    let (trust, shown) = Trust::asking();
    let _refused = connect(&trust).await;
    let connection = connect(&Trust::pinned(*shown.get()?)).await.ok()?;
    let ask = async {
        let (mut question, mut answer) = connection.open_bi().await.ok()?;
        let look = PeerMessage::Look;
        control::write_message(&mut question, &look).await.ok()?;
        match control::read_message(&mut answer).await.ok()? {
            RelayMessage::Seen(seen) => Some(seen),
            _ => None,
        }
    };
    let seen = ask.await;
    connection.close(CloseCode::Bye);
    Some(seen)
}

/// This PC's address on the way there; nothing is sent.
fn own_address(to: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}

/// Whether a second socket of ours finds the first where the relay sees it: as somebody behind the same router would find it.
/// Nothing where there is no NAT in between.
async fn meet_oneself(first: &Endpoint, sights: &[Sight]) -> Option<bool> {
    let translated = |sight: &&Sight| {
        let seen = sight.seen.filter(SocketAddr::is_ipv4);
        seen.is_some_and(|seen| seen.ip() != sight.own.ip())
    };
    let sight = sights.iter().find(translated)?;
    let outside = sight.seen?;
    let identity = Identity::self_signed(NAME, &Identity::new_key().ok()?).ok()?;
    first.serve(&identity, ALPN).ok()?;
    let second = Endpoint::client(PathFloor::Ordinary, Congestion::default()).ok()?;
    let seen = timeout(LOOK, look_at(&second, sight.relay)).await.ok()??;
    let until = Instant::now() + HAIRPIN;
    for from in [outside.ip(), sight.own.ip()] {
        first.expect(from, until, 4);
    }
    let _ = first.punch(seen.seen?, None);
    let answers = async {
        let mut met = Vec::new();
        while let Some(incoming) = first.accept().await {
            met.extend(incoming.accept(HAIRPIN).await.ok());
        }
    };
    let trust = Trust::pinned(identity.pin());
    tokio::select! {
        () = answers => None,
        met = timeout(HAIRPIN, second.call(outside, ALPN, &trust)) => Some(matches!(met, Ok(Ok(_)))),
    }
}

/// Whether a relay can be reached by TCP; `addresses` are those of `host`.
pub(crate) fn tcp(host: String, port: u16, addresses: Vec<IpAddr>) -> Tcp {
    let proxy = Proxies::default().towards(&host, port);
    let name = proxy.as_ref().map(ToString::to_string);
    let outcome = with_runtime(async move {
        let began = Instant::now();
        let to = match &proxy {
            Some(proxy) => addresses_of(proxy).await,
            None => {
                let addresses = addresses.into_iter();
                addresses.map(|ip| SocketAddr::new(ip, port)).collect()
            }
        };
        let dialled = timeout(TCP, dial(to, &host, port, proxy.as_ref())).await;
        Ok(match dialled {
            Ok(Ok(())) => TcpOutcome::Open(began.elapsed()),
            Ok(Err(error)) => error,
            Err(_) if proxy.is_some() => TcpOutcome::ProxySilent,
            Err(_) => TcpOutcome::Silent,
        })
    });
    Tcp {
        outcome: outcome.unwrap_or(TcpOutcome::Silent),
        proxy: name,
    }
}

async fn addresses_of(proxy: &Proxy) -> Vec<SocketAddr> {
    let found = tokio::net::lookup_host((proxy.host(), proxy.port())).await;
    found.map(Iterator::collect).unwrap_or_default()
}

/// Tries all beside each other; the first that leads to a relay counts, or else what tells most.
async fn dial(
    addresses: Vec<SocketAddr>,
    host: &str,
    port: u16,
    proxy: Option<&Proxy>,
) -> Result<(), TcpOutcome> {
    let mut tries = JoinSet::new();
    for address in addresses.into_iter().take(MAX_ADDRESSES) {
        let dial = Dial {
            address,
            host: host.to_owned(),
            port,
            server_name: host.to_owned(),
            proxy: proxy.cloned(),
        };
        tries.spawn(async move { lanparty_carrier::dial(&dial).await.map(drop) });
    }
    let mut worst = match proxy {
        Some(_) => TcpOutcome::ProxySilent,
        None => TcpOutcome::Silent,
    };
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => worst = said(&error, worst),
            Err(_) => {}
        }
    }
    Err(worst)
}

/// What an error says, where it says more than another one before.
fn said(error: &DialError, before: TcpOutcome) -> TcpOutcome {
    let now = match error {
        DialError::Unreached(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            TcpOutcome::Refused
        }
        DialError::Unreached(_) | DialError::Broken(_) => return before,
        DialError::NoTls(_) | DialError::NotARelay(_) => TcpOutcome::NotARelay,
        DialError::ProxyUnreached(..) | DialError::NotAProxy(_) => TcpOutcome::ProxySilent,
        DialError::ProxyWantsPassword(_) | DialError::ProxyPassword(_) => TcpOutcome::ProxyAsksWho,
        DialError::ProxyRefused { .. } => TcpOutcome::ProxyRefuses,
    };
    match (before, now) {
        (TcpOutcome::Silent | TcpOutcome::ProxySilent, _) | (_, TcpOutcome::NotARelay) => now,
        _ => before,
    }
}

/// Whether the router opens ports.
pub(crate) fn ports() -> Option<Ports> {
    let found = with_runtime(async { Ok(lanparty_portmap::find().await) });
    let found = found.ok().flatten()?;
    Some(Ports(found.iter().map(ToString::to_string).collect()))
}

/// On a runtime of its own: whoever looks is a thread without one.
fn with_runtime<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    let outcome = runtime.block_on(work);
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relay that answers so to whoever looks, on a thread that ends with the test.
    fn relay(answer: impl Fn(SocketAddr) -> Option<RelayMessage> + Send + 'static) -> SocketAddr {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            with_runtime(async move {
                let key = Identity::new_key().unwrap();
                let identity = Identity::self_signed(NAME, &key).unwrap();
                let any = "127.0.0.1:0".parse().unwrap();
                let endpoint = Endpoint::server(any, &identity, Congestion::default()).unwrap();
                tell.send(endpoint.local_address().unwrap()).unwrap();
                while let Some(incoming) = endpoint.accept().await {
                    let from = incoming.remote_address();
                    let Ok(connection) = incoming.accept(LOOK).await else {
                        continue;
                    };
                    let Ok((mut send, mut receive)) = connection.accept_bi().await else {
                        continue;
                    };
                    let _: PeerMessage = control::read_message(&mut receive).await.unwrap();
                    match answer(from) {
                        Some(answer) => {
                            let _ = control::write_message(&mut send, &answer).await;
                            connection.closed().await;
                        }
                        None => connection.close(CloseCode::ProtocolError),
                    }
                }
                Ok(())
            })
        });
        told.recv().unwrap()
    }

    #[test]
    fn a_relay_says_where_it_is_and_an_older_one_nothing() {
        let seen = |region: Option<&str>| {
            let region = region.map(Into::into);
            move |address| {
                let region = region.clone();
                Some(RelayMessage::Seen(Seen { address, region }))
            }
        };
        let named = relay(seen(Some("Paris\u{7}")));
        assert_eq!(region(vec![named]).as_deref(), Some("Paris "));
        assert_eq!(region(vec![relay(seen(None))]), None);
        let older = relay(|_| None);
        assert_eq!(region(vec![older]), None);
        let paths = look(vec![named, older]);
        let seen: Vec<_> = paths.sights.iter().map(|it| it.seen.is_some()).collect();
        assert_eq!(seen.iter().filter(|is| **is).count(), 1, "{paths:?}");
        assert_eq!(seen.len(), 2);
    }
}
