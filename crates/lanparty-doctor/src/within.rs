//! Questions that may hang.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What `work` answers, unless that takes longer than `limit`: then it is left to itself.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = mpsc::channel();
    let work = move || {
        let _ = tell.send(work());
    };
    thread::Builder::new().spawn(work).ok()?;
    told.recv_timeout(limit).ok()
}
