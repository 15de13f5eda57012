//! Who is on the LAN: which MAC has which address, who is its router, and who has announced games.
//!
//! All of it comes from the LAN, by frames or by what the gateway's machine knows; nothing a player says counts. It is
//! bounded: a LAN that makes up machines drives out those that keep silent.

use super::target::is_in;
use crate::judge;
use foldhash::HashMap;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::{self, ICMPV6, UDP};
use lanparty_proto::{Content, EthernetFrame, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How many ports at which games were announced are remembered.
pub const MAX_ANNOUNCED: usize = 512;
/// How many of one machine.
pub const MAX_ANNOUNCED_OF_ONE: usize = 32;
/// After so long without a word, and without anybody playing, an announcement is worth nothing.
const ANNOUNCED: Duration = Duration::from_secs(600);

/// How long at least it is remembered who has an address; twice as long at most.
const GENERATION: Duration = Duration::from_secs(600);
const MAX_GENERATION: usize = 1024;
/// A LAN has one or two; whoever makes up more gains nothing by it.
const MAX_ROUTERS: usize = 16;

const ROUTER_ADVERTISEMENT: u8 = 134;

/// What the gateway's machine knows of the LAN by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LanFacts {
    /// The machine's own addresses.
    pub own: Vec<IpAddr>,
    /// The networks of its interface, with their bits.
    pub networks: Vec<(IpAddr, u8)>,
    /// The routers that it uses.
    pub routers: Vec<IpAddr>,
}

/// Who is on the LAN.
#[derive(Debug)]
pub(super) struct Lan {
    nic: MacAddr,
    facts: LanFacts,
    /// Routers that the LAN named: in leases, or by advertising themselves.
    routers: Vec<IpAddr>,
    /// Who brings packets from elsewhere: a router, or a machine in two networks; only guarded, as it may have games.
    forwarders: Vec<MacAddr>,
    young: HashMap<IpAddr, MacAddr>,
    old: HashMap<IpAddr, MacAddr>,
    young_since: Option<Instant>,
    announced: HashMap<(MacAddr, u16), Instant>,
}

impl Lan {
    pub(super) fn new(nic: MacAddr) -> Self {
        Lan {
            nic,
            facts: LanFacts::default(),
            routers: Vec::new(),
            forwarders: Vec::new(),
            young: HashMap::default(),
            old: HashMap::default(),
            young_since: None,
            announced: HashMap::default(),
        }
    }

    pub(super) fn move_to(&mut self, nic: MacAddr) {
        self.nic = nic;
    }

    pub(super) fn set_facts(&mut self, facts: LanFacts) {
        self.facts = facts;
    }

    /// Learns from what the LAN says to anybody.
    pub(super) fn hear(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        let content = Content::of(frame);
        if !frame.destination().is_group()
            && let Some((from, to)) = addresses(content)
            && self.is_from_elsewhere(from, to)
        {
            learn(&mut self.forwarders, frame.source());
        }
        let (is_arp, is_advertisement) = match content {
            Content::Typed(ether_type::ARP, _) => (true, false),
            Content::Typed(ether_type::IPV6, packet) if packet.get(6) == Some(&ICMPV6) => {
                let kind = packet.get(ip::IPV6_HEADER_LEN);
                (false, kind == Some(&ROUTER_ADVERTISEMENT))
            }
            Content::Typed(ether_type::IPV4, packet) if is_dhcp(packet) => (false, false),
            _ => return,
        };
        if is_advertisement {
            return self.hear_advertisement(now, frame);
        }
        let said = judge::read(frame);
        if let Some(claim) = said.claim(frame.source()) {
            // A router that stands in for others says of half the internet that it is here.
            if claim.firm || is_arp && !is_global(claim.address) || self.is_on_link(claim.address) {
                self.learn(now, claim.address, claim.mac);
            }
        }
        for server in said.lease().into_iter().flat_map(|lease| lease.lan[1]) {
            learn(&mut self.routers, server.into());
        }
    }

