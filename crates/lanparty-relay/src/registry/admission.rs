//! Who may enter which room: one list of questions in a fixed order, and one answer.
//!
//! Two are asked of the hello alone, by [`Hello::check`](lanparty_ctrl::message::Hello::check): does it speak our
//! version, and is its room code one? The others follow here, each a function. Nobody learns anything of a
//! room before the third is answered with yes, and nothing has changed before all are.
//!
//! | question | no |
//! | --- | --- |
//! | is anybody let in? | `draining` |
//! | which room, and is it invited there? | `not_authorised`; a gateway without its host's key: `not_host`, `code_claimed` |
//! | may it open that room? | `no_access`, `not_opened` |
//! | does its host want it? | `banned` |
//! | is its place free, or its own? | `mac_in_use`, `gateway_present` |
//! | is the door locked? | `locked` |
//! | is its MAC no machine's on the LAN? | `mac_on_lan` |
//! | is it in, where only members come in? | `draining` |
//! | is there room for it, and for more from there? | `room_full`, `relay_full`, `rate_limited` |
//! | does it come too often? | `rate_limited` |
//!
//! Who is wrong about a room or a token too often hears `rate_limited` instead.

#[cfg(test)]
mod tests;

use super::claims::RoomName;
use super::{Admits, Registry};
use crate::room::Room;
use lanparty_ctrl::message::{Entry, Invitation, Newcomer};
use lanparty_ctrl::{HostId, RejectReason};
use lanparty_proto::{PeerId, RoomId};
use std::net::IpAddr;
use std::time::Instant;

/// Where a newcomer goes, once nothing speaks against it.
#[derive(Debug)]
pub(super) struct Decision {
    /// Into this room,
    pub(super) name: RoomName,
    /// which is there already or is to be made.
    pub(super) room: Option<RoomId>,
    /// Whose place it takes.
    pub(super) replaces: Option<PeerId>,
}

impl<L: Clone> Registry<L> {
    /// Asks all the questions, and answers the wrong as often as they may be wrong.
    pub(super) fn decide(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
    ) -> Result<Decision, RejectReason> {
        let decided = self.ask(now, entry, source);
        match decided {
            Err(RejectReason::MacOnLan) => {
                self.tell_host_of_lookalike(now, entry);
                decided
            }
            decided => decided.map_err(|reason| self.was_wrong(now, entry, source, reason)),
        }
    }

    /// What somebody is told who is refused for this reason.
    pub(super) fn was_wrong(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
        reason: RejectReason,
    ) -> RejectReason {
        let is_guess = match reason {
            RejectReason::NotAuthorised
            | RejectReason::CodeClaimed
            | RejectReason::NotHost
            | RejectReason::NoAccess => true,
            RejectReason::NotOpened => false,
            _ => return reason,
        };
        // Its gateway may only not be here, and hear of it. Where the room is claimed, a proof could have been judged.
        let host = entry.invitation.as_ref().and_then(|shown| shown.host);
        let mut claims = self.claims.candidates(now, &entry.room, host);
        if claims.next().is_none() {
            self.waiting.note(now, entry, source);
        }
        match is_guess && !self.guesses.was_wrong(now, source, &entry.room) {
            true => RejectReason::RateLimited,
            false => reason,
        }
    }

    fn ask(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
    ) -> Result<Decision, RejectReason> {
        self.is_anybody_let_in()?;
        let name = self.which_room(now, entry)?;
        self.may_it_open(now, &name, entry)?;
        let id = self.names.get(&name).copied();
        let room = id.map(|id| &self.rooms[&id]);
        let replaces = match room {
            Some(room) => {
                is_it_wanted(room, &name, entry)?;
                let replaces = is_its_place_free(room, &name, entry)?;
                is_it_locked_out(room, entry, replaces)?;
                is_its_mac_the_lans(now, room, entry, replaces)?;
                replaces
            }
            None => None,
        };
        self.is_it_in_if_it_must_be(now, replaces)?;
        self.is_there_room(now, &name, room, entry, replaces, source)?;
        self.does_it_come_too_often(now, &name, entry, source, replaces.is_none())?;
        Ok(Decision {
            name,
            room: id,
            replaces,
        })
    }

