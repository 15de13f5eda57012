//! What a gateway opens when it begins: its desk, its files and its socket.

use crate::config::Config;
use crate::controls::{Controls, Wishes};
use crate::desk::{Desk, Inviter};
use crate::picture::{Picture, Place};
use crate::relays::Relays;
use crate::terms::Terms;
use lanparty_ctrl::HostKey;
use lanparty_edge::ctl;
use lanparty_edge::kept_file::KeptFile;
use lanparty_edge::resume_file::ResumeFile;
use lanparty_edge::speech::say;
use lanparty_gateway_control::InviteFacts;
use lanparty_metrics::{Bound, MetricsAddress};
use lanparty_peer::relay_args::RelayConfig;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;
use std::{io, iter};

/// What is counted of its moves, if there can be any. In a fleet players go by its fences.
pub(crate) fn terms_of(config: &Config) -> Option<Terms> {
    let (relay, keys) = (&config.relay, config.keys.as_deref());
    let host = relay.host_key.clone()?;
    Terms::open(host, relay.room.clone(), keys, !relay.others.is_empty())
}

/// Without it everything works, but a killed gateway waits until the relay has missed it.
pub(crate) fn open_place(file: &Path) -> Option<ResumeFile> {
    let open = ResumeFile::open(file);
    if let Err(error) = &open {
        tracing::warn!(%error, file = %file.display(), "The place in the room is not kept");
    }
    open.ok()
}

/// The host's side of the room, with what was wanted before.
pub(crate) fn desk(config: &Config) -> Desk {
    let (room, is_keyed) = (room_of(config), config.relay.key.is_some());
    let (controls, kept) = match config.wishes() {
        None => (Controls::new(room, is_keyed, Wishes::default()), None),
        Some(file) => match open_wishes(&file) {
            Ok((kept, wishes)) => {
                let controls = Controls::new(room, is_keyed, wishes.clone());
                (controls, Some((kept, wishes)))
            }
            Err(error) => {
                let file = file.display();
                tracing::warn!(%error, %file, "The host's orders are neither known nor kept");
                let why = format!(
                    "What you ordered before cannot be read from {file} ({error}): bans, lock and isolation stay as the \
                     relay knows them, players reach no more of the LAN than games unless --reach says what, and what you \
                     order now is not kept; mend or remove the file, then restart the gateway."
                );
                (Controls::forgetful(room, is_keyed, why), None)
            }
        },
    };
    let controls = controls.reaching(config.reach.clone());
    let controls = controls.called(config.party.clone());
    let controls = controls.keyed(config.relay.key.clone());
    let place = Place {
        program: env!("CARGO_PKG_VERSION"),
        relay: config.relay.address.to_string(),
        interface: config.interface.clone(),
        hosted: config.hosted,
        relays: relays_of(&config.relay),
    };
    let picture = Picture::new(Instant::now(), place);
    Desk::new(controls, kept, picture, inviter(config))
}

/// All relays at which the party may be.
pub(crate) fn relays_of(config: &RelayConfig) -> Relays {
    let others = config.others.iter().map(|other| &other.address);
    Relays::new(iter::once(&config.address).chain(others).cloned().collect())
}

pub(crate) fn inviter(config: &Config) -> Inviter {
    let relay = config.public_address.as_ref();
    Inviter {
        relay: relay.unwrap_or(&config.relay.address).clone(),
        also: Vec::new(),
        others: config.relay.others.clone(),
        room: config.relay.room.clone(),
        host: config.relay.host_key.as_ref().map(HostKey::id),
        pin: config.relay.trust.pin(),
        key: config.relay.key.clone(),
        page: config.invite_page.clone(),
        keys: config.keys.clone(),
        is_renewing: false,
    }
}

pub(crate) fn open_wishes(file: &Path) -> io::Result<(KeptFile, Wishes)> {
    let mut kept = KeptFile::open(file)?;
    let wishes = kept.load()?;
    Ok((kept, wishes.unwrap_or_default()))
}

/// What a host who wants a new key needs to know.
pub(crate) fn room_of(config: &Config) -> InviteFacts {
    let relay = config.public_address.as_ref();
    let others = config.relay.others.iter();
    InviteFacts {
        relay: relay.unwrap_or(&config.relay.address).to_string(),
        also: Vec::new(),
        others: others.map(ToString::to_string).collect(),
        room: config.relay.room.clone(),
        host: config.relay.host_key.as_ref().map(HostKey::id),
        pin: config.relay.trust.pin().map(|pin| pin.to_string()),
        keys: config.keys.clone().unwrap_or_default(),
    }
}

/// Without them everything works, and somebody who wants to see it sees nothing: that is said.
pub(crate) fn bind_metrics(address: MetricsAddress) -> Option<Bound> {
    let bound = Bound::new(address);
    if let Err(error) = &bound {
        say(format_args!("No metrics, and the party goes on: {error}."));
    }
    bound.ok()
}

/// Without it everything works, but nobody steers the room.
pub(crate) fn listen(file: &Path) -> Option<UnixListener> {
    let listener = ctl::bind(file);
    if let Err(error) = &listener {
        tracing::warn!(%error, file = %file.display(), "`lanparty-gateway ctl` will not find this gateway");
    }
    listener.ok()
}
