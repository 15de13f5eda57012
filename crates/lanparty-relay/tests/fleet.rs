//! Several relays as one service, over real QUIC, with a directory in memory.
#![cfg(feature = "cluster-etcd")]
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests drive a shell, and fail by panicking"
)]

mod party;

use lanparty_ctrl::message::{Hello, Newcomer, Welcome};
use lanparty_ctrl::places::{Elsewhere, Found, Near};
use lanparty_ctrl::{
    DisconnectReason, HostKey, HostOrder, HostSecret, PLACES, PeerMessage, Pin, REDIRECTS,
    RejectReason, RelayMessage, RoomCode, RoomKey,
};
use lanparty_fleet::model::{Heard, Model, Site};
use lanparty_fleet::{Event, FleetSecret, OnLoss, RelayId, Request, Settings, Tag};
use lanparty_proto::MacAddr;
use lanparty_quic::control;
use lanparty_relay::{Config, FleetClock, JoinLimits, Line};
use party::{LIMIT, Peer, Relay, Stranger, client, frame, mac, soon};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// A directory that answers within a millisecond, unless somebody has cut it off; and the time that it and its relays go by,
/// which leaps on when a test wants it to.
#[derive(Clone)]
struct Directory(Arc<World>);

struct World {
    model: Mutex<Model>,
    /// How far its time has leapt, in milliseconds.
    leapt: AtomicU64,
    /// Up to where each of the relays has seen it leap.
    seen: watch::Sender<Vec<u64>>,
}

/// Time leaps so far at once: a relay that beats each second has its answer in between.
const LEAP: u64 = 250;

impl World {
    fn now(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.leapt.load(Ordering::Relaxed))
    }
}

impl Directory {
    fn start() -> Self {
        Directory(Arc::new(World {
            model: Mutex::new(Model::new(Instant::now())),
            leapt: AtomicU64::new(0),
            seen: watch::Sender::new(Vec::new()),
        }))
    }

    fn change(&self, change: impl FnOnce(&mut Model)) {
        let mut model = self.0.model.lock().unwrap();
        model.handle_timeout(self.0.now());
        change(&mut model);
    }

    /// Time passes, in which all that is due is done.
    async fn pass(&self, time: Duration) {
        let mut seen = self.0.seen.subscribe();
        for _ in 0..time.as_millis().div_ceil(LEAP.into()) {
            let to = self.0.leapt.fetch_add(LEAP, Ordering::Relaxed) + LEAP;
            let all = seen.wait_for(|seen| seen.iter().all(|&seen| seen >= to));
            soon(all).await.unwrap();
        }
    }

    /// Time passes until that is so.
    async fn until<F: Future<Output = bool>>(&self, mut is: impl FnMut() -> F) {
        let begin = self.0.now();
        while !is().await {
            assert!(self.0.now() < begin + 3 * LIMIT, "it never is");
            self.pass(Duration::from_millis(LEAP)).await;
        }
    }

    /// A relay's way to it.
    fn line(&self) -> (Site, Line) {
        let (requests, mut asked) = mpsc::unbounded_channel::<(Tag, Request)>();
        let (tell, heard) = mpsc::channel(1024);
        let mut site = None;
        self.change(|model| site = Some(model.join(Duration::from_millis(1))));
        let (world, site) = (self.0.clone(), site.unwrap());
        let mut number = 0;
        self.0.seen.send_modify(|seen| {
            number = seen.len();
            seen.push(world.leapt.load(Ordering::Relaxed));
        });
        let clock = world.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(1));
            let (mut told, mut seen) = (0, 0);
            loop {
                tick.tick().await;
                let leapt = world.leapt.load(Ordering::Relaxed);
                let mut news = Vec::new();
                {
                    let mut model = world.model.lock().unwrap();
                    let now = world.now();
                    model.handle_timeout(now);
                    while let Ok((tag, request)) = asked.try_recv() {
                        model.request(now, site, tag, request);
                    }
                    while let Some(heard) = model.poll(site) {
                        news.push(heard);
                    }
                }
                if told < leapt {
                    // Whatever wakes the relay.
                    news.push(Heard::Event(Event::Deaf));
                    told = leapt;
                } else if seen < told && tell.capacity() == tell.max_capacity() {
                    seen = told;
                    world.seen.send_modify(|all| all[number] = seen);
                }
                for news in news {
                    if tell.send(news).await.is_err() {
                        // It has ended, and nobody waits for it.
                        world.seen.send_modify(|all| all[number] = u64::MAX);
                        return;
                    }
                }
            }
        });
        let line = Line {
            requests,
            heard,
            minds_lag: false,
            clock: FleetClock::new(move || clock.now()),
        };
        (site, line)
    }
}

