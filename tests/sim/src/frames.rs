//! Frames of all kinds, with the truth about them.

use crate::dice::Dice;
use lanparty_obs::DropReason;

/// Six octets.
pub type Mac = [u8; 6];
/// Everybody.
pub const BROADCAST: Mac = [0xff; 6];

/// What a frame is, apart from its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UDP from a game.
    Game,
    /// What a system says by itself.
    Chatter,
    /// UDP to a group that machines must report.
    Stream,
    /// A machine wants that group.
    Joins,
    /// A machine does not want it any more.
    Leaves,
    /// IPX in Ethernet II.
    Ipx,
    /// IPX in raw 802.3.
    RawIpx,
    /// ARP that claims an address for the frame's own source.
    ArpOwn,
    /// ARP that asks whether an address is free.
    ArpProbe,
    /// Neighbour discovery that claims an address for the frame's own source.
    Advertisement,
    /// Neighbour discovery that asks whether an address is free.
    Detection,
    /// ARP that claims another station's address.
    ArpSpoof,
    /// ARP that says where a client's address is.
    ArpForOther,
    /// A DHCP client asks.
    DhcpDiscover,
    /// A DHCP client asks in somebody else's name.
    DhcpForOther,
    /// A DHCP client does not want its address any more.
    DhcpRelease,
    /// A DHCP server answers.
    DhcpOffer,
    /// A DHCP server gives an address away.
    DhcpAck,
    /// An IPv6 router speaks.
    RouterAdvertisement,
    /// The same behind a hop-by-hop header.
    HiddenRouterAdvertisement,
    /// Spanning tree.
    Bpdu,
    /// 802.1X.
    Eapol,
    /// Link discovery.
    Lldp,
    /// Link aggregation.
    Slow,
    /// Encrypted for one cable.
    MacSec,
    /// Flow control.
    Pause,
    /// With a VLAN tag.
    Tagged,
    /// From a game, with a tag that names a priority only.
    Priority,
    /// A router speaks to routers.
    Routing,
    /// Somebody asks who listens to groups.
    Query,
    /// A bridge looks for loops.
    LoopTest,
    /// A gateway's CAM refresh.
    CamRefresh,
    /// One byte too long.
    Jumbo,
    /// Too short to be a frame.
    Runt,
}

/// All of them; those that pass are there several times.
pub const KINDS: &[Kind] = &[
    Kind::Game,
    Kind::Game,
    Kind::Game,
    Kind::Game,
    Kind::Game,
    Kind::Game,
    Kind::Chatter,
    Kind::Chatter,
    Kind::Stream,
    Kind::Stream,
    Kind::Stream,
    Kind::Joins,
    Kind::Joins,
    Kind::Leaves,
    Kind::Ipx,
    Kind::Ipx,
    Kind::RawIpx,
    Kind::ArpOwn,
    Kind::ArpOwn,
    Kind::ArpOwn,
    Kind::ArpProbe,
    Kind::Advertisement,
    Kind::Advertisement,
    Kind::Detection,
    Kind::ArpSpoof,
    Kind::ArpForOther,
    Kind::ArpForOther,
    Kind::DhcpDiscover,
    Kind::DhcpForOther,
    Kind::DhcpRelease,
    Kind::DhcpOffer,
    Kind::DhcpAck,
    Kind::DhcpAck,
    Kind::RouterAdvertisement,
    Kind::HiddenRouterAdvertisement,
    Kind::Bpdu,
    Kind::Eapol,
    Kind::Lldp,
    Kind::Slow,
    Kind::MacSec,
    Kind::Pause,
    Kind::Tagged,
    Kind::Priority,
    Kind::Routing,
    Kind::Query,
    Kind::LoopTest,
    Kind::CamRefresh,
    Kind::Jumbo,
    Kind::Runt,
];

/// Which budget pays for a frame to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// That of what keeps a machine on a LAN.
    Control,
    /// Half of that for the rest.
    Chatter,
    /// That for the rest.
    Other,
}

/// What a frame says about an address; the addresses of both kinds are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Nothing.
    Nothing,
    /// Its sender has it.
    Mine(u8),
    /// This machine has it, answers its sender, who may stand in for another.
    Answer(u8, Mac),
    /// Its sender does not want it any more.
    GivesUp(u8),
    /// That it is about this group.
    Group(u8),
    /// This machine has it for so many milliseconds, says the DHCP server.
    Leased(u8, Mac, u64),
}

