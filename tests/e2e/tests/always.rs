//! A link that always has another datagram and a port that always has another frame keep nobody waiting: not each other, and
//! not whoever wants to end it.
#![allow(clippy::unwrap_used, reason = "a test with a real loop")]

use bytes::Bytes;
use lanparty_ctrl::message::{Newcomer, Welcome};
use lanparty_ctrl::{PeerMessage, RelayMessage, ResumeToken};
use lanparty_e2e::{Relay, cable, soon};
use lanparty_obs::{DropReason, PeerStats};
use lanparty_peer::relay_args::RelayConfig;
use lanparty_peer::{Event, HostError, PeerCore, PeerHost, PeerOutput};
use lanparty_proto::{DatagramBudget, FrameBuf, IpMtu, MacAddr, PeerId, RoomId};
use lanparty_quic::memory::{Listener, listen};
use lanparty_quic::{Connection, control};
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};

/// As many as a turn takes at once.
const AT_ONCE: usize = 64;
/// More than a turn may take from one side before the other has its own.
const TOO_MANY: usize = 1024;
const MANY: usize = 10_000;
const PLAYER: [u8; 6] = [0x02, 0x1a, 0, 0, 0, 1];

#[tokio::test]
async fn a_link_and_a_port_that_are_never_empty_keep_nobody_waiting() {
    LocalSet::new().run_until(run()).await;
}

async fn run() {
    let (dialer, listener) = listen();
    let config = RelayConfig {
        inside: Some(dialer),
        ..Relay::start().config()
    };
    let ((cable, mut port), link) = (cable(), Rc::<OnceCell<Connection>>::default());
    let mut core = Greedy::new(link.clone());
    let (stop, stopped) = oneshot::channel();
    let peer = spawn_local(async move {
        let shutdown = async { stopped.await.unwrap_or_else(|_| "the test is over".into()) };
        let ended = lanparty_peer::run(&mut core, &mut port, &mut Silent, &config, shutdown).await;
        ended.map(|()| core)
    });
    let mut listener = listener;
    let far = soon("the peer comes", welcome(&mut listener)).await;
    link.set(far.clone()).unwrap();
    let ipx = [&PLAYER[..], &PLAYER, &[0x81, 0x37], &[7; 50]].concat();
    cable.flood(&ipx);
    for _ in 0..AT_ONCE {
        far.send_probe(Bytes::from_static(&[0; 64])).unwrap();
    }
    let (mut room, mut came) = (vec![Bytes::new(); AT_ONCE], 0);
    let frames = async {
        while came < MANY {
            came += far.read_datagrams(&mut room).await.unwrap();
        }
    };
    soon("the port's frames come", frames).await;
    stop.send("the test has seen enough".into()).unwrap();
    let core = soon("the peer ends", peer).await.unwrap().unwrap();
    assert!(core.datagrams >= MANY, "{} datagrams", core.datagrams);
}

/// What a relay does that lets a peer in. Says nothing else.
async fn welcome(listener: &mut Listener) -> Connection {
    let far = listener.accept().await.unwrap();
    let (mut say, mut hear) = far.accept_bi().await.unwrap();
    let _: PeerMessage = control::read_message(&mut hear).await.unwrap();
    let welcome = Welcome {
        room_id: RoomId::new(7).unwrap(),
        peer_id: PeerId::new(2).unwrap(),
        effective_mtu: IpMtu::MIN,
        gateway: None,
        resume_token: ResumeToken::from_random([0; 16]),
        capabilities: Vec::new(),
        term: None,
        fence: None,
        region: None,
    };
    let welcome = RelayMessage::Welcome(welcome);
    control::write_message(&mut say, &welcome).await.unwrap();
    far
}

/// Has another datagram on its link for each that it has handled.
struct Greedy {
    link: Rc<OnceCell<Connection>>,
    counters: PeerStats,
    datagrams: usize,
    /// Since the other side had its turn.
    datagrams_in_a_row: usize,
    frames_in_a_row: usize,
}

impl Greedy {
    fn new(link: Rc<OnceCell<Connection>>) -> Self {
        Greedy {
            link,
            counters: PeerStats::default(),
            datagrams: 0,
            datagrams_in_a_row: 0,
            frames_in_a_row: 0,
        }
    }
}

impl PeerCore for Greedy {
    fn newcomer(&self) -> Newcomer {
        Newcomer::Client(MacAddr::new(PLAYER).try_into().unwrap())
    }

    fn handle_welcome(&mut self, _: Instant, _: &Welcome, _: DatagramBudget) {}

    fn handle_lost_link(&mut self, _: Instant) {}

    fn handle_frame(&mut self, _: Instant, _: &mut FrameBuf) -> Result<(), DropReason> {
        self.datagrams_in_a_row = 0;
        self.frames_in_a_row += 1;
        let is_link_flooded = self.datagrams > 0;
        assert!(
            !is_link_flooded || self.frames_in_a_row < TOO_MANY,
            "the link has no turn"
        );
        Ok(())
    }

    fn handle_datagram(
        &mut self,
        _: Instant,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        self.frames_in_a_row = 0;
        self.datagrams += 1;
        self.datagrams_in_a_row += 1;
        assert!(self.datagrams_in_a_row < TOO_MANY, "the port has no turn");
        self.link.get().unwrap().send_probe(datagram).unwrap();
        Ok(None)
    }

    fn handle_control(&mut self, _: Instant, _: RelayMessage) {}

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_output(&mut self) -> Option<PeerOutput> {
        None
    }

    fn counters(&mut self) -> &mut PeerStats {
        &mut self.counters
    }
}

struct Silent;

impl PeerHost<Greedy> for Silent {
    async fn handle_event(&mut self, _: &mut Greedy, _: Event<'_>) -> Result<(), HostError> {
        Ok(())
    }
}
