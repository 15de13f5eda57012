//! A wire that misbehaves on request: delay, jitter, loss, duplicates, disorder, a narrow path, a slow link.
//!
//! Kernels without `netem` have no other way, and this one replays: the seed decides. It is a machine of its own with
//! a cable on either side and a thread that carries frames across by AF_PACKET.

use std::io::{self, PipeReader, PipeWriter};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::setpriority_process;
use str0m_netem::{Bitrate, DataSize, Input, Netem, NetemConfig, Output, Probability, RandomLoss};

use crate::{Lab, Machine, RawSocket};

const ETHERNET_HEADER: usize = 14;
/// Longest frame without offloads: header, a VLAN tag, 1500 bytes.
const LONGEST_FRAME: usize = ETHERNET_HEADER + 4 + 1500;
/// Above the programs', which may have raised theirs.
const PRIORITY: i32 = -15;
/// Frames taken from one side before the other has its turn.
const BURST: usize = 64;

/// How a wire treats packets, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WireConditions {
    /// IP packets longer than this vanish without a word, as behind many a tunnel.
    pub mtu: usize,
    /// Time one packet takes.
    pub delay: Duration,
    /// The delay varies by up to this much, which also disorders packets.
    pub jitter: Duration,
    /// Part of the packets that get lost, 0 to 1.
    pub loss: f32,
    /// Part of the packets that arrive twice, 0 to 1.
    pub duplicate: f32,
    /// Every so-manieth packet overtakes the one before.
    pub overtake_every: Option<u32>,
    /// Bits per second, and bytes of queue in front; what does not fit is dropped.
    pub rate: Option<(u64, usize)>,
    /// Decides every draw.
    pub seed: u64,
}

impl Default for WireConditions {
    fn default() -> Self {
        Self {
            mtu: 1500,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            overtake_every: None,
            rate: None,
            seed: 1,
        }
    }
}

impl WireConditions {
    fn netem(&self, direction: u64) -> NetemConfig {
        let mut config = NetemConfig::new()
            .latency(self.delay)
            .jitter(self.jitter)
            .loss(RandomLoss::new(Probability::new(self.loss)))
            .duplicate(Probability::new(self.duplicate))
            .seed(self.seed.wrapping_mul(2).wrapping_add(direction));
        if let Some(gap) = self.overtake_every {
            config = config.reorder_gap(gap);
        }
        if let Some((rate, queue)) = self.rate {
            config = config.link(Bitrate::from(rate), DataSize::from(queue));
        }
        config
    }

    fn fits(&self, frame: &[u8]) -> bool {
        frame.len() <= self.mtu + ETHERNET_HEADER
            || !matches!(frame[12..14], [0x08, 0x00] | [0x86, 0xdd])
    }
}

/// A misbehaving wire between two machines; cut when dropped.
#[derive(Debug)]
pub struct Wire {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<io::Result<()>>>,
    alive: Option<PipeWriter>,
}

#[derive(Debug, Default)]
struct Shared {
    conditions: Mutex<WireConditions>,
    changed: AtomicBool,
    carried: AtomicU64,
    too_long: AtomicU64,
}

impl Wire {
    /// Lays the wire between two new interfaces, through a machine called `name`.
    pub fn lay(
        lab: &Lab,
        name: &str,
        left: (&Machine, &str),
        right: (&Machine, &str),
        conditions: WireConditions,
    ) -> Result<Self> {
        let middle = lab.machine(name)?;
        middle.sysctl("net/ipv6/conf/default/disable_ipv6", "1")?; // a wire has nothing to say itself
        for (side, (machine, interface)) in [("left", left), ("right", right)] {
            lab.cable((machine, interface), (&middle, side))?;
            machine.without_offloads(interface)?;
            middle.without_offloads(side)?;
            middle.ip(&format!("link set {side} promisc on"))?;
        }
        let sockets = middle.enter(|| Ok([RawSocket::open("left")?, RawSocket::open("right")?]))?;
        let (ended, alive) = io::pipe().context("make a pipe")?;
        let shared = Arc::new(Shared {
            conditions: Mutex::new(conditions),
            ..Shared::default()
        });
        let carrier = Carrier::new(sockets, ended, Arc::clone(&shared))?;
        Ok(Self {
            shared,
            thread: Some(thread::spawn(|| carrier.run())),
            alive: Some(alive),
        })
    }

    /// Treats packets in another way from now on.
    pub fn set(&self, conditions: WireConditions) {
        *self
            .shared
            .conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = conditions;
        self.shared.changed.store(true, Ordering::Release);
    }

