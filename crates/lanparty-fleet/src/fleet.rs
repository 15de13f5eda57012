//! One relay's part in the fleet.

mod agreement;
mod answers;
mod claiming;
mod holds;
mod load;
mod locate;
mod moves;
mod presence;
mod room;
mod rows;
mod strays;
#[cfg(test)]
mod tests;
mod wished;

pub use load::Load;
pub use locate::{Asker, Located, Refusal};
pub use rows::{Counts, RelayRow, RoomRow};
pub use wished::NotPlaced;

use crate::card::{Address, Card};
use crate::directory::{Answer, Event, LeaseId, Request, Tag};
use crate::key::Key;
use crate::lease::Lease;
use crate::name::{Fence, FleetSecret, RelayId, RoomHash};
use crate::trouble::{Said, Trouble};
use crate::view::View;
use holds::Hold;
use lanparty_ctrl::{Pin, Text};
use load::Overload;
use room::{Room, Terms};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// What a relay brings into its fleet.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This run of this relay; random.
    pub id: RelayId,
    /// Where peers reach it.
    pub address: Address,
    /// The pin of its key; none where its certificate is one that the world knows.
    pub pin: Option<Pin>,
    /// Where it stands, for people; may be empty.
    pub region: Text,
    /// What all relays of the fleet know.
    pub secret: FleetSecret,
    /// How many players it takes while nothing else was said by [`Fleet::handle_load`].
    pub free: u32,
    /// What becomes of its rooms when the directory is away.
    pub on_loss: OnLoss,
    /// The clock on the wall when the fleet is made, in seconds since 1970.
    pub unix: u64,
    /// Rooms leave one after the other, so far apart.
    pub pace: Duration,
}

impl Settings {
    /// The time between two rooms that leave: 10 rooms of 8 players are 80 handshakes a second, a small part of what one
    /// core can do (docs/performance.md).
    pub const PACE: Duration = Duration::from_millis(100);
}

/// What becomes of rooms when nothing is heard from the directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// They go on; a directory that is away for everybody gives them to nobody.
    #[default]
    Keep,
    /// They end before the lease can, after two and a half seconds, so that no room is ever at two relays, not even without its gateway.
    Close,
}

/// How this relay stands with its fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was never in yet.
    Entering,
    /// It is in.
    In,
    /// It was in, and hears nothing from the directory.
    Fenced,
    /// It may not come in: another secret, or what is there is no fleet's. [`Output::Say`] says which; it looks again
    /// each five seconds.
    Refused,
    /// It has left.
    Left,
}

/// Whom of a room something is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Its gateway.
    Gateway,
    /// Everybody else, 0.3 s later, so that the gateway is there when they come.
    Clients,
}

/// Why nobody may stay in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It is at another relay, and there was time to go there.
    Moved,
    /// It is at another relay that nobody here knows.
    Elsewhere,
    /// The directory is away and [`OnLoss::Close`].
    NoDirectory,
}

/// What the relay's server is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Who waits with [`Located::Ask`] for this room asks again now.
    Settled(RoomHash),
    /// The room is at another relay: tell these members so (`moved`). Frames go on as long as they are here.
    Moved {
        /// Which room.
        room: RoomHash,
        /// Where it is.
        to: Card,
        /// By which fence it is there.
        fence: Fence,
        /// Whom to tell.
        whom: Whom,
    },
    /// The room stays, although its host has wanted it elsewhere ([`Fleet::place_at`]).
    Stays {
        /// Which room.
        room: RoomHash,
        /// Who does not take it.
        relay: Address,
    },
    /// Whoever is left in the room is out, and the room closed.
    RoomLost {
        /// Which room.
        room: RoomHash,
        /// Why.
        why: Lost,
    },
    /// The room is this relay's by a higher fence than before; newcomers' welcomes say this one.
    Refenced {
        /// Which room.
        room: RoomHash,
        /// The fence.
        fence: Fence,
    },
    /// Nothing was heard from the directory for nearly as long as the lease lasts.
    Fenced,
    /// It is heard again, or for the first time.
    Unfenced,
    /// All rooms have left after [`Fleet::drain`].
    Drained,
    /// Tell the operator.
    Say(Trouble),
}

/// To what an answer belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Check(u64),
    /// With when it was asked, as below.
    Grant(Instant),
    KeepAlive(LeaseId, Instant),
    Card(LeaseId),
    Claim(RoomHash, Terms),
    /// A key that shall go.
    Forget(Key),
    Offer(RoomHash),
    GrantHold(RoomHash),
    KeepHold(RoomHash, LeaseId),
    PutHold(RoomHash),
    /// What nobody waits for.
    Idle,
}

/// One relay's part in the fleet: what it has, what it knows of the others, and what it wants of the directory.
///
/// After each call with a `handle` in its name, and after [`locate`](Self::locate), take everything that
/// [`poll_request`](Self::poll_request) and [`poll_output`](Self::poll_output) have; call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    started: Instant,
    standing: Standing,
    /// When it was in for the first time.
    entered: Option<Instant>,
    draining: bool,
    drained: bool,
    view: View,
    cluster: Option<u64>,
    agreement: agreement::Agreement,
    lease: Lease,
    card: presence::OwnCard,
    overload: Overload,
    rooms: HashMap<RoomHash, Room>,
    holds: HashMap<RoomHash, Hold>,
    /// When to look at which hold; late entries do no harm.
    hold_timers: BTreeSet<(Instant, RoomHash)>,
    /// Rooms that wait for a claim, and claims under way.
    queue: VecDeque<RoomHash>,
    claiming: usize,
    strays: strays::Strays,
    /// Rooms that are to leave for a reason of their own, and when the next one may.
    leaving: moves::Leaving,
    /// Rooms for which somebody has asked while their owner was not in the fleet.
    asked_for: BTreeSet<RoomHash>,
    /// When to look at which room; late entries do no harm.
    timers: BTreeSet<(Instant, RoomHash)>,
    pending: HashMap<Tag, Purpose>,
    last_tag: u64,
    requests: VecDeque<(Tag, Request)>,
    outputs: VecDeque<Output>,
    said: Said,
    counts: Counts,
    mentioned_garbage: u64,
}

