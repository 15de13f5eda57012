//! A new key for those who are inside: whom it goes to, and who needs the new invite all the same.

use super::{Controls, Present};
use lanparty_ctrl::message::{NewKey, PeerJoined};
use lanparty_ctrl::new_key::Recipient;
use lanparty_ctrl::{Challenge, HostKey, PeerMessage, RoomCode, RoomKey};
use lanparty_proto::{PeerId, VirtualMac};
use std::collections::VecDeque;

/// With so many keys of before a new one is sealed: who has missed one has the one before it.
const FORMER: usize = 3;
/// So many who did not get it are named.
const NAMED: usize = 8;

/// The room's keys of before, and what is to be handed out.
#[derive(Default)]
pub(super) struct Handing {
    /// The configuration's key, until there is another one.
    first: Option<RoomKey>,
    /// The last one first.
    former: VecDeque<RoomKey>,
    queue: VecDeque<Handover>,
    /// Whether the relay carries them.
    pub(super) is_carried: bool,
}

/// A new key on its way to one who is in.
pub(crate) struct Handover {
    peer_id: PeerId,
    client: VirtualMac,
    challenge: Challenge,
    before: RoomKey,
    new: RoomKey,
}

impl Handover {
    /// The same for the relay, which cannot read it; `random` is never the same again.
    pub(crate) fn seal(&self, host: &HostKey, room: &RoomCode, random: [u8; 12]) -> PeerMessage {
        let to = Recipient {
            challenge: self.challenge,
            client: self.client,
            room,
        };
        let keys = (&self.before, &self.new);
        PeerMessage::NewKey(NewKey::seal(keys, host, (self.peer_id, &to), random))
    }
}

/// By what somebody who has come in takes a new key, if its program does.
pub(super) fn taken_by(joined: &PeerJoined) -> Option<Challenge> {
    joined.host_challenge.filter(|_| joined.takes_new_keys)
}

impl Controls {
    /// The same of a room that has this key by its configuration.
    pub(crate) fn keyed(mut self, key: Option<RoomKey>) -> Self {
        self.handing.first = key;
        self
    }

    /// The room has another key from now on. Answers a sentence about those inside, with a space before it.
    pub(super) fn change_key(&mut self, key: RoomKey) -> String {
        let before = self.key.replace(key).or(self.handing.first.take());
        let before = before.filter(|before| self.key.as_ref() != Some(before));
        self.handing.former.extend(before);
        self.handing
            .former
            .rotate_right(1.min(self.handing.former.len()));
        self.handing.former.truncate(FORMER);
        self.order_rotation();
        self.handing.queue.clear();
        let here: Vec<_> = self.players.keys().copied().collect();
        here.into_iter().for_each(|peer| self.hand_key_to(peer));
        self.without_key()
    }

    /// Hands the room's key to somebody who may have come in by the one before.
    pub(super) fn hand_key_to(&mut self, peer_id: PeerId) {
        let (Some(new), Some(player)) = (&self.key, self.players.get(&peer_id)) else {
            return;
        };
        let Some(challenge) = player.takes_keys.filter(|_| self.can_hand_out()) else {
            return;
        };
        let handover = |before: &RoomKey| Handover {
            peer_id,
            client: player.mac,
            challenge,
            before: before.clone(),
            new: new.clone(),
        };
        let handovers: Vec<_> = self.handing.former.iter().map(handover).collect();
        self.handing.queue.extend(handovers);
    }

    /// What is to be handed out next, when there are no orders.
    pub(crate) fn poll_handover(&mut self) -> Option<Handover> {
        self.handing.queue.pop_front()
    }

    pub(super) fn forget_handovers(&mut self) {
        self.handing.queue.clear();
        self.handing.is_carried = false;
    }

    /// Players believe in a host whom their invite names.
    fn can_hand_out(&self) -> bool {
        self.handing.is_carried && self.room.host.is_some()
    }

    /// Who has not got the key, and what that means.
    fn without_key(&self) -> String {
        let can = self.can_hand_out();
        let without: Vec<&Present> = self
            .players
            .values()
            .filter(|player| !can || player.takes_keys.is_none())
            .collect();
        let needs = "after a link that was lost for longer than some seconds";
        match (&without[..], self.players.is_empty()) {
            (_, true) => String::new(),
            ([], _) => " Those inside have got it over their links.".to_owned(),
            (_, _) if !can => format!(
                " The relay or the room is too old to hand it to those inside: each of them needs the new invite {needs}."
            ),
            (without, _) => {
                let names =
                    without
                        .iter()
                        .take(NAMED)
                        .map(|player| match self.shown_name(player) {
                            Some(name) => format!("{name} ({})", player.mac),
                            None => player.mac.to_string(),
                        });
                let names: Vec<_> = names.collect();
                let more = match without.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!(
                    " Those inside have got it over their links, but not {}{more}, whose programs are too old: they need the new invite {needs}.",
                    names.join(", ")
                )
            }
        }
    }
}
