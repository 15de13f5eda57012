//! The operator's socket, and the settings that can change while the relay runs.

use super::{Rooms, send_out};
use crate::ctl::wire::{Answer, Peer, PeerNumbers, Request, RoomRow};
use lanparty_edge::ctl;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tracing::{info, warn};

/// What somebody reads whom the operator has kicked.
const EXPELLED: &str = "the relay's operator has sent you out of the room";

/// Without it everything works, but nobody steers the relay.
pub(super) fn listen(
    file: &Path,
    bind: fn(&Path) -> io::Result<UnixListener>,
) -> Option<UnixListener> {
    let listener = bind(file);
    if let Err(error) = &listener {
        warn!(%error, file = %file.display(), "`lanparty-relay ctl` will not find this relay");
    }
    listener.ok()
}

/// Hears the operator for as long as the relay runs.
pub(super) async fn serve(listener: UnixListener, rooms: Arc<Rooms>) -> io::Result<()> {
    ctl::serve(listener, |request| {
        std::future::ready(Some(answer(&rooms, request)))
    })
    .await
}

fn answer(rooms: &Rooms, request: Request) -> Answer {
    let mut registry = rooms.lock();
    match request {
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
        Request::Drain => {
            registry.drain_gently();
            info!("Draining: nobody new comes in, and the relay ends with the last who is in");
            let peers = registry.peers().count();
            Answer::Done(format!(
                "Nobody new comes in; the relay ends when the last of {peers} peers has left."
            ))
        }
    }
}
