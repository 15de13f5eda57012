//! A stream of packets within a test, which does what the test wants.

use super::super::*;
use futures_core::Stream;
use futures_sink::Sink;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Waker;

/// One direction.
#[derive(Default)]
pub(in crate::engine) struct Way(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    packets: VecDeque<Bytes>,
    /// How many fit.
    room: usize,
    /// Nobody gets any.
    is_held: bool,
    is_over: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Inner {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()] {
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl Way {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.0.lock().unwrap();
        let done = act(&mut inner);
        inner.wake();
        done
    }

    pub(in crate::engine) fn room(&self, packets: usize) {
        self.with(|way| way.room = packets);
    }

    pub(in crate::engine) fn hold(&self, is_held: bool) {
        self.with(|way| way.is_held = is_held);
    }

    pub(in crate::engine) fn push(&self, packet: impl Into<Bytes>) {
        self.with(|way| way.packets.push_back(packet.into()));
    }

    pub(in crate::engine) fn take(&self) -> Vec<Bytes> {
        self.with(|way| way.packets.drain(..).collect())
    }

    pub(in crate::engine) fn len(&self) -> usize {
        self.with(|way| way.packets.len())
    }

    pub(in crate::engine) fn end(&self) {
        self.with(|way| way.is_over = true);
    }

    pub(in crate::engine) fn is_over(&self) -> bool {
        self.with(|way| way.is_over)
    }
}

/// What one side has of a pipe.
pub(in crate::engine) struct End {
    pub(in crate::engine) out: Arc<Way>,
    pub(in crate::engine) back: Arc<Way>,
}

/// A pipe in which so many packets fit, each way.
pub(in crate::engine) fn pipe(room: usize) -> (End, End) {
    let [out, back] = [(), ()].map(|()| {
        let way = Arc::new(Way::default());
        way.room(room);
        way
    });
    let near = End {
        out: out.clone(),
        back: back.clone(),
    };
    let far = End {
        out: back,
        back: out,
    };
    (near, far)
}

impl Drop for End {
    fn drop(&mut self) {
        self.out.end();
        self.back.end();
    }
}

impl Stream for End {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut way = self.back.0.lock().unwrap();
        if !way.is_held
            && let Some(packet) = way.packets.pop_front()
        {
            way.writer.take().into_iter().for_each(Waker::wake);
            return Poll::Ready(Some(Ok(packet)));
        }
        if way.is_over {
            return Poll::Ready(None);
        }
        way.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Sink<Bytes> for End {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = self.out.0.lock().unwrap();
        if way.is_over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if way.packets.len() < way.room {
            return Poll::Ready(Ok(()));
        }
        way.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn start_send(self: Pin<&mut Self>, packet: Bytes) -> io::Result<()> {
        self.out.push(packet);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.out.end();
        Poll::Ready(Ok(()))
    }
}
