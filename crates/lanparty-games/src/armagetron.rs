//! Armagetron Advanced: the longer answer to its browser. The shorter one, to a question of everybody, has no name.
//!
//! ```text
//! 00 33 number(2) words(2) port(4) connection name users(4) oldest(4) newest(4) release most(4) users' names …   sender(2)
//! 00 32 number(2) words(2) port(4) …
//! ```
//!
//! All is made of words of two bytes, big endian; a number of two words has the low one first. A text has its length
//! with its last zero before it, and each word's letters stand the wrong way round.
//! Descriptors 50 and 51 in `src/network/nServerInfo.cpp` there; bytes of armagetronad-dedicated 0.2.9.1.0 of Debian 12.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::{Codes, without_0x};

const SMALL: u16 = 0x32;
const BIG: u16 = 0x33;
/// Servers stand at this one and at those behind it.
pub(crate) const PORTS: std::ops::RangeInclusive<u16> = 4534..=4540;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut rest = Cursor(said);
    let (kind, _number) = (rest.u16_be()?, rest.u16_be()?);
    let words = usize::from(rest.u16_be()?);
    // The sender's number stands behind them.
    if rest.0.len() != words * 2 + 2 {
        return None;
    }
    let port = u16::try_from(number(&mut rest)?).ok();
    let port = port.filter(|port| PORTS.contains(port))?;
    let nameless = Found {
        port: Some(port),
        is_guess: kind == SMALL,
        ..Found::new("Armagetron Advanced", b"", Codes::None)
    };
    match kind {
        SMALL => Some(nameless),
        BIG => {
            let (_connection, name) = (text(&mut rest)?, text(&mut rest)?);
            let users = number(&mut rest)?;
            let (_oldest, _newest) = (number(&mut rest)?, number(&mut rest)?);
            let _release = text(&mut rest)?;
            let most = number(&mut rest)?;
            let named = Found::new("Armagetron Advanced", &without_0x(&name), Codes::None);
            let named = named.with_players(u16::try_from(users).ok(), u16::try_from(most).ok());
            Some(Found {
                port: nameless.port,
                ..named
            })
        }
        _ => None,
    }
}

fn number(said: &mut Cursor<'_>) -> Option<u32> {
    let (low, high) = (said.u16_be()?, said.u16_be()?);
    Some(u32::from(high) << 16 | u32::from(low))
}

fn text(said: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let len = usize::from(said.u16_be()?);
    let words = said.bytes(len.next_multiple_of(2))?;
    let mut letters: Vec<u8> = words
        .chunks(2)
        .flat_map(|word| [word[1], word[0]])
        .collect();
    letters.truncate(len.saturating_sub(1));
    Some(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    const SMALL_ANSWER: &[u8] = b"\x00\x32\x00\x00\x00\x05\x11\xb6\0\0\0\0\0\0\0\0\0\0";
    const BIG_ANSWER: &[u8] = b"\x00\x33\x00\x00\x00\x5b\x11\xb6\x00\x00\x00\x00\x00\x0fnUanem deSvrre\0\0\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x11\x00\x00\x00%.0.2.9_1lahp2a200322 2nuxid decitade\0\
        \x00\x00\x10\x00\x00\x00\x00\x00 lA lesttnisga  tedaflu tavulse\0.\0\x1cthpt/:w/wwa.mrgateoran.den\0t\
        \x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0033\x003\xfdD\x09?\xaa\xab\x00\xaa\
        \xb4\xe8\x00\x01\xe0N\x02\x04\x00\x00";

    #[test]
    fn both_answers_say_where_it_is_and_the_longer_one_who() {
        let hear = |payload: &[u8]| recognise(&said(4534, payload));
        let expected = Found {
            port: Some(4534),
            ..Found::new("Armagetron Advanced", b"Unnamed Server", Codes::None)
        };
        let expected = expected.with_players(Some(0), Some(16));
        assert_eq!(hear(BIG_ANSWER), Some(expected));
        let nameless = hear(SMALL_ANSWER).unwrap();
        assert_eq!((nameless.server.as_str(), nameless.port), ("", Some(4534)));
        assert_eq!(hear(b"\x00\x34\0\0\0\0\0\0"), None, "a question");
        assert_eq!(hear(&BIG_ANSWER[..BIG_ANSWER.len() - 1]), None, "cut");
    }

    #[test]
    fn colours_are_no_letters() {
        assert_eq!(
            without_0x(b"0xff7700Grid 0x12 0xzz0000"),
            b"Grid 0x12 0xzz0000"
        );
        assert_eq!(without_0x(b"0xRESETTx"), b"x");
    }
}
