//! Which of the party's hosts are heard, where home has the same addresses: only then the shell must know each of them
//! ([`crate::overlap`]), and only then anything here costs anything.
//!
//! A host is heard by its ARP and by its IPv4 packets. One that says nothing is asked for: when somebody here wants to
//! reach it, and once in the beginning, slowly. One that has fallen silent is asked before it is forgotten. All of it is
//! the claim of whoever is on the LAN; [`MAX_HOSTS`] and [`NEWCOMERS`] bound what a flood of made-up hosts can do.

use super::Session;
use crate::overlap::{MAX_HOSTS, Prefix, Seat};
use lanparty_proto::{MacAddr, VirtualMac};
use lanparty_switch::rates::{Bucket, Rate};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// New hosts, each of which costs the shell a route. A LAN of two hundred is known within ten seconds.
const NEWCOMERS: Rate = Rate {
    burst: 64,
    per_second: 16,
};
/// What is asked because somebody here waits for the answer: a fourth of what a player may say of that kind
/// (`lanparty_switch::rates`), as the machine asks for itself too.
const QUESTIONS: Rate = Rate {
    burst: 16,
    per_second: 8,
};
/// An address that does not answer is not asked for again before this.
const ASK_AGAIN: Duration = Duration::from_millis(900);
/// So many addresses wait to be asked for.
const MAX_WAITING: usize = 64;
/// Between two questions of the first round through the network: a /24 takes a minute, and no LAN notices.
const ROUND: Duration = Duration::from_millis(250);
/// Of a wider network the first round asks for what is near the own address, as hosts stand together.
const ROUND_PREFIX: u8 = 24;
/// How often silent hosts are looked for.
const LOOK: Duration = Duration::from_secs(15);
/// A host that is silent for so long is asked whether it is there.
const SILENT: Duration = Duration::from_secs(120);
/// And is forgotten after this.
const GONE: Duration = Duration::from_secs(180);

const ARP_LEN: usize = 42;
/// Ethernet, IPv4, and the lengths of their addresses (RFC 826).
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// A question for the LAN.
pub(super) type Question = [u8; ARP_LEN];

/// Nothing, until somebody wants to know.
#[derive(Debug, Default)]
pub(super) struct Hosts(Option<Box<Watch>>);

#[derive(Debug)]
struct Watch {
    seat: Seat,
    hosts: BTreeMap<Ipv4Addr, Host>,
    newcomers: Bucket,
    /// Addresses to ask for, and when each was asked for last.
    waiting: VecDeque<Ipv4Addr>,
    asked: BTreeMap<Ipv4Addr, Instant>,
    questions: Bucket,
    /// The next address of the first round.
    round: Option<Ipv4Addr>,
    next_of_round: Instant,
    next_look: Instant,
    has_news: bool,
}

#[derive(Debug)]
struct Host {
    mac: MacAddr,
    heard_at: Instant,
}

impl Session {
    /// From now on the party's hosts in the network of this seat are listened for; with none, no longer.
    pub fn listen_for_hosts(&mut self, now: Instant, seat: Option<Seat>) {
        self.hosts.listen(now, seat);
    }

    /// The party's hosts that were heard of late in the network that is listened to.
    pub fn hosts(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let watch = self.hosts.0.iter();
        watch.flat_map(|watch| watch.hosts.keys().copied())
    }

    /// The hardware of a host that was heard of.
    pub fn hardware_of(&self, host: Ipv4Addr) -> Option<MacAddr> {
        let hosts = &self.hosts.0.as_ref()?.hosts;
        hosts.get(&host).map(|host| host.mac)
    }

    /// Somebody here wants to reach these addresses, and home does not have them: the party is asked.
    pub fn look_for_hosts(&mut self, now: Instant, wanted: impl IntoIterator<Item = Ipv4Addr>) {
        self.hosts.want(now, wanted);
        self.ask_for_hosts(now);
    }

    pub(super) fn ask_for_hosts(&mut self, now: Instant) {
        if self.place.is_none() {
            return;
        }
        for question in self.hosts.questions(now, self.mac) {
            self.say(&question);
        }
    }
}

