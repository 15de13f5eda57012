//! Whether the room's gateway is the host's, whatever the relay says.
//!
//! A player whose invite names the host asks with its hello for a signature that only the host's gateway can make.
//! Until that has come, nothing of what a gateway says is believed; a little of it waits for a moment.

use bytes::Bytes;
use lanparty_ctrl::host_key::Introduction;
use lanparty_ctrl::message::{NewKey, Vouched};
use lanparty_ctrl::new_key::Recipient;
use lanparty_ctrl::{Challenge, HostId, Pin, RoomCode, RoomKey, SignedTerm, Term};
use lanparty_proto::early::EarlyDatagrams;
use lanparty_proto::{PeerId, RoomId, VirtualMac};
use std::time::{Duration, Instant};

/// How long a gateway may take to answer before the player is told that it does not; a few round trips of the
/// slowest path.
const SILENT: Duration = Duration::from_secs(5);
/// How long before no honest relay explains the silence: it keeps a gateway that has died, or stands still, for
/// fifteen seconds.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long it may take before the party is looked for at other relays; the answer comes after one round trip through the
/// relay, and there is nothing to lose by looking.
const PROVES: Duration = Duration::from_secs(2);

/// What a player knows of the host, and has asked its gateway.
#[derive(Debug)]
pub(super) struct HostCheck {
    host: HostId,
    room: RoomCode,
    challenge: Option<Challenge>,
    proven: Option<PeerId>,
    doubt: Doubt,
    held: EarlyDatagrams,
    /// The key of the relay that the next term is signed for.
    relay: Option<Pin>,
    /// The highest term of this host that any relay has shown; it outlives links.
    highest: Term,
    /// A gateway that has moved on since: its relay does not know, or does not say so.
    outdated: Option<PeerId>,
}

/// How a gateway that is there and has proved nothing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// There is none.
    None,
    /// It was asked then. Its answer may be under way.
    Asked(Instant),
    /// It was asked then, and may have died.
    Silent(Instant),
    /// It is not the host's: it has answered wrongly, or not at all where the host's would be gone by now.
    Strange,
}

impl HostCheck {
    pub(super) fn new(host: HostId, room: RoomCode) -> Self {
        HostCheck {
            host,
            room,
            challenge: None,
            proven: None,
            doubt: Doubt::None,
            held: EarlyDatagrams::default(),
            relay: None,
            highest: Term::default(),
            outdated: None,
        }
    }

    /// The relay with this key lets the player in next.
    pub(super) fn meet(&mut self, relay: Option<Pin>) {
        self.relay = relay;
    }

    /// What the next link's hello asks.
    pub(super) fn challenge(&mut self, random: [u8; 32]) -> Challenge {
        let challenge = Challenge::from_random(random);
        self.challenge = Some(challenge);
        challenge
    }

    /// Another link begins, or none: who has proved what is not known any more.
    pub(super) fn begin(&mut self) {
        (self.proven, self.doubt) = (None, Doubt::None);
        self.outdated = None;
        self.held.clear();
    }

    /// The relay says that this is a gateway, and with which term it came.
    pub(super) fn announced(
        &mut self,
        now: Instant,
        (gateway, term): (PeerId, Option<&SignedTerm>),
    ) {
        self.outdated = self.is_outdated(term).then_some(gateway);
        if !self.believes(gateway) && self.doubt == Doubt::None {
            self.doubt = Doubt::Asked(now);
        }
    }

    /// Gateways of older versions tell no term, nor do older relays: a signature that fits nothing counts as none.
    fn is_outdated(&mut self, term: Option<&SignedTerm>) -> bool {
        let term = term.zip(self.relay.as_ref());
        let term = term.and_then(|(term, relay)| term.of(&self.host, &self.room, relay));
        let is_outdated = term.is_some_and(|term| term < self.highest);
        self.highest = term.unwrap_or_default().max(self.highest);
        is_outdated
    }

    /// The relay says that this gateway has left.
    pub(super) fn left(&mut self, gateway: PeerId) {
        self.proven.take_if(|proven| *proven == gateway);
        self.outdated.take_if(|outdated| *outdated == gateway);
        self.doubt = Doubt::None;
    }

    pub(super) fn believes(&self, gateway: PeerId) -> bool {
        self.proven == Some(gateway) && self.outdated != Some(gateway)
    }

    /// True where this gateway, in whom the player does not believe, may prove in a moment to be the host's.
    pub(super) fn may_prove(&self, now: Instant, gateway: PeerId) -> bool {
        let is_young =
            matches!(self.doubt, Doubt::Asked(at) if now.saturating_duration_since(at) < PROVES);
        is_young && self.outdated != Some(gateway)
    }

    /// True when there is a gateway that is not the host's, as far as can be told.
    pub(super) fn doubts(&self) -> bool {
        self.doubt == Doubt::Strange
    }

    /// True when there is a gateway that has not answered, and may yet.
    pub(super) fn waits(&self) -> bool {
        matches!(self.doubt, Doubt::Silent(_))
    }

    /// Keeps for a moment what a gateway says that has not proved yet who it is.
    pub(super) fn hold(&mut self, now: Instant, gateway: PeerId, datagram: &Bytes) {
        self.held.hold(now, gateway, datagram);
    }

    /// A gateway's answer; what it has said meanwhile, if it is the host's.
    pub(super) fn handle_vouched(
        &mut self,
        now: Instant,
        room_id: RoomId,
        client: VirtualMac,
        vouched: &Vouched,
    ) -> Vec<Bytes> {
        let Some(challenge) = self.challenge else {
            return Vec::new();
        };
        let introduction = Introduction {
            challenge,
            client,
            gateway: vouched.peer_id,
            room_id,
            room: &self.room,
        };
        if !vouched.vouch.holds(&self.host, &introduction) {
            self.doubt = Doubt::Strange;
            return Vec::new();
        }
        (self.proven, self.doubt) = (Some(vouched.peer_id), Doubt::None);
        self.held.take(now, vouched.peer_id)
    }

    /// The room's new key, from whoever carries it: the host's signature counts, not who has proved what.
    pub(super) fn open_new_key(
        &self,
        client: VirtualMac,
        key: &NewKey,
        before: &RoomKey,
    ) -> Option<RoomKey> {
        let to = Recipient {
            challenge: self.challenge?,
            client,
            room: &self.room,
        };
        key.open(before, &self.host, &to)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.held.expire(now);
        self.doubt = match self.doubt {
            Doubt::Asked(at) | Doubt::Silent(at) if at + PATIENCE <= now => Doubt::Strange,
            Doubt::Asked(at) if at + SILENT <= now => Doubt::Silent(at),
            doubt => doubt,
        };
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let until = match self.doubt {
            Doubt::Asked(at) => Some(at + SILENT),
            Doubt::Silent(at) => Some(at + PATIENCE),
            Doubt::None | Doubt::Strange => None,
        };
        until.into_iter().chain(self.held.poll_timeout()).min()
    }

    /// How many datagrams were given up since the last call.
    pub(super) fn take_lost(&mut self) -> u64 {
        self.held.take_lost()
    }
}
