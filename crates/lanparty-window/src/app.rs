//! What the window knows and decides, without a window: snapshots, answers and the time go in, effects come out.

mod wishes;

use crate::invite_field::{self, InviteField, Verdict};
use crate::memory::Memory;
use crate::words;
use lanparty_client_control::connection::{DoorError, SILENCE};
use lanparty_client_control::{Answer, Fix, FixOffer, Mark, Request, Row, Snapshot, State};
use lanparty_edge::invite::Invite;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long something copied is said to be.
const COPIED: Duration = Duration::from_secs(2);

/// How things stand, as far as the window can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The service was asked and had no time yet to answer.
    Looking,
    /// There is no service to show the state of.
    Away(Absence),
    /// The state that the service told a moment ago.
    Is(State),
}

/// Why nothing is known from the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// Nobody listens.
    NotRunning,
    /// This user may not speak to it.
    NotPermitted,
    /// It says nothing any more.
    Silent,
    /// It says what this version does not understand.
    Strange,
    /// Somebody else answers, and what is known of them.
    Impostor(String),
}

impl From<&DoorError> for Absence {
    fn from(error: &DoorError) -> Self {
        match error {
            DoorError::NotRunning => Absence::NotRunning,
            DoorError::NotPermitted => Absence::NotPermitted,
            DoorError::Impostor(who) => Absence::Impostor(who.clone()),
            DoorError::Silent(_) => Absence::Silent,
            DoorError::Strange(_) => Absence::Strange,
        }
    }
}

/// What helps a user who may not speak to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// The lasting way: a membership, by a press or by hand.
    pub row: Row,
    /// Whether the system can ask an administrator for this time only.
    pub asks: bool,
}

/// Now, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// For what lasts.
    pub now: Instant,
    /// For what ends at a date.
    pub wall: SystemTime,
}

/// What the window is to do in the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask the service for these, each when the one before was done.
    Ask(Vec<Request>),
    /// Mend something, by the service or, where it cannot, by the system.
    Mend(Fix),
    /// Ask an administrator to let this window in for its life.
    LetIn,
    /// Look at this PC.
    Examine,
    /// Write down what is to be remembered.
    Remember,
    /// Close the window and go on in the tray.
    Hide,
    /// End the program; the session goes on.
    Quit,
    /// Look for a font of the system that has this letter.
    SeekFont(char),
}

/// Which part of the window is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Page {
    /// The party, or the way to one.
    #[default]
    Party,
    /// The look at this PC.
    Doctor,
    /// Name, start, text size.
    Settings,
    /// What the program changes here.
    Changes,
}

/// A question that lies over everything until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The window closes while there is a session, and no tray to go to.
    Stay,
    /// The window closes to the tray for the first time.
    ToTray,
}

/// The look at this PC, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Doctor {
    pub(crate) rows: Vec<Row>,
    pub(crate) looks: bool,
}

/// Where the invite in the field comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Source {
    #[default]
    Hand,
    Clipboard,
    Link,
}

enum Service {
    Looking(Instant),
    Speaks(Box<Snapshot>, Instant),
    Away(Absence),
}

/// The window without its window.
pub struct App {
    service: Service,
    account: Option<String>,
    has_tray: bool,
    effects: Vec<Effect>,
    seen_in_clipboard: Option<u64>,
    pub(crate) page: Page,
    pub(crate) question: Option<Question>,
    pub(crate) field: InviteField,
    pub(crate) source: Source,
    pub(crate) focus_field: bool,
    /// What was asked and is not answered yet.
    pub(crate) pending: Option<Pending>,
    /// What the last answer said, under the thing that was asked for.
    pub(crate) refusal: Option<String>,
    pub(crate) done: Option<String>,
    pub(crate) doctor: Doctor,
    /// What was offered to be mended, and waits for a second press.
    pub(crate) fix: Option<FixOffer>,
    copied: Option<(String, Instant)>,
    pub(crate) forbidden: Option<Forbidden>,
    pub(crate) memory: Memory,
    /// Letters in names that no loaded font has, and that were looked for.
    pub(crate) sought: BTreeSet<char>,
    pub(crate) seeking: bool,
}

