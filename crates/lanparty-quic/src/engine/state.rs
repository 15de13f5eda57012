//! Everything under the socket's lock.

use super::guests::Guests;
use super::link::{Fate, Link};
use super::links::Links;
use super::no_socket;
use super::punches::Punches;
use super::strangers::Strangers;
use super::wire::Wire;
use crate::reset::OwnIds;
use bytes::Bytes;
use lanparty_flow::queue::Waited;
use lanparty_obs::link::{QueueStats, UdpStats};
use noq_proto::{self as proto, ConnectionError, ConnectionHandle, EndpointEvent, Event, VarInt};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};

/// Deadlines that are nearer than this are looked at in each turn. A link's is put off by up to 25 ms with each
/// packet, so that it is looked at in few of its turns.
const SOON: Duration = Duration::from_millis(15);

/// The connections of a socket, and what is to be done for them.
pub(super) struct State {
    pub(super) endpoint: proto::Endpoint,
    pub(super) ids: OwnIds,
    pub(super) links: Links,
    // Links that may have something to send or to say.
    pub(super) touched: Vec<ConnectionHandle>,
    pub(super) deadlines: BTreeSet<(Instant, usize)>,
    pub(super) strangers: Arc<Strangers>,
    /// The only ones who may come, where not everybody may.
    pub(super) guests: Option<Guests>,
    /// Who wants to hear from where NATs are opened.
    pub(super) punches: Punches,
    pub(super) waiting_for_idle: Vec<Waker>,
    // There while whoever moves packets sleeps.
    pub(super) driver: Option<Waker>,
    /// Somebody holds a [`Drive`](super::Drive).
    pub(super) is_by_hand: bool,
    /// Who moves packets while nobody does.
    pub(super) background: Option<Waker>,
    /// Links with datagrams for whoever wants to be called for them.
    pub(super) readable: Vec<ConnectionHandle>,
    pub(super) closing: Option<(VarInt, Bytes)>,
    pub(super) is_abandoned: bool,
    /// Somebody else reads the socket.
    pub(super) is_deaf: bool,
    /// What the socket has moved.
    pub(super) udp: UdpStats,
    /// What streams have.
    pub(super) carried: CarriedStats,
    /// What had become of the frames of links that are gone.
    gone: Totals,
}

/// What has become of the frames of a socket's links, those that are gone among them.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// What the queues have thrown away; nothing is said of what waits.
    pub queue: QueueStats,
    /// How long the others have waited.
    pub waited: Waited,
    /// What the socket has moved.
    pub udp: UdpStats,
    /// What streams have moved.
    pub carried: CarriedStats,
}

/// What went over streams of packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CarriedStats {
    /// How many streams there are now.
    pub streams: usize,
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
}

impl Totals {
    /// Those of several sockets.
    pub(crate) fn of_all(all: impl Iterator<Item = Totals>) -> Totals {
        all.fold(Totals::default(), |mut sum, one| {
            sum.queue.add(&one.queue);
            sum.waited.add(&one.waited);
            sum.udp.add(&one.udp);
            sum.carried.streams += one.carried.streams;
            sum.carried.sent += one.carried.sent;
            sum.carried.received += one.carried.received;
            sum
        })
    }

    fn add(&mut self, link: &Link) {
        let (queue, waited) = link.queue_stats();
        self.queue.add(&queue);
        self.waited.add(waited);
    }
}

impl State {
    pub(super) fn new(endpoint: proto::Endpoint, ids: OwnIds) -> Self {
        State {
            endpoint,
            ids,
            links: Links::default(),
            touched: Vec::new(),
            deadlines: BTreeSet::new(),
            strangers: Arc::default(),
            guests: None,
            punches: Punches::default(),
            waiting_for_idle: Vec::new(),
            driver: None,
            is_by_hand: false,
            background: None,
            readable: Vec::new(),
            closing: None,
            is_abandoned: false,
            is_deaf: false,
            udp: UdpStats::default(),
            carried: CarriedStats::default(),
            gone: Totals::default(),
        }
    }

