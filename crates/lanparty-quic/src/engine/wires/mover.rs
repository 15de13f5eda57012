//! The task that moves a stream's bytes.

use super::super::wire::{LONGEST_PACKET, Wire};
use super::{PacketStream, SILENCE, Wires};
use futures_core::Stream as _;
use futures_sink::Sink as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep};

/// Bytes that are given to the stream before they are written.
const BATCH: usize = 16 * 1024;
/// Packets that are taken from it before other tasks have their turn.
const AT_ONCE: usize = 32;
/// How long a stream has to say what it has to say when nothing more is wanted of it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Moves packets until the stream ends, or nobody wants it.
pub(super) struct Mover {
    wire: Arc<Wire>,
    wires: Arc<Wires>,
    stream: Box<dyn PacketStream>,
    /// Bytes that the stream has taken and may not have written.
    unwritten: usize,
    is_closing: bool,
    deadline: Pin<Box<Sleep>>,
}

impl Mover {
    pub(super) fn new(wire: Arc<Wire>, wires: Arc<Wires>, stream: Box<dyn PacketStream>) -> Self {
        Mover {
            wire,
            wires,
            stream,
            unwritten: 0,
            is_closing: false,
            deadline: Box::pin(sleep(SILENCE)),
        }
    }

    /// Writes what there is to write. Pending when the stream takes no more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.wire.expire(Instant::now()) {
                self.wires.announce(&self.wire);
            }
            while self.unwritten < BATCH {
                ready!(self.poll_ready_or_write(cx))?;
                let Some(packet) = self.wire.next() else {
                    break;
                };
                self.unwritten += packet.len();
                Pin::new(&mut self.stream).start_send(packet)?;
            }
            if self.unwritten == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_flush(cx))?;
        }
    }

    /// A stream may have room only once it has written what it has.
    fn poll_ready_or_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_ready(cx) {
            Poll::Pending if self.unwritten > 0 => {
                ready!(self.poll_flush(cx))?;
                Pin::new(&mut self.stream).poll_ready(cx)
            }
            polled => polled,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.wire.left(std::mem::take(&mut self.unwritten)) {
            self.wires.announce(&self.wire);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what has come. Ready when nothing more will.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut taken = 0;
        let polled = loop {
            if !self.wire.has_room() {
                break Poll::Pending;
            }
            if taken == AT_ONCE {
                cx.waker().wake_by_ref();
                break Poll::Pending;
            }
            match Pin::new(&mut self.stream).poll_next(cx) {
                Poll::Ready(Some(Ok(packet))) if packet.len() <= LONGEST_PACKET => {
                    self.wire.came(packet);
                    taken += 1;
                }
                Poll::Ready(Some(Ok(_))) => {
                    break Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
                Poll::Ready(Some(Err(error))) => break Poll::Ready(Err(error)),
                Poll::Ready(None) => break Poll::Ready(Ok(())),
                Poll::Pending => break Poll::Pending,
            }
        };
        if taken > 0 {
            self.wires.announce(&self.wire);
        }
        polled
    }

    /// Ready when the time is over.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.deadline.as_mut().poll(cx));
        match self.is_closing || !self.wire.has_had_links() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn begin_to_close(&mut self) {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.deadline.set(sleep(LAST_WORDS));
        }
    }

    fn poll_move(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.wire.attend(cx) {
            self.begin_to_close();
        }
        let written = self.poll_write(cx)?;
        if self.is_closing {
            ready!(written);
            return Pin::new(&mut self.stream).poll_close(cx);
        }
        self.poll_read(cx)
    }
}

impl Future for Mover {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mover = self.get_mut();
        match mover.poll_move(cx) {
            Poll::Ready(ended) => {
                tracing::trace!(?ended, peer = %mover.wire.peer, "A stream of packets has ended");
                Poll::Ready(())
            }
            Poll::Pending => mover.poll_deadline(cx),
        }
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.wire.end();
        self.wires.announce(&self.wire);
    }
}