/// A frame, and what its maker knows about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Who should get it.
    pub destination: Mac,
    /// Who says to have sent it.
    pub source: Mac,
    /// What it says about an address.
    pub says: Says,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// A frame of a kind, of random length where the kind leaves that open.
    pub fn new(dice: &mut Dice, kind: Kind, destination: Mac, source: Mac) -> Self {
        let destination = match kind {
            Kind::Bpdu => [0x01, 0x80, 0xc2, 0, 0, 0],
            Kind::Stream if destination != BROADCAST => [0x01, 0x00, 0x5e, 1, 2, 3],
            Kind::Joins | Kind::Leaves => [0x01, 0x00, 0x5e, 0, 0, 0x16],
            _ => destination,
        };
        let says = Says::some(dice, kind, destination, source);
        let mut bytes = [destination, source].concat();
        bytes.extend(content(dice, kind, source, says));
        match kind {
            Kind::Jumbo => bytes.resize(1515 + dice.between(0, 200), 0x4a),
            Kind::Runt => bytes.truncate(dice.between(0, 13)),
            _ => {}
        }
        Frame {
            kind,
            destination,
            source,
            says,
            bytes,
        }
    }

    /// The group to which it goes, if not everybody hears that, or which it says to want or not.
    pub fn group(&self) -> Option<u8> {
        let reported = match self.kind {
            Kind::Stream => self.destination != BROADCAST,
            Kind::Joins | Kind::Leaves => true,
            _ => false,
        };
        reported.then_some(match self.says {
            Says::Group(group) => group,
            _ => 0,
        })
    }

    /// The address that it speaks of.
    pub fn address(&self) -> Option<u8> {
        match self.says {
            Says::Nothing | Says::Group(_) => None,
            Says::Mine(number)
            | Says::Answer(number, _)
            | Says::GivesUp(number)
            | Says::Leased(number, ..) => Some(number),
        }
    }

    /// Whether others must know of it to judge by it: who has which address, and who listens to which group.
    pub fn concerns_all(&self) -> bool {
        let is_a_routers = matches!(
            self.kind,
            Kind::Query | Kind::RouterAdvertisement | Kind::HiddenRouterAdvertisement
        );
        self.talk() == Talk::Control && !is_a_routers
    }

    /// Which budget pays for it, when it goes to a group.
    pub fn talk(&self) -> Talk {
        match self.kind {
            Kind::ArpOwn
            | Kind::ArpProbe
            | Kind::ArpSpoof
            | Kind::ArpForOther
            | Kind::Advertisement
            | Kind::Detection
            | Kind::DhcpDiscover
            | Kind::DhcpForOther
            | Kind::DhcpRelease
            | Kind::DhcpOffer
            | Kind::DhcpAck
            | Kind::Joins
            | Kind::Leaves
            | Kind::Query
            | Kind::RouterAdvertisement
            | Kind::HiddenRouterAdvertisement => Talk::Control,
            Kind::Chatter => Talk::Chatter,
            _ => Talk::Other,
        }
    }

    /// The same for who sees addresses and length only.
    pub fn forbidden_outside(&self) -> Option<DropReason> {
        match self.kind {
            Kind::Bpdu => Some(DropReason::ReservedMulticast),
            _ if self.bytes.len() > 1518 => Some(DropReason::Jumbo),
            _ => None,
        }
    }

    /// Why a frame of this kind may not cross, as far as its kind says.
    pub fn forbidden(&self, from_client: bool) -> Option<DropReason> {
        let always = match self.kind {
            Kind::Runt => Some(DropReason::Runt),
            Kind::Jumbo => Some(DropReason::Jumbo),
            Kind::Bpdu => Some(DropReason::ReservedMulticast),
            Kind::Eapol => Some(DropReason::Eapol),
            Kind::Lldp => Some(DropReason::Lldp),
            Kind::Slow => Some(DropReason::SlowProtocol),
            Kind::MacSec => Some(DropReason::MacSec),
            Kind::Pause => Some(DropReason::Pause),
            Kind::Tagged => Some(DropReason::VlanTagged),
            _ => None,
        };
        let from_clients = match self.kind {
            Kind::ArpSpoof => Some(DropReason::ArpSpoof),
            Kind::ArpForOther => match self.says {
                Says::Answer(_, mac) if mac == self.source => None,
                _ => Some(DropReason::ArpSpoof),
            },
            Kind::DhcpForOther => Some(DropReason::DhcpSpoof),
            Kind::Routing => Some(DropReason::RouterProtocol),
            Kind::Query => Some(DropReason::GroupQuery),
            Kind::LoopTest => Some(DropReason::BridgeProtocol),
            Kind::DhcpOffer | Kind::DhcpAck => Some(DropReason::DhcpServerReply),
            Kind::RouterAdvertisement | Kind::HiddenRouterAdvertisement => {
                Some(DropReason::RouterAdvertisement)
            }
            Kind::CamRefresh => Some(DropReason::CamRefresh),
            _ => None,
        };
        always.or(from_clients.filter(|_| from_client))
    }
}

