//! What may be in front of a relay where UDP does not get through: its TCP port, and proxies that lead there.

use crate::Middlebox;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use lanparty_carrier::{Accepted, CarrierStream, Limits, accept, server_config};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A relay's two ports, of which UDP goes through a [`Middlebox`]; it ends with the test.
#[derive(Debug)]
pub struct Front {
    /// The UDP port, and who may be unplugged there.
    pub udp: Middlebox,
    tcp: JoinSet<()>,
}

impl Front {
    /// Both, at one address.
    pub async fn before(relay: SocketAddr) -> Self {
        let (udp, listener) = loop {
            let udp = Middlebox::before(relay).await;
            // Somebody else may have this port.
            if let Ok(listener) = TcpListener::bind(udp.address()).await {
                break (udp, listener);
            }
        };
        let mut tcp = JoinSet::new();
        tcp.spawn(serve(listener, relay));
        Front { udp, tcp }
    }

    /// Both, and no UDP gets through.
    pub async fn without_udp(relay: SocketAddr) -> Self {
        let front = Self::before(relay).await;
        front.udp.unplug();
        front
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.udp.address()
    }

    /// From now on TCP is not there any more.
    pub async fn close_tcp(&mut self) {
        self.tcp.shutdown().await;
    }
}

async fn serve(listener: TcpListener, relay: SocketAddr) {
    let tls = tls();
    let mut guests = JoinSet::new();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let tls = tls.clone();
        guests.spawn(async move {
            if let Ok(Accepted { stream, .. }) = accept(tcp, tls, Limits::default()).await {
                unpack(stream, relay).await;
            }
        });
    }
}

fn tls() -> Arc<ServerConfig> {
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["nobody.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&pair).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    server_config(vec![certificate.into()], key).unwrap()
}

/// Hands packets on to the relay.
async fn unpack(mut stream: CarrierStream, relay: SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.connect(relay).await.unwrap();
    let mut room = [0; 2048];
    loop {
        tokio::select! {
            packet = stream.next() => match packet {
                Some(Ok(packet)) => drop(socket.send(&packet).await),
                Some(Err(_)) | None => return,
            },
            Ok(len) = socket.recv(&mut room) => {
                let packet = Bytes::copy_from_slice(&room[..len]);
                if stream.send(packet).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// An HTTP proxy that leads everybody to one place, whatever name they ask for; it ends with the test.
#[derive(Debug)]
pub struct WebProxy {
    address: SocketAddr,
    asked: watch::Receiver<Option<String>>,
    _proxy: JoinSet<()>,
}

impl WebProxy {
    /// One that leads there.
    pub async fn towards(place: SocketAddr) -> Self {
        Self::start(Some(place), String::new()).await
    }

    /// One that answers with this status.
    pub async fn refusing(status: &str) -> Self {
        Self::start(
            None,
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"),
        )
        .await
    }

    async fn start(place: Option<SocketAddr>, refusal: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = watch::channel(None);
        let mut proxy = JoinSet::new();
        proxy.spawn(async move {
            let mut guests = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let mut tcp = BufReader::new(tcp);
                let mut first = String::new();
                let mut line = String::new();
                while tcp.read_line(&mut line).await.is_ok_and(|len| len > 2) {
                    if first.is_empty() {
                        first.clone_from(&line);
                    }
                    line.clear();
                }
                let _ = tell.send(first.split(' ').nth(1).map(str::to_owned));
                let Some(place) = place else {
                    let _ = tcp.write_all(refusal.as_bytes()).await;
                    continue;
                };
                let mut there = TcpStream::connect(place).await.unwrap();
                let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                guests.spawn(async move {
                    let _ = copy_bidirectional(&mut tcp, &mut there).await;
                });
            }
        });
        WebProxy {
            address,
            asked,
            _proxy: proxy,
        }
    }

    /// How a person names it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was last asked for.
    pub fn asked(&self) -> Option<String> {
        self.asked.borrow().clone()
    }
}
