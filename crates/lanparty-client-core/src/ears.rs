//! Both ears: what a game says and hears by the player's home network, although the party is on another adapter
//! (`--both-ears`).
//!
//! Discovery alone: UDP to everybody, or to a group of one link (224.0.0.0/24, ff02::/16), whole, and neither DHCP nor
//! anything that steers a network. What is heard on one side is shown to this machine on the other, and goes nowhere
//! from there.
//!
//! | | becomes |
//! | --- | --- |
//! | the party says something to all | the same, as if home's cable had brought it ([`Ears::for_home`]) |
//! | home says something to all | the same, as if the party had said it ([`Ears::from_home`]) |
//! | a program says something to all at home | the same said by the adapter, from its address ([`Ears::of_home`]) |
//! | the party answers that | the answer, to the home's address ([`Ears::answer`]) |

use crate::session::NEIGHBOUR;
use lanparty_proto::checksum::Sum;
use lanparty_proto::ethernet::{HEADER_LEN, ether_type};
use lanparty_proto::ip::{self, Part};
use lanparty_proto::{EthernetFrame, FrameKind, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::time::{Duration, Instant};

/// From whom what comes by an ear is, to its machine's network card: so that no ear hears another one.
pub const EAR_MAC: MacAddr = MacAddr::new([0x0e, b'l', b'a', b'n', 0, 2]);
/// How many frames a second go each way, and how many at once: as many as a player may say to everybody.
const RATE: u32 = 64;
const BURST: u32 = 128;
/// How long the party may take to answer.
const ANSWERS: Duration = Duration::from_secs(30);
/// Of how many programs that is remembered.
const MAX_SPEAKERS: usize = 64;
const UDP: u8 = 17;

/// One end: its MAC, and the addresses from which it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Its MAC.
    pub mac: MacAddr,
    /// Its IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// Its link-local address.
    pub v6: Option<Ipv6Addr>,
}

/// What goes between home and party, on this machine alone.
#[derive(Debug)]
pub struct Ears {
    to_home: Bucket,
    to_adapter: Bucket,
    to_party: Bucket,
    speakers: Vec<Speaker>,
}

/// A port that has spoken to all at home.
#[derive(Debug)]
struct Speaker {
    port: u16,
    /// By this address.
    address: Ipv4Addr,
    /// When last.
    at: Instant,
    /// When it spoke by the adapter itself last: then it hears there as well.
    by_adapter_at: Option<Instant>,
}

impl Ears {
    /// Ears that have heard nothing yet.
    pub fn new(now: Instant) -> Self {
        let bucket = || Bucket {
            frames: f64::from(BURST),
            at: now,
        };
        Ears {
            to_home: bucket(),
            to_adapter: bucket(),
            to_party: bucket(),
            speakers: Vec::new(),
        }
    }

    /// What the party has said, as it comes in at home.
    pub fn for_home(&mut self, now: Instant, frame: &[u8]) -> Option<Vec<u8>> {
        let found = Discovery::find(frame)?;
        // What the firewall watch says to the adapter is for nobody else.
        if frame[6..12] == NEIGHBOUR.octets() {
            return None;
        }
        self.to_home.take(now)?;
        Some(found.readdressed(frame, (None, EAR_MAC), (None, None)))
    }

    /// What home has said, as it comes in at the adapter. What has come home by an ear is the party's own.
    pub fn from_home(&mut self, now: Instant, frame: &[u8]) -> Option<Vec<u8>> {
        let found = Discovery::find(frame)?;
        if frame[6..12] == EAR_MAC.octets() {
            return None;
        }
        self.to_adapter.take(now)?;
        Some(found.readdressed(frame, (None, EAR_MAC), (None, None)))
    }

