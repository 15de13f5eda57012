//! Notices that what goes onto the LAN comes back from it, and says when broadcast must stop.
//!
//! The port never shows what we have sent ourselves. So a frame of ours that comes in by the wire has
//! come round: another bridge joins this LAN to the room, or two sockets of the switch are joined. Groups
//! of frames then go round for ever, and multiply.
//!
//! What is proof? A client's MAC alone is not: a member could choose the MAC of some machine on the LAN,
//! and that machine's next three broadcasts would silence the room. Proof is
//!
//! * a CAM refresh with our own NIC as its destination: one is enough, nobody else makes them;
//! * [`ECHOES`] group frames within [`WINDOW`] that are, byte for byte, what a client has said. Which of
//!   the two ways round is shorter is not known, so the echo may also come first. One or two may be a
//!   switch that is changing its mind.
//!
//! What under a client's MAC is no echo after a [`WINDOW`] is a machine's that has this MAC as well, if it happens
//! [`STRANGE`] times and there is no loop.

use lanparty_proto::ethernet::ether_type;
use lanparty_proto::{EthernetFrame, FrameKind, MacAddr};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// How long nothing may have come back before broadcast flows again.
pub const QUIET: Duration = Duration::from_secs(10);

/// How many echoes make a loop.
const ECHOES: usize = 3;
/// Within which time; and how far apart a frame and its echo are at most.
const WINDOW: Duration = Duration::from_secs(1);
/// How many group frames that a client has not said are a machine's on the LAN.
const STRANGE: u32 = 3;
/// Within which time: a machine that speaks says something to everybody at least this often.
const SPAN: Duration = Duration::from_secs(300);
/// Of how many MACs that is counted.
const MAX_STRANGERS: usize = 64;
/// How many frames are remembered in each direction. A party's clients say some dozens to everybody in
/// a second.
const MEMORY: usize = 256;

/// What has gone out and come in lately, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct LoopGuard {
    said: Sightings,
    /// Under a client's MAC, and not said by it so far.
    heard: Sightings,
    strangers: Vec<Stranger>,
    echoes: VecDeque<Instant>,
    found: Option<Loop>,
}

#[derive(Debug)]
struct Loop {
    /// Whose frame gave it away.
    mac: MacAddr,
    ends: Instant,
}

/// A MAC under which the LAN said what its client did not.
#[derive(Debug)]
struct Stranger {
    mac: MacAddr,
    since: Instant,
    frames: u32,
}

impl LoopGuard {
    /// A client has said this to a group.
    pub(super) fn said(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        if is_made_of_a_mac(frame) {
            return;
        }
        let print = fingerprint(frame);
        if self.heard.take(now, print) {
            self.echo(now, frame.source());
        }
        self.said.push(now, frame.source(), print);
    }

    /// The LAN has said this to a group, under a client's MAC.
    pub(super) fn heard(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        if is_made_of_a_mac(frame) {
            return;
        }
        let print = fingerprint(frame);
        let is_echo = match self.is_closed(now) {
            true => self.said.renew(now, print),
            false => self.said.has(now, print),
        };
        match is_echo {
            true => self.echo(now, frame.source()),
            false => self.heard.push(now, frame.source(), print),
        }
    }

    /// The MAC of a client under which a machine on the LAN speaks as well, if that is clear by now.
    pub(super) fn take_machine(&mut self, now: Instant) -> Option<MacAddr> {
        if self.is_closed(now) {
            // Who has said what cannot be told where everything goes round.
            self.strangers.clear();
            self.heard.0.clear();
            return None;
        }
        while let Some(sighting) = self.heard.take_old(now) {
            if self.is_machine(now, sighting.source) {
                return Some(sighting.source);
            }
        }
        None
    }

    fn is_machine(&mut self, now: Instant, mac: MacAddr) -> bool {
        self.strangers
            .retain(|one| now.saturating_duration_since(one.since) < SPAN);
        let Some(known) = self.strangers.iter().position(|one| one.mac == mac) else {
            if self.strangers.len() < MAX_STRANGERS {
                let (since, frames) = (now, 1);
                self.strangers.push(Stranger { mac, since, frames });
            }
            return false;
        };
        self.strangers[known].frames += 1;
        let is_machine = self.strangers[known].frames >= STRANGE;
        if is_machine {
            self.strangers.swap_remove(known);
        }
        is_machine
    }

