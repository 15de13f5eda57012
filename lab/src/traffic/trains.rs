//! Trains of UDP datagrams: one call sends them, and somebody on the way cuts them (`UDP_SEGMENT`).

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;

use crate::{Machine, pass};

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM` and `VIRTIO_NET_HDR_GSO_UDP_L4` of linux/virtio_net.h.
const NEEDS_CSUM: u8 = 1;
const GSO_UDP_L4: u8 = 5;
const UDP: u8 = 17;

/// Has a socket send what it is given at once in datagrams of `size` bytes and a rest; `0` ends that.
pub fn cut_by(socket: &UdpSocket, size: u16) -> io::Result<()> {
    Ok(setsockopt(socket, UdpGsoSegment, &size.into())?)
}

/// What became of trains that followed each other for a while.
#[derive(Clone, Copy, Debug)]
pub struct Trains {
    /// Datagrams that left.
    pub sent: u64,
    /// Datagrams that came.
    pub received: u64,
    /// How long it took to send them.
    pub took: Duration,
    /// Processor time of who sent, the kernel's part of the way included.
    pub sender: Duration,
    /// The same of who listened.
    pub listener: Duration,
}

/// What the receiver's system may hold while the receiver waits for a processor.
const BUFFER: usize = 16 << 20;
/// Whatever has not come this long after the last one is lost.
const SILENCE: Duration = Duration::from_millis(500);
/// As many datagrams as a train can have in 64 KiB.
const TRAIN: usize = 54;

impl Trains {
    /// How long each datagram is.
    pub const SIZE: u16 = 1200;

    /// Sends trains to `address` of another machine, so many bytes a second, or as many as the sender can.
    pub fn send(
        from: &Machine,
        to: &Machine,
        address: IpAddr,
        rate: Option<f64>,
        time: Duration,
    ) -> Result<Self> {
        let listener = to.enter(|| {
            let socket = UdpSocket::bind((address, 0))?;
            set_socket_recv_buffer_size_force(&socket, BUFFER)?;
            socket.set_read_timeout(Some(time + SILENCE))?;
            Ok(socket)
        })?;
        let target = listener.local_addr()?;
        let sender = from.enter(|| {
            let unspecified = match address {
                IpAddr::V4(_) => "0.0.0.0:0",
                IpAddr::V6(_) => "[::]:0",
            };
            let socket = UdpSocket::bind(unspecified)?;
            cut_by(&socket, Self::SIZE)?;
            socket.connect(target)?;
            Ok(socket)
        })?;
        thread::scope(|scope| {
            let listening = scope.spawn(|| count(&listener));
            let sending = scope.spawn(|| {
                let begin = Instant::now();
                let sent = pour(&sender, rate, time)?;
                let took = begin.elapsed();
                // From now on silence is the end, for a listener who hears something once more.
                listener.set_read_timeout(Some(SILENCE))?;
                cut_by(&sender, 0)?;
                sender.send(&[])?;
                io::Result::Ok((sent, took, processor_time()?))
            });
            let (Ok(sent), Ok(received)) = (sending.join(), listening.join()) else {
                bail!("an end of the trains panicked")
            };
            let (sent, took, sender) = sent?;
            let (received, listener) = received?;
            Ok(Self {
                sent,
                received,
                took,
                sender,
                listener,
            })
        })
        .context("trains of UDP")
    }
}

fn pour(socket: &UdpSocket, rate: Option<f64>, time: Duration) -> io::Result<u64> {
    let train = vec![0; TRAIN * usize::from(Trains::SIZE)];
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < time {
        let due = rate.map(|rate| Duration::from_secs_f64(sent as f64 * train.len() as f64 / rate));
        if let Some(early) = due.and_then(|due| due.checked_sub(begin.elapsed())) {
            pass(early);
        }
        match socket.send(&train) {
            Ok(_) => sent += 1,
            // The way's own queue is full.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent * TRAIN as u64)
}

fn count(socket: &UdpSocket) -> io::Result<(u64, Duration)> {
    let (mut received, mut buffer) = (0, [0; 2048]);
    loop {
        match socket.recv(&mut buffer) {
            Ok(0) => {}
            Ok(_) => received += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok((received, processor_time()?))
}

/// What this thread has used so far.
fn processor_time() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split_whitespace().next().map(str::parse);
    match nanos {
        Some(Ok(nanos)) => Ok(Duration::from_nanos(nanos)),
        _ => Err(io::Error::other("a kernel without schedstat")),
    }
}

/// From where to where datagrams go. Both addresses are of one family.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// From this hardware address.
    pub source: [u8; 6],
    /// To this hardware address.
    pub destination: [u8; 6],
    /// From this port.
    pub from: SocketAddr,
    /// To this port.
    pub to: SocketAddr,
}

/// A train as one frame, as a system hands it to a NIC that cuts it.
#[derive(Clone, Debug)]
pub struct Train {
    /// `struct virtio_net_hdr`
    pub header: [u8; 10],
    /// Everything else, the checksum not finished.
    pub frame: Vec<u8>,
}

impl Train {
    /// Datagrams of `size` bytes and a rest.
    pub fn new(ends: &Ends, size: u16, payload: &[u8]) -> Self {
        let udp_len = (8 + payload.len()) as u16;
        let (kind, ip, pseudo) = match (ends.from.ip(), ends.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let addresses = [from.octets(), to.octets()].concat();
                // A number that wraps within a train of three.
                let mut ip = vec![0x45, 0, 0, 0, 0xff, 0xfe, 0x40, 0, 64, UDP, 0, 0];
                ip[2..4].copy_from_slice(&(20 + udp_len).to_be_bytes());
                ip.extend(&addresses);
                let checksum = !sum(&ip);
                ip[10..12].copy_from_slice(&checksum.to_be_bytes());
                (0x0800_u16, ip, addresses)
            }
            (from, to) => {
                let octets = |address: IpAddr| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                };
                let addresses = [octets(from), octets(to)].concat();
                let mut ip = vec![0x60, 0, 0, 0];
                ip.extend(udp_len.to_be_bytes());
                ip.extend([UDP, 64]);
                ip.extend(&addresses);
                (0x86dd, ip, addresses)
            }
        };
        let pseudo = sum(&[&pseudo[..], &[0, UDP], &udp_len.to_be_bytes()].concat());
        let mut frame = [&ends.destination[..], &ends.source, &kind.to_be_bytes()].concat();
        frame.extend(ip);
        let start = frame.len() as u16;
        for field in [ends.from.port(), ends.to.port(), udp_len, pseudo] {
            frame.extend(field.to_be_bytes());
        }
        frame.extend(payload);
        let mut header = [0; 10];
        header[..2].copy_from_slice(&[NEEDS_CSUM, GSO_UDP_L4]);
        for (place, field) in [start + 8, size, start, 6].into_iter().enumerate() {
            header[2 + 2 * place..][..2].copy_from_slice(&field.to_ne_bytes());
        }
        Self { header, frame }
    }

    /// As a socket or an adapter with vnet headers takes it.
    pub fn bytes(&self) -> Vec<u8> {
        [&self.header[..], &self.frame].concat()
    }
}

/// The sum of an even number of bytes (RFC 1071).
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks_exact(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = words.sum::<u32>();
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum + (sum >> 16)) as u16
}