/// A machine on the LAN.
const LAN: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 0, 5]);

struct Fleet {
    directory: Directory,
    relays: Vec<Relay>,
    sites: Vec<Site>,
    pins: Vec<Pin>,
}

impl Fleet {
    async fn start(relays: usize) -> Self {
        Self::start_as(relays, OnLoss::Keep, &Directory::start()).await
    }

    async fn start_with(relays: usize, change: impl Fn(&mut Config)) -> Self {
        Self::start_all(relays, OnLoss::Keep, &Directory::start(), change).await
    }

    async fn start_as(count: usize, on_loss: OnLoss, directory: &Directory) -> Self {
        Self::start_all(count, on_loss, directory, |_| {}).await
    }

    async fn start_all(
        count: usize,
        on_loss: OnLoss,
        directory: &Directory,
        change: impl Fn(&mut Config),
    ) -> Self {
        let (mut relays, mut sites, mut pins) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..count {
            let (site, line) = directory.line();
            let relay = Relay::start_as(3, &change, |server| {
                pins.push(server.pin());
                let settings = Settings {
                    id: RelayId::from_random(number as u64 + 1),
                    address: server.local_address().to_string().parse().unwrap(),
                    pin: Some(server.pin()),
                    region: "Paris".into(),
                    secret: FleetSecret::new("correct horse battery").unwrap(),
                    free: 400,
                    on_loss,
                    unix: 1_800_000_000,
                    pace: Settings::PACE,
                };
                server.join_fleet(settings, line);
            });
            relays.push(relay);
            sites.push(site);
        }
        Fleet {
            directory: directory.clone(),
            relays,
            sites,
            pins,
        }
    }

    fn at(&self, elsewhere: &Elsewhere) -> usize {
        let mut relays = self.relays.iter();
        let at = relays.position(|relay| relay.address.to_string() == elsewhere.address);
        let at = at.expect("it is a relay of this fleet");
        assert_eq!(elsewhere.pin, Some(self.pins[at]));
        at
    }

