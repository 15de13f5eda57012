//! A peer's shell: connect, say hello, carry, lose the link, wait, and again.

use super::doors::introduces;
use super::network::{Event, Said, Side};
use super::relay::cut;
use super::{Evening, GATEWAYS, HOST};
use crate::frames::{Frame, Mac};
use bytes::Bytes;
use lanparty_client_core::Session;
use lanparty_ctrl::message::{Disconnect, Hello, Welcome};
use lanparty_ctrl::{DOORS, DisconnectReason, PeerMessage, RelayMessage, ResumeToken};
use lanparty_gateway::Bridge;
use lanparty_obs::DropReason;
use lanparty_peer::backoff::Backoff;
use lanparty_peer::{PeerCore, PeerOutput};
use lanparty_proto::{FrameBuf, Header, MacAddr, VirtualMac};
use std::collections::VecDeque;

/// How long an attempt to connect may take.
const CONNECT_DEADLINE: u64 = 5_000;
/// When it says its first packet again: after three round trips as QUIC guesses them, and each time twice as long.
const KNOCKS: [u64; 4] = [300, 900, 2_100, 4_500];
/// A gateway's NIC.
const NIC: MacAddr = MacAddr::new([0, 0x16, 0x3e, 0, 1, 0]);

/// How far a peer has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Off,
    Waiting,
    Connecting,
    Greeting,
    Joined,
}

pub(super) struct Peer {
    number: usize,
    /// A player's; a gateway has none.
    pub(super) mac: Option<Mac>,
    pub(super) core: Box<dyn PeerCore>,
    pub(super) stage: Stage,
    pub(super) link: Option<u32>,
    pub(super) token: Option<ResumeToken>,
    pub(super) asleep_until: u64,
    pub(super) counts: Counts,
    backoff: Backoff,
    header: Option<Header>,
    last_frame_id: u16,
    // When it came into its room.
    joined: u64,
    // When this stage ends by itself.
    deadline: u64,
    next_wake: u64,
}

/// What the shell has seen go in and come out of a core.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) frames_sent: u64,
    pub(super) datagrams: u64,
    pub(super) frames_delivered: u64,
    /// Datagrams that gave no frame at once.
    pub(super) waiting: u64,
    pub(super) drops: u64,
}

impl Peer {
    pub(super) fn new(number: usize) -> Self {
        let mac = (number >= GATEWAYS).then_some([2, 0, 0, 0, 0, number as u8]);
        Peer {
            number,
            mac,
            core: core(mac),
            stage: Stage::Off,
            link: None,
            token: None,
            asleep_until: 0,
            counts: Counts::default(),
            backoff: Backoff::default(),
            header: None,
            last_frame_id: 0,
            joined: 0,
            deadline: u64::MAX,
            next_wake: u64::MAX,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self.mac {
            Some(_) => "client",
            None => "gateway",
        }
    }

    /// What stands in front of its datagrams while it is in a room.
    pub(super) fn header(&self) -> Option<Header> {
        self.header
    }

    /// When it came into its room.
    pub(super) fn joined(&self) -> u64 {
        self.joined
    }

    pub(super) fn is_asleep(&self, now: u64) -> bool {
        self.asleep_until > now
    }

    /// The process has ended; its token may be on disk.
    pub(super) fn forget_everything(&mut self) {
        *self = Peer {
            link: self.link,
            token: self.token.clone(),
            ..Peer::new(self.number)
        };
    }
}

fn core(mac: Option<Mac>) -> Box<dyn PeerCore> {
    match mac {
        Some(mac) => Box::new(Session::new(
            VirtualMac::try_from(MacAddr::new(mac)).unwrap(),
        )),
        None => Box::new(Bridge::new(NIC)),
    }
}

impl Evening {
    /// Somebody starts the program.
    pub(super) fn begin(&mut self, number: usize) {
        let stays_at_home = self.orders.is_some() && number < GATEWAYS && number != HOST;
        if self.peers[number].stage == Stage::Off && !stays_at_home {
            self.connect(number);
        }
    }

