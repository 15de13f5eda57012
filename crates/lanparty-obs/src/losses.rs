//! How many packets got lost of late: what a player is told of a bad path, which an evening's average hides.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is of late.
const WINDOW: Duration = Duration::from_secs(60);
/// How often it is looked, at most; a look is kept for the whole window.
const LOOK: Duration = Duration::from_secs(1);
/// Of how few packets so few losses say nothing: one of the hundred that a quiet link sends in a minute is no bad path, but
/// would be shown as one of a hundred. One of 400 is below what anybody is warned of, 5 of 1000.
const FEW: u64 = 400;
const FEW_LOST: u64 = 3;

/// Packets on their way to the other side of a link, counted since it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packets {
    /// All of them.
    pub sent: u64,
    /// Those of them that the other side has not acknowledged in time, so that they count as lost.
    pub lost: u64,
}

/// The counts of the last minute, oldest first.
#[derive(Debug, Default)]
pub struct Losses(VecDeque<(Instant, Packets)>);

impl Losses {
    /// So many there are now. Answers how many of a thousand got lost in the last minute; `None` where too few were sent
    /// to say so.
    pub fn of_late(&mut self, now: Instant, packets: Packets) -> Option<u16> {
        let goes_back = |last: &(Instant, Packets)| last.1.sent > packets.sent;
        if self.0.back().is_some_and(goes_back) {
            // Another path: it has its own count.
            self.0.clear();
        }
        let is_old = |at: Instant| now.saturating_duration_since(at) > WINDOW;
        while self.0.front().is_some_and(|&(at, _)| is_old(at)) {
            self.0.pop_front();
        }
        let is_due = |at: Instant| now.saturating_duration_since(at) >= LOOK;
        if self.0.back().is_none_or(|&(at, _)| is_due(at)) {
            self.0.push_back((now, packets));
        }
        let (_, before) = self.0.front()?;
        let sent = packets.sent.saturating_sub(before.sent);
        // A loss is known later than its packet was sent, so it may be one of before.
        let lost = packets.lost.saturating_sub(before.lost).min(sent);
        match (sent, lost) {
            (0, _) => None,
            (_, 0) => Some(0),
            (..FEW, ..FEW_LOST) => None,
            _ => u16::try_from(1000 * lost / sent).ok(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
mod tests {
    use super::*;

    fn packets(sent: u64, lost: u64) -> Packets {
        Packets { sent, lost }
    }

    #[test]
    fn a_minute_is_looked_at_and_nothing_before_it() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(losses.of_late(start, packets(1000, 500)), None);
        assert_eq!(losses.of_late(at(1), packets(1020, 500)), Some(0));
        assert_eq!(losses.of_late(at(2), packets(1030, 501)), None, "one of 30");
        for second in 3..=60 {
            let told = losses.of_late(at(second), packets(1000 + 20 * second, 501));
            let sent = 20 * second;
            let expected = (sent >= FEW).then(|| u16::try_from(1000 / sent).unwrap());
            assert_eq!(told, expected, "{second}");
        }
        // The loss leaves the window.
        assert_eq!(losses.of_late(at(63), packets(2300, 501)), Some(0));
        assert!(losses.0.len() <= 61);
    }

    #[test]
    fn several_losses_are_told_of_however_few_packets() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        losses.of_late(start, packets(0, 0));
        let later = start + Duration::from_secs(30);
        assert_eq!(losses.of_late(later, packets(50, 2)), None);
        assert_eq!(losses.of_late(later, packets(50, 3)), Some(60));
    }

    #[test]
    fn often_asked_is_not_more_kept_and_another_path_begins_anew() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            losses.of_late(now, packets(millis, 0));
        }
        assert_eq!(losses.0.len(), 10);
        let later = start + Duration::from_secs(10);
        assert_eq!(losses.of_late(later, packets(5, 1)), None);
        let later = start + Duration::from_secs(12);
        assert_eq!(losses.of_late(later, packets(205, 21)), Some(100));
    }
}
