//! A peer's link to its relay: found, greeted, and used until it breaks.

pub mod acquaintance;
pub(crate) mod carriage;
pub(crate) mod greeting;
pub(crate) mod race;

pub use crate::relays::{NoneOf, NotFollowed};
pub use greeting::ConnectError;

use crate::path_watch::PathWatch;
use crate::pulse::{Beat, Pulse};
use crate::relay_args::RelayConfig;
use crate::relays::Relays;
use crate::relays::trail::Trail;
use crate::ways::Quality;
use bytes::Bytes;
use carriage::Means;
use lanparty_ctrl::message::{Disconnect, Hello, Welcome};
use lanparty_ctrl::{
    BATCHES, DisconnectReason, HERE, PeerMessage, Pin, REDIRECTS, RelayMessage, Text,
};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::source_address::{is_public, outgoing, source_towards};
use lanparty_obs::link::QueueStats;
use lanparty_obs::way::Measured;
use lanparty_obs::{DropReason, LinkStats, Losses, Way, Ways};
use lanparty_proto::overlay::Probe;
use lanparty_proto::{DatagramBudget, FrameBuf, Header};
use lanparty_quic::control::{self, ControlError, Messages};
use lanparty_quic::{CloseCode, Closed, Connection, Endpoint, PathFloor, UdpBuffers, WaitWindow};
use race::{Reached, Targets, race};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How many full datagrams a path may lose before it counts as too narrow for them.
const PROBES: u32 = 4;
/// How long each has to come back, beside the time that the path itself takes.
const PROBE_PATIENCE: Duration = Duration::from_millis(200);
/// How long a goodbye may take (spec R48).
const DRAIN: Duration = Duration::from_millis(250);
/// Over how many reports, one a second, it is told how long frames have waited.
const WAITS_REPORTS: usize = 5;
/// Control messages that may wait for the loop.
const INBOX: usize = 64;

/// How often a peer looks whether its machine has another address now, and whether a silent relay has answered; that sends
/// nothing.
pub const LOOK: Duration = Duration::from_millis(250);

/// How a link is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFacts {
    /// The round trip to the relay; zero to one in this program.
    pub rtt: Option<Duration>,
    /// The largest datagram that fits now.
    pub budget: DatagramBudget,
    /// How many packets of a thousand got lost on the way to the relay in the last minute; absent where too few were
    /// sent to say so.
    pub loss_permille: Option<u16>,
    /// True while the relay has been asked whether it is there, and has not answered in time.
    pub is_faint: bool,
    /// The way that a player's frames take to the gateway and back; to a gateway, its own to the relay.
    pub ways: Ways,
}

/// Why a standing link is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Full packets get lost.
    #[error("the path does not carry full packets any more")]
    Narrow,
    /// Nothing comes, whatever is asked.
    #[error("it does not answer any more")]
    Silent,
}

/// A link that the relay has welcomed. Dropping it closes it without a goodbye.
#[derive(Debug)]
pub struct RelayLink {
    connection: Connection,
    // The connection lives on it, unless the relay is in this program.
    endpoint: Option<Endpoint>,
    inbox: mpsc::Receiver<Result<RelayMessage, ControlError>>,
    _reader: JoinSet<()>,
    welcome: Welcome,
    relay: SocketAddr,
    /// Which of several relays it is.
    place: usize,
    /// Another address of the relay that is like it.
    elsewhere: Option<SocketAddr>,
    means: Means,
    budget_cap: Option<DatagramBudget>,
    next_frame_id: u16,
    // Only for a link whose packets are larger than every path must carry.
    watch: Option<PathWatch>,
    pulse: Pulse,
    /// This machine's address on the way to the relay.
    source: Option<IpAddr>,
    told_drops: QueueDeaths,
    waits: WaitWindow,
    losses: Losses,
    /// As it was told last.
    loss_permille: Option<u16>,
}

/// Frames that have died in a link's queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDeaths {
    /// There was no room for them, or for those of the relay that were not read in time.
    pub without_room: u64,
    /// They had waited too long.
    pub late: u64,
}

impl QueueDeaths {
    /// What has died elsewhere as well.
    pub(crate) fn add(&mut self, others: QueueDeaths) {
        self.without_room += others.without_room;
        self.late += others.late;
    }
}