impl Says {
    /// ARP speaks of the addresses 1 to 4, neighbour discovery of 101 to 104. A lease is for a client
    /// or a stranger, and for seconds or days.
    fn some(dice: &mut Dice, kind: Kind, destination: Mac, source: Mac) -> Self {
        let number = dice.between(1, 4) as u8;
        match kind {
            Kind::ArpOwn if dice.one_in(2) => Says::Mine(number),
            Kind::ArpOwn => Says::Answer(number, source),
            Kind::ArpSpoof => Says::Answer(1, [0x00, 0x16, 0x3e, 0xee, 0xee, 0xee]),
            Kind::ArpForOther => {
                let client = [2, 0, 0, 0, 0, dice.between(1, 7) as u8];
                Says::Answer(number, client)
            }
            Kind::Stream | Kind::Joins | Kind::Leaves => Says::Group(number),
            Kind::Advertisement if dice.one_in(2) => Says::Mine(100 + number),
            Kind::Advertisement => Says::Answer(100 + number, source),
            Kind::DhcpRelease => Says::GivesUp(number),
            Kind::DhcpAck => {
                let to = match destination[0] % 2 {
                    1 => [2, 0, 0, 0, 0, dice.between(1, 7) as u8],
                    _ => destination,
                };
                let most = *dice.pick(&[1, 1000, 100_000, 1_000_000]);
                Says::Leased(number, to, dice.between(0, most) as u64 * 1000)
            }
            _ => Says::Nothing,
        }
    }

    fn number(self) -> u8 {
        match self {
            Says::Nothing => 0,
            Says::Mine(number)
            | Says::Answer(number, _)
            | Says::GivesUp(number)
            | Says::Group(number)
            | Says::Leased(number, ..) => number,
        }
    }
}

/// Type and payload.
fn content(dice: &mut Dice, kind: Kind, source: Mac, says: Says) -> Vec<u8> {
    let any = |dice: &mut Dice| vec![0x47; dice.between(46, 1500)];
    match kind {
        Kind::Game | Kind::Jumbo | Kind::Runt => udp(27960, 27961, &[0x47; 20]),
        Kind::Chatter => {
            let port = *dice.pick(&[137, 138, 1900, 3702, 5353, 5355]);
            udp(50_000, port, &[0x47; 30])
        }
        Kind::Stream => {
            let mut stream = udp(5004, 5004, &[0x47; 30]);
            stream[18..22].copy_from_slice(&[239, 1, 2, says.number()]);
            stream
        }
        Kind::Joins | Kind::Leaves => {
            let joins = kind == Kind::Joins;
            let (old, new) = if joins { (0x16, 4) } else { (0x17, 3) };
            let group = [239, 1, 2, says.number()];
            match dice.one_in(2) {
                true => igmp(&[&[old, 0, 0, 0][..], &group].concat()),
                false => igmp(&[&[0x22, 0, 0, 0, 0, 0, 0, 1, new, 0, 0, 0][..], &group].concat()),
            }
        }
        Kind::Ipx => typed(0x8137, &any(dice)),
        Kind::RawIpx => {
            let len = dice.between(46, 1500);
            let mut ipx = vec![0x49; len];
            ipx[..2].fill(0xff);
            typed(len as u16, &ipx)
        }
        Kind::ArpOwn | Kind::ArpForOther | Kind::ArpSpoof => {
            let payload = arp(source, says);
            match dice.one_in(4) {
                true => typed(54, &[&[0xaa, 0xaa, 3, 0, 0, 0][..], &payload].concat()),
                false => payload,
            }
        }
        Kind::ArpProbe => arp(source, Says::Nothing),
        Kind::Advertisement => ipv6(58, &neighbour(136, says)),
        Kind::Detection => {
            let mut frame = ipv6(58, &neighbour(135, Says::Mine(101)));
            frame[2 + 8..2 + 24].fill(0);
            frame
        }
        Kind::DhcpAck => udp(67, 68, &dhcp_ack(says)),
        Kind::DhcpDiscover => udp(68, 67, &question(source, 1, 0)),
        Kind::DhcpForOther => {
            let mut message = question(source, 3, 0);
            match dice.between(0, 4) {
                0 => message[33] ^= 0x40,
                1 => message[3] = 1,
                2 => message[27] = 1,
                3 => message
                    .splice(240.., [61, 7, 1, 0, 0x16, 0x3e, 0xee, 0xee, 0xee])
                    .for_each(drop),
                _ => message.splice(240.., [82, 2, 1, 0]).for_each(drop),
            }
            udp(68, 67, &message)
        }
        Kind::DhcpRelease => udp(68, 67, &question(source, 7, says.number())),
        Kind::DhcpOffer => udp(67, 68, &dhcp(2)),
        Kind::RouterAdvertisement => ipv6(58, &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]),
        Kind::HiddenRouterAdvertisement => ipv6(
            0,
            &[
                58, 0, 5, 2, 0, 0, 1, 0, // hop-by-hop: router alert, padding
                134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
        ),
        Kind::Bpdu => {
            let mut bpdu = vec![0x42, 0x42, 0x03];
            bpdu.resize(46, 0);
            typed(38, &bpdu)
        }
        Kind::Eapol => typed(0x888e, &any(dice)),
        Kind::Lldp => typed(0x88cc, &any(dice)),
        Kind::Slow => typed(0x8809, &any(dice)),
        Kind::MacSec => typed(0x88e5, &any(dice)),
        Kind::Pause => typed(0x8808, &any(dice)),
        Kind::Tagged => {
            let tag = *dice.pick(&[0x8100, 0x88a8, 0x9100]);
            typed(tag, &[&[0, 7][..], &udp(1, 2, &[0; 30])].concat())
        }
        Kind::Priority => {
            let game = udp(27960, 27961, &[0x47; 30]);
            typed(0x8100, &[&[0xa0, 0][..], &game].concat())
        }
        Kind::Routing => {
            let mut vrrp = udp(0x3101, 0xff01, &[0; 12]);
            vrrp[2 + 9] = 112;
            vrrp
        }
        Kind::Query => igmp(&[0x11, 100, 0, 0, 0, 0, 0, 0]),
        Kind::LoopTest => typed(0x9000, &[0; 46]),
        Kind::CamRefresh => typed(0x88b5, &[0; 46]),
    }
}

