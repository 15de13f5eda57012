//! Many parties at once, each a gateway and a player without adapters, which say something to each other all the time.
//!
//! They are the real session, bridge and loop, each with a socket of its own; all run on one thread on one machine.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lanparty_ctrl::{HostKey, HostSecret, RoomKey};
use lanparty_e2e::Peer;
use lanparty_edge::invite::OtherRelay;
use lanparty_lab::{Machine, RelaySite, eventually};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_quic::tls::Trust;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::interval;

/// So often each says something.
const EVERY: Duration = Duration::from_millis(200);
/// So many begin together; handshakes are work for both sides.
const TOGETHER: usize = 10;
/// All are in and hear each other by then.
const GATHERED: Duration = Duration::from_secs(120);
/// What a frame costs on its way, and a busy machine's turn.
const ON_ITS_WAY: Duration = Duration::from_millis(1500);
/// Novell's IPX, of which no judge wants to know an address.
const KIND: [u8; 2] = [0x81, 0x37];
const NIC: [u8; 6] = [0, 0x1b, 0x21, 0, 0, 1];
const LAN_HOST: [u8; 6] = [0, 0x16, 0x3e, 0, 0, 1];
const HEADER: usize = 14;
const NUMBER: usize = size_of::<u64>();

/// The parties; they end when it is dropped.
pub(crate) struct Crowd {
    lanes: Arc<Lanes>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How all of them fared for a while.
pub(crate) struct CrowdReport {
    /// The longest time for which each party heard nothing in one of the directions, the shortest first.
    pub(crate) gaps: Vec<Duration>,
    /// Frames that came.
    pub(crate) came: usize,
    /// Frames that came a second time.
    pub(crate) twice: usize,
    /// Frames that somebody had kept.
    pub(crate) stale: usize,
}

/// Two for each party: to the LAN and from it.
struct Lanes(Vec<Mutex<Lane>>);

#[derive(Default)]
struct Lane {
    sent: Vec<Instant>,
    came: Vec<Instant>,
    seen: HashSet<u64>,
    twice: Vec<Instant>,
    stale: Vec<Instant>,
}

impl Crowd {
    /// Lets so many parties begin, whose invites name these relays, and waits until all hear each other.
    pub(crate) fn gather(machine: &Machine, relays: &[RelaySite], parties: usize) -> Result<Self> {
        let lanes = (0..2 * parties).map(|_| Mutex::default()).collect();
        let lanes = Arc::new(Lanes(lanes));
        let configs = (0..parties).map(|party| configs(relays, party));
        let configs = configs.collect::<Result<Vec<_>>>()?;
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let (machine, lanes) = (machine.clone(), Arc::clone(&lanes));
            // The sockets are made in there, so they are the machine's.
            let story = move || {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                LocalSet::new().block_on(&runtime, play(configs, lanes, stopped));
                Ok(())
            };
            thread::spawn(move || {
                if let Err(error) = machine.enter(story) {
                    eprintln!("warning: the crowd has ended: {error:#}");
                }
            })
        };
        let crowd = Self {
            lanes,
            stop: Some(stop),
            thread: Some(thread),
        };
        crowd.all_hear_since(Instant::now(), GATHERED)?;
        Ok(crowd)
    }

    /// Waits until everybody has heard something that was said after that moment.
    pub(crate) fn all_hear_since(&self, since: Instant, deadline: Duration) -> Result<()> {
        let is_deaf = |lane: &Lane| lane.came.last().is_none_or(|last| *last < since);
        let deaf = || (0..self.lanes.0.len()).filter(|lane| is_deaf(&self.lanes.lane(*lane)));
        let heard = eventually("everybody hears each other", deadline, || {
            (deaf().count() == 0).then_some(())
        });
        heard.with_context(|| format!("{} of {} do not", deaf().count(), self.lanes.0.len()))
    }

