//! The shell around the rooms: sockets, tasks, the clock.
//!
//! One task accepts; each connection has one task of its own from its first packet to its last. The
//! rooms are behind one mutex, held for one synchronous call and for queueing what that call wants
//! to be said. Queueing never waits, and doing it under the lock is what keeps messages in the order
//! of the events. Everything is *sent* outside the lock: messages by the tasks, frames in the turns of the loops.

mod attendance;
mod contact;
mod counts;
mod dev_cert;
mod doorstep;
mod fleet;
mod greeting;
#[cfg(target_os = "linux")]
pub(crate) mod handover;
mod identity;
mod metrics;
#[cfg(target_os = "linux")]
mod operator;
mod outbox;
mod passage;
mod standing;
#[cfg(target_os = "linux")]
mod succession;
mod tcp;
mod tcp_knock;
mod threads;
#[cfg(target_os = "linux")]
mod totals;
mod wishes;

pub use dev_cert::DevCertError;
pub use fleet::FleetError;
#[cfg(feature = "cluster-etcd")]
pub use fleet::{FleetClock, Line};
#[cfg(target_os = "linux")]
pub use handover::HandoverError;
pub use identity::{SourceError, kept_pin};
pub use tcp::TcpError;

use crate::config::{CommandLine, Config, IdentitySource, Tcp};
use crate::registry::{Legacy, Registry, Seat};
use crate::room::{Departure, Step};
use crate::strangers::KnockAnswer;
use attendance::Attendance;
use contact::{Contact, Outgoing};
use counts::Counts;
use doorstep::Doorstep;
use identity::Renewal;
use lanparty_ctrl::door::MeetSecret;
use lanparty_ctrl::message::Disconnect;
use lanparty_ctrl::{AccessToken, DisconnectReason, LeaveReason, Pin, RejectReason, RelayMessage};
use lanparty_edge::address::ListenAddress;
use lanparty_edge::privilege;
use lanparty_edge::signals::Hangups;
use lanparty_edge::speech::say;
use lanparty_edge::systemd::{self, Standing};
use lanparty_metrics::{Metrics, MetricsError};
use lanparty_quic::memory::{self, Dialer, Listener, Tally};
use lanparty_quic::tls::Identity;
use lanparty_quic::{Beat, CloseCode, Connection, Endpoint, Incoming, ListenError};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tcp::{Ear, Hall, Hearing};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};
use tracing::{error, info, warn};
use wishes::{Wish, Wishes};

/// How long peers have to read a last message before their link is closed.
const DRAIN: Duration = Duration::from_millis(250);
/// How long the relay waits for all of them when it stops.
const STOP: Duration = Duration::from_secs(1);
/// How long goodbyes have to leave before another relay has the socket.
const GOODBYES: Duration = Duration::from_millis(20);
/// How often forgotten pieces of frames are looked for.
const TIDY: Duration = Duration::from_secs(1);

/// What somebody reads whom the host has kicked, or banned.
const KICKED: &str = "the host has sent you out of the room";
const BANNED: &str = "the host has banned you from this room";

/// The socket under a running relay is of no use any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "the relay's UDP socket cannot be read any more, so nobody can reach it; start the relay again"
)]
pub struct SocketGone;

