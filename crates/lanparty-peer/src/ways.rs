//! Which way frames go: through the relay, or straight to the other end. Pure; the time is passed in.
//!
//! Each end of a direct path decides for what it sends. The path is asked with probes that come back ([`Probe`]): some of
//! full size, for a path that swallows those is none. Frames go straight as soon as that takes no longer than through the
//! relay, where nobody else has to carry them; they go back when it has got worse for a while, and at once when nothing shows
//! any more that they arrive.
//!
//! What shows it is an echo, or an acknowledgement of QUIC's: both say that something of ours got there a moment ago. That something
//! comes from there says less, for a path may break in one direction.
//!
//! Whoever has not had its turn in time has not listened either: after a sleep, or on a machine without time, nothing is
//! concluded from silence.
//!
//! [`Probe`]: lanparty_proto::overlay::Probe

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often the path is asked while frames go there, while it has not shown yet what it is worth,
const BUSY: Duration = Duration::from_millis(100);
/// while an answer is overdue that frames depend on,
const DOUBTFUL: Duration = Duration::from_millis(50);
/// and else, which also says what the path would be worth.
const IDLE: Duration = Duration::from_secs(1);
/// For how long after a frame the path counts as used.
const USED: Duration = Duration::from_millis(500);
/// How long a new path is asked so often.
const ACQUAINTANCE: Duration = Duration::from_secs(2);
/// How long nothing may show that frames arrive.
const SILENCE: Duration = Duration::from_millis(300);
/// What it has in common with longer paths: half a round trip more, and this.
const SLACK: Duration = Duration::from_millis(100);
/// How late a turn may be before nothing is concluded from the time that has passed.
const LATE: Duration = Duration::from_millis(100);
/// Echoes that a first choice needs.
const SAMPLES: usize = 3;
/// How long the direct way must be the better one.
const BETTER: Duration = Duration::from_secs(2);
/// How long it may be the worse one.
const WORSE: Duration = Duration::from_secs(5);
/// How much longer the direct way may take, for frames to go there,
const AS_GOOD: Duration = Duration::from_millis(1);
/// and how much longer it takes when they go back, where that is a fifth as well.
const CLEARLY: Duration = Duration::from_millis(2);
/// How many more packets of a thousand it loses then.
const LOSES: u16 = 20;
/// How long the direct way must work without a break after it was left, at first and at most.
const FIRST_TRIAL: Duration = Duration::from_secs(10);
const LONGEST_TRIAL: Duration = Duration::from_secs(300);
/// How often a wide path is asked for full size, and one that is not known to be.
const FULL_PERIOD: Duration = Duration::from_secs(10);
const FULL_RETRY: Duration = Duration::from_millis(1500);
/// How many probes of full size in a row must be lost, beside short ones that come back, to make a path narrow.
const STRIKES: u32 = 4;
/// Questions that are remembered: with the longest round trip that anybody plays with, none is forgotten before its
/// answer.
const REMEMBERED: usize = 32;

/// What a way is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// From here to the other end and back.
    pub rtt: Duration,
    /// How many packets of a thousand get lost on it.
    pub loss_permille: u16,
}

impl Quality {
    /// What two parts are worth that lie one behind the other.
    pub fn then(self, next: Quality) -> Quality {
        let arrive = |permille: u16| 1000 - u32::from(permille.min(1000));
        let both = arrive(self.loss_permille) * arrive(next.loss_permille) / 1000;
        Quality {
            rtt: self.rtt + next.rtt,
            loss_permille: 1000 - both as u16,
        }
    }

    /// No worse than this, as far as anybody would notice.
    fn is_as_good_as(self, other: Quality) -> bool {
        self.rtt <= other.rtt + AS_GOOD && self.loss_permille <= other.loss_permille
            || self.rtt + AS_GOOD < other.rtt && self.loss_permille < other.loss_permille + LOSES
    }

    fn is_clearly_worse_than(self, other: Quality) -> bool {
        let is_slow = self.rtt > other.rtt + CLEARLY && self.rtt > other.rtt + other.rtt / 5;
        is_slow || self.loss_permille >= other.loss_permille + LOSES
    }
}

