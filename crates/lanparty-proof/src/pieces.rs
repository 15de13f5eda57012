//! The datagram in pieces, told from a heap of some of them.

use crate::content::PIECES_LEN;
use crate::frame::UDP_HEADER_LEN;
use crate::read::{Piece, Said};

/// More than there are in the narrowest room.
const MOST: usize = 16;

/// What has come of it, in whatever order.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// Which datagram they are of, as its sender numbers them.
    id: u16,
    /// Where each begins, and how long it is.
    come: Vec<(usize, usize)>,
    longest: usize,
    bytes: usize,
    ports: (u16, u16),
}

impl Pieces {
    /// The piece that came last as if it were the whole, once all have come.
    pub(crate) fn whole(&mut self, piece: Piece, said: Said) -> Option<Said> {
        if piece.id != self.id {
            *self = Pieces {
                id: piece.id,
                ..Pieces::default()
            };
        }
        const LEN: usize = UDP_HEADER_LEN + PIECES_LEN;
        let end = piece.offset + piece.len;
        let overlaps = |&(at, len): &(usize, usize)| piece.offset < at + len && at < end;
        if end > LEN
            || piece.is_last != (end == LEN)
            || self.come.len() == MOST
            || self.come.iter().any(overlaps)
        {
            return None;
        }
        if piece.offset == 0 {
            self.ports = said.ports;
        }
        self.come.push((piece.offset, piece.len));
        self.longest = self.longest.max(said.packet_len);
        self.bytes += said.bytes;
        // They do not overlap, and none goes further.
        let is_whole = self.come.iter().map(|(_, len)| len).sum::<usize>() == LEN;
        is_whole.then(|| {
            let whole = std::mem::take(self);
            Said {
                ports: whole.ports,
                packet_len: whole.longest,
                bytes: whole.bytes,
                ..said
            }
        })
    }
}
