//! From a stranger's first packet to its seat in a room, within deadlines (spec R11, R12, R35).

use super::attendance::Attendance;
use super::contact::{Contact, Outgoing};
use super::fleet::{Errand, Membership, Place, Ticket};
use super::{BANNED, DRAIN, Rooms, queue_steps, send_out};
use crate::room::Step;
use lanparty_ctrl::message::{Disconnect, Entry, Hello, Newcomer, Reject, Seen};
use lanparty_ctrl::places::Elsewhere;
use lanparty_ctrl::{
    DisconnectReason, PLACES, PeerMessage, RejectReason, RelayMessage, ResumeToken, Text,
};
use lanparty_quic::control::{self, ControlError};
use lanparty_quic::{CloseCode, Connection, Incoming, SendStream};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::debug;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a peer may take to say hello after it.
const HELLO: Duration = Duration::from_secs(5);
/// And whoever has been told where its party is, which knows already what it will say.
const HELLO_AFTER_FIND: Duration = Duration::from_secs(3);
/// And a player whose host is not here: it goes as soon as it has read that, as nobody waits for the host inside. While a party moves all
/// its players ask again and again, and must not take the places of those who come to enter.
const GOES_AFTER_FIND: Duration = DRAIN.saturating_mul(2);

/// Where somebody in this program comes from: no port, as nothing comes by one.
const INSIDE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a gateway reads whose place another one has taken that has the same host's key.
const GATEWAY_REPLACED: &str =
    "another gateway of this room's host has taken its place; run one of them only";

/// What a stranger wants.
enum Wish {
    /// A seat in a room.
    Seat(Box<Entry>),
    /// To know whether its party is here, before it takes a seat or goes.
    Find(Box<Entry>),
    /// To know from where it is seen.
    Look,
}

/// Why a stranger gets no seat.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    /// It is told why.
    #[error("{0}")]
    Reject(RejectReason, SendStream),
    /// The same, in words of our own.
    #[error("{1}")]
    Say(RejectReason, Text, SendStream),
    /// It is told where its room is.
    #[error("its room is at {}", .0.address)]
    Redirect(Elsewhere, SendStream),
    /// It does not speak our protocol.
    #[error("{0}")]
    Protocol(String),
}

impl Refusal {
    /// What it is told, if it is.
    fn reason(&self) -> Option<RejectReason> {
        match self {
            Refusal::Reject(reason, _) | Refusal::Say(reason, ..) => Some(*reason),
            Refusal::Redirect(..) | Refusal::Protocol(_) => None,
        }
    }

    fn is_redirect(&self) -> bool {
        matches!(self, Refusal::Redirect(..))
    }
}

/// Hears a stranger; answers its seat when it was admitted. Nothing here is logged above debug.
pub(super) async fn greet(rooms: Arc<Rooms>, incoming: Incoming) -> Option<Attendance> {
    let from = incoming.remote_address();
    let handshake = incoming.accept(HANDSHAKE).await;
    rooms.counts.note_handshake(handshake.as_ref().err());
    let connection = match handshake {
        Ok(connection) => connection,
        Err(error) => {
            debug!(%from, %error, "A handshake failed");
            return None;
        }
    };
    seat(rooms, connection, from).await
}

/// Hears somebody in this program.
pub(super) async fn greet_inside(rooms: Arc<Rooms>, connection: Connection) -> Option<Attendance> {
    seat(rooms, connection, INSIDE).await
}

/// Hears a hello; answers a seat to whoever is admitted.
async fn seat(rooms: Arc<Rooms>, connection: Connection, from: SocketAddr) -> Option<Attendance> {
    let refusal = match hear(&rooms, &connection, from).await {
        Ok(Heard::Seated(seat)) => return Some(*seat),
        Ok(Heard::Looked(answer)) => {
            rooms.counts.note_look();
            let region = rooms.lock().region().cloned();
            let seen = Seen {
                address: from,
                region,
            };
            answer_look(&connection, seen, answer).await;
            return None;
        }
        Ok(Heard::Gone) => {
            connection.close(CloseCode::Bye);
            return None;
        }
        Err(refusal) => refusal,
    };
    // Whoever is sent on is counted by the fleet.
    if !refusal.is_redirect() {
        rooms.counts.note_refused(refusal.reason());
    }
    debug!(%from, %refusal, "A stranger is sent away");
    send_away(&connection, refusal).await;
    None
}

