//! The internet between some peers and a relay, which can be cut.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// A way to a relay for the UDP packets of any number of sockets; it ends with the test.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    _carrying: JoinSet<()>,
}

impl Wire {
    /// A way to this relay.
    pub async fn to(relay: SocketAddr) -> Self {
        let inside = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let address = inside.local_addr().unwrap();
        let is_cut = Arc::new(AtomicBool::new(false));
        let mut carrying = JoinSet::new();
        carrying.spawn(carry(inside, relay, Arc::clone(&is_cut)));
        Wire {
            address,
            is_cut,
            _carrying: carrying,
        }
    }

    /// Where peers find the relay.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every packet is lost, each way.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Packets pass again.
    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

async fn carry(inside: Arc<UdpSocket>, relay: SocketAddr, is_cut: Arc<AtomicBool>) {
    let mut outsides: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut back = JoinSet::new();
    let mut packet = [0; 2048];
    loop {
        let Ok((len, from)) = inside.recv_from(&mut packet).await else {
            continue;
        };
        if is_cut.load(Ordering::Relaxed) {
            continue;
        }
        let outside = match outsides.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let outside = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                let outside = Arc::new(outside);
                let (near, far) = (Arc::clone(&inside), Arc::clone(&outside));
                back.spawn(carry_back(far, near, from, Arc::clone(&is_cut)));
                new.insert(outside)
            }
        };
        let _ = outside.send_to(&packet[..len], relay).await;
    }
}

async fn carry_back(
    outside: Arc<UdpSocket>,
    inside: Arc<UdpSocket>,
    to: SocketAddr,
    is_cut: Arc<AtomicBool>,
) {
    let mut packet = [0; 2048];
    loop {
        if let Ok(len) = outside.recv(&mut packet).await
            && !is_cut.load(Ordering::Relaxed)
        {
            let _ = inside.send_to(&packet[..len], to).await;
        }
    }
}
