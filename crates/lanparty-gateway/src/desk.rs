//! Between the host, who wants something, and the one task that has the link to the relay.

use crate::controls::{Controls, Wishes};
use crate::figures::Figures;
use lanparty_edge::ctl;
use lanparty_edge::kept_file::KeptFile;
use lanparty_gateway_control::{Answer, Port, Request};
use std::cell::RefCell;
use std::io;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// How long a host waits to hear that an order is kept.
const DISK: Duration = Duration::from_secs(1);

/// The answer, with what the host must know if the order ends with the gateway.
async fn with_trouble(answer: Answer, trouble: Option<oneshot::Receiver<String>>) -> Answer {
    let (Answer::Done(sentence), Some(trouble)) = (&answer, trouble) else {
        return answer;
    };
    match tokio::time::timeout(DISK, trouble).await {
        Ok(Ok(why)) => Answer::Done(format!(
            "{sentence} But the gateway cannot keep that ({why}): order it again after the gateway's next start."
        )),
        Ok(Err(_)) | Err(_) => answer,
    }
}

/// The host's wishes, between the task that hears them and the one that has the link.
pub(crate) struct Desk {
    pub(crate) controls: RefCell<Controls>,
    /// What has been carried so far.
    pub(crate) figures: RefCell<Figures>,
    /// There are orders to be taken.
    pub(crate) orders: Notify,
    /// How players come in, where the relay runs beside the gateway.
    pub(crate) port: RefCell<Option<Port>>,
    waiting: RefCell<Option<oneshot::Sender<Answer>>>,
    /// Where the wishes are kept, if anywhere.
    file: RefCell<Option<KeptFile>>,
    /// What was kept last.
    known: RefCell<Wishes>,
}

impl Desk {
    /// `kept` is where the wishes are kept, and what is in it.
    pub(crate) fn new(controls: Controls, kept: Option<(KeptFile, Wishes)>) -> Self {
        let (file, known) = match kept {
            Some((file, wishes)) => (Some(file), wishes),
            None => (None, controls.wishes().clone()),
        };
        Desk {
            controls: RefCell::new(controls),
            figures: RefCell::default(),
            orders: Notify::new(),
            port: RefCell::default(),
            waiting: RefCell::new(None),
            file: RefCell::new(file),
            known: RefCell::new(known),
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
        drop(self.keep_or_say());
    }

    /// The same; where it goes wrong, the receiver hears why, and otherwise that nobody has anything to say.
    fn keep_or_say(&self) -> Option<oneshot::Receiver<String>> {
        let (controls, mut known) = (self.controls.borrow(), self.known.borrow_mut());
        let wishes = controls.wishes();
        if wishes == &*known {
            return None;
        }
        known.clone_from(wishes);
        let (sender, trouble) = oneshot::channel();
        match self.file.borrow_mut().as_mut() {
            Some(file) => file.save(wishes, |error| {
                tracing::warn!(%error, "The next start of the gateway will not know what the host has ordered");
                // Whoever ordered it may not be listening any more.
                let _ = sender.send(error.to_string());
            }),
            None => drop(sender.send("it has no file for that".to_owned())),
        }
        Some(trouble)
    }

    /// Hears one host after the other, for ever.
    pub(crate) async fn serve(&self, listener: UnixListener) -> io::Result<()> {
        ctl::serve(listener, |request| self.hear(request)).await
    }

    async fn hear(&self, request: Request) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        self.waiting.replace(Some(sender));
        self.controls.borrow_mut().age_games(Instant::now());
        let at_once = self.controls.borrow_mut().handle_request(request);
        let trouble = self.keep_or_say();
        self.orders.notify_one();
        if let Some(at_once) = at_once {
            self.answer(with_trouble(at_once, trouble).await);
        }
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_gateway_control::InviteFacts;
    use std::path::Path;

    fn desk(kept: Option<KeptFile>) -> Desk {
        let room = InviteFacts {
            relay: "r.example:443".into(),
            also: Vec::new(),
            room: "EVENING".parse().unwrap(),
            host: None,
            pin: None,
            keys: "/keys".into(),
        };
        let controls = Controls::new(room, false, Wishes::default());
        Desk::new(controls, kept.map(|file| (file, Wishes::default())))
    }

    async fn lock(desk: &Desk) -> String {
        match desk.hear(Request::Lock { on: true }).await {
            Some(Answer::Done(sentence)) => sentence,
            _ => panic!("it is not done"),
        }
    }

    #[tokio::test]
    async fn a_host_hears_that_an_order_will_be_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptFile::open(&folder.path().join("orders.json")).unwrap();
        let said = lock(&desk(Some(kept))).await;
        assert!(!said.contains("cannot keep"), "{said}");
        assert!(
            lock(&desk(None))
                .await
                .contains("cannot keep that (it has no file for that)")
        );
        // A device that is always full.
        let full = KeptFile::open(Path::new("/dev/full")).unwrap();
        let said = lock(&desk(Some(full))).await;
        assert!(
            said.contains("cannot keep that (") && said.contains("next start"),
            "{said}"
        );
    }
}
