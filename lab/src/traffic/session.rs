//! A TCP connection as `ssh` has one: small writes, each echoed, all evening.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, bail};

use super::copy::{Content, accept_in_time};
use crate::{Machine, eventually};

const PATIENCE: Duration = Duration::from_secs(5);
/// Somebody who types fast.
const BETWEEN_WRITES: Duration = Duration::from_millis(150);

/// A connection over which numbered records of known content go and come back, one after the other.
#[derive(Debug)]
pub struct EchoSession {
    shared: Arc<Shared>,
    ends: [TcpStream; 2],
    stop: Option<mpsc::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    written: AtomicU64,
    echoed: AtomicU64,
    broken: Mutex<Option<String>>,
}

impl EchoSession {
    /// Connects from one machine to another, which listens on `address`.
    pub fn open(from: &Machine, to: &Machine, address: IpAddr) -> Result<Self> {
        let listener = to.enter(|| TcpListener::bind((address, 0)))?;
        let target: SocketAddr = listener.local_addr()?;
        let near = from.enter(|| TcpStream::connect_timeout(&target, PATIENCE))?;
        let (far, _) = accept_in_time(&listener)?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;

        let shared = Arc::new(Shared::default());
        let (stop, stopped) = mpsc::channel();
        let (mut writer, mut reader) = (near.try_clone()?, near.try_clone()?);
        let mut server = far.try_clone()?;
        let threads = vec![
            shared.follow("the player writes", move |shared| {
                write_all(&mut writer, shared, &stopped)
            }),
            shared.follow("the player reads", move |shared| {
                check_echoes(&mut reader, shared)
            }),
            shared.follow("the LAN echoes", move |_shared| echo_all(&mut server)),
        ];
        Ok(Self {
            shared,
            ends: [near, far],
            stop: Some(stop),
            threads,
        })
    }

    /// Fails unless the connection stands and a record that has not been written yet comes back in time.
    pub fn lives(&self, deadline: Duration) -> Result<()> {
        let next = self.shared.written.load(Ordering::Relaxed) + 1;
        eventually("a TCP record is echoed", deadline, || {
            let broken = self.shared.why_broken();
            (broken.is_some() || self.shared.echoed.load(Ordering::Relaxed) >= next).then_some(())
        })?;
        match self.shared.why_broken() {
            Some(cause) => bail!("the TCP connection broke: {cause}"),
            None => Ok(()),
        }
    }

    /// How many records came back as they were.
    pub fn echoed(&self) -> u64 {
        self.shared.echoed.load(Ordering::Relaxed)
    }
}

impl Drop for EchoSession {
    fn drop(&mut self) {
        drop(self.stop.take());
        for end in &self.ends {
            let _ = end.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Runs one of the three in a thread and remembers how the first of them ended.
    fn follow(
        self: &Arc<Self>,
        who: &'static str,
        run: impl FnOnce(&Shared) -> io::Result<()> + Send + 'static,
    ) -> JoinHandle<()> {
        let shared = Arc::clone(self);
        thread::spawn(move || {
            if let Err(error) = run(&shared) {
                let mut broken = shared.broken.lock().unwrap_or_else(PoisonError::into_inner);
                broken.get_or_insert_with(|| format!("{who}: {error}"));
            }
        })
    }

    fn why_broken(&self) -> Option<String> {
        self.broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn write_all(
    stream: &mut TcpStream,
    shared: &Shared,
    stopped: &mpsc::Receiver<()>,
) -> io::Result<()> {
    for number in 1.. {
        stream.write_all(&record(number))?;
        shared.written.store(number, Ordering::Relaxed);
        if stopped.recv_timeout(BETWEEN_WRITES) == Err(mpsc::RecvTimeoutError::Disconnected) {
            break;
        }
    }
    Ok(())
}

fn check_echoes(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    for number in 1.. {
        read_record(stream, number)?;
        shared.echoed.store(number, Ordering::Relaxed);
    }
    Ok(())
}

fn echo_all(stream: &mut TcpStream) -> io::Result<()> {
    for number in 1.. {
        let record = read_record(stream, number)?;
        stream.write_all(&record)?;
    }
    Ok(())
}

/// Reads the record that must come next.
fn read_record(stream: &mut TcpStream, number: u64) -> io::Result<Vec<u8>> {
    let expected = record(number);
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got)?;
    if got == expected {
        return Ok(got);
    }
    Err(io::Error::other(format!(
        "record {number} is not what was written"
    )))
}

/// The number and 16 to 104 bytes that follow from it.
fn record(number: u64) -> Vec<u8> {
    let mut record = vec![0; 16 + 8 * (number % 12) as usize];
    Content::from(number << 32).fill(&mut record);
    let mut whole = number.to_be_bytes().to_vec();
    whole.append(&mut record);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_is_like_another() {
        let records: Vec<_> = (1..200).map(record).collect();
        assert!(
            records
                .iter()
                .all(|one| records.iter().filter(|other| *other == one).count() == 1)
        );
    }
}
