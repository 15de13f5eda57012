//! The datagram in pieces, told from a heap of some of them.

use crate::content::PIECES_LEN;
use crate::frame::UDP_HEADER_LEN;
use crate::read::{Piece, Said};

/// What has come of it. Nobody here sends them in another order than this.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// Where the next one begins.
    next: usize,
    longest: usize,
    ports: (u16, u16),
}

impl Pieces {
    /// The last piece as if it were the whole, once all have come.
    pub(crate) fn whole(&mut self, piece: Piece, said: Said) -> Option<Said> {
        if piece.offset == 0 {
            *self = Pieces {
                ports: said.ports,
                ..Pieces::default()
            };
        }
        if piece.offset != self.next {
            return None;
        }
        self.next += piece.len;
        self.longest = self.longest.max(said.packet_len);
        let is_whole = piece.is_last && self.next == UDP_HEADER_LEN + PIECES_LEN;
        is_whole.then_some(Said {
            ports: self.ports,
            packet_len: self.longest,
            ..said
        })
    }
}
