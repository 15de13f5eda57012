//! What chats, mails, editors and the services between them make of a link, undone one step at a time.

use super::fields;
use std::collections::{HashSet, VecDeque};

/// How many steps one after the other: a link that a mail program has encoded, in HTML, in a redirection, twice.
const MAX_DEPTH: usize = 4;
/// How many looks a text gets, and how many bytes all of them may have.
const MAX_LOOKS: usize = 64;
const MAX_BYTES: usize = 4 * 1024 * 1024;

type Step = fn(&str) -> String;

/// Those that change least come first, and a redirection before what would mix its parameters with the link's.
const STEPS: [Step; 7] = [
    redirections,
    html,
    separators,
    quoted_printable,
    percent,
    backslashes,
    dashes,
];

/// A text, and what it may have been before: the least changed first.
pub(super) struct Looks {
    waiting: VecDeque<(String, usize)>,
    /// What is looked at when nothing else is left.
    last: Option<String>,
    seen: HashSet<String>,
    bytes: usize,
}

impl Looks {
    pub(super) fn at(text: &str) -> Self {
        let mut looks = Looks {
            waiting: VecDeque::new(),
            last: None,
            seen: HashSet::new(),
            bytes: 0,
        };
        let text = clean(text);
        // Its escapes may pass for a part of an old link's key, which does not say that it is another one.
        if is_quoted_printable(&text) {
            looks.add(clean(&quoted_printable(&text)), 1);
            looks.last = Some(text);
        } else {
            looks.add(text, 0);
        }
        looks
    }

    fn add(&mut self, text: String, depth: usize) {
        let is_enough = self.seen.len() >= MAX_LOOKS || self.bytes + text.len() > MAX_BYTES;
        if text.is_empty() || is_enough || !self.seen.insert(text.clone()) {
            return;
        }
        self.bytes += text.len();
        self.waiting.push_back((text, depth));
    }
}

impl Iterator for Looks {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let last = || self.last.take().map(|text| (text, 0));
        let (text, depth) = self.waiting.pop_front().or_else(last)?;
        if depth < MAX_DEPTH {
            for step in STEPS {
                self.add(clean(&step(&text)), depth + 1);
            }
        }
        Some(text)
    }
}

/// Without what nobody sees: marks of byte order, zero-width characters, soft hyphens, a terminal's colours. Blanks
/// become spaces, line ends one kind, wide letters narrow ones.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' if chars.next_if_eq(&'[').is_some() => {
                // ECMA-48 §5.4: parameters, then one final byte.
                while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                chars.next();
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\n' | '\t' => clean.push(c),
            _ if is_invisible(c) => {}
            '\u{2010}' | '\u{2011}' => clean.push('-'),
            '\u{ff01}'..='\u{ff5e}' => clean.extend(char::from_u32(c as u32 - 0xfee0)),
            _ if c.is_whitespace() || c.is_control() => clean.push(' '),
            _ => clean.push(c),
        }
    }
    clean
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\0' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn html(text: &str) -> String {
    let text = text.replace("<wbr>", "").replace("<wbr/>", "");
    let text = text.replace("<br>", "\n").replace("<br/>", "\n");
    html_escape::decode_html_entities(&text).into_owned()
}

/// A link of before of which only what parts its fields was encoded; where a `%` was, all of it was.
fn separators(text: &str) -> String {
    let is_whole = |key| text.contains(key) && text.contains("%25");
    if is_whole("%23key%3D") || is_whole("%23key%3d") {
        return String::new();
    }
    let mut text = text.replace("%23key", "#key");
    for known in fields::KNOWN {
        for (and, is) in [
            ("%26", "="),
            ("%26", "%3D"),
            ("%26", "%3d"),
            ("&", "%3D"),
            ("&", "%3d"),
        ] {
            text = text.replace(&format!("{and}{known}{is}"), &format!("&{known}="));
        }
        for is in ["%3D", "%3d"] {
            text = text.replace(&format!("#{known}{is}"), &format!("#{known}="));
        }
    }
    for padding in ["%3D%3D", "%3d%3d", "%3D", "%3d"] {
        text = text.replace(&format!("{padding}&"), "&");
    }
    text
}

/// RFC 2045 §6.7: `=` and two digits is a byte, `=` at the end of a line is nothing.
fn quoted_printable(text: &str) -> String {
    let soft = text.lines().map(|line| {
        let line = line.trim_end_matches([' ', '\t']);
        line.strip_suffix('=')
            .map_or_else(|| format!("{line}\n"), str::to_owned)
    });
    escapes(&soft.collect::<String>(), '=', |_| true)
}

