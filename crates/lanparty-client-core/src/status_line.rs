//! The status line: one sentence whenever things change (spec R64).

use lanparty_edge::speech;
use lanparty_obs::way::OVER_TCP;
use lanparty_obs::{NotDirect, PlayerStatus, RelayPlace, Way, Ways};
use std::collections::BTreeSet;

/// So many remarks are said in a session: what is remarked upon may be strangers' doing.
const MAX_REMARKS: usize = 16;

/// Says how things are, once for each change.
#[derive(Debug, Default)]
pub struct StatusLine {
    last: Option<PlayerStatus>,
    remarks: BTreeSet<String>,
    /// The way that was said last, and why it was not direct.
    way: Option<(Way, Option<NotDirect>)>,
    /// At which of several relays the party was when it was said last.
    place: Option<RelayPlace>,
}

impl StatusLine {
    /// Says it on standard output, unless it was said last.
    pub fn show(&mut self, status: PlayerStatus) {
        if let Some(sentence) = self.next(status) {
            speech::say(sentence);
        }
    }

    /// Says which way frames take, whenever that is another one, or for another reason that stays.
    pub fn show_way(&mut self, ways: Option<Ways>) {
        if let Some(sentence) = ways.and_then(|ways| self.next_way(ways)) {
            speech::say(sentence);
        }
    }

    fn next_way(&mut self, ways: Ways) -> Option<String> {
        // It is not known yet how long it is.
        ways.now().rtt_us?;
        let why = ways.not_direct;
        // What is over in a moment is not worth a line, unless it is the first.
        let why = why.filter(|why| !why.is_passing());
        let is_known = |(way, said): (Way, Option<NotDirect>)| {
            way == ways.way && (said == why || why.is_none())
        };
        if self.way.is_some_and(is_known) {
            return None;
        }
        self.way = Some((ways.way, why));
        let mut sentence = format!("The way to the party: {ways}.");
        if ways.way.is_over_tcp() {
            sentence += &format!(" {OVER_TCP}");
        } else if let Some(why) = why {
            sentence += &format!(" {}", why.to_player().sentence);
        }
        Some(sentence)
    }

    /// Says at which of several relays the party is, whenever that is another one.
    pub fn show_place(&mut self, place: Option<&RelayPlace>) {
        if let Some(sentence) = place.and_then(|place| self.next_place(place)) {
            speech::say(sentence);
        }
    }

    fn next_place(&mut self, place: &RelayPlace) -> Option<String> {
        let is_new = self.place.as_ref() != Some(place);
        is_new.then(|| {
            self.place = Some(place.clone());
            format!("The party is at {place}.")
        })
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
            (
                PlayerStatus::Connecting { .. }
                | PlayerStatus::LookingUp { .. }
                | PlayerStatus::LookingForParty { .. },
                Some(_),
            ) => true,
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
    use lanparty_obs::way::Measured;

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
    fn another_way_is_said_once_and_nothing_of_what_passes() {
        let mut line = StatusLine::default();
        let by = |way, not_direct| {
            let measured = |us| Measured {
                rtt_us: Some(us),
                loss_permille: None,
            };
            Ways {
                way,
                relay: measured(31_000),
                direct: measured(12_000),
                not_direct,
            }
        };
        assert_eq!(line.next_way(Ways::default()), None, "it is not known yet");
        let first = line.next_way(by(Way::Relay, Some(NotDirect::Meeting)));
        assert_eq!(first.unwrap(), "The way to the party: relay 31 ms.");
        assert_eq!(line.next_way(by(Way::Relay, Some(NotDirect::NotYet))), None);
        let direct = line.next_way(by(Way::Direct, None));
        assert_eq!(direct.unwrap(), "The way to the party: direct 12 ms.");
        assert_eq!(line.next_way(by(Way::Direct, None)), None);
        let back = line.next_way(by(Way::Relay, Some(NotDirect::BrokenOff)));
        assert_eq!(back.unwrap(), "The way to the party: relay 31 ms.");
        let why = line.next_way(by(Way::Relay, Some(NotDirect::NoAnswer)));
        assert!(why.unwrap().contains("did not answer"));
        assert_eq!(
            line.next_way(by(Way::Relay, Some(NotDirect::NoAnswer))),
            None
        );
        assert_eq!(
            line.next_way(by(Way::Relay, Some(NotDirect::Meeting))),
            None
        );
        let tcp = line.next_way(by(Way::RelayOverTcp, Some(NotDirect::OverTcp)));
        let tcp = tcp.unwrap();
        assert!(
            tcp.starts_with("The way to the party: relay over TCP 31 ms. UDP"),
            "{tcp}"
        );
        assert!(tcp.contains("games stutter"), "{tcp}");
    }

    #[test]
    fn another_relay_is_said_once() {
        let mut line = StatusLine::default();
        let at = |number| RelayPlace {
            number: Some(number),
            of: 3,
            ..RelayPlace::default()
        };
        let said = line.next_place(&at(1)).unwrap();
        assert_eq!(said, "The party is at relay 1 of 3.");
        assert_eq!(line.next_place(&at(1)), None);
        assert!(line.next_place(&at(2)).is_some());
        assert!(line.next_place(&at(1)).is_some(), "it is back");
    }

    #[test]
    fn a_remark_is_made_once_and_there_are_not_many() {
        let mut line = StatusLine::default();
        assert!(line.is_new("0") && !line.is_new("0"));
        let said = (0..100).filter(|number: &u8| line.is_new(&number.to_string()));
        assert_eq!(said.count(), MAX_REMARKS - 1);
    }
}
