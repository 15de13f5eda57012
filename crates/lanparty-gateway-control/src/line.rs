//! The line between a gateway and a view that runs in the same program, on a thread of its own.

use crate::{Answer, Request, Snapshot};
use std::sync::Arc;
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
    /// The latest snapshot, about one a second; closed when the gateway ends.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where orders go.
    pub orders: mpsc::Sender<Order>,
}

impl Line {
    /// Gives an order and waits for what comes of it; nothing when the gateway ends.
    pub async fn ask(&self, request: Request) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order { request, answer }).await.ok()?;
        answered.await.ok()
    }
}

/// A line, the gateway's end first.
pub fn line(now: Snapshot) -> (watch::Sender<Arc<Snapshot>>, mpsc::Receiver<Order>, Line) {
    let (tell, snapshots) = watch::channel(Arc::new(now));
    let (orders, hear) = mpsc::channel(WAITING_ORDERS);
    (tell, hear, Line { snapshots, orders })
}
