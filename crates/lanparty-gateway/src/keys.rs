//! The keys of rooms, which the host's machine makes once and keeps.

use lanparty_ctrl::{IdentityKey, RoomCode, RoomKey};
use lanparty_edge::state::{StateError, StateFolder};
use std::path::{Path, PathBuf};

/// The folder's name, where the host gives none.
const PROGRAM: &str = "lanparty-gateway";
/// The gateway's own key in that folder.
const IDENTITY_FILE: &str = "gateway.identity-key";

/// Why a room has no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be kept or read.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something else is in its file.
    #[error("{} holds no room key; delete it, and make new invites", .0.display())]
    Broken(PathBuf),
    /// Something else is in the gateway's own file.
    #[error("{} holds no identity key; delete it to get a new one", .0.display())]
    NoIdentity(PathBuf),
}

/// The key of a room, if invites to it have been made with this folder.
///
/// # Errors
/// [`KeyError`].
pub fn kept(folder: Option<&Path>, room: &RoomCode) -> Result<Option<RoomKey>, KeyError> {
    let Ok(folder) = open(folder) else {
        return Ok(None);
    };
    let file = file(room);
    let kept = folder.load(&file)?;
    kept.map(|kept| parse(&kept, folder.file(&file)))
        .transpose()
}

/// The key of a room, made from `random` bits if it has none yet.
///
/// # Errors
/// [`KeyError`].
pub fn kept_or_made(
    folder: Option<&Path>,
    room: &RoomCode,
    random: [u8; 16],
) -> Result<RoomKey, KeyError> {
    let (folder, file) = (open(folder)?, file(room));
    let fresh = RoomKey::from_random(random).reveal();
    let kept = folder.load_or_create(&file, || fresh.into_bytes())?;
    parse(&kept, folder.file(&file))
}

/// What proves to relays that this is the same gateway again, made from `random` bits if there is none yet.
///
/// # Errors
/// [`KeyError`].
pub fn identity(folder: Option<&Path>, random: [u8; 32]) -> Result<IdentityKey, KeyError> {
    let folder = open(folder)?;
    let fresh = IdentityKey::from_random(random).reveal();
    let kept = folder.load_or_create(IDENTITY_FILE, || fresh.into_bytes())?;
    let key = text(&kept).and_then(|text| text.parse().ok());
    key.ok_or_else(|| KeyError::NoIdentity(folder.file(IDENTITY_FILE)))
}

/// Puts another key in the place of a room's; answers the old one.
///
/// # Errors
/// [`KeyError`].
pub fn replace(folder: &Path, room: &RoomCode, key: &RoomKey) -> Result<Option<RoomKey>, KeyError> {
    let before = kept(Some(folder), room)?;
    let folder = StateFolder::new(folder.to_owned());
    folder.replace(&file(room), key.reveal().as_bytes())?;
    Ok(before)
}

/// The folder of the gateway's secrets.
///
/// # Errors
/// [`StateError::NoFolder`].
pub fn open(folder: Option<&Path>) -> Result<StateFolder, StateError> {
    match folder {
        Some(folder) => Ok(StateFolder::new(folder.to_owned())),
        None => StateFolder::of(PROGRAM),
    }
}

/// Room codes are letters, digits and hyphens, so every one can be the name of a file.
fn file(room: &RoomCode) -> String {
    format!("{room}.room-key")
}

fn parse(kept: &[u8], file: PathBuf) -> Result<RoomKey, KeyError> {
    let key = text(kept).and_then(|text| text.parse().ok());
    key.ok_or(KeyError::Broken(file))
}

fn text(kept: &[u8]) -> Option<&str> {
    std::str::from_utf8(kept).map(str::trim).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_each_room() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Some(folder.path());
        let room = |code: &str| code.parse::<RoomCode>().unwrap();
        assert_eq!(kept(folder, &room("friday")).unwrap(), None);
        let made = kept_or_made(folder, &room("friday"), [1; 16]).unwrap();
        assert_eq!(
            kept_or_made(folder, &room("friday"), [2; 16]).unwrap(),
            made
        );
        assert_eq!(kept(folder, &room("friday")).unwrap(), Some(made.clone()));
        assert_ne!(
            kept_or_made(folder, &room("monday"), [2; 16]).unwrap(),
            made
        );
    }

    #[test]
    fn another_key_takes_the_place_of_a_rooms() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let room = "friday".parse().unwrap();
        let keys = [1, 2].map(|number| RoomKey::from_random([number; 16]));
        assert_eq!(replace(folder, &room, &keys[0]).unwrap(), None);
        let before = replace(folder, &room, &keys[1]).unwrap();
        assert_eq!(before.as_ref(), Some(&keys[0]));
        assert_eq!(kept(Some(folder), &room).unwrap().as_ref(), Some(&keys[1]));
    }

    #[test]
    fn the_gateway_is_the_same_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let made = identity(Some(folder), [1; 32]).unwrap();
        assert_eq!(identity(Some(folder), [2; 32]).unwrap(), made);
        std::fs::write(folder.join(IDENTITY_FILE), "half").unwrap();
        let error = identity(Some(folder), [2; 32]).unwrap_err().to_string();
        assert!(error.contains(IDENTITY_FILE), "{error}");
    }

    #[test]
    fn a_broken_key_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("FRIDAY.room-key");
        std::fs::write(&file, "half").unwrap();
        let error = kept(Some(folder.path()), &"friday".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("FRIDAY.room-key"), "{error}");
    }
}
