//! The host's wishes: what becomes of each, and what must be said again when the gateway comes back.
//!
//! Pure: requests and the relay's messages come in, answers and orders to the relay come out.

mod bans;
#[cfg(test)]
mod tests;
mod wishes;

pub(crate) use wishes::Wishes;

use crate::ctl::wire::{Answer, Player, Players, Request, Room};
use lanparty_ctrl::host::{Members, Person};
use lanparty_ctrl::message::{PeerJoined, Welcome};
use lanparty_ctrl::{Fingerprint, HOST_CONTROLS, HostOrder, Name, RelayMessage, RoomKey};
use lanparty_proto::{PeerId, VirtualMac};
use std::collections::{BTreeMap, VecDeque};

const NO_LINK: &str =
    "the gateway is not connected to its relay now; try again when it says that it is";
const OLD_RELAY: &str =
    "the relay is too old to follow a host's orders; ask its operator to update it";
const OPEN: &str = "the room is open, so there is no key to change; make an invite with \
    `lanparty-gateway invite`, then restart the gateway";
const NO_KEY: &str = "that is no room key; use a ctl of the same version as the gateway";

/// How many of those who have left can still be banned by their names.
const REMEMBERED: usize = 64;

/// The host's side of a room.
pub(crate) struct Controls {
    room: Room,
    is_keyed: bool,
    link: Link,
    players: BTreeMap<PeerId, Present>,
    /// Who left last, latest first.
    gone: VecDeque<Present>,
    wishes: Wishes,
    new_key: Option<RoomKey>,
    /// What has come of the answer about the members.
    listed: Players,
    orders: VecDeque<HostOrder>,
}

/// A player who is in the room.
#[derive(Debug, Clone)]
struct Present {
    mac: VirtualMac,
    name: Option<Name>,
    identity: Option<Fingerprint>,
}

impl Present {
    fn person(&self) -> Person {
        self.identity
            .map_or(Person::Mac(self.mac), Person::Identity)
    }

    /// True for its MAC, its name, and its fingerprint, whole or as `list` shows it.
    fn is_called(&self, who: &str) -> bool {
        let identity = self.identity.map(|identity| identity.to_string());
        is_called(who, Some(self.mac), self.name.as_ref(), identity.as_deref())
    }
}

/// Whether `who` means somebody of whom this is known.
fn is_called(
    who: &str,
    mac: Option<VirtualMac>,
    name: Option<&Name>,
    identity: Option<&str>,
) -> bool {
    let is_mac = mac.is_some() && who.parse().ok() == mac;
    let is_name = name.is_some_and(|name| name.as_str() == who);
    let is_key = who.len() >= Fingerprint::SHORT_LEN
        && identity.is_some_and(|identity| identity.starts_with(who));
    is_mac || is_name || is_key
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Down,
    /// To a relay that follows orders, or does not know them.
    Up {
        obeys: bool,
    },
}

impl Controls {
    /// The wishes of before. `is_keyed` says whether the room is for invited people.
    pub(crate) fn new(room: Room, is_keyed: bool, wishes: Wishes) -> Self {
        Controls {
            room,
            is_keyed,
            link: Link::Down,
            players: BTreeMap::new(),
            gone: VecDeque::new(),
            wishes,
            new_key: None,
            listed: Players::default(),
            orders: VecDeque::new(),
        }
    }

    /// What the host wants still, for the hello.
    pub(crate) fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// False while the host wants something that the relay does not know of.
    pub(crate) fn are_followed(&self) -> bool {
        self.wishes == Wishes::default() || self.link != (Link::Up { obeys: false })
    }

    /// The same as orders: the relay may be a new one.
    pub(crate) fn standing_orders(&self) -> Vec<HostOrder> {
        self.wishes.orders()
    }

    /// The link stands.
    pub(crate) fn handle_welcome(&mut self, welcome: &Welcome) {
        self.handle_lost_link();
        let obeys = welcome
            .capabilities
            .iter()
            .any(|name| name == HOST_CONTROLS);
        self.link = Link::Up { obeys };
    }

    /// The link is gone, and everybody with it.
    pub(crate) fn handle_lost_link(&mut self) {
        self.link = Link::Down;
        for player in std::mem::take(&mut self.players).into_values() {
            self.remember(player);
        }
        self.orders.clear();
    }

    /// The relay says who came and went, or answers; then that is `Some`.
    pub(crate) fn handle_control(&mut self, message: &RelayMessage) -> Option<Answer> {
        match message {
            RelayMessage::PeerJoined(joined) => self.greet(joined),
            RelayMessage::PeerLeft(left) => {
                if let Some(player) = self.players.remove(&left.peer_id) {
                    self.remember(player);
                }
            }
            RelayMessage::Members(members) => return self.note(members),
            RelayMessage::Welcome(_) | RelayMessage::Reject(_) | RelayMessage::Disconnect(_) => {}
        }
        None
    }

    /// The player with this number.
    pub(crate) fn player(&self, peer: PeerId) -> Option<VirtualMac> {
        self.players.get(&peer).map(|player| player.mac)
    }

    /// The key that the host has given the room since the start.
    pub(crate) fn new_key(&self) -> Option<&RoomKey> {
        self.new_key.as_ref()
    }

