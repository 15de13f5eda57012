//! What crosses between the LAN and the relay: a gateway's decisions (spec R9, R44–R47).
//!
//! From the LAN only what somebody in the room may want: frames for announced clients, broadcast and
//! multicast. Onto the LAN only what an announced client may say, from its own MAC. Both ways the
//! switch has its word, from inside ([`View::Inside`]): it hears all of the LAN, also what nobody in the
//! room wants, and so a relay that lies gets no stolen address and no forged DHCP past it. TCP
//! handshakes are told what fits the path in one piece. When what we put on the LAN comes back from it,
//! nothing crosses to groups until that ends.

mod afterglow;
mod cam;
mod deserted;
mod door;
mod games;
mod groups;
mod lan_macs;
mod loop_guard;
mod memory;
mod news;
mod proof;
mod reach;
#[cfg(test)]
mod tests;
mod voucher;

pub use cam::PERIOD as CAM_REFRESH_PERIOD;
pub use door::{AFTERGLOW, Orders};
use groups::Groups;
pub use loop_guard::QUIET as LOOP_QUIET;
pub use memory::Memory;

use crate::reach::Wanted;
use bytes::{Bytes, BytesMut};
use cam::CamRefresh;
use deserted::Lost;
use door::Doors;
use lan_macs::LanMacs;
use lanparty_ctrl::message::{Newcomer, PeerJoined, Role, Welcome};
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{DOORS, HostKey, HostOrder, LAN_MACS, PeerMessage, RelayMessage, RoomCode};
use lanparty_games::{Games, is_game_port};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_peer::door::{Door, Standing};
use lanparty_peer::{PeerCore, PeerOutput};
use lanparty_proof::Answerer;
use lanparty_proto::early::EarlyDatagrams;
use lanparty_proto::ethernet::{self, MIN_WIRE_LEN, ether_type::LOCAL_EXPERIMENTAL_1};
use lanparty_proto::{
    DatagramBudget, EthernetFrame, FrameBuf, FrameKind, Header, IpMtu, MacAddr, PeerId, RoomId,
    VirtualMac, mss, overlay,
};
use lanparty_switch::reach::Reach;
use lanparty_switch::{DhcpTalk, Judged, Port, Rates, Route, Speaker, Switch, View, snooping};
use loop_guard::LoopGuard;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use voucher::Voucher;

/// How many clients a gateway serves at most; a relay that announces more is mad or bad.
pub const MAX_CLIENTS: usize = 4096;
/// Of how many clients with the LAN's MACs the host has not heard yet at most.
const MAX_LOOKALIKES: usize = 16;
/// How often the relay hears our counters (spec R47).
pub const STATS_PERIOD: Duration = Duration::from_secs(5);

/// How long it may take until we have heard who was in the room before us.
const CATCH_UP: Duration = Duration::from_secs(10);

/// A gateway between one NIC and one room.
#[derive(Debug)]
pub struct Bridge {
    nic: MacAddr,
    place: Option<Presence>,
    // From the first welcome on; what it knows of the LAN outlives a link.
    switch: Option<Switch>,
    early: EarlyDatagrams,
    refresh: CamRefresh,
    guard: LoopGuard,
    lan: LanMacs,
    groups: Groups,
    /// Who came with a MAC of the LAN, where the relay does not tell the host.
    lookalikes: VecDeque<MacAddr>,
    /// What passed between players and the LAN's DHCP servers since that was looked at last.
    dhcp: VecDeque<DhcpTalk>,
    voucher: Option<Voucher>,
    /// Answers players who look whether games' ways lead here.
    proofs: Answerer,
    /// When the LAN last said anything.
    lan_heard_at: Option<Instant>,
    /// What was heard of games, on the LAN and of players; what is the LAN's outlives a link.
    games: Games,
    /// What players may reach; what is known of the LAN there outlives a link, as conversations do for a while.
    reach: Reach,
    wanted: Wanted,
    /// Who has which MAC, by what the host's wishes know people.
    people: BTreeMap<MacAddr, Person>,
    /// Players' direct paths.
    doors: Doors,
    /// Who has one from before the link and has not been announced since, and until when.
    remaining: BTreeMap<MacAddr, Instant>,
    /// Who has fallen silent.
    lost: Lost,
    /// What the host has ordered, for frames that no relay judges.
    orders: Orders,
    outputs: VecDeque<PeerOutput>,
    stats: PeerStats,
}

