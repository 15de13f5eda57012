//! A connection that is given up when its other end takes nothing for too long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// So long may it take until all that was written at once has been taken. A snapshot that a slow reader is behind with is
/// kept for it alone, so this bounds how many different ones there are in memory.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A stream, and what its other end has not taken yet.
pub(crate) struct Patient<S> {
    stream: S,
    debt: Option<Debt>,
}

/// What was not taken at once.
struct Debt {
    bytes: usize,
    due: Pin<Box<Sleep>>,
}

impl Debt {
    fn new(bytes: usize) -> Self {
        Debt {
            bytes,
            due: Box::pin(sleep_until(Instant::now() + PATIENCE)),
        }
    }

    fn is_overdue(&self) -> bool {
        self.due.deadline() <= Instant::now()
    }
}

fn timed_out<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S) -> Self {
        Patient { stream, debt: None }
    }

    fn is_over(&self) -> bool {
        self.debt.as_ref().is_some_and(Debt::is_overdue)
    }

    /// So many bytes were offered; what became of it.
    fn note(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(taken)) => {
                self.debt = self.debt.take().filter(|debt| debt.bytes > taken);
                match &mut self.debt {
                    Some(debt) => debt.bytes -= taken,
                    None if taken < offered => self.debt = Some(Debt::new(offered - taken)),
                    None => {}
                }
                written
            }
            Poll::Ready(Err(_)) => written,
            Poll::Pending => self.wait(cx, offered),
        }
    }

    /// Waits for the other end, but not for ever.
    fn wait<T>(&mut self, cx: &mut Context<'_>, offered: usize) -> Poll<io::Result<T>> {
        let debt = self.debt.get_or_insert_with(|| Debt::new(offered));
        ready!(debt.due.as_mut().poll(cx));
        timed_out()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_over() {
            return timed_out();
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(cx, buf.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_over() {
            return timed_out();
        }
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(cx, offered, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => self.wait(cx, 1),
            flushed => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Pending => self.wait(cx, 1),
            shut => shut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up() {
        let (ours, theirs) = duplex(16);
        let began = Instant::now();
        let error = Patient::new(ours).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= PATIENCE);
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_byte_now_and_then_is_given_up_as_well() {
        let (ours, mut theirs) = duplex(16);
        let reader = tokio::spawn(async move {
            let mut byte = [0];
            while theirs.read(&mut byte).await.is_ok_and(|read| read > 0) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let began = Instant::now();
        let error = Patient::new(ours).write_all(&[0; 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < 2 * PATIENCE);
        reader.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_all_of_it_may_take_its_time_between() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Patient::new(ours);
        let mut taken = [0; 64];
        for _ in 0..10 {
            let both = tokio::join!(ours.write_all(&[1; 64]), theirs.read_exact(&mut taken));
            assert!(both.0.is_ok() && both.1.is_ok());
            tokio::time::sleep(2 * PATIENCE).await;
        }
    }
}
