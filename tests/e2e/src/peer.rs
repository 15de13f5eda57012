//! A running client or gateway.

use crate::{Cable, cable, soon};
use lanparty_client_core::{MemberFacts, Session};
use lanparty_ctrl::{HostKey, LeaveReason, Pin, RelayMessage, RoomCode, SignedTerm, Term, Text};
use lanparty_edge::address::RelayAddress;
use lanparty_games::Game;
use lanparty_gateway::Bridge;
use lanparty_obs::{NotDirect, PeerStats, Way, Ways};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_peer::{Event, HostError, PeerCore, PeerHost, RelaySight, RunError};
use lanparty_proto::{MacAddr, PeerId, VirtualMac};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// What a peer is told about itself and the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It is in, under this number.
    In(PeerId),
    /// Somebody else is in: a client with this MAC, or the gateway.
    Joined(PeerId, Option<VirtualMac>),
    /// Somebody else has gone.
    Left(PeerId, LeaveReason),
    /// What it knows by now of the others and of games; told every second.
    Facts(Facts),
    /// Which way its frames take to the LAN; told every second, and when it is another one.
    Ways(Ways),
    /// It has no link.
    NoLink(String),
    /// At which relay it is in, as its invite names it; before [`Heard::In`].
    At(String),
    /// How its relays are.
    Relays(Vec<RelaySight>),
    /// To which relay it did not go, and why.
    Stays(String, String),
}

/// What a player's window would show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Who else is in the room.
    pub members: Vec<MemberFacts>,
    /// The games that are on.
    pub games: Vec<Game>,
    /// That the way to the relay is TCP.
    pub is_over_tcp: bool,
}

impl Facts {
    fn of(session: &Session) -> Self {
        let now = Instant::now();
        Facts {
            members: session.members(now).collect(),
            games: session.games(now),
            is_over_tcp: false,
        }
    }
}

/// A peer in a task of its own; it ends with the test.
#[derive(Debug)]
pub struct Peer {
    /// The other end of its port.
    pub cable: Cable,
    heard: mpsc::UnboundedReceiver<Heard>,
    stop: oneshot::Sender<Text>,
    preferred: watch::Sender<Option<RelayAddress>>,
    looks: mpsc::UnboundedSender<()>,
    task: JoinHandle<(Result<(), RunError>, PeerStats)>,
}

impl Peer {
    /// A player.
    pub fn client(relay: RelayConfig, mac: VirtualMac) -> Self {
        let session = Session::new(mac);
        let session = match relay.host {
            Some(host) => session.of_host(host, relay.room.clone()),
            None => session,
        };
        Self::start(relay, session, Facts::of)
    }

    /// The gateway of the party's LAN, with its NIC's MAC.
    pub fn gateway(relay: RelayConfig, nic: MacAddr) -> Self {
        Self::gateway_of_term(relay, nic, Term::default())
    }

    /// The same, which has been at this term before.
    pub fn gateway_of_term(relay: RelayConfig, nic: MacAddr, term: Term) -> Self {
        let kept = Kept {
            term,
            ..Kept::default()
        };
        Self::gateway_with(kept, relay, nic)
    }

    /// The same, whose relay was one of a fleet the last time.
    pub fn gateway_of_fleet(relay: RelayConfig, nic: MacAddr) -> Self {
        let kept = Kept {
            knows_fleet: true,
            ..Kept::default()
        };
        Self::gateway_with(kept, relay, nic)
    }

    fn gateway_with(kept: Kept, relay: RelayConfig, nic: MacAddr) -> Self {
        let bridge = Bridge::new(nic);
        let bridge = match &relay.host_key {
            Some(key) => bridge.vouching(key.clone(), relay.room.clone()),
            None => bridge,
        };
        Self::start_with(kept, relay, bridge, |_| Facts::default())
    }

    /// Whoever this is.
    pub fn of(relay: RelayConfig, core: impl PeerCore + Send + 'static) -> Self {
        Self::start(relay, core, |_| Facts::default())
    }

