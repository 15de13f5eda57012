//! A connection as relay and peers see it, over QUIC or between two ends in one program.

use crate::close::{CloseCode, Closed};
use crate::engine::{self, Pieces};
use crate::life;
use crate::memory;
use crate::socket::canonical;
use crate::stream::{RecvStream, SendStream};
use bytes::Bytes;
use lanparty_ctrl::{ChannelBinding, Fingerprint, Pin};
use lanparty_flow::queue::{Person, WaitWindow};
use lanparty_obs::link::QueueStats;
use lanparty_obs::{DropReason, LinkStats, Packets};
use lanparty_proto::flow::Flow;
use lanparty_proto::{DatagramBudget, Header, MacAddr, fragment};
use noq_proto::{Dir, SendDatagramError, StreamId};
use smallvec::smallvec;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// A connection whose handshake is complete. Clones share it.
#[derive(Debug, Clone)]
pub struct Connection(pub(crate) Kind);

/// What it goes over.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Quic(engine::Connection),
    /// The other end is in this program.
    Memory(memory::Connection),
}

impl From<engine::Connection> for Connection {
    fn from(connection: engine::Connection) -> Self {
        Connection(Kind::Quic(connection))
    }
}

impl From<memory::Connection> for Connection {
    fn from(connection: memory::Connection) -> Self {
        Connection(Kind::Memory(connection))
    }
}

#[cfg(test)]
impl Connection {
    /// The engine's own.
    pub(crate) fn quic(self) -> engine::Connection {
        match self.0 {
            Kind::Quic(quic) => quic,
            Kind::Memory(_) => panic!("a test of the engine has connections of the engine"),
        }
    }
}

impl Connection {
    /// Where tasks run best that serve it, if anywhere in particular.
    pub fn home(&self) -> Option<Handle> {
        match &self.0 {
            Kind::Quic(quic) => Some(quic.home().clone()),
            Kind::Memory(_) => None,
        }
    }

    /// Whether it goes over a stream and not over UDP: see [`Endpoint::carry`](crate::Endpoint::carry).
    pub fn is_carried(&self) -> bool {
        match &self.0 {
            Kind::Quic(quic) => quic.is_carried(),
            Kind::Memory(_) => false,
        }
    }

    /// What is only there where there is a path.
    pub(crate) fn as_quic(&self) -> Option<&engine::Connection> {
        match &self.0 {
            Kind::Quic(quic) => Some(quic),
            Kind::Memory(_) => None,
        }
    }

    /// Whether both go by one socket of this machine.
    pub fn is_beside(&self, other: &Connection) -> bool {
        match (self.as_quic(), other.as_quic()) {
            (Some(this), Some(other)) => this.is_beside(other),
            _ => false,
        }
    }

    /// Whether there may be something to be read, or to be heard of the end; asking costs nothing.
    pub fn has_unread(&self) -> bool {
        self.as_quic().is_none_or(engine::Connection::has_unread)
    }

    /// How often the other side has acknowledged something, which it does of what has come a moment ago.
    pub fn acknowledged(&self) -> u64 {
        let stats = |quic: &engine::Connection| quic.look(noq_proto::Connection::stats);
        let stats = self.as_quic().and_then(|quic| stats(quic).ok());
        stats.map_or(0, |stats| stats.frame_rx.acks)
    }

    /// The largest datagram that fits now; between two ends in one program, what an ordinary path takes.
    pub fn budget(&self) -> DatagramBudget {
        let Kind::Quic(quic) = &self.0 else {
            return memory::BUDGET;
        };
        DatagramBudget::clamped(quic.longest_datagram())
    }

    /// The smoothed round trip; zero where there is no path.
    pub fn rtt(&self) -> Option<Duration> {
        match &self.0 {
            Kind::Quic(quic) => quic.rtt(),
            Kind::Memory(_) => Some(Duration::ZERO),
        }
    }

