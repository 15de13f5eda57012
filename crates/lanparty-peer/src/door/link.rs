//! A direct path that stands: its frames, and how it is doing.

use super::Door;
use super::retired::renumbered;
use crate::link::QueueDeaths;
use crate::ways::{Quality, Trial, Ways};
use bytes::Bytes;
use lanparty_obs::way::Measured;
use lanparty_obs::{DropReason, Losses};
use lanparty_proto::overlay::Probe;
use lanparty_proto::{DatagramBudget, FrameBuf, Header, PeerId};
use lanparty_quic::{CloseCode, Connection, Endpoint};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// For how long nothing may come back before the two are met anew.
const BROKEN: Duration = Duration::from_secs(1);
/// How many probes a second come back at most: twice as many as anybody of ours asks.
const ECHOES: u32 = 40;

/// One of a peer's direct paths. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct DoorLink {
    connection: Connection,
    // The socket below it, which may be an earlier link's by now.
    endpoint: Endpoint,
    door: Door,
    own_id: PeerId,
    cap: Option<DatagramBudget>,
    ways: Ways,
    since: Instant,
    next_frame_id: u16,
    told_drops: QueueDeaths,
    losses: Losses,
    loss_permille: Option<u16>,
    echoes: Echoes,
    /// There is no other way at the moment.
    pub(super) is_only: bool,
    /// When it ends, where nobody knows whether the other one may still have it.
    pub(super) until: Option<Instant>,
    /// By which one, where another one has taken its place.
    pub(super) replaced_by: Option<Door>,
    broken_since: Option<Instant>,
    /// It was lost in this way already, and the two are to be met anew.
    is_given_up: bool,
}

/// How many probes have been sent back in this second.
#[derive(Debug)]
struct Echoes {
    since: Instant,
    sent: u32,
}

impl Echoes {
    fn may_send(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            *self = Echoes {
                since: now,
                sent: 0,
            };
        }
        self.sent += 1;
        self.sent <= ECHOES
    }
}

