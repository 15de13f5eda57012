//! One relay's part in its fleet, in the hands of those who hear hellos and of the task that speaks to the directory.
//!
//! Whoever needs both locks takes that of the rooms first. What the fleet has decided is done under both, before anybody is
//! let in: so nobody enters a room in the moment in which it is lost.

use super::clock::FleetClock;
use super::{Errand, Place};
use crate::registry::{Registry, Wanted};
use crate::server::Rooms;
use crate::server::contact::Contact;
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::places::{Elsewhere, FleetRelay, MAX_FLEET, NotPlaced};
use lanparty_ctrl::{HostId, RejectReason};
use lanparty_fleet::{
    Asker, Card, Fence, Fleet, FleetSecret, Located, Near, Refusal, Request, RoomHash, Settings,
    Tag,
};
use lanparty_proto::RoomId;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};

/// How long somebody who says hello waits to hear where its room is.
const PATIENCE: Duration = Duration::from_secs(2);
/// The last room is offered, taken, told of and left in that time: two offers that nobody takes, and five seconds in which
/// its members go.
const LAST_ROOM: Duration = Duration::from_secs(10);
/// A service manager that waits for an end waits for 90 seconds.
const LONGEST_DRAIN: Duration = Duration::from_secs(60);
/// So long the members of the relay whose place this one has taken come back, and find their rooms here.
const RETURN: Duration = Duration::from_secs(10);

/// A relay's part in its fleet.
#[derive(Debug)]
pub(in crate::server) struct Membership {
    pub(super) core: Mutex<Core>,
    secret: FleetSecret,
    requests: mpsc::UnboundedSender<(Tag, Request)>,
    /// Something is to be done by the task.
    pub(super) wake: Notify,
    /// All rooms have left.
    pub(super) drained: Notify,
    /// Nothing that was asked is without an answer.
    pub(super) answered: Notify,
    returns_until: Option<Instant>,
    pub(super) clock: FleetClock,
}

/// What is behind the fleet's own lock.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) fleet: Fleet,
    /// Who wait to hear of a room.
    pub(super) waiters: HashMap<RoomHash, Arc<Notify>>,
    /// Rooms with members.
    pub(super) here: HashMap<RoomHash, Here>,
    /// When what was asked whose answer is awaited.
    pub(super) asked: HashMap<Tag, Instant>,
    /// The last round trip to the directory.
    pub(super) rtt: Option<Duration>,
    pub(super) lag: Option<Duration>,
    pub(super) is_drained: bool,
}

/// A room that is here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Here {
    pub(super) number: RoomId,
    /// Its gateway is there.
    pub(super) gateway: bool,
}

/// Somebody's right to a room as long as that is here.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Ticket {
    room: RoomHash,
    /// The open room of the same code.
    code: RoomHash,
    host: Option<HostId>,
}

impl Membership {
    /// A relay about to enter its fleet, whose requests to the directory go there. A successor has members that are on their
    /// way back.
    pub(super) fn new(
        clock: FleetClock,
        settings: Settings,
        requests: mpsc::UnboundedSender<(Tag, Request)>,
        is_successor: bool,
    ) -> Self {
        let now = clock.now();
        Membership {
            secret: settings.secret.clone(),
            core: Mutex::new(Core {
                fleet: Fleet::new(now, settings),
                waiters: HashMap::new(),
                here: HashMap::new(),
                asked: HashMap::new(),
                rtt: None,
                lag: None,
                is_drained: false,
            }),
            requests,
            wake: Notify::new(),
            drained: Notify::new(),
            answered: Notify::new(),
            returns_until: is_successor.then(|| now + RETURN),
            clock,
        }
    }

