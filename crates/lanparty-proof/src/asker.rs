//! The player's end: asks in every style, and notes what comes back.

use crate::frame::{self, Host, To, Way};
use crate::mark::{Mark, Nonce, Word};
use crate::pieces::Pieces;
use crate::read::read;
use crate::style::{Style, Styles};
use lanparty_proto::{IpMtu, MacAddr};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Between two questions, so that no bucket is emptied.
const PAUSE: Duration = Duration::from_millis(10);
/// After how long what is not answered is asked once more; and how long that is waited for.
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: u8 = 2;

/// Where the asker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its address on the LAN and how many bits of it name the subnet, if it has one.
    pub address: Option<(Ipv4Addr, u8)>,
    /// How long packets may be in this room.
    pub mtu: IpMtu,
}

impl Place {
    /// A network of two hosts or one has no broadcast address (RFC 3021).
    fn may_ask(&self, style: Style) -> bool {
        let is_directed = matches!(style, Style::Directed | Style::DirectedOther);
        match self.address {
            None => !style.is_ipv4(),
            Some((_, prefix)) => !is_directed || prefix < 31,
        }
    }
}

/// How far a style has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The gateway has heard it, and its answer of the same style came back.
    Back,
    /// The gateway has heard it; its answer of the same style did not come back.
    There,
    /// Nothing is known of it.
    Nowhere,
    /// It was not asked: there is no address for it.
    Unasked,
}

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Each style and how far it has come.
    pub reaches: Vec<(Style, Reach)>,
    /// Whether the gateway's cable has refused frames meanwhile.
    pub is_hindered: bool,
    /// Whether it has heard nothing from its LAN, even after it asked.
    pub lan_is_silent: bool,
    /// Whether it refused to answer, as it had been asked so often just before.
    pub is_busy: bool,
}

impl Verdict {
    /// True when nothing at all has come back: as from a gateway that does not know these questions.
    pub fn is_silent(&self) -> bool {
        let mut reaches = self.reaches.iter();
        !reaches.any(|(_, reach)| matches!(reach, Reach::Back | Reach::There))
    }
}

/// Asks one look after the other.
#[derive(Debug)]
pub struct Asker {
    mac: MacAddr,
    look: Option<Look>,
    verdict: Option<Verdict>,
}

#[derive(Debug)]
struct Look {
    nonce: Nonce,
    place: Place,
    queue: VecDeque<Style>,
    next: Instant,
    round: u8,
    asked: Styles,
    heard: Styles,
    answered: Styles,
    is_hindered: bool,
    lan_is_silent: bool,
    is_busy: bool,
    /// Where the gateway is, once it has spoken.
    gateway: Option<(MacAddr, Option<Ipv4Addr>)>,
    /// How much of the answer in pieces has come.
    pieces: Pieces,
}

impl Asker {
    /// For the player with this MAC.
    pub fn new(mac: MacAddr) -> Self {
        Asker {
            mac,
            look: None,
            verdict: None,
        }
    }

    /// Begins a look; one that was on its way is given up.
    pub fn begin(&mut self, now: Instant, nonce: Nonce, place: Place) {
        self.verdict = None;
        self.look = Some(Look {
            nonce,
            place,
            queue: Style::ALL
                .into_iter()
                .filter(|style| place.may_ask(*style))
                .collect(),
            next: now,
            round: 0,
            asked: Styles::default(),
            heard: Styles::default(),
            answered: Styles::default(),
            is_hindered: false,
            lan_is_silent: false,
            is_busy: false,
            gateway: None,
            pieces: Pieces::default(),
        });
    }

    /// There is no link any more: what was on its way is over.
    pub fn stop(&mut self) {
        if let Some(look) = self.look.take() {
            self.verdict = Some(look.verdict());
        }
    }