    /// A CAM refresh of our own has come back.
    pub(super) fn heard_refresh(&mut self, now: Instant, client: MacAddr) {
        self.found(now, client);
    }

    /// True while no frame to a group may cross.
    pub(super) fn is_closed(&self, now: Instant) -> bool {
        self.found.as_ref().is_some_and(|found| now < found.ends)
    }

    /// Whose frame gave the loop away that has not ended yet.
    pub(super) fn looped(&self) -> Option<MacAddr> {
        self.found.as_ref().map(|found| found.mac)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if !self.is_closed(now) {
            self.found = None;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.found.as_ref().map(|found| found.ends)
    }

    fn echo(&mut self, now: Instant, mac: MacAddr) {
        if self.is_closed(now) {
            return self.found(now, mac);
        }
        self.echoes.retain(|&then| is_recent(now, then));
        self.echoes.push_back(now);
        if self.echoes.len() >= ECHOES {
            self.echoes.clear();
            self.found(now, mac);
        }
    }

    fn found(&mut self, now: Instant, mac: MacAddr) {
        let ends = now + QUIET;
        match &mut self.found {
            Some(found) => found.ends = ends,
            None => self.found = Some(Loop { mac, ends }),
        }
    }
}

/// The last frames, oldest first.
#[derive(Debug, Default)]
struct Sightings(VecDeque<Sighting>);

#[derive(Debug, Clone, Copy)]
struct Sighting {
    at: Instant,
    source: MacAddr,
    print: u64,
}

impl Sightings {
    fn push(&mut self, at: Instant, source: MacAddr, print: u64) {
        if self.0.len() == MEMORY {
            self.0.pop_front();
        }
        self.0.push_back(Sighting { at, source, print });
    }

    fn has(&self, now: Instant, print: u64) -> bool {
        self.position(now, print).is_some()
    }

    fn take(&mut self, now: Instant, print: u64) -> bool {
        let at = self.position(now, print);
        at.is_some_and(|at| self.0.remove(at).is_some())
    }

    /// The oldest, once it is no more recent.
    fn take_old(&mut self, now: Instant) -> Option<Sighting> {
        let is_old = self
            .0
            .front()
            .is_some_and(|first| !is_recent(now, first.at));
        is_old.then(|| self.0.pop_front()).flatten()
    }

    /// Finds what may have been seen long ago, because it has gone round since, and remembers it anew.
    fn renew(&mut self, now: Instant, print: u64) -> bool {
        let Some(place) = self.0.iter().position(|seen| seen.print == print) else {
            return false;
        };
        if let Some(seen) = self.0.remove(place) {
            self.push(now, seen.source, print);
        }
        true
    }

