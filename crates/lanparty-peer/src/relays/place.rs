//! A relay at which the party may be, and what is known of it.

use super::trail::may_lead_to;
use crate::link::carriage::Carriage;
use crate::relay_args::RelayConfig;
use lanparty_ctrl::{Pin, ResumeToken, RoomCode, places};
use lanparty_edge::address::RelayAddress;
use lanparty_quic::tls::{Trust, TrustError};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long it is remembered that a relay does not know how to answer; it may be updated.
const OLD: Duration = Duration::from_secs(300);

/// A relay at which the party may be.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) address: RelayAddress,
    /// None where an authority vouches for it, or a certificate that was given.
    pin: Option<Pin>,
    server_name: String,
    trust: Trust,
    also: Vec<SocketAddr>,
    /// Where its name led last.
    pub(crate) known: Vec<SocketAddr>,
    /// What is known of UDP and TCP to it.
    pub(crate) carriage: Carriage,
    /// For the place that we had there.
    pub(crate) token: Option<ResumeToken>,
    old_since: Option<Instant>,
    /// The number of the invite's relay by which it was found.
    pub(crate) origin: usize,
    /// Who has named it is of the internet, and leads to nobody in our own network.
    is_of_internet: bool,
}

impl Place {
    /// The invite's first relay.
    pub(crate) fn first(config: &RelayConfig, token: Option<ResumeToken>) -> Self {
        Place {
            address: config.address.clone(),
            pin: config.trust.pin(),
            server_name: config.server_name.clone(),
            trust: config.trust.clone(),
            also: config.also.clone(),
            known: Vec::new(),
            carriage: Carriage::default(),
            token,
            old_since: None,
            origin: 0,
            is_of_internet: false,
        }
    }

    /// Another one.
    ///
    /// # Errors
    /// [`TrustError`], where an authority should vouch for it and the system knows none.
    pub(crate) fn other(
        config: &RelayConfig,
        address: RelayAddress,
        pin: Option<Pin>,
        token: Option<ResumeToken>,
    ) -> Result<Self, TrustError> {
        let trust = match pin {
            Some(pin) => Trust::pinned(pin),
            // A certificate that was given may be for all of them.
            None if config.trust.pin().is_none() => config.trust.clone(),
            None => Trust::load(None)?,
        };
        Ok(Place {
            server_name: address.host().to_owned(),
            address,
            pin,
            trust,
            also: Vec::new(),
            known: Vec::new(),
            carriage: Carriage::default(),
            token,
            old_since: None,
            origin: 0,
            is_of_internet: false,
        })
    }

    /// The same, as the invite's relay with this number leads to it, or one of the internet.
    pub(crate) fn by(self, origin: usize, is_of_internet: bool) -> Self {
        Place {
            origin,
            is_of_internet,
            ..self
        }
    }

    /// True for that relay, as it is named and known.
    pub(crate) fn is(&self, address: &RelayAddress, pin: Option<Pin>) -> bool {
        let is_known_so = pin.is_none() || self.pin.is_none() || pin == self.pin;
        self.address.is_same(address) && is_known_so
    }

    /// The configuration with it in the first one's place.
    pub(crate) fn config(&self, base: &RelayConfig) -> RelayConfig {
        RelayConfig {
            address: self.address.clone(),
            also: self.also.clone(),
            server_name: self.server_name.clone(),
            trust: self.trust.clone(),
            ..base.clone()
        }
    }

    /// Where its packets may go, by what is known.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let also = self.also.iter().filter(|also| !self.known.contains(also));
        let addresses = self.known.iter().chain(also).copied();
        let may_lead = |to: &SocketAddr| !self.is_of_internet || may_lead_to(true, to.ip());
        addresses.filter(may_lead).collect()
    }

    /// What it is worth to a room where all else is equal.
    pub(crate) fn worth(&self, room: &RoomCode) -> [u8; 32] {
        match &self.pin {
            Some(pin) => places::rendezvous(room, pin.as_bytes()),
            None => {
                let name = self.address.to_string().to_ascii_lowercase();
                places::rendezvous(room, name.as_bytes())
            }
        }
    }

    /// It does not know how to answer.
    pub(crate) fn note_old(&mut self, now: Instant) {
        self.old_since = Some(now);
    }

    /// True where that has been so of late.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        self.old_since
            .is_some_and(|since| now.saturating_duration_since(since) < OLD)
    }
}
