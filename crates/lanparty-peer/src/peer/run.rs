//! The loop of a peer, from its first attempt to reach the relay to its goodbye.

mod connect;
mod doors;
mod elsewhere;
mod fleet;
mod over;
mod said;
mod sent;
mod several;
mod sights;
mod wish;

use super::beside::{Beside, Outcome};
use super::retries::{End, Others, Retries, Retry};
use super::turn::{Interruption, Turn, Turns};
use super::uptime::Moment;
use super::wakefulness::Sleep;
use super::{Event, FramePort, PeerCore, PeerHost, RunError};
use crate::door::{Doors, News};
use crate::link::{LOOK, QueueDeaths, RelayLink};
use crate::relay_args::RelayConfig;
use crate::relays::Relays;
use crate::relays::nearby::{Measured, Nearby};
use crate::relays::survey::{Step, Survey};
use bytes::Bytes;
use elsewhere::Elsewhere;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lanparty_ctrl::message::{Disconnect, Newcomer};
use lanparty_ctrl::{DisconnectReason, PeerMessage, RelayMessage, Text};
use lanparty_obs::DropReason;
use lanparty_quic::control::ControlError;
use sights::Sights;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// How often a host hears how its link is doing.
const TICK: Duration = Duration::from_secs(1);
/// How long the relay's name may take to be resolved before the addresses of last time must do: the
/// resolver may be what is missing.
const RESOLVE: Duration = Duration::from_secs(1);
/// How long that may take before it is said what is waited for.
const LOOKS_LONG: Duration = Duration::from_millis(700);
/// A TAP's queue holds 1000 frames or super-frames, of which a read may take no more than one; a busier
/// port fills it meanwhile.
const MAX_BACKLOG_READS: usize = 1000;
/// What may wait for the loop of those who come by direct paths.
const DOOR_NEWS: usize = 64;

/// Runs a peer until `shutdown` says why it should stop: connects, carries frames, and when the link
/// is lost connects again, with jittered waits in between (spec R90). The port is read and emptied
/// meanwhile, so that nothing old is sent later.
///
/// # Errors
/// [`RunError`]. A relay that cannot be reached is no error: it may come back.
pub async fn run<C, P, H>(
    core: &mut C,
    port: &mut P,
    host: &mut H,
    relay: &RelayConfig,
    shutdown: impl Future<Output = Text>,
) -> Result<(), RunError>
where
    C: PeerCore,
    P: FramePort,
    H: PeerHost<C>,
{
    let host_token = host.kept_token();
    let (sender, door_news) = mpsc::channel(DOOR_NEWS);
    let is_gateway = core.newcomer() == Newcomer::Gateway;
    let mut peer = Peer {
        core,
        port,
        host,
        relay,
        relays: Relays::new(relay, host_token.as_ref()),
        survey: Survey::default(),
        sights: Sights::default(),
        nearby: Nearby::default(),
        elsewhere: Elsewhere::default(),
        has_been_in: false,
        beside: Beside::default(),
        to_port: Vec::new(),
        turns: Turns::new(),
        doors: Doors::new(is_gateway, sender),
        door_news,
        sleep: Sleep::new(Moment::now(), Instant::now()),
    };
    let mut shutdown = pin!(shutdown);
    let mut retries = Retries::new(is_gateway);
    let mut better = None;
    loop {
        let connecting = async {
            match better.take() {
                Some(link) => Ok(Ok(link)),
                None => peer.connect(retries.yields()).await,
            }
        };
        let connected = tokio::select! {
            biased; // whoever listens for Ctrl-C listens before the first sentence is said
            _ = &mut shutdown => return peer.leave().await,
            connected = connecting => connected?,
        };
        let mut has_slept = false;
        let retry = match connected {
            Ok(link) => {
                retries.welcomed();
                let since = Instant::now();
                match peer.carry(link, &mut shutdown).await? {
                    Ended::Asked(_) => return Ok(()),
                    Ended::Over(link) => {
                        better = Some(*link);
                        continue;
                    }
                    Ended::By(end) => {
                        retries.know(peer.others());
                        retries.ended(end, since.elapsed(), rand::random())
                    }
                    Ended::Slept => {
                        has_slept = true;
                        let end = End::Lost("this machine or program stood still".to_owned());
                        retries.ended(end, since.elapsed(), rand::random())
                    }
                }
            }
            Err(error) => {
                retries.know(peer.others());
                retries.failed(&error, rand::random())
            }
        };
        let Retry {
            cause,
            refused,
            wait,
        } = retry;
        let news = match has_slept {
            true => Event::Slept,
            false => Event::NoLink { cause, refused },
        };
        peer.tell(news).await?;
        tokio::select! {
            waited = peer.meanwhile(tokio::time::sleep(wait)) => waited?,
            _ = &mut shutdown => return peer.leave().await,
        }
    }
}

