//! DHCP for IPv4 (RFC 2131, RFC 2132): a player asks for itself, and the LAN's server gives.
//!
//! ```text
//!  0  1    2    3    4   8    12     16     20     24     28           44    108  236    240
//!  +--+----+----+----+---+----+------+------+------+------+------------+-----+----+------+--------
//!  |op|type| len|hops|xid|flag|ciaddr|yiaddr|siaddr|giaddr|chaddr, 0 … |sname|file|cookie|options
//!  +--+----+----+----+---+----+------+------+------+------+------------+-----+----+------+--------
//! ```

use crate::dhcpv6;
use lanparty_obs::DropReason;
use lanparty_proto::dhcp_options::Options;
use lanparty_proto::ip::Part;
use lanparty_proto::{EthernetFrame, MacAddr};
use std::net::Ipv4Addr;
use std::time::Duration;

const UDP_HEADER_LEN: usize = 8;
const SERVER: u16 = 67;
const CLIENT: u16 = 68;

/// What comes before the options' cookie.
const FIELDS_LEN: usize = 236;
const BOOTREQUEST: u8 = 1;
const BOOTREPLY: u8 = 2;
const ETHERNET: [u8; 2] = [1, 6];

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const RELEASE: u8 = 7;
/// What clients say: DISCOVER, REQUEST, DECLINE, RELEASE, INFORM, LEASEQUERY (RFC 4388). BOOTP's say nothing.
const QUESTIONS: [u8; 6] = [DISCOVER, REQUEST, DECLINE, RELEASE, 8, 10];

const ROUTERS: u8 = 3;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const SERVER_IDENTIFIER: u8 = 54;
const CLIENT_IDENTIFIER: u8 = 61;
const RELAY_AGENT: u8 = 82;

/// What has just passed between a player and a DHCP server of the LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhcpTalk {
    /// The player wants an address, or to keep the one that it has.
    Asked(MacAddr),
    /// A server would give it one.
    Offered(MacAddr),
    /// A server lends it one, or lets it keep it.
    Lent {
        /// The player.
        mac: MacAddr,
        /// The address.
        address: Ipv4Addr,
        /// The server, as it calls itself.
        server: Option<Ipv4Addr>,
        /// For how long; without it for ever.
        duration: Option<Duration>,
    },
}

impl From<Lease> for DhcpTalk {
    fn from(lease: Lease) -> Self {
        let for_ever = Duration::from_secs(u32::MAX.into());
        let [server, _] = lease.lan;
        DhcpTalk::Lent {
            mac: lease.mac,
            address: lease.address,
            server,
            duration: Some(lease.duration).filter(|&duration| duration < for_ever),
        }
    }
}

/// What passes between a client and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Message {
    Question(Question),
    /// An offer.
    Offer(Offer),
    /// Another answer: the lease that it confirms, if it does.
    Answer(Option<Lease>),
}

/// An address that a DHCP server would give to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The machine.
    pub(crate) mac: MacAddr,
    /// The address.
    pub(crate) address: Ipv4Addr,
}

/// What a client asks or tells a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// Whom it is from, if it can be read and names no relay agent.
    client: Option<MacAddr>,
    identifier: Identifier,
    /// It wants an address, or to keep the one it has.
    wants: bool,
    declines: bool,
    gives_up: Option<Ipv4Addr>,
}

/// By what the server tells clients apart (RFC 2132 §9.14, RFC 4361).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identifier {
    /// By its MAC, in the fixed fields.
    None,
    Mac(MacAddr),
    /// By a machine's identifier, which has the MAC that one of its adapters once had.
    Machine(Option<MacAddr>),
    Other,
    /// There are two of it, or it is none.
    Broken,
}

/// An address that a DHCP server gives to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The machine.
    pub(crate) mac: MacAddr,
    /// The address.
    pub(crate) address: Ipv4Addr,
    /// For how long.
    pub(crate) duration: Duration,
    /// The server that gives it, and the LAN's first router, as the server names them (RFC 2132 §9.7, §3.5).
    pub(crate) lan: [Option<Ipv4Addr>; 2],
}

/// True between ports of which one is DHCP's.
pub(crate) fn speaks((from, to): (u16, u16)) -> bool {
    from == SERVER || matches!(to, SERVER | CLIENT)
}

/// Reads a datagram between such ports, with its UDP header.
pub(crate) fn read(
    frame: EthernetFrame<'_>,
    ports: (u16, u16),
    datagram: &[u8],
    part: Part,
) -> Result<Message, DropReason> {
    match (ports, datagram.get(UDP_HEADER_LEN)) {
        ((SERVER, CLIENT), _) if part == Part::Whole => {
            // To that machine or to everybody.
            let is_to = |mac| frame.destination() == mac || frame.destination().is_group();
            let message = exact(datagram);
            if let Some(offer) = message.and_then(Offer::read)
                && is_to(offer.mac)
            {
                return Ok(Message::Offer(offer));
            }
            let lease = message.and_then(Lease::read);
            Ok(Message::Answer(lease.filter(|lease| is_to(lease.mac))))
        }
        // From the server's port, to the client's, or a reply for a relay agent (RFC 2131 §4.1).
        ((SERVER, _) | (_, CLIENT), _) | (_, Some(&BOOTREPLY)) => Err(DropReason::DhcpServerReply),
        // What it says may come in a second fragment.
        (_, Some(_)) if part == Part::Whole => Ok(Message::Question(Question::read(datagram))),
        _ => Err(DropReason::HiddenUpperHeader),
    }
}

