//! What a player's end of the tunnel decides: a pure state machine that outlives its links.

mod address;
mod door;
mod firewall;
mod games;
mod host_check;
mod hosts;
mod lease;
mod members;
mod passage;
mod presence;
mod proof;

pub use firewall::{DISCARD, Deafness, Ear, NEIGHBOUR, neighbours};
pub use host_check::PATIENCE as HOST_PATIENCE;
pub use members::MemberFacts;
pub use presence::MAX_CLIENTS;

use crate::filter;
use address::Address;
use bytes::Bytes;
use door::DoorEnd;
use host_check::HostCheck;
use hosts::Hosts;
use lanparty_ctrl::message::{NewKey, Newcomer, Welcome};
use lanparty_ctrl::{Challenge, GROUPS, HostId, PeerMessage, Pin, RelayMessage, RoomCode, RoomKey};
use lanparty_games::Games;
use lanparty_obs::{Diagnostics, DropReason, PeerStats};
use lanparty_peer::door::{Door, Standing};
use lanparty_peer::{PeerCore, PeerOutput};
use lanparty_proof::Asker;
use lanparty_proto::early::EarlyDatagrams;
use lanparty_proto::{DatagramBudget, FrameBuf, PeerId, VirtualMac};
use lanparty_switch::snooping::Reporter;
use members::announced;
use presence::Presence;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How often the relay hears our counters.
pub const STATS_INTERVAL: Duration = Duration::from_secs(5);
/// The first two come sooner: of two the relay knows how much is carried, which the host wants to see at once.
const FIRST_STATS: Duration = Duration::from_secs(1);
/// For how long one frame to everybody shows that the LAN's broadcast comes. A quiet LAN has little of it; a
/// switch that asks for groups does so every 125 seconds (RFC 3376 §8.2).
const BROADCAST_SHOWS: Duration = Duration::from_secs(180);
/// How long a player sees that the own machine sends what cannot cross.
const HINDRANCE_SHOWS: Duration = Duration::from_secs(60);

/// A player's session.
#[derive(Debug)]
pub struct Session {
    mac: VirtualMac,
    place: Option<Presence>,
    /// For a player whose invite names the host.
    check: Option<HostCheck>,
    early: EarlyDatagrams,
    reporter: Reporter,
    stats: PeerStats,
    /// What was heard of games; they outlive a link.
    games: Games,
    /// The machine's on the LAN.
    address: Address,
    /// Who is heard of the party, where home has its addresses.
    hosts: Hosts,
    /// The end of a direct path to the gateway.
    door: DoorEnd,
    /// What the machine last tried to send and must not, with advice.
    hindrance: Option<(Instant, &'static str)>,
    /// The machine gets leases whole.
    full_lease: bool,
    /// Looks whether games' ways lead to the LAN.
    proof: Asker,
    firewall: firewall::FirewallWatch,
    has_news: bool,
    output: VecDeque<PeerOutput>,
}

impl Session {
    /// The session of the player with this MAC, not in any room yet.
    pub fn new(mac: VirtualMac) -> Self {
        Session {
            mac,
            place: None,
            check: None,
            early: EarlyDatagrams::default(),
            reporter: Reporter::new(mac.addr()).always(&lanparty_games::GROUPS),
            stats: PeerStats::default(),
            games: Games::default(),
            address: Address::default(),
            hosts: Hosts::default(),
            door: DoorEnd::default(),
            hindrance: None,
            full_lease: false,
            proof: Asker::new(mac.addr()),
            firewall: firewall::FirewallWatch::default(),
            has_news: false,
            output: VecDeque::new(),
        }
    }

    /// The same for a player who takes no gateway of this room for the LAN's but this host's.
    pub fn of_host(mut self, host: HostId, room: RoomCode) -> Self {
        self.check = Some(HostCheck::new(host, room));
        self
    }

    /// The same for a machine that gets leases and router advertisements as the LAN says them, with router and DNS.
    pub fn with_full_lease(mut self) -> Self {
        self.full_lease = true;
        self
    }

    /// What the session knows about how things stand; the shell adds link, adapter and route.
    pub fn diagnostics(&self, now: Instant) -> Diagnostics {
        let is_young = |at: Instant, shows| now.saturating_duration_since(at) < shows;
        let place = self.place.as_ref();
        let broadcast_at = place.and_then(|place| place.broadcast_at);
        let hindrance = self.hindrance;
        let hindrance = hindrance.filter(|&(at, _)| is_young(at, HINDRANCE_SHOWS));
        Diagnostics {
            relay_reachable: place.is_some_and(|place| !place.is_lost),
            loss_permille: place.and_then(|place| place.loss_permille),
            gateway_present: self.has_gateway(),
            gateway_silent: self.check.as_ref().is_some_and(HostCheck::waits),
            broadcast: broadcast_at.is_some_and(|at| is_young(at, BROADCAST_SHOWS)),
            notice: match hindrance {
                Some((_, advice)) => Some(advice.to_owned()),
                None => self.address.word(now).or_else(|| self.word_of_door()),
            },
            gateway_doubted: self.check.as_ref().is_some_and(HostCheck::doubts),
            datagram_budget: self.place.as_ref().map(|place| place.budget.number()),
            stats: self.stats.clone(),
            ..Diagnostics::default()
        }
    }

