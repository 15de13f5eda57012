//! What a relay should do, in the plainest words: lists, loops, milliseconds.

mod addresses;
mod admission;
mod orders;
mod peer;

pub use admission::{Given, Hello, Shown};

use crate::frames::{Frame, Kind, Mac, Talk};
use addresses::Addresses;
use admission::Door;
use lanparty_ctrl::LeaveReason;
use lanparty_obs::DropReason;
use lanparty_relay::registry::GuessLimits;
use lanparty_relay::{Limits, Rate, Rates};
use orders::Who;
use peer::{Bucket, Budgets, Partial};

/// A peer as the reference sees it; without a MAC it is the gateway.
#[derive(Debug)]
pub struct Peer {
    /// How it is reached; no two peers ever had the same.
    pub link: u32,
    /// Its room's name: its code, and whose it is.
    pub room: String,
    /// Its room's number.
    pub room_id: u32,
    /// Its number there.
    pub peer_id: u16,
    /// Its MAC.
    pub mac: Option<Mac>,
    /// Where it comes from.
    pub source: u8,
    /// Whether its room is for invited people.
    pub is_keyed: bool,
    /// Who it has proved to be.
    pub identity: Option<u8>,
    /// Its resume token.
    pub token: [u8; 16],
    /// Its room's MTU.
    pub mtu: u16,
    /// What became of its datagrams: forwarded, kept as a piece, sent back as a probe.
    pub counts: [u64; 3],
    /// What was dropped of it.
    pub drops: Vec<DropReason>,
    muted: bool,
    // Which groups its machine wants until when, and until when it hears others too.
    groups: Vec<(u8, u64)>,
    hears_all_until: u64,
    budgets: Budgets,
    partials: Vec<Partial>,
    malformed: u32,
}

/// What the reference expects of a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// This frame at these links.
    Forward(Vec<u8>, Vec<u32>),
    /// A piece that waits.
    Pending,
    /// A probe that goes back.
    Echo,
    /// Dropped.
    Drop(DropReason),
    /// Dropped, and the sender must go.
    Expel(DropReason),
}

/// A notice: to which link, about which peer number, and whether it joined or why it left.
pub type Notice = (u32, u16, Option<LeaveReason>);

/// From where somebody judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Everything is seen, and asked.
    Whole,
    /// The end of a direct path: only what concerns one player and the LAN.
    Door,
    /// Frames are sealed: their MAC addresses and lengths are seen.
    Outside,
    /// Frames have been paid for.
    Inside,
}

/// The relay, or who judges beside it.
#[derive(Debug)]
pub struct Reference {
    /// Everybody, in the order in which they came.
    pub peers: Vec<Peer>,
    /// True once nobody may come in any more.
    pub draining: bool,
    view: View,
    limits: Limits,
    rates: Rates,
    // Stations of the LAN that spoke since the clock last jumped.
    heard: Vec<(u32, Mac)>,
    addresses: Addresses,
    // The token of each room's last gateway, and who it was.
    gateways: Vec<(u32, [u8; 16], Option<u8>)>,
    // By the rooms' numbers: who may come in, and where clients do not hear each other.
    locked: Vec<(u32, Vec<Mac>)>,
    banned: Vec<(u32, Vec<Who>)>,
    isolated: Vec<u32>,
    door: Door,
    // By the rooms' numbers: from where they were opened.
    openers: Vec<(u32, u8, bool)>,
}

impl Reference {
    /// A relay without peers.
    pub fn new(limits: Limits, rates: Rates, guesses: GuessLimits) -> Self {
        Reference {
            view: View::Whole,
            door: Door::new(guesses),
            peers: Vec::new(),
            draining: false,
            limits,
            rates,
            heard: Vec::new(),
            addresses: Addresses::default(),
            gateways: Vec::new(),
            locked: Vec::new(),
            banned: Vec::new(),
            isolated: Vec::new(),
            openers: Vec::new(),
        }
    }

    /// The same from elsewhere.
    pub fn seen_from(mut self, view: View) -> Self {
        self.view = view;
        if view == View::Inside {
            let plenty = Rate {
                burst: u32::MAX,
                per_second: u32::MAX,
            };
            self.rates = Rates {
                control: plenty,
                group: plenty,
                unknown: plenty,
                frames: plenty,
                bytes: plenty,
                lan: plenty,
            };
        }
        self
    }

