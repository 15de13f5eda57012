//! What must always hold.

use super::{BEGIN, GATEWAY, Link, Sabotage, Several};
use lanparty_ctrl::Term;
use std::collections::BTreeSet;

/// So long after a relay has failed, or a wire to it, everybody has its party.
const WHOLE: u64 = 7_000;
/// Where a second one has failed before all was well, a gateway may have gone to a relay that its players do not reach, and
/// looks elsewhere only when it has been there alone for ten seconds.
const WHOLE_OF_TWO: u64 = 14_000;

pub(super) struct Checks {
    /// The highest term by which the gateway has had a frame from each peer, or a peer one from the gateway.
    bridged: Vec<Term>,
    /// The highest term that each player has gone by.
    followed: Vec<Term>,
    /// Since when somebody is without its party.
    alone: Vec<Option<u64>>,
    /// The relays that have failed somebody since everybody was there last.
    failed: BTreeSet<usize>,
}

impl Checks {
    pub(super) fn new(peers: usize) -> Self {
        Checks {
            bridged: vec![Term::default(); peers],
            followed: vec![Term::default(); peers],
            alone: vec![None; peers],
            failed: BTreeSet::new(),
        }
    }
}

impl Several {
    /// A relay puts a frame out to somebody.
    pub(super) fn comes_out(&mut self, number: usize, from: Link, to: Link) {
        let target = &self.peers[to.peer];
        let is_current = target.here().is_some_and(|here| here.link == to);
        let hears_old = self.sabotage == Sabotage::HearsOldLinks && to.peer == GATEWAY;
        if !is_current && !hears_old {
            self.tally.into_the_void += 1;
            return;
        }
        self.tally.delivered += 1;
        let gateway = match (from.peer, to.peer) {
            (GATEWAY, _) => from,
            (_, GATEWAY) => to,
            _ => return,
        };
        let Some(term) = self.relays[number].term(gateway) else {
            panic!("a gateway is at relay {number} without a term");
        };
        // All of its frames at once: a second relay's would come at a lower term.
        let bridged = &mut self.checks.bridged;
        let highest = match to.peer {
            GATEWAY => &mut bridged[GATEWAY],
            player => &mut bridged[player],
        };
        assert!(
            term >= *highest,
            "{} has a frame of term {term} by relay {number}, after one of term {highest}",
            name(to.peer)
        );
        *highest = term;
    }

    /// A player goes to where the gateway is at this term.
    pub(super) fn check_a_way(&mut self, peer: usize, term: Term) {
        let followed = &mut self.checks.followed[peer];
        assert!(
            term >= *followed,
            "player {peer} goes to the gateway of term {term}, and has seen {followed}"
        );
        *followed = term;
    }

    pub(super) fn check(&mut self) {
        if self.now < BEGIN {
            return;
        }
        let is_hopeless = !(0..self.relays.len()).any(|relay| {
            let mut everybody = 0..self.peers.len();
            everybody.all(|peer| self.is_open(peer, relay))
        });
        if is_hopeless {
            self.faults.disturbed = self.now;
        }
        let whole = self.time_to_be_whole();
        for peer in 0..self.peers.len() {
            if self.is_in_its_party(peer) {
                if let Some(since) = self.checks.alone[peer].take() {
                    let alone = self.now - since;
                    self.tally.longest_at_all = self.tally.longest_at_all.max(alone);
                    *self.tally.seconds.entry(alone / 1_000).or_default() += 1;
                }
                continue;
            }
            // The gateway leaves nobody for the sake of one who cannot reach it.
            if self.is_cut_off_alone(peer) {
                self.checks.alone[peer] = Some(self.now);
                continue;
            }
            let since = *self.checks.alone[peer].get_or_insert(self.now);
            let alone = self.now - since.max(self.faults.disturbed);
            match whole {
                WHOLE => self.tally.longest = self.tally.longest.max(alone),
                _ => self.tally.longest_of_two = self.tally.longest_of_two.max(alone),
            }
            assert!(
                alone <= whole,
                "{} is without its party for {alone} ms: {}, and the gateway: {}",
                name(peer),
                self.state(peer),
                self.state(GATEWAY)
            );
        }
    }

    fn time_to_be_whole(&mut self) -> u64 {
        let is_failing = |relay: &usize| {
            let mut everybody = 0..self.peers.len();
            !everybody.all(|peer| self.is_open(peer, *relay))
        };
        let failing: Vec<_> = (0..self.relays.len()).filter(is_failing).collect();
        if (0..self.peers.len()).all(|peer| self.is_in_its_party(peer)) {
            self.checks.failed.clear();
        }
        self.checks.failed.extend(failing);
        match self.checks.failed.len() {
            0 | 1 => WHOLE,
            _ => WHOLE_OF_TWO,
        }
    }

    /// It cannot get to the relay where the gateway is and somebody else can.
    fn is_cut_off_alone(&self, peer: usize) -> bool {
        let Some(here) = self.peers[GATEWAY].here() else {
            return false;
        };
        let is_cut = |peer: usize| self.faults.is_cut[peer][here.at.relay];
        let mut players = 1..self.peers.len();
        peer != GATEWAY && is_cut(peer) && players.any(|player| !is_cut(player))
    }

    /// Its gateway and itself are at one relay, and what they say gets there.
    fn is_in_its_party(&self, peer: usize) -> bool {
        let place = |peer: usize| {
            let here = self.peers[peer].here()?;
            let relay = &self.relays[here.at.relay];
            let stands = relay.at == here.at && relay.has(here.link);
            (stands && self.is_open(peer, here.at.relay)).then_some(here.at)
        };
        let here = place(peer);
        here.is_some() && here == place(GATEWAY)
    }
}

pub(super) fn name(peer: usize) -> String {
    match peer {
        GATEWAY => "the gateway".to_owned(),
        player => format!("player {player}"),
    }
}
