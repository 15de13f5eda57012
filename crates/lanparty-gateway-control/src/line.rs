//! The line between a gateway and a view that runs in the same program, on a thread of its own.

use crate::{Answer, Request, Snapshot};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

/// So many orders may wait for the gateway; a view waits when there are more.
const WAITING_ORDERS: usize = 16;

/// A request, and where its answer goes.
pub struct Order {
    /// What the host wants.
    pub request: Request,
    /// Hears what has come of it. Dropped when the gateway ends.
    pub answer: oneshot::Sender<Answer>,
}

/// A view's end: how things stand, and a way to give orders.
#[derive(Clone)]
pub struct Line {
    /// The latest snapshot, about one a second; closed when the gateway ends. Whoever shows it to somebody holds a
    /// [`Look`] meanwhile.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where orders go.
    pub orders: mpsc::Sender<Order>,
    looks: Arc<AtomicUsize>,
}

impl Line {
    /// Gives an order and waits for what comes of it; nothing when the gateway ends.
    pub async fn ask(&self, request: Request) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order { request, answer }).await.ok()?;
        answered.await.ok()
    }

    /// Somebody looks from now on: a browser with an open stream, say. While nobody does, the gateway asks its relay less
    /// often for figures.
    pub fn look(&self) -> Look {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Look {
            snapshots: self.snapshots.clone(),
            looks: self.looks.clone(),
        }
    }
}

/// Somebody looks, until this is dropped.
pub struct Look {
    /// The latest snapshot, about one a second; closed when the gateway ends.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    looks: Arc<AtomicUsize>,
}

impl Drop for Look {
    fn drop(&mut self) {
        self.looks.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The gateway's end for snapshots.
pub struct Teller {
    snapshots: watch::Sender<Arc<Snapshot>>,
    looks: Arc<AtomicUsize>,
}

impl Teller {
    /// How things stand now.
    pub fn tell(&self, now: Snapshot) {
        self.snapshots.send_replace(Arc::new(now));
    }

    /// How many look.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }
}

/// A line, the gateway's end first.
pub fn line(now: Snapshot) -> (Teller, mpsc::Receiver<Order>, Line) {
    let (tell, snapshots) = watch::channel(Arc::new(now));
    let (orders, hear) = mpsc::channel(WAITING_ORDERS);
    let looks = Arc::<AtomicUsize>::default();
    let teller = Teller {
        snapshots: tell,
        looks: looks.clone(),
    };
    let line = Line {
        snapshots,
        orders,
        looks,
    };
    (teller, hear, line)
}
