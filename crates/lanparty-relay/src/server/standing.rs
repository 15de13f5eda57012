//! How a relay stands, in a line for whoever looks after the machine.

use super::Rooms;
use std::net::SocketAddr;

/// What is said of a relay that listens there.
pub(super) fn line(address: SocketAddr, rooms: &Rooms) -> String {
    let registry = rooms.lock();
    let players = registry
        .peers()
        .filter(|(_, peer)| peer.who.mac().is_some());
    let (players, rooms) = (players.count(), registry.rooms());
    format!(
        "Listening on {address}: {rooms} {}, {players} {}",
        if rooms == 1 { "room" } else { "rooms" },
        if players == 1 { "player" } else { "players" },
    )
}