impl From<QueueStats> for QueueDeaths {
    fn from(queue: QueueStats) -> Self {
        QueueDeaths {
            without_room: queue.without_room() + queue.overrun,
            late: queue.late(),
        }
    }
}

/// The addresses that a relay's name has now.
///
/// # Errors
/// [`ConnectError`], when there are none.
pub async fn resolve(relay: &RelayAddress) -> Result<Vec<SocketAddr>, ConnectError> {
    let addresses: Vec<_> = tokio::net::lookup_host((relay.host(), relay.port()))
        .await
        .map_err(|error| ConnectError::unresolved(error, outgoing().is_some()))?
        .collect();
    if addresses.is_empty() {
        let nothing = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        return Err(ConnectError::Resolve(nothing));
    }
    Ok(addresses)
}

impl RelayLink {
    /// Connects to the relay at one of `addresses` and says hello, there or at the relay of its fleet that has the room; `hello` gets
    /// the path's budget.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(
        config: &RelayConfig,
        addresses: &[SocketAddr],
        hello: impl Fn(DatagramBudget) -> Hello,
    ) -> Result<Self, ConnectError> {
        let hello = |budget| {
            let mut hello = hello(budget);
            hello.capabilities.push(REDIRECTS.to_owned());
            hello
        };
        let mut targets = Targets::usual(config, addresses).await;
        let mut relays = Relays::new(config, None);
        let (mut trail, mut place) = (Trail::from(&config.address), 0);
        loop {
            let at = relays.place(place).config(config);
            let to = match Self::connect_to(&at, &targets, &hello).await {
                Err(ConnectError::Sent(to)) => to,
                connected => return connected,
            };
            let first = targets.addresses.first();
            let is_of_internet = first.map_or(targets.proxy.is_some(), |at| is_public(at.ip()));
            place = relays.follow(
                Instant::now(),
                config,
                &mut trail,
                (place, is_of_internet),
                &to,
            )?;
            let next = relays.place_mut(place);
            next.known = resolve(&next.address).await?;
            targets = Targets::usual(&next.config(config), &next.addresses()).await;
        }
    }

    /// The same where somebody knows what to try.
    pub(crate) async fn connect_to(
        config: &RelayConfig,
        targets: &Targets,
        hello: impl Fn(DatagramBudget) -> Hello,
    ) -> Result<Self, ConnectError> {
        if let (Some(dialer), Some(&relay)) = (&config.inside, targets.addresses.first()) {
            // There is neither a path nor packets.
            let connection = dialer.connect(config.identity.as_ref()).await?;
            return Self::greet(config, (None, connection, relay, Means::Udp), hello).await;
        }
        let reached = race(config, targets, PathFloor::Ordinary).await;
        let reached = reached.map_err(|error| error.of_invite(config))?;
        Self::enter(config, targets, reached, hello).await
    }

    /// Says hello to a relay that was reached.
    ///
    /// A link over UDP has packets of ordinary size. When a full datagram does not get to the relay and
    /// back, a second link with the smallest packets takes its place.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(crate) async fn enter(
        config: &RelayConfig,
        targets: &Targets,
        reached: Reached,
        hello: impl Fn(DatagramBudget) -> Hello,
    ) -> Result<Self, ConnectError> {
        let mut link = Self::greet(config, reached.into_parts(), &hello).await?;
        link.elsewhere = targets.like(link.relay);
        // TCP cuts what is too long for a path by itself.
        if link.is_carried() {
            return Ok(link);
        }
        if link.carries_full_datagrams().await {
            link.watch = Some(PathWatch::new(Instant::now()));
            return Ok(link);
        }
        tracing::info!("The path swallows full packets; smaller ones are used");
        let resume_token = Some(link.welcome.resume_token.clone());
        // It stays open meanwhile: the relay closes it when the new one has taken its place.
        let hello = |budget| Hello {
            resume_token: resume_token.clone(),
            ..hello(budget)
        };
        let reached = race(config, targets, PathFloor::Least).await;
        let reached = reached.map_err(|error| error.of_invite(config))?;
        let mut link = Self::greet(config, reached.into_parts(), hello).await?;
        link.elsewhere = targets.like(link.relay);
        Ok(link)
    }

    /// Says hello on a connection that stands.
    async fn greet(
        config: &RelayConfig,
        (endpoint, connection, relay, means): Parts,
        hello: impl Fn(DatagramBudget) -> Hello,
    ) -> Result<Self, ConnectError> {
        let budget = capped(&connection, config.budget_cap);
        let mut hello = hello(budget);
        hello.capabilities.push(BATCHES.to_owned());
        let welcome = greeting::greet(&connection, hello, config).await?;
        let (sender, inbox) = mpsc::channel(INBOX);
        let mut reader = JoinSet::new();
        reader.spawn(read_messages(connection.clone(), sender));
        Ok(RelayLink {
            connection,
            endpoint,
            inbox,
            _reader: reader,
            welcome,
            relay,
            place: 0,
            elsewhere: None,
            means,
            budget_cap: config.budget_cap,
            next_frame_id: 0,
            watch: None,
            pulse: Pulse::default(),
            source: source_towards(relay),
            told_drops: QueueDeaths::default(),
            waits: WaitWindow::new(WAITS_REPORTS),
            losses: Losses::default(),
            loss_permille: None,
        })
    }

    /// Asks the path. Frames that come meanwhile are for a peer that is not there yet.
    async fn carries_full_datagrams(&self) -> bool {
        let patience = PROBE_PATIENCE + 2 * self.rtt().unwrap_or_default();
        let mut reader = DatagramReader::new(self);
        for number in 0..PROBES {
            // What finds no room is not sent, and the next one is.
            self.ask(number, self.budget().bytes());
            let echo = next_echo(&mut reader);
            // A broken link is not too narrow: whoever uses it sees its end.
            if tokio::time::timeout(patience, echo).await.is_ok() {
                return true;
            }
        }
        false
    }

    fn probe(&self, number: u32, len: usize) -> Bytes {
        let probe = Probe {
            peer: self.welcome.peer_id,
            room: self.welcome.room_id,
            number,
        };
        probe.encode(len)
    }

    /// Keeps asking whether the relay is there and the path carries full datagrams; to be called once
    /// a second.
    ///
    /// # Errors
    /// [`Unfit`], when another link is due.
    pub fn beat(&mut self, now: Instant) -> Result<(), Unfit> {
        match self.pulse.beat(self.connection.heard()) {
            Beat::Heard => {}
            Beat::Ask => self.ask(PathWatch::NOBODYS_NUMBER, 0),
            Beat::Stir => self.follow_network(),
            Beat::GiveUp => return Err(Unfit::Silent),
        }
        if let Some(pair) = self.watch.as_mut().and_then(|watch| watch.poll(now)) {
            self.ask(pair.long, self.budget().bytes());
            self.ask(pair.short, 0);
        }
        match self.watch.as_ref().is_some_and(PathWatch::is_narrow) {
            true => Err(Unfit::Narrow),
            false => Ok(()),
        }
    }

    /// Sends a probe. What finds no room counts as lost.
    fn ask(&self, number: u32, len: usize) {
        let _ = self.connection.send_probe(self.probe(number, len));
    }

    /// True once whenever packets to the relay have begun to leave from another address of this machine.
    pub fn has_moved(&mut self) -> bool {
        // Without any way there is nothing to be done yet.
        let source = source_towards(self.relay).or(self.source);
        std::mem::replace(&mut self.source, source) != source
    }

    /// Goes on from the address that this machine has now (spec R92).
    pub fn follow_network(&self) {
        self.endpoint.iter().for_each(Endpoint::follow_network);
    }

    /// A probe has come back.
    pub fn handle_echo(&mut self, probe: Probe) {
        if let Some(watch) = &mut self.watch {
            watch.handle_echo(probe.number);
        }
    }

    /// What the relay said when it let us in.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// The same link, to this one of several relays.
    pub(crate) fn at(self, place: usize) -> Self {
        RelayLink { place, ..self }
    }

    /// Which of several relays it leads to.
    pub(crate) fn place(&self) -> usize {
        self.place
    }

    /// The relay's key; unknown to whoever is in one program with it.
    pub(crate) fn key(&self) -> Option<Pin> {
        self.connection.key()
    }

    /// This machine's address on the way to the relay, if there is a way; that is its network's name.
    pub(crate) fn network(&self) -> Option<Option<IpAddr>> {
        self.endpoint.as_ref().map(|_| self.source)
    }

    /// What carries its packets.
    pub(crate) fn means(&self) -> Means {
        self.means
    }

    /// True when its packets go over TCP.
    pub fn is_carried(&self) -> bool {
        self.means.is_tcp()
    }

    /// The relay's address at the time of the handshake; where a proxy is in front of it, the proxy's.
    pub fn relay(&self) -> SocketAddr {
        self.relay
    }

    /// True for a relay of the internet, and for one behind a proxy, where nobody knows.
    pub(crate) fn is_of_internet(&self) -> bool {
        self.means == Means::Proxy || is_public(self.relay.ip())
    }

    /// Another address of the relay, of a link over UDP.
    pub(crate) fn elsewhere(&self) -> Option<SocketAddr> {
        self.elsewhere.filter(|_| !self.is_carried())
    }

    /// The largest datagram to send now.
    pub fn budget(&self) -> DatagramBudget {
        capped(&self.connection, self.budget_cap)
    }

    /// The round trip to the relay.
    pub fn rtt(&self) -> Option<Duration> {
        self.connection.rtt()
    }

    /// True while a question to the relay stands unanswered for longer than the path takes.
    pub fn is_faint(&self) -> bool {
        let heard = || self.connection.heard();
        self.pulse.is_faint(heard) || self.pulse.is_late(self.looks_for_answer(), heard)
    }

    /// Looks whether the relay has answered; to be asked every [`LOOK`]. True when that is so for the first time.
    pub fn falls_faint(&mut self) -> bool {
        let (looks, connection) = (self.looks_for_answer(), &self.connection);
        self.pulse.look(looks, || connection.heard())
    }

    /// Twice as long as the path takes, and one look more.
    fn looks_for_answer(&self) -> u32 {
        let path = 2 * self.rtt().unwrap_or_default();
        let looks = path.as_millis() / LOOK.as_millis();
        u32::try_from(looks).unwrap_or(u32::MAX).saturating_add(2)
    }

    /// How it is doing; to be asked for about once a second.
    pub fn facts(&mut self, now: Instant) -> LinkFacts {
        let packets = self.connection.packets();
        let loss_permille = packets.and_then(|packets| self.losses.of_late(now, packets));
        self.loss_permille = loss_permille;
        LinkFacts {
            rtt: self.rtt(),
            budget: self.budget(),
            loss_permille,
            is_faint: self.is_faint(),
            ways: Ways {
                way: Way::by_relay(greeting::knows(&self.welcome, HERE), self.is_carried()),
                relay: Measured {
                    rtt_us: self.rtt().map(micros),
                    loss_permille,
                },
                ..Ways::default()
            },
        }
    }

    /// The same in numbers; to be asked for once a second. `None` when it is over.
    pub fn stats(&mut self) -> Option<LinkStats> {
        self.connection.stats(&mut self.waits)
    }

    /// The UDP buffers that the system granted; none to a link within this program.
    pub fn udp_buffers(&self) -> Option<UdpBuffers> {
        self.endpoint.as_ref().map(Endpoint::buffers)
    }

    /// Sends a frame that came at `now`, in pieces if it must be. Answers how many datagrams that took.
    ///
    /// # Errors
    /// Why the frame died, uncounted: also when the relay has fallen silent, so that no frame waits for
    /// its return.
    pub fn send_frame(&mut self, now: Instant, frame: FrameBuf) -> Result<usize, DropReason> {
        if self.pulse.is_faint(|| self.connection.heard()) {
            return Err(DropReason::LinkDown);
        }
        let header = Header {
            peer: self.welcome.peer_id,
            room: self.welcome.room_id,
            fragment: false,
        };
        let next_frame_id = &mut self.next_frame_id;
        let frame_id = || {
            *next_frame_id = next_frame_id.wrapping_add(1);
            *next_frame_id
        };
        let datagram = frame.into_datagram(header);
        self.connection
            .send_frame(now, datagram, frame_id, self.budget_cap)
    }

    /// Frames that [`Self::send_frame`] took and that have died in the queue since this was last asked.
    pub fn new_queue_deaths(&mut self) -> QueueDeaths {
        let now = QueueDeaths::from(self.connection.queue_stats());
        let before = std::mem::replace(&mut self.told_drops, now);
        QueueDeaths {
            without_room: now.without_room - before.without_room,
            late: now.late - before.late,
        }
    }

    /// The connection, for reading datagrams beside the use of this link.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// True while a question to the relay stands unanswered for so long that no frame is sent any more.
    pub(crate) fn is_silent(&self) -> bool {
        self.pulse.is_faint(|| self.connection.heard())
    }

    /// Its socket, unless the relay is in this program.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    /// True when the relay can do this.
    pub(crate) fn relay_can(&self, ability: &str) -> bool {
        greeting::knows(&self.welcome, ability)
    }

    /// What the way to the relay is worth; nothing while that does not answer.
    pub(crate) fn quality(&self) -> Option<Quality> {
        let rtt = self.rtt().filter(|_| !self.is_silent())?;
        Some(Quality {
            rtt,
            loss_permille: self.loss_permille.unwrap_or(0),
        })
    }

    /// The control messages, for whoever reads them beside the use of this link; asked for once.
    pub(crate) fn take_inbox(&mut self) -> Inbox {
        let (_, nothing) = mpsc::channel(1);
        Inbox(std::mem::replace(&mut self.inbox, nothing))
    }

    /// Sends a message on its own time; a failure is only logged, the link's end is seen elsewhere.
    pub fn send_message(&self, message: PeerMessage) {
        let connection = self.connection.clone();
        tokio::spawn(async move {
            if let Err(error) = control::send_message(&connection, &message).await {
                tracing::debug!(%error, "A control message was not sent");
            }
        });
    }

    /// Says goodbye with a reason that a person understands, and closes the link (spec R48).
    pub async fn leave(self, text: Text) {
        let goodbye = async {
            let disconnect = Disconnect {
                reason: DisconnectReason::Leaving,
                text,
            };
            let message = PeerMessage::Disconnect(disconnect);
            if control::send_message(&self.connection, &message)
                .await
                .is_ok()
            {
                // The relay closes the link once it has read this (spec R25).
                self.connection.closed().await;
            }
        };
        let _ = tokio::time::timeout(DRAIN, goodbye).await;
        match &self.endpoint {
            Some(endpoint) => {
                let _ = tokio::time::timeout(DRAIN, endpoint.close(CloseCode::Bye)).await;
            }
            None => self.connection.close(CloseCode::Bye),
        }
    }
}

