//! One room's judge: its ports, and what it knows of who is behind them.

use crate::dhcp::DhcpTalk;
use crate::judge::Speaker;
use crate::ports::Port;
use crate::rates::{Cost, Rates};
use crate::said::Talk;
use crate::segment::{Route, Segment};
use crate::snooping::{Groups, Meaning, Wants};
use crate::traffic::Traffic;
use crate::view::View;
use bytes::Bytes;
use lanparty_obs::{DropCounts, DropReason};
use lanparty_proto::overlay::Probe;
use lanparty_proto::{EthernetFrame, MacAddr, PeerId, RoomId};
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
    view: View,
    room: RoomId,
    rates: Rates,
    ports: BTreeMap<PeerId, Port>,
    segment: Segment,
    groups: Groups,
}

impl Switch {
    /// A switch without ports that asks everything, for datagrams of this room.
    pub fn new(now: Instant, room: RoomId, rates: Rates) -> Self {
        Self::with_view(now, View::Whole, room, rates)
    }

    /// A switch without ports that asks what it can see from there.
    pub fn with_view(now: Instant, view: View, room: RoomId, rates: Rates) -> Self {
        Switch {
            view,
            room,
            rates,
            ports: BTreeMap::new(),
            segment: Segment::new(now, view),
            groups: Groups::default(),
        }
    }

    /// A peer comes, whose place is free: a player's MAC, or the LAN.
    pub fn plug_in(&mut self, now: Instant, peer: PeerId, speaker: Speaker) {
        self.segment.plug_in(peer, speaker);
        let rates = self.view.counts().then_some(self.rates);
        self.ports.insert(peer, Port::new(now, speaker, rates));
        if let Speaker::Player(_) = speaker {
            self.groups.add(peer);
        }
    }

    /// A player's client has said by then which groups its machine wants, and hears no others from then on: see
    /// [`snooping`](crate::snooping).
    pub fn trust_reports(&mut self, peer: PeerId, then: Instant) {
        self.groups.trust(peer, then);
    }

    /// True when a player hears frames for this group, also if nobody knows whether it wants them and those go to
    /// such players.
    pub fn hears(&self, now: Instant, peer: PeerId, group: IpAddr, unsure: bool) -> bool {
        match self.groups.wants(now, peer, group) {
            Wants::Yes => true,
            Wants::Perhaps => unsure,
            Wants::No => false,
        }
    }

    /// A peer goes. Its addresses are kept for it, and what the LAN has said is kept for the gateway's return, each
    /// for its time.
    pub fn unplug(&mut self, peer: PeerId) {
        if let Some(port) = self.ports.remove(&peer) {
            self.segment.unplug(port.speaker());
            self.groups.remove(peer);
        }
    }

    /// Everybody goes, to another room: what the LAN has said is kept, for it is the same LAN.
    pub fn move_to(&mut self, room: RoomId) {
        let everybody: Vec<_> = self.ports.keys().copied().collect();
        everybody.into_iter().for_each(|peer| self.unplug(peer));
        self.room = room;
    }

    /// What the LAN has said is worth nothing any more: another gateway may be on another one.
    pub fn forget_lan(&mut self) {
        self.segment.forget_lan();
    }

