//! The status line: one sentence whenever things change (spec R64).

use lanparty_edge::speech;
use lanparty_obs::PlayerStatus;

/// Says how things are, once for each change.
#[derive(Debug, Default)]
pub struct StatusLine {
    last: Option<PlayerStatus>,
}

impl StatusLine {
    /// Says it on standard output, unless it was said last.
    pub fn show(&mut self, status: PlayerStatus) {
        if let Some(sentence) = self.next(status) {
            speech::say(sentence);
        }
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
}