/// Control messages in their order.
#[derive(Debug)]
pub(crate) struct Inbox(mpsc::Receiver<Result<RelayMessage, ControlError>>);

impl Inbox {
    /// The next one. Safe to cancel.
    ///
    /// # Errors
    /// [`ControlError`], after which there are no more.
    pub(crate) async fn next(&mut self) -> Result<RelayMessage, ControlError> {
        let next = self.0.recv().await;
        next.unwrap_or(Err(ControlError::Closed(Closed::ByUs)))
    }
}

/// An endpoint, where there is one, the connection, where its packets go and in what.
type Parts = (Option<Endpoint>, Connection, SocketAddr, Means);

fn capped(connection: &Connection, cap: Option<DatagramBudget>) -> DatagramBudget {
    cap.map_or(connection.budget(), |cap| cap.min(connection.budget()))
}

async fn next_echo(reader: &mut DatagramReader) -> Result<(), Closed> {
    loop {
        let mut datagrams = reader.read().await?;
        if datagrams.any(|datagram| Probe::decode(&datagram).is_some()) {
            return Ok(());
        }
    }
}

/// Reads messages one after the other, in the order in which they were sent.
async fn read_messages(
    connection: Connection,
    inbox: mpsc::Sender<Result<RelayMessage, ControlError>>,
) {
    let mut messages = Messages::new(connection);
    loop {
        let message = messages.next().await;
        let last = message.is_err();
        if inbox.send(message).await.is_err() || last {
            return;
        }
    }
}

/// Moves datagrams out of a connection, many at a time.
#[derive(Debug)]
pub struct DatagramReader {
    connection: Connection,
    room: Vec<Bytes>,
}

impl DatagramReader {
    /// How many datagrams one call moves at most.
    const BATCH: usize = 64;

    /// A reader for this link.
    pub fn new(link: &RelayLink) -> Self {
        let room = vec![Bytes::new(); Self::BATCH];
        DatagramReader {
            connection: link.connection().clone(),
            room,
        }
    }

    /// Waits for datagrams. Safe to cancel.
    ///
    /// # Errors
    /// [`Closed`] once the link is gone.
    pub async fn read(&mut self) -> Result<impl Iterator<Item = Bytes>, Closed> {
        let count = self.connection.read_datagrams(&mut self.room).await?;
        Ok(self.room[..count].iter_mut().map(std::mem::take))
    }
}

pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
