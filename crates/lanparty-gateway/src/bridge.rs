//! What crosses between the LAN and the relay: a gateway's decisions (spec R9, R44–R47).
//!
//! From the LAN only what somebody in the room may want: frames for announced clients, broadcast and
//! multicast. Onto the LAN only what an announced client may say, from its own MAC. Both ways the
//! shared classifier has its word, and TCP handshakes are told what fits the path in one piece. When
//! what we put on the LAN comes back from it, nothing crosses to groups until that ends.

mod cam;
mod clients;
mod loop_guard;
#[cfg(test)]
mod tests;
mod voucher;

pub use cam::PERIOD as CAM_REFRESH_PERIOD;
pub use clients::MAX_CLIENTS;
pub use loop_guard::QUIET as LOOP_QUIET;

use bytes::{Bytes, BytesMut};
use cam::CamRefresh;
use clients::Clients;
use lanparty_ctrl::message::{Newcomer, PeerJoined, Role, Welcome};
use lanparty_ctrl::{HostKey, PeerMessage, RelayMessage, RoomCode};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_peer::{PeerCore, PeerOutput};
use lanparty_proto::early::EarlyDatagrams;
use lanparty_proto::ethernet::{self, MIN_WIRE_LEN, ether_type::LOCAL_EXPERIMENTAL_1};
use lanparty_proto::{
    DatagramBudget, EthernetFrame, FrameBuf, FrameKind, Header, IpMtu, MacAddr, PeerId, RoomId,
    mss, overlay,
};
use lanparty_switch::{Speaker, classify};
use loop_guard::LoopGuard;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use voucher::Voucher;

/// How often the relay hears our counters (spec R47).
pub const STATS_PERIOD: Duration = Duration::from_secs(5);

/// A gateway between one NIC and one room.
#[derive(Debug)]
pub struct Bridge {
    nic: MacAddr,
    place: Option<Place>,
    clients: Clients,
    early: EarlyDatagrams,
    refresh: CamRefresh,
    guard: LoopGuard,
    voucher: Option<Voucher>,
    outputs: VecDeque<PeerOutput>,
    stats: PeerStats,
}

/// What the relay gave us at the welcome.
#[derive(Debug, Clone, Copy)]
struct Place {
    room: RoomId,
    own_id: PeerId,
    /// What every hop of the room takes in one piece, as far as is known.
    budget: DatagramBudget,
    next_stats: Instant,
}

impl Bridge {
    /// A gateway whose NIC has this MAC.
    pub fn new(nic: MacAddr) -> Self {
        Bridge {
            nic,
            place: None,
            clients: Clients::default(),
            early: EarlyDatagrams::default(),
            refresh: CamRefresh::new(nic),
            guard: LoopGuard::default(),
            voucher: None,
            outputs: VecDeque::new(),
            stats: PeerStats::default(),
        }
    }

    /// The same, of the host who has this key for this room.
    pub fn vouching(mut self, key: HostKey, room: RoomCode) -> Self {
        self.voucher = Some(Voucher::new(key, room));
        self
    }

    /// The client whose frames come back from the LAN, while they do: nothing goes to groups then.
    pub fn looped(&self) -> Option<MacAddr> {
        self.guard.looped()
    }

    fn judge_frame(&mut self, now: Instant, frame: &mut FrameBuf) -> Result<(), DropReason> {
        let Some(place) = self.place else {
            return Err(DropReason::LinkDown);
        };
        frame.strip_priority_tag();
        let view = classify(frame.frame(), Speaker::Lan)?;
        let destination = view.destination();
        if self.clients.has(view.source()) {
            return Err(self.refuse_echo(now, view));
        }
        if destination.is_group() {
            self.check_loop(now)?;
        } else if !self.clients.has(destination) {
            return Err(DropReason::UnknownDestination);
        }
        mss::clamp(frame.frame_mut(), place.budget);
        Ok(())
    }

    /// Refuses what only we should have put on the LAN, and learns from it.
    fn refuse_echo(&mut self, now: Instant, frame: EthernetFrame<'_>) -> DropReason {
        let is_refresh = frame.kind() == FrameKind::EtherType(LOCAL_EXPERIMENTAL_1);
        if is_refresh && frame.destination() == self.nic {
            self.guard.heard_refresh(now, frame.source());
        } else if frame.destination().is_group() {
            self.guard.heard(now, frame);
        }
        match is_refresh {
            true => DropReason::CamRefresh,
            false => DropReason::UnauthorizedSourceMac,
        }
    }

    /// Refuses frames to groups while they would come back.
    fn check_loop(&self, now: Instant) -> Result<(), DropReason> {
        match self.guard.is_closed(now) {
            true => Err(DropReason::Loop),
            false => Ok(()),
        }
    }

    fn judge_datagram(
        &mut self,
        now: Instant,
        datagram: &Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        let Some(place) = self.place else {
            return Err(DropReason::LinkDown);
        };
        let (header, body) = Header::decode(datagram).map_err(|_| DropReason::Malformed)?;
        if header.room != place.room || header.peer == place.own_id {
            return Err(DropReason::ForgedHeader);
        }
        let Some(client) = self.clients.of(header.peer) else {
            // Its announcement may still be under way.
            self.early.hold(now, header.peer, datagram);
            return Ok(None);
        };
        let frame = if header.fragment {
            match client.reassemble(now, body, &mut self.stats.drops)? {
                Some(frame) => frame,
                None => return Ok(None),
            }
        } else {
            datagram.slice(overlay::HEADER_LEN..)
        };
        let frame = ethernet::without_priority_tag(frame);
        let view = classify(&frame, Speaker::Player(client.mac))?;
        if view.source() != client.mac {
            return Err(DropReason::UnauthorizedSourceMac);
        }
        if view.destination().is_group() {
            self.guard.said(now, view);
            self.check_loop(now)?;
        }
        self.stats.count_received(&frame);
        Ok(Some(padded(mss::clamped(frame, place.budget))))
    }

