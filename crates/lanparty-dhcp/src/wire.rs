//! Frames: DHCP's and ARP's, made for a machine and read as it hears them.

use lanparty_proto::dhcp_options::Options;
use lanparty_proto::{EthernetFrame, FrameKind, MacAddr};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress,
    IpAddress, IpProtocol, Ipv4Packet, UdpPacket,
};
use std::net::Ipv4Addr;

const SERVER: u16 = 67;
const CLIENT: u16 = 68;

const ETHERNET_LEN: usize = 14;
const IP_LEN: usize = 20;
const UDP_LEN: usize = 8;
/// The shortest message that BOOTP knew (RFC 951), which some servers and relay agents insist on.
pub(crate) const SHORTEST_MESSAGE: usize = 300;
/// The shortest frame but for its check sequence (IEEE 802.3).
const SHORTEST_FRAME: usize = 60;
const ARP_LEN: usize = 28;

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;

const COOKIE: u32 = 0x6382_5363;

const MASK: u8 = 1;
const BROADCAST: u8 = 28;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const SERVER_IDENTIFIER: u8 = 54;
const T1: u8 = 58;
const T2: u8 = 59;

/// What is asked for: nothing that would bring routes, names or anything else than the address.
pub(crate) const WANTED: [u8; 6] = [MASK, BROADCAST, LEASE_TIME, SERVER_IDENTIFIER, T1, T2];

/// What a client says to servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) xid: u32,
    pub(crate) secs: u16,
    /// The address that the machine uses, where it does.
    pub(crate) own: Option<Ipv4Addr>,
    /// The one that it is about.
    pub(crate) requested: Option<Ipv4Addr>,
    /// Which server is meant.
    pub(crate) server: Option<Ipv4Addr>,
    /// To that server alone, which is there; otherwise to all.
    pub(crate) to: Option<(MacAddr, Ipv4Addr)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Discover,
    Request,
    Decline,
    Release,
}

/// What a server says to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) xid: u32,
    /// Who sent the frame: the server, or the relay agent before it.
    pub(crate) from: MacAddr,
    pub(crate) server: Option<Ipv4Addr>,
    pub(crate) address: Ipv4Addr,
    pub(crate) mask: Option<Ipv4Addr>,
    pub(crate) broadcast: Option<Ipv4Addr>,
    /// Seconds.
    pub(crate) lease: Option<u32>,
    pub(crate) t1: Option<u32>,
    pub(crate) t2: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Offer,
    Ack,
    Nak,
}

/// Who says in ARP to have an address, or asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) mac: MacAddr,
    /// 0.0.0.0 for who is only looking.
    pub(crate) address: Ipv4Addr,
    pub(crate) target: Ipv4Addr,
    pub(crate) is_request: bool,
}

impl Claim {
    /// Whether somebody else than `mac` has this address.
    pub(crate) fn is_of_other(&self, mac: MacAddr, address: Ipv4Addr) -> bool {
        self.mac != mac && self.address == address
    }

    /// Whether somebody else is about to take it (RFC 5227 §2.1.1).
    pub(crate) fn is_probe_of_other(&self, mac: MacAddr, address: Ipv4Addr) -> bool {
        let is_probe = self.is_request && self.address.is_unspecified();
        is_probe && self.mac != mac && self.target == address
    }
}

/// What a frame says that concerns addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Claim(Claim),
    Answer(Answer),
}

/// Reads a frame for the machine with this MAC. Almost all are told by a byte or two to be something else.
pub(crate) fn read(frame: &[u8], mac: MacAddr) -> Option<Heard> {
    let frame = EthernetFrame::parse(frame).ok()?;
    match frame.kind() {
        FrameKind::EtherType(ARP) => read_arp(frame.payload()).map(Heard::Claim),
        FrameKind::EtherType(IPV4) => read_answer(frame, mac, true).map(Heard::Answer),
        _ => None,
    }
}

/// Reads a server's answer that a raw socket has heard: between machines on one machine nobody has finished UDP's checksum.
pub(crate) fn read_unfinished(frame: &[u8], mac: MacAddr) -> Option<Answer> {
    let frame = EthernetFrame::parse(frame).ok()?;
    match frame.kind() {
        FrameKind::EtherType(IPV4) => read_answer(frame, mac, false),
        _ => None,
    }
}

fn read_arp(bytes: &[u8]) -> Option<Claim> {
    let packet = ArpPacket::new_checked(bytes).ok()?;
    let ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        source_protocol_addr,
        target_protocol_addr,
        ..
    } = ArpRepr::parse(&packet).ok()?
    else {
        return None;
    };
    matches!(operation, ArpOperation::Request | ArpOperation::Reply).then_some(Claim {
        mac: MacAddr::new(source_hardware_addr.0),
        address: source_protocol_addr,
        target: target_protocol_addr,
        is_request: operation == ArpOperation::Request,
    })
}

