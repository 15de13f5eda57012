//! The direct paths of one peer, those that are being made, and what is known of why there is none.

use super::enter::{Caller, NotIn};
use super::link::DoorLink;
use super::meetings::Meetings;
use super::nat::{Finding, Nat};
use super::retired::{Retired, is_same_pair};
use super::why::{self, not_direct};
use super::{Door, Standing};
use crate::link::QueueDeaths;
use crate::peer::PeerCore;
use crate::ways::{Quality, Trial};
use lanparty_ctrl::Pin;
use lanparty_ctrl::door::Meet;
use lanparty_obs::{NotDirect, Way, Ways};
use lanparty_proto::{DatagramBudget, PeerId, RoomId, VirtualMac};
use lanparty_quic::tls::Identity;
use lanparty_quic::{CloseCode, Connection, Endpoint};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How long a path goes on of which nobody knows whether the other one may still have it.
pub(crate) const ORPHANED: Duration = Duration::from_secs(60);
/// Of how many players it is kept what their paths were worth.
const MAX_TRIALS: usize = 256;
/// How long a goodbye may take.
const DRAIN: Duration = Duration::from_millis(250);
/// How many handshakes a meeting's guest may begin.
pub(super) const HANDSHAKES: u8 = 2;

/// What tasks have to tell.
pub(crate) struct News(pub(super) Told);

pub(super) enum Told {
    /// A player has tried to get in.
    Tried(Tried),
    /// Somebody is at the gateway's door.
    Came(Box<Caller>),
    /// What our NAT does, to the question of this number.
    Found(u64, Option<Finding>),
}

/// What came of it.
pub(super) struct Tried {
    pub(super) door: Door,
    pub(super) round: u32,
    pub(super) connection: Result<(Connection, Endpoint), NotIn>,
}

/// The room in which others are met, while the relay's link stands.
pub(crate) struct At {
    pub(super) endpoint: Endpoint,
    pub(super) relay: SocketAddr,
    pub(super) own_id: PeerId,
    pub(super) room_id: RoomId,
    /// From where the gateway punches with whom a round is under way, until it is called.
    pub(super) punches: Option<(PeerId, mpsc::Receiver<SocketAddr>)>,
    /// Let strangers in as long as this is there.
    _accepting: JoinSet<()>,
}

/// All of them.
pub(crate) struct Doors {
    pub(super) is_gateway: bool,
    pub(super) at: Option<At>,
    pub(super) meetings: Meetings,
    links: BTreeMap<VirtualMac, DoorLink>,
    /// What these have taken the place of.
    retired: Retired,
    /// What earlier paths were found to be worth.
    trials: BTreeMap<VirtualMac, Trial>,
    /// Between others and the relay, as it says.
    rtts: BTreeMap<PeerId, Duration>,
    /// Meetings with those of whom the core does not know yet who they are.
    pub(super) held: BTreeMap<PeerId, Meet>,
    /// Why there is no path to this one.
    pub(super) whys: BTreeMap<PeerId, NotDirect>,
    pub(super) tasks: JoinSet<()>,
    pub(super) news: mpsc::Sender<News>,
    /// A gateway's, made when it is needed.
    identity: Option<Arc<Identity>>,
    /// Where the relay was told that we are.
    pub(super) told: Vec<SocketAddr>,
    /// What is known of the NAT in front of us.
    pub(super) nat: Nat,
    deaths: QueueDeaths,
}

impl Doors {
    pub(crate) fn new(is_gateway: bool, news: mpsc::Sender<News>) -> Self {
        Doors {
            is_gateway,
            at: None,
            meetings: Meetings::new(is_gateway),
            links: BTreeMap::new(),
            retired: Retired::default(),
            trials: BTreeMap::new(),
            rtts: BTreeMap::new(),
            held: BTreeMap::new(),
            whys: BTreeMap::new(),
            tasks: JoinSet::new(),
            news,
            identity: None,
            told: Vec::new(),
            nat: Nat::default(),
            deaths: QueueDeaths::default(),
        }
    }

    /// True while no path stands.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// True while frames go by one of them.
    pub(crate) fn is_used(&self) -> bool {
        self.links.values().any(DoorLink::is_taken)
    }

    /// This player's path, if frames go there.
    pub(crate) fn taken(&mut self, player: VirtualMac) -> Option<&mut DoorLink> {
        self.links.get_mut(&player).filter(|link| link.is_taken())
    }

