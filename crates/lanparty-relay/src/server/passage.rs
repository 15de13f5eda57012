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
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Asks the room about the datagrams of one peer, and sends them to whom it says.
pub(super) struct Passage {
    rooms: Arc<Rooms>,
    place: Seat,
    link: Arc<Contact>,
}

/// Few datagrams of one peer come at once, unless it sends all it can.
type Verdicts = SmallVec<[Verdict<Arc<Contact>>; 4]>;

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
        let logged = log::frames_enabled().then(|| datagrams.to_vec());
        let verdicts = self.judge(now, datagrams);
        for (datagram, verdict) in logged.iter().flatten().zip(&verdicts) {
            self.log_frame(datagram, verdict);
        }
        let mut sent = Sent::default();
        let mut passed = Ok(());
        for verdict in verdicts {
            match verdict {
                Verdict::Forward(forward) => sent.add(now, &forward),
                Verdict::Echo(probe) => self.link.echo(probe),
                Verdict::Pending | Verdict::Drop(_) => {}
                Verdict::Expel(reason) => passed = Err(Malformed(reason)),
            }
        }
        let counts = &self.rooms.counts;
        counts.note_sent(Role::Client, sent.to_players);
        counts.note_sent(Role::Gateway, sent.to_gateways);
        passed
    }

    /// What the room says of them, which is asked once for all of them.
    fn judge(&self, now: Instant, datagrams: &mut [Bytes]) -> Verdicts {
        let mut verdicts = Verdicts::new();
        let mut rooms = self.rooms.lock();
        for datagram in datagrams {
            let verdict = rooms.handle_datagram(now, self.place, std::mem::take(datagram));
            let is_last = matches!(verdict, Verdict::Expel(_));
            verdicts.push(verdict);
            if is_last {
                break;
            }
        }
        verdicts
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

/// What was sent of a batch.
#[derive(Debug, Default)]
struct Sent {
    to_players: Sending,
    to_gateways: Sending,
}

impl Sent {
    /// Sends a frame, and counts it.
    fn add(&mut self, now: Instant, forward: &Forward<Arc<Contact>>) {
        let len = forward.datagram.len() - overlay::HEADER_LEN;
        for target in &forward.targets {
            let to = match target.role() {
                Role::Client => &mut self.to_players,
                Role::Gateway => &mut self.to_gateways,
            };
            match target.send(now, forward.datagram.clone(), forward.frame_id) {
                true => {
                    to.frames += 1;
                    to.bytes += len as u64;
                }
                false => to.link_down += 1,
            }
        }
    }
}
