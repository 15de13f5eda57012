//! Minecraft's Java edition: a world that its player has opened to the LAN says so to 224.0.2.60 every 1.5 seconds.
//!
//! ```text
//! [MOTD]Ann - World[/MOTD][AD]54321[/AD]
//! ```

use crate::cursor::decimal;
use crate::datagram::Datagram;
use crate::found::Found;
use crate::words::Codes;
use std::time::Duration;

const PORT: u16 = 4445;
/// Six of its announcements.
const SILENCE: Duration = Duration::from_secs(10);

pub(crate) fn hear(said: &Datagram<'_>) -> Option<Found> {
    let server = between(said.payload, b"[MOTD]", b"[/MOTD]")?;
    let port = between(said.payload, b"[AD]", b"[/AD]")?;
    // Old versions write the host's address before it.
    let port = port.rsplit(|&byte| byte == b':').next().and_then(decimal)?;
    (said.to_port == PORT && port != 0).then(|| Found {
        port: Some(port),
        silence: Some(SILENCE),
        ..Found::new("Minecraft", server, Codes::Sections)
    })
}

fn between<'a>(text: &'a [u8], open: &[u8], close: &[u8]) -> Option<&'a [u8]> {
    let start = position(text, open)? + open.len();
    let rest = &text[start..];
    Some(&rest[..position(rest, close)?])
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    fn hear(payload: &str) -> Option<Found> {
        let said = Datagram {
            to_port: PORT,
            ..said(50_000, payload.as_bytes())
        };
        recognise(&said)
    }

    #[test]
    fn a_world_is_where_it_says() {
        let expected = Found {
            port: Some(54_321),
            silence: Some(SILENCE),
            ..Found::new("Minecraft", b"Ann - World", Codes::None)
        };
        let said = "[MOTD]§aAnn§r - World[/MOTD][AD]54321[/AD]";
        assert_eq!(hear(said), Some(expected.clone()));
        let old = "[MOTD]Ann - World[/MOTD][AD]10.0.0.1:54321[/AD]";
        assert_eq!(hear(old), Some(expected));
        for broken in [
            "[MOTD]x[/MOTD]",
            "[MOTD]x[/MOTD][AD]0[/AD]",
            "[MOTD]x[/MOTD][AD]99999[/AD]",
            "[/MOTD][MOTD][AD]1[/AD]",
        ] {
            assert_eq!(hear(broken), None, "{broken}");
        }
        assert_eq!(
            recognise(&crate::datagram::tests::said(50_000, said.as_bytes())),
            None
        );
    }
}
