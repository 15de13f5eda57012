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
    /// Which ports have spoken to all at home, by which address, and when last.
    speakers: Vec<(u16, Ipv4Addr, Instant)>,
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

    /// The party's answer to a program that has spoken at home, as it comes in there: for the ear, and so for this machine.
    pub fn answer(&mut self, now: Instant, frame: &[u8], adapter: &End) -> Option<Vec<u8>> {
        if self.speakers.is_empty() {
            return None;
        }
        let found = Discovery::read(frame)?;
        if adapter.v4.map(IpAddr::V4) != Some(found.to) || frame[..6] != adapter.mac.octets() {
            return None;
        }
        self.speakers
            .retain(|&(_, _, at)| now.saturating_duration_since(at) < ANSWERS);
        let mut speakers = self.speakers.iter();
        let &(_, speaker, _) = speakers.find(|&&(port, _, _)| port == found.ports.1)?;
        let from = MacAddr::new(*frame.get(6..)?.first_chunk()?);
        let between = (Some(EAR_MAC), from);
        Some(found.readdressed(frame, between, (None, Some(speaker.into()))))
    }

    fn remember(&mut self, now: Instant, port: u16, address: Ipv4Addr) {
        self.speakers.retain(|&(known, _, _)| known != port);
        if self.speakers.len() == MAX_SPEAKERS {
            self.speakers.remove(0);
        }
        self.speakers.push((port, address, now));
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
#[allow(clippy::disallowed_methods, reason = "tests own the clock")]
mod tests {
    use super::*;
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    const HOME: End = End {
        mac: MacAddr::new([0, 0x16, 0x3e, 0, 0, 1]),
        v4: Some(Ipv4Addr::new(192, 168, 1, 7)),
        v6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    };
    const ADAPTER: End = End {
        mac: MacAddr::new([2, 0, 0, 0, 0, 7]),
        v4: Some(Ipv4Addr::new(192, 168, 50, 107)),
        v6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7)),
    };
    const LAN_HOST: [u8; 6] = [0, 0x16, 0x3e, 0, 0, 9];

    #[test]
    fn the_party_is_heard_at_home_as_it_speaks() {
        let mut ears = Ears::new(Instant::now());
        for to in [[255; 4], [192, 168, 50, 255], [224, 0, 0, 251]] {
            let frame = v4(LAN_HOST, [192, 168, 50, 11], to, (4000, 27_960));
            let heard = ears.for_home(Instant::now(), &frame).unwrap();
            assert_eq!(heard[6..12], EAR_MAC.octets());
            assert_eq!(heard[..6], frame[..6]);
            assert_eq!(addresses(&heard), ([192, 168, 50, 11], to, (4000, 27_960)));
        }
        let v6 = v6([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb]);
        assert!(ears.for_home(Instant::now(), &v6).is_some());
        let mut watch = v6.clone();
        watch[6..12].copy_from_slice(&NEIGHBOUR.octets());
        assert_eq!(ears.for_home(Instant::now(), &watch), None);
    }

    #[test]
    fn nothing_but_discovery_on_one_link_is_heard() {
        let mut ears = Ears::new(Instant::now());
        let now = Instant::now();
        let mut in_pieces = v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (4000, 27_960));
        in_pieces[20] = 0x20;
        let mut ospf = v4(LAN_HOST, [10, 0, 0, 1], [224, 0, 0, 5], (1, 2));
        ospf[23] = 89;
        let mut to_one = v4(LAN_HOST, [10, 0, 0, 1], [192, 168, 50, 107], (1, 2));
        to_one[..6].copy_from_slice(&ADAPTER.mac.octets());
        let cut = v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (4000, 27_960));
        for frame in [
            v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (67, 68)),
            v4(LAN_HOST, [10, 0, 0, 1], [255; 4], (68, 67)),
            v4(LAN_HOST, [10, 0, 0, 1], [239, 1, 2, 3], (1, 2)),
            v6([0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            [&[0xff; 6][..], &LAN_HOST, &[8, 6], &[0; 46]].concat(),
            in_pieces,
            ospf,
            to_one,
            cut[..40].to_vec(),
            cut[..10].to_vec(),
            Vec::new(),
        ] {
            assert_eq!(ears.for_home(now, &frame), None, "{frame:x?}");
            assert_eq!(ears.from_home(now, &frame), None);
            let sender = [
                &frame[..6.min(frame.len())],
                &HOME.mac.octets(),
                frame.get(12..).unwrap_or(&[]),
            ];
            assert_eq!(ears.of_home(now, &sender.concat(), &HOME, &ADAPTER), None);
        }
    }

    #[test]
    fn what_came_by_an_ear_comes_by_no_other() {
        let mut ears = Ears::new(Instant::now());
        let now = Instant::now();
        let frame = v4(LAN_HOST, [192, 168, 50, 11], [255; 4], (4000, 27_960));
        let at_home = ears.for_home(now, &frame).unwrap();
        assert_eq!(ears.from_home(now, &at_home), None);
        assert_eq!(ears.of_home(now, &at_home, &HOME, &ADAPTER), None);
        assert!(
            ears.from_home(now, &frame).is_some(),
            "a neighbour is heard"
        );
        assert_eq!(
            ears.of_home(now, &frame, &HOME, &ADAPTER),
            None,
            "and stays at home"
        );
    }

    #[test]
    fn a_program_at_home_asks_the_party_and_hears_its_answer() {
        let mut ears = Ears::new(Instant::now());
        let now = Instant::now();
        let question = v4(
            HOME.mac.octets(),
            [192, 168, 1, 7],
            [192, 168, 1, 255],
            (5000, 27_960),
        );
        let said = ears.of_home(now, &question, &HOME, &ADAPTER).unwrap();
        assert_eq!(said[..12], [&[0xff; 6][..], &ADAPTER.mac.octets()].concat());
        assert_eq!(
            addresses(&said),
            ([192, 168, 50, 107], [255; 4], (5000, 27_960))
        );

        let mut answer = v4(
            LAN_HOST,
            [192, 168, 50, 11],
            [192, 168, 50, 107],
            (27_960, 5000),
        );
        answer[..6].copy_from_slice(&ADAPTER.mac.octets());
        let heard = ears.answer(now, &answer, &ADAPTER).unwrap();
        assert_eq!(heard[..12], [&EAR_MAC.octets()[..], &LAN_HOST].concat());
        assert_eq!(
            addresses(&heard),
            ([192, 168, 50, 11], [192, 168, 1, 7], (27_960, 5000))
        );
        let mut other = v4(
            LAN_HOST,
            [192, 168, 50, 11],
            [192, 168, 50, 107],
            (27_960, 5001),
        );
        other[..6].copy_from_slice(&ADAPTER.mac.octets());
        assert_eq!(
            ears.answer(now, &other, &ADAPTER),
            None,
            "nobody asked there"
        );
        assert_eq!(ears.answer(now + ANSWERS, &answer, &ADAPTER), None);
        let nobody = End {
            v4: None,
            ..ADAPTER
        };
        assert_eq!(
            ears.of_home(now, &question, &HOME, &nobody),
            None,
            "from which address?"
        );
    }

    #[test]
    fn a_flood_stays_where_it_is() {
        let mut ears = Ears::new(Instant::now());
        let now = Instant::now();
        let frame = v4(LAN_HOST, [192, 168, 50, 11], [255; 4], (4000, 27_960));
        let passed = (0..1000).filter(|_| ears.for_home(now, &frame).is_some());
        assert_eq!(passed.count(), 128);
        assert!(
            ears.from_home(now, &frame).is_some(),
            "the other way is another one"
        );
        let later = now + Duration::from_secs(1);
        let passed = (0..1000).filter(|_| ears.for_home(later, &frame).is_some());
        assert_eq!(passed.count(), 64);
    }

    /// Read, and its checksums verified, by another parser.
    fn addresses(frame: &[u8]) -> ([u8; 4], [u8; 4], (u16, u16)) {
        let packet = SlicedPacket::from_ethernet(frame).unwrap();
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) =
            (packet.net, packet.transport)
        else {
            panic!("no UDP over IPv4");
        };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        let sum = udp.to_header().calc_checksum_ipv4(&header, udp.payload());
        assert_eq!(udp.checksum(), sum.unwrap());
        let ports = (udp.source_port(), udp.destination_port());
        (header.source, header.destination, ports)
    }

    fn v4(from: [u8; 6], source: [u8; 4], to: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
        let to_mac = match to {
            [224..=239, b, c, d] => [1, 0, 0x5e, b & 0x7f, c, d],
            _ => [0xff; 6],
        };
        let payload = b"who is there";
        let len = u16::try_from(8 + payload.len()).unwrap();
        let mut frame = [&to_mac[..], &from, &[8, 0, 0x45, 0]].concat();
        frame.extend((20 + len).to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
        frame.extend([source, to].concat());
        frame.extend([ports.0, ports.1, len, 0].map(u16::to_be_bytes).concat());
        frame.extend(payload);
        frame
    }

    fn v6(to: [u8; 16]) -> Vec<u8> {
        let to_mac = [0x33, 0x33, to[12], to[13], to[14], to[15]];
        let mut frame = [
            &to_mac[..],
            &LAN_HOST,
            &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 12, UDP, 1],
        ]
        .concat();
        frame.extend([[0xfe; 16], to].concat());
        frame.extend([0, 1, 0, 2, 0, 12, 0, 0, 1, 2, 3, 4]);
        frame
    }
}