/// Something that was asked and is not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    Join,
    Leave,
    LetIn,
    Fix,
    Other,
}

impl App {
    /// A window that has just opened. `account` is the user's name on this machine.
    pub fn new(memory: Memory, account: Option<String>, now: Instant) -> Self {
        App {
            service: Service::Looking(now),
            account,
            has_tray: false,
            effects: Vec::new(),
            seen_in_clipboard: None,
            page: Page::Party,
            question: None,
            field: InviteField::default(),
            source: Source::Hand,
            focus_field: true,
            pending: None,
            refusal: None,
            done: None,
            doctor: Doctor::default(),
            fix: None,
            copied: None,
            forbidden: None,
            memory,
            sought: BTreeSet::new(),
            seeking: false,
        }
    }

    // What is heard.

    /// The service says how things stand. True when that looks different from before.
    pub fn heard(&mut self, snapshot: Snapshot, now: Instant) -> bool {
        let before = self.snapshot(now).map(without_clocks);
        let differs = before.as_ref() != Some(&without_clocks(&snapshot));
        let began = self.snapshot(now).is_none_or(|old| !old.state.is_session());
        if began && snapshot.state.is_session() {
            self.refusal = None;
        }
        if self.snapshot(now).is_some_and(|old| old.state.is_session())
            && !snapshot.state.is_session()
        {
            self.focus_field = true;
        }
        self.service = Service::Speaks(Box::new(snapshot), now);
        differs
    }

    /// The service cannot be heard. True when that is new.
    pub fn not_heard(&mut self, error: &DoorError) -> bool {
        let absence = Absence::from(error);
        let known = matches!(&self.service, Service::Away(before) if *before == absence);
        self.service = Service::Away(absence);
        !known
    }

    /// What helps this user, who may not speak to it. True when that is new.
    pub fn forbidden(&mut self, forbidden: Forbidden) -> bool {
        let known = self.forbidden.as_ref() == Some(&forbidden);
        self.forbidden = Some(forbidden);
        !known
    }

    /// The service answers what was asked last.
    pub fn answered(&mut self, answer: Result<Answer, DoorError>) {
        let was = self.pending.take();
        (self.done, self.refusal) = match answer {
            Ok(Answer::Refused(sentence)) => (None, Some(sentence)),
            Ok(_) => (None, None),
            Err(error) => (None, Some(sentence(&error.to_string()))),
        };
        if was == Some(Pending::Join) && self.refusal.is_none() {
            self.field.clear();
        }
    }

    /// Something was mended, and what that did; or it was not, and why.
    pub fn mended(&mut self, outcome: Result<String, String>) {
        self.pending = None;
        (self.done, self.refusal) = match outcome {
            Ok(done) => (Some(done).filter(|it| !it.is_empty()), None),
            Err(cause) => (None, Some(sentence(&cause))),
        };
        if self.page == Page::Doctor {
            self.examine();
        }
    }

    /// The look at this PC is done.
    pub fn examined(&mut self, rows: Vec<Row>) {
        self.doctor = Doctor { rows, looks: false };
    }

    /// Somebody clicked a link, or started the program a second time with one: it is offered, never joined unasked.
    pub fn offered(&mut self, link: &str) {
        self.page = Page::Party;
        self.source = Source::Link;
        self.refusal = None;
        if !self.field.paste(link) {
            link.clone_into(&mut self.field.text);
        }
        self.focus_field = true;
    }