    fn welcome_client(&mut self, now: Instant, joined: &PeerJoined) {
        let (Some(place), Role::Client, Some(mac)) = (self.place, joined.role, joined.mac) else {
            return;
        };
        let (id, mac) = (joined.peer_id, mac.addr());
        // Frames for our own NIC are the gateway host's, whatever a client calls itself.
        if id == place.own_id || mac == self.nic {
            return;
        }
        // The relay keeps ids and MACs unique: who has one of these already is gone.
        self.forget_client(id);
        if let Some(predecessor) = self.clients.id_of(mac) {
            self.forget_client(predecessor);
        }
        if self.clients.insert(id, mac) {
            let voucher = self.voucher.as_ref();
            let answer = voucher.and_then(|own| own.answer(place.room, place.own_id, joined));
            if let Some(answer) = answer {
                let message = PeerMessage::Vouch(answer);
                self.outputs.push_back(PeerOutput::Message(message));
            }
            let frame = self.refresh.add(now, id, mac);
            self.outputs.push_back(PeerOutput::Frame(frame));
            self.take_early(now, id);
        }
    }

    /// Takes what a client said before it was announced.
    fn take_early(&mut self, now: Instant, id: PeerId) {
        for datagram in self.early.take(now, id) {
            match self.judge_datagram(now, &datagram) {
                Ok(Some(frame)) => self.outputs.push_back(PeerOutput::Frame(frame)),
                Ok(None) => {}
                Err(reason) => self.stats.drops.count(reason),
            }
        }
        self.count_lost_early();
    }

    fn count_lost_early(&mut self) {
        let lost = self.early.take_lost();
        self.stats
            .drops
            .add(DropReason::UnauthorizedSourceMac, lost);
    }

    fn forget_client(&mut self, id: PeerId) {
        if self.clients.remove(id) {
            self.refresh.remove(id);
        }
    }

    fn forget_everybody(&mut self) {
        self.clients.clear();
        self.early.clear();
        self.count_lost_early();
        self.refresh.clear();
        self.guard = LoopGuard::default();
        self.outputs.clear();
    }
}

impl PeerCore for Bridge {
    fn newcomer(&self) -> Newcomer {
        Newcomer::Gateway
    }

    fn handle_welcome(&mut self, now: Instant, welcome: &Welcome, budget: DatagramBudget) {
        // Whoever is in the room is announced after this.
        self.forget_everybody();
        self.place = Some(Place {
            room: welcome.room_id,
            own_id: welcome.peer_id,
            budget: budget.min(budget_for(welcome.effective_mtu)),
            next_stats: now + STATS_PERIOD,
        });
    }

    fn handle_lost_link(&mut self, _now: Instant) {
        self.forget_everybody();
        self.place = None;
    }

    fn handle_frame(&mut self, now: Instant, frame: &mut FrameBuf) -> Result<(), DropReason> {
        let verdict = self.judge_frame(now, frame);
        match verdict {
            Ok(()) => self.stats.count_sent(frame.frame()),
            Err(reason) => self.stats.drops.count(reason),
        }
        verdict
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.stats.datagrams_from_relay += 1;
        self.judge_datagram(now, &datagram)
            .inspect_err(|&reason| self.stats.drops.count(reason))
    }

    fn handle_control(&mut self, now: Instant, message: RelayMessage) {
        match message {
            RelayMessage::PeerJoined(joined) => self.welcome_client(now, &joined),
            RelayMessage::PeerLeft(left) => self.forget_client(left.peer_id),
            // The shell keeps these to itself.
            RelayMessage::Welcome(_)
            | RelayMessage::Reject(_)
            | RelayMessage::Vouched(_)
            | RelayMessage::Members(_)
            | RelayMessage::Notice(_)
            | RelayMessage::Disconnect(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.guard.handle_timeout(now);
        self.early.expire(now);
        self.count_lost_early();
        while let Some(frame) = self.refresh.poll(now) {
            self.outputs.push_back(PeerOutput::Frame(frame));
        }
        if let Some(place) = &mut self.place
            && place.next_stats <= now
        {
            place.next_stats = now + STATS_PERIOD;
            self.clients.expire(now, &mut self.stats.drops);
            let stats = Box::new(self.stats.clone());
            self.outputs
                .push_back(PeerOutput::Message(PeerMessage::Stats(stats)));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let stats = self.place.map(|place| place.next_stats);
        let others = [
            self.refresh.poll_timeout(),
            self.guard.poll_timeout(),
            self.early.poll_timeout(),
        ];
        stats.into_iter().chain(others.into_iter().flatten()).min()
    }

    fn poll_output(&mut self) -> Option<PeerOutput> {
        self.outputs.pop_front()
    }

    fn counters(&mut self) -> &mut PeerStats {
        &mut self.stats
    }
}

/// The budget whose whole packets are as long as this MTU.
fn budget_for(mtu: IpMtu) -> DatagramBudget {
    DatagramBudget::clamped(overlay::HEADER_LEN + ethernet::HEADER_LEN + usize::from(mtu.number()))
}

/// The frame as long as the wire wants it: a NIC pads, but not every port has a NIC behind it.
fn padded(frame: Bytes) -> Bytes {
    if frame.len() >= MIN_WIRE_LEN {
        return frame;
    }
    let mut copy = BytesMut::with_capacity(MIN_WIRE_LEN);
    copy.extend_from_slice(&frame);
    copy.resize(MIN_WIRE_LEN, 0);
    copy.freeze()
}
