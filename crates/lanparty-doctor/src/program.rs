//! Asks as games do: with ordinary sockets, so that the whole way is tried, by this system's routes and its firewall.

use crate::facts::{Interface, Proof};
use crate::imp;
use lanparty_proof::{Mark, Nonce, PORT, Reach, Style, Styles, Verdict, Word, content};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// After how long what is not answered is asked once more, and how long that is waited for.
const ROUND: Duration = Duration::from_millis(900);
const ROUNDS: u32 = 2;
/// Between two questions, and two looks at what has come.
const PAUSE: Duration = Duration::from_millis(10);
/// What a room's packets are where nobody says it.
const USUAL_MTU: usize = 1500;
/// The headers of IPv4 and UDP.
const HEADERS: usize = 28;

/// Looks by the adapter, on which this PC has this address.
///
/// # Errors
/// Part of a sentence: why it cannot be tried.
pub(crate) fn prove(adapter: &Interface, address: (Ipv4Addr, u8)) -> Result<Proof, String> {
    let sockets = Sockets::open(adapter).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!("another program has UDP port {PORT}"),
        _ => format!("this system opens no sockets for it: {error}"),
    })?;
    let mtu = imp::mtu(&adapter.name).unwrap_or(USUAL_MTU);
    let mut look = Look {
        sockets,
        nonce: Nonce(rand::random()),
        address,
        room: mtu.saturating_sub(HEADERS),
        asked: Styles::default(),
        heard: Styles::default(),
        answered: Styles::default(),
        is_hindered: false,
        lan_is_silent: false,
        is_busy: false,
    };
    look.run();
    Ok(Proof::Program(look.verdict()))
}

/// One on the port that games share, and one on a port of its own, for either protocol.
struct Sockets {
    common: UdpSocket,
    own: UdpSocket,
    v6: Option<V6>,
}

struct V6 {
    common: UdpSocket,
    own: UdpSocket,
    scope: u32,
}

impl Sockets {
    fn open(adapter: &Interface) -> io::Result<Self> {
        let common = v4(PORT)?;
        for group in Style::ALL.into_iter().filter_map(Style::group) {
            // Which adapter it is on the routes say, as for most games.
            let _ = common.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED);
        }
        let has_v6 = adapter.addresses.iter().any(|address| address.ip.is_ipv6());
        let scope = imp::scope(&adapter.name).filter(|_| has_v6);
        Ok(Sockets {
            common,
            own: v4(0)?,
            v6: scope.and_then(|scope| V6::open(scope).ok()),
        })
    }
}

impl V6 {
    fn open(scope: u32) -> io::Result<Self> {
        let open = |port| {
            let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_only_v6(true)?;
            socket.set_multicast_if_v6(scope)?;
            bound(socket, (Ipv6Addr::UNSPECIFIED, port).into())
        };
        let common = open(PORT)?;
        for group in Style::ALL.into_iter().filter_map(Style::group_v6) {
            let _ = common.join_multicast_v6(&group, scope);
        }
        let own = open(0)?;
        Ok(V6 { common, own, scope })
    }
}

fn v4(port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_broadcast(true)?;
    bound(socket, (Ipv4Addr::UNSPECIFIED, port).into())
}