    /// What this machine has said at home, as the adapter says it.
    pub fn of_home(
        &mut self,
        now: Instant,
        frame: &[u8],
        home: &End,
        adapter: &End,
    ) -> Option<Vec<u8>> {
        let found = Discovery::find(frame)?;
        // What a guest on this machine's bridge says is home's.
        if frame[6..12] != home.mac.octets() {
            return None;
        }
        let own = match found.source {
            IpAddr::V4(_) => adapter.v4.map(IpAddr::V4),
            IpAddr::V6(_) => adapter.v6.map(IpAddr::V6),
        }?;
        // Home's own broadcast address means nobody at the party.
        let all = match found.to {
            IpAddr::V4(to) if !to.is_multicast() => Some(Ipv4Addr::BROADCAST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        };
        self.to_party.take(now)?;
        if let IpAddr::V4(source) = found.source {
            self.remember(now, found.ports.0, source);
        }
        Some(found.readdressed(frame, (None, adapter.mac), (Some(own), all)))
    }

    /// What a program has said by the adapter itself. One that is tied to home never does; one that listens everywhere
    /// does when it answers, and from then on hears the party there alone.
    pub fn of_adapter(&mut self, now: Instant, frame: &[u8], adapter: &End) {
        if self.speakers.is_empty() {
            return;
        }
        let Some(found) = Discovery::read(frame) else {
            return;
        };
        if adapter.v4.map(IpAddr::V4) == Some(found.source) {
            let mut speakers = self.speakers.iter_mut();
            if let Some(speaker) = speakers.find(|speaker| speaker.port == found.ports.0) {
                speaker.by_adapter_at = Some(now);
            }
        }
    }

    /// The party's answer to a program that has spoken at home and is not known to hear the adapter, as it comes in there:
    /// for the ear, and so for this machine.
    pub fn answer(&mut self, now: Instant, frame: &[u8], adapter: &End) -> Option<Vec<u8>> {
        if self.speakers.is_empty() {
            return None;
        }
        let found = Discovery::read(frame)?;
        if adapter.v4.map(IpAddr::V4) != Some(found.to) || frame[..6] != adapter.mac.octets() {
            return None;
        }
        let is_late = |at| now.saturating_duration_since(at) < ANSWERS;
        self.speakers.retain(|speaker| is_late(speaker.at));
        let mut speakers = self.speakers.iter();
        let speaker = speakers.find(|speaker| speaker.port == found.ports.1)?;
        if speaker.by_adapter_at.is_some_and(is_late) {
            return None;
        }
        let from = MacAddr::new(*frame.get(6..)?.first_chunk()?);
        let between = (Some(EAR_MAC), from);
        let to = Some(speaker.address.into());
        Some(found.readdressed(frame, between, (None, to)))
    }

    fn remember(&mut self, now: Instant, port: u16, address: Ipv4Addr) {
        let mut known = self.speakers.iter();
        let known = known.position(|speaker| speaker.port == port);
        let known = known.map(|at| self.speakers.remove(at));
        if self.speakers.len() == MAX_SPEAKERS {
            self.speakers.remove(0);
        }
        self.speakers.push(Speaker {
            port,
            address,
            at: now,
            by_adapter_at: known.and_then(|known| known.by_adapter_at),
        });
    }
}

/// A datagram of UDP, whole and in one frame.
struct Discovery {
    source: IpAddr,
    to: IpAddr,
    ports: (u16, u16),
    /// Where UDP stands in the frame.
    udp: Range<usize>,
}

impl Discovery {
    /// One that is for all of its link.
    fn find(frame: &[u8]) -> Option<Self> {
        let is_broadcast = frame.get(..6)? == MacAddr::BROADCAST.octets();
        if frame[0] & 1 == 0 {
            return None;
        }
        Self::read(frame).filter(|found| match found.to {
            IpAddr::V4(to) if to.is_multicast() => to.octets()[..3] == [224, 0, 0],
            IpAddr::V4(_) => is_broadcast,
            IpAddr::V6(to) => to.octets()[..2] == [0xff, 0x02],
        })
    }

