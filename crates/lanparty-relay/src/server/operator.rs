//! The operator's socket, and the settings that can change while the relay runs.

use super::contact::{Contact, Outgoing};
use super::{Rooms, metrics, send_out};
use crate::ctl::span::Span;
use crate::ctl::wire::{Answer, Peer, PeerNumbers, Request, RoomRow, Status};
use crate::registry::Registry;
use lanparty_ctrl::RelayMessage;
use lanparty_edge::ctl;
use lanparty_quic::Endpoint;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// What the operator reads of a relay without one.
const ALONE: &str = "this relay is in no fleet; docs/fleet.md says how it comes into one";
/// What somebody reads whom the operator has kicked.
const EXPELLED: &str = "the relay's operator has sent you out of the room";

/// Without it everything works, but nobody steers the relay.
pub(super) fn listen(
    file: &Path,
    bind: fn(&Path) -> io::Result<UnixListener>,
) -> Option<UnixListener> {
    let listener = bind(file);
    if let Err(error) = &listener {
        if error.kind() == io::ErrorKind::AddrInUse {
            let folder = file.parent().unwrap_or(file).display();
            warn!("{}", two_of_one_key(folder));
        }
        warn!(%error, file = %file.display(), "`lanparty-relay ctl` will not find this relay");
    }
    listener.ok()
}

/// A sentence for the operator of a second relay with the state folder of the first, and so with its key.
fn two_of_one_key(folder: impl std::fmt::Display) -> String {
    format!(
        "Another relay runs with the state folder {folder}, so both have one key, and strangers could end the links of one \
         through the other; give this one a folder of its own with --state, or end one of them"
    )
}

/// Where the operator's requests are answered.
pub(super) struct Desk {
    rooms: Arc<Rooms>,
    endpoint: Endpoint,
    since: Instant,
}

impl Desk {
    pub(super) fn new(rooms: Arc<Rooms>, endpoint: Endpoint) -> Self {
        Desk {
            rooms,
            endpoint,
            since: Instant::now(),
        }
    }

    /// Hears the operator for as long as the relay runs.
    pub(super) async fn serve(self, listener: UnixListener) -> io::Result<()> {
        ctl::serve(listener, |request| {
            std::future::ready(Some(self.answer(request)))
        })
        .await
    }

