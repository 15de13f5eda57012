//! A LAN in memory: servers, machines with addresses, loss, and a clock that is moved.

use crate::client::AddressClient;
use crate::random::Random;
use crate::wire;
use lanparty_proto::MacAddr;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress,
    IpAddress, IpProtocol, Ipv4Packet, UdpPacket,
};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

pub(super) const OWN: MacAddr = MacAddr::new([2, 0x1a, 0, 0, 0, 1]);
pub(super) const OTHER: MacAddr = MacAddr::new([0, 0x1b, 0x21, 0, 0, 9]);
pub(super) const OFFER: DhcpMessageType = DhcpMessageType::Offer;

pub(super) struct Lan {
    pub(super) now: Instant,
    pub(super) client: AddressClient,
    pub(super) servers: Vec<Server>,
    /// Who has which address.
    pub(super) hosts: Vec<(MacAddr, Ipv4Addr)>,
    /// Somebody else has each address that is lent.
    pub(super) everything_is_taken: bool,
    /// Somebody answers for every address there is.
    pub(super) proxy: Option<Proxy>,
    /// An acknowledgement of this address does not come through.
    pub(super) withheld: Option<Ipv4Addr>,
    pub(super) loss_percent: u32,
    /// How often what was held was gone, and how many frames the client has said.
    pub(super) lost: usize,
    pub(super) frames: usize,
    /// The last question.
    pub(super) last: Option<Asked>,
    random: Random,
    said: Vec<&'static str>,
    had: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxy {
    /// Whoever asks.
    Whoever,
    /// Who has an address: Linux says nothing to who only looks.
    Holders,
}

pub(super) struct Server {
    pub(super) own: Ipv4Addr,
    pub(super) mac: MacAddr,
    /// What it gives next.
    pub(super) address: Ipv4Addr,
    /// What it has given before, or knows to have been given.
    pub(super) knows: Option<Ipv4Addr>,
    pub(super) mask: Ipv4Addr,
    pub(super) lease: u32,
    pub(super) is_up: bool,
    pub(super) refuses: bool,
    pub(super) has_one_only: bool,
    pub(super) given: usize,
    pub(super) declined: Vec<Ipv4Addr>,
    pub(super) released: Vec<Ipv4Addr>,
}

/// What a client has asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) kind: DhcpMessageType,
    pub(super) xid: u32,
    own: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    is_broadcast: bool,
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Lan {
    pub(super) fn new(seed: u64) -> Self {
        Lan {
            now: Instant::now(),
            client: AddressClient::new(OWN, seed),
            servers: Vec::new(),
            hosts: Vec::new(),
            everything_is_taken: false,
            proxy: None,
            withheld: None,
            loss_percent: 0,
            lost: 0,
            frames: 0,
            last: None,
            random: Random::new(seed ^ 1),
            said: Vec::new(),
            had: false,
        }
    }

    pub(super) fn with(mut self, server: Server) -> Self {
        self.servers.push(server);
        self
    }

    /// One with a server whose lease of an hour the client has had for ten seconds.
    pub(super) fn bound(seed: u64) -> Self {
        let mut lan = Lan::new(seed).with(Server::new(1));
        lan.client.plug_in(lan.now);
        lan.run(seconds(10));
        assert!(lan.client.held().is_some());
        lan.said();
        lan
    }

    /// What the client has said since the last time.
    pub(super) fn said(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.said)
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.exchange();
        while let Some(at) = self.client.poll_timeout().filter(|&at| at <= end) {
            assert!(at >= self.now || self.frames < usize::MAX);
            self.step(at);
        }
        self.now = end;
    }

    pub(super) fn run_until(&mut self, is_so: impl Fn(&Lan) -> bool) -> Duration {
        let start = self.now;
        self.exchange();
        while !is_so(self) {
            let at = self.client.poll_timeout().expect("something is to come");
            self.step(at);
        }
        self.now - start
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        self.client.handle_timeout(self.now);
        self.exchange();
    }

    /// Somebody says to have an address.
    pub(super) fn claim(&mut self, mac: MacAddr, address: Ipv4Addr) {
        self.hear(wire::announcement(mac, address));
    }

    pub(super) fn hear(&mut self, frame: Vec<u8>) {
        self.client.handle_frame(self.now, &frame);
        self.exchange();
    }

