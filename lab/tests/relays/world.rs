//! Three relays, a LAN, a player who has to go by a relay and one who need not, and the traffic by which all is judged.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lanparty_lab::traffic::{EchoSession, PingReport, Pings, Shouts};
use lanparty_lab::{Player, Several, SeveralPlan, Spare, Venue, World, binaries, pass};

use crate::table::Row;

/// Everybody is back by then (spec R150).
const PROMISE: Duration = Duration::from_secs(7);
/// Programs that are built for debugging, and a machine that has other work, may take nearly twice as long. What nobody has noticed
/// by then, only QUIC's own timeout of 15 seconds would.
const BUSY: Duration = Duration::from_secs(6);
/// With so much of the machine to spare, waits are our own.
const TO_SPARE: f64 = 0.2;
/// What a game sends.
const PER_SECOND: u32 = 60;
/// What a game says to everybody; a relay lets 64 pass a second.
const SHOUTS_PER_SECOND: u32 = 20;
/// Half a second of answers is a way that works.
const STEADY: usize = 30;
/// When nothing has come back by then, nothing will.
const GIVEN_UP: Duration = Duration::from_secs(40);
/// What goes wrong late, goes wrong by then.
const SETTLED: Duration = Duration::from_secs(2);
/// TCP waits twice as long before every new attempt, so after an outage it sleeps for up to as long again.
const TCP_WAKES: Duration = Duration::from_secs(30);
/// A frame older than this is one that somebody kept.
const STALE: Duration = Duration::from_millis(1500);

/// Where UDP is away for a moment somebody may come over TCP, which keeps frames by itself: not what is asked here.
const NO_TCP: &str = "--no-tcp";

/// Who has to go by the relay, so that nothing hides a gap.
pub(crate) const BY_RELAY: usize = 0;
/// Who may have a direct path.
pub(crate) const DIRECT: usize = 1;

pub(crate) struct Relays {
    /// Ends before the machines do.
    games: [Game; 2],
    shouts: [Shouts; 2],
    party: Mutex<Several>,
}

/// What a player does all evening: pings to the LAN and from it, and TCP.
struct Game {
    pings: [Pings; 2],
    tcp: EchoSession,
}

impl World for Relays {
    fn report(&self) -> String {
        self.party().report()
    }
}

impl Relays {
    /// Machines for players: the two of the games, who joins late, and who has an old invite.
    const REMOTES: usize = 4;
    const RELAYS: usize = 3;

    pub(crate) fn gather() -> Result<Self> {
        // Who comes back so often would have to wait.
        let many = ["--max-joins", "10000", "--max-joins-per-address", "10000"];
        let mut party = Several::gather(SeveralPlan {
            relays: Self::RELAYS,
            relay: many.map(str::to_owned).to_vec(),
            gateway: vec![NO_TCP.to_owned()],
            remotes: Self::REMOTES,
            log: None,
        })?;
        party.join(Several::INVITE, &["--relay-only", NO_TCP])?;
        party.join(Several::INVITE, &[NO_TCP])?;
        let [one, other] = [BY_RELAY, DIRECT].map(|player| Game::begin(&party, player));
        let games = [one?, other?];
        let (machine, address) = (&party.players[BY_RELAY].machine, party.is_in(BY_RELAY)?);
        let Venue { lan1, lan2, .. } = &party.venue;
        let shouts = [
            Shouts::start(machine, address, lan1, SHOUTS_PER_SECOND)?,
            Shouts::start(lan2, Venue::LAN2, machine, SHOUTS_PER_SECOND)?,
        ];
        Ok(Self {
            games,
            shouts,
            party: Mutex::new(party),
        })
    }