impl Question {
    fn read(datagram: &[u8]) -> Self {
        // A server may believe either length.
        let is_exact = exact(datagram).is_some();
        let message = &datagram[UDP_HEADER_LEN..];
        let options = Options::of(message);
        let kind = options.value::<1>(MESSAGE_TYPE);
        let is_asked = match kind.pieces {
            0 => true,
            1 => kind.len == 1 && QUESTIONS.contains(&kind.bytes[0]),
            _ => false,
        };
        let is_direct = options.value::<0>(RELAY_AGENT).pieces == 0 && options.is_clean();
        let client = client(message, BOOTREQUEST).filter(|_| is_exact && is_asked && is_direct);
        Question {
            client,
            identifier: Identifier::read(&options),
            wants: matches!(kind.known(), [] | [DISCOVER] | [REQUEST]),
            declines: kind.bytes == [DECLINE],
            gives_up: match kind.bytes {
                [RELEASE] => field(message, 12).map(Ipv4Addr::from),
                [DECLINE] => options.address(REQUESTED_ADDRESS),
                _ => None,
            },
        }
    }

    /// A player asks for itself: its own MAC in the fixed fields and in an identifier of type 1, and no
    /// relay agent on the way.
    pub(crate) fn check_player(&self, own: MacAddr) -> Result<(), DropReason> {
        let is_own = match self.identifier {
            Identifier::None | Identifier::Machine(_) | Identifier::Other => true,
            Identifier::Mac(mac) => mac == own,
            Identifier::Broken => false,
        };
        match self.client == Some(own) && is_own {
            true => Ok(()),
            false => Err(DropReason::DhcpSpoof),
        }
    }

    /// A MAC that one of its adapters once had, if it says so.
    pub(crate) fn machine(&self) -> Option<MacAddr> {
        match self.identifier {
            Identifier::Machine(mac) => mac,
            _ => None,
        }
    }

    /// True for who wants an address, or to keep the one that it has.
    pub(crate) fn wants(&self) -> bool {
        self.wants
    }

    /// The address that it declines: it has found that somebody else has it.
    pub(crate) fn declines(&self) -> Option<Ipv4Addr> {
        self.gives_up().filter(|_| self.declines)
    }

    /// The address that it does not want any more: released, or declined.
    pub(crate) fn gives_up(&self) -> Option<Ipv4Addr> {
        self.gives_up.filter(|address| !address.is_unspecified())
    }
}

impl Identifier {
    fn read(options: &Options<'_>) -> Self {
        // Type, and a MAC; or type, IAID, and a DUID of up to 14 bytes.
        let value = options.value::<19>(CLIENT_IDENTIFIER);
        match (value.pieces, value.known()) {
            (0, _) => Identifier::None,
            (1, &[1, a, b, c, d, e, f]) if value.len == 7 => {
                Identifier::Mac(MacAddr::new([a, b, c, d, e, f]))
            }
            (1, [0x01, ..] | [] | [_]) => Identifier::Broken,
            (1, [0xff, _, _, _, _, duid @ ..]) if value.len <= value.bytes.len() => {
                Identifier::Machine(dhcpv6::mac_of_machine(duid))
            }
            (1, _) => Identifier::Other,
            _ => Identifier::Broken,
        }
    }
}

impl Offer {
    fn read(message: &[u8]) -> Option<Self> {
        let mac = client(message, BOOTREPLY)?;
        let address = Ipv4Addr::from(field(message, 16)?);
        let kind = Options::of(message).value::<1>(MESSAGE_TYPE);
        let is_offer = kind.known() == [OFFER] && kind.len == 1;
        is_offer.then_some(Offer { mac, address })
    }
}

impl Lease {
    /// What a server's answer confirms, be it an acknowledgement or BOOTP's answer, which is for ever.
    fn read(message: &[u8]) -> Option<Self> {
        let mac = client(message, BOOTREPLY)?;
        let address = Ipv4Addr::from(field(message, 16)?);
        let options = Options::of(message);
        let kind = options.value::<1>(MESSAGE_TYPE);
        let confirms = kind.pieces == 0 || kind.known() == [ACK] && kind.len == 1;
        // An answer to INFORM gives no address.
        if !confirms || address.is_unspecified() || !options.is_clean() {
            return None;
        }
        let time = options.value::<4>(LEASE_TIME);
        let seconds = match (time.pieces, time.len) {
            (0, _) => u32::MAX,
            (_, 4) => u32::from_be_bytes(time.bytes),
            _ => return None,
        };
        Some(Lease {
            mac,
            address,
            duration: Duration::from_secs(seconds.into()),
            lan: [SERVER_IDENTIFIER, ROUTERS].map(|kind| {
                let address = options.address(kind);
                address.filter(|address| !address.is_unspecified())
            }),
        })
    }
}

/// What a datagram carries, when both of its lengths say the same.
fn exact(datagram: &[u8]) -> Option<&[u8]> {
    let len = usize::from(u16::from_be_bytes([datagram[4], datagram[5]]));
    (len == datagram.len()).then_some(&datagram[UDP_HEADER_LEN..])
}

/// The hardware address of a message that a client sent or gets directly.
fn client(message: &[u8], operation: u8) -> Option<MacAddr> {
    let fields = message.first_chunk::<FIELDS_LEN>()?;
    let is_direct = operation == BOOTREPLY || fields[3] == 0 && fields[24..28] == [0; 4];
    let is_such = fields[0] == operation && fields[1..3] == ETHERNET && is_direct;
    is_such.then_some(MacAddr::new(field(message, 28)?))
}

fn field<const N: usize>(message: &[u8], at: usize) -> Option<[u8; N]> {
    message.get(at..)?.first_chunk().copied()
}
