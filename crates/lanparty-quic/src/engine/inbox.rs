//! What other loops have for this one: frames for its links, and packets that came to them by mistake.
//!
//! A loop holds its lock for whole turns, so nobody else waits for that; an inbox is locked for as long as it takes to put
//! something in, or to take all of it out. Each loop has a place of its own in it: one that floods fills that alone.

use super::Shared;
use super::link::{Pieces, by_themselves};
use super::state::State;
use super::udp::Received;
use bytes::Bytes;
use lanparty_flow::queue::Person;
use lanparty_proto::flow::Flow;
use noq_proto::ConnectionHandle;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Instant;

/// Frames of one loop that wait for another's turn: as many as it may have for that in some milliseconds.
const MAX_FRAMES: usize = 4096;
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

thread_local! {
    /// The endpoint and the loop whose turns this thread has.
    static HERE: Cell<Option<(u64, usize)>> = const { Cell::new(None) };
}

pub(super) struct Inbox {
    endpoint: u64,
    index: usize,
    packets: Mutex<Vec<Received>>,
    /// By the loop that they come from; the last ones come from no loop.
    frames: Box<[Mutex<Vec<Parcel>>]>,
    /// Something has come since it was looked into last.
    has_mail: AtomicBool,
    /// Nobody looks into it before being woken.
    is_asleep: AtomicBool,
    sleeper: Mutex<Option<Waker>>,
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
            frames: (0..=loops).map(|_| Mutex::default()).collect(),
            has_mail: AtomicBool::new(false),
            is_asleep: AtomicBool::new(false),
            sleeper: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    /// This thread has the turns of this loop.
    pub(super) fn awake(&self) {
        HERE.set(Some((self.endpoint, self.index)));
        self.is_asleep.store(false, Ordering::Relaxed);
    }

    /// Whether whoever asks has another loop's turn, or none.
    pub(super) fn is_away(&self) -> bool {
        HERE.get() != Some((self.endpoint, self.index))
    }

    fn sender(&self) -> &Mutex<Vec<Parcel>> {
        let nobody = self.frames.len() - 1;
        let index = match HERE.get() {
            Some((endpoint, index)) if endpoint == self.endpoint => index,
            _ => nobody,
        };
        &self.frames[index]
    }

    /// Puts a frame in. False when there is no room for it.
    pub(super) fn push(&self, parcel: Parcel) -> bool {
        let pieces = by_themselves(parcel.pieces);
        let mut frames = lock(self.sender());
        if frames.len() >= MAX_FRAMES {
            return false;
        }
        frames.push(Parcel { pieces, ..parcel });
        drop(frames);
        self.ring();
        true
    }

    /// Puts a packet in; without room it is lost, as on a network.
    pub(super) fn push_packet(&self, packet: Received) {
        let mut packets = lock(&self.packets);
        if packets.len() < MAX_PACKETS {
            packets.push(packet);
        }
        drop(packets);
        self.ring();
    }

    fn ring(&self) {
        // Both orders matter: either the loop that goes to sleep sees this, or we see that it sleeps.
        self.has_mail.store(true, Ordering::SeqCst);
        if self.is_asleep.swap(false, Ordering::SeqCst)
            && let Some(sleeper) = lock(&self.sleeper).take()
        {
            sleeper.wake();
        }
    }

    /// Has the task woken for what comes from now on. False when something has come already.
    pub(super) fn sleep(&self, cx: &mut Context<'_>) -> bool {
        *lock(&self.sleeper) = Some(cx.waker().clone());
        self.is_asleep.store(true, Ordering::SeqCst);
        !self.has_mail.load(Ordering::SeqCst)
    }

    pub(super) fn take_packets(&self) -> Vec<Received> {
        std::mem::take(&mut *lock(&self.packets))
    }

    /// Gives all frames to their links.
    pub(super) fn deliver(&self, state: &mut State) {
        if !self.has_mail.swap(false, Ordering::SeqCst) {
            return;
        }
        let mut taken = std::mem::take(&mut *lock(&self.spare));
        for frames in &self.frames {
            std::mem::swap(&mut *lock(frames), &mut taken);
            for parcel in taken.drain(..) {
                state.deliver(parcel);
            }
        }
        // What one flood has needed is not kept for good.
        if taken.capacity() <= MAX_FRAMES / 8 {
            *lock(&self.spare) = taken;
        }
        // Packets are taken at the beginning of a turn.
        if !lock(&self.packets).is_empty() {
            self.has_mail.store(true, Ordering::SeqCst);
        }
    }
}

impl State {
    /// Whoever has gone meanwhile misses nothing.
    fn deliver(&mut self, parcel: Parcel) {
        let Parcel {
            handle,
            number,
            now,
            person,
            flow,
            pieces,
        } = parcel;
        let len = pieces.iter().map(Bytes::len).sum();
        if let Some(link) = self.link(handle)
            && link.fate.number == number
            && link.fate.end.get().is_none()
        {
            link.take(now, person, flow, pieces, len);
            self.touch(handle);
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

/// Nothing that panics while it holds such a lock leaves more than frames that are lost.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_proto::{MacAddr, PeerId};
    use smallvec::smallvec;
    use std::sync::Arc;

    fn parcel(number: u64) -> Parcel {
        Parcel {
            handle: ConnectionHandle(0),
            number,
            now: Instant::now(),
            person: Person::Machine {
                peer: PeerId::new(1).unwrap(),
                mac: MacAddr::new([2; 6]),
            },
            flow: Flow::Other {
                addresses: [0; 12],
                kind: [0; 2],
            },
            pieces: smallvec![Bytes::from_static(&[0; 100])],
        }
    }

    fn numbers(inbox: &Inbox, from: usize) -> Vec<u64> {
        lock(&inbox.frames[from])
            .iter()
            .map(|parcel| parcel.number)
            .collect()
    }

    #[test]
    fn a_loop_that_floods_fills_its_own_place_alone() {
        let inbox = Arc::new(Inbox::new(7, 0, 3));
        let flood = {
            let inbox = inbox.clone();
            let flooding = move || {
                HERE.set(Some((7, 1)));
                (0..2 * MAX_FRAMES as u64)
                    .filter(|&number| inbox.push(parcel(number)))
                    .count()
            };
            std::thread::spawn(flooding)
        };
        assert_eq!(flood.join().unwrap(), MAX_FRAMES);
        HERE.set(Some((7, 2)));
        assert!((0..100).all(|number| inbox.push(parcel(number))));
        assert_eq!(numbers(&inbox, 2), (0..100).collect::<Vec<_>>());
        assert_eq!(numbers(&inbox, 1).len(), MAX_FRAMES);
        // Another endpoint's loop is none of ours.
        HERE.set(Some((8, 1)));
        assert!(inbox.push(parcel(1)) && inbox.is_away());
        assert_eq!(numbers(&inbox, 3), [1]);
        inbox.awake();
        assert!(!inbox.is_away());
    }

    #[test]
    fn whoever_sleeps_is_woken_once_and_whoever_does_not_goes_on() {
        struct Count(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = Arc::new(Count(0.into()));
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let inbox = Inbox::new(7, 0, 2);
        let woken = || count.0.load(Ordering::SeqCst);
        assert!(inbox.sleep(&mut cx), "nothing has come");
        (0..50).for_each(|number| assert!(inbox.push(parcel(number))));
        assert_eq!(woken(), 1);
        inbox.awake();
        inbox.push(parcel(1));
        assert_eq!(woken(), 1, "it is awake");
        assert!(!inbox.sleep(&mut cx), "that one has come meanwhile");
    }
}
