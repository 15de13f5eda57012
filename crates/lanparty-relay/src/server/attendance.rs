//! A peer's time in its room: its datagrams, its messages, its end (spec R13, R14, R25, R32).

use super::contact::{Contact, Outgoing};
use super::outbox::Next;
use super::passage::Passage;
use super::{BANNED, DRAIN, KICKED, Rooms, queue_steps, send_out};
use crate::registry::{NotTheHost, Seat};
use crate::room::LinkHealth;
use bytes::Bytes;
use lanparty_ctrl::door::{Door, Ready};
use lanparty_ctrl::message::{Disconnect, Entry, NewKey, Vouched};
use lanparty_ctrl::{DisconnectReason, HostOrder, LeaveReason, PeerMessage, RelayMessage};
use lanparty_quic::control::{self, ControlError};
use lanparty_quic::{CloseCode, Closed, Connection, SendStream, WaitWindow};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Instrument, debug, info, info_span};

/// How many datagrams are taken from a connection that has said goodbye.
const LAST_FRAMES: usize = 64;
/// How long a peer waits between messages that we hear. Its counters come every few seconds.
const MESSAGE_PAUSE: Duration = Duration::from_millis(50);

/// An admitted peer. Dropping it frees its place, whatever happened.
#[derive(Debug)]
pub(super) struct Attendance {
    rooms: Arc<Rooms>,
    place: Seat,
    link: Arc<Contact>,
    leave_reason: LeaveReason,
    span: tracing::Span,
    // What the tasks below take when they start.
    answer: Option<SendStream>,
}

/// How a peer's time ends.
#[derive(Debug)]
enum End {
    /// The link is down.
    Closed(Closed),
    /// The peer said goodbye.
    PeerLeft(DisconnectReason),
    /// The peer did what no program of ours does.
    Protocol(String),
    /// The peer does not take its messages.
    Deaf,
    /// We said goodbye.
    SentAway(Disconnect),
}

impl End {
    fn leave_reason(&self) -> LeaveReason {
        match self {
            End::Closed(Closed::TimedOut) | End::Deaf => LeaveReason::TimedOut,
            End::Closed(
                Closed::ByPeer(_) | Closed::ByUs | Closed::Forgotten | Closed::Broken(_),
            ) => LeaveReason::Closed,
            End::PeerLeft(reason) => (*reason).into(),
            End::Protocol(_) => LeaveReason::ProtocolError,
            End::SentAway(disconnect) => disconnect.reason.into(),
        }
    }
}

impl Attendance {
    pub(super) fn new(
        rooms: Arc<Rooms>,
        entry: Entry,
        place: Seat,
        from: SocketAddr,
        link: Arc<Contact>,
        answer: SendStream,
    ) -> Self {
        let span = info_span!("peer", room = %entry.room, peer = %place.peer);
        let name = entry.name.as_ref().map(tracing::field::display);
        span.in_scope(|| info!(%from, who = ?entry.who, name, "Joined"));
        link.seat(span.clone());
        Attendance {
            rooms,
            place,
            link,
            leave_reason: LeaveReason::Other,
            span,
            answer: Some(answer),
        }
    }

    /// Serves the peer until one side has had enough.
    pub(super) async fn serve(self) {
        let span = self.span.clone();
        self.serve_in_span().instrument(span).await;
    }

    async fn serve_in_span(mut self) {
        let answer = self.answer.take().expect("a seat is served once");
        let end = tokio::select! {
            end = self.pass_frames() => end,
            end = self.hear_messages() => end,
            end = say_messages(&self.link, answer) => end,
            end = refuse_streams(self.connection()) => end,
        };
        if let End::PeerLeft(_) = end {
            self.pass_last_frames();
        }
        let end = self.but_a_lost_link_first(end).await;
        let connection = self.connection().clone();
        self.leave_reason = end.leave_reason();
        // The place is free before anybody waits for a goodbye to arrive.
        drop(self);
        match end {
            End::Closed(_) => {}
            End::PeerLeft(_) | End::Deaf => connection.close(CloseCode::Bye),
            End::SentAway(goodbye) => say_goodbye(&connection, goodbye, CloseCode::Bye).await,
            End::Protocol(text) => {
                let goodbye = Disconnect {
                    reason: DisconnectReason::ProtocolError,
                    text: text.into(),
                };
                say_goodbye(&connection, goodbye, CloseCode::ProtocolError).await;
            }
        }
    }

