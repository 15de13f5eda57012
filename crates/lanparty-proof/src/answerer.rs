//! The gateway's end: what it has heard of whom, and what it says to that.

use crate::frame::{self, To, UDP_HEADER_LEN, Way};
use crate::mark::{Mark, Nonce, Word};
use crate::pieces::Pieces;
use crate::read::{Said, read};
use crate::style::{MDNS_PORT, SSDP_PORT, Style, Styles};
use lanparty_proto::ethernet::HEADER_LEN;
use lanparty_proto::ip::IPV4_HEADER_LEN;
use lanparty_proto::{IpMtu, MacAddr};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// How long a look may take.
const ROUND: Duration = Duration::from_secs(10);
/// How many looks of one player are answered in that time: a program's and its service's, four times. Who asks more often
/// is told so.
const ROUNDS_EACH: usize = 8;
/// How many looks of all are kept.
const MAX_ROUNDS: usize = 256;
/// How often one style is answered in a look: questions get lost, and so do answers.
const ANSWERS: u8 = 3;

/// How the LAN is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lan {
    /// How many frames its cable has refused so far.
    pub refused: u64,
    /// Whether nothing has been heard from it of late.
    pub is_silent: bool,
}

/// What a frame of ours was to the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// What is to be said into the room, from the gateway's own MAC.
    pub answers: Vec<Vec<u8>>,
    /// True for what was for the gateway alone: the LAN has nothing to do with it.
    pub is_ours: bool,
}

/// Answers the looks of members.
#[derive(Debug)]
pub struct Answerer {
    mac: MacAddr,
    address: Ipv4Addr,
    rounds: VecDeque<Round>,
    keeps_apart: bool,
}

/// One look of one player.
#[derive(Debug)]
struct Round {
    player: MacAddr,
    nonce: Nonce,
    begun: Instant,
    /// How many frames the cable had refused then.
    refused: u64,
    heard: Styles,
    answers: [u8; Style::ALL.len()],
    pieces: Pieces,
}

impl Answerer {
    /// That of a gateway whose NIC has this MAC, and this address, if any.
    pub fn new(mac: MacAddr, address: Option<Ipv4Addr>) -> Self {
        Answerer {
            mac,
            address: address.unwrap_or_else(|| frame::made_up(mac)),
            rounds: VecDeque::new(),
            keeps_apart: false,
        }
    }

    /// Hears what a member may say, whom the switch has let through, while the LAN is like this. Nothing for what is no question of ours, which is nearly everything.
    pub fn hear(&mut self, now: Instant, frame: &[u8], lan: Lan) -> Option<Heard> {
        let said = read(frame).filter(|said| said.mark.word == Word::Question)?;
        let is_ours = said.destination == self.mac;
        let answers = self.answer(now, &said, lan).unwrap_or_default();
        Some(Heard { answers, is_ours })
    }

    /// Whether there is a look of this player's that a frame of its would be the first of.
    pub fn is_new(&self, frame: &[u8]) -> bool {
        let said = read(frame).filter(|said| said.mark.word == Word::Question);
        said.is_some_and(|said| !self.rounds.iter().any(|round| round.is_of(&said)))
    }

    /// While the host keeps players apart, no player's question makes others hear something: what would be said to all is
    /// said to the asker alone.
    pub fn keep_apart(&mut self, is_so: bool) {
        self.keeps_apart = is_so;
    }

    /// Everybody has gone.
    pub fn clear(&mut self) {
        self.rounds.clear();
    }