    pub(crate) fn party(&self) -> MutexGuard<'_, Several> {
        self.party.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happens to the relay where the gateway is, whose index it is told; after that all is well again in time.
    pub(crate) fn lives_through(
        &self,
        happens: impl FnOnce(&Self, &mut Several, usize) -> Result<()>,
    ) -> Result<Row> {
        let mut party = self.party();
        let at = party.where_it_is(None).context("the gateway is nowhere")?;
        self.is_calm()?;
        let (begin, spare, mark) = (Instant::now(), Spare::now()?, party.gateway.mark());
        happens(self, &mut party, at)?;
        self.answers_come(Instant::now())?;
        pass(SETTLED);
        let end = Instant::now();
        let moves = party.gateway.log();
        let moves = moves
            .lines()
            .skip(mark)
            .filter(|line| line.contains(": connected to the relay"));
        let moves = moves.count();
        drop(party);
        let is_release = binaries()?.ends_with("release");
        let had_time = is_release && spare.was_more_than(TO_SPARE)?;
        let promise = if had_time { PROMISE } else { PROMISE + BUSY };
        let row = self.judge(begin, end, promise)?;
        Ok(Row { moves, ..row })
    }

    /// Answers to what is sent from now on come, to everybody.
    pub(crate) fn answers_come(&self, since: Instant) -> Result<()> {
        for (game, who) in self.games.iter().zip(["by the relay", "direct"]) {
            for (pings, whence) in game.pings.iter().zip(["player", "LAN"]) {
                let came = pings.wait_for_answers(since, STEADY, GIVEN_UP);
                let party = || format!("to the {whence}'s, {who}");
                came.with_context(party)?;
            }
        }
        Ok(())
    }

    /// Nothing is wrong any more of what was.
    fn is_calm(&self) -> Result<()> {
        self.answers_come(Instant::now())?;
        for game in &self.games {
            game.tcp.lives(TCP_WAKES)?;
        }
        Ok(())
    }

    fn judge(&self, begin: Instant, end: Instant, promise: Duration) -> Result<Row> {
        for game in &self.games {
            game.tcp.lives(TCP_WAKES)?;
        }
        let [by_relay, direct] = self.games.each_ref().map(|game| {
            let reports = game.pings.each_ref().map(|pings| pings.report(begin, end));
            (longest(&reports), reports)
        });
        let shouts = self
            .shouts
            .each_ref()
            .map(|shouts| shouts.report(begin, end));
        let frames = by_relay.1.iter().chain(&direct.1).chain(&shouts);
        for report in frames.clone() {
            ensure!(report.twice == 0, "{} frames came twice", report.twice);
        }
        let oldest = shouts.iter().map(|report| report.oldest).max();
        let oldest = oldest.unwrap_or_default();
        ensure!(oldest <= STALE, "somebody kept a frame for {oldest:.1?}");
        for (gap, who) in [
            (by_relay.0, "who goes by the relay"),
            (direct.0, "the other"),
        ] {
            ensure!(gap <= promise, "{who} was without answers for {gap:.1?}");
        }
        Ok(Row {
            gap: by_relay.0,
            direct: direct.0,
            frames: frames.map(|report| report.sent).sum(),
            moves: 0,
            joined: None,
        })
    }
}

impl Game {
    fn begin(party: &Several, player: usize) -> Result<Self> {
        let address = party.is_in(player)?;
        let machine = &party.players[player].machine;
        let Venue { lan1, lan2, .. } = &party.venue;
        // A host keeps packets for up to three seconds while it asks for a MAC address; here only the newest (arp(7)).
        for (host, interface) in [(machine, Player::TAP), (lan1, "eth0"), (lan2, "eth0")] {
            let kept = format!("net/ipv4/neigh/{interface}/unres_qlen_bytes");
            host.sysctl(&kept, "0")?;
        }
        Ok(Self {
            pings: [
                Pings::start(machine, Venue::LAN1, PER_SECOND, 56)?,
                Pings::start(lan2, address, PER_SECOND, 56)?,
            ],
            tcp: EchoSession::open(machine, lan1, Venue::LAN1)?,
        })
    }
}

fn longest(reports: &[PingReport]) -> Duration {
    let silences = reports.iter().map(|report| report.silence);
    silences.max().unwrap_or_default()
}
