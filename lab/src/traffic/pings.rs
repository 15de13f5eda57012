//! Pings that go on for hours, and what they say about an outage.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{Machine, eventually};

const ECHO_REQUEST: u8 = 8;
/// ICMP's own header; our sequence number is behind it, because ICMP's wraps within twenty minutes.
const ICMP_HEADER: usize = 8;
const HEADERS: usize = ICMP_HEADER + size_of::<u64>();

/// A socket takes a timeout of less than a microsecond for none at all.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(1);

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A machine that pings another one at a steady pace until this is dropped.
#[derive(Debug)]
pub struct Pings {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What came of the pings of a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingReport {
    /// Pings sent in that while.
    pub sent: usize,
    /// Those of them that were never answered.
    pub lost: usize,
    /// Answers to a ping that had been answered before.
    pub twice: usize,
    /// Answers that came after the answer to a later ping.
    pub overtaken: usize,
    /// How old the oldest answer was when it came.
    pub oldest: Duration,
    /// The longest time without an answer.
    pub silence: Duration,
    /// When the last silence of a quarter of a second or more ended, if there was one.
    pub recovered: Option<Instant>,
}

/// What is sent and what comes back, between the thread that does both and whoever looks on.
#[derive(Debug, Default)]
pub(super) struct Shared {
    ended: AtomicBool,
    records: Mutex<Records>,
}

#[derive(Debug, Default)]
pub(super) struct Records {
    sent: Vec<Instant>,
    /// Which ping was answered, and when.
    answers: Vec<(usize, Instant)>,
}

impl Pings {
    /// A quarter of a second without an answer is more than a busy machine's hiccup.
    pub const SILENCE: Duration = Duration::from_millis(250);

