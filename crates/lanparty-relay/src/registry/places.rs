//! What a relay's place in a fleet needs of its rooms.

use super::admission::is_host;
use super::claims::RoomName;
use super::{Admits, Limits, Registry, Seat};
use crate::room::{Departure, Rate, Room};
use crate::sources::{place_of, source_of};
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::{HostId, LeaveReason, RejectReason, RoomCode};
use lanparty_proto::RoomId;
use std::net::IpAddr;
use std::time::Instant;

/// A code that is kept costs so many tokens, of which as many come back each second as there may be codes: the seconds for
/// which it is kept.
pub(super) const CLAIM: usize = 600;

/// A host key costs nothing, and each has a code kept for ten minutes, also when it has gone at once. So from one place four
/// times as many as there may be rooms at once are new in that time.
pub(super) fn claims_from(limits: &Limits) -> Rate {
    let codes = u32::try_from(limits.rooms_per_address).unwrap_or(u32::MAX);
    let codes = codes.saturating_mul(4);
    Rate {
        burst: codes.saturating_mul(600),
        per_second: codes,
    }
}

/// The room that somebody wants, as far as can be told here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) code: RoomCode,
    /// Its host; none for an open room.
    pub(crate) host: Option<HostId>,
    /// Whether it may open that room here, where nobody has it: it is its gateway, or has shown a key that this relay
    /// knows, or the room is open to everybody.
    pub(crate) opens: bool,
}

impl<L: Clone> Registry<L> {
    /// Which room somebody means. Who is invited to a room whose gateway was never here cannot be told from who is not.
    ///
    /// # Errors
    /// The reason to give it, where that is known already.
    pub(crate) fn wanted(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
    ) -> Result<Wanted, RejectReason> {
        let source = source_of(source);
        self.is_anybody_let_in()?;
        let named = self.which_room(now, entry);
        let opened = named.clone().and_then(|name| {
            self.may_it_open(now, &name, entry)?;
            Ok(name)
        });
        let shown = entry.invitation.as_ref();
        let of_host = shown.and_then(|shown| shown.host);
        match (opened, entry.who) {
            (Ok(name), _) => {
                self.may_it_open_more(now, &name, entry, source)?;
                Ok(Wanted {
                    code: name.code,
                    host: name.host,
                    opens: true,
                })
            }
            // The room may be at another relay, which knows its key.
            (Err(_), Newcomer::Client(_)) if of_host.is_some() || shown.is_none() => Ok(Wanted {
                code: entry.room.clone(),
                host: of_host,
                opens: false,
            }),
            (Err(reason), _) => Err(self.was_wrong(now, entry, source, reason)),
        }
    }

    /// Nobody has more rooms claimed in the directory from one address than it may open here. A relay that is full sends
    /// people on.
    fn may_it_open_more(
        &mut self,
        now: Instant,
        name: &RoomName,
        entry: &Entry,
        source: IpAddr,
    ) -> Result<(), RejectReason> {
        let is_host = is_host(name, entry);
        let is_known = self.room_called(name).is_some() || self.claims.is_live(now, name);
        let may_claim = !is_host || self.claimants.holds(now, &place_of(source));
        let fits = self.openers.fits(source, is_host, self.limits.rooms_from());
        let fits = is_known || may_claim && fits;
        fits.then_some(()).ok_or(RejectReason::RateLimited)
    }

    /// Whether one more code may be kept in the directory for who has asked from there and is about to enter; one that this
    /// relay knows costs nothing.
    pub(crate) fn may_claim(
        &mut self,
        now: Instant,
        wanted: &Wanted,
        entry: &Entry,
        source: IpAddr,
    ) -> bool {
        let name = RoomName {
            code: wanted.code.clone(),
            host: wanted.host,
        };
        let is_known = self.room_called(&name).is_some() || self.claims.is_live(now, &name);
        let is_free = is_known || !is_host(&name, entry);
        is_free || self.claimants.take(now, place_of(source_of(source)))
    }

