//! What becomes of each request.

use super::wishes::MAX_MUTED;
use super::{
    Controls, LATER, Link, Mark, NO_KEY, NO_LINK, OLD_RELAY, OPEN, Present, UNKNOWN, absent,
    ambiguous,
};
use lanparty_ctrl::orders::MAX_GUESTS;
use lanparty_ctrl::{HostOrder, RoomKey};
use lanparty_gateway_control::{Answer, Request};
use lanparty_proto::PeerId;

pub(super) const FULL_OF_MUTED: &str =
    "as many players are muted as there can be; `lanparty-gateway ctl unmute` one first";

impl Controls {
    /// Does what the host wants. Without an answer it comes from the relay.
    pub(crate) fn handle_request(&mut self, request: Request) -> Option<Answer> {
        if let Some(why) = self.forgot.as_ref().filter(|_| is_about_bans(&request)) {
            return Some(Answer::Refused(why.clone()));
        }
        let answer = match self.link {
            _ if matches!(request, Request::Bans) => Ok(Some(self.bans())),
            _ if matches!(
                request,
                Request::Stats | Request::Games | Request::Rename { .. }
            ) =>
            {
                self.follow(request)
            }
            _ if super::reach::is_about(&request) => self.reach(request),
            Link::Down if is_of_the_moment(&request) && !self.may_kick(&request) => {
                Err(NO_LINK.to_owned())
            }
            Link::Up { obeys: false } => Err(OLD_RELAY.to_owned()),
            Link::Down | Link::Up { obeys: true } => self.follow(request),
        };
        answer.unwrap_or_else(|refusal| Some(Answer::Refused(refusal)))
    }

    /// True while there is somebody to be sent out although there is no link.
    fn may_kick(&self, request: &Request) -> bool {
        matches!(request, Request::Kick { .. }) && !self.staying.is_empty()
    }

    fn follow(&mut self, request: Request) -> Result<Option<Answer>, String> {
        let done = match request {
            Request::List => return Ok(None),
            Request::Kick { who } => return self.kick(&who).map(|done| Some(Answer::Done(done))),
            Request::Ban { who } => self.ban(&who)?,
            Request::Unban { who } => self.unban(&who)?,
            Request::Bans => return Ok(Some(self.bans())),
            Request::Stats => {
                return Ok(Some(Answer::Stats(Box::new(self.stats.clone()))));
            }
            Request::Games => return Ok(Some(Answer::Games(self.games()))),
            Request::Lock { on } => self.lock(on),
            Request::Mute { who, on: true } => self.mute(&who)?,
            Request::Mute { who, on: false } => self.unmute(&who)?,
            Request::Isolate { on } => self.isolate(on),
            Request::InviteFacts if self.is_keyed => {
                return Ok(Some(Answer::InviteFacts(self.room.clone())));
            }
            Request::InviteFacts => return Err(OPEN.to_owned()),
            Request::Rotate { key } => self.rotate(&key)?,
            Request::Rename { who, name } => {
                let done = self.rename(who.as_deref(), &name)?;
                return Ok(Some(Answer::Done(done)));
            }
            // The desk has answered these.
            Request::Snapshot
            | Request::NewKey
            | Request::Page
            | Request::Invite { .. }
            | Request::Reach { .. }
            | Request::Reaches
            | Request::Allow { .. }
            | Request::Disallow { .. }
            | Request::Relays
            | Request::MoveTo { .. } => return Err(UNKNOWN.to_owned()),
        };
        let later = match self.link {
            Link::Down => LATER,
            Link::Up { .. } => "",
        };
        Ok(Some(Answer::Done(done + later)))
    }

    fn kick(&mut self, who: &str) -> Result<String, String> {
        let (peer_id, player) = match self.find(who) {
            Err(_) if !self.staying.is_empty() => return self.kick_staying(who),
            found => found?,
        };
        if let Some(guests) = &mut self.wishes.guests {
            guests.remove(&player.mac);
        }
        self.order(HostOrder::Kick { peer_id });
        let whom = self.words_for(&player);
        Ok(format!("Sent {whom} out of the room."))
    }

    /// No relay says that it is in, so none can be told to send it out, or to keep it out.
    fn kick_staying(&mut self, who: &str) -> Result<String, String> {
        let player = self.known_to_all(who)?;
        if !self.staying.remove(&player.mac) {
            return Err(absent(who));
        }
        if let Some(guests) = &mut self.wishes.guests {
            guests.remove(&player.mac);
        }
        self.cut_off.remove(&player.mac);
        self.sent_out.push(player.mac);
        self.has_new_wishes = true;
        let whom = self.words_for(&player);
        Ok(format!(
            "Sent {whom} out: its direct path is shut. It may come again when the relay is back; a ban keeps it out."
        ))
    }

    fn lock(&mut self, on: bool) -> String {
        let was_on = self.wishes.guests.is_some();
        let here = self.players.values().map(|player| player.mac);
        let members = here.chain(self.cut_off.iter().copied());
        self.wishes.guests = on.then(|| members.take(MAX_GUESTS).collect());
        self.since.lock = true;
        self.order(self.wishes.lock());
        match (was_on, on) {
            (false, true) => "The room is locked: nobody new comes in.".to_owned(),
            (true, true) => {
                "The room was locked already: nobody new comes in, and who is in now may come back."
                    .to_owned()
            }
            (true, false) => "The room is unlocked.".to_owned(),
            (false, false) => "The room was not locked.".to_owned(),
        }
    }

