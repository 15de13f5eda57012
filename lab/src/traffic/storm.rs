//! Frames as fast as a machine can send them, from many ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use rustix::process::setpriority_process;

use crate::RawSocket;
use crate::traffic::End;

/// Frames that one call sends.
const AT_ONCE: usize = 64;
/// UDP's port 9, which throws away what it gets.
const DISCARD: u16 = 9;
/// Above the programs', which may have raised theirs.
const PRIORITY: i32 = -15;
const FIRST_PORT: u16 = 1024;

/// A storm of the shortest UDP packets; it ends when this is dropped.
#[derive(Debug)]
pub struct Storm {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ended: AtomicBool,
    offered: AtomicU64,
}

impl Storm {
    /// Begins to send from this interface to the station with this MAC, from so many ports in turn.
    pub fn begin(from: End<'_>, source: [u8; 6], to: [u8; 6], ports: u16) -> Result<Self> {
        let socket = from.0.enter(|| {
            let socket = RawSocket::open(from.1)?;
            socket.pass_the_queue()?;
            Ok(socket)
        })?;
        let frames: Vec<_> = (0..ports)
            .map(|port| packet(to, source, FIRST_PORT + port))
            .collect();
        let shared = Arc::new(Shared::default());
        let storm = shared.clone();
        let thread = thread::spawn(move || {
            // A machine of its own waits for nobody's processor. Whoever may not do that is a slower one.
            let _ = setpriority_process(None, PRIORITY);
            while !storm.ended.load(Ordering::Relaxed) {
                for frames in frames.chunks(AT_ONCE) {
                    // What finds no room is lost, as in every storm.
                    let _ = socket.pour(frames);
                    let offered = frames.len() as u64;
                    storm.offered.fetch_add(offered, Ordering::Relaxed);
                }
            }
        });
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Frames so far, those that found no room included.
    pub fn offered(&self) -> u64 {
        self.shared.offered.load(Ordering::Relaxed)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// 60 bytes: Ethernet, IPv4 from and to addresses that nobody has (RFC 5737), UDP without checksum.
fn packet(to: [u8; 6], source: [u8; 6], port: u16) -> Vec<u8> {
    let mut frame = [&to[..], &source, &[0x08, 0x00]].concat();
    let (length, ttl, udp) = ([0, 46], 64, 17);
    frame.extend([0x45, 0, length[0], length[1], 0, 0, 0, 0, ttl, udp, 0, 0]);
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
    frame.extend([0, 26, 0, 0]);
    frame.resize(60, 0);
    frame
}
