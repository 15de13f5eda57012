//! Frames from many ports, as fast as a machine can send them or at a steady rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::setpriority_process;

use crate::traffic::End;
use crate::{RawSocket, pass};

/// Frames that one call sends.
const AT_ONCE: usize = 64;
/// UDP's port 9, which throws away what it gets.
const DISCARD: u16 = 9;
/// Above the programs', which may have raised theirs.
const PRIORITY: i32 = -15;
/// Ethernet's, without its checksum.
const SHORTEST: usize = 60;
const LONGEST: usize = 1514;
const FIRST_PORT: u16 = 1024;
/// How often a steady storm looks at the clock; it sends what has become due meanwhile.
const TURN: Duration = Duration::from_micros(500);
/// What a steady storm that got no processor makes up for at once.
const MOST_LATE: u64 = 1000;

/// What a storm is made of: UDP packets, each from the next one of its ports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StormPlan {
    /// So many source ports, and flows.
    pub ports: u16,
    /// Bytes of a frame, 60 to 1514, its Ethernet header included.
    pub length: usize,
    /// Frames a second, or as many as the machine can send.
    pub per_second: Option<f64>,
}

impl Default for StormPlan {
    /// The shortest frames from 1000 ports, as fast as it goes.
    fn default() -> Self {
        Self {
            ports: 1000,
            length: SHORTEST,
            per_second: None,
        }
    }
}

impl StormPlan {
    /// As many frames a second of this length as make so many bits.
    pub fn at_rate(self, bits_per_second: f64) -> Self {
        Self {
            per_second: Some(bits_per_second / 8.0 / self.length as f64),
            ..self
        }
    }
}

/// A storm; it ends when this is dropped.
#[derive(Debug)]
pub struct Storm {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    offered: AtomicU64,
    taken: AtomicU64,
}

impl Storm {
    /// Begins to send the shortest frames from this interface to the station with this MAC, from so many ports in turn, as
    /// fast as it goes.
    pub fn begin(from: End<'_>, source: [u8; 6], to: [u8; 6], ports: u16) -> Result<Self> {
        let plan = StormPlan {
            ports,
            ..StormPlan::default()
        };
        Self::of(plan, from, source, to)
    }

    /// The same for frames of any kind.
    pub fn of(plan: StormPlan, from: End<'_>, source: [u8; 6], to: [u8; 6]) -> Result<Self> {
        ensure!(plan.ports > 0, "a storm needs a port");
        ensure!(
            (SHORTEST..=LONGEST).contains(&plan.length),
            "a frame has no {} bytes",
            plan.length
        );
        let socket = from.0.enter(|| {
            let socket = RawSocket::open(from.1)?;
            socket.pass_the_queue()?;
            Ok(socket)
        })?;
        let frames = (0..plan.ports).map(|port| packet(to, source, FIRST_PORT + port, plan.length));
        let blower = Blower {
            socket,
            frames: frames.collect(),
            next: 0,
            shared: Arc::default(),
        };
        let shared = blower.shared.clone();
        let thread = thread::spawn(move || blower.run(plan.per_second));
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Frames so far, those that found no room included.
    pub fn offered(&self) -> u64 {
        self.shared.offered.load(Ordering::Relaxed)
    }

    /// Those of them that found room in the interface.
    pub fn taken(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The thread's state.
struct Blower {
    socket: RawSocket,
    /// One for each port.
    frames: Vec<Vec<u8>>,
    next: usize,
    shared: Arc<Shared>,
}

impl Blower {
    fn run(mut self, per_second: Option<f64>) {
        // A machine of its own waits for nobody's processor. Whoever may not do that is a slower one.
        let _ = setpriority_process(None, PRIORITY);
        let begin = Instant::now();
        let mut sent = 0;
        while !self.shared.ended.load(Ordering::Relaxed) {
            let Some(per_second) = per_second else {
                self.send(AT_ONCE);
                continue;
            };
            let due = (begin.elapsed().as_secs_f64() * per_second) as u64;
            // What it could not send in time is no burst later.
            sent = sent.max(due.saturating_sub(MOST_LATE));
            while sent < due {
                sent += self.send((due - sent) as usize);
            }
            pass(TURN);
        }
    }

    /// Sends so many frames, or fewer; answers how many.
    fn send(&mut self, most: usize) -> u64 {
        let left = &self.frames[self.next..];
        let frames = &left[..left.len().min(most).min(AT_ONCE)];
        // What finds no room is lost, as in every storm.
        let taken = self.socket.pour(frames).unwrap_or(0) as u64;
        let offered = frames.len();
        self.next = (self.next + offered) % self.frames.len();
        let offered = offered as u64;
        self.shared.offered.fetch_add(offered, Ordering::Relaxed);
        self.shared.taken.fetch_add(taken, Ordering::Relaxed);
        offered
    }
}

/// Ethernet, IPv4 from and to addresses that nobody has (RFC 5737), UDP without checksum, and zeroes.
fn packet(to: [u8; 6], source: [u8; 6], port: u16, length: usize) -> Vec<u8> {
    let mut frame = [&to[..], &source, &[0x08, 0x00]].concat();
    // Each of the two lengths counts its own header and all behind it.
    let ip_length = (length - 14) as u16;
    let udp_length = (length - 34) as u16;
    let (ttl, udp) = (64, 17);
    frame.extend([0x45, 0]);
    frame.extend(ip_length.to_be_bytes());
    frame.extend([0, 0, 0, 0, ttl, udp, 0, 0]);
    frame.extend([198, 51, 100, 1, 203, 0, 113, 1]);
    let header = &frame[14..34];
    let words = header
        .chunks(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend(DISCARD.to_be_bytes());
    frame.extend(udp_length.to_be_bytes());
    frame.extend([0, 0]);
    frame.resize(length, 0);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_as_long_as_was_said_at_each_of_its_layers() {
        for length in [60, 300, 1514] {
            let frame = packet([2; 6], [4; 6], 2000, length);
            let number = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
            assert_eq!(
                (frame.len(), number(16), number(38)),
                (length, length - 14, length - 34)
            );
            let words = frame[14..34].chunks(2);
            let sum: u32 = words
                .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
                .sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        }
    }

    #[test]
    fn a_rate_in_bits_is_one_in_frames() {
        let plan = StormPlan {
            length: 300,
            ..StormPlan::default()
        };
        assert_eq!(plan.at_rate(40e6).per_second.map(f64::round), Some(16667.0));
    }
}