    /// Where its connection lives.
    pub(super) fn home(&self) -> Option<Handle> {
        self.connection().home()
    }

    fn connection(&self) -> &Connection {
        self.link.connection()
    }

    /// A message that breaks off because its link broke is nobody's fault.
    async fn but_a_lost_link_first(&self, end: End) -> End {
        let closed = tokio::time::timeout(Duration::ZERO, self.connection().closed()).await;
        match (end, closed) {
            (End::Protocol(_) | End::Deaf, Ok(closed)) => End::Closed(closed),
            (end, _) => end,
        }
    }

    /// Has frames passed in the turn in which they come; waits until they should not any more.
    async fn pass_frames(&self) -> End {
        let (tell, told) = oneshot::channel();
        let (passage, mut tell) = (self.passage(), Some(tell));
        self.connection().hand_datagrams_to(move |now, datagrams| {
            if let Some(teller) = tell.take() {
                match passage.pass_all(now, datagrams) {
                    Ok(()) => tell = Some(teller),
                    Err(malformed) => drop(teller.send(malformed)),
                }
            }
        });
        match told.await {
            Ok(malformed) => End::Protocol(malformed.to_string()),
            Err(_) => End::Closed(self.connection().closed().await),
        }
    }

    /// Passes what came before a goodbye, or with it: a player's last frame gives its address back to the LAN.
    fn pass_last_frames(&self) {
        let mut batch = vec![Bytes::new(); LAST_FRAMES];
        if let Ok(count) = self.connection().try_read_datagrams(&mut batch) {
            // Whoever has said goodbye is not sent away.
            let _ = self.passage().pass_all(Instant::now(), &mut batch[..count]);
        }
    }

    fn passage(&self) -> Passage {
        Passage::new(self.rooms.clone(), self.place, self.link.clone())
    }

    async fn hear_messages(&self) -> End {
        let mut waits = WaitWindow::new(1);
        loop {
            match control::next_message(self.connection()).await {
                Ok(PeerMessage::Stats(stats)) => {
                    let health = LinkHealth {
                        rtt: self.connection().rtt(),
                        loss_permille: self.connection().loss_permille(),
                        stats: self.connection().stats(&mut waits),
                    };
                    debug!(?health, ?stats, "Counters came");
                    self.rooms
                        .lock()
                        .handle_stats(Instant::now(), self.place, *stats, health);
                }
                Ok(PeerMessage::Host(order)) => {
                    if let Err(error) = self.obey(order) {
                        return End::Protocol(error.to_string());
                    }
                }
                Ok(PeerMessage::Vouch(vouched)) => match self.hand_on(vouched) {
                    // A player waits for each, and there are no more of these than players.
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => return End::Protocol(error.to_string()),
                },
                Ok(PeerMessage::NewKey(key)) => {
                    if let Err(error) = self.hand_key_on(key) {
                        return End::Protocol(error.to_string());
                    }
                }
                Ok(PeerMessage::Disconnect(goodbye)) => return End::PeerLeft(goodbye.reason),
                Ok(PeerMessage::Door(door)) => self.open_door(door),
                // A meeting waits for each, and there are no more of these than meetings.
                Ok(PeerMessage::Ready(ready)) if self.is_ready(ready) => continue,
                Ok(PeerMessage::Ready(_)) => {}
                Ok(PeerMessage::Met(met)) => self.rooms.lock().handle_met(self.place, met),
                Ok(PeerMessage::Enter(_)) => return End::Protocol("this is no door".into()),
                Ok(PeerMessage::Hello(_) | PeerMessage::Find(_) | PeerMessage::Look) => {
                    return End::Protocol("a second hello".into());
                }
                Err(ControlError::Closed(closed)) => return End::Closed(closed),
                Err(error) => return End::Protocol(error.to_string()),
            }
            tokio::time::sleep(MESSAGE_PAUSE).await;
        }
    }
}

