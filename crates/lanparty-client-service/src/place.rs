//! What the service needs of the system that it runs on.

use lanparty_client_core::{Player, Reporter, Session};
use lanparty_ctrl::Text;
use lanparty_proof::{Nonce, Verdict};
use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::time::Instant;
use tokio::sync::oneshot;

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

    /// Lets the party through the machine's firewall, as far as the service may, until the session ends; answers with a
    /// sentence.
    ///
    /// # Errors
    /// Why not, and what to do.
    fn let_party_through(&self) -> anyhow::Result<String> {
        anyhow::bail!("the service cannot change this system's firewall; its own settings can")
    }

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
    look: RefCell<Option<Look>>,
}

/// A look at what leads to the LAN.
#[derive(Debug)]
struct Look {
    address: Option<(Ipv4Addr, u8)>,
    has_begun: bool,
    verdict: oneshot::Sender<Verdict>,
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

    /// A look is wanted whether games' ways lead to the LAN, for a machine with this address and length of its subnet's
    /// prefix. Nobody answers where there is no session, or no gateway; another look takes the place of one before.
    pub fn look(&self, address: Option<(Ipv4Addr, u8)>) -> oneshot::Receiver<Verdict> {
        let (verdict, receiver) = oneshot::channel();
        self.look.replace(Some(Look {
            address,
            has_begun: false,
            verdict,
        }));
        receiver
    }

    /// Begins a look that is wanted, and hands out what one has found. For each second, and whenever there is news.
    pub fn serve_look(&self, now: Instant, session: &mut Session) {
        let mut wanted = self.look.borrow_mut();
        let Some(look) = &mut *wanted else {
            return;
        };
        if !look.has_begun {
            look.has_begun = session.prove(now, Nonce(rand::random()), look.address);
            if !look.has_begun {
                *wanted = None;
            }
            return;
        }
        if let Some(verdict) = session.take_verdict()
            && let Some(look) = wanted.take()
        {
            // Whoever wanted it may have lost patience.
            let _ = look.verdict.send(verdict);
        }
    }
}