    /// What the clipboard has, at start or when the window gets the focus. A text is looked at once only, so that
    /// an invite that was wiped from the field does not come again.
    pub fn clipboard(&mut self, text: &str, wall: SystemTime) -> bool {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        if self.seen_in_clipboard.replace(hasher.finish()) == Some(hasher.finish()) {
            return false;
        }
        let free = self.field.text.is_empty() || self.source == Source::Clipboard;
        if !free || invite_field::find(text).is_ok_and(|invite| invite.is_expired(wall)) {
            return false;
        }
        let found = self.field.offer(text);
        if found {
            self.source = Source::Clipboard;
            self.refusal = None;
            self.focus_field = true;
        }
        found
    }

    /// What is to be remembered.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether this user has seen the window before; the first start is never hidden (check W20).
    pub fn has_been_welcomed(&self) -> bool {
        self.memory.welcomed
    }

    /// The text's size was changed with the keyboard.
    pub fn zoomed(&mut self, zoom: f32) {
        let wanted = Memory {
            zoom: Some(zoom),
            ..Memory::default()
        };
        if (wanted.zoom() - self.memory.zoom()).abs() > 0.01 {
            self.memory.zoom = Some(wanted.zoom());
            self.effects.push(Effect::Remember);
        }
    }

    /// There is a tray now, or none any more.
    pub fn tray(&mut self, there: bool) {
        self.has_tray = there;
    }

    /// Somebody wants the window closed (check W20).
    pub fn close(&mut self, now: Instant) {
        let session = self.snapshot(now).is_some_and(|it| it.state.is_session());
        match (self.has_tray, session) {
            (true, _) if self.memory.knows_tray => self.effects.push(Effect::Hide),
            (true, _) => self.question = Some(Question::ToTray),
            (false, true) => self.question = Some(Question::Stay),
            (false, false) => self.effects.push(Effect::Quit),
        }
    }

    // What is shown.

    /// The last snapshot, while it is the truth.
    pub fn snapshot(&self, now: Instant) -> Option<&Snapshot> {
        match &self.service {
            Service::Speaks(snapshot, heard) if now < *heard + SILENCE => Some(snapshot),
            _ => None,
        }
    }

    /// How things stand.
    pub fn standing(&self, now: Instant) -> Standing {
        match &self.service {
            Service::Looking(since) if now < *since + SILENCE => Standing::Looking,
            Service::Looking(_) => Standing::Away(Absence::Silent),
            Service::Away(absence) => Standing::Away(absence.clone()),
            Service::Speaks(..) => self
                .snapshot(now)
                .map_or(Standing::Away(Absence::Silent), |it| Standing::Is(it.state)),
        }
    }

    /// The state's word, which the tray shows too.
    pub fn word(&self, now: Instant) -> String {
        match self.standing(now) {
            Standing::Looking => words::LOOKING.to_owned(),
            Standing::Away(Absence::NotRunning) => words::NOT_RUNNING.to_owned(),
            Standing::Away(Absence::NotPermitted) => words::NOT_PERMITTED.to_owned(),
            Standing::Away(Absence::Silent) => words::SILENT.to_owned(),
            Standing::Away(Absence::Strange) => words::STRANGE.to_owned(),
            Standing::Away(Absence::Impostor(_)) => words::IMPOSTOR.to_owned(),
            Standing::Is(State::Reconnecting) => {
                let lasts = self.lasts(now).unwrap_or_default();
                words::reconnecting(&State::Reconnecting.to_string(), lasts.as_secs())
            }
            Standing::Is(state) => state.to_string(),
        }
    }

    /// The same without a running clock, for what should not change each second.
    pub fn still_word(&self, now: Instant) -> String {
        match self.standing(now) {
            Standing::Is(state) => state.to_string(),
            Standing::Looking | Standing::Away(_) => self.word(now),
        }
    }

    /// For how long the state has been what it is; runs on between two snapshots.
    pub(crate) fn lasts(&self, now: Instant) -> Option<Duration> {
        let Service::Speaks(snapshot, heard) = &self.service else {
            return None;
        };
        let since_heard = now.saturating_duration_since(*heard);
        Some(Duration::from_millis(snapshot.state_ms).saturating_add(since_heard))
    }

