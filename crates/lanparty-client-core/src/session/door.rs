//! The player's end of its direct path to the gateway (spec R140).
//!
//! A switch of its own judges what comes there ([`View::Door`]), so pieces of the two ways never meet, and what must go by
//! the relay is refused from whomever it comes. Then a frame is asked what any of the LAN's is asked. The path may
//! outlive the link to the relay: as long as it stands, the LAN is there. Whom the machine asks for by ARP and neighbour
//! discovery then, which find no way, is answered for here, from what the LAN has said before.

use super::{HostCheck, Presence, Session};
use bytes::Bytes;
use lanparty_ctrl::message::Newcomer;
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_peer::door::{Door, Standing};
use lanparty_proto::overlay::HEADER_LEN;
use lanparty_proto::{EthernetFrame, MacAddr, PeerId, VirtualMac};
use lanparty_switch::neighbours::{Neighbours, Question};
use lanparty_switch::{Judged, Rates, Speaker, Switch, View, goes_direct};
use std::collections::BTreeSet;
use std::time::Instant;

/// What a player hears while it has nothing but that path.
const RELAY_AWAY: &str = "The relay is away, and you go on playing by the direct path to the host; the other players are \
    back as soon as there is a relay again.";
/// How much of what no program of ours sends may come from there, as at a relay (spec R31).
const MAX_MALFORMED: u32 = 16;

/// Nothing, until such a path stands.
#[derive(Debug, Default)]
pub(super) struct DoorEnd {
    open: Option<Open>,
    /// It was shut for what came by it, and there is none any more on this link.
    is_refused: bool,
    /// The other players' MACs: what is for them is not for the LAN.
    others: BTreeSet<MacAddr>,
    /// Who has which address on the LAN.
    neighbours: Neighbours,
}

#[derive(Debug)]
struct Open {
    door: Door,
    judge: Switch,
    malformed: u32,
}

impl Session {
    pub(super) fn has_door(&self) -> bool {
        self.door.is_open()
    }

    /// True while the relay is away and the player goes on by the direct path alone.
    pub fn plays_on(&self) -> bool {
        let is_lost = self.place.as_ref().is_some_and(|place| place.is_lost);
        is_lost && self.has_door()
    }

    /// True while nobody takes questions to the LAN: the relay is away, or the gateway's link to it is.
    fn is_alone_with_door(&self) -> bool {
        let place = self.place.as_ref().filter(|place| !place.is_lost);
        let mut gateways = place.into_iter().flat_map(Presence::gateways);
        self.has_door() && !gateways.any(|gateway| self.believes(gateway))
    }

    /// The machine is told what it asks of the LAN, where that cannot be asked, or does not answer although it is there.
    pub(super) fn answer_for_lan(&mut self, now: Instant, frame: &[u8]) {
        if !self.has_door() {
            return;
        }
        let question = EthernetFrame::parse(frame).ok().and_then(Question::of);
        let Some(question) = question else { return };
        let answer = match self.is_alone_with_door() {
            true => self.door.neighbours.answer(now, &question),
            false => self.door.neighbours.answer_again(now, &question),
        };
        let answer = answer.map(|frame| PeerOutput::Frame(frame.into()));
        self.output.extend(answer);
    }

    /// What a player should know then.
    pub(super) fn word_of_door(&self) -> Option<String> {
        self.plays_on().then(|| RELAY_AWAY.to_owned())
    }

    /// A gateway that the player believes is there: the two may meet.
    pub(super) fn gateway_to_meet(&self, peer: PeerId) -> Option<VirtualMac> {
        let place = self.place.as_ref().filter(|place| !place.is_lost)?;
        let other = place.neighbours.get(&peer)?;
        let may = other.who == Newcomer::Gateway && self.believes(peer) && !self.door.is_refused;
        may.then_some(self.mac)
    }

    pub(super) fn stands(&self, player: VirtualMac) -> Standing {
        let doubts = self.check.as_ref().is_some_and(HostCheck::doubts);
        let place = self
            .place
            .as_ref()
            .filter(|_| !doubts && player == self.mac);
        let Some(place) = place.filter(|_| !self.door.is_refused) else {
            return Standing::Out;
        };
        let is_there = place.gateways().any(|gateway| self.believes(gateway));
        match is_there && !place.is_lost {
            true => Standing::In,
            // It is the gateway that says goodbye by the path itself; the relay may have lost it, or not told of it yet.
            false => Standing::Unknown,
        }
    }

