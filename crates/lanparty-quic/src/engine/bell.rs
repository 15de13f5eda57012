//! How a loop hears that something was put down for it, by others who do not wait for its lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Something has come, and whether the loop has to be woken for that.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Something has come since it was looked into last.
    has_rung: AtomicBool,
    /// Nobody looks into it before being woken.
    is_asleep: AtomicBool,
    sleeper: Mutex<Option<Waker>>,
}

impl Bell {
    /// The loop has a turn.
    pub(super) fn awake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }

    /// Has the loop take a turn.
    pub(super) fn ring(&self) {
        // Both orders matter: either the loop that goes to sleep sees this, or we see that it sleeps.
        self.has_rung.store(true, Ordering::SeqCst);
        if self.is_asleep.swap(false, Ordering::SeqCst)
            && let Some(sleeper) = lock(&self.sleeper).take()
        {
            sleeper.wake();
        }
    }

    /// True when something has come since this was asked last.
    pub(super) fn answer(&self) -> bool {
        self.has_rung.swap(false, Ordering::SeqCst)
    }

    /// Has the task woken for what comes from now on. False when something has come already.
    pub(super) fn sleep(&self, cx: &Context<'_>) -> bool {
        *lock(&self.sleeper) = Some(cx.waker().clone());
        self.is_asleep.store(true, Ordering::SeqCst);
        !self.has_rung.load(Ordering::SeqCst)
    }
}

/// Nothing that panics while it holds such a lock leaves more than frames that are lost.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
