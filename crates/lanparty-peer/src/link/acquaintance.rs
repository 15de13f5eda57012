//! How a relay can be known of which a host has nothing but the address.

use super::race::{Targets, race};
use super::{ConnectError, resolve};
use crate::relay_args::RelayConfig;
use lanparty_ctrl::{Pin, RoomCode};
use lanparty_edge::address::RelayAddress;
use lanparty_quic::tls::Trust;
use lanparty_quic::{CloseCode, PathFloor};

/// What must stand in an invite so that players know the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acquaintance {
    /// Nothing: an authority that systems trust vouches for it.
    Certificate,
    /// Its key's pin. Nobody but the network says that the key is the right one.
    Key(Pin),
}

/// Asks the relay, and tries whether what it shows can be relied on.
///
/// # Errors
/// [`ConnectError`], when nobody answers there.
pub async fn ask(relay: RelayAddress, room: RoomCode) -> Result<Acquaintance, ConnectError> {
    let (relay, room) = (&relay, &room);
    // Without a list of authorities no certificate is known.
    if let Ok(trust) = Trust::load(None) {
        match shakes_hands(relay, room, trust).await {
            Ok(()) => return Ok(Acquaintance::Certificate),
            Err(error) if error.may_pass() => return Err(error),
            Err(_) => {}
        }
    }
    let (trust, shown) = Trust::asking();
    let outcome = shakes_hands(relay, room, trust).await;
    match (shown.get(), outcome) {
        (Some(pin), _) => {
            shakes_hands(relay, room, Trust::pinned(*pin)).await?;
            Ok(Acquaintance::Key(*pin))
        }
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Ok(Acquaintance::Certificate),
    }
}

async fn shakes_hands(
    relay: &RelayAddress,
    room: &RoomCode,
    trust: Trust,
) -> Result<(), ConnectError> {
    let config = RelayConfig::new(relay.clone(), trust, room.clone());
    let addresses = resolve(relay).await?;
    let targets = Targets::usual(&config, &addresses).await;
    let reached = race(&config, &targets, PathFloor::Ordinary).await?;
    reached.endpoint.close(CloseCode::Bye).await;
    Ok(())
}