    /// All that are read, the older ones first.
    pub(crate) fn links_mut(&mut self) -> impl Iterator<Item = (VirtualMac, &mut DoorLink)> {
        let links = self.links.iter_mut().map(|(&player, link)| (player, link));
        self.retired.links_mut().chain(links)
    }

    pub(crate) fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.all().map(DoorLink::connection)
    }

    fn all(&self) -> impl Iterator<Item = &DoorLink> {
        self.links.values().chain(self.retired.links())
    }

    /// The other ends, and where they are looked for.
    pub(super) fn addresses(&self, now: Instant) -> Vec<SocketAddr> {
        let there = self.all().filter_map(DoorLink::remote_address);
        let mut all: Vec<_> = there.chain(self.meetings.addresses(now)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// By which key a gateway's door is known: the program's own, or one for this run; nothing where none can be made.
    pub(super) fn identity(&mut self, own: Option<Arc<Identity>>) -> Option<Arc<Identity>> {
        if own.is_some() {
            self.identity = own;
        } else if self.identity.is_none() {
            let key = Identity::new_key();
            let made = key.and_then(|key| Identity::self_signed("lanparty-door", &key));
            match made {
                Ok(identity) => self.identity = Some(Arc::new(identity)),
                Err(error) => tracing::warn!(%error, "No door can be made"),
            }
        }
        self.identity.clone()
    }

    /// What tells it from any other one.
    pub(super) fn pin(&self) -> Option<Pin> {
        self.identity.as_ref().map(|identity| identity.pin())
    }

    /// A relay's link stands: others are met from its socket.
    pub(super) fn come_in(
        &mut self,
        (endpoint, relay): (Endpoint, SocketAddr),
        (own_id, room_id): (PeerId, RoomId),
    ) {
        let mut accepting = JoinSet::new();
        if self.is_gateway {
            accepting.spawn(accept(endpoint.clone(), self.news.clone()));
        }
        self.at = Some(At {
            endpoint,
            relay,
            own_id,
            room_id,
            punches: None,
            _accepting: accepting,
        });
    }

    /// All numbers are another room's from now on, or nobody's.
    pub(super) fn leave_room(&mut self) {
        self.at = None;
        self.meetings.clear();
        self.rtts.clear();
        self.whys.clear();
        self.nat.forget();
    }

    /// The relay is gone. The paths go on for a while.
    pub(crate) fn lose_relay(&mut self, now: Instant) {
        self.leave_room();
        for link in self.links.values_mut() {
            link.is_only = true;
            link.until.get_or_insert(now + ORPHANED);
        }
    }

    /// A path stands, both ends have proved who they are: it takes the place of this player's last one.
    pub(super) fn open(
        &mut self,
        core: &mut impl PeerCore,
        now: Instant,
        path: (Connection, Endpoint),
        (door, own_id): (Door, PeerId),
        cap: Option<DatagramBudget>,
    ) {
        let player = door.player;
        let before = self.remove(player);
        let trial = self.trials.get(&player).copied().unwrap_or_default();
        let mut link = DoorLink::new(now, path, (door, own_id), cap, trial);
        // Frames go on until the new one has shown what it is worth: there they go by the relay.
        link.is_only = false;
        if let Some(before) = &before {
            link.follow(before);
        }
        self.links.insert(player, link);
        core.open_door(now, door);
        if let Some(before) = before {
            self.retire(now, before, door);
        }
        let other = if self.is_gateway {
            door.client
        } else {
            door.gateway
        };
        self.whys.remove(&other);
    }

    fn remove(&mut self, player: VirtualMac) -> Option<DoorLink> {
        let mut link = self.links.remove(&player)?;
        let deaths = link.new_queue_deaths();
        self.deaths.add(deaths);
        if self.trials.len() >= MAX_TRIALS {
            self.trials.clear();
        }
        self.trials.insert(player, link.ways().trial());
        Some(link)
    }

    /// What is on its way by a path of the same two is still read.
    fn retire(&mut self, now: Instant, before: DoorLink, new: Door) {
        let over = match is_same_pair(before.door(), new) {
            true => self.retired.add(now, before, new),
            false => Some(before),
        };
        over.into_iter().for_each(|link| self.end(link));
    }

    fn end(&mut self, mut link: DoorLink) {
        self.deaths.add(link.new_queue_deaths());
        link.close();
    }

    /// The path before this player's has ended, or is not read any more.
    pub(crate) fn retired_ended(&mut self, player: VirtualMac) {
        let before = self.retired.take(player);
        before.into_iter().for_each(|link| self.end(link));
    }

    /// Ends the path of this player.
    pub(crate) fn shut(&mut self, core: &mut impl PeerCore, now: Instant, player: VirtualMac) {
        self.retired_ended(player);
        if let Some(link) = self.remove(player) {
            link.close();
            core.close_door(now, player);
        }
    }

    /// This player's path has ended.
    pub(crate) fn ended(&mut self, core: &mut impl PeerCore, now: Instant, player: VirtualMac) {
        self.retired_ended(player);
        if let Some(link) = self.remove(player) {
            tracing::debug!(%player, "A direct path has ended");
            core.close_door(now, player);
            self.meetings.lost(now, link.stood(now));
            let other = self.other(&link);
            self.whys.insert(other, NotDirect::BrokenOff);
        }
    }

    fn other(&self, link: &DoorLink) -> PeerId {
        let door = link.door();
        if self.is_gateway {
            door.client
        } else {
            door.gateway
        }
    }

    /// Ends all of them.
    pub(crate) fn clear(&mut self, core: &mut impl PeerCore, now: Instant) {
        let players: Vec<_> = self.links.keys().copied().collect();
        players
            .into_iter()
            .for_each(|player| self.shut(core, now, player));
    }

    /// Ends the paths of those who may have none any more.
    pub(crate) fn settle(&mut self, core: &mut impl PeerCore, now: Instant) {
        let mut out = Vec::new();
        for (&player, link) in &mut self.links {
            match core.standing(player) {
                Standing::In => link.until = None,
                Standing::Unknown => {
                    link.until.get_or_insert(now + ORPHANED);
                }
                Standing::Out => out.push(player),
            }
            if link.until.is_some_and(|until| until <= now) {
                out.push(player);
            }
        }
        out.into_iter()
            .for_each(|player| self.shut(core, now, player));
    }

    /// When [`Self::poll_links`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let links = self.links.values().map(DoorLink::poll_timeout);
        let links = links.chain(self.retired.poll_timeout());
        links.chain(self.meets_at()).min()
    }

    /// True when a meeting has something to do.
    pub(crate) fn must_meet(&self, now: Instant) -> bool {
        self.meets_at().is_some_and(|at| at <= now)
    }

    /// Nobody is met without a relay.
    fn meets_at(&self) -> Option<Instant> {
        self.at.as_ref()?;
        self.meetings.poll_timeout()
    }

    /// Asks the paths what is due.
    pub(crate) fn poll_links(&mut self, core: &mut impl PeerCore, now: Instant) {
        while let Some(over) = self.retired.take_due(now) {
            self.end(over);
        }
        if self.links.values().all(|link| link.poll_timeout() > now) {
            return;
        }
        for (player, link) in &mut self.links {
            if link.poll(now) {
                tracing::debug!(%player, direct = link.is_taken(), "Frames go another way");
            }
        }
        self.settle(core, now);
    }

    /// Looks which way is better, of which the relay's is worth that so far as it is this peer's own part. True when frames go
    /// another way from now on.
    pub(crate) fn judge(&mut self, now: Instant, relay: Option<Quality>) -> bool {
        let mut is_news = false;
        let mut broken = Vec::new();
        for link in self.links.values_mut() {
            let door = link.door();
            let other = if self.is_gateway {
                door.client
            } else {
                door.gateway
            };
            let beyond = self.rtts.get(&other).copied().unwrap_or_default();
            // Whoever may not have come back to the relay is not there.
            let whole = relay.filter(|_| link.until.is_none()).map(|own| {
                own.then(Quality {
                    rtt: beyond,
                    loss_permille: 0,
                })
            });
            is_news |= link.judge(now, whole);
            if link.takes_leave(now) {
                broken.push(link.stood(now));
            }
        }
        broken
            .into_iter()
            .for_each(|stood| self.meetings.lost(now, stood));
        is_news
    }

    /// Between this one and the relay.
    pub(super) fn hear_rtt(&mut self, peer: PeerId, rtt_us: u32) {
        self.rtts.insert(peer, Duration::from_micros(rtt_us.into()));
    }

    /// The peer has left the room.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.rtts.remove(&peer);
        self.whys.remove(&peer);
    }

    /// A frame for one machine has come from this peer by the relay.
    pub(crate) fn hear_by_relay(&mut self, now: Instant, peer: PeerId) {
        let is_gateway = self.is_gateway;
        let other = |door: Door| match is_gateway {
            true => door.client,
            false => door.gateway,
        };
        let mut links = self.links.values_mut();
        if let Some(link) = links.find(|link| other(link.door()) == peer) {
            link.doubt(now);
        }
    }

    /// This machine has another address.
    pub(crate) fn moves(&mut self, now: Instant, relay: &Connection) {
        // A path from the socket of an earlier link goes on from the new address as well.
        let mut told = vec![relay];
        for link in self.links.values() {
            if !told.iter().any(|one| one.is_beside(link.connection())) {
                link.endpoint().follow_network();
                told.push(link.connection());
            }
        }
        self.links.values_mut().for_each(DoorLink::moves);
        self.nat.forget();
        if self.at.is_some() {
            self.meetings.ask_soon(now);
        }
    }

    /// Frames that died in their queues since this was asked last.
    pub(crate) fn new_queue_deaths(&mut self) -> QueueDeaths {
        let mut deaths = std::mem::take(&mut self.deaths);
        for (_, link) in self.links_mut() {
            deaths.add(link.new_queue_deaths());
        }
        deaths
    }

    /// The ways to those of whom more is known than that the relay leads to them.
    pub(crate) fn ways(&self, now: Instant, by_relay: Ways) -> Vec<(PeerId, Ways)> {
        let mut all: BTreeMap<PeerId, Ways> = BTreeMap::new();
        let mut note = |peer, change: &dyn Fn(&mut Ways)| {
            let ways = all.entry(peer).or_insert_with(|| {
                let mut ways = by_relay;
                let beyond = self.rtts.get(&peer).copied().unwrap_or_default();
                let own = ways.relay.rtt_us;
                ways.relay.rtt_us = own.map(|own| own.saturating_add(crate::link::micros(beyond)));
                ways
            });
            change(ways);
        };
        for (&peer, &why) in &self.whys {
            let why = match why {
                NotDirect::NoAnswer => self.why_in_vain(peer),
                why => why,
            };
            note(peer, &|ways| ways.not_direct = Some(why));
        }
        for peer in self.meetings.peers_in_vain(now) {
            let why = self.why_in_vain(peer);
            note(peer, &|ways| ways.not_direct = Some(why));
        }
        for peer in self.meetings.peers_under_way(now) {
            note(peer, &|ways| ways.not_direct = Some(NotDirect::Meeting));
        }
        for link in self.links.values() {
            note(self.other(link), &|ways| {
                ways.direct = link.measured();
                ways.not_direct = match link.is_taken() {
                    true => None,
                    false => link.ways().why().map(not_direct),
                };
                if link.is_taken() {
                    ways.way = Way::Direct;
                }
            });
        }
        all.into_iter().collect()
    }

    /// Why nobody answers: what the two NATs do may be known by now.
    fn why_in_vain(&self, peer: PeerId) -> NotDirect {
        let meet = self.meetings.last(peer);
        meet.map_or(NotDirect::NoAnswer, |meet| {
            why::in_vain(self.is_gateway, self.nat.finding, meet)
        })
    }

    /// Says goodbye by all of them.
    pub(crate) async fn leave(&mut self) {
        self.all().for_each(DoorLink::close);
        let endpoints: Vec<_> = self.all().map(|link| link.endpoint().clone()).collect();
        self.links.clear();
        self.retired.clear();
        self.at = None;
        for endpoint in endpoints {
            let _ = tokio::time::timeout(DRAIN, endpoint.close(CloseCode::Bye)).await;
        }
    }
}

/// Lets strangers in, each beside the others.
async fn accept(endpoint: Endpoint, news: mpsc::Sender<News>) {
    let mut knocks = JoinSet::new();
    while let Some(knock) = endpoint.accept().await {
        while knocks.try_join_next().is_some() {}
        let news = news.clone();
        knocks.spawn(async move {
            match Caller::hear(knock).await {
                Ok(caller) => {
                    let _ = news.send(News(Told::Came(Box::new(caller)))).await;
                }
                Err(error) => tracing::debug!(%error, "Somebody at the door"),
            }
        });
    }
}
