//! What a gateway knows of the relays of a fleet: how far each is, so that its room is near it.

use super::super::{FramePort, PeerCore, PeerHost, RunError};
use super::Peer;
use crate::link::greeting::{Finding, find};
use crate::link::race::{Reached, Targets, race};
use crate::link::{ConnectError, RelayLink};
use crate::relays::nearby::{Measured, measure_soon};
use crate::relays::survey::{KEPT, Reply, Survey};
use lanparty_ctrl::places::FleetRelay;
use lanparty_ctrl::{HostOrder, PLACES, PeerMessage};
use lanparty_edge::address::RelayAddress;
use lanparty_quic::PathFloor;
use std::net::SocketAddr;
use std::time::Instant;

impl<C: PeerCore, P: FramePort, H: PeerHost<C>> Peer<'_, C, P, H> {
    /// True where a gateway that has measured nothing yet comes to a name that leads to several machines, or to what was a fleet
    /// before. At any other relay it says hello at once.
    pub(super) fn looks_like_fleet(&mut self, place: usize) -> bool {
        !self.is_player()
            && place == 0
            && self.nearby.is_unknown()
            && !self.relays.are_several()
            && (are_machines(&self.relays.place(place).known) || self.host.knows_fleet())
    }

    /// Asks a relay that was reached for those of its fleet, and measures them before the first hello, by which the fleet places
    /// the room. The connection that it answers is one on which hello can be said.
    pub(super) async fn learn_fleet(
        &mut self,
        place: usize,
        targets: &Targets,
        reached: Reached,
    ) -> Result<Result<Reached, ConnectError>, RunError> {
        let config = self.config_of(place);
        let question = self.question(&config, place);
        let finding = find(reached.connection(), question, &config);
        let since = Instant::now();
        match self.meanwhile(finding).await? {
            Ok(Finding::Found(found)) => {
                self.measure(place, reached.is_of_internet(), found.relays)
                    .await?;
                if since.elapsed() < KEPT {
                    return Ok(Ok(reached));
                }
            }
            Ok(Finding::Sent(to)) => return Ok(Err(ConnectError::Sent(to))),
            // It has closed the connection.
            Ok(Finding::Old) => self.nearby.note(Instant::now(), Vec::new()),
            Err(error) => return Ok(Err(error)),
        }
        let again = race(&config, targets, PathFloor::Ordinary);
        let again = self.meanwhile(again).await?;
        Ok(again.map_err(|error| error.of_invite(&config)))
    }

    /// The same at one of several relays, which has been asked already.
    pub(super) async fn measure_fleet(
        &mut self,
        survey: &Survey,
        place: usize,
    ) -> Result<(), RunError> {
        if self.is_player() || !self.nearby.is_unknown() {
            return Ok(());
        }
        let mut replies = survey.replies();
        let replied = replies.find(|replied| replied.place == place);
        let reply = replied.map(|replied| replied.reply);
        let Some(Ok(Reply::Found(found, Some(reached)))) = reply else {
            return Ok(());
        };
        match found.relays.is_empty() {
            true => Ok(()),
            false => {
                let is_of_internet = reached.1.is_of_internet();
                self.measure(place, is_of_internet, found.relays.clone())
                    .await
            }
        }
    }

    async fn measure(
        &mut self,
        place: usize,
        is_of_internet: bool,
        relays: Vec<FleetRelay>,
    ) -> Result<(), RunError> {
        let measuring = measure_soon(self.config_of(place), is_of_internet, relays);
        let measured = self.meanwhile(measuring).await?;
        self.note_measured(measured);
        Ok(())
    }

    /// The same, after some time. Where nothing could be learnt, what was known before is better than nothing.
    pub(super) fn note_looked_around(&mut self, measured: Vec<Measured>) {
        if !measured.is_empty() {
            self.note_measured(measured);
        }
    }

    /// The relays of the fleet are these, and so far away.
    pub(super) fn note_measured(&mut self, measured: Vec<Measured>) {
        let now = Instant::now();
        self.nearby.note(now, measured);
        let relays = &self.relays;
        let is_invited = |relay: &RelayAddress| {
            let mut invited = relays.invited();
            invited.any(|place| relays.place(place).address.is_same(relay))
        };
        let fleet = self.nearby.measured();
        self.sights.note_fleet(now, fleet, is_invited);
    }

    /// True where the party's host wants it at another relay of this fleet, which moves the room with all who are in. It is asked
    /// to once.
    pub(super) fn is_matter_of_fleet(&mut self, link: &RelayLink, wanted: &RelayAddress) -> bool {
        let abilities = &link.welcome().capabilities;
        let Some(relay) = self.nearby.named(wanted) else {
            return false;
        };
        if !abilities.iter().any(|ability| ability == PLACES) {
            return false;
        }
        let is_here = self.relays.place(link.place()).address.is_same(wanted);
        let mut wished = self.elsewhere.wished.iter();
        if !is_here && !wished.any(|wished| wished.is_same(wanted)) {
            let relay = relay.to_owned();
            link.send_message(PeerMessage::Host(HostOrder::Place { relay }));
            self.elsewhere.wished = Some(wanted.clone());
        }
        true
    }

    /// A gateway at a relay of a fleet looks at the others from time to time, for the next time that its room is given out.
    pub(super) fn look_around(&mut self, link: &RelayLink) {
        if self.is_player() || !self.relays.are_fleet() {
            return;
        }
        let mut config = self.config_of(link.place());
        if let Some(door) = &mut config.door {
            door.port = None;
        }
        let question = self.question(&config, link.place());
        self.nearby.look_around(Instant::now(), config, question);
    }
}

/// A machine has one address of each kind; a name with more of one kind leads to several.
pub(super) fn are_machines(addresses: &[SocketAddr]) -> bool {
    let of_v4 = addresses
        .iter()
        .filter(|at| at.ip().to_canonical().is_ipv4());
    let of_v4 = of_v4.count();
    of_v4 > 1 || addresses.len() - of_v4 > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_one_machine_is_no_fleet() {
        let are = |addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|at| at.parse().unwrap()).collect();
            are_machines(&addresses)
        };
        assert!(!are(&[]) && !are(&["192.0.2.1:443"]));
        assert!(!are(&["192.0.2.1:443", "[2001:db8::1]:443"]));
        assert!(are(&["192.0.2.1:443", "192.0.2.2:443"]));
        assert!(are(&[
            "192.0.2.1:443",
            "[2001:db8::1]:443",
            "[2001:db8::2]:443"
        ]));
    }
}