impl DoorLink {
    pub(super) fn new(
        now: Instant,
        (connection, endpoint): (Connection, Endpoint),
        (door, own_id): (Door, PeerId),
        cap: Option<DatagramBudget>,
        trial: Trial,
    ) -> Self {
        DoorLink {
            connection,
            endpoint,
            door,
            own_id,
            cap,
            ways: Ways::new(now, trial),
            since: now,
            next_frame_id: 0,
            told_drops: QueueDeaths::default(),
            losses: Losses::default(),
            loss_permille: None,
            echoes: Echoes {
                since: now,
                sent: 0,
            },
            is_only: false,
            until: None,
            replaced_by: None,
            broken_since: None,
            is_given_up: false,
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn door(&self) -> Door {
        self.door
    }

    /// It is the next one of the same pair: pieces of frames of both are told from each other.
    pub(super) fn follow(&mut self, before: &DoorLink) {
        self.next_frame_id = before.next_frame_id;
    }

    /// True when it is read alone, since another one has taken its place.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced_by.is_some()
    }

    /// What has come there, with the numbers that the two have by now.
    pub(crate) fn renumbered(&self, datagram: Bytes) -> Bytes {
        match self.replaced_by {
            Some(new) => renumbered(datagram, self.door, new),
            None => datagram,
        }
    }

    pub(super) fn ways(&self) -> &Ways {
        &self.ways
    }

    pub(super) fn stood(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Where the other end is.
    pub(super) fn remote_address(&self) -> Option<SocketAddr> {
        self.connection.remote_address()
    }

    /// True when frames go here and not by the relay.
    pub(crate) fn is_taken(&self) -> bool {
        self.is_only || self.ways.is_direct()
    }

    /// Sends a frame that came at `now`. Answers how many datagrams that took.
    ///
    /// # Errors
    /// Why the frame died, uncounted.
    pub(crate) fn send_frame(
        &mut self,
        now: Instant,
        frame: FrameBuf,
    ) -> Result<usize, DropReason> {
        let header = Header {
            peer: self.own_id,
            room: self.door.room,
            fragment: false,
        };
        let next_frame_id = &mut self.next_frame_id;
        let frame_id = || {
            *next_frame_id = next_frame_id.wrapping_add(1);
            *next_frame_id
        };
        self.ways.note_sent(now);
        let datagram = frame.into_datagram(header);
        self.connection
            .send_frame(now, datagram, frame_id, self.cap)
    }

    /// A probe has come: one's own, or a question of the other one's, which gets the same bytes back. False for one of
    /// neither.
    pub(crate) fn handle_probe(&mut self, now: Instant, probe: Probe, datagram: Bytes) -> bool {
        if probe.room != self.door.room {
            return false;
        }
        if probe.peer == self.own_id {
            self.ways.handle_echo(now, probe.number);
            return true;
        }
        let is_others = [self.door.client, self.door.gateway].contains(&probe.peer);
        if is_others && self.echoes.may_send(now) {
            // What finds no room is asked again.
            let _ = self.connection.send_probe(datagram);
        }
        is_others
    }

    /// When [`Self::poll`] has something to do.
    pub(super) fn poll_timeout(&self) -> Instant {
        let ways = self.ways.poll_timeout();
        self.until.map_or(ways, |until| until.min(ways))
    }

    /// Asks what is due. True when frames go another way from now on.
    pub(super) fn poll(&mut self, now: Instant) -> bool {
        if self.ways.poll_timeout() > now {
            return false;
        }
        let was_direct = self.ways.is_direct();
        let question = self.ways.poll(now, self.connection.acknowledged());
        if let Some(question) = question {
            let probe = Probe {
                peer: self.own_id,
                room: self.door.room,
                number: question.number,
            };
            let len = match question.is_full {
                true => self.budget().bytes(),
                false => 0,
            };
            // What finds no room counts as lost.
            let _ = self.connection.send_probe(probe.encode(len));
        }
        was_direct != self.ways.is_direct()
    }

    fn budget(&self) -> DatagramBudget {
        let budget = self.connection.budget();
        self.cap.map_or(budget, |cap| cap.min(budget))
    }

    /// Looks which way is better; to be called some times a second. `relay` is nothing where none can be used. True when frames
    /// go another way from now on.
    pub(super) fn judge(&mut self, now: Instant, relay: Option<Quality>) -> bool {
        let was_taken = self.is_taken();
        let packets = self.connection.packets();
        self.loss_permille = packets.and_then(|packets| self.losses.of_late(now, packets));
        if let Some(relay) = relay {
            self.ways.judge(now, relay, self.loss_permille.unwrap_or(0));
        }
        let is_silent = self.ways.is_silent();
        // Rather a way of which nothing is known than none.
        self.is_only = relay.is_none();
        match is_silent {
            true => {
                self.broken_since.get_or_insert(now);
            }
            false => {
                self.broken_since = None;
                self.is_given_up = false;
            }
        }
        was_taken != self.is_taken()
    }

    /// True once when nothing has come back for so long that the two should be met anew.
    pub(super) fn takes_leave(&mut self, now: Instant) -> bool {
        let broken = |since| now.saturating_duration_since(since) >= BROKEN;
        let is_broken = self.broken_since.is_some_and(broken);
        is_broken && !std::mem::replace(&mut self.is_given_up, is_broken)
    }

    /// The other end has sent by the relay what could have come straight.
    pub(super) fn doubt(&mut self, now: Instant) {
        self.ways.doubt(now);
    }

    /// This machine has another address.
    pub(super) fn moves(&mut self) {
        self.ways.break_off();
    }

    pub(super) fn measured(&self) -> Measured {
        Measured {
            rtt_us: self.ways.rtt().map(crate::link::micros),
            loss_permille: self.loss_permille,
        }
    }

    /// Frames that have died in its queue since this was last asked.
    pub(super) fn new_queue_deaths(&mut self) -> QueueDeaths {
        let now = QueueDeaths::from(self.connection.queue_stats());
        let before = std::mem::replace(&mut self.told_drops, now);
        QueueDeaths {
            without_room: now.without_room.saturating_sub(before.without_room),
            late: now.late.saturating_sub(before.late),
        }
    }

    /// Ends it, and the other end hears that.
    pub(crate) fn close(&self) {
        self.connection.close(CloseCode::Bye);
    }
}
