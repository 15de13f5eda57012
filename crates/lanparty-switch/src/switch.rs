//! One room's judge: its ports, and what it knows of who is behind them.

use crate::judge::Speaker;
use crate::ports::{Port, Received};
use crate::rates::Rates;
use crate::segment::{Route, Segment};
use crate::traffic::Traffic;
use bytes::Bytes;
use lanparty_obs::{DropCounts, DropReason};
use lanparty_proto::overlay::Probe;
use lanparty_proto::{MacAddr, PeerId, RoomId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// What a datagram was that may go on.
#[derive(Debug)]
pub enum Judged {
    /// A frame, whole now.
    Frame(Crossing),
    /// A piece of a frame that is not whole yet.
    Piece,
    /// A probe of the path: it goes back to its sender, and to nobody else.
    Probe(Bytes),
}

/// A frame that may cross.
#[derive(Debug)]
pub struct Crossing {
    /// The whole frame behind the header of its origin: the very bytes that came, unless they came in pieces.
    pub datagram: Bytes,
    /// The frame's number for targets that cannot take it whole.
    pub frame_id: u16,
    /// Who gets it.
    pub route: Route,
}

/// A careful switch whose ports are peers.
#[derive(Debug)]
pub struct Switch {
    room: RoomId,
    rates: Rates,
    ports: BTreeMap<PeerId, Port>,
    segment: Segment,
}

impl Switch {
    /// A switch without ports, for datagrams of this room.
    pub fn new(now: Instant, room: RoomId, rates: Rates) -> Self {
        Switch {
            room,
            rates,
            ports: BTreeMap::new(),
            segment: Segment::new(now),
        }
    }

    /// A peer comes, whose place is free: a player's MAC, or the LAN.
    pub fn plug_in(&mut self, now: Instant, peer: PeerId, speaker: Speaker) {
        self.segment.plug_in(peer, speaker);
        self.ports.insert(peer, Port::new(now, speaker, self.rates));
    }

    /// A peer goes. Its addresses are kept for it, and what the LAN has said goes with the gateway.
    pub fn unplug(&mut self, peer: PeerId) {
        if let Some(port) = self.ports.remove(&peer) {
            self.segment.unplug(port.speaker());
        }
    }

    /// Judges a datagram; what dies by it is counted in its sender's `drops`.
    ///
    /// # Errors
    /// Why it goes nowhere.
    pub fn judge(
        &mut self,
        now: Instant,
        from: PeerId,
        datagram: Bytes,
        drops: &mut DropCounts,
    ) -> Result<Judged, DropReason> {
        let judged = self.judge_datagram(now, from, datagram, drops);
        judged.inspect_err(|&reason| drops.count(reason))
    }

    /// Lets each player send so much from now on, and begin with full buckets.
    pub fn set_rates(&mut self, now: Instant, rates: Rates) {
        self.rates = rates;
        for port in self.ports.values_mut() {
            port.set_rates(now, rates);
        }
    }

    /// What this player says to everybody or to a group is dropped, or is not any more.
    pub fn set_muted(&mut self, peer: PeerId, muted: bool) {
        if let Some(port) = self.ports.get_mut(&peer)
            && port.speaker() != Speaker::Lan
        {
            port.muted = muted;
        }
    }

    /// Players reach the LAN but not each other, or each other as well.
    pub fn set_isolated(&mut self, isolated: bool) {
        self.segment.isolated = isolated;
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.ports.values().filter_map(Port::poll_timeout).min()
    }

    /// Gives up frames whose pieces have not come in time, and says of whom and how many.
    pub fn handle_timeout(&mut self, now: Instant, mut incomplete: impl FnMut(PeerId, u64)) {
        for (&peer, port) in &mut self.ports {
            incomplete(peer, port.expire(now));
        }
    }

    /// What a peer may say.
    pub fn port(&self, peer: PeerId) -> Option<&Port> {
        self.ports.get(&peer)
    }

    /// The port behind which the LAN is, while there is one.
    pub fn gateway(&self) -> Option<PeerId> {
        self.segment.gateway()
    }

    /// How many players there are.
    pub fn players(&self) -> usize {
        self.segment.players()
    }

    /// Who is in the place that this one wants.
    pub fn holder(&self, speaker: Speaker) -> Option<PeerId> {
        self.segment.holder(speaker)
    }

    /// True while players do not reach each other.
    pub fn is_isolated(&self) -> bool {
        self.segment.isolated
    }

    /// Which IP addresses a player is held to have.
    pub fn addresses_of(&self, now: Instant, mac: MacAddr) -> impl Iterator<Item = IpAddr> {
        self.segment.addresses_of(now, mac)
    }

    fn judge_datagram(
        &mut self,
        now: Instant,
        from: PeerId,
        datagram: Bytes,
        drops: &mut DropCounts,
    ) -> Result<Judged, DropReason> {
        let place = (self.room, from);
        let port = self.ports.get_mut(&from).ok_or(DropReason::LinkDown)?;
        if let Some(probe) = Probe::decode(&datagram) {
            port.receive_probe(now, place, probe, datagram.len())?;
            return Ok(Judged::Probe(datagram));
        }
        let Some(received) = port.receive(now, place, datagram, drops)? else {
            return Ok(Judged::Piece);
        };
        let route = judge_frame(now, from, port, &mut self.segment, &received)?;
        Ok(Judged::Frame(Crossing {
            datagram: received.datagram,
            frame_id: port.next_frame_id(),
            route,
        }))
    }
}

/// All the checks of a whole frame, the cheapest first: source, classifier, claims, destination, the
/// host's orders, buckets.
fn judge_frame(
    now: Instant,
    from: PeerId,
    port: &mut Port,
    segment: &mut Segment,
    received: &Received,
) -> Result<Route, DropReason> {
    let route = segment.route(now, from, port.speaker(), received.frame())?;
    if port.muted && matches!(route, Route::Group | Route::GroupOfLan) {
        return Err(DropReason::Muted);
    }
    if segment.keeps_apart(port.speaker(), route) {
        return Err(DropReason::Isolated);
    }
    let traffic = Traffic::of(route, received.frame());
    port.allowance.spend(now, traffic, received.unpaid)?;
    Ok(route)
}
