//! What the others notice of a flood: a game's worth of pings between a player and the LAN, and the relay's memory.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use lanparty_lab::{Spare, Venue};

use crate::scene::{Scene, Turn, come};

/// As many as a game sends packets, for two seconds.
const PINGS: u32 = 120;
const PINGS_PER_SECOND: f64 = 60.0;
/// By how much one ping in a hundred may be slower than without the flood.
const SLOWER: Duration = Duration::from_millis(2);
/// And every second ping: measured are 0.95 ms without a flood and 0.93 with one.
const MEDIAN_SLOWER: Duration = Duration::from_millis(5);
/// The same where others have the processor and a flood gets what is left; and how many of a hundred may be lost then.
pub(crate) const MEDIAN_SLOWER_WHEN_BUSY: Duration = Duration::from_millis(100);
const LOST_WHEN_BUSY: usize = 2;
/// With so much of the machine to spare, whoever is slow is slow by himself.
const TO_SPARE: f64 = 0.1;
/// A link on which a smaller part of a flood goes out is throttled, and shows nothing. Measured are nine tenths.
const LEAST_SENT: u64 = 5;
/// The machine is shared: what disturbs a ping may be somebody else. Only the time of a ping gets another chance, a lost
/// one does not.
const ATTEMPTS: usize = 3;
/// A machine on which a ping in a hundred is slower than this without any flood is too busy to judge two milliseconds.
pub(crate) const BUSY: Duration = Duration::from_millis(4);
/// By how much the relay may grow at most, an eighth of what its service may have. 512 first packets that wait hold
/// 15 MiB; when places get free they become connections, which hold some 18 MiB until they have drained, while the next
/// attempt's first packets wait already; 64 handshakes from one address hold 3 MiB; a connection keeps up to 2 MiB of
/// datagrams that wait, and there are four; the rest is what the allocator keeps.
const GROWTH: u64 = 64 << 20;
/// What a hostile uplink can send, in bits per second.
pub(crate) const UPLINK: u64 = 100_000_000;
const TICK: Duration = Duration::from_millis(1);
/// No burst is longer than this after the generator was kept from running.
const LONGEST_BURST: Duration = Duration::from_millis(10);

/// A running flood's orders, and what it has sent.
#[derive(Default)]
pub(crate) struct Flood {
    over: AtomicBool,
    datagrams: AtomicU64,
    bytes: AtomicU64,
    /// What the uplink could have sent while somebody poured.
    offered: AtomicU64,
}

impl Flood {
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, bytes: usize) {
        self.datagrams.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Says the next datagram again and again, at the uplink's rate; `say` answers with how many bytes went out.
    pub(crate) fn pour(&self, mut say: impl FnMut(usize) -> Result<usize>) -> Result<()> {
        let mut due = 0;
        let mut last = Instant::now();
        let mut number = 0;
        while !self.is_over() {
            thread::park_timeout(TICK);
            let now = Instant::now();
            let time = now.duration_since(last).min(LONGEST_BURST);
            last = now;
            let offered = UPLINK / 8 * time.as_micros() as u64 / 1_000_000;
            self.offered.fetch_add(offered, Ordering::Relaxed);
            due += offered as i64;
            while due > 0 {
                let bytes = say(number)?;
                number += 1;
                if bytes == 0 {
                    due = 0; // no room: what the uplink could not send is lost to the flood
                    break;
                }
                due -= bytes as i64;
                self.count(bytes);
            }
        }
        Ok(())
    }
}

/// How pings fared.
struct Pings {
    times: Vec<Duration>,
    lost: usize,
}

impl Pings {
    fn run(scene: &Scene, target: IpAddr) -> Result<Self> {
        let player = &scene.player().machine;
        let times = player.round_trips(target, PINGS, PINGS_PER_SECOND)?;
        let lost = PINGS as usize - times.len();
        Ok(Self { times, lost })
    }

    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.times.len() * percent).div_ceil(100);
        self.times
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or(Duration::MAX)
    }

    fn in_words(&self) -> String {
        let [p50, p99] = [50, 99].map(|percent| self.percentile(percent).as_secs_f64() * 1e3);
        format!(
            "p50 {p50:.2} ms, p99 {p99:.2} ms, lost {} of {PINGS}",
            self.lost
        )
    }
}

