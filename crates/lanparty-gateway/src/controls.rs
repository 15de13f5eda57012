//! The host's wishes: what becomes of each, and what must be said again when the gateway comes back.
//!
//! Pure: requests and the relay's messages come in, answers and orders to the relay come out.

mod bans;
mod handover;
mod mark;
mod names;
mod reach;
mod requests;
#[cfg(test)]
mod tests;
mod wishes;

pub(crate) use names::Present;
pub(crate) use wishes::Wishes;

use crate::bridge::Orders;
use crate::reach::Wanted;
use handover::Handing;
use lanparty_ctrl::message::PeerLeft;
use lanparty_ctrl::message::{PeerJoined, Welcome};
use lanparty_ctrl::orders::{Members, Person};
use lanparty_ctrl::{
    HOST_CONTROLS, HostOrder, LeaveReason, NEW_KEYS, Name, RelayMessage, RoomKey, Text,
};
use lanparty_games::{Game, Host};
use lanparty_gateway_control::{Attempt, Ban, InviteFacts, Player, Players, Way};
use lanparty_obs::PeerStats;
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use lanparty_switch::reach::Policy;
use mark::Mark;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

pub(crate) const NO_LINK: &str =
    "the gateway is not connected to its relay now; try again when it says that it is";
const LATER: &str = " That will hold when the gateway is connected again.";
pub(crate) const OLD_RELAY: &str =
    "the relay is too old to follow a host's orders; ask its operator to update it";
pub(crate) const OPEN: &str = "the room is open, so there is no key to change; make an invite with \
    `lanparty-gateway invite`, then restart the gateway";
const UNKNOWN: &str = "this gateway does not know that order; use a view of its own version";
const NO_KEY: &str = "that is no room key; use a ctl of the same version as the gateway";

/// How many of those who have left can still be banned by their names.
const REMEMBERED: usize = 64;

/// The host's side of a room.
pub(crate) struct Controls {
    room: InviteFacts,
    /// What the party is called, where the host has not renamed it since.
    called: Option<Text>,
    is_keyed: bool,
    link: Link,
    players: BTreeMap<PeerId, Present>,
    /// Who left last, latest first.
    gone: VecDeque<Present>,
    /// Who was in when the link was lost; empty while there is one.
    cut_off: BTreeSet<VirtualMac>,
    /// Who of them goes on playing by a direct path, and whom of those the host has sent out.
    staying: BTreeSet<VirtualMac>,
    sent_out: Vec<VirtualMac>,
    wishes: Wishes,
    /// Why the wishes of before are not known, if they are not.
    forgot: Option<String>,
    /// What of them is left out, as it is too much.
    surplus: Option<String>,
    /// What was ordered since, of what a host who has forgotten leaves as it is otherwise.
    since: Since,
    /// Who was muted and is not any more; the relay may have missed that.
    unmuted: BTreeSet<Person>,
    /// The room's key, once the host has changed it; before that it is the configuration's.
    key: Option<RoomKey>,
    /// What is handed to those inside when it changes.
    handing: Handing,
    /// How the link does, and what was carried.
    stats: PeerStats,
    /// Which games the bridge has heard of, and when it said so.
    games: Vec<Game>,
    games_at: Option<Instant>,
    /// What players may reach: as configured, and by the wishes.
    configured: Policy,
    wanted: Wanted,
    /// True once something is wanted of the bridge that it was not before.
    has_new_wishes: bool,
    /// What the bridge has refused of late.
    attempts: Vec<Attempt>,
    /// What has come of the answer about the members.
    listed: Players,
    /// What the last hello said of the standing orders.
    greeted: Option<Vec<HostOrder>>,
    orders: VecDeque<HostOrder>,
}

#[derive(Debug, Default)]
struct Since {
    lock: bool,
    isolate: bool,
    reach: bool,
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
    pub(crate) fn new(room: InviteFacts, is_keyed: bool, mut wishes: Wishes) -> Self {
        Controls {
            surplus: wishes.trim(),
            room,
            called: None,
            is_keyed,
            link: Link::Down,
            players: BTreeMap::new(),
            gone: VecDeque::new(),
            cut_off: BTreeSet::new(),
            staying: BTreeSet::new(),
            sent_out: Vec::new(),
            wishes,
            forgot: None,
            since: Since::default(),
            unmuted: BTreeSet::new(),
            key: None,
            handing: Handing::default(),
            stats: PeerStats::default(),
            games: Vec::new(),
            games_at: None,
            configured: Policy::default(),
            wanted: Wanted::default(),
            has_new_wishes: false,
            attempts: Vec::new(),
            listed: Players::default(),
            greeted: None,
            orders: VecDeque::new(),
        }
    }

