//! What players may reach on the LAN: the judge is asked, and told what the LAN says.

use super::{Bridge, MAX_CLIENTS};
use crate::reach::Wanted;
use lanparty_ctrl::message::PeerJoined;
use lanparty_ctrl::orders::Person;
use lanparty_games::announced;
use lanparty_gateway_control as control;
use lanparty_obs::DropReason;
use lanparty_peer::PeerOutput;
use lanparty_proto::{EthernetFrame, FrameBuf, MacAddr};
use lanparty_switch::reach::{Attempt, LanFacts, Policy};
use lanparty_switch::{Speaker, Switch};
use std::time::Instant;

impl Bridge {
    /// What players may reach from now on, also those who are in the middle of something.
    pub fn set_reach(&mut self, now: Instant, wanted: Wanted) {
        if self.wanted == wanted {
            return;
        }
        let was_open = self.reach.is_open();
        self.wanted = wanted;
        self.reach.set_policy(now, self.wanted.everybody.clone());
        let people: Vec<_> = self.people.iter().map(|(&mac, &who)| (mac, who)).collect();
        for (mac, who) in people {
            self.reach.set_own(now, mac, self.wanted_of(mac, who));
        }
        if was_open && !self.reach.is_open() {
            self.tell_of_games(now);
        }
    }

    /// What the gateway's machine knows of its LAN.
    pub fn set_lan_facts(&mut self, facts: LanFacts) {
        self.reach.set_facts(facts);
    }

    /// What players tried and were not let, the latest first; these are called by their MAC addresses.
    pub fn attempts(&self, now: Instant) -> Vec<control::Attempt> {
        let attempts = self.reach.attempts(now);
        attempts.map(|attempt| shown(now, attempt)).collect()
    }

    fn wanted_of(&self, mac: MacAddr, who: Person) -> Option<Policy> {
        let own = &self.wanted.own;
        let by_mac = || own.get(&Person::Mac(mac.try_into().ok()?));
        own.get(&who).or_else(by_mac).cloned()
    }

    /// Knows who a player is, before anything that this one says is judged.
    pub(super) fn know(&mut self, now: Instant, joined: &PeerJoined) {
        let Some(mac) = joined.mac else { return };
        if self.people.len() >= 2 * MAX_CLIENTS {
            let switch = self.switch.as_ref();
            let is_here = |mac| switch.is_some_and(|switch| is_player(switch, mac));
            self.people.retain(|&mac, _| is_here(mac));
        }
        let who = joined.identity.map_or(Person::Mac(mac), Person::Identity);
        let mac = mac.addr();
        self.people.insert(mac, who);
        self.reach.set_own(now, mac, self.wanted_of(mac, who));
    }

    /// May this player's frame go to the LAN?
    pub(super) fn check_reach(&mut self, now: Instant, frame: &[u8]) -> Result<(), DropReason> {
        let frame = EthernetFrame::parse(frame).map_err(|_| DropReason::Runt)?;
        let verdict = self.reach.judge(now, frame.source(), frame);
        if let Some(answer) = self.reach.take_answer() {
            self.stats.count_sent(&answer);
            let answer = FrameBuf::from_frame(&answer);
            self.outputs.push_back(PeerOutput::ToRelay(answer));
        }
        verdict
    }

    /// Hears what the LAN says, which was judged like this.
    pub(super) fn hear_for_reach(
        &mut self,
        now: Instant,
        frame: &[u8],
        verdict: Result<(), DropReason>,
    ) {
        let is_heard = match verdict {
            Ok(()) | Err(DropReason::UnknownDestination | DropReason::Unwanted) => true,
            Err(_) => false,
        };
        let (true, Ok(view)) = (is_heard, EthernetFrame::parse(frame)) else {
            return;
        };
        self.reach.hear_lan(now, view);
        if self.reach.is_open() {
            return;
        }
        if let Some(game) = announced(frame) {
            for port in game.ports {
                self.reach.hear_game(now, game.mac, port);
            }
        }
        if verdict.is_ok() && !view.destination().is_group() {
            self.reach.hear_to_player(now, view.destination(), view);
        }
    }

    /// The judge has not listened for games while nobody was held to anything.
    fn tell_of_games(&mut self, now: Instant) {
        let switch = self.switch.as_ref();
        let is_players = |mac| switch.is_some_and(|switch| is_player(switch, mac));
        for game in self.games.list(now) {
            if let Some(mac) = game.mac.filter(|&mac| !is_players(mac)) {
                self.reach.hear_game(now, mac, game.address.port());
            }
        }
    }

    /// Forgets the conversations of those who have not come back with the link.
    pub(super) fn forget_conversations(&mut self) {
        let switch = self.switch.as_ref();
        let is_here = |mac| switch.is_some_and(|switch| is_player(switch, mac));
        self.reach.retain(is_here);
    }
}

fn is_player(switch: &Switch, mac: MacAddr) -> bool {
    switch.holder(Speaker::Player(mac)).is_some()
}

fn shown(now: Instant, attempt: &Attempt) -> control::Attempt {
    control::Attempt {
        mac: attempt.player.to_string(),
        name: None,
        protocol: attempt.protocol_name(),
        address: attempt.address,
        port: attempt.port,
        what: attempt.what().map(str::to_owned),
        frames: attempt.frames,
        seconds: now.saturating_duration_since(attempt.last).as_secs(),
        allow: attempt.allow().to_string(),
    }
}
