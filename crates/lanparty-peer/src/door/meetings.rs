//! Who is being met, and what is due: pure.
//!
//! A round goes like this: on `meet` each side opens its own NAT towards the other with a packet that dies at the next router,
//! and says `ready`. On `go` both have, so packets may go farther: the next ones open a provider's NAT behind one's own, then the
//! gateway sends some that arrive, so that its NAT lets the player in, and the player connects a moment later. Farther ones sent
//! before could reach the other's router too early, which then gives its own packets another port. The gateway expects nobody whom
//! it has not been told of, and for no longer than a round.

use lanparty_ctrl::door::{Go, Meet, NoMeetingReason, Ready};
use lanparty_proto::{PeerId, VirtualMac};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How far the packet goes that opens one's own NAT: to the router behind it,
pub(super) const NEAR_HOPS: [u8; 1] = [2];
/// and those that open the ones behind that.
pub(super) const FAR_HOPS: [u8; 2] = [3, 4];
/// How often the gateway sends a packet to each address, and how many.
pub(super) const PUNCH_EVERY: Duration = Duration::from_millis(100);
pub(super) const PUNCHES: u32 = 12;
/// How long after `go` it begins, when the last NATs are open,
pub(super) const BEGIN: Duration = Duration::from_millis(30);
/// and when the player connects.
pub(super) const LATER: Duration = Duration::from_millis(130);
/// How long a round may take from `meet` on, and how long its guest is expected.
pub(super) const ROUND: Duration = Duration::from_secs(10);
/// How long it is known that a round came to nothing.
const KEPT: Duration = Duration::from_secs(600);
/// How long a player waits before it asks for another round, which doubles; a relay has a mind of its own about that.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How soon after a good path was lost.
const SOON: Duration = Duration::from_millis(500);
/// A path that stood for less was none.
const STEADY: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// A packet that arrives, to each of these.
    Punch(Vec<SocketAddr>),
    /// Connect to this peer.
    Call(PeerId),
    /// Tell the relay again where one is.
    Ask,
}

/// A round of two.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) meet: Meet,
    /// The player's MAC.
    pub(super) player: VirtualMac,
    /// Those of the other one's addresses that are tried.
    pub(super) addresses: Vec<SocketAddr>,
    until: Instant,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Opened,
    /// Next time at that moment, and so often already.
    Going(Instant, u32),
    /// What could be done is done.
    Done,
    /// It is known what came of it.
    Over,
}

/// The rounds of one peer.
#[derive(Debug)]
pub(super) struct Meetings {
    is_gateway: bool,
    with: BTreeMap<PeerId, Meeting>,
    ask_at: Option<Instant>,
    in_vain: u32,
    /// Why there is none, as the relay says; a player has one other one.
    pub(super) refused: Option<NoMeetingReason>,
}

impl Meetings {
    pub(super) fn new(is_gateway: bool) -> Self {
        Meetings {
            is_gateway,
            with: BTreeMap::new(),
            ask_at: None,
            in_vain: 0,
            refused: None,
        }
    }

    /// Nobody is met any more: the relay is gone, or it's another one.
    pub(super) fn clear(&mut self) {
        self.with.clear();
        self.ask_at = None;
        self.refused = None;
    }

    /// The relay has introduced this one.
    pub(super) fn met(
        &mut self,
        now: Instant,
        meet: Meet,
        player: VirtualMac,
        at: Vec<SocketAddr>,
    ) {
        // One with a peer that is not met again says no more than that.
        self.with.retain(|_, meeting| meeting.until + KEPT > now);
        self.refused = None;
        self.ask_at = None;
        let meeting = Meeting {
            player,
            addresses: at,
            until: now + ROUND,
            stage: Stage::Opened,
            meet,
        };
        self.with.insert(meeting.meet.peer_id, meeting);
        // A round that comes to nothing is not heard of otherwise.
        self.ask_later(now, ROUND);
    }

    /// Both are ready. True for a round that waited for it.
    pub(super) fn go(&mut self, now: Instant, go: Go) -> bool {
        let later = if self.is_gateway { BEGIN } else { LATER };
        let meeting = self.with.get_mut(&go.peer_id);
        let meeting =
            meeting.filter(|meeting| meeting.meet.round == go.round && meeting.until > now);
        match meeting {
            Some(meeting) if matches!(meeting.stage, Stage::Opened) => {
                meeting.stage = Stage::Going(now + later, 0);
                true
            }
            Some(_) | None => false,
        }
    }