/// What has come of a stranger that is not refused.
enum Heard {
    /// It has a seat.
    Seated(Box<Attendance>),
    /// It is to be told from where it is seen.
    Looked(SendStream),
    /// It was told where its party is, and wants nothing else here.
    Gone,
}

/// One wish, or two: whoever asks for its party first says hello then, once.
async fn hear(
    rooms: &Arc<Rooms>,
    connection: &Connection,
    from: SocketAddr,
) -> Result<Heard, Refusal> {
    let admit = async |entry, answer| {
        let seat = enter(rooms, entry, from, connection, answer).await?;
        Ok(Heard::Seated(Box::new(seat)))
    };
    let (wish, answer) = hear_wish(connection).await?;
    let patience = match wish {
        Wish::Seat(entry) => return admit(entry, answer).await,
        Wish::Look if rooms.lock().may_look(Instant::now(), from.ip()) => {
            return Ok(Heard::Looked(answer));
        }
        Wish::Look => return Err(Refusal::Reject(RejectReason::RateLimited, answer)),
        Wish::Find(entry) => answer_find(rooms, &entry, from, answer).await?,
    };
    match hear_after_find(connection, patience).await? {
        Some((entry, answer)) => admit(entry, answer).await,
        None => Ok(Heard::Gone),
    }
}

/// Says where the party is to whoever may enter there; answers how long its hello may take.
async fn answer_find(
    rooms: &Rooms,
    entry: &Entry,
    from: SocketAddr,
    answer: SendStream,
) -> Result<Duration, Refusal> {
    let mut answer = answer;
    if let Some(fleet) = rooms.fleet.get() {
        let place = fleet.locate(rooms, entry, from.ip(), Errand::Find).await;
        (_, answer) = here_or_refused(place, entry, answer)?;
    }
    let found = rooms.lock().find(Instant::now(), entry, from.ip());
    let is_player = matches!(entry.who, Newcomer::Client(_)) && entry.invitation.is_some();
    let (found, patience) = match found {
        Ok(mut found) => {
            let patience = match is_player && !found.gateway {
                true => GOES_AFTER_FIND,
                false => HELLO_AFTER_FIND,
            };
            if let (Some(fleet), Newcomer::Gateway) = (rooms.fleet.get(), entry.who) {
                found.relays = fleet.relays();
            }
            (RelayMessage::Found(Box::new(found)), patience)
        }
        Err(reason) => return Err(Refusal::Reject(reason, answer)),
    };
    // Who does not read it says no hello either.
    let _ = control::write_message(&mut answer, &found).await;
    Ok(patience)
}

/// The hello of somebody who has been told where its party is; none, if it has gone there.
async fn hear_after_find(
    connection: &Connection,
    patience: Duration,
) -> Result<Option<(Box<Entry>, SendStream)>, Refusal> {
    let hello = tokio::time::timeout(patience, read_hello(connection)).await;
    let (message, answer) = match hello {
        Ok(Ok(hello)) => hello,
        Err(_) | Ok(Err(ControlError::Closed(_) | ControlError::TooSlow)) => return Ok(None),
        Ok(Err(error)) => return Err(Refusal::Protocol(error.to_string())),
    };
    match message {
        PeerMessage::Hello(hello) => check(connection, *hello, answer).map(Some),
        _ => Err(Refusal::Protocol("no hello follows its find".into())),
    }
}

async fn hear_wish(connection: &Connection) -> Result<(Wish, SendStream), Refusal> {
    let hello = tokio::time::timeout(HELLO, read_hello(connection)).await;
    let hello = hello.unwrap_or(Err(ControlError::TooSlow));
    let (message, answer) = hello.map_err(|error| Refusal::Protocol(error.to_string()))?;
    let wishes = |wish: fn(Box<Entry>) -> Wish| move |(entry, answer)| (wish(entry), answer);
    match message {
        PeerMessage::Hello(hello) => check(connection, *hello, answer).map(wishes(Wish::Seat)),
        PeerMessage::Find(hello) => check(connection, *hello, answer).map(wishes(Wish::Find)),
        PeerMessage::Look => Ok((Wish::Look, answer)),
        _ => Err(Refusal::Protocol("its first message is no hello".into())),
    }
}

