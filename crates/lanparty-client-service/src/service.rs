//! The service around the desk: runs sessions, keeps what must outlive it, and hands answers out.

mod keeper;
mod looks;
mod session;

use crate::Caller;
use crate::desk::{Desk, Failure, News, Output, Ticket, Wanted};
use crate::place::{Place, Wishes};
use anyhow::Result;
use keeper::{Found, Keeper};
use lanparty_client_control::{Answer, Request, Snapshot, State};
use lanparty_ctrl::RoomKey;
use lanparty_edge::state_folder::StateFolder;
use lanparty_peer::relay_args::TcpArgs;
use looks::Looks;
use session::Running;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{oneshot, watch};

/// What a service is started with.
#[derive(Debug)]
pub struct Options {
    /// The version of the program, for views of another one.
    pub program: &'static str,
    /// Where it keeps what must outlive it.
    pub state: StateFolder,
    /// Whether TCP may carry what UDP does not.
    pub tcp: TcpArgs,
    /// Whether all frames go by relays.
    pub relay_only: bool,
}

/// The desk, and what its orders are carried out with.
#[derive(Debug)]
pub(crate) struct Service<P> {
    place: P,
    options: Options,
    desk: RefCell<Desk>,
    keeper: Keeper,
    looks: Looks,
    /// What was kept could not be read, and lies where the next version goes.
    is_in_the_way: Cell<bool>,
    running: RefCell<Option<Running>>,
    wishes: Rc<Wishes>,
    next_ticket: Cell<Ticket>,
    waiting: RefCell<HashMap<Ticket, oneshot::Sender<Answer>>>,
    /// Counts the changes.
    changes: watch::Sender<u64>,
    /// What the system was told last.
    told: Cell<Option<State>>,
    stand_in: session::StandIn,
}

impl<P: Place> Service<P> {
    pub(crate) fn new(place: P, options: Options) -> Self {
        let Found {
            mut kept,
            is_in_the_way,
        } = keeper::load(&options.state);
        let (boot, now) = (place.boot(), Instant::now());
        if is_in_the_way {
            // That a service has started is no reason to write in its place.
            kept.is_first_start(boot.clone());
        }
        Service {
            desk: RefCell::new(Desk::new(now, options.program, boot, kept)),
            place,
            options,
            keeper: Keeper::default(),
            looks: Looks::default(),
            is_in_the_way: Cell::new(is_in_the_way),
            running: RefCell::new(None),
            wishes: Rc::default(),
            next_ticket: Cell::new(0),
            waiting: RefCell::default(),
            changes: watch::Sender::new(0),
            told: Cell::default(),
            stand_in: session::StandIn::default(),
        }
    }

    /// Asks the desk for somebody.
    pub(crate) async fn ask(self: &Rc<Self>, caller: &Caller, request: Request) -> Answer {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        let (sender, answer) = oneshot::channel();
        self.waiting.borrow_mut().insert(ticket, sender);
        self.act(|desk, now| desk.handle_request(now, today(), ticket, caller, request));
        let silence = || Answer::Refused("the service ends; ask again in a moment".to_owned());
        answer.await.unwrap_or_else(|_| silence())
    }

    /// How things stand, for somebody.
    pub(crate) fn snapshot(&self, caller: &Caller) -> Snapshot {
        let desk = self.desk.borrow();
        desk.snapshot(Instant::now(), today(), caller)
    }

    /// Hears of changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Nothing more is kept than what waits for it.
    pub(crate) fn finish_keeping(&self) {
        self.keeper.finish();
    }

    /// Has the desk do something, and does what it then wants done.
    pub(crate) fn act(self: &Rc<Self>, action: impl FnOnce(&mut Desk, Instant)) {
        action(&mut self.desk.borrow_mut(), Instant::now());
        loop {
            let output = self.desk.borrow_mut().poll_output();
            match output {
                Some(output) => self.perform(output),
                None => break,
            }
        }
        self.tell_system();
        self.changes.send_modify(|count| *count += 1);
    }

