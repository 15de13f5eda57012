//! The status line: one sentence whenever things change (spec R64).

use lanparty_edge::speech;
use lanparty_obs::PlayerStatus;
use std::collections::BTreeSet;

/// So many remarks are said in a session: what is remarked upon may be strangers' doing.
const MAX_REMARKS: usize = 16;

/// Says how things are, once for each change.
#[derive(Debug, Default)]
pub struct StatusLine {
    last: Option<PlayerStatus>,
    remarks: BTreeSet<String>,
}

impl StatusLine {
    /// Says it on standard output, unless it was said last.
    pub fn show(&mut self, status: PlayerStatus) {
        if let Some(sentence) = self.next(status) {
            speech::say(sentence);
        }
    }

    /// Says something beside the status, once.
    pub fn remark(&mut self, sentence: &str) {
        if self.is_new(sentence) {
            speech::say(sentence);
        }
    }

    fn is_new(&mut self, sentence: &str) -> bool {
        self.remarks.len() < MAX_REMARKS && self.remarks.insert(sentence.to_owned())
    }

    fn next(&mut self, status: PlayerStatus) -> Option<String> {
        // Another attempt follows every failure; saying so each time would bury the cause.
        let retrying = match (&status, &self.last) {
            (_, None) | (PlayerStatus::LookingUp { .. }, Some(PlayerStatus::Connecting { .. })) => {
                false
            }
            (PlayerStatus::Connecting { .. } | PlayerStatus::LookingUp { .. }, Some(_)) => true,
            (_, Some(_)) => false,
        };
        if retrying || self.last.as_ref() == Some(&status) {
            return None;
        }
        let sentence = status.to_string();
        self.last = Some(status);
        Some(sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_said_once() {
        let mut line = StatusLine::default();
        let connecting = || PlayerStatus::Connecting {
            relay: "relay:443".into(),
        };
        let waiting = || PlayerStatus::WaitingForGateway {
            room: "FRIDAY".into(),
        };
        assert!(line.next(connecting()).unwrap().starts_with("Connecting"));
        let looking_up = || PlayerStatus::LookingUp {
            relay: "relay:443".into(),
        };
        assert!(line.next(looking_up()).is_some());
        assert_eq!(line.next(looking_up()), None);
        assert!(line.next(waiting()).is_some());
        assert_eq!(line.next(waiting()), None);
        assert_eq!(line.next(connecting()), None);
        assert_eq!(line.next(looking_up()), None);
        assert_eq!(line.next(waiting()), None);
    }

    #[test]
    fn a_remark_is_made_once_and_there_are_not_many() {
        let mut line = StatusLine::default();
        assert!(line.is_new("0") && !line.is_new("0"));
        let said = (0..100).filter(|number: &u8| line.is_new(&number.to_string()));
        assert_eq!(said.count(), MAX_REMARKS - 1);
    }
}
