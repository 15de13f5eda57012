//! What other loops have for this one: frames for its links, and packets that came to them by mistake.
//!
//! A loop holds its lock while it reads and while it sends; a frame of another loop does not wait for that. An inbox is locked for
//! as long as it takes to put something in, or to take all of it out. Each loop has a place of its own in it: one that
//! floods fills that alone, and in it each peer has a part.

#![allow(
    clippy::missing_const_for_thread_local,
    reason = "said of a `const` one as well where Windows' targets keep it under a key of the system"
)]

use super::Shared;
use super::bell::{Bell, lock};
use super::link::{Pieces, by_themselves};
use super::state::State;
use super::stranger::Verdict;
use super::udp::Received;
use bytes::{Bytes, BytesMut};
use lanparty_flow::queue::Person;
use lanparty_proto::flow::Flow;
use noq_proto::{ConnectionHandle, Incoming};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, Weak};
use std::task::Context;
use std::time::Instant;

/// Bytes of frames that may wait for a loop's turn, in parts for the other loops, but in no smaller ones: what some
/// milliseconds bring.
const MAX_BYTES: usize = 8 * 1024 * 1024;
const LEAST_PLACE: usize = 128 * 1024;
/// Of a place that is half full a peer, with all machines behind it, gets one such part more.
const PART_OF_A_PEER: usize = 16;
/// Room for frames that is kept for the next turn.
const SPARE: usize = 512;
/// Packets that wait so; the kernel steers nearly all of them to the right loop itself.
const MAX_PACKETS: usize = 1024;

/// A frame for a link of another loop.
pub(super) struct Parcel {
    pub(super) handle: ConnectionHandle,
    /// The link's own number, for its handle may belong to another one by then.
    pub(super) number: u64,
    pub(super) now: Instant,
    pub(super) person: Person,
    pub(super) flow: Flow,
    pub(super) pieces: Pieces,
}

impl Parcel {
    fn memory(&self) -> usize {
        size_of::<Parcel>() + self.len()
    }

    fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

/// What waits of one loop.
#[derive(Default)]
struct Waiting {
    frames: Vec<Parcel>,
    bytes: usize,
    /// Bytes that peers have added since it was half full.
    late: HashMap<u16, usize>,
}

impl Waiting {
    /// Puts in a frame, in memory of its own. False when there is no room; where there is little, for whoever has had much of it.
    fn push(&mut self, parcel: Parcel, limit: usize) -> bool {
        let memory = parcel.memory();
        if self.bytes + memory > limit {
            return false;
        }
        if self.bytes > limit / 2 {
            let late = self.late.entry(parcel.person.peer()).or_default();
            *late += memory;
            if *late > limit / PART_OF_A_PEER {
                return false;
            }
        }
        self.bytes += memory;
        let pieces = by_themselves(parcel.pieces);
        self.frames.push(Parcel { pieces, ..parcel });
        true
    }

    /// Exchanges its frames for a list that is empty.
    fn take(&mut self, empty: &mut Vec<Parcel>) {
        std::mem::swap(&mut self.frames, empty);
        self.bytes = 0;
        self.late = HashMap::new();
    }
}

thread_local! {
    /// The endpoint and the loop whose turns this thread has.
    static HERE: Cell<Option<(u64, usize)>> = const { Cell::new(None) };
}

pub(super) struct Inbox {
    endpoint: u64,
    index: usize,
    packets: Mutex<Vec<Received>>,
    /// Strangers who are not let in.
    verdicts: Mutex<Vec<(Incoming, Verdict)>>,
    /// By the loop that they come from; the last ones come from no loop.
    frames: Box<[Mutex<Waiting>]>,
    /// Bytes that one of them has room for.
    room: usize,
    bell: Bell,
    /// Taken out of it; here to be used again.
    spare: Mutex<Vec<Parcel>>,
}

impl Inbox {
    /// That of one of `loops` loops of an endpoint.
    pub(super) fn new(endpoint: u64, index: usize, loops: usize) -> Self {
        Inbox {
            endpoint,
            index,
            packets: Mutex::default(),
            verdicts: Mutex::default(),
            frames: (0..=loops).map(|_| Mutex::default()).collect(),
            room: (MAX_BYTES / (loops + 1)).max(LEAST_PLACE),
            bell: Bell::default(),
            spare: Mutex::default(),
        }
    }

