//! The host's wishes: what becomes of each, and what must be said again when the gateway comes back.
//!
//! Pure: requests and the relay's messages come in, answers and orders to the relay come out.

mod bans;
mod mark;
mod reach;
#[cfg(test)]
mod tests;
mod wishes;

pub(crate) use wishes::Wishes;

use crate::reach::Wanted;
use lanparty_ctrl::message::{PeerJoined, Welcome};
use lanparty_ctrl::orders::{MAX_GUESTS, Members, Person};
use lanparty_ctrl::{
    Fingerprint, HOST_CONTROLS, HostOrder, LeaveReason, Name, Notice, RelayMessage, RoomKey,
};
use lanparty_games::{Game, Host};
use lanparty_gateway_control::{Answer, Attempt, InviteFacts, Player, Players, Request};
use lanparty_obs::PeerStats;
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use lanparty_switch::reach::Policy;
use mark::Mark;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;
use wishes::MAX_MUTED;

const NO_LINK: &str =
    "the gateway is not connected to its relay now; try again when it says that it is";
const LATER: &str = " That will hold when the gateway is connected again.";
const FULL_OF_MUTED: &str =
    "as many players are muted as there can be; `lanparty-gateway ctl unmute` one first";
const OLD_RELAY: &str =
    "the relay is too old to follow a host's orders; ask its operator to update it";
const OPEN: &str = "the room is open, so there is no key to change; make an invite with \
    `lanparty-gateway invite`, then restart the gateway";
const UNKNOWN: &str = "this gateway does not know that order; use a view of its own version";
const NO_KEY: &str = "that is no room key; use a ctl of the same version as the gateway";

/// How many of those who have left can still be banned by their names.
const REMEMBERED: usize = 64;

/// The host's side of a room.
pub(crate) struct Controls {
    room: InviteFacts,
    is_keyed: bool,
    link: Reach,
    players: BTreeMap<PeerId, Present>,
    /// Who left last, latest first.
    gone: VecDeque<Present>,
    /// Who was in when the link was lost; empty while there is one.
    cut_off: BTreeSet<VirtualMac>,
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
    /// How the link does, and what was carried.
    stats: PeerStats,
    /// Which games the bridge has heard of, and when it said so.
    games: Vec<Game>,
    games_at: Option<Instant>,
    /// What players may reach: as configured, and by the wishes.
    configured: Policy,
    wanted: Wanted,
    has_new_reach: bool,
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