fn read_answer(frame: EthernetFrame<'_>, mac: MacAddr, is_finished: bool) -> Option<Answer> {
    let bytes = frame.payload();
    // The hot path ends here: another protocol than UDP.
    if bytes.get(9) != Some(&17) {
        return None;
    }
    let ip = Ipv4Packet::new_checked(bytes).ok()?;
    let is_whole = ip.version() == 4 && !ip.more_frags() && ip.frag_offset() == 0;
    if !is_whole || ip.next_header() != IpProtocol::Udp {
        return None;
    }
    let (from, to) = (
        IpAddress::Ipv4(ip.src_addr()),
        IpAddress::Ipv4(ip.dst_addr()),
    );
    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
    if (udp.src_port(), udp.dst_port()) != (SERVER, CLIENT) {
        return None;
    }
    let is_sound = ip.verify_checksum() && (!is_finished || udp.verify_checksum(&from, &to));
    let message = udp.payload();
    let packet = DhcpPacket::new_checked(message).ok()?;
    let is_reply = packet.opcode() == smoltcp::wire::DhcpOpCode::Reply
        && message[1..3] == [1, 6]
        && packet.magic_number() == COOKIE;
    let is_ours = packet.client_hardware_address().0 == mac.octets();
    if !(is_sound && is_reply && is_ours) {
        return None;
    }
    let options = Options::of(message);
    let verdict = match options.value::<1>(MESSAGE_TYPE).known() {
        [2] => Verdict::Offer,
        [5] => Verdict::Ack,
        [6] => Verdict::Nak,
        _ => return None,
    };
    let address = |kind| options.address(kind);
    let seconds = |kind| address(kind).map(Ipv4Addr::to_bits);
    Some(Answer {
        verdict,
        xid: packet.transaction_id(),
        from: frame.source(),
        server: address(SERVER_IDENTIFIER),
        address: packet.your_ip(),
        mask: address(MASK),
        broadcast: address(BROADCAST),
        lease: seconds(LEASE_TIME),
        t1: seconds(T1),
        t2: seconds(T2),
    })
}

/// The frame that asks this in the name of the machine with this MAC.
pub(crate) fn question(mac: MacAddr, question: &Question) -> Vec<u8> {
    let hardware = EthernetAddress(mac.octets());
    let nobody = Ipv4Addr::UNSPECIFIED;
    let asks = matches!(question.kind, Kind::Discover | Kind::Request);
    let message = DhcpRepr {
        message_type: match question.kind {
            Kind::Discover => DhcpMessageType::Discover,
            Kind::Request => DhcpMessageType::Request,
            Kind::Decline => DhcpMessageType::Decline,
            Kind::Release => DhcpMessageType::Release,
        },
        transaction_id: question.xid,
        secs: question.secs,
        client_hardware_address: hardware,
        client_ip: question.own.unwrap_or(nobody),
        your_ip: nobody,
        server_ip: nobody,
        router: None,
        subnet_mask: None,
        relay_agent_ip: nobody,
        // Frames are taken as they come, so an answer need not trouble everybody.
        broadcast: false,
        requested_ip: question.requested,
        client_identifier: Some(hardware),
        server_identifier: question.server,
        parameter_request_list: asks.then_some(&WANTED),
        dns_servers: None,
        max_size: None,
        lease_duration: None,
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
    };
    let mut bytes = vec![0; message.buffer_len().max(SHORTEST_MESSAGE)];
    message
        .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
        .expect("there is room for it");
    let from = question.own.unwrap_or(nobody);
    let (to_mac, to) = question
        .to
        .unwrap_or((MacAddr::BROADCAST, Ipv4Addr::BROADCAST));
    datagram((mac, from), (to_mac, to), &bytes)
}

/// A message to servers.
pub(crate) fn datagram(
    from: (MacAddr, Ipv4Addr),
    to: (MacAddr, Ipv4Addr),
    message: &[u8],
) -> Vec<u8> {
    datagram_between((CLIENT, SERVER), from, to, message)
}

pub(crate) fn datagram_between(
    (from_port, to_port): (u16, u16),
    (mac, from): (MacAddr, Ipv4Addr),
    (to_mac, to): (MacAddr, Ipv4Addr),
    message: &[u8],
) -> Vec<u8> {
    let udp_len = UDP_LEN + message.len();
    let mut frame = ethernet(to_mac, mac, IPV4);
    frame.resize(ETHERNET_LEN + IP_LEN + udp_len, 0);
    let mut ip = Ipv4Packet::new_unchecked(&mut frame[ETHERNET_LEN..]);
    ip.set_version(4);
    ip.set_header_len(20);
    ip.set_total_len(u16::try_from(IP_LEN + udp_len).expect("a message is short"));
    ip.set_hop_limit(64);
    ip.set_next_header(IpProtocol::Udp);
    ip.set_src_addr(from);
    ip.set_dst_addr(to);
    ip.fill_checksum();
    let mut udp = UdpPacket::new_unchecked(ip.payload_mut());
    udp.set_src_port(from_port);
    udp.set_dst_port(to_port);
    udp.set_len(u16::try_from(udp_len).expect("a message is short"));
    udp.payload_mut().copy_from_slice(message);
    udp.fill_checksum(&IpAddress::Ipv4(from), &IpAddress::Ipv4(to));
    frame
}

/// Whether somebody has this address (RFC 5227 §2.1.1): nobody's table learns anything from it.
pub(crate) fn probe(mac: MacAddr, address: Ipv4Addr) -> Vec<u8> {
    arp_request(mac, Ipv4Addr::UNSPECIFIED, address)
}

/// That this machine has it (RFC 5227 §2.3).
pub(crate) fn announcement(mac: MacAddr, address: Ipv4Addr) -> Vec<u8> {
    arp_request(mac, address, address)
}

/// Who has this address: asked by who has that one.
pub(crate) fn arp_request(mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(MacAddr::BROADCAST, mac, ARP);
    frame.resize(SHORTEST_FRAME, 0);
    let message = &mut frame[ETHERNET_LEN..ETHERNET_LEN + ARP_LEN];
    ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(mac.octets()),
        source_protocol_addr: sender,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    }
    .emit(&mut ArpPacket::new_unchecked(message));
    frame
}

fn ethernet(to: MacAddr, from: MacAddr, kind: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET_LEN + IP_LEN + UDP_LEN + SHORTEST_MESSAGE);
    frame.extend_from_slice(&to.octets());
    frame.extend_from_slice(&from.octets());
    frame.extend_from_slice(&kind.to_be_bytes());
    frame
}