    /// When [`Self::poll`] has something to say.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.look.as_ref().map(|look| look.next)
    }

    /// What is to be said into the room now.
    pub fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mac = self.mac;
        let Some(look) = self.look.as_mut().filter(|look| look.next <= now) else {
            return Vec::new();
        };
        if let Some(style) = look.queue.pop_front() {
            look.next = now + if look.queue.is_empty() { ROUND } else { PAUSE };
            return look.ask(mac, style);
        }
        look.round += 1;
        let missing = |style: &Style| look.waits_for(*style);
        look.queue = Style::ALL.into_iter().filter(missing).collect();
        if look.round == ROUNDS || look.queue.is_empty() {
            self.stop();
            return Vec::new();
        }
        self.poll(now)
    }

    /// Takes what is an answer to the look that is on its way: true for what the machine need not see. Only what comes from
    /// the gateway is to be given here; and of its LAN only who answered first is heard.
    pub fn hear(&mut self, now: Instant, frame: &[u8]) -> bool {
        let Some(look) = &mut self.look else {
            return false;
        };
        let Some(said) = read(frame) else {
            return false;
        };
        let mark = said.mark;
        if mark.nonce != look.nonce || mark.word == Word::Question {
            return false;
        }
        if look.gateway.is_some_and(|(mac, _)| mac != said.source) {
            return false;
        }
        let gateway = match said.from {
            Host::V4(ip) => Some(ip),
            Host::V6(_) | Host::Ipx => look.gateway.and_then(|(_, ip)| ip),
        };
        look.gateway = Some((said.source, gateway));
        look.heard.extend(mark.heard);
        look.is_hindered |= mark.is_hindered;
        look.is_busy |= mark.is_busy;
        // The last word counts: it may have been asked just now.
        look.lan_is_silent = mark.lan_is_silent;
        let is_whole = said
            .piece
            .is_none_or(|piece| look.pieces.whole(piece, said).is_some());
        if mark.word == Word::Answer && is_whole {
            look.answered.insert(mark.style);
        }
        let is_over =
            look.queue.is_empty() && !Style::ALL.iter().any(|style| look.waits_for(*style));
        if is_over {
            look.next = now;
        }
        true
    }

    /// What the last look has found, once.
    pub fn take_verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }
}

impl Look {
    fn waits_for(&self, style: Style) -> bool {
        self.place.may_ask(style) && !self.answered.has(style)
    }

    fn ask(&mut self, mac: MacAddr, style: Style) -> Vec<Vec<u8>> {
        let (ip, prefix) = self.place.address.unwrap_or((Ipv4Addr::UNSPECIFIED, 32));
        let to = match (style, self.gateway) {
            // Who has not been heard cannot be spoken to.
            (Style::Unicast, None) => return Vec::new(),
            (Style::Unicast, Some((gateway, address))) => To::One(
                gateway,
                Host::V4(address.unwrap_or(frame::made_up(gateway))),
            ),
            _ => To::All(broadcast(ip, prefix)),
        };
        self.asked.insert(style);
        let way = Way {
            source: mac,
            source_ip: ip,
            to,
            ports: (style.source_port(), style.port()),
            round: self.round,
        };
        let report = style.group().map(|group| frame::report(mac, ip, group));
        // What is one link's needs no membership, and switches ask for none.
        let report = report.filter(|_| !matches!(style, Style::LinkGroup | Style::Mdns));
        let question = Mark::question(style, self.nonce);
        let mtu = usize::from(self.place.mtu.number());
        let mut frames: Vec<_> = report.into_iter().collect();
        frames.extend(frame::write(&way, &question, mtu));
        frames
    }

    fn verdict(&self) -> Verdict {
        let reach = |style| match () {
            () if self.answered.has(style) => Reach::Back,
            () if self.heard.has(style) => Reach::There,
            () if self.asked.has(style) => Reach::Nowhere,
            () => Reach::Unasked,
        };
        Verdict {
            reaches: Style::ALL.map(|style| (style, reach(style))).into(),
            is_hindered: self.is_hindered,
            lan_is_silent: self.lan_is_silent,
            is_busy: self.is_busy,
        }
    }
}

/// The subnet's broadcast address.
fn broadcast(ip: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    Ipv4Addr::from_bits(ip.to_bits() | hosts)
}
