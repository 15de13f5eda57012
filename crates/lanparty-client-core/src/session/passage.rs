//! Frames from the room and to it, and those that come before it is known whose they are.

use super::host_check::HostCheck;
use super::{Session, lease};
use crate::filter;
use bytes::Bytes;
use lanparty_ctrl::message::{Newcomer, Vouched};
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_proto::ethernet;
use lanparty_proto::overlay::HEADER_LEN;
use lanparty_proto::{FrameBuf, Header, PeerId, mss};
use std::time::Instant;

impl Session {
    pub(super) fn send(&self, frame: &mut FrameBuf) -> Result<(), DropReason> {
        let place = self.place.as_ref().ok_or(DropReason::LinkDown)?;
        frame.strip_priority_tag();
        filter::outgoing(frame.frame(), self.mac)?;
        mss::clamp(frame.frame_mut(), place.budget);
        Ok(())
    }

    pub(super) fn receive(
        &mut self,
        now: Instant,
        datagram: &Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        let place = self.place.as_mut().ok_or(DropReason::LinkDown)?;
        let (header, _) = Header::decode(datagram).map_err(|_| DropReason::Malformed)?;
        if header.room != place.room || header.peer == place.own_id {
            return Err(DropReason::ForgedHeader);
        }
        let Some(sender) = place.neighbours.get_mut(&header.peer) else {
            // Its announcement may still be under way.
            self.early.hold(now, header.peer, datagram);
            return Ok(None);
        };
        if let (Newcomer::Gateway, Some(check)) = (sender.who, &mut self.check)
            && !check.believes(header.peer)
        {
            check.hold(now, header.peer, datagram);
            self.stats
                .drops
                .add(DropReason::UnprovenHost, check.take_lost());
            return Ok(None);
        }
        let body = datagram.slice(HEADER_LEN..);
        let frame = if header.fragment {
            let whole = sender.reassemble(now, &body);
            self.stats
                .drops
                .add(DropReason::Incomplete, sender.pieces.take_lost());
            let Some(frame) = whole? else { return Ok(None) };
            frame
        } else {
            body
        };
        sender.heard_at = Some(now);
        let who = sender.who;
        self.take_in(now, frame, who)
    }

    /// A whole frame of this one's, whichever way it came.
    pub(super) fn take_in(
        &mut self,
        now: Instant,
        frame: Bytes,
        who: Newcomer,
    ) -> Result<Option<Bytes>, DropReason> {
        let place = self.place.as_mut().ok_or(DropReason::LinkDown)?;
        let budget = place.budget;
        let frame = ethernet::without_priority_tag(frame);
        filter::incoming(&frame, who, self.mac)?;
        let is_lans = who == Newcomer::Gateway;
        if is_lans {
            self.door.hear_lan(now, &frame);
        }
        let is_to_all = frame.first().is_some_and(|first| first & 1 == 1);
        if is_to_all && is_lans {
            place.broadcast_at = Some(now);
        }
        if is_lans && self.proof.hear(now, &frame) {
            return Ok(None);
        }
        if !is_lans && lanparty_proof::is_answer(&frame) {
            return Err(DropReason::ForgedHeader);
        }
        if self.address.hear(now, &frame) {
            self.stats.count_received(&frame);
            self.speak_of_address();
            return Ok(None);
        }
        self.speak_of_address();
        match is_lans {
            true => self.games.hear(now, &frame),
            false => self.games.hear_player(now, &frame),
        };
        self.hosts.hear(now, &frame);
        // Nobody else may say what there is in a lease.
        let frame = match is_lans && !self.full_lease {
            true => lease::games_only(frame)?,
            false => frame,
        };
        Ok(Some(mss::clamped(frame, budget)))
    }

    /// Takes what a peer said before it was announced.
    pub(super) fn receive_early(&mut self, now: Instant, peer: PeerId) {
        let datagrams = self.early.take(now, peer);
        self.receive_late(now, datagrams);
        self.count_lost_early();
    }

    /// The gateway has answered: what it said before counts, if it is the host's.
    pub(super) fn handle_vouched(&mut self, now: Instant, vouched: &Vouched) {
        let (Some(place), Some(check)) = (&self.place, &mut self.check) else {
            return;
        };
        let datagrams = check.handle_vouched(now, place.room, self.mac, vouched);
        self.receive_late(now, datagrams);
        self.count_unproven();
    }

    pub(super) fn receive_late(&mut self, now: Instant, datagrams: Vec<Bytes>) {
        for datagram in datagrams {
            match self.receive(now, &datagram) {
                Ok(Some(frame)) => {
                    self.stats.count_received(&frame);
                    self.output.push_back(PeerOutput::Frame(frame));
                }
                Ok(None) => {}
                Err(reason) => self.stats.drops.count(reason),
            }
        }
    }

    pub(super) fn count_unproven(&mut self) {
        let lost = self.check.as_mut().map_or(0, HostCheck::take_lost);
        self.stats.drops.add(DropReason::UnprovenHost, lost);
    }

    pub(super) fn forget_early(&mut self) {
        self.early.clear();
        self.count_lost_early();
        if let Some(check) = &mut self.check {
            check.begin();
        }
        self.count_unproven();
    }

    pub(super) fn count_lost_early(&mut self) {
        let lost = self.early.take_lost();
        self.stats.drops.add(DropReason::ForgedHeader, lost);
    }
}
