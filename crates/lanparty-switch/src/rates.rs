//! How much a player may send, and how much of the LAN's talk to everybody comes in: token buckets (spec R107).
//!
//! What keeps a machine on the LAN at all (ARP, neighbour discovery, DHCP, group membership) has a small bucket
//! of its own, so that no chatter costs a player its address. Of the bucket for everything else to groups, what
//! systems say by themselves gets half at most, so that it costs no player its games' discovery.

use crate::traffic::Traffic;
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use std::fmt;
use std::time::{Duration, Instant};

/// A token bucket's size and refill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// What a full bucket holds.
    pub burst: u32,
    /// What flows in each second.
    pub per_second: u32,
}

impl Rate {
    /// Half of it, rounded up.
    fn half(self) -> Self {
        Rate {
            burst: self.burst.div_ceil(2),
            per_second: self.per_second.div_ceil(2),
        }
    }
}

/// What each client may send, and what each gives the room of its LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// To groups: ARP, neighbour discovery, a DHCP client's questions, group membership.
    pub control: Rate,
    /// Other broadcast and multicast frames.
    pub group: Rate,
    /// Frames to addresses that nobody has been heard from.
    pub unknown: Rate,
    /// Frames of every kind. One that comes in pieces counts once.
    pub frames: Rate,
    /// Bytes of frames of every kind.
    pub bytes: Rate,
    /// Frames of the LAN to everybody, half of them of one machine at most; as many again of the kinds in `control`,
    /// and to groups for players of whom nobody knows whether they want them.
    pub lan: Rate,
}

impl Default for Rates {
    /// The numbers of spec R107: a LAN's discovery chatter fits many times over, a storm does not. The LAN's own
    /// is for hundreds of machines: at 100 bytes a frame 0.4 Mbit/s to each player.
    fn default() -> Self {
        let rate = |burst, per_second| Rate { burst, per_second };
        Rates {
            control: rate(64, 32),
            group: rate(128, 64),
            unknown: rate(64, 32),
            frames: rate(8192, 20_000),
            bytes: rate(4 << 20, 12_500_000),
            lan: rate(1024, 512),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s after {}", self.per_second, self.burst)
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rates {
            control,
            group,
            unknown,
            frames,
            bytes,
            lan,
        } = self;
        write!(
            f,
            "ARP and its like {control}, other broadcast {group}, unknown unicast {unknown}, frames {frames}, \
             bytes {bytes}, broadcast of the LAN {lan}"
        )
    }
}

/// What a frame costs beside the token of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// What one port may still send.
#[derive(Debug)]
pub(crate) enum Allowance {
    Player(Box<PlayerAllowance>),
    Lan(LanAllowance),
    /// Where somebody else counts.
    Free,
}

impl Allowance {
    /// Pays for a frame; for its size and number also when the bucket of its kind is too empty.
    pub(crate) fn spend(
        &mut self,
        now: Instant,
        source: MacAddr,
        traffic: Traffic,
        cost: Cost,
    ) -> Result<(), DropReason> {
        match self {
            Allowance::Player(player) => player.spend(now, traffic, cost),
            Allowance::Lan(lan) => lan.spend(now, source, traffic),
            Allowance::Free => Ok(()),
        }
    }

    /// Pays for what is of no particular kind, or not known yet.
    pub(crate) fn spend_any(&mut self, now: Instant, cost: Cost) -> Result<(), DropReason> {
        match self {
            Allowance::Player(player) => player.spend_any(now, cost),
            Allowance::Lan(_) | Allowance::Free => Ok(()),
        }
    }
}

/// One client's buckets.
#[derive(Debug)]
pub(crate) struct PlayerAllowance {
    control: Bucket,
    group: Bucket,
    chatter: Bucket,
    unknown: Bucket,
    frames: Bucket,
    bytes: Bucket,
}

impl PlayerAllowance {
    pub(crate) fn new(now: Instant, rates: Rates) -> Self {
        PlayerAllowance {
            control: Bucket::full(now, rates.control),
            group: Bucket::full(now, rates.group),
            chatter: Bucket::full(now, rates.group.half()),
            unknown: Bucket::full(now, rates.unknown),
            frames: Bucket::full(now, rates.frames),
            bytes: Bucket::full(now, rates.bytes),
        }
    }

    fn spend(&mut self, now: Instant, traffic: Traffic, cost: Cost) -> Result<(), DropReason> {
        let (kind, refusal) = match traffic {
            Traffic::Known => return self.spend_any(now, cost),
            Traffic::Unknown => (&mut self.unknown, DropReason::UnknownUnicastRate),
            Traffic::Control => (&mut self.control, DropReason::ControlRate),
            Traffic::Chatter | Traffic::Group | Traffic::Unsure => {
                (&mut self.group, DropReason::BroadcastRate)
            }
        };
        // Also what its kind refuses has been read.
        pay(now, cost, &mut self.frames, &mut self.bytes)?;
        let is_chatter = traffic == Traffic::Chatter;
        if !kind.holds(now, 1) || is_chatter && !self.chatter.holds(now, 1) {
            return Err(refusal);
        }
        kind.spend(1);
        self.chatter.spend(usize::from(is_chatter));
        Ok(())
    }

