//! Going where the fleet sends a peer whose link stands, or staying where it is with a word on why.

use super::super::{Event, FramePort, PeerCore, PeerHost, RunError};
use super::Peer;
use super::wish::Wish;
use crate::link::{ConnectError, RelayLink};
use crate::relays::NotFollowed;
use crate::relays::survey::Question;
use crate::relays::trail::Trail;
use lanparty_ctrl::places::Elsewhere as Place;
use lanparty_edge::address::RelayAddress;
use lanparty_quic::HandshakeError;
use std::time::{Duration, Instant};

/// After so long it is not gone there any more. The relay that has sent us ends our link after 5 s, if it is right.
const PATIENCE: Duration = Duration::from_secs(8);
/// Nobody here can mend its address.
pub(super) const SILENT: &str = "it does not answer";
/// A relay may send us anywhere any number of times; people hear of it so often.
const TOLD: Duration = Duration::from_secs(60);

/// Where the fleet wants a peer.
#[derive(Debug, Default)]
pub(super) struct Sent {
    to: Option<(usize, Instant)>,
    /// Where it did not go, and why.
    stays: Option<(String, String)>,
    told: Option<Instant>,
}

impl Sent {
    /// The number of that relay.
    pub(super) fn place(&self) -> Option<usize> {
        self.to.map(|(place, _)| place)
    }

    /// Nobody is on the way there any more.
    pub(super) fn ends(&mut self) {
        (self.to, self.stays) = (None, None);
    }

    fn goes(&mut self, now: Instant, place: usize) {
        let is_same = self.place() == Some(place);
        self.to = self.to.filter(|_| is_same).or(Some((place, now)));
    }

    /// Nobody goes there. Who is on the way elsewhere goes on.
    fn does_not_follow(&mut self, relay: String, why: String) {
        if self.to.is_none() {
            self.stays = Some((relay, why));
        }
    }

    fn stays(&mut self, relay: String, why: String) {
        self.to = None;
        self.stays = Some((relay, why));
    }

    /// Whom nobody has reached in time.
    fn is_overdue(&self, now: Instant) -> Option<usize> {
        let (place, since) = self.to?;
        (now.saturating_duration_since(since) >= PATIENCE).then_some(place)
    }

