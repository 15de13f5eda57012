//! Cube 2: Sauerbraten.
//!
//! ```text
//! what was asked, then players count protocol mode seconds most rights … map 0 name 0
//! ```
//!
//! Numbers are a byte, or 80 and two, or 81 and four, little endian. `serverinforeply` in `src/fpsgame/server.cpp` there; bytes of
//! cube2-server 0.0.20201227 of Debian 12, which answers a question to everybody at 28784 as well.

use crate::cursor::Cursor;
use crate::found::Found;
use crate::words::Codes;

/// Where it is asked and answers; it plays on the port before.
pub(crate) const PORT: u16 = 28_786;
/// Protocol, mode, seconds, most, rights; two more where it stands still or runs slower.
const COUNTS: [i32; 2] = [5, 7];
/// It has done so since 2010.
const PROTOCOLS: std::ops::RangeInclusive<i32> = 200..=400;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let mut said = Cursor(said);
    let _asked = number(&mut said)?;
    let (players, count) = (number(&mut said)?, number(&mut said)?);
    if !COUNTS.contains(&count) || !PROTOCOLS.contains(&number(&mut said)?) {
        return None;
    }
    let (_mode, _seconds, most) = (number(&mut said)?, number(&mut said)?, number(&mut said)?);
    for _ in 4..count {
        number(&mut said)?;
    }
    let (map, name) = (said.text()?, said.text()?);
    let count = |number| u16::try_from(number).ok();
    let found = Found::new("Cube 2: Sauerbraten", &without_colours(name), Codes::None);
    Some(Found {
        port: Some(PORT - 1),
        ..found
            .on_map(Some(map))
            .with_players(count(players), count(most))
    })
}

fn number(said: &mut Cursor<'_>) -> Option<i32> {
    match said.u8()? {
        0x80 => said.u16_le().map(|number| i32::from(number.cast_signed())),
        0x81 => said.u32_le().map(u32::cast_signed),
        byte => Some(i32::from(byte.cast_signed())),
    }
}

/// A form feed and the letter behind it are a colour.
fn without_colours(name: &[u8]) -> Vec<u8> {
    let mut bytes = name.iter();
    let mut plain = Vec::with_capacity(name.len());
    while let Some(&byte) = bytes.next() {
        match byte {
            0x0c => drop(bytes.next()),
            _ => plain.push(byte),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_server_answers_beside_its_port() {
        let answer = b"\x80\x01\x02\x00\x05\x80\x04\x01\x00\x00\x08\x00\x00Friday cubes\0";
        let expected = Found {
            port: Some(28_785),
            ..Found::new("Cube 2: Sauerbraten", b"Friday cubes", Codes::None)
        };
        let expected = expected.with_players(Some(0), Some(8));
        assert_eq!(recognise(&said(PORT, answer)), Some(expected.clone()));
        let played = b"\x01\x03\x07\x80\x04\x01\x05\x81\x10\x27\x00\x00\x08\x01\x00\x64turbine\0\x0c3Friday\x0c7 cubes\0";
        let expected = expected
            .on_map(Some(b"turbine"))
            .with_players(Some(3), Some(8));
        assert_eq!(recognise(&said(PORT, played)), Some(expected));
        assert_eq!(recognise(&said(PORT + 5, answer)), None);
        assert_eq!(recognise(&said(PORT, b"\x80\x01\x02")), None, "a question");
    }
}
