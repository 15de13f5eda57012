//! What a careful observer notes down about a relay, and what must follow from it.

use super::steps::{Join, Step, source};
use lanparty_ctrl::message::{Newcomer, PeerLeft};
use lanparty_ctrl::{LeaveReason, RelayMessage, ResumeToken};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_proto::{IpMtu, RoomId};
use lanparty_relay::registry::Seat;
use lanparty_relay::room::{Departure, LinkHealth, MAX_MALFORMED, Step as Say};
use lanparty_relay::{JoinLimits, Limits, Rate, Rates, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How a peer is reached; every admission has a new one.
pub(super) type Link = u32;

pub(super) const LIMITS: Limits = Limits {
    rooms: 2,
    peers: 6,
    peers_per_address: 4,
    peers_per_network: 100,
    rooms_per_address: 2,
    rooms_per_network: 100,
    clients_per_room: 3,
    joins: JoinLimits {
        per_identity: u32::MAX,
        per_address: u32::MAX,
    },
};

/// Small, so that a few frames reach them.
pub(super) const RATES: Rates = Rates {
    control: Rate {
        burst: 4,
        per_second: 2,
    },
    frames: Rate {
        burst: 60,
        per_second: 30,
    },
    lan: Rate {
        burst: 8,
        per_second: 4,
    },
    group: Rate {
        burst: 4,
        per_second: 2,
    },
    unknown: Rate {
        burst: 3,
        per_second: 1,
    },
    bytes: Rate {
        burst: 8192,
        per_second: 4096,
    },
};

pub(super) struct Party {
    pub(super) now: Instant,
    pub(super) relay: Registry<Link>,
    pub(super) seats: Vec<Attendee>,
    pub(super) ghosts: Vec<Seat>,
    pub(super) mtus: BTreeMap<RoomId, IpMtu>,
    pub(super) admissions: u8,
    pub(super) links: Link,
    pub(super) frame_ids: u16,
    pub(super) draining: bool,
}

/// A peer that is in.
pub(super) struct Attendee {
    pub(super) link: Link,
    pub(super) place: Seat,
    pub(super) code: &'static str,
    pub(super) who: Newcomer,
    pub(super) site: usize,
    pub(super) token: ResumeToken,
    pub(super) joined_at: Instant,
    pub(super) frames: u32,
    pub(super) group_frames: u32,
    pub(super) bytes: u32,
}

impl Party {
    pub(super) fn new(now: Instant) -> Self {
        Party {
            now,
            relay: Registry::new(LIMITS, RATES),
            seats: Vec::new(),
            ghosts: Vec::new(),
            mtus: BTreeMap::new(),
            admissions: 0,
            links: 0,
            frame_ids: 0,
            draining: false,
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Join(join) => self.join(&join),
            Step::Leave { seat } => {
                if let Some(seat) = self.pick(seat) {
                    self.leave(seat, LeaveReason::Closed);
                }
            }
            Step::Frame {
                seat,
                frame,
                cut,
                lost,
            } => self.send(seat, &frame, cut, lost),
            Step::Body {
                seat,
                fragment,
                bytes,
            } => {
                if let Some(seat) = self.pick(seat) {
                    let header = self.header(seat, fragment);
                    self.datagram(seat, [&header.encode()[..], &bytes].concat(), None);
                }
            }
            Step::Datagram { seat, bytes } => {
                if let Some(seat) = self.pick(seat) {
                    self.datagram(seat, bytes, None);
                }
            }
            Step::Probe { seat, asking, len } => self.probe(seat, asking, len),
            Step::Forged {
                seat,
                victim,
                frame,
            } => self.forge(seat, victim, &frame),
            Step::Ghost { ghost, frame } => self.haunt(ghost, &frame),
            Step::Stats { seat } => {
                if let Some(seat) = self.pick(seat) {
                    let place = self.seats[seat].place;
                    let stats = PeerStats::default();
                    self.relay
                        .handle_stats(self.now, place, stats, LinkHealth::default());
                }
            }
            Step::Wait { tenths } => self.wait(tenths),
            Step::Drain => self.drain(),
        }
    }

    /// What holds after every step.
    pub(super) fn check(&self) {
        let known: BTreeMap<_, _> = self
            .relay
            .peers()
            .map(|(place, record)| (place, record.who))
            .collect();
        let seated: BTreeMap<_, _> = self
            .seats
            .iter()
            .map(|seat| (seat.place, seat.who))
            .collect();
        assert_eq!(known, seated);
        assert_eq!(self.seats.len(), seated.len(), "a place for each");
        assert!(seated.len() <= LIMITS.peers);
        assert_eq!(self.relay.rooms(), self.codes().len());
        assert!(self.relay.rooms() <= LIMITS.rooms);
        for code in self.codes() {
            assert!(self.clients(code) <= LIMITS.clients_per_room);
            let places: BTreeSet<_> = self.room(code).map(|seat| seat.place.room).collect();
            assert_eq!(places.len(), 1, "a room has one number");
            let mut holders = Vec::new();
            for seat in self.room(code) {
                assert!(!holders.contains(&seat.who), "two in one place");
                holders.push(seat.who);
            }
        }
        for site in 0..3 {
            assert!(self.of_site(site) <= LIMITS.peers_per_address);
        }
        for (_, record) in self.relay.peers() {
            let drops = record.drops.total() - record.drops.of(DropReason::Incomplete);
            let passed = record.frames + record.pieces + record.probes;
            assert_eq!(record.datagrams, passed + drops);
            assert!(record.malformed <= MAX_MALFORMED);
        }
    }

    /// Everybody leaves; then there is room again for as many as at first, from every site.
    pub(super) fn end(mut self) {
        while !self.seats.is_empty() {
            self.leave(0, LeaveReason::TimedOut);
            self.check();
        }
        assert_eq!(self.relay.poll_timeout(), None);
        if self.draining {
            return;
        }
        for which in [0, 2, 4] {
            for who in [None, Some(1), Some(2), Some(3)] {
                let join = Join {
                    room: false,
                    who,
                    source: which,
                    token: None,
                };
                let before = self.seats.len();
                self.join(&join);
                assert_eq!(
                    self.seats.len(),
                    before + 1,
                    "a trace of {:?}",
                    source(which)
                );
            }
            while !self.seats.is_empty() {
                self.leave(0, LeaveReason::Closed);
            }
        }
    }

    fn wait(&mut self, tenths: u8) {
        self.now += Duration::from_millis(100) * tenths.into();
        self.relay.handle_timeout(self.now);
        let next = self.relay.poll_timeout();
        assert!(next.is_none_or(|next| next > self.now));
    }

    fn drain(&mut self) {
        let told: BTreeSet<_> = self.relay.drain().into_iter().collect();
        assert_eq!(told, self.seats.iter().map(|seat| seat.link).collect());
        self.draining = true;
    }

    pub(super) fn leave(&mut self, at: usize, reason: LeaveReason) {
        let place = self.seats[at].place;
        let departure = self.relay.leave(place, reason).expect("it has a seat");
        let alone = self.room(self.seats[at].code).count() == 1;
        assert_eq!(departure.room_closed, alone);
        self.check_departure(at, &departure, reason);
        self.seats.remove(at);
        self.ghosts.push(place);
        assert!(self.relay.peer(place).is_none());
        assert!(self.relay.leave(place, reason).is_none());
    }

    /// Everybody who is still there is told once.
    pub(super) fn check_departure(
        &self,
        at: usize,
        departure: &Departure<Link>,
        reason: LeaveReason,
    ) {
        let seat = &self.seats[at];
        assert_eq!(
            (departure.peer, departure.link),
            (seat.place.peer, seat.link)
        );
        let news = RelayMessage::PeerLeft(PeerLeft {
            peer_id: seat.place.peer,
            reason,
        });
        let mut others: Vec<_> = self
            .room(seat.code)
            .filter(|other| other.link != seat.link)
            .map(|other| other.link)
            .collect();
        let mut told: Vec<_> = departure
            .steps
            .iter()
            .map(|step| match step {
                Say::Tell(link, message) if *message == news => *link,
                other => unreachable!("{other:?} at a departure"),
            })
            .collect();
        others.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, others);
    }

    /// One of those who are in, if anybody is.
    pub(super) fn pick(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.seats.len())
    }

    pub(super) fn room(&self, code: &str) -> impl Iterator<Item = &Attendee> {
        self.seats.iter().filter(move |seat| seat.code == code)
    }

    pub(super) fn clients(&self, code: &str) -> usize {
        self.room(code)
            .filter(|seat| seat.who != Newcomer::Gateway)
            .count()
    }

    pub(super) fn codes(&self) -> BTreeSet<&'static str> {
        self.seats.iter().map(|seat| seat.code).collect()
    }

    pub(super) fn of_site(&self, site: usize) -> usize {
        self.seats.iter().filter(|seat| seat.site == site).count()
    }
}
