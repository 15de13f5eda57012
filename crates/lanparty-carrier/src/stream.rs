//! Packets over a WebSocket.

use crate::MAX_MESSAGE;
use crate::lateness::{Lateness, Stamps};
use bytes::Bytes;
use futures_util::{Sink, Stream, ready};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::{Error, Message};

/// As much as this waits here for a write, and goes out as one: a train of packets is one record of TLS. Nothing more is taken
/// until it has gone, so that what cannot leave waits in the link's queue.
const TRAIN: usize = 16 * 1024;
/// How many bytes are read before other tasks have their turn, whatever is in them,
const AT_ONCE: usize = 64 * 1024;
/// and how many messages may come one after the other that are no packets. A peer of ours says between two packets at most when they
/// were sent; a web server in front may ping now and then.
const MAX_CHATTER: u32 = 64;

/// The packets of a QUIC connection over TCP, both ways.
///
/// Items are packets; the stream ends when the other side has closed it. What is sent leaves with the next flush, packets that
/// were sent one after the other as one write. It is not ready while an earlier write has not left. Packets that come more than a
/// second late are lost.
pub struct CarrierStream {
    socket: WebSocketStream<Wire>,
    /// How many bytes were taken since everything was gone.
    unflushed: usize,
    /// How many messages have come since the last packet.
    chatter: u32,
    has_ended: bool,
    stamps: Stamps,
    lateness: Lateness,
}

impl fmt::Debug for CarrierStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unflushed = self.unflushed;
        write!(f, "CarrierStream({unflushed} bytes unflushed)")
    }
}

/// What WebSockets are told: none of their buffers grows beyond what a train needs.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(TRAIN)
        // Nothing is written before it is flushed,
        .write_buffer_size(TRAIN + 2 * MAX_MESSAGE)
        // and that is more than is ever taken.
        .max_write_buffer_size(TRAIN + 4 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

impl CarrierStream {
    pub(crate) fn new(socket: WebSocketStream<Wire>) -> Self {
        let now = Instant::now();
        CarrierStream {
            socket,
            unflushed: 0,
            chatter: 0,
            has_ended: false,
            stamps: Stamps::new(now),
            lateness: Lateness::new(now),
        }
    }

    /// As if it were there since then, and a first stamp had come.
    #[cfg(test)]
    pub(crate) fn since(mut self, then: Instant, stamp: &[u8]) -> Self {
        self.lateness = Lateness::new(then);
        self.lateness.handle_stamp(then, stamp);
        self
    }

    /// How many bytes wait here.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.unflushed
    }

    fn take(&mut self, message: Message) -> Option<io::Result<Bytes>> {
        match message {
            // No packet is empty.
            Message::Binary(packet) if packet.is_empty() => None,
            Message::Binary(packet) => {
                // Also if it is lost.
                self.chatter = 0;
                (!self.lateness.is_late(Instant::now())).then_some(Ok(packet))
            }
            Message::Pong(stamp) => {
                self.lateness.handle_stamp(Instant::now(), &stamp);
                None
            }
            // A ping is answered below.
            Message::Ping(_) | Message::Frame(_) => None,
            Message::Text(_) => Some(Err(invalid("text came where packets were expected"))),
            Message::Close(_) => {
                self.has_ended = true;
                None
            }
        }
    }
}

impl Stream for CarrierStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.socket.get_mut().left = AT_ONCE;
        while !self.has_ended {
            let item = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(message)) => self.take(message),
                Some(Err(error)) => Some(Err(into_io(error))),
                None => break,
            };
            self.chatter = match item {
                Some(_) => 0,
                None => self.chatter + 1,
            };
            let is_noise = self.chatter > MAX_CHATTER;
            let item = item.or_else(|| is_noise.then(|| Err(invalid("it sends no packets"))));
            if let Some(item) = item {
                self.has_ended |= item.is_err();
                return Poll::Ready(Some(item));
            }
        }
        self.has_ended = true;
        Poll::Ready(None)
    }
}

impl Sink<Bytes> for CarrierStream {
    type Error = io::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed >= TRAIN {
            ready!(self.as_mut().poll_flush(cx))?;
        }
        Pin::new(&mut self.socket).poll_ready(cx).map_err(into_io)
    }

    fn start_send(mut self: Pin<&mut Self>, packet: Bytes) -> io::Result<()> {
        if packet.len() > MAX_MESSAGE {
            return Err(invalid("the packet is longer than any"));
        }
        // A pong that nobody asked for: who does not know it does not mind it (RFC 6455 §5.5.3).
        if let Some(stamp) = self.stamps.before_packet(Instant::now()) {
            let stamp = Message::Frame(Frame::pong(stamp));
            Pin::new(&mut self.socket)
                .start_send(stamp)
                .map_err(into_io)?;
        }
        self.unflushed += packet.len();
        Pin::new(&mut self.socket)
            .start_send(Message::Binary(packet))
            .map_err(into_io)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        self.unflushed = 0;
        Poll::Ready(flushed.map_err(into_io))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(into_io)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// What a WebSocket runs over.
#[derive(Debug)]
pub(crate) struct Wire {
    tcp: Tcp,
    /// How many bytes may be read before others have their turn.
    left: usize,
}

#[derive(Debug)]
enum Tcp {
    /// Somebody in front has taken the TLS off.
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(crate) fn plain(tcp: TcpStream) -> Self {
        Wire::new(Tcp::Plain(tcp))
    }

    pub(crate) fn tls(stream: impl Into<TlsStream<TcpStream>>) -> Self {
        let mut stream = stream.into();
        // What TLS has sealed waits where nothing overtakes it.
        let limit = Some(TRAIN);
        match &mut stream {
            TlsStream::Client(client) => client.get_mut().1.set_buffer_limit(limit),
            TlsStream::Server(server) => server.get_mut().1.set_buffer_limit(limit),
        }
        Wire::new(Tcp::Tls(Box::new(stream)))
    }

    /// What is read before there are packets has limits of its own.
    fn new(tcp: Tcp) -> Self {
        let left = usize::MAX;
        Wire { tcp, left }
    }

    /// True without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.tcp, Tcp::Plain(_))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Wire { tcp, left } = self.get_mut();
        if *left == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = match tcp {
            Tcp::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Tcp::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        };
        *left = left.saturating_sub(buffer.filled().len() - before);
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().tcp {
            Tcp::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Tcp::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().tcp {
            Tcp::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Tcp::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().tcp {
            Tcp::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Tcp::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