    /// Does what the host wants. Without an answer it comes from the relay.
    pub(crate) fn handle_request(&mut self, request: Request) -> Option<Answer> {
        let answer = match self.link {
            _ if matches!(request, Request::Bans) => Ok(Some(self.bans())),
            Link::Down => Err(NO_LINK.to_owned()),
            Link::Up { obeys: false } => Err(OLD_RELAY.to_owned()),
            Link::Up { obeys: true } => self.follow(request),
        };
        answer.unwrap_or_else(|refusal| Some(Answer::Refused(refusal)))
    }

    /// What is to be said to the relay next.
    pub(crate) fn poll_order(&mut self) -> Option<HostOrder> {
        self.orders.pop_front()
    }

    fn follow(&mut self, request: Request) -> Result<Option<Answer>, String> {
        let done = match request {
            Request::List => {
                self.listed = Players::default();
                self.order(HostOrder::Members);
                return Ok(None);
            }
            Request::Kick { who } => self.kick(&who)?,
            Request::Ban { who } => self.ban(&who)?,
            Request::Unban { who } => self.unban(&who)?,
            Request::Bans => return Ok(Some(self.bans())),
            Request::Lock { on } => self.lock(on),
            Request::Mute { who, on } => self.mute(&who, on)?,
            Request::Isolate { on } => self.isolate(on),
            Request::Room if self.is_keyed => return Ok(Some(Answer::Room(self.room.clone()))),
            Request::Room => return Err(OPEN.to_owned()),
            Request::Rotate { key } => self.rotate(&key)?,
        };
        Ok(Some(Answer::Done(done)))
    }

    fn kick(&mut self, who: &str) -> Result<String, String> {
        let (peer_id, Present { mac, .. }) = self.find(who)?;
        if let Some(guests) = &mut self.wishes.guests {
            guests.remove(&mac);
        }
        self.order(HostOrder::Kick { peer_id });
        Ok(format!("Sent {mac} out of the room."))
    }

    fn lock(&mut self, on: bool) -> String {
        self.wishes.guests = on.then(|| self.players.values().map(|player| player.mac).collect());
        self.order(HostOrder::Lock {
            locked: on,
            also: Vec::new(),
        });
        match on {
            true => "The room is locked: nobody new comes in.".to_owned(),
            false => "The room is unlocked.".to_owned(),
        }
    }

    fn mute(&mut self, who: &str, on: bool) -> Result<String, String> {
        let (peer_id, player) = self.find(who)?;
        let mac = player.mac;
        self.order(HostOrder::Mute { peer_id, muted: on });
        Ok(match on {
            true => {
                self.wishes.muted.insert(player.person());
                format!("{mac} is muted: what it says to everybody is dropped.")
            }
            false => {
                self.wishes.muted.remove(&player.person());
                format!("{mac} is heard again.")
            }
        })
    }

    fn isolate(&mut self, on: bool) -> String {
        self.wishes.isolated = on;
        self.order(HostOrder::Isolate { isolated: on });
        match on {
            true => "Players reach the LAN and not each other.".to_owned(),
            false => "Players reach each other again.".to_owned(),
        }
    }

    fn rotate(&mut self, key: &str) -> Result<String, String> {
        if !self.is_keyed {
            return Err(OPEN.to_owned());
        }
        let key: RoomKey = key.parse().map_err(|_| NO_KEY.to_owned())?;
        self.order(HostOrder::Rotate {
            admission_key: key.admission_key(),
        });
        self.new_key = Some(key);
        Ok(
            "The room has a new key: older invites open it no more, and who is in stays."
                .to_owned(),
        )
    }

    fn find(&self, who: &str) -> Result<(PeerId, Present), String> {
        let mut found = self.players.iter().filter(|(_, one)| one.is_called(who));
        match (found.next(), found.next()) {
            (Some((&peer, player)), None) => Ok((peer, player.clone())),
            (Some(_), Some(_)) => Err(ambiguous(who)),
            (None, _) => Err(format!(
                "no player {who:?} is in the room; `lanparty-gateway ctl list` shows who is"
            )),
        }
    }

    fn order(&mut self, order: HostOrder) {
        if self.link == (Link::Up { obeys: true }) {
            self.orders.push_back(order);
        }
    }

    fn greet(&mut self, joined: &PeerJoined) {
        let Some(mac) = joined.mac else { return };
        let player = Present {
            mac,
            name: joined.name.clone(),
            identity: joined.identity,
        };
        let is_muted = self.wishes.muted.contains(&player.person());
        self.players.insert(joined.peer_id, player);
        if is_muted {
            self.order(HostOrder::Mute {
                peer_id: joined.peer_id,
                muted: true,
            });
        }
        // The relay lets nobody in whom a lock keeps out, so whoever comes may come again.
        if let Some(guests) = &mut self.wishes.guests {
            guests.insert(mac);
        }
    }

    fn remember(&mut self, player: Present) {
        self.gone.retain(|other| other.mac != player.mac);
        self.gone.push_front(player);
        self.gone.truncate(REMEMBERED);
    }

    fn note(&mut self, part: &Members) -> Option<Answer> {
        let known = part.members.iter().filter_map(|member| {
            let player = self.players.get(&member.peer_id)?;
            Some(Player {
                mac: player.mac,
                name: player.name.clone(),
                identity: player.identity,
                member: member.clone(),
            })
        });
        let known: Vec<_> = known.collect();
        self.listed.players.extend(known);
        self.listed.locked = part.locked;
        self.listed.isolated = part.isolated;
        let whole = part.last.then(|| std::mem::take(&mut self.listed));
        whole.map(Answer::Players)
    }
}

fn ambiguous(who: &str) -> String {
    format!("several players are called {who:?}; name one by the MAC address")
}
