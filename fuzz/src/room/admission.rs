//! Who is let in, why not, and who is told what.

use super::model::{Attendee, LIMITS, Link, Party};
use super::steps::Join;
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::{LeaveReason, RejectReason, RelayMessage, ResumeToken};
use lanparty_proto::DatagramBudget;
use lanparty_relay::registry::Admission;
use lanparty_relay::room::{Departure, Step as Say};

const ROOMS: [&str; 2] = ["FRIDAY", "SATURDAY"];

/// What a step of an admission is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Welcome,
    CatchUp,
    Notice,
}

impl Party {
    pub(super) fn join(&mut self, join: &Join) {
        let code = ROOMS[usize::from(join.room)];
        let (address, site) = join.source();
        self.admissions = self.admissions.wrapping_add(1);
        self.links += 1;
        let token = ResumeToken::from_random([self.admissions; 16]);
        let resumed = join.token.map(|which| match self.pick(which) {
            Some(seat) if which < 128 => self.seats[seat].token.clone(),
            _ => ResumeToken::from_random([0; 16]),
        });
        let room = code.parse().expect("a room code");
        let budget = DatagramBudget::clamped(1200 + usize::from(self.admissions));
        let entry = Entry {
            resume_token: resumed.clone(),
            ..Entry::new(room, join.who(), budget)
        };
        let predecessor = self
            .seats
            .iter()
            .position(|seat| seat.code == code && seat.who == entry.who);
        let resumes = predecessor.is_some_and(|at| resumed.as_ref() == Some(&self.seats[at].token));
        let reasons = self.reasons_against(code, entry.who, site, predecessor, resumes);
        match self
            .relay
            .admit(self.now, &entry, address, token.clone(), self.links)
        {
            Err(reason) => assert!(reasons.contains(&reason), "{reason:?} of {reasons:?}"),
            Ok(admission) => {
                assert_eq!(reasons, []);
                assert!(!self.ghosts.contains(&admission.place), "a ghost's place");
                self.check_replaced(predecessor, admission.replaced.as_ref());
                if let Some(at) = predecessor {
                    let seat = self.seats.remove(at);
                    self.ghosts.push(seat.place);
                }
                self.check_admission(code, entry.who, &token, &admission);
                self.seats.push(Attendee {
                    link: self.links,
                    place: admission.place,
                    code,
                    who: entry.who,
                    site,
                    token,
                    joined_at: self.now,
                    frames: 0,
                    group_frames: 0,
                    bytes: 0,
                });
            }
        }
    }

    /// Every reason that would be a true one.
    fn reasons_against(
        &self,
        code: &'static str,
        who: Newcomer,
        site: usize,
        predecessor: Option<usize>,
        resumes: bool,
    ) -> Vec<RejectReason> {
        let leaving = predecessor.filter(|_| resumes);
        let is_client = matches!(who, Newcomer::Client(_));
        let leaves_site = leaving.is_some_and(|at| self.seats[at].site == site);
        let here = self.of_site(site) - usize::from(leaves_site);
        let is_new_room = !self.codes().contains(code);
        let no_room = is_new_room && self.codes().len() >= LIMITS.rooms;
        let no_place = leaving.is_none() && self.seats.len() >= LIMITS.peers;
        let is_full = leaving.is_none() && self.clients(code) >= LIMITS.clients_per_room;
        [
            (self.draining, RejectReason::Draining),
            (no_room || no_place, RejectReason::RelayFull),
            (is_client && is_full, RejectReason::RoomFull),
            (
                is_client && predecessor.is_some() && !resumes,
                RejectReason::MacInUse,
            ),
            (
                !is_client && predecessor.is_some() && !resumes,
                RejectReason::GatewayPresent,
            ),
            (here >= LIMITS.peers_per_address, RejectReason::RateLimited),
        ]
        .into_iter()
        .filter_map(|(holds, reason)| holds.then_some(reason))
        .collect()
    }

    fn check_replaced(&self, predecessor: Option<usize>, replaced: Option<&Departure<Link>>) {
        assert_eq!(predecessor.is_some(), replaced.is_some());
        if let (Some(at), Some(departure)) = (predecessor, replaced) {
            assert!(!departure.room_closed);
            self.check_departure(at, departure, LeaveReason::Replaced);
        }
    }

    /// The order of spec R24, and everybody exactly once.
    fn check_admission(
        &mut self,
        code: &'static str,
        who: Newcomer,
        token: &ResumeToken,
        admission: &Admission<Link>,
    ) {
        let mut notified = Vec::new();
        let mut introduced = Vec::new();
        let mut order = Vec::new();
        for step in &admission.steps {
            order.push(match step {
                Say::Answer(RelayMessage::Welcome(welcome)) => {
                    assert_eq!(welcome.peer_id, admission.place.peer);
                    assert_eq!(welcome.room_id, admission.place.room);
                    assert!(&welcome.resume_token == token);
                    let gateway = self.room(code).find(|seat| seat.who == Newcomer::Gateway);
                    assert_eq!(welcome.gateway, gateway.map(|seat| seat.place.peer));
                    if self.room(code).next().is_none() {
                        self.mtus.remove(&welcome.room_id);
                    }
                    let mtu = self.mtus.entry(welcome.room_id);
                    let mtu = *mtu.or_insert(welcome.effective_mtu);
                    assert_eq!(welcome.effective_mtu, mtu, "it stays as it is");
                    Phase::Welcome
                }
                Say::Answer(RelayMessage::PeerJoined(joined)) => {
                    introduced.push((joined.peer_id, joined.mac));
                    Phase::CatchUp
                }
                Say::Tell(link, RelayMessage::PeerJoined(joined)) => {
                    assert_eq!(joined.peer_id, admission.place.peer);
                    assert_eq!((joined.role, joined.mac), (who.role(), who.mac()));
                    notified.push(*link);
                    Phase::Notice
                }
                other => unreachable!("{other:?} at an admission"),
            });
        }
        order.dedup();
        let expected = match who {
            _ if self.room(code).next().is_none() => vec![Phase::Welcome],
            Newcomer::Client(_) => vec![Phase::Notice, Phase::Welcome, Phase::CatchUp],
            Newcomer::Gateway => vec![Phase::Welcome, Phase::CatchUp, Phase::Notice],
        };
        assert_eq!(order, expected);
        let mut links: Vec<_> = self.room(code).map(|seat| seat.link).collect();
        let mut peers: Vec<_> = self
            .room(code)
            .map(|seat| (seat.place.peer, seat.who.mac()))
            .collect();
        links.sort_unstable();
        peers.sort_unstable();
        notified.sort_unstable();
        introduced.sort_unstable();
        assert_eq!((notified, introduced), (links, peers));
    }
}
