//! What a gateway has said at other relays in vain. Each hello of its carries a term of its own, higher than that of the link that
//! stands; a relay that does not let it in has that term all the same, and whoever is shown it never believes the gateway
//! where it is. So it says hello anew there, at a term that is higher still.

use super::super::{FramePort, PeerCore, PeerHost, RunError};
use super::Peer;
use super::connect::network;
use crate::link::RelayLink;
use std::time::{Duration, Instant};

/// How often that is tried until the relay here has let it in again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long it may take to come in where the other relay has sent it.
const SENT_ON: Duration = Duration::from_secs(3);
/// How long a gateway does not say hello again to a relay that has not let it in.
const REFUSED: Duration = Duration::from_secs(10);

/// What a gateway has said at other relays.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The hello that was said last had a term.
    has_term: bool,
    /// When to say hello anew here.
    anew: Option<Instant>,
    /// The relay with this number has not let it in.
    refused: Option<(usize, Instant)>,
}

impl Said {
    /// A hello goes to another relay.
    pub(super) fn says(&mut self, has_term: bool) {
        self.has_term = has_term;
    }

    /// That one has come to nothing.
    pub(super) fn in_vain(&mut self, now: Instant, place: usize) {
        if std::mem::take(&mut self.has_term) {
            self.anew = Some(now);
            self.refused = Some((place, now));
        }
    }

    /// It goes on to where that relay has sent it, which takes a moment.
    pub(super) fn is_sent_on(&mut self, now: Instant) {
        self.anew = self.anew.map(|_| now + SENT_ON);
    }

    /// The link is gone: the next one has a higher term than whatever was said.
    pub(super) fn ended(&mut self) {
        (self.has_term, self.anew) = (false, None);
    }

    /// True while hello is to be said anew here.
    pub(super) fn is_anew(&self, now: Instant) -> bool {
        self.anew.is_some_and(|at| now >= at)
    }

    /// That is being tried.
    fn tries(&mut self, now: Instant) {
        self.anew = Some(now + AGAIN);
    }

    /// True for the relay that has not let it in of late.
    pub(super) fn has_refused(&self, now: Instant, place: usize) -> bool {
        self.refused.is_some_and(|(refused, at)| {
            refused == place && now.saturating_duration_since(at) < REFUSED
        })
    }

    /// True once the link that stands is of a lower term than one that was said elsewhere.
    pub(super) fn is_outdated(&self) -> bool {
        self.anew.is_some()
    }
}

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// Reaches the relay where the link stands once more, where hello is to be said anew.
    pub(super) async fn say_anew(&mut self, link: &RelayLink) -> Result<(), RunError> {
        let now = Instant::now();
        if !self.elsewhere.said.is_anew(now) || !self.beside.is_idle() {
            return Ok(());
        }
        self.elsewhere.said.tries(now);
        let at = self.relays.place_mut(link.place());
        let starts = at.carriage.starts(now, network(&at.addresses()));
        self.try_beside(link, starts).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_that_was_told_in_vain_is_topped_where_the_gateway_is() {
        let (mut said, now) = (Said::default(), Instant::now());
        said.says(false);
        said.in_vain(now, 1);
        assert!(!said.is_anew(now) && !said.has_refused(now, 1), "a player");
        said.says(true);
        assert!(!said.is_anew(now));
        said.in_vain(now, 1);
        assert!(said.is_anew(now) && said.is_outdated());
        assert!(said.has_refused(now, 1) && !said.has_refused(now, 0));
        said.tries(now);
        assert!(!said.is_anew(now) && said.is_anew(now + AGAIN));
        said.ended();
        assert!(!said.is_outdated() && !said.is_anew(now + AGAIN));
        assert!(said.has_refused(now, 1), "also after the hello here");
        assert!(!said.has_refused(now + REFUSED, 1));
    }

    #[test]
    fn who_is_sent_on_goes_there_first() {
        let (mut said, now) = (Said::default(), Instant::now());
        said.is_sent_on(now);
        assert!(!said.is_outdated());
        said.says(true);
        said.in_vain(now, 1);
        said.is_sent_on(now);
        assert!(!said.is_anew(now) && said.is_anew(now + SENT_ON));
    }
}
