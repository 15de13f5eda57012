//! What happens to relays and wires.

use super::relay::Relay;
use super::{BEGIN, Event, GATEWAY, Several};

/// After the last fault there is so much time, and everybody is whole.
const CALM: u64 = 18_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something new goes wrong; so many more follow.
    Strikes(usize),
    Dies(usize),
    /// It is started anew.
    Starts(usize),
    StandsStill(usize),
    /// One that stood still goes on.
    WakesUp(usize, u32),
    /// A wire carries nothing, or does again.
    Cut {
        relay: usize,
        whom: Whom,
        is_cut: bool,
    },
}

/// Who is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    Gateway,
    Players,
    One(usize),
}

/// What is wrong.
#[derive(Debug)]
pub(super) struct Faults {
    /// By peers and relays.
    pub(super) is_cut: Vec<Vec<bool>>,
    /// Since when nothing has changed.
    pub(super) disturbed: u64,
    /// Until when it is played.
    pub(super) end: u64,
}

impl Faults {
    pub(super) fn new(relays: usize, peers: usize) -> Self {
        Faults {
            is_cut: vec![vec![false; relays]; peers],
            disturbed: 0,
            end: u64::MAX,
        }
    }
}

impl Several {
    pub(super) fn plan_faults(&mut self) {
        let first = BEGIN + self.dice.between(0, 1_000) as u64;
        let more = self.dice.between(0, 4);
        self.at(first, Event::Fault(Fault::Strikes(more)));
    }

    /// The relay where the party is, most often.
    fn victim(&mut self) -> usize {
        let relays = self.relays.len();
        let here = self.peers[GATEWAY].here().map(|here| here.at.relay);
        let any = self.dice.between(0, relays - 1);
        here.filter(|_| !self.dice.one_in(5)).unwrap_or(any)
    }

    fn something_goes_wrong(&mut self, more: usize) {
        let relay = self.victim();
        let lasts = match self.dice.between(0, 6) {
            0 | 1 => self.relay_dies_and_is_back(relay),
            2 => {
                // Often for as long as it takes until some have given it up and some have not.
                let most = *self.dice.pick(&[4_500, 14_000]);
                let lasts = self.dice.between(1_000, most) as u64;
                self.tally.count("a relay stands still");
                self.after(0, Event::Fault(Fault::StandsStill(relay)));
                let run = self.relays[relay].at.run;
                self.after(lasts, Event::Fault(Fault::WakesUp(relay, run)));
                lasts
            }
            3 => self.wire_is_cut(relay, Whom::Gateway),
            4 => self.wire_is_cut(relay, Whom::Players),
            5 => {
                let player = self.dice.between(1, self.peers.len() - 1);
                self.wire_is_cut(relay, Whom::One(player))
            }
            _ => self.relay_flaps(relay),
        };
        // Often when all is well again, sometimes in the midst of it.
        let next = match self.dice.one_in(3) {
            true => self.dice.between(300, 6_000) as u64,
            false => lasts + self.dice.between(7_000, 20_000) as u64,
        };
        match more {
            0 => self.faults.end = self.now + lasts + CALM,
            more => self.after(next, Event::Fault(Fault::Strikes(more - 1))),
        }
    }

    fn relay_dies_and_is_back(&mut self, relay: usize) -> u64 {
        let back = self.dice.between(300, 15_000) as u64;
        self.tally.count("a relay is killed");
        self.after(0, Event::Fault(Fault::Dies(relay)));
        self.after(back, Event::Fault(Fault::Starts(relay)));
        back
    }

    fn wire_is_cut(&mut self, relay: usize, whom: Whom) -> u64 {
        let lasts = self.dice.between(500, 15_000) as u64;
        let name = match whom {
            Whom::Gateway => "the gateway alone",
            Whom::Players => "the players alone",
            Whom::One(_) => "one player alone",
        };
        self.tally.count(format!("a relay is cut off from {name}"));
        for (wait, is_cut) in [(0, true), (lasts, false)] {
            let cut = Fault::Cut {
                relay,
                whom,
                is_cut,
            };
            self.after(wait, Event::Fault(cut));
        }
        lasts
    }

    fn relay_flaps(&mut self, relay: usize) -> u64 {
        self.tally.count("a relay flaps");
        let (mut at, dies) = (0, self.dice.one_in(2));
        for _ in 0..self.dice.between(2, 4) {
            let (away, there) = (
                self.dice.between(500, 5_000) as u64,
                self.dice.between(500, 6_000) as u64,
            );
            let (goes, comes) = match dies {
                true => (Fault::Dies(relay), Fault::Starts(relay)),
                false => {
                    let run = self.relays[relay].at.run;
                    (Fault::StandsStill(relay), Fault::WakesUp(relay, run))
                }
            };
            self.after(at, Event::Fault(goes));
            self.after(at + away, Event::Fault(comes));
            at += away + there;
        }
        at
    }

    pub(super) fn strikes(&mut self, fault: Fault) {
        if let Fault::Strikes(more) = fault {
            return self.something_goes_wrong(more);
        }
        self.note(|| format!("{fault:?}"));
        self.faults.disturbed = self.now;
        match fault {
            Fault::Strikes(_) => unreachable!("see above"),
            Fault::Dies(relay) => self.relays[relay].is_up = false,
            Fault::Starts(relay) => {
                if !self.relays[relay].is_up {
                    let run = self.relays[relay].at.run + 1;
                    self.relays[relay] = Relay::new(relay, run);
                }
            }
            Fault::StandsStill(relay) => self.relays[relay].is_asleep = true,
            Fault::WakesUp(relay, run) => {
                let at = &self.relays[relay];
                if at.is_up && at.is_asleep && at.at.run == run {
                    let believed = self.dice.bits();
                    self.relay_wakes(relay, |peer| believed >> peer & 1 == 1);
                }
            }
            Fault::Cut {
                relay,
                whom,
                is_cut,
            } => {
                for peer in 0..self.peers.len() {
                    let is_meant = match whom {
                        Whom::Gateway => peer == GATEWAY,
                        Whom::Players => peer != GATEWAY,
                        Whom::One(player) => peer == player,
                    };
                    if is_meant {
                        self.faults.is_cut[peer][relay] = is_cut;
                    }
                }
            }
        }
    }
}