    /// Where the other side is seen at the moment: it moves with the other side's network. Nowhere once the link is down,
    /// or where there is no path. Over a stream, who is at that one's other end.
    pub fn remote_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Quic(quic) => {
                let path = quic.path()?;
                Some(quic.carried_peer().unwrap_or(canonical(path.remote())))
            }
            Kind::Memory(_) => None,
        }
    }

    /// At which address of this machine it comes in, where the system tells.
    pub fn local_ip(&self) -> Option<IpAddr> {
        match &self.0 {
            Kind::Quic(quic) => Some(quic.path()?.local_ip()?.to_canonical()),
            Kind::Memory(_) => None,
        }
    }

    /// How many packets of a thousand got lost on the way to the other side.
    pub fn loss_permille(&self) -> Option<u16> {
        let Packets { sent, lost } = self.packets()?;
        let permille = (1000 * lost).checked_div(sent)?;
        u16::try_from(permille).ok()
    }

    /// What became of our packets since the link stands; where there is no path there are none.
    pub fn packets(&self) -> Option<Packets> {
        match &self.0 {
            Kind::Quic(quic) => quic.packets(),
            Kind::Memory(_) => Some(Packets::default()),
        }
    }

    /// Counts what the other side has said, in QUIC's frames. Nobody else moves it: packets that do not authenticate
    /// and those that come a second time are not read. An end in this program is heard whenever this is asked.
    pub fn heard(&self) -> u64 {
        match &self.0 {
            Kind::Quic(quic) => {
                let stats = quic.look(noq_proto::Connection::stats);
                stats.map_or(0, |stats| life::signs(&stats.frame_rx))
            }
            Kind::Memory(memory) => memory.heard(),
        }
    }

    /// Waits for datagrams and moves up to `room.len()` of them there, oldest first.
    ///
    /// # Errors
    /// [`Closed`] once there is no connection and nothing left to read.
    pub async fn read_datagrams(&self, room: &mut [Bytes]) -> Result<usize, Closed> {
        match &self.0 {
            Kind::Quic(quic) => Ok(quic.read_datagrams(room).await?),
            Kind::Memory(memory) => memory.read_datagrams(room).await,
        }
    }

    /// Moves up to `room.len()` datagrams there that have come, oldest first, and waits for none.
    ///
    /// # Errors
    /// [`Closed`] once there is no connection.
    pub fn try_read_datagrams(&self, room: &mut [Bytes]) -> Result<usize, Closed> {
        match &self.0 {
            Kind::Quic(quic) => Ok(quic.try_read_datagrams(room)?),
            Kind::Memory(memory) => memory.try_read_datagrams(room),
        }
    }

    /// From now on `handler` is called for datagrams that come, some dozens at a time, by whoever moves the endpoint's
    /// packets, or by whoever sends them in this program; what it sends leaves in the same turn. Nobody reads them in another
    /// way then. It ends with the connection.
    pub fn hand_datagrams_to(&self, handler: impl FnMut(Instant, &mut [Bytes]) + Send + 'static) {
        match &self.0 {
            Kind::Quic(quic) => quic.hand_datagrams_to(Box::new(handler)),
            Kind::Memory(memory) => memory.hand_datagrams_to(Box::new(handler)),
        }
    }

    /// Queues the datagram of a frame that came at `now` whole, or cut into fragments when it exceeds the budget of this
    /// moment or `cap`. Answers how many datagrams that makes. Waits for nothing: when the queue is
    /// full, its longest flow loses frames, and [`Self::queue_stats`] tells how many.
    ///
    /// # Errors
    /// `Runt` when there is no frame in it; `LinkDown` when there is no connection.
    pub fn send_frame(
        &self,
        now: Instant,
        datagram: Bytes,
        frame_id: impl FnOnce() -> u16,
        cap: Option<DatagramBudget>,
    ) -> Result<usize, DropReason> {
        let (person, flow) = sender(&datagram).ok_or(DropReason::Runt)?;
        let pieces: Pieces = match self.longest_piece(datagram.len(), cap) {
            Some(budget) if datagram.len() > budget.bytes() => {
                cut(&datagram, frame_id(), budget).collect()
            }
            _ => smallvec![datagram],
        };
        let count = pieces.len();
        let sent = match &self.0 {
            Kind::Quic(quic) => {
                let sent = quic.send_frame(now, person, flow, pieces);
                sent.map_err(|_| DropReason::LinkDown)
            }
            Kind::Memory(memory) => memory.send_frame(now, person, flow, pieces),
        };
        sent.map(|()| count)
    }

    /// How long a piece may be of a datagram with so many bytes, of which somebody wants none longer than `cap`. Memory
    /// takes any frame whole, unless somebody wants less than an ordinary path takes.
    fn longest_piece(&self, len: usize, cap: Option<DatagramBudget>) -> Option<DatagramBudget> {
        // So much every path takes and everybody wants; the connection is not asked about a game's frames.
        if len <= DatagramBudget::MIN.bytes() {
            return None;
        }
        let budget = self.budget();
        match &self.0 {
            Kind::Quic(_) => Some(cap.map_or(budget, |cap| cap.min(budget))),
            Kind::Memory(_) => cap.filter(|&cap| cap < budget),
        }
    }

    /// How it is doing; waits are those since the oldest look in `window`. `None` when it is over.
    pub fn stats(&self, window: &mut WaitWindow) -> Option<LinkStats> {
        match &self.0 {
            Kind::Quic(quic) => quic.stats(window),
            Kind::Memory(memory) => memory.stats(window),
        }
    }

    /// What waits in this connection's queue, and what that has thrown away; when it is over, as that was at its
    /// end.
    pub fn queue_stats(&self) -> QueueStats {
        match &self.0 {
            Kind::Quic(quic) => quic.queue_stats(),
            Kind::Memory(memory) => memory.queue_stats(),
        }
    }

    /// Frames that died in this connection's queue; never waits for another loop.
    pub fn undelivered(&self) -> u64 {
        match &self.0 {
            Kind::Quic(quic) => quic.undelivered(),
            Kind::Memory(memory) => {
                let queue = memory.queue_stats();
                queue.without_room() + queue.late()
            }
        }
    }

    /// Sends a probe of the path as it is: never cut, because its length is the question.
    ///
    /// # Errors
    /// `QueueFull` when it does not fit or finds no room; `LinkDown` when there is no connection.
    pub fn send_probe(&self, probe: Bytes) -> Result<(), DropReason> {
        match &self.0 {
            Kind::Quic(quic) => quic.send_datagram(probe).map_err(drop_reason),
            Kind::Memory(memory) => memory.send_datagram(probe),
        }
    }

    /// What this connection has and no other: both ends get the same bytes, and nobody else can know them.
    pub fn channel_binding(&self) -> ChannelBinding {
        match &self.0 {
            Kind::Quic(quic) => ChannelBinding(quic.binding()),
            Kind::Memory(memory) => memory.binding(),
        }
    }

    /// Who the other side has proved to be in the handshake, if it wanted to be somebody; in one program its word is
    /// enough.
    pub fn identity(&self) -> Option<Fingerprint> {
        match &self.0 {
            Kind::Quic(quic) => quic.identity(),
            Kind::Memory(memory) => memory.identity(),
        }
    }

    /// The other side's key, as the handshake has shown it: to a peer that of its relay. None in one program.
    pub fn key(&self) -> Option<Pin> {
        let shown = self.as_quic()?.identity()?;
        Some(Pin::from_sha256(*shown.as_bytes()))
    }

    /// Opens the stream for the first exchange.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn open_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        match &self.0 {
            Kind::Quic(quic) => Ok(both_ends(quic, quic.open(Dir::Bi).await?)),
            Kind::Memory(memory) => Ok(either(memory.open_bi().await?)),
        }
    }

    /// Waits for the stream of the first exchange.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn accept_bi(&self) -> Result<(SendStream, RecvStream), Closed> {
        match &self.0 {
            Kind::Quic(quic) => Ok(both_ends(quic, quic.accept(Dir::Bi).await?)),
            // Who waits here has nothing else to do, so what waits is small: a relay's thousand peers wait so.
            Kind::Memory(memory) => Ok(either(Box::pin(memory.accept_bi()).await?)),
        }
    }

    /// Opens a stream for one message.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn open_uni(&self) -> Result<SendStream, Closed> {
        match &self.0 {
            Kind::Quic(quic) => {
                let id = quic.open(Dir::Uni).await?;
                Ok(engine::SendStream::new(quic, id).into())
            }
            Kind::Memory(memory) => Ok(memory.open_uni().await?.into()),
        }
    }

    /// Waits for a stream with one message.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn accept_uni(&self) -> Result<RecvStream, Closed> {
        match &self.0 {
            Kind::Quic(quic) => {
                let id = quic.accept(Dir::Uni).await?;
                Ok(engine::RecvStream::new(quic, id).into())
            }
            Kind::Memory(memory) => Ok(Box::pin(memory.accept_uni()).await?.into()),
        }
    }

    /// Closes it; what was not sent yet is lost.
    pub fn close(&self, code: CloseCode) {
        match &self.0 {
            Kind::Quic(quic) => quic.close(code.number(), code.text()),
            Kind::Memory(memory) => memory.close(code),
        }
    }

    /// Waits until it is closed, by whomever.
    pub async fn closed(&self) -> Closed {
        match &self.0 {
            Kind::Quic(quic) => quic.closed().await.into(),
            Kind::Memory(memory) => memory.closed().await,
        }
    }
}

