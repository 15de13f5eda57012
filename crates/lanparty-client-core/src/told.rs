//! What docs/errors.md says about a player's own files.

use crate::Identity;
use crate::identity_store::IdentityError;
use crate::player::PlayerError;
use lanparty_told::{Chapter, told};
use std::io;

#[test]
fn the_page_explains_a_players_files() {
    let file = || "/home/bert/.local/share/lanparty-client-identity.json".into();
    let broken = || Identity::decode("{ half", [0; 32]).unwrap_err();
    let identity = told!(IdentityError {
        IdentityError::Broken { .. } = IdentityError::Broken { file: file(), cause: broken() } => "The identity file was edited or cut off.", "Repair or delete it; a new identity has another MAC.";
        IdentityError::Unreadable { .. } = IdentityError::Unreadable { file: file(), cause: io::Error::from_raw_os_error(13) } => "The file is another user's, often root's from an earlier run.", "Give it back with chown, or name another one.";
        IdentityError::Unwritable { .. } = IdentityError::Unwritable { file: file(), cause: io::Error::from_raw_os_error(28) } => "The folder is full, read-only or another user's.", "Make room, or name another file.";
    });
    let player = told!(PlayerError {
        PlayerError::Homeless = PlayerError::Homeless => "There is no HOME, as for some services.", "Say where the identity is.";
    } elsewhere PlayerError::Relay(_), PlayerError::Identity(_));
    Chapter::new("player").with(identity).with(player).check();
}