    /// The same where the wishes of before cannot be read; `why` is a sentence for the host. What the relay
    /// knows of them stays in force.
    pub(crate) fn forgetful(room: InviteFacts, is_keyed: bool, why: String) -> Self {
        Controls {
            forgot: Some(why),
            ..Self::new(room, is_keyed, Wishes::default())
        }
    }

    /// Invites say from now on that the relay is there, and also there.
    pub(crate) fn note_place(&mut self, relay: String, also: Vec<SocketAddr>) {
        self.room.relay = relay;
        self.room.also = also;
    }

    /// The same of a party that is called so, unless the host has renamed it.
    pub(crate) fn called(mut self, name: Option<Text>) -> Self {
        self.called = name;
        self
    }

    /// Sentences for a host at the start: what was ordered before, or that this is not known.
    pub(crate) fn reminders(&self) -> impl Iterator<Item = String> {
        let forgot = self.forgot.clone().or_else(|| self.surplus.clone());
        forgot.into_iter().chain(self.wishes.reminder())
    }

    /// What the host wants still, for the hello.
    pub(crate) fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// False while the host wants something that the relay does not know of.
    pub(crate) fn are_followed(&self) -> bool {
        self.wishes.need_no_relay() || self.link != (Link::Up { obeys: false })
    }

    /// What of them the gateway sees to itself, beside its relay.
    pub(crate) fn orders_here(&self) -> Orders {
        Orders {
            muted: self.wishes.muted.clone(),
            banned: self.wishes.banned.iter().map(|ban| ban.who).collect(),
            isolated: self.wishes.isolated,
        }
    }

    /// True for who goes on playing although no relay says that it is in.
    pub(crate) fn stays(&self, mac: VirtualMac) -> bool {
        self.staying.contains(&mac)
    }

    /// These go on playing by direct paths although no relay says that they are in.
    pub(crate) fn note_staying(&mut self, players: impl Iterator<Item = VirtualMac>) {
        self.staying = players.collect();
    }

    /// Whom of those the host has sent out since this was asked last.
    pub(crate) fn take_sent_out(&mut self) -> Vec<VirtualMac> {
        std::mem::take(&mut self.sent_out)
    }

    /// True once after something else is wanted of the gateway itself.
    pub(crate) fn take_new_wishes(&mut self) -> bool {
        std::mem::take(&mut self.has_new_wishes)
    }

    /// The same as orders, whole: the relay may be a new one, or have missed some.
    pub(crate) fn standing_orders(&self) -> Vec<HostOrder> {
        let mut orders = self.wishes.orders();
        if self.forgot.is_some() {
            // The relay knows more of the rest.
            orders.retain(|order| match order {
                HostOrder::Lock { .. } => self.since.lock,
                HostOrder::Isolate { .. } => self.since.isolate,
                _ => false,
            });
        }
        orders
    }

    /// The same for a hello.
    pub(crate) fn greeting_orders(&mut self) -> Vec<HostOrder> {
        let orders = self.standing_orders();
        self.greeted = Some(orders.clone());
        orders
    }

    /// The link stands.
    pub(crate) fn handle_welcome(&mut self, welcome: &Welcome) {
        self.handle_lost_link();
        let obeys = welcome
            .capabilities
            .iter()
            .any(|name| name == HOST_CONTROLS);
        self.link = Link::Up { obeys };
        self.handing.is_carried = welcome.capabilities.iter().any(|name| name == NEW_KEYS);
        self.cut_off.clear();
        // The host may have changed these after the hello was made.
        self.order_rotation();
        if let Some(greeted) = self.greeted.take() {
            let mut changed = self.standing_orders();
            changed.retain(|order| !greeted.contains(order));
            changed.into_iter().for_each(|order| self.order(order));
        }
    }

    /// The link is gone, and everybody with it.
    pub(crate) fn handle_lost_link(&mut self) {
        self.link = Link::Down;
        for player in std::mem::take(&mut self.players).into_values() {
            self.cut_off.insert(player.mac);
            self.remember(player);
        }
        self.orders.clear();
        self.forget_handovers();
    }

