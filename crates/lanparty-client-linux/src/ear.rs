//! A socket on the party's adapter that hears what this machine's firewall lets through, and who is to blame if it does not.

use lanparty_client_core::Session;
use lanparty_client_core::session::{DISCARD, Deafness, Ear as Place};
use lanparty_doctor::Culprit;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Instant;
use tokio::task::JoinHandle;

/// The ear, and what is known of a firewall.
#[derive(Debug)]
pub(crate) struct Ear {
    adapter: String,
    socket: Option<UdpSocket>,
    deafness: Deafness,
    search: Option<JoinHandle<Option<Culprit>>>,
    culprit: Option<Culprit>,
}

impl Ear {
    /// On this adapter. Without a socket nothing is watched, which costs the party nothing.
    pub(crate) fn on(adapter: &str) -> Self {
        let socket = open(adapter);
        if let Err(error) = &socket {
            tracing::warn!(%error, "Firewalls on this machine are not watched");
        }
        Ear {
            adapter: adapter.to_owned(),
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
        let place = address.map(|address| Place { address, port });
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
            Some(Culprit { name, cure }) => {
                format!("The firewall of this machine ({name}) {what}: {cure}")
            }
            None => format!(
                "A firewall on this machine {what}: let {} through it, or ask `lanparty-client doctor`.",
                self.adapter
            ),
        })
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