    /// Somebody presses Ctrl-C.
    pub(super) fn leave(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        let stage = peer.stage;
        if stage == Stage::Off || peer.is_asleep(self.network.now) {
            return;
        }
        peer.forget_everything();
        self.doors_end(number, true);
        self.gateway_has_ended(number);
        self.tally.count(format!("left: {stage:?}"));
        self.note(|| format!("{number} leaves while {stage:?}"));
        let Some(link) = self.peers[number].link.take() else {
            return;
        };
        if stage == Stage::Joined {
            let goodbye = PeerMessage::Disconnect(Disconnect {
                reason: DisconnectReason::Leaving,
                text: "".into(),
            });
            self.network
                .say_to_relay(&mut self.dice, link, Said::Message(goodbye));
        }
        self.network.say_to_relay(&mut self.dice, link, Said::Close);
    }

    pub(super) fn gateway_has_ended(&mut self, number: usize) {
        if let Some(orders) = self.orders.as_mut().filter(|_| number == HOST) {
            orders.start_again();
        }
    }

    pub(super) fn wake(&mut self, number: usize) {
        let now = self.network.now;
        let peer = &mut self.peers[number];
        if peer.stage == Stage::Off || peer.is_asleep(now) {
            return;
        }
        peer.next_wake = u64::MAX;
        if peer.stage != Stage::Joined && self.doors.has(number) {
            self.core_wakes(number);
            self.doors_settle(number);
        }
        match self.peers[number].stage {
            Stage::Waiting if self.peers[number].deadline <= now => self.connect(number),
            Stage::Connecting if self.peers[number].deadline <= now => {
                self.lose(number, "no answer");
            }
            Stage::Joined => {
                self.core_wakes(number);
                self.doors_settle(number);
            }
            _ => self.plan_wake(number),
        }
    }

    /// The core does what is due.
    pub(super) fn core_wakes(&mut self, number: usize) {
        let instant = self.instant();
        let core = &mut self.peers[number].core;
        if core.poll_timeout().is_some_and(|next| next <= instant) {
            core.handle_timeout(instant);
            let next = core.poll_timeout();
            assert!(next.is_none_or(|next| next > instant), "time goes on");
        }
        self.perform(number);
    }

    pub(super) fn peer_hears(&mut self, link: u32) {
        let now = self.network.now;
        let Some(number) = self.network.links.get(&link).map(|link| link.peer) else {
            return;
        };
        if !self.network.is_open(link) || self.peers[number].link != Some(link) {
            return;
        }
        if self.peers[number].is_asleep(now) {
            let until = self.peers[number].asleep_until;
            return self.network.at(until, Event::Message(link, Side::Peer));
        }
        let queue = self
            .network
            .links
            .get_mut(&link)
            .map(|link| &mut link.to_peer);
        let stage = self.peers[number].stage;
        match (queue.and_then(VecDeque::pop_front), stage) {
            (Some(Said::Handshake), Stage::Connecting) => self.greet(number, link),
            (Some(Said::Message(RelayMessage::Welcome(welcome))), Stage::Greeting) => {
                self.join(number, link, &welcome);
            }
            (Some(Said::Message(RelayMessage::Reject(_))), Stage::Greeting) => {
                self.hang_up(number, "refused");
            }
            (Some(Said::Message(RelayMessage::Disconnect(_))), Stage::Joined) => {
                self.hang_up(number, "sent away");
            }
            (Some(Said::Message(message)), Stage::Joined)
                if self.hears_of_meetings(number, &message) => {}
            (Some(Said::Message(message)), Stage::Joined) => {
                self.a_gateway_hears(number, &message);
                let instant = self.instant();
                if let Some(host) = self.host_at(number) {
                    host.handle_control(&message);
                    self.pass_on_orders();
                }
                self.peers[number].core.handle_control(instant, message);
                self.perform(number);
                self.doors_settle(number);
            }
            (Some(Said::Close), _) => self.lose(number, "closed"),
            (None, _) => {}
            (said, stage) => panic!("{said:?} while {stage:?}"),
        }
    }