/// Who it is, if its words make sense.
fn check(
    connection: &Connection,
    hello: Hello,
    answer: SendStream,
) -> Result<(Box<Entry>, SendStream), Refusal> {
    match hello.check(connection.channel_binding()) {
        Ok(Ok(entry)) => {
            let entry = Entry {
                identity: connection.identity(),
                // What it says decides its room's MTU, for everybody. A path takes no more than what we find
                // that it takes, whatever its other end says.
                datagram_budget: entry.datagram_budget.min(connection.budget()),
                ..entry
            };
            Ok((Box::new(entry), answer))
        }
        Ok(Err(reason)) => Err(Refusal::Reject(reason, answer)),
        Err(error) => Err(Refusal::Protocol(error.to_string())),
    }
}

async fn read_hello(connection: &Connection) -> Result<(PeerMessage, SendStream), ControlError> {
    let (answer, mut stream) = connection.accept_bi().await?;
    Ok((control::read_message(&mut stream).await?, answer))
}

/// What somebody reads who knows no way to another relay.
const TOO_OLD: &str = "your party is at another relay of this fleet, and this program is too old to go there; update it";
/// And whose room comes and goes while it waits at the door.
const RESTLESS: &str = "the room is between two relays; try again in some seconds";
/// How often somebody is told where its room is, before it is told to come again.
const LOOKS: usize = 3;

/// Whoever does not belong here goes where it belongs; the others go on, those with a ticket whose room is here.
fn here_or_refused(
    place: Place,
    entry: &Entry,
    answer: SendStream,
) -> Result<(Option<Ticket>, SendStream), Refusal> {
    match place {
        Place::Here(ticket) => Ok((Some(ticket), answer)),
        Place::Nowhere => Ok((None, answer)),
        Place::Elsewhere(to) if entry.takes_redirects => Err(Refusal::Redirect(to, answer)),
        Place::Elsewhere(_) => Err(Refusal::Say(RejectReason::Other, TOO_OLD.into(), answer)),
        Place::Untold(reason, why) => Err(Refusal::Say(reason, why.into(), answer)),
        Place::Refused(reason) => Err(Refusal::Reject(reason, answer)),
    }
}

/// Lets somebody in, or says why not; where there is a fleet, once it is known that the room is here.
async fn enter(
    rooms: &Arc<Rooms>,
    mut entry: Box<Entry>,
    from: SocketAddr,
    connection: &Connection,
    mut answer: SendStream,
) -> Result<Attendance, Refusal> {
    let Some(fleet) = rooms.fleet.get() else {
        return match admit(rooms, entry, from, connection, answer, None) {
            Ok(seat) => Ok(seat),
            Err(NotIn::Refused(refusal)) => Err(refusal),
            Err(NotIn::Left(_, answer)) => Err(restless(answer)),
            Err(NotIn::Full(_, answer)) => Err(Refusal::Reject(RejectReason::RelayFull, answer)),
        };
    };
    for _ in 0..LOOKS {
        let place = fleet.locate(rooms, &entry, from.ip(), Errand::Enter).await;
        let ticket;
        (ticket, answer) = here_or_refused(place, &entry, answer)?;
        let Some(ticket) = ticket else {
            return Err(nowhere(rooms, &entry, from, answer));
        };
        let pass = Some((&**fleet, ticket));
        match admit(rooms, entry, from, connection, answer, pass) {
            Ok(seat) => return Ok(seat),
            Err(NotIn::Refused(refusal)) => return Err(refusal),
            Err(NotIn::Left(again, stream)) => (entry, answer) = (again, stream),
            Err(NotIn::Full(again, stream)) if fleet.gives_back(ticket) => {
                (entry, answer) = (again, stream);
            }
            Err(NotIn::Full(_, stream)) => {
                return Err(Refusal::Reject(RejectReason::RelayFull, stream));
            }
        }
    }
    Err(restless(answer))
}

fn restless(answer: SendStream) -> Refusal {
    Refusal::Say(RejectReason::Other, RESTLESS.into(), answer)
}

/// Why somebody does not come in whose room is at no relay.
fn nowhere(rooms: &Rooms, entry: &Entry, from: SocketAddr, answer: SendStream) -> Refusal {
    match rooms.lock().find(Instant::now(), entry, from.ip()) {
        Err(reason) => Refusal::Reject(reason, answer),
        // Its key has come this very moment.
        Ok(_) => restless(answer),
    }
}

