//! What stands between a peer and its relay: a home router that can be unplugged, and forgets.

use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

/// A router for one peer's packets; it ends with the test.
#[derive(Debug)]
pub struct Middlebox {
    address: SocketAddr,
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
enum Order {
    Unplug,
    Plug,
    Rebind,
    LoseEvery(u32),
    Tell(oneshot::Sender<SocketAddr>),
}

impl Middlebox {
    /// A router before this relay.
    pub async fn before(relay: SocketAddr) -> Self {
        let inside = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = inside.local_addr().unwrap();
        let (sender, orders) = mpsc::unbounded_channel();
        tokio::spawn(route(inside, relay, orders));
        Middlebox {
            address,
            orders: sender,
        }
    }

    /// Where the peer finds its relay.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on every packet is lost.
    pub fn unplug(&self) {
        self.order(Order::Unplug);
    }

    /// Packets pass again.
    pub fn plug(&self) {
        self.order(Order::Plug);
    }

    /// From now on the relay sees the peer's packets come from another port, and its packets to the old
    /// one are lost.
    pub fn rebind(&self) {
        self.order(Order::Rebind);
    }

    /// From now on one of so many packets is lost, each way.
    pub fn lose_every(&self, many: u32) {
        self.order(Order::LoseEvery(many));
    }

    /// From where the relay sees the peer's packets come.
    pub async fn outside(&self) -> SocketAddr {
        let (tell, told) = oneshot::channel();
        self.order(Order::Tell(tell));
        told.await.unwrap()
    }

    fn order(&self, order: Order) {
        self.orders.send(order).unwrap();
    }
}

async fn route(inside: UdpSocket, relay: SocketAddr, mut orders: mpsc::UnboundedReceiver<Order>) {
    let mut outside = outside().await;
    let (mut peer, mut plugged) = (None, true);
    // Each way counts for itself: where packets and answers take turns, all losses would be of one kind.
    let (mut losses, mut ups, mut downs) = (None, 0u32, 0u32);
    let is_lost = |losses: Option<u32>, count: &mut u32| {
        *count = count.wrapping_add(1);
        losses.is_some_and(|many| count.is_multiple_of(many))
    };
    let (mut up, mut down) = ([0; 2048], [0; 2048]);
    loop {
        // Loopback loses nothing that is not lost on purpose.
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Unplug) => plugged = false,
                Some(Order::Plug) => plugged = true,
                Some(Order::Rebind) => outside = self::outside().await,
                // Whoever asks may have lost patience.
                Some(Order::LoseEvery(many)) => losses = Some(many),
                Some(Order::Tell(tell)) => drop(tell.send(outside.local_addr().unwrap())),
                None => return,
            },
            Ok((len, from)) = inside.recv_from(&mut up) => {
                peer = Some(from);
                if plugged && !is_lost(losses, &mut ups) {
                    let _ = outside.send_to(&up[..len], relay).await;
                }
            }
            Ok(len) = outside.recv(&mut down) => if let Some(peer) = peer && plugged && !is_lost(losses, &mut downs) {
                let _ = inside.send_to(&down[..len], peer).await;
            },
        }
    }
}

async fn outside() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}
