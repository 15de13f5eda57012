//! A socket on the party's adapter that hears what this machine's firewall lets through, and who is to blame if it does not.

use crate::route::Route;
use lanparty_client_core::Session;
use lanparty_client_core::session::{DISCARD, Deafness, Ear as Place, neighbours};
use lanparty_doctor::Culprit;
use lanparty_obs::Opening;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Instant;
use tokio::task::JoinHandle;

/// The ear, and what is known of a firewall.
#[derive(Debug)]
pub(crate) struct Ear {
    adapter: String,
    index: u32,
    /// Whose voice is used, as long as it fits.
    neighbour: Option<(Ipv4Addr, Ipv4Addr)>,
    socket: Option<UdpSocket>,
    deafness: Deafness,
    search: Option<JoinHandle<Option<Culprit>>>,
    culprit: Option<Culprit>,
}

impl Ear {
    /// On this adapter. Without a socket nothing is watched, which costs the party nothing.
    pub(crate) fn on(adapter: &str, index: u32) -> Self {
        let socket = open(adapter);
        if let Err(error) = &socket {
            tracing::warn!(%error, "Firewalls on this machine are not watched");
        }
        Ear {
            adapter: adapter.to_owned(),
            index,
            neighbour: None,
            socket: socket.ok(),
            deafness: Deafness::default(),
            search: None,
            culprit: None,
        }
    }

    /// Looks each second: what was heard, and what is to be said. None of the addresses is one to be spoken to where the
    /// adapter is down.
    pub(crate) async fn look(&mut self, session: &mut Session, addresses: &[IpAddr]) {
        let Some(socket) = &self.socket else {
            return;
        };
        let mut datagram = [0; 64];
        while let Ok(len) = socket.recv(&mut datagram) {
            session.heard_at_ear(&datagram[..len]);
        }
        let address = addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        let port = socket.local_addr().map_or(0, |address| address.port());
        let (index, known) = (self.index, &mut self.neighbour);
        let neighbour = address.and_then(|own| neighbour(index, known, own));
        let place = address.zip(neighbour);
        let place = place.map(|(address, neighbour)| Place {
            address,
            port,
            neighbour,
        });
        if let Some(word) = session.listen_to_firewall(Instant::now(), place) {
            // What a firewall does not let out, the session does not see.
            let _ = socket.send_to(&word, (Ipv4Addr::BROADCAST, DISCARD));
        }
        self.note(session.deafness()).await;
    }

    /// Whoever is to blame is looked for beside the frames, each time something changes.
    async fn note(&mut self, deafness: Deafness) {
        if deafness != self.deafness {
            self.deafness = deafness;
            self.culprit = None;
            let (adapter, is_out) = (self.adapter.clone(), deafness.from_us);
            self.search = deafness.is_any().then(|| {
                tokio::task::spawn_blocking(move || lanparty_doctor::culprit(&adapter, is_out))
            });
        }
        if self.search.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(search) = self.search.take()
        {
            self.culprit = search.await.ok().flatten();
        }
    }

    /// Who can let the party through, where that is what hinders.
    pub(crate) fn opening(&self) -> Option<Opening> {
        let is_known = self.search.is_none() && self.deafness.is_any();
        let culprit = self.culprit.as_ref().filter(|_| is_known)?;
        Some(match culprit.opening? {
            lanparty_doctor::Opening::Here => Opening::Here,
            lanparty_doctor::Opening::ByAdmin => Opening::ByAdmin,
        })
    }

    /// What a person should know, as a sentence; nothing while all gets through.
    pub(crate) fn notice(&self) -> Option<String> {
        // One sentence, and the whole of it.
        if self.search.is_some() {
            return None;
        }
        let what = match self.deafness {
            Deafness { from_us: true, .. } => "keeps games here from being heard at the party",
            Deafness { to_us: true, .. } => {
                "drops what the party sends to this machine, so games find nobody"
            }
            Deafness { to_all: true, .. } => {
                "drops what the party says to everybody, so games find nobody"
            }
            _ => return None,
        };
        Some(match &self.culprit {
            Some(Culprit { name, cure, .. }) => {
                format!("The firewall of this machine ({name}) {what}: {cure}")
            }
            None => format!(
                "A firewall on this machine {what}: let {} through it, or ask `lanparty-client doctor`.",
                self.adapter
            ),
        })
    }
}

/// In whose name this address is spoken to: a host that was heard where home has the same network, or any other of the
/// network. To be no martian it is neither this machine nor reached by another way. Where nobody fits, nothing is watched.
fn neighbour(
    index: u32,
    known: &mut Option<(Ipv4Addr, Ipv4Addr)>,
    own: Ipv4Addr,
) -> Option<Ipv4Addr> {
    let fits = |neighbour: Ipv4Addr| {
        let route = Route::lookup(neighbour.into()).ok().flatten();
        route.is_some_and(|route| route.device == index && route.next_hop.is_none())
    };
    let is_still = |&(of, known): &(Ipv4Addr, Ipv4Addr)| of == own && fits(known);
    if let Some((_, known)) = known.filter(is_still) {
        return Some(known);
    }
    let routes = Route::list(own.into()).unwrap_or_default();
    let near = routes.iter().filter(|route| route.device == index);
    let mut near = near.flat_map(|route| candidates(own, route));
    let found = near.find(|&near| near != own && fits(near));
    *known = found.map(|found| (own, found));
    found
}

/// Whom a route of the adapter's may lead to.
fn candidates(own: Ipv4Addr, route: &Route) -> Vec<Ipv4Addr> {
    let IpAddr::V4(to) = route.destination else {
        return Vec::new();
    };
    let hosts = u32::MAX.checked_shr(route.prefix_len.into()).unwrap_or(0);
    let is_own = (to.to_bits() ^ own.to_bits()) & !hosts == 0;
    match route.prefix_len {
        32 if !to.is_broadcast() && !to.is_multicast() => vec![to],
        1..32 if is_own => neighbours(own, route.prefix_len).collect(),
        _ => Vec::new(),
    }
}

fn open(adapter: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Its word leaves by the party's adapter or not at all.
    socket.bind_device(Some(adapter.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_the_adapters_own_networks_and_hosts() {
        let own = Ipv4Addr::new(192, 168, 50, 9);
        let of = |to: [u8; 4], prefix| {
            candidates(own, &Route::on_link(Ipv4Addr::from(to).into(), prefix, 7))
        };
        assert_eq!(of([192, 168, 50, 8], 30), [Ipv4Addr::new(192, 168, 50, 10)]);
        assert_eq!(of([192, 168, 50, 8], 31), [Ipv4Addr::new(192, 168, 50, 8)]);
        // Where home has the same network: hosts that were heard.
        assert_eq!(of([192, 168, 50, 1], 32), [Ipv4Addr::new(192, 168, 50, 1)]);
        for (nobody, prefix) in [
            ([255; 4], 32),
            ([224, 0, 0, 0], 4),
            ([0; 4], 0),
            ([10, 0, 0, 0], 8),
        ] {
            assert!(of(nobody, prefix).is_empty());
        }
    }
}