impl Hosts {
    fn listen(&mut self, now: Instant, seat: Option<Seat>) {
        let known = self.0.as_ref().map(|watch| watch.seat);
        if known != seat {
            self.0 = seat.map(|seat| Box::new(Watch::new(now, seat)));
        }
    }

    /// A frame for the machine.
    pub(super) fn hear(&mut self, now: Instant, frame: &[u8]) {
        if let Some(watch) = &mut self.0 {
            watch.hear(now, frame);
        }
    }

    /// The LAN is there (again): time without it was nobody's silence, and others may be on it now.
    pub(super) fn come_in(&mut self, now: Instant) {
        if let Some(watch) = &mut self.0 {
            let hosts = watch.hosts.values_mut();
            hosts.for_each(|host| host.heard_at = now);
            watch.round = Some(watch.near().network());
        }
    }

    pub(super) fn take_news(&mut self) -> bool {
        let watch = self.0.as_mut();
        watch.is_some_and(|watch| std::mem::take(&mut watch.has_news))
    }

    fn want(&mut self, now: Instant, wanted: impl IntoIterator<Item = Ipv4Addr>) {
        if let Some(watch) = &mut self.0 {
            wanted.into_iter().for_each(|ip| watch.want(now, ip));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.as_deref().map(Watch::poll_timeout)
    }

    fn questions(&mut self, now: Instant, own: VirtualMac) -> Vec<Question> {
        let Some(watch) = &mut self.0 else {
            return Vec::new();
        };
        watch.questions(now, own)
    }
}

impl Watch {
    fn new(now: Instant, seat: Seat) -> Self {
        let mut watch = Watch {
            seat,
            hosts: BTreeMap::new(),
            newcomers: Bucket::full(now, NEWCOMERS),
            waiting: VecDeque::new(),
            asked: BTreeMap::new(),
            questions: Bucket::full(now, QUESTIONS),
            round: None,
            next_of_round: now,
            next_look: now + LOOK,
            has_news: false,
        };
        watch.round = Some(watch.near().network());
        watch
    }

    /// What the first round goes through.
    fn near(&self) -> Prefix {
        let Seat { own, prefix } = self.seat;
        Prefix::new(own, prefix.prefix_len().max(ROUND_PREFIX))
    }

    fn may_be(&self, ip: Ipv4Addr) -> bool {
        ip != self.seat.own && self.seat.prefix.has_host(ip)
    }

    fn hear(&mut self, now: Instant, frame: &[u8]) {
        let Some((ip, mac)) = sender(frame) else {
            return;
        };
        if let Some(host) = self.hosts.get_mut(&ip) {
            *host = Host { mac, heard_at: now };
            return;
        }
        if !self.may_be(ip) || !self.has_room(now) || !self.newcomers.take(now, 1) {
            return;
        }
        self.hosts.insert(ip, Host { mac, heard_at: now });
        self.asked.remove(&ip);
        self.has_news = true;
    }

