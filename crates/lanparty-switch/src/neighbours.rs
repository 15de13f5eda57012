//! Answers for a machine that cannot hear the question.
//!
//! By a direct path alone neither ARP nor neighbour discovery passes ([`View::Door`](crate::View::Door)). While there is no
//! other way, each end answers its own side for the other, or systems would ask in vain within a minute and take each other
//! for gone. A gateway knows its players' addresses anyway ([`Switch::addresses_of`](crate::Switch::addresses_of)); a client
//! learns those of the LAN here: [`Neighbours`]. A relay that has died is there for some seconds more, as far as anybody
//! knows: so who asks again is answered, too, for a machine whose packets come by the direct path meanwhile.

use crate::{arp, judge, nd};
use foldhash::HashMap;
use lanparty_proto::ethernet::ether_type;
use lanparty_proto::ip::ICMPV6;
use lanparty_proto::{Content, EthernetFrame, MacAddr};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// After so long without a word a machine is not answered for. Systems ask anew within a minute, unless TCP tells them that
/// the other one is there; then its packets are heard.
const LIFE: Duration = Duration::from_secs(600);
/// How many addresses are remembered, and the packets of how many machines.
const MAX: usize = 1024;

/// Who asks the same again within that time has not been answered; systems do it each second (RFC 4861 §10).
const AGAIN: Duration = Duration::from_secs(3);
/// How many questions are known to wait.
const MAX_WAITING: usize = 16;
/// Whose packet came so lately is there.
const PRESENT: Duration = Duration::from_secs(5);

/// To whom a multicast IPv6 packet for all machines goes (RFC 2464 §7).
const ALL_NODES: MacAddr = MacAddr::new([0x33, 0x33, 0, 0, 0, 1]);

/// Which hardware has an address? To everybody, or to the one that had it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    asker: MacAddr,
    ends: Ends,
}

/// Who asks, for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

impl Question {
    /// The question in a frame, if it is one. Who tells everybody of an address of its own asks nothing.
    pub fn of(frame: EthernetFrame<'_>) -> Option<Self> {
        let ends = match Content::of(frame) {
            Content::Typed(ether_type::ARP, message) => {
                let (from, wanted) = arp::read(message).ok()?.question()?;
                (from != wanted).then_some(Ends::V4(from, wanted))?
            }
            Content::Typed(ether_type::IPV6, packet) => {
                let (from, wanted) = nd::question(packet)?;
                (from != wanted).then_some(Ends::V6(from, wanted))?
            }
            _ => return None,
        };
        let asker = frame.source();
        Some(Question { asker, ends })
    }

    /// Whose hardware is asked for.
    pub fn wanted(&self) -> IpAddr {
        match self.ends {
            Ends::V4(_, wanted) => wanted.into(),
            Ends::V6(_, wanted) => wanted.into(),
        }
    }

    /// The frame that answers it as if this hardware had done so; nothing to who asks for itself. Whether it is a router
    /// systems learn from IPv6 alone, and forget it as one of theirs where it is denied (RFC 4861 §7.2.5).
    pub fn answer(&self, mac: MacAddr, is_router: bool) -> Option<Vec<u8>> {
        if mac == self.asker {
            return None;
        }
        let (to, ether_type, message) = match self.ends {
            Ends::V4(from, wanted) => {
                let message = arp::answer((mac, wanted), (self.asker, from));
                (self.asker, ether_type::ARP, message)
            }
            Ends::V6(from, wanted) => {
                let to = if from.is_unspecified() {
                    ALL_NODES
                } else {
                    self.asker
                };
                let message = nd::answer((mac, wanted), is_router, from);
                (to, ether_type::IPV6, message)
            }
        };
        let ether_type = ether_type.to_be_bytes();
        Some([&to.octets()[..], &mac.octets(), &ether_type, &message].concat())
    }
}

/// Who has which address on the LAN, by what its machines say.
#[derive(Debug, Default)]
pub struct Neighbours {
    /// By ARP and neighbour discovery.
    said: HashMap<IpAddr, Said>,
    /// From which address a machine has sent its last packet, IPv4 or not. A router's may be anybody's on the way through:
    /// where its neighbours ask for that one, the router is the way there.
    seen: HashMap<(MacAddr, bool), (IpAddr, Instant)>,
    /// What was asked of late, and not answered.
    waiting: VecDeque<(Question, Instant)>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    mac: MacAddr,
    at: Instant,
    is_router: bool,
}

