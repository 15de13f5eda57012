//! The client: an address for as long as there is a LAN.

mod conflict;
mod holding;

use crate::asking::{Asking, Exchange, REQUESTS, next_extension};
use crate::at_home::{AtHome, TurnedDown};
use crate::claim::{Pace, Probing, Step};
use crate::lease::{Lease, Unusable};
use crate::made_up::{self, MadeUp};
use crate::proxy::Proxies;
use crate::random::Random;
use crate::wire::{self, Answer, Heard, Kind, Question, Verdict};
use crate::word::Word;
use conflict::{Declined, SOON};
use holding::Holding;
pub use holding::{Held, How};
use lanparty_proto::MacAddr;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A server that offers and then says no is asked later each time.
const LONGEST_REFUSAL: Duration = Duration::from_secs(32);
/// How often a word at most has the shell look at once: strangers can make one of every frame. It sees the others when it
/// looks next.
const WORD_PAUSE: Duration = Duration::from_millis(500);
/// How long a player sees a word.
const WORD_SHOWS: Duration = Duration::from_secs(60);

/// Gets an address, keeps it and gives it back, in the name of the machine with one MAC.
#[derive(Debug)]
pub struct AddressClient {
    mac: MacAddr,
    random: Random,
    asking: Asking,
    made_up: MadeUp,
    holding: Option<Holding>,
    at_home: AtHome,
    turned_down: TurnedDown,
    /// The last exchange's number: what answers it is this client's.
    xid: Option<u32>,
    declined: Declined,
    proxies: Proxies,
    refusals: u32,
    word: Option<(Instant, Word)>,
    /// When a word was news last.
    told: Option<Instant>,
    has_news: bool,
    output: VecDeque<Vec<u8>>,
}

impl AddressClient {
    /// The client of the machine with this MAC, which has no LAN yet.
    pub fn new(mac: MacAddr, seed: u64) -> Self {
        let mut random = Random::new(seed);
        AddressClient {
            mac,
            made_up: MadeUp::new(mac, random.next()),
            random,
            asking: Asking::Idle,
            holding: None,
            at_home: AtHome::default(),
            turned_down: TurnedDown::default(),
            xid: None,
            declined: Declined::default(),
            proxies: Proxies::default(),
            refusals: 0,
            word: None,
            told: None,
            has_news: false,
            output: VecDeque::new(),
        }
    }

    /// What the adapter should have now.
    pub fn held(&self) -> Option<&Held> {
        self.holding.as_ref().map(|holding| &holding.held)
    }

    /// What a person should know, for as long as it is new.
    pub fn word(&self, now: Instant) -> Option<Word> {
        let (at, word) = self.word?;
        (now.saturating_duration_since(at) < WORD_SHOWS).then_some(word)
    }

    /// True once after what is held, or until when, has changed.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// The cable is in: a LAN is there, which may be another one than before. An address of before is kept while it is
    /// asked whether it is good here (RFC 2131 §3.2).
    pub fn plug_in(&mut self, now: Instant) {
        self.refusals = 0;
        self.turned_down = TurnedDown::default();
        let until = self.held().and_then(|held| held.until);
        if until.is_some_and(|until| until <= now) {
            self.lose(now, Duration::ZERO);
        }
        match &mut self.holding {
            Some(Holding {
                lease: Some(lease), ..
            }) => {
                // A server behind a router cannot be looked for.
                let is_there = !lease.has_near_server();
                let exchange = self.exchange(now);
                self.asking = Asking::Rebooting(exchange, is_there);
            }
            Some(Holding { watch, .. }) => {
                watch.announce_again(now);
                self.select(now);
            }
            None => self.start_over(now, Duration::ZERO),
        }
    }

    /// The cable is out. What is held stays until its end.
    pub fn unplug(&mut self) {
        self.asking = Asking::Idle;
        self.made_up.stop();
    }

    /// The machine has slept, and its clock stood still while the lease's did not. An address whose time is over is gone at
    /// once; on the next link it is asked whether the other one is good.
    pub fn handle_sleep(&mut self, now: Instant, slept: Duration) {
        let Some(Holding {
            held,
            lease: Some(lease),
            ..
        }) = &mut self.holding
        else {
            return;
        };
        lease.age(now, slept);
        held.until = lease.until;
        self.has_news = true;
        if held.until.is_some_and(|until| until <= now) {
            self.lose(now, Duration::ZERO);
        }
    }

    /// A person wants another try. What is held stays meanwhile.
    pub fn ask_anew(&mut self, now: Instant) {
        if !matches!(self.asking, Asking::Idle) {
            self.declined = Declined::default();
            self.turned_down = TurnedDown::default();
            self.refusals = 0;
            self.select(now);
        }
    }

