//! When a peer whose link stands looks at the other relays. Pure: the time is passed in.
//!
//! Public for `tests/sim`, as [`choose`](super::choose) is.

use std::time::{Duration, Instant};

/// How long the party may seem to be elsewhere before others are asked: a gateway that comes back takes no longer.
const GRACE: Duration = Duration::from_millis(300);
/// How often others are asked; each time a third of it earlier or later.
const EACH: Duration = Duration::from_millis(1500);
/// How often they are asked by a gateway whose players have all gone without a word,
const EACH_AT_FIRST: Duration = Duration::from_millis(700);
/// for so long.
const HURRIES: Duration = Duration::from_secs(10);
/// After so long somebody is away rather than elsewhere, and is asked for
const AWAY: Duration = Duration::from_secs(60);
/// so much more rarely.
const RARELY: u32 = 4;
/// How often a gateway goes over because it seems to be at the wrong relay.
const MOVES: Duration = Duration::from_secs(10);

/// When to ask, and when to go.
#[derive(Debug, Default)]
pub struct Rhythm {
    wanted_since: Option<Instant>,
    next: Option<Instant>,
    moved: Option<Instant>,
}

impl Rhythm {
    /// Whether to ask the others now; to be asked several times a second. `is_wanted` while the party may be elsewhere.
    pub fn poll(&mut self, now: Instant, is_wanted: bool, random: u32) -> bool {
        if !is_wanted {
            (self.wanted_since, self.next) = (None, None);
            return false;
        }
        let since = *self.wanted_since.get_or_insert(now);
        let is_due = now >= *self.next.get_or_insert(now + GRACE);
        if is_due {
            let each = match now.saturating_duration_since(since) < AWAY {
                true => EACH,
                false => EACH * RARELY,
            };
            self.next = Some(now + jittered(each, random));
        }
        is_due
    }

    /// The others are asked now, whatever the rhythm is.
    pub fn asked(&mut self, now: Instant, random: u32) {
        self.next = Some(now + jittered(EACH, random));
    }

    /// Somebody waits for us there, most likely: the others are asked more often at first.
    pub fn hurry(&mut self, now: Instant, random: u32) {
        let is_early = |since| now.saturating_duration_since(since) < HURRIES;
        if self.wanted_since.is_some_and(is_early) {
            self.next = Some(now + jittered(EACH_AT_FIRST, random));
        }
    }

    /// The others are not asked again before this.
    pub fn rest(&mut self, until: Instant) {
        self.next = Some(until);
    }

    /// Whether a gateway may go over to where its players are.
    pub fn may_move(&self, now: Instant) -> bool {
        self.moved
            .is_none_or(|moved| now.saturating_duration_since(moved) >= MOVES)
    }

    /// It goes.
    pub fn moves(&mut self, now: Instant) {
        self.moved = Some(now);
        (self.wanted_since, self.next) = (None, None);
    }
}

/// From two thirds of this time to four thirds of it.
pub fn jittered(time: Duration, random: u32) -> Duration {
    time * 2 / 3 + (time * 2 / 3).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(50);

    #[test]
    fn others_are_asked_after_a_moment_and_then_each_second_and_a_half() {
        let (mut rhythm, begin) = (Rhythm::default(), Instant::now());
        let mut asked = Vec::new();
        for look in 0..80 {
            let now = begin + LOOK * look;
            if rhythm.poll(now, true, u32::MAX / 2) {
                asked.push((now - begin).as_millis());
            }
        }
        assert_eq!(asked, [300, 1800, 3300]);
    }

    #[test]
    fn who_is_there_again_in_time_is_not_asked_for_elsewhere() {
        let (mut rhythm, begin) = (Rhythm::default(), Instant::now());
        assert!(!rhythm.poll(begin, true, 0));
        assert!(!rhythm.poll(begin + LOOK * 5, false, 0));
        assert!(!rhythm.poll(begin + LOOK * 6, true, 0), "it begins anew");
        assert!(rhythm.poll(begin + LOOK * 12, true, 0));
    }

    #[test]
    fn who_stays_away_is_asked_for_rarely() {
        let (mut rhythm, begin) = (Rhythm::default(), Instant::now());
        let mut in_minute = [0; 3];
        for look in 0..3600 {
            let now = begin + LOOK * look;
            let minute = (now - begin).as_secs() / 60;
            in_minute[minute as usize] += u32::from(rhythm.poll(now, true, u32::MAX / 2));
        }
        assert_eq!(in_minute, [40, 10, 10]);
    }

    #[test]
    fn a_gateway_does_not_run_to_and_fro() {
        let (mut rhythm, begin) = (Rhythm::default(), Instant::now());
        assert!(rhythm.may_move(begin));
        rhythm.moves(begin);
        assert!(!rhythm.may_move(begin + MOVES / 2));
        assert!(rhythm.may_move(begin + MOVES));
    }

    #[test]
    fn a_gateway_whose_players_look_for_it_asks_more_often_for_a_while() {
        let (mut rhythm, begin) = (Rhythm::default(), Instant::now());
        let mut in_seconds = [0; 3];
        for look in 0..600 {
            let now = begin + LOOK * look;
            if rhythm.poll(now, true, u32::MAX / 2) {
                rhythm.hurry(now, u32::MAX / 2);
                in_seconds[(now - begin).as_secs() as usize / 10] += 1;
            }
        }
        assert_eq!(in_seconds, [14, 7, 7]);
    }

    #[test]
    fn jitter_is_a_third_either_way() {
        let time = Duration::from_secs(3);
        assert_eq!(jittered(time, 0), Duration::from_secs(2));
        assert_eq!(jittered(time, u32::MAX), Duration::from_secs(4));
    }
}
