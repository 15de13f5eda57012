//! Looks after addresses that a player has chosen: whether somebody has them, and says so.

use crate::claim::{Pace, Probing, Step};
use crate::random::Random;
use crate::wire::{self, Heard};
use crate::word::Word;
use lanparty_proto::MacAddr;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// A machine that has an address speaks of it within a minute, so a word holds for as long.
const WORD_SHOWS: Duration = Duration::from_secs(60);

/// Asks once, when the cable is in, and listens from then on. It gives nothing up: a person has chosen.
#[derive(Debug)]
pub struct Watchman {
    mac: MacAddr,
    random: Random,
    addresses: Vec<Ipv4Addr>,
    probing: Vec<Probing>,
    taken: Option<(Instant, Word)>,
    has_news: bool,
    output: VecDeque<Vec<u8>>,
}

impl Watchman {
    /// For the machine with this MAC, which has these addresses.
    pub fn new(mac: MacAddr, addresses: Vec<Ipv4Addr>) -> Self {
        Watchman {
            mac,
            random: Random::new(0),
            addresses,
            probing: Vec::new(),
            taken: None,
            has_news: false,
            output: VecDeque::new(),
        }
    }

    /// The cable is in.
    pub fn plug_in(&mut self, now: Instant) {
        let addresses = self.addresses.iter();
        let probing =
            addresses.map(|address| Probing::new(now, *address, Pace::LENT, &mut self.random));
        self.probing = probing.collect();
    }

    /// The cable is out.
    pub fn unplug(&mut self) {
        self.probing.clear();
    }

    /// A frame that has come for the machine.
    pub fn handle_frame(&mut self, now: Instant, frame: &[u8]) {
        let Some(Heard::Claim(claim)) = wire::read(frame, self.mac) else {
            return;
        };
        let (mac, address, holder) = (self.mac, claim.address, claim.mac);
        if self.addresses.contains(&address) && claim.is_of_other(mac, address) {
            let word = Word::ChosenTaken { address, holder };
            self.has_news |= self.word(now) != Some(word);
            self.taken = Some((now, word));
        }
    }

    /// What a person should know.
    pub fn word(&self, now: Instant) -> Option<Word> {
        let (at, word) = self.taken?;
        (now.saturating_duration_since(at) < WORD_SHOWS).then_some(word)
    }

    /// True once after there is another word.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.probing.iter().map(|probing| probing.next).min()
    }

    /// Time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let (mac, random, output) = (self.mac, &mut self.random, &mut self.output);
        self.probing.retain_mut(|probing| {
            if probing.next > now {
                return true;
            }
            match probing.step(now, mac, random) {
                Step::Say(frame) => {
                    output.push_back(frame);
                    true
                }
                Step::Free => false,
            }
        });
    }

    /// The next frame to say in the machine's name.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 9]);

    #[test]
    fn a_chosen_address_that_somebody_has_is_said_and_kept() {
        let (now, address) = (Instant::now(), Ipv4Addr::new(192, 168, 50, 7));
        let mut watchman = Watchman::new(OWN, vec![address]);
        watchman.plug_in(now);
        let mut asked = 0;
        while let Some(at) = watchman.poll_timeout() {
            watchman.handle_timeout(at);
            asked += std::iter::from_fn(|| watchman.poll_output()).count();
        }
        assert_eq!(asked, 3);
        // Who only asks for another one says nothing of this one.
        watchman.handle_frame(
            now,
            &wire::announcement(OTHER, Ipv4Addr::new(192, 168, 50, 8)),
        );
        watchman.handle_frame(now, &wire::announcement(OWN, address));
        assert!(!watchman.take_news());
        watchman.handle_frame(now, &wire::announcement(OTHER, address));
        assert!(watchman.take_news());
        let holder = OTHER;
        let word = Word::ChosenTaken { address, holder };
        assert_eq!(watchman.word(now), Some(word));
        watchman.handle_frame(now, &wire::announcement(OTHER, address));
        assert!(!watchman.take_news(), "it is known");
        assert_eq!(watchman.word(now + WORD_SHOWS), None);
    }
}