    /// The last word, while frames still flow: what a server has given is given back (RFC 2131 §4.4.6), taken or not.
    pub fn handle_shutdown(&mut self, now: Instant) {
        let given = match &self.asking {
            Asking::Probing(lease, _) => Some(**lease),
            _ => None,
        };
        let lease = self.lease().copied();
        let given = given.filter(|given| lease.is_none_or(|lease| lease.address != given.address));
        for lease in lease.into_iter().chain(given) {
            self.release(now, &lease);
        }
        self.asking = Asking::Idle;
        self.made_up.stop();
    }

    /// A frame that has come for the machine. True for what is this client's alone: a DHCP server's answer to it.
    pub fn handle_frame(&mut self, now: Instant, frame: &[u8]) -> bool {
        match wire::read(frame, self.mac) {
            Some(Heard::Claim(claim)) => {
                self.handle_claim(now, &claim);
                false
            }
            Some(Heard::Answer(answer)) => {
                let is_ours = self.xid == Some(answer.xid);
                if is_ours {
                    self.handle_answer(now, &answer);
                }
                is_ours
            }
            None => false,
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let holding = self.holding.as_ref();
        let all = [
            self.asking.poll_timeout(self.lease()),
            self.made_up.poll_timeout(),
            holding.and_then(|holding| holding.held.until),
            holding.and_then(|holding| holding.watch.poll_timeout()),
        ];
        all.into_iter().flatten().min()
    }

    /// Time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let until = self.held().and_then(|held| held.until);
        if until.is_some_and(|until| until <= now) {
            self.lose(now, Duration::ZERO);
        }
        if let Some(holding) = &mut self.holding {
            self.output
                .extend(holding.watch.handle_timeout(now, self.mac));
        }
        if self
            .asking
            .poll_timeout(self.lease())
            .is_some_and(|at| at <= now)
        {
            self.ask(now);
        }
        match self.made_up.handle_timeout(now, self.mac, &self.at_home) {
            Some(Err(frame)) => self.output.push_back(frame),
            Some(Ok(address)) => self.hold_made_up(now, address),
            None => {}
        }
    }

