//! What may be in front of a relay where UDP does not get through: its TCP port, and proxies that lead there.

use crate::{Middlebox, Relay};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
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
    pub async fn before(relay: &Relay) -> Self {
        Self::of(relay.address(), relay.tcp_address()).await
    }

    /// Neither.
    pub async fn nobodys() -> Self {
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let mut front = Self::of(nobody, nobody).await;
        front.udp.unplug();
        front.close_tcp().await;
        front
    }

    async fn of(relay: SocketAddr, relay_tcp: SocketAddr) -> Self {
        let (udp, listener) = loop {
            let udp = Middlebox::before(relay).await;
            // Somebody else may have this port.
            if let Ok(listener) = TcpListener::bind(udp.address()).await {
                break (udp, listener);
            }
        };
        let mut tcp = JoinSet::new();
        tcp.spawn(serve(listener, relay_tcp));
        Front { udp, tcp }
    }

    /// Both, and no UDP gets through.
    pub async fn without_udp(relay: &Relay) -> Self {
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
    let mut guests = JoinSet::new();
    loop {
        let (mut tcp, _) = listener.accept().await.unwrap();
        guests.spawn(async move {
            let mut there = TcpStream::connect(relay).await.unwrap();
            let _ = copy_bidirectional(&mut tcp, &mut there).await;
        });
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