/// A probe to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub number: u32,
    /// As long as the path takes, or as short as can be.
    pub is_full: bool,
}

/// Why frames go through the relay although there is a direct path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is not known yet what it is worth.
    New,
    /// It swallows full packets.
    Narrow,
    /// The relay's way is as good or better.
    Slower,
    /// It broke, and must show first that it holds.
    OnTrial,
    /// Nothing comes back.
    Silent,
}

/// Which of two ways frames go.
#[derive(Debug)]
pub struct Ways {
    since: Instant,
    is_direct: bool,
    /// What has been asked, oldest first, and when.
    asked: VecDeque<(Question, Instant)>,
    next_number: u32,
    next_question: Instant,
    last_question: Option<Instant>,
    used_until: Option<Instant>,
    /// How much had shown by then that something of ours arrives.
    signs: u64,
    silence: Option<Silence>,
    rtts: Rtts,
    width: Width,
    better_since: Option<Instant>,
    worse_since: Option<Instant>,
    /// Since when it has worked without a break.
    holds_since: Option<Instant>,
    trial: Trial,
    /// Since when frames go there.
    chosen_at: Option<Instant>,
}

/// Nothing has shown since then that anything arrives.
#[derive(Debug, Clone, Copy)]
struct Silence {
    /// When the first thing was sent of which that is not known,
    since: Instant,
    /// and the first two questions.
    first: Option<Instant>,
    second: Option<Instant>,
}

impl Silence {
    fn since(since: Instant) -> Self {
        Silence {
            since,
            first: None,
            second: None,
        }
    }

    fn asked(&mut self, now: Instant) {
        match self.first {
            None => self.first = Some(now),
            Some(_) => self.second = self.second.or(Some(now)),
        }
    }
}

/// Whether the path carries full packets.
#[derive(Debug, Default)]
struct Width {
    is_proven: bool,
    /// When one was sent last that has not come back.
    waits_since: Option<Instant>,
    next: Option<Instant>,
    strikes: u32,
    /// A short one came back that was sent after it.
    others_return: bool,
}

/// The last round trips. Their median is what a game feels, and a turn that came late does not move it.
#[derive(Debug, Default)]
struct Rtts {
    last: [Duration; 5],
    len: usize,
    next: usize,
}

impl Rtts {
    fn take(&mut self, rtt: Duration) {
        self.last[self.next] = rtt;
        self.next = (self.next + 1) % self.last.len();
        self.len = (self.len + 1).min(self.last.len());
    }

    fn median(&self) -> Option<Duration> {
        let mut sorted = self.last;
        let known = sorted.get_mut(..self.len)?;
        known.sort_unstable();
        known.get(known.len().checked_sub(1)? / 2).copied()
    }
}

/// How long a path must hold before it is chosen (again); with a path that takes another one's place goes what that was
/// found to be worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trial(Duration);

impl Trial {
    fn longer(self) -> Self {
        Trial((self.0 * 2).clamp(FIRST_TRIAL, LONGEST_TRIAL))
    }
}

impl Ways {
    /// A path that has just been made, with what one of before between the same two has left.
    pub fn new(now: Instant, trial: Trial) -> Self {
        Ways {
            since: now,
            is_direct: false,
            asked: VecDeque::with_capacity(REMEMBERED),
            next_number: 0,
            next_question: now,
            last_question: None,
            used_until: None,
            signs: 0,
            silence: None,
            rtts: Rtts::default(),
            width: Width::default(),
            better_since: None,
            worse_since: None,
            holds_since: None,
            trial,
            chosen_at: None,
        }
    }

    /// True when frames go straight.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// Why they do not.
    pub fn why(&self) -> Option<Why> {
        if self.is_direct {
            return None;
        }
        Some(match self {
            _ if self.is_silent() => Why::Silent,
            _ if self.width.strikes >= STRIKES => Why::Narrow,
            _ if self.rtts.len < SAMPLES || !self.width.is_proven => Why::New,
            _ if self.better_since.is_none() => Why::Slower,
            _ if self.trial != Trial::default() => Why::OnTrial,
            _ => Why::New,
        })
    }