    fn answer(&mut self, now: Instant, said: &Said, lan: Lan) -> Option<Vec<Vec<u8>>> {
        let style = said.mark.style;
        let (mac, address, keeps_apart) = (self.mac, self.address, self.keeps_apart);
        if !said.is_of_style(mac) {
            return None;
        }
        let Some(round) = self.round(now, said, lan.refused) else {
            return self.refuse(said);
        };
        let mut said = *said;
        if let Some(piece) = said.piece {
            said = round.pieces.whole(piece, said)?;
        }
        if !said.is_to_port() {
            return None;
        }
        let answers = &mut round.answers[style as usize];
        if *answers == ANSWERS {
            return None;
        }
        *answers += 1;
        round.heard.insert(style);
        let mark = |word| Mark {
            word,
            heard: round.heard,
            is_hindered: lan.refused > round.refused,
            lan_is_silent: lan.is_silent,
            ..said.mark
        };
        let same = same_way(&said, (mac, address), *answers);
        let alone = back(&said, (mac, address), *answers);
        // No longer than what it answers, so that nobody is flooded by proxy.
        let mtu = said.packet_len.max(usize::from(IpMtu::MIN.number()));
        let mut frames = frame::write(&same, &mark(Word::Answer), mtu);
        let len: usize = frames.iter().map(|frame| frame.len() - HEADER_LEN).sum();
        if len > said.bytes {
            frames.clear();
        }
        if keeps_apart {
            for frame in &mut frames {
                frame[..6].copy_from_slice(&said.source.octets());
            }
        }
        frames.extend(frame::write(&alone, &mark(Word::Tally), mtu));
        Some(frames)
    }

    /// Tells who asks too often; not for each piece.
    fn refuse(&self, said: &Said) -> Option<Vec<Vec<u8>>> {
        let is_once = said.piece.is_none_or(|piece| piece.offset == 0) && said.is_to_port();
        let tally = Mark {
            word: Word::Tally,
            is_busy: true,
            ..Mark::question(said.mark.style, said.mark.nonce)
        };
        let way = back(said, (self.mac, self.address), 0);
        is_once.then(|| frame::write(&way, &tally, IpMtu::MIN.number().into()))
    }

    fn round(&mut self, now: Instant, said: &Said, refused: u64) -> Option<&mut Round> {
        let is_old = |round: &Round| now.saturating_duration_since(round.begun) >= ROUND;
        while self.rounds.front().is_some_and(is_old) {
            self.rounds.pop_front();
        }
        let (player, nonce) = (said.source, said.mark.nonce);
        if let Some(known) = self.rounds.iter().position(|round| round.is_of(said)) {
            return self.rounds.get_mut(known);
        }
        let others = self.rounds.iter().filter(|round| round.player == player);
        if others.count() >= ROUNDS_EACH || self.rounds.len() >= MAX_ROUNDS {
            return None;
        }
        self.rounds.push_back(Round {
            player,
            nonce,
            begun: now,
            refused,
            heard: Styles::default(),
            answers: [0; Style::ALL.len()],
            pieces: Pieces::default(),
        });
        self.rounds.back_mut()
    }
}

impl Round {
    fn is_of(&self, said: &Said) -> bool {
        self.player == said.source && self.nonce == said.mark.nonce
    }
}

/// The way back in the same style.
fn same_way(said: &Said, (mac, address): (MacAddr, Ipv4Addr), round: u8) -> Way {
    let (from, to) = said.ports;
    let style = said.mark.style;
    let is_legacy = matches!(style.port(), MDNS_PORT | SSDP_PORT) && from != style.port();
    let alone = style == Style::Unicast || is_legacy;
    Way {
        source: mac,
        source_ip: address,
        to: match (alone, said.to) {
            (true, _) => To::One(said.source, said.from),
            (false, Some(IpAddr::V4(directed))) => To::All(directed),
            (false, _) => To::All(Ipv4Addr::BROADCAST),
        },
        // Who asks mDNS or SSDP from a port of its own is answered there (RFC 6762 §6.7).
        ports: if alone { (to, from) } else { (from, to) },
        round,
    }
}

/// The way to the asker alone.
fn back(said: &Said, (mac, address): (MacAddr, Ipv4Addr), round: u8) -> Way {
    Way {
        source: mac,
        source_ip: address,
        to: To::One(said.source, said.from),
        ports: (frame::TALLY_PORT, said.ports.0),
        round,
    }
}

const _: () =
    assert!(IPV4_HEADER_LEN + UDP_HEADER_LEN + crate::MARK_LEN < IpMtu::MIN.number() as usize);
