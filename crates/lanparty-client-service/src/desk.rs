//! What the service decides: one state machine, which people's requests and the session's news come to.
//!
//! It does nothing itself. The time is an argument; answers and orders come out of [`Desk::poll_output`].

mod kept;
mod minute;
mod picture;
mod progress;
mod requests;
#[cfg(test)]
mod tests;
mod warnings;

pub(crate) use kept::Kept;
pub(crate) use progress::News;

use crate::Caller;
use lanparty_client_control::{Answer, Secret, Snapshot, State};
use lanparty_ctrl::{Name, RoomKey};
use lanparty_edge::invite::Invite;
use progress::Progress;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// After how long a session that failed is tried again: each time twice as long, up to the last.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_secs(60);
/// A session that stood for so long starts from the first again.
const STOOD: Duration = Duration::from_secs(120);

/// Which question an answer is for.
pub(crate) type Ticket = u64;

/// What the desk wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Somebody gets an answer.
    Answer(Ticket, Answer),
    /// A session is to be run; its end is to be told.
    Begin(Box<Wanted>),
    /// The running session is to end; these are the words for the relay.
    Stop(&'static str),
    /// The running session is to get another address of the LAN.
    RenewAddress,
    /// What a killed run left is to be undone, and who asked gets the answer.
    Repair(Ticket),
    /// The party is to be let through the machine's firewall, and who asked gets the answer.
    LetPartyThrough(Ticket),
    /// A look at the machine is to be taken, and who asked gets the answer; this is how things stand.
    Doctor(Ticket, Box<Snapshot>),
    /// Something that is kept has changed.
    Save(Box<Kept>),
}

/// The party that somebody wants to be in.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Who wants it.
    pub(crate) caller: Caller,
    /// The invite, checked.
    pub(crate) invite: Invite,
    /// The invite's words.
    pub(crate) text: Secret,
    /// What the room is called among theirs.
    pub(crate) room: String,
    /// What the player wants to be called.
    pub(crate) name: Option<Name>,
    /// Whether everything shall go by the relay.
    pub(crate) relay_only: bool,
}

/// Why a session ended that should have gone on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What is wrong and what to do.
    pub(crate) sentence: String,
    /// True when the same may work later.
    pub(crate) may_pass: bool,
}

/// What becomes of the party that is wanted.
#[derive(Debug)]
enum Stage {
    /// Nothing is wanted.
    Idle,
    /// A session runs.
    Running { since: Instant },
    /// It has been asked to end.
    Stopping(Stopping),
    /// It failed, and is tried again.
    Waiting { until: Instant, failure: Failure },
    /// It failed for good; whoever wanted it should read why.
    Failed(Failure),
}

/// What follows when the session has ended.
#[derive(Debug, Default)]
struct Stopping {
    next: Option<Box<Wanted>>,
    /// Who waits for the end, and what they are told.
    answers: Vec<(Ticket, Answer)>,
}

/// The service's decisions.
#[derive(Debug)]
pub(crate) struct Desk {
    program: &'static str,
    /// Which start of the machine this is.
    boot: Option<String>,
    kept: Kept,
    wanted: Option<Box<Wanted>>,
    stage: Stage,
    progress: Progress,
    retries: u32,
    /// What is shown, and since when.
    state: (State, Instant),
    /// What the disk said when it did not take what is kept.
    not_kept: Option<String>,
    /// The service ends, and begins nothing any more.
    is_ending: bool,
    output: VecDeque<Output>,
}

impl Desk {
    /// A desk where nothing is joined.
    pub(crate) fn new(
        now: Instant,
        program: &'static str,
        boot: Option<String>,
        kept: Kept,
    ) -> Self {
        Desk {
            program,
            boot,
            kept,
            wanted: None,
            stage: Stage::Idle,
            progress: Progress::default(),
            retries: 0,
            state: (State::NotConnected, now),
            not_kept: None,
            is_ending: false,
            output: VecDeque::new(),
        }
    }

    /// Joins by itself what was joined when an earlier service ended, or what somebody wants at each start.
    pub(crate) fn resume(&mut self, now: Instant, today: u64) {
        let is_first = self.kept.is_first_start(self.boot.take());
        let to_join = self.kept.to_join(is_first);
        if is_first {
            // What was joined then was left with the machine.
            self.kept.joined = None;
            self.save();
        }
        let Some((caller, room)) = to_join else {
            return;
        };
        match self.kept_room(&caller, &room, today) {
            Ok(wanted) => {
                tracing::info!(account = %caller.account, %room, "Joins again by itself");
                self.begin(now, wanted);
            }
            Err(cause) => {
                tracing::info!(%room, %cause, "Does not join again");
                let cause = cause.trim_end_matches('.');
                let failure = Failure {
                    sentence: format!("{room} is not joined again: {cause}."),
                    may_pass: false,
                };
                self.stage = Stage::Failed(failure);
            }
        }
        self.settle(now);
    }