    /// How it went between two moments.
    pub(crate) fn report(&self, from: Instant, to: Instant) -> CrowdReport {
        let mut report = CrowdReport {
            gaps: Vec::new(),
            came: 0,
            twice: 0,
            stale: 0,
        };
        let in_time = |moments: &[Instant]| {
            let inside = moments.iter().filter(|at| (from..to).contains(*at));
            inside.count()
        };
        for party in 0..self.lanes.0.len() / 2 {
            let mut longest = Duration::ZERO;
            for lane in [2 * party, 2 * party + 1] {
                let lane = self.lanes.lane(lane);
                longest = longest.max(lane.silence(from, to));
                report.came += in_time(&lane.came);
                report.twice += in_time(&lane.twice);
                report.stale += in_time(&lane.stale);
            }
            report.gaps.push(longest);
        }
        report.gaps.sort_unstable();
        report
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl CrowdReport {
    /// Fails where a frame came twice or late, or somebody heard nothing for longer than that; prints the gaps.
    pub(crate) fn judge(&self, what: &str, longest: Duration) -> Result<()> {
        let [median, most] = [self.gaps.len() / 2, self.gaps.len() - 1].map(|nth| self.gaps[nth]);
        let parties = self.gaps.len();
        let touched = self
            .gaps
            .iter()
            .filter(|gap| **gap > Duration::from_secs(1))
            .count();
        println!(
            "{what}: of {parties} parties {touched} heard nothing for more than a second; median {:.1} s, longest {:.1} s; \
             {} frames came, {} twice, {} late",
            median.as_secs_f32(),
            most.as_secs_f32(),
            self.came,
            self.twice,
            self.stale
        );
        ensure!(self.twice == 0, "{} frames came twice", self.twice);
        ensure!(self.stale == 0, "{} frames came late", self.stale);
        ensure!(most <= longest, "a party heard nothing for {most:.1?}");
        Ok(())
    }
}

impl Lanes {
    fn lane(&self, index: usize) -> MutexGuard<'_, Lane> {
        self.0[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// The next frame's number.
    fn send(&mut self) -> u64 {
        self.sent.push(Instant::now());
        self.sent.len() as u64 - 1
    }

    fn receive(&mut self, number: u64) {
        let now = Instant::now();
        let Some(sent) = self.sent.get(number as usize) else {
            return;
        };
        if now.duration_since(*sent) > ON_ITS_WAY {
            self.stale.push(now);
        }
        if self.seen.insert(number) {
            self.came.push(now);
        } else {
            self.twice.push(now);
        }
    }

    fn silence(&self, from: Instant, to: Instant) -> Duration {
        let came = self
            .came
            .iter()
            .copied()
            .filter(|at| (from..to).contains(at));
        let (longest, last) = came.fold((Duration::ZERO, from), |(longest, last), at| {
            (longest.max(at - last), at)
        });
        longest.max(to.saturating_duration_since(last))
    }
}

async fn play(configs: Vec<[RelayConfig; 2]>, lanes: Arc<Lanes>, stopped: oneshot::Receiver<()>) {
    spawn_local(async move {
        for (chunk, together) in configs.chunks(TOGETHER).enumerate() {
            let begin = together.iter().enumerate().map(|(place, configs)| {
                let party = chunk * TOGETHER + place;
                let [gateway, guest] = configs.clone();
                spawn_local(one_party(party, gateway, guest, Arc::clone(&lanes)))
            });
            for begun in begin.collect::<Vec<_>>() {
                let _ = begun.await;
            }
        }
    });
    let _ = stopped.await;
}

/// Comes back when both are in; what they say goes on.
async fn one_party(party: usize, gateway: RelayConfig, guest: RelayConfig, lanes: Arc<Lanes>) {
    let mut gateway = Peer::gateway(gateway, MacAddr::new(NIC));
    gateway.is_in().await;
    let mac = mac(party);
    let mut guest = Peer::client(guest, mac);
    guest.is_in().await;
    let mac = mac.addr().octets();
    spawn_local(talk(
        gateway,
        mac,
        LAN_HOST,
        Arc::clone(&lanes),
        [2 * party + 1, 2 * party],
    ));
    spawn_local(talk(
        guest,
        LAN_HOST,
        mac,
        lanes,
        [2 * party, 2 * party + 1],
    ));
}

/// Says something on the one lane, and hears the other one.
async fn talk(mut peer: Peer, to: [u8; 6], from: [u8; 6], lanes: Arc<Lanes>, own: [usize; 2]) {
    let [says, hears] = own;
    let mut due = interval(EVERY);
    loop {
        tokio::select! {
            _ = due.tick() => {
                let number = lanes.lane(says).send();
                let mut frame = [&to[..], &from, &KIND, &number.to_be_bytes()].concat();
                frame.resize(60, 0);
                peer.cable.send(&frame);
            }
            frame = peer.cable.next() => {
                let Some(frame) = frame else {
                    return eprintln!("warning: a peer of the crowd has ended");
                };
                let number = frame.get(HEADER..HEADER + NUMBER).and_then(|number| number.try_into().ok());
                if let (Some(number), true) = (number, frame.get(..6) == Some(&from[..])) {
                    lanes.lane(hears).receive(u64::from_be_bytes(number));
                }
            }
        }
    }
}

fn mac(party: usize) -> VirtualMac {
    let [.., high, low] = party.to_be_bytes();
    VirtualMac::from_random([2, 0x1a, 0, 1, high, low])
}

/// What the gateway and the guest of a party know. Parties begin at different relays, as DNS would have it.
fn configs(relays: &[RelaySite], party: usize) -> Result<[RelayConfig; 2]> {
    let mut others = named(relays, party)?;
    let first = others.remove(0);
    let Some(pin) = first.pin else {
        bail!("a relay without a pin")
    };
    let room = format!("CROWD-{party}").parse()?;
    let [.., high, low] = party.to_be_bytes();
    let mut secret = [7; 32];
    [secret[0], secret[1]] = [high, low];
    let host_key: HostKey = HostSecret::from_random(secret).host_key(&room);
    let guest = RelayConfig {
        server_name: "lanparty-relay".to_owned(),
        key: Some(RoomKey::from_random([high ^ low; 16])),
        host: Some(host_key.id()),
        others,
        ..RelayConfig::new(first.address, Trust::pinned(pin), room)
    };
    let gateway = RelayConfig {
        host_key: Some(host_key),
        ..guest.clone()
    };
    Ok([gateway, guest])
}

/// The relays as an invite names them, another one first for each party.
fn named(relays: &[RelaySite], party: usize) -> Result<Vec<OtherRelay>> {
    let turn = relays.iter().cycle().skip(party % relays.len());
    let turn = turn.take(relays.len());
    turn.map(|relay| Ok(relay.named().parse()?)).collect()
}