    fn is_called(&self, mark: Mark<'_>) -> bool {
        mark.is_of(self.person()) || mark == Mark::Mac(self.mac) || mark.is_name(self.name.as_ref())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
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
            is_keyed,
            link: Reach::Down,
            players: BTreeMap::new(),
            gone: VecDeque::new(),
            cut_off: BTreeSet::new(),
            wishes,
            forgot: None,
            since: Since::default(),
            unmuted: BTreeSet::new(),
            key: None,
            stats: PeerStats::default(),
            games: Vec::new(),
            games_at: None,
            configured: Policy::default(),
            wanted: Wanted::default(),
            has_new_reach: false,
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
        self.wishes == Wishes::default() || self.link != (Reach::Up { obeys: false })
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
        self.link = Reach::Up { obeys };
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
        self.link = Reach::Down;
        for player in std::mem::take(&mut self.players).into_values() {
            self.cut_off.insert(player.mac);
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
                    // By the relay's operator too, whose lock no longer lets it in.
                    if let (LeaveReason::Kicked, Some(guests)) =
                        (left.reason, &mut self.wishes.guests)
                    {
                        guests.remove(&player.mac);
                    }
                    self.remember(player);
                }
            }
            RelayMessage::Members(members) => return self.note(members),
            RelayMessage::Welcome(_)
            | RelayMessage::Vouched(_)
            | RelayMessage::NewKey(_)
            | RelayMessage::Reject(_)
            | RelayMessage::Notice(_)
            | RelayMessage::Pings(_)
            | RelayMessage::Disconnect(_) => {}
        }
        None
    }

    /// The player with this number.
    pub(crate) fn player(&self, peer: PeerId) -> Option<VirtualMac> {
        self.players.get(&peer).map(|player| player.mac)
    }

    /// How the host calls whom a notice is about, if that is somebody.
    pub(crate) fn meant_by(&self, notice: &Notice) -> Option<String> {
        let member = notice.peer_id.and_then(|peer| self.players.get(&peer));
        let stranger = || Some((notice.mac?, notice.name.as_ref()));
        let (mac, name) = member
            .map(|player| (player.mac, player.name.as_ref()))
            .or_else(stranger)?;
        Some(name.map_or_else(|| mac.to_string(), |name| format!("{name} ({mac})")))
    }

    /// The key that the host has given the room since the start.
    pub(crate) fn new_key(&self) -> Option<&RoomKey> {
        self.key.as_ref()
    }

    /// Does what the host wants. Without an answer it comes from the relay.
    pub(crate) fn handle_request(&mut self, request: Request) -> Option<Answer> {
        if let Some(why) = self.forgot.as_ref().filter(|_| is_about_bans(&request)) {
            return Some(Answer::Refused(why.clone()));
        }
        let answer = match self.link {
            _ if matches!(request, Request::Bans) => Ok(Some(self.bans())),
            _ if matches!(request, Request::Stats) => Ok(Some(self.stats())),
            _ if matches!(request, Request::Games) => Ok(Some(self.games())),
            _ if reach::is_about(&request) => self.reach(request),
            Reach::Down if is_of_the_moment(&request) => Err(NO_LINK.to_owned()),
            Reach::Up { obeys: false } => Err(OLD_RELAY.to_owned()),
            Reach::Down | Reach::Up { obeys: true } => self.follow(request),
        };
        answer.unwrap_or_else(|refusal| Some(Answer::Refused(refusal)))
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

    /// Players are called what they call themselves.
    fn games(&self) -> Answer {
        let mut games = self.games.clone();
        for game in &mut games {
            if let Some(Host::Player(who)) = &mut game.host
                && let Some(name) = self.name_of(game.mac)
            {
                *who = name.to_string();
            }
        }
        Answer::Games(games)
    }

    fn name_of(&self, mac: Option<MacAddr>) -> Option<&Name> {
        let mac = mac?;
        let mut players = self.players.values();
        let player = players.find(|player| player.mac.addr() == mac)?;
        player.name.as_ref()
    }

    fn stats(&self) -> Answer {
        Answer::Stats(Box::new(self.stats.clone()))
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
            Request::Stats => return Ok(Some(self.stats())),
            Request::Games => return Ok(Some(self.games())),
            Request::Lock { on } => self.lock(on),
            Request::Mute { who, on: true } => self.mute(&who)?,
            Request::Mute { who, on: false } => self.unmute(&who)?,
            Request::Isolate { on } => self.isolate(on),
            Request::InviteFacts if self.is_keyed => {
                return Ok(Some(Answer::InviteFacts(self.room.clone())));
            }
            Request::InviteFacts => return Err(OPEN.to_owned()),
            Request::Rotate { key } => self.rotate(&key)?,
            Request::Snapshot
            | Request::NewKey
            | Request::Invite { .. }
            | Request::Rename { .. }
            | Request::Reach { .. }
            | Request::Reaches
            | Request::Allow { .. }
            | Request::Disallow { .. } => return Err(UNKNOWN.to_owned()),
        };
        let later = match self.link {
            Reach::Down => LATER,
            Reach::Up { .. } => "",
        };
        Ok(Some(Answer::Done(done + later)))
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
        let was_on = self.wishes.guests.is_some();
        let here = self.players.values().map(|player| player.mac);
        let members = here.chain(self.cut_off.iter().copied());
        self.wishes.guests = on.then(|| members.take(MAX_GUESTS).collect());
        self.since.lock = true;
        self.order(self.wishes.lock());
        match (was_on, on) {
            (false, true) => "The room is locked: nobody new comes in.".to_owned(),
            (true, true) => {
                "The room was locked already: nobody new comes in, and who is in now may come back."
                    .to_owned()
            }
            (true, false) => "The room is unlocked.".to_owned(),
            (false, false) => "The room was not locked.".to_owned(),
        }
    }

    /// Also somebody who has left, and may come back.
    fn mute(&mut self, who: &str) -> Result<String, String> {
        let mut found = Mark::all(who).filter_map(|mark| self.known(mark, who).transpose());
        let player = found.next().unwrap_or_else(|| Err(absent(who)))?;
        let (mac, person) = (player.mac, player.person());
        let here = self.players.iter().find(|(_, one)| one.mac == mac);
        let here = here.map(|(&peer_id, _)| peer_id);
        if self.wishes.muted.len() >= MAX_MUTED && !self.wishes.muted.contains(&person) {
            return Err(FULL_OF_MUTED.to_owned());
        }
        let was_muted = !self.wishes.muted.insert(person);
        self.unmuted.remove(&person);
        let Some(peer_id) = here else {
            return Ok(format!(
                "{mac} will be muted: what it says to everybody will be dropped."
            ));
        };
        self.order(HostOrder::Mute {
            peer_id,
            muted: true,
        });
        Ok(match was_muted {
            false => format!("{mac} is muted: what it says to everybody is dropped."),
            true => format!("{mac} was muted already: what it says to everybody is dropped."),
        })
    }

    /// Also somebody who is not there, and would be muted again.
    fn unmute(&mut self, who: &str) -> Result<String, String> {
        for mark in Mark::all(who) {
            if let Some((peer_id, player)) = self.present(mark, who)? {
                let was_muted = self.wishes.muted.remove(&player.person());
                self.unmuted.insert(player.person());
                self.order(HostOrder::Mute {
                    peer_id,
                    muted: false,
                });
                return Ok(match was_muted {
                    true => format!("{} is heard again.", player.mac),
                    false => format!("{} was not muted.", player.mac),
                });
            }
            let gone = self.gone.iter().filter(|one| one.is_called(mark));
            let gone: Vec<_> = gone.map(Present::person).collect();
            let muted = self.wishes.muted.iter().copied();
            let meant = muted.filter(|&one| mark.is_of(one) || gone.contains(&one));
            match meant.collect::<Vec<_>>()[..] {
                [] => {}
                [person] => {
                    self.wishes.muted.remove(&person);
                    self.unmuted.insert(person);
                    return Ok(format!("{who} will be heard again."));
                }
                [..] => return Err(ambiguous(who)),
            }
        }
        Err(absent(who))
    }

    /// Whether players are to hear nothing of each other.
    pub(crate) fn keeps_apart(&self) -> bool {
        self.wishes.isolated
    }

    fn isolate(&mut self, on: bool) -> String {
        let was_on = std::mem::replace(&mut self.wishes.isolated, on);
        self.since.isolate = true;
        self.order(self.wishes.isolate());
        match (was_on, on) {
            (false, true) => "Players reach the LAN and not each other.".to_owned(),
            (true, true) => {
                "Players were kept apart already: they reach the LAN and not each other.".to_owned()
            }
            (true, false) => "Players reach each other again.".to_owned(),
            (false, false) => "Players were not kept apart.".to_owned(),
        }
    }

    fn rotate(&mut self, key: &str) -> Result<String, String> {
        if !self.is_keyed {
            return Err(OPEN.to_owned());
        }
        let key: RoomKey = key.parse().map_err(|_| NO_KEY.to_owned())?;
        self.key = Some(key);
        self.order_rotation();
        Ok(
            "The room has a new key: older invites open it no more, and who is in stays."
                .to_owned(),
        )
    }

    fn order_rotation(&mut self) {
        if let Some(key) = &self.key {
            let admission_key = key.admission_key();
            self.order(HostOrder::Rotate { admission_key });
        }
    }

    fn find(&self, who: &str) -> Result<(PeerId, Present), String> {
        let mut found = Mark::all(who).filter_map(|mark| self.present(mark, who).transpose());
        found.next().unwrap_or_else(|| Err(absent(who)))
    }

    /// The only player in the room whom this marks.
    fn present(&self, mark: Mark<'_>, who: &str) -> Result<Option<(PeerId, Present)>, String> {
        let mut found = self.players.iter().filter(|(_, one)| one.is_called(mark));
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(ambiguous(who)),
            (one, _) => Ok(one.map(|(&peer, player)| (peer, player.clone()))),
        }
    }

    fn order(&mut self, order: HostOrder) {
        if self.link == (Reach::Up { obeys: true }) {
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
        let person = player.person();
        let muted = self.wishes.muted.contains(&person);
        self.players.insert(joined.peer_id, player);
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
        self.listed.drops.add_all(&part.drops);
        self.listed.games = self.games.len();
        let whole = part.last.then(|| std::mem::take(&mut self.listed));
        whole.map(|players| Answer::Players(Box::new(players)))
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
    vec![
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
            FULL_OF_MUTED.to_owned(),
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
    ]
}

/// True for what is about the peers of the moment: without a link it means nobody.
fn is_of_the_moment(request: &Request) -> bool {
    match request {
        Request::List | Request::Kick { .. } => true,
        Request::Ban { .. }
        | Request::Unban { .. }
        | Request::Bans
        | Request::Lock { .. }
        | Request::Mute { .. }
        | Request::Isolate { .. }
        | Request::InviteFacts
        | Request::Rotate { .. }
        | Request::Stats
        | Request::Games
        | Request::Snapshot
        | Request::NewKey
        | Request::Invite { .. }
        | Request::Rename { .. }
        | Request::Reach { .. }
        | Request::Reaches
        | Request::Allow { .. }
        | Request::Disallow { .. } => false,
    }
}

/// True for what goes by the whole list of bans, and changes it.
fn is_about_bans(request: &Request) -> bool {
    matches!(
        request,
        Request::Ban { .. } | Request::Unban { .. } | Request::Bans
    )
}

fn absent(who: &str) -> String {
    format!("no player {who:?} is in the room; `lanparty-gateway ctl list` shows who is")
}

fn ambiguous(who: &str) -> String {
    format!("several players are called {who:?}; name one by the MAC address")
}
