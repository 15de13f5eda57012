//! An endpoint whose turns are another task's.

use super::driver::{Taken, after_others};
use super::{Connection, Shared};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

/// What moves packets while nobody holds a [`Drive`].
pub(super) struct Background(pub(super) Arc<Shared>);

impl Future for Background {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = &*self.0;
        {
            let mut state = shared.lock();
            match &mut state.background {
                // The same one nearly always.
                Some(known) => known.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            if state.is_by_hand {
                return Poll::Pending;
            }
        }
        let mut driver = shared.driver();
        let now = Instant::now();
        let taken = driver.receive(cx, shared, now);
        if let Taken::Broken = taken {
            shared.lock().break_all();
            return Poll::Ready(());
        }
        let more = driver.hand_over(shared, now);
        driver.send(cx, shared, now);
        if shared.lock().is_over() {
            return Poll::Ready(());
        }
        match more || matches!(taken, Taken::More) || driver.gather(shared) {
            true => after_others(cx),
            false => driver.rest(cx, shared, None),
        }
        Poll::Pending
    }
}

/// The turns of an endpoint, in the hands of the task that carries frames over one of its connections: it takes
/// packets, does with them what it has to do, and has everything sent that came of it, without another task in
/// between. As long as this is there nobody else moves the endpoint's packets.
#[derive(Debug)]
pub(crate) struct Drive(Arc<Shared>);

impl Drive {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let mut drive = Drive(shared.clone());
        drive.take_up();
        drive
    }

    /// Whether they are the turns of this connection's endpoint.
    pub(crate) fn moves(&self, connection: &Connection) -> bool {
        Arc::ptr_eq(&self.0, connection.shared())
    }

    pub(crate) fn take_up(&mut self) {
        self.0.lock().is_by_hand = true;
    }

    /// The endpoint's own task moves packets again, until they are taken up.
    pub(crate) fn let_go(&mut self) {
        let mut state = self.0.lock();
        state.is_by_hand = false;
        if let Some(background) = &state.background {
            background.wake_by_ref();
        }
    }

    /// The first half of a turn: takes packets. True when there may be more of them. The connections see it when there is no
    /// socket any more.
    pub(crate) fn receive(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let shared = &self.0;
        match shared.driver().receive(cx, shared, now) {
            Taken::Broken => {
                shared.lock().break_all();
                false
            }
            Taken::More => true,
            Taken::Nothing | Taken::Some => false,
        }
    }

    /// The second half: sends what there is to send.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, now: Instant) {
        let shared = &self.0;
        shared.driver().send(cx, shared, now);
    }

    /// Has the task woken when another turn is due: for a packet, for what another task wants sent, for a connection's own
    /// reasons, or `at` that moment.
    pub(crate) fn rest(&mut self, cx: &mut Context<'_>, at: Option<Instant>) {
        let shared = &self.0;
        shared.driver().rest(cx, shared, at);
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.let_go();
    }
}
