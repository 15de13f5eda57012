//! Frames of any protocol, sent raw on one machine and expected raw on another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{Machine, RawSocket};

/// Long enough for a frame to arrive on a busy machine; only frames that do not come cost this.
const PATIENCE: Duration = Duration::from_secs(2);
/// The second EtherType that the standard keeps free for local experiments; the gateway uses the first.
const EXPERIMENT: u16 = 0x88b6;

/// Where frames start and where they should come out, each a machine and its interface.
pub type End<'a> = (&'a Machine, &'a str);

/// An Ethernet frame of `length` bytes in all; `kind` is its EtherType, or its length field when below 1536.
pub fn frame(destination: [u8; 6], source: [u8; 6], kind: u16, length: usize) -> Vec<u8> {
    let mut frame = [&destination[..], &source, &kind.to_be_bytes()].concat();
    // The length goes into the content, so no frame is the beginning of another.
    frame.extend((frame.len()..length).map(|offset| (offset ^ length) as u8));
    frame
}

/// Sends frames and says which of them arrived, unchanged.
pub fn frames_that_cross(from: End<'_>, to: End<'_>, frames: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
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
pub fn frames_cross(from: End<'_>, to: End<'_>, frames: &[Vec<u8>]) -> Result<()> {
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

/// Broadcasts a frame and fails unless every other end hears it exactly once and the sender does not hear itself.
pub fn broadcast_reaches_each_once(
    from: End<'_>,
    source: [u8; 6],
    others: &[End<'_>],
) -> Result<()> {
    // The second frame takes the same way: who has heard it has heard the first as often as it will.
    let shout = frame([0xff; 6], source, EXPERIMENT, 200);
    let end = frame([0xff; 6], source, EXPERIMENT, 201);
    let sender = from.0.enter(|| RawSocket::open(from.1))?;
    let receivers = others
        .iter()
        .map(|to| to.0.enter(|| RawSocket::open(to.1)))
        .collect::<Result<Vec<_>>>()?;
    sender.send(&shout)?;
    sender.send(&end)?;
    for (receiver, to) in receivers.iter().zip(others) {
        receiver.set_timeout(PATIENCE)?;
        let copies = copies_until(receiver, &shout, &end)
            .with_context(|| format!("{} missed it", to.0.name()))?;
        ensure!(
            copies == 1,
            "{} heard a broadcast {copies} times",
            to.0.name()
        );
    }
    sender.set_timeout(Duration::from_millis(1))?;
    let echo = copies_until(&sender, &shout, &end);
    ensure!(echo.is_err(), "{} heard its own broadcast", from.0.name());
    Ok(())
}

fn copies_until(receiver: &RawSocket, wanted: &[u8], end: &[u8]) -> Result<usize> {
    let mut buffer = vec![0; 70_000];
    let mut copies = 0;
    loop {
        let length = receiver.receive(&mut buffer)?;
        if buffer[..length] == *end {
            return Ok(copies);
        }
        copies += usize::from(buffer[..length] == *wanted);
    }
}
