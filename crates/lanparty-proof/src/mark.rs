//! What makes a frame one of ours.
//!
//! ```text
//!  0                8      9       10      11        12            16               24
//!  +----------------+------+-------+-------+---------+-------------+----------------+
//!  | "slnproof"     | word | style | flags | version | heard       | nonce          |
//!  +----------------+------+-------+-------+---------+-------------+----------------+
//! ```
//!
//! Numbers are big-endian. `heard` has a bit for each [`Style`] that the gateway has heard of this nonce; in a question it is
//! zero. Flag 1 says that the gateway's cable has refused frames meanwhile, 2 that its LAN has been silent of late, 4 that it
//! has answered this player so often that it answers nothing more for some seconds.

use crate::style::{Style, Styles};
use std::fmt;

/// How long a mark is: a multiple of eight, as pieces of IP begin at such.
pub const MARK_LEN: usize = 24;

pub(crate) const MAGIC: [u8; 8] = *b"slnproof";
const VERSION: u8 = 1;
const HINDERED: u8 = 1;
const SILENT: u8 = 2;
const BUSY: u8 = 4;

/// Names one look; random, so that an answer belongs to one look alone. No secret: whoever hears a question has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 8]);

/// Of no use in a log.
impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Do you hear this?
    Question,
    /// I do; do you hear this, which comes the same way?
    Answer,
    /// All that I have heard, said to the asker alone.
    Tally,
}

/// What makes a frame one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// What is said.
    pub word: Word,
    /// In which style it was asked.
    pub style: Style,
    /// What the gateway has heard so far.
    pub heard: Styles,
    /// Whether its cable has refused frames meanwhile.
    pub is_hindered: bool,
    /// Whether it has heard nothing from its LAN of late.
    pub lan_is_silent: bool,
    /// Whether it answers this player nothing more for now.
    pub is_busy: bool,
    /// Which look it belongs to.
    pub nonce: Nonce,
}

impl Mark {
    /// A question.
    pub fn question(style: Style, nonce: Nonce) -> Self {
        Mark {
            word: Word::Question,
            style,
            heard: Styles::default(),
            is_hindered: false,
            lan_is_silent: false,
            is_busy: false,
            nonce,
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> [u8; MARK_LEN] {
        let mut bytes = [0; MARK_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = match self.word {
            Word::Question => 1,
            Word::Answer => 2,
            Word::Tally => 3,
        };
        bytes[9] = self.style as u8;
        let flags = [
            (self.is_hindered, HINDERED),
            (self.lan_is_silent, SILENT),
            (self.is_busy, BUSY),
        ];
        bytes[10] = flags.iter().map(|&(is, flag)| u8::from(is) * flag).sum();
        bytes[11] = VERSION;
        bytes[12..16].copy_from_slice(&self.heard.bits().to_be_bytes());
        bytes[16..].copy_from_slice(&self.nonce.0);
        bytes
    }

    /// The mark at the beginning of these bytes, if there is one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mark: &[u8; MARK_LEN] = bytes.first_chunk()?;
        if mark[..8] != MAGIC || mark[11] != VERSION {
            return None;
        }
        let word = match mark[8] {
            1 => Word::Question,
            2 => Word::Answer,
            3 => Word::Tally,
            _ => return None,
        };
        let bits = u32::from_be_bytes(*mark[12..].first_chunk()?);
        Some(Mark {
            word,
            style: Style::of(mark[9])?,
            heard: Styles::from_bits(bits),
            is_hindered: mark[10] & HINDERED != 0,
            lan_is_silent: mark[10] & SILENT != 0,
            is_busy: mark[10] & BUSY != 0,
            nonce: Nonce(*mark[16..].first_chunk()?),
        })
    }
}
