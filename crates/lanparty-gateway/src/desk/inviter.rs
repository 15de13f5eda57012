//! Invites to the party that runs, at any time; and new keys for its room.

use super::{Desk, Pending, confirmed, moment};
use crate::picture::About;
use crate::{invite, keys};
use lanparty_ctrl::{HostId, Pin, RoomCode, RoomKey, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_edge::invite::{Extra, Invite, InvitePage, OtherRelay};
use lanparty_edge::sentence;
use lanparty_gateway_control::{Answer, Mark, Shown};
use lanparty_peer::link::acquaintance::{self, Acquaintance};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

/// How long a relay may take to show its key.
const SHOWN: Duration = Duration::from_secs(3);
const NOWHERE: &str = "the gateway has nowhere to keep a key; start it with --keys";
const BUSY: &str = "a new key is being made just now; look at the invite in a moment";
const NOT_ASKED: &str = "The relay could not be asked for its key: if it has no certificate of an authority, this invite is of \
    no use; start the gateway with the relay's --pin.";
const RENEWED: &str = "The room has a new key: older invites open it no more, and who is in stays.";

/// What invites are made of, beside the room's key and the party's name.
#[derive(Clone)]
pub(crate) struct Inviter {
    /// The relay, as players find it.
    pub(crate) relay: RelayAddress,
    /// Where else it is.
    pub(crate) also: Vec<SocketAddr>,
    /// Where the party may move, as the gateway itself knows those relays.
    pub(crate) others: Vec<OtherRelay>,
    pub(crate) room: RoomCode,
    pub(crate) host: Option<HostId>,
    /// What players know the relay by; without it they need a certificate of an authority.
    pub(crate) pin: Option<Pin>,
    /// The key of the configuration.
    pub(crate) key: Option<RoomKey>,
    /// The page behind which invites stand as well.
    pub(crate) page: Option<InvitePage>,
    /// The folder of the keys.
    pub(crate) keys: Option<PathBuf>,
    pub(crate) is_renewing: bool,
}

/// What has come of keeping a new key.
pub(crate) enum Kept {
    /// It is in the folder, and somebody waits for what comes of it.
    Key(RoomKey, oneshot::Sender<Pending>),
    /// It is not.
    Nothing,
}

impl Desk {
    /// The invite, as it is now.
    pub(super) fn invite(&self, hours: Option<u32>) -> Pending {
        let controls = self.controls.borrow();
        let inviter = self.inviter.borrow().clone();
        let key = controls.new_key().or(inviter.key.as_ref()).cloned();
        let Some(key) = key.filter(|_| controls.is_keyed()) else {
            return refused(crate::controls::OPEN.to_owned());
        };
        let name = controls.party_name().cloned();
        Box::pin(async move { Some(inviter.show(key, name, hours, None).await) })
    }

    /// A new key, which is in force once it is kept.
    pub(super) fn renew_key(&self) -> Pending {
        let controls = self.controls.borrow();
        let mut inviter = self.inviter.borrow_mut();
        let why = match &inviter.keys {
            _ if !controls.is_keyed() => Err(crate::controls::OPEN),
            _ if controls.has_old_relay() => Err(crate::controls::OLD_RELAY),
            _ if inviter.is_renewing => Err(BUSY),
            Some(keys) if keys.is_absolute() => Ok(keys.clone()),
            Some(_) | None => Err(NOWHERE),
        };
        let folder = match why {
            Ok(folder) => folder,
            Err(why) => return refused(why.to_owned()),
        };
        inviter.is_renewing = true;
        let (room, done) = (inviter.room.clone(), self.done.clone());
        let key = RoomKey::from_random(rand::random());
        Box::pin(async move {
            let kept = key.clone();
            let keeping =
                tokio::task::spawn_blocking(move || keys::renew(&folder, &room, &kept)).await;
            let why = match keeping {
                Ok(Ok(())) => {
                    let (waits, pending) = oneshot::channel();
                    done.send(Kept::Key(key, waits)).ok()?;
                    return pending.await.ok()?.await;
                }
                Ok(Err(error)) => sentence(&error),
                Err(error) => error.to_string(),
            };
            done.send(Kept::Nothing).ok()?;
            Some(Answer::Refused(format!(
                "the new key cannot be kept ({why}), so the old one stays in force; make room or rights in the gateway's key folder"
            )))
        })
    }

    /// A new key has been kept, or not: now the relay hears of it, also where nobody waits any more.
    pub(super) fn use_key(&self, kept: Kept) {
        self.inviter.borrow_mut().is_renewing = false;
        let Kept::Key(key, waits) = kept else {
            return;
        };
        let later = self.controls.borrow_mut().renew_key(key.clone());
        self.orders.notify_one();
        let sentence = format!("{RENEWED}{later}");
        let mut picture = self.picture.borrow_mut();
        picture.note_event(moment(), About::Order, Mark::Note, &sentence);
        drop(picture);
        self.tell_soon();
        let word = self.word_of_relay(Instant::now());
        let name = self.controls.borrow().party_name().cloned();
        let inviter = self.inviter.borrow().clone();
        let pending: Pending = Box::pin(async move {
            let sentence = confirmed(sentence, word).await;
            Some(inviter.show(key, name, None, Some(sentence)).await)
        });
        // Whoever wanted it may be gone; the key is in force all the same.
        let _ = waits.send(pending);
    }
}

impl Inviter {
    async fn show(
        self,
        key: RoomKey,
        name: Option<Text>,
        hours: Option<u32>,
        sentence: Option<String>,
    ) -> Answer {
        let (pin, doubt) = self.known_by().await;
        let invite = Invite {
            relay: self.relay,
            room: self.room,
            key,
            host: self.host,
            pin,
            name,
            expires: hours.map(|hours| invite::end_after(hours, SystemTime::now())),
            also: self.also,
            others: self.others,
            extra: Extra::default(),
        };
        let said: Vec<_> = sentence.into_iter().chain(doubt).collect();
        let said = Some(said.join(" ")).filter(|said| !said.is_empty());
        match invite::for_views(&invite, self.page.as_ref()) {
            Ok(shown) => Answer::Invite(Shown {
                sentence: said,
                ..shown
            }),
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    /// What must stand in the invite so that players know the relay, and a sentence where that is not known.
    async fn known_by(&self) -> (Option<Pin>, Option<String>) {
        if self.pin.is_some() {
            return (self.pin, None);
        }
        let asking = acquaintance::ask(self.relay.clone(), self.room.clone());
        match tokio::time::timeout(SHOWN, asking).await {
            Ok(Ok(Acquaintance::Certificate)) => (None, None),
            Ok(Ok(Acquaintance::Key(pin))) => (Some(pin), None),
            Ok(Err(_)) | Err(_) => (None, Some(NOT_ASKED.to_owned())),
        }
    }
}

fn refused(why: String) -> Pending {
    Box::pin(std::future::ready(Some(Answer::Refused(why))))
}