    fn hear_advertisement(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        let source = frame.payload().get(8..24).and_then(<[u8]>::first_chunk);
        let source = source.map(|&octets: &[u8; 16]| Ipv6Addr::from(octets));
        // Only such may advertise (RFC 4861 §6.1.2).
        if let Some(source) = source.filter(Ipv6Addr::is_unicast_link_local) {
            self.learn(now, source.into(), frame.source());
            learn(&mut self.routers, source.into());
        }
    }

    fn learn(&mut self, now: Instant, address: IpAddr, mac: MacAddr) {
        let since = *self.young_since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        let is_full = self.young.len() >= MAX_GENERATION && !self.young.contains_key(&address);
        if age >= GENERATION || is_full {
            self.old = std::mem::take(&mut self.young);
            self.young_since = Some(now);
            if age >= 2 * GENERATION {
                self.old.clear();
            }
        }
        self.young.insert(address, mac);
    }

    /// Who has said to have this address.
    fn mac_of(&self, now: Instant, address: IpAddr) -> Option<MacAddr> {
        let age = self
            .young_since
            .map(|since| now.saturating_duration_since(since));
        let age = age?;
        let young = self.young.get(&address).filter(|_| age < 2 * GENERATION);
        let old = self.old.get(&address).filter(|_| age < GENERATION);
        young.or(old).copied()
    }

    fn is_on_link(&self, address: IpAddr) -> bool {
        let mut networks = networks(&self.facts);
        networks.any(|(network, bits)| is_in(address, network, bits)) || is_link_local(address)
    }

    /// True for the source of a packet to one machine that cannot be on this LAN.
    fn is_from_elsewhere(&self, from: IpAddr, to: IpAddr) -> bool {
        if self.is_on_link(from) {
            return false;
        }
        let mut known = networks(&self.facts).map(|(network, _)| network);
        let is_any_known =
            known.any(|known| known.is_ipv4() == from.is_ipv4() && !is_link_local(known));
        // Where the gateway has no address of that kind, private ones may well be of this LAN; in IPv6 all of them.
        (is_any_known || from.is_ipv4() && is_global(from))
            && !(from.is_unspecified()
                || from.is_multicast()
                || from.is_loopback()
                || to.is_multicast())
    }

    /// True when a packet for this address and MAC stays on the LAN, at one machine.
    pub(super) fn is_pair(&self, now: Instant, mac: MacAddr, address: IpAddr) -> bool {
        if self.is_routers_mac(now, mac) && !self.is_routers(address) {
            return false;
        }
        match self.mac_of(now, address) {
            Some(known) => known == mac,
            None if self.facts.own.contains(&address) => mac == self.nic,
            None => self.is_on_link(address),
        }
    }

    /// True unless another machine is known to have the address.
    pub(super) fn is_not_anothers(&self, now: Instant, mac: MacAddr, address: IpAddr) -> bool {
        self.mac_of(now, address).is_none_or(|known| known == mac)
    }

    /// True for a router, and for the gateway's own machine.
    pub(super) fn is_guarded(&self, now: Instant, mac: MacAddr, address: IpAddr) -> bool {
        mac == self.nic
            || self.facts.own.contains(&address)
            || self.is_routers(address)
            || self.is_routers_mac(now, mac)
            || self.forwarders.contains(&mac)
    }

    /// True while it is known which machine is a router of this LAN. One that is only seen to bring packets need not be it,
    /// and the gateway's machine may have routers elsewhere.
    pub(super) fn knows_router(&self, now: Instant) -> bool {
        let mut routers = self.all_routers();
        routers.any(|router| self.mac_of(now, router).is_some())
    }

    fn all_routers(&self) -> impl Iterator<Item = IpAddr> {
        let known = self.facts.routers.iter().chain(&self.routers);
        known.copied()
    }

    fn is_routers(&self, address: IpAddr) -> bool {
        self.all_routers().any(|router| router == address)
    }

    fn is_routers_mac(&self, now: Instant, mac: MacAddr) -> bool {
        let mut routers = self.all_routers();
        routers.any(|router| self.mac_of(now, router) == Some(mac))
    }

    /// True for what goes to everybody or to a group, by its IP address.
    pub(super) fn is_for_all(&self, now: Instant, to: MacAddr, address: IpAddr) -> bool {
        let IpAddr::V4(v4) = address else {
            return address.is_multicast();
        };
        let mut networks = self.facts.networks.iter();
        v4.is_broadcast()
            || v4.is_multicast()
            || networks.any(|&(network, bits)| is_broadcast_of(v4, network, bits))
            // Of a network that nobody has told the gateway of.
            || to.is_group() && v4.octets()[3] == 255 && self.mac_of(now, address).is_none()
    }

