//! Strangers' words, made safe to show.

use lanparty_proto::letters::{is_control, is_invisible};

/// The most characters of any text that a server says of itself.
pub const MAX_CHARS: usize = 64;
/// How many bytes are looked at for them: colours and what cannot be shown stand between.
const MAX_BYTES: usize = 512;

/// Which codes in a text are no letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codes {
    /// None.
    None,
    /// `^1`, `^x4f8`: colours in Quake's family.
    Carets,
    /// `§a`: colours and styles in Minecraft.
    Sections,
}

/// The text as one may show it: on one line, without colours, at most [`MAX_CHARS`] long. What is no UTF-8 is
/// taken for Latin-1, as old games have it.
pub(crate) fn words(bytes: &[u8], codes: Codes) -> String {
    let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // A letter at the end may have been cut.
        Err(error) if error.error_len().is_none() => {
            String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned()
        }
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    let plain = match codes {
        Codes::None => text,
        Codes::Carets => without_carets(&text),
        Codes::Sections => without_sections(&text),
    };
    let visible: String = plain.chars().filter(|&c| !is_invisible(c)).collect();
    let parts = visible.split(|c: char| c.is_whitespace() || is_control(c));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let mut line = parts.join(" ");
    let end = line.char_indices().nth(MAX_CHARS).map(|(at, _)| at);
    line.truncate(end.unwrap_or(line.len()));
    line.truncate(line.trim_end().len());
    line
}

/// A text in UTF-16, little endian, up to its first zero; what is none is a sign of that.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().copied();
    let units = units.map(u16::from_le_bytes).take_while(|&unit| unit != 0);
    let letters = char::decode_utf16(units.take(MAX_BYTES));
    letters
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The text without Armagetron's colours: `0xff7700`, and `0xRESETT`.
pub(crate) fn without_0x(text: &[u8]) -> Vec<u8> {
    const CODE: usize = 8;
    let (mut plain, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [first, behind @ ..] = rest {
        let is_colour = rest.get(..CODE).is_some_and(|code| {
            let digits = code.strip_prefix(b"0x");
            digits.is_some_and(|digits| {
                digits == b"RESETT" || digits.iter().all(u8::is_ascii_hexdigit)
            })
        });
        rest = match is_colour {
            true => &rest[CODE..],
            false => {
                plain.push(*first);
                behind
            }
        };
    }
    plain
}

fn without_carets(text: &str) -> String {
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, behind)) = rest.split_once('^') {
        plain.push_str(before);
        let code: Vec<char> = behind.chars().take(4).collect();
        let skipped = match code[..] {
            ['x' | 'X', r, g, b] if [r, g, b].iter().all(char::is_ascii_hexdigit) => 4,
            [colour, ..] if colour.is_ascii_alphanumeric() => 1,
            ['^', ..] => 1,
            _ => 0,
        };
        if skipped == 0 || code[0] == '^' {
            plain.push('^');
        }
        rest = &behind[skipped..];
    }
    plain.push_str(rest);
    plain
}

fn without_sections(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        match c {
            '§' => {
                chars.next();
            }
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_no_letters() {
        let carets = |text: &str| words(text.as_bytes(), Codes::Carets);
        assert_eq!(carets("^1Bert's ^7cellar"), "Bert's cellar");
        assert_eq!(carets("^x4f8green^xzz ^^up ^"), "greenzz ^up ^");
        assert_eq!(carets("1 ^ 2"), "1 ^ 2");
        let sections = |text: &str| words(text.as_bytes(), Codes::Sections);
        assert_eq!(sections("§aAnn§r - §lWorld§"), "Ann - World");
        assert_eq!(words(b"^1 is kept", Codes::None), "^1 is kept");
    }

    #[test]
    fn wide_letters_end_at_a_zero() {
        let wide =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        assert_eq!(utf16(&wide("Zoë 😀\0x")), "Zoë 😀");
        assert_eq!(
            utf16(&[0x3d, 0xd8, 0x41, 0x00, 0x42]),
            "\u{fffd}A",
            "half a pair, half a letter"
        );
    }

    #[test]
    fn a_text_stays_on_one_short_line_and_turns_nothing() {
        let plain = |text: &str| words(text.as_bytes(), Codes::None);
        assert_eq!(plain("  a\r\n\u{1b}[2J b\u{202e}c\u{200b}\0"), "a [2J bc");
        assert_eq!(plain(&"ü".repeat(500)), "ü".repeat(MAX_CHARS));
        assert_eq!(plain("\u{202e}\u{feff}"), "");
        assert_eq!(words(b"M\xfcnchen", Codes::None), "München");
        assert_eq!(words("Käse".as_bytes(), Codes::None), "Käse");
        assert_eq!(words(&"K\u{e4}".as_bytes()[..2], Codes::None), "K");
    }
}
