//! What the fleet has decided, done at the rooms.

use super::membership::{Core, Membership, elsewhere, not_placed};
use crate::registry::Registry;
use crate::server::contact::{Contact, Outgoing};
use lanparty_ctrl::message::Disconnect;
use lanparty_ctrl::{DisconnectReason, RelayMessage};
use lanparty_fleet::{Lost, Output, Whom};
use std::sync::Arc;
use tracing::{info, warn};

impl Membership {
    /// Does all of it; from then on no frame of a room that is lost goes anywhere.
    pub(super) fn apply(&self, registry: &mut Registry<Arc<Contact>>, core: &mut Core) {
        while let Some(output) = core.fleet.poll_output() {
            match output {
                Output::Settled(room) => {
                    if let Some(waiter) = core.waiters.remove(&room) {
                        waiter.notify_waiters();
                    }
                }
                Output::Moved {
                    room,
                    to,
                    fence,
                    whom,
                } => {
                    let Some(here) = core.here.get(&room) else {
                        continue;
                    };
                    let moved = elsewhere(&to, Some(fence));
                    info!(room = %here.number, to = %moved.address, ?whom, "A room goes to another relay");
                    for link in registry.links_of(here.number, whom == Whom::Gateway) {
                        if link.takes_redirects() {
                            let moved = RelayMessage::Moved(moved.clone());
                            link.queue(Outgoing::Message(moved));
                        }
                    }
                }
                Output::Stays { room, relay } => {
                    let Some(here) = core.here.get(&room) else {
                        continue;
                    };
                    let why = lanparty_fleet::NotPlaced::NotTaken;
                    let answer = not_placed(relay.to_string(), why);
                    for link in registry.links_of(here.number, true) {
                        let answer = RelayMessage::NotPlaced(answer.clone());
                        link.queue(Outgoing::Message(answer));
                    }
                }
                Output::RoomLost { room, why } => {
                    let Some(here) = core.here.remove(&room) else {
                        continue;
                    };
                    let goodbye = goodbye(why);
                    for departure in registry.close_room(here.number) {
                        departure.link.log_departure(&departure, Some(said(why)));
                        departure.link.queue(Outgoing::Goodbye(goodbye.clone()));
                    }
                }
                Output::Unfenced => {
                    for (_, waiter) in core.waiters.drain() {
                        waiter.notify_waiters();
                    }
                }
                // The next welcome asks for it; what else it means is said by itself.
                Output::Refenced { .. } | Output::Fenced => {}
                Output::Drained => {
                    core.is_drained = true;
                    self.drained.notify_waiters();
                }
                Output::Say(trouble) if trouble.is_warning() => warn!("{trouble}"),
                Output::Say(trouble) => info!("{trouble}"),
            }
        }
        self.send_requests(core);
    }
}

fn said(why: Lost) -> &'static str {
    match why {
        Lost::Moved | Lost::Elsewhere => "the room is at another relay of this fleet now",
        Lost::NoDirectory => {
            "the relay has lost its fleet's directory, and its operator wants rooms to end then"
        }
    }
}

fn goodbye(why: Lost) -> Disconnect {
    let reason = match why {
        // Any relay of the fleet knows where it is.
        Lost::Moved | Lost::Elsewhere => DisconnectReason::Succeeded,
        Lost::NoDirectory => DisconnectReason::Draining,
    };
    Disconnect {
        reason,
        text: said(why).into(),
    }
}