    fn spend_any(&mut self, now: Instant, cost: Cost) -> Result<(), DropReason> {
        pay(now, cost, &mut self.frames, &mut self.bytes)
    }
}

fn pay(
    now: Instant,
    cost: Cost,
    frames: &mut Bucket,
    bytes: &mut Bucket,
) -> Result<(), DropReason> {
    // They are filled together always, so one look at the clock is enough.
    let elapsed = frames.elapsed(now);
    frames.add(now, elapsed);
    bytes.add(now, elapsed);
    if !frames.has(cost.frames) {
        return Err(DropReason::FrameRate);
    }
    if !bytes.has(cost.bytes) {
        return Err(DropReason::ByteRate);
    }
    frames.spend(cost.frames);
    bytes.spend(cost.bytes);
    Ok(())
}

/// What comes in of the LAN's talk to everybody.
#[derive(Debug)]
pub(crate) struct LanAllowance {
    control: Bucket,
    rest: Shared,
    unsure: Shared,
}

impl LanAllowance {
    pub(crate) fn new(now: Instant, rates: Rates) -> Self {
        LanAllowance {
            control: Bucket::full(now, rates.lan),
            rest: Shared::new(now, rates.lan),
            unsure: Shared::new(now, rates.lan),
        }
    }

    /// Its kinds do not cost each other anything.
    fn spend(&mut self, now: Instant, source: MacAddr, traffic: Traffic) -> Result<(), DropReason> {
        let paid = match traffic {
            Traffic::Known | Traffic::Unknown => true,
            Traffic::Control => self.control.take(now, 1),
            Traffic::Chatter | Traffic::Group => self.rest.take(now, source),
            Traffic::Unsure => self.unsure.take(now, source),
        };
        paid.then_some(()).ok_or(DropReason::LanRate)
    }
}

/// How many machines are told apart; of more, the quietest is forgotten.
const MAX_SOURCES: usize = 64;

/// A bucket of which no machine gets more than half.
#[derive(Debug)]
struct Shared {
    whole: Bucket,
    rate: Rate,
    halves: Vec<(MacAddr, Bucket)>,
}

impl Shared {
    fn new(now: Instant, rate: Rate) -> Self {
        Shared {
            whole: Bucket::full(now, rate),
            rate,
            halves: Vec::with_capacity(MAX_SOURCES),
        }
    }

    fn take(&mut self, now: Instant, source: MacAddr) -> bool {
        if !self.whole.holds(now, 1) {
            return false;
        }
        let takes = self.half(now, source).take(now, 1);
        self.whole.spend(usize::from(takes));
        takes
    }

    /// What is left for one machine.
    fn half(&mut self, now: Instant, source: MacAddr) -> &mut Bucket {
        let known = self.halves.iter().position(|(mac, _)| *mac == source);
        let at = known.unwrap_or_else(|| {
            if self.halves.len() == MAX_SOURCES {
                let level = |(_, half): &mut (_, Bucket)| {
                    half.fill(now);
                    half.level
                };
                let levels = self.halves.iter_mut().map(level).enumerate();
                let quietest = levels.max_by_key(|&(_, level)| level);
                quietest.map(|(at, _)| self.halves.swap_remove(at));
            }
            self.halves
                .push((source, Bucket::full(now, self.rate.half())));
            self.halves.len() - 1
        });
        &mut self.halves[at].1
    }
}

/// Tokens are kept in billionths, so that each nanosecond brings `per_second` of them and nothing
/// is ever rounded.
const TOKEN: u64 = 1_000_000_000;

/// Tokens that are taken, and flow back.
#[derive(Debug)]
pub struct Bucket {
    level: u64,
    capacity: u64,
    per_nanosecond: u64,
    filled_at: Instant,
}

impl Bucket {
    /// One that holds what it can.
    pub fn full(now: Instant, rate: Rate) -> Self {
        let capacity = u64::from(rate.burst) * TOKEN;
        Bucket {
            level: capacity,
            capacity,
            per_nanosecond: rate.per_second.into(),
            filled_at: now,
        }
    }

    /// True when nothing is missing.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level == self.capacity
    }

    /// True when there are so many.
    pub fn holds(&mut self, now: Instant, tokens: usize) -> bool {
        self.fill(now);
        self.has(tokens)
    }

    /// Takes so many, if there are.
    pub fn take(&mut self, now: Instant, tokens: usize) -> bool {
        let holds = self.holds(now, tokens);
        if holds {
            self.spend(tokens);
        }
        holds
    }

    /// How many there are.
    pub(crate) fn tokens(&mut self, now: Instant) -> usize {
        self.fill(now);
        usize::try_from(self.level / TOKEN).unwrap_or(usize::MAX)
    }

    /// When there is one at least: in the past, if there is.
    pub(crate) fn has_one_at(&self) -> Instant {
        let missing = TOKEN.saturating_sub(self.level);
        self.filled_at + Duration::from_nanos(missing.div_ceil(self.per_nanosecond.max(1)))
    }

    fn has(&self, tokens: usize) -> bool {
        self.level >= cost(tokens)
    }

    /// Takes so many, which are there.
    fn spend(&mut self, tokens: usize) {
        self.level -= cost(tokens);
    }

    fn fill(&mut self, now: Instant) {
        self.add(now, self.elapsed(now));
    }

    /// Nanoseconds since it was filled.
    fn elapsed(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.filled_at);
        let seconds = elapsed.as_secs().saturating_mul(1_000_000_000);
        seconds.saturating_add(elapsed.subsec_nanos().into())
    }

    fn add(&mut self, now: Instant, nanoseconds: u64) {
        let gain = nanoseconds.saturating_mul(self.per_nanosecond);
        self.level = self.level.saturating_add(gain).min(self.capacity);
        self.filled_at = self.filled_at.max(now);
    }
}

fn cost(tokens: usize) -> u64 {
    (tokens as u64).saturating_mul(TOKEN)
}

#[cfg(test)]
mod tests;
