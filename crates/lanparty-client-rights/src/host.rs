//! What a program and Windows' service manager agree on.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a service has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Asked,
    /// It could not begin; the same would happen at once again.
    Unable,
    /// A part of it has failed: Windows shall start it anew.
    Failed,
}

/// How a service is doing, for the service manager.
pub(crate) trait Tell: Send + Sync {
    fn tell(&self, standing: Standing);
}

/// Where a service stands between its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(windows), allow(dead_code, reason = "there is no service manager"))]
pub(crate) enum Standing {
    Starting,
    Running,
    Stopping,
    Stopped(Ended),
}

/// The service manager, as the program sees it that it has started.
#[derive(Clone)]
pub struct Manager {
    pub(crate) line: Arc<dyn Tell>,
    pub(crate) stop: Stop,
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Manager")
    }
}

impl Manager {
    /// The service can be used from now on.
    pub fn runs(&self) {
        self.line.tell(Standing::Running);
    }

    /// The service is about to end.
    pub fn ends(&self) {
        self.line.tell(Standing::Stopping);
    }

    /// The service is asked to end, by an administrator or because Windows does; once.
    pub fn when_asked_to_stop(&self, act: impl FnOnce() + Send + 'static) {
        self.stop.then(Box::new(act));
    }
}

type Act = Box<dyn FnOnce() + Send>;

/// Joins the order to stop and who waits for it, whichever comes first.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<Mutex<Waiting>>);

#[derive(Default)]
enum Waiting {
    #[default]
    Nothing,
    For(Act),
    Ordered,
}

impl Stop {
    /// It is asked for.
    #[cfg_attr(not(windows), allow(dead_code, reason = "there is no service manager"))]
    pub(crate) fn order(&self) {
        let before = std::mem::replace(&mut *self.lock(), Waiting::Ordered);
        if let Waiting::For(act) = before {
            act();
        }
    }

    fn then(&self, act: Act) {
        let mut waiting = self.lock();
        match *waiting {
            Waiting::Ordered => act(),
            Waiting::Nothing | Waiting::For(_) => *waiting = Waiting::For(act),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn an_order_to_stop_is_heard_whenever_it_comes() {
        let (sender, heard) = channel();
        let (early, late) = (Stop::default(), Stop::default());
        early.order();
        for stop in [&early, &late] {
            let sender = sender.clone();
            stop.then(Box::new(move || sender.send(()).unwrap()));
        }
        assert_eq!(heard.try_iter().count(), 1);
        late.order();
        late.order();
        assert_eq!(heard.try_iter().count(), 1);
    }
}
