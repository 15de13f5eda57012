//! The gateway's end of players' direct paths: who may have one, and what passes there (spec R140).
//!
//! A second switch stands there ([`View::Door`]), with every player of the room at it, so that it knows what is between
//! players and lets only pass what one of them and the LAN have to say to each other alone. It counts, for no relay does,
//! and joins pieces for itself, so that those of two ways never meet. What it lets through takes the way of any other frame
//! from then on: [`View::Inside`], reach, and all that listens.
//!
//! A door is its player's, known by the MAC, and has the numbers of the room in which the two were introduced. The gateway's
//! link to the relay may end: then players who have a door stay for [`AFTERGLOW`], and are known again when a relay announces
//! them, under whatever number.

mod lan_news;
mod orders;

pub use orders::Orders;

use super::Bridge;
use bytes::{Bytes, BytesMut};
use lan_news::LanNews;
use lanparty_ctrl::orders::Person;
use lanparty_ctrl::{HostOrder, PeerMessage};
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_peer::door::{Door, Standing};
use lanparty_proto::overlay::{self, Probe};
use lanparty_proto::{EthernetFrame, Header, MacAddr, PeerId, RoomId, VirtualMac};
use lanparty_switch::neighbours::Neighbours;
use lanparty_switch::{Judged, Port, Rates, Route, Speaker, Switch, View};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// How long a player with a direct path stays after the gateway's link to the relay has ended: a relay that was killed is
/// back by then, or another one is there.
pub const AFTERGLOW: Duration = Duration::from_secs(60);

/// How many malformed datagrams a player may send there, as at a relay; the next one shuts the door (spec R31).
const MAX_MALFORMED: u32 = lanparty_relay::room::MAX_MALFORMED;

/// How many shut doors the host has not heard of at most.
const MAX_UNTOLD: usize = 16;

/// The doors that are open, and their judge while there are any.
#[derive(Debug, Default)]
pub(super) struct Doors {
    judge: Option<Switch>,
    open: BTreeMap<MacAddr, Entrance>,
    /// Who may have none until it is announced anew: the host has sent it out, or its door was shut for cause.
    refused: BTreeSet<MacAddr>,
    /// Whose was shut for what came by it, until the host has heard of that.
    untold: VecDeque<MacAddr>,
    news: LanNews,
    /// Which players are there, and answer.
    pub(super) neighbours: Neighbours,
}

/// One player's.
#[derive(Debug, Clone, Copy)]
struct Entrance {
    door: Door,
    /// Who has come in there.
    person: Option<Person>,
    malformed: u32,
}

impl Doors {
    /// A player is in.
    pub(super) fn plug_in(&mut self, now: Instant, peer: PeerId, speaker: Speaker) {
        if let Some(judge) = &mut self.judge {
            judge.plug_in(now, peer, speaker);
        }
    }

    /// It is not any more, or has another number from now on.
    pub(super) fn unplug(&mut self, peer: PeerId) {
        if let Some(judge) = &mut self.judge {
            judge.unplug(peer);
        }
    }

    /// All numbers are new.
    pub(super) fn move_to(&mut self, room: RoomId) {
        if let Some(judge) = &mut self.judge {
            judge.move_to(room);
        }
        // This relay has heard of nobody.
        self.news.clear();
        self.refused.clear();
    }

    /// A machine of the LAN has spoken.
    pub(super) fn learn_of_lan(&mut self, now: Instant, mac: MacAddr) {
        if let Some(judge) = &mut self.judge {
            judge.learn_of_lan(now, mac);
        }
    }

    /// A player is no more, and its door with it.
    pub(super) fn forget(&mut self, mac: MacAddr) {
        self.refused.remove(&mac);
        self.shut(mac);
    }

    fn shut(&mut self, mac: MacAddr) {
        self.open.remove(&mac);
        self.rest();
    }

    /// Nobody has one: nobody has to be judged.
    fn rest(&mut self) {
        if self.open.is_empty() {
            self.judge = None;
            self.news.clear();
            self.neighbours.clear();
        }
    }

    pub(super) fn has(&self, mac: MacAddr) -> bool {
        self.open.contains_key(&mac)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn macs(&self) -> Vec<MacAddr> {
        self.open.keys().copied().collect()
    }

    /// Who has come through this door.
    pub(super) fn person(&self, mac: MacAddr) -> Option<Person> {
        self.open.get(&mac)?.person
    }

    pub(super) fn judge_mut(&mut self) -> Option<&mut Switch> {
        self.judge.as_mut()
    }

    /// When the relay has to hear of the LAN.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.news.poll_timeout()
    }