/// What the relay gave us at the welcome.
#[derive(Debug, Clone, Copy)]
struct Presence {
    room: RoomId,
    own_id: PeerId,
    /// What every hop of the room takes in one piece, as far as is known.
    budget: DatagramBudget,
    /// Whether the relay wants to know which MACs the LAN has.
    asks_for_macs: bool,
    /// Whether it introduces players for direct paths.
    introduces: bool,
    /// Until when players with direct paths stay, once the link is lost.
    lost: Option<Instant>,
    next_stats: Instant,
    since: Instant,
}

impl Presence {
    /// How long it takes until a player who is announced now has said which groups it wants: one who has just come
    /// does so at once, one who was there before us when it is time to say it again.
    fn until_told(self, now: Instant) -> Duration {
        match now < self.since + CATCH_UP {
            true => snooping::RENEWAL + CATCH_UP,
            false => snooping::SETTLING,
        }
    }
}

impl Bridge {
    /// A gateway whose NIC has this MAC.
    pub fn new(nic: MacAddr) -> Self {
        Bridge {
            nic,
            place: None,
            switch: None,
            early: EarlyDatagrams::default(),
            refresh: CamRefresh::new(nic),
            guard: LoopGuard::default(),
            lan: LanMacs::default(),
            groups: Groups::new(nic, 0),
            lookalikes: VecDeque::new(),
            dhcp: VecDeque::new(),
            voucher: None,
            proofs: Answerer::new(nic, None),
            lan_heard_at: None,
            games: Games::default(),
            reach: Reach::new(nic, is_game_port),
            wanted: Wanted::default(),
            people: BTreeMap::new(),
            doors: Doors::default(),
            remaining: BTreeMap::new(),
            lost: Lost::default(),
            orders: Orders::default(),
            outputs: VecDeque::new(),
            stats: PeerStats::default(),
        }
    }

    /// The same, of the host who has this key for this room.
    pub fn vouching(mut self, key: HostKey, room: RoomCode) -> Self {
        self.voucher = Some(Voucher::new(key, room));
        self
    }

    fn judge_frame(&mut self, now: Instant, frame: &mut FrameBuf) -> Result<(), DropReason> {
        let (Some(place), Some(switch)) = (self.place, &mut self.switch) else {
            return Err(DropReason::LinkDown);
        };
        frame.strip_priority_tag();
        let view = EthernetFrame::parse(frame.frame()).map_err(|_| DropReason::Runt)?;
        let source = view.source();
        if source != self.nic {
            self.lan_heard_at = Some(now);
        }
        let is_client = switch.holder(Speaker::Player(source)).is_some();
        if !is_client && self.lan.has_just_left(now, source) {
            return Err(DropReason::UnauthorizedSourceMac);
        }
        let verdict = switch.judge_frame(now, place.own_id, frame.frame());
        news::note_dhcp(&mut self.dhcp, switch);
        self.groups.hear(now, frame.frame(), verdict);
        match verdict {
            Ok(Route::Known(_) | Route::Unknown(_)) => {}
            Ok(Route::Group | Route::Members { .. } | Route::GroupOfLan) => self.check_loop(now)?,
            Err(DropReason::UnauthorizedSourceMac) => {
                return Err(self.refuse_echo(now, frame.frame()));
            }
            Err(reason) => return Err(reason),
        }
        mss::clamp(frame.frame_mut(), place.budget);
        Ok(())
    }

    /// Refuses what only we should have put on the LAN, and learns from it.
    fn refuse_echo(&mut self, now: Instant, frame: &[u8]) -> DropReason {
        let Ok(frame) = EthernetFrame::parse(frame) else {
            return DropReason::Runt;
        };
        let is_refresh = frame.kind() == FrameKind::EtherType(LOCAL_EXPERIMENTAL_1);
        if is_refresh && frame.destination() == self.nic {
            self.guard.heard_refresh(now, frame.source());
        } else if frame.destination().is_group() {
            self.guard.heard(now, frame);
            self.make_room_for_machines(now);
        }
        match is_refresh {
            true => DropReason::CamRefresh,
            false => DropReason::UnauthorizedSourceMac,
        }
    }