    fn tell_system(&self) {
        let state = self.desk.borrow().state();
        if self.told.replace(Some(state)) != Some(state) {
            self.place.tell(&state.to_string());
        }
    }

    fn perform(self: &Rc<Self>, output: Output) {
        match output {
            Output::Answer(ticket, answer) => self.answer(ticket, answer),
            Output::Begin(wanted) => self.begin(*wanted),
            Output::Stop(words) => {
                if let Some(running) = &mut *self.running.borrow_mut() {
                    running.stop(words);
                }
            }
            Output::RenewAddress => self.wishes.renew_address(),
            Output::Repair(ticket) => self.answer(ticket, outcome(self.place.repair())),
            Output::LetPartyThrough(ticket) => {
                self.answer(ticket, outcome(self.place.let_party_through()));
            }
            Output::Doctor(ticket, snapshot) => {
                if self.looks.ask(ticket, *snapshot) {
                    tokio::task::spawn_local(self.clone().examine());
                }
            }
            Output::Save(kept) => {
                self.keeper.keep(&kept);
                self.place.begin_with_machine(kept.begins_with_machine());
            }
        }
    }

    fn answer(&self, ticket: Ticket, answer: Answer) {
        if let Some(sender) = self.waiting.borrow_mut().remove(&ticket) {
            // Who has gone meanwhile needs none.
            let _ = sender.send(answer);
        }
    }

    /// Frames do not wait for a look at the machine.
    async fn examine(self: Rc<Self>) {
        while let Some(snapshot) = self.looks.current() {
            let (tunnel, asked) = looks::tunnel();
            let look = move || lanparty_doctor::examine_as_service(snapshot, Box::new(tunnel));
            let rows = tokio::select! {
                rows = tokio::task::spawn_blocking(look) => rows,
                never = looks::through_tunnel(asked, &self.wishes) => match never {},
            };
            let failed = |_| Answer::Refused("the look at this machine has failed".to_owned());
            let answer = rows.map_or_else(failed, Answer::Rows);
            for ticket in self.looks.finish() {
                self.answer(ticket, answer.clone());
            }
        }
    }

    fn begin(self: &Rc<Self>, wanted: Wanted) {
        let (stop, stopped) = oneshot::channel();
        let service = self.clone();
        let task = tokio::task::spawn_local(async move {
            let ended = session::play(&service, &wanted, stopped).await;
            service.running.borrow_mut().take();
            if let Err(failure) = &ended {
                tracing::warn!(sentence = %failure.sentence, "The session has ended");
            }
            service.act(|desk, now| desk.handle_ended(now, ended));
        });
        *self.running.borrow_mut() = Some(Running::new(stop, task));
    }

    fn hear(self: &Rc<Self>, news: News) {
        self.act(|desk, now| desk.handle_news(now, news));
    }

    fn keep_key(self: &Rc<Self>, key: &RoomKey) {
        self.act(|desk, _| desk.handle_new_key(key));
    }

    /// Lets the desk know when its time has come.
    pub(crate) async fn wake(self: Rc<Self>) {
        let mut changes = self.changes();
        loop {
            let deadline = self.desk.borrow().poll_timeout();
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep_until(deadline) => self.act(Desk::handle_timeout),
            }
        }
    }

    /// Writes what is to be kept, and says whether that worked.
    pub(crate) async fn keep(self: Rc<Self>) {
        while let Some(json) = self.keeper.next().await {
            let is_in_the_way = self.is_in_the_way.get();
            let saved = keeper::write(&self.options.state, json, is_in_the_way).await;
            self.is_in_the_way.set(is_in_the_way && saved.is_err());
            self.act(|desk, _| desk.handle_saved(saved));
        }
    }

    pub(crate) async fn session_ends(&self) {
        let mut changes = self.changes();
        while self.running.borrow().is_some() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

/// The time in seconds since 1970.
pub(crate) fn today() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn outcome(done: Result<String>) -> Answer {
    let refused = |error: anyhow::Error| Answer::Refused(lanparty_client_core::sentence(&*error));
    done.map_or_else(refused, Answer::Done)
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
