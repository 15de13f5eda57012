//! SuperTuxKart.
//!
//! ```text
//! version(4) length name most players port(2) difficulty mode password started [length track]     (big endian)
//! ```

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

/// Servers are looked for here.
pub(crate) const PORT: u16 = 2757;
/// Versions of servers so far are 6.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=32;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    let [0, 0, 0, version] = said.bytes(4)? else {
        return None;
    };
    let len = said.u8().filter(|_| VERSIONS.contains(version))?;
    let name = said.bytes(len.into())?;
    let (most, players) = (said.u8()?, said.u8()?);
    let port = said.u16_be().filter(|&port| port != 0)?;
    // Difficulty, mode, password, started.
    said.skip(4)?;
    let track = said.u8().and_then(|len| said.bytes(len.into()));
    let found = Found::new("SuperTuxKart", name, Codes::None).on_map(track);
    Some(Found {
        port: Some(port),
        ..found.with_players(Some(players.into()), Some(most.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_server_is_heard_with_and_without_a_track() {
        let answer = b"\0\0\0\x06\x06Karts!\x08\x02\x0a\xc7\x01\x03\x00\x01";
        let expected = Found {
            port: Some(2759),
            ..Found::new("SuperTuxKart", b"Karts!", Codes::None)
        };
        let expected = expected.with_players(Some(2), Some(8));
        assert_eq!(recognise(&said(PORT, answer)), Some(expected.clone()));
        let racing = [&answer[..], b"\x08lighthou"].concat();
        let expected = expected.on_map(Some(b"lighthou"));
        assert_eq!(recognise(&said(PORT, &racing)), Some(expected));
        assert_eq!(recognise(&said(PORT, b"\0\0\0\x06\x40Karts")), None);
    }
}
