//! The task that hears the directory and time, and has done what follows.

use super::clock::FleetClock;
use super::membership::{Core, Membership};
use crate::server::Rooms;
use lanparty_fleet::model::Heard;
use lanparty_fleet::{Load, Request, Settings, Tag};
use lanparty_quic::{Endpoint, LagWindow, RING};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// How often it is looked which rooms have closed, and whose gateway is gone.
const LOOK: Duration = Duration::from_millis(250);
/// In how many looks the load is told.
const LOAD: u32 = 4;
/// So much is heard before what follows is done, and others get the rooms' lock.
const BATCH: usize = 64;

/// The way to a directory: requests there, and what it says.
#[derive(Debug)]
pub struct Line {
    /// What is asked of it. It never waits.
    pub requests: mpsc::UnboundedSender<(Tag, Request)>,
    /// What it says; when this ends nothing is heard any more.
    pub heard: mpsc::Receiver<Heard>,
    /// Whether a relay that is late gets rooms last, and sends some away. Where several share a machine that is busy with
    /// other things that says nothing.
    pub minds_lag: bool,
    /// By which time that relay goes.
    pub clock: FleetClock,
}

/// What is told of the relay's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tells {
    All,
    /// Not how late it is.
    Free,
}

impl Membership {
    /// A relay that enters its fleet now, and the task that keeps it there.
    pub(in crate::server) fn enter(
        rooms: &Arc<Rooms>,
        endpoint: &Endpoint,
        settings: Settings,
        line: Line,
        is_successor: bool,
    ) -> (Arc<Self>, impl Future<Output = ()> + Send + use<>) {
        let Line {
            requests,
            heard,
            minds_lag,
            clock,
        } = line;
        let membership = Membership::new(clock, settings, requests, is_successor);
        let membership = Arc::new(membership);
        let task = membership
            .clone()
            .run(rooms.clone(), endpoint.clone(), heard, minds_lag);
        (membership, task)
    }

    async fn run(
        self: Arc<Self>,
        rooms: Arc<Rooms>,
        endpoint: Endpoint,
        mut heard: mpsc::Receiver<Heard>,
        minds_lag: bool,
    ) {
        let mut window = LagWindow::default();
        let mut ring = tokio::time::interval(RING);
        ring.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = 0;
        let mut news = Vec::new();
        let mut is_deaf = false;
        loop {
            let now = self.clock.now();
            let timeout = self.lock().fleet.poll_timeout(now);
            let wait = timeout.map(|at| at.saturating_duration_since(now));
            let timer = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                count = heard.recv_many(&mut news, BATCH), if !is_deaf => is_deaf = count == 0,
                () = self.wake.notified() => {}
                () = timer => {}
                _ = ring.tick() => {
                    endpoint.ring(Instant::now());
                    continue;
                }
                _ = look.tick() => {
                    looks += 1;
                    if looks % LOAD == 0 {
                        self.lock().lag = endpoint.lag(&mut window);
                    }
                    let tells = if minds_lag { Tells::All } else { Tells::Free };
                    self.look(&rooms, (looks % LOAD == 0).then_some(tells));
                }
            }
            let mut registry = rooms.lock();
            let mut core = self.lock();
            let now = self.clock.now();
            for news in news.drain(..) {
                core.hear(now, news);
            }
            core.fleet.handle_timeout(now);
            self.apply(&mut registry, &mut core);
            if core.asked.is_empty() {
                self.answered.notify_waiters();
            }
        }
    }

    /// What has become of the rooms, and of the relay's load.
    fn look(&self, rooms: &Rooms, tells: Option<Tells>) {
        let mut registry = rooms.lock();
        let mut core = self.lock();
        let Core {
            fleet,
            here,
            waiters,
            ..
        } = &mut *core;
        let now = self.clock.now();
        here.retain(|&room, here| match registry.has_gateway(here.number) {
            Some(is_there) => {
                if here.gateway && !is_there {
                    fleet.gateway_left(now, room);
                }
                here.gateway = is_there;
                true
            }
            None => {
                if here.gateway {
                    fleet.gateway_left(now, room);
                }
                fleet.room_closed(now, room);
                false
            }
        });
        // Those who have lost their patience wait for nothing.
        waiters.retain(|_, waiter| Arc::strong_count(waiter) > 1);
        registry.share_guesses(fleet.size());
        if let Some(tells) = tells {
            let free = registry.free_places();
            let lag = core.lag.filter(|_| tells == Tells::All).unwrap_or_default();
            core.fleet.handle_load(now, Load { free, lag });
        }
    }
}

impl Core {
    fn hear(&mut self, now: Instant, news: Heard) {
        match news {
            Heard::Event(event) => self.fleet.handle_event(now, event),
            Heard::Answer(tag, answer) => {
                let asked = self.asked.remove(&tag);
                if answer != lanparty_fleet::Answer::Unreachable {
                    self.rtt = asked.map(|asked| now.saturating_duration_since(asked));
                }
                self.fleet.handle_answer(now, tag, answer);
            }
        }
    }
}