impl Neighbours {
    /// A frame of the LAN's that the machine gets.
    pub fn hear(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        let (router, is_router) = match Content::of(frame) {
            Content::Typed(ether_type::ARP, _) => (None, None),
            Content::Typed(ether_type::IPV6, packet) if packet.get(6) == Some(&ICMPV6) => {
                nd::router(packet)
            }
            _ => return,
        };
        if let Some(router) = router {
            return self.learn(now, router.into(), frame.source(), is_router);
        }
        if let Some(claim) = judge::read(frame).claim(frame.source()) {
            self.learn(now, claim.address, claim.mac, is_router);
        }
    }

    /// One that came by a direct path, where nothing else tells that its machine is there.
    pub fn hear_directly(&mut self, now: Instant, frame: EthernetFrame<'_>) {
        let source = match Content::of(frame) {
            Content::Typed(ether_type::IPV4, packet) => octets::<4>(packet, 12).map(IpAddr::from),
            Content::Typed(ether_type::IPV6, packet) => octets::<16>(packet, 8).map(IpAddr::from),
            _ => None,
        };
        let Some(source) = source else { return };
        let machine = (frame.source(), source.is_ipv4());
        if self.seen.len() >= MAX && !self.seen.contains_key(&machine) {
            self.seen.retain(|_, (_, at)| is_young(now, *at));
        }
        if self.seen.len() < MAX || self.seen.contains_key(&machine) {
            self.seen.insert(machine, (source, now));
        }
    }

    /// What the machine that was asked for would say.
    pub fn answer(&self, now: Instant, question: &Question) -> Option<Vec<u8>> {
        let wanted = question.wanted();
        let said = self.said.get(&wanted);
        let young = said.filter(|said| is_young(now, said.at));
        let mac = young
            .map(|said| said.mac)
            .or_else(|| self.seen_since(now, wanted, LIFE))?;
        let is_router = said.is_some_and(|said| said.mac == mac && said.is_router);
        question.answer(mac, is_router)
    }

    /// The same of a machine that is there, to who has asked in vain.
    pub fn answer_again(&mut self, now: Instant, question: &Question) -> Option<Vec<u8>> {
        let waits = |at: Instant| now.saturating_duration_since(at) < AGAIN;
        self.waiting.retain(|(_, at)| waits(*at));
        let before = self.waiting.iter().position(|(asked, _)| asked == question);
        match before {
            Some(before) => self.waiting[before].1 = now,
            None => {
                if self.waiting.len() >= MAX_WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back((*question, now));
                return None;
            }
        }
        let mac = self.seen_since(now, question.wanted(), PRESENT)?;
        let answer = self.answer(now, question)?;
        (answer[6..12] == mac.octets()).then_some(answer)
    }

    /// From which machine packets of this address came within that time.
    fn seen_since(&self, now: Instant, wanted: IpAddr, within: Duration) -> Option<MacAddr> {
        let is_it = |&(source, at): &(IpAddr, Instant)| {
            source == wanted && now.saturating_duration_since(at) < within
        };
        let mut seen = self.seen.iter();
        seen.find(|(_, seen)| is_it(seen)).map(|(&(mac, _), _)| mac)
    }

    /// Another LAN may be there from now on.
    pub fn clear(&mut self) {
        self.said.clear();
        self.seen.clear();
        self.waiting.clear();
    }

    fn learn(&mut self, now: Instant, address: IpAddr, mac: MacAddr, is_router: Option<bool>) {
        self.waiting
            .retain(|(question, _)| question.wanted() != address);
        let before = self.said.get(&address);
        let was_router = before.is_some_and(|before| before.mac == mac && before.is_router);
        if before.is_none() && self.said.len() >= MAX {
            let oldest = self.said.iter().min_by_key(|(_, said)| said.at);
            if let Some((&oldest, _)) = oldest {
                self.said.remove(&oldest);
            }
        }
        let said = Said {
            mac,
            at: now,
            is_router: is_router.unwrap_or(was_router),
        };
        self.said.insert(address, said);
    }
}

fn is_young(now: Instant, at: Instant) -> bool {
    now.saturating_duration_since(at) < LIFE
}

fn octets<const LEN: usize>(packet: &[u8], at: usize) -> Option<[u8; LEN]> {
    packet.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