    /// Takes a client's MAC from it for which a machine on the LAN speaks as well.
    fn make_room_for_machines(&mut self, now: Instant) {
        while let Some(mac) = self.guard.take_machine(now) {
            let Some(switch) = &mut self.switch else {
                return;
            };
            switch.learn_of_lan(now, mac);
            if let Some(id) = switch.holder(Speaker::Player(mac)) {
                switch.unplug(id);
                self.doors.unplug(id);
                self.doors.forget(mac);
                self.refresh.remove(id);
                self.groups.leave(now, (id, mac));
                // Nothing is known of its client by now; it is asked.
                self.refuse((id, mac), false);
            }
        }
    }

    /// True for the MAC of a machine on the LAN, or of our own interface.
    fn is_on_lan(&self, now: Instant, mac: MacAddr) -> bool {
        let switch = self.switch.as_ref();
        mac == self.nic || switch.is_some_and(|switch| switch.is_on_lan(now, mac))
    }

    /// The LAN's machine wins: the client is not carried, and the relay is told.
    fn refuse(&mut self, (id, mac): (PeerId, MacAddr), tells_groups: bool) {
        self.lan.refuse(id, mac, tells_groups);
        self.doors.forget(mac);
        let asks = self.place.is_some_and(|place| place.asks_for_macs);
        match VirtualMac::try_from(mac) {
            Ok(mac) if asks => {
                let order = PeerMessage::Host(HostOrder::OnLan { mac });
                self.outputs.push_back(PeerOutput::Message(order));
            }
            _ if self.lookalikes.len() < MAX_LOOKALIKES => self.lookalikes.push_back(mac),
            _ => {}
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
        let (Some(place), Some(switch)) = (self.place, &mut self.switch) else {
            return Err(DropReason::LinkDown);
        };
        let (header, _) = Header::decode(datagram).map_err(|_| DropReason::Malformed)?;
        if header.room != place.room || header.peer == place.own_id {
            return Err(DropReason::ForgedHeader);
        }
        if switch.port(header.peer).is_none() {
            if self.lan.is_refused(header.peer) {
                return Err(DropReason::MacOnLan);
            }
            // Its announcement may still be under way.
            self.early.hold(now, header.peer, datagram);
            return Ok(None);
        }
        let drops = &mut self.stats.drops;
        let judged = switch.judge(now, header.peer, datagram.clone(), drops)?;
        news::note_dhcp(&mut self.dhcp, switch);
        let Judged::Frame(crossing) = judged else {
            return Ok(None);
        };
        let frame = crossing.datagram.slice(overlay::HEADER_LEN..);
        self.pass_on(now, place, crossing.route, frame)
    }

    /// What becomes of a player's frame that the switch has let through, whichever way it came.
    fn pass_on(
        &mut self,
        now: Instant,
        place: Presence,
        route: Route,
        frame: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        // Another player's is not the LAN's, whatever the relay thinks.
        if matches!(route, Route::Known(peer) if peer != place.own_id) {
            return Err(DropReason::UnknownDestination);
        }
        let frame = ethernet::without_priority_tag(frame);
        let view = EthernetFrame::parse(&frame).map_err(|_| DropReason::Runt)?;
        if !self.doors.is_empty() {
            self.doors.neighbours.hear(now, view);
        }
        // Reports are for who asks and for switches: we ask in the room, and tell the LAN's switches ourselves.
        if route == Route::GroupOfLan && self.groups.speaks_for(now, view) {
            self.stats.count_received(&frame);
            return Ok(None);
        }
        if view.destination().is_group() {
            self.guard.said(now, view);
            self.check_loop(now)?;
        }
        self.games.hear_player(now, &frame);
        if self.answer_proof(now, &frame) {
            self.stats.count_received(&frame);
            return Ok(None);
        }
        self.check_reach(now, &frame)?;
        self.stats.count_received(&frame);
        Ok(Some(padded(mss::clamped(frame, place.budget))))
    }

    fn welcome_client(&mut self, now: Instant, joined: &PeerJoined) {
        let (Some(place), Role::Client, Some(mac)) = (self.place, joined.role, joined.mac) else {
            return;
        };
        let (id, mac) = (joined.peer_id, mac.addr());
        if id == place.own_id {
            return;
        }
        self.note_found(mac);
        // The relay keeps ids and MACs unique: who has one of these already is gone, or known again.
        self.make_room_for(now, joined, mac);
        self.know(now, joined);
        // Frames for our own NIC are the gateway host's, and a machine's are its own, whatever a client calls itself.
        if self.is_on_lan(now, mac) {
            self.refuse((id, mac), joined.tells_groups);
            let early = self.early.take(now, id).len() as u64;
            return self.stats.drops.add(DropReason::MacOnLan, early);
        }
        if self.take_in(now, (id, mac), joined.tells_groups) {
            let voucher = self.voucher.as_ref();
            let answer = voucher.and_then(|own| own.answer(place.room, place.own_id, joined));
            if let Some(answer) = answer {
                let message = PeerMessage::Vouch(answer);
                self.outputs.push_back(PeerOutput::Message(message));
            }
            self.take_early(now, id);
        }
    }

    /// Takes in those whose MACs the LAN has no more. A relay that is told of the LAN's MACs has sent them out.
    fn pardon(&mut self, now: Instant) {
        let (nic, switch) = (self.nic, self.switch.as_ref());
        let is_kept_out =
            |mac| mac == nic || switch.is_some_and(|switch| switch.is_on_lan(now, mac));
        for (player, tells_groups) in self.lan.take_pardoned(is_kept_out) {
            self.take_in(now, player, tells_groups);
        }
    }

    /// False when there are too many already.
    fn take_in(&mut self, now: Instant, (id, mac): (PeerId, MacAddr), tells_groups: bool) -> bool {
        let switch = self.switch.as_mut();
        let switch = switch.filter(|switch| switch.players() < MAX_CLIENTS);
        let (Some(place), Some(switch)) = (self.place, switch) else {
            self.doors.forget(mac);
            return false;
        };
        switch.plug_in(now, id, Speaker::Player(mac));
        self.doors.plug_in(now, id, Speaker::Player(mac));
        if tells_groups {
            switch.trust_reports(id, now + place.until_told(now));
        }
        self.groups.arrive(now, (id, mac), tells_groups);
        self.apply_orders_for(id, mac);
        let frame = self.refresh.add(now, id, mac);
        self.outputs.push_back(PeerOutput::Frame(frame));
        true
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

    fn forget_client(&mut self, now: Instant, id: PeerId) {
        self.lan.forget(id);
        let Some(switch) = &mut self.switch else {
            return;
        };
        let speaker = switch.port(id).map(Port::speaker);
        if let Some(Speaker::Player(mac)) = speaker {
            switch.unplug(id);
            self.doors.unplug(id);
            self.doors.forget(mac);
            self.remaining.remove(&mac);
            self.refresh.remove(id);
            self.lan.leave(now, mac);
            self.games.forget(mac);
            self.reach.leave(mac);
            self.people.remove(&mac);
            self.groups.leave(now, (id, mac));
        }
    }

    /// Asks machines in the room which groups they want, and tells the LAN; not while that would come back.
    fn speak_of_groups(&mut self, now: Instant) {
        for question in self.groups.questions(now) {
            self.stats.count_sent(&question);
            let question = FrameBuf::from_frame(&question);
            self.outputs.push_back(PeerOutput::ToRelay(question));
        }
        if self.guard.looped().is_none() {
            let reports = self.groups.reports(now).into_iter();
            self.outputs
                .extend(reports.map(|frame| PeerOutput::Frame(frame.into())));
        }
    }

    /// Gives up frames whose pieces do not come. Pieces that do come see to this themselves, so it is
    /// enough to do it now and then, for clients that have fallen silent.
    fn expire(&mut self, now: Instant) {
        let drops = &mut self.stats.drops;
        if let Some(switch) = &mut self.switch {
            switch.handle_timeout(now, |_, lost| drops.add(DropReason::Incomplete, lost));
        }
    }
}

impl PeerCore for Bridge {
    fn newcomer(&self) -> Newcomer {
        Newcomer::Gateway
    }

    fn handle_welcome(&mut self, now: Instant, welcome: &Welcome, budget: DatagramBudget) {
        // Whoever is in the room is announced after this.
        let remaining = self.remaining(now);
        self.forget_others(now, &remaining);
        self.lan.come_back(now);
        let room = welcome.room_id;
        let can = |ability| welcome.capabilities.iter().any(|name| name == ability);
        let view = View::Inside;
        let switch = self
            .switch
            .get_or_insert_with(|| Switch::with_view(now, view, room, Rates::default()));
        switch.move_to(room);
        switch.plug_in(now, welcome.peer_id, Speaker::Lan);
        self.doors.move_to(room);
        self.doors.plug_in(now, welcome.peer_id, Speaker::Lan);
        self.place = Some(Presence {
            room,
            own_id: welcome.peer_id,
            budget: budget.min(budget_for(welcome.effective_mtu)),
            asks_for_macs: can(LAN_MACS),
            introduces: can(DOORS),
            lost: None,
            next_stats: now + STATS_PERIOD,
            since: now,
        });
        self.groups.come_in(now);
        self.keep(now, remaining);
        self.apply_orders();
    }

    fn handle_lost_link(&mut self, now: Instant) {
        self.note_all_lost(now);
        self.begin_afterglow(now);
    }

    fn handle_frame(&mut self, now: Instant, frame: &mut FrameBuf) -> Result<(), DropReason> {
        let verdict = self.judge_frame(now, frame);
        self.hear_games_of_lan(now, frame.frame(), verdict);
        self.hear_for_reach(now, frame.frame(), verdict);
        self.hear_for_doors(now, frame.frame(), verdict);
        self.answer_for_staying(now, frame.frame(), verdict);
        match verdict {
            Ok(()) => self.stats.count_sent(frame.frame()),
            Err(reason) => self.stats.drops.count(reason),
        }
        verdict
    }

    fn overhear(&mut self, now: Instant, frame: &[u8]) {
        self.games.hear(now, frame);
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
            RelayMessage::PeerLeft(left) => {
                self.note_left(now, &left);
                self.part_from(now, &left);
            }
            // The shell keeps these to itself.
            RelayMessage::Welcome(_)
            | RelayMessage::Reject(_)
            | RelayMessage::Vouched(_)
            | RelayMessage::NewKey(_)
            | RelayMessage::Members(_)
            | RelayMessage::Notice(_)
            | RelayMessage::Pings(_)
            | RelayMessage::Meet(_)
            | RelayMessage::Go(_)
            | RelayMessage::NoMeeting(_)
            | RelayMessage::Seen(_)
            | RelayMessage::Entered(_)
            | RelayMessage::Found(_)
            | RelayMessage::Redirect(_)
            | RelayMessage::Moved(_)
            | RelayMessage::Silence(_)
            | RelayMessage::NotPlaced(_)
            | RelayMessage::Disconnect(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.guard.handle_timeout(now);
        self.make_room_for_machines(now);
        self.expire_remaining(now);
        self.tell_of_lan(now);
        self.early.expire(now);
        self.count_lost_early();
        while let Some(frame) = self.refresh.poll(now) {
            self.outputs.push_back(PeerOutput::Frame(frame));
        }
        self.speak_of_groups(now);
        if let Some(place) = &mut self.place
            && place.next_stats <= now
        {
            place.next_stats = now + STATS_PERIOD;
            let place_is_lost = place.lost.is_some();
            let is_settled = place.since + CATCH_UP <= now;
            if is_settled {
                self.forget_conversations();
            }
            self.expire(now);
            self.pardon(now);
            self.groups.expire(now);
            if place_is_lost {
                return;
            }
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
            self.groups.poll_timeout(self.guard.looped().is_some()),
            self.remaining_until(),
            self.doors.poll_timeout(),
        ];
        stats.into_iter().chain(others.into_iter().flatten()).min()
    }

    fn poll_output(&mut self) -> Option<PeerOutput> {
        self.outputs.pop_front()
    }

    fn knows_doors(&self) -> bool {
        true
    }

    fn meets(&self, peer: PeerId) -> Option<VirtualMac> {
        self.may_enter(peer)
    }

    fn standing(&self, player: VirtualMac) -> Standing {
        self.stands(player.addr())
    }

    fn open_door(&mut self, now: Instant, door: Door) {
        self.let_in(now, door);
    }

    fn close_door(&mut self, now: Instant, player: VirtualMac) {
        self.let_go(now, player.addr());
    }

    fn direct_player(&mut self, now: Instant, frame: &[u8]) -> Option<VirtualMac> {
        self.way_out(now, frame)
    }

    fn handle_direct(
        &mut self,
        now: Instant,
        player: VirtualMac,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.take_direct(now, player.addr(), datagram)
    }

    fn is_deserted(&self, now: Instant) -> bool {
        self.has_lost_all(now)
    }

    fn handle_own(&mut self, now: Instant, message: &PeerMessage) {
        if let PeerMessage::Host(order) = message {
            self.obey(now, order);
        }
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