/// True for a text with a line that was broken and in which no `=` stands for itself, whatever stands around it: a mail's
/// headers do not.
fn is_quoted_printable(text: &str) -> bool {
    let mut whole = String::new();
    for line in text.lines() {
        let line = line.trim_end_matches([' ', '\t']);
        if let Some(broken) = line.strip_suffix('=') {
            whole += broken;
            whole.push(BROKEN);
            continue;
        }
        whole += line;
        if whole.contains(BROKEN) && has_only_escapes(&whole) {
            return true;
        }
        whole.clear();
    }
    false
}

/// Stands where a line was broken; [`clean`] has left none in the text.
const BROKEN: char = '\0';

fn has_only_escapes(line: &str) -> bool {
    let mut behind = line.split('=').skip(1).peekable();
    behind.peek().is_some()
        && behind.all(|behind| {
            let digits = behind.as_bytes().get(..2);
            digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
        })
}

/// The characters that a link is made of; what else is encoded belongs to a name.
fn percent(text: &str) -> String {
    escapes(text, '%', |byte| {
        byte.is_ascii_alphanumeric() || b"%#&=:/[]+-._~?".contains(&byte)
    })
}

/// Decodes what a mark and two hexadecimal digits stand for, where that is wanted.
fn escapes(text: &str, mark: char, is_wanted: impl Fn(u8) -> bool) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(mark) {
        plain += &rest[..at];
        let digits = rest[at..].get(1..3);
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = byte.filter(|byte| byte.is_ascii() && is_wanted(*byte));
        let len = match byte {
            Some(byte) => {
                plain.push(char::from(byte));
                3
            }
            None => {
                plain.push(mark);
                1
            }
        };
        rest = &rest[at + len..];
    }
    plain + rest
}

/// Before punctuation, as in Markdown and JSON; and JSON's `\u0026`.
fn backslashes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain += &rest[..at];
        rest = &rest[at + 1..];
        let digits = rest.strip_prefix('u').and_then(|rest| rest.get(..4));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(c) = unit.and_then(char::from_u32) {
            plain.push(c);
            rest = &rest[5..];
        } else if rest.starts_with('n') {
            plain.push('\n');
            rest = &rest[1..];
        }
    }
    plain + rest
}

/// Of two hyphens an editor makes a dash.
fn dashes(text: &str) -> String {
    text.replace(['–', '—'], "--")
}

/// What stands in the parameters of other links and may be a link itself: safelinks, google.com/url, and all of their
/// kind. A link's own fields end where the next parameter begins.
fn redirections(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || "<>\"`'()".contains(c);
    let words = text.split(is_end).filter(|word| word.contains("://"));
    let found = words.flat_map(|word| parameters(word).chain(urldefense(word)));
    found.map(|link| link + "\n").collect()
}

fn parameters(word: &str) -> impl Iterator<Item = String> {
    let (_, query) = word.split_once('?').unwrap_or_default();
    let mut links: Vec<String> = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or_default();
        let link = percent(value);
        match links.last_mut() {
            _ if is_link(&link) || is_link(&percent(&link)) => links.push(link),
            // Whoever has encoded the link has forgotten this one.
            Some(link) if fields::KNOWN.contains(&name) => *link += &format!("&{pair}"),
            _ => {}
        }
    }
    links.into_iter()
}

fn is_link(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with("lanparty:") || text.starts_with("http")
}

/// Proofpoint's: `/v2/url?u=` with `-` for `%` and `_` for `/`, and `/v3/__LINK__;` with `*` for the characters that it
/// keeps behind the link in base64.
fn urldefense(word: &str) -> Option<String> {
    if let Some((_, rest)) = word.split_once("/v2/url?u=") {
        let link = rest.split('&').next().unwrap_or(rest);
        return Some(percent(&link.replace('-', "%").replace('_', "/")));
    }
    let (_, rest) = word.split_once("/v3/__")?;
    let (link, kept) = rest.split_once("__;")?;
    let kept = kept
        .split("!!")
        .next()
        .unwrap_or(kept)
        .trim_end_matches('=');
    let kept = data_encoding::BASE64_NOPAD.decode(kept.as_bytes()).ok()?;
    let mut kept = kept.into_iter().map(char::from);
    let restore = |c: char| {
        if c == '*' {
            kept.next().unwrap_or(c)
        } else {
            c
        }
    };
    Some(link.chars().map(restore).collect())
}