    pub(super) fn peer_gets(&mut self, link: u32, datagram: Bytes) {
        let now = self.network.now;
        let number = self.network.links[&link].peer;
        let instant = self.instant();
        let peer = &mut self.peers[number];
        let ready = peer.stage == Stage::Joined && !peer.is_asleep(now);
        if peer.link != Some(link) || !ready || !self.network.is_open(link) {
            return;
        }
        peer.counts.datagrams += 1;
        match peer.core.handle_datagram(instant, datagram) {
            Ok(Some(frame)) => {
                peer.counts.frames_delivered += 1;
                let mac = peer.mac;
                self.ledger.comes_by_the_relay(&frame);
                self.ledger.delivered(now, number, mac, &frame);
            }
            Ok(None) => peer.counts.waiting += 1,
            Err(_) => peer.counts.drops += 1,
        }
        self.plan_wake(number);
    }

    pub(super) fn peer_gives_up(&mut self, link: u32) {
        let number = self.network.links[&link].peer;
        if self.peers[number].link != Some(link) {
            return;
        }
        if self.peers[number].is_asleep(self.network.now) {
            let until = self.peers[number].asleep_until;
            return self.network.at(until, Event::Silence(link, Side::Peer));
        }
        self.lose(number, "silence");
    }

    /// The port has a frame.
    pub(super) fn send(&mut self, number: usize, frame: Frame) -> u64 {
        let now = self.network.now;
        let (id, bytes) = self.ledger.sent(now, number, frame);
        let instant = self.instant();
        let peer = &mut self.peers[number];
        let is_in = peer.stage == Stage::Joined;
        if peer.stage == Stage::Off {
            return id;
        }
        let mut frame = FrameBuf::from_frame(&bytes);
        if !is_in && !self.doors.has(number) {
            peer.core.counters().drops.count(DropReason::LinkDown);
            peer.counts.drops += 1;
            return id;
        }
        if peer.core.handle_frame(instant, &mut frame).is_err() {
            peer.counts.drops += 1;
            return id;
        }
        peer.counts.frames_sent += 1;
        if self.sends_straight(number, id, frame.frame()) {
            return id;
        }
        let peer = &mut self.peers[number];
        let (true, Some(header), Some(link)) = (is_in, peer.header, peer.link) else {
            peer.core.counters().drops.count(DropReason::LinkDown);
            peer.counts.drops += 1;
            return id;
        };
        peer.last_frame_id = peer.last_frame_id.wrapping_add(1);
        let budget = self.network.links[&link].budget;
        for piece in cut(header, peer.last_frame_id, frame.frame(), budget) {
            if self.network.send(&mut self.dice, link, Side::Relay, piece) {
                self.ledger.doubled(frame.frame());
            }
        }
        id
    }

    fn connect(&mut self, number: usize) {
        let link = self.network.link(&mut self.dice, number);
        let peer = &mut self.peers[number];
        peer.link = Some(link);
        peer.stage = Stage::Connecting;
        peer.deadline = self.network.now + CONNECT_DEADLINE;
        self.note(|| format!("{number} connects by link {link}"));
        self.network
            .say_to_relay(&mut self.dice, link, Said::Handshake);
        for after in KNOCKS {
            self.network.after(after, Event::Knock(link));
        }
        self.plan_wake(number);
    }

    pub(super) fn knock(&mut self, link: u32) {
        let peer = &self.peers[self.network.links[&link].peer];
        if peer.link == Some(link) && peer.stage == Stage::Connecting {
            self.network
                .say_to_relay(&mut self.dice, link, Said::Handshake);
        }
    }

    fn greet(&mut self, number: usize, link: u32) {
        let budget = self.network.links[&link].budget;
        let orders = self.orders_of(number);
        let peer = &mut self.peers[number];
        peer.stage = Stage::Greeting;
        peer.deadline = u64::MAX;
        let mut hello = Hello {
            resume_token: peer.token.clone(),
            orders,
            ..Hello::new(&"EVENING".parse().unwrap(), peer.core.newcomer(), budget)
        };
        if peer.core.knows_doors() {
            hello.capabilities.push(DOORS.to_owned());
        }
        let hello = Said::Message(PeerMessage::from(hello));
        self.network.say_to_relay(&mut self.dice, link, hello);
    }