    /// A machine says that it has a game there.
    pub(super) fn announce(&mut self, now: Instant, machine: MacAddr, port: u16) {
        if let Some(at) = self.announced.get_mut(&(machine, port)) {
            *at = now;
            return;
        }
        let of_it = self.announced.keys().filter(|(mac, _)| *mac == machine);
        if of_it.count() >= MAX_ANNOUNCED_OF_ONE {
            self.drop_oldest(|mac| mac == machine);
        } else if self.announced.len() >= MAX_ANNOUNCED {
            self.drop_oldest(|_| true);
        }
        self.announced.insert((machine, port), now);
    }

    /// It says something else from there: somebody plays, so it need not announce itself again.
    pub(super) fn refresh(&mut self, now: Instant, machine: MacAddr, port: u16) {
        if let Some(at) = self.announced.get_mut(&(machine, port))
            && now.saturating_duration_since(*at) < ANNOUNCED
        {
            *at = now;
        }
    }

    pub(super) fn has_announced(&self, now: Instant, machine: MacAddr, port: u16) -> bool {
        let at = self.announced.get(&(machine, port));
        at.is_some_and(|&at| now.saturating_duration_since(at) < ANNOUNCED)
    }

    /// How many announcements and addresses are remembered.
    pub(super) fn len(&self) -> usize {
        let addresses = self.young.len() + self.old.len();
        self.announced.len() + addresses + self.routers.len() + self.forwarders.len()
    }

    fn drop_oldest(&mut self, may_go: impl Fn(MacAddr) -> bool) {
        let known = self.announced.iter().filter(|((mac, _), _)| may_go(*mac));
        let oldest = known.min_by_key(|(_, at)| **at).map(|(&key, _)| key);
        oldest.map(|key| self.announced.remove(&key));
    }
}

/// One router more; the first makes room.
fn learn<T: PartialEq>(routers: &mut Vec<T>, router: T) {
    if !routers.contains(&router) {
        if routers.len() >= MAX_ROUTERS {
            routers.remove(0);
        }
        routers.push(router);
    }
}

fn networks(facts: &LanFacts) -> impl Iterator<Item = (IpAddr, u8)> {
    let networks = facts.networks.iter().copied();
    networks.filter(|(_, bits)| *bits > 0)
}

/// From and to.
fn addresses(content: Content<'_>) -> Option<(IpAddr, IpAddr)> {
    fn pair<const LEN: usize>(packet: &[u8], at: usize) -> Option<(IpAddr, IpAddr)>
    where
        IpAddr: From<[u8; LEN]>,
    {
        let from: [u8; LEN] = *packet.get(at..)?.first_chunk()?;
        let to: [u8; LEN] = *packet.get(at + LEN..)?.first_chunk()?;
        Some((from.into(), to.into()))
    }
    match content {
        Content::Typed(ether_type::IPV4, packet) => pair::<4>(packet, 12),
        Content::Typed(ether_type::IPV6, packet) => pair::<16>(packet, 8),
        _ => None,
    }
}

/// True for a DHCP server's packet, as far as a glance shows.
fn is_dhcp(packet: &[u8]) -> bool {
    const SERVER: [u8; 2] = [0, 67];
    let header = packet
        .first()
        .map_or(0, |&first| usize::from(first & 0x0f) * 4);
    packet.get(9) == Some(&UDP) && packet.get(header..header + 2) == Some(&SERVER)
}

fn is_broadcast_of(address: Ipv4Addr, network: IpAddr, bits: u8) -> bool {
    // Networks of one or two machines have none (RFC 3021).
    if !(1..=30).contains(&bits) || !is_in(address.into(), network, bits) {
        return false;
    }
    let host = u32::MAX >> bits;
    u32::from(address) & host == host
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !(address.is_private() || address.is_link_local()),
        IpAddr::V6(address) => !(address.is_unicast_link_local() || address.is_unique_local()),
    }
}
