//! UDP packets at a steady rate, counted at both ends.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use rustix::process::setpriority_process;

use crate::{Machine, pass};

/// What the receiver's system may hold while the receiver waits for a processor.
const BUFFER: usize = 16 << 20;
/// How often the sender looks at the clock; it sends what has become due meanwhile.
const TURN: Duration = Duration::from_micros(500);
/// Whatever has not come this long after the last one is lost.
const SILENCE: Duration = Duration::from_millis(250);

/// What became of a flood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flood {
    /// Packets that left, which are fewer than were asked for where the sender gets no processor.
    pub sent: u64,
    /// Packets that came.
    pub received: u64,
    /// How long it took to send them.
    pub took: Duration,
}

impl Flood {
    /// Part of the packets that got lost, 0 to 1.
    pub fn lost(&self) -> f64 {
        1.0 - self.received as f64 / self.sent.max(1) as f64
    }

    /// Packets sent a second.
    pub fn per_second(&self) -> f64 {
        self.sent as f64 / self.took.as_secs_f64()
    }
}

/// Sends packets of `payload` bytes from one machine to `address` of another.
pub fn flood(
    from: &Machine,
    to: &Machine,
    address: IpAddr,
    payload: usize,
    per_second: f64,
    time: Duration,
) -> Result<Flood> {
    let receiver = to.enter(|| {
        let socket = UdpSocket::bind((address, 0))?;
        set_socket_recv_buffer_size_force(&socket, BUFFER)?;
        socket.set_read_timeout(Some(time + SILENCE))?;
        Ok(socket)
    })?;
    let target = receiver.local_addr()?;
    let sender = from.enter(|| {
        let unspecified = match address {
            IpAddr::V4(_) => "0.0.0.0:0",
            IpAddr::V6(_) => "[::]:0",
        };
        let socket = UdpSocket::bind(unspecified)?;
        socket.connect(target)?;
        Ok(socket)
    })?;
    thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            as_on_a_machine_of_its_own();
            receive(&receiver)
        });
        let sending = scope.spawn(|| {
            as_on_a_machine_of_its_own();
            let begin = Instant::now();
            let sent = send(&sender, &vec![0; payload], per_second, time)?;
            let took = begin.elapsed();
            // From now on silence is the end; an empty packet lets the receiver know.
            receiver.set_read_timeout(Some(SILENCE))?;
            sender.send(&[])?;
            io::Result::Ok((sent, took))
        });
        let (Ok(sent), Ok(received)) = (sending.join(), receiving.join()) else {
            bail!("an end of the flood panicked")
        };
        let (sent, took) = sent?;
        let received = received?;
        Ok(Flood {
            sent,
            received,
            took,
        })
    })
}

/// The two ends wait for a processor no longer than the programs between them, which may have raised their priority
/// to this; otherwise the machine would measure how it shares its processors.
fn as_on_a_machine_of_its_own() {
    // Whoever may not do that measures what there is.
    let _ = setpriority_process(None, -10);
}

fn send(socket: &UdpSocket, packet: &[u8], per_second: f64, time: Duration) -> io::Result<u64> {
    let begin = Instant::now();
    let mut sent = 0;
    loop {
        let elapsed = begin.elapsed();
        if elapsed >= time {
            return Ok(sent);
        }
        let due = (elapsed.as_secs_f64() * per_second) as u64;
        // A look at the clock now and then, so that a sender who is late ends in time.
        let left = due.saturating_sub(sent).min(1000);
        for _ in 0..left {
            match socket.send(packet) {
                Ok(_) => sent += 1,
                // The way's own queue is full: as good as lost, and nobody's packet.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        pass(TURN);
    }
}

/// Counts until nothing comes any more.
fn receive(socket: &UdpSocket) -> io::Result<u64> {
    let (mut packet, mut received) = ([0; 2048], 0);
    loop {
        match socket.recv(&mut packet) {
            Ok(0) => {}
            Ok(_) => received += 1,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(received);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
