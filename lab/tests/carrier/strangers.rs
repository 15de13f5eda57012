//! The relay's TCP port is open to everybody on the internet: what they do there costs a game nothing.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lanparty_lab::traffic::Trips;
use lanparty_lab::{Machine, Spare, Venue, pass};

use crate::networks::Networks;

/// Connections that are held open, a byte now and then.
const SLOW: usize = 400;
/// Threads that send what is no TLS, again and again.
const SENSELESS: usize = 4;
const GAME: Duration = Duration::from_secs(3);
/// What a game may notice at the 99th percentile, where the machine has time for all of them.
const NOTICED: Duration = Duration::from_millis(2);
/// Where others have the processor, half of a game's packets say whether it is blocked.
const BUSY: Duration = Duration::from_millis(30);
const TO_SPARE: f64 = 0.2;
const ATTEMPTS: usize = 4;
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) fn slow_and_senseless_strangers_disturb_no_game(networks: &Networks) -> Result<()> {
    let guests = &networks.guests;
    let Some(player) = guests.players.last() else {
        bail!("nobody plays")
    };
    if player.snapshot()?["state"] != "connected" {
        player.join()?;
    }
    let stranger = guests.venue.public_machine("stranger", 4)?;
    let relay: SocketAddr = (Venue::RELAY, 443).into();
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        let without = Trips::measure(&player.machine, Venue::LAN1, GAME)?;
        let spare = Spare::now()?;
        let (with, came) = beside_strangers(&stranger, relay, || {
            Trips::measure(&player.machine, Venue::LAN1, GAME)
        })?;
        let had_time = spare.was_more_than(TO_SPARE)?;
        let [p50, p99] =
            [50, 99].map(|percent| (without.quantile(percent), with.quantile(percent)));
        println!(
            "game alone {:.1?} / {:.1?}, beside {came} connections of strangers {:.1?} / {:.1?}",
            p50.0, p99.0, p50.1, p99.1
        );
        ensure!(came > SLOW, "only {came} connections were made");
        let fine = p99.1 <= p99.0 + NOTICED;
        // The strangers of this machine need its processors, too, and those of debug programs more: p99 says that as well.
        let is_judged = had_time && !cfg!(debug_assertions);
        let enough = !is_judged && p50.1 <= p50.0 + BUSY && with.lost <= without.lost;
        if fine || enough {
            outcome = Ok(());
            break;
        }
        outcome = Err(anyhow::anyhow!("p99 went from {:?} to {:?}", p99.0, p99.1));
    }
    outcome?;
    let relay = &guests.relay;
    ensure!(relay.is_running(), "the relay is gone");
    let log = relay.log();
    let lines = log.lines().count();
    ensure!(
        lines < 300,
        "strangers have filled {lines} lines of the relay's log"
    );
    Ok(())
}

/// Measures something while strangers are at the relay's TCP port.
fn beside_strangers<T>(
    stranger: &Machine,
    relay: SocketAddr,
    measure: impl FnOnce() -> Result<T>,
) -> Result<(T, usize)> {
    let (end, came) = (AtomicBool::new(false), AtomicUsize::new(0));
    let measured = thread::scope(|scope| {
        scope.spawn(|| stranger.enter(|| are_slow(relay, &end, &came)));
        for number in 0..SENSELESS {
            let (end, came) = (&end, &came);
            scope.spawn(move || stranger.enter(|| make_no_sense(relay, number, end, came)));
        }
        pass(PATIENCE);
        let measured = measure();
        end.store(true, Ordering::Relaxed);
        measured
    })?;
    Ok((measured, came.load(Ordering::Relaxed)))
}

/// The beginning of a handshake record of TLS, and then a byte now and then.
fn are_slow(relay: SocketAddr, end: &AtomicBool, came: &AtomicUsize) -> io::Result<()> {
    let mut all = Vec::new();
    while !end.load(Ordering::Relaxed) {
        if all.len() < SLOW
            && let Ok(mut stream) = TcpStream::connect_timeout(&relay, PATIENCE)
        {
            let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00]);
            came.fetch_add(1, Ordering::Relaxed);
            all.push(stream);
            continue;
        }
        // Those whom the relay has closed come again.
        all.retain_mut(|stream| stream.write_all(&[1]).is_ok());
        pass(Duration::from_millis(100));
    }
    Ok(())
}

fn make_no_sense(
    relay: SocketAddr,
    number: usize,
    end: &AtomicBool,
    came: &AtomicUsize,
) -> io::Result<()> {
    let garbage = vec![number as u8 | 0x80; 4096];
    let request = b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n".to_vec();
    let hello = [&[0x16, 0x03, 0x01, 0x10, 0x00][..], &garbage].concat();
    while !end.load(Ordering::Relaxed) {
        for words in [&garbage, &request, &hello] {
            if let Ok(mut stream) = TcpStream::connect_timeout(&relay, PATIENCE) {
                came.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(words);
            }
        }
        pass(Duration::from_millis(10));
    }
    Ok(())
}