    fn start<C: PeerCore + Send + 'static>(
        relay: RelayConfig,
        core: C,
        facts: fn(&C) -> Facts,
    ) -> Self {
        Self::start_with(Kept::default(), relay, core, facts)
    }

    fn start_with<C: PeerCore + Send + 'static>(
        kept: Kept,
        relay: RelayConfig,
        mut core: C,
        facts: fn(&C) -> Facts,
    ) -> Self {
        let (cable, mut port) = cable();
        let (sender, heard) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let (preferred, wanted) = watch::channel(None);
        let (looks, wants_look) = mpsc::unbounded_channel();
        let task = tokio::task::spawn_local(async move {
            let shutdown = async { stopped.await.unwrap_or_else(|_| "the test is over".into()) };
            let terms = relay.host_key.clone().map(|key| (key, relay.room.clone()));
            let mut host = Listener {
                sender,
                facts,
                terms,
                kept,
                preferred: wanted,
                looks: wants_look,
            };
            let ended = lanparty_peer::run(&mut core, &mut port, &mut host, &relay, shutdown).await;
            (ended, core.counters().clone())
        });
        Peer {
            cable,
            heard,
            stop,
            preferred,
            looks,
            task,
        }
    }

    /// Its host wants the party at this relay.
    pub fn prefers(&self, relay: SocketAddr) {
        let _ = self.preferred.send(Some(relay.into()));
    }

    /// The same of one that is called so.
    pub fn prefers_name(&self, relay: &str) {
        let _ = self.preferred.send(relay.parse().ok());
    }

    /// Its host wants to hear how all relays do.
    pub fn looks(&self) {
        let _ = self.looks.send(());
    }

    /// Waits until it has heard this, skipping everything before.
    pub async fn hears(&mut self, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let next = async {
            loop {
                let heard = self.heard.recv().await.expect("the peer is running");
                if wanted(&heard) {
                    return heard;
                }
            }
        };
        soon("what the peer should hear", next).await
    }

    /// Whether it has heard this since it was asked last.
    pub fn has_heard(&mut self, wanted: impl Fn(&Heard) -> bool) -> bool {
        std::iter::from_fn(|| self.heard.try_recv().ok()).any(|heard| wanted(&heard))
    }

    /// Waits until it is in the room.
    pub async fn is_in(&mut self) -> PeerId {
        match self.hears(|heard| matches!(heard, Heard::In(_))).await {
            Heard::In(id) => id,
            _ => unreachable!("we asked for this one"),
        }
    }

    /// Waits until it is in at this relay.
    pub async fn is_at(&mut self, relay: SocketAddr) -> PeerId {
        let relay = relay.to_string();
        self.hears(|heard| *heard == Heard::At(relay.clone())).await;
        self.is_in().await
    }

    /// Waits until it is in, and says at which relay.
    pub async fn is_somewhere(&mut self) -> (SocketAddr, PeerId) {
        match self.hears(|heard| matches!(heard, Heard::At(_))).await {
            Heard::At(at) => (at.parse().unwrap(), self.is_in().await),
            _ => unreachable!("we asked for this one"),
        }
    }

    /// Waits until it knows that this peer is there.
    pub async fn meets(&mut self, peer: PeerId) {
        self.hears(|heard| matches!(heard, Heard::Joined(id, _) if *id == peer))
            .await;
    }

    /// Waits until it knows that this peer is gone, and says why.
    pub async fn misses(&mut self, peer: PeerId) -> LeaveReason {
        match self
            .hears(|heard| matches!(heard, Heard::Left(id, _) if *id == peer))
            .await
        {
            Heard::Left(_, reason) => reason,
            _ => unreachable!("we asked for this one"),
        }
    }

    /// Waits until it knows enough, and says what it knows.
    pub async fn knows(&mut self, enough: impl Fn(&Facts) -> bool) -> Facts {
        match self
            .hears(|heard| matches!(heard, Heard::Facts(facts) if enough(facts)))
            .await
        {
            Heard::Facts(facts) => facts,
            _ => unreachable!("we asked for these"),
        }
    }

    /// Waits until its frames take this way.
    pub async fn goes(&mut self, way: Way) {
        self.hears(|heard| matches!(heard, Heard::Ways(ways) if ways.way == way))
            .await;
    }

    /// Waits until it says that its frames do not go straight for this reason.
    pub async fn cannot_go_straight(&mut self, why: NotDirect) {
        self.hears(|heard| matches!(heard, Heard::Ways(ways) if ways.not_direct == Some(why)))
            .await;
    }

    /// Waits until it has no link, and says why.
    pub async fn is_refused(&mut self) -> String {
        match self.hears(|heard| matches!(heard, Heard::NoLink(_))).await {
            Heard::NoLink(cause) => cause,
            _ => unreachable!("we asked for this one"),
        }
    }

    /// Ends it as its user would; answers what it has counted.
    pub async fn leave(self) -> PeerStats {
        let _ = self.stop.send("the player had enough".into());
        let (ended, stats) = soon("a clean end", self.task).await.unwrap();
        ended.unwrap();
        stats
    }

    /// Ends it as a crash would, without a word.
    pub fn dies(&self) {
        self.task.abort();
    }

    /// Waits until it gives up by itself, and says why.
    pub async fn gives_up(self) -> String {
        let (ended, _) = soon("the end", self.task).await.unwrap();
        ended.unwrap_err().to_string()
    }
}