    /// This thread has the turns of this loop.
    pub(super) fn awake(&self) {
        HERE.set(Some((self.endpoint, self.index)));
        self.bell.awake();
    }

    /// Whether whoever asks has another loop's turn, or none.
    pub(super) fn is_away(&self) -> bool {
        HERE.get() != Some((self.endpoint, self.index))
    }

    fn sender(&self) -> &Mutex<Waiting> {
        let nobody = self.frames.len() - 1;
        let index = match HERE.get() {
            Some((endpoint, index)) if endpoint == self.endpoint => index,
            _ => nobody,
        };
        &self.frames[index]
    }

    /// Puts a frame in. False when there is no room for it.
    pub(super) fn push(&self, parcel: Parcel) -> bool {
        let has_room = lock(self.sender()).push(parcel, self.room);
        if has_room {
            self.ring();
        }
        has_room
    }

    /// Puts a packet in; without room it is lost, as on a network.
    pub(super) fn push_packet(&self, packet: Received) {
        let mut packets = lock(&self.packets);
        if packets.len() < MAX_PACKETS {
            // In memory of its own, as a frame.
            let payload = BytesMut::from(&packet.payload[..]);
            packets.push(Received { payload, ..packet });
        }
        drop(packets);
        self.ring();
    }

    /// Has the loop take a turn.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }

    /// Has the task woken for what comes from now on. False when something has come already.
    pub(super) fn sleep(&self, cx: &Context<'_>) -> bool {
        self.bell.sleep(cx)
    }

    pub(super) fn take_packets(&self) -> Vec<Received> {
        std::mem::take(&mut *lock(&self.packets))
    }

    /// Puts in what becomes of a stranger. Of these there are no more than strangers wait.
    pub(super) fn push_verdict(&self, packet: Incoming, verdict: Verdict) {
        lock(&self.verdicts).push((packet, verdict));
        self.ring();
    }

    /// Gives all frames to their links, and the strangers their answers.
    pub(super) fn deliver(&self, shared: &Shared, state: &mut State) {
        if !self.bell.answer() {
            return;
        }
        for (packet, verdict) in std::mem::take(&mut *lock(&self.verdicts)) {
            shared.carry_out(state, packet, verdict);
        }
        let mut taken = std::mem::take(&mut *lock(&self.spare));
        for frames in &self.frames {
            lock(frames).take(&mut taken);
            for parcel in taken.drain(..) {
                state.deliver(parcel);
            }
        }
        // What one flood has needed is not kept for good.
        if taken.capacity() <= SPARE {
            *lock(&self.spare) = taken;
        }
        // Packets are taken at the beginning of a turn.
        if !lock(&self.packets).is_empty() {
            self.bell.ring();
        }
    }
}

impl State {
    /// Whoever has gone meanwhile misses nothing.
    fn deliver(&mut self, parcel: Parcel) {
        let len = parcel.len();
        let Parcel {
            handle,
            number,
            now,
            person,
            flow,
            pieces,
        } = parcel;
        if let Some(link) = self.link(handle)
            && link.fate.number == number
            && link.fate.end.get().is_none()
        {
            link.take(now, person, flow, pieces, len);
            self.put_up(handle);
        }
    }
}

impl Shared {
    /// Its inbox, for whoever has not its turn.
    pub(super) fn away(&self) -> Option<&Inbox> {
        self.inbox.as_ref().filter(|inbox| inbox.is_away())
    }

    /// Gives a packet to the loop that it is for.
    pub(super) fn hand_on(&self, packet: Received) {
        let siblings = self.siblings.get().map_or(&[][..], Vec::as_slice);
        let owner = siblings.get(self.place.of(&packet.payload));
        let owner = owner.and_then(Weak::upgrade);
        if let Some(inbox) = owner.as_ref().and_then(|owner| owner.inbox.as_ref()) {
            inbox.push_packet(packet);
        }
    }
}

#[cfg(test)]
mod tests;