fn bound(socket: Socket, address: SocketAddr) -> io::Result<UdpSocket> {
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

struct Look {
    sockets: Sockets,
    nonce: Nonce,
    address: (Ipv4Addr, u8),
    /// How much of UDP a packet has room for.
    room: usize,
    asked: Styles,
    heard: Styles,
    answered: Styles,
    is_hindered: bool,
    lan_is_silent: bool,
    is_busy: bool,
}

impl Look {
    fn run(&mut self) {
        for _ in 0..ROUNDS {
            for style in Style::ALL {
                if !self.answered.has(style) && self.ask(style).is_ok() {
                    self.asked.insert(style);
                    self.hear();
                    thread::sleep(PAUSE);
                }
            }
            let end = Instant::now() + ROUND;
            while Instant::now() < end && !self.is_over() {
                self.hear();
                thread::sleep(PAUSE);
            }
        }
    }

    fn is_over(&self) -> bool {
        let mut all = Style::ALL.into_iter();
        all.all(|style| !self.asked.has(style) || self.answered.has(style))
    }

    /// What cannot even leave is none of the styles that this PC has, or is kept back by its firewall.
    fn ask(&mut self, style: Style) -> io::Result<()> {
        let question = Mark::question(style, self.nonce);
        let len = match style {
            Style::Large => self.room,
            Style::Pieces => content::PIECES_LEN,
            _ => 0,
        };
        let content = content::write(&question, len);
        let sent = self.send(style, &content);
        // The firewall says so at once where it keeps back what leaves.
        match sent {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            sent => sent,
        }
    }

    fn send(&self, style: Style, content: &[u8]) -> io::Result<()> {
        let Sockets { common, own, v6 } = &self.sockets;
        let (ip, prefix) = self.address;
        let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        let subnet = Ipv4Addr::from_bits(ip.to_bits() | hosts);
        let (socket, to) = match style {
            // A network of two hosts or one has no broadcast address (RFC 3021).
            Style::Directed | Style::DirectedOther if prefix >= 31 => {
                return Err(io::ErrorKind::Unsupported.into());
            }
            Style::Limited | Style::Large | Style::Pieces => (common, Ipv4Addr::BROADCAST),
            Style::LimitedOther => (own, Ipv4Addr::BROADCAST),
            Style::Directed => (common, subnet),
            Style::DirectedOther => (own, subnet),
            // From a port of its own, which is answered there: the known one belongs to the system's own programs.
            Style::Mdns | Style::Ssdp => (own, group(style)?),
            Style::LinkGroup | Style::AdminGroup | Style::GlobalGroup => (common, group(style)?),
            Style::AllNodes | Style::MdnsV6 => {
                let v6 = v6.as_ref().ok_or(io::ErrorKind::Unsupported)?;
                let socket = if style == Style::AllNodes {
                    &v6.common
                } else {
                    &v6.own
                };
                let group = style.group_v6().ok_or(io::ErrorKind::Unsupported)?;
                let to = SocketAddrV6::new(group, style.port(), 0, v6.scope);
                return socket.send_to(content, to).map(drop);
            }
            Style::IpxEthernet | Style::IpxRaw | Style::Unicast => {
                return Err(io::ErrorKind::Unsupported.into());
            }
        };
        socket.send_to(content, (to, style.port())).map(drop)
    }

    fn hear(&mut self) {
        let mut datagram = vec![0; content::PIECES_LEN + 1];
        let mut marks = Vec::new();
        let Sockets { common, own, v6 } = &self.sockets;
        let others = v6.iter().flat_map(|v6| [&v6.common, &v6.own]);
        for socket in [common, own].into_iter().chain(others) {
            let port = socket.local_addr().map_or(0, |address| address.port());
            while let Ok((len, from)) = socket.recv_from(&mut datagram) {
                marks.extend(content::read((from.port(), port), &datagram[..len]));
            }
        }
        for mark in marks.into_iter().filter(|mark| mark.nonce == self.nonce) {
            if mark.word == Word::Question {
                continue;
            }
            self.heard.extend(mark.heard);
            self.is_hindered |= mark.is_hindered;
            self.is_busy |= mark.is_busy;
            // The last word counts: the LAN may have been asked just now.
            self.lan_is_silent = mark.lan_is_silent;
            if mark.word == Word::Answer {
                self.answered.insert(mark.style);
            }
        }
    }

    fn verdict(&self) -> Verdict {
        let reach = |style| match () {
            () if self.answered.has(style) => Reach::Back,
            () if self.heard.has(style) => Reach::There,
            () if self.asked.has(style) => Reach::Nowhere,
            () => Reach::Unasked,
        };
        Verdict {
            reaches: Style::ALL.map(|style| (style, reach(style))).into(),
            is_hindered: self.is_hindered,
            lan_is_silent: self.lan_is_silent,
            is_busy: self.is_busy,
        }
    }
}

fn group(style: Style) -> io::Result<Ipv4Addr> {
    style.group().ok_or(io::ErrorKind::Unsupported.into())
}