    /// The direct round trip.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtts.median()
    }

    /// What one that takes this one's place must know.
    pub fn trial(&self) -> Trial {
        self.trial
    }

    /// True while nothing shows that anything arrives.
    pub fn is_silent(&self) -> bool {
        let is_unanswered = |silence: Silence| silence.second.is_some();
        self.holds_since.is_none() && self.silence.is_some_and(is_unanswered)
    }

    /// A frame goes straight.
    pub fn note_sent(&mut self, now: Instant) {
        self.used_until = Some(now + USED);
        let soon = self.last_question.map_or(now, |last| last + BUSY);
        self.next_question = self.next_question.min(soon.max(now));
        self.silence.get_or_insert(Silence::since(now));
    }

    /// When [`Self::poll`] has something to do.
    pub fn poll_timeout(&self) -> Instant {
        match self.gives_up_at() {
            Some(at) if self.is_direct => at.min(self.next_question),
            _ => self.next_question,
        }
    }

    /// What to ask now. `signs` counts what shows that something of ours arrives, beside echoes.
    pub fn poll(&mut self, now: Instant, signs: u64) -> Option<Question> {
        if std::mem::replace(&mut self.signs, signs) != signs {
            self.arrives(now);
        }
        if self.poll_timeout() + LATE < now {
            // Nobody has listened.
            self.silence = None;
            self.next_question = now;
        }
        if self.gives_up_at().is_some_and(|at| at <= now) {
            self.break_off();
        }
        if self.next_question > now {
            return None;
        }
        Some(self.ask(now))
    }

    /// A probe of ours has come back.
    pub fn handle_echo(&mut self, now: Instant, number: u32) {
        let place = self.asked.iter();
        let place = place.clone().position(|(asked, _)| asked.number == number);
        let Some((question, at)) = place.and_then(|place| self.asked.remove(place)) else {
            return;
        };
        let was_read_late = self.poll_timeout() + LATE < now;
        if !was_read_late {
            self.rtts.take(now.saturating_duration_since(at));
        }
        self.width.returned(question, at);
        self.arrives(now);
    }

    /// Compares the ways, of which the direct one loses so many packets of a thousand; to be called some times a second.
    pub fn judge(&mut self, now: Instant, relay: Quality, loss_permille: u16) {
        let direct = self.rtt().map(|rtt| Quality { rtt, loss_permille });
        let is_better =
            !self.is_silent() && direct.is_some_and(|direct| direct.is_as_good_as(relay));
        let is_worse = direct.is_some_and(|direct| direct.is_clearly_worse_than(relay));
        follow(&mut self.better_since, now, is_better);
        follow(&mut self.worse_since, now, is_worse);
        match self.is_direct {
            true if is_over(self.worse_since, now, WORSE) => self.leave(),
            true if self.width.strikes >= STRIKES => self.leave(),
            true => self.forgive(now),
            false if self.may_choose(now) => {
                self.is_direct = true;
                self.chosen_at = Some(now);
                self.silence = None;
            }
            false => {}
        }
    }

    /// The other end sends by the relay what could go straight. Where a question of ours stands unanswered for longer than the
    /// path takes, it is not waited for longer: two that look at one path need not both find out.
    pub fn doubt(&mut self, now: Instant) {
        let rtt = self.rtt().unwrap_or_default();
        let is_overdue = |at| now.saturating_duration_since(at) > rtt + rtt / 2 + DOUBTFUL;
        let first = self.silence.and_then(|silence| silence.first);
        let is_late = self.poll_timeout() + LATE < now;
        if self.is_direct && first.is_some_and(is_overdue) && !is_late {
            self.break_off();
        }
    }

    /// This machine has another address now: what was known is not true any more.
    pub fn break_off(&mut self) {
        self.holds_since = None;
        self.better_since = None;
        if self.is_direct {
            self.leave();
        }
    }

    /// Something of ours has got there.
    fn arrives(&mut self, now: Instant) {
        self.silence = None;
        self.holds_since.get_or_insert(now);
        if let Some(last) = self.last_question {
            self.next_question = last + self.pace(now);
        }
    }

    fn may_choose(&self, now: Instant) -> bool {
        let is_known = self.rtts.len >= SAMPLES && self.width.is_proven;
        let is_first = self.trial == Trial::default();
        let better = match is_first {
            true => self.better_since.is_some(),
            false => is_over(self.better_since, now, BETTER),
        };
        is_known && better && is_over(self.holds_since, now, self.trial.0)
    }

    fn leave(&mut self) {
        self.is_direct = false;
        self.chosen_at = None;
        self.worse_since = None;
        self.better_since = None;
        self.holds_since = None;
        self.trial = self.trial.longer();
    }

    /// One that has been good for so long may fail once as if it were new.
    fn forgive(&mut self, now: Instant) {
        if is_over(self.chosen_at, now, LONGEST_TRIAL) {
            self.trial = Trial::default();
        }
    }

    /// When nothing will have shown for too long that anything arrives.
    fn gives_up_at(&self) -> Option<Instant> {
        let silence = self.silence?;
        let patience = self.patience();
        Some((silence.since + patience).max(silence.second? + patience / 3))
    }

    fn patience(&self) -> Duration {
        let rtt = self.rtt().unwrap_or_default();
        SILENCE.max(rtt + rtt / 2 + SLACK)
    }

    fn ask(&mut self, now: Instant) -> Question {
        let question = Question {
            number: self.next_number,
            is_full: self.width.asks(now),
        };
        self.next_number = self.next_number.wrapping_add(1);
        if self.asked.len() == REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back((question, now));
        let silence = self.silence.get_or_insert(Silence::since(now));
        silence.asked(now);
        self.last_question = Some(now);
        self.next_question = now + self.pace(now);
        question
    }

    /// How long after a question the next one comes.
    fn pace(&self, now: Instant) -> Duration {
        let is_used = self.used_until.is_some_and(|until| now < until);
        let is_new = now.saturating_duration_since(self.since) < ACQUAINTANCE;
        let rtt = self.rtt().unwrap_or_default();
        match self.silence {
            Some(silence) if self.is_direct && silence.second.is_some() => DOUBTFUL,
            _ if self.is_direct && is_used || !self.is_direct && is_new => BUSY,
            // An answer makes that longer.
            Some(_) if self.is_direct => BUSY + rtt + rtt / 2,
            Some(_) | None => IDLE,
        }
    }
}

