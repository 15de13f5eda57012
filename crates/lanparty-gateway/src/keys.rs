//! The keys of rooms, which the host's machine makes once and keeps.

use lanparty_ctrl::{HostId, HostKey, HostSecret, IdentityKey, Pin, RoomCode, RoomKey};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::state_folder::{StateError, StateFolder};
use lanparty_quic::tls::Identity;
use std::path::{Path, PathBuf};

/// The folder's name, where the host gives none.
const PROGRAM: &str = "lanparty-gateway";
/// The gateway's own key in that folder.
const IDENTITY_FILE: &str = "gateway.identity-key";
/// What makes this machine the host of its rooms, beside it.
const HOST_FILE: &str = "gateway.host-secret";

/// What the gateway shows at its door, beside them.
const DOOR_FILE: &str = "gateway.door-key.pem";
/// The name in its certificate, which nobody looks at: players are told its pin.
const DOOR_NAME: &str = "lanparty-door";

/// An id's length in that file.
const ID_LEN: usize = 32;
/// Of how many relays a room keeps pins.
const MAX_PINS: usize = 16;
/// How many of a room's earlier keys are known again.
const MAX_OLD: usize = 64;

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
    /// Something else is in the file of the host's secret.
    #[error(
        "{} holds no host secret; put the right one back, or delete it and make new invites",
        .0.display()
    )]
    NoSecret(PathBuf),
    /// The invite is a player's.
    #[error(
        "this invite makes players, not hosts: play with `lanparty-client`; to be the host of room {0}, start the gateway with the key folder in which the invite was made (--keys), or make an invite of your own"
    )]
    NotTheHost(RoomCode),
}

/// What an invite says that a gateway is started with.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The room's key, or an old one.
    pub key: &'a RoomKey,
    /// Whose room it is; older invites do not say.
    pub host: Option<HostId>,
}

/// The key of a room and its host's own, if this folder's owner is the room's host: nothing for a room to which no
/// invites have been made. `random` bits make the host's secret, if there is none yet.
///
/// # Errors
/// [`KeyError`]; [`KeyError::NotTheHost`] for who has only been invited.
pub fn of_host(
    folder: Option<&Path>,
    room: &RoomCode,
    invite: Option<Shown<'_>>,
    random: [u8; 32],
) -> Result<Option<(RoomKey, HostKey)>, KeyError> {
    let kept = kept(folder, room)?;
    let Some(Shown { key, host }) = invite else {
        let own = kept.map(|key| Ok((key, host_secret(folder, random)?.host_key(room))));
        return own.transpose();
    };
    let own = match host {
        // It may be the invite of before a rotation: the newest key is the folder's.
        Some(host) => {
            let own = kept_secret(folder)?.map(|secret| secret.host_key(room));
            own.filter(|own| own.id() == host)
        }
        None if kept.as_ref() == Some(key) || had(folder, room, key)? => {
            Some(host_secret(folder, random)?.host_key(room))
        }
        None => None,
    };
    let own = own.ok_or_else(|| KeyError::NotTheHost(room.clone()))?;
    Ok(Some((kept.unwrap_or_else(|| key.clone()), own)))
}

/// What makes this machine the host of its rooms, made from `random` bits if there is none yet.
///
/// # Errors
/// [`KeyError`].
pub fn host_secret(folder: Option<&Path>, random: [u8; 32]) -> Result<HostSecret, KeyError> {
    let folder = open(folder)?;
    let fresh = HostSecret::from_random(random).reveal();
    let kept = folder.load_or_create(HOST_FILE, || fresh.as_bytes().to_vec())?;
    parse_secret(&kept, &folder)
}

/// The same, if there is one.
///
/// # Errors
/// [`KeyError`].
pub fn kept_secret(folder: Option<&Path>) -> Result<Option<HostSecret>, KeyError> {
    let Ok(folder) = open(folder) else {
        return Ok(None);
    };
    let kept = folder.load(HOST_FILE)?;
    kept.map(|kept| parse_secret(&kept, &folder)).transpose()
}

