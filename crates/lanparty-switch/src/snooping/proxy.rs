//! The gateway's voice in its LAN's IGMP and MLD: all players as one machine (RFC 4605).
//!
//! A switch that snoops gives a group to those of its ports where somebody has reported it, and behind the gateway's
//! port there are many machines. So the gateway knows which groups its players want, and speaks for them as one host,
//! with the MAC of its own card: a report when the first player wants a group, a leave when the last one does not, an
//! answer to each querier; and all of it again when it comes back to its LAN, and as often as switches forget where
//! nobody asks. Ten players cost what one costs, and no player's own report has to come through in time.
//!
//! Sources are not told apart: a group that a player wants from some is wanted from all. RFC 4604's own range is no
//! exception, as players' clients and rooms do not tell them apart either.
//!
//! In IPv4 it speaks from no address, as RFC 3376 (§4.2.13) and RFC 4541 (§2.1.1) let hosts and proxies do: the
//! card's own address is its machine's, and may be another network's. In IPv6 that would be dropped (RFC 3810 §5.2.13),
//! so it speaks from the address of the link that is made of the MAC.
//!
//! Reports of others are not heard: where switches snoop there are none, and a stranger's must not silence ours.

use super::RENEWAL;
use super::host::Host;
use super::members::Members;
use super::message::Message;
use super::query::Query;
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// After coming back, players who were there before have said again by then what they want.
const GRACE: Duration = RENEWAL.saturating_add(Duration::from_secs(10));

/// Speaks for a room's players on the LAN.
#[derive(Debug)]
pub struct Proxy {
    members: Members,
    host: Host,
    /// When it came back, until what is older than that is forgotten.
    back_since: Option<Instant>,
}

impl Proxy {
    /// One whose card has this MAC. Of the seed its moments are made: no two proxies of a LAN should have the same.
    pub fn new(mac: MacAddr, seed: u64) -> Self {
        Proxy {
            members: Members::default(),
            host: Host::new(mac, seed),
            back_since: None,
        }
    }

    /// The same by way of another card, or of the same one that is back.
    pub fn moved(self, mac: MacAddr) -> Self {
        Proxy {
            host: self.host.moved(mac),
            ..self
        }
    }

    /// There are a room and a LAN: the LAN may have forgotten everything, and hears all that is known.
    pub fn come_in(&mut self, now: Instant) {
        self.members.expire(now, None, |_| {});
        self.host.come_in(now, self.members.groups());
        self.back_since = Some(now);
    }

    /// There is one of them no more. What is known stays, for the players' return.
    pub fn go(&mut self) {
        self.host.go();
    }

    /// A player has said this to a group: true when it is a report that need not reach the LAN, because it is spoken
    /// for.
    pub fn handle_report(&mut self, now: Instant, player: MacAddr, frame: &[u8]) -> bool {
        let frame = EthernetFrame::parse(frame).ok();
        let report = frame.and_then(Message::read).filter(Message::is_report);
        let Some(report) = report else { return false };
        let host = &mut self.host;
        self.members.learn(now, player, &report, |group, wanted| {
            host.set(now, group, wanted);
        })
    }

    /// A player has left the room.
    pub fn forget(&mut self, now: Instant, player: MacAddr) {
        let host = &mut self.host;
        self.members
            .forget(player, |group| host.set(now, group, false));
    }

    /// The LAN has said this to a group.
    pub fn hear(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        if let Some(query) = Query::read(frame) {
            self.host.hear(now, &query);
        }
    }

    /// Forgets what players have not said again. It is enough to do this now and then.
    pub fn expire(&mut self, now: Instant) {
        let since = self
            .back_since
            .take_if(|since| now.saturating_duration_since(*since) >= GRACE);
        let host = &mut self.host;
        self.members
            .expire(now, since, |group| host.set(now, group, false));
    }

    /// When [`Self::poll`] has something to say.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.host.poll_timeout()
    }

    /// What the LAN is told by now.
    pub fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.host.poll(now)
    }

    /// The groups that players want.
    pub fn groups(&self) -> impl Iterator<Item = IpAddr> {
        self.members.groups()
    }
}

#[cfg(test)]
mod tests;
