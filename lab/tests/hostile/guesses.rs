//! Strangers who try keys at the door of the room in which a game runs: whole handshakes, real hellos, random keys.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_ctrl::{PeerMessage, RejectReason, RelayMessage, RoomCode, RoomKey};
use lanparty_lab::{Party, Venue};
use lanparty_proto::VirtualMac;
use lanparty_quic::control;
use lanparty_quic::{Congestion, Endpoint, PathFloor};
use tokio::task::JoinSet;

use crate::disturbance::{BUSY, MEDIAN_SLOWER_WHEN_BUSY};
use crate::peer::{Hostile, Relay, Tasks};
use crate::scene::{Scene, Turn, come};

/// How many attempts each check makes: 20,000 is the full form, which takes minutes, at a relay with its usual limits. Without it
/// they are few, for a short time, and so are those that the relay answers.
const ATTEMPTS: &str = "LANPARTY_LAB_GUESSES";
const FEW: usize = 400;
const SHORT: Duration = Duration::from_secs(2);
/// Attempts that are under way together.
const AT_ONCE: usize = 48;
/// What the relay answers at once, and each second: to one source, and about one room.
const USUAL: [(usize, usize); 2] = [(128, 16), (512, 64)];
const LOW: [(usize, usize); 2] = [(4, 1), (16, 1)];
const LOW_FLAGS: [&str; 8] = [
    "--guess-burst",
    "4",
    "--guess-rate",
    "1",
    "--room-guess-burst",
    "16",
    "--room-guess-rate",
    "1",
];

/// As many as a game sends packets.
const PINGS: u32 = 60;
const PINGS_PER_SECOND: f64 = 60.0;
/// How much longer every second ping may take than without guesses. Measured are 0.1 ms, and 1.5 ms where four others build
/// at the same time.
const MEDIAN_SLOWER: Duration = Duration::from_millis(10);
/// And nineteen of twenty, where the machine is not busy with others.
const SLOWER: Duration = Duration::from_millis(50);
/// The machine is shared and the guessers take what is left of it.
const SLOWEST_P99: Duration = Duration::from_millis(500);
const LOST_PERCENT: usize = 2;
/// Whoever hears nothing has lost its connection: that is no answer, however few are due.
const UNHEARD_PERCENT: usize = 5;
const GROWTH: u64 = 48 << 20;

/// As many attempts as somebody wants, if somebody does.
fn wanted() -> Result<Option<usize>> {
    let wanted = env::var(ATTEMPTS).ok();
    Ok(wanted.map(|count| count.parse()).transpose()?)
}

pub(crate) fn build() -> Result<Scene> {
    match wanted()? {
        Some(_) => Scene::build(),
        None => Scene::with(Party::builder().relay_flags(&LOW_FLAGS)),
    }
}

/// What came of the attempts.
#[derive(Debug, Default)]
struct Tally {
    refused: AtomicUsize,
    told_to_wait: AtomicUsize,
    unheard: AtomicUsize,
}

pub(crate) fn guesses_from_one_address_are_limited_and_disturb_no_game(
    scene: &Scene,
) -> Result<()> {
    guess(scene, "one address", 1)
}

pub(crate) fn guesses_from_two_hundred_are_limited_and_disturb_no_game(
    scene: &Scene,
) -> Result<()> {
    guess(scene, "200 addresses", 200)
}

fn guess(scene: &Scene, name: &str, sources: u8) -> Result<()> {
    come(Turn::First)?;
    let (attempts, time, limits) = match wanted()? {
        Some(attempts) => (attempts, Duration::MAX, USUAL),
        None => (FEW, SHORT, LOW),
    };
    let (burst, rate) = limits[usize::from(sources > 1)];
    let sources = addresses(scene, sources)?;
    let before = scene.party.relay.usage()?.memory_bytes;
    let quiet = Times::of(scene, || true)?;
    let (over, tally) = (AtomicBool::new(false), Arc::new(Tally::default()));
    let begin = Instant::now();
    let (flood, peak, (attempts, took)) = thread::scope(|scope| {
        let guesser = scope.spawn(|| {
            let outcome = attempt_all(scene, &sources, (attempts, time), &tally);
            over.store(true, Ordering::Relaxed);
            outcome.map(|attempts| (attempts, begin.elapsed()))
        });
        let watcher = scope.spawn(|| peak_memory(scene, &over));
        let flood = Times::of(scene, || over.load(Ordering::Relaxed));
        let (Ok(took), Ok(peak)) = (guesser.join(), watcher.join()) else {
            bail!("the guessers panicked")
        };
        Ok((flood?, peak?, took?))
    })?;
    let [refused, told_to_wait, unheard] =
        [&tally.refused, &tally.told_to_wait, &tally.unheard].map(|n| n.load(Ordering::Relaxed));
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!();
    println!(
        "  {attempts} guesses from {name} in {took:.1?}: {refused} refused, {told_to_wait} told to wait, {unheard} unheard"
    );
    println!("    quiet: {}", quiet.in_words());
    println!("    guesses: {}", flood.in_words());
    println!(
        "    relay: {:.1} MiB before, {:.1} at most",
        mib(before),
        mib(peak)
    );
    ensure!(
        refused + told_to_wait + unheard == attempts,
        "an attempt was let in"
    );
    ensure!(
        unheard * 100 <= attempts * UNHEARD_PERCENT,
        "{unheard} of {attempts} guesses were not answered at all"
    );
    let most = burst + rate * (took.as_secs() as usize + 1);
    ensure!(
        refused > 0 && refused <= most,
        "{refused} were answered, {most} may be"
    );
    ensure!(
        peak <= before + GROWTH,
        "the relay grew by {:.1} MiB",
        mib(peak - before)
    );
    ensure!(
        flood.lost * 100 <= flood.sent * LOST_PERCENT,
        "pings got lost"
    );
    ensure!(flood.percentile(99) <= SLOWEST_P99, "the game stands still");
    let bounds = match quiet.percentile(99) <= BUSY {
        true => [(50, MEDIAN_SLOWER), (95, SLOWER)],
        false => [(50, MEDIAN_SLOWER_WHEN_BUSY), (95, SLOWEST_P99)],
    };
    for (percent, slower) in bounds {
        let [before, now] = [&quiet, &flood].map(|times| times.percentile(percent));
        ensure!(
            now <= before + slower,
            "{percent} of 100 pings took {before:?}, and {now:?} beside the guesses"
        );
    }
    // An honest player comes in from home while the room's allowance for the wrong is spent.
    let home = Tasks::on(&scene.player().machine)?;
    let mac = [0x02, 0x66, 0, 0, 2, u8::try_from(sources.len())?];
    home.run(Hostile::join(scene.relay.clone(), mac))
        .context("a newcomer")
        .map(drop)
}

