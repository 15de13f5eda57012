//! How players come in to a party without a server: the port in the router, and the invite that says what really works.

use crate::desk::Desk;
use crate::invite::ShowArgs;
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::{Invite, MAX_ALSO};
use lanparty_edge::speech::say;
use lanparty_edge::state_folder::StateFolder;
use lanparty_edge::systemd;
use lanparty_gateway_control::{Port, PortState};
use lanparty_portmap::{Facts, Report, Settings, Standing, keep_open, report};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// For so long the first invite waits for the router: whoever opens ports does so within it.
const PATIENCE: Duration = Duration::from_secs(8);

/// What is kept for that, beside the keys.
const NONCE_FILE: &str = "gateway.port-nonce";

/// The port in the router, for as long as the party goes on.
pub(crate) struct WayIn {
    facts: watch::Receiver<Facts>,
    end: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl WayIn {
    /// Begins to ask the router, unless it may not be asked.
    pub(crate) fn open(listening: SocketAddr, nonce: [u8; 12], asks: bool) -> Self {
        let (tell, facts) = watch::channel(Facts::default());
        let (end, ended) = oneshot::channel::<()>();
        let settings = Settings {
            listening,
            nonce,
            asks,
        };
        // Dropping the sender is the word.
        let keeper = tokio::spawn(keep_open(settings, tell, async { drop(ended.await) }));
        WayIn { facts, end, keeper }
    }

    /// How things stand from now on.
    pub(crate) fn facts(&self) -> watch::Receiver<Facts> {
        self.facts.clone()
    }

    /// Gives the port back; that does not take long.
    pub(crate) async fn close(self) {
        drop(self.end);
        let _ = self.keeper.await;
    }
}

/// Tries for a moment whether the router opens the port, and what would come of that; afterwards it is shut again.
pub(crate) async fn rehearse(
    listening: SocketAddr,
    nonce: [u8; 12],
    given: Option<String>,
) -> Report {
    let way_in = WayIn::open(listening, nonce, true);
    let mut facts = way_in.facts();
    let settled = facts.wait_for(|facts| !facts.is_open());
    let _ = tokio::time::timeout(PATIENCE, settled).await;
    let report = report(&facts.borrow().clone(), given.as_deref());
    way_in.close().await;
    report
}

/// By this a router that speaks PCP knows its own mapping again: kept, so that what a killed program has left open is ours, and
/// told to nobody else, who could close it. Without a place to keep it a router gives another port then, for an hour.
pub(crate) fn kept_nonce(folder: &StateFolder, random: [u8; 12]) -> [u8; 12] {
    let kept = folder.load_or_create(NONCE_FILE, || random.to_vec());
    let kept = kept.inspect_err(
        |error| tracing::warn!(%error, "The router's mapping will not be known again"),
    );
    kept.ok()
        .and_then(|kept| kept.as_slice().try_into().ok())
        .unwrap_or(random)
}

/// What the host is told, and what invites say.
pub(crate) struct Herald<'a> {
    /// What the host says of where players find this machine.
    pub(crate) given: Option<&'a str>,
    /// With the address that is known without a router.
    pub(crate) invite: Invite,
    pub(crate) show: &'a ShowArgs,
    pub(crate) desk: &'a Desk,
    pub(crate) listens: u16,
}

impl Herald<'_> {
    /// Tells of everything that changes, for as long as the party goes on.
    pub(crate) async fn tell(mut self, mut facts: watch::Receiver<Facts>) -> Infallible {
        let settled = facts.wait_for(|facts| !facts.is_open());
        let _ = tokio::time::timeout(PATIENCE, settled).await;
        let mut said = String::new();
        let mut is_first = true;
        loop {
            let now = facts.borrow_and_update().clone();
            let report = report(&now, self.given);
            self.note(&report);
            // A router that is asked again has not said no yet.
            if is_first || !now.is_open() {
                let before = self.place();
                self.learn(&report);
                if report.sentence != said {
                    say(&report.sentence);
                    said.clone_from(&report.sentence);
                }
                if is_first || self.place() != before {
                    self.show(is_first);
                }
                is_first = false;
            }
            if facts.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    fn place(&self) -> (RelayAddress, Vec<SocketAddr>) {
        (self.invite.relay.clone(), self.invite.also.clone())
    }

    /// What invites say from now on.
    fn learn(&mut self, report: &Report) {
        let mut addresses = report.addresses.iter().copied();
        if self.given.is_none()
            && let Some(best) = addresses.next()
        {
            self.invite.relay = best.into();
        }
        let relay = &self.invite.relay;
        let others = addresses.filter(|other| RelayAddress::from(*other) != *relay);
        self.invite.also = others.take(MAX_ALSO).collect();
        self.desk.note_place(&self.invite.relay, &self.invite.also);
    }

    fn note(&self, report: &Report) {
        let mut addresses = report.addresses.clone();
        // A name that the host gives has no address here.
        if let Some(given) = self.given
            && let Ok(given) = given.parse()
        {
            addresses.retain(|address| *address != given);
            addresses.insert(0, given);
        }
        self.desk.note_port(Some(Port {
            listens: self.listens,
            state: match report.standing {
                Standing::Opened => PortState::Opened,
                Standing::Unknown => PortState::Unknown,
                Standing::Checking => PortState::Checking,
                Standing::Shut => PortState::Shut,
            },
            sentence: report.sentence.clone(),
            addresses,
        }));
    }

    fn show(&mut self, is_first: bool) {
        // Who reads the journal is not who may invite.
        if systemd::keeps_what_is_printed() {
            say("`lanparty-gateway invite` shows the invite; it is not written here.");
            return;
        }
        if !is_first {
            say(
                "From now on this is the invite; those from before work as long as one of their addresses does:",
            );
        }
        // The host may have changed both since the start.
        let controls = self.desk.controls.borrow();
        if let Some(key) = controls.new_key() {
            self.invite.key = key.clone();
        }
        self.invite.name = controls.party_name().cloned();
        match self.show.draw(&self.invite) {
            Ok(shown) if is_first => say(shown.first_screen()),
            Ok(shown) => say(shown.later()),
            Err(error) => tracing::warn!("The invite cannot be shown: {error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_knows_the_same_host_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = StateFolder::new(folder.path().to_owned());
        assert_eq!(kept_nonce(&folder, [1; 12]), [1; 12]);
        assert_eq!(kept_nonce(&folder, [2; 12]), [1; 12]);
        folder.replace(NONCE_FILE, b"short").unwrap();
        assert_eq!(
            kept_nonce(&folder, [3; 12]),
            [3; 12],
            "it is no use to complain"
        );
    }
}