    /// Frames that came in and were not too long.
    pub fn carried(&self) -> u64 {
        self.shared.carried.load(Ordering::Relaxed)
    }

    /// Packets that were longer than the path MTU.
    pub fn too_long(&self) -> u64 {
        self.shared.too_long.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(Ok(Err(error))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("warning: a wire broke: {error}");
        }
    }
}

/// The thread's state: what goes in at side `n` waits in `lanes[n]` and leaves at the other side.
struct Carrier {
    sockets: [RawSocket; 2],
    lanes: [Netem<Vec<u8>>; 2],
    conditions: WireConditions,
    ended: PipeReader,
    shared: Arc<Shared>,
}

impl Carrier {
    fn new(sockets: [RawSocket; 2], ended: PipeReader, shared: Arc<Shared>) -> Result<Self> {
        for socket in &sockets {
            socket
                .set_nonblocking()
                .context("prepare the wire's sockets")?;
        }
        let conditions = *shared
            .conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lanes = [0, 1].map(|direction| Netem::new(conditions.netem(direction)));
        Ok(Self {
            sockets,
            lanes,
            conditions,
            ended,
            shared,
        })
    }

    fn run(mut self) -> io::Result<()> {
        // A wire waits for nobody's processor. Whoever may not do that has a slower one.
        let _ = setpriority_process(None, PRIORITY);
        while !self.wait()? {
            self.follow_conditions();
            for side in [0, 1] {
                self.take_in(side)?;
            }
            for side in [0, 1] {
                self.let_out(side)?;
            }
        }
        Ok(())
    }

    /// Waits for a frame or for the next one's time; says whether the wire was cut.
    fn wait(&self) -> io::Result<bool> {
        let next = self.lanes[0]
            .poll_timeout()
            .min(self.lanes[1].poll_timeout());
        let wait = next
            .saturating_duration_since(Instant::now())
            .min(Duration::from_millis(100));
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let mut interests = [
            PollFd::new(&self.ended, PollFlags::empty()), // hang-up is always reported
            PollFd::new(&self.sockets[0], PollFlags::IN),
            PollFd::new(&self.sockets[1], PollFlags::IN),
        ];
        match poll(&mut interests, Some(&wait)) {
            Ok(_) => Ok(!interests[0].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn follow_conditions(&mut self) {
        if self.shared.changed.swap(false, Ordering::Acquire) {
            self.conditions = *self
                .shared
                .conditions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for (direction, lane) in (0..).zip(&mut self.lanes) {
                lane.set_config(self.conditions.netem(direction));
            }
        }
    }

    fn take_in(&mut self, side: usize) -> io::Result<()> {
        let mut buffer = [0; LONGEST_FRAME];
        for _ in 0..BURST {
            let length = match self.sockets[side].receive(&mut buffer) {
                Ok(length) => length,
                Err(error) if is_momentary(&error) => break,
                Err(error) => return Err(error),
            };
            let frame = &buffer[..length];
            if !self.conditions.fits(frame) {
                self.shared.too_long.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.shared.carried.fetch_add(1, Ordering::Relaxed);
            self.lanes[side].handle_input(Input::Packet(Instant::now(), frame.to_vec()));
        }
        Ok(())
    }

    fn let_out(&mut self, side: usize) -> io::Result<()> {
        self.lanes[side].handle_input(Input::Timeout(Instant::now()));
        while let Some(output) = self.lanes[side].poll_output() {
            let Output::Packet(frame) = output else {
                continue;
            };
            match self.sockets[1 - side].send(&frame) {
                Err(error) if !is_momentary(&error) => return Err(error),
                _sent_or_full => {}
            }
        }
        Ok(())
    }
}

/// Nothing to read, no room to write, or an interface that is down for now.
fn is_momentary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::NetworkDown
    ) || error.raw_os_error() == Some(libc::ENOBUFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ip_packets_can_be_too_long() {
        let narrow = WireConditions {
            mtu: 1280,
            ..WireConditions::default()
        };
        let frame = |length, ethertype: [u8; 2]| {
            let mut frame = vec![0; length];
            frame[12..14].copy_from_slice(&ethertype);
            frame
        };
        assert!(narrow.fits(&frame(1294, [0x08, 0x00])));
        assert!(!narrow.fits(&frame(1295, [0x08, 0x00])));
        assert!(!narrow.fits(&frame(1295, [0x86, 0xdd])));
        assert!(narrow.fits(&frame(1295, [0x81, 0x37])));
    }
}
