//! Hedgewars: who answers "hedgewars client".
//!
//! ```text
//! hedgewars server\nFriday
//! ```
//!
//! `QTfrontend/net/netudpserver.cpp` there; play is by TCP on the same port.

use crate::found::Found;
use crate::words::Codes;

pub(crate) fn hear(said: &[u8]) -> Option<Found> {
    let name = said.strip_prefix(b"hedgewars server")?;
    let name = match name {
        // Versions before 0.9.3 have no name.
        [] => name,
        [b'\n', name @ ..] => name,
        [..] => return None,
    };
    Some(Found::new("Hedgewars", name, Codes::None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::tests::said;
    use crate::recognised as recognise;

    #[test]
    fn a_server_says_its_name() {
        let hear = |payload: &[u8]| recognise(&said(46_631, payload));
        let expected = Found::new("Hedgewars", b"Friday", Codes::None);
        assert_eq!(hear(b"hedgewars server\nFriday"), Some(expected));
        let older = hear(b"hedgewars server").unwrap();
        assert_eq!(older.server, "");
        assert_eq!(hear(b"hedgewars client"), None, "a question");
        assert_eq!(hear(b"hedgewars servers"), None);
    }
}
