//! The one text field: an invite as it is pasted or typed, without its key ever standing there (check W5).
//!
//! What follows relay and room is what proves an invitation. It is taken out before anything is drawn or told to a screen
//! reader, and put back when the text is read; in the field stands `…` in its place.

use lanparty_ctrl::Text;
use lanparty_edge::invite::{Invite, InviteError, SCHEME};
use std::cell::RefCell;
use std::time::{Duration, SystemTime};

/// What stands for a key.
const HIDDEN: char = '…';

/// The field's text, and the key that it does not show.
#[derive(Default)]
pub(crate) struct InviteField {
    /// What is shown and edited.
    pub(crate) text: String,
    key: String,
    /// The whole text when it was read last, and what it is: each picture asks anew.
    read: RefCell<Option<(String, Result<Invite, InviteError>)>>,
}

/// What the field holds.
pub(crate) enum Verdict {
    /// Nothing.
    Empty,
    /// An invite that can be joined.
    Whole(Box<Invite>),
    /// One whose time is over.
    Expired,
    /// No invite, and why.
    Wrong(InviteError),
}

impl InviteField {
    /// Puts a text in the place of what stands here. Returns false for a text that has no invite in it, which changes nothing.
    pub(crate) fn offer(&mut self, text: &str) -> bool {
        let Ok(invite) = find(text) else {
            return false;
        };
        self.put(&invite.reveal());
        true
    }

    /// Takes what was pasted, when it is an invite or tries to be one; other text is for the field itself to insert.
    pub(crate) fn paste(&mut self, text: &str) -> bool {
        if self.offer(text) {
            return true;
        }
        let tries = key_start(text).is_some();
        if tries {
            self.put(text.trim());
        }
        tries
    }

    fn put(&mut self, text: &str) {
        self.key.clear();
        text.clone_into(&mut self.text);
        self.settle();
    }

    /// Takes away what is to be hidden, after each change of the text.
    pub(crate) fn settle(&mut self) {
        let Some(start) = key_start(&self.text) else {
            self.key.clear();
            return;
        };
        let tail = self.text.split_off(start);
        let key = tail.replace(HIDDEN, &self.key);
        if !key.is_empty() {
            self.text.push(HIDDEN);
        }
        self.key = key;
    }

    /// What is in it at this time.
    pub(crate) fn verdict(&self, now: SystemTime) -> Verdict {
        if self.text.trim().is_empty() {
            return Verdict::Empty;
        }
        match self.read() {
            Ok(invite) if invite.is_expired(now) => Verdict::Expired,
            Ok(invite) => Verdict::Whole(Box::new(invite)),
            Err(error) => Verdict::Wrong(error),
        }
    }

    fn read(&self) -> Result<Invite, InviteError> {
        let whole = self.whole();
        let mut read = self.read.borrow_mut();
        match &*read {
            Some((text, found)) if *text == whole => found.clone(),
            _ => read.insert((whole.clone(), find(&whole))).1.clone(),
        }
    }

    fn whole(&self) -> String {
        self.text.replace(HIDDEN, &self.key)
    }

    pub(crate) fn clear(&mut self) {
        *self = InviteField::default();
    }
}

/// Where the hidden part begins: behind a `#`, behind relay and room, and at whatever is as long as a key.
fn key_start(text: &str) -> Option<usize> {
    let behind = |sign: &str| text.find(sign).map(|at| at + sign.len());
    let places = [
        behind("#"),
        behind("%23"),
        behind_room(text),
        long_word(text),
    ];
    places.into_iter().flatten().min()
}

fn behind_room(text: &str) -> Option<usize> {
    let scheme = text.to_ascii_lowercase().find(SCHEME)? + SCHEME.len();
    let mut slashes = text.get(scheme..)?.match_indices('/');
    slashes.nth(1).map(|(at, _)| scheme + at + 1)
}

/// A key is 22 letters in an old link, and more in a new one.
fn long_word(text: &str) -> Option<usize> {
    const LONG: usize = 20;
    let is_key = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let mut start = 0;
    for word in text.split_inclusive(|letter| !is_key(letter)) {
        if word.chars().filter(|letter| is_key(*letter)).count() >= LONG {
            return Some(start);
        }
        start += word.len();
    }
    None
}