    fn tell_host_of_lookalike(&mut self, now: Instant, entry: &Entry) {
        let name = self.which_room(now, entry).ok();
        let id = name.and_then(|name| self.names.get(&name).copied());
        let room = id.and_then(|id| self.rooms.get_mut(&id));
        if let (Some(room), Some(mac)) = (room, entry.who.mac()) {
            room.note_mac_on_lan(now, mac, entry.name.clone());
        }
    }

    pub(super) fn is_anybody_let_in(&self) -> Result<(), RejectReason> {
        match self.admits {
            Admits::Nobody => Err(RejectReason::Draining),
            Admits::All | Admits::Members => Ok(()),
        }
    }

    /// The room of a gateway is its host's. A client's is the one whose key it has, or in which it has a place.
    pub(super) fn which_room(&self, now: Instant, entry: &Entry) -> Result<RoomName, RejectReason> {
        let name = match (&entry.invitation, entry.who) {
            (None, _) => self.open_room_of(now, entry)?,
            (Some(shown), Newcomer::Gateway) => host_of(shown).map(|host| RoomName {
                code: entry.room.clone(),
                host: Some(host),
            })?,
            (Some(shown), Newcomer::Client(_)) => self
                .claims
                .find(now, entry, shown)
                .or_else(|| self.where_it_is(now, entry, shown))
                .ok_or(RejectReason::NotAuthorised)?,
        };
        match self.only.as_ref().is_none_or(|only| *only == name) {
            true => Ok(name),
            false => Err(RejectReason::NotAuthorised),
        }
    }

    /// Where a keyed room has the code, nobody is led into an open one where there is no LAN; but no claim
    /// closes the open room of a party that is going on, or keeps the gateway of one out that has players.
    fn open_room_of(&self, now: Instant, entry: &Entry) -> Result<RoomName, RejectReason> {
        let name = RoomName {
            code: entry.room.clone(),
            host: None,
        };
        let room = self.room_called(&name);
        let goes_on = room.is_some_and(|room| {
            let is_gateway = entry.who == Newcomer::Gateway;
            is_gateway || room.has_gateway() || room.place_of(entry).is_some()
        });
        match entry.who {
            _ if goes_on || !self.claims.has(now, &name.code) => Ok(name),
            Newcomer::Gateway => Err(RejectReason::CodeClaimed),
            Newcomer::Client(_) => Err(RejectReason::NotAuthorised),
        }
    }

    /// Whoever was let in with a key that has been changed since takes its place back all the same.
    fn where_it_is(&self, now: Instant, entry: &Entry, shown: &Invitation) -> Option<RoomName> {
        entry.resume_token.as_ref()?;
        let mut names = self.claims.candidates(now, &entry.room, shown.host);
        names.find(|name| {
            self.room_called(name)
                .is_some_and(|room| room.place_of(entry).is_some())
        })
    }

    /// On a relay with an access token rooms are opened by gateways that have it, whoever guesses at it beside
    /// them. Who takes its place back, and the gateway of a room that has been claimed, are known: what they show is
    /// their own, whatever the token is by now.
    pub(super) fn may_it_open(
        &self,
        now: Instant,
        name: &RoomName,
        entry: &Entry,
    ) -> Result<(), RejectReason> {
        let Some(wanted) = &self.access else {
            return Ok(());
        };
        let room = self.room_called(name);
        match entry.who {
            // The gateway of a keyed room has been here: it has claimed the code.
            Newcomer::Client(_) if room.is_some() || name.host.is_some() => Ok(()),
            Newcomer::Client(_) => Err(RejectReason::NotOpened),
            Newcomer::Gateway => {
                let is_back = room.is_some_and(|room| room.place_of(entry).is_some());
                let is_known = is_back || self.claims.is_live(now, name);
                let has_token = entry.access_token.as_ref() == Some(wanted);
                match is_known || has_token {
                    true => Ok(()),
                    false => Err(RejectReason::NoAccess),
                }
            }
        }
    }

    /// While the relay empties, only those come in who take their places back.
    fn is_it_in_if_it_must_be(
        &self,
        now: Instant,
        replaces: Option<PeerId>,
    ) -> Result<(), RejectReason> {
        let is_new = replaces.is_none() && !self.do_members_return(now);
        match self.admits == Admits::Members && is_new {
            true => Err(RejectReason::Draining),
            false => Ok(()),
        }
    }