impl Attendance {
    /// Does what the host wants: who is kicked is out of the room before anything else happens.
    fn obey(&self, order: HostOrder) -> Result<(), NotTheHost> {
        debug!(?order, "The host wants something");
        let why = match order {
            HostOrder::Ban { .. } => BANNED,
            _ => KICKED,
        };
        let mut rooms = self.rooms.lock();
        if rooms.peer(self.place).is_none() {
            // It is being told that it is out.
            return Ok(());
        }
        if order == HostOrder::Members && self.link.owes_members() {
            // The answer to the last question is still to be said, and it is the same one.
            return Ok(());
        }
        let wanted_at = match &order {
            HostOrder::Place { relay } => Some(relay.clone()),
            _ => None,
        };
        let obeyed = rooms.handle_order(Instant::now(), self.place, order)?;
        if let (Some(relay), Some(fleet)) = (wanted_at, self.rooms.fleet.get())
            && let Err(not_placed) = fleet.place(self.place.room, relay)
        {
            let answer = RelayMessage::NotPlaced(not_placed);
            self.link.queue(Outgoing::Message(answer));
        }
        queue_steps(obeyed.steps, &self.link);
        for kicked in obeyed.kicked {
            send_out(kicked, why);
        }
        Ok(())
    }

    /// Hands a gateway's answer to the player who wants it; false when nobody does.
    fn hand_on(&self, vouched: Vouched) -> Result<bool, NotTheHost> {
        let mut rooms = self.rooms.lock();
        if rooms.peer(self.place).is_none() {
            return Ok(false);
        }
        let step = rooms.handle_vouch(self.place, vouched)?;
        let is_wanted = step.is_some();
        queue_steps(step.into_iter().collect(), &self.link);
        Ok(is_wanted)
    }

    /// Hears where it can be met, and tells whoever is to know now.
    fn open_door(&self, door: Door) {
        let mut rooms = self.rooms.lock();
        rooms.handle_door(self.place, door);
        self.rooms.introduce(&mut rooms, Some(self.place));
    }

    /// True for an answer that a meeting waits for.
    fn is_ready(&self, ready: Ready) -> bool {
        let mut rooms = self.rooms.lock();
        let is_awaited = rooms.handle_ready(self.place, ready);
        if is_awaited {
            self.rooms.introduce(&mut rooms, Some(self.place));
        }
        is_awaited
    }

    /// Hands a room's new key on to the player that it is for.
    fn hand_key_on(&self, key: NewKey) -> Result<(), NotTheHost> {
        let rooms = self.rooms.lock();
        if rooms.peer(self.place).is_none() {
            return Ok(());
        }
        let step = rooms.handle_new_key(self.place, key)?;
        queue_steps(step.into_iter().collect(), &self.link);
        Ok(())
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        let Some(mut departure) = rooms.leave(self.place, self.leave_reason) else {
            return;
        };
        queue_steps(std::mem::take(&mut departure.steps), &self.link);
        drop(rooms);
        self.link.log_departure(&departure, None);
    }
}

/// Says what waits: the first message answers the hello, the others have streams of their own, one for as many as
/// the peer reads from one.
async fn say_messages(link: &Contact, mut answer: SendStream) -> End {
    let mut answered = false;
    loop {
        let messages = match link.next_words(answered).await {
            Next::Messages(messages) => messages,
            Next::Goodbye(goodbye) => return End::SentAway(goodbye),
        };
        // Of the memory of somebody for whom there is nothing to say this would be the largest part of ours.
        let said = match &messages[..] {
            [welcome] if !answered => Box::pin(control::write_message(&mut answer, welcome)).await,
            messages => Box::pin(control::send_messages(link.connection(), messages)).await,
        };
        match said {
            Ok(()) => answered = true,
            Err(ControlError::Closed(closed)) => return End::Closed(closed),
            Err(_) => return End::Deaf,
        }
    }
}

/// After its hello a peer has no use for another stream with two directions.
async fn refuse_streams(connection: &Connection) -> End {
    match connection.accept_bi().await {
        Ok(_) => End::Protocol("a second bidirectional stream".into()),
        Err(closed) => End::Closed(closed),
    }
}

/// Tells the peer why, gives it time to read that, and closes the link.
async fn say_goodbye(connection: &Connection, goodbye: Disconnect, code: CloseCode) {
    let goodbye = RelayMessage::Disconnect(goodbye);
    let told = async {
        if control::send_message(connection, &goodbye).await.is_ok() {
            connection.closed().await;
        }
    };
    let _ = tokio::time::timeout(DRAIN, told).await;
    connection.close(code);
}
