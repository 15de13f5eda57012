//! Notices a firewall on the player's machine that eats the party, while it goes on.
//!
//! The shell has an ear: a socket on the adapter, on a port that the system chose, as a game's is that waits for answers.
//! Now and then the session puts two datagrams for it into the machine, one to its address and one to everybody, from a
//! neighbour that it makes up; and the shell says a word to everybody, which the session keeps from the room. What is not
//! heard three times in a row does not get through. No frame of this is seen by anybody else, and nothing here depends on
//! whether a machine answers pings or refuses ports: there is somebody at home.

use super::Session;
use lanparty_peer::PeerOutput;
use lanparty_proto::checksum::Sum;
use lanparty_proto::ip::UDP;
use lanparty_proto::{MacAddr, VirtualMac};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Where the shell's word goes, if nobody keeps it back: to nobody (RFC 863).
pub const DISCARD: u16 = 9;
/// How often somebody listens whose machine lets everything through.
const SELDOM: Duration = Duration::from_secs(20);
/// How long what was said may take to be heard; and how soon it is said again where it was not.
const SOON: Duration = Duration::from_millis(900);
/// What fails so often in a row does not get through.
const FAILURES: u8 = 3;
/// From whom the datagrams are; no frame with this MAC leaves the machine, nor the adapter.
pub const NEIGHBOUR: MacAddr = MacAddr::new([0x0e, b'l', b'a', b'n', 0, 3]);
const WORD: &[u8; 8] = b"slnlstn\0";

/// A socket of the shell's on the party's adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ear {
    /// The adapter's address.
    pub address: Ipv4Addr,
    /// The socket's port.
    pub port: u16,
    /// From whom it is spoken to: one of [`neighbours`], whom the machine reaches by the adapter. Nobody's ARP cache
    /// learns of it, as only IP is said in its name.
    pub neighbour: Ipv4Addr,
}

/// What a firewall keeps back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deafness {
    /// What others send to this machine alone.
    pub to_us: bool,
    /// What others say to everybody.
    pub to_all: bool,
    /// What programs here say.
    pub from_us: bool,
}

impl Deafness {
    /// Whether it keeps anything back.
    pub fn is_any(self) -> bool {
        self != Deafness::default()
    }
}

/// What the machine's firewall lets through.
#[derive(Debug, Default)]
pub(super) struct FirewallWatch {
    ear: Option<Ear>,
    probe: Option<Probe>,
    next: Option<Instant>,
    number: u32,
    failures: [u8; 3],
}

#[derive(Debug)]
struct Probe {
    number: u32,
    sent_at: Instant,
    /// To us, to all, from us.
    heard: [bool; 3],
}

impl Session {
    /// For each second: this is the shell's ear, if it has one, and there is an address to be spoken to. Answers with the
    /// word that it shall say to everybody on [`DISCARD`] by its socket now, if there is one to be said.
    pub fn listen_to_firewall(&mut self, now: Instant, ear: Option<Ear>) -> Option<Vec<u8>> {
        let ear = ear.filter(|_| self.place.is_some());
        let (word, frames) = self.firewall.turn(now, ear, self.mac)?;
        let frames = frames.map(|frame| PeerOutput::Frame(frame.into()));
        self.output.extend(frames);
        Some(word)
    }

    /// The ear has heard this.
    pub fn heard_at_ear(&mut self, datagram: &[u8]) {
        self.firewall.hear(datagram);
    }

    /// What the machine's firewall keeps back, as far as is known.
    pub fn deafness(&self) -> Deafness {
        let [to_us, to_all, from_us] = self.firewall.failures.map(|failed| failed >= FAILURES);
        Deafness {
            to_us,
            to_all,
            from_us,
        }
    }
}

impl FirewallWatch {
    fn turn(
        &mut self,
        now: Instant,
        ear: Option<Ear>,
        mac: VirtualMac,
    ) -> Option<(Vec<u8>, [Vec<u8>; 2])> {
        if self.ear != ear {
            *self = FirewallWatch {
                ear,
                number: self.number,
                // An address counts from the moment on when the kernel has taken it in.
                next: ear.map(|_| now + SOON),
                ..FirewallWatch::default()
            };
        }
        let ear = ear?;
        if let Some(probe) = self.probe.take_if(|probe| probe.sent_at + SOON <= now) {
            for (failures, heard) in self.failures.iter_mut().zip(probe.heard) {
                *failures = if heard { 0 } else { failures.saturating_add(1) };
            }
            let is_well = probe.heard == [true; 3];
            self.next = Some(if is_well { now + SELDOM } else { now });
        }
        if self.probe.is_some() || self.next.is_none_or(|next| next > now) {
            return None;
        }
        self.number = self.number.wrapping_add(1);
        self.probe = Some(Probe {
            number: self.number,
            sent_at: now,
            heard: [false; 3],
        });
        let to_all = (MacAddr::BROADCAST, Ipv4Addr::BROADCAST);
        let frames = [(mac.addr(), ear.address), to_all]
            .into_iter()
            .zip(0..)
            .map(|(to, way)| frame(ear, to, &word(self.number, way)));
        let frames: Vec<_> = frames.collect();
        let frames = frames.try_into().expect("there are two");
        Some((word(self.number, 2), frames))
    }

