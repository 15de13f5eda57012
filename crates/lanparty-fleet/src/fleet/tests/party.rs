//! Some relays' fleets and one model directory, under one clock, with what must always hold checked after every step.

use crate::fleet::room::State;
use crate::fleet::*;
use crate::model::{Heard, Model, Site};
use crate::{Card, Near};
use lanparty_ctrl::HostId;
use std::collections::BTreeMap;

/// A directory that is there answers so soon.
const DELAY: Duration = Duration::from_millis(2);
/// What was asked before has been done by then, or never is; and the clock on the wall has gone on by more than a second.
const UPSET: Duration = Duration::from_secs(3);

pub(super) struct Party {
    pub(super) now: Instant,
    start: Instant,
    runs: u64,
    pub(super) model: Model,
    pub(super) relays: Vec<Relay>,
    /// Who had a room by which fence, ever.
    fences: BTreeMap<(RoomHash, Fence), RelayId>,
    /// When the directory was last taken away, or what all agree on.
    upset: Option<Instant>,
    /// That was not twice within [`UPSET`], so nobody made another one without knowing of the one before.
    is_ordered: bool,
}

pub(super) struct Relay {
    pub(super) fleet: Fleet,
    pub(super) site: Site,
    pub(super) outputs: Vec<(Duration, Output)>,
    /// Stopped: it neither hears nor acts.
    pub(super) asleep: bool,
    pub(super) dead: bool,
}

pub(super) fn secret() -> FleetSecret {
    FleetSecret::new("the same for all of them").unwrap()
}

pub(super) fn settings(number: usize) -> Settings {
    Settings {
        id: RelayId::from_random(number as u64 + 1),
        address: format!("relay-{number}.example.net").parse().unwrap(),
        pin: None,
        region: "".into(),
        secret: secret(),
        free: 400,
        on_loss: OnLoss::Keep,
        unix: 1_800_000_000,
        pace: Settings::PACE,
    }
}

pub(super) fn room(number: u16) -> RoomHash {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    RoomHash::from_bytes(bytes)
}

/// The open room of its code.
pub(super) fn code(room: RoomHash) -> RoomHash {
    let mut bytes = *room.as_bytes();
    bytes[31] = 1;
    RoomHash::from_bytes(bytes)
}

pub(super) fn host() -> HostId {
    HostId::from_sha256([9; 32])
}

pub(super) fn near(number: usize, rtt_ms: u32) -> Near {
    Near {
        address: format!("relay-{number}.example.net"),
        rtt_ms,
    }
}

impl Party {
    pub(super) fn new(relays: usize) -> Self {
        let now = Instant::now();
        let mut party = Party {
            now,
            start: now,
            runs: 0,
            model: Model::new(now),
            relays: Vec::new(),
            fences: BTreeMap::new(),
            upset: None,
            is_ordered: true,
        };
        for number in 0..relays {
            party.add(settings(number));
        }
        party
    }

    /// And everybody is in and given out.
    pub(super) fn ready(relays: usize) -> Self {
        let mut party = Party::new(relays);
        party.pass(6000);
        party
    }

    pub(super) fn add(&mut self, settings: Settings) -> usize {
        let site = self.model.join(DELAY);
        self.relays.push(Relay {
            fleet: Fleet::new(self.now, settings),
            site,
            outputs: Vec::new(),
            asleep: false,
            dead: false,
        });
        let number = self.relays.len() - 1;
        self.relays[number].fleet.handle_timeout(self.now);
        self.turn();
        number
    }

    pub(super) fn kill(&mut self, number: usize) {
        self.relays[number].dead = true;
    }

    /// It ends without a word and is there again, as another run of the same relay.
    pub(super) fn restart(&mut self, number: usize) {
        self.runs += 1;
        let id = RelayId::from_random(1000 + self.runs);
        let settings = settings(number);
        // Its clock on the wall has gone on meanwhile: a directory made anew is born later than the one before.
        let unix = settings.unix + self.since_start().as_secs();
        self.add(Settings {
            id,
            unix,
            ..settings
        });
        self.relays.swap_remove(number);
    }

    pub(super) fn drain(&mut self, number: usize) {
        self.relays[number].fleet.drain(self.now);
        self.turn();
    }

