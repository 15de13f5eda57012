//! The options of a DHCP message (RFC 2132 §2): the pieces of each put together (RFC 3396), from all the
//! places where they may stand (RFC 2132 §9.3), and where each piece stands.

use std::net::Ipv4Addr;
use std::ops::Range;

/// What options are filled up with; it has no length.
pub const PAD: u8 = 0;
/// Says which of the fields have options as well.
pub const OVERLOAD: u8 = 52;
const END: u8 = 255;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const FIELDS_LEN: usize = 236;
const SERVER_NAME: Range<usize> = 44..108;
const FILE: Range<usize> = 108..FIELDS_LEN;

/// Where they stand, in the order in which their pieces belong: behind the cookie, in `file`, in `sname`.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    message: &'a [u8],
    areas: [Range<usize>; 3],
}

/// A piece of an option, or all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The option's number.
    pub kind: u8,
    /// Where in the message it stands, with number and length.
    pub whole: Range<usize>,
    /// Which area it is in: 0 is the one behind the cookie.
    pub area: usize,
}

/// What an option says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<const N: usize> {
    /// How many times it stands there.
    pub pieces: usize,
    /// How long it is in all.
    pub len: usize,
    /// Its first bytes.
    pub bytes: [u8; N],
}

impl<const N: usize> Value<N> {
    /// Those of its first bytes that there are.
    pub fn known(&self) -> &[u8] {
        &self.bytes[..self.len.min(N)]
    }
}

impl Piece {
    /// Where its value stands.
    pub fn value(&self) -> Range<usize> {
        self.whole.start + 2..self.whole.end
    }
}

impl<'a> Options<'a> {
    /// Those of a whole message; none when it has no cookie, as BOOTP's (RFC 1497).
    pub fn of(message: &'a [u8]) -> Self {
        let mut options = Options {
            message,
            areas: [0..0, 0..0, 0..0],
        };
        let behind_cookie = FIELDS_LEN + COOKIE.len();
        if message.get(FIELDS_LEN..behind_cookie) != Some(&COOKIE) {
            return options;
        }
        options.areas[0] = behind_cookie..message.len();
        let overload = options.value::<1>(OVERLOAD).bytes[0];
        for (bit, area) in [FILE, SERVER_NAME].into_iter().enumerate() {
            if overload >> bit & 1 == 1 {
                options.areas[1 + bit] = area;
            }
        }
        options
    }

    /// Every piece in its place; nothing for where an area is cut short, which ends that area.
    pub fn pieces(&self) -> impl Iterator<Item = Option<Piece>> {
        let areas = self.areas.iter().cloned().enumerate();
        areas.flat_map(|(area, rest)| Walk {
            message: self.message,
            rest,
            area,
        })
    }

    /// What this one says.
    pub fn value<const N: usize>(&self, wanted: u8) -> Value<N> {
        let mut value = Value {
            pieces: 0,
            len: 0,
            bytes: [0; N],
        };
        let all = self.pieces().flatten();
        for piece in all.filter(|piece| piece.kind == wanted) {
            let piece = &self.message[piece.value()];
            let room = &mut value.bytes[value.len.min(N)..];
            let known = piece.len().min(room.len());
            room[..known].copy_from_slice(&piece[..known]);
            value.pieces += 1;
            value.len += piece.len();
        }
        value
    }

    /// The first address of an option of addresses.
    pub fn address(&self, wanted: u8) -> Option<Ipv4Addr> {
        let value = self.value::<4>(wanted);
        (value.len >= 4).then_some(value.bytes.into())
    }

    /// True when every area can be read to its end.
    pub fn is_clean(&self) -> bool {
        self.pieces().all(|piece| piece.is_some())
    }
}

/// From option to option of one area, or nothing when it is cut short.
struct Walk<'a> {
    message: &'a [u8],
    rest: Range<usize>,
    area: usize,
}

impl Iterator for Walk<'_> {
    type Item = Option<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.message[self.rest.clone()].first() == Some(&PAD) {
            self.rest.start += 1;
        }
        // Nothing follows an end, or what is cut short.
        let at = std::mem::replace(&mut self.rest.start, self.rest.end);
        match self.message[at..self.rest.end] {
            [] | [END, ..] => None,
            [kind, len, ref rest @ ..] if usize::from(len) <= rest.len() => {
                self.rest.start = at + 2 + usize::from(len);
                Some(Some(Piece {
                    kind,
                    whole: at..self.rest.start,
                    area: self.area,
                }))
            }
            _ => Some(None),
        }
    }
}
