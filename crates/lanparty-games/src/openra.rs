//! OpenRA: the answer of its beacon.
//!
//! ```text
//! length(2) OpenRALANGame beacon(2) length(2) Game:\n\tName: …\n\tAddress: 0.0.0.0:1234\n\tMaxPlayers: 8\n …     (big endian)
//! ```
//!
//! rix0rrr's BeaconLib carries it, on port 35891; what it says is `GameServer.ToPOSTData` in `OpenRA.Game/Network/GameServer.cs`.
//! A map is a number there, which tells people nothing.

use crate::cursor::{Cursor, decimal};
use crate::found::Found;
use crate::words::Codes;

const KIND: &[u8] = b"OpenRALANGame";

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    if text(&mut said)? != KIND {
        return None;
    }
    said.skip(2)?;
    let yaml = text(&mut said)?;
    let value = |key: &str| {
        let mut lines = yaml.split(|&byte| byte == b'\n');
        lines.find_map(|line| {
            // Deeper lines are about players.
            let rest = line.strip_prefix(b"\t")?.strip_prefix(key.as_bytes())?;
            rest.strip_prefix(b":").map(<[u8]>::trim_ascii)
        })
    };
    let address = value("Address")?;
    let port = address
        .rsplit(|&byte| byte == b':')
        .next()
        .and_then(decimal);
    let title = value("ModTitle").or(value("Mod")).unwrap_or_default();
    let game = match title {
        [] => "OpenRA".to_owned(),
        [..] => format!("OpenRA: {}", String::from_utf8_lossy(title)),
    };
    let number = |key| value(key).and_then(decimal);
    let found = Found::new(&game, value("Name")?, Codes::None);
    Some(Found {
        port: Some(port.filter(|&port| port != 0)?),
        ..found.with_players(number("Players"), number("MaxPlayers"))
    })
}

fn text<'a>(said: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = said.u16_be()?;
    said.bytes(len.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn answer(yaml: &str) -> Vec<u8> {
        let len = u16::try_from(yaml.len()).unwrap().to_be_bytes();
        [&b"\x00\x0dOpenRALANGame\x30\x39"[..], &len, yaml.as_bytes()].concat()
    }

    #[test]
    fn a_beacon_says_where_which_and_who() {
        let hear = |payload: &[u8]| recognise(&said(35_891, payload));
        let yaml = "Game:\n\tProtocol: 2\n\tName: Friday's war\n\tAddress: 0.0.0.0:1234\n\tMap: 52c3…\n\tMaxPlayers: 8\n\
            \tMod: ra\n\tModTitle: Red Alert\n\tPlayers: 3\n\tClients:\n\t\tClient@0:\n\t\t\tName: Ann\n";
        let expected = Found {
            port: Some(1234),
            ..Found::new("OpenRA: Red Alert", b"Friday's war", Codes::None)
        };
        let expected = expected.with_players(Some(3), Some(8));
        assert_eq!(hear(&answer(yaml)), Some(expected));
        assert_eq!(hear(b"\x00\x0dOpenRALANGame"), None, "a question");
        assert_eq!(hear(&answer("Game:\n\tName: x\n")), None, "no address");
        let cut = answer(yaml);
        assert_eq!(hear(&cut[..cut.len() - 1]), None);
    }
}