    fn join(&mut self, number: usize, link: u32, welcome: &Welcome) {
        let (now, budget) = (self.instant(), self.network.links[&link].budget);
        let peer = &mut self.peers[number];
        peer.stage = Stage::Joined;
        peer.joined = self.network.now;
        peer.token = Some(welcome.resume_token.clone());
        peer.header = Some(Header {
            peer: welcome.peer_id,
            room: welcome.room_id,
            fragment: false,
        });
        peer.core.handle_welcome(now, welcome, budget);
        if let Some(host) = self.host_at(number) {
            host.handle_welcome(welcome);
            self.pass_on_orders();
        }
        self.note(|| format!("{number} has joined as {}", welcome.peer_id));
        self.forgets_its_rounds(number);
        self.perform(number);
        self.doors_settle(number);
        assert!(introduces(&welcome.capabilities));
        self.opens_its_door(number);
    }

    fn hang_up(&mut self, number: usize, cause: &str) {
        if let Some(link) = self.peers[number].link {
            self.network.say_to_relay(&mut self.dice, link, Said::Close);
        }
        self.lose(number, cause);
    }

    fn lose(&mut self, number: usize, cause: &str) {
        self.note(|| format!("{number} has no link: {cause}"));
        let instant = self.instant();
        let (random, now) = (self.dice.bits() as u32, self.network.now);
        let peer = &mut self.peers[number];
        if peer.stage == Stage::Joined {
            peer.backoff
                .ended(std::time::Duration::from_millis(now - peer.joined));
            peer.core.handle_lost_link(instant);
            assert!(peer.core.poll_output().is_none(), "nothing is said late");
            if let Some(host) = self.host_at(number) {
                host.handle_lost_link();
            }
            self.doors_lose_the_relay(number);
        }
        let peer = &mut self.peers[number];
        let abandoned = peer.link.take();
        peer.header = None;
        peer.stage = Stage::Waiting;
        let wait = peer.backoff.next_wait(random).as_millis() as u64;
        peer.deadline = self.network.now + wait + 1;
        if let Some(link) = abandoned {
            // The engine says that it is gone, if anybody can hear it.
            self.network.say_to_relay(&mut self.dice, link, Said::Close);
        }
        self.plan_wake(number);
    }

    pub(super) fn perform(&mut self, number: usize) {
        let peer = &self.peers[number];
        let link = peer.link.filter(|_| peer.stage == Stage::Joined);
        while let Some(output) = self.peers[number].core.poll_output() {
            match output {
                PeerOutput::Message(message) => {
                    // To a relay that is away nothing is said.
                    if let Some(link) = link {
                        let message = Said::Message(message);
                        self.network.say_to_relay(&mut self.dice, link, message);
                    }
                }
                PeerOutput::Frame(frame) if frame[12..14] == [0x88, 0xb5] => {
                    assert_eq!(frame[..6], NIC.octets(), "no switch carries it further");
                    assert_eq!(frame[6], 2, "a player's MAC is refreshed");
                }
                PeerOutput::Frame(frame) if frame[6] == 0x0e => {
                    assert!(
                        frame[0] & 1 == 1,
                        "a question to the machine for its groups"
                    );
                }
                PeerOutput::ToRelay(frame) => {
                    // Groups are reported, and asked for where clients do not ask; nobody here has a machine that answers.
                    assert_eq!(frame.frame()[0] & 1, 1, "to a group");
                    self.peers[number].counts.frames_sent += 1;
                }
                PeerOutput::Frame(frame) => {
                    let (now, peer) = (self.network.now, &mut self.peers[number]);
                    peer.counts.frames_delivered += 1;
                    self.tally.count("overtook an announcement");
                    self.ledger.comes_by_the_relay(&frame);
                    self.ledger.delivered(now, number, peer.mac, &frame);
                }
            }
        }
        self.plan_wake(number);
    }

    /// One wake is planned, at the earliest moment that matters.
    fn plan_wake(&mut self, number: usize) {
        let peer = &self.peers[number];
        let core = peer.core.poll_timeout().map(|at| self.moment(at));
        let next = match peer.stage {
            Stage::Off => None,
            Stage::Joined => core,
            Stage::Waiting | Stage::Connecting | Stage::Greeting => {
                let core = core.filter(|_| self.doors.has(number));
                core.into_iter().chain([peer.deadline]).min()
            }
        };
        let Some(next) = next.filter(|&next| next < peer.next_wake) else {
            return;
        };
        self.peers[number].next_wake = next;
        self.network.at(next, Event::Wake(number));
    }
}