/// Why a relay does not start, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It has no key or no certificate.
    #[error(transparent)]
    Identity(#[from] SourceError),
    /// The certificate could not be written.
    #[error(transparent)]
    DevCert(#[from] DevCertError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system does not say where the socket is.
    #[error("the system does not tell the address of a socket that it has bound ({0}); try again")]
    Address(#[source] io::Error),
    /// It starts no thread.
    #[error(
        "the system starts no more threads ({0}); give --threads a smaller number, or let this user have more of them"
    )]
    Threads(#[source] io::Error),
    /// The system keeps us from giving up what we do not need.
    #[error("cannot give up rights that are not needed ({0}); run the relay as an ordinary user")]
    Rights(#[source] io::Error),
    /// It does not come into the fleet that it was told of.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Its metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// It cannot be reached any more.
    #[error(transparent)]
    Socket(#[from] SocketGone),
    /// It has another one's place already, so somebody must start one.
    #[error(transparent)]
    InPlace(Box<StartError>),
    /// Another relay has its place, and keeps it.
    #[cfg(target_os = "linux")]
    #[error(transparent)]
    Handover(#[from] HandoverError),
}

/// Runs a relay until `stop` is ready, then sends everybody away. Prints where it listens. Once it does,
/// this thread and those that it starts have no capabilities any more and open no files but the
/// certificate's.
///
/// # Errors
/// [`StartError`]: before anybody was served, or, when its socket is gone, after everybody has been.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let mut stop = pin!(stop);
    // Polled once before the line is printed: whoever reads it may already want to stop us.
    tokio::select! {
        biased;
        () = &mut stop => return Ok(()),
        () = std::future::ready(()) => {}
    }
    // Before another relay's place is asked for: what fails here harms nobody.
    let metrics = config
        .metrics
        .map(|address| match config.takes_over {
            true => lanparty_metrics::Bound::beside(address),
            false => lanparty_metrics::Bound::new(address),
        })
        .transpose()?;
    let entrance = fleet::Entrance::of(&config)?;
    #[cfg(target_os = "linux")]
    let mut server = succession::begin(&config)?;
    #[cfg(not(target_os = "linux"))]
    let mut server = RelayServer::bind(&config)?;
    #[cfg(target_os = "linux")]
    let null = std::fs::File::open("/dev/null");
    server
        .give_up_rights()
        .and_then(|()| server.start_threads())
        .map_err(|error| match server.is_successor {
            true => StartError::InPlace(Box::new(error)),
            false => error,
        })?;
    server.enter_fleet(entrance);
    let _metrics = metrics
        .map(|bound| server.serve_metrics(bound))
        .transpose()?;
    #[cfg(target_os = "linux")]
    if config.tells_starter {
        handover::tell_starter(null.ok().as_ref());
    }
    say(format_args!("Relay listening on {}.", server.listening()));
    server.say_what_is_missing();
    let pin = server.pin();
    let (has, wanted) = (server.endpoint.loops(), config.thread_count().get());
    if let Some(sentence) = threads::others_than(wanted, has, server.is_successor) {
        say(sentence);
    }
    say(format_args!("Gateways and players know it by --pin {pin}"));
    // The program is nothing else.
    server.endpoint.gather();
    server.standing = Some(Standing::default());
    server.tell_standing();
    // A loop that is stuck keeps those on it waiting, however healthy the others are.
    let (watchdog, endpoint) = (server.watchdog, server.endpoint.clone());
    let mut seen = Beat::default();
    tokio::select! {
        ended = server.run(stop) => ended?,
        never = systemd::keep_watched_within(watchdog, || endpoint.beat(&mut seen)) => match never {},
    }
    Ok(())
}

/// Says whether a relay could be who the configuration says, as far as that is in files of somebody else's.
///
/// # Errors
/// [`StartError::Identity`].
pub fn check(config: &Config) -> Result<(), StartError> {
    if let IdentitySource::Files { .. } = config.identity {
        identity::load(&config.identity, &config.server_name)?;
    }
    fleet::check(config)?;
    Ok(())
}

impl StartError {
    /// Whether another start with the same files would end the same way.
    pub fn is_for_good(&self) -> bool {
        use SourceError::{Files, Kept, Own, State, Unreadable};
        match self {
            StartError::Identity(Kept(_) | Unreadable { .. } | Files { .. }) => true,
            StartError::Fleet(_) => true,
            StartError::Identity(State(_) | Own(_))
            | StartError::DevCert(_)
            | StartError::Listen(_)
            | StartError::Address(_)
            | StartError::Threads(_)
            | StartError::Rights(_)
            | StartError::Metrics(_)
            | StartError::Socket(_)
            | StartError::InPlace(_) => false,
            #[cfg(target_os = "linux")]
            StartError::Handover(_) => false,
        }
    }
}

/// A relay that is bound to its address.
#[derive(Debug)]
pub struct RelayServer {
    endpoint: Endpoint,
    address: SocketAddr,
    tcp: TcpDoor,
    certificate: Vec<u8>,
    pin: Pin,
    renewal: Option<Renewal>,
    settings: Option<CommandLine>,
    /// Where it was told to listen.
    listen: ListenAddress,
    tcp_wanted: Tcp,
    /// On how many threads it was told to move packets.
    threads: Option<NonZeroUsize>,
    operators: JoinSet<io::Result<()>>,
    metrics: JoinSet<Infallible>,
    /// What keeps it in its fleet.
    #[cfg(feature = "cluster-etcd")]
    fleet: JoinSet<()>,
    rooms: Arc<Rooms>,
    /// Where whoever is in this program comes in.
    side_door: Option<Listener>,
    /// Each gets its seat if it is admitted.
    doorstep: Doorstep<Option<Attendance>>,
    seated: JoinSet<()>,
    /// Nobody can be heard any more.
    is_deaf: bool,
    /// Another relay waits for the place.
    successor: Option<oneshot::Sender<Legacy>>,
    wishes: Wishes,
    /// It has taken another one's place.
    is_successor: bool,
    /// The access token of that one, where this one has none of its own.
    inherited_access: Option<AccessToken>,
    /// In which time systemd wants to hear of it.
    watchdog: Option<Duration>,
    /// What the service manager is told, if the program is this relay alone.
    standing: Option<Standing>,
}

/// The way in over TCP.
#[derive(Debug)]
struct TcpDoor {
    /// Where it listens.
    address: Option<SocketAddr>,
    /// Until it is heard.
    ear: Option<Ear>,
    hall: Arc<Hall>,
    hearing: Option<Hearing>,
    /// Why there is none, where one was wanted.
    missing: Option<TcpError>,
}

/// The rooms of a running relay, and the one lock; beside it what needs none.
#[derive(Debug)]
struct Rooms {
    registry: Mutex<Registry<Arc<Contact>>>,
    counts: Arc<Counts>,
    /// At which port peers reach it.
    port: u16,
    /// Of links within this program, once there may be any.
    inside: OnceLock<Tally>,
    /// Its place in a fleet, where it has one.
    fleet: OnceLock<Arc<fleet::Membership>>,
}

impl Rooms {
    /// The lock. A task that panicked while it held it has left one room odd at worst.
    fn lock(&self) -> MutexGuard<'_, Registry<Arc<Contact>>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what is due between those of one room, or of all, who want a direct path.
    fn introduce(&self, registry: &mut Registry<Arc<Contact>>, of: Option<Seat>) {
        let sight = |link: &Arc<Contact>| link.sight(self.port);
        let secret = || MeetSecret::from_random(rand::random());
        for step in registry.poll_meetings(Instant::now(), of, sight, secret) {
            if let Step::Tell(link, message) = step {
                link.queue(Outgoing::Message(message));
            }
        }
    }
}

enum Event {
    Knock(Box<Incoming>),
    Deaf,
    Inside(Connection),
    Greeted(Result<Option<Attendance>, JoinError>),
    Left(Result<(), JoinError>),
    Unsteered(Result<io::Result<()>, JoinError>),
    Wanted(Wish),
    Hangup,
    Tidy,
}

impl RelayServer {
    /// Reads or makes a key and a certificate, writes the latter where the configuration says, and binds.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        Self::bind_or_adopt(config, Vec::new(), None)
    }

    fn bind_or_adopt(
        config: &Config,
        adopted: Vec<UdpSocket>,
        listener: Option<TcpListener>,
    ) -> Result<Self, StartError> {
        let identity = identity::load(&config.identity, &config.server_name)?;
        if let Some(file) = &config.dev_cert_der_out {
            dev_cert::write(file, identity.certificate_der())?;
        }
        let (congestion, threads) = (config.congestion, config.thread_count().get());
        let endpoint = match adopted[..] {
            [] => Endpoint::server_with(
                config.listen.socket_address(),
                &identity,
                congestion,
                threads,
            )?,
            _ => Endpoint::server_on(adopted, &identity, congestion)?,
        };
        let address = endpoint.local_address().map_err(StartError::Address)?;
        let Config {
            limits,
            rates,
            knocks,
            ..
        } = config;
        let mut registry = Registry::new(*limits, *rates);
        registry.set_limits(Instant::now(), *limits, *rates, config.guesses);
        registry.set_access(config.access.clone());
        registry.set_introduces(config.introduces);
        registry.set_region(config.region.clone());
        if let Some((room, host)) = &config.only {
            registry = registry.only(room.clone(), *host);
        }
        info!(%limits, %knocks, %rates, guesses = %config.guesses, buffers = ?endpoint.buffers(), "Limits in force");
        let rooms = Arc::new(Rooms {
            registry: Mutex::new(registry),
            counts: Arc::default(),
            port: address.port(),
            inside: OnceLock::new(),
            fleet: OnceLock::new(),
        });
        if matches!(config.identity, IdentitySource::Files { .. }) {
            rooms.counts.set_certificate_end(identity.ends_at());
        }
        let hall = Hall::new(config, &identity, rooms.counts.clone()).map_err(SourceError::from)?;
        let tcp = TcpDoor::open(config, address, listener, hall);
        Ok(RelayServer {
            endpoint,
            address,
            tcp,
            certificate: identity.certificate_der().to_vec(),
            pin: identity.pin(),
            renewal: Renewal::new(&config.identity),
            settings: config.settings.clone().filter(CommandLine::has_files),
            listen: config.listen,
            tcp_wanted: config.tcp,
            threads: config.threads,
            operators: JoinSet::new(),
            metrics: JoinSet::new(),
            #[cfg(feature = "cluster-etcd")]
            fleet: JoinSet::new(),
            rooms,
            side_door: None,
            doorstep: Doorstep::new(config.knocks),
            seated: JoinSet::new(),
            is_deaf: false,
            successor: None,
            wishes: Wishes::default(),
            is_successor: false,
            inherited_access: None,
            watchdog: systemd::watchdog(),
            standing: None,
        })
    }

    /// Serves its numbers there for as long as it runs and the answer is kept.
    ///
    /// # Errors
    /// [`MetricsError`].
    pub fn serve_metrics(
        &mut self,
        bound: lanparty_metrics::Bound,
    ) -> Result<Metrics, MetricsError> {
        let (served, ours) = bound.serve(metrics::PREFIX, metrics::write, metrics::ready)?;
        let (rooms, endpoint) = (self.rooms.clone(), self.endpoint.clone());
        let handing_out = ours.run(move || metrics::copy(&rooms, &endpoint));
        self.metrics.spawn(handing_out);
        Ok(served)
    }

    /// Keeps what a bound relay needs: nothing, but to read a renewed certificate, and settings again.
    fn give_up_rights(&mut self) -> Result<(), StartError> {
        privilege::give_up_capabilities().map_err(StartError::Rights)?;
        let certificates = self.renewal.iter().flat_map(Renewal::folders);
        let settings = self.settings.iter().flat_map(CommandLine::folders);
        let folders: Vec<_> = certificates.chain(settings).collect();
        privilege::read_only(&folders);
        // If it cannot be read any more, then better now than when it is renewed.
        if let Some(renewal) = &mut self.renewal {
            renewal.reload()?;
        }
        Ok(())
    }

    /// Enters the fleet that its operator has described.
    fn enter_fleet(&mut self, entrance: Option<fleet::Entrance>) {
        #[cfg(feature = "cluster-etcd")]
        if let Some(entrance) = entrance {
            let (settings, line) = entrance.open(self.pin);
            self.join_fleet(settings, line);
        }
        #[cfg(not(feature = "cluster-etcd"))]
        if let Some(never) = entrance {
            match never {}
        }
    }

    /// Puts the relay into its fleet from when it runs on, over this way to the fleet's directory.
    #[cfg(feature = "cluster-etcd")]
    pub fn join_fleet(&mut self, settings: lanparty_fleet::Settings, line: Line) {
        let (membership, task) = fleet::Membership::enter(
            &self.rooms,
            &self.endpoint,
            settings,
            line,
            self.is_successor,
        );
        let joined = self.rooms.fleet.set(membership);
        joined.expect("a relay is in one fleet");
        // As the one did whose place it has taken.
        if self.rooms.lock().draining().is_some()
            && let Some(fleet) = self.rooms.fleet.get()
        {
            fleet.drain();
        }
        self.fleet.spawn(task);
    }

    /// A way in for a peer in this program, to be opened before it runs: no packets, no limit on who knocks, and from
    /// there on like everybody else's.
    pub fn side_door(&mut self) -> Dialer {
        let (dialer, listener) = memory::listen();
        let tally = self.rooms.inside.set(listener.tally());
        tally.expect("a relay has one side door");
        self.side_door = Some(listener);
        dialer
    }

    /// Starts the threads that move packets beside this one, with this one's rights.
    fn start_threads(&mut self) -> Result<(), StartError> {
        self.endpoint.start_threads().map_err(StartError::Threads)?;
        let hearing = self.tcp.hear(&self.endpoint);
        hearing.map_err(StartError::Threads)
    }

    /// Where it listens, and for what, in words.
    pub fn listening(&self) -> String {
        tcp::listening(self.address, self.tcp.address)
    }

    /// Says in a sentence for whom there is no way in that was wanted, and what to do.
    pub fn say_what_is_missing(&self) {
        if let Some(error) = &self.tcp.missing {
            tcp::say_why_not(error);
        }
    }

    /// Where it listens for TCP, if it does.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.address
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate, as DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The pin of the key with which it started.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Serves until `stop` is ready; then refuses newcomers, tells the peers, and closes.
    ///
    /// # Errors
    /// [`SocketGone`], when that is why it ends.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), SocketGone> {
        let mut stop = pin!(stop);
        if let Err(error) = self.start_threads() {
            error!("Not all peers can be heard: {error}");
            self.is_deaf = true;
        }
        let mut clock = Clock::start(self.renewal.is_some() || self.settings.is_some());
        while !self.is_deaf
            && self.successor.is_none()
            && !self.rooms.lock().is_drained(Instant::now())
        {
            tokio::select! {
                event = self.next_event(&mut clock) => self.handle(event),
                () = &mut stop => break,
            }
        }
        if self.standing.take().is_some() && self.successor.is_none() {
            systemd::stopping();
        }
        self.leave_fleet(&mut clock).await;
        let mut legacy = self.rooms.lock().legacy(Instant::now());
        legacy.watchdog = self.watchdog;
        self.send_all_away();
        if let Some(successor) = self.successor.take() {
            // What peers send meanwhile waits in the socket; answered at once it would be a reset, and come before the goodbye.
            tokio::time::sleep(GOODBYES).await;
            drop(successor.send(legacy));
            info!("Another relay takes this one's place");
        }
        let drained = async {
            while !self.seated.is_empty() {
                let event = self.next_event(&mut clock).await;
                self.handle(event);
            }
        };
        let _ = tokio::time::timeout(STOP, drained).await;
        if let Some(fleet) = self.rooms.fleet.get() {
            // Else its rooms and its card stay in the directory until its lease ends.
            let _ = tokio::time::timeout(STOP, fleet.answered()).await;
        }
        let _ = tokio::time::timeout(DRAIN, self.endpoint.close(CloseCode::Bye)).await;
        info!("The relay has stopped");
        match self.is_deaf {
            true => Err(SocketGone),
            false => Ok(()),
        }
    }

    /// Has its rooms go to other relays of its fleet, where it has one, and leaves that. A successor takes them as they are.
    async fn leave_fleet(&mut self, clock: &mut Clock) {
        let Some(fleet) = self.rooms.fleet.get().cloned() else {
            return;
        };
        if self.successor.is_none() && !self.is_deaf {
            fleet.drain();
            let end = tokio::time::sleep(fleet.drain_time());
            let mut end = pin!(end);
            let mut drained = pin!(fleet.drained());
            loop {
                tokio::select! {
                    () = &mut drained => break,
                    () = &mut end => break,
                    event = self.next_event(clock) => self.handle(event),
                }
                if self.is_deaf || self.successor.is_some() {
                    break;
                }
            }
        }
        fleet.leave();
    }

    async fn next_event(&mut self, clock: &mut Clock) -> Event {
        tokio::select! {
            incoming = self.endpoint.accept(), if !self.is_deaf => match incoming {
                Some(incoming) => Event::Knock(Box::new(incoming)),
                None => Event::Deaf,
            },
            Some(connection) = from_inside(&mut self.side_door) => Event::Inside(connection),
            Some(greeted) = self.doorstep.next() => Event::Greeted(greeted),
            Some(left) = self.seated.join_next() => Event::Left(left),
            Some(ended) = self.operators.join_next() => Event::Unsteered(ended),
            wish = self.wishes.next() => Event::Wanted(wish),
            event = clock.next() => event,
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Knock(incoming) => self.answer_knock(*incoming),
            Event::Deaf => self.is_deaf = true,
            Event::Inside(connection) => {
                let rooms = self.rooms.clone();
                self.doorstep
                    .hear_from_inside(greeting::greet_inside(rooms, connection));
            }
            Event::Greeted(Ok(seat)) => {
                if let Some(seat) = seat {
                    let home = seat.home();
                    let home = home.unwrap_or_else(Handle::current);
                    self.seated.spawn_on(seat.serve(), &home);
                }
            }
            Event::Left(Ok(())) => {}
            Event::Greeted(Err(error)) | Event::Left(Err(error)) => {
                error!(%error, "A connection's task failed; please report this");
            }
            Event::Unsteered(ended) => {
                let error = match ended {
                    Ok(Ok(())) => "it ended".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(error) => error.to_string(),
                };
                warn!(%error, "`lanparty-relay ctl` does not reach this relay any more; the party goes on");
            }
            // Who asked may have lost patience.
            Event::Wanted(Wish::Settings(answer)) => drop(answer.send(self.take_settings())),
            Event::Wanted(Wish::Access(answer)) => {
                drop(answer.send(self.rooms.lock().access().cloned()));
            }
            Event::Wanted(Wish::Place(answer)) => {
                self.endpoint.turn_deaf();
                self.tcp.shut();
                self.successor = Some(answer);
            }
            Event::Hangup => {
                self.standing.iter_mut().for_each(Standing::reloading);
                if let Err(error) = self.take_settings() {
                    warn!("The limits in force stay, because the new ones are wrong: {error}");
                }
                let renewed = self.renewal.as_mut().map(Renewal::reload);
                self.take_identity(renewed);
                self.tell_standing();
            }
            Event::Tidy => {
                self.tidy(Instant::now());
                let renewed = self.renewal.as_mut().and_then(Renewal::poll);
                self.take_identity(renewed);
                self.tell_standing();
            }
        }
    }

    fn tell_standing(&mut self) {
        if let Some(standing) = &mut self.standing {
            standing.tell(standing::line(self.address, &self.rooms));
        }
    }

    /// Does what is due in the rooms, and queues what is to be told.
    fn tidy(&self, now: Instant) {
        self.tcp.hall.tidy(now);
        let mut rooms = self.rooms.lock();
        rooms.handle_timeout(now);
        for (link, notice) in rooms.poll_notices(now) {
            link.queue(Outgoing::Message(RelayMessage::Notice(notice)));
        }
        for (link, pings) in rooms.poll_pings(now, |link| link.path()) {
            link.queue(Outgoing::Message(RelayMessage::Pings(pings)));
        }
        for (link, silence) in rooms.poll_silences(now, |link| link.connection().heard()) {
            link.queue(Outgoing::Message(RelayMessage::Silence(silence)));
        }
        self.rooms.introduce(&mut rooms, None);
    }

    /// Takes the limits that stand in the operator's files now, and answers what is to be known about that; where it listens and
    /// who it is stays.
    fn take_settings(&mut self) -> Result<Vec<String>, String> {
        let Some(read) = self.settings.as_ref().map(CommandLine::read) else {
            return Ok(Vec::new());
        };
        let Config {
            limits,
            rates,
            knocks,
            guesses,
            access,
            introduces,
            region,
            listen,
            tcp,
            threads,
            ..
        } = read.map_err(|error| error.to_string())?;
        let access = access.or_else(|| self.inherited_access.clone());
        info!(%limits, %knocks, %rates, %guesses, introduces, access_token = access.is_some(), "New limits in force");
        let restart: Vec<String> = needs_restart(self.listen, listen)
            .into_iter()
            .chain(tcp::needs_restart(self.tcp_wanted, tcp))
            .chain(threads::needs_restart(self.threads, threads))
            .collect();
        for sentence in &restart {
            warn!("{sentence}");
        }
        self.doorstep.set_limits(knocks);
        self.tcp.hall.set_limits(knocks);
        let mut rooms = self.rooms.lock();
        rooms.set_limits(Instant::now(), limits, rates, guesses);
        rooms.set_access(access);
        rooms.set_introduces(introduces);
        rooms.set_region(region);
        Ok(restart)
    }

    /// Greets newcomers with another certificate; who is here stays.
    fn take_identity(&self, renewed: Option<Result<Identity, SourceError>>) {
        let taken = renewed.map(|renewed| {
            let identity = renewed?;
            self.endpoint.set_identity(&identity)?;
            self.tcp.hall.set_identity(&identity)?;
            self.rooms.counts.set_certificate_end(identity.ends_at());
            Ok::<_, SourceError>(identity.pin())
        });
        match taken {
            Some(Ok(pin)) => info!(%pin, "Took the new certificate"),
            Some(Err(error)) => {
                warn!("The certificate in use stays, because the new one is wrong: {error}");
            }
            None => {}
        }
    }

    fn answer_knock(&mut self, incoming: Incoming) {
        let source = incoming.remote_address().ip();
        let answer = self.doorstep.knock(source, incoming.address_validated());
        self.rooms.counts.note_knock(answer);
        match answer {
            KnockAnswer::Open => {
                let rooms = self.rooms.clone();
                let home = incoming.home();
                let greeting = greeting::greet(rooms, incoming);
                self.doorstep.hear(source, &home, greeting);
            }
            KnockAnswer::Validate => incoming.ask_to_validate(),
            KnockAnswer::Shut => incoming.ignore(),
        }
    }

    fn send_all_away(&self) {
        let mut rooms = self.rooms.lock();
        let (reason, text) = match self.successor.is_some() {
            true => (
                DisconnectReason::Succeeded,
                "another relay takes its place; come back at once",
            ),
            false => (DisconnectReason::Draining, "the relay is about to stop"),
        };
        let disconnect = Disconnect {
            reason,
            text: text.into(),
        };
        for link in rooms.drain() {
            link.queue(Outgoing::Goodbye(disconnect.clone()));
        }
    }
}

impl TcpDoor {
    fn open(config: &Config, udp: SocketAddr, listener: Option<TcpListener>, hall: Hall) -> Self {
        let (ear, missing) = match Ear::open(config.tcp, udp, listener) {
            Ok(ear) => (ear, None),
            Err(error) => (None, Some(error)),
        };
        TcpDoor {
            address: ear.as_ref().map(Ear::address),
            ear,
            hall: Arc::new(hall),
            hearing: None,
            missing,
        }
    }

    /// Starts its thread, once.
    fn hear(&mut self, endpoint: &Endpoint) -> io::Result<()> {
        if let Some(ear) = self.ear.take() {
            tcp::raise_descriptors();
            self.hearing = Some(ear.hear(endpoint.clone(), self.hall.clone())?);
        }
        Ok(())
    }

    /// Takes in nobody any more.
    fn shut(&mut self) {
        self.ear = None;
        self.hearing.iter().for_each(Hearing::shut);
    }
}

/// The next one who comes in from this program; nobody where there is no such way.
async fn from_inside(door: &mut Option<Listener>) -> Option<Connection> {
    door.as_mut()?.accept().await
}

/// A sentence about what the files want by now and only another start brings.
fn needs_restart(listens: ListenAddress, wanted: ListenAddress) -> Option<String> {
    (wanted != listens).then(|| {
        format!("Still listening on {listens}: `listen` is {wanted} now, and that needs a restart of the relay")
    })
}

/// What comes by itself: time, and the operator's word that files have changed.
struct Clock {
    tidy: Interval,
    hangups: Option<Hangups>,
}

impl Clock {
    /// Without files to read again SIGHUP keeps its usual meaning.
    fn start(has_files: bool) -> Self {
        let mut tidy = tokio::time::interval(TIDY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let hangups = has_files.then(Hangups::listen).and_then(Result::ok);
        Clock { tidy, hangups }
    }

    async fn next(&mut self) -> Event {
        let hangup = async {
            match &mut self.hangups {
                Some(hangups) => hangups.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = hangup => Event::Hangup,
            _ = self.tidy.tick() => Event::Tidy,
        }
    }
}

/// Queues what a change wants to be said. `asker` gets the answers: a newcomer, or the host.
fn queue_steps(steps: Vec<Step<Arc<Contact>>>, asker: &Contact) {
    for step in steps {
        match step {
            Step::Answer(message) => asker.queue(Outgoing::Message(message)),
            Step::Tell(link, message) => link.queue(Outgoing::Message(message)),
        }
    }
}

/// Tells somebody who is out of the room why, and everybody else that it is gone.
fn send_out(kicked: Departure<Arc<Contact>>, why: &'static str) {
    kicked.link.log_departure(&kicked, Some(why));
    queue_steps(kicked.steps, &kicked.link);
    kicked.link.queue(Outgoing::Goodbye(match kicked.reason {
        LeaveReason::MacOnLan => Disconnect {
            reason: DisconnectReason::MacOnLan,
            text: RejectReason::MacOnLan.to_string().into(),
        },
        _ => Disconnect {
            reason: DisconnectReason::Kicked,
            text: why.into(),
        },
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_relay_whose_socket_is_gone_does_not_look_healthy() {
        let config = Config::new("127.0.0.1:0".parse().unwrap());
        let server = RelayServer::bind(&config).unwrap();
        // Nobody can be accepted, and the relay has not asked for that.
        server.endpoint.close(CloseCode::Bye).await;
        let running = server.run(std::future::pending());
        let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
        let error = ended.expect("it goes on as if nothing were wrong");
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("start the relay again")
        );
    }

    #[test]
    fn whoever_has_anothers_place_is_started_again_whatever_is_wrong() {
        let wrong = || StartError::Identity(SourceError::Kept("relay-key.pem".into()));
        assert!(wrong().is_for_good());
        assert!(!StartError::InPlace(Box::new(wrong())).is_for_good());
    }

    #[test]
    fn another_place_to_listen_needs_a_restart() {
        let [old, new] = ["443/udp", "4433/udp"].map(|text| text.parse().unwrap());
        assert_eq!(needs_restart(old, old), None);
        let said = needs_restart(old, new).unwrap();
        assert!(
            said.contains("[::]:443:") && said.contains("[::]:4433 now"),
            "{said}"
        );
    }
}