    fn hear(&mut self, datagram: &[u8]) {
        let Some(probe) = &mut self.probe else {
            return;
        };
        for (way, heard) in (0..).zip(&mut probe.heard) {
            *heard |= datagram == word(probe.number, way);
        }
    }

    /// True for the shell's word on its way out, which goes no further.
    pub(super) fn keeps(&mut self, frame: &[u8]) -> bool {
        let Some(ear) = self.ear else {
            return false;
        };
        // Ethernet, IPv4 without options, UDP: to everybody, from the ear, and a word.
        const PAYLOAD: usize = 14 + 20 + 8;
        let is_word = frame.len() >= PAYLOAD + 13
            && frame[..6] == [0xff; 6]
            && frame[34..36] == ear.port.to_be_bytes()
            && frame[23] == UDP
            && frame[PAYLOAD..].starts_with(WORD);
        if is_word {
            self.hear(&frame[PAYLOAD..PAYLOAD + 13]);
        }
        is_word
    }
}

fn word(number: u32, way: u8) -> Vec<u8> {
    [&WORD[..], &number.to_be_bytes(), &[way]].concat()
}

/// Who may live beside this address in its network: near, so that every rule takes them for the LAN's, and neither the
/// network itself nor its broadcast address. The shell takes one whom it would reach by the adapter.
pub fn neighbours(own: Ipv4Addr, prefix: u8) -> impl Iterator<Item = Ipv4Addr> {
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let may_be = move |bits: &u32| {
        let is_within = (bits ^ own.to_bits()) & !hosts == 0;
        // Two alone have no address for all (RFC 3021).
        is_within && (hosts <= 1 || (bits & hosts != 0 && bits & hosts != hosts))
    };
    let near = (1..8).map(move |bit| own.to_bits() ^ bit);
    near.filter(may_be).map(Ipv4Addr::from)
}

