//! Turns of a task that carries a connection within one program.

use super::{Connection, lock};
use crate::engine::after_others;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Longer than a program runs.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What wakes the task for its next turn.
#[derive(Debug)]
pub(crate) struct Drive {
    connection: Connection,
    /// Set to the earliest moment that was asked for since it was over last.
    sleep: Pin<Box<Sleep>>,
}

impl Drive {
    pub(super) fn new(connection: &Connection) -> Self {
        Drive {
            connection: connection.clone(),
            // Whatever moment is asked for first comes before it.
            sleep: Box::pin(tokio::time::sleep(NEVER)),
        }
    }

    /// Has the task woken for what comes, for the end, or `at` that moment.
    pub(crate) fn rest(&mut self, cx: &mut Context<'_>, at: Option<Instant>) {
        let is_due = {
            let mut frames = lock(&self.connection.way_here().frames);
            frames.wake_by(cx.waker());
            !frames.is_empty() || frames.is_over()
        };
        if is_due || at.is_some_and(|at| self.is_over(cx, at)) {
            after_others(cx);
        }
    }

    /// True when that moment is over; else the task is woken then, or before.
    fn is_over(&mut self, cx: &mut Context<'_>, at: Instant) -> bool {
        if at <= Instant::now() {
            return true;
        }
        if self.sleep.is_elapsed() || self.sleep.deadline() > at.into() {
            self.sleep.as_mut().reset(at.into());
        }
        self.sleep.as_mut().poll(cx).is_ready()
    }
}
