//! tokio's own timers, where the system has none that can be waited for with sockets.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// A timer of tokio's.
#[derive(Debug)]
pub(super) struct Timer(Pin<Box<Sleep>>);

impl Timer {
    #[allow(clippy::unnecessary_wraps, reason = "it may fail on other systems")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Timer(Box::pin(tokio::time::sleep(Duration::ZERO))))
    }

    /// It will be ready at that moment.
    pub(super) fn set(&mut self, at: Instant, _left: Duration) {
        self.0.as_mut().reset(at.into());
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