    /// When the window changes without hearing anything: a clock's next second, a silence, something copied.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let silence = match &self.service {
            Service::Looking(since) => Some(*since + SILENCE),
            Service::Speaks(_, heard) => Some(*heard + SILENCE),
            Service::Away(_) => None,
        };
        let copied = self.copied.as_ref().map(|(_, at)| *at + COPIED);
        let times = [silence, self.next_tick(now), copied];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    fn next_tick(&self, now: Instant) -> Option<Instant> {
        let lasts = self.lasts(now)?;
        let second = Duration::from_millis(1000 - u64::from(lasts.subsec_millis()));
        match self.standing(now) {
            Standing::Is(State::NotConnected) => None,
            Standing::Is(State::Connected) if lasts.as_secs() >= 60 => {
                Some(now + second + Duration::from_secs(59 - lasts.as_secs() % 60))
            }
            Standing::Is(_) => Some(now + second),
            Standing::Looking | Standing::Away(_) => None,
        }
    }

    /// The account that joined, when it is another one than this window's.
    pub(crate) fn other_user<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a str> {
        let user = snapshot.party.as_ref()?.joined_by.as_deref()?;
        (!is_same_account(self.account.as_deref()?, user)).then_some(user)
    }

    /// The invite that the one button joins.
    pub(crate) fn invite(&self, wall: SystemTime) -> Option<Box<Invite>> {
        match self.field.verdict(wall) {
            Verdict::Whole(invite) => Some(invite),
            Verdict::Empty | Verdict::Expired | Verdict::Wrong(_) => None,
        }
    }

    /// What is wrong with the text in the field, when it is.
    pub(crate) fn objection(&self, wall: SystemTime) -> Option<String> {
        match self.field.verdict(wall) {
            Verdict::Expired => Some(words::EXPIRED.to_owned()),
            Verdict::Wrong(error) => Some(sentence(&error.to_string())),
            Verdict::Empty | Verdict::Whole(_) => None,
        }
    }

    /// True while this text is said to be copied.
    pub(crate) fn is_copied(&self, text: &str, now: Instant) -> bool {
        let copied = self.copied.as_ref();
        copied.is_some_and(|(what, at)| what == text && now < *at + COPIED)
    }

    /// The look at this PC as text, for a host who helps.
    pub(crate) fn doctor_text(&self) -> String {
        let report = lanparty_doctor::text::report(&self.doctor.rows);
        format!("{}\n{report}", words::version(VERSION))
    }
}

/// What of a snapshot does not change by time alone.
fn without_clocks(snapshot: &Snapshot) -> Snapshot {
    let mut still = snapshot.clone();
    still.state_ms = 0;
    for game in &mut still.games {
        game.heard_ms = match game.is_on() {
            true => game.heard_ms / 60_000 * 60_000,
            false => u64::MAX,
        };
    }
    still
}

/// An error's words as a sentence of their own.
pub(crate) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(letters).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// True when any row needs somebody.
pub(crate) fn needs_care(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.mark != Mark::Good)
}

/// Whether both are one account. Windows writes `DOMAIN\name`, and takes names in any case; not everything there knows
/// the domain.
fn is_same_account(own: &str, other: &str) -> bool {
    let Some((domain, name)) = other.split_once('\\') else {
        return own == other;
    };
    let (own_domain, own_name) = own.split_once('\\').unwrap_or((domain, own));
    own_domain.to_lowercase() == domain.to_lowercase()
        && own_name.to_lowercase() == name.to_lowercase()
}

/// On the way to the party, or back to it.
pub(crate) fn is_on_the_way(snapshot: &Snapshot) -> bool {
    matches!(snapshot.state, State::Connecting | State::Reconnecting)
}

#[cfg(test)]
#[path = "app/tests.rs"]
mod tests;