/// Why a link is no longer carried.
enum Ended {
    Asked(Text),
    By(End),
    /// The relay has nothing to do with it.
    Slept,
    /// The relay has let us in over this better way.
    Over(Box<RelayLink>),
}

/// What may happen while a link is carried.
enum Happened {
    InTurn(Interruption),
    Other(Other),
}

/// What is not a frame.
enum Other {
    Door(Option<News>),
    Message(Result<RelayMessage, ControlError>),
    /// What the program wants to say, or to hear.
    Wanted(Option<PeerMessage>),
    Beside(Outcome),
    Surveyed((usize, Step)),
    Measured(Vec<Measured>),
    Tick,
    Look,
    Shutdown(Text),
}

struct Peer<'a, C, P, H> {
    core: &'a mut C,
    port: &'a mut P,
    host: &'a mut H,
    relay: &'a RelayConfig,
    /// All that are known, and what is known of each.
    relays: Relays,
    survey: Survey,
    /// What was seen of each, for people.
    sights: Sights,
    nearby: Nearby,
    /// Where the party may be else than where the link is.
    elsewhere: Elsewhere,
    has_been_in: bool,
    /// What is tried beside the link that stands.
    beside: Beside,
    /// What a turn puts out; empty between turns, unless somebody has to be told something first.
    to_port: Vec<Bytes>,
    turns: Turns,
    doors: Doors,
    door_news: mpsc::Receiver<News>,
    sleep: Sleep,
}

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    async fn tell(&mut self, event: Event<'_>) -> Result<(), RunError> {
        let telling = self.host.handle_event(self.core, event);
        self.turns.beside(telling).await.map_err(RunError::Host)
    }

    /// Where else the party may be.
    fn others(&self) -> Others {
        match (self.relays.are_fleet(), self.relays.are_several()) {
            (true, _) => Others::Fleet,
            (false, true) => Others::Few,
            (false, false) => Others::None,
        }
    }

    /// Before anything that has a time is looked at anew.
    fn note_sleep(&mut self) {
        let now = Instant::now();
        if let Some(slept) = self.sleep.take(Moment::now(), now) {
            self.core.handle_sleep(now, slept);
        }
    }

    /// Uses a link until its end, and says goodbye where there is time for it.
    async fn carry(
        &mut self,
        mut link: RelayLink,
        shutdown: &mut (impl Future<Output = Text> + Unpin),
    ) -> Result<Ended, RunError> {
        let ended = match self.begin(&link).await {
            Ok(()) => {
                self.turns.begin();
                self.take_turns(Some(&link));
                self.exchange(&mut link, shutdown).await
            }
            Err(error) => Err(error),
        };
        if matches!(ended, Ok(Ended::Asked(_)) | Err(_)) {
            // Frames flow still, also where the machine or its adapter ends it.
            self.core.handle_shutdown(Instant::now());
            self.turn(Some(&mut link)).perform_outputs(Instant::now());
        }
        self.count_queue_drops(&mut link);
        self.core.counters().link = None;
        self.note_sleep();
        let now = Instant::now();
        match &ended {
            Ok(Ended::By(_) | Ended::Over(_)) => self.doors.lose_relay(now),
            // Whatever was open there has forgotten us.
            Ok(Ended::Asked(_) | Ended::Slept) | Err(_) => self.doors.clear(self.core, now),
        }
        self.core.handle_lost_link(now);
        // Whoever says goodbye waits for it to be sent, which is nobody's turn any more.
        self.take_turns(None);
        self.to_port.clear();
        self.relays.here_mut().carriage.ended(now);
        self.beside.stop();
        self.elsewhere.ended(now);
        match &ended {
            // What was asked for in good time is of use for the next link.
            Ok(Ended::By(End::Lost(_))) => {
                let here = self.relays.place(self.relays.here()).address.clone();
                self.relays.failures.note(now, &here, Some(link.relay()));
            }
            Ok(Ended::By(_)) => {}
            Ok(Ended::Asked(_) | Ended::Slept | Ended::Over(_)) | Err(_) => self.survey.stop(),
        }
        match &ended {
            Ok(Ended::Asked(reason)) => link.leave(reason.clone()).await,
            Ok(Ended::By(_) | Ended::Slept | Ended::Over(_)) => {}
            Err(error) => link.leave(error.to_string().into()).await,
        }
        ended
    }

    /// Tells everybody that the link stands; then frames may flow.
    async fn begin(&mut self, link: &RelayLink) -> Result<(), RunError> {
        let now = Instant::now();
        self.has_been_in = true;
        self.relays
            .stand_at(now, link.place(), link.welcome().fence);
        let at = self.relays.here_mut();
        at.token = Some(link.welcome().resume_token.clone());
        // To a relay in this program there is no network.
        if let Some(network) = link.network() {
            at.carriage.stands(now, network, link.means());
        }
        let address = at.address.clone();
        self.note_gateway(link);
        self.note_sleep();
        self.core.handle_relay_key(link.connection().key());
        self.core
            .handle_welcome(Instant::now(), link.welcome(), link.budget());
        let joined = Event::Joined {
            welcome: link.welcome(),
            relay: link.relay(),
            at: &address,
        };
        self.tell(joined).await?;
        self.tell_sights(Some(link)).await?;
        tracing::debug!(buffers = ?link.udp_buffers(), budget = %link.budget(), "The link is up");
        self.about_doors(link, Doors::begin);
        match self.doors.is_empty() {
            true => self.discard_backlog().await.map_err(RunError::Port),
            // Frames have gone that way until now.
            false => Ok(()),
        }
    }

    fn turn<'t>(&'t mut self, link: Option<&'t mut RelayLink>) -> Turn<'t, C, P> {
        Turn {
            core: self.core,
            port: self.port,
            to_port: &mut self.to_port,
            link,
            doors: &mut self.doors,
            turns: &mut self.turns,
        }
    }

    /// Carries frames until the link is lost or `shutdown` comes. What is done here is everything but frames.
    async fn exchange(
        &mut self,
        link: &mut RelayLink,
        shutdown: &mut (impl Future<Output = Text> + Unpin),
    ) -> Result<Ended, RunError> {
        let mut inbox = link.take_inbox();
        let (mut tick, mut look) = (interval(TICK), interval(LOOK));
        let cause = loop {
            // Whoever may have lost its right to a direct path has none in the next turn.
            self.doors.settle(self.core, Instant::now());
            self.take_turns(Some(link));
            let other = async {
                tokio::select! {
                    news = self.door_news.recv() => Other::Door(news),
                    message = inbox.next() => Other::Message(message),
                    wanted = self.host.next_message() => Other::Wanted(wanted),
                    outcome = self.beside.next() => Other::Beside(outcome),
                    step = self.survey.next() => Other::Surveyed(step),
                    measured = self.nearby.next() => Other::Measured(measured),
                    _ = tick.tick() => Other::Tick,
                    _ = look.tick() => Other::Look,
                    reason = &mut *shutdown => Other::Shutdown(reason),
                }
            };
            // Polled when it is woken itself, not with every frame.
            let mut others: FuturesUnordered<_> = std::iter::once(other).collect();
            let mut turn = Turn {
                core: &mut *self.core,
                port: &mut *self.port,
                to_port: &mut self.to_port,
                link: Some(&mut *link),
                doors: &mut self.doors,
                turns: &mut self.turns,
            };
            let happened = poll_fn(|cx| match turn.poll(cx) {
                Poll::Ready(interrupted) => Poll::Ready(interrupted.map(Happened::InTurn)),
                Poll::Pending => {
                    let other = others.poll_next_unpin(cx);
                    other.map(|other| Ok(Happened::Other(other.expect("one is waited for"))))
                }
            })
            .await?;
            drop(others);
            match happened {
                Happened::InTurn(Interruption::News) => self.tell(Event::News).await?,
                Happened::InTurn(Interruption::Meeting) => {
                    let now = Instant::now();
                    self.about_doors(link, |doors, hands| doors.look_after(now, hands));
                }
                Happened::InTurn(Interruption::Closed(closed)) => break closed,
                // The old link's queues end with it.
                Happened::InTurn(Interruption::Slept) => return Ok(Ended::Slept),
                Happened::Other(Other::Message(message)) => match message {
                    Ok(RelayMessage::Disconnect(goodbye)) => {
                        let ended = self.take_leave(goodbye);
                        return self.or_over(ended).await;
                    }
                    Ok(message) => self.handle_control(link, message).await?,
                    Err(ControlError::Closed(closed)) => break closed.to_string(),
                    Err(error) => break error.to_string(),
                },
                Happened::Other(Other::Door(Some(news))) => {
                    let now = Instant::now();
                    self.about_doors(link, |doors, hands| doors.handle_news(now, hands, news));
                }
                Happened::Other(Other::Door(None)) => unreachable!("the doors have a sender"),
                Happened::Other(Other::Wanted(Some(message))) => {
                    self.core.handle_own(Instant::now(), &message);
                    link.send_message(message);
                }
                Happened::Other(Other::Wanted(None)) => self.tell(Event::News).await?,
                Happened::Other(Other::Beside(outcome)) => {
                    if let Some(ended) = self.handle_beside(link, outcome) {
                        return Ok(ended);
                    }
                }
                Happened::Other(Other::Measured(measured)) => {
                    self.note_looked_around(measured);
                    self.tell_sights(Some(link)).await?;
                }
                Happened::Other(Other::Surveyed(step)) => self.hear_survey(link, step).await?,
                Happened::Other(Other::Tick) => {
                    self.count_queue_drops(link);
                    self.core.counters().link = link.stats();
                    self.tell_facts(link).await?;
                    if let Err(unfit) = link.beat(Instant::now()) {
                        self.relays.here_mut().carriage.was_unfit(unfit);
                        break unfit.to_string();
                    }
                    let (packets, is_silent) = (link.connection().packets(), link.is_silent());
                    let carriage = &mut self.relays.here_mut().carriage;
                    // What it wants tried while something else is tried would be forgotten until the next time.
                    if self.beside.is_idle()
                        && let Some(starts) = carriage.poll(Instant::now(), packets, is_silent)
                    {
                        self.try_beside(link, starts).await?;
                    }
                    self.about_doors(link, Doors::tell_news);
                    self.look_around(link);
                }
                Happened::Other(Other::Look) => {
                    let other_way = self.doors.judge(Instant::now(), link.quality());
                    if link.falls_faint() || other_way {
                        self.tell_facts(link).await?;
                    }
                    if link.has_moved() {
                        tracing::info!("This machine has another address on the way to the relay");
                        // The host may have a route to mend first.
                        self.tell_facts(link).await?;
                        link.follow_network();
                        self.doors.moves(Instant::now(), link.connection());
                        let network = link.network().flatten();
                        let carriage = &mut self.relays.here_mut().carriage;
                        if let Some(starts) = carriage.moved(Instant::now(), network) {
                            self.try_beside(link, starts).await?;
                        }
                    }
                    self.look_elsewhere(link).await?;
                }
                Happened::Other(Other::Shutdown(reason)) => return Ok(Ended::Asked(reason)),
            }
        };
        self.or_over(Ok(Ended::By(End::Lost(cause)))).await
    }

    /// The relay has said goodbye. Who is kicked out of a party stays out of it; but a party without its LAN is
    /// none, so a gateway comes back when whoever wanted it out has had time to say so to its host.
    fn take_leave(&self, Disconnect { reason, text }: Disconnect) -> Result<Ended, RunError> {
        let said = || format!("it said: {text}");
        match (reason, self.core.newcomer()) {
            (DisconnectReason::Kicked, Newcomer::Client(_)) => Err(RunError::Kicked(text)),
            (DisconnectReason::Kicked, Newcomer::Gateway) => Ok(Ended::By(End::SentOut(said()))),
            // Who makes a new link reads no more of the old one, so this is somebody else.
            (DisconnectReason::Replaced, _) => Ok(Ended::By(End::Replaced)),
            (DisconnectReason::Succeeded, _) => Ok(Ended::By(End::Succeeded(said()))),
            _ => Ok(Ended::By(End::Lost(said()))),
        }
    }

    /// Waits for something without any link. What the port has to give meanwhile is dropped and counted,
    /// so that a game's packets of ten seconds ago are not replayed into its present.
    async fn discarding<T>(
        &mut self,
        mut event: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, RunError> {
        loop {
            tokio::select! {
                happened = &mut event => return Ok(happened),
                ready = poll_fn(|cx| self.port.poll_readable(cx)) => {
                    ready.and_then(|()| self.discard()).map_err(RunError::Port)?;
                    give_way().await;
                }
            }
        }
    }

    /// Empties the port of what came while there was no link, or no time for it.
    async fn discard_backlog(&mut self) -> io::Result<()> {
        for _ in 0..MAX_BACKLOG_READS {
            if self.discard()? == 0 {
                break;
            }
            give_way().await;
        }
        Ok(())
    }

    /// Drops what one read of the port gives, and says how many frames that were.
    fn discard(&mut self) -> io::Result<u64> {
        let (core, mut frames, now) = (&mut *self.core, 0, Instant::now());
        self.port.try_recv(&mut |frame| {
            if let Ok(frame) = &frame {
                core.overhear(now, frame.frame());
            }
            let reason = frame.err().unwrap_or(DropReason::LinkDown);
            core.counters().drops.count(reason);
            frames += 1;
        })?;
        Ok(frames)
    }

    async fn handle_control(
        &mut self,
        link: &RelayLink,
        message: RelayMessage,
    ) -> Result<(), RunError> {
        let now = Instant::now();
        self.core.handle_control(now, message.clone());
        self.note_control(now, link, &message);
        self.about_doors(link, |doors, hands| {
            doors.handle_control(now, hands, &message);
        });
        self.tell(Event::Control(&message)).await
    }

    fn count_queue_drops(&mut self, link: &mut RelayLink) {
        let mut deaths = link.new_queue_deaths();
        deaths.add(self.doors.new_queue_deaths());
        let QueueDeaths { without_room, late } = deaths;
        let drops = &mut self.core.counters().drops;
        drops.add(DropReason::QueueFull, without_room);
        drops.add(DropReason::QueueDelay, late);
    }
}

/// Beats that are late are not made up for.
fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// A port may always have more: after each read the link's driver, timers and whoever wants to end this have their
/// turn. Waiting for a port does that by itself only when it is empty.
async fn give_way() {
    tokio::task::yield_now().await;
}