/// Fails unless the honest player loses nothing and is not slowed down while `flood` runs, and the relay stays small.
pub(crate) fn disturbs_nobody(
    scene: &Scene,
    name: &str,
    flood: impl Fn(&Flood) -> Result<()> + Sync,
) -> Result<()> {
    come(Turn::First)?;
    let before = scene.party.relay.usage()?.memory_bytes;
    println!();
    for attempt in 1..=ATTEMPTS {
        let quiet = Pings::run(scene, Venue::LAN1)?;
        let orders = Flood::default();
        let (begin, spare) = (Instant::now(), Spare::now()?);
        let (flooded, peak) = thread::scope(|scope| {
            let flooder = scope.spawn(|| come(Turn::Last).and_then(|()| flood(&orders)));
            let watcher = scope.spawn(|| peak_memory(scene, &orders));
            let pings = Pings::run(scene, Venue::LAN1);
            // A flood of a given size goes on to its end.
            orders.over.store(true, Ordering::Relaxed);
            let (flooder, watcher) = (flooder.join(), watcher.join());
            let (Ok(flooder), Ok(peak)) = (flooder, watcher) else {
                bail!("the flood panicked")
            };
            flooder?;
            Ok((pings?, peak?))
        })?;
        let after = scene.party.relay.usage()?.memory_bytes;
        let [datagrams, bytes, offered] =
            [orders.datagrams, orders.bytes, orders.offered].map(AtomicU64::into_inner);
        let rate = bytes as f64 * 8.0 / begin.elapsed().as_secs_f64() / 1e6;
        println!(
            "  {name}, attempt {attempt} of at most {ATTEMPTS}: {datagrams} datagrams, {rate:.0} Mbit/s"
        );
        println!("    quiet: {}", quiet.in_words());
        println!("    flood: {}", flooded.in_words());
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "    relay: {:.1} MiB before, {:.1} at most, {:.1} after",
            mib(before),
            mib(peak),
            mib(after)
        );
        let is_busy = quiet.percentile(99) > BUSY && !spare.was_more_than(TO_SPARE)?;
        ensure!(is_busy || quiet.lost + flooded.lost == 0, "pings got lost");
        ensure!(
            peak <= before + GROWTH,
            "the relay grew by {:.1} MiB",
            mib(peak - before)
        );
        ensure!(
            scene.player().program.is_running() && scene.party.relay.is_running(),
            "a program ended"
        );
        ensure!(
            datagrams > 0 && scene.tasks.block_on(scene.hostile.is_in()),
            "the hostile peer was thrown out, so this was no flood"
        );
        ensure!(
            bytes * LEAST_SENT >= offered,
            "{bytes} of {offered} bytes went out, so this was no flood"
        );
        let slower = flooded.percentile(50).saturating_sub(quiet.percentile(50));
        if is_busy {
            println!("    This machine is too busy to judge more than every second ping.");
            let few = flooded.lost * 100 <= PINGS as usize * LOST_WHEN_BUSY;
            if few && slower <= MEDIAN_SLOWER_WHEN_BUSY {
                return Ok(());
            }
            continue;
        }
        let is_p99_judged = quiet.percentile(99) <= BUSY;
        let p99_is_well = flooded.percentile(99) <= quiet.percentile(99) + SLOWER;
        if slower <= MEDIAN_SLOWER && (p99_is_well || !is_p99_judged) {
            return Ok(());
        }
    }
    bail!("the pings were slower, or too many got lost, in each of {ATTEMPTS} attempts")
}

fn peak_memory(scene: &Scene, flood: &Flood) -> Result<u64> {
    let mut peak = 0;
    while !flood.is_over() {
        peak = peak.max(scene.party.relay.usage()?.memory_bytes);
        thread::park_timeout(Duration::from_millis(50));
    }
    Ok(peak)
}
