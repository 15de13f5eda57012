//! Widelands: a host tells everybody of its game when it opens, changes and ends, and whoever asks.
//!
//! ```text
//! GAME 00 00 01 state version(32) host(128) map(32)
//! ```
//!
//! `NetGameInfo` in `src/network/network_lan_promotion.h` there; told at UDP 7394, played by TCP at 7396.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

const MAGIC: &[u8] = b"GAME\0\0\x01";
const PLAY: u16 = 7396;
const CLOSED: u8 = 0;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said.strip_prefix(MAGIC)?);
    let state = said.u8()?;
    said.skip(32)?;
    let (host, map) = (said.bytes(128)?, said.bytes(32)?);
    let found = Found::new("Widelands", until_zero(host), Codes::None);
    Some(Found {
        port: Some(PLAY),
        is_over: state == CLOSED,
        ..found.on_map(Some(until_zero(map)))
    })
}

fn until_zero(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn field(text: &str, len: usize) -> Vec<u8> {
        let mut field = text.as_bytes().to_vec();
        field.resize(len, 0);
        field
    }

    #[test]
    fn a_host_says_that_its_game_is_open_and_that_it_is_over() {
        let said_of = |state| {
            let fields = [field("1.1", 32), field("anns-pc", 128), field("Lake", 32)].concat();
            [MAGIC, &[state], &fields].concat()
        };
        let hear = |payload: &[u8]| recognise(&said(7395, payload));
        let expected = Found {
            port: Some(PLAY),
            ..Found::new("Widelands", b"anns-pc", Codes::None).on_map(Some(b"Lake"))
        };
        assert_eq!(hear(&said_of(1)), Some(expected.clone()));
        let over = Found {
            is_over: true,
            ..expected
        };
        assert_eq!(hear(&said_of(0)), Some(over));
        assert_eq!(hear(&said_of(1)[..150]), None, "cut");
        assert_eq!(hear(b"QUERY\0\x01\0"), None, "a question");
    }
}
