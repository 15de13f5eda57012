//! Finding an invite in whatever somebody has pasted.
//!
//! A text is looked at as it is and then in its [disguises](super::disguise), the least changed first; the first
//! look that shows a whole invite decides. Within a look every place where an invite begins is tried. A mail may have
//! broken the link into lines: new links say themselves when they are whole, and for old ones, which cannot, lines
//! are joined only where a line was long enough to be broken, or the next begins with a field.

use super::{Invite, InviteError, MAX_LEN, MAX_TEXT, disguise, fields, payload};

/// More pieces than a link of full length has, broken where mails and screens break lines.
const MAX_PIECES: usize = 64;
/// No program breaks lines that are shorter.
const MIN_WRAP: usize = 40;
/// How many characters behind a link may pass for a part of it.
const MAX_TAIL: usize = 16;

/// How many bytes are read as links, in all looks together: a window waits for the answer, and nothing that somebody
/// pastes comes near this.
const MAX_WORK: usize = 16 * 1024 * 1024;

pub(super) fn find(text: &str) -> Result<Invite, InviteError> {
    if let Ok(exact) = text.trim().parse() {
        return Ok(exact);
    }
    let text = beginning(text);
    let mut first = InviteError::Missing;
    let mut work = MAX_WORK;
    for look in disguise::Looks::at(text) {
        if work == 0 {
            break;
        }
        match in_look(&look, &mut work) {
            Err(InviteError::Missing) => {}
            Err(error @ InviteError::Several) => return Err(error),
            Err(error) if first == InviteError::Missing => first = error,
            Err(_) => {}
            found => return found,
        }
    }
    Err(first)
}

/// No more than a person means to hand over.
fn beginning(text: &str) -> &str {
    let mut len = MAX_TEXT.min(text.len());
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    &text[..len]
}

fn in_look(text: &str, work: &mut usize) -> Result<Invite, InviteError> {
    let mut found = None;
    let mut first = InviteError::Missing;
    let starts: Vec<_> = starts(text).collect();
    for (index, start) in starts.iter().enumerate() {
        if *work == 0 {
            break;
        }
        let end = starts.get(index + 1).map_or(text.len(), |next| next.at);
        let line = text[..start.place].chars().rev().take(MAX_LEN);
        let region = Region {
            text: &text[start.place..end.max(start.place)],
            opener: text[..start.at].chars().next_back(),
            before: line.take_while(|c| *c != '\n').count(),
            is_page: start.is_page,
        };
        match (region.read(work), &found) {
            (Ok(invite), None) => found = Some(invite),
            (Ok(invite), Some(other)) if invite != *other => return Err(InviteError::Several),
            (Err(error), _) if first == InviteError::Missing => first = error,
            _ => {}
        }
    }
    found.ok_or(first)
}

/// Where an invite begins.
struct Start {
    /// With its scheme.
    at: usize,
    /// Its relay.
    place: usize,
    /// Behind a page's `#`.
    is_page: bool,
}

fn starts(text: &str) -> impl Iterator<Item = Start> {
    text.char_indices().filter_map(|(at, c)| match c {
        'l' | 'L' => link(text, at),
        'h' | 'H' => page(text, at),
        _ => None,
    })
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A link, whose slashes some programs take for doubled ones.
fn link(text: &str, at: usize) -> Option<Start> {
    let rest = strip(&text[at..], "lanparty:/")?.trim_start_matches('/');
    let place = text.len() - rest.len();
    let is_page = false;
    Some(Start { at, place, is_page })
}

/// A page's link, as far as its `#`.
fn page(text: &str, at: usize) -> Option<Start> {
    let rest = strip(&text[at..], "https://").or_else(|| strip(&text[at..], "http://"))?;
    let is_end = |c: char| c.is_whitespace() || "#<>\"'`()".contains(c);
    let mut address = rest.char_indices().take(MAX_LEN);
    let (end, _) = address.find(|(_, c)| is_end(*c))?;
    let fragment = rest[end..].strip_prefix('#')?;
    let place = text.len() - fragment.len();
    let is_page = true;
    Some(Start { at, place, is_page })
}

/// The text from one beginning to the next.
struct Region<'a> {
    text: &'a str,
    /// What stands before it, and may stand behind it too.
    opener: Option<char>,
    /// How much of its line stands before it.
    before: usize,
    is_page: bool,
}

impl Region<'_> {
    fn read(&self, work: &mut usize) -> Result<Invite, InviteError> {
        let mut whole = String::new();
        let mut outcome = Err(InviteError::Missing);
        let (mut width, mut fallback) = (None, None);
        for piece in pieces(self.text, self.before).take(MAX_PIECES) {
            if !whole.is_empty() && !goes_on(&whole, &outcome, &piece) {
                // A second line as long as the first was broken where that was, if that makes sense.
                if piece.broken.is_none() || piece.broken != width {
                    break;
                }
                fallback = outcome.ok();
                outcome = Err(InviteError::Missing);
            }
            width = piece.broken;
            whole += piece.text;
            if whole.len() > MAX_LEN || *work == 0 {
                break;
            }
            let read = self.read_whole(&whole, work);
            match &read {
                Ok(invite) if !invite.extra.is_old => return read,
                // Of all that was tried the link itself, without what follows it, tells most.
                Err(_) if matches!(outcome, Err(error) if error != InviteError::Missing) => {}
                _ => outcome = read,
            }
        }
        match outcome {
            Err(_) if self.is_page && !looks_like_payload(&whole) => Err(InviteError::Missing),
            Err(error) => fallback.ok_or(error),
            outcome => outcome,
        }
    }

    fn read_whole(&self, whole: &str, work: &mut usize) -> Result<Invite, InviteError> {
        *work = work.saturating_sub(whole.len());
        let Some((place, fragment)) = whole.split_once('#').filter(|(place, _)| !is_new(place))
        else {
            return match whole.trim_matches('/') {
                "" => Err(InviteError::Missing),
                _ => payload::read(whole).map(|(invite, _)| invite),
            };
        };
        let first = fields::read(place, self.without_decoration(fragment));
        let mut rest = fragment;
        for _ in 0..MAX_TAIL {
            *work = work.saturating_sub(whole.len());
            if let Ok(invite) = fields::read(place, rest) {
                return first.or(Ok(invite));
            }
            let Some(shorter) = rest.strip_suffix(|c: char| !c.is_ascii_alphanumeric()) else {
                break;
            };
            rest = shorter;
        }
        first
    }

    /// A name may end with whatever ends a sentence or a word in italics; it is more often that.
    fn without_decoration<'a>(&self, fragment: &'a str) -> &'a str {
        let closes = |c: char| c == '.' || ("_~".contains(c) && self.opener == Some(c));
        fragment.trim_end_matches(closes)
    }
}