    /// The one that is silent for longest goes, if it can be asked whether it is there.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.hosts.len() < MAX_HOSTS {
            return true;
        }
        let quietest = self.hosts.iter().min_by_key(|(_, host)| host.heard_at);
        let silent = quietest.filter(|(_, host)| host.is_silent(now, SILENT));
        let silent = silent.map(|(&ip, _)| ip);
        silent.is_some_and(|ip| self.hosts.remove(&ip).is_some())
    }

    fn want(&mut self, now: Instant, ip: Ipv4Addr) {
        let was_asked = |&at: &Instant| now.saturating_duration_since(at) < ASK_AGAIN;
        let is_known = self.hosts.contains_key(&ip) || self.asked.get(&ip).is_some_and(was_asked);
        let has_room = self.waiting.len() < MAX_WAITING;
        if self.may_be(ip) && !is_known && has_room && !self.waiting.contains(&ip) {
            self.waiting.push_back(ip);
        }
    }

    fn poll_timeout(&self) -> Instant {
        let round = self.round.map(|_| self.next_of_round);
        let waiting = self.waiting.front().map(|_| self.next_of_round);
        let times = [Some(self.next_look), round, waiting];
        let next = times.into_iter().flatten().min();
        next.unwrap_or(self.next_look)
    }

    /// What is to be asked now.
    fn questions(&mut self, now: Instant, own: VirtualMac) -> Vec<Question> {
        let mut questions = Vec::new();
        while let Some(&ip) = self.waiting.front()
            && self.questions.take(now, 1)
        {
            self.waiting.pop_front();
            self.asked.insert(ip, now);
            questions.push(question(own, self.seat.own, ip, MacAddr::BROADCAST));
        }
        if now >= self.next_of_round {
            self.next_of_round = now + ROUND;
            let next = self.next_of_first_round();
            questions.extend(next.map(|ip| question(own, self.seat.own, ip, MacAddr::BROADCAST)));
        }
        if now >= self.next_look {
            self.next_look = now + LOOK;
            self.look(now, own, &mut questions);
        }
        questions
    }

    /// The next address of the network that nobody is known to have.
    fn next_of_first_round(&mut self) -> Option<Ipv4Addr> {
        let first = self.round?;
        let near = self.near();
        let rest = (first.to_bits()..=u32::MAX).map(Ipv4Addr::from_bits);
        let mut rest = rest.take_while(|&ip| near.covers(ip));
        let next = rest.find(|ip| self.may_be(*ip) && !self.hosts.contains_key(ip));
        self.round = next.and_then(|ip| ip.to_bits().checked_add(1).map(Ipv4Addr::from_bits));
        next
    }

    /// Asks who has fallen silent, without a word to the others; forgets who does not answer.
    fn look(&mut self, now: Instant, own: VirtualMac, questions: &mut Vec<Question>) {
        let known = self.hosts.len();
        self.hosts.retain(|_, host| !host.is_silent(now, GONE));
        self.has_news |= self.hosts.len() < known;
        let asked_at = |at: &Instant| now.saturating_duration_since(*at) < ASK_AGAIN;
        self.asked.retain(|_, at| asked_at(at));
        for (&ip, host) in &self.hosts {
            if host.is_silent(now, SILENT) && self.questions.take(now, 1) {
                questions.push(question(own, self.seat.own, ip, host.mac));
            }
        }
    }
}

impl Host {
    fn is_silent(&self, now: Instant, time: Duration) -> bool {
        now.saturating_duration_since(self.heard_at) >= time
    }
}

/// Who speaks in a frame: the IPv4 address and the hardware that has it, by their own words.
fn sender(frame: &[u8]) -> Option<(Ipv4Addr, MacAddr)> {
    let source: [u8; 6] = *frame.get(6..)?.first_chunk()?;
    match (frame.get(12..14)?, frame.get(14..)?) {
        ([0x08, 0x00], packet) => {
            let ip: [u8; 4] = *packet.get(12..)?.first_chunk()?;
            (packet[0] >> 4 == 4).then_some((ip.into(), MacAddr::new(source)))
        }
        ([0x08, 0x06], message) => {
            let message = message.strip_prefix(&ETHERNET_IPV4)?;
            // The operation, then hardware and address of the sender; a question who has an address (RFC 5227) comes
            // from nobody.
            let mac: [u8; 6] = *message.get(2..)?.first_chunk()?;
            let ip: [u8; 4] = *message.get(8..)?.first_chunk()?;
            Some((ip.into(), MacAddr::new(mac)))
        }
        _ => None,
    }
}

/// Asks by ARP who has `wanted`, in this machine's name.
fn question(own: VirtualMac, own_ip: Ipv4Addr, wanted: Ipv4Addr, to: MacAddr) -> Question {
    let own = own.addr().octets();
    let mut frame = [0; ARP_LEN];
    frame[..6].copy_from_slice(&to.octets());
    frame[6..12].copy_from_slice(&own);
    frame[12..14].copy_from_slice(&[0x08, 0x06]);
    frame[14..20].copy_from_slice(&ETHERNET_IPV4);
    frame[21] = 1;
    frame[22..28].copy_from_slice(&own);
    frame[28..32].copy_from_slice(&own_ip.octets());
    frame[38..].copy_from_slice(&wanted.octets());
    frame
}

#[cfg(test)]
mod tests;
