//! A running peer: one core, one port, one link, one loop.
//!
//! Gateway and clients differ in what they decide ([`PeerCore`]) and where their frames come from
//! ([`FramePort`]). The rest is the same and lives here: connect, say hello, carry frames both ways,
//! follow control messages, keep time, say goodbye; and when the link is lost, try again.

mod beside;
mod retries;
mod run;
mod turn;
mod uptime;
mod wakefulness;

pub use run::run;

use crate::door::{Door, Standing};
use crate::link::{ConnectError, LinkFacts};
use crate::vnet::Sent;
use bytes::Bytes;
use lanparty_ctrl::message::{Newcomer, Welcome};
use lanparty_ctrl::{
    Challenge, HostOrder, PeerMessage, Pin, RelayMessage, ResumeToken, RoomKey, SignedTerm, Text,
};
use lanparty_edge::address::RelayAddress;
use lanparty_obs::{DropReason, PeerStats, Ways};
use lanparty_proto::{DatagramBudget, FrameBuf, PeerId, VirtualMac};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The decisions of a peer: a pure state machine that outlives its links.
pub trait PeerCore {
    /// Who this is, for the `hello`.
    fn newcomer(&self) -> Newcomer;

    /// Whether it says again which groups its machine wants, so that it needs no others.
    fn tells_groups(&self) -> bool {
        false
    }

    /// Whether it shows how far the others are, and wants to be told.
    fn shows_pings(&self) -> bool {
        false
    }

    /// Whether it takes the room's new key from the host.
    fn takes_new_keys(&self) -> bool {
        false
    }

    /// An attempt to reach the relay begins: what its hello asks the room's gateway to sign, made of these
    /// random bits.
    fn challenge(&mut self, _random: [u8; 32]) -> Option<Challenge> {
        None
    }

    /// The relay that lets us in next has this key; none is known of one in this program.
    fn handle_relay_key(&mut self, _relay: Option<Pin>) {}

    /// The relay let us in; a datagram of `budget` bytes fits the path now.
    fn handle_welcome(&mut self, now: Instant, welcome: &Welcome, budget: DatagramBudget);

    /// The link is gone: nothing that belonged to it holds any more.
    fn handle_lost_link(&mut self, now: Instant);

    /// The machine has slept for so long since this was said last, and `Instant` stood still meanwhile.
    fn handle_sleep(&mut self, _now: Instant, _slept: Duration) {}

    /// A frame from the port. `Ok` sends it to the relay, as it then is.
    ///
    /// # Errors
    /// Why it must not go there; it has been counted.
    fn handle_frame(&mut self, now: Instant, frame: &mut FrameBuf) -> Result<(), DropReason>;

    /// A frame from the port that goes nowhere, because there is no link.
    fn overhear(&mut self, _now: Instant, _frame: &[u8]) {}

    /// A datagram from the relay. `Ok(Some(frame))` goes to the port, `Ok(None)` waits for more
    /// fragments.
    ///
    /// # Errors
    /// Why it must not go there; it has been counted.
    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason>;

    /// A control message from the relay. `Welcome`, `Reject` and `Disconnect` never come here.
    fn handle_control(&mut self, now: Instant, message: RelayMessage);

    /// Time has come.
    fn handle_timeout(&mut self, now: Instant);

    /// When [`Self::handle_timeout`] has something to do.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next thing to be done; call until `None` after any of the above but the two hot ones.
    fn poll_output(&mut self) -> Option<PeerOutput>;

    /// True once after something has happened that the program around the core should not wait a second to hear of.
    fn take_news(&mut self) -> bool {
        false
    }

    /// The peer is about to leave: the last thing that goes out by [`Self::poll_output`] while frames still flow.
    fn handle_shutdown(&mut self, _now: Instant) {}

    /// Whether it knows of direct paths ([`crate::door`]), so that the relay is told whether it wants any.
    fn knows_doors(&self) -> bool {
        false
    }

    /// The relay introduces the peer with this number: the MAC of the player among the two, where there may be a direct
    /// path between them now. A player's only answer is its own MAC, and its gateway the only peer.
    fn meets(&self, _peer: PeerId) -> Option<VirtualMac> {
        None
    }

    /// Whether this player's direct path may go on: asked whenever anything but frames has happened, and after that no
    /// frame passes a path that may not.
    fn standing(&self, _player: VirtualMac) -> Standing {
        Standing::Out
    }

    /// A direct path stands, and both ends have proved who they are. It takes the place of one that this player had.
    fn open_door(&mut self, _now: Instant, _door: Door) {}

    /// This player's direct path is gone, and no other one takes its place.
    fn close_door(&mut self, _now: Instant, _player: VirtualMac) {}

    /// By whose direct path the frame may go that [`Self::handle_frame`] has just said `Ok` of, if by any: what concerns
    /// that player and the LAN alone, and what the other end lets through.
    fn direct_player(&mut self, _now: Instant, _frame: &[u8]) -> Option<VirtualMac> {
        None
    }