    /// The next frame to say in the machine's name.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    fn lease(&self) -> Option<&Lease> {
        self.holding.as_ref()?.lease.as_ref()
    }

    fn exchange(&mut self, now: Instant) -> Exchange {
        let exchange = Exchange::new(now, &mut self.random);
        self.xid = Some(exchange.xid);
        exchange
    }

    /// Asks all servers for offers.
    fn select(&mut self, now: Instant) {
        let exchange = self.exchange(now);
        self.asking = Asking::Selecting(exchange);
    }

    /// Has nothing, and begins again after a pause.
    fn start_over(&mut self, now: Instant, pause: Duration) {
        self.asking = Asking::Waiting(now + pause);
        self.made_up.search_from(now + pause + made_up::PATIENCE);
    }

    /// What is held is this machine's no more.
    fn lose(&mut self, now: Instant, pause: Duration) {
        self.holding = None;
        self.has_news = true;
        match self.asking {
            Asking::Idle => {}
            _ => self.start_over(now, pause),
        }
    }

    /// Says what is due.
    fn ask(&mut self, now: Instant) {
        let lease = self.lease().copied();
        match &mut self.asking {
            Asking::Idle => {}
            Asking::Waiting(_) => self.select(now),
            Asking::Selecting(exchange) => {
                exchange.ask(now, &mut self.random);
                let question = Question {
                    kind: Kind::Discover,
                    requested: lease.map(|lease| lease.address),
                    ..about(exchange)
                };
                self.say(question);
            }
            // Neither the server nor its machine: this is another LAN.
            Asking::Rebooting(exchange, false) if exchange.tries >= REQUESTS => {
                self.lose(now, Duration::ZERO);
            }
            Asking::Requesting(exchange, _) | Asking::Rebooting(exchange, _)
                if exchange.tries >= REQUESTS =>
            {
                // RFC 2131 §3.2: who gets no answer may go on with what it has.
                if let Some(holding) = &mut self.holding {
                    holding.watch.announce_again(now);
                }
                self.select(now);
            }
            Asking::Requesting(exchange, offer) => {
                // A switch may withhold what is somebody else's, and the server offers it until it hears of that.
                if exchange.tries > 0 {
                    self.output.push_back(wire::probe(self.mac, offer.address));
                }
                let secs = exchange.secs;
                exchange.ask(now, &mut self.random);
                // The same as in the first question (RFC 2131 §4.4.1).
                exchange.secs = secs;
                let question = Question {
                    kind: Kind::Request,
                    requested: Some(offer.address),
                    server: Some(offer.server),
                    ..about(exchange)
                };
                self.say(question);
            }
            Asking::Rebooting(exchange, _) => {
                if let Some(lease) = lease.filter(|_| exchange.tries > 0) {
                    self.output.push_back(wire::probe(self.mac, lease.server));
                }
                exchange.ask(now, &mut self.random);
                let question = Question {
                    kind: Kind::Request,
                    requested: lease.map(|lease| lease.address),
                    ..about(exchange)
                };
                self.say(question);
            }
            Asking::Probing(lease, probing) => {
                match probing.step(now, self.mac, &mut self.random) {
                    Step::Say(frame) => self.output.push_back(frame),
                    Step::Free => {
                        let lease = **lease;
                        // Home may have shown meanwhile that it has it.
                        match self.is_unwanted(lease.address) {
                            true => self.turn_down(now, &lease),
                            false => self.bind(now, lease),
                        }
                    }
                }
            }
            Asking::Bound => {
                let exchange = self.exchange(now);
                self.asking = Asking::Extending(exchange);
                self.ask(now);
            }
            Asking::Extending(exchange) => {
                let Some(lease) = lease else { return };
                exchange.asked_until(now, next_extension(now, &lease));
                let is_late = lease.rebind_at.is_some_and(|rebind_at| now >= rebind_at);
                let question = Question {
                    kind: Kind::Request,
                    own: Some(lease.address),
                    to: (!is_late).then_some((lease.server_mac, lease.server)),
                    ..about(exchange)
                };
                self.say(question);
            }
        }
    }

    fn handle_answer(&mut self, now: Instant, answer: &Answer) {
        let current = self.lease().map(|lease| lease.server);
        match (&mut self.asking, answer.verdict) {
            (Asking::Selecting(exchange), Verdict::Offer) => {
                let (asked, exchange) = (exchange.asked, exchange.clone());
                match Lease::read(answer, asked) {
                    Ok(offer) => self.offered(now, offer, exchange),
                    Err(Unusable { address }) => self.tell(now, Word::Unusable { address }),
                }
            }
            (Asking::Requesting(exchange, offer), Verdict::Ack)
                if answer.server == Some(offer.server) =>
            {
                let asked = exchange.asked;
                self.acknowledged(now, answer, asked);
            }
            (Asking::Requesting(_, offer), Verdict::Nak) if answer.server == Some(offer.server) => {
                self.refused(now);
            }
            (Asking::Rebooting(exchange, _) | Asking::Extending(exchange), Verdict::Ack) => {
                let asked = exchange.asked;
                self.acknowledged(now, answer, asked);
            }
            (Asking::Rebooting(..), Verdict::Nak) => self.refused(now),
            // What somebody else says in between counts when everybody is asked.
            (Asking::Extending(_), Verdict::Nak) => {
                let rebind_at = self.lease().and_then(|lease| lease.rebind_at);
                let asks_all = rebind_at.is_some_and(|rebind_at| now >= rebind_at);
                if asks_all || answer.server == current {
                    self.refused(now);
                }
            }
            _ => {}
        }
    }

    fn offered(&mut self, now: Instant, offer: Lease, exchange: Exchange) {
        let address = offer.address;
        if self.is_hopeless(address) {
            return self.tell(now, Word::NeededAtHome { address });
        }
        self.asking = Asking::Requesting(exchange.goes_on(now), Box::new(offer));
        self.give_time(now);
        self.ask(now);
    }

    /// A server answers: what it gives takes a while, and nothing is made up meanwhile.
    fn give_time(&mut self, now: Instant) {
        if self.holding.is_none() {
            self.made_up.search_from(now + 2 * made_up::PATIENCE);
        }
    }

    fn acknowledged(&mut self, now: Instant, answer: &Answer, asked: Instant) {
        let lease = match Lease::read(answer, asked) {
            Ok(lease) => lease,
            Err(Unusable { address }) => return self.tell(now, Word::Unusable { address }),
        };
        if self.lease().is_some_and(|had| had.address == lease.address) {
            return self.bind(now, lease);
        }
        if self.is_unwanted(lease.address) {
            return self.turn_down(now, &lease);
        }
        self.give_time(now);
        let probing = Probing::new(now, lease.address, Pace::LENT, &mut self.random);
        self.asking = Asking::Probing(Box::new(lease), probing);
        self.ask(now);
    }

    /// A server says no: what it lent before is void.
    fn refused(&mut self, now: Instant) {
        let pause = match self.refusals {
            0 => Duration::ZERO,
            more => SOON.saturating_mul(1 << more.min(10)).min(LONGEST_REFUSAL),
        };
        self.refusals += 1;
        match self.lease() {
            Some(_) => self.lose(now, pause),
            None => self.asking = Asking::Waiting(now + pause),
        }
    }

    fn tell(&mut self, now: Instant, word: Word) {
        let is_known = self.word(now) == Some(word);
        self.word = Some((now, word));
        let is_soon = |at| now.saturating_duration_since(at) < WORD_PAUSE;
        if !is_known && !self.told.is_some_and(is_soon) {
            self.told = Some(now);
            self.has_news = true;
        }
    }

    fn say(&mut self, question: Question) {
        self.output.push_back(wire::question(self.mac, &question));
    }
}

/// What every question says of its exchange.
fn about(exchange: &Exchange) -> Question {
    Question {
        kind: Kind::Discover,
        xid: exchange.xid,
        secs: exchange.secs,
        own: None,
        requested: None,
        server: None,
        to: None,
    }
}

#[cfg(test)]
mod tests;