    /// Also somebody who has left, and may come back.
    fn mute(&mut self, who: &str) -> Result<String, String> {
        let player = self.known_to_all(who)?;
        let whom = self.words_for(&player);
        let (mac, person) = (player.mac, player.person());
        let here = self.players.iter().find(|(_, one)| one.mac == mac);
        let here = here.map(|(&peer_id, _)| peer_id);
        if self.wishes.muted.len() >= MAX_MUTED && !self.wishes.muted.contains(&person) {
            return Err(FULL_OF_MUTED.to_owned());
        }
        let was_muted = !self.wishes.muted.insert(person);
        self.unmuted.remove(&person);
        let Some(peer_id) = here else {
            return Ok(format!(
                "{whom} will be muted: what it says to everybody will be dropped."
            ));
        };
        self.order(HostOrder::Mute {
            peer_id,
            muted: true,
        });
        Ok(match was_muted {
            false => format!("{whom} is muted: what it says to everybody is dropped."),
            true => format!("{whom} was muted already: what it says to everybody is dropped."),
        })
    }

    /// Also somebody who is not there, and would be muted again.
    fn unmute(&mut self, who: &str) -> Result<String, String> {
        for mark in Mark::all(who) {
            if let Some((peer_id, player)) = self.present(mark, who)? {
                let was_muted = self.wishes.muted.remove(&player.person());
                self.unmuted.insert(player.person());
                self.order(HostOrder::Mute {
                    peer_id,
                    muted: false,
                });
                let whom = self.words_for(&player);
                return Ok(match was_muted {
                    true => format!("{whom} is heard again."),
                    false => format!("{whom} was not muted."),
                });
            }
            let gone = self.gone.iter().filter(|one| self.is_called(one, mark));
            let gone: Vec<_> = gone.map(Present::person).collect();
            let muted = self.wishes.muted.iter().copied();
            let meant = muted.filter(|&one| mark.is_of(one) || gone.contains(&one));
            match meant.collect::<Vec<_>>()[..] {
                [] => {}
                [person] => {
                    self.wishes.muted.remove(&person);
                    self.unmuted.insert(person);
                    return Ok(format!("{who} will be heard again."));
                }
                [..] => return Err(ambiguous(who)),
            }
        }
        Err(absent(who))
    }

    fn isolate(&mut self, on: bool) -> String {
        let was_on = std::mem::replace(&mut self.wishes.isolated, on);
        self.since.isolate = true;
        self.order(self.wishes.isolate());
        match (was_on, on) {
            (false, true) => "Players reach the LAN and not each other.".to_owned(),
            (true, true) => {
                "Players were kept apart already: they reach the LAN and not each other.".to_owned()
            }
            (true, false) => "Players reach each other again.".to_owned(),
            (false, false) => "Players were not kept apart.".to_owned(),
        }
    }

    fn rotate(&mut self, key: &str) -> Result<String, String> {
        if !self.is_keyed {
            return Err(OPEN.to_owned());
        }
        let key: RoomKey = key.parse().map_err(|_| NO_KEY.to_owned())?;
        let inside = self.change_key(key);
        Ok(format!(
            "The room has a new key: older invites open it no more, and who is in stays.{inside}"
        ))
    }

    pub(super) fn order_rotation(&mut self) {
        if let Some(key) = &self.key {
            let admission_key = key.admission_key();
            self.order(HostOrder::Rotate { admission_key });
        }
    }

    fn find(&self, who: &str) -> Result<(PeerId, Present), String> {
        let mut found = Mark::all(who).filter_map(|mark| self.present(mark, who).transpose());
        found.next().unwrap_or_else(|| Err(absent(who)))
    }

    /// The only player in the room whom this marks.
    pub(super) fn present(
        &self,
        mark: Mark<'_>,
        who: &str,
    ) -> Result<Option<(PeerId, Present)>, String> {
        let mut found = self
            .players
            .iter()
            .filter(|(_, one)| self.is_called(one, mark));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(ambiguous(who)),
            (one, _) => Ok(one.map(|(&peer, player)| (peer, player.clone()))),
        }
    }
}

/// True for what is about the peers of the moment: without a link it means nobody.
fn is_of_the_moment(request: &Request) -> bool {
    match request {
        Request::List | Request::Kick { .. } => true,
        Request::Ban { .. }
        | Request::Unban { .. }
        | Request::Bans
        | Request::Lock { .. }
        | Request::Mute { .. }
        | Request::Isolate { .. }
        | Request::InviteFacts
        | Request::Rotate { .. }
        | Request::Stats
        | Request::Games
        | Request::Snapshot
        | Request::NewKey
        | Request::Invite { .. }
        | Request::Page
        | Request::Rename { .. }
        | Request::Reach { .. }
        | Request::Reaches
        | Request::Allow { .. }
        | Request::Disallow { .. }
        | Request::Relays
        | Request::MoveTo { .. } => false,
    }
}

/// True for what goes by the whole list of bans, and changes it.
fn is_about_bans(request: &Request) -> bool {
    matches!(
        request,
        Request::Ban { .. } | Request::Unban { .. } | Request::Bans
    )
}
