//! The classifier, beside what is known of a frame because we made it.

use crate::classify::{check, verdict};
use crate::packet::{ethernet, ipv4, ipv6, tcp, udp};
use arbitrary::{Arbitrary, Unstructured};
use lanparty_obs::DropReason;
use lanparty_proto::MacAddr;
use lanparty_switch::Speaker;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [0, 0x16, 0x3e, 0, 0, 9];

type Verdict = Result<(), DropReason>;

#[derive(Arbitrary, Debug)]
struct Frame {
    destination: Destination,
    source: Source,
    snap: bool,
    content: Content,
    padding: u8,
    /// With a tag that names a priority and no VLAN.
    priority: bool,
}

#[derive(Arbitrary, Debug)]
enum Destination {
    Host,
    Broadcast,
    Multicast,
    Bridges(u8),
    Cisco(bool),
}

#[derive(Arbitrary, Debug)]
enum Source {
    Own,
    Zero,
    Group,
}

#[derive(Arbitrary, Debug)]
enum Content {
    /// What stays on one cable.
    Control(u8),
    CamRefresh,
    /// Anything nobody has an opinion about.
    Game(u8),
    Arp {
        operation: u8,
        own: bool,
        broken_at: Option<u8>,
    },
    V4 {
        option_words: u8,
        part: Part,
        authenticated: bool,
        upper: Upper,
    },
    V6 {
        before: Vec<Extension>,
        part: Option<Part>,
        after: Vec<Extension>,
        upper: Upper,
    },
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Part {
    Whole,
    First,
    Later(u8),
}

#[derive(Arbitrary, Debug)]
enum Extension {
    Options { kind: u8, eighths: u8 },
    Authentication { quarters: u8 },
}

#[derive(Arbitrary, Debug)]
enum Upper {
    Udp {
        source: Port,
        destination: Port,
        operation: Option<u8>,
    },
    Icmp4 {
        kind: u8,
    },
    Icmp6 {
        kind: u8,
        options: Vec<Link>,
    },
    /// Neighbour discovery and what routers say; a random `kind` seldom hits these.
    Discovery {
        kind: u8,
        options: Vec<Link>,
    },
    Tcp,
    Cut {
        protocol: u8,
        len: u8,
    },
    /// What routers speak beside UDP and ICMP, and what they do not.
    Protocol(u8),
    /// Who hears which group, and who asks.
    Igmp {
        kind: u8,
    },
    /// A DHCP client's question.
    Ask {
        kind: u8,
        own: bool,
        hops: bool,
        agent: bool,
        in_file: bool,
        identifiers: Vec<Identifier>,
    },
}

#[derive(Arbitrary, Debug)]
enum Identifier {
    Own,
    Others,
    Name,
}

/// IP protocols, and whether they are routers'.
const PROTOCOLS: [(u8, bool); 8] = [
    (88, true),
    (89, true),
    (103, true),
    (112, true),
    (47, false),
    (50, false),
    (113, false),
    (132, false),
];

#[derive(Arbitrary, Debug)]
enum Port {
    Bootps,
    Bootpc,
    Dhcpv6Client,
    Dhcpv6Server,
    Any(u16),
}

/// A neighbour discovery option.
#[derive(Arbitrary, Debug)]
enum Link {
    Own { target: bool },
    Others { target: bool },
    Unrelated { eighths: u8 },
    Endless,
}

/// A frame that says what it is gets exactly the verdict of its description, from both sides.
pub fn claims(data: &[u8]) {
    let Ok(frame) = Frame::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let (bytes, from_lan, from_client) = frame.build();
    assert_eq!(verdict(&bytes, Speaker::Lan), from_lan, "{frame:?}");
    let client = Speaker::Player(MacAddr::new(OWN));
    assert_eq!(verdict(&bytes, client), from_client, "{frame:?}");
    check(&bytes, OWN);
}

impl Frame {
    /// The bytes, and the verdicts about them from the LAN and from a client.
    fn build(&self) -> (Vec<u8>, Verdict, Verdict) {
        let to_group = !matches!(self.destination, Destination::Host);
        let (ether_type, mut payload, control, claim) = self.content.build(to_group);
        payload.resize(payload.len() + usize::from(self.padding % 47), 0);
        if self.snap {
            let snap = [0xaa, 0xaa, 3, 0, 0, 0].into_iter();
            payload.splice(..0, snap.chain(ether_type.to_be_bytes()));
        }
        let kind = match self.snap {
            true => payload.len() as u16,
            false => ether_type,
        };
        let is_tag = |kind| matches!(kind, 0x8100 | 0x88a8 | 0x9100);
        let (kind, control) = match (self.priority, is_tag(kind)) {
            (true, tagged) => {
                payload.splice(..0, [0xe0, 0].into_iter().chain(kind.to_be_bytes()));
                let vlan = Err(DropReason::VlanTagged);
                (0x8100, if tagged { vlan } else { control })
            }
            (false, _) => (kind, control),
        };
        let (destination, reserved, bridges) = self.destination.build();
        let source = match self.source {
            Source::Own => OWN,
            Source::Zero => [0; 6],
            Source::Group => [1, 0, 0x5e, 0, 0, 1],
        };
        let bytes = ethernet(destination, source, kind, &payload);
        let from_lan = match self.source {
            _ if bytes.len() > if is_tag(kind) { 1518 } else { 1514 } => Err(DropReason::Jumbo),
            Source::Zero | Source::Group => Err(DropReason::InvalidSourceMac),
            Source::Own => control.and(reserved),
        };
        (bytes, from_lan, from_lan.and(bridges).and(claim))
    }
}

impl Destination {
    /// The address, and who may send to it: the LAN, and a client.
    fn build(&self) -> ([u8; 6], Verdict, Verdict) {
        let reserved = Err(DropReason::ReservedMulticast);
        let bridges = Err(DropReason::BridgeProtocol);
        match *self {
            Destination::Host => (OTHER, Ok(()), Ok(())),
            Destination::Broadcast => ([0xff; 6], Ok(()), Ok(())),
            Destination::Multicast => ([1, 0, 0x5e, 0, 0, 0xfb], Ok(()), Ok(())),
            Destination::Bridges(last) => (
                [0x01, 0x80, 0xc2, 0, 0, last],
                if last < 0x10 { reserved } else { Ok(()) },
                bridges,
            ),
            Destination::Cisco(trees) => (
                [0x01, 0, 0x0c, 0xcc, 0xcc, 0xcc + u8::from(trees)],
                reserved,
                bridges,
            ),
        }
    }
}

impl Content {
    /// EtherType, payload, whether it is link control, and what it claims.
    fn build(&self, to_group: bool) -> (u16, Vec<u8>, Verdict, Verdict) {
        let claim = match self {
            Content::Control(which) => {
                const CONTROL: [(u16, DropReason); 9] = [
                    (0x888e, DropReason::Eapol),
                    (0x88c7, DropReason::Eapol),
                    (0x88cc, DropReason::Lldp),
                    (0x8809, DropReason::SlowProtocol),
                    (0x88e5, DropReason::MacSec),
                    (0x8808, DropReason::Pause),
                    (0x8100, DropReason::VlanTagged),
                    (0x88a8, DropReason::VlanTagged),
                    (0x9100, DropReason::VlanTagged),
                ];
                let (ether_type, reason) = CONTROL[usize::from(*which) % CONTROL.len()];
                return (ether_type, vec![7; 46], Err(reason), Err(reason));
            }
            Content::CamRefresh => (0x88b5, vec![0; 46], Err(DropReason::CamRefresh)),
            Content::Game(fill) => (0x8137, vec![*fill; 46], Ok(())),
            Content::Arp {
                operation,
                own,
                broken_at,
            } => arp(*operation, *own, *broken_at),
            Content::V4 {
                option_words,
                part,
                authenticated,
                upper,
            } => over_v4(
                usize::from(option_words % 11),
                *part,
                *authenticated,
                upper,
                to_group,
            ),
            Content::V6 {
                before,
                part,
                after,
                upper,
            } => over_v6(before, *part, after, upper, to_group),
        };
        (claim.0, claim.1, Ok(()), claim.2)
    }
}

fn arp(operation: u8, own: bool, broken_at: Option<u8>) -> (u16, Vec<u8>, Verdict) {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation];
    message.extend(if own { OWN } else { OTHER });
    message.extend([10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    if let Some(at) = broken_at {
        message[usize::from(at) % 6] ^= 0x10;
    }
    let honest = own && broken_at.is_none() && matches!(operation, 1 | 2);
    let claim = honest.then_some(()).ok_or(DropReason::ArpSpoof);
    (0x0806, message, claim)
}

fn over_v4(
    option_words: usize,
    part: Part,
    authenticated: bool,
    upper: &Upper,
    to_group: bool,
) -> (u16, Vec<u8>, Verdict) {
    let (mut protocol, mut body, claim) = upper.build(false, matches!(part, Part::Whole), to_group);
    if authenticated {
        body.splice(..0, [protocol, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
        protocol = 51;
    }
    let fragment = match part {
        Part::Whole => 0,
        Part::First => 0x2000,
        Part::Later(eighths) => 0x2000 | u16::from(eighths.max(1)),
    };
    let packet = ipv4(protocol, fragment, &vec![1; option_words * 4], &body);
    (0x0800, packet, part.judge(claim, named(protocol)))
}

fn over_v6(
    before: &[Extension],
    part: Option<Part>,
    after: &[Extension],
    upper: &Upper,
    to_group: bool,
) -> (u16, Vec<u8>, Verdict) {
    let before = &before[..before.len().min(10)];
    let after = &after[..after.len().min(10)];
    let (protocol, body, claim) = upper.build(true, part.is_none(), to_group);
    let mut chain: Vec<(u8, Vec<u8>)> = before.iter().map(Extension::build).collect();
    if let Some(part) = part {
        let offset = match part {
            Part::Whole => 0,
            Part::First => 1,
            Part::Later(eighths) => u16::from(eighths.max(1)) << 3 | 1,
        };
        let [high, low] = offset.to_be_bytes();
        chain.push((44, vec![0, 0, high, low, 0, 0, 0, 7]));
    }
    let shown = chain.len();
    chain.extend(after.iter().map(Extension::build));
    let mut next = protocol;
    let mut payload = body;
    for (kind, mut header) in chain.iter().cloned().rev() {
        header[0] = next;
        next = kind;
        payload.splice(..0, header);
    }
    // Eight may be walked over; what a later fragment names is not a ninth but the end.
    let is_too_long = match part {
        Some(Part::Later(_)) => shown > 9,
        _ => chain.len() > 8,
    };
    let claim = match is_too_long {
        true => Err(DropReason::HiddenUpperHeader),
        false => {
            let named = named(chain.get(shown).map_or(protocol, |(kind, _)| *kind));
            part.unwrap_or(Part::Whole).judge(claim, named)
        }
    };
    (0x86dd, ipv6(next, &payload), claim)
}

/// What the number of a protocol says by itself.
fn named(protocol: u8) -> Verdict {
    match PROTOCOLS.contains(&(protocol, true)) {
        true => Err(DropReason::RouterProtocol),
        false => Ok(()),
    }
}

impl Part {
    /// A later fragment says only what its protocol is, unless it could overwrite the header that the
    /// first one showed.
    fn judge(self, claim: Verdict, named: Verdict) -> Verdict {
        match self {
            Part::Whole | Part::First => claim,
            Part::Later(0..=2) => Err(DropReason::HiddenUpperHeader),
            Part::Later(_) => named,
        }
    }
}

impl Extension {
    /// Its number, and its bytes but for the number of the next one.
    fn build(&self) -> (u8, Vec<u8>) {
        match *self {
            Extension::Options { kind, eighths } => {
                const KINDS: [u8; 6] = [0, 43, 60, 135, 139, 140];
                let eighths = eighths % 3;
                let mut header = vec![0; (usize::from(eighths) + 1) * 8];
                header[1] = eighths;
                (KINDS[usize::from(kind) % KINDS.len()], header)
            }
            Extension::Authentication { quarters } => {
                let quarters = 2 + quarters % 5;
                let mut header = vec![0; (usize::from(quarters) + 2) * 4];
                header[1] = quarters;
                (51, header)
            }
        }
    }
}

impl Upper {
    /// Protocol, bytes, and what the header in them claims.
    fn build(&self, over_v6: bool, whole: bool, to_group: bool) -> (u8, Vec<u8>, Verdict) {
        match self {
            Upper::Udp {
                source,
                destination,
                operation,
            } => {
                let ports = (source.number(), destination.number());
                let bytes = udp(ports.0, ports.1, operation.as_slice());
                let claim = match (ports, operation) {
                    ((547, _) | (_, 546), _) if over_v6 => Err(DropReason::Dhcpv6ServerReply),
                    ((67, _) | (_, 68), _) | ((_, 67), Some(2)) if !over_v6 => {
                        Err(DropReason::DhcpServerReply)
                    }
                    ((_, 67), None) if !over_v6 => Err(DropReason::HiddenUpperHeader),
                    ((_, 67), _) if !over_v6 && !whole => Err(DropReason::HiddenUpperHeader),
                    ((_, 67), _) if !over_v6 => Err(DropReason::DhcpSpoof),
                    // Too short to be a question.
                    ((_, 547), _) if over_v6 => Err(DropReason::HiddenUpperHeader),
                    (ports, _) if is_routers(ports, to_group) => Err(DropReason::RouterProtocol),
                    _ => Ok(()),
                };
                (17, bytes, claim)
            }
            Upper::Icmp4 { kind } => {
                let router = matches!(kind, 5 | 9 | 18 | 32) && !over_v6;
                let claim = (!router)
                    .then_some(())
                    .ok_or(DropReason::RouterAdvertisement);
                (1, vec![*kind; 8], claim)
            }
            Upper::Icmp6 { kind, options } => icmp6(*kind, options, over_v6, whole),
            Upper::Discovery { kind, options } => icmp6(133 + kind % 5, options, over_v6, whole),
            Upper::Tcp => (6, tcp(2, &[2, 4, 5, 0xb4], &[]), Ok(())),
            Upper::Cut { protocol, len } => {
                let (protocol, needed) = match protocol % 4 {
                    0 => (6, 20),
                    1 => (17, 8),
                    2 => (1, 8),
                    _ => (58, 8),
                };
                let bytes = vec![0; usize::from(*len % needed)];
                (protocol, bytes, Err(DropReason::HiddenUpperHeader))
            }
            Upper::Protocol(which) => {
                let (protocol, _) = PROTOCOLS[usize::from(*which) % PROTOCOLS.len()];
                (protocol, vec![0x31; 24], named(protocol))
            }
            Upper::Igmp { kind } => {
                let claim = match kind {
                    _ if over_v6 => Ok(()),
                    _ if !whole => Err(DropReason::HiddenUpperHeader),
                    0x12 | 0x16 | 0x17 | 0x22 => Ok(()),
                    0x11 | 0x30..=0x32 => Err(DropReason::GroupQuery),
                    _ => Err(DropReason::RouterProtocol),
                };
                (2, vec![*kind; 8], claim)
            }
            Upper::Ask {
                kind,
                own,
                hops,
                agent,
                in_file,
                identifiers,
            } => {
                let kind = kind % 16;
                let identifiers = &identifiers[..identifiers.len().min(3)];
                let claim = match identifiers {
                    _ if over_v6 => Ok(()),
                    _ if !whole => Err(DropReason::HiddenUpperHeader),
                    [] | [Identifier::Own | Identifier::Name]
                        if *own && !hops && !agent && [1, 3, 4, 7, 8, 10].contains(&kind) =>
                    {
                        Ok(())
                    }
                    _ => Err(DropReason::DhcpSpoof),
                };
                let mut message = vec![1, 1, 6, u8::from(*hops)];
                message.resize(240, 0);
                message[28..34].copy_from_slice(if *own { &OWN } else { &OTHER });
                message[236..].copy_from_slice(&[99, 130, 83, 99]);
                let mut options = Vec::new();
                for identifier in identifiers {
                    match identifier {
                        Identifier::Own => options.extend([&[61, 7, 1][..], &OWN].concat()),
                        Identifier::Others => options.extend([&[61, 7, 1][..], &OTHER].concat()),
                        Identifier::Name => options.extend([61, 3, 0, b'p', b'c']),
                    }
                }
                if *agent {
                    options.extend([82, 2, 1, 0]);
                }
                options.push(255);
                message.extend([53, 1, kind]);
                if *in_file {
                    message[108..108 + options.len()].copy_from_slice(&options);
                    message.extend([52, 1, 1, 255]);
                } else {
                    message.extend(options);
                }
                (17, udp(68, 67, &message), claim)
            }
        }
    }
}

/// Ports on which routers listen; those that any program may have only from themselves or to groups.
fn is_routers((from, to): (u16, u16), to_group: bool) -> bool {
    let always = [269, 496, 520, 521, 646, 654, 698, 711, 712];
    let between = [1985, 2029, 3222, 4305, 6696];
    always.contains(&to)
        || between.contains(&to) && (from == to || to_group)
        || to == 5350 && (from == 5351 || to_group)
}

fn icmp6(kind: u8, options: &[Link], over_v6: bool, whole: bool) -> (u8, Vec<u8>, Verdict) {
    let is_discovery = matches!(kind, 133 | 135 | 136);
    let mut bytes = vec![0; if matches!(kind, 135 | 136) { 24 } else { 8 }];
    bytes[0] = kind;
    let mut honest = true;
    for option in options.iter().take(40) {
        let (option, is_honest) = option.build();
        bytes.extend(option);
        honest &= is_honest;
    }
    let claim = match kind {
        _ if !over_v6 => Ok(()),
        134 | 137 | 138 | 145 | 147 | 149 | 154 => Err(DropReason::RouterAdvertisement),
        130 | 151..=153 => Err(DropReason::GroupQuery),
        155 | 157..=159 => Err(DropReason::RouterProtocol),
        141 | 142 => Err(DropReason::ArpSpoof),
        _ if is_discovery && !whole => Err(DropReason::HiddenUpperHeader),
        _ if is_discovery && !honest => Err(DropReason::ArpSpoof),
        _ => Ok(()),
    };
    (58, bytes, claim)
}

impl Port {
    fn number(&self) -> u16 {
        match *self {
            Port::Bootps => 67,
            Port::Bootpc => 68,
            Port::Dhcpv6Client => 546,
            Port::Dhcpv6Server => 547,
            Port::Any(port) => port,
        }
    }
}

impl Link {
    /// The option, and whether a client may send it.
    fn build(&self) -> (Vec<u8>, bool) {
        let address = |target: bool, mac: [u8; 6]| {
            let head = [1 + u8::from(target), 1];
            [&head[..], &mac].concat()
        };
        match *self {
            Link::Own { target } => (address(target, OWN), true),
            Link::Others { target } => (address(target, OTHER), false),
            Link::Unrelated { eighths } => {
                let eighths = 1 + eighths % 4;
                let mut option = vec![14; usize::from(eighths) * 8];
                option[1] = eighths;
                (option, true)
            }
            Link::Endless => (vec![14, 0, 0, 0, 0, 0, 0, 0], false),
        }
    }
}
