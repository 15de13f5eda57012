//! Listeners and connections.

use crate::crowd::Number;
use crate::guard::Entrance;
use crate::patience::Patient;
use crate::place::Scheme;
use crate::routes::{Site, lock};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long somebody may take to say what is wanted, and a silent connection stays; a handshake may take as long.
const HEADERS: Duration = Duration::from_secs(15);
/// What of a connection waits in our memory, in bytes, beside the snapshot that all share; no request's head is longer.
const BUFFER: usize = 16 * 1024;
/// What of it waits in the kernel's: a snapshot of a full room, so that a stalled browser costs no more than that.
const SEND_BUFFER: usize = 128 * 1024;
const RECEIVE_BUFFER: usize = 32 * 1024;
/// How long a system that has no file descriptors left is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// A socket that listens there.
pub(crate) fn listen(at: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    socket.set_reuse_address(true)?; // for the connections of a gateway that has just ended
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(128)?;
    Ok(socket.into())
}

/// Answers at this listener until somebody stops it.
pub(crate) async fn serve(
    listener: StdListener,
    site: Arc<Site>,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut guests = JoinSet::new();
    let mut handles: HashMap<Number, AbortHandle> = HashMap::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, peer)) = accepted else {
                    sleep(PAUSE).await;
                    continue;
                };
                let (number, leaves) = lock(&site.crowd).admit(peer.ip());
                if let Some(handle) = leaves.and_then(|number| handles.remove(&number)) {
                    handle.abort();
                }
                let present = Present { site: site.clone(), number };
                let handle = guests.spawn(converse(present, stream, peer.ip(), tls.clone()));
                handles.insert(number, handle);
            }
            Some(gone) = guests.join_next() => {
                // One that was sent away has no handle any more.
                if let Ok(number) = gone {
                    handles.remove(&number);
                }
            }
        }
    }
}

/// A connection's place in the crowd, which it gives back however it ends.
struct Present {
    site: Arc<Site>,
    number: Number,
}

impl Drop for Present {
    fn drop(&mut self) {
        lock(&self.site.crowd).leave(self.number);
    }
}

async fn converse(
    present: Present,
    stream: TcpStream,
    from: IpAddr,
    tls: Option<TlsAcceptor>,
) -> Number {
    let outcome = match tls {
        None => answer(&present, stream, from, Scheme::Http).await,
        Some(tls) => secured(&present, stream, from, &tls).await,
    };
    if let Err(error) = outcome {
        tracing::trace!(%error, "A connection to the party page has ended");
    }
    present.number
}

async fn answer(
    present: &Present,
    stream: TcpStream,
    from: IpAddr,
    scheme: Scheme,
) -> io::Result<()> {
    let local = stream.local_addr()?;
    talk(present, stream, from, Entrance { local, scheme }).await
}

/// TLS, or a word to whoever speaks without.
async fn secured(
    present: &Present,
    stream: TcpStream,
    from: IpAddr,
    tls: &TlsAcceptor,
) -> io::Result<()> {
    /// The first byte of TLS' handshake records (RFC 8446, 5.1).
    const HANDSHAKE: u8 = 22;
    let local = stream.local_addr()?;
    let scheme = Scheme::Https;
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
            return redirect(stream, local).await.map(|()| None);
        }
        tls.accept(stream).await.map(Some)
    };
    match timeout(HEADERS, handshake).await?? {
        Some(stream) => talk(present, stream, from, Entrance { local, scheme }).await,
        None => Ok(()),
    }
}

/// Sends a browser that was given the address without `https://` there. It keeps what stands behind the `#`.
async fn redirect(mut stream: TcpStream, local: SocketAddr) -> io::Result<()> {
    let local = SocketAddr::new(local.ip().to_canonical(), local.port());
    let sentence = format!("The party page speaks TLS here: open https://{local}/\n");
    let head = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://{local}/\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        sentence.len()
    );
    let mut request = [0; 4096];
    // One that is longer is cut off, and so may be the answer.
    let _ = stream.read(&mut request).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(sentence.as_bytes()).await?;
    stream.shutdown().await
}

async fn talk(
    present: &Present,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    from: IpAddr,
    entrance: Entrance,
) -> io::Result<()> {
    let Present { site, number } = present;
    let service = service_fn(|request| async move {
        Ok::<_, Infallible>(site.answer(entrance, (from, *number), request).await)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream)), service)
        .await
        .map_err(io::Error::other)
}
