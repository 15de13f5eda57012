//! What happens to machines and wires.

use super::relay::{DELAY, Relay};
use super::{At, BEGIN, CALM, Event, Fleets, RELAYS, Sabotage};
use std::time::Duration;

/// One link of so many breaks in a second.
const BREAKS: usize = 1_500;
/// A relay that drains is stopped after that, whether its rooms are gone or not.
const DRAINS: u64 = 20_000;
/// Who is cut off for longer may lose its rooms.
const LEASE: u64 = 5_000;
/// After one relay was lost no other one is.
const RECOVERY: u64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something new goes wrong.
    Strikes,
    /// A relay is started anew.
    Starts(usize),
    /// A relay that stood still goes on.
    WakesUp(At),
    /// A relay reaches the directory again.
    IsMended(At),
    /// The directory is back.
    IsBack,
    /// The directory is fast again.
    IsFast,
    /// A relay that has drained ends.
    Ends(At),
    /// Single links break.
    LinksBreak,
    /// That of a gateway does whose relay is cut off, when others may have its rooms.
    GatewayBreaks(At),
}

/// What is wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) is_directory_away: bool,
    /// Since when nothing new went wrong that may part a party.
    pub(super) disturbed: u64,
    /// When a relay was last lost.
    lost: u64,
}

impl Fleets {
    pub(super) fn plan_faults(&mut self) {
        let first = BEGIN + self.dice.between(500, 2_500) as u64;
        self.at(first, Event::Fault(Fault::Strikes));
        self.at(BEGIN, Event::Fault(Fault::LinksBreak));
    }

    fn end(&self) -> u64 {
        BEGIN + self.scale.seconds * 1_000
    }

    pub(super) fn strikes(&mut self, fault: Fault) {
        if let Fault::WakesUp(at) | Fault::IsMended(at) | Fault::Ends(at) = fault
            && self.relays[at.relay].at != at
        {
            // It was killed meanwhile.
            return;
        }
        match fault {
            Fault::Strikes => self.something_goes_wrong(),
            Fault::Starts(number) => self.relay_starts(number),
            Fault::WakesUp(At { relay: number, .. }) => {
                self.note(|| format!("relay {number} wakes"));
                self.relay_wakes(number);
            }
            Fault::IsMended(At { relay: number, .. }) => {
                self.note(|| format!("relay {number} reaches the directory"));
                let relay = &mut self.relays[number];
                relay.is_cut = false;
                self.model.cut(relay.site, false);
            }
            Fault::IsBack => {
                self.note(|| "the directory is back".to_owned());
                self.faults.is_directory_away = false;
                self.model.set_up(true);
            }
            Fault::IsFast => {
                for relay in &self.relays {
                    self.model.set_delay(relay.site, DELAY);
                }
            }
            Fault::Ends(At { relay, .. }) => self.relay_ends(relay),
            Fault::LinksBreak => self.links_break(),
            Fault::GatewayBreaks(at) => {
                let gateways = self.halls.iter().map(|hall| hall.gateway);
                let is_there = |&number: &usize| {
                    let place = self.peers[number].place.as_ref();
                    place.is_some_and(|place| place.at == at)
                };
                let gateways: Vec<_> = gateways.filter(is_there).collect();
                if let Some(&number) = self.dice.any(&gateways) {
                    self.link_breaks(number);
                }
            }
        }
    }

    fn links_break(&mut self) {
        let most = self.peers.len().div_ceil(BREAKS) * 2;
        for _ in 0..self.dice.between(0, most) {
            let number = self.dice.between(0, self.peers.len() - 1);
            self.link_breaks(number);
        }
        if self.now + 1_000 + CALM < self.end() {
            self.after(1_000, Event::Fault(Fault::LinksBreak));
        }
    }

    /// Often alone, sometimes soon after the last.
    fn something_goes_wrong(&mut self) {
        let next = match self.dice.one_in(3) {
            true => self.dice.between(500, 3_000),
            false => self.dice.between(8_000, 16_000),
        } as u64;
        if self.now + next + CALM < self.end() {
            self.after(next, Event::Fault(Fault::Strikes));
        }
        let number = self.dice.between(0, RELAYS - 1);
        // Nothing that lasts goes on longer than what is left before the calm.
        let left = (self.end() - CALM + 1_000).saturating_sub(self.now) as usize;
        let dice = self.dice.between(0, 9);
        // What is broken on purpose gets its chance.
        let fault = match self.sabotage {
            Sabotage::None | Sabotage::HashesWithoutHost => dice,
            Sabotage::Herd | Sabotage::HearsOldLinks => 3,
            Sabotage::NeverFenced => 5,
            Sabotage::KeepsLostRooms => 9,
        };
        match fault {
            0..3 => self.relay_crashes(number),
            3..5 => self.relay_stands_still(number, left),
            5..7 => self.relay_is_cut_off(number, left),
            7 => self.directory_goes(left),
            8 => self.directory_is_slow(left),
            _ => self.relay_drains(number),
        }
    }

