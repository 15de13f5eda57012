//! What becomes of datagrams.

use super::model::{Link, Party, RATES};
use super::steps::Frame;
use crate::classify::verdict as classified;
use bytes::Bytes;
use lanparty_ctrl::LeaveReason;
use lanparty_ctrl::message::Newcomer;
use lanparty_obs::DropReason;
use lanparty_proto::overlay::Probe;
use lanparty_proto::{DatagramBudget, EthernetFrame, Header, MacAddr, fragment};
use lanparty_relay::Rate;
use lanparty_relay::registry::Seat;
use lanparty_relay::room::{Forward, MAX_MALFORMED, Verdict};
use lanparty_switch::Speaker;
use std::collections::BTreeSet;
use std::time::Duration;

impl Party {
    /// A frame as our programs send it: whole, or in pieces of which one may be lost.
    pub(super) fn send(&mut self, seat: u8, frame: &Frame, cut: Option<u8>, lost: Option<u8>) {
        let Some(at) = self.pick(seat) else {
            return;
        };
        let frame = frame.build(self.own_mac(at));
        let header = self.header(at, false);
        let budget = cut.map(|cut| DatagramBudget::clamped(512 + usize::from(cut)));
        let Some(budget) = budget.filter(|_| (14..=1518).contains(&frame.len())) else {
            let datagram = [&header.encode()[..], &frame].concat();
            self.datagram(at, datagram, Some(&frame));
            return;
        };
        self.frame_ids = self.frame_ids.wrapping_add(1);
        let link = self.seats[at].link;
        let pieces: Vec<Bytes> = fragment::cut(header, self.frame_ids, &frame, budget).collect();
        for (number, piece) in pieces.into_iter().enumerate() {
            let is_lost = lost.map(usize::from) == Some(number);
            // It may have been expelled in the middle.
            let still_there = self.seats.get(at).is_some_and(|seat| seat.link == link);
            if !is_lost && still_there {
                self.datagram(at, piece.to_vec(), Some(&frame));
            }
        }
    }

    pub(super) fn probe(&mut self, seat: u8, asking: u8, len: u16) {
        let (Some(at), Some(asking)) = (self.pick(seat), self.pick(asking)) else {
            return;
        };
        let Seat { room, peer } = self.seats[asking].place;
        let probe = Probe {
            peer,
            room,
            number: 7,
        };
        self.datagram(at, probe.encode(usize::from(len % 1600)).to_vec(), None);
    }

    pub(super) fn forge(&mut self, seat: u8, victim: u8, frame: &Frame) {
        let (Some(at), Some(victim)) = (self.pick(seat), self.pick(victim)) else {
            return;
        };
        let frame = frame.build(self.own_mac(victim));
        let header = self.header(victim, false);
        self.datagram(at, [&header.encode()[..], &frame].concat(), Some(&frame));
    }

    /// Whoever has left is not heard any more.
    pub(super) fn haunt(&mut self, ghost: u8, frame: &Frame) {
        let which = usize::from(ghost).checked_rem(self.ghosts.len());
        let Some(place) = which.map(|which| self.ghosts[which]) else {
            return;
        };
        let header = Header {
            peer: place.peer,
            room: place.room,
            fragment: false,
        };
        let datagram = [&header.encode()[..], &frame.build(MacAddr::ZERO)].concat();
        let verdict = self.relay.handle_datagram(self.now, place, datagram.into());
        assert!(
            matches!(verdict, Verdict::Drop(DropReason::LinkDown)),
            "{verdict:?}"
        );
    }

    /// One datagram from a seat; `frame` is what it carries all or a piece of, where that is known.
    pub(super) fn datagram(&mut self, at: usize, datagram: Vec<u8>, frame: Option<&[u8]>) {
        let place = self.seats[at].place;
        let sent = Bytes::from(datagram);
        let verdict = self.relay.handle_datagram(self.now, place, sent.clone());
        let malformed = self.relay.peer(place).map(|record| record.malformed);
        let is_last = malformed > Some(MAX_MALFORMED);
        let header = Header::decode(&sent).map(|(header, _)| header);
        match verdict {
            Verdict::Forward(forward) => {
                let header = header.expect("only ours are forwarded");
                assert_eq!((header.room, header.peer), (place.room, place.peer));
                if !header.fragment {
                    assert_eq!(forward.datagram, sent);
                }
                self.check_forward(at, &forward, frame);
            }
            Verdict::Pending => assert!(header.is_ok_and(|header| header.fragment)),
            Verdict::Echo(echo) => {
                assert_eq!(echo, sent, "it costs the relay no more than its sender");
                let probe = Probe::decode(&sent).expect("only probes go back");
                assert_eq!((probe.room, probe.peer), (place.room, place.peer));
                self.check_allowance(at, false, sent.len());
            }
            Verdict::Drop(_) => assert!(!is_last),
            Verdict::Expel(_) => {
                assert!(is_last);
                self.leave(at, LeaveReason::ProtocolError);
            }
        }
    }

