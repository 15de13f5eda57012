//! What peers send, and how relay and reference judge it.

use super::*;

impl Party {
    pub(super) fn somebody(&mut self) -> Option<(u32, Seat)> {
        let present: Vec<_> = self.present.iter().map(|(&link, &at)| (link, at)).collect();
        self.dice.any(&present).copied()
    }

    pub(super) fn peer(&self, link: u32) -> &Peer {
        let mut peers = self.reference.peers.iter();
        peers.find(|peer| peer.link == link).unwrap()
    }

    pub(super) fn some_frame(&mut self, link: u32) -> Frame {
        let own = self.peer(link).mac;
        let kind = *self.dice.pick(KINDS);
        let destination = self.some_destination(own);
        let source = self.some_source(own);
        Frame::new(&mut self.dice, kind, destination, source)
    }

    pub(super) fn some_destination(&mut self, own: Option<Mac>) -> Mac {
        match self.dice.between(0, 9) {
            0 | 1 => BROADCAST,
            2 => MULTICAST,
            3..6 => client_mac(self.dice.between(1, CLIENTS.into())),
            6 => own.unwrap_or(BROADCAST),
            _ => lan_mac(self.dice.between(1, 4)),
        }
    }

    pub(super) fn some_source(&mut self, own: Option<Mac>) -> Mac {
        match self.dice.between(0, 19) {
            0 => client_mac(self.dice.between(1, CLIENTS.into())),
            1 => lan_mac(self.dice.between(1, 4)),
            2 => *self.dice.pick(&[[0; 6], BROADCAST, MULTICAST]),
            _ => own.unwrap_or(lan_mac(self.dice.between(1, 4))),
        }
    }

    pub(super) fn somebody_sends(&mut self) {
        let Some(from) = self.somebody() else { return };
        let frame = self.some_frame(from.0);
        self.send_whole(from, frame);
    }

    pub(super) fn send_whole(&mut self, from: (u32, Seat), frame: Frame) {
        let datagram = [&header(from.1, 0)[..], &frame.bytes].concat();
        self.arrives(InFlight {
            from,
            datagram,
            truth: Some(frame),
        });
    }

    pub(super) fn somebody_sends_in_pieces(&mut self) {
        let Some(from) = self.somebody() else { return };
        let frame = self.some_frame(from.0);
        if frame.bytes.is_empty() {
            return;
        }
        self.last_cut += 1;
        let most = frame.bytes.len().div_ceil(self.dice.between(1, 20)).max(1);
        let mut offset = 0;
        while offset < frame.bytes.len() {
            let end = frame.bytes.len().min(offset + self.dice.between(1, most));
            self.launch_piece(from, &frame, (offset, end));
            offset = end;
        }
    }

    /// Sends a piece on its way; sometimes twice, or with an impostor behind it.
    pub(super) fn launch_piece(&mut self, from: (u32, Seat), frame: &Frame, range: (usize, usize)) {
        let total = frame.bytes.len();
        let mut piece = frame.bytes[range.0..range.1].to_vec();
        let truth = Some(frame.clone());
        let datagram = fragment(from.1, self.last_cut, range.0, total, &piece);
        let mut launch = |datagram| {
            self.in_flight.push(InFlight {
                from,
                datagram,
                truth: truth.clone(),
            });
        };
        launch(datagram.clone());
        match self.dice.between(0, 39) {
            0 => launch(datagram),
            1 => launch(fragment(from.1, self.last_cut, range.0, total + 1, &piece)),
            2 if piece.len() > 1 => {
                piece.pop();
                launch(fragment(from.1, self.last_cut, range.0, total, &piece));
            }
            // Only the last byte of a game's payload: it is still the frame of a game.
            3 if frame.kind == Kind::Game && range.1 == total => {
                piece[range.1 - range.0 - 1] ^= 0xff;
                launch(fragment(from.1, self.last_cut, range.0, total, &piece));
            }
            _ => {}
        }
    }

    pub(super) fn something_arrives(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let recent = self.in_flight.len().saturating_sub(8);
        let at = self.dice.between(recent, self.in_flight.len() - 1);
        let datagram = self.in_flight.remove(at);
        if !self.dice.one_in(30) {
            self.arrives(datagram);
        }
    }

    pub(super) fn somebody_mumbles(&mut self) {
        let Some(from) = self.somebody() else { return };
        let mut datagram = [&header(from.1, 0)[..], &[0x47; 60]].concat();
        match self.dice.between(0, 5) {
            0 => datagram.truncate(self.dice.between(0, 7)),
            1 => datagram[0] = *self.dice.pick(&[0x01, 0x21, 0x10, 0x12, 0xff]),
            2 => datagram[1] = *self.dice.pick(&[0x02, 0x81, 0xff]),
            3 => datagram[2..4].fill(*self.dice.pick(&[0, 0xff])),
            4 => datagram[4..8].fill(0),
            _ => {
                // An impossible piece: empty, beyond the end, or of no frame that can be.
                let (offset, total, len) = *self.dice.pick(&[
                    (0, 60, 0),
                    (50, 60, 11),
                    (65535, 60, 1),
                    (0, 13, 5),
                    (0, 1519, 5),
                ]);
                datagram = fragment(from.1, 0, offset, total, &vec![0; len]);
                datagram.truncate(self.dice.between(8, datagram.len()));
            }
        }
        // Twenty of them in a row are too many.
        for _ in 0..if self.dice.one_in(4) { 20 } else { 1 } {
            self.arrives(InFlight {
                from,
                datagram: datagram.clone(),
                truth: None,
            });
        }
    }

