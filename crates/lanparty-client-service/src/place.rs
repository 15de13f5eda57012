//! What the service needs of the system that it runs on.

use lanparty_client_core::{Player, Reporter};
use lanparty_ctrl::Text;
use std::cell::Cell;

/// A system on which sessions can be run.
pub trait Place: 'static {
    /// Says which start of the machine this is: another one after each boot. Nothing where the system does not tell.
    fn boot(&self) -> Option<String>;

    /// Runs a session until `stop` gives the words for the relay, or until it fails. Whatever was changed on the
    /// machine is undone when this ends, and what a killed run left before it begins.
    fn play(
        &self,
        player: Player,
        reporter: impl Reporter + 'static,
        wishes: &Wishes,
        stop: impl Future<Output = Text>,
    ) -> impl Future<Output = anyhow::Result<()>>;

    /// Undoes what a killed run left, while no session runs; answers with a sentence.
    ///
    /// # Errors
    /// What could not be undone, and what to do.
    fn repair(&self) -> anyhow::Result<String>;

    /// Whether the service is to begin with the machine, as somebody's last room is joined then. Where it always does, there
    /// is nothing to do.
    fn begin_with_machine(&self, _yes: bool) {}

    /// Tells the system's own list of services how this one stands.
    fn tell(&self, _standing: &str) {}
}

/// What people want of a running session. Whoever runs it looks each second.
#[derive(Debug, Default)]
pub struct Wishes {
    renew_address: Cell<bool>,
}

impl Wishes {
    /// Another address of the LAN is wanted.
    pub fn renew_address(&self) {
        self.renew_address.set(true);
    }

    /// True once after [`Self::renew_address`].
    pub fn take_renew_address(&self) -> bool {
        self.renew_address.take()
    }
}
