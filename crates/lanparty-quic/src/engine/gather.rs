//! How long a busy loop lets packets gather before it takes them.
//!
//! A turn costs what it costs, whatever it moves: waking up, asking the socket, clocks, timers, locks. A loop that forwards small
//! packets by the ten thousand a second would spend most of its time on that, had each a turn of its own. So one that
//! found more than one waits until a quarter of a millisecond after it looked last. Whoever comes to a loop that is idle finds
//! it waiting for nothing else, and one whose turns take longer than that never waits.

use std::time::{Duration, Instant};

/// From one look at the socket to the next, at most, as long as there is much: nobody feels that.
const TURN: Duration = Duration::from_micros(250);
/// How much later than it was asked to the system wakes a thread (the usual `timerslack_ns`).
const SLACK: Duration = Duration::from_micros(50);
/// Packets that are larger on average are somebody's bulk: these come in trains, which have gathered already, and a gate
/// measures how long each takes.
const SMALL: usize = 600;

/// When a loop looks again.
#[derive(Debug)]
pub(super) struct Gathering {
    turn: Duration,
    looked_at: Option<Instant>,
    packets: usize,
    bytes: usize,
}

impl Gathering {
    /// That of one of so many loops. A frame may wait in two of them, where there are two.
    pub(super) fn new(loops: usize) -> Self {
        Gathering {
            turn: if loops > 1 { TURN / 2 } else { TURN },
            looked_at: None,
            packets: 0,
            bytes: 0,
        }
    }

    /// The loop looks at its socket.
    pub(super) fn look(&mut self, now: Instant) {
        self.looked_at = Some(now);
        (self.packets, self.bytes) = (0, 0);
    }

    /// It has found a packet of so many bytes.
    pub(super) fn found(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes;
    }

    fn is_busy(&self) -> bool {
        self.packets > 1 && self.bytes <= self.packets * SMALL
    }

    /// How long the loop may sleep before it looks again, when something else is due `at` that moment; `None` when it has to
    /// be woken by what comes.
    pub(super) fn pause(&self, now: Instant, at: Option<Instant>) -> Option<Duration> {
        let looked_at = self.looked_at.filter(|_| self.is_busy())?;
        let end = at.into_iter().fold(looked_at + self.turn, Instant::min);
        let left = end.saturating_duration_since(now).checked_sub(SLACK)?;
        (left > Duration::ZERO).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    fn found(gathering: &mut Gathering, now: Instant, packets: &[usize]) {
        gathering.look(now);
        packets.iter().for_each(|&bytes| gathering.found(bytes));
    }

    #[test]
    fn a_lone_packet_is_followed_by_no_pause() {
        let (mut gathering, now) = (Gathering::new(1), Instant::now());
        assert_eq!(gathering.pause(now, None), None, "nothing has come yet");
        for packets in [&[100][..], &[]] {
            found(&mut gathering, now, packets);
            assert_eq!(gathering.pause(now, None), None);
        }
        // Much that is over is over.
        found(&mut gathering, now, &[100, 100]);
        assert!(gathering.pause(now, None).is_some());
        found(&mut gathering, now + us(250), &[100]);
        assert_eq!(gathering.pause(now + us(250), None), None);
    }

    #[test]
    fn looks_of_a_busy_loop_are_a_quarter_of_a_millisecond_apart_and_never_more() {
        let (mut gathering, now) = (Gathering::new(1), Instant::now());
        found(&mut gathering, now, &[100, 130]);
        for spent in 0..400 {
            let now = now + us(spent);
            let pause = gathering.pause(now, None);
            let expected = us(200)
                .checked_sub(us(spent))
                .filter(|left| !left.is_zero());
            assert_eq!(pause, expected, "{spent}");
        }
    }

    #[test]
    fn two_loops_take_no_longer_than_one() {
        let (mut gathering, now) = (Gathering::new(2), Instant::now());
        found(&mut gathering, now, &[100, 130]);
        let pause = gathering.pause(now, None).unwrap() + SLACK;
        assert!(2 * pause <= TURN, "{pause:?}");
    }

    #[test]
    fn what_is_due_does_not_wait() {
        let (mut gathering, now) = (Gathering::new(1), Instant::now());
        found(&mut gathering, now, &[100, 130]);
        assert_eq!(gathering.pause(now, Some(now)), None);
        assert_eq!(gathering.pause(now, Some(now + us(40))), None);
        assert_eq!(gathering.pause(now, Some(now + us(90))), Some(us(40)));
        assert_eq!(gathering.pause(now, Some(now + us(900))), Some(us(200)));
    }

    #[test]
    fn bulk_has_no_pauses() {
        let (mut gathering, now) = (Gathering::new(1), Instant::now());
        found(&mut gathering, now, &[1350; 30]);
        assert_eq!(gathering.pause(now, None), None);
        // Nor has what acknowledges it, together with it.
        found(&mut gathering, now, &[1350, 80, 1350, 80]);
        assert_eq!(gathering.pause(now, None), None);
    }
}