fn parse_secret(kept: &[u8], folder: &StateFolder) -> Result<HostSecret, KeyError> {
    let secret = text(kept).and_then(|text| text.parse().ok());
    secret.ok_or_else(|| KeyError::NoSecret(folder.file(HOST_FILE)))
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

/// What the gateway shows to players who come by a direct path: the same at each start, and for this one alone where it cannot
/// be kept, as players are told anew each time by what to know it.
pub fn door_identity(folder: Option<&Path>) -> Option<Identity> {
    let made = |key: &str| Identity::self_signed(DOOR_NAME, key);
    let fresh = Identity::new_key().ok()?;
    let kept = open(folder)
        .and_then(|folder| folder.load_or_create(DOOR_FILE, || fresh.clone().into_bytes()));
    let identity = match &kept {
        Ok(kept) => made(text(kept).unwrap_or_default()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    identity
        .inspect_err(|error| tracing::warn!(%error, "Direct paths have a key for this time alone"))
        .ok()
        .or_else(|| made(&fresh).ok())
}

/// Puts another key in the place of a room's; answers the old one.
///
/// # Errors
/// [`KeyError`].
pub fn replace(folder: &Path, room: &RoomCode, key: &RoomKey) -> Result<Option<RoomKey>, KeyError> {
    let before = kept(Some(folder), room)?;
    let folder = StateFolder::new(folder.to_owned());
    if let Some(before) = &before {
        folder.replace(&old_file(room), &with_old(&folder, room, before)?)?;
    }
    folder.replace(&file(room), key.reveal().as_bytes())?;
    Ok(before)
}

/// Keeps by which pins the relays of a room are known, for the gateway that is started without them; what is known of others
/// stays.
///
/// # Errors
/// [`KeyError`].
pub fn keep_pins(
    folder: Option<&Path>,
    room: &RoomCode,
    known: &[(RelayAddress, Pin)],
) -> Result<(), KeyError> {
    if known.is_empty() {
        return Ok(());
    }
    let folder = open(folder)?;
    let before = folder.load(&pin_file(room))?.unwrap_or_default();
    let is_known = |of: &str| known.iter().any(|(relay, _)| relay.to_string() == of);
    let mut lines: Vec<_> = known
        .iter()
        .map(|(relay, pin)| format!("{relay} {pin}\n"))
        .collect();
    let others = pins(&before).filter(|(of, _)| !is_known(of));
    lines.extend(others.map(|(of, pin)| format!("{of} {pin}\n")));
    lines.truncate(MAX_PINS);
    Ok(folder.replace(&pin_file(room), lines.concat().as_bytes())?)
}

/// The pin of this relay, if an invite to this room was made with one.
pub fn kept_pin(folder: Option<&Path>, room: &RoomCode, relay: &RelayAddress) -> Option<Pin> {
    let kept = open(folder).ok()?.load(&pin_file(room)).ok()??;
    let relay = relay.to_string();
    let mut pins = pins(&kept);
    pins.find(|(of, _)| *of == relay).map(|(_, pin)| pin)
}

/// What a file of them says, a relay in each line.
fn pins(kept: &[u8]) -> impl Iterator<Item = (&str, Pin)> {
    let lines = text(kept).unwrap_or_default().lines();
    lines.filter_map(|line| {
        let (of, pin) = line.split_once(' ')?;
        Some((of, pin.parse().ok()?))
    })
}

/// Makes what [`renew`] writes over, while files may still be made.
///
/// # Errors
/// [`KeyError`].
pub fn prepare(folder: &Path, room: &RoomCode) -> Result<(), KeyError> {
    let folder = StateFolder::new(folder.to_owned());
    folder.load_or_create(&old_file(room), Vec::new)?;
    Ok(())
}

/// The same as [`replace`] for a program that has given up the right to make files: it writes over those that are
/// there.
///
/// # Errors
/// [`KeyError`]; then the key is the one before.
pub fn renew(folder: &Path, room: &RoomCode, key: &RoomKey) -> Result<(), KeyError> {
    let before = kept(Some(folder), room)?;
    let folder = StateFolder::new(folder.to_owned());
    if let Some(before) = &before {
        folder.overwrite(&old_file(room), &with_old(&folder, room, before)?)?;
    }
    folder.overwrite(&file(room), key.reveal().as_bytes())?;
    Ok(())
}

/// The ids of the keys that the room has had, and of this one.
fn with_old(folder: &StateFolder, room: &RoomCode, key: &RoomKey) -> Result<Vec<u8>, KeyError> {
    let mut old = folder.load(&old_file(room))?.unwrap_or_default();
    old.extend(key.admission_key().id().as_bytes());
    let surplus = old.len().saturating_sub(MAX_OLD * ID_LEN);
    Ok(old.split_off(surplus))
}

/// Whether the room has had this key: an invite made with it is this host's own, and says less than newer ones.
fn had(folder: Option<&Path>, room: &RoomCode, key: &RoomKey) -> Result<bool, KeyError> {
    let Ok(folder) = open(folder) else {
        return Ok(false);
    };
    let old = folder.load(&old_file(room))?.unwrap_or_default();
    let id = key.admission_key().id();
    Ok(old.chunks_exact(ID_LEN).any(|old| old == id.as_bytes()))
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

/// Relays' addresses, each with its pin.
fn pin_file(room: &RoomCode) -> String {
    format!("{room}.relay-pin")
}

/// The ids of the keys that the room has had, the oldest first; an id tells nothing about its key.
fn old_file(room: &RoomCode) -> String {
    format!("{room}.old-room-keys")
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
    fn a_door_is_known_by_the_same_pin_at_each_start_if_that_can_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let pin = || door_identity(Some(folder.path())).unwrap().pin();
        let first = pin();
        assert_eq!(pin(), first);
        std::fs::write(folder.path().join(DOOR_FILE), "no key").unwrap();
        assert_ne!(pin(), first, "for this time");
        let nowhere = folder.path().join(DOOR_FILE).join("below");
        assert!(door_identity(Some(&nowhere)).is_some());
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
    fn a_running_gateway_writes_a_new_key_over_the_old_one_or_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, room) = (folder.path(), "friday".parse().unwrap());
        let keys = [1, 2].map(|number| RoomKey::from_random([number; 16]));
        assert!(renew(path, &room, &keys[1]).is_err(), "there is none");
        replace(path, &room, &keys[0]).unwrap();
        assert!(renew(path, &room, &keys[1]).is_err(), "nothing prepared");
        assert_eq!(kept(Some(path), &room).unwrap().as_ref(), Some(&keys[0]));
        prepare(path, &room).unwrap();
        renew(path, &room, &keys[1]).unwrap();
        assert_eq!(kept(Some(path), &room).unwrap().as_ref(), Some(&keys[1]));
        host_secret(Some(path), [1; 32]).unwrap();
        let shown = Some(Shown {
            key: &keys[0],
            host: None,
        });
        let own = of_host(Some(path), &room, shown, [1; 32]).unwrap();
        assert_eq!(own.unwrap().0, keys[1], "the old one is known");
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
    fn the_host_is_who_has_the_folder_in_which_the_invite_was_made() {
        let [home, away] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [home, away] = [&home, &away].map(|folder| Some(folder.path()));
        let room: RoomCode = "friday".parse().unwrap();
        assert!(of_host(home, &room, None, [1; 32]).unwrap().is_none());
        assert!(kept_secret(home).unwrap().is_none(), "for an open room");
        let key = kept_or_made(home, &room, [7; 16]).unwrap();
        let host = host_secret(home, [1; 32]).unwrap().host_key(&room).id();
        let invited = |folder, key: &RoomKey, host| {
            let shown = Shown { key, host };
            let own = of_host(folder, &room, Some(shown), [2; 32])?;
            Ok::<_, KeyError>(own.map(|(key, own)| (key, own.id())))
        };
        let own = of_host(home, &room, None, [2; 32]).unwrap().unwrap();
        assert_eq!((own.0, own.1.id()), (key.clone(), host));
        let own = Some((key.clone(), host));
        assert_eq!(invited(home, &key, Some(host)).unwrap(), own);
        assert_eq!(invited(home, &key, None).unwrap(), own, "an older invite");
        let old = RoomKey::from_random([9; 16]);
        assert_eq!(invited(home, &old, Some(host)).unwrap(), own, "rotated");
        for (folder, key, host) in [
            (away, &key, Some(host)),
            (away, &key, None),
            (home, &key, Some(HostId::from_sha256([9; 32]))),
            (home, &old, None),
        ] {
            let error = invited(folder, key, host).unwrap_err();
            assert!(matches!(error, KeyError::NotTheHost(_)), "{error}");
        }
        assert!(kept_secret(away).unwrap().is_none(), "a guest gets none");
    }

    #[test]
    fn the_host_is_known_by_the_older_invites_of_before_its_rotations_too() {
        let folder = tempfile::tempdir().unwrap();
        let (path, room) = (folder.path(), "friday".parse().unwrap());
        let key = |number: usize| RoomKey::from_random([number as u8; 16]);
        for number in 0..=MAX_OLD + 1 {
            replace(path, &room, &key(number)).unwrap();
        }
        let known = |number| {
            let key = &key(number);
            let shown = Some(Shown { key, host: None });
            of_host(Some(path), &room, shown, [1; 32]).map(|own| own.unwrap().0)
        };
        let newest = key(MAX_OLD + 1);
        for number in [1, 2, MAX_OLD, MAX_OLD + 1] {
            assert_eq!(known(number).unwrap(), newest, "{number}");
        }
        for number in [0, MAX_OLD + 2] {
            let error = known(number).unwrap_err();
            assert!(matches!(error, KeyError::NotTheHost(_)), "{error}");
        }
    }

    #[test]
    fn a_guest_who_hosts_parties_too_is_no_host_of_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, room) = (Some(folder.path()), "friday".parse().unwrap());
        kept_or_made(folder, &room, [1; 16]).unwrap();
        host_secret(folder, [1; 32]).unwrap();
        let key = &RoomKey::from_random([7; 16]);
        let theirs = HostSecret::from_random([2; 32]).host_key(&room).id();
        for host in [Some(theirs), None] {
            let shown = Some(Shown { key, host });
            let error = of_host(folder, &room, shown, [3; 32]).unwrap_err();
            assert!(error.to_string().contains("lanparty-client"), "{error}");
        }
    }

    #[test]
    fn a_relay_is_known_by_the_pin_of_its_invites() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, room) = (Some(folder.path()), "friday".parse().unwrap());
        let relay = |text: &str| text.parse::<RelayAddress>().unwrap();
        assert_eq!(kept_pin(folder, &room, &relay("r.example")), None);
        let pin = Pin::from_sha256([7; 32]);
        keep_pins(folder, &room, &[(relay("r.example"), pin)]).unwrap();
        assert_eq!(kept_pin(folder, &room, &relay("r.example:443")), Some(pin));
        assert_eq!(kept_pin(folder, &room, &relay("r.example:444")), None);
        assert_eq!(
            kept_pin(folder, &"monday".parse().unwrap(), &relay("r.example")),
            None
        );
        let others = [("s.example", 8), ("t.example", 9)];
        let others = others.map(|(name, byte)| (relay(name), Pin::from_sha256([byte; 32])));
        keep_pins(folder, &room, &others).unwrap();
        let again = (relay("t.example"), pin);
        keep_pins(folder, &room, &[again]).unwrap();
        for (name, byte) in [("r.example", 7), ("s.example", 8), ("t.example", 7)] {
            let kept = kept_pin(folder, &room, &relay(name));
            assert_eq!(kept, Some(Pin::from_sha256([byte; 32])), "{name}");
        }
        let many: Vec<_> = (0..MAX_PINS + 2)
            .map(|number| (relay(&format!("n{number}")), pin))
            .collect();
        keep_pins(folder, &room, &many).unwrap();
        assert_eq!(
            kept_pin(folder, &room, &relay("s.example")),
            None,
            "it has an end"
        );
    }

    #[test]
    fn a_secret_that_is_none_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(HOST_FILE), "half").unwrap();
        let error = host_secret(Some(folder.path()), [2; 32]).unwrap_err();
        assert!(error.to_string().contains(HOST_FILE), "{error}");
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
