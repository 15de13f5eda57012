//! How a gateway stands, in a line for whoever looks after the machine.

use crate::config::Config;
use crate::lan::{InterfaceError, LanSocket};
use lanparty_edge::speech::say;
use lanparty_edge::systemd::{self, Standing};
use std::thread;
use std::time::Duration;

/// How often a service looks whether its interface is there.
const LOOK: Duration = Duration::from_millis(500);

/// What is said of a gateway with a link to its relay.
pub(crate) fn open(config: &Config, players: usize) -> String {
    let noun = if players == 1 { "player" } else { "players" };
    match config.public_address {
        Some(_) => format!("The party is open: {players} {noun}"),
        None => format!("At the relay {}: {players} {noun}", config.relay.address),
    }
}

/// Opens the LAN. A service is started with the machine, whose cable may be out and whose interface may not be there yet:
/// it waits for both, where whoever starts a gateway by hand wants to hear of it.
pub(crate) fn open_lan(interface: &str) -> Result<LanSocket, InterfaceError> {
    let mut standing = Standing::default();
    loop {
        match LanSocket::open(interface) {
            Err(error) if systemd::waits() && error.may_pass() => {
                let line = format!("Waiting for the LAN: {error}");
                if standing.tell(&line) {
                    say(&line);
                }
                systemd::watched();
                thread::sleep(LOOK);
            }
            opened => return opened,
        }
    }
}
