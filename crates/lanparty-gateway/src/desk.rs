//! Between the host, who wants something, and the one task that has the link to the relay.

mod inviter;
mod places;
mod rounds;
#[cfg(test)]
mod tests;

pub(crate) use inviter::Inviter;

use crate::controls::{Controls, Wishes};
use crate::figures::Figures;
use crate::picture::{About, Moment, Picture};
use lanparty_ctrl::RelayMessage;
use lanparty_edge::address::RelayAddress;
use lanparty_edge::ctl;
use lanparty_edge::kept_file::KeptFile;
use lanparty_gateway_control::{
    Answer, Line, Mark, Order, PageFacts, Players, Port, Request, Snapshot, Teller,
};
use rounds::{Rounds, Waiter};
use std::cell::RefCell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::MissedTickBehavior;

/// How long a host waits to hear that an order is kept.
const DISK: Duration = Duration::from_secs(1);
/// And to hear that the relay has followed it.
const RELAY: Duration = Duration::from_secs(3);
/// How often snapshots go out by themselves.
const SECOND: Duration = Duration::from_secs(1);
/// And how often at most when much happens.
const BREATH: Duration = Duration::from_millis(100);
const UNCONFIRMED: &str =
    " But the relay has not confirmed that yet: look at `lanparty-gateway ctl list`.";

/// What comes of a request, sooner or later; nothing when the gateway ends.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Option<Answer>> + Send>>;

/// The host's wishes, between the task that hears them and the one that has the link.
pub(crate) struct Desk {
    pub(crate) controls: RefCell<Controls>,
    /// What has been carried so far.
    pub(crate) figures: RefCell<Figures>,
    pub(crate) picture: RefCell<Picture>,
    /// There are orders to be taken.
    pub(crate) orders: Notify,
    /// Something has happened that views should hear of at once.
    changed: Notify,
    rounds: RefCell<Rounds>,
    /// Who waits for relays.
    waiting: RefCell<places::Waiting>,
    pub(crate) inviter: RefCell<Inviter>,
    /// Where the party page is.
    page: RefCell<PageFacts>,
    /// Where the wishes are kept, if anywhere.
    file: RefCell<Option<KeptFile>>,
    /// What was kept last, and when.
    known: RefCell<(Wishes, Instant)>,
    /// Why that did not work, and when.
    trouble: Arc<Mutex<Option<(Instant, String)>>>,
    teller: Teller,
    line: Line,
    from_line: RefCell<Option<mpsc::Receiver<Order>>>,
    /// What was done elsewhere, and goes on here.
    done: mpsc::UnboundedSender<inviter::Kept>,
    from_elsewhere: RefCell<Option<mpsc::UnboundedReceiver<inviter::Kept>>>,
}

impl Desk {
    /// `kept` is where the wishes are kept, and what is in it.
    pub(crate) fn new(
        controls: Controls,
        kept: Option<(KeptFile, Wishes)>,
        picture: Picture,
        inviter: Inviter,
    ) -> Self {
        let (file, known) = match kept {
            Some((file, wishes)) => (Some(file), wishes),
            None => (None, controls.wishes().clone()),
        };
        let now = Instant::now();
        let (teller, orders, line) =
            lanparty_gateway_control::line(picture.snapshot(now, &controls));
        let (done, elsewhere) = mpsc::unbounded_channel();
        Desk {
            controls: RefCell::new(controls),
            figures: RefCell::default(),
            picture: RefCell::new(picture),
            orders: Notify::new(),
            changed: Notify::new(),
            rounds: RefCell::new(Rounds::default()),
            waiting: RefCell::default(),
            inviter: RefCell::new(inviter),
            page: RefCell::default(),
            file: RefCell::new(file),
            known: RefCell::new((known, now)),
            trouble: Arc::default(),
            teller,
            line,
            from_line: RefCell::new(Some(orders)),
            done,
            from_elsewhere: RefCell::new(Some(elsewhere)),
        }
    }

    /// For a view in the same program.
    pub(crate) fn line(&self) -> Line {
        self.line.clone()
    }

