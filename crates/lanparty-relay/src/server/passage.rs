//! A peer's frames on their way through its room.

use super::Rooms;
use super::contact::Contact;
use super::counts::Sending;
use crate::registry::Seat;
use crate::room::{Forward, Verdict};
use bytes::Bytes;
use lanparty_ctrl::Role;
use lanparty_edge::log;
use lanparty_obs::DropReason;
use lanparty_obs::frame_log::{Action, Direction, FrameLog};
use lanparty_proto::overlay;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Asks the room about the datagrams of one peer, and sends them to whom it says.
pub(super) struct Passage {
    rooms: Arc<Rooms>,
    place: Seat,
    link: Arc<Contact>,
}

/// Why a peer is sent away.
#[derive(Debug)]
pub(super) struct Malformed(DropReason);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "too many malformed datagrams, the last one for {}",
            self.0
        )
    }
}

impl Passage {
    pub(super) fn new(rooms: Arc<Rooms>, place: Seat, link: Arc<Contact>) -> Self {
        Passage { rooms, place, link }
    }

    /// Passes these datagrams, up to one for which their sender is to be sent away.
    pub(super) fn pass_all(&self, now: Instant, datagrams: &mut [Bytes]) -> Result<(), Malformed> {
        let mut datagrams = datagrams.iter_mut().map(std::mem::take);
        datagrams.try_for_each(|datagram| self.pass(now, datagram))
    }

    fn pass(&self, now: Instant, datagram: Bytes) -> Result<(), Malformed> {
        let logged = log::frames_enabled().then(|| datagram.clone());
        let verdict = self.rooms.lock().handle_datagram(now, self.place, datagram);
        if let Some(datagram) = logged {
            self.log_frame(&datagram, &verdict);
        }
        match verdict {
            Verdict::Forward(forward) => self.send(now, &forward),
            Verdict::Echo(probe) => self.link.echo(probe),
            Verdict::Pending | Verdict::Drop(_) => {}
            Verdict::Expel(reason) => return Err(Malformed(reason)),
        }
        Ok(())
    }

    fn send(&self, now: Instant, forward: &Forward<Arc<Contact>>) {
        let [mut players, mut gateways] = [Sending::default(); 2];
        for target in &forward.targets {
            let to = match target.role() {
                Role::Client => &mut players,
                Role::Gateway => &mut gateways,
            };
            match target.send(now, forward.datagram.clone(), forward.frame_id) {
                true => to.frames += 1,
                false => to.link_down += 1,
            }
        }
        let len = forward.datagram.len() - overlay::HEADER_LEN;
        self.rooms.counts.note_sent(Role::Client, players, len);
        self.rooms.counts.note_sent(Role::Gateway, gateways, len);
    }

    fn log_frame(&self, datagram: &Bytes, verdict: &Verdict<Arc<Contact>>) {
        let (datagram, action) = match verdict {
            Verdict::Forward(forward) => {
                let targets = forward.targets.len();
                (&forward.datagram, Action::Forward { targets })
            }
            Verdict::Drop(reason) | Verdict::Expel(reason) => (datagram, Action::Drop(*reason)),
            Verdict::Pending | Verdict::Echo(_) => return,
        };
        let frame = datagram.get(overlay::HEADER_LEN..).unwrap_or_default();
        log::frame(&FrameLog::new(
            Direction::Across,
            Some(self.place.peer),
            frame,
            action,
        ));
    }
}
