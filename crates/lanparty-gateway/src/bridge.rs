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
mod clients;
mod deserted;
mod door;
mod games;
mod groups;
mod lan_macs;
mod loop_guard;
mod memory;
mod news;
mod passage;
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
use bytes::Bytes;
use cam::CamRefresh;
use deserted::Lost;
use door::Doors;
use lan_macs::LanMacs;
use lanparty_ctrl::message::{Newcomer, Welcome};
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{DOORS, HostKey, LAN_MACS, PeerMessage, RelayMessage, RoomCode};
use lanparty_games::{Games, is_game_port};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_peer::door::{Door, Standing};
use lanparty_peer::{PeerCore, PeerOutput};
use lanparty_proof::Answerer;
use lanparty_proto::early::EarlyDatagrams;
use lanparty_proto::ethernet;
use lanparty_proto::{
    DatagramBudget, FrameBuf, IpMtu, MacAddr, PeerId, RoomId, VirtualMac, overlay,
};
use lanparty_switch::reach::Reach;
use lanparty_switch::{DhcpTalk, Rates, Speaker, Switch, View, snooping};
use loop_guard::LoopGuard;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use voucher::Voucher;

/// How many clients a gateway serves at most; a relay that announces more is mad or bad.
pub const MAX_CLIENTS: usize = 4096;
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
