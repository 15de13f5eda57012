//! Invites, which come from mails, chats and web pages.

use lanparty_edge::invite::{Invite, MAX_LEN};

/// A stranger's text: what is taken for an invite is written back with the same meaning, and only its
/// own method shows the key.
pub fn invite(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let Ok(invite) = text.parse::<Invite>() else {
        return;
    };
    assert!(text.len() <= MAX_LEN);
    let (whole, key) = (invite.reveal(), format!("key={}", invite.key.reveal()));
    assert!(whole.contains(&key));
    assert!(!whole.contains(|c: char| c.is_control() || c == ' '));
    // An encoded name is up to three times as long as it was, so it may not fit any more.
    if whole.len() <= MAX_LEN {
        assert_eq!(whole.parse::<Invite>().as_ref(), Ok(&invite));
    }
    assert!(!format!("{invite} {invite:?}").contains(&key));
}