/// True when a piece may be the rest of a link that was broken before it.
fn goes_on(whole: &str, outcome: &Result<Invite, InviteError>, piece: &Piece<'_>) -> bool {
    let mut fields_of = piece.text.split('&').skip(1);
    let has_field = fields_of.any(fields::is_field) && !piece.text.contains("://");
    let is_field = piece.text.starts_with('&') && has_field;
    let is_rest = whole.ends_with('&') && fields::is_field(piece.text);
    let was_broken = piece.broken.is_some_and(|width| width >= MIN_WRAP);
    match outcome {
        Ok(_) => is_field || is_rest || (was_broken && has_field),
        Err(_) if whole.contains('#') => is_field || is_rest || was_broken,
        // A new one says itself when it is whole.
        Err(_) => true,
    }
}

/// True for `RELAY/ROOM/PAYLOAD`, where an old link would have one slash, or one more and nothing behind it.
fn is_new(place: &str) -> bool {
    place
        .splitn(3, '/')
        .nth(2)
        .is_some_and(|rest| !rest.is_empty())
}

/// True for what can be told from the fragment of any other page's address.
fn looks_like_payload(fragment: &str) -> bool {
    let mut parts = fragment.splitn(3, '/');
    let relay = parts
        .next()
        .is_some_and(|relay| relay.contains(['.', ':', '-']));
    let room = parts
        .next()
        .is_some_and(|room| room.parse::<lanparty_ctrl::RoomCode>().is_ok());
    relay && room && parts.next().is_some_and(|payload| !payload.is_empty())
}

/// A run of the characters that links have.
struct Piece<'a> {
    text: &'a str,
    /// How long the line was that ended before it, if one has.
    broken: Option<usize>,
}

/// The pieces that only blanks and the marks of quoted lines part.
fn pieces(text: &str, before: usize) -> impl Iterator<Item = Piece<'_>> {
    let (mut rest, mut column, mut broken) = (text, before, None);
    let mut bracket = bracket_len(text);
    std::iter::from_fn(move || {
        let len = std::mem::take(&mut bracket);
        let len = len + link_len(&rest[len..]);
        let (piece, behind) = rest.split_at(len);
        if piece.is_empty() {
            return None;
        }
        let next = skip_blanks(behind);
        let gap = &behind[..behind.len() - next.len()];
        let this = broken;
        column += piece.chars().count();
        (broken, column) = match (gap.find('\n'), gap.rfind('\n')) {
            (Some(first), Some(last)) => {
                // Behind an empty line is another paragraph.
                let width = column + first;
                let line = gap.len() - last - 1;
                ((first == last).then_some(width), line)
            }
            _ => (None, column + gap.len()),
        };
        // Something that no link has is the end.
        rest = if gap.is_empty() { "" } else { next };
        Some(Piece {
            text: piece,
            broken: this,
        })
    })
}

/// The brackets of an IPv6 address stand at the start.
fn bracket_len(text: &str) -> usize {
    let end = text.strip_prefix('[').and_then(|rest| rest.find(']'));
    end.map_or(0, |end| end + 2)
}

/// How far the characters of a link go.
fn link_len(text: &str) -> usize {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && !"-._~%=&+/:#?@".contains(c);
    text.find(is_end).unwrap_or(text.len())
}

/// Blanks, and what stands before the lines of a message that is answered.
fn skip_blanks(text: &str) -> &str {
    let mut rest = text.trim_start_matches([' ', '\t']);
    while let Some(line) = rest.strip_prefix('\n') {
        rest = line.trim_start_matches([' ', '\t', '>', '|']);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_to_take_long_has_an_end() {
        let start = "lanparty://r.example/FRIDAY#key=x".to_owned();
        let field = format!("\n&name={}", "_".repeat(24));
        let link = start + &field.repeat(60) + "\n";
        let text = link.repeat(MAX_TEXT / link.len());
        let mut work = MAX_WORK;
        assert!(in_look(&text, &mut work).is_err());
        assert_eq!(work, 0, "one look of it would take longer");
        assert!(find(&text).is_err());
    }

    #[test]
    fn what_a_person_pastes_is_read_to_its_end() {
        let page = "https://example.org/page#chapter-1 and words, words, words\n";
        let text = page.repeat(MAX_TEXT / page.len());
        let mut work = MAX_WORK;
        assert!(in_look(&text, &mut work).is_err());
        assert!(work > MAX_WORK / 10 * 9, "{work}");
    }
}
