//! What people want: presses go in, effects come out.

use super::{App, Effect, Page, Pending, Question};
use lanparty_client_control::{Fix, Request, Secret};
use std::time::{Instant, SystemTime};

impl App {
    /// What is to be done since the last call.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// A font was found, or none.
    pub fn font_sought(&mut self) {
        self.seeking = false;
    }

    pub(crate) fn join(&mut self, wall: SystemTime) {
        let Some(invite) = self.invite(wall) else {
            return;
        };
        let join = Request::Join {
            invite: Secret::new(invite.reveal()),
            name: Some(self.name()),
        };
        self.join_by(join);
    }

    pub(crate) fn join_room(&mut self, room: String) {
        let name = Some(self.name());
        self.join_by(Request::JoinRoom { room, name });
    }

    /// What Settings say; left empty, it is the account's.
    fn name(&self) -> String {
        self.memory.name.clone().unwrap_or_default()
    }

    /// One session a machine: the service leaves another party for this one, when it takes this one.
    fn join_by(&mut self, join: Request) {
        self.memory.welcomed = true;
        self.effects.push(Effect::Remember);
        self.ask(Pending::Join, vec![join]);
    }

    pub(crate) fn leave(&mut self) {
        self.ask(Pending::Leave, vec![Request::Leave]);
    }

    /// Leaves, when the tray's menu wants it and there is something to leave.
    pub fn leave_if_joined(&mut self, now: Instant) {
        if self.snapshot(now).is_some_and(|it| it.state.is_session()) {
            self.leave();
        }
    }

    pub(crate) fn forget(&mut self, room: String) {
        self.ask(Pending::Other, vec![Request::Forget { room }]);
    }

    pub(crate) fn auto_join(&mut self, on: bool) {
        self.ask(Pending::Other, vec![Request::AutoJoin { on }]);
    }

    fn ask(&mut self, pending: Pending, requests: Vec<Request>) {
        if self.pending.is_some() {
            return;
        }
        self.refusal = None;
        self.done = None;
        self.pending = Some(pending);
        self.effects.push(Effect::Ask(requests));
    }

    /// Does what was offered and confirmed.
    pub(crate) fn mend(&mut self, fix: Fix) {
        self.fix = None;
        if self.pending.is_none() {
            self.pending = Some(Pending::Fix);
            (self.done, self.refusal) = (None, None);
            self.effects.push(Effect::Mend(fix));
        }
    }

    pub(crate) fn let_in(&mut self) {
        if self.pending.is_none() {
            self.pending = Some(Pending::LetIn);
            (self.done, self.refusal) = (None, None);
            self.effects.push(Effect::LetIn);
        }
    }

    pub(crate) fn go(&mut self, page: Page) {
        self.page = page;
        self.fix = None;
        self.refusal = None;
        self.done = None;
        match page {
            Page::Doctor => self.examine(),
            Page::Party => self.focus_field = true,
            Page::Settings | Page::Changes => {}
        }
    }

    pub(crate) fn examine(&mut self) {
        if !self.doctor.looks {
            self.doctor.looks = true;
            self.effects.push(Effect::Examine);
        }
    }

    pub(crate) fn welcome_read(&mut self) {
        self.memory.welcomed = true;
        self.effects.push(Effect::Remember);
    }

    pub(crate) fn remember(&mut self) {
        self.effects.push(Effect::Remember);
    }

    pub(crate) fn copied(&mut self, text: &str, now: Instant) {
        self.copied = Some((text.to_owned(), now));
    }

    /// Answers the question that lies over everything.
    pub(crate) fn answer(&mut self, question: Question, yes: bool) {
        self.question = None;
        match (question, yes) {
            (Question::Stay, true) => self.effects.push(Effect::Quit),
            (Question::Stay, false) => {
                self.effects.push(Effect::Ask(vec![Request::Leave]));
                self.effects.push(Effect::Quit);
            }
            (Question::ToTray, _) => {
                self.memory.knows_tray = true;
                self.effects.extend([Effect::Remember, Effect::Hide]);
            }
        }
    }
}
