//! What outlives the service, on the disk: written beside the frames' thread, and only the last of several versions.

use crate::desk::Kept;
use lanparty_edge::state_folder::{StateError, StateFolder};
use std::cell::{Cell, RefCell};
use tokio::sync::Notify;

/// The file's name in the service's folder.
const FILE: &str = "rooms.json";

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

/// What an earlier service kept. What cannot be read is left where it is until something new is kept.
pub(super) fn load(state: &StateFolder) -> Kept {
    let json = state.load(FILE).unwrap_or_else(|error| {
        tracing::warn!(%error, "The rooms that were kept cannot be read");
        None
    });
    let kept = json.map(|json| serde_json::from_slice(&json)).transpose();
    kept.unwrap_or_else(|error| {
        tracing::warn!(%error, "The rooms that were kept are damaged, and forgotten");
        None
    })
    .unwrap_or_default()
}

/// Writes it in one step, readable to its owner alone.
pub(super) async fn write(state: &StateFolder, json: Vec<u8>) -> Result<(), String> {
    let state = state.clone();
    let writing = tokio::task::spawn_blocking(move || state.replace(FILE, &json));
    match writing.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(StateError::Unwritable { cause, .. })) => Err(cause.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the program that writes it has failed".to_owned()),
    }
}