impl Width {
    /// Whether the next probe shall be of full size.
    fn asks(&mut self, now: Instant) -> bool {
        if self.next.is_some_and(|next| now < next) {
            return false;
        }
        if self.waits_since.take().is_some() && self.others_return {
            self.strikes = self.strikes.saturating_add(1);
        }
        if self.strikes >= STRIKES {
            self.is_proven = false;
        }
        self.waits_since = Some(now);
        self.others_return = false;
        self.next = Some(now + self.period());
        true
    }

    fn period(&self) -> Duration {
        match (self.is_proven, self.strikes) {
            (true, 0) => FULL_PERIOD,
            // Every other one of the first.
            (false, ..STRIKES) => BUSY + BUSY / 2,
            (true, _) => FULL_RETRY,
            (false, _) => FULL_PERIOD,
        }
    }

    fn returned(&mut self, question: Question, at: Instant) {
        match question.is_full {
            true => {
                self.is_proven = true;
                self.waits_since = None;
                self.strikes = 0;
            }
            false => self.others_return |= self.waits_since.is_some_and(|since| since <= at),
        }
    }
}

fn follow(since: &mut Option<Instant>, now: Instant, is_so: bool) {
    match is_so {
        true => {
            since.get_or_insert(now);
        }
        false => *since = None,
    }
}

fn is_over(since: Option<Instant>, now: Instant, period: Duration) -> bool {
    since.is_some_and(|since| now.saturating_duration_since(since) >= period)
}

#[cfg(test)]
mod tests;