    fn check_forward(&mut self, at: usize, forward: &Forward<Link>, sent: Option<&[u8]>) {
        let (header, bytes) = Header::decode(&forward.datagram).expect("peers must read it");
        assert_eq!(header, self.header(at, false));
        if let Some(sent) = sent {
            assert_eq!(bytes, sent);
        }
        let frame = EthernetFrame::parse(bytes).expect("a runt is not forwarded");
        self.check_source(at, frame.source());
        let speaker = match self.seats[at].who {
            Newcomer::Client(mac) => Speaker::Player(mac.addr()),
            Newcomer::Gateway => Speaker::Lan,
        };
        assert_eq!(classified(bytes, speaker), Ok(()));
        let targets: BTreeSet<_> = forward.targets.iter().copied().collect();
        assert_eq!(
            targets.len(),
            forward.targets.len(),
            "nothing arrives twice"
        );
        let expected = self.expected_targets(at, frame.destination());
        match frame.destination().is_group() {
            // Some groups not everybody wants, and reports of them are for the LAN alone.
            true => assert!(targets.is_subset(&expected) && self.reaches_the_lan(at, &targets)),
            false => assert_eq!(targets, expected),
        }
        self.check_allowance(at, frame.destination().is_group(), bytes.len());
    }

    fn check_source(&self, at: usize, source: MacAddr) {
        let seat = &self.seats[at];
        match seat.who {
            Newcomer::Client(mac) => assert_eq!(source, mac.addr()),
            Newcomer::Gateway => {
                let mut clients = self.room(seat.code).filter_map(|seat| seat.who.mac());
                assert!(clients.all(|mac| mac.addr() != source));
            }
        }
    }

    /// Groups are for everybody else, a client's address for that client, the rest for the LAN.
    fn expected_targets(&self, at: usize, destination: MacAddr) -> BTreeSet<Link> {
        let seat = &self.seats[at];
        let others = || self.room(seat.code).filter(|other| other.link != seat.link);
        let holds = |other: &Newcomer| other.mac().is_some_and(|mac| mac.addr() == destination);
        if destination.is_group() {
            return others().map(|other| other.link).collect();
        }
        assert!(!holds(&seat.who), "nothing returns to its sender");
        let client = others().find(|other| holds(&other.who));
        let gateway = others().find(|other| other.who == Newcomer::Gateway);
        let target = client.or(gateway).expect("nobody has this address");
        BTreeSet::from([target.link])
    }

    /// What a client says to a group always reaches its LAN.
    fn reaches_the_lan(&self, at: usize, targets: &BTreeSet<Link>) -> bool {
        let seat = &self.seats[at];
        let gateway = self
            .room(seat.code)
            .find(|other| other.who == Newcomer::Gateway);
        gateway.is_none_or(|gateway| gateway.link == seat.link || targets.contains(&gateway.link))
    }

    /// A client never gets more through than its buckets held and were given.
    fn check_allowance(&mut self, at: usize, is_group: bool, len: usize) {
        let seat = &mut self.seats[at];
        if seat.who == Newcomer::Gateway {
            return;
        }
        let elapsed = self.now - seat.joined_at;
        seat.group_frames += u32::from(is_group);
        seat.frames += 1;
        seat.bytes += len as u32;
        let to_groups = allowed(RATES.group, elapsed) + allowed(RATES.control, elapsed);
        assert!(seat.group_frames <= to_groups);
        assert!(seat.frames <= allowed(RATES.frames, elapsed));
        assert!(seat.bytes <= allowed(RATES.bytes, elapsed));
    }

    /// The header that a seat's own datagrams have.
    pub(super) fn header(&self, at: usize, fragment: bool) -> Header {
        let place = self.seats[at].place;
        Header {
            peer: place.peer,
            room: place.room,
            fragment,
        }
    }

    fn own_mac(&self, at: usize) -> MacAddr {
        match self.seats[at].who {
            Newcomer::Client(mac) => mac.addr(),
            Newcomer::Gateway => MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]),
        }
    }
}

fn allowed(rate: Rate, elapsed: Duration) -> u32 {
    let refilled = u128::from(rate.per_second) * elapsed.as_millis() / 1000;
    rate.burst + refilled as u32
}