    fn position(&self, now: Instant, print: u64) -> Option<usize> {
        let mut recent = self.0.iter();
        recent.position(|seen| seen.print == print && is_recent(now, seen.at))
    }
}

fn is_recent(now: Instant, then: Instant) -> bool {
    now.saturating_duration_since(then) < WINDOW
}

/// True for what every machine with the same MAC says byte for byte, and so proves nothing: ICMPv6, group
/// membership included, comes from an address that is made of the MAC (RFC 4291 §2.5.1) and says little else.
fn is_made_of_a_mac(frame: EthernetFrame<'_>) -> bool {
    const NEXT_HEADER: usize = 6;
    const HOP_BY_HOP: u8 = 0;
    const ICMP: u8 = 58;
    let next = frame.payload().get(NEXT_HEADER);
    let is_icmp = next.is_some_and(|next| [HOP_BY_HOP, ICMP].contains(next));
    frame.kind() == FrameKind::EtherType(ether_type::IPV6) && is_icmp
}

/// Equal for frames that are equal but for their padding.
fn fingerprint(frame: EthernetFrame<'_>) -> u64 {
    let bytes = frame.bytes();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap_or(0);
    let mut hasher = DefaultHasher::new();
    bytes[..=end].hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 7]);

    #[test]
    fn three_echoes_within_a_second_are_a_loop_and_two_are_not() {
        let mut lan = Lan::new();
        for number in 0..2 {
            lan.said(number);
            lan.heard(number);
        }
        assert_eq!(lan.guard.looped(), None);
        lan.wait(WINDOW);
        lan.said(3);
        lan.heard(3);
        assert_eq!(lan.guard.looped(), None, "the first two are forgotten");
        lan.heard(3);
        lan.heard(3);
        assert_eq!(lan.guard.looped(), Some(ALICE));
        assert!(lan.guard.is_closed(lan.now));
    }

    #[test]
    fn an_echo_may_come_before_the_frame() {
        let mut lan = Lan::new();
        for number in 0..3 {
            lan.heard(number);
            lan.said(number);
        }
        assert_eq!(lan.guard.looped(), Some(ALICE));
    }

    #[test]
    fn a_machine_with_a_clients_mac_is_no_loop() {
        let mut lan = Lan::new();
        for number in 0..100 {
            lan.said(number);
            lan.heard(100 + number);
        }
        assert_eq!(lan.guard.looped(), None);
    }

    #[test]
    fn one_echo_is_one_however_often_the_client_says_the_same() {
        let mut lan = Lan::new();
        lan.heard(1);
        for _ in 0..10 {
            lan.said(1);
        }
        assert_eq!(lan.guard.looped(), None);
    }

    #[test]
    fn an_echo_after_a_second_is_none() {
        let mut lan = Lan::new();
        for number in 0..10 {
            lan.said(number);
        }
        lan.wait(WINDOW);
        for number in 0..10 {
            lan.heard(number);
        }
        assert_eq!(lan.guard.looped(), None);
    }

    #[test]
    fn it_ends_when_nothing_has_come_back_for_ten_seconds() {
        let mut lan = Lan::new();
        lan.guard.heard_refresh(lan.now, ALICE);
        let almost = QUIET - Duration::from_millis(1);
        lan.said(1);
        for _ in 0..5 {
            lan.wait(almost);
            lan.heard(1);
        }
        // A new frame of the client's comes back too, but not what nobody has said.
        lan.wait(almost);
        lan.heard(2);
        lan.said(2);
        lan.heard(3);
        lan.wait(almost);
        assert_eq!(lan.guard.looped(), Some(ALICE));
        assert_eq!(lan.guard.poll_timeout(), Some(lan.now + QUIET - almost));
        lan.wait(QUIET - almost);
        assert_eq!((lan.guard.looped(), lan.guard.poll_timeout()), (None, None));
        lan.said(9);
        lan.heard(9);
        assert_eq!(lan.guard.looped(), None, "it takes three again");
    }

    #[test]
    fn a_machine_with_a_clients_mac_does_not_keep_it_closed() {
        let mut lan = Lan::new();
        lan.said(1);
        lan.guard.heard_refresh(lan.now, ALICE);
        for number in 0..9 {
            lan.wait(QUIET / 10);
            lan.heard(100 + number);
            lan.heard(100 + number);
        }
        lan.wait(QUIET / 10);
        assert_eq!(lan.guard.looped(), None);
    }

    #[test]
    fn a_storm_does_not_make_us_grow() {
        let mut lan = Lan::new();
        for number in 0..2000 {
            lan.said(number);
            lan.heard(10_000 + number);
        }
        let kept = (lan.guard.said.0.len(), lan.guard.heard.0.len());
        assert_eq!(kept, (MEMORY, MEMORY));
    }

    #[test]
    fn padding_makes_no_difference() {
        let short = frame(1);
        let mut long = short.clone();
        long.resize(60, 0);
        let print = |bytes: &[u8]| fingerprint(EthernetFrame::parse(bytes).unwrap());
        assert_eq!(print(&short), print(&long));
        assert_ne!(print(&short), print(&frame(2)));
        print(&[0; 14]);
    }

    struct Lan {
        guard: LoopGuard,
        now: Instant,
    }

    impl Lan {
        fn new() -> Self {
            Lan {
                guard: LoopGuard::default(),
                now: Instant::now(),
            }
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
            self.guard.handle_timeout(self.now);
        }

        fn said(&mut self, number: u16) {
            let frame = frame(number);
            self.guard
                .said(self.now, EthernetFrame::parse(&frame).unwrap());
        }

        fn heard(&mut self, number: u16) {
            let frame = frame(number);
            self.guard
                .heard(self.now, EthernetFrame::parse(&frame).unwrap());
        }
    }

    fn frame(number: u16) -> Vec<u8> {
        let mut frame = [MacAddr::BROADCAST.octets(), ALICE.octets()].concat();
        frame.extend([0x81, 0x37]);
        frame.extend(number.to_be_bytes());
        frame.push(0xff);
        frame
    }
}
