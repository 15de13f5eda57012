//! A connection as its users see it.

use super::inbox::{Inbox, Parcel};
use super::link::{Fate, Handler, Pieces, remember};
use super::state::State;
use super::wire::Wire;
use super::{Drive, Shared, no_socket};
use crate::congestion;
use bytes::Bytes;
use lanparty_ctrl::Fingerprint;
use lanparty_flow::queue::{Person, WaitWindow};
use lanparty_obs::link::QueueStats;
use lanparty_obs::{LinkStats, Packets};
use lanparty_proto::flow::Flow;
use noq_proto::{
    self as proto, ConnectionError, ConnectionHandle, Dir, FourTuple, PathId, SendDatagramError,
    StreamId, VarInt,
};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// A connection. Clones share it; with the last of them it is closed.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<ConnectionRef>);

#[derive(Debug)]
struct ConnectionRef {
    shared: Arc<Shared>,
    handle: ConnectionHandle,
    // Set once the connection is over; the handle may then belong to another one.
    fate: Arc<Fate>,
}

impl Drop for ConnectionRef {
    fn drop(&mut self) {
        if self.fate.end.get().is_some() {
            return;
        }
        let mut state = self.shared.lock();
        if let Some(link) = state.link(self.handle) {
            link.quic.close(Instant::now(), 0u8.into(), Bytes::new());
            link.end(ConnectionError::LocallyClosed);
            state.touch(self.handle);
            state.wake_driver();
        }
    }
}

impl Connection {
    pub(super) fn new(
        shared: &Arc<Shared>,
        state: &mut State,
        handle: ConnectionHandle,
        quic: proto::Connection,
        wire: Option<Arc<Wire>>,
    ) -> Self {
        let fate = state.add(handle, quic, wire);
        Connection(Arc::new(ConnectionRef {
            shared: shared.clone(),
            handle,
            fate,
        }))
    }