    /// The party page is shown there, or is not.
    pub(crate) fn note_page(&self, facts: PageFacts) {
        self.page.replace(facts);
    }

    /// How everything stands.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let controls = self.controls.borrow();
        self.picture.borrow().snapshot(Instant::now(), &controls)
    }

    /// How players come in from outside.
    pub(crate) fn note_port(&self, port: Option<Port>) {
        self.picture.borrow_mut().note_port(port);
        self.tell_soon();
    }

    /// Invites say from now on that the relay is there, and also there.
    pub(crate) fn note_place(&self, relay: &RelayAddress, also: &[SocketAddr]) {
        let mut controls = self.controls.borrow_mut();
        controls.note_place(relay.to_string(), also.to_vec());
        let mut inviter = self.inviter.borrow_mut();
        inviter.relay = relay.clone();
        inviter.also = also.to_vec();
    }

    /// Something has happened that views should hear of at once.
    pub(crate) fn tell_soon(&self) {
        self.changed.notify_one();
    }

    /// Takes in what the relay says; who waits for its word has it then.
    pub(crate) fn handle_control(&self, message: &RelayMessage) {
        let members = self.controls.borrow_mut().handle_control(message);
        if let Some(members) = members {
            self.handle_members(members);
        }
        self.keep();
        self.tell_soon();
    }

    fn handle_members(&self, members: Players) {
        let now = Instant::now();
        self.picture.borrow_mut().note_members(now, members.clone());
        let (waiters, again) = self.rounds.borrow_mut().handle_answer(now);
        if again {
            self.ask_for_members();
        }
        let members = self.picture.borrow().with_ways(now, members);
        self.serve_waiters(waiters, Some(&members));
    }

    fn serve_waiters(&self, waiters: Vec<Waiter>, members: Option<&Players>) {
        for waiter in waiters {
            // Each may have lost patience.
            match waiter {
                Waiter::Word(sender) => drop(sender.send(members.is_some())),
                Waiter::Snapshot(sender) => {
                    drop(sender.send(Answer::Snapshot(Box::new(self.snapshot()))));
                }
                Waiter::List(sender) => drop(sender.send(match members {
                    Some(members) => Answer::Players(Box::new(members.clone())),
                    None => Answer::Refused(crate::controls::NO_LINK.to_owned()),
                })),
            }
        }
    }

    fn ask_for_members(&self) {
        self.controls.borrow_mut().ask_for_members();
        self.orders.notify_one();
    }

    /// The link is gone, and with it everybody in the room.
    pub(crate) fn handle_lost_link(&self, sentence: &str) {
        self.controls.borrow_mut().handle_lost_link();
        let now = Instant::now();
        self.picture.borrow_mut().note_no_link(now, sentence);
        let waiters = self.rounds.borrow_mut().handle_lost_link();
        self.serve_waiters(waiters, None);
        self.tell_soon();
    }

    /// Keeps the wishes, if they have changed. What cannot be kept holds until the gateway ends.
    pub(crate) fn keep(&self) {
        drop(self.keep_or_say());
    }

    /// The same; where it goes wrong, the receiver hears why, and otherwise that nobody has anything to say.
    fn keep_or_say(&self) -> Option<oneshot::Receiver<String>> {
        let (controls, mut known) = (self.controls.borrow(), self.known.borrow_mut());
        let wishes = controls.wishes();
        if *wishes == known.0 {
            return None;
        }
        *known = (wishes.clone(), Instant::now());
        let (sender, trouble) = oneshot::channel();
        let told = self.trouble.clone();
        let complain = move |why: String| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            *told = Some((Instant::now(), why.clone()));
            // Whoever ordered it may not be listening any more.
            let _ = sender.send(why);
        };
        match self.file.borrow_mut().as_mut() {
            Some(file) => file.save(wishes, |error| {
                tracing::warn!(%error, "The next start of the gateway will not know what the host has ordered");
                complain(error.to_string());
            }),
            None => complain("it has no file for that".to_owned()),
        }
        Some(trouble)
    }

    /// Why the wishes are not kept, if they are not: a disk takes its time, until then it is as it was.
    fn not_kept(&self, now: Instant) -> Option<String> {
        let (_, tried) = *self.known.borrow();
        let told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = told.as_ref()?;
        (*at >= tried || now < tried + DISK).then(|| why.clone())
    }

    /// Hears hosts at the socket and by the line, for as long as the gateway runs.
    pub(crate) async fn serve(&self, listener: Option<UnixListener>) -> Infallible {
        tokio::select! {
            never = self.attend() => never,
            never = self.hear_socket(listener) => never,
        }
    }

    async fn hear_socket(&self, listener: Option<UnixListener>) -> Infallible {
        if let Some(listener) = listener
            && let Err(error) = ctl::serve(listener, |request| self.hear(request)).await
        {
            tracing::warn!(%error, "`lanparty-gateway ctl` does not reach this gateway");
        }
        std::future::pending().await
    }

    /// Hears views in the same program, and tells them how things stand.
    async fn attend(&self) -> Infallible {
        let (mut line, mut elsewhere) = (self.from_line.take(), self.from_elsewhere.take());
        let mut second = tokio::time::interval(SECOND);
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told_at = tokio::time::Instant::now();
        loop {
            tokio::select! {
                Some(order) = receive(&mut line) => self.follow_line(order),
                Some(kept) = receive_kept(&mut elsewhere) => self.use_key(kept),
                _ = second.tick() => {
                    self.handle_second();
                    told_at = tokio::time::Instant::now();
                }
                () = self.news_after(told_at + BREATH) => {
                    self.tell();
                    told_at = tokio::time::Instant::now();
                }
            }
        }
    }

    async fn news_after(&self, breath: tokio::time::Instant) {
        tokio::time::sleep_until(breath).await;
        self.changed.notified().await;
    }

    fn follow_line(&self, Order { request, answer }: Order) {
        let pending = self.hear(request);
        tokio::spawn(async move {
            if let Some(answered) = pending.await {
                // Its view may be gone.
                let _ = answer.send(answered);
            }
        });
    }

    fn handle_second(&self) {
        let now = moment();
        self.controls.borrow_mut().age_games(now.instant);
        let not_kept = self.not_kept(now.instant);
        {
            let (mut picture, controls) = (self.picture.borrow_mut(), self.controls.borrow());
            picture.note_kept(not_kept);
            picture.handle_second(now, &controls);
        }
        self.answer_about_relays();
        let (late, again) = self.rounds.borrow_mut().handle_timeout(now.instant);
        self.serve_waiters(late, None);
        let is_obeyed = self.controls.borrow().is_obeyed();
        let looks = self.teller.looks() > 0;
        if is_obeyed && (again || self.rounds.borrow_mut().begin_if_due(now.instant, looks)) {
            self.ask_for_members();
        }
        self.tell();
    }

    fn tell(&self) {
        let now = moment();
        let controls = self.controls.borrow();
        let mut picture = self.picture.borrow_mut();
        picture.settle(now, &controls);
        self.teller.tell(picture.snapshot(now.instant, &controls));
    }

    /// Does what the host wants, at once; what comes of it is known later.
    pub(crate) fn hear(&self, request: Request) -> Pending {
        let now = Instant::now();
        self.controls.borrow_mut().age_games(now);
        match request {
            Request::Snapshot => self.show(now),
            Request::Invite { hours } => self.invite(hours),
            Request::NewKey => self.renew_key(),
            Request::Relays => self.look_at_relays(now),
            Request::MoveTo { relay } => self.move_to(now, &relay),
            Request::Page => {
                let facts = Answer::Page(self.page.borrow().clone());
                Box::pin(std::future::ready(Some(facts)))
            }
            request => self.follow(now, request),
        }
    }

    /// The snapshot, with the relay's newest word.
    fn show(&self, now: Instant) -> Pending {
        self.rounds.borrow_mut().look(now);
        if !self.controls.borrow().is_obeyed() {
            let snapshot = Answer::Snapshot(Box::new(self.snapshot()));
            return Box::pin(std::future::ready(Some(snapshot)));
        }
        let (sender, answer) = oneshot::channel();
        self.wait_for_relay(now, Waiter::Snapshot(sender));
        Box::pin(async { answer.await.ok() })
    }

    fn wait_for_relay(&self, now: Instant, waiter: Waiter) {
        if self.rounds.borrow_mut().join(now, waiter) {
            self.ask_for_members();
        }
    }

    fn follow(&self, now: Instant, request: Request) -> Pending {
        let is_order = is_order(&request);
        let at_once = self.controls.borrow_mut().handle_request(request);
        let trouble = self.keep_or_say();
        self.orders.notify_one();
        match at_once {
            None => {
                let (sender, answer) = oneshot::channel();
                self.wait_for_relay(now, Waiter::List(sender));
                Box::pin(async { answer.await.ok() })
            }
            Some(Answer::Done(sentence)) if is_order => {
                let mut picture = self.picture.borrow_mut();
                picture.note_event(moment(), About::Order, Mark::Note, &sentence);
                drop(picture);
                self.tell_soon();
                let word = self.word_of_relay(now);
                Box::pin(async {
                    let confirmed = confirmed(sentence, word).await;
                    Some(Answer::Done(with_trouble(confirmed, trouble).await))
                })
            }
            Some(answer) => Box::pin(std::future::ready(Some(answer))),
        }
    }

    /// The relay's word that it has followed what was ordered so far, if there is one that does.
    fn word_of_relay(&self, now: Instant) -> Option<oneshot::Receiver<bool>> {
        let is_obeyed = self.controls.borrow().is_obeyed();
        is_obeyed.then(|| {
            let (sender, word) = oneshot::channel();
            self.wait_for_relay(now, Waiter::Word(sender));
            word
        })
    }
}

