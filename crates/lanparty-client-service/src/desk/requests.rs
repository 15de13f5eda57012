//! What people ask for.

use super::kept::Joined;
use super::{Desk, Output, Stage, Stopping, Ticket, Wanted};
use crate::Caller;
use lanparty_client_control::{Answer, Fix, Request, Secret, State};
use lanparty_ctrl::Name;
use lanparty_edge::invite::Invite;
use lanparty_obs::Utc;
use lanparty_peer::relay_args::RelayArgsError;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// So many characters of a name that means nothing to us are repeated.
const MAX_REPEATED: usize = 40;

type Decision = Result<Answer, String>;

impl Desk {
    /// Somebody asks for something; the answer comes out of [`Desk::poll_output`], maybe later. `today` is the time in
    /// seconds since 1970.
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        today: u64,
        ticket: Ticket,
        caller: &Caller,
        request: Request,
    ) {
        let decision = match request {
            Request::Join { .. }
            | Request::JoinRoom { .. }
            | Request::Leave
            | Request::Forget { .. }
            | Request::AutoJoin { .. }
            | Request::Direct { .. }
            | Request::Fix { .. }
                if self.is_ending =>
            {
                Some(Err("the service ends; ask again in a moment".to_owned()))
            }
            // Who watches is shown one after the other.
            Request::Status | Request::Watch => {
                let snapshot = self.snapshot(now, today, caller);
                Some(Ok(Answer::Snapshot(Box::new(snapshot))))
            }
            Request::Join { invite, name } => {
                Some(self.join(now, today, caller, &invite, name.as_deref()))
            }
            Request::JoinRoom { room, name } => {
                Some(self.join_room(now, today, caller, &room, name.as_deref()))
            }
            Request::Leave => self.leave(ticket, caller),
            Request::Forget { room } => Some(self.forget(caller, &room)),
            Request::AutoJoin { on } => Some(self.auto_join(caller, on)),
            Request::Direct { on } => Some(self.direct(caller, on)),
            Request::Doctor => {
                let snapshot = Box::new(self.snapshot(now, today, caller));
                self.output.push_back(Output::Doctor(ticket, snapshot));
                None
            }
            Request::Fix { fix } => self.fix(ticket, caller, fix),
        };
        if let Some(decision) = decision {
            let answer = decision.unwrap_or_else(Answer::Refused);
            self.output.push_back(Output::Answer(ticket, answer));
        }
        self.settle(now);
    }

    fn join(
        &mut self,
        now: Instant,
        today: u64,
        caller: &Caller,
        text: &Secret,
        name: Option<&str>,
    ) -> Decision {
        self.may_begin(caller)?;
        let invite = checked(text, today)?;
        if let Some(name) = name.map(called).transpose()? {
            self.kept.call(caller, name);
        }
        let text = Secret::new(invite.reveal());
        let room = self.kept.keep(caller, &invite, &text);
        let wanted = Wanted {
            caller: caller.clone(),
            name: self.name_of(caller),
            relay_only: self.kept.relay_only(&caller.id),
            invite,
            text,
            room,
        };
        Ok(self.begin_or_stay(now, wanted))
    }

    fn join_room(
        &mut self,
        now: Instant,
        today: u64,
        caller: &Caller,
        room: &str,
        name: Option<&str>,
    ) -> Decision {
        self.may_begin(caller)?;
        let mut wanted = self.kept_room(caller, room, today)?;
        if let Some(name) = name.map(called).transpose()? {
            self.kept.call(caller, name);
            wanted.name = self.name_of(caller);
        }
        wanted.room = self.kept.keep(caller, &wanted.invite, &wanted.text);
        Ok(self.begin_or_stay(now, wanted))
    }

    /// What a kept room's name stands for.
    pub(super) fn kept_room(
        &self,
        caller: &Caller,
        room: &str,
        today: u64,
    ) -> Result<Wanted, String> {
        let text = self.kept.invite(&caller.id, room);
        let text = text.ok_or_else(|| not_kept(room))?;
        Ok(Wanted {
            caller: caller.clone(),
            invite: checked(text, today)?,
            text: text.clone(),
            room: room.to_owned(),
            name: self.name_of(caller),
            relay_only: self.kept.relay_only(&caller.id),
        })
    }

    fn name_of(&self, caller: &Caller) -> Option<Name> {
        self.kept.player(&caller.id)?.parse().ok()
    }

    /// One session at a time, and nobody is thrown out of it by who comes later. One that failed for good is none.
    fn may_begin(&self, caller: &Caller) -> Result<(), String> {
        match &self.wanted {
            Some(wanted) if wanted.caller.id != caller.id && self.is_busy() => Err(format!(
                "{} plays in {} on this computer, which can be in one party at a time; join when they have left",
                wanted.caller.account,
                wanted.title(),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn begin_or_stay(&mut self, now: Instant, wanted: Wanted) -> Answer {
        let title = wanted.title();
        let is_in = matches!(self.stage, Stage::Running { .. });
        let joined = self.wanted.as_ref().filter(|_| is_in);
        if joined.is_some_and(|joined| joined.is_same(&wanted)) {
            self.kept.joined = Some(wanted.joined());
            self.wanted = Some(Box::new(wanted));
            self.save();
            return Answer::Done(match self.state.0 {
                State::Connected => format!("You are in {title} already."),
                _ => format!("Joining {title} already."),
            });
        }
        tracing::info!(account = %wanted.caller.account, room = %wanted.invite.room, "Joins a party");
        self.begin(now, wanted);
        Answer::Done(format!("Joining {title}."))
    }

    /// Whoever joined may leave, and an administrator may for them.
    fn leave(&mut self, ticket: Ticket, caller: &Caller) -> Option<Decision> {
        let title = match &self.wanted {
            None => {
                self.let_go();
                return Some(Ok(Answer::Done("You are in no party.".to_owned())));
            }
            Some(wanted) if wanted.caller.id != caller.id && !caller.is_admin => {
                return Some(Err(format!(
                    "{} joined {}: they or an administrator can leave it",
                    wanted.caller.account,
                    wanted.title(),
                )));
            }
            Some(wanted) => wanted.title(),
        };
        tracing::info!(account = %caller.account, "Leaves the party");
        self.kept.joined = None;
        self.save();
        let answer = Answer::Done(format!("You have left {title}."));
        let stopping = match &mut self.stage {
            Stage::Idle | Stage::Waiting { .. } | Stage::Failed(_) => {
                self.stage = Stage::Idle;
                self.wanted = None;
                return Some(Ok(answer));
            }
            Stage::Running { .. } => {
                self.output
                    .push_back(Output::Stop("the player has left the party"));
                self.stage = Stage::Stopping(Stopping::default());
                let Stage::Stopping(stopping) = &mut self.stage else {
                    unreachable!("it was set a line above")
                };
                stopping
            }
            Stage::Stopping(stopping) => stopping,
        };
        stopping.next = None;
        stopping.answers.push((ticket, answer));
        None
    }

    /// What was not joined again is not tried any more.
    fn let_go(&mut self) {
        if matches!(self.stage, Stage::Failed(_)) {
            self.stage = Stage::Idle;
            self.kept.joined = None;
            self.save();
        }
    }

    fn forget(&mut self, caller: &Caller, room: &str) -> Decision {
        let forgotten = self.kept.forget(&caller.id, room);
        let name = forgotten.ok_or_else(|| not_kept(room))?;
        self.save();
        Ok(Answer::Done(format!("The invite for {name} is forgotten.")))
    }

    fn auto_join(&mut self, caller: &Caller, on: bool) -> Decision {
        self.kept.set_auto_join(caller, on);
        self.save();
        let sentence = match on {
            true => "Your last room is joined when this computer starts.",
            false => "Nothing is joined when this computer starts.",
        };
        Ok(Answer::Done(sentence.to_owned()))
    }

    fn direct(&mut self, caller: &Caller, on: bool) -> Decision {
        self.kept.set_relay_only(caller, !on);
        self.save();
        let sentence = match on {
            true => {
                "From your next join on a direct path to the host is taken where there is one, unless the service was \
                 started with --relay-only."
            }
            false => {
                "From your next join on everything goes by the relay, and no host sees your internet address."
            }
        };
        Ok(Answer::Done(sentence.to_owned()))
    }

    fn fix(&mut self, ticket: Ticket, caller: &Caller, fix: Fix) -> Option<Decision> {
        let is_running = matches!(self.stage, Stage::Running { .. });
        let others = self.may_begin(caller).is_err() && !caller.is_admin;
        let no_session = || {
            Some(Err(
                "there is no party to do this for; join one first".to_owned()
            ))
        };
        match fix {
            Fix::RenewAddress | Fix::ResetAdapter | Fix::Repair | Fix::LetPartyThrough
                if others =>
            {
                Some(self.may_begin(caller).map(|()| Answer::Done(String::new())))
            }
            Fix::RenewAddress if is_running => {
                self.output.push_back(Output::RenewAddress);
                Some(Ok(Answer::Done(
                    "Asking the LAN for an address.".to_owned(),
                )))
            }
            Fix::ResetAdapter if is_running => {
                self.output
                    .push_back(Output::Stop("the player sets the adapter up again"));
                self.stage = Stage::Stopping(Stopping {
                    next: self.wanted.clone(),
                    answers: Vec::new(),
                });
                Some(Ok(Answer::Done("Setting the adapter up again.".to_owned())))
            }
            Fix::LetPartyThrough if is_running => {
                self.output.push_back(Output::LetPartyThrough(ticket));
                None
            }
            Fix::RenewAddress | Fix::ResetAdapter | Fix::LetPartyThrough => no_session(),
            Fix::Repair if self.is_busy() => Some(Err(
                "nothing can be repaired while a party is on; leave it first".to_owned(),
            )),
            Fix::Repair => {
                self.output.push_back(Output::Repair(ticket));
                None
            }
            Fix::StartService => Some(Ok(Answer::Done("The service runs.".to_owned()))),
            Fix::RestartService => Some(Err(
                "the service does not restart itself: the window and `doctor --fix` do that"
                    .to_owned(),
            )),
            Fix::Permit => Some(Ok(Answer::Done("You may use the service.".to_owned()))),
            Fix::Unknown => Some(Err(
                "the service does not know how to do that: it is of another version; restart it"
                    .to_owned(),
            )),
        }
    }
}

impl Wanted {
    /// What people call the party.
    pub(super) fn title(&self) -> String {
        let name = self.invite.name.as_ref().map(ToString::to_string);
        name.unwrap_or_else(|| self.invite.room.to_string())
    }

    /// The same, as it is kept.
    pub(super) fn joined(&self) -> Joined {
        Joined {
            id: self.caller.id.clone(),
            room: self.room.clone(),
        }
    }

    fn is_same(&self, other: &Wanted) -> bool {
        let how = |wanted: &Wanted| (wanted.name.clone(), wanted.relay_only);
        self.invite == other.invite && how(self) == how(other)
    }
}

/// What somebody wants to be called: a player's name, or an empty one for the account's.
fn called(name: &str) -> Result<&str, String> {
    let name = name.trim();
    if !name.is_empty() {
        let checked = name.parse::<Name>();
        checked.map_err(|error| format!("this is no name for a player: {error}"))?;
    }
    Ok(name)
}

/// Whoever gives an invite in place of a name does not read all of it in an answer.
fn not_kept(room: &str) -> String {
    let mut letters = room.chars();
    let start: String = letters.by_ref().take(MAX_REPEATED).collect();
    let rest = letters.next().map_or("", |_| "…");
    format!("no invite is kept for a room {start}{rest}")
}

/// An invite that may be used today; everything else is refused before anything begins. Views find it in what people
/// paste; here it is a link and nothing else, as a search takes longer than frames can wait.
fn checked(text: &Secret, today: u64) -> Result<Invite, String> {
    let invite: Invite = text.reveal().trim().parse().map_err(sentence)?;
    let is_over = invite.is_expired(UNIX_EPOCH + Duration::from_secs(today));
    match invite.expires.filter(|_| is_over) {
        Some(ended) => {
            let (ended, now) = (Utc(ended), Utc(today));
            Err(sentence(RelayArgsError::Expired { ended, now }))
        }
        None => Ok(invite),
    }
}

fn sentence(error: impl std::error::Error + 'static) -> String {
    lanparty_edge::sentence(&error)
}