    fn read(frame: &[u8]) -> Option<Self> {
        let view = EthernetFrame::parse(frame).ok()?;
        let packet = view.payload();
        // Neither tagged nor in LLC: nobody looks for games like that.
        let (source, to, upper) = match view.kind() {
            FrameKind::EtherType(ether_type::IPV4) => {
                let address = |at: usize| Some(*packet.get(at..)?.first_chunk::<4>()?);
                let (source, to) = (address(12)?.into(), address(16)?.into());
                (source, to, ip::ipv4(packet).ok()?)
            }
            FrameKind::EtherType(ether_type::IPV6) => {
                let address = |at: usize| Some(*packet.get(at..)?.first_chunk::<16>()?);
                let (source, to) = (address(8)?.into(), address(24)?.into());
                (source, to, ip::ipv6(packet).ok()?)
            }
            FrameKind::EtherType(_) | FrameKind::Length(_) => return None,
        };
        if (upper.protocol, upper.part) != (UDP, Part::Whole) || upper.authenticated {
            return None;
        }
        let udp = HEADER_LEN + upper.range.start..HEADER_LEN + upper.range.end;
        let &[a, b, c, d, high, low, _, _] = frame.get(udp.clone())?.first_chunk::<8>()?;
        let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let is_whole = usize::from(u16::from_be_bytes([high, low])) == udp.len();
        let steers = |port| matches!(port, 67 | 68 | 546 | 547);
        (is_whole && !steers(ports.0) && !steers(ports.1)).then_some(Discovery {
            source,
            to,
            ports,
            udp,
        })
    }

    /// The same between others. The checksum is made anew: a card may have been asked to finish it.
    fn readdressed(
        &self,
        frame: &[u8],
        (to_mac, from_mac): (Option<MacAddr>, MacAddr),
        (source, to): (Option<IpAddr>, Option<IpAddr>),
    ) -> Vec<u8> {
        let mut frame = frame.to_vec();
        if let Some(to_mac) = to_mac {
            frame[..6].copy_from_slice(&to_mac.octets());
        }
        frame[6..12].copy_from_slice(&from_mac.octets());
        let (source, to) = (source.unwrap_or(self.source), to.unwrap_or(self.to));
        frame[self.udp.start + 6..self.udp.start + 8].fill(0);
        let udp_len = u16::try_from(self.udp.len()).expect("it is in a frame");
        let mut sum = match (source, to) {
            (IpAddr::V4(source), IpAddr::V4(to)) => {
                let ip = &mut frame[HEADER_LEN..];
                ip[12..16].copy_from_slice(&source.octets());
                ip[16..20].copy_from_slice(&to.octets());
                ip[10..12].fill(0);
                let header_len = usize::from(ip[0] & 0x0f) * 4;
                let checksum = Sum::of(&ip[..header_len]).checksum().to_be_bytes();
                ip[10..12].copy_from_slice(&checksum);
                Sum::pseudo_v4(source.octets(), to.octets(), UDP, udp_len)
            }
            (IpAddr::V6(source), IpAddr::V6(to)) => {
                let ip = &mut frame[HEADER_LEN..];
                ip[8..24].copy_from_slice(&source.octets());
                ip[24..40].copy_from_slice(&to.octets());
                Sum::pseudo_v6(source.octets(), to.octets(), UDP, udp_len.into())
            }
            _ => unreachable!("both are of the packet's protocol"),
        };
        sum += Sum::of(&frame[self.udp.clone()]);
        // Zero would say that there is none (RFC 768).
        let checksum = match sum.checksum() {
            0 => 0xffff,
            checksum => checksum,
        };
        frame[self.udp.start + 6..self.udp.start + 8].copy_from_slice(&checksum.to_be_bytes());
        frame
    }
}

/// How many frames may go just now.
#[derive(Debug)]
struct Bucket {
    frames: f64,
    at: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Option<()> {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.frames = (self.frames + since * f64::from(RATE)).min(f64::from(BURST));
        (self.frames >= 1.0).then(|| self.frames -= 1.0)
    }
}

#[cfg(test)]
mod tests;
