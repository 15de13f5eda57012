//! Datagrams on their way to those who are called for them.

use super::link::Handler;
use super::state::State;
use bytes::Bytes;
use noq_proto::ConnectionHandle;
use std::time::Instant;

/// How many datagrams of one connection are handed over in a turn.
pub(super) const BATCH: usize = 64;
/// How many of all connections are handed over between two looks at the connections.
const ROOM: usize = 8 * BATCH;

/// Datagrams of some connections, and who is called for them: so many are served with one look at the connections
/// before and one after it.
pub(super) struct Errands {
    pub(super) called: Vec<Errand>,
    room: Box<[Bytes]>,
}

pub(super) struct Errand {
    link: ConnectionHandle,
    handler: Option<Handler>,
    count: usize,
}

impl Default for Errands {
    fn default() -> Self {
        Errands {
            called: Vec::new(),
            room: vec![Bytes::new(); ROOM].into(),
        }
    }
}

impl Errands {
    /// Takes datagrams of the first of these links, of as many as there is room for, and their handlers.
    pub(super) fn take_up(&mut self, state: &mut State, readable: &mut Vec<ConnectionHandle>) {
        let mut room = &mut self.room[..];
        let mut looked_at = 0;
        for &handle in &*readable {
            if room.len() < BATCH {
                break;
            }
            looked_at += 1;
            let Some(link) = state.link(handle) else {
                continue;
            };
            // One that is called already is in the list twice.
            if link.handler.is_none() {
                continue;
            }
            let count = link.read(&mut room[..BATCH]);
            if count > 0 {
                room = &mut room[count..];
                self.called.push(Errand {
                    link: handle,
                    handler: link.handler.take(),
                    count,
                });
            }
        }
        readable.drain(..looked_at);
    }

    /// Calls them; without the lock of the connections, for they send what comes of it.
    pub(super) fn run(&mut self, now: Instant) {
        let mut room = &mut self.room[..];
        for errand in &mut self.called {
            let (datagrams, others) = room.split_at_mut(errand.count);
            room = others;
            if let Some(handler) = &mut errand.handler {
                handler(now, datagrams);
            }
        }
    }

    /// Gives the handlers back to the links that still want them. True when there are datagrams for some.
    pub(super) fn give_back(&mut self, state: &mut State) -> bool {
        for errand in &mut self.called {
            // Links go in turns only, so this is still the same one; but it may have ended.
            if let Some(link) = state.link(errand.link)
                && link.fate.end.get().is_none()
            {
                // Somebody else may be called from now on.
                if link.handler.is_none() {
                    link.handler = errand.handler.take();
                }
                if errand.count == BATCH {
                    state.readable.push(errand.link);
                }
            }
        }
        !state.readable.is_empty()
    }
}
