//! The gateway's end: what it has heard of whom, and what it says to that.

use crate::frame::{self, To, UDP_HEADER_LEN, Way};
use crate::mark::{Mark, Nonce, Word};
use crate::pieces::Pieces;
use crate::read::{Said, read};
use crate::style::{MDNS_PORT, SSDP_PORT, Style, Styles};
use lanparty_proto::ip::IPV4_HEADER_LEN;
use lanparty_proto::{IpMtu, MacAddr};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a look may take.
const ROUND: Duration = Duration::from_secs(10);
/// How many looks of one player are answered in that time: a program's and its service's, twice.
const ROUNDS_EACH: usize = 4;
/// How many looks of all are kept.
const MAX_ROUNDS: usize = 256;
/// How often one style is answered in a look: questions get lost, and so do answers.
const ANSWERS: u8 = 3;

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
        }
    }

    /// Hears what a member may say, whom the switch has let through; `refused` is how many frames the cable has refused
    /// so far. Nothing for what is no question of ours, which is nearly everything.
    pub fn hear(&mut self, now: Instant, frame: &[u8], refused: u64) -> Option<Heard> {
        let said = read(frame).filter(|said| said.mark.word == Word::Question)?;
        let is_ours = said.destination == self.mac;
        let answers = self.answer(now, &said, refused).unwrap_or_default();
        Some(Heard { answers, is_ours })
    }

    /// Everybody has gone.
    pub fn clear(&mut self) {
        self.rounds.clear();
    }

    fn answer(&mut self, now: Instant, said: &Said, refused: u64) -> Option<Vec<Vec<u8>>> {
        let style = said.mark.style;
        let (mac, address) = (self.mac, self.address);
        let round = self.round(now, said, refused)?;
        let mut said = *said;
        if let Some(piece) = said.piece {
            said = round.pieces.whole(piece, said)?;
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
            is_hindered: refused > round.refused,
            ..said.mark
        };
        let (same, alone) = (same_way(&said, mac, address), back(&said, mac, address));
        // No longer than what it answers, so that nobody is flooded by proxy.
        let mtu = said.packet_len.max(usize::from(IpMtu::MIN.number()));
        let mut frames = match style {
            Style::Large if said.packet_len < mtu => Vec::new(),
            _ => frame::write(&same, &mark(Word::Answer), mtu),
        };
        frames.extend(frame::write(&alone, &mark(Word::Tally), mtu));
        Some(frames)
    }

    fn round(&mut self, now: Instant, said: &Said, refused: u64) -> Option<&mut Round> {
        let is_old = |round: &Round| now.saturating_duration_since(round.begun) >= ROUND;
        while self.rounds.front().is_some_and(is_old) {
            self.rounds.pop_front();
        }
        let (player, nonce) = (said.source, said.mark.nonce);
        let is_it = |round: &Round| round.player == player && round.nonce == nonce;
        if let Some(known) = self.rounds.iter().position(is_it) {
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

/// The way back in the same style.
fn same_way(said: &Said, mac: MacAddr, address: Ipv4Addr) -> Way {
    let (from, to) = said.ports;
    let style = said.mark.style;
    let is_legacy = matches!(style.port(), MDNS_PORT | SSDP_PORT) && from != style.port();
    let alone = style == Style::Unicast || is_legacy;
    Way {
        source: mac,
        source_ip: address,
        to: match (alone, said.to_v4) {
            (true, _) => To::One(said.source, said.from),
            (false, directed) => To::All(directed.unwrap_or(Ipv4Addr::BROADCAST)),
        },
        // Who asks mDNS or SSDP from a port of its own is answered there (RFC 6762 §6.7).
        ports: if alone { (to, from) } else { (from, to) },
    }
}

/// The way to the asker alone.
fn back(said: &Said, mac: MacAddr, address: Ipv4Addr) -> Way {
    Way {
        source: mac,
        source_ip: address,
        to: To::One(said.source, said.from),
        ports: (frame::TALLY_PORT, said.ports.0),
    }
}

const _: () =
    assert!(IPV4_HEADER_LEN + UDP_HEADER_LEN + crate::MARK_LEN < IpMtu::MIN.number() as usize);
