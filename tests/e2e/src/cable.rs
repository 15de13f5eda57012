//! A port whose other end is in a test's hand.

use crate::soon;
use bytes::Bytes;
use lanparty_obs::DropReason;
use lanparty_peer::FramePort;
use lanparty_peer::vnet::Sent;
use lanparty_proto::FrameBuf;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use tokio::sync::mpsc;

/// The test's end: what it sends enters the peer's machine.
#[derive(Debug)]
pub struct Cable {
    queue: Arc<Queue>,
    frames: mpsc::UnboundedReceiver<Vec<u8>>,
}

/// The peer's end.
#[derive(Debug)]
pub struct MemoryPort {
    queue: Arc<Queue>,
    frames: mpsc::UnboundedSender<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Mutex<VecDeque<Vec<u8>>>,
    filled: Mutex<Option<Waker>>,
    /// A frame of which there is always another one.
    flood: OnceLock<Vec<u8>>,
    /// As a TAP it gives one frame at a time, and a read in vain alone says that there is no other.
    one_by_one: AtomicBool,
    /// The last read was not in vain.
    may_have_more: AtomicBool,
    /// Reads since another task of the thread had its turn.
    in_a_row: AtomicUsize,
}

impl Queue {
    fn wake_reader(&self) {
        if let Some(reader) = self.filled.lock().unwrap().take() {
            reader.wake();
        }
    }
}

/// Who asks a player's machine for its groups (`lanparty_switch::snooping`).
const ASKER: [u8; 6] = [0x0e, b'l', b'a', b'n', 0, 1];
/// Where IGMPv3 and MLDv2 report groups to (RFC 3376 §4.2.14, RFC 3810 §5.2.14).
const REPORTS_TO: [[u8; 6]; 2] = [[0x01, 0x00, 0x5e, 0, 0, 0x16], [0x33, 0x33, 0, 0, 0, 0x16]];

/// What one read of a flooded port gives.
const BATCH: usize = 64;
/// A port may be read so often before others have their turn.
const FEW: usize = 8;

/// Both ends of a cable.
pub fn cable() -> (Cable, MemoryPort) {
    let queue = Arc::new(Queue::default());
    let (sender, receiver) = mpsc::unbounded_channel();
    (
        Cable {
            queue: queue.clone(),
            frames: receiver,
        },
        MemoryPort {
            queue,
            frames: sender,
        },
    )
}

impl Cable {
    /// Lets the machine send a frame.
    pub fn send(&self, frame: &[u8]) {
        self.queue.frames.lock().unwrap().push_back(frame.to_vec());
        self.queue.wake_reader();
    }

    /// Whether the peer has taken all that was sent.
    pub fn is_read(&self) -> bool {
        self.queue.frames.lock().unwrap().is_empty()
    }

    /// From now on a read gives one frame, as that of a TAP does.
    pub fn give_one_by_one(&self) {
        self.queue.one_by_one.store(true, Ordering::Relaxed);
    }

    /// From now on there is always another frame like this one to be read. Whoever reads without end panics.
    pub fn flood(&self, frame: &[u8]) {
        self.queue.flood.set(frame.to_vec()).unwrap();
        self.queue.wake_reader();
        let queue = self.queue.clone();
        tokio::task::spawn_local(async move {
            loop {
                queue.in_a_row.store(0, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        });
    }

    /// The next frame that reaches the machine. What gateway and client say of their own is left out: CAM
    /// refreshes, questions about groups, and for which groups the gateway speaks.
    pub async fn receive(&mut self) -> Vec<u8> {
        let next = async { self.next().await.expect("the peer is running") };
        soon("a frame", next).await
    }

    /// The same however long it takes; nothing when the peer has ended.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let frame = self.frames.recv().await?;
            if !is_own(&frame) {
                return Some(frame);
            }
        }
    }

    /// The next one of those that have reached it already.
    pub fn try_receive(&mut self) -> Option<Vec<u8>> {
        std::iter::from_fn(|| self.frames.try_recv().ok()).find(|frame| !is_own(frame))
    }
}

/// What gateway and client say of their own.
fn is_own(frame: &[u8]) -> bool {
    frame[12..14] == [0x88, 0xb5] || frame[6..12] == ASKER || is_report(frame)
}

fn is_report(frame: &[u8]) -> bool {
    REPORTS_TO.iter().any(|group| frame.starts_with(group))
}

impl FramePort for MemoryPort {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        *self.queue.filled.lock().unwrap() = Some(cx.waker().clone());
        let is_flooded = self.queue.flood.get().is_some();
        let may_have_more = self.queue.may_have_more.load(Ordering::Relaxed);
        match is_flooded || may_have_more || !self.queue.frames.lock().unwrap().is_empty() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        let mut reads = 0;
        let one_by_one = self.queue.one_by_one.load(Ordering::Relaxed);
        let mut frames = self.queue.frames.lock().unwrap();
        let count = if one_by_one {
            frames.len().min(1)
        } else {
            frames.len()
        };
        for frame in frames.drain(..count) {
            take(Ok(FrameBuf::from_frame(&frame)));
            reads += 1;
        }
        let may_have_more = one_by_one && reads > 0;
        self.queue
            .may_have_more
            .store(may_have_more, Ordering::Relaxed);
        if let Some(frame) = self.queue.flood.get() {
            let before = self.queue.in_a_row.fetch_add(1, Ordering::Relaxed);
            assert!(before < FEW, "nobody else has had a turn");
            (0..BATCH).for_each(|_| take(Ok(FrameBuf::from_frame(frame))));
            reads += BATCH as u64;
        }
        Ok(reads)
    }

    fn try_send(&mut self, frames: &[Bytes]) -> Sent {
        let mut sent = Sent::default();
        for frame in frames {
            match self.frames.send(frame.to_vec()) {
                Ok(()) => sent.writes += 1,
                Err(_) => sent.refused += 1,
            }
        }
        sent
    }
}