    /// The lock. A task that panicked while it held it has left one decision undone at worst.
    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the room is that somebody wants; for that it may become this relay's.
    pub(in crate::server) async fn locate(
        &self,
        rooms: &Rooms,
        entry: &Entry,
        from: IpAddr,
        errand: Errand,
    ) -> Place {
        let wanted = rooms.lock().wanted(Instant::now(), entry, from);
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(reason) => return Place::Refused(reason),
        };
        let asked = self.ask(&wanted, entry, errand);
        let located = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(located) => located,
            Err(_) => Located::Refused(Refusal::NoDirectory),
        };
        let may_claim = |wanted| {
            let now = Instant::now();
            rooms.lock().may_claim(now, wanted, entry, from)
        };
        match located {
            Located::Here { .. } if errand == Errand::Enter && !may_claim(&wanted) => {
                Place::Refused(RejectReason::RateLimited)
            }
            Located::Here { .. } => Place::Here(Ticket {
                room: self.hash(&wanted),
                code: self.secret.room(&wanted.code, None),
                host: wanted.host,
            }),
            Located::Nobody | Located::Ask => Place::Nowhere,
            Located::Claimed => {
                Place::Refused(rooms.lock().code_is_kept(Instant::now(), entry, from))
            }
            Located::Redirect { to, fence } => {
                match rooms.lock().may_be_sent_on(Instant::now(), from) {
                    true => Place::Elsewhere(elsewhere(&to, fence)),
                    false => Place::Refused(RejectReason::RateLimited),
                }
            }
            Located::Refused(why @ Refusal::Full) => {
                Place::Untold(RejectReason::RelayFull, why.to_string())
            }
            Located::Refused(why) => Place::Untold(RejectReason::Other, why.to_string()),
        }
    }

    /// Asks until there is an answer.
    async fn ask(&self, wanted: &Wanted, entry: &Entry, errand: Errand) -> Located {
        let room = self.hash(wanted);
        let near: Vec<_> = entry.near.iter().map(near).collect();
        loop {
            let now = self.clock.now();
            let returns = self.returns_until.is_some_and(|until| now < until);
            let asker = Asker {
                gateway: entry.who == Newcomer::Gateway,
                near: &near,
                redirects: entry.sent_on.max(u8::from(returns)),
                looks: errand == Errand::Find || !wanted.opens,
                open: wanted.host.is_none() && entry.invitation.is_none(),
            };
            let settled = {
                let mut core = self.lock();
                let located = core.fleet.locate(now, room, &asker);
                self.send_requests(&mut core);
                match located {
                    Located::Ask | Located::Refused(Refusal::Entering) => {}
                    known => {
                        drop(core);
                        self.wake.notify_one();
                        return known;
                    }
                }
                let waiter = core.waiters.entry(room).or_default().clone();
                waiter.notified_owned()
            };
            self.wake.notify_one();
            settled.await;
        }
    }

    /// The fence by which the room is still here, at this moment, before anybody is let in.
    pub(in crate::server) fn holds(
        &self,
        registry: &mut Registry<Arc<Contact>>,
        ticket: Ticket,
    ) -> Option<u64> {
        let mut core = self.lock();
        core.fleet.handle_timeout(self.clock.now());
        self.apply(registry, &mut core);
        let fence = core.fleet.fence_of(&ticket.room);
        fence.map(|Fence(fence)| fence)
    }

    /// The relay is full for somebody who has a ticket. True where its room was opened for it alone, and is given to another
    /// relay, which to ask for again is worth it.
    pub(in crate::server) fn gives_back(&self, ticket: Ticket) -> bool {
        let mut core = self.lock();
        let is_given = core.fleet.give_back(self.clock.now(), ticket.room);
        self.send_requests(&mut core);
        drop(core);
        self.wake.notify_one();
        is_given
    }

    /// Somebody has come into a room that was here; the rooms' lock is still held.
    pub(in crate::server) fn came(&self, ticket: Ticket, number: RoomId, entry: &Entry) {
        let now = self.clock.now();
        let mut core = self.lock();
        let gateway = entry.who == Newcomer::Gateway;
        let here = core.here.entry(ticket.room);
        let here = here.or_insert(Here { number, gateway });
        here.number = number;
        here.gateway |= gateway;
        core.fleet.room_opened(now, ticket.room);
        if let Some(host) = ticket.host.filter(|_| gateway) {
            core.fleet.gateway_came(now, ticket.room, ticket.code, host);
        }
        self.send_requests(&mut core);
        drop(core);
        self.wake.notify_one();
    }

    /// The relays to whose rooms a gateway may measure its ways.
    pub(in crate::server) fn relays(&self) -> Vec<FleetRelay> {
        let cards = self.lock().fleet.given_out(MAX_FLEET);
        let relays = cards.into_iter().map(|card| FleetRelay {
            address: card.address.to_string(),
            pin: card.pin,
            region: Some(card.region).filter(|region| !region.as_str().is_empty()),
        });
        relays.collect()
    }

    /// Has a room go to the relay of this address, because its host wants it.
    ///
    /// # Errors
    /// What the host is told where it stays.
    pub(in crate::server) fn place(&self, room: RoomId, relay: String) -> Result<(), NotPlaced> {
        let mut core = self.lock();
        let mut rooms = core.here.iter();
        let placed = match rooms.find(|(_, here)| here.number == room) {
            Some((&hash, _)) => core.fleet.place_at(self.clock.now(), hash, &relay),
            None => Err(lanparty_fleet::NotPlaced::Busy),
        };
        self.send_requests(&mut core);
        drop(core);
        self.wake.notify_one();
        placed.map_err(|why| not_placed(relay, why))
    }

    /// Has all rooms go to other relays, one after the other.
    pub(in crate::server) fn drain(&self) {
        self.lock().fleet.drain(self.clock.now());
        self.wake.notify_one();
    }

    /// Takes rooms again.
    #[cfg(target_os = "linux")]
    pub(in crate::server) fn undrain(&self) {
        let mut core = self.lock();
        core.is_drained = false;
        core.fleet.undrain(self.clock.now());
        drop(core);
        self.wake.notify_one();
    }

    /// How long it takes at most until all rooms have gone, or those that nobody takes are left.
    pub(in crate::server) fn drain_time(&self) -> Duration {
        let rooms = u32::try_from(self.lock().here.len()).unwrap_or(u32::MAX);
        (Settings::PACE.saturating_mul(rooms) + LAST_ROOM).min(LONGEST_DRAIN)
    }

    /// Whether no room is here any more that another relay would take.
    fn is_drained(&self) -> bool {
        let core = self.lock();
        core.is_drained || core.fleet.size() == 1
    }

    /// Is ready when it is.
    pub(in crate::server) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if self.is_drained() {
                return;
            }
            drained.await;
        }
    }

    /// Leaves the fleet: nothing of this relay stays in the directory.
    pub(in crate::server) fn leave(&self) {
        let mut core = self.lock();
        core.fleet.leave(self.clock.now());
        self.send_requests(&mut core);
    }

    /// Is ready when the directory has answered all that it was asked.
    pub(in crate::server) async fn answered(&self) {
        loop {
            let answered = self.answered.notified();
            if self.lock().asked.is_empty() {
                return;
            }
            answered.await;
        }
    }

    /// Hands what is to be asked of the directory to who asks it.
    pub(super) fn send_requests(&self, core: &mut Core) {
        while let Some((tag, request)) = core.fleet.poll_request() {
            core.asked.insert(tag, self.clock.now());
            // Where nobody asks any more, the relay ends.
            let _ = self.requests.send((tag, request));
        }
    }

    fn hash(&self, wanted: &Wanted) -> RoomHash {
        self.secret.room(&wanted.code, wanted.host.as_ref())
    }
}

pub(super) fn not_placed(relay: String, why: lanparty_fleet::NotPlaced) -> NotPlaced {
    let text = why.to_string().into();
    NotPlaced { relay, text }
}

pub(super) fn elsewhere(to: &Card, fence: Option<Fence>) -> Elsewhere {
    Elsewhere {
        address: to.address.to_string(),
        pin: to.pin,
        fence: fence.map(|Fence(fence)| fence),
    }
}

fn near(measured: &lanparty_ctrl::places::Near) -> Near {
    Near {
        address: measured.address.clone(),
        rtt_ms: measured.rtt_ms.into(),
    }
}