    /// The others can take its players. Two relays lost at once, or one that half of all are at as another was lost before,
    /// leave more handshakes to do than can be done in ten seconds, whatever anybody does.
    fn may_be_lost(&self, number: usize) -> bool {
        let others = self.relays.iter();
        let mut others = others.filter(|relay| relay.at.relay != number);
        let is_calm = self.now > self.faults.lost + RECOVERY;
        let are_well = others.all(|relay| relay.is_awake() && !relay.fleet.is_draining());
        let seated = self.relays[number].registry.peers().count();
        let is_in_balance = seated * 5 <= self.peers.len() * 2;
        is_calm && is_in_balance && self.relays[number].is_awake() && are_well
    }

    fn relay_crashes(&mut self, number: usize) {
        if !self.may_be_lost(number) {
            return;
        }
        let back = self.dice.between(500, 9_000) as u64;
        self.note(|| format!("relay {number} is killed, and back after {back} ms"));
        self.tally.count("a relay is killed");
        self.relay_is_gone(number);
        self.relay_falls_silent(number);
        self.after(back, Event::Fault(Fault::Starts(number)));
        (self.faults.disturbed, self.faults.lost) = (self.now, self.now);
    }

    fn relay_is_gone(&mut self, number: usize) {
        let relay = &mut self.relays[number];
        relay.is_up = false;
        // Whoever it was is not told anything any more.
        self.model.cut(relay.site, true);
    }

    fn relay_starts(&mut self, number: usize) {
        self.note(|| format!("relay {number} starts"));
        let run = self.relays[number].at.run + 1;
        let relay = Relay::new(self, number, run);
        self.relays[number] = relay;
    }

    fn relay_stands_still(&mut self, number: usize, left: usize) {
        if !self.may_be_lost(number) {
            return;
        }
        let time = self.dice.between(1_500, 12_000).min(left) as u64;
        self.note(|| format!("relay {number} stands still for {time} ms"));
        self.tally.count("a relay stands still");
        self.relays[number].is_asleep = true;
        self.relay_falls_silent(number);
        let at = self.relays[number].at;
        self.after(time, Event::Fault(Fault::WakesUp(at)));
        (self.faults.disturbed, self.faults.lost) = (self.now, self.now);
    }

    fn relay_is_cut_off(&mut self, number: usize, left: usize) {
        let relay = &mut self.relays[number];
        if relay.is_cut || !relay.is_up {
            return;
        }
        let time = self.dice.between(1_000, 14_000).min(left) as u64;
        relay.is_cut = true;
        self.model.cut(relay.site, true);
        self.faults.disturbed = self.now;
        self.note(|| format!("relay {number} is cut off from the directory for {time} ms"));
        self.tally.count("a relay is cut off from the directory");
        if time > LEASE {
            let at = self.relays[number].at;
            self.after(time / 4, Event::Fault(Fault::GatewayBreaks(at)));
        }
        let at = self.relays[number].at;
        self.after(time, Event::Fault(Fault::IsMended(at)));
    }

    fn directory_goes(&mut self, left: usize) {
        if self.faults.is_directory_away {
            return;
        }
        let time = self.dice.between(1_000, 12_000).min(left) as u64;
        self.note(|| format!("the directory is away for {time} ms"));
        self.tally.count("the directory is away");
        self.faults.is_directory_away = true;
        self.model.set_up(false);
        self.after(time, Event::Fault(Fault::IsBack));
    }

    fn directory_is_slow(&mut self, left: usize) {
        let time = self.dice.between(2_000, 10_000).min(left) as u64;
        self.note(|| format!("the directory is slow for {time} ms"));
        self.tally.count("the directory is slow");
        for relay in &self.relays {
            self.model.set_delay(relay.site, Duration::from_millis(200));
        }
        self.after(time, Event::Fault(Fault::IsFast));
    }

    fn relay_drains(&mut self, number: usize) {
        if !self.may_be_lost(number) {
            return;
        }
        self.note(|| format!("relay {number} drains"));
        self.tally.count("a relay drains");
        let now = self.instant();
        self.relays[number].fleet.drain(now);
        self.obey_the_fleet(number);
        let time = DRAINS.min((self.end() - CALM + 1_000).saturating_sub(self.now));
        let at = self.relays[number].at;
        self.after(time, Event::Fault(Fault::Ends(at)));
    }

    /// It is stopped as it should be, and a new one takes its place.
    fn relay_ends(&mut self, number: usize) {
        let relay = &mut self.relays[number];
        if !relay.is_awake() {
            return;
        }
        let is_drained = relay.is_drained;
        let now = self.instant();
        self.relays[number].fleet.leave(now);
        self.obey_the_fleet(number);
        self.note(|| format!("relay {number} ends, drained: {is_drained}"));
        self.tally.count(match is_drained {
            true => "a relay that was drained ends",
            false => "a relay ends before it is drained",
        });
        if !is_drained {
            self.relay_falls_silent(number);
            (self.faults.disturbed, self.faults.lost) = (self.now, self.now);
        }
        self.relays[number].is_up = false;
        self.after(1_000, Event::Fault(Fault::Starts(number)));
    }
}
