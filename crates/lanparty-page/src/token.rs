//! The secret in the page's link, and the cookie that it is swapped for.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use ring::hmac;
use subtle::ConstantTimeEq;

/// Whoever has these 128 bits is the host. There is no `Debug`, so that no log has them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token([u8; 16]);

impl Token {
    /// A token of `random` bits.
    pub(crate) fn from_random(random: [u8; 16]) -> Self {
        Token(random)
    }

    /// The token that a file or a request has, if it is one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.trim().as_bytes()).ok()?;
        Some(Token(bytes.try_into().ok()?))
    }

    /// As the link has it behind `#t=`: browsers keep that part to themselves.
    pub(crate) fn reveal(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// True for the same token; how long that takes says nothing about either.
    pub(crate) fn is(&self, other: &Token) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// What the browser shows from then on. It follows from the token, so that a page which is open outlives a restart of the
    /// gateway, and does not lead back to it.
    pub(crate) fn session(&self) -> Session {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, b"lanparty party page, session 1");
        Session(HEXLOWER.encode(&tag.as_ref()[..16]))
    }
}

/// What the cookie of somebody who had the link says. It is a secret, so there is no `Debug`.
#[derive(Clone)]
pub(crate) struct Session(String);

impl Session {
    /// As the cookie has it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// True when one of these cookies is this session's.
    pub(crate) fn is_among<'a>(&self, name: &str, headers: impl Iterator<Item = &'a str>) -> bool {
        let pairs = headers.flat_map(|header| header.split(';'));
        let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter_map(|(of, value)| (of == name).then_some(value));
        values.any(|value| self.0.as_bytes().ct_eq(value.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_written_and_read() {
        let token = Token::from_random([7; 16]);
        let text = token.reveal();
        assert_eq!(text.len(), 22);
        assert!(Token::parse(&format!("{text}\n")).is_some_and(|read| read.is(&token)));
        for wrong in ["", "AAAA", &text[1..], &format!("{text}A"), "ä", "====="] {
            assert!(Token::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!token.is(&Token::from_random([8; 16])));
    }

    #[test]
    fn a_session_follows_from_its_token_and_shows_nothing_of_it() {
        let session = |byte| Token::from_random([byte; 16]).session();
        assert_eq!(session(7).reveal(), session(7).reveal());
        assert_ne!(session(7).reveal(), session(8).reveal());
        assert_eq!(session(7).reveal().len(), 32);
    }

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let session = Token::from_random([7; 16]).session();
        let value = session.reveal().to_owned();
        let found = |headers: &[&str]| session.is_among("page-1", headers.iter().copied());
        assert!(found(&[&format!("page-1={value}")]));
        assert!(found(&[&format!("a=b; page-1={value};c=d")]));
        assert!(found(&["page-1=old", &format!("page-1={value}")]));
        assert!(!found(&[&format!("page-2={value}")]), "another gateway's");
        for wrong in [
            "",
            "page-1",
            "page-1=",
            ";;=;",
            "page-1=00",
            &format!("page-1={value}0"),
        ] {
            assert!(!found(&[wrong]), "{wrong}");
        }
    }
}
