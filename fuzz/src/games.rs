//! What game servers say of themselves.

use lanparty_games::{FORGOTTEN_AFTER, Game, Games, MAX_CHARS, MAX_GAMES};

/// Where a server may be, and where the other end: some games are known by these.
const PORTS: [u16; 9] = [3979, 2757, 27_960, 4445, 4556, 6112, 8086, 28_786, 0];
/// Longer than a frame, so that lengths are tried that no adapter shows.
const MAX_PAYLOAD: usize = 4000;

/// A stranger's bytes, once as a frame and once as a datagram of each source and port that is treated in its own
/// way: what is shown of it is short, on one line, and has an address to join.
pub fn games(bytes: &[u8]) {
    let start = crate::epoch();
    let mut games = Games::default();
    games.hear(start, bytes);
    let payload = bytes.get(..MAX_PAYLOAD).unwrap_or(bytes);
    for from in PORTS {
        for to in PORTS {
            games.hear(start, &frame([10, 0, 0, 1], from, to, payload));
        }
    }
    // No crowd of servers fills the memory.
    for host in 0..=u8::MAX {
        games.hear(start, &frame([10, 0, 1, host], 27_960, 4445, payload));
    }
    let heard = games.list(start);
    assert!(heard.len() <= MAX_GAMES);
    heard.iter().for_each(check);
    let later = start + FORGOTTEN_AFTER;
    assert_eq!(games.list(later), [], "all are forgotten");
}

fn check(game: &Game) {
    let map = game.map.as_deref().unwrap_or_default();
    for text in [&game.game, &game.server, map] {
        assert!(text.chars().count() <= MAX_CHARS, "{game:?}");
        let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(
            !text.chars().any(|c| c.is_control() || turns(c)),
            "{game:?}"
        );
    }
    assert_ne!(game.server, "", "{game:?}");
    assert_ne!(game.address.port(), 0, "{game:?}");
    assert!(!game.address.ip().is_unspecified(), "{game:?}");
}

fn frame(source: [u8; 4], from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("a payload is cut");
    let mut frame = [[0xff; 6], [0, 0x16, 0x3e, 0, 0, 9]].concat();
    frame.extend([0x08, 0x00, 0x45, 0]);
    frame.extend((20 + len).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(source);
    frame.extend([255, 255, 255, 255]);
    frame.extend([from, to, len, 0].map(u16::to_be_bytes).concat());
    frame.extend(payload);
    frame
}