    /// There is no meeting, and why.
    pub(super) fn refused(&mut self, now: Instant, why: NoMeetingReason) {
        self.refused = Some(why);
        self.ask_at = None;
        if why == NoMeetingReason::Spent {
            self.ask_later(now, LONGEST_PAUSE);
        }
    }

    /// With whom a round is under way.
    pub(super) fn with(&self, now: Instant, peer: PeerId) -> Option<&Meeting> {
        self.with.get(&peer).filter(|meeting| meeting.until > now)
    }

    /// What the relay said of this one last.
    pub(super) fn last(&self, peer: PeerId) -> Option<&Meet> {
        self.with.get(&peer).map(|meeting| &meeting.meet)
    }

    /// With all whom one is under way with, and has led to nothing yet.
    pub(super) fn peers_under_way(&self, now: Instant) -> impl Iterator<Item = PeerId> {
        let meetings = self.with.iter();
        let meetings = meetings.filter(move |(_, meeting)| {
            meeting.until > now && !matches!(meeting.stage, Stage::Over)
        });
        meetings.map(|(&peer, _)| peer)
    }

    /// With all whom nothing has come of it, as far as is known here.
    pub(super) fn peers_in_vain(&self, now: Instant) -> impl Iterator<Item = PeerId> {
        let meetings = self.with.iter();
        let meetings = meetings.filter(move |(_, meeting)| {
            meeting.until <= now && !matches!(meeting.stage, Stage::Over)
        });
        meetings.map(|(&peer, _)| peer)
    }

    /// All addresses that are being tried.
    pub(super) fn addresses(&self, now: Instant) -> impl Iterator<Item = SocketAddr> {
        let meetings = self
            .with
            .values()
            .filter(move |meeting| meeting.until > now);
        meetings.flat_map(|meeting| meeting.addresses.iter().copied())
    }

    /// A round has led to a path.
    pub(super) fn succeeded(&mut self, peer: PeerId) {
        if let Some(meeting) = self.with.get_mut(&peer) {
            meeting.stage = Stage::Over;
        }
        self.ask_at = None;
    }

    /// A round has come to nothing.
    pub(super) fn failed(&mut self, now: Instant, peer: PeerId) {
        if let Some(meeting) = self.with.get_mut(&peer) {
            meeting.stage = Stage::Over;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.in_vain.min(8));
        self.in_vain = self.in_vain.saturating_add(1);
        self.ask_at = None;
        self.ask_later(now, pause.min(LONGEST_PAUSE));
    }

    /// A path is lost that stood for so long, or nothing shows any more that it carries anything.
    pub(super) fn lost(&mut self, now: Instant, stood: Duration) {
        if stood >= STEADY {
            self.in_vain = 0;
        }
        let pause = match self.in_vain {
            0 => SOON,
            failures => FIRST_PAUSE.saturating_mul(1 << failures.min(8)),
        };
        self.in_vain = self.in_vain.saturating_add(1);
        self.ask_later(now, pause.min(LONGEST_PAUSE));
    }

    /// The relay has to hear of something new soon.
    pub(super) fn ask_soon(&mut self, now: Instant) {
        self.in_vain = 0;
        self.ask_at = Some(now + SOON);
    }

    /// Players ask; a gateway would have all of them met anew.
    fn ask_later(&mut self, now: Instant, pause: Duration) {
        if !self.is_gateway {
            self.ask_at.get_or_insert(now + pause);
        }
    }

    /// When [`Self::poll`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let going = self
            .with
            .values()
            .filter_map(|meeting| match meeting.stage {
                Stage::Going(at, _) => Some(at),
                Stage::Opened | Stage::Done | Stage::Over => None,
            });
        going.chain(self.ask_at).min()
    }

    /// What is due now.
    pub(super) fn poll(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for (&peer, meeting) in &mut self.with {
            let Stage::Going(at, times) = meeting.stage else {
                continue;
            };
            if at > now {
                continue;
            }
            if self.is_gateway {
                due.push(Due::Punch(meeting.addresses.clone()));
                meeting.stage = match times + 1 {
                    PUNCHES.. => Stage::Done,
                    times => Stage::Going(now + PUNCH_EVERY, times),
                };
            } else {
                due.push(Due::Call(peer));
                meeting.stage = Stage::Done;
            }
        }
        if self.ask_at.is_some_and(|at| at <= now) {
            self.ask_at = None;
            due.push(Due::Ask);
        }
        due
    }
}