    /// Judges a datagram. Frames that will never become whole are counted in their sender's `drops`; what it
    /// answers is the caller's to count.
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
        let place = (self.room, from);
        let port = self.ports.get_mut(&from).ok_or(DropReason::LinkDown)?;
        if let Some(probe) = Probe::decode(&datagram) {
            port.receive_probe(now, place, probe, datagram.len())?;
            return Ok(Judged::Probe(datagram));
        }
        let Some(received) = port.receive(now, place, datagram, drops)? else {
            return Ok(Judged::Piece);
        };
        let (frame, unpaid) = (received.frame(), received.unpaid);
        let mut judge = Judge {
            view: self.view,
            segment: &mut self.segment,
            groups: &mut self.groups,
        };
        let route = judge.frame(now, from, port, frame, unpaid)?;
        Ok(Judged::Frame(Crossing {
            datagram: received.datagram,
            frame_id: port.next_frame_id(),
            route,
        }))
    }

    /// True for the MAC of a machine that was heard on the LAN of late: no player may come with it.
    pub fn is_on_lan(&self, now: Instant, mac: MacAddr) -> bool {
        self.segment.is_on_lan(now, mac)
    }

    /// The gateway has heard this MAC on the LAN, in frames that nobody here wanted.
    pub fn learn_of_lan(&mut self, now: Instant, mac: MacAddr) {
        self.segment.learn_of_lan(now, mac);
    }

    /// Another switch at the same LAN has heard these of late.
    pub fn learn_lan_of(&mut self, now: Instant, other: &Switch) {
        let machines = other.segment.lan(now);
        machines.for_each(|mac| self.segment.learn_of_lan(now, mac));
    }

    /// Which address the claim was about that [`Self::judge`] has just refused, if it was one.
    pub fn take_refused(&mut self) -> Option<IpAddr> {
        self.segment.take_refused()
    }

    /// Which player's lease has just been withheld ([`DropReason::LeaseConflict`]), and of which address.
    pub fn take_withheld(&mut self) -> Option<(MacAddr, IpAddr)> {
        self.segment.take_withheld()
    }

    /// What the frame that was just judged was between a player and a DHCP server of the LAN, if it was that.
    pub fn take_dhcp(&mut self) -> Option<DhcpTalk> {
        self.segment.take_dhcp()
    }

    /// Judges a whole frame that came to a port otherwise than in a datagram, as the LAN's come to the gateway.
    ///
    /// # Errors
    /// Why it goes nowhere.
    pub fn judge_frame(
        &mut self,
        now: Instant,
        from: PeerId,
        frame: &[u8],
    ) -> Result<Route, DropReason> {
        let port = self.ports.get_mut(&from).ok_or(DropReason::LinkDown)?;
        let mut judge = Judge {
            view: self.view,
            segment: &mut self.segment,
            groups: &mut self.groups,
        };
        let unpaid = Cost {
            frames: 1,
            bytes: frame.len(),
        };
        judge.frame(now, from, port, frame, unpaid)
    }

    /// Lets each player send so much from now on, and begin with full buckets.
    pub fn set_rates(&mut self, now: Instant, rates: Rates) {
        self.rates = rates;
        let rates = self.view.counts().then_some(rates);
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

    /// The MACs of all players.
    pub fn macs_of_players(&self) -> impl Iterator<Item = MacAddr> {
        self.segment.macs_of_players()
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
}

/// All but the ports, while one of those is in use.
struct Judge<'a> {
    view: View,
    segment: &'a mut Segment,
    groups: &'a mut Groups,
}

impl Judge<'_> {
    /// All the checks of a whole frame, the cheapest first: source, classifier, claims, destination, the
    /// host's orders, groups, buckets.
    fn frame(
        &mut self,
        now: Instant,
        from: PeerId,
        port: &mut Port,
        frame: &[u8],
        unpaid: Cost,
    ) -> Result<Route, DropReason> {
        let Judge {
            view,
            segment,
            groups,
        } = self;
        let speaker = port.speaker();
        let (route, talk) = segment.route(now, from, speaker, frame)?;
        let to_group = matches!(route, Route::Group | Route::GroupOfLan);
        let meaning = match to_group && view.snoops() {
            true => {
                let frame = EthernetFrame::parse(frame).map_err(|_| DropReason::Runt)?;
                Meaning::of(frame, talk == Talk::Membership)
            }
            false => Meaning::ForAll,
        };
        // What a machine wants to hear is no talk.
        if port.muted && to_group && !matches!(meaning, Meaning::Report(_)) {
            return Err(DropReason::Muted);
        }
        if segment.keeps_apart(speaker, route) {
            return Err(DropReason::Isolated);
        }
        let mut spend = |traffic| {
            let source = EthernetFrame::parse(frame).map_or(MacAddr::ZERO, EthernetFrame::source);
            port.allowance.spend(now, source, traffic, unpaid)
        };
        let mut pay = || spend(Traffic::of(route, talk));
        match (speaker, meaning) {
            (_, Meaning::ForAll) => pay().map(|()| route),
            (Speaker::Player(_), Meaning::Report(report)) => {
                pay()?;
                groups.learn(now, from, &report);
                Ok(Route::GroupOfLan)
            }
            (Speaker::Player(_), Meaning::For(_)) if route == Route::GroupOfLan => {
                pay().map(|()| route)
            }
            (Speaker::Player(_), Meaning::For(group)) => pay().map(|()| Route::Members {
                group,
                unsure: true,
            }),
            (Speaker::Lan, Meaning::Report(_)) => Err(DropReason::Unwanted),
            (Speaker::Lan, Meaning::For(group)) => {
                let unsure = match groups.audience(now, group) {
                    (false, false) => return Err(DropReason::Unwanted),
                    (false, true) => spend(Traffic::Unsure).map(|()| true)?,
                    // Who has asked for it gets it all, however much that is.
                    (true, may) => may && spend(Traffic::Unsure).is_ok(),
                };
                Ok(Route::Members { group, unsure })
            }
        }
    }
}
