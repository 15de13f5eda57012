//! The invite of a running gateway, and a new key for its room.

use super::{Gateway, STRANGE};
use crate::invite::ShowArgs;
use crate::{invite, keys};
use anyhow::{anyhow, bail, ensure};
use lanparty_ctrl::{Pin, RoomKey, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::{Extra, Invite, OtherRelayError};
use lanparty_edge::speech::complain;
use lanparty_gateway_control::{Answer, InviteFacts, Request};
use std::time::SystemTime;

/// The invite in an answer; what else the host should know is said beside it.
pub(super) fn shown(answer: Answer) -> anyhow::Result<Invite> {
    match answer {
        Answer::Invite(shown) => {
            shown.sentence.iter().for_each(complain);
            Invite::find(&shown.link).map_err(|_| anyhow!(STRANGE))
        }
        Answer::Refused(reason) => bail!(reason),
        _ => bail!(STRANGE),
    }
}

/// The key is kept before the gateway uses it, so that no restart brings the old one back.
pub(super) fn rotate(
    gateway: &Gateway,
    name: Option<Text>,
    hours: Option<u32>,
    given: Option<Pin>,
    show: &ShowArgs,
) -> anyhow::Result<()> {
    // What the gateway itself can keep and print, it does. One that is older than this program is told a key.
    if let (None, Ok(answer)) = (&given, gateway.ask(&Request::Invite { hours })) {
        let named = |invite: Invite| Invite {
            expires: hours.map(|hours| invite::end_after(hours, SystemTime::now())),
            name: name.clone().or(invite.name.clone()),
            ..invite
        };
        show.draw(&named(shown(answer)?))?; // one that cannot be shown must not take the place of the old one
        let renewed = shown(gateway.ask(&Request::NewKey)?)?;
        let renewed = named(renewed);
        invite::say_relays(&renewed);
        return show.print(&renewed);
    }
    let room = match gateway.ask(&Request::InviteFacts)? {
        Answer::InviteFacts(room) => room,
        Answer::Refused(reason) => bail!(reason),
        _ => bail!(STRANGE),
    };
    let InviteFacts {
        relay,
        also,
        others,
        room,
        host,
        pin,
        keys,
    } = room;
    ensure!(
        keys.is_absolute(),
        "the gateway has nowhere to keep a key; start it with --keys"
    );
    let relay: RelayAddress = relay.parse().map_err(|_| anyhow!(STRANGE))?;
    let others: Result<Vec<_>, OtherRelayError> =
        others.iter().map(|other| other.parse()).collect();
    let others = others.map_err(|_| anyhow!(STRANGE))?;
    let pin = pin.map(|pin| pin.parse()).transpose();
    let pin = match given.or(pin.map_err(|_| anyhow!(STRANGE))?) {
        Some(pin) => Some(pin),
        None => invite::known_by(&relay, &room)?,
    };
    let invite = Invite {
        relay,
        key: RoomKey::from_random(rand::random()),
        host,
        expires: hours.map(|hours| invite::end_after(hours, SystemTime::now())),
        pin,
        room,
        name,
        also,
        others,
        extra: Extra::default(),
    };
    let shown = show.draw(&invite)?; // one that cannot be shown must not take the place of the old one
    let before = keys::replace(&keys, &invite.room, &invite.key)?;
    let key = invite.key.reveal();
    let outcome = match gateway.ask(&Request::Rotate { key }) {
        Ok(Answer::Done(sentence)) => {
            invite::say_relays(&invite);
            shown.print()?;
            complain(sentence);
            return Ok(());
        }
        Ok(Answer::Refused(reason)) => anyhow!(reason),
        Ok(_) => anyhow!(STRANGE),
        Err(error) => error,
    };
    if let Some(before) = before {
        keys::replace(&keys, &invite.room, &before)?;
    }
    Err(outcome)
}
