//! Stardew Valley: Lidgren's answer to a discovery, which says no more than that a farm is there.
//!
//! ```text
//! 89 00 00 bits(2) length version 0d StardewValley         (little endian)
//! ```
//!
//! `NetMessageType.DiscoveryResponse` and the header of five bytes in Lidgren.Network; what it carries is
//! `LidgrenServer.sendVersionInfo` in the game.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

pub(crate) const DISCOVERY_RESPONSE: u8 = 0x89;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut rest = Cursor(said.strip_prefix(&[DISCOVERY_RESPONSE, 0, 0])?);
    let bits = usize::from(rest.u16_le()?);
    if bits != rest.0.len() * 8 {
        return None;
    }
    let version = rest.u8()?;
    rest.skip(version.into())?;
    let is_it = rest.0 == b"\x0dStardewValley";
    is_it.then(|| Found::new("Stardew Valley", b"", Codes::None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_farm_is_there_and_has_no_name() {
        let hear = |payload: &[u8]| recognise(&said(24_642, payload));
        let farm = b"\x89\0\0\xa0\0\x051.5.5\x0dStardewValley";
        let expected = Found::new("Stardew Valley", b"", Codes::None);
        assert_eq!(hear(farm), Some(expected));
        assert_eq!(hear(b"\x89\0\0\x18\0\x02hi"), None, "another of Lidgren's");
        assert_eq!(hear(&farm[..farm.len() - 1]), None, "cut");
    }
}