/// The invite in a text that somebody copied somewhere.
pub(crate) fn find(text: &str) -> Result<Invite, InviteError> {
    Invite::find(text)
}

/// What people call the party of an invite.
pub(crate) fn title(invite: &Invite) -> String {
    let name = invite.name.as_ref().map(Text::as_str);
    name.map_or_else(|| invite.room.to_string(), str::to_owned)
}

/// For how long it goes on, where it says so.
pub(crate) fn ends_in(invite: &Invite, now: SystemTime) -> Option<Duration> {
    invite.end()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

    fn link(more: &str) -> String {
        format!("lanparty://relay.example.net/FRIDAY-LAN#key={KEY}{more}")
    }

    #[test]
    fn the_key_is_never_in_the_text_and_the_invite_is_whole() {
        let mut field = InviteField::default();
        assert!(field.paste(&link("&name=Friday%20night")));
        assert_eq!(field.text, "lanparty://relay.example.net/FRIDAY-LAN/…");
        let Verdict::Whole(invite) = field.verdict(UNIX_EPOCH) else {
            panic!("not whole");
        };
        assert_eq!(invite.key.reveal(), KEY);
        assert_eq!(title(&invite), "Friday night");
    }

    #[test]
    fn a_bad_one_stays_for_editing_and_hides_its_key_all_the_same() {
        let mut field = InviteField::default();
        assert!(field.paste(&link("&host=spoilt")));
        assert!(!field.text.contains(KEY), "{}", field.text);
        assert!(matches!(field.verdict(UNIX_EPOCH), Verdict::Wrong(_)));
        let cut = link("");
        field.put(&cut[..cut.len() - 3]);
        assert!(matches!(field.verdict(UNIX_EPOCH), Verdict::Wrong(_)));
        field.text.push_str("RlZg");
        field.settle();
        field.text.pop();
        assert!(!field.text.contains("RlZg"));
    }

    #[test]
    fn what_is_typed_behind_the_dots_belongs_to_the_key() {
        let whole = link("");
        let mut field = InviteField::default();
        for letter in whole.chars() {
            field.text.push(letter);
            field.settle();
            assert!(!field.text.contains("key="), "{}", field.text);
        }
        assert!(matches!(field.verdict(UNIX_EPOCH), Verdict::Whole(_)));
        field.text.pop();
        field.settle();
        assert!(matches!(field.verdict(UNIX_EPOCH), Verdict::Wrong(_)));
    }

    /// A message around it, a page's link, and the new form: the field has the link alone.
    #[test]
    fn an_invite_is_found_in_a_message() {
        let invite = find(&link("")).unwrap();
        let new = invite.reveal();
        for text in [
            format!("Hey! Join here: <{new}> at eight"),
            format!("https://example.org/join#{}", &new[SCHEME.len()..]),
            new.replace("lanparty", "LANPARTY"),
            format!("```\n{}\n```", link("")),
        ] {
            let mut field = InviteField::default();
            assert!(field.paste(&text), "{text}");
            assert_eq!(field.text, "lanparty://relay.example.net/FRIDAY-LAN/…");
            assert!(matches!(field.verdict(UNIX_EPOCH), Verdict::Whole(_)));
        }
        for cut in 1..new.len() {
            let mut field = InviteField::default();
            field.put(&new[..cut]);
            assert!(field.text.len() < 45, "{}", field.text);
        }
    }

    #[test]
    fn an_old_one_is_called_so() {
        let mut field = InviteField::default();
        field.put(&link("&expires=1790000000"));
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(matches!(
            field.verdict(at(1_789_999_999)),
            Verdict::Whole(_)
        ));
        assert!(matches!(field.verdict(at(1_790_000_000)), Verdict::Expired));
    }

    #[test]
    fn other_text_is_not_taken_from_the_clipboard() {
        let mut field = InviteField::default();
        assert!(!field.offer("a shopping list"));
        assert!(!field.paste("a shopping list"));
        assert!(matches!(field.verdict(UNIX_EPOCH), Verdict::Empty));
    }
}