    /// The clock jumped so far that switches forget.
    pub fn jump(&mut self) {
        self.heard.clear();
    }

    /// True while some room of this code has a gateway.
    pub fn has_gateway(&self, code: &str) -> bool {
        let mut peers = self.peers.iter();
        peers.any(|peer| peer.mac.is_none() && peer.room.starts_with(code))
    }

    /// The peers of a room, in order of their numbers.
    pub fn room(&self, code: &str) -> Vec<&Peer> {
        let mut room: Vec<_> = self.peers.iter().filter(|peer| peer.room == code).collect();
        room.sort_by_key(|peer| peer.peer_id);
        room
    }

    /// The MTU that a newcomer is told: the room's, which is that of whoever made it.
    pub fn mtu(&self, hello: &Hello) -> u16 {
        match self.room(&hello.room).first() {
            Some(peer) => peer.mtu,
            None => (hello.budget - 22).clamp(1280, 1500),
        }
    }

    /// A newcomer is in the room that `hello` names by now, with what the relay gave it.
    pub fn join(&mut self, now: u64, hello: Hello, given: Given) {
        self.claim(&hello);
        if hello.mac.is_none() {
            self.recognise(given, &hello);
        }
        if self.openers.iter().all(|room| room.0 != given.room_id) {
            let is_host = hello.mac.is_none() && hello.shown.is_some();
            self.openers.push((given.room_id, hello.source, is_host));
        }
        self.peers.push(Peer {
            link: hello.link,
            room: hello.room,
            room_id: given.room_id,
            peer_id: given.peer_id,
            mac: hello.mac,
            source: hello.source,
            is_keyed: hello.shown.is_some(),
            identity: hello.identity,
            token: given.token,
            mtu: given.mtu,
            counts: [0; 3],
            drops: Vec::new(),
            muted: false,
            groups: Vec::new(),
            hears_all_until: match hello.tells_groups {
                true => now + 3000,
                false => u64::MAX,
            },
            budgets: Budgets::new(self.rates, now),
            partials: Vec::new(),
            malformed: 0,
        });
    }

    /// Which LAN it is: the one of before, if the gateway is who the last one was, or has its token where neither
    /// has proved who it is.
    fn recognise(&mut self, given: Given, hello: &Hello) {
        let room_id = given.room_id;
        let last = self.gateways.iter().find(|last| last.0 == room_id);
        let is_same = last.is_some_and(|&(_, token, identity)| {
            let has_token = hello.token == Some(token);
            identity == hello.identity && (identity.is_some() || has_token)
        });
        if !is_same {
            self.heard.retain(|&(other, _)| other != room_id);
            self.addresses.forget_lan(room_id);
        }
        self.gateways.retain(|last| last.0 != room_id);
        self.gateways.push((room_id, given.token, hello.identity));
    }

    /// A peer is gone: who is to be told.
    pub fn leave(&mut self, link: u32, reason: LeaveReason) -> Vec<Notice> {
        let at = self.position(link).unwrap();
        let gone = self.peers.remove(at);
        if self.room(&gone.room).is_empty() && reason != LeaveReason::Replaced {
            self.openers.retain(|room| room.0 != gone.room_id);
        }
        let room = self.room(&gone.room);
        room.iter()
            .map(|peer| (peer.link, gone.peer_id, Some(reason)))
            .collect()
    }

    /// How many rooms have somebody in them.
    pub fn rooms(&self) -> usize {
        let mut codes: Vec<_> = self.peers.iter().map(|peer| &peer.room).collect();
        codes.sort();
        codes.dedup();
        codes.len()
    }