    pub(super) fn somebody_forges(&mut self) {
        let (Some(from), Some(other)) = (self.somebody(), self.somebody()) else {
            return;
        };
        let frame = self.some_frame(from.0);
        let mut datagram = [&header(other.1, 0)[..], &frame.bytes].concat();
        if other.1 == from.1 {
            datagram[7] ^= 0x55;
        }
        self.arrives(InFlight {
            from,
            datagram,
            truth: Some(frame),
        });
    }

    pub(super) fn somebody_probes(&mut self) {
        let (Some(from), Some(other)) = (self.somebody(), self.somebody()) else {
            return;
        };
        let mut datagram = header(other.1, 0).to_vec();
        datagram[0] = 0x12;
        datagram.resize(self.dice.between(8, 1400), 0);
        self.arrives(InFlight {
            from,
            datagram,
            truth: None,
        });
    }

    pub(super) fn somebody_storms(&mut self) {
        let Some(from) = self.somebody() else { return };
        let source = self.peer(from.0).mac.unwrap_or(lan_mac(1));
        let destination = *self.dice.pick(&[BROADCAST, lan_mac(4), client_mac(1)]);
        let kind = *self.dice.pick(&[Kind::Game, Kind::Ipx]);
        let frame = Frame::new(&mut self.dice, kind, destination, source);
        for _ in 0..30 {
            self.send_whole(from, frame.clone());
        }
    }

    /// First pieces of more frames than may wait.
    pub(super) fn somebody_cuts_too_much(&mut self) {
        let Some(from) = self.somebody() else { return };
        for _ in 0..70 {
            self.last_cut += 1;
            let datagram = fragment(from.1, self.last_cut, 0, 60, &[0x47]);
            self.arrives(InFlight {
                from,
                datagram,
                truth: None,
            });
        }
    }

    pub(super) fn a_ghost_sends(&mut self) {
        let Some(&from) = self.dice.any(&self.gone) else {
            return;
        };
        let frame = Frame::new(&mut self.dice, Kind::Game, BROADCAST, client_mac(1));
        self.send_whole(from, frame);
    }

    /// The relay and the reference judge the same datagram.
    pub(super) fn arrives(&mut self, datagram: InFlight) {
        let InFlight {
            from: (link, place),
            datagram,
            truth,
        } = datagram;
        let truth = truth.as_ref();
        let expected = self.reference.datagram(self.now, link, &datagram, truth);
        let now = self.instant();
        let verdict = self
            .registry
            .handle_datagram(now, place, Bytes::from(datagram.clone()));
        self.note(|| {
            let kind = truth.map(|frame| (frame.kind, frame.bytes.len()));
            format!(
                "link {link} sends {} bytes, {kind:?} → {verdict:?}",
                datagram.len()
            )
        });
        self.tally.datagrams += 1;
        match (verdict, expected) {
            (Verdict::Forward(forward), Expected::Forward(frame, mut links)) => {
                self.tally.forwarded += 1;
                self.tally.copies += links.len() as u64;
                assert_eq!(forward.datagram, [&header(place, 0)[..], &frame].concat());
                let mut targets = forward.targets.to_vec();
                targets.sort_unstable();
                links.sort_unstable();
                assert_eq!(targets, links, "who gets it");
                self.check_targets(link, place, &frame, &targets);
                let last = self.last_frame_ids.insert(link, forward.frame_id);
                assert_ne!(last, Some(forward.frame_id), "every frame has a new number");
            }
            (Verdict::Pending, Expected::Pending) => self.tally.pending += 1,
            (Verdict::Echo(probe), Expected::Echo) => {
                assert_eq!(probe, datagram, "a probe goes back as it came");
                self.tally.probes += 1;
            }
            (Verdict::Drop(reason), Expected::Drop(expected)) => {
                assert_eq!(reason, expected, "why it is dropped");
                self.count_drop(reason);
            }
            (Verdict::Expel(reason), Expected::Expel(expected)) => {
                assert_eq!(reason, expected, "why it is expelled");
                self.count_drop(reason);
                self.tally.expelled += 1;
                self.check_counts(link, place);
                self.leave(link, place, LeaveReason::ProtocolError);
            }
            (verdict, expected) => panic!("{verdict:?}, expected {expected:?}"),
        }
        if self.present.contains_key(&link) {
            self.check_counts(link, place);
        }
    }

    pub(super) fn count_drop(&mut self, reason: DropReason) {
        *self.tally.dropped.entry(reason.name()).or_default() += 1;
    }
}
