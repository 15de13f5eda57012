//! The options of a DHCP message (RFC 2132 §2): the pieces of each put together (RFC 3396), from all the
//! places where they may stand (RFC 2132 §9.3).

use std::net::Ipv4Addr;

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const PAD: u8 = 0;
const OVERLOAD: u8 = 52;
const END: u8 = 255;

/// Where they stand, in the order in which their pieces belong: behind the cookie, in `file`, in `sname`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options<'a>([&'a [u8]; 3]);

/// What an option says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value<const N: usize> {
    /// How many times it stands there.
    pub(super) pieces: usize,
    /// How long it is in all.
    pub(super) len: usize,
    /// Its first bytes.
    pub(super) bytes: [u8; N],
}

impl<const N: usize> Value<N> {
    /// Those of its first bytes that there are.
    pub(super) fn known(&self) -> &[u8] {
        &self.bytes[..self.len.min(N)]
    }
}

impl<'a> Options<'a> {
    /// Those of a whole message; none when it has no cookie, as BOOTP's (RFC 1497).
    pub(super) fn of(message: &'a [u8]) -> Self {
        let Some((fields, options)) = message.split_first_chunk::<240>() else {
            return Options([&[]; 3]);
        };
        if fields[236..] != COOKIE {
            return Options([&[]; 3]);
        }
        let (file, server_name) = (&message[108..236], &message[44..108]);
        let overload = Options([options, &[], &[]]).value::<1>(OVERLOAD).bytes[0];
        let when = |bit: u8, area| match overload & bit != 0 {
            true => area,
            false => &[][..],
        };
        Options([options, when(1, file), when(2, server_name)])
    }

    /// What this one says.
    pub(super) fn value<const N: usize>(&self, wanted: u8) -> Value<N> {
        let mut value = Value {
            pieces: 0,
            len: 0,
            bytes: [0; N],
        };
        let all = self.0.into_iter().flat_map(Walk).flatten();
        for (_, piece) in all.filter(|&(kind, _)| kind == wanted) {
            let room = &mut value.bytes[value.len.min(N)..];
            let known = piece.len().min(room.len());
            room[..known].copy_from_slice(&piece[..known]);
            value.pieces += 1;
            value.len += piece.len();
        }
        value
    }

    /// The first address of an option of addresses.
    pub(super) fn address(&self, wanted: u8) -> Option<Ipv4Addr> {
        let value = self.value::<4>(wanted);
        (value.len >= 4).then_some(value.bytes.into())
    }

    /// True when every area can be read to its end.
    pub(super) fn is_clean(&self) -> bool {
        self.0
            .into_iter()
            .flat_map(Walk)
            .all(|option| option.is_some())
    }
}

/// From option to option of one area: its number and value, or nothing when it is cut short.
struct Walk<'a>(&'a [u8]);

impl<'a> Iterator for Walk<'a> {
    type Item = Option<(u8, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [PAD, rest @ ..] = self.0 {
            self.0 = rest;
        }
        let rest = std::mem::take(&mut self.0);
        match *rest {
            [] | [END, ..] => None,
            [kind, len, ref rest @ ..] if usize::from(len) <= rest.len() => {
                let (value, rest) = rest.split_at(len.into());
                self.0 = rest;
                Some(Some((kind, value)))
            }
            _ => Some(None),
        }
    }
}