/// Addresses of the machine far away.
fn addresses(scene: &Scene, count: u8) -> Result<Vec<IpAddr>> {
    let addresses: Vec<_> = (2..2 + count)
        .map(|host| Ipv4Addr::new(10, 9, 12, host))
        .collect();
    for address in &addresses {
        scene
            .far_away()
            .ip(&format!("addr replace {address}/32 dev wan0"))?;
    }
    Ok(addresses.into_iter().map(IpAddr::from).collect())
}

/// Answers how many there were.
fn attempt_all(
    scene: &Scene,
    sources: &[IpAddr],
    (attempts, time): (usize, Duration),
    tally: &Arc<Tally>,
) -> Result<usize> {
    let (relay, tally, sources) = (scene.relay.clone(), Arc::clone(tally), sources.to_vec());
    scene.tasks.run(async move {
        let endpoints = sources.into_iter().map(|source| {
            let address = SocketAddr::new(source, 0);
            Endpoint::client_at(address, PathFloor::Ordinary, Congestion::default())
        });
        let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        let (mut running, mut made, begin) = (JoinSet::new(), 0, Instant::now());
        for number in (0..attempts).take_while(|_| begin.elapsed() < time) {
            made += 1;
            if running.len() >= AT_ONCE {
                running.join_next().await;
            }
            let endpoint = endpoints[number % endpoints.len()].clone();
            let (relay, tally) = (relay.clone(), Arc::clone(&tally));
            running.spawn(async move {
                let counter = match attempt(&relay, &endpoint, number).await {
                    Ok(RejectReason::NotAuthorised) => &tally.refused,
                    Ok(RejectReason::RateLimited) => &tally.told_to_wait,
                    Ok(_) => return,
                    Err(_) => &tally.unheard,
                };
                counter.fetch_add(1, Ordering::Relaxed);
            });
        }
        while running.join_next().await.is_some() {}
        Ok(made)
    })
}

/// One hello with a key that nobody has; answers why it is refused.
async fn attempt(relay: &Relay, endpoint: &Endpoint, number: usize) -> Result<RejectReason> {
    let link = relay.connect(endpoint, relay.address).await?;
    let (mut say, mut hear) = link.open_bi().await?;
    let room: RoomCode = Party::ROOM.parse()?;
    let [.., a, b, c] = number.to_be_bytes();
    let who = Newcomer::Client(VirtualMac::from_random([2, 0x67, 0, a, b, c]));
    let mut hello = Hello::new(&room, who, link.budget());
    let mut bits = [0x5a; 16];
    bits[..8].copy_from_slice(&number.to_be_bytes());
    hello.prove(
        &RoomKey::from_random(bits).admission_key(),
        link.channel_binding(),
    );
    control::write_message(&mut say, &PeerMessage::from(hello)).await?;
    match control::read_message(&mut hear).await? {
        RelayMessage::Reject(reject) => Ok(reject.reason),
        RelayMessage::Welcome(_) => Ok(RejectReason::Other),
        other => bail!("instead of an answer the relay said {other:?}"),
    }
}

fn peak_memory(scene: &Scene, over: &AtomicBool) -> Result<u64> {
    let mut peak = 0;
    while !over.load(Ordering::Relaxed) {
        peak = peak.max(scene.party.relay.usage()?.memory_bytes);
        thread::park_timeout(Duration::from_millis(50));
    }
    Ok(peak)
}

/// How long the pings took, in order of length.
#[derive(Default)]
struct Times {
    answered: Vec<Duration>,
    sent: usize,
    lost: usize,
}

impl Times {
    /// Pings until it is over, for a second at least.
    fn of(scene: &Scene, is_over: impl Fn() -> bool) -> Result<Self> {
        let mut times = Times::default();
        loop {
            let player = &scene.player().machine;
            let some = player.round_trips(Venue::LAN1, PINGS, PINGS_PER_SECOND)?;
            times.sent += PINGS as usize;
            times.lost += PINGS as usize - some.len();
            times.answered.extend(some);
            if is_over() {
                times.answered.sort_unstable();
                return Ok(times);
            }
        }
    }

    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.answered.len() * percent).div_ceil(100);
        let time = self.answered.get(rank.saturating_sub(1));
        time.copied().unwrap_or(Duration::MAX)
    }

    fn in_words(&self) -> String {
        let [p50, p99] = [50, 99].map(|percent| self.percentile(percent).as_secs_f64() * 1e3);
        format!(
            "p50 {p50:.2} ms, p99 {p99:.2} ms, lost {} of {}",
            self.lost, self.sent
        )
    }
}