    /// What somebody is told who wants an open room whose code is kept for a host, at another relay perhaps; the same as
    /// where it is kept.
    pub(crate) fn code_is_kept(
        &mut self,
        now: Instant,
        entry: &Entry,
        source: IpAddr,
    ) -> RejectReason {
        let reason = match entry.who {
            Newcomer::Gateway => RejectReason::CodeClaimed,
            Newcomer::Client(_) => RejectReason::NotAuthorised,
        };
        self.was_wrong(now, entry, source_of(source), reason)
    }

    /// Whether somebody may be sent to another relay once more.
    pub(crate) fn may_be_sent_on(&mut self, now: Instant, source: IpAddr) -> bool {
        self.joins.may_find(now, source_of(source))
    }

    /// Whether a room has its gateway; nothing, where there is no such room any more.
    pub(crate) fn has_gateway(&self, room: RoomId) -> Option<bool> {
        self.rooms.get(&room).map(Room::has_gateway)
    }

    /// The links of a room's gateway, or of its players.
    pub(crate) fn links_of(&self, room: RoomId, gateway: bool) -> Vec<L> {
        let members = self.rooms.get(&room).into_iter().flat_map(Room::members);
        let those = members.filter(|(_, _, record)| (record.who == Newcomer::Gateway) == gateway);
        those.map(|(_, link, _)| link.clone()).collect()
    }

    /// Has everybody leave a room, which is no more from then on.
    pub(crate) fn close_room(&mut self, room: RoomId) -> Vec<Departure<L>> {
        let members = self.rooms.get(&room).into_iter().flat_map(Room::members);
        let members: Vec<_> = members.map(|(peer, ..)| peer).collect();
        let departures = members
            .into_iter()
            .filter_map(|peer| self.leave(Seat { room, peer }, LeaveReason::Draining));
        departures.collect()
    }

    /// Answers the wrong `relays` times more seldom than the operator wants of one: so many do, of one fleet.
    pub(crate) fn share_guesses(&mut self, relays: usize) {
        let share = u32::try_from(relays.max(1)).unwrap_or(u32::MAX);
        if share != self.guess_share {
            self.guess_share = share;
            self.guesses.set_limits(self.guess_limits.shared(share));
        }
    }