    /// Takes note of a datagram that was refused; false when it was one malformed one too many.
    fn forgives(&mut self, mac: MacAddr, reason: DropReason) -> bool {
        let Some(door) = self.open.get_mut(&mac) else {
            return true;
        };
        door.malformed += u32::from(is_malformed(reason));
        door.malformed <= MAX_MALFORMED
    }

    /// The same datagram with the number that its player has by now; only the player's own number may stand there.
    fn renumbered(
        &self,
        mac: MacAddr,
        now_known_as: (RoomId, PeerId),
        datagram: Bytes,
    ) -> Result<Bytes, DropReason> {
        let Entrance { door, .. } = self.open.get(&mac).ok_or(DropReason::LinkDown)?;
        let said = match (Probe::decode(&datagram), Header::decode(&datagram)) {
            (Some(probe), _) => (probe.room, probe.peer),
            (None, Ok((header, _))) => (header.room, header.peer),
            (None, Err(_)) => return Err(DropReason::Malformed),
        };
        if said != (door.room, door.client) {
            return Err(DropReason::ForgedHeader);
        }
        Ok(match said == now_known_as {
            true => datagram,
            false => with_numbers(&datagram, now_known_as),
        })
    }
}

impl Bridge {
    /// Whose direct path that of this peer would be; nobody's, where it may have none.
    pub(super) fn may_enter(&self, peer: PeerId) -> Option<VirtualMac> {
        let place = self.place.filter(|place| place.lost.is_none())?;
        let port = self.switch.as_ref()?.port(peer);
        let Some(Speaker::Player(mac)) = port.map(Port::speaker) else {
            return None;
        };
        let may = place.own_id != peer && !self.is_refused(mac);
        may.then(|| mac.try_into().ok()).flatten()
    }

    /// How a player stands who has a direct path.
    pub(super) fn stands(&self, mac: MacAddr) -> Standing {
        let (Some(place), Some(switch)) = (self.place, &self.switch) else {
            return Standing::Out;
        };
        let is_here = switch.holder(Speaker::Player(mac)).is_some();
        // Whose door has been shut here has none, whoever else has the MAC by now.
        if !is_here || !self.doors.has(mac) || self.is_refused(mac) {
            return Standing::Out;
        }
        match place.lost.is_some() || self.remaining.contains_key(&mac) {
            true => Standing::Unknown,
            false => Standing::In,
        }
    }

    fn is_refused(&self, mac: MacAddr) -> bool {
        self.doors.refused.contains(&mac) || self.is_banned(mac)
    }

    /// A player has come in by a direct path. Nothing passes there if it may have none, whoever says that it has.
    pub(super) fn let_in(&mut self, now: Instant, door: Door) {
        let (Some(place), Some(switch)) = (self.place, &self.switch) else {
            return;
        };
        let is_present = (door.room, door.gateway) == (place.room, place.own_id);
        if !is_present || self.may_enter(door.client) != Some(door.player) {
            return;
        }
        if self.doors.judge.is_none() {
            self.doors.judge = Some(judge_beside(now, switch, place.room));
        }
        let mac = door.player.addr();
        let before = self.doors.open.get(&mac);
        let entrance = Entrance {
            door,
            person: self.people.get(&mac).copied(),
            // A new door does not wash anybody clean.
            malformed: before.map_or(0, |before| before.malformed),
        };
        self.doors.open.insert(mac, entrance);
        self.apply_orders();
    }

    /// A player's direct path is gone. Without a relay, nothing else keeps the player here.
    pub(super) fn let_go(&mut self, now: Instant, mac: MacAddr) {
        self.doors.shut(mac);
        let is_alone = self.place.is_some_and(|place| place.lost.is_some());
        if is_alone || self.remaining.contains_key(&mac) {
            self.forget_mac(now, mac);
            self.end_afterglow_if_alone(now);
        }
    }

    /// Who is here by a direct path alone: there is no relay, or it has not announced them yet.
    pub fn staying(&self) -> impl Iterator<Item = VirtualMac> {
        let players = self.doors.open.values();
        let players = players.map(|entrance| entrance.door.player);
        players.filter(|player| self.stands(player.addr()) == Standing::Unknown)
    }

    /// The host sends a player out of whom no relay can be told.
    pub fn shut_door(&mut self, now: Instant, player: VirtualMac) {
        self.send_out(now, player.addr());
    }

    /// Whose direct path was shut because of what came by it, once each.
    pub fn take_misused_door(&mut self) -> Option<MacAddr> {
        self.doors.untold.pop_front()
    }