    /// Time passes, millisecond by millisecond where anything happens.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while self.now < end {
            let next = self.next().unwrap_or(end);
            self.now = next
                .clamp(self.now, end)
                .max(self.now + Duration::from_micros(100))
                .min(end);
            self.step();
        }
    }

    fn next(&self) -> Option<Instant> {
        let awake = self
            .relays
            .iter()
            .filter(|relay| !relay.asleep && !relay.dead);
        let fleets = awake.filter_map(|relay| relay.fleet.poll_timeout(self.now));
        fleets.chain(self.model.poll_timeout()).min()
    }

    /// What is due now is done.
    pub(super) fn step(&mut self) {
        self.model.handle_timeout(self.now);
        for number in 0..self.relays.len() {
            let relay = &mut self.relays[number];
            if relay.asleep || relay.dead {
                continue;
            }
            relay.fleet.handle_timeout(self.now);
            while let Some(heard) = self.model.poll(relay.site) {
                match heard {
                    Heard::Event(event) => relay.fleet.handle_event(self.now, event),
                    Heard::Answer(tag, answer) => relay.fleet.handle_answer(self.now, tag, answer),
                }
            }
        }
        self.turn();
        self.check();
    }

    /// Requests go out, outputs are written down.
    fn turn(&mut self) {
        let since = self.now - self.start;
        for relay in &mut self.relays {
            if relay.asleep || relay.dead {
                continue;
            }
            while let Some((tag, request)) = relay.fleet.poll_request() {
                self.model.request(self.now, relay.site, tag, request);
            }
            while let Some(output) = relay.fleet.poll_output() {
                if let Output::RoomLost { room, .. } = output {
                    relay.fleet.room_closed(self.now, room);
                }
                relay.outputs.push((since, output));
            }
        }
    }

    /// The directory is made anew, or what all agree on.
    pub(super) fn upsets(&mut self, how: impl FnOnce(&mut Model)) {
        let last = self.upset.replace(self.now);
        self.is_ordered &= last.is_none_or(|last| self.now > last + UPSET);
        how(&mut self.model);
    }

    /// No two relays ever have a room by the same fence; who has it by the directory has it by the highest; and none would
    /// be called again at once, for nothing.
    fn check(&mut self) {
        for relay in self.relays.iter().filter(|relay| !relay.dead) {
            let fleet = &relay.fleet;
            for (&room, ours) in &fleet.rooms {
                let State::Held(held) = &ours.state else {
                    continue;
                };
                let fence = held.fence;
                let owner = *self.fences.entry((room, fence)).or_insert(fleet.id());
                assert_eq!(owner, fleet.id(), "{room} is at both by {fence}");
                let key = format!("rooms/{room}");
                // Revisions of a directory that was before may be the same.
                let is_owner = self.model.revision_of(key.as_bytes()) == Some(held.revision)
                    && self.model.has_lease(held.terms.lease)
                    && self
                        .owner(room)
                        .is_some_and(|owner| self.relays[owner].fleet.id() == fleet.id());
                if is_owner && self.is_ordered {
                    let highest = (room, Fence(u64::MAX));
                    let highest = self.fences.range(..=highest).next_back();
                    assert_eq!(
                        highest.map(|(&(_, highest), _)| highest),
                        Some(fence),
                        "{room} was elsewhere by a higher fence"
                    );
                }
            }
            let next = fleet.poll_timeout(self.now).filter(|_| !relay.asleep);
            assert!(
                next.is_none_or(|next| next > self.now),
                "{fleet:?} has left undone what is due"
            );
        }
    }

    pub(super) fn locate(&mut self, number: usize, room: RoomHash, asker: &Asker<'_>) -> Located {
        let located = self.relays[number].fleet.locate(self.now, room, asker);
        self.turn();
        located
    }

    /// Asks as the doorway does: again while it is not known.
    pub(super) fn hello(&mut self, number: usize, room: RoomHash, asker: &Asker<'_>) -> Located {
        let until = self.now + Fleet::PATIENCE;
        loop {
            match self.locate(number, room, asker) {
                Located::Ask if self.now < until => self.pass(1),
                located => return located,
            }
        }
    }

    /// Says hello, goes where it is sent, enters. Says where it is then.
    pub(super) fn enter(
        &mut self,
        first: usize,
        room: RoomHash,
        gateway: bool,
        near: &[Near],
    ) -> usize {
        match self.try_enter(first, room, gateway, near) {
            Ok(at) => at,
            Err(why) => panic!("{room}: {why:?}"),
        }
    }

    /// The same where that may fail: with the last answer, or with where nobody answered.
    pub(super) fn try_enter(
        &mut self,
        first: usize,
        room: RoomHash,
        gateway: bool,
        near: &[Near],
    ) -> Result<usize, (usize, Option<Located>)> {
        let mut at = first;
        for redirects in 0..4 {
            if self.relays[at].asleep || self.relays[at].dead {
                return Err((at, None));
            }
            let asker = Asker {
                gateway,
                near,
                redirects,
                looks: false,
                open: false,
            };
            match self.hello(at, room, &asker) {
                Located::Here { .. } => {
                    let fleet = &mut self.relays[at].fleet;
                    fleet.room_opened(self.now, room);
                    if gateway {
                        fleet.gateway_came(self.now, room, code(room), host());
                    }
                    self.turn();
                    return Ok(at);
                }
                Located::Redirect { to, .. } => at = self.number(&to),
                other => return Err((at, Some(other))),
            }
        }
        Err((at, None))
    }

    /// Who believes to have a room.
    pub(super) fn holders(&self, room: RoomHash) -> Vec<usize> {
        let relays = self.relays.iter().enumerate();
        let holders = relays.filter(|(_, relay)| relay.fleet.fence_of(&room).is_some());
        holders.map(|(number, _)| number).collect()
    }

    pub(super) fn number(&self, card: &Card) -> usize {
        let address = card.address.as_str();
        let mut relays = self.relays.iter();
        let same = |relay: &Relay| relay.fleet.settings.address.as_str() == address && !relay.dead;
        relays.position(same).expect("a relay of this address")
    }

    /// Who has a room by what the directory says.
    pub(super) fn owner(&self, room: RoomHash) -> Option<usize> {
        let value = self.model.value(format!("rooms/{room}").as_bytes())?;
        let text = String::from_utf8_lossy(value);
        let owner = |relay: &Relay| text.contains(&relay.fleet.id().to_string());
        self.relays.iter().position(owner)
    }

    pub(super) fn said(&self, number: usize) -> Vec<Trouble> {
        let outputs = self.relays[number].outputs.iter();
        let said = outputs.filter_map(|(_, output)| match output {
            Output::Say(trouble) => Some(*trouble),
            _ => None,
        });
        said.collect()
    }

    pub(super) fn since_start(&self) -> Duration {
        self.now - self.start
    }
}