    /// The host's place in a room that is there, or claimed, is always kept free; claims are few. One that is new
    /// here, or to a relay that has been restarted, needs no more than a room.
    fn is_there_room(
        &self,
        now: Instant,
        name: &RoomName,
        room: Option<&Room<L>>,
        entry: &Entry,
        replaces: Option<PeerId>,
        source: IpAddr,
    ) -> Result<(), RejectReason> {
        let is_client = matches!(entry.who, Newcomer::Client(_));
        let (limits, is_host) = (&self.limits, is_host(name, entry));
        match room {
            _ if is_host && (room.is_some() || self.claims.is_live(now, name)) => return Ok(()),
            Some(room)
                if is_client && replaces.is_none() && room.clients() >= limits.clients_per_room =>
            {
                return Err(RejectReason::RoomFull);
            }
            Some(_) => {}
            None if self.rooms.len() >= limits.rooms => return Err(RejectReason::RelayFull),
            None if !self.openers.fits(source, is_host, limits.rooms_from()) => {
                return Err(RejectReason::RateLimited);
            }
            None => {}
        }
        if replaces.is_none() && self.peers >= limits.peers {
            return Err(RejectReason::RelayFull);
        }
        if is_host {
            return Ok(());
        }
        let leaver = replaces.and_then(|peer| Some(room?.member(peer)?.source));
        match self.sources.fits(source, leaver, limits.peers_from()) {
            true => Ok(()),
            false => Err(RejectReason::RateLimited),
        }
    }

    /// A host is alone in its place, and may.
    fn does_it_come_too_often(
        &mut self,
        now: Instant,
        name: &RoomName,
        entry: &Entry,
        source: IpAddr,
        is_new: bool,
    ) -> Result<(), RejectReason> {
        match is_host(name, entry) {
            true => Ok(()),
            false => self.joins.check(now, entry, source, is_new),
        }
    }

    pub(super) fn room_called(&self, name: &RoomName) -> Option<&Room<L>> {
        self.names.get(name).map(|id| &self.rooms[id])
    }
}

/// Only who has the host's key is the gateway of a keyed room: every guest has the room's.
fn host_of(shown: &Invitation) -> Result<HostId, RejectReason> {
    let brings_a_key = shown.admission_key.is_some();
    let host = shown.host.filter(|_| brings_a_key);
    host.ok_or(RejectReason::NotHost)
}

/// True for the gateway of a keyed room, which has proved to be its host.
pub(super) fn is_host(name: &RoomName, entry: &Entry) -> bool {
    name.host.is_some() && entry.who == Newcomer::Gateway
}

/// A host bans nobody out of being itself.
fn is_it_wanted<L: Clone>(
    room: &Room<L>,
    name: &RoomName,
    entry: &Entry,
) -> Result<(), RejectReason> {
    match !is_host(name, entry) && room.is_banned(entry.who, entry.identity) {
        true => Err(RejectReason::Banned),
        false => Ok(()),
    }
}

/// Answers who must give way: whoever has the place that is the newcomer's own, by its token (spec R91) or
/// by being the host, unless that yields.
fn is_its_place_free<L: Clone>(
    room: &Room<L>,
    name: &RoomName,
    entry: &Entry,
) -> Result<Option<PeerId>, RejectReason> {
    let Some(holder) = room.holder(entry.who) else {
        return Ok(None);
    };
    match (room.place_of(entry), entry.who) {
        (Some(own), _) => Ok(Some(own)),
        (None, Newcomer::Gateway) if name.host.is_some() && !entry.yields => Ok(Some(holder)),
        (None, Newcomer::Gateway) => Err(RejectReason::GatewayPresent),
        (None, Newcomer::Client(_)) => Err(RejectReason::MacInUse),
    }
}

fn is_it_locked_out<L: Clone>(
    room: &Room<L>,
    entry: &Entry,
    replaces: Option<PeerId>,
) -> Result<(), RejectReason> {
    match replaces.is_none() && room.locks_out(entry.who) {
        true => Err(RejectReason::Locked),
        false => Ok(()),
    }
}

/// Whoever has a place has had its MAC before the LAN; who comes must not take that of a machine that was heard.
fn is_its_mac_the_lans<L: Clone>(
    now: Instant,
    room: &Room<L>,
    entry: &Entry,
    replaces: Option<PeerId>,
) -> Result<(), RejectReason> {
    match replaces.is_none() && room.is_on_lan(now, entry.who) {
        true => Err(RejectReason::MacOnLan),
        false => Ok(()),
    }
}
