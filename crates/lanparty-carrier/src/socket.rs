//! What is set for a TCP connection that carries packets.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a connection may say nothing before the system asks whether the other side is there, and how often it asks then.
const SILENCE: Duration = Duration::from_secs(15);
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How much may wait in the system that is not on its way yet. What waits there can no longer be overtaken by a game's packet,
/// so it should wait in the link's queue, which lets them by.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;

/// Sets it up: nothing waits for more to come, little waits in the system, and a vanished machine is noticed.
pub(crate) fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let keepalive = TcpKeepalive::new()
        .with_time(SILENCE)
        .with_interval(ASK_AGAIN);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn little_waits_in_the_system_and_nothing_for_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        tune(&tcp).unwrap();
        let socket = SockRef::from(&tcp);
        assert!(tcp.nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
    }
}
