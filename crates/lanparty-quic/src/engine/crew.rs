//! An endpoint's loops: one engine each, on the runtime of whoever has made the endpoint the first, on threads of their own the
//! others.

use super::inbox::Inbox;
use super::lag::{LagWindow, Lateness};
use super::wires::{Freight, carry_where_it_belongs, made_up};
use super::{Engine, Shared, Stranger};
use crate::reset::OwnIds;
use crate::steer::Place;
use bytes::Bytes;
use noq_proto::{EndpointConfig, ServerConfig, VarInt};
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// What the loops were at when somebody asked last whether they go on.
#[derive(Debug, Default)]
pub struct Beat(Vec<u64>);

/// How long tasks may go on with something at their loop's end.
const LAST_TASKS: Duration = Duration::from_millis(50);
static ENDPOINTS: AtomicU64 = AtomicU64::new(1);

/// The loops; with the crew and their last connections they end.
#[derive(Debug)]
pub(crate) struct Crew {
    engines: Vec<Engine>,
    /// Those that have no thread yet.
    waiting: Mutex<Vec<Waiting>>,
    /// Whose strangers are heard next.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Waiting {
    runtime: Idle,
    driver: JoinHandle<()>,
    shared: Arc<Shared>,
    index: usize,
}

/// A runtime that nobody drives yet. It may go where a task runs that must not wait, which tokio's own would.
#[derive(Debug)]
struct Idle(Option<Runtime>);

impl Idle {
    fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Idle(Some(runtime)))
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken by value")
    }

    fn take(mut self) -> Runtime {
        self.0.take().expect("it is taken by value")
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(never_driven) = self.0.take() {
            never_driven.shutdown_background();
        }
    }
}

impl Crew {
    /// The one that has one loop.
    pub(crate) fn alone(engine: Engine) -> Self {
        Crew {
            engines: vec![engine],
            waiting: Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// A loop on each of `sockets`, which are steered to in this order. All but the first do nothing before
    /// [`Self::start`].
    ///
    /// # Errors
    /// When the system does not let us set them up.
    pub(crate) fn new(
        sockets: Vec<UdpSocket>,
        server: &Arc<ServerConfig>,
        settings: impl Fn(Place) -> (EndpointConfig, OwnIds),
    ) -> io::Result<Self> {
        let endpoint = ENDPOINTS.fetch_add(1, Ordering::Relaxed);
        let (mut engines, mut waiting) = (Vec::new(), Vec::new());
        for (place, socket) in Place::all(sockets.len()).zip(sockets) {
            let (config, ids) = settings(place);
            let server = Some(server.clone());
            let runtime = (place.index() > 0).then(Idle::new).transpose()?;
            let inside = runtime.as_ref().map(|idle| idle.runtime().enter());
            let (engine, driver) = Engine::start(endpoint, config, ids, server, socket)?;
            drop(inside);
            if let Some(runtime) = runtime {
                waiting.push(Waiting {
                    runtime,
                    driver,
                    shared: engine.shared().clone(),
                    index: place.index(),
                });
            }
            engines.push(engine);
        }
        for engine in &engines {
            let siblings = engines.iter().map(Engine::shared).map(Arc::downgrade);
            let _ = engine.shared().siblings.set(siblings.collect());
        }
        Ok(Crew {
            engines,
            waiting: Mutex::new(waiting),
            turn: AtomicUsize::new(0),
        })
    }

    /// Starts the threads, which have the rights of the one that calls this.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub(crate) fn start(&self) -> io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(next) = waiting.pop() {
            let thread = thread::Builder::new().name(format!("loop-{}", next.index));
            thread.spawn(|| next.run())?;
        }
        Ok(())
    }

    pub(crate) fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// The one that whoever has made the endpoint drives.
    pub(crate) fn first(&self) -> &Engine {
        self.engines.first().expect("an endpoint has a loop")
    }

    /// Carries a stream, on the loop that it is for; its bytes are moved on the runtime of whoever calls this. Answers its
    /// made-up address.
    pub(crate) fn carry(&self, freight: Freight) -> SocketAddr {
        let address = made_up::next();
        match &self.engines[..] {
            [alone] => alone.shared().carry(address, freight, None),
            engines => {
                let loops = engines.iter().map(Engine::shared).map(Arc::downgrade);
                tokio::spawn(carry_where_it_belongs(loops.collect(), address, freight));
            }
        }
        address
    }

    /// The next stranger, whichever loop it comes to; `None` once one of them is closed, or its socket gone.
    pub(crate) async fn accept(&self) -> Option<Stranger> {
        poll_fn(|cx| {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let count = self.engines.len();
            for index in (turn..turn + count).map(|turn| turn % count) {
                if let Poll::Ready(accepted) = self.engines[index].poll_accept(cx) {
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// True when each loop has had a turn since this was asked last; it is asked for one.
    pub(crate) fn beat(&self, seen: &mut Beat) -> bool {
        let turns = |engine: &Engine| engine.shared().turns.load(Ordering::Relaxed);
        let before = std::mem::replace(&mut seen.0, self.engines.iter().map(turns).collect());
        let inboxes = self
            .engines
            .iter()
            .filter_map(|engine| engine.shared().inbox.as_ref());
        inboxes.for_each(Inbox::ring);
        self.engines.len() == 1
            || before
                .iter()
                .zip(&seen.0)
                .all(|(before, now)| before != now)
    }

    /// Rings each loop that has answered the ring before; from the first on they note how late they are.
    pub(crate) fn ring(&self, now: Instant) {
        for engine in &self.engines {
            let shared = engine.shared();
            let lateness = shared.lateness.get_or_init(|| Lateness::new(now));
            if !lateness.ring(now) {
                continue;
            }
            match &shared.inbox {
                Some(inbox) => inbox.ring(),
                None => shared.lock().wake_driver(),
            }
        }
    }

    /// How late the latest loop was in the last five looks.
    pub(crate) fn lag(&self, window: &mut LagWindow) -> Option<Duration> {
        let lateness = self.engines.iter().map(|engine| {
            let lateness = engine.shared().lateness.get();
            lateness.map(Lateness::counts).unwrap_or_default()
        });
        window.look(lateness.collect())
    }

    /// Closes every connection and waits until the other sides have had time to hear it.
    pub(crate) async fn close(&self, code: VarInt, text: &'static [u8]) {
        for engine in &self.engines {
            engine.begin_to_close(code, &Bytes::from_static(text));
        }
        for engine in &self.engines {
            engine.idle().await;
        }
    }
}

impl Waiting {
    fn run(self) {
        let runtime = self.runtime.take();
        runtime.block_on(async {
            // A panic in it ends the program, if that wants it to.
            let _ = self.driver.await;
            // Where its socket is gone there are tasks on this thread that say goodbye to somebody.
            self.shared.abandoned().await;
        });
        runtime.shutdown_timeout(LAST_TASKS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loop_that_never_starts_ends_within_a_task_without_a_panic() {
        let idle = Idle::new().unwrap();
        idle.runtime().spawn(std::future::pending::<()>());
        drop(idle);
    }
}