    /// The host has sent a player out: its door is shut before the relay has heard of that.
    pub(super) fn send_out(&mut self, now: Instant, mac: MacAddr) {
        self.let_go(now, mac);
        self.doors.refused.insert(mac);
    }

    /// Judges a datagram from a player that came by its direct path, and counts what is refused.
    pub(super) fn take_direct(
        &mut self,
        now: Instant,
        from: MacAddr,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.stats.datagrams_from_relay += 1;
        let judged = self.judge_direct(now, from, datagram);
        if let Err(reason) = judged {
            self.stats.drops.count(reason);
            if !self.doors.forgives(from, reason) {
                self.send_out(now, from);
                if self.doors.untold.len() < MAX_UNTOLD {
                    self.doors.untold.push_back(from);
                }
            }
        }
        judged
    }

    fn judge_direct(
        &mut self,
        now: Instant,
        from: MacAddr,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        let (Some(place), Some(switch)) = (self.place, &self.switch) else {
            return Err(DropReason::LinkDown);
        };
        let holder = switch.holder(Speaker::Player(from));
        let peer = holder.ok_or(DropReason::LinkDown)?;
        let known_as = (place.room, peer);
        let datagram = self.doors.renumbered(from, known_as, datagram)?;
        let judge = self.doors.judge.as_mut().ok_or(DropReason::LinkDown)?;
        let crossing = match judge.judge(now, peer, datagram, &mut self.stats.drops)? {
            Judged::Frame(crossing) => crossing,
            // Whoever has the path answers what is asked about it.
            Judged::Piece | Judged::Probe(_) => return Ok(None),
        };
        let frame = crossing.datagram.slice(overlay::HEADER_LEN..);
        let switch = self.switch.as_mut().ok_or(DropReason::LinkDown)?;
        let route = switch.judge_frame(now, peer, &frame)?;
        if let Ok(view) = EthernetFrame::parse(&frame) {
            self.doors.neighbours.hear_directly(now, view);
        }
        self.pass_on(now, place, route, frame)
    }

    /// Whose direct path a frame may take that has been let through, or that we have made ourselves; nobody's, where it has
    /// to go by the relay.
    pub(super) fn way_out(&mut self, now: Instant, frame: &[u8]) -> Option<VirtualMac> {
        let place = self.place?;
        let judge = self.doors.judge.as_mut()?;
        let view = EthernetFrame::parse(frame).ok()?;
        let door = self.doors.open.get(&view.destination())?.door;
        let route = judge.judge_frame(now, place.own_id, frame).ok()?;
        debug_assert!(matches!(route, Route::Known(_)), "a player's MAC");
        if view.source() != self.nic && tells_of_lan(place) {
            self.doors.news.note(now, view.source());
        }
        Some(door.player)
    }

    /// Tells the relay which machines of the LAN have spoken past it, so that players who come back to it find them known.
    pub(super) fn tell_of_lan(&mut self, now: Instant) {
        if !self.place.is_some_and(tells_of_lan) {
            return self.doors.news.clear();
        }
        if let Some(macs) = self.doors.news.poll(now) {
            let order = PeerMessage::Host(HostOrder::Known { macs });
            self.outputs.push_back(PeerOutput::Message(order));
        }
    }
}

/// True while there is a relay that wants to hear of the LAN.
fn tells_of_lan(place: super::Presence) -> bool {
    place.introduces && place.lost.is_none()
}

/// A judge for direct paths, who knows of everybody in the room and of the LAN what the other one does.
fn judge_beside(now: Instant, other: &Switch, room: RoomId) -> Switch {
    let mut judge = Switch::with_view(now, View::Door, room, Rates::default());
    judge.learn_lan_of(now, other);
    let players = other.macs_of_players().map(Speaker::Player);
    for speaker in players.chain([Speaker::Lan]) {
        if let Some(peer) = other.holder(speaker) {
            judge.plug_in(now, peer, speaker);
        }
    }
    judge
}

/// True for what no program of ours sends, even by accident.
fn is_malformed(reason: DropReason) -> bool {
    matches!(
        reason,
        DropReason::Malformed | DropReason::BadFragment | DropReason::Runt
    )
}

/// The same bytes, of another peer: both kinds of datagrams have the numbers in the same place.
fn with_numbers(datagram: &[u8], (room, peer): (RoomId, PeerId)) -> Bytes {
    let mut copy = BytesMut::from(datagram);
    copy[2..4].copy_from_slice(&peer.number().to_be_bytes());
    copy[4..8].copy_from_slice(&room.number().to_be_bytes());
    copy.freeze()
}