    /// The relay says who came and went, or has told of all members; then that is `Some`.
    pub(crate) fn handle_control(&mut self, message: &RelayMessage) -> Option<Players> {
        match message {
            RelayMessage::PeerJoined(joined) => self.greet(joined),
            RelayMessage::PeerLeft(left) => self.part_from(left),
            RelayMessage::Members(members) => return self.note(members),
            RelayMessage::Welcome(_)
            | RelayMessage::Vouched(_)
            | RelayMessage::NewKey(_)
            | RelayMessage::Reject(_)
            | RelayMessage::Notice(_)
            | RelayMessage::Pings(_)
            | RelayMessage::Meet(_)
            | RelayMessage::Go(_)
            | RelayMessage::NoMeeting(_)
            | RelayMessage::Seen(_)
            | RelayMessage::Entered(_)
            | RelayMessage::Found(_)
            | RelayMessage::Redirect(_)
            | RelayMessage::Moved(_)
            | RelayMessage::Silence(_)
            | RelayMessage::NotPlaced(_)
            | RelayMessage::Disconnect(_) => {}
        }
        None
    }

    /// Who is in the room.
    pub(crate) fn players(&self) -> impl Iterator<Item = (PeerId, &Present)> {
        self.players.iter().map(|(&peer, player)| (peer, player))
    }

    /// The player with this number.
    pub(crate) fn player(&self, peer: PeerId) -> Option<&Present> {
        self.players.get(&peer)
    }

    /// Who is banned.
    pub(crate) fn banned(&self) -> &[Ban] {
        &self.wishes.banned
    }

    /// True while the host wants nobody new in.
    pub(crate) fn locks(&self) -> bool {
        self.wishes.guests.is_some()
    }

    /// Whether players are to hear nothing of each other.
    pub(crate) fn keeps_apart(&self) -> bool {
        self.wishes.isolated
    }

    /// True for somebody who is muted, also where the relay has not heard of it yet.
    pub(crate) fn mutes(&self, player: &Present) -> bool {
        self.wishes.muted.contains(&player.person())
    }

    /// Which room it is.
    pub(crate) fn room(&self) -> &InviteFacts {
        &self.room
    }

    /// False for a room that is open to whoever knows its code.
    pub(crate) fn is_keyed(&self) -> bool {
        self.is_keyed
    }

    /// True while the link stands, to a relay that follows orders.
    pub(crate) fn is_obeyed(&self) -> bool {
        self.link == (Link::Up { obeys: true })
    }

    /// True while the link stands, to a relay that is too old for that.
    pub(crate) fn has_old_relay(&self) -> bool {
        self.link == (Link::Up { obeys: false })
    }

    /// Why the wishes of before are not known, or not all of them in force.
    pub(crate) fn forgotten(&self) -> Option<&str> {
        self.forgot.as_deref().or(self.surplus.as_deref())
    }

    /// Asks the relay for the members; [`Self::handle_control`] has them when they have come.
    pub(crate) fn ask_for_members(&mut self) {
        self.listed = Players::default();
        self.order(HostOrder::Members);
    }

    /// The key that the host has given the room since the start.
    pub(crate) fn new_key(&self) -> Option<&RoomKey> {
        self.key.as_ref()
    }

    /// How many players are in.
    pub(crate) fn player_count(&self) -> usize {
        self.players.len()
    }

    /// The bridge has counted so much.
    pub(crate) fn note_stats(&mut self, stats: &PeerStats) {
        self.stats.clone_from(stats);
    }

    /// The bridge has heard of these games.
    pub(crate) fn note_games(&mut self, now: Instant, games: Vec<Game>) {
        self.games = games;
        self.games_at = Some(now);
    }

    /// Time has passed, in which the bridge may have said nothing: games are as old as they are now.
    pub(crate) fn age_games(&mut self, now: Instant) {
        let Some(noted_at) = self.games_at.replace(now) else {
            return;
        };
        let by = now.saturating_duration_since(noted_at);
        let games = std::mem::take(&mut self.games).into_iter();
        self.games = games.filter_map(|game| game.aged(by)).collect();
    }

    /// What the bridge has heard of, with the names of players.
    pub(crate) fn games(&self) -> Vec<Game> {
        let mut games = self.games.clone();
        for game in &mut games {
            if let Some(Host::Player(who)) = &mut game.host
                && let Some(name) = self.name_of(game.mac)
            {
                *who = name.to_string();
            }
        }
        games
    }

    fn name_of(&self, mac: Option<MacAddr>) -> Option<&Name> {
        let mac = mac?;
        let mut players = self.players.values();
        let player = players.find(|player| player.mac.addr() == mac)?;
        self.shown_name(player)
    }