    /// A datagram from the other end of this player's direct path. Else as [`Self::handle_datagram`].
    ///
    /// # Errors
    /// Why it must not go to the port; it has been counted.
    fn handle_direct(
        &mut self,
        _now: Instant,
        _player: VirtualMac,
        _datagram: Bytes,
    ) -> Result<Option<Bytes>, DropReason> {
        Err(DropReason::LinkDown)
    }

    /// The program around it says this to the relay, such as that somebody has to go.
    fn handle_own(&mut self, _now: Instant, _message: &PeerMessage) {}

    /// A player's link stands, and no gateway is there in whom it believes: one that is gone, or that has not proved to
    /// be its host's for longer than that takes. Then the party may be at another relay.
    fn misses_gateway(&self, _now: Instant) -> bool {
        false
    }

    /// A gateway's link stands, and all players that it had fell silent of late, without a goodbye: they may be looking for
    /// it at another relay.
    fn is_deserted(&self, _now: Instant) -> bool {
        false
    }

    /// What it has counted so far. Whoever carries its frames counts in it what happens outside the core: drops in
    /// a queue, at the port or on the link, datagrams that went out, calls of the port, how the link is doing.
    fn counters(&mut self) -> &mut PeerStats;
}

/// What a core wants done.
#[derive(Debug)]
pub enum PeerOutput {
    /// A frame of the core's own making for the port.
    Frame(Bytes),
    /// A frame of the core's own making for the relay.
    ToRelay(FrameBuf),
    /// A message for the relay.
    Message(PeerMessage),
}

/// Where frames enter a machine: a TAP, a NIC, or memory in a test. Never blocks.
pub trait FramePort {
    /// Ready when [`Self::try_recv`] may have something, else the task is woken once it has: the waker of the last call
    /// that was not ready. Ready in vain is allowed. Costs no system call as long as nothing has come.
    ///
    /// # Errors
    /// When the port is gone for good.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Hands over frames that are there, some dozens at most, in order; and for each that died in
    /// the port the reason. Having none is no error. Answers how many reads it took, which is less
    /// than the frames where several came as one.
    ///
    /// # Errors
    /// When the port is gone for good.
    fn try_recv(&mut self, take: &mut dyn FnMut(Result<FrameBuf, DropReason>)) -> io::Result<u64>;

    /// Puts the frames of one turn out, in order. A refused frame is no end: the port may still be
    /// good.
    fn try_send(&mut self, frames: &[Bytes]) -> Sent;
}

