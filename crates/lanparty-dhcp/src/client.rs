//! The client: an address for as long as there is a LAN.

mod conflict;

use crate::asking::{Asking, Exchange, REQUESTS, next_extension};
use crate::claim::{Pace, Probing, Step, Watch};
use crate::lease::{self, Lease, Unusable};
use crate::made_up::{self, MadeUp};
use crate::proxy::Proxies;
use crate::random::Random;
use crate::wire::{self, Answer, Heard, Kind, Question, Verdict};
use crate::word::Word;
use conflict::{Declined, SOON};
use lanparty_proto::MacAddr;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How often an address that is not wanted is given back before it is taken.
const MAX_UNWANTED: u32 = 3;
/// A server that offers and then says no is asked later each time.
const LONGEST_REFUSAL: Duration = Duration::from_secs(32);
/// How long a player sees a word.
const WORD_SHOWS: Duration = Duration::from_secs(60);

/// What the adapter should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The address.
    pub address: Ipv4Addr,
    /// How many of its bits name the LAN.
    pub prefix_len: u8,
    /// Where one speaks to everybody on that LAN.
    pub broadcast: Option<Ipv4Addr>,
    /// Until when it may be used; none is for ever.
    pub until: Option<Instant>,
    /// Where it is from.
    pub how: How,
}

/// Where an address is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// This DHCP server has lent it.
    Leased {
        /// The server's own address.
        server: Ipv4Addr,
    },
    /// The adapter has given it to itself: the LAN has no server.
    MadeUp,
}

/// Gets an address, keeps it and gives it back, in the name of the machine with one MAC.
#[derive(Debug)]
pub struct AddressClient {
    mac: MacAddr,
    random: Random,
    asking: Asking,
    made_up: MadeUp,
    holding: Option<Holding>,
    forbidden: Vec<Ipv4Addr>,
    /// The last exchange's number: what answers it is this client's.
    xid: Option<u32>,
    declined: Declined,
    proxies: Proxies,
    refusals: u32,
    word: Option<(Instant, Word)>,
    has_news: bool,
    output: VecDeque<Vec<u8>>,
}

#[derive(Debug)]
struct Holding {
    held: Held,
    /// None for an address that was made up.
    lease: Option<Lease>,
    watch: Watch,
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
            forbidden: Vec::new(),
            xid: None,
            declined: Declined::default(),
            proxies: Proxies::default(),
            refusals: 0,
            word: None,
            has_news: false,
            output: VecDeque::new(),
        }
    }

    /// Addresses that would do harm on this machine: they are in use at home. Another one is asked for, a few times; in the
    /// place of the one that is held as well, where home shows only now that it has it.
    pub fn forbid(&mut self, now: Instant, addresses: &[Ipv4Addr]) {
        self.forbidden = addresses.to_vec();
        let Some(lease) = self.lease().copied() else {
            return;
        };
        let is_plugged = !matches!(self.asking, Asking::Idle);
        let is_forbidden = self.forbidden.contains(&lease.address);
        if is_plugged && is_forbidden && self.declined.unwanted < MAX_UNWANTED {
            self.declined.unwanted += 1;
            self.holding = None;
            self.has_news = true;
            self.decline(now, &lease, SOON);
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
        let until = self.held().and_then(|held| held.until);
        if until.is_some_and(|until| until <= now) {
            self.lose(now, Duration::ZERO);
        }
        match &mut self.holding {
            Some(Holding { lease: Some(_), .. }) => {
                let exchange = self.exchange(now);
                self.asking = Asking::Rebooting(exchange);
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
            self.refusals = 0;
            self.select(now);
        }
    }

    /// The last word, while frames still flow: the address is given back (RFC 2131 §4.4.6).
    pub fn handle_shutdown(&mut self, now: Instant) {
        if let Some(lease) = self.lease().copied() {
            let exchange = self.exchange(now);
            self.say(Question {
                kind: Kind::Release,
                own: Some(lease.address),
                server: Some(lease.server),
                to: Some((lease.server_mac, lease.server)),
                ..about(&exchange)
            });
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
        match self.made_up.handle_timeout(now, self.mac, &self.forbidden) {
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
            Asking::Requesting(exchange, _) | Asking::Rebooting(exchange)
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
            Asking::Rebooting(exchange) => {
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
                        self.bind(now, lease);
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
                match Lease::read(answer, exchange.asked) {
                    Ok(offer) => {
                        let exchange = exchange.clone().goes_on(now);
                        self.asking = Asking::Requesting(exchange, Box::new(offer));
                        self.give_time(now);
                        self.ask(now);
                    }
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
            (Asking::Rebooting(exchange) | Asking::Extending(exchange), Verdict::Ack) => {
                let asked = exchange.asked;
                self.acknowledged(now, answer, asked);
            }
            (Asking::Rebooting(_), Verdict::Nak) => self.refused(now),
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
        if self.forbidden.contains(&lease.address) {
            if self.declined.unwanted < MAX_UNWANTED {
                self.declined.unwanted += 1;
                return self.decline(now, &lease, SOON);
            }
            let address = lease.address;
            self.tell(now, Word::UsedAtHome { address });
        }
        self.give_time(now);
        let probing = Probing::new(now, lease.address, Pace::LENT, &mut self.random);
        self.asking = Asking::Probing(Box::new(lease), probing);
        self.ask(now);
    }

    /// The lease is this machine's from now on, or for longer.
    fn bind(&mut self, now: Instant, lease: Lease) {
        let is_checked = matches!(self.asking, Asking::Extending(_));
        let known = self.holding.take();
        let known = known.filter(|holding| holding.held.address == lease.address);
        let mut watch = match known {
            Some(holding) => holding.watch,
            None => Watch::new(now, lease.address),
        };
        if !is_checked {
            watch.announce_again(now);
        }
        self.holding = Some(Holding {
            held: Held {
                address: lease.address,
                prefix_len: lease.prefix_len,
                broadcast: lease.broadcast,
                until: lease.until,
                how: How::Leased {
                    server: lease.server,
                },
            },
            lease: Some(lease),
            watch,
        });
        self.asking = Asking::Bound;
        self.made_up.stop();
        self.refusals = 0;
        self.has_news = true;
    }

    fn hold_made_up(&mut self, now: Instant, address: Ipv4Addr) {
        let prefix_len = made_up::PREFIX_LEN;
        self.holding = Some(Holding {
            held: Held {
                address,
                prefix_len,
                broadcast: lease::broadcast(address, prefix_len),
                until: None,
                how: How::MadeUp,
            },
            lease: None,
            watch: Watch::new(now, address),
        });
        self.has_news = true;
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
        self.word = Some((now, word));
        self.has_news = true;
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
