//! A member of the room that says whatever it likes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use lanparty_ctrl::message::{Hello, Newcomer, Welcome};
use lanparty_ctrl::{PeerMessage, RelayMessage, RoomCode};
use lanparty_edge::address::DEFAULT_PORT;
use lanparty_lab::{Machine, Party, Venue, eventually};
use lanparty_proto::VirtualMac;
use lanparty_quic::control;
use lanparty_quic::tls::Trust;
use lanparty_quic::{Closed, Congestion, Connection, Endpoint, PathFloor};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::frames::Mac;
use crate::scene::{Turn, come};

/// Joining takes some milliseconds; a busy machine gets the rest.
const PATIENCE: Duration = Duration::from_secs(10);
/// Version 1, an Ethernet frame.
const FRAME: u8 = 0x11;
const FRAGMENT: u8 = 0x01;

/// Tasks that live on a machine, on a thread of their own; they end when it is dropped.
pub(crate) struct Tasks {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Tasks {
    pub(crate) fn on(machine: &Machine) -> Result<Arc<Self>> {
        let machine = machine.clone();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        // Sockets belong to the machine whose thread makes them, and every task runs on this one.
        let thread = thread::spawn(move || {
            machine.enter(|| {
                come(Turn::Last).map_err(io::Error::other)?;
                let _ = runtime.block_on(ended);
                Ok(())
            })
        });
        Ok(Arc::new(Self {
            handle,
            end: Some(end),
            thread: Some(thread),
        }))
    }

    /// Waits for something on the calling thread.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }

    /// Runs a task to its end.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.handle.block_on(self.handle.spawn(task))?
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("warning: the hostile machine's tasks did not run: {error:#}");
        }
    }
}

/// Where the relay is, and how to know it.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    trust: Trust,
}

impl Relay {
    pub(crate) fn of(party: &Party) -> Result<Self> {
        Ok(Self {
            address: (Venue::RELAY, DEFAULT_PORT).into(),
            trust: Trust::load(Some(&party.certificate()))?,
        })
    }

    /// Makes a connection that has not said a word yet.
    pub(crate) async fn connect(
        &self,
        endpoint: &Endpoint,
        address: SocketAddr,
    ) -> Result<Connection> {
        let floor = PathFloor::Ordinary;
        let connect = endpoint.connect(address, "lanparty-relay", &self.trust, None, floor);
        Ok(connect.await?)
    }
}

/// A peer that the relay has let in as a client.
pub(crate) struct Hostile {
    pub(crate) mac: Mac,
    link: Connection,
    welcome: Welcome,
    next_frame_id: AtomicU16,
    // A peer that does not take its messages is let go.
    _reader: JoinSet<()>,
    _endpoint: Endpoint,
}

impl Hostile {
    /// Joins the party's room with this MAC, as a client would.
    pub(crate) async fn join(relay: Relay, mac: Mac) -> Result<Self> {
        tokio::time::timeout(PATIENCE, Self::enter(relay, mac))
            .await
            .context("the relay did not let the hostile peer in")?
    }

    async fn enter(relay: Relay, mac: Mac) -> Result<Self> {
        let endpoint = Endpoint::client(PathFloor::Ordinary, Congestion::default())?;
        let link = relay.connect(&endpoint, relay.address).await?;
        let (mut say, mut hear) = link.open_bi().await?;
        let room: RoomCode = Party::ROOM.parse()?;
        let who = Newcomer::Client(VirtualMac::from_random(mac));
        let hello = PeerMessage::from(Hello::new(&room, who, link.budget()));
        control::write_message(&mut say, &hello).await?;
        let welcome = match control::read_message(&mut hear).await? {
            RelayMessage::Welcome(welcome) => welcome,
            other => bail!("instead of a welcome the relay said {other:?}"),
        };
        let mut reader = JoinSet::new();
        let messages = link.clone();
        reader.spawn(async move { while messages.accept_uni().await.is_ok() {} });
        Ok(Self {
            mac,
            link,
            welcome,
            next_frame_id: AtomicU16::new(0),
            _reader: reader,
            _endpoint: endpoint,
        })
    }

    /// The overlay header that the relay expects from us.
    pub(crate) fn header(&self) -> [u8; 8] {
        self.header_of(self.welcome.peer_id.number(), self.welcome.room_id.number())
    }

    /// A header of our making.
    pub(crate) fn header_of(&self, peer: u16, room: u32) -> [u8; 8] {
        let ([p0, p1], [r0, r1, r2, r3]) = (peer.to_be_bytes(), room.to_be_bytes());
        [FRAME, 0, p0, p1, r0, r1, r2, r3]
    }

    pub(crate) fn peer_id(&self) -> u16 {
        self.welcome.peer_id.number()
    }

    pub(crate) fn room_id(&self) -> u32 {
        self.welcome.room_id.number()
    }

    pub(crate) fn gateway_id(&self) -> Result<u16> {
        let gateway = self.welcome.gateway.context("the room has no gateway")?;
        Ok(gateway.number())
    }

    /// Queues a datagram as it is; false when there is no room for it now.
    pub(crate) fn try_say(&self, datagram: &[u8]) -> bool {
        self.link
            .send_probe(Bytes::copy_from_slice(datagram))
            .is_ok()
    }

    /// Says a datagram as it is, as soon as there is room for it.
    pub(crate) fn say(&self, datagram: &[u8]) -> Result<()> {
        let say = || self.try_say(datagram).then_some(());
        eventually("the hostile link has room", PATIENCE, say)
    }

    /// A frame as one datagram.
    pub(crate) fn whole(&self, frame: &[u8]) -> Vec<u8> {
        [&self.header(), frame].concat()
    }

    /// A frame as datagrams with `size` bytes of it each.
    pub(crate) fn pieces(&self, frame: &[u8], size: usize) -> Vec<Vec<u8>> {
        let id = self
            .next_frame_id
            .fetch_add(1, Ordering::Relaxed)
            .to_be_bytes();
        let mut header = self.header();
        header[1] = FRAGMENT;
        let piece = |(number, piece): (usize, &[u8])| {
            let offset = u16::try_from(number * size).expect("a frame is shorter than 64 KiB");
            let total = u16::try_from(frame.len()).expect("a frame is shorter than 64 KiB");
            [
                &header[..],
                &id,
                &offset.to_be_bytes(),
                &total.to_be_bytes(),
                piece,
            ]
            .concat()
        };
        frame.chunks(size).enumerate().map(piece).collect()
    }

    /// The next frame that the room sends us in one piece.
    pub(crate) async fn hear(&self) -> Result<Vec<u8>> {
        let mut one = [Bytes::new()];
        loop {
            self.link.read_datagrams(&mut one).await?;
            let frame = one[0]
                .strip_prefix(&[FRAME, 0])
                .and_then(|rest| rest.get(6..));
            if let Some(frame) = frame {
                return Ok(frame.to_vec());
            }
        }
    }

    /// Waits until the relay has thrown us out; answers with its words.
    pub(crate) async fn thrown_out(&self) -> Result<String> {
        match tokio::time::timeout(PATIENCE, self.link.closed()).await {
            Ok(Closed::ByPeer(words)) => Ok(words),
            Ok(other) => Err(anyhow!(other).context("the link ended otherwise")),
            Err(_) => bail!("the relay keeps us"),
        }
    }

    /// Whether the link still stands.
    pub(crate) async fn is_in(&self) -> bool {
        tokio::time::timeout(Duration::ZERO, self.link.closed())
            .await
            .is_err()
    }
}
