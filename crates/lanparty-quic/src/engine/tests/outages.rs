//! A relay that dies and comes back, in virtual time: real QUIC on both sides, and a wire that is a list.

use super::super::driver::TRAINS;
use super::super::link::Fate;
use super::super::udp::Received;
use super::*;
use crate::endpoint::server_config;
use crate::steer::Place;
use crate::transport::transport;
use crate::{life, reset};
use bytes::BytesMut;
use noq_proto::crypto::rustls::QuicClientConfig;
use noq_proto::{ClientConfig, ConnectionHandle, Dir, FourTuple};
use std::num::NonZeroUsize;

/// From one side to the other.
const WAY: Duration = Duration::from_millis(20);
const BEAT: Duration = Duration::from_secs(1);
/// Until everything of the handshake has been said.
const SETTLED: Duration = Duration::from_millis(500);
/// A reset asks for nothing but that the peer says something. One that has frames does it at the next beat at the
/// latest; a quiet one at the second beat after the last thing that it heard.
const TOLD_WITHIN: Duration = Duration::from_millis(1100);
const QUIET_TOLD_WITHIN: Duration = Duration::from_millis(2100);
/// Three silent beats after the one in which it died.
const GIVEN_UP_WITHIN: Duration = Duration::from_millis(4100);

#[test]
fn however_long_the_relay_was_away_its_peers_know_at_once() {
    let key = Identity::new_key().unwrap();
    let mut ways_to_know = [0; 2];
    for away in (200..=6000).step_by(200).map(Duration::from_millis) {
        // Frames each so often, and the moment of the death between two beats.
        for (frames, phase) in [(None, 0), (Some(50), 300), (None, 600), (Some(50), 900)] {
            let mut party = Party::begin(&key);
            party.frames = frames.map(Duration::from_millis);
            party.run(SETTLED + BEAT + Duration::from_millis(phase));
            let died = party.now;
            party.relay = None;
            party.run(away);
            let knows_already = party.outcome;
            let back = party.now;
            party.relay = Some(relay(&key));
            party.run(GIVEN_UP_WITHIN);
            let case = format!("away for {away:?}, phase {phase}, frames {frames:?}");
            let (at, outcome) = knows_already.or(party.outcome).expect(&case);
            match outcome {
                Outcome::Forgotten => {
                    let told = at - back;
                    let soon = frames.map_or(QUIET_TOLD_WITHIN, |_| TOLD_WITHIN);
                    assert!(told <= soon, "{case}: {told:?}");
                }
                Outcome::GivenUp => assert!(at - died <= GIVEN_UP_WITHIN, "{case}"),
            }
            ways_to_know[outcome as usize] += 1;
        }
    }
    let [forgotten, given_up] = ways_to_know;
    assert!(forgotten > 40 && given_up > 40, "{ways_to_know:?}");
}

#[test]
fn what_waits_for_somebody_who_is_deaf_is_gone_after_a_second() {
    let key = Identity::new_key().unwrap();
    let mut party = Party::begin(&key);
    party.run(SETTLED);
    party.relay = None;
    let begin = party.now;
    for number in 0..1000u32 {
        let link = party.peer.link(party.link).unwrap();
        let pieces = smallvec![Bytes::from(vec![number as u8; 200])];
        link.take(begin, Person::Crowd, GAME, pieces, 200);
    }
    party.peer.touch(party.link);
    party.run(Duration::from_millis(900));
    let stats = |party: &mut Party| party.peer.link(party.link).unwrap().queue.stats();
    assert!(stats(&mut party).bytes > 100_000);
    party.run(Duration::from_millis(200));
    let stats = stats(&mut party);
    assert_eq!(stats.bytes, 0, "{stats:?}");
    assert!(stats.late() > 500, "{stats:?}");
}