    /// Begins: so many pings a second with `payload` bytes of data each, at least 8, that must not be fragmented.
    pub fn start(from: &Machine, to: IpAddr, per_second: u32, payload: usize) -> Result<Self> {
        let IpAddr::V4(to) = to else {
            bail!("these pings are for IPv4")
        };
        let socket = from.enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)))?;
        let shared = Arc::new(Shared::default());
        let pinger = Pinger {
            socket,
            to,
            identifier: (process::id() as u16).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)),
            interval: Duration::from_secs(1) / per_second,
            length: ICMP_HEADER + payload.max(size_of::<u64>()),
            shared: Arc::clone(&shared),
        };
        Ok(Self {
            shared,
            thread: Some(thread::spawn(|| pinger.run())),
        })
    }

    /// Waits until `count` pings that were sent after `since` have been answered.
    pub fn wait_for_answers(&self, since: Instant, count: usize, deadline: Duration) -> Result<()> {
        eventually("pings are answered", deadline, || {
            let records = self.shared.records();
            let first = records.sent.partition_point(|sent| *sent < since);
            let answered = records.answers.iter().rev();
            let young = answered.filter(|(sequence, _)| *sequence >= first);
            (young.take(count).count() == count).then_some(())
        })
    }

    /// What came of the pings sent between two moments.
    pub fn report(&self, from: Instant, to: Instant) -> PingReport {
        self.shared.records().report(from, to)
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        self.shared.end();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Answers with the number of the one that is sent now.
    pub(super) fn note_sent(&self, now: Instant) -> usize {
        let mut records = self.records();
        records.sent.push(now);
        records.sent.len() - 1
    }

    /// A number that was never sent is somebody else's.
    pub(super) fn note_answer(&self, number: usize) {
        let mut records = self.records();
        if number < records.sent.len() {
            records.answers.push((number, Instant::now()));
        }
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    pub(super) fn report(&self, from: Instant, to: Instant) -> PingReport {
        let [first, end] = [from, to].map(|at| self.sent.partition_point(|sent| *sent < at));
        let mut report = PingReport {
            sent: end - first,
            lost: 0,
            twice: 0,
            overtaken: 0,
            oldest: Duration::ZERO,
            silence: Duration::ZERO,
            recovered: None,
        };
        let mut answered = vec![false; end - first];
        let (mut newest, mut last) = (first, from);
        for &(sequence, came) in &self.answers {
            if came >= from {
                let age = came.duration_since(self.sent[sequence]);
                report.oldest = report.oldest.max(age);
            }
            if came >= from && came < to {
                report.note_silence(last, came);
                last = came;
            }
            if !(first..end).contains(&sequence) {
                continue;
            }
            report.twice += usize::from(std::mem::replace(&mut answered[sequence - first], true));
            report.overtaken += usize::from(sequence < newest);
            newest = newest.max(sequence);
        }
        report.note_silence(last, to);
        report.lost = answered.iter().filter(|answered| !**answered).count();
        report
    }
}

impl PingReport {
    /// The part that was never answered, 0 to 1.
    pub fn lost_part(&self) -> f32 {
        self.lost as f32 / self.sent.max(1) as f32
    }

    fn note_silence(&mut self, begin: Instant, end: Instant) {
        let silence = end.saturating_duration_since(begin);
        self.silence = self.silence.max(silence);
        if silence >= Pings::SILENCE {
            self.recovered = Some(end);
        }
    }
}

/// The thread's state.
struct Pinger {
    socket: Socket,
    to: Ipv4Addr,
    identifier: u16,
    interval: Duration,
    length: usize,
    shared: Arc<Shared>,
}

impl Pinger {
    fn run(self) {
        let mut next = Instant::now();
        while !self.shared.is_ended() {
            let now = Instant::now();
            if now >= next {
                self.send(now);
                next += self.interval;
                continue;
            }
            let wait = (next - now).max(SHORTEST_WAIT);
            let _ = self.socket.set_read_timeout(Some(wait));
            self.receive();
        }
    }

    /// A ping that cannot even leave is a lost one.
    fn send(&self, now: Instant) {
        let sequence = self.shared.note_sent(now);
        let mut message = vec![0; self.length];
        message[0] = ECHO_REQUEST;
        message[4..6].copy_from_slice(&self.identifier.to_be_bytes());
        message[6..8].copy_from_slice(&(sequence as u16).to_be_bytes());
        message[ICMP_HEADER..HEADERS].copy_from_slice(&(sequence as u64).to_be_bytes());
        let checksum = internet_checksum(&message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        let to = SocketAddr::V4(SocketAddrV4::new(self.to, 0));
        let _ = self.socket.send_to(&message, &to.into());
    }

    fn receive(&self) {
        let mut packet = [0; 2048];
        match (&self.socket).read(&mut packet) {
            Ok(length) => {
                if let Some(sequence) = self.answered_by(&packet[..length]) {
                    self.shared.note_answer(sequence);
                }
            }
            Err(error) if is_momentary(&error) => {}
            Err(error) => eprintln!("warning: a ping socket broke: {error}"),
        }
    }

    /// The number of the ping of ours that this IP packet answers.
    fn answered_by(&self, packet: &[u8]) -> Option<usize> {
        let message = packet.get(usize::from(packet.first()? & 0x0f) * 4..)?;
        let [0, 0, _, _, high, low, ..] = *message else {
            return None;
        };
        let sequence = message.get(ICMP_HEADER..HEADERS)?.try_into().ok()?;
        (u16::from_be_bytes([high, low]) == self.identifier)
            .then_some(u64::from_be_bytes(sequence) as usize)
    }
}

fn is_momentary(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// RFC 1071.
fn internet_checksum(message: &[u8]) -> u16 {
    let words = message
        .chunks(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_silence_loss_doubles_and_old_answers_apart() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let records = Records {
            sent: (0..10).map(|n| at(n * 100)).collect(),
            answers: vec![
                (0, at(10)),
                (1, at(110)),
                (1, at(111)),
                // 2 to 5 are lost
                (7, at(710)),
                (6, at(720)),
                (8, at(810)),
                (9, at(910)),
            ],
        };
        let report = records.report(begin, at(1000));
        let expected = PingReport {
            sent: 10,
            lost: 4,
            twice: 1,
            overtaken: 1,
            oldest: Duration::from_millis(120),
            silence: Duration::from_millis(599),
            recovered: Some(at(710)),
        };
        assert_eq!(report, expected);
        let calm = records.report(at(705), at(1000));
        assert_eq!((calm.lost, calm.recovered), (0, None));
    }

    #[test]
    fn the_checksum_of_a_message_with_its_checksum_is_zero() {
        let mut message = [8, 0, 0, 0, 0x12, 0x34, 0, 1, 0xff, 0xee, 7];
        let checksum = internet_checksum(&message);
        message[2..4].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(internet_checksum(&message), 0);
    }
}
