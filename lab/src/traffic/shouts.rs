//! Numbered broadcasts at a steady pace: each must come once at most, and none that somebody has kept.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::pings::{PingReport, SHORTEST_WAIT, Shared};
use crate::{LAN_BROADCAST, Machine};

/// Nobody else in the lab has these ports.
static NEXT_PORT: AtomicU16 = AtomicU16::new(27_000);
const NUMBER: usize = size_of::<u64>();

/// A machine on the LAN or far away that shouts, and another one that listens, until this is dropped.
#[derive(Debug)]
pub struct Shouts {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Shouts {
    /// Begins: so many a second from `source`, the sender's address on the LAN.
    pub fn start(from: &Machine, source: IpAddr, to: &Machine, per_second: u32) -> Result<Self> {
        let port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let ear = to.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?;
        let mouth = from.enter(|| {
            let socket = UdpSocket::bind((source, 0))?;
            socket.set_broadcast(true)?;
            Ok(socket)
        })?;
        let shared = Arc::new(Shared::default());
        let shouter = Shouter {
            mouth,
            ear,
            to: (LAN_BROADCAST, port).into(),
            source,
            interval: Duration::from_secs(1) / per_second,
            shared: Arc::clone(&shared),
        };
        Ok(Self {
            shared,
            thread: Some(thread::spawn(|| shouter.run())),
        })
    }

    /// What came of those shouted between two moments; what it says of answers is said of the listener.
    pub fn report(&self, from: Instant, to: Instant) -> PingReport {
        self.shared.records().report(from, to)
    }
}

impl Drop for Shouts {
    fn drop(&mut self) {
        self.shared.end();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The thread's state.
struct Shouter {
    mouth: UdpSocket,
    ear: UdpSocket,
    to: SocketAddr,
    source: IpAddr,
    interval: Duration,
    shared: Arc<Shared>,
}

impl Shouter {
    fn run(self) {
        let mut next = Instant::now();
        while !self.shared.is_ended() {
            let now = Instant::now();
            if now >= next {
                let number = self.shared.note_sent(now);
                // What cannot even leave is lost.
                let _ = self.mouth.send_to(&(number as u64).to_be_bytes(), self.to);
                next += self.interval;
                continue;
            }
            let _ = self
                .ear
                .set_read_timeout(Some((next - now).max(SHORTEST_WAIT)));
            self.listen();
        }
    }

    fn listen(&self) {
        let mut datagram = [0; NUMBER + 1];
        match self.ear.recv_from(&mut datagram) {
            Ok((NUMBER, from)) if from.ip() == self.source => {
                let number = datagram
                    .first_chunk()
                    .map(|number| u64::from_be_bytes(*number));
                self.shared.note_answer(number.unwrap_or(u64::MAX) as usize);
            }
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => eprintln!("warning: a listener's socket broke: {error}"),
        }
    }
}
