//! Invites, which come from mails, chats and web pages.

use lanparty_edge::invite::Invite;

/// A stranger's text, as a file has it: whatever is found there is written again with the same meaning, and only its own
/// methods show the key.
pub fn invite(text: &[u8]) {
    let Ok(invite) = Invite::find_in_bytes(text) else {
        return;
    };
    let whole = invite.reveal();
    let harmless = |c: char| c.is_ascii_alphanumeric() || ":/.-".contains(c);
    assert!(whole.chars().all(harmless));
    let again: Invite = whole.parse().expect("what was written is read");
    assert_eq!(again.reveal(), whole);
    assert_eq!((&again.key, &again.room), (&invite.key, &invite.room));
    assert_eq!((again.host, again.pin), (invite.host, invite.pin));
    assert_eq!((&again.name, again.expires), (&invite.name, invite.expires));
    let (_, payload) = whole.rsplit_once('/').expect("relay, room, payload");
    let (masked, key) = (format!("{invite} {invite:?}"), invite.key.reveal());
    assert!(!masked.contains(&key) && !masked.contains(&payload[1..20]));
}