fn typed(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&ether_type.to_be_bytes(), payload].concat()
}

/// A question of whoever has an address, or an answer.
fn arp(source: Mac, says: Says) -> Vec<u8> {
    let (operation, claimed) = match says {
        Says::Answer(_, mac) => (2, mac),
        _ => (1, source),
    };
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, operation];
    message.extend(claimed);
    message.extend(match says {
        Says::Nothing => [0; 4],
        _ => [192, 168, 50, says.number()],
    });
    message.extend([0, 0, 0, 0, 0, 0, 192, 168, 50, 200]);
    message.resize(46, 0);
    typed(0x0806, &message)
}

/// A solicitation or an advertisement, without options. What is firm overrides.
fn neighbour(kind: u8, says: Says) -> [u8; 24] {
    let mut message = [0; 24];
    message[0] = kind;
    message[4] = if let Says::Mine(_) = says { 0x20 } else { 0 };
    message[8..10].copy_from_slice(&[0xfe, 0x80]);
    message[23] = says.number();
    message
}

/// What a DHCP client says of the address with this number.
fn question(source: Mac, kind: u8, number: u8) -> Vec<u8> {
    let mut message = dhcp(1).to_vec();
    message[12..16].copy_from_slice(&[192, 168, 50, number]);
    message[28..34].copy_from_slice(&source);
    message[236..240].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, kind, 255]);
    message
}

fn dhcp_ack(says: Says) -> Vec<u8> {
    let Says::Leased(number, mac, milliseconds) = says else {
        unreachable!("an acknowledgement gives an address");
    };
    let mut message = dhcp(2).to_vec();
    message[16..20].copy_from_slice(&[192, 168, 50, number]);
    message[28..34].copy_from_slice(&mac);
    message[236..240].copy_from_slice(&[99, 130, 83, 99]);
    message.extend([53, 1, 5, 51, 4]);
    message.extend((milliseconds as u32 / 1000).to_be_bytes());
    message.push(255);
    message
}

fn dhcp(operation: u8) -> [u8; 240] {
    let mut message = [0; 240];
    message[..3].copy_from_slice(&[operation, 1, 6]);
    message
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend((20 + len).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(from.to_be_bytes());
    packet.extend(to.to_be_bytes());
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    typed(0x0800, &packet)
}

fn igmp(message: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x46, 0xc0, 0, 24 + message.len() as u8];
    packet.extend([
        0, 0, 0, 0, 1, 2, 0, 0, 10, 0, 0, 1, 224, 0, 0, 22, 0x94, 4, 0, 0,
    ]);
    packet.extend(message);
    typed(0x0800, &packet)
}

fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next_header, 255]);
    packet.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend(payload);
    typed(0x86dd, &packet)
}