    /// Whether both are on one socket.
    pub(crate) fn is_beside(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.0.shared, &other.0.shared)
    }

    /// Whether datagrams, or the end, wait to be read. Waits for nobody.
    pub(crate) fn has_unread(&self) -> bool {
        self.0.fate.has_unread.load(Ordering::Relaxed)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    #[cfg(test)]
    pub(super) fn handle(&self) -> ConnectionHandle {
        self.0.handle
    }

    /// Whether a stream carries it.
    pub(crate) fn is_carried(&self) -> bool {
        self.carried_peer().is_some()
    }

    /// Who is at the other end of that stream.
    pub(crate) fn carried_peer(&self) -> Option<SocketAddr> {
        self.0.fate.carried
    }

    fn fate(&self) -> Option<ConnectionError> {
        self.0.fate.end.get().cloned()
    }

    /// Looks at the connection, or says why there is none.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&mut proto::Connection) -> T,
    ) -> Result<T, ConnectionError> {
        let mut state = self.0.shared.lock();
        match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => Ok(look(&mut link.quic)),
            (Some(error), _) => Err(error),
            (None, None) => Err(no_socket()),
        }
    }

    /// Does something after which there may be something to send.
    pub(crate) fn act<T>(
        &self,
        act: impl FnOnce(&mut proto::Connection) -> T,
    ) -> Result<T, ConnectionError> {
        let mut state = self.0.shared.lock();
        let done = match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => act(&mut link.quic),
            (Some(error), _) => return Err(error),
            (None, None) => return Err(no_socket()),
        };
        state.touch(self.0.handle);
        state.wake_driver();
        Ok(done)
    }

    /// Tries, and waits for news of the connection when it is not the time yet.
    pub(super) fn poll_with<T>(
        &self,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&mut proto::Connection) -> Poll<T>,
    ) -> Poll<Result<T, ConnectionError>> {
        let mut state = self.0.shared.lock();
        let link = match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => link,
            (fate, _) => return Poll::Ready(Err(fate.unwrap_or_else(no_socket))),
        };
        let outcome = attempt(&mut link.quic);
        if outcome.is_pending() {
            remember(&mut link.waiters, cx.waker());
        }
        outcome.map(Ok)
    }

    /// Says that there may be something to send.
    pub(super) fn nudge(&self) {
        let mut state = self.0.shared.lock();
        if self.0.fate.end.get().is_none() {
            state.touch(self.0.handle);
            state.wake_driver();
        }
    }

    /// Takes the turns of this connection's endpoint from the task that has them.
    pub(crate) fn drive(&self) -> Drive {
        Drive::new(&self.0.shared)
    }

    /// What TLS exports for this connection.
    pub(crate) fn binding(&self) -> [u8; 32] {
        let binding = self.0.fate.binding.get();
        *binding.expect("only whoever has completed a handshake has a connection")
    }

    /// Whose key TLS has seen.
    pub(crate) fn identity(&self) -> Option<Fingerprint> {
        self.0.fate.identity.get().copied()
    }

    pub(super) async fn connected(&self) -> Result<(), ConnectionError> {
        poll_fn(|cx| {
            let mut state = self.0.shared.lock();
            match (self.fate(), state.link(self.0.handle)) {
                (None, Some(link)) if link.is_connected => Poll::Ready(Ok(())),
                (None, Some(link)) => {
                    remember(&mut link.waiters, cx.waker());
                    Poll::Pending
                }
                (fate, _) => Poll::Ready(Err(fate.unwrap_or_else(no_socket))),
            }
        })
        .await
    }

    /// Waits for datagrams and moves up to `room.len()` of them there, oldest first.
    pub(crate) async fn read_datagrams(
        &self,
        room: &mut [Bytes],
    ) -> Result<usize, ConnectionError> {
        poll_fn(|cx| {
            let mut state = self.0.shared.lock();
            let link = match (self.fate(), state.link(self.0.handle)) {
                (None, Some(link)) => link,
                (fate, _) => return Poll::Ready(Err(fate.unwrap_or_else(no_socket))),
            };
            match link.read(room) {
                0 => {
                    link.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
                count => Poll::Ready(Ok(count)),
            }
        })
        .await
    }

    /// Moves up to `room.len()` datagrams there that have come, oldest first.
    pub(crate) fn try_read_datagrams(&self, room: &mut [Bytes]) -> Result<usize, ConnectionError> {
        let mut state = self.0.shared.lock();
        match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => Ok(link.read(room)),
            (fate, _) => Err(fate.unwrap_or_else(no_socket)),
        }
    }

    /// From now on `handler` is called for what comes, in the turn in which it comes.
    pub(crate) fn hand_datagrams_to(&self, handler: Handler) {
        let mut state = self.0.shared.lock();
        if let (None, Some(link)) = (self.fate(), state.link(self.0.handle)) {
            link.handler = Some(handler);
            // Some may have come already.
            state.readable.push(self.0.handle);
            state.wake_driver();
        }
    }

    /// The largest datagram that fits now; seen from another loop, that fitted when it sent last.
    pub(crate) fn longest_datagram(&self) -> usize {
        if self.0.shared.away().is_some() {
            return self.0.fate.glance.longest.load(Ordering::Relaxed);
        }
        let longest = self.look(|quic| quic.datagrams().max_size());
        longest.ok().flatten().unwrap_or(0)
    }

    /// The smoothed round trip; never waits for another loop.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        if self.0.shared.away().is_none() {
            return self.look(|quic| quic.rtt(PathId::ZERO)).ok()?;
        }
        let rtt = self.0.fate.glance.rtt_us.load(Ordering::Relaxed);
        (self.fate().is_none() && rtt > 0).then(|| Duration::from_micros(rtt))
    }

    /// From where to where it goes at the moment; never waits for another loop.
    pub(crate) fn path(&self) -> Option<FourTuple> {
        if self.0.shared.away().is_none() {
            return self.look(|quic| quic.network_path(PathId::ZERO)).ok()?.ok();
        }
        let path = *self.0.fate.glance.path();
        path.filter(|_| self.fate().is_none())
    }

    /// What became of our packets; never waits for another loop.
    pub(crate) fn packets(&self) -> Option<Packets> {
        if self.0.shared.away().is_none() {
            let stats = self.look(|quic| quic.path_stats(PathId::ZERO)).ok()??;
            return Some(Packets {
                sent: stats.sent_packets,
                lost: stats.lost_packets,
            });
        }
        let glance = &self.0.fate.glance;
        self.fate().is_none().then(|| Packets {
            sent: glance.sent.load(Ordering::Relaxed),
            lost: glance.lost.load(Ordering::Relaxed),
        })
    }

    /// Puts a frame into the inbox of its loop.
    fn send_from_away(
        &self,
        inbox: &Inbox,
        now: Instant,
        (person, flow): (Person, Flow),
        pieces: Pieces,
    ) -> Result<(), ConnectionError> {
        if let Some(end) = self.fate() {
            return Err(end);
        }
        let is_taken = inbox.push(Parcel {
            handle: self.0.handle,
            number: self.0.fate.number,
            now,
            person,
            flow,
            pieces,
        });
        if !is_taken {
            let crowded_out = &self.0.fate.glance.crowded_out;
            crowded_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn place(&self) -> crate::steer::Place {
        self.0.shared.place
    }

    /// Where its tasks are at home.
    pub(crate) fn home(&self) -> &Handle {
        &self.0.shared.runtime
    }

    /// Queues a frame that came at `now`. When there is no room, some other one dies for it: see [`Self::queue_stats`].
    pub(crate) fn send_frame(
        &self,
        now: Instant,
        person: Person,
        flow: Flow,
        pieces: Pieces,
    ) -> Result<(), ConnectionError> {
        if let Some(inbox) = self.0.shared.away() {
            return self.send_from_away(inbox, now, (person, flow), pieces);
        }
        let len = pieces.iter().map(Bytes::len).sum();
        let mut state = self.0.shared.lock();
        match (self.fate(), state.link(self.0.handle)) {
            (None, Some(link)) => link.take(now, person, flow, pieces, len),
            (fate, _) => return Err(fate.unwrap_or_else(no_socket)),
        }
        state.put_up(self.0.handle);
        state.wake_driver();
        Ok(())
    }

    /// Sends a datagram before all that waits.
    pub(crate) fn send_datagram(&self, datagram: Bytes) -> Result<(), SendDatagramError> {
        self.act(|quic| quic.datagrams().send(datagram, false))
            .unwrap_or(Err(SendDatagramError::Disabled))
    }

    /// What waits in the queue, and what it has thrown away since the connection stands; when it does not any
    /// more, as that was at its end.
    pub(crate) fn queue_stats(&self) -> QueueStats {
        let mut state = self.0.shared.lock();
        match (self.0.fate.queue.get(), state.link(self.0.handle)) {
            (Some(&last), _) => last,
            (None, link) => link.map_or_else(QueueStats::default, |link| link.queue_stats().0),
        }
    }

    /// Frames that died in its queue since the connection stands; when it does not any more, until its end. Never waits for another
    /// loop.
    pub(crate) fn undelivered(&self) -> u64 {
        let fate = &self.0.fate;
        if let Some(last) = fate.queue.get() {
            return last.without_room() + last.late();
        }
        if self.0.shared.away().is_some() {
            let seen = |count: &AtomicU64| count.load(Ordering::Relaxed);
            return seen(&fate.glance.undelivered) + seen(&fate.glance.crowded_out);
        }
        let queue = self.queue_stats();
        queue.without_room() + queue.late()
    }

    /// How it is doing; `None` when it is over.
    pub(crate) fn stats(&self, window: &mut WaitWindow) -> Option<LinkStats> {
        let mut state = self.0.shared.lock();
        if self.0.fate.end.get().is_some() {
            return None;
        }
        let udp = self.0.shared.udp.stats(state.udp);
        let link = state.link(self.0.handle)?;
        let (queue, waited) = link.queue_stats();
        let waits = window.of_late(waited);
        Some(LinkStats {
            congestion: congestion::stats(&link.quic),
            queue: QueueStats { waits, ..queue },
            udp,
        })
    }

    /// Opens a stream, when the other side allows one more.
    pub(crate) async fn open(&self, dir: Dir) -> Result<StreamId, ConnectionError> {
        poll_fn(|cx| self.poll_with(cx, |quic| ready_if(quic.streams().open(dir)))).await
    }

    /// Waits for a stream of the other side's.
    pub(crate) async fn accept(&self, dir: Dir) -> Result<StreamId, ConnectionError> {
        let id =
            poll_fn(|cx| self.poll_with(cx, |quic| ready_if(quic.streams().accept(dir)))).await?;
        // The other side may open another one for it.
        self.nudge();
        Ok(id)
    }

    pub(crate) fn close(&self, code: VarInt, text: &'static [u8]) {
        // One that is over needs no end.
        let _ = self.act(|quic| quic.close(Instant::now(), code, Bytes::from_static(text)));
        let mut state = self.0.shared.lock();
        if self.0.fate.end.get().is_none()
            && let Some(link) = state.link(self.0.handle)
        {
            link.end(ConnectionError::LocallyClosed);
        }
    }

    /// Waits for the end.
    pub(crate) async fn closed(&self) -> ConnectionError {
        let never = |_: &mut proto::Connection| Poll::<ConnectionError>::Pending;
        let ended = poll_fn(|cx| self.poll_with(cx, never)).await;
        ended.unwrap_or_else(|error| error)
    }
}

fn ready_if<T>(value: Option<T>) -> Poll<T> {
    value.map_or(Poll::Pending, Poll::Ready)
}
