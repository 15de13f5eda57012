//! A port whose other end is in a test's hand.

use crate::soon;
use bytes::Bytes;
use lanparty_net::peer::FramePort;
use lanparty_net::vnet::Sent;
use lanparty_obs::DropReason;
use lanparty_proto::FrameBuf;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc};

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
    filled: Notify,
}

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
        self.queue.filled.notify_one();
    }

    /// The next frame that reaches the machine. A gateway's own CAM refreshes are left out.
    pub async fn receive(&mut self) -> Vec<u8> {
        let next = async {
            loop {
                let frame = self.frames.recv().await.expect("the peer is running");
                if frame[12..14] != [0x88, 0xb5] {
                    return frame;
                }
            }
        };
        soon("a frame", next).await
    }
}

impl FramePort for MemoryPort {
    async fn readable(&self) -> io::Result<()> {
        while self.queue.frames.lock().unwrap().is_empty() {
            self.queue.filled.notified().await;
        }
        Ok(())
    }

    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64> {
        let mut reads = 0;
        for frame in self.queue.frames.lock().unwrap().drain(..) {
            take(Ok(FrameBuf::from_frame(&frame)));
            reads += 1;
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