    fn has_gateway(&self) -> bool {
        let place = self.place.as_ref();
        let is_announced =
            |place: &Presence| place.gateways().any(|gateway| self.believes(gateway));
        self.has_door() || place.is_some_and(is_announced)
    }

    fn believes(&self, gateway: PeerId) -> bool {
        let check = self.check.as_ref();
        check.is_none_or(|check| check.believes(gateway))
    }

    /// Of two that take turns, the player hears one: the other when that has passed.
    fn note_hindrance(&mut self, now: Instant, reason: DropReason) {
        let Some(advice) = filter::advice(reason) else {
            return;
        };
        let is_other = |(at, shown): (Instant, &str)| {
            now.saturating_duration_since(at) < HINDRANCE_SHOWS && shown != advice
        };
        if !self.hindrance.is_some_and(is_other) {
            self.hindrance = Some((now, advice));
        }
    }

    /// Asks the machine which groups it wants, and tells the room what it has said.
    fn ask_for_groups(&mut self, now: Instant) {
        let Some(round) = self.reporter.poll(now) else {
            return;
        };
        let questions = round.questions.map(|frame| PeerOutput::Frame(frame.into()));
        self.output.extend(questions);
        for report in round.reports {
            self.say(&report);
        }
    }

    /// Says something to the room in the machine's name.
    fn say(&mut self, frame: &[u8]) {
        self.stats.frames_to_relay += 1;
        self.stats.bytes_to_relay += frame.len() as u64;
        let frame = FrameBuf::from_frame(frame);
        self.output.push_back(PeerOutput::ToRelay(frame));
    }

    /// The room's new key, if the host has sealed it for this player and this link.
    pub fn open_new_key(&self, key: &NewKey, before: &RoomKey) -> Option<RoomKey> {
        self.check.as_ref()?.open_new_key(self.mac, key, before)
    }

    /// There is neither relay nor LAN.
    fn leave_place(&mut self, now: Instant) {
        self.forget_players_games();
        self.place = None;
        self.follow_lan(now);
        self.forget_early();
        self.reporter.go();
        self.proof.stop();
        self.output.clear();
    }
}

impl PeerCore for Session {
    fn newcomer(&self) -> Newcomer {
        Newcomer::Client(self.mac)
    }

    fn tells_groups(&self) -> bool {
        true
    }

    fn shows_pings(&self) -> bool {
        true
    }

    /// Only one that knows its host, whose signature is on it.
    fn takes_new_keys(&self) -> bool {
        self.check.is_some()
    }

    fn challenge(&mut self, random: [u8; 32]) -> Option<Challenge> {
        let check = self.check.as_mut()?;
        Some(check.challenge(random))
    }

    fn handle_relay_key(&mut self, relay: Option<Pin>) {
        if let Some(check) = &mut self.check {
            check.meet(relay);
        }
    }

    fn handle_welcome(&mut self, now: Instant, welcome: &Welcome, budget: DatagramBudget) {
        let mut place = Presence {
            own_id: welcome.peer_id,
            room: welcome.room_id,
            budget,
            mtu: welcome.effective_mtu,
            neighbours: BTreeMap::new(),
            next_stats: now + FIRST_STATS,
            stats_sent: 0,
            loss_permille: None,
            broadcast_at: None,
            is_lost: false,
        };
        self.forget_early();
        if let Some(gateway) = welcome.gateway {
            place.add(gateway, Newcomer::Gateway, None);
            if let Some(check) = &mut self.check {
                check.announced(now, (gateway, welcome.term.as_ref()));
            }
        }
        self.place = Some(place);
        self.pardon_door();
        self.hosts.come_in(now);
        // A relay that does not heed it gives us every group anyway.
        if welcome.capabilities.iter().any(|name| name == GROUPS) {
            self.reporter.come_in(now);
        }
        self.follow_lan(now);
    }

    fn handle_lost_link(&mut self, now: Instant) {
        match &mut self.place {
            // The LAN is still there.
            Some(place) if self.door.is_open() => {
                place.is_lost = true;
                self.forget_early();
                self.reporter.go();
            }
            _ => self.leave_place(now),
        }
    }

    fn handle_sleep(&mut self, now: Instant, slept: Duration) {
        self.age_address(now, slept);
    }

    fn overhear(&mut self, now: Instant, frame: &[u8]) {
        self.reporter.overhear(now, frame);
    }

    fn handle_frame(&mut self, now: Instant, frame: &mut FrameBuf) -> Result<(), DropReason> {
        self.reporter.overhear(now, frame.frame());
        // Our own, and none of the machine's that are lost.
        if self.firewall.keeps(frame.frame()) {
            return Err(DropReason::Unwanted);
        }
        let result = self.send(frame);
        match result {
            Ok(()) => {
                self.stats.count_sent(frame.frame());
                self.answer_for_lan(now, frame.frame());
            }
            Err(reason) => {
                self.stats.drops.count(reason);
                self.note_hindrance(now, reason);
            }
        }
        result
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.stats.datagrams_from_relay += 1;
        let result = self.receive(now, &datagram);
        match &result {
            Ok(Some(frame)) => self.stats.count_received(frame),
            Ok(None) => {}
            Err(reason) => self.stats.drops.count(*reason),
        }
        result
    }