    /// How many more players may come; none where no room may be opened.
    pub(crate) fn free_places(&self) -> u32 {
        let has_room = self.rooms.len() < self.limits.rooms && self.admits == Admits::All;
        let free = self.limits.peers.saturating_sub(self.peers);
        u32::try_from(free).unwrap_or(u32::MAX) * u32::from(has_room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Limits;
    use crate::testing::{Relay, client, host_id};
    use lanparty_ctrl::message::Invitation;

    const GATEWAY: Newcomer = Newcomer::Gateway;

    fn wanted(relay: &mut Relay, who: Newcomer, host: Option<u8>) -> Result<Wanted, RejectReason> {
        relay.invitation = Some(Invitation {
            host: host.map(host_id),
            ..relay.invitation("lanparty", 3, who, 7)
        });
        let entry = relay.entry("lanparty", who);
        relay.registry.wanted(relay.now, &entry, relay.source)
    }

    #[test]
    fn a_room_is_opened_by_its_gateway_and_by_whom_this_relay_knows() {
        let mut relay = Relay::new();
        let room = |opens| {
            Ok(Wanted {
                code: "lanparty".parse().unwrap(),
                host: Some(host_id(1)),
                opens,
            })
        };
        assert_eq!(wanted(&mut relay, client(3), Some(1)), room(false));
        assert_eq!(
            wanted(&mut relay, client(3), None),
            Err(RejectReason::NotAuthorised),
            "nobody knows whose room it means"
        );
        assert_eq!(wanted(&mut relay, GATEWAY, Some(1)), room(true));
        assert_eq!(
            wanted(&mut relay, GATEWAY, None),
            Err(RejectReason::NotHost)
        );
        let gateway = relay.invited(1, GATEWAY, 7, Some(1)).unwrap();
        assert_eq!(wanted(&mut relay, client(3), None), room(true));
        assert_eq!(wanted(&mut relay, client(3), Some(1)), room(true));
        let entry = relay.entry("lanparty", client(3));
        let open = relay.registry.wanted(relay.now, &entry, relay.source);
        assert!(!open.unwrap().opens, "a keyed room has the code");
        relay
            .registry
            .set_access("correct-horse-battery".parse().ok());
        relay.leave(gateway);
        assert_eq!(
            wanted(&mut relay, GATEWAY, Some(1)),
            room(true),
            "it is known"
        );
        assert_eq!(
            wanted(&mut relay, GATEWAY, Some(2)),
            Err(RejectReason::NoAccess)
        );
    }

    #[test]
    fn a_room_that_is_closed_forwards_nothing_from_that_moment() {
        let mut relay = Relay::new();
        let [gateway, player] = [relay.gateway(9), relay.client(1)];
        let frame = crate::testing::frame(
            crate::testing::lan_mac(5),
            crate::testing::client_mac(1),
            60,
        );
        assert_eq!(relay.registry.links_of(gateway.room, true), [9]);
        assert_eq!(relay.registry.links_of(gateway.room, false), [1]);
        let out = relay.registry.close_room(gateway.room);
        assert_eq!(out.len(), 2);
        assert_eq!(
            relay.frame(player, &frame),
            crate::testing::Outcome::Dropped(lanparty_obs::DropReason::LinkDown)
        );
        assert_eq!(relay.registry.has_gateway(gateway.room), None);
        assert_eq!(relay.registry.rooms(), 0);
    }

    #[test]
    fn nobody_claims_more_rooms_in_the_directory_than_it_may_open() {
        let mut relay = Relay::with(Limits {
            rooms_per_address: 2,
            ..Limits::default()
        });
        for host in 1..=2 {
            assert!(wanted(&mut relay, GATEWAY, Some(host)).is_ok());
            relay.invited(host, GATEWAY, 7, Some(host)).unwrap();
        }
        let third = wanted(&mut relay, GATEWAY, Some(3));
        assert_eq!(third, Err(RejectReason::RateLimited));
        assert!(
            wanted(&mut relay, GATEWAY, Some(2)).is_ok(),
            "it has its own"
        );
        relay.source = [192, 0, 2, 2].into();
        assert!(
            wanted(&mut relay, GATEWAY, Some(3)).is_ok(),
            "another address"
        );
    }

    #[test]
    fn a_host_key_for_each_hello_has_no_more_codes_kept_from_one_place() {
        let mut relay = Relay::with(Limits {
            rooms_per_address: 1,
            ..Limits::default()
        });
        let claim = |relay: &mut Relay, host| {
            let wanted = wanted(relay, GATEWAY, Some(host))?;
            let entry = relay.entry("lanparty", GATEWAY);
            let (now, source) = (relay.now, relay.source);
            let may = relay.registry.may_claim(now, &wanted, &entry, source);
            may.then_some(()).ok_or(RejectReason::RateLimited)
        };
        let claimed = (1..=20).filter(|&host| claim(&mut relay, host).is_ok());
        assert_eq!(claimed.count(), 4);
        relay.source = [192, 0, 2, 2].into();
        assert_eq!(claim(&mut relay, 30), Ok(()), "another place");
    }

    #[test]
    fn three_relays_answer_a_third_of_the_guesses_each() {
        let mut relay = Relay::new();
        relay.registry.share_guesses(3);
        let mut answered = 0;
        for _ in 0..200 {
            let refused = wanted(&mut relay, client(3), None);
            answered += usize::from(refused == Err(RejectReason::NotAuthorised));
        }
        assert_eq!(answered, 128 / 3);
    }
}