#[test]
fn a_message_is_said_beside_frames_and_again_when_it_is_lost() {
    let key = Identity::new_key().unwrap();
    // In one packet, and in more than leave in a turn.
    for len in [100, 20_000] {
        for is_lost in [false, true] {
            let mut party = Party::begin(&key);
            party.frames = Some(Duration::from_millis(10));
            party.run(SETTLED);
            let link = party.peer.link(party.link).unwrap();
            let stream = link.quic.streams().open(Dir::Uni).unwrap();
            let written = link.quic.send_stream(stream).write(&vec![7; len]);
            assert_eq!(written.unwrap(), len);
            party.peer.touch(party.link);
            party.say();
            if is_lost {
                let relay = party.relay.take();
                party.run(2 * WAY);
                party.relay = relay;
            }
            party.run(if is_lost { BEAT } else { 5 * WAY });
            let relay = party.relay.as_mut().unwrap();
            let handle = relay.links.handles()[0];
            let quic = &mut relay.link(handle).unwrap().quic;
            assert_eq!(quic.streams().accept(Dir::Uni), Some(stream));
            let mut stream = quic.recv_stream(stream);
            let mut chunks = stream.read(true).unwrap();
            let mut came = 0;
            while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                came += chunk.bytes.len();
            }
            let _ = chunks.finalize();
            assert_eq!(came, len, "lost {is_lost}");
        }
    }
}

#[test]
fn frames_leave_in_one_turn_though_their_packets_have_room() {
    let key = Identity::new_key().unwrap();
    let mut party = Party::begin(&key);
    party.run(SETTLED);
    let link = party.peer.link(party.link).unwrap();
    // Two are too long for one packet.
    for number in 0..4 {
        let pieces = smallvec![Bytes::from(vec![number as u8; 700])];
        link.take(party.now, Person::Crowd, GAME, pieces, 700);
    }
    link.begin_to_send();
    let mut contents = Vec::new();
    let mut packets = 0;
    while let Some(packet) = link.next_train(party.now, NonZeroUsize::MIN, &mut contents) {
        assert!(packet.size < 1000);
        packets += 1;
    }
    assert_eq!(packets, 4);
}

#[test]
fn an_end_that_comes_with_a_frame_is_heard_after_it() {
    let key = Identity::new_key().unwrap();
    let mut party = Party::begin(&key);
    party.run(SETTLED);
    party.say();
    let link = party.peer.link(party.link).unwrap();
    link.begin_to_send();
    let mut contents = Vec::new();
    let mut trains = || link.next_train(party.now, NonZeroUsize::MIN, &mut contents);
    assert!(trains().is_some());
    assert!(trains().is_none(), "there is nothing else");
    link.quic.close(party.now, 0u8.into(), Bytes::new());
    party.peer.touch(party.link);
    party.run(2 * WAY);
    let relay = party.relay.as_mut().unwrap();
    let handle = relay.links.handles()[0];
    let end = relay.link(handle).unwrap().fate.end.get();
    assert!(matches!(end, Some(ConnectionError::ApplicationClosed(_))));
}

/// How the peer has learnt that its link is of no use.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Forgotten,
    GivenUp,
}

struct Party {
    now: Instant,
    peer: State,
    link: ConnectionHandle,
    fate: Arc<Fate>,
    relay: Option<State>,
    /// In the order in which they arrive.
    wire: Vec<(Instant, To, BytesMut)>,
    frames: Option<Duration>,
    next_frame: Instant,
    next_beat: Instant,
    /// What the peer's pulse counts; see `crate::pulse`.
    heard: u64,
    silent: u32,
    outcome: Option<(Instant, Outcome)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Peer,
    Relay,
}

impl Party {
    fn begin(key: &str) -> Self {
        let now = Instant::now();
        let trust = Trust::pinned(identity(key).pin());
        let crypto = QuicClientConfig::try_from(trust.client_config(None).unwrap()).unwrap();
        let mut config = ClientConfig::new(Arc::new(crypto));
        let floor = PathFloor::Ordinary;
        config.transport_config(Arc::new(transport(floor, Congestion::default())));
        let (endpoint, ids) = reset::nobodys_config();
        let endpoint = proto::Endpoint::new(Arc::new(endpoint), None, true);
        let mut peer = State::new(endpoint, ids);
        let begun = peer.endpoint.connect(now, config, address(To::Relay), NAME);
        let (link, quic) = begun.unwrap();
        let fate = peer.add(link, quic, None);
        Party {
            now,
            peer,
            link,
            fate,
            relay: Some(relay(key)),
            wire: Vec::new(),
            frames: None,
            next_frame: now + SETTLED,
            next_beat: now + SETTLED,
            heard: 0,
            silent: 0,
            outcome: None,
        }
    }

