//! Whether a relay will do: that it is there, that it is the right one, and that it opens this room for this host.

use lanparty_ctrl::message::{Hello, Newcomer};
use lanparty_ctrl::{AccessToken, HostKey, Pin, RejectReason, RoomCode, RoomKey};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::runtime;
use lanparty_peer::link::acquaintance::{self, Acquaintance};
use lanparty_peer::link::{self, ConnectError, RelayLink};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_quic::tls::Trust;

/// What a gateway would show.
pub(super) struct Showing<'a> {
    pub(super) relay: &'a RelayAddress,
    pub(super) pin: Option<Pin>,
    pub(super) room: &'a RoomCode,
    pub(super) key: RoomKey,
    pub(super) host_key: HostKey,
    pub(super) access_token: Option<AccessToken>,
}

/// How a relay took it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The party can begin.
    Open,
    /// This host's own gateway is there already.
    OursIsThere,
    /// The relay opens rooms for those who have its access token, and this one was none, or another.
    NoAccess,
    /// The room is somebody else's.
    Taken,
    /// Something else, in a sentence.
    Other(String),
}

/// What must stand in the invite so that players know this relay.
pub(super) fn known_by(
    relay: &RelayAddress,
    room: &RoomCode,
) -> anyhow::Result<Result<Option<Pin>, String>> {
    let asked = runtime::run(acquaintance::ask(relay.clone(), room.clone()))?;
    Ok(match asked {
        Ok(Acquaintance::Certificate) => Ok(None),
        Ok(Acquaintance::Key(pin)) => Ok(Some(pin)),
        Err(error) => Err(error.to_string()),
    })
}

/// Opens the room for a moment, unless it has a gateway.
pub(super) fn try_room(showing: Showing<'_>) -> anyhow::Result<Verdict> {
    let trust = match showing.pin {
        Some(pin) => Trust::pinned(pin),
        None => Trust::load(None)?,
    };
    let config = RelayConfig {
        access_token: showing.access_token,
        key: Some(showing.key),
        host_key: Some(showing.host_key),
        ..RelayConfig::new(showing.relay.clone(), trust, showing.room.clone())
    };
    Ok(runtime::run(enter(config))?)
}

async fn enter(config: RelayConfig) -> Verdict {
    let hello = |budget| Hello {
        access_token: config.access_token.clone(),
        yields: true,
        ..Hello::new(&config.room, Newcomer::Gateway, budget)
    };
    let addresses = match link::resolve(&config.address).await {
        Ok(addresses) => addresses,
        Err(error) => return verdict(&error),
    };
    match RelayLink::connect(&config, &addresses, hello).await {
        Ok(link) => {
            link.leave("setup has tried the room".into()).await;
            Verdict::Open
        }
        Err(error) => verdict(&error),
    }
}

fn verdict(error: &ConnectError) -> Verdict {
    let reason = match error {
        ConnectError::Rejected(reject) => Some(reject.reason),
        _ => None,
    };
    match reason {
        Some(RejectReason::GatewayPresent) => Verdict::OursIsThere,
        Some(RejectReason::NoAccess) => Verdict::NoAccess,
        Some(RejectReason::NotHost | RejectReason::CodeClaimed | RejectReason::NotAuthorised) => {
            Verdict::Taken
        }
        _ => Verdict::Other(error.to_string()),
    }
}
