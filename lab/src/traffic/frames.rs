//! Frames of any protocol, sent raw on one machine and expected raw on another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{Machine, RawSocket};

/// Long enough for a frame to arrive on a busy machine; only frames that do not come cost this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where frames start and where they should come out, each a machine and its interface.
pub type Sent<'a> = (&'a Machine, &'a str);

/// An Ethernet frame of `length` bytes in all; `kind` is its EtherType, or its length field when below 1536.
pub fn frame(destination: [u8; 6], source: [u8; 6], kind: u16, length: usize) -> Vec<u8> {
    let mut frame = [&destination[..], &source, &kind.to_be_bytes()].concat();
    // The length goes into the content, so no frame is the beginning of another.
    frame.extend((frame.len()..length).map(|offset| (offset ^ length) as u8));
    frame
}

/// Sends frames and says which of them arrived, unchanged.
pub fn frames_that_cross(from: Sent<'_>, to: Sent<'_>, frames: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let sender = from.0.enter(|| RawSocket::open(from.1))?;
    let receiver = to.0.enter(|| RawSocket::open(to.1))?;
    receiver.set_timeout(Duration::from_millis(50))?;
    let mut expected: BTreeSet<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let mut arrived = Vec::new();
    let mut buffer = vec![0; 70_000];
    for frame in frames {
        sender.send(frame)?;
    }
    let end = Instant::now() + PATIENCE;
    while !expected.is_empty() && Instant::now() < end {
        let Ok(length) = receiver.receive(&mut buffer) else {
            continue;
        };
        if expected.remove(&buffer[..length]) {
            arrived.push(buffer[..length].to_vec());
        }
    }
    Ok(arrived)
}

/// Sends frames and fails unless each arrives byte-identical.
pub fn frames_cross(from: Sent<'_>, to: Sent<'_>, frames: &[Vec<u8>]) -> Result<()> {
    let arrived = frames_that_cross(from, to, frames)?;
    let lost: Vec<_> = frames
        .iter()
        .filter(|frame| !arrived.contains(frame))
        .map(Vec::len)
        .collect();
    ensure!(
        lost.is_empty(),
        "frames of these lengths did not arrive as they were sent: {lost:?}"
    );
    Ok(())
}