    /// What is to be told, which is not told too often.
    fn take_stays(&mut self, now: Instant) -> Option<(String, String)> {
        let stays = self.stays.take()?;
        let is_new = |told| now.saturating_duration_since(told) >= TOLD;
        if !self.told.is_none_or(is_new) {
            return None;
        }
        self.told = Some(now);
        Some(stays)
    }
}

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// The fleet has another relay for the room.
    pub(super) fn is_sent(&mut self, now: Instant, link: &RelayLink, to: &Place) {
        let from = link.place();
        let mut trail = Trail::from(&self.relays.place(from).address);
        let is_of_internet = link.is_of_internet();
        let config = self.config();
        let from = (from, is_of_internet);
        match self.relays.follow(now, &config, &mut trail, from, to) {
            Ok(place) => {
                tracing::info!(relay = to.address, "The room goes to another relay");
                self.go_to(now, place);
            }
            Err(error) => self.does_not_follow(to, error),
        }
    }

    fn does_not_follow(&mut self, to: &Place, error: NotFollowed) {
        tracing::debug!(%error, relay = to.address, "Not followed");
        // What a stranger has written is shown if it is an address.
        let relay = to
            .address
            .parse()
            .map(|relay: RelayAddress| relay.to_string());
        let relay = relay.unwrap_or_else(|_| "no address".to_owned());
        self.elsewhere
            .sent
            .does_not_follow(relay, error.to_string());
    }

    /// Goes there as soon as it is reached.
    fn go_to(&mut self, now: Instant, place: usize) {
        self.survey.stop();
        self.elsewhere.sent.goes(now, place);
        self.elsewhere.wish = Some(Wish::To(place));
        let mut survey = std::mem::take(&mut self.survey);
        self.look_up(&mut survey, place, Question::Nothing);
        self.survey = survey;
    }

    /// Gives up who is not reached, and says so.
    pub(super) async fn look_at_sent(&mut self, now: Instant) -> Result<(), RunError> {
        if let Some(place) = self.elsewhere.sent.is_overdue(now) {
            let error = self
                .survey
                .replies()
                .filter(|replied| replied.place == place)
                .find_map(|replied| replied.reply.as_ref().err());
            let why = match error {
                None | Some(ConnectError::Handshake(HandshakeError::NoAnswer)) => SILENT.to_owned(),
                Some(error) => error.to_string(),
            };
            let relay = self.relays.place(place).address.to_string();
            self.elsewhere.sent.stays(relay, why);
            self.elsewhere.wish = None;
            self.survey.stop();
            self.beside.stop();
            self.elsewhere.said.in_vain(now, place);
        }
        match self.elsewhere.sent.take_stays(now) {
            Some((relay, why)) => {
                tracing::info!(relay, why, "Stays where it is");
                let (relay, why) = (&relay, &why);
                self.tell(Event::Stays { relay, why }).await
            }
            None => Ok(()),
        }
    }

    /// Another relay has not let us in.
    pub(super) fn not_let_in_elsewhere(&mut self, place: usize, error: ConnectError) {
        let address = self.relays.place(place).address.clone();
        tracing::debug!(%error, relay = %address, "Another relay does not let us in");
        let now = Instant::now();
        self.elsewhere.said.in_vain(now, place);
        let was_sent = self.elsewhere.sent.place().is_some();
        self.elsewhere.wish = None;
        match error {
            ConnectError::Sent(to) => {
                let mut trail = Trail::from(&address);
                let config = self.config();
                let from = (place, self.elsewhere.is_of_internet);
                match self.relays.follow(now, &config, &mut trail, from, &to) {
                    Ok(next) => {
                        self.elsewhere.said.is_sent_on(now);
                        self.go_to(now, next);
                    }
                    Err(error) if was_sent => self.does_not_follow(&to, error),
                    Err(error) => tracing::debug!(%error, "Not followed"),
                }
            }
            error if was_sent => {
                let relay = address.to_string();
                self.elsewhere.sent.stays(relay, error.to_string());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_reached_is_given_up_however_often_the_fleet_says_it() {
        let (mut sent, begin) = (Sent::default(), Instant::now());
        for second in 0..8 {
            let now = begin + Duration::from_secs(second);
            sent.goes(now, 3);
            assert_eq!((sent.place(), sent.is_overdue(now)), (Some(3), None));
        }
        assert_eq!(sent.is_overdue(begin + PATIENCE), Some(3));
        sent.goes(begin + PATIENCE, 4);
        assert_eq!(sent.is_overdue(begin + PATIENCE), None, "another one");
        sent.ends();
        assert_eq!(sent.is_overdue(begin + PATIENCE * 3), None);
    }

    #[test]
    fn who_is_on_the_way_goes_on_whatever_else_is_said() {
        let (mut sent, now) = (Sent::default(), Instant::now());
        let nowhere = |sent: &mut Sent| {
            sent.does_not_follow("no address".to_owned(), "it is none".to_owned());
        };
        sent.goes(now, 3);
        nowhere(&mut sent);
        assert_eq!((sent.place(), sent.take_stays(now)), (Some(3), None));
        sent.ends();
        nowhere(&mut sent);
        assert!(sent.place().is_none() && sent.take_stays(now).is_some());
    }

    #[test]
    fn a_relay_that_sends_us_to_nobody_again_and_again_fills_no_log() {
        let (mut sent, begin) = (Sent::default(), Instant::now());
        let mut told = 0;
        for second in 0..120 {
            sent.stays("b.example:443".to_owned(), "it does not answer".to_owned());
            let now = begin + Duration::from_secs(second);
            told += usize::from(sent.take_stays(now).is_some());
            assert_eq!(sent.take_stays(now), None);
        }
        assert_eq!(told, 2);
    }
}
