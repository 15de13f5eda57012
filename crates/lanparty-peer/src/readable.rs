//! Waiting for a descriptor without holding a future for it.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that may be polled for reading. tokio's own way to do that does not see an error that comes without
/// anything to read, as when somebody removes an adapter.
pub struct Readable<T: AsRawFd> {
    fd: Arc<AsyncFd<T>>,
    error: Pin<Box<dyn Future<Output = io::Result<()>>>>,
}

impl<T: AsRawFd> fmt::Debug for Readable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readable")
            .field(&self.fd.as_raw_fd())
            .finish()
    }
}

impl<T: AsRawFd> Deref for Readable<T> {
    type Target = AsyncFd<T>;

    fn deref(&self) -> &AsyncFd<T> {
        &self.fd
    }
}

impl<T: AsRawFd + 'static> Readable<T> {
    /// Of a descriptor that is watched for reading and for errors.
    pub fn new(fd: AsyncFd<T>) -> Self {
        let fd = Arc::new(fd);
        let error = next_error(fd.clone());
        Readable { fd, error }
    }

    /// Reads what is there, as far as it is known that something is. Whoever answers true beside it has seen the end of
    /// it, as a call for several frames has that brought fewer: then nobody reads again before there is more.
    ///
    /// The kernel tells of each thing that comes, and what came since the last wait for it is told by the next. So what
    /// comes after the read is not forgotten with what came before.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing, else what `read` says.
    pub fn try_read<R>(&self, mut read: impl FnMut(&T) -> io::Result<(R, bool)>) -> io::Result<R> {
        let last = Cell::new(None);
        let mut read = |fd: &T| match read(fd)? {
            (got, false) => Ok(got),
            (got, true) => {
                last.set(Some(got));
                Err(io::ErrorKind::WouldBlock.into())
            }
        };
        // tokio's try_io knows no combined interest (its mask is empty), and each kind of readiness is cleared only by a
        // call that names it.
        for interest in [Interest::READABLE, Interest::ERROR] {
            let outcome = self.fd.try_io(interest, &mut read);
            match (last.take(), outcome) {
                (Some(got), _) => return Ok(got),
                (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                (None, outcome) => return outcome,
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Ready when there may be something to read, or an error to hear of: then true.
    ///
    /// # Errors
    /// When the runtime ends.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if let Poll::Ready(error) = self.error.as_mut().poll(cx) {
            self.error = next_error(self.fd.clone());
            return Poll::Ready(error.map(|()| true));
        }
        let ready = self.fd.poll_read_ready(cx)?;
        ready.map(|mut ready| {
            ready.retain_ready();
            Ok(false)
        })
    }
}

fn next_error<T: AsRawFd + 'static>(
    fd: Arc<AsyncFd<T>>,
) -> Pin<Box<dyn Future<Output = io::Result<()>>>> {
    Box::pin(async move {
        fd.ready(Interest::ERROR).await?.retain_ready();
        Ok(())
    })
}