    /// Everything that is said at this moment, and what it leads to.
    fn exchange(&mut self) {
        self.note();
        while let Some(frame) = self.client.poll_output() {
            self.frames += 1;
            assert!(self.frames < 1_000_000, "it talks without end");
            for answer in self.answers(&frame) {
                if self.random.below(100) >= self.loss_percent {
                    self.client.handle_frame(self.now, &answer);
                    self.note();
                }
            }
        }
        self.note();
    }

    fn note(&mut self) {
        let has = self.client.held().is_some();
        self.lost += usize::from(self.had && !has);
        self.had = has;
    }

    fn answers(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        assert_eq!(&frame[6..12], OWN.octets(), "it speaks for itself");
        if frame[12..14] == [8, 6] {
            return self.answer_arp(frame);
        }
        let asked = Asked::read(frame);
        self.said.push(asked.name());
        self.last = Some(asked.clone());
        if self.random.below(100) < self.loss_percent {
            return Vec::new();
        }
        let (withheld, to) = (self.withheld, &frame[..6]);
        let up = self.servers.iter_mut().filter(|server| server.is_up);
        let mut hear = up.filter(|server| asked.is_broadcast || server.mac.octets() == *to);
        let answers =
            std::iter::from_fn(|| hear.next().map(|server| server.hear(&asked, withheld)));
        answers.flatten().collect()
    }

    fn answer_arp(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let packet = ArpPacket::new_checked(&frame[14..]).unwrap();
        let ArpRepr::EthernetIpv4 {
            source_protocol_addr: sender,
            target_protocol_addr: target,
            ..
        } = ArpRepr::parse(&packet).unwrap()
        else {
            panic!("it is ARP for IPv4");
        };
        let is_probe = sender.is_unspecified();
        self.said.push(match is_probe {
            true => "probe",
            false if sender == target => "announce",
            false => "ask",
        });
        let has_it = self.hosts.iter().filter(|(_, address)| *address == target);
        let mut holders: Vec<_> = has_it.map(|(mac, _)| *mac).collect();
        if self.everything_is_taken && !target.is_link_local() {
            let [.., c, d] = target.octets();
            holders.push(MacAddr::new([0, 0x1b, 0x21, 7, c, d]));
        }
        match self.proxy {
            Some(Proxy::Holders) if is_probe => {}
            Some(_) => holders.push(OTHER),
            None => {}
        }
        let answers = holders.into_iter();
        answers
            .map(|holder| arp_answer((holder, target), sender))
            .collect()
    }
}

fn arp_answer((holder, address): (MacAddr, Ipv4Addr), to: Ipv4Addr) -> Vec<u8> {
    let mut answer = [&OWN.octets()[..], &holder.octets()[..], &[8, 6]].concat();
    answer.resize(60, 0);
    ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(holder.octets()),
        source_protocol_addr: address,
        target_hardware_addr: EthernetAddress(OWN.octets()),
        target_protocol_addr: to,
    }
    .emit(&mut ArpPacket::new_unchecked(&mut answer[14..42]));
    answer
}

impl Server {
    pub(super) fn new(number: u8) -> Self {
        Server {
            own: Ipv4Addr::new(192, 168, 50, number),
            mac: MacAddr::new([0, 0x1b, 0x21, 0, 1, number]),
            address: Ipv4Addr::new(192, 168, 50, 100 + 10 * number),
            knows: None,
            mask: Ipv4Addr::new(255, 255, 255, 0),
            lease: 3600,
            is_up: true,
            refuses: false,
            has_one_only: false,
            given: 0,
            declined: Vec::new(),
            released: Vec::new(),
        }
    }

    fn hear(&mut self, asked: &Asked, withheld: Option<Ipv4Addr>) -> Option<Vec<u8>> {
        let wanted = asked.requested.unwrap_or(asked.own);
        match asked.kind {
            DhcpMessageType::Discover => self.answer(OFFER, asked, asked.xid, OWN),
            DhcpMessageType::Request if asked.server.is_some_and(|server| server != self.own) => {
                None
            }
            DhcpMessageType::Request => {
                let is_good = wanted == self.address && !self.refuses;
                let is_good = is_good && (asked.server.is_some() || self.knows == Some(wanted));
                if !is_good {
                    return self.answer(DhcpMessageType::Nak, asked, asked.xid, OWN);
                }
                self.knows = Some(wanted);
                self.given += 1;
                let answer = self.answer(DhcpMessageType::Ack, asked, asked.xid, OWN);
                answer.filter(|_| withheld != Some(wanted))
            }
            DhcpMessageType::Decline => {
                self.declined.push(wanted);
                if !self.has_one_only {
                    let [a, b, c, d] = self.address.octets();
                    self.address = Ipv4Addr::new(a, b, c, d + 1);
                }
                None
            }
            DhcpMessageType::Release => {
                self.released.push(asked.own);
                None
            }
            _ => None,
        }
    }

