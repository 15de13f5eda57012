//! Snapshots, as server-sent events: each is written out once, however many look on.

use crate::public::Public;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use lanparty_gateway_control::{Line, Snapshot};
use serde::Serialize;
use std::convert::Infallible;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Whoever loses the stream asks again after so long, in milliseconds.
const AGAIN: &str = "retry: 1000\n";

/// The latest snapshot as an event.
pub(crate) type Events = watch::Receiver<Bytes>;

/// The event of a snapshot for the host.
pub(crate) fn for_host(snapshot: &Snapshot) -> Bytes {
    event(snapshot)
}

/// The event of a snapshot for everybody.
pub(crate) fn for_everybody(snapshot: &Snapshot) -> Bytes {
    event(&Public::of(snapshot))
}

fn event(shown: &impl Serialize) -> Bytes {
    // JSON has no line ends in it.
    let json = serde_json::to_string(shown).unwrap_or_else(|_| "{}".to_owned());
    format!("{AGAIN}data: {json}\n\n").into()
}

/// The site holds the events too; whoever else does is a browser.
const OWN: usize = 1;

/// Writes out snapshots until the gateway ends, and lets it know whether somebody looks on.
pub(crate) async fn write_out(
    line: Line,
    write: fn(&Snapshot) -> Bytes,
    events: watch::Sender<Bytes>,
) {
    let (mut snapshots, mut look) = (line.snapshots.clone(), None);
    while snapshots.changed().await.is_ok() {
        let looks_on = events.receiver_count() > OWN;
        look = looks_on.then(|| look.take().unwrap_or_else(|| line.look()));
        let snapshot = snapshots.borrow_and_update().clone();
        if events.send(write(&snapshot)).is_err() {
            break;
        }
    }
}

/// What one of those who look on gets: the latest event at once, and then each that it is quick enough for. It ends with the
/// gateway, and `place` is given back with it.
pub(crate) fn follow(
    events: Events,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut events = events;
    events.mark_changed();
    stream::unfold((events, place), |(mut events, place)| async move {
        events.changed().await.ok()?;
        let event = events.borrow_and_update().clone();
        Some((Ok(event), (events, place)))
    })
}