    /// Since the socket is there.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = self.gone.clone();
        self.links.values().for_each(|link| totals.add(link));
        Totals {
            udp: self.udp,
            carried: self.carried,
            ..totals
        }
    }

    pub(super) fn link(&mut self, handle: ConnectionHandle) -> Option<&mut Link> {
        self.links.get_mut(handle)
    }

    /// Notes that a link may have something to send.
    pub(super) fn touch(&mut self, handle: ConnectionHandle) {
        if let Some(link) = self.link(handle) {
            link.is_eager = true;
        }
        self.put_up(handle);
    }

    /// Notes that a link has to be looked at.
    pub(super) fn put_up(&mut self, handle: ConnectionHandle) {
        if let Some(link) = self.links.get_mut(handle)
            && !std::mem::replace(&mut link.is_touched, true)
        {
            self.touched.push(handle);
        }
    }

    /// Moves the links that have to be looked at to `order`: those with frames first, for somebody waits for them.
    pub(super) fn take_touched(&mut self, order: &mut Vec<ConnectionHandle>) {
        order.clear();
        for has_frames in [true, false] {
            let touched = self.touched.iter().copied();
            order.extend(touched.filter(|&handle| {
                let link = self.links.get(handle);
                link.is_some_and(Link::has_frames_to_send) == has_frames
            }));
        }
        self.touched.clear();
    }

    pub(super) fn wake_driver(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    /// A connection has begun, over a stream or over UDP.
    pub(super) fn add(
        &mut self,
        handle: ConnectionHandle,
        quic: proto::Connection,
        wire: Option<Arc<Wire>>,
    ) -> Arc<Fate> {
        let is_too_late = wire.as_ref().is_some_and(|wire| wire.has_ended());
        let mut link = Link::new(quic, wire);
        let fate = link.fate.clone();
        if let Some((code, text)) = &self.closing {
            link.quic.close(Instant::now(), *code, text.clone());
            link.end(ConnectionError::LocallyClosed);
        }
        self.links.insert(handle, link);
        if is_too_late {
            self.end_carried(handle);
            return fate;
        }
        self.touch(handle);
        self.wake_driver();
        fate
    }

    /// Every connection forgets its own address and asks the other side for a sign of life.
    pub(super) fn follow_network(&mut self, now: Instant) {
        for handle in self.links.handles() {
            match self.link(handle) {
                // Its stream stays where it is, or ends.
                Some(link) if link.is_carried() => link.quic.ping(),
                Some(link) => link.quic.handle_network_change(None, now),
                None => {}
            }
            self.touch(handle);
        }
    }

    pub(super) fn hear_touched(&mut self) {
        for turn in 0..self.touched.len() {
            let handle = self.touched[turn];
            self.hear(handle);
        }
    }

    /// Brings a link's news to whoever waits for them.
    pub(super) fn hear(&mut self, handle: ConnectionHandle) {
        let Some(link) = self.links.get_mut(handle) else {
            return;
        };
        let mut is_drained = false;
        while let Some(event) = link.quic.poll_endpoint_events() {
            link.is_eager = true;
            is_drained |= event.is_drained();
            if let Some(answer) = self.endpoint.handle_event(handle, event) {
                link.quic.handle_event(answer);
            }
        }
        while let Some(event) = link.quic.poll() {
            link.is_eager |= !matches!(event, Event::DatagramReceived);
            match event {
                Event::DatagramReceived => {
                    link.fate.has_unread.store(true, Ordering::Relaxed);
                    if link.handler.is_some() {
                        self.readable.push(handle);
                    } else if let Some(reader) = link.reader.take() {
                        reader.wake();
                    }
                }
                Event::Connected => link.connected(),
                Event::ConnectionLost { reason } => link.end(reason),
                Event::Stream(_) => link.waiters.drain(..).for_each(Waker::wake),
                Event::HandshakeDataReady
                | Event::HandshakeConfirmed
                | Event::DatagramsUnblocked
                | Event::Path(_)
                | Event::NatTraversal(_) => {}
            }
        }
        if is_drained {
            self.remove(handle);
        }
    }

    /// After a link has sent what it could: its news, and when it has to be looked at again.
    pub(super) fn settle(&mut self, now: Instant, handle: ConnectionHandle) {
        self.hear(handle);
        let Some(link) = self.links.get_mut(handle) else {
            return;
        };
        if self.ids.place().loops() > 1 {
            link.show_again(now);
        }
        // One that was put off is found out when the earlier one comes: most are, with every packet.
        if let Some(deadline) = link.poll_timeout()
            && link.deadline.is_none_or(|known| deadline < known)
        {
            if let Some(known) = link.deadline.replace(deadline) {
                self.deadlines.remove(&(known, handle.0));
            }
            self.deadlines.insert((deadline, handle.0));
        }
    }

    /// A link goes, without last words: nobody would hear them.
    pub(super) fn forget(&mut self, handle: ConnectionHandle) {
        self.endpoint.handle_event(handle, EndpointEvent::drained());
        self.remove(handle);
    }

    fn remove(&mut self, handle: ConnectionHandle) {
        let Some(mut link) = self.links.remove(handle) else {
            return;
        };
        if let Some(deadline) = link.deadline {
            self.deadlines.remove(&(deadline, handle.0));
        }
        link.end(ConnectionError::LocallyClosed);
        self.gone.add(&link);
        if self.links.is_empty() {
            self.waiting_for_idle.drain(..).for_each(Waker::wake);
        }
    }

    pub(super) fn handle_timeouts(&mut self, now: Instant) {
        while let Some(&(deadline, key)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            let handle = ConnectionHandle(key);
            let Some(link) = self.links.get_mut(handle) else {
                continue;
            };
            link.deadline = link.poll_timeout();
            match link.deadline {
                Some(later) if later > now => {
                    self.deadlines.insert((later, key));
                }
                due => {
                    link.deadline = None;
                    if due.is_some() {
                        link.handle_timeout(now);
                        self.touch(handle);
                    }
                }
            }
        }
    }

    /// Looks at what comes soon, whether it was put off: in a game it nearly always was, and nobody has to be woken
    /// to find that out.
    pub(super) fn look_ahead(&mut self, now: Instant) {
        while let Some(&(deadline, key)) = self.deadlines.first()
            && deadline < now + SOON
            && let Some(link) = self.links.get_mut(ConnectionHandle(key))
        {
            let known_now = link.poll_timeout();
            if known_now.is_some_and(|known_now| known_now <= deadline) {
                break;
            }
            self.deadlines.pop_first();
            link.deadline = known_now;
            self.deadlines.extend(known_now.map(|at| (at, key)));
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_abandoned && self.links.is_empty()
    }

    /// The socket is gone, and everything with it.
    pub(super) fn break_all(&mut self) {
        for mut link in self.links.drain() {
            link.end(no_socket());
            self.gone.add(&link);
        }
        self.closing = Some((0u8.into(), Bytes::new()));
        self.strangers.close();
        self.waiting_for_idle.drain(..).for_each(Waker::wake);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // What is not decided upon would be taken for a leak.
        while let Some(stranger) = self.strangers.pop() {
            self.endpoint.ignore(stranger.packet);
        }
    }
}