/// Somebody is not let in.
enum NotIn {
    /// For good.
    Refused(Refusal),
    /// Its room has left in this moment, and it asks again where that is.
    Left(Box<Entry>, SendStream),
    /// The relay is full; another one of its fleet may not be.
    Full(Box<Entry>, SendStream),
}

fn admit(
    rooms: &Arc<Rooms>,
    entry: Box<Entry>,
    from: SocketAddr,
    connection: &Connection,
    answer: SendStream,
    pass: Option<(&Membership, Ticket)>,
) -> Result<Attendance, NotIn> {
    let token = ResumeToken::from_random(rand::random());
    let who = entry.who;
    // Declared before the lock, so that it goes after it: a seat that is dropped frees its place.
    let seat;
    let mut registry = rooms.lock();
    let now = Instant::now();
    let fence = match pass {
        Some((fleet, ticket)) => match fleet.holds(&mut registry, ticket) {
            Some(fence) => Some(fence),
            None => return Err(NotIn::Left(entry, answer)),
        },
        None => None,
    };
    let link = Arc::new(Contact::new(connection.clone(), &entry));
    let admitted = registry.admit(now, &entry, from.ip(), token, link.clone());
    let mut admission = match admitted {
        Ok(admission) => admission,
        Err(RejectReason::RelayFull) => return Err(NotIn::Full(entry, answer)),
        Err(reason) => return Err(NotIn::Refused(Refusal::Reject(reason, answer))),
    };
    if let Some((fleet, ticket)) = pass {
        fleet.came(ticket, admission.place.room, &entry);
        tell_fence(&mut admission.steps, fence);
    }
    seat = Attendance::new(
        rooms.clone(),
        *entry,
        admission.place,
        from,
        link.clone(),
        answer,
    );
    if let Some(replaced) = admission.replaced {
        replaced.link.log_departure(&replaced, None);
        queue_steps(replaced.steps, &link);
        replaced.link.queue(Outgoing::Goodbye(Disconnect {
            reason: DisconnectReason::Replaced,
            text: match who {
                Newcomer::Client(_) => "the same player has come in anew".into(),
                Newcomer::Gateway => GATEWAY_REPLACED.into(),
            },
        }));
    }
    queue_steps(admission.steps, &link);
    for kicked in admission.kicked {
        send_out(kicked, BANNED);
    }
    drop(registry);
    Ok(seat)
}

/// Says in a welcome by which right the room is here, and that its host may have it elsewhere.
fn tell_fence(steps: &mut [Step<Arc<Contact>>], told: Option<u64>) {
    for step in steps {
        if let Step::Answer(RelayMessage::Welcome(welcome)) = step {
            welcome.fence = told;
            welcome.capabilities.push(PLACES.to_owned());
        }
    }
}

/// Says from where the connection is seen, and ends it.
async fn answer_look(connection: &Connection, seen: Seen, mut answer: SendStream) {
    let seen = RelayMessage::Seen(seen);
    let told = async {
        if control::write_message(&mut answer, &seen).await.is_ok() {
            connection.closed().await;
        }
    };
    let _ = tokio::time::timeout(4 * DRAIN, told).await;
    connection.close(CloseCode::Bye);
}

async fn send_away(connection: &Connection, refusal: Refusal) {
    let reason = refusal.reason();
    let (last, mut answer) = match refusal {
        Refusal::Reject(reason, answer) => {
            let text = reason.to_string().into();
            (RelayMessage::Reject(Reject { reason, text }), answer)
        }
        Refusal::Say(reason, text, answer) => {
            (RelayMessage::Reject(Reject { reason, text }), answer)
        }
        Refusal::Redirect(to, answer) => (RelayMessage::Redirect(to), answer),
        Refusal::Protocol(_) => {
            connection.close(CloseCode::ProtocolError);
            return;
        }
    };
    let told = async {
        if control::write_message(&mut answer, &last).await.is_ok() {
            // The peer closes once it has read the answer.
            connection.closed().await;
        }
    };
    // Who asks too often shall not hold a place among the strangers for long.
    let patience = match reason {
        Some(RejectReason::RateLimited) => 2 * DRAIN,
        _ => 4 * DRAIN,
    };
    let _ = tokio::time::timeout(patience, told).await;
    connection.close(CloseCode::Rejected);
}