    fn status(&self) -> Status {
        let now = Instant::now();
        let (census, draining, region) = {
            let registry = self.rooms.lock();
            let region = registry.region().cloned();
            (registry.census(), registry.draining(), region)
        };
        let left = |until: Instant| until.saturating_duration_since(now).as_secs();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seconds: now.saturating_duration_since(self.since).as_secs(),
            rooms: census.keyed_rooms + census.open_rooms,
            players: census.players,
            gateways: census.gateways,
            waiting: census.waiting,
            region,
            fleet: self
                .rooms
                .fleet
                .get()
                .map(|fleet| fleet.figures().standing()),
            draining: draining.is_some(),
            ends_in: draining.and_then(|draining| draining.until).map(left),
        }
    }

    fn answer(&self, request: Request) -> Answer {
        let status = self.status();
        let mut registry = self.rooms.lock();
        match request {
            Request::Status => Answer::Status(status),
            Request::Fleet => {
                let players = registry.players();
                drop(registry);
                match self.rooms.fleet.get() {
                    Some(fleet) => Answer::Fleet(fleet.view(players)),
                    None => Answer::Refused(ALONE.to_owned()),
                }
            }
            Request::Totals => {
                drop(registry);
                let figures = metrics::copy(&self.rooms, &self.endpoint);
                Answer::Totals(Box::new(figures.totals(status)))
            }
            Request::Rooms => {
                let rooms = registry.summaries().into_iter();
                let rooms = rooms.map(|room| RoomRow {
                    number: room.number,
                    code: room.code,
                    keyed: room.is_keyed,
                    gateway: room.has_gateway,
                    players: room.clients,
                });
                Answer::Rooms(rooms.collect())
            }
            Request::Peers => {
                let rooms = registry.summaries();
                let now = Instant::now();
                let peers = registry.peers().filter_map(|(place, record)| {
                    let room = rooms.iter().find(|room| room.number == place.room)?;
                    let rtt = record.health.rtt.map(|rtt| rtt.as_micros());
                    Some(Peer {
                        seat: place,
                        code: room.code.clone(),
                        mac: record.who.mac(),
                        name: record.name.clone(),
                        identity: record.identity,
                        source: record.source,
                        seconds: now.saturating_duration_since(record.joined_at).as_secs(),
                        rtt_us: rtt.and_then(|us| u64::try_from(us).ok()),
                        frames: record.frames,
                        bytes: record.bytes,
                        dropped: record.drops.total(),
                    })
                });
                Answer::Peers(peers.collect())
            }
            Request::Stats => {
                let peers = registry.peers().map(|(place, record)| PeerNumbers {
                    peer: place.to_string(),
                    gateway: record.who.mac().is_none(),
                    relay_end: record.health.stats,
                    peer_end: record.stats.clone(),
                    drops: record.drops.clone(),
                });
                Answer::Stats(peers.collect())
            }
            Request::Kick(seat) => match registry.expel(seat) {
                Some(departure) => {
                    send_out(departure, EXPELLED);
                    Answer::Done(format!("Sent {seat} out."))
                }
                None => Answer::Refused(format!(
                    "there is no peer {seat}; `lanparty-relay ctl peers` shows who is there"
                )),
            },
            Request::Drain => self.drain(registry, None),
            Request::DrainWithin(seconds) => {
                self.drain(registry, Some(Duration::from_secs(seconds)))
            }
            Request::Undrain => match registry.draining() {
                None => Answer::Done("It was not draining: people come in as before.".to_owned()),
                Some(_) if registry.undrain() => {
                    tell_how_it_drains(&registry);
                    drop(registry);
                    if let Some(fleet) = self.rooms.fleet.get() {
                        fleet.undrain();
                    }
                    info!("Not draining any more: people come in as before");
                    Answer::Done("People come in again, and the relay stays.".to_owned())
                }
                Some(_) => Answer::Refused(
                    "it is too late for that: the relay ends; start it again".to_owned(),
                ),
            },
        }
    }
}

impl Desk {
    /// Empties the relay: in a fleet its rooms go to others at once.
    fn drain(
        &self,
        mut registry: MutexGuard<'_, Registry<Arc<Contact>>>,
        within: Option<Duration>,
    ) -> Answer {
        let answer = drain(&mut registry, within, self.rooms.fleet.get().is_some());
        drop(registry);
        if let Some(fleet) = self.rooms.fleet.get() {
            fleet.drain();
        }
        answer
    }
}

fn drain(registry: &mut Registry<Arc<Contact>>, within: Option<Duration>, moves: bool) -> Answer {
    let end = within.and_then(|within| Instant::now().checked_add(within));
    registry.drain_gently(end);
    // Whoever is moved at once need not hear of an end.
    if !moves {
        tell_how_it_drains(registry);
    }
    let players = registry.players();
    let until = match (players, within) {
        (0, _) => "the relay ends now, as no player is left".to_owned(),
        (_, None) => format!("the relay ends when the last of {players} players has left"),
        (_, Some(within)) => format!(
            "the relay ends when the last of {players} players has left, and in {} at the latest",
            Span(within)
        ),
    };
    info!(
        players,
        ?within,
        "Draining: nobody new comes in, and the relay ends with the last player"
    );
    let moves = if moves {
        " Its rooms go to the other relays of the fleet now."
    } else {
        ""
    };
    Answer::Done(format!(
        "Nobody new comes in; {until}.{moves} `lanparty-relay ctl undrain` takes it back."
    ))
}

fn tell_how_it_drains(registry: &Registry<Arc<Contact>>) {
    let (links, notice) = registry.drain_notices(Instant::now());
    for link in links {
        link.queue(Outgoing::Message(RelayMessage::Notice(notice.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_relay_with_the_folder_of_the_first_is_not_found_by_ctl_and_told_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("relay.ctl");
        let first = listen(&file, ctl::bind);
        assert!(first.is_some() && listen(&file, ctl::bind).is_none());
        assert_eq!(
            ctl::bind(&file).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        let said = two_of_one_key(folder.path().display());
        assert!(
            said.contains("one key") && said.contains("--state"),
            "{said}"
        );
    }
}
