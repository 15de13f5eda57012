//! Strangers on their way from a loop to whoever lets them in.
//!
//! They wait behind a lock of their own: whoever lets people in looks at all loops' strangers, and would else wait for
//! whole turns of the others.

use super::wire::Wire;
use noq_proto::Incoming;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Those of one loop.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<Waiting>);

/// Somebody's first packet, and over which stream it came, if over one.
#[derive(Debug)]
pub(super) struct Knock {
    pub(super) packet: Incoming,
    pub(super) wire: Option<Arc<Wire>>,
}

#[derive(Debug, Default)]
struct Waiting {
    packets: VecDeque<Knock>,
    is_closed: bool,
    accepting: Option<Waker>,
}

impl Strangers {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, knock: Knock) {
        let mut waiting = self.lock();
        waiting.packets.push_back(knock);
        let accepting = waiting.accepting.take();
        drop(waiting);
        if let Some(accepting) = accepting {
            accepting.wake();
        }
    }

    pub(super) fn pop(&self) -> Option<Knock> {
        self.lock().packets.pop_front()
    }

    /// The next one; `None` once nobody comes any more.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Knock>> {
        let mut waiting = self.lock();
        if let Some(knock) = waiting.packets.pop_front() {
            return Poll::Ready(Some(knock));
        }
        if waiting.is_closed {
            return Poll::Ready(None);
        }
        waiting.accepting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Nobody comes any more.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        let accepting = waiting.accepting.take();
        drop(waiting);
        if let Some(accepting) = accepting {
            accepting.wake();
        }
    }
}