    /// What becomes of a datagram from `link`. `truth` is the frame that the datagram is, or is a piece of.
    pub fn datagram(
        &mut self,
        now: u64,
        link: u32,
        datagram: &[u8],
        truth: Option<&Frame>,
    ) -> Expected {
        let Some(at) = self.position(link) else {
            return Expected::Drop(DropReason::LinkDown);
        };
        if let [0x12, 0, p0, p1, r0, r1, r2, r3, _, _, _, _, ..] = *datagram {
            let ids = (
                u32::from_be_bytes([r0, r1, r2, r3]),
                u16::from_be_bytes([p0, p1]),
            );
            if ids.0 != 0 && ids.1 != 0 && ids.1 != 0xffff {
                return self.peers[at].probe(now, ids, datagram.len());
            }
        }
        match self.judge(now, at, datagram, truth) {
            Ok(Some((frame, targets))) => {
                self.peers[at].counts[0] += 1;
                Expected::Forward(frame, targets)
            }
            Ok(None) => {
                self.peers[at].counts[1] += 1;
                Expected::Pending
            }
            Err(reason) => {
                use DropReason::{BadFragment, Malformed, Runt};
                let peer = &mut self.peers[at];
                peer.drops.push(reason);
                if [Malformed, BadFragment, Runt].contains(&reason) {
                    peer.malformed += 1;
                }
                match peer.malformed {
                    17.. => Expected::Expel(reason),
                    _ => Expected::Drop(reason),
                }
            }
        }
    }

    /// Frames in pieces die of age, and claims too.
    pub fn expire(&mut self, now: u64) {
        self.end_claims(now);
        for peer in &mut self.peers {
            peer.expire(now);
        }
    }

    fn position(&self, link: u32) -> Option<usize> {
        self.peers.iter().position(|peer| peer.link == link)
    }

    #[allow(clippy::type_complexity, reason = "a frame and its targets, used once")]
    fn judge(
        &mut self,
        now: u64,
        at: usize,
        datagram: &[u8],
        truth: Option<&Frame>,
    ) -> Result<Option<(Vec<u8>, Vec<u32>)>, DropReason> {
        let peer = &mut self.peers[at];
        if datagram.len() < 8 || datagram[0] != 0x11 || datagram[1] > 1 {
            return Err(DropReason::Malformed);
        }
        let peer_id = u16::from(datagram[2]) << 8 | u16::from(datagram[3]);
        let room_id = u32::from_be_bytes(datagram[4..8].try_into().unwrap());
        if peer_id == 0 || peer_id == 0xffff || room_id == 0 {
            return Err(DropReason::Malformed);
        }
        if (room_id, peer_id) != (peer.room_id, peer.peer_id) {
            return Err(DropReason::ForgedHeader);
        }
        let mut unpaid = (1, datagram.len() - 8);
        let mut frame = datagram[8..].to_vec();
        if datagram[1] == 1 {
            unpaid = (0, 0);
            match peer.piece(now, &frame)? {
                Some(whole) => frame = whole,
                None => return Ok(None),
            }
        }
        let truth = truth.expect("only frames that were made become whole");
        assert!(truth.bytes == frame || truth.kind == Kind::Game);
        let targets = self.switch(now, at, truth, unpaid)?;
        Ok(Some((frame, targets)))
    }