    /// The room has another key from now on, which is kept already. Answers what else the host should know.
    pub(crate) fn renew_key(&mut self, key: RoomKey) -> String {
        let inside = self.change_key(key);
        match self.link {
            Link::Down => LATER.to_owned(),
            Link::Up { .. } => inside,
        }
    }

    /// What is to be said to the relay next.
    pub(crate) fn poll_order(&mut self) -> Option<HostOrder> {
        self.orders.pop_front()
    }

    fn order(&mut self, order: HostOrder) {
        // Also what no relay hears now.
        self.has_new_wishes |= matches!(
            order,
            HostOrder::Ban { .. } | HostOrder::Mute { .. } | HostOrder::Isolate { .. }
        );
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
            takes_keys: handover::taken_by(joined),
        };
        let person = player.person();
        let muted = self.wishes.muted.contains(&person);
        self.players.insert(joined.peer_id, player);
        self.hand_key_to(joined.peer_id);
        if muted || self.unmuted.contains(&person) {
            self.order(HostOrder::Mute {
                peer_id: joined.peer_id,
                muted,
            });
        }
        // The relay lets nobody in whom a lock keeps out, so whoever comes may come again. Who came before the relay heard
        // of the lock and has left since is no guest there.
        if self.wishes.welcome_back(mac) {
            self.order(self.wishes.lock());
        }
    }

    fn part_from(&mut self, left: &PeerLeft) {
        let Some(player) = self.players.remove(&left.peer_id) else {
            return;
        };
        // By the relay's operator too, whose lock no longer lets it in.
        if let (LeaveReason::Kicked, Some(guests)) = (left.reason, &mut self.wishes.guests) {
            guests.remove(&player.mac);
        }
        self.remember(player);
    }

    fn remember(&mut self, player: Present) {
        self.gone.retain(|other| other.mac != player.mac);
        self.gone.push_front(player);
        self.gone.truncate(REMEMBERED);
    }

    fn note(&mut self, part: &Members) -> Option<Players> {
        let known = part.members.iter().filter_map(|member| {
            let player = self.players.get(&member.peer_id)?;
            Some(Player {
                mac: player.mac,
                name: self.shown_name(player).cloned(),
                identity: player.identity,
                way: Way::default(),
                ping_us: None,
                member: member.clone(),
            })
        });
        let known: Vec<_> = known.collect();
        self.listed.players.extend(known);
        self.listed.locked = part.locked;
        self.listed.isolated = part.isolated;
        self.listed.drops.add_all(&part.drops);
        self.listed.games = self.games.len();
        part.last.then(|| std::mem::take(&mut self.listed))
    }
}

/// What `ctl` may hear instead of an answer, for the page that explains it.
#[cfg(test)]
pub(crate) fn refusals() -> Vec<lanparty_told::Told> {
    let told = |sentence: String, means, remedy| lanparty_told::Told {
        sentence,
        means,
        remedy,
    };
    let own = vec![
        told(
            NO_LINK.to_owned(),
            "The relay is away just now.",
            "Wait for the gateway's sentence.",
        ),
        told(
            OLD_RELAY.to_owned(),
            "The relay is of a version before orders.",
            "Its operator updates it.",
        ),
        told(
            OPEN.to_owned(),
            "Whoever knows the code may join such a room.",
            "Make an invite first.",
        ),
        told(
            NO_KEY.to_owned(),
            "`ctl` and the gateway are of different versions.",
            "The same version of both.",
        ),
        told(
            requests::FULL_OF_MUTED.to_owned(),
            "The list has an end.",
            "Unmute somebody.",
        ),
        told(
            absent("bert"),
            "Nobody of that name, MAC or key is in.",
            "Look in the list.",
        ),
        told(
            ambiguous("bert"),
            "Several have that name.",
            "The MAC address from the list.",
        ),
        told(
            UNKNOWN.to_owned(),
            "`ctl` or the page is newer than the gateway.",
            "The same version of both.",
        ),
    ];
    own.into_iter()
        .chain(bans::refusals())
        .chain(names::refusals())
        .chain(reach::refusals())
        .collect()
}

fn absent(who: &str) -> String {
    format!("no player {who:?} is in the room; `lanparty-gateway ctl list` shows who is")
}

fn ambiguous(who: &str) -> String {
    format!("several players are called {who:?}; name one by the MAC address")
}