/// What happens to a peer, told to its [`PeerHost`].
#[derive(Debug)]
pub enum Event<'a> {
    /// An attempt begins with looking up where the relay's name leads.
    Resolving {
        /// True when that has taken so long that a person wonders; said once in an attempt.
        takes_long: bool,
    },
    /// The relay's name has been resolved; an attempt to reach it begins.
    Connecting {
        /// Where it will be looked for.
        addresses: &'a [SocketAddr],
    },
    /// While the link stands, the relay is looked for over another way: no packet to one of these may go into the tunnel.
    Trying {
        /// Where it is looked for, and where the link that stands leads.
        addresses: &'a [SocketAddr],
    },
    /// The relay has let us in; frames flow after this event has been handled. The link may take the place of one that stood.
    Joined {
        /// What it said.
        welcome: &'a Welcome,
        /// Where it is.
        relay: SocketAddr,
        /// Which of several relays it is, as the invite names it, or the relay that sent us there.
        at: &'a RelayAddress,
    },
    /// All relays at which the party may be were looked at; told where there are several.
    Relays(&'a [RelaySight]),
    /// The fleet has sent this peer to another relay, which it did not come to: it stays where it is.
    Stays {
        /// Where it should have gone, as the fleet names it.
        relay: &'a str,
        /// Why it has not, as part of a sentence.
        why: &'a str,
    },
    /// Somebody came or went; the core knows already.
    Control(&'a RelayMessage),
    /// The core has news ([`PeerCore::take_news`]), or the program has something to say to it ([`PeerHost::next_message`]).
    News,
    /// A second has passed on a standing link, or the network around this machine has changed.
    Tick(LinkFacts),
    /// The ways to other members, of all of whom more is known than that the relay leads to them; told before a
    /// [`Self::Tick`], and when one of them has become another.
    Ways(&'a [(PeerId, Ways)]),
    /// The machine, or this program, stood still for seconds. The link is given up, whatever the relay does, and
    /// another attempt follows.
    Slept,
    /// There is no link, or none any more, and another attempt follows.
    NoLink {
        /// Why, as part of a sentence.
        cause: String,
        /// True when somebody answered and said no.
        refused: bool,
    },
}

/// What was seen of a relay, where a party may be at one of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySight {
    /// Which one, as the invite names it, or the relay that sent us there.
    pub address: RelayAddress,
    /// Where it is, as its operator calls it.
    pub region: Option<Text>,
    /// The round trip to it, if it answers.
    pub rtt: Option<Duration>,
    /// When it was seen so.
    pub at: Instant,
    /// True for the one at which this peer is.
    pub is_here: bool,
    /// Where it sends whoever asks for this party: another relay of its fleet. It is a way there, and on when that one fails.
    pub leads_to: Option<RelayAddress>,
    /// Why it is of no use now, as part of a sentence.
    pub said: Option<String>,
}

/// What a host could not do; ends the peer.
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// The program around a peer: sets the machine up when a link stands, and tells people about it.
pub trait PeerHost<C> {
    /// The token of the place that an earlier run had, where a program keeps it: a killed peer takes
    /// its place back before the relay has noticed (spec R91). The next token comes with
    /// [`Event::Joined`].
    fn kept_token(&mut self) -> Option<ResumeToken> {
        None
    }

    /// The room's key, where it is another one by now than the configuration's.
    fn room_key(&self) -> Option<RoomKey> {
        None
    }

    /// What the party's host has ordered before and still wants.
    fn standing_orders(&self) -> Vec<HostOrder> {
        Vec::new()
    }

    /// A hello to the relay with this key is about to be said: the term of the stay that begins, higher than all before and kept
    /// already; gateways only.
    fn term(&mut self, _relay: &Pin) -> Option<SignedTerm> {
        None
    }

    /// Whether the relay was one of a fleet when the program used it last; then a gateway measures the fleet before it asks for its
    /// room.
    fn knows_fleet(&mut self) -> bool {
        false
    }

    /// At which of several relays the program wants to be, whichever is the best; looked at several times a second. It is gone
    /// to as soon as it answers.
    fn preferred_relay(&mut self) -> Option<RelayAddress> {
        None
    }

    /// True once when the program wants to know how all relays do ([`Event::Relays`]); looked at several times a second.
    fn wants_survey(&mut self) -> bool {
        false
    }

    /// The other ends of direct paths, and where they are looked for: no route of the party's may lead there.
    fn keep_outside(&mut self, _addresses: &[SocketAddr]) {}

    /// What the program itself has to say to the relay, or nothing where it has to say something to the core
    /// ([`Event::News`]); asked for while the link stands, and given up at any time.
    fn next_message(&mut self) -> impl Future<Output = Option<PeerMessage>> {
        std::future::pending()
    }

    /// Where else this peer's socket, which has this port, may be found than where the relay sees it; the best first. Asked for
    /// once a second, and what is new is told to the relay.
    fn named_addresses(&mut self, _port: u16) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// True for an address of the party's LAN, which is reached through the tunnel: no direct path leads there.
    fn is_inside(&self, _address: IpAddr) -> bool {
        false
    }

    /// Something has happened.
    ///
    /// # Errors
    /// When the machine cannot be set up, which ends the peer.
    fn handle_event(
        &mut self,
        core: &mut C,
        event: Event<'_>,
    ) -> impl Future<Output = Result<(), HostError>>;
}

/// Why a peer ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The relay cannot be used, and waiting will not change that.
    #[error("{}", unusable(.relay, .error))]
    Relay {
        /// The relay, as the person named it.
        relay: String,
        /// What is wrong.
        #[source]
        error: ConnectError,
    },
    /// The adapter or the LAN interface is gone.
    #[error("the network interface is gone: {0}")]
    Port(#[source] io::Error),
    /// The machine could not be set up.
    #[error(transparent)]
    Host(HostError),
    /// The relay has sent this player out of its room; it says why. A gateway comes back.
    #[error("{0}")]
    Kicked(Text),
}

/// Where there are several, the cause names them.
fn unusable(relay: &str, error: &ConnectError) -> String {
    match error {
        ConnectError::NoneOf(_) => error.to_string(),
        error => format!("the relay {relay} cannot be used: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relays::NoneOf;
    use lanparty_edge::sentence;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start the DHCP client")]
    struct Told(#[source] io::Error);

    #[test]
    fn what_a_host_could_not_do_keeps_its_cause() {
        let cause = io::Error::from(io::ErrorKind::StorageFull);
        let said = sentence(&RunError::Host(Told(cause).into()));
        assert_eq!(said, "cannot start the DHCP client: no storage space");
    }

    #[test]
    fn that_none_of_several_relays_can_be_used_is_said_once() {
        let old = |name: &str| (name.parse().unwrap(), ConnectError::NoRoomKeys);
        let error = ConnectError::NoneOf(NoneOf::new(vec![old("a.example"), old("b.example")]));
        let relay = "a.example:443".to_owned();
        let said = sentence(&RunError::Relay { relay, error });
        assert!(
            said.starts_with("none of the 2 relays of the party"),
            "{said}"
        );
        assert_eq!(said.matches("cannot be used").count(), 0, "{said}");
        assert_eq!(said.matches("none of").count(), 1, "{said}");
    }
}