    fn switch(
        &mut self,
        now: u64,
        at: usize,
        frame: &Frame,
        unpaid: (usize, usize),
    ) -> Result<Vec<u32>, DropReason> {
        let me = &self.peers[at];
        let (my_link, my_mac, room_id, muted) = (me.link, me.mac, me.room_id, me.muted);
        let kept_apart = my_mac.is_some() && self.isolated.contains(&room_id);
        let room = self.room(&me.room);
        let others: Vec<_> = room.iter().filter(|peer| peer.link != my_link).collect();
        if frame.bytes.len() < 14 {
            return Err(DropReason::Runt);
        }
        if frame.source[0] % 2 == 1 || frame.source == [0; 6] {
            return Err(DropReason::InvalidSourceMac);
        }
        let may_send = match my_mac {
            Some(mac) => frame.source == mac,
            None => others.iter().all(|peer| peer.mac != Some(frame.source)),
        };
        if !may_send {
            return Err(DropReason::UnauthorizedSourceMac);
        }
        let (seals, is_door) = (self.view == View::Outside, self.view == View::Door);
        let forbidden = match seals {
            true => frame.forbidden_outside(),
            false => frame.forbidden(my_mac.is_some()),
        };
        if let Some(reason) = forbidden {
            return Err(reason);
        }
        let clients: Vec<_> = room.iter().filter_map(|peer| peer.mac).collect();
        let owner = others
            .iter()
            .find(|peer| peer.mac == Some(frame.destination));
        let gateway = others.iter().find(|peer| peer.mac.is_none());
        let heard = self.heard.contains(&(room_id, frame.destination));
        let group = frame.destination[0] % 2 == 1;
        let to_a_client = owner.is_some() && !group;
        let (targets, unknown) = match (group, owner, gateway) {
            (true, _, gateway) if kept_apart => {
                (gateway.iter().map(|gateway| gateway.link).collect(), false)
            }
            (true, _, _) => (others.iter().map(|peer| peer.link).collect(), false),
            (false, Some(owner), _) => (vec![owner.link], false),
            (false, None, Some(gateway)) if my_mac != Some(frame.destination) => {
                (vec![gateway.link], !heard)
            }
            (false, None, _) => (Vec::new(), false),
        };
        let between_clients = my_mac.is_some() && clients.contains(&frame.destination);
        if is_door && (group || between_clients || frame.concerns_all()) {
            return Err(DropReason::NotDirect);
        }
        if my_mac.is_none() {
            self.heard.push((room_id, frame.source));
        }
        if !seals && !is_door {
            self.addresses
                .hear(now, (room_id, my_mac, frame.source), frame.says, &clients)?;
        }
        if targets.is_empty() && !group {
            return Err(DropReason::UnknownDestination);
        }
        let is_report = frame.group().is_some() && frame.kind != Kind::Stream && self.snoops();
        if muted && group && !is_report {
            return Err(DropReason::Muted);
        }
        if kept_apart && to_a_client {
            return Err(DropReason::Isolated);
        }
        if let Some(group) = frame.group().filter(|_| self.snoops()) {
            return self.switch_group(now, at, (frame, group), kept_apart, unpaid);
        }
        let budgets = &mut self.peers[at].budgets;
        let talk = group.then(|| if seals { Talk::Other } else { frame.talk() });
        match my_mac {
            Some(_) => budgets.pay(now, talk, unknown, unpaid)?,
            None => budgets.pay_for_lan(now, frame.source, talk, false)?,
        }
        Ok(targets)
    }

    /// Whether it hears who listens to which group.
    fn snoops(&self) -> bool {
        matches!(self.view, View::Whole | View::Inside)
    }

    fn hear_of_groups(&mut self, now: u64, at: usize, frame: &Frame) {
        let Some(wanted) = frame.group() else { return };
        let groups = &mut self.peers[at].groups;
        if frame.kind != Kind::Stream {
            groups.retain(|&(group, _)| group != wanted);
        }
        if frame.kind == Kind::Joins {
            groups.push((wanted, now + 260_000));
        }
    }

    /// Reports are for the gateway. What goes to a group is for the gateway, and for those that want it or may; of
    /// the LAN's, those that may get what the room's budget pays for.
    fn switch_group(
        &mut self,
        now: u64,
        at: usize,
        (frame, wanted): (&Frame, u8),
        kept_apart: bool,
        unpaid: (usize, usize),
    ) -> Result<Vec<u32>, DropReason> {
        let me = &self.peers[at];
        let (my_link, from_lan) = (me.link, me.mac.is_none());
        let (mut gateway, mut sure, mut perhaps) = (Vec::new(), Vec::new(), Vec::new());
        for other in self.room(&me.room) {
            let wants = other
                .groups
                .iter()
                .any(|&(group, until)| group == wanted && now < until);
            match other.mac {
                _ if other.link == my_link => {}
                None => gateway.push(other.link),
                Some(_) if wants => sure.push(other.link),
                Some(_) if now < other.hears_all_until => perhaps.push(other.link),
                Some(_) => {}
            }
        }
        let budgets = &mut self.peers[at].budgets;
        let for_gateway = kept_apart || frame.kind != Kind::Stream;
        match (from_lan, for_gateway) {
            (false, _) => {
                budgets.pay(now, Some(frame.talk()), false, unpaid)?;
                self.hear_of_groups(now, at, frame);
            }
            (true, true) => return Err(DropReason::Unwanted),
            (true, false) if sure.is_empty() && perhaps.is_empty() => {
                return Err(DropReason::Unwanted);
            }
            (true, false) if perhaps.is_empty() => {}
            (true, false) => match budgets.pay_for_lan(now, frame.source, Some(frame.talk()), true)
            {
                Err(reason) if sure.is_empty() => return Err(reason),
                Err(_) => perhaps.clear(),
                Ok(()) => {}
            },
        }
        Ok(match for_gateway {
            true => gateway,
            false => [gateway, sure, perhaps].concat(),
        })
    }
}
