//! How often a program repeats what a relay has it say: a relay is somebody else's.

use std::time::{Duration, Instant};

/// A few sentences at once.
const BURST: u32 = 8;
/// And then one in this time.
const PAUSE: Duration = Duration::from_secs(4);

/// Sentences that others cause, and how many of them may still be said.
#[derive(Debug, Default)]
pub struct Seldom {
    said: u32,
    since: Option<Instant>,
}

impl Seldom {
    /// True for a sentence that may be said now.
    pub fn may_say(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        let forgiven = u32::try_from(passed.as_millis() / PAUSE.as_millis()).unwrap_or(u32::MAX);
        if forgiven > 0 {
            self.said = self.said.saturating_sub(forgiven);
            self.since = Some(now);
        }
        let may = self.said < BURST;
        self.said += u32::from(may);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_sentences_are_said_and_a_flood_is_not() {
        let (mut seldom, start) = (Seldom::default(), Instant::now());
        let said = (0..1000).filter(|_| seldom.may_say(start));
        assert_eq!(said.count(), 8);
        let minute = (0..6000).map(|number| start + Duration::from_millis(number * 10));
        let said = minute.filter(|&at| seldom.may_say(at));
        assert_eq!(said.count(), 14);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| seldom.may_say(later)).count(), 8);
    }
}
