//! Minecraft's Bedrock edition: RakNet's answer to an unconnected ping.
//!
//! ```text
//! 1c time(8) server(8) magic(16) length(2) MCPE;name;protocol;version;players;most;server;world;mode;…
//! ```

use crate::cursor::{Cursor, decimal};
use crate::found::Found;
use crate::words::Codes;

/// RakNet's mark of a message outside of any connection.
const MAGIC: [u8; 16] = [
    0x00, 0xff, 0xff, 0x00, 0xfe, 0xfe, 0xfe, 0xfe, 0xfd, 0xfd, 0xfd, 0xfd, 0x12, 0x34, 0x56, 0x78,
];

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    said.skip(1 + 8 + 8)?;
    if said.bytes(MAGIC.len())? != MAGIC {
        return None;
    }
    let len = said.u16_be()?;
    let mut parts = said.bytes(len.into())?.split(|&byte| byte == b';');
    let game = match parts.next()? {
        b"MCPE" => "Minecraft Bedrock",
        b"MCEE" => "Minecraft Education",
        _ => return None,
    };
    let (server, _protocol, _version) = (parts.next()?, parts.next()?, parts.next()?);
    let (players, most) = (parts.next()?, parts.next()?);
    let (_server_id, world) = (parts.next(), parts.next());
    let found = Found::new(game, server, Codes::Sections);
    let found = Found {
        map: world
            .map(|world| crate::words::words(world, Codes::Sections))
            .filter(|world| !world.is_empty()),
        ..found
    };
    Some(found.with_players(decimal(players), decimal(most)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_pong_names_server_and_world() {
        let text = "MCPE;§6Dedicated Server;527;1.19.1;2;10;13253860892328930865;Bedrock level;Survival;1;19132;19133;";
        let len = u16::try_from(text.len()).unwrap().to_be_bytes();
        let mut pong = [&[0x1c][..], &[7; 16], &MAGIC, &len, text.as_bytes()].concat();
        let expected = Found::new("Minecraft Bedrock", b"Dedicated Server", Codes::None)
            .on_map(Some(b"Bedrock level"))
            .with_players(Some(2), Some(10));
        assert_eq!(recognise(&said(19_132, &pong)), Some(expected));
        pong[20] ^= 1;
        assert_eq!(recognise(&said(19_132, &pong)), None, "another RakNet");
    }
}