/// What says that one is ready for it.
pub(super) fn ready(meet: &Meet) -> Ready {
    Ready {
        peer_id: meet.peer_id,
        round: meet.round,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lanparty_ctrl::door::MeetSecret;

    fn peer(number: u16) -> PeerId {
        PeerId::new(number).unwrap()
    }

    fn meet(number: u16, round: u32) -> Meet {
        Meet {
            peer_id: peer(number),
            round,
            addresses: Vec::new(),
            seen: "203.0.113.7:5".parse().unwrap(),
            secret: MeetSecret::from_random([7; 32]),
            pin: None,
            rtt_us: 0,
            nat: None,
        }
    }

    fn there() -> Vec<SocketAddr> {
        vec!["203.0.113.20:40000".parse().unwrap()]
    }

    fn go(number: u16, round: u32) -> Go {
        ready(&meet(number, round))
    }

    fn met(is_gateway: bool, now: Instant) -> Meetings {
        let mut meetings = Meetings::new(is_gateway);
        let mac = VirtualMac::from_random([7; 6]);
        meetings.met(now, meet(2, 1), mac, there());
        meetings
    }

    #[test]
    fn a_gateway_sends_twelve_packets_to_an_address_and_no_more() {
        let start = Instant::now();
        let mut meetings = met(true, start);
        assert_eq!(
            meetings.poll_timeout(),
            None,
            "nothing before both are ready"
        );
        assert!(!meetings.go(start, go(2, 9)) && !meetings.go(start, go(3, 1)));
        assert!(meetings.go(start, go(2, 1)));
        assert!(!meetings.go(start, go(2, 1)), "once");
        let mut punches = 0;
        while let Some(at) = meetings.poll_timeout() {
            assert_eq!(meetings.poll(at), [Due::Punch(there())]);
            assert_eq!(at, start + BEGIN + PUNCH_EVERY * punches);
            punches += 1;
        }
        assert_eq!(punches, 12);
    }

    #[test]
    fn a_player_connects_a_moment_later_and_asks_ever_more_rarely() {
        let start = Instant::now();
        let mut meetings = met(false, start);
        meetings.go(start, go(2, 1));
        assert_eq!(meetings.poll(start), []);
        assert_eq!(meetings.poll(start + LATER), [Due::Call(peer(2))]);
        assert_eq!(meetings.peers_under_way(start).count(), 1);
        let mut pauses = Vec::new();
        let mut now = start;
        for _ in 0..8 {
            meetings.failed(now, peer(2));
            let at = meetings.poll_timeout().unwrap();
            assert_eq!(meetings.poll(at), [Due::Ask]);
            pauses.push((at - now).as_secs());
            now = at;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_path_that_is_lost_is_met_anew_at_once_unless_it_never_holds() {
        let start = Instant::now();
        let mut meetings = met(false, start);
        meetings.succeeded(peer(2));
        assert_eq!(meetings.poll_timeout(), None);
        meetings.lost(start, Duration::from_secs(60));
        assert_eq!(meetings.poll_timeout(), Some(start + SOON));
        assert_eq!(meetings.poll(start + SOON), [Due::Ask]);
        meetings.lost(start, Duration::from_secs(2));
        assert_eq!(meetings.poll_timeout(), Some(start + 2 * FIRST_PAUSE));
        // Somewhere else all is different.
        meetings.ask_soon(start);
        assert_eq!(meetings.poll_timeout(), Some(start + SOON));
    }

    #[test]
    fn a_round_that_nobody_says_go_to_is_asked_for_again() {
        let start = Instant::now();
        let mut meetings = met(false, start);
        assert_eq!(meetings.poll_timeout(), Some(start + ROUND));
        assert!(meetings.with(start, peer(2)).is_some());
        assert!(meetings.with(start + ROUND, peer(2)).is_none());
        assert!(!meetings.go(start + ROUND, go(2, 1)));
        let gateway = met(true, start);
        assert_eq!(gateway.poll_timeout(), None);
    }

    #[test]
    fn who_is_refused_waits_to_be_told_otherwise() {
        let start = Instant::now();
        let mut meetings = met(false, start);
        meetings.refused(start, NoMeetingReason::Closed);
        assert_eq!(meetings.poll_timeout(), None);
        meetings.refused(start, NoMeetingReason::Spent);
        assert_eq!(meetings.poll_timeout(), Some(start + LONGEST_PAUSE));
    }
}