    pub(super) fn let_in(&mut self, now: Instant, door: Door) {
        let mut judge = Switch::with_view(now, View::Door, door.room, Rates::default());
        judge.plug_in(now, door.gateway, Speaker::Lan);
        judge.plug_in(now, door.client, Speaker::Player(self.mac.addr()));
        self.door.open = Some(Open {
            door,
            judge,
            malformed: 0,
        });
        self.note_others();
        self.follow_lan(now);
    }

    pub(super) fn let_go(&mut self, now: Instant) {
        self.door.open = None;
        if self.place.as_ref().is_some_and(|place| place.is_lost) {
            self.leave_place(now);
        } else {
            self.follow_lan(now);
        }
    }

    /// Another link: what was shut may be opened again.
    pub(super) fn pardon_door(&mut self) {
        self.door.is_refused = false;
        self.note_others();
    }

    /// Somebody came or went.
    pub(super) fn note_others(&mut self) {
        if !self.has_door() {
            return;
        }
        let neighbours = self
            .place
            .iter()
            .flat_map(|place| place.neighbours.values());
        let macs = neighbours.filter_map(|other| other.who.mac());
        self.door.others = macs.map(VirtualMac::addr).collect();
    }

    /// Whether a frame may go by it: from the own machine to one of the LAN's, and of no concern to others.
    pub(super) fn way_out(&self, frame: &[u8]) -> Option<VirtualMac> {
        self.door.open.as_ref()?;
        let frame = EthernetFrame::parse(frame).ok()?;
        let is_for_lan = !self.door.others.contains(&frame.destination());
        (is_for_lan && goes_direct(frame)).then_some(self.mac)
    }

    /// Judges what came by it, and counts it.
    pub(super) fn take_direct(
        &mut self,
        now: Instant,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        // Whichever way they came, as frames are counted.
        self.stats.datagrams_from_relay += 1;
        let result = self.judge_direct(now, datagram);
        match &result {
            Ok(Some(frame)) => self.stats.count_received(frame),
            Ok(None) => {}
            Err(reason) => {
                self.stats.drops.count(*reason);
                self.door.note_refused(*reason);
            }
        }
        result
    }

    fn judge_direct(&mut self, now: Instant, datagram: Bytes) -> Result<Option<Bytes>, DropReason> {
        let open = self.door.open.as_mut().ok_or(DropReason::LinkDown)?;
        let drops = &mut self.stats.drops;
        let judged = open.judge.judge(now, open.door.gateway, datagram, drops)?;
        let Judged::Frame(crossing) = judged else {
            // Whoever has the path answers what is asked about it.
            return Ok(None);
        };
        let frame = crossing.datagram.slice(HEADER_LEN..);
        if let Ok(view) = EthernetFrame::parse(&frame) {
            self.door.neighbours.hear_directly(now, view);
        }
        let place = self.place.as_mut().ok_or(DropReason::LinkDown)?;
        let gateways = place.neighbours.values_mut();
        for gateway in gateways.filter(|other| other.who == Newcomer::Gateway) {
            gateway.heard_at = Some(now);
        }
        self.take_in(now, frame, Newcomer::Gateway)
    }

    /// Gives up frames whose pieces have not come.
    pub(super) fn expire_door(&mut self, now: Instant) {
        if let Some(open) = &mut self.door.open {
            let drops = &mut self.stats.drops;
            open.judge
                .handle_timeout(now, |_, lost| drops.add(DropReason::Incomplete, lost));
        }
    }
}

impl DoorEnd {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Learns from what the LAN says, whichever way that came.
    pub(super) fn hear_lan(&mut self, now: Instant, frame: &[u8]) {
        if let Ok(frame) = EthernetFrame::parse(frame) {
            self.neighbours.hear(now, frame);
        }
    }

    /// There is no LAN; the next one may be another.
    pub(super) fn forget_lan(&mut self) {
        self.neighbours.clear();
    }

    fn note_refused(&mut self, reason: DropReason) {
        use DropReason::{BadFragment, Malformed, Runt};
        let is_malformed = matches!(reason, Malformed | BadFragment | Runt);
        if let Some(open) = self.open.as_mut().filter(|_| is_malformed) {
            open.malformed += 1;
            self.is_refused |= open.malformed > MAX_MALFORMED;
        }
    }
}
