//! Frames of the LAN for the room, and of the room for the LAN.

use super::{Bridge, Presence, news};
use bytes::{Bytes, BytesMut};
use lanparty_obs::DropReason;
use lanparty_proto::ethernet::{self, MIN_WIRE_LEN, ether_type::LOCAL_EXPERIMENTAL_1};
use lanparty_proto::{EthernetFrame, FrameBuf, FrameKind, Header, mss, overlay};
use lanparty_switch::{Judged, Route, Speaker};
use std::time::Instant;

impl Bridge {
    pub(super) fn judge_frame(
        &mut self,
        now: Instant,
        frame: &mut FrameBuf,
    ) -> Result<(), DropReason> {
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
    pub(super) fn refuse_echo(&mut self, now: Instant, frame: &[u8]) -> DropReason {
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

    /// Refuses frames to groups while they would come back.
    pub(super) fn check_loop(&self, now: Instant) -> Result<(), DropReason> {
        match self.guard.is_closed(now) {
            true => Err(DropReason::Loop),
            false => Ok(()),
        }
    }

    pub(super) fn judge_datagram(
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
    pub(super) fn pass_on(
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
}

/// The frame as long as the wire wants it: a NIC pads, but not every port has a NIC behind it.
pub(super) fn padded(frame: Bytes) -> Bytes {
    if frame.len() >= MIN_WIRE_LEN {
        return frame;
    }
    let mut copy = BytesMut::with_capacity(MIN_WIRE_LEN);
    copy.extend_from_slice(&frame);
    copy.resize(MIN_WIRE_LEN, 0);
    copy.freeze()
}