    /// Everything that is due until then happens.
    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.send();
            let deadlines = [&self.peer].into_iter().chain(&self.relay);
            let next = deadlines
                .filter_map(State::next_deadline)
                .chain(self.wire.first().map(|&(at, ..)| at))
                .chain(self.frames.map(|_| self.next_frame))
                .chain([self.next_beat, until])
                .min()
                .expect("there is always an end");
            // What was due while it was away is due now.
            self.now = self.now.max(next);
            if next == until {
                return;
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(&(at, to, _)) = self.wire.first()
            && at <= now
        {
            let (_, _, payload) = self.wire.remove(0);
            self.arrive(to, payload);
        }
        for state in [&mut self.peer].into_iter().chain(&mut self.relay) {
            state.hear_touched();
            state.handle_timeouts(now);
        }
        if let Some(between) = self.frames
            && self.next_frame <= now
        {
            self.next_frame = now + between;
            // A faint link takes none.
            if self.silent <= 1 {
                self.say();
            }
        }
        if self.next_beat <= now {
            self.next_beat = now + BEAT;
            self.beat();
        }
        if let Some(end) = self.fate.end.get() {
            assert_eq!(*end, ConnectionError::Reset);
            self.outcome.get_or_insert((now, Outcome::Forgotten));
        }
    }

    fn arrive(&mut self, to: To, payload: BytesMut) {
        let (state, from) = match (to, &mut self.relay) {
            (To::Peer, _) => (&mut self.peer, To::Relay),
            (To::Relay, Some(relay)) => (relay, To::Peer),
            (To::Relay, None) => return,
        };
        let (now, mut answer) = (self.now, Vec::new());
        let received = Received {
            path: FourTuple::new(address(from), None),
            ecn: None,
            payload,
            wire: None,
        };
        if let Some(transmit) = state.handle_packet(now, received, &mut answer) {
            let packet = answer[..transmit.size].into();
            self.wire.push((now + WAY, from, packet));
        }
        while let Some(stranger) = state.strangers.pop() {
            let accepted = state
                .endpoint
                .accept(stranger.packet, now, &mut answer, None);
            let (handle, quic) = accepted.unwrap();
            state.add(handle, quic, None);
        }
    }

    fn say(&mut self) {
        if let Some(link) = self.peer.link(self.link)
            && self.fate.end.get().is_none()
        {
            let datagram = Bytes::from_static(&[0; 40]);
            link.take(self.now, Person::Crowd, GAME, smallvec![datagram], 40);
            self.peer.put_up(self.link);
        }
    }

    fn beat(&mut self) {
        let Some(link) = self.peer.link(self.link) else {
            return;
        };
        let heard = life::signs(&link.quic.stats().frame_rx);
        if std::mem::replace(&mut self.heard, heard) != heard {
            self.silent = 0;
            return;
        }
        self.silent += 1;
        match self.silent {
            1 => self.say(),
            2 => self.peer.follow_network(self.now),
            _ => _ = self.outcome.get_or_insert((self.now, Outcome::GivenUp)),
        }
    }

    fn send(&mut self) {
        let now = self.now;
        let sides = [
            (Some(&mut self.peer), To::Relay),
            (self.relay.as_mut(), To::Peer),
        ];
        for (state, to) in sides {
            let Some(state) = state else { continue };
            while let Some(handle) = state.touched.pop() {
                let mut contents = Vec::new();
                if let Some(link) = state.link(handle) {
                    link.is_touched = false;
                    link.begin_to_send();
                    for _ in 0..TRAINS {
                        let one = NonZeroUsize::MIN;
                        if link.next_train(now, one, &mut contents).is_none() {
                            break;
                        }
                        let packet = contents.drain(..).as_slice().into();
                        self.wire.push((now + WAY, to, packet));
                    }
                }
                state.settle(now, handle);
            }
        }
    }
}

fn identity(key: &str) -> Identity {
    Identity::self_signed(NAME, key).unwrap()
}

fn relay(key: &str) -> State {
    let identity = identity(key);
    let config = server_config(&identity, Congestion::default(), 1).unwrap();
    let (endpoint, ids) = reset::endpoint_config(&identity, Place::ALONE);
    let endpoint = proto::Endpoint::new(Arc::new(endpoint), Some(Arc::new(config)), true);
    State::new(endpoint, ids)
}

fn address(of: To) -> SocketAddr {
    let host = match of {
        To::Peer => [192, 0, 2, 1],
        To::Relay => [192, 0, 2, 2],
    };
    (host, 4433).into()
}