fn frame(ear: Ear, (mac, to): (MacAddr, Ipv4Addr), payload: &[u8]) -> Vec<u8> {
    let source = ear.neighbour.octets();
    let len = u16::try_from(8 + payload.len()).expect("a word is short");
    let mut datagram = [DISCARD, ear.port, len, 0].map(u16::to_be_bytes).concat();
    datagram.extend(payload);
    let mut sum = Sum::pseudo_v4(source, to.octets(), UDP, len);
    sum += Sum::of(&datagram);
    datagram[6..8].copy_from_slice(&sum.checksum().max(1).to_be_bytes());
    let total = (20 + len).to_be_bytes();
    let mut header = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, UDP, 0, 0];
    header.extend(source);
    header.extend(to.octets());
    let checksum = Sum::of(&header).checksum().to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    let ethernet = [&mac.octets()[..], &NEIGHBOUR.octets(), &[8, 0]].concat();
    [ethernet, header, datagram].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests own the clock")]

    use super::*;
    use lanparty_peer::PeerCore;

    const EAR: Ear = Ear {
        address: Ipv4Addr::new(192, 168, 50, 17),
        port: 40_000,
        neighbour: Ipv4Addr::new(192, 168, 50, 16),
    };
    const SECOND: Duration = Duration::from_secs(1);

    fn mac() -> VirtualMac {
        VirtualMac::from_random([7; 6])
    }

    fn payload(frame: &[u8]) -> &[u8] {
        &frame[42..]
    }

    /// Seconds pass on a machine that lets through what this says of the ways; answers when what is first kept back.
    fn pass(
        watch: &mut FirewallWatch,
        now: &mut Instant,
        seconds: u32,
        through: [bool; 3],
    ) -> (u32, [bool; 3]) {
        let mut said = 0;
        for _ in 0..seconds {
            *now += SECOND;
            let Some((word, frames)) = watch.turn(*now, Some(EAR), mac()) else {
                continue;
            };
            said += 1;
            for (frame, through) in frames.iter().zip(through) {
                if through {
                    watch.hear(payload(frame));
                }
            }
            if through[2] {
                watch.hear(&word);
            }
        }
        (said, watch.failures.map(|failures| failures >= FAILURES))
    }

    #[test]
    fn an_open_machine_is_spoken_to_seldom_and_never_called_deaf() {
        let (mut watch, mut now) = (FirewallWatch::default(), Instant::now());
        let (said, deaf) = pass(&mut watch, &mut now, 3600, [true; 3]);
        assert_eq!(deaf, [false; 3]);
        assert!((150..=180).contains(&said), "{said}");
    }

    #[test]
    fn each_way_is_told_within_seconds_and_its_cure_as_well() {
        for way in 0..3 {
            let (mut watch, mut now) = (FirewallWatch::default(), Instant::now());
            let mut through = [true; 3];
            through[way] = false;
            let (_, deaf) = pass(&mut watch, &mut now, 6, through);
            assert_eq!(deaf, through.map(|through| !through));
            let (_, deaf) = pass(&mut watch, &mut now, 2, [true; 3]);
            assert_eq!(deaf, [false; 3]);
        }
    }

    #[test]
    fn what_is_lost_once_is_no_firewall() {
        let (mut watch, mut now) = (FirewallWatch::default(), Instant::now());
        for _ in 0..20 {
            pass(&mut watch, &mut now, 2, [false; 3]);
            let (_, deaf) = pass(&mut watch, &mut now, 2, [true; 3]);
            assert_eq!(deaf, [false; 3]);
        }
    }

    #[test]
    fn without_an_ear_nothing_is_said_and_nothing_kept() {
        let (mut watch, now) = (FirewallWatch::default(), Instant::now());
        assert!(watch.turn(now, None, mac()).is_none());
        pass(&mut watch, &mut now.clone(), 9, [false; 3]);
        assert!(watch.turn(now, None, mac()).is_none());
        assert_eq!(watch.failures, [0; 3]);
    }

    #[test]
    fn the_word_is_kept_from_the_room_and_games_are_not() {
        let (mut watch, now) = (FirewallWatch::default(), Instant::now());
        watch.turn(now, Some(EAR), mac());
        let (word, _) = watch.turn(now + SECOND, Some(EAR), mac()).unwrap();
        let mut sent = frame(EAR, (MacAddr::BROADCAST, Ipv4Addr::BROADCAST), &word);
        sent[34..36].copy_from_slice(&EAR.port.to_be_bytes());
        assert!(watch.keeps(&sent));
        assert!(watch.probe.as_ref().unwrap().heard[2]);
        let last = sent.len() - 13;
        sent[last] = b'x';
        assert!(!watch.keeps(&sent), "a game's");
    }

    #[test]
    fn neighbours_are_hosts_of_the_same_network() {
        let of = |own: [u8; 4], prefix| -> Vec<u8> {
            let near = neighbours(Ipv4Addr::from(own), prefix);
            near.map(|near| near.octets()[3]).collect()
        };
        assert_eq!(of([10, 0, 0, 17], 24), [16, 19, 18, 21, 20, 23, 22]);
        assert_eq!(of([10, 0, 0, 254], 24), [252, 253, 250, 251, 248, 249]);
        assert_eq!(of([10, 0, 0, 255], 8)[0], 254);
        assert_eq!(of([10, 0, 0, 17], 28), [19, 18, 21, 20, 23, 22]);
        assert_eq!(of([10, 0, 0, 30], 28), [28, 29, 26, 27, 24, 25]);
        assert_eq!(of([10, 0, 0, 9], 30), [10]);
        assert_eq!(of([10, 0, 0, 10], 30), [9]);
        assert_eq!(of([10, 0, 0, 10], 31), [11]);
        assert!(of([10, 0, 0, 10], 32).is_empty());
    }

    #[test]
    fn the_word_is_none_of_the_frames_that_the_machine_loses() {
        let (mut session, now) = (Session::new(mac()), Instant::now());
        session.firewall.turn(now, Some(EAR), mac());
        let (word, _) = session
            .firewall
            .turn(now + SECOND, Some(EAR), mac())
            .unwrap();
        let mut sent = frame(EAR, (MacAddr::BROADCAST, Ipv4Addr::BROADCAST), &word);
        sent[34..36].copy_from_slice(&EAR.port.to_be_bytes());
        let mut sent = lanparty_proto::FrameBuf::from_frame(&sent);
        assert!(session.handle_frame(now, &mut sent).is_err());
        assert_eq!(session.counters().drops.total(), 0);
    }
}