    fn handle_control(&mut self, now: Instant, message: RelayMessage) {
        let Some(place) = &mut self.place else { return };
        match message {
            RelayMessage::PeerJoined(joined) => {
                let (peer, term) = (joined.peer_id, joined.term);
                if let Some((who, name)) = announced(joined) {
                    if let (Newcomer::Gateway, Some(check)) = (who, &mut self.check) {
                        check.announced(now, (peer, term.as_ref()));
                    }
                    place.add(peer, who, name);
                    // Its LAN's switches may have forgotten who wants what.
                    if who == Newcomer::Gateway && self.reporter.is_in() {
                        self.reporter.come_in(now);
                    }
                    if who == Newcomer::Gateway {
                        self.hosts.come_in(now);
                    }
                    self.receive_early(now, peer);
                }
            }
            RelayMessage::PeerLeft(left) => {
                let gone = place.neighbours.remove(&left.peer_id);
                if let Some(mac) = gone.as_ref().and_then(|gone| gone.who.mac()) {
                    self.games.forget(mac.addr());
                }
                let gateway = gone.filter(|gone| gone.who == Newcomer::Gateway);
                if let (Some(_), Some(check)) = (gateway, &mut self.check) {
                    check.left(left.peer_id);
                }
            }
            RelayMessage::Vouched(vouched) => self.handle_vouched(now, &vouched),
            // The program around it has the key before, and keeps this one.
            RelayMessage::NewKey(_) => {}
            RelayMessage::Pings(pings) => self.hear_pings(&pings),
            // These belong to the link.
            RelayMessage::Welcome(_)
            | RelayMessage::Reject(_)
            | RelayMessage::Members(_)
            | RelayMessage::Notice(_)
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
        self.note_others();
        self.follow_lan(now);
    }

    fn misses_gateway(&self, now: Instant) -> bool {
        let Some(place) = self.place.as_ref().filter(|place| !place.is_lost) else {
            return false;
        };
        let may_prove = |gateway| {
            let check = self.check.as_ref();
            check.is_some_and(|check| check.may_prove(now, gateway))
        };
        let mut gateways = place.gateways();
        !gateways.any(|gateway| self.believes(gateway) || may_prove(gateway))
    }

    fn knows_doors(&self) -> bool {
        true
    }

    fn meets(&self, peer: PeerId) -> Option<VirtualMac> {
        self.gateway_to_meet(peer)
    }

    fn standing(&self, player: VirtualMac) -> Standing {
        self.stands(player)
    }

    fn open_door(&mut self, now: Instant, door: Door) {
        self.let_in(now, door);
    }

    fn close_door(&mut self, now: Instant, _player: VirtualMac) {
        self.let_go(now);
    }

    fn direct_player(&mut self, _now: Instant, frame: &[u8]) -> Option<VirtualMac> {
        self.way_out(frame)
    }

    fn handle_direct(
        &mut self,
        now: Instant,
        _player: VirtualMac,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.take_direct(now, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.early.expire(now);
        self.count_lost_early();
        self.ask_for_groups(now);
        self.ask_for_proof(now);
        self.ask_for_hosts(now);
        self.keep_address(now);
        if let Some(check) = &mut self.check {
            check.handle_timeout(now);
        }
        self.count_unproven();
        self.expire_door(now);
        let Some(place) = &mut self.place else { return };
        if now < place.next_stats {
            return;
        }
        place.stats_sent = place.stats_sent.saturating_add(1);
        place.next_stats = match place.stats_sent {
            ..2 => now + FIRST_STATS,
            2.. => now + STATS_INTERVAL,
        };
        self.stats
            .drops
            .add(DropReason::Incomplete, place.expire(now));
        self.output
            .push_back(PeerOutput::Message(PeerMessage::Stats(Box::new(
                self.stats.clone(),
            ))));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let stats = self.place.as_ref().map(|place| place.next_stats);
        let check = self.check.as_ref().and_then(HostCheck::poll_timeout);
        let others = [
            self.early.poll_timeout(),
            self.reporter.poll_timeout(),
            self.proof.poll_timeout(),
            self.address.poll_timeout(),
            self.place.as_ref().and(self.hosts.poll_timeout()),
            check,
        ];
        stats.into_iter().chain(others.into_iter().flatten()).min()
    }

    fn poll_output(&mut self) -> Option<PeerOutput> {
        self.output.pop_front()
    }

    fn take_news(&mut self) -> bool {
        let has_news = self.address.take_news() | std::mem::take(&mut self.has_news);
        self.hosts.take_news() | has_news
    }

    fn handle_shutdown(&mut self, now: Instant) {
        self.give_address_back(now);
    }

    fn counters(&mut self) -> &mut PeerStats {
        &mut self.stats
    }
}

#[cfg(test)]
mod tests;
