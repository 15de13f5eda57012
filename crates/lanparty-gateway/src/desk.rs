//! Between the host, who wants something, and the one task that has the link to the relay.

use crate::controls::{Controls, Wishes};
use crate::ctl::wire::{Answer, Request};
use lanparty_edge::ctl;
use lanparty_edge::kept_file::KeptFile;
use std::cell::RefCell;
use std::io;
use std::os::unix::net::UnixListener;
use tokio::sync::{Notify, oneshot};

/// The host's wishes, between the task that hears them and the one that has the link.
pub(crate) struct Desk {
    pub(crate) controls: RefCell<Controls>,
    /// There are orders to be taken.
    pub(crate) orders: Notify,
    waiting: RefCell<Option<oneshot::Sender<Answer>>>,
    /// Where the wishes are kept, and what was kept last.
    kept: RefCell<Option<(KeptFile, Wishes)>>,
}

impl Desk {
    /// `kept` is where the wishes are kept, and what is in it.
    pub(crate) fn new(controls: Controls, kept: Option<(KeptFile, Wishes)>) -> Self {
        Desk {
            controls: RefCell::new(controls),
            orders: Notify::new(),
            waiting: RefCell::new(None),
            kept: RefCell::new(kept),
        }
    }

    /// The relay has answered.
    pub(crate) fn answer(&self, answer: Answer) {
        if let Some(asker) = self.waiting.take() {
            // It may have lost patience.
            let _ = asker.send(answer);
        }
    }

    /// Keeps the wishes, if they have changed. What cannot be kept holds until the gateway ends.
    pub(crate) fn keep(&self) {
        let (controls, mut kept) = (self.controls.borrow(), self.kept.borrow_mut());
        let Some((file, before)) = kept.as_mut() else {
            return;
        };
        let wishes = controls.wishes();
        if wishes != before {
            before.clone_from(wishes);
            file.save(wishes, |error| {
                tracing::warn!(%error, "The next start of the gateway will not know what the host has ordered");
            });
        }
    }

    /// Hears one host after the other, for ever.
    pub(crate) async fn serve(&self, listener: UnixListener) -> io::Result<()> {
        ctl::serve(listener, |request| self.hear(request)).await
    }

    async fn hear(&self, request: Request) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        self.waiting.replace(Some(sender));
        let at_once = self.controls.borrow_mut().handle_request(request);
        self.keep();
        if let Some(answer) = at_once {
            self.answer(answer);
        }
        self.orders.notify_one();
        answer.await.ok()
    }
}