    /// The session has something to tell.
    pub(crate) fn handle_news(&mut self, now: Instant, news: News) {
        // One that is on its way out says nothing of the next.
        if matches!(self.stage, Stage::Running { .. }) {
            self.progress.hear(now, news);
            self.settle(now);
        }
    }

    /// The session has ended.
    pub(crate) fn handle_ended(&mut self, now: Instant, ended: Result<(), Failure>) {
        self.progress.lose_link();
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        match (stage, ended) {
            (Stage::Stopping(Stopping { next, answers }), _) => {
                let answers = answers.into_iter();
                self.output
                    .extend(answers.map(|(ticket, answer)| Output::Answer(ticket, answer)));
                match next {
                    Some(next) => self.start(now, next),
                    None => self.wanted = None,
                }
            }
            (Stage::Running { since }, Err(failure)) if failure.may_pass => {
                if now.saturating_duration_since(since) > STOOD {
                    self.retries = 0;
                }
                let wait = (FIRST_RETRY * 2u32.pow(self.retries.min(10))).min(LAST_RETRY);
                self.retries += 1;
                let until = now + wait;
                self.stage = Stage::Waiting { until, failure };
            }
            (_, Err(failure)) => {
                // The next service leaves it at that too.
                self.kept.joined = None;
                self.save();
                self.stage = Stage::Failed(failure);
            }
            (_, Ok(())) => self.wanted = None,
        }
        self.settle(now);
    }

    /// The host has given the room another key: the invite has it from now on, here and where it is kept.
    pub(crate) fn handle_new_key(&mut self, key: &RoomKey) {
        let Some(wanted) = &mut self.wanted else {
            return;
        };
        if !matches!(self.stage, Stage::Running { .. }) {
            return;
        }
        wanted.invite.key = key.clone();
        wanted.text = Secret::new(wanted.invite.reveal());
        if self
            .kept
            .renew(&wanted.caller.id, &wanted.room, &wanted.text)
        {
            self.save();
        }
    }

    /// The disk took what is kept, or did not.
    pub(crate) fn handle_saved(&mut self, saved: Result<(), String>) {
        self.not_kept = saved.err();
    }

    /// Time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Stage::Waiting { until, .. } = self.stage
            && until <= now
            && let Some(wanted) = self.wanted.clone()
        {
            self.start(now, wanted);
        }
        self.settle(now);
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting { until, .. } => Some(until),
            Stage::Idle | Stage::Running { .. } | Stage::Stopping(_) | Stage::Failed(_) => None,
        }
    }

    /// The next thing to be done; call until `None` after any of the others.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// How things stand, in one word.
    pub(crate) fn state(&self) -> State {
        self.state.0
    }

    /// True while there is a session, or one may begin by itself.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.stage, Stage::Idle | Stage::Failed(_))
    }

    /// The service ends. What is joined stays so, for the next one.
    pub(crate) fn shut_down(&mut self) {
        self.is_ending = true;
        match &mut self.stage {
            Stage::Running { .. } => {
                self.output
                    .push_back(Output::Stop("the player's service ends"));
                self.stage = Stage::Stopping(Stopping::default());
            }
            Stage::Stopping(stopping) => stopping.next = None,
            Stage::Idle | Stage::Waiting { .. } | Stage::Failed(_) => self.stage = Stage::Idle,
        }
    }

    /// Makes this the party that is wanted, and leaves the one before.
    fn begin(&mut self, now: Instant, wanted: Wanted) {
        self.kept.joined = Some(wanted.joined());
        self.save();
        let wanted = Box::new(wanted);
        match &mut self.stage {
            Stage::Running { .. } => {
                self.output
                    .push_back(Output::Stop("the player goes to another party"));
                self.stage = Stage::Stopping(Stopping {
                    next: Some(wanted.clone()),
                    answers: Vec::new(),
                });
            }
            Stage::Stopping(stopping) => stopping.next = Some(wanted.clone()),
            Stage::Idle | Stage::Waiting { .. } | Stage::Failed(_) => {
                self.start(now, wanted.clone());
            }
        }
        self.retries = 0;
        self.progress = Progress::default();
        self.wanted = Some(wanted);
    }

    fn start(&mut self, now: Instant, wanted: Box<Wanted>) {
        self.output.push_back(Output::Begin(wanted));
        self.stage = Stage::Running { since: now };
    }

    fn save(&mut self) {
        let kept = Box::new(self.kept.clone());
        self.output.push_back(Output::Save(kept));
    }

    /// The invite has led to the LAN: another one of the same room is not needed any more.
    fn prove(&mut self) {
        let Some(wanted) = &mut self.wanted else {
            return;
        };
        if let Some(room) = self.kept.prove(&wanted.caller.id, &wanted.room) {
            wanted.room = room;
            self.kept.joined = Some(wanted.joined());
            self.save();
        }
    }

    /// Notes since when the state is what it is.
    fn settle(&mut self, now: Instant) {
        let state = self.current_state();
        if state == State::Connected && !self.progress.has_been_connected {
            self.progress.has_been_connected = true;
            self.prove();
        }
        if state != self.state.0 {
            self.state = (state, now);
        }
    }
}
