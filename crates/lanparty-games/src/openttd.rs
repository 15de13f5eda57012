//! OpenTTD.
//!
//! ```text
//! 03 00 01                                                        (12 and later: the rest is asked for by TCP)
//! length(2) 01 version [4: grfs grf(20)…] [3: date(4) date(4)] [2: companies on spectators]
//!              name 0 revision 0 language password most clients spectators [1, 2: date(2) date(2)] map 0 …
//! ```
//!
//! Numbers are little endian.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

pub(crate) const PORT: u16 = 3979;
const RESPONSE: u8 = 1;
const GRF_LEN: usize = 4 + 16;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut rest = Cursor(said);
    if usize::from(rest.u16_le()?) != said.len() || rest.u8()? != RESPONSE {
        return None;
    }
    if rest.0.is_empty() {
        return Some(Found::new("OpenTTD", b"", Codes::None));
    }
    let version = rest.u8()?;
    if !(1..=4).contains(&version) {
        // What it says is too new, that it is there is true.
        return Some(Found::new("OpenTTD", b"", Codes::None));
    }
    if version >= 4 {
        let grfs = usize::from(rest.u8()?);
        rest.skip(grfs * GRF_LEN)?;
    }
    if version >= 3 {
        rest.skip(4 + 4)?;
    }
    if version >= 2 {
        rest.skip(3)?;
    }
    let (name, _revision) = (rest.text()?, rest.text()?);
    let (_language, _password) = (rest.u8()?, rest.u8()?);
    let (most, clients) = (rest.u8()?, rest.u8()?);
    let _spectators = rest.u8()?;
    if version < 3 {
        rest.skip(2 + 2)?;
    }
    let map = rest.text()?;
    let found = Found::new("OpenTTD", name, Codes::None).on_map(Some(map));
    Some(found.with_players(Some(clients.into()), Some(most.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_new_server_says_only_that_it_is_one() {
        // OpenTTD 13.0 of Debian 12.
        let nameless = Found::new("OpenTTD", b"", Codes::None);
        assert_eq!(recognise(&said(PORT, b"\x03\0\x01")), Some(nameless));
        assert_eq!(recognise(&said(PORT, b"\x03\0\0")), None, "a question");
        assert_eq!(recognise(&said(PORT + 1, b"\x03\0\x01")), None);
    }

    #[test]
    fn an_older_server_says_its_name() {
        let mut answer = vec![0, 0, 1, 4, 1];
        answer.extend([7; GRF_LEN]);
        answer.extend([1, 0, 0, 0, 2, 0, 0, 0, 15, 2, 10]);
        answer
            .extend(b"Rails\x001.11.2\0\x00\x00\x19\x03\x01Green hills\0\x00\x01\x00\x01\x00\x01");
        answer[0] = u8::try_from(answer.len()).unwrap();
        let expected = Found::new("OpenTTD", b"Rails", Codes::None)
            .on_map(Some(b"Green hills"))
            .with_players(Some(3), Some(25));
        assert_eq!(recognise(&said(PORT, &answer)), Some(expected));
        answer.pop();
        assert_eq!(recognise(&said(PORT, &answer)), None, "cut");
    }
}
