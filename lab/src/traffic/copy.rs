//! A file of a known content, sent over TCP and compared byte by byte.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::Machine;

const BLOCK: usize = 64 << 10;
/// A connection that moves nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// Copies `length` bytes from one machine to another that listens on `address`; fails unless every byte is the same.
pub fn copy(from: &Machine, to: &Machine, address: IpAddr, length: u64) -> Result<Duration> {
    let listener = to.enter(|| TcpListener::bind((address, 0)))?;
    let target = listener.local_addr()?;
    let begin = Instant::now();
    thread::scope(|scope| {
        let sender = scope.spawn(|| from.enter(|| send(target, length)));
        let received = receive(&listener, length);
        let Ok(sent) = sender.join() else {
            bail!("the sender panicked")
        };
        sent.and(received)
    })?;
    Ok(begin.elapsed())
}

fn send(target: SocketAddr, length: u64) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut content = Content::new();
    let mut block = vec![0; BLOCK];
    let mut left = length;
    while left > 0 {
        let part = left.min(BLOCK as u64) as usize;
        content.fill(&mut block);
        stream.write_all(&block[..part])?;
        left -= part as u64;
    }
    Ok(())
}

fn receive(listener: &TcpListener, length: u64) -> Result<()> {
    let (mut stream, _) = accept_in_time(listener)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut content = Content::new();
    let (mut expected, mut got) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut left = length;
    while left > 0 {
        let part = left.min(BLOCK as u64) as usize;
        content.fill(&mut expected);
        stream.read_exact(&mut got[..part])?;
        ensure!(
            got[..part] == expected[..part],
            "the copy differs within {BLOCK} bytes of offset {}",
            length - left
        );
        left -= part as u64;
    }
    ensure!(
        stream.read(&mut got)? == 0,
        "the copy is longer than the original"
    );
    Ok(())
}

/// The next connection, which must come soon.
pub(super) fn accept_in_time(listener: &TcpListener) -> Result<(TcpStream, SocketAddr)> {
    listener.set_nonblocking(true)?;
    let accepted = crate::eventually("a connection comes in", PATIENCE, || listener.accept().ok())?;
    accepted.0.set_nonblocking(false)?;
    Ok(accepted)
}

/// Bytes that repeat nowhere within a copy, so that a block in the wrong place shows (SplitMix64).
pub(super) struct Content(u64);

impl Content {
    fn new() -> Self {
        Self(0)
    }

    /// Begins where `seed` says.
    pub(super) fn from(seed: u64) -> Self {
        Self(seed)
    }

    /// The next bytes; a rest of less than eight stays as it is.
    pub(super) fn fill(&mut self, block: &mut [u8]) {
        for word in block.chunks_exact_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
        }
    }
}