    /// Enters wherever it is sent, as a program does.
    async fn enter(&self, first: usize, room: &str, who: Newcomer) -> (usize, Peer) {
        let (mut at, begin) = (first, self.directory.0.now());
        loop {
            let waited = self.directory.0.now() - begin;
            assert!(waited < LIMIT, "nobody lets it in");
            match self.ask(at, room, who).await {
                Ok(peer) => return (at, peer),
                Err(RelayMessage::Redirect(elsewhere)) => at = self.at(&elsewhere),
                Err(RelayMessage::Reject(_)) => {
                    at = first;
                    self.directory.pass(Duration::from_millis(LEAP)).await;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    async fn ask(&self, at: usize, room: &str, who: Newcomer) -> Result<Peer, RelayMessage> {
        let stranger = self.relays[at].connect().await;
        let hello = hello(&stranger, room, who);
        let answer = said(&stranger, PeerMessage::from(hello)).await;
        match answer {
            RelayMessage::Welcome(welcome) => Ok(Peer {
                stranger,
                welcome,
                reassembler: lanparty_proto::fragment::Reassembler::default(),
            }),
            other => Err(other),
        }
    }

    async fn find(&self, at: usize, room: &str, who: Newcomer) -> Result<Found, RelayMessage> {
        let stranger = self.relays[at].connect().await;
        let find = PeerMessage::Find(Box::new(hello(&stranger, room, who)));
        match said(&stranger, find).await {
            RelayMessage::Found(found) => Ok(*found),
            other => Err(other),
        }
    }
}

async fn said(stranger: &Stranger, message: PeerMessage) -> RelayMessage {
    let mut answer = stranger.say_first(&message).await;
    soon(control::read_message(&mut answer)).await.unwrap()
}

fn key() -> RoomKey {
    RoomKey::from_random([7; 16])
}

fn host(room: &RoomCode) -> HostKey {
    HostSecret::from_random([1; 32]).host_key(room)
}

fn hello(stranger: &Stranger, room: &str, who: Newcomer) -> Hello {
    let (channel, room) = (stranger.connection.channel_binding(), room.parse().unwrap());
    let mut hello = Hello::new(&room, who, stranger.connection.budget());
    hello.capabilities.push(REDIRECTS.to_owned());
    hello.prove(&key().admission_key(), channel);
    match who {
        Newcomer::Gateway => hello.prove_host(&host(&room), channel),
        Newcomer::Client(_) => hello.host = Some(host(&room).id()),
    }
    hello
}

fn fence(welcome: &Welcome) -> u64 {
    welcome.fence.expect("a fleet's welcome has one")
}

/// The next message of one kind; others pass by.
async fn until<T>(peer: &Peer, wanted: impl Fn(RelayMessage) -> Option<T>) -> T {
    loop {
        if let Some(it) = wanted(peer.message().await) {
            return it;
        }
    }
}

async fn moved(peer: &Peer) -> Elsewhere {
    until(peer, |message| match message {
        RelayMessage::Moved(elsewhere) => Some(elsewhere),
        _ => None,
    })
    .await
}

async fn not_placed(peer: &Peer) -> (String, String) {
    until(peer, |message| match message {
        RelayMessage::NotPlaced(answer) => Some((answer.relay, answer.text.to_string())),
        _ => None,
    })
    .await
}

async fn goodbye(peer: &Peer) -> DisconnectReason {
    until(peer, |message| match message {
        RelayMessage::Disconnect(goodbye) => Some(goodbye.reason),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_party_is_at_one_relay_whichever_its_members_ask() {
    let fleet = Fleet::start(3).await;
    let mut owners = BTreeMap::new();
    for number in 0..6 {
        let room = format!("ROOM-{number}");
        // Nobody opens it who cannot show that it is invited; and a find opens nothing.
        let early = fleet.ask(number % 3, &room, client(1)).await;
        let early = early.map(|peer| peer.welcome).unwrap_err();
        let RelayMessage::Reject(early) = early else {
            panic!("{early:?}");
        };
        assert_eq!(early.reason, RejectReason::NotAuthorised);
        let looks = fleet.find(number % 3, &room, Newcomer::Gateway).await;
        assert!(!looks.unwrap().gateway);
        let (at, gateway) = fleet.enter(number % 3, &room, Newcomer::Gateway).await;
        *owners.entry(at).or_insert(0) += 1;
        for first in 0..3 {
            let (found, mut player) = fleet.enter(first, &room, client(first as u8 + 1)).await;
            assert_eq!(found, at);
            assert_eq!(fence(&player.welcome), fence(&gateway.welcome));
            gateway.send(&frame(mac(first as u8 + 1), LAN, 100));
            assert_eq!(player.frame().await.0, gateway.welcome.peer_id);
        }
    }
    assert!(owners.len() > 1, "all rooms are at one: {owners:?}");
}

#[tokio::test]
async fn who_knows_no_other_relay_is_told_to_update_in_words_that_it_shows() {
    let fleet = Fleet::start(2).await;
    let (at, _gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    let stranger = fleet.relays[1 - at].connect().await;
    let mut hello = hello(&stranger, "FRIDAY", client(1));
    hello.capabilities.clear();
    let RelayMessage::Reject(reject) = said(&stranger, PeerMessage::from(hello)).await else {
        panic!("it is let in");
    };
    assert_eq!(
        reject.reason,
        RejectReason::Other,
        "of which programs show the text"
    );
    assert!(reject.text.as_str().contains("update"), "{}", reject.text);
}

#[tokio::test]
async fn a_new_room_goes_where_its_gateway_is_near_once_relays_are_known_to_stay() {
    let fleet = Fleet::start(3).await;
    // Relays are given out when they have been there for five seconds.
    let find = async || {
        let found = fleet.find(0, "FRIDAY", Newcomer::Gateway).await;
        found.unwrap().relays
    };
    fleet
        .directory
        .until(async || find().await.len() == 3)
        .await;
    let relays = find().await;
    for near in 0..3 {
        let room = format!("NEAR-{near}");
        let address = fleet.relays[near].address.to_string();
        assert!(relays.iter().any(|relay| relay.address == address));
        let stranger = fleet.relays[(near + 1) % 3].connect().await;
        let mut hello = hello(&stranger, &room, Newcomer::Gateway);
        hello.near = relays
            .iter()
            .map(|relay| Near {
                address: relay.address.clone(),
                rtt_ms: if relay.address == address { 5 } else { 40 },
            })
            .collect();
        let RelayMessage::Redirect(to) = said(&stranger, PeerMessage::from(hello)).await else {
            panic!("it stays far away");
        };
        assert_eq!(fleet.at(&to), near);
    }
}

#[tokio::test]
async fn a_relay_that_stops_hands_its_rooms_on_gateway_first_and_forwards_until_all_have_gone() {
    let mut fleet = Fleet::start(2).await;
    let (at, gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    let (_, mut player) = fleet.enter(0, "FRIDAY", client(1)).await;
    fleet.relays[at].stop.take().unwrap().send(()).unwrap();
    let to = moved(&gateway).await;
    let gateway_told = Instant::now();
    assert_eq!(fleet.at(&to), 1 - at);
    assert!(to.fence.unwrap() > fence(&gateway.welcome));
    gateway.send(&frame(mac(1), LAN, 100));
    assert_eq!(
        player.frame().await.0,
        gateway.welcome.peer_id,
        "it still forwards"
    );
    let (new_at, new_gateway) = fleet
        .enter(fleet.at(&to), "FRIDAY", Newcomer::Gateway)
        .await;
    assert_eq!(new_at, 1 - at);
    assert_eq!(Some(fence(&new_gateway.welcome)), to.fence);
    let player_to = moved(&player).await;
    assert!(gateway_told.elapsed() >= Duration::from_millis(250));
    assert_eq!(player_to, to);
    let (_, new_player) = fleet.enter(1 - at, "FRIDAY", client(1)).await;
    assert_eq!(
        new_player.welcome.gateway,
        Some(new_gateway.welcome.peer_id)
    );
    drop((gateway, player));
    let stopped = &mut fleet.relays[at].running;
    soon(stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_host_has_its_room_at_the_relay_that_it_wants_or_hears_why_not() {
    let fleet = Fleet::start(2).await;
    let (at, gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    let (_, player) = fleet.enter(0, "FRIDAY", client(1)).await;
    assert!(gateway.welcome.capabilities.iter().any(|it| it == PLACES));
    let wish = |at: usize| {
        let relay = fleet.relays[at].address.to_string();
        PeerMessage::Host(HostOrder::Place { relay })
    };
    gateway.say(&wish(at)).await;
    let (relay, text) = not_placed(&gateway).await;
    assert_eq!(relay, fleet.relays[at].address.to_string());
    assert!(text.contains("there already"), "{text}");
    // Nobody has its party go to and fro.
    gateway.say(&wish(1 - at)).await;
    let (_, text) = not_placed(&gateway).await;
    assert!(text.contains("has just come"), "{text}");
    fleet.directory.pass(Duration::from_secs(2)).await;
    gateway.say(&wish(1 - at)).await;
    let to = moved(&gateway).await;
    assert_eq!(fleet.at(&to), 1 - at);
    assert_eq!(moved(&player).await, to);
    let (new_at, new_gateway) = fleet.enter(at, "FRIDAY", Newcomer::Gateway).await;
    assert_eq!(new_at, 1 - at);
    assert_eq!(Some(fence(&new_gateway.welcome)), to.fence);
    // Guests have no say in it.
    player.say(&wish(at)).await;
    assert_eq!(goodbye(&player).await, DisconnectReason::ProtocolError);
}

#[tokio::test]
async fn who_is_sent_on_again_and_again_is_told_to_wait() {
    let few = JoinLimits {
        per_address: 1,
        ..JoinLimits::default()
    };
    let fleet = Fleet::start_with(2, |config| config.limits.joins = few).await;
    let (at, _gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    let mut sent_on = 0;
    loop {
        match fleet.ask(1 - at, "FRIDAY", client(1)).await {
            Err(RelayMessage::Redirect(_)) => sent_on += 1,
            Err(RelayMessage::Reject(reject)) => {
                assert_eq!(reject.reason, RejectReason::RateLimited);
                break;
            }
            _ => panic!("it is let in"),
        }
        assert!(sent_on < 100, "it is not told to wait");
    }
    assert!(sent_on >= 8, "{sent_on} were");
}

#[tokio::test]
async fn rooms_go_on_while_the_directory_is_away_and_no_new_one_is_opened() {
    let fleet = Fleet::start(2).await;
    let (at, gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    fleet.directory.change(|model| model.set_up(false));
    fleet.directory.pass(Duration::from_millis(3500)).await;
    let mut player = fleet.ask(at, "FRIDAY", client(1)).await.unwrap();
    gateway.send(&frame(mac(1), LAN, 100));
    assert_eq!(player.frame().await.0, gateway.welcome.peer_id);
    let refused = fleet.ask(at, "MONDAY", Newcomer::Gateway).await;
    let RelayMessage::Reject(refused) = refused.map(|peer| peer.welcome).unwrap_err() else {
        panic!("it is sent on");
    };
    assert!(
        refused
            .text
            .as_str()
            .contains("cannot ask its fleet's directory"),
        "{}",
        refused.text
    );
    fleet.directory.change(|model| model.set_up(true));
    let (_, monday) = fleet.enter(at, "MONDAY", Newcomer::Gateway).await;
    drop(monday);
    let (still, _) = fleet.enter(1 - at, "FRIDAY", client(2)).await;
    assert_eq!(still, at);
}

#[tokio::test]
async fn an_operator_may_want_rooms_to_end_with_the_directory() {
    let directory = Directory::start();
    let fleet = Fleet::start_as(1, OnLoss::Close, &directory).await;
    let (_, gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    directory.change(|model| model.set_up(false));
    directory.pass(Duration::from_secs(3)).await;
    assert_eq!(goodbye(&gateway).await, DisconnectReason::Draining);
}

#[tokio::test]
async fn who_was_cut_off_loses_its_rooms_to_who_has_them_by_then_and_forwards_nothing_more() {
    let fleet = Fleet::start(2).await;
    let (at, gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    let (_, player) = fleet.enter(0, "FRIDAY", client(1)).await;
    let (site, other) = (fleet.sites[at], 1 - at);
    fleet.directory.change(|model| model.cut(site, true));
    // Its lease ends after five seconds, and the party comes to the other one.
    let new_gateway = loop {
        match fleet.ask(other, "FRIDAY", Newcomer::Gateway).await {
            Ok(gateway) => break gateway,
            Err(RelayMessage::Redirect(to)) => assert_eq!(fleet.at(&to), at),
            Err(RelayMessage::Reject(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        fleet.directory.pass(Duration::from_millis(LEAP)).await;
    };
    assert!(fence(&new_gateway.welcome) > fence(&gateway.welcome));
    fleet.directory.change(|model| model.cut(site, false));
    let to = moved(&gateway).await;
    assert_eq!(to.fence, Some(fence(&new_gateway.welcome)));
    assert_eq!(fleet.at(&moved(&player).await), other);
    // Whoever does not go is out five seconds later, and told to come back at once.
    fleet.directory.pass(Duration::from_secs(5)).await;
    assert_eq!(goodbye(&player).await, DisconnectReason::Succeeded);
}

#[tokio::test]
async fn two_gateways_that_race_for_a_room_find_one_and_the_last_has_the_place() {
    let fleet = Fleet::start(3).await;
    let racing = |first| fleet.enter(first, "FRIDAY", Newcomer::Gateway);
    let (one, two) = tokio::join!(racing(0), racing(1));
    assert_eq!(one.0, two.0);
    assert_eq!(fence(&one.1.welcome), fence(&two.1.welcome));
}

#[tokio::test]
async fn who_does_not_go_with_its_room_is_out_and_the_relay_ends_all_the_same() {
    let mut fleet = Fleet::start(2).await;
    let (at, gateway) = fleet.enter(0, "FRIDAY", Newcomer::Gateway).await;
    let (_, player) = fleet.enter(0, "FRIDAY", client(1)).await;
    fleet.relays[at].stop.take().unwrap().send(()).unwrap();
    let directory = fleet.directory.clone();
    let time = directory.pass(Duration::from_secs(6));
    let running = &mut fleet.relays[at].running;
    let (ended, gateway, player, ()) =
        tokio::join!(running, goodbye(&gateway), goodbye(&player), time);
    ended.unwrap().unwrap();
    assert_eq!(gateway, DisconnectReason::Succeeded);
    assert_eq!(player, DisconnectReason::Succeeded);
}
