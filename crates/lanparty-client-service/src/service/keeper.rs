//! What outlives the service, on the disk: written beside the frames' thread, and only the last of several versions.

use crate::desk::Kept;
use lanparty_edge::state_folder::{StateError, StateFolder};
use std::cell::{Cell, RefCell};
use std::{fs, io};
use tokio::sync::Notify;

/// The file's name in the service's folder.
const FILE: &str = "rooms.json";

/// Where a file goes that cannot be read, so that nothing is lost.
const ASIDE: &str = "rooms.json.damaged";

/// What waits for the disk.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    waiting: RefCell<Option<Vec<u8>>>,
    has_ended: Cell<bool>,
    changed: Notify,
}

impl Keeper {
    /// This is to be written, in place of what waits.
    pub(super) fn keep(&self, kept: &Kept) {
        let json = serde_json::to_vec(kept).expect("rooms are JSON");
        *self.waiting.borrow_mut() = Some(json);
        self.changed.notify_one();
    }

    /// The last version has been given.
    pub(super) fn finish(&self) {
        self.has_ended.set(true);
        self.changed.notify_one();
    }

    /// The next thing to be written; nothing more after the last.
    pub(super) async fn next(&self) -> Option<Vec<u8>> {
        loop {
            let waiting = self.waiting.borrow_mut().take();
            if waiting.is_some() || self.has_ended.get() {
                return waiting;
            }
            self.changed.notified().await;
        }
    }
}

/// What an earlier service kept.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) kept: Kept,
    /// There is something that could be neither read nor moved: it is to be moved before anything is written.
    pub(super) is_in_the_way: bool,
}

/// Looks for it. What is damaged, or of a service that writes it in another way, is put aside.
pub(super) fn load(state: &StateFolder) -> Found {
    let json = match state.load(FILE) {
        Ok(Some(json)) => json,
        Ok(None) => return Found::default(),
        Err(error) => {
            tracing::warn!(%error, "The rooms that were kept cannot be read");
            return Found {
                is_in_the_way: true,
                ..Found::default()
            };
        }
    };
    match serde_json::from_slice(&json) {
        Ok(kept) => Found {
            kept,
            is_in_the_way: false,
        },
        Err(error) => {
            tracing::warn!(%error, aside = ASIDE, "The rooms that were kept are damaged, and put aside");
            Found {
                is_in_the_way: put_aside(state).is_err(),
                ..Found::default()
            }
        }
    }
}

fn put_aside(state: &StateFolder) -> io::Result<()> {
    match fs::rename(state.file(FILE), state.file(ASIDE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved,
    }
}

/// Writes it in one step, readable to its owner alone; what is in the way is put aside first.
pub(super) async fn write(
    state: &StateFolder,
    json: Vec<u8>,
    is_in_the_way: bool,
) -> Result<(), String> {
    let state = state.clone();
    let writing = tokio::task::spawn_blocking(move || {
        if is_in_the_way {
            put_aside(&state).map_err(|error| error.to_string())?;
        }
        state.replace(FILE, &json).map_err(|error| match error {
            StateError::Unwritable { cause, .. } => cause.to_string(),
            error => error.to_string(),
        })
    });
    match writing.await {
        Ok(written) => written,
        Err(_) => Err("the program that writes it has failed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_read_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().to_owned());
        let aside = || fs::read_to_string(state.file(ASIDE));
        assert_eq!(load(&state).kept, Kept::default());
        fs::write(state.file(FILE), r#"{"accounts":[{"id":7}]}"#).unwrap();
        let found = load(&state);
        assert_eq!((found.kept, found.is_in_the_way), (Kept::default(), false));
        assert_eq!(aside().unwrap(), r#"{"accounts":[{"id":7}]}"#);
        assert!(!state.file(FILE).exists());

        fs::remove_file(state.file(ASIDE)).unwrap();
        fs::create_dir(state.file(FILE)).unwrap();
        assert!(load(&state).is_in_the_way, "nobody reads a folder");
        assert!(state.file(FILE).is_dir(), "nothing is done to it yet");
        write(&state, b"{}".to_vec(), true).await.unwrap();
        assert!(state.file(ASIDE).is_dir());
        assert_eq!(fs::read(state.file(FILE)).unwrap(), b"{}");
        assert!(!load(&state).is_in_the_way);
    }

    #[test]
    fn a_newer_services_rooms_are_read_as_far_as_they_are_known() {
        let json = r#"{"accounts":[{"id":"1","rooms":[{"invite":"lanparty://r/X"}],"new":1}],"joined":{"id":"1"}}"#;
        let kept: Result<Kept, _> = serde_json::from_str(json);
        assert!(kept.is_ok(), "{kept:?}");
    }
}
