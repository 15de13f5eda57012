//! Frames on their way to one end.

use crate::engine::{Handler, Pieces, QUEUE_LIMIT, by_themselves};
use bytes::Bytes;
use lanparty_flow::queue::{FlowQueue, Person, Turn, Waited};
use lanparty_obs::DropReason;
use lanparty_obs::link::QueueStats;
use lanparty_proto::flow::Flow;
use std::collections::VecDeque;
use std::fmt;
use std::hash::RandomState;
use std::task::Waker;
use std::time::Instant;

/// Datagrams that may wait before all frames, in addition to the pieces of one frame.
const MOST_FIRST: usize = 64;

/// A queue as in front of a QUIC link, and who reads it. What waits is bounded, whoever stops reading.
pub(super) struct Frames {
    queue: FlowQueue<Pieces>,
    /// Probes, and pieces of a frame of which the reader has taken the others.
    first: VecDeque<Bytes>,
    reader: Option<Waker>,
    /// Who is called instead, unless it is being called just now.
    handler: Option<Handler>,
    /// What had become of the frames when the connection ended.
    last: Option<(QueueStats, Waited)>,
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Default for Frames {
    fn default() -> Self {
        Frames {
            queue: queue(),
            first: VecDeque::new(),
            reader: None,
            handler: None,
            last: None,
        }
    }
}

fn queue() -> FlowQueue<Pieces> {
    FlowQueue::new(QUEUE_LIMIT, RandomState::new())
}

impl Frames {
    /// Takes a frame.
    pub(super) fn push(&mut self, now: Instant, person: Person, flow: Flow, pieces: Pieces) {
        let len = pieces.iter().map(Bytes::len).sum();
        // A reader that has stopped does not look for what has become old; whoever sends does.
        self.queue.handle_timeout(now);
        self.queue
            .push(now, person, flow, by_themselves(pieces), len);
        self.wake();
    }

    /// Who is to be called for a frame that need not wait; it comes back by [`Self::end_call`].
    pub(super) fn begin_call(
        &mut self,
        now: Instant,
        who: Option<(Person, Flow)>,
    ) -> Option<Handler> {
        let handler = self.handler.take()?;
        self.queue.note_passed(now, who);
        Some(handler)
    }

    /// Nothing waits any more, and the next frame is to be called for. Answers the handler when no other one will come.
    pub(super) fn end_call(&mut self, handler: Handler) -> Option<Handler> {
        match self.is_over() {
            true => Some(handler),
            false => self.handler.replace(handler),
        }
    }

    /// True when nobody reads what is sent here.
    pub(super) fn is_over(&self) -> bool {
        self.last.is_some()
    }

    /// True when nothing can be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.queue.is_empty()
    }

    /// Takes a datagram that goes before all frames.
    pub(super) fn push_first(&mut self, datagram: Bytes) -> Result<(), DropReason> {
        if self.is_over() {
            return Err(DropReason::LinkDown);
        }
        if self.first.len() >= MOST_FIRST {
            return Err(DropReason::QueueFull);
        }
        self.first.push_back(datagram);
        self.wake();
        Ok(())
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Whom to wake when something has come.
    pub(super) fn wake_by(&mut self, reader: &Waker) {
        self.reader = Some(reader.clone());
    }

    /// Moves datagrams to `room`, and answers how many.
    pub(super) fn take(&mut self, now: Instant, room: &mut [Bytes]) -> usize {
        let mut count = 0;
        while count < room.len() {
            let Some(datagram) = self.next(now) else {
                break;
            };
            room[count] = datagram;
            count += 1;
        }
        count
    }

    fn next(&mut self, now: Instant) -> Option<Bytes> {
        if let Some(datagram) = self.first.pop_front() {
            return Some(datagram);
        }
        let mut pieces = self.queue.pop(now, Turn::Any)?.into_iter();
        let first = pieces.next();
        self.first.extend(pieces);
        first
    }

    /// What waits, and what has died; when the connection is over, as that was at its end.
    pub(super) fn stats(&self) -> QueueStats {
        match &self.last {
            Some((stats, _)) => *stats,
            None => self.queue.stats(),
        }
    }

    /// How long frames have waited.
    pub(super) fn waited(&self) -> &Waited {
        match &self.last {
            Some((_, waited)) => waited,
            None => self.queue.waited(),
        }
    }

    /// The connection is over, and nothing waits any more. Whoever was to be called is to be dropped without the lock.
    pub(super) fn end(&mut self) -> Option<Handler> {
        self.last = Some((self.queue.stats(), *self.queue.waited()));
        self.queue = queue();
        self.first = VecDeque::new();
        self.wake();
        self.handler.take()
    }
}