/// What a program knows of earlier evenings.
#[derive(Debug, Default)]
struct Kept {
    term: Term,
    knows_fleet: bool,
}

struct Listener<C> {
    sender: mpsc::UnboundedSender<Heard>,
    facts: fn(&C) -> Facts,
    /// What a gateway signs its terms with, for which room.
    terms: Option<(HostKey, RoomCode)>,
    kept: Kept,
    preferred: watch::Receiver<Option<RelayAddress>>,
    looks: mpsc::UnboundedReceiver<()>,
}

impl<C> PeerHost<C> for Listener<C> {
    fn term(&mut self, relay: &Pin) -> Option<SignedTerm> {
        let (key, room) = self.terms.as_ref()?;
        self.kept.term = self.kept.term.next(0);
        Some(self.kept.term.sign(key, room, relay))
    }

    fn knows_fleet(&mut self) -> bool {
        self.kept.knows_fleet
    }

    fn preferred_relay(&mut self) -> Option<RelayAddress> {
        self.preferred.borrow().clone()
    }

    fn wants_survey(&mut self) -> bool {
        self.looks.try_recv().is_ok()
    }

    async fn handle_event(&mut self, core: &mut C, event: Event<'_>) -> Result<(), HostError> {
        let heard = match event {
            Event::Joined { welcome, at, .. } => {
                let _ = self.sender.send(Heard::At(at.to_string()));
                Heard::In(welcome.peer_id)
            }
            Event::Relays(sights) => Heard::Relays(sights.to_vec()),
            Event::Stays { relay, why } => Heard::Stays(relay.to_owned(), why.to_owned()),
            Event::Control(RelayMessage::PeerJoined(who)) => Heard::Joined(who.peer_id, who.mac),
            Event::Control(RelayMessage::PeerLeft(left)) => Heard::Left(left.peer_id, left.reason),
            Event::Control(RelayMessage::Pings(_)) => Heard::Facts((self.facts)(core)),
            Event::Tick(facts) => {
                let _ = self.sender.send(Heard::Ways(facts.ways));
                Heard::Facts(Facts {
                    is_over_tcp: facts.ways.way.is_over_tcp(),
                    ..(self.facts)(core)
                })
            }
            Event::NoLink { cause, .. } => Heard::NoLink(cause),
            Event::Resolving { .. }
            | Event::Control(_)
            | Event::Connecting { .. }
            | Event::Trying { .. }
            | Event::News
            | Event::Ways(_)
            | Event::Slept => {
                return Ok(());
            }
        };
        // A test need not listen to the end.
        let _ = self.sender.send(heard);
        Ok(())
    }
}