impl Fleet {
    /// A relay that is about to enter its fleet.
    pub fn new(now: Instant, settings: Settings) -> Self {
        Fleet {
            started: now,
            standing: Standing::Entering,
            entered: None,
            draining: false,
            drained: false,
            view: View::default(),
            cluster: None,
            agreement: agreement::Agreement::new(now),
            lease: Lease::new(now),
            card: presence::OwnCard::new(now, &settings),
            overload: Overload::default(),
            rooms: HashMap::new(),
            holds: HashMap::new(),
            hold_timers: BTreeSet::new(),
            queue: VecDeque::new(),
            claiming: 0,
            strays: strays::Strays::default(),
            leaving: moves::Leaving::new(now),
            asked_for: BTreeSet::new(),
            timers: BTreeSet::new(),
            pending: HashMap::new(),
            last_tag: 0,
            requests: VecDeque::new(),
            outputs: VecDeque::new(),
            said: Said::default(),
            counts: Counts::default(),
            mentioned_garbage: 0,
            settings,
        }
    }

    /// The directory tells of a change, or of everything.
    pub fn handle_event(&mut self, now: Instant, event: Event) {
        self.counts.events += 1;
        match event {
            Event::Snapshot {
                cluster,
                revision,
                view,
            } => self.handle_snapshot(now, cluster, revision, *view),
            Event::Put(entry) => {
                if let Some(key) = self.view.put(entry) {
                    self.handle_change(now, key);
                }
            }
            Event::Gone { key, revision } => {
                if let Some(key) = self.view.gone(&key, revision) {
                    self.handle_change(now, key);
                }
            }
            Event::Deaf => self.counts.deaf += 1,
        }
        self.mention_garbage(now);
        self.handle_timeout(now);
    }

    /// The directory answers a request.
    pub fn handle_answer(&mut self, now: Instant, tag: Tag, answer: Answer) {
        let Some(purpose) = self.pending.remove(&tag) else {
            return;
        };
        if answer == Answer::Unreachable {
            self.counts.unanswered += 1;
        }
        self.answered(now, purpose, answer);
        self.handle_timeout(now);
    }

    /// The members of a room have come; who was located here and never came does not keep it.
    pub fn room_opened(&mut self, now: Instant, room: RoomHash) {
        if let Some(room) = self.rooms.get_mut(&room)
            && !room.open
        {
            room.open = true;
            room.opened = now;
        }
    }

    /// The last member of a room has left; it is let go a second later.
    pub fn room_closed(&mut self, now: Instant, room: RoomHash) {
        self.closed(now, room);
        self.handle_timeout(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.standing {
            Standing::Left => return,
            Standing::Refused => return self.look_at_check(now),
            Standing::Entering | Standing::In | Standing::Fenced => {}
        }
        self.look_at_lease(now);
        self.look_at_card(now);
        self.look_at_rooms(now);
        self.look_at_leaving(now);
        self.look_at_holds(now);
        self.look_at_strays(now);
        self.feed_queue(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self.standing {
            Standing::Left => return None,
            Standing::Refused => return self.agreement.poll_timeout(),
            Standing::Entering | Standing::In | Standing::Fenced => {}
        }
        let room = self.timers.first().map(|&(at, _)| at);
        let all = [
            self.lease_timeout(now),
            self.agreement.poll_timeout(),
            self.card.poll_timeout(now),
            self.leaving_timeout(),
            self.strays.poll_timeout(),
            room,
            self.hold_timers.first().map(|&(at, _)| at),
        ];
        all.into_iter().flatten().min()
    }

    /// What to ask the directory, in this order.
    pub fn poll_request(&mut self) -> Option<(Tag, Request)> {
        self.requests.pop_front()
    }

    /// What the relay's server is to do, in this order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn request(&mut self, purpose: Purpose, request: Request) {
        self.last_tag += 1;
        let tag = Tag(self.last_tag);
        self.counts.requests += 1;
        self.pending.insert(tag, purpose);
        self.requests.push_back((tag, request));
    }

    fn say(&mut self, now: Instant, trouble: Trouble) {
        if self.said.say(now, trouble) {
            self.outputs.push_back(Output::Say(trouble));
        }
    }

    fn mention_garbage(&mut self, now: Instant) {
        let seen = self.view.garbage;
        if seen > self.mentioned_garbage && self.said.say(now, Trouble::Garbage { seen }) {
            self.mentioned_garbage = seen;
            self.outputs
                .push_back(Output::Say(Trouble::Garbage { seen }));
        }
    }

    fn unix(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started).as_secs();
        self.settings.unix.saturating_add(since)
    }

    fn set_timer(&mut self, at: Instant, room: RoomHash) {
        self.timers.insert((at, room));
    }

    fn handle_change(&mut self, now: Instant, key: Key) {
        match key {
            Key::Fleet => self.fleet_changed(now),
            Key::Relay(relay) => {
                self.card_changed(now, relay);
                self.settle_all_ownerless();
            }
            Key::Room(room) => {
                self.owner_changed(now, room);
                self.settle_ownerless(room);
            }
            Key::Move(room) => self.offered(now, room),
            Key::Claim(room) => self.hold_changed(now, room),
        }
    }
}
