//! How often the port is read for what comes, and that none of it stays behind.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use lanparty_lab::RawSocket;
use lanparty_lab::traffic::frame;
use lanparty_peer::FramePort;

use crate::{Cable, Capture, EXPERIMENT, OTHER};

pub(crate) fn a_lone_frame_takes_one_read(cable: &Cable) -> Result<()> {
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    let ours = frame([0xff; 6], OTHER, EXPERIMENT, 61);
    // The machines' own chatter may come with it.
    for _ in 0..100 {
        host.send(&ours)?;
        let frames = capture.next()?;
        if frames.len() == 1 {
            ensure!(!is_ready_now(&mut capture), "it would be read again");
            return Ok(());
        }
    }
    bail!("no frame came alone");
}

pub(crate) fn no_frame_of_a_burst_is_left_lying(cable: &Cable) -> Result<()> {
    const LONGEST: usize = 200;
    let mut capture = cable.capture()?;
    let host = cable.host.enter(|| RawSocket::open("eth0"))?;
    let (arrived, next) = mpsc::channel();
    // Beside the reader, so that frames come between any two of its steps; after each burst there is silence.
    thread::scope(|scope| {
        scope.spawn(move || -> Result<()> {
            for burst in 1..=LONGEST {
                for number in 0..burst {
                    host.send(&frame([0xff; 6], OTHER, EXPERIMENT, 100 + number))?;
                }
                next.recv()?;
            }
            Ok(())
        });
        for burst in 1..=LONGEST {
            let mut lengths = Vec::new();
            while lengths.len() < burst {
                let frames = capture.next().with_context(|| {
                    format!("a burst of {burst}, of which {} arrived", lengths.len())
                })?;
                let ours = frames.into_iter().flatten();
                let ours = ours.filter(|frame| frame[6..12] == OTHER);
                lengths.extend(ours.map(|frame| frame.len() - 100));
            }
            ensure!(lengths == (0..burst).collect::<Vec<_>>(), "{lengths:?}");
            arrived.send(())?;
        }
        Ok(())
    })
}

/// Whether the port would be read in this turn, before anything else happens.
fn is_ready_now(capture: &mut Capture) -> bool {
    let Capture { runtime, port, .. } = capture;
    let ready = poll_fn(|cx| Poll::Ready(port.poll_readable(cx).is_ready()));
    runtime.block_on(ready)
}