fn both_ends(quic: &engine::Connection, id: StreamId) -> (SendStream, RecvStream) {
    either((
        engine::SendStream::new(quic, id),
        engine::RecvStream::new(quic, id),
    ))
}

fn either<S: Into<SendStream>, R: Into<RecvStream>>(
    (send, receive): (S, R),
) -> (SendStream, RecvStream) {
    (send.into(), receive.into())
}

/// Who sends this, and in which conversation; `None` for less than a frame.
fn sender(datagram: &[u8]) -> Option<(Person, Flow)> {
    let (header, frame) = Header::decode(datagram).ok()?;
    let flow = Flow::of(frame)?;
    let mac = *frame.get(6..)?.first_chunk()?;
    let person = Person::Machine {
        peer: header.peer,
        mac: MacAddr::new(mac),
    };
    Some((person, flow))
}

fn cut(datagram: &[u8], frame_id: u16, budget: DatagramBudget) -> impl Iterator<Item = Bytes> {
    let (header, frame) = Header::decode(datagram).expect("a datagram of our own making");
    fragment::cut(header, frame_id, frame, budget)
}

fn drop_reason(error: SendDatagramError) -> DropReason {
    match error {
        // The budget shrank between the check and the send; the next frame is cut to it.
        SendDatagramError::TooLarge | SendDatagramError::Blocked(_) => DropReason::QueueFull,
        SendDatagramError::UnsupportedByPeer | SendDatagramError::Disabled => DropReason::LinkDown,
    }
}