/// The sentence, with what the host must know if the relay does not say that it has followed.
async fn confirmed(sentence: String, word: Option<oneshot::Receiver<bool>>) -> String {
    let Some(word) = word else {
        return sentence;
    };
    match tokio::time::timeout(RELAY, word).await {
        Ok(Ok(true)) => sentence,
        Ok(Ok(false) | Err(_)) | Err(_) => sentence + UNCONFIRMED,
    }
}

/// The sentence, with what the host must know if the order ends with the gateway.
async fn with_trouble(sentence: String, trouble: Option<oneshot::Receiver<String>>) -> String {
    let Some(trouble) = trouble else {
        return sentence;
    };
    match tokio::time::timeout(DISK, trouble).await {
        Ok(Ok(why)) => format!(
            "{sentence} But the gateway cannot keep that ({why}): order it again after the gateway's next start."
        ),
        Ok(Err(_)) | Err(_) => sentence,
    }
}

/// True for what the host wants changed: it stands among the evening's events.
fn is_order(request: &Request) -> bool {
    match request {
        Request::Kick { .. }
        | Request::Ban { .. }
        | Request::Unban { .. }
        | Request::Lock { .. }
        | Request::Mute { .. }
        | Request::Isolate { .. }
        | Request::Rotate { .. }
        | Request::Rename { .. }
        | Request::Reach { .. }
        | Request::Allow { .. }
        | Request::Disallow { .. }
        | Request::MoveTo { .. }
        | Request::NewKey => true,
        Request::Snapshot
        | Request::List
        | Request::Reaches
        | Request::Bans
        | Request::Stats
        | Request::Games
        | Request::InviteFacts
        | Request::Page
        | Request::Relays
        | Request::Invite { .. } => false,
    }
}

async fn receive(line: &mut Option<mpsc::Receiver<Order>>) -> Option<Order> {
    match line {
        Some(line) => line.recv().await,
        None => std::future::pending().await,
    }
}

async fn receive_kept(
    elsewhere: &mut Option<mpsc::UnboundedReceiver<inviter::Kept>>,
) -> Option<inviter::Kept> {
    match elsewhere {
        Some(elsewhere) => elsewhere.recv().await,
        None => std::future::pending().await,
    }
}

/// Now, by both clocks.
pub(crate) fn moment() -> Moment {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    Moment {
        instant: Instant::now(),
        unix: unix.unwrap_or_default().as_secs(),
    }
}
