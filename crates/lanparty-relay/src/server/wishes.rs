//! What whoever may take a relay's place wants of its task.

use crate::registry::Legacy;
use lanparty_ctrl::AccessToken;
use tokio::sync::{mpsc, oneshot};

/// What has come of reading the settings again: sentences, or why they are wrong.
pub(crate) type Settings = Result<Vec<String>, String>;

/// One thing that is wanted, and where the answer goes.
#[derive(Debug)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only Linux has relays that take over")
)]
pub(super) enum Wish {
    /// Read the settings again.
    Settings(oneshot::Sender<Settings>),
    /// What gateways must show that want to open rooms.
    Access(oneshot::Sender<Option<AccessToken>>),
    /// The place, now.
    Place(oneshot::Sender<Legacy>),
}

/// All that come; none while nobody is heard.
#[derive(Debug, Default)]
pub(super) struct Wishes(pub(super) Option<mpsc::Receiver<Wish>>);

impl Wishes {
    pub(super) async fn next(&mut self) -> Wish {
        loop {
            match &mut self.0 {
                Some(wishes) => match wishes.recv().await {
                    Some(wish) => return wish,
                    None => self.0 = None,
                },
                None => std::future::pending().await,
            }
        }
    }
}
