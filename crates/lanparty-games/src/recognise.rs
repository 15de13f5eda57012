//! What a datagram says about a game, if it says anything.

use crate::datagram::Datagram;
use crate::found::Found;
use crate::{
    armagetron, bedrock, bzflag, chocolate, cube2, directplay, doom3, freeciv, gamespy, generals,
    hedgewars, minecraft, openra, openttd, quake, source, starcraft, stardew, supertuxkart,
    teeworlds, warcraft3, widelands,
};
use lanparty_proto::MacAddr;

/// False for what [`recognise`] knows nothing to do with, which is nearly everything.
pub(crate) fn is_lead(from_port: u16, to_port: u16, first: u8) -> bool {
    let is_known = matches!(
        first,
        0 | 0x1c
            | teeworlds::CONNECTIONLESS_0_7
            | b'G'
            | b'['
            | b'\\'
            | b'h'
            | 0x80
            | stardew::DISCOVERY_RESPONSE
            | 0xf7
            | 0xff
    );
    let is_from = matches!(
        from_port,
        openttd::PORT | supertuxkart::PORT | cube2::PORT | 6111..=6112
    );
    is_known || is_from || matches!(to_port, freeciv::PORT | generals::PORT)
}

/// A machine that says to have a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Which.
    pub mac: MacAddr,
    /// The port from which it says so, and the one where the game is joined; often the same.
    pub ports: [u16; 2],
}

/// Who says by this frame to have a game, and where, if anybody does.
pub fn announced(frame: &[u8]) -> Option<Announced> {
    let said = Datagram::in_frame(frame, is_lead)?;
    let found = recognise(&said).filter(|found| !found.is_over)?;
    Some(Announced {
        mac: said.mac,
        ports: [said.from_port, found.port.unwrap_or(said.from_port)],
    })
}

/// Whose answer it is shows in its first bytes, or in its port where these are too common.
pub(crate) fn recognise(said: &Datagram<'_>) -> Option<Found> {
    match said.payload {
        [0xff, 0xff, 0xff, 0xff, 0xff, ..] | [teeworlds::CONNECTIONLESS_0_7, ..] => {
            teeworlds::hear(said.payload)
        }
        [0xff, 0xff, 0xff, 0xff, rest @ ..] => source::hear(rest).or_else(|| quake::hear(rest)),
        [0xff, 0xff, rest @ ..] => doom3::hear(rest),
        [0x80, 0x00, ..] => quake::hear_first(said.payload),
        [0x1c, ..] => bedrock::hear(said.payload),
        [stardew::DISCOVERY_RESPONSE, ..] => stardew::hear(said.payload),
        [b'[', ..] => minecraft::hear(said),
        [b'G', ..] => widelands::hear(said.payload),
        [b'h', ..] => hedgewars::hear(said.payload),
        [b'\\', ..] => gamespy::hear(said.payload),
        [0, ..] => behind_a_zero(said.payload),
        [0xf7, ..] => warcraft3::hear(said.payload),
        _ => None,
    }
    .or_else(|| by_port(said))
}

/// Many begin with a number that is a small one.
fn behind_a_zero(said: &[u8]) -> Option<Found> {
    match said {
        [0, 0x03, ..] => directplay::hear(said),
        [0, 0x0d, ..] => openra::hear(said),
        [0, 0x0e, ..] => chocolate::hear(said),
        [0, 0x32 | 0x33, ..] => armagetron::hear(said),
        [0, 0x38, ..] => bzflag::hear(said),
        _ => None,
    }
    .or_else(|| gamespy::hear(said))
}

fn by_port(said: &Datagram<'_>) -> Option<Found> {
    match (said.from_port, said.to_port) {
        (openttd::PORT, _) => openttd::hear(said.payload),
        (supertuxkart::PORT, _) => supertuxkart::hear(said.payload),
        (cube2::PORT, _) => cube2::hear(said.payload),
        (_, freeciv::PORT) => freeciv::hear(said.payload),
        (_, generals::PORT) => generals::hear(said.payload),
        (from, _) if starcraft::PORTS.contains(&from) => starcraft::hear(said.payload),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;

    #[test]
    fn what_is_no_game_is_none() {
        // A Steam client that looks for others to stream from: header, body, and its name in that.
        let steam =
            b"\xff\xff\xff\xff\x21\x4c\x5f\xa0\x04\0\0\0\x08\x01\x10\x01\x06\0\0\0\x22\x04anns";
        assert_eq!(recognise(&said(27_036, steam)), None);
        // A DNS answer, mDNS, RTP, an SSDP notice, a DHCP offer.
        for (port, other) in [
            (53, &b"\x00\x33\x81\x80\0\x01\0\x01\0\0\0\0\x03www"[..]),
            (5353, b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x04anns\x05local\0"),
            (5004, b"\x80\x00\x00\x07\x83"),
            (1900, b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n"),
            (67, b"\x02\x01\x06\x00"),
        ] {
            assert_eq!(recognise(&said(port, other)), None, "{port}");
        }
    }
}