    pub(super) fn answer(
        &self,
        kind: DhcpMessageType,
        asked: &Asked,
        xid: u32,
        to: MacAddr,
    ) -> Option<Vec<u8>> {
        let nobody = Ipv4Addr::UNSPECIFIED;
        let gives = kind != DhcpMessageType::Nak;
        let message = DhcpRepr {
            message_type: kind,
            transaction_id: xid,
            secs: 0,
            client_hardware_address: EthernetAddress(to.octets()),
            client_ip: asked.own,
            your_ip: if gives { self.address } else { nobody },
            server_ip: nobody,
            router: Some(self.own),
            subnet_mask: gives.then_some(self.mask),
            relay_agent_ip: nobody,
            broadcast: false,
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(self.own),
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: gives.then_some(self.lease),
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        };
        let mut bytes = vec![0; message.buffer_len()];
        message
            .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
            .unwrap();
        Some(datagram(self, to, &bytes))
    }
}

fn datagram(server: &Server, to: MacAddr, message: &[u8]) -> Vec<u8> {
    let mut frame = [&to.octets()[..], &server.mac.octets()[..], &[8, 0]].concat();
    frame.resize(14 + 28 + message.len(), 0);
    let mut ip = Ipv4Packet::new_unchecked(&mut frame[14..]);
    ip.set_version(4);
    ip.set_header_len(20);
    ip.set_total_len(u16::try_from(28 + message.len()).unwrap());
    ip.set_hop_limit(64);
    ip.set_next_header(IpProtocol::Udp);
    ip.set_src_addr(server.own);
    ip.set_dst_addr(server.address);
    ip.fill_checksum();
    let mut udp = UdpPacket::new_unchecked(ip.payload_mut());
    udp.set_src_port(67);
    udp.set_dst_port(68);
    udp.set_len(u16::try_from(8 + message.len()).unwrap());
    udp.payload_mut().copy_from_slice(message);
    udp.fill_checksum(
        &IpAddress::Ipv4(server.own),
        &IpAddress::Ipv4(server.address),
    );
    frame
}

impl Asked {
    fn read(frame: &[u8]) -> Self {
        let ip = Ipv4Packet::new_checked(&frame[14..]).unwrap();
        let (from, to) = (ip.src_addr(), ip.dst_addr());
        assert!(ip.verify_checksum());
        let udp = UdpPacket::new_checked(ip.payload()).unwrap();
        assert!(udp.verify_checksum(&IpAddress::Ipv4(from), &IpAddress::Ipv4(to)));
        assert_eq!((udp.src_port(), udp.dst_port()), (68, 67));
        let packet = DhcpPacket::new_checked(udp.payload()).unwrap();
        let message = DhcpRepr::parse(&packet).unwrap();
        assert_eq!(
            message.client_identifier,
            Some(EthernetAddress(OWN.octets()))
        );
        assert_eq!(message.client_ip, from, "who has an address says so");
        Asked {
            kind: message.message_type,
            xid: message.transaction_id,
            own: message.client_ip,
            requested: message.requested_ip,
            server: message.server_identifier,
            is_broadcast: to == Ipv4Addr::BROADCAST,
        }
    }

    fn name(&self) -> &'static str {
        match (self.kind, self.server, self.requested) {
            (DhcpMessageType::Discover, ..) => "discover",
            (DhcpMessageType::Request, Some(_), _) => "request",
            (DhcpMessageType::Request, None, Some(_)) => "reboot",
            (DhcpMessageType::Request, None, None) if self.is_broadcast => "rebind",
            (DhcpMessageType::Request, None, None) => "renew",
            (DhcpMessageType::Decline, ..) => "decline",
            (DhcpMessageType::Release, ..) => "release",
            (other, ..) => panic!("a client does not say {other:?}"),
        }
    }
}
