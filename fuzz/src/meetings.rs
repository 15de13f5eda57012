//! Who is introduced to whom, among peers who say what they like.

use crate::epoch;
use arbitrary::{Arbitrary, Unstructured};
use lanparty_ctrl::door::{Door, Go, MAX_ADDRESSES, Meet, MeetSecret, Ready};
use lanparty_ctrl::message::{Entry, Newcomer};
use lanparty_ctrl::{LeaveReason, Pin, RelayMessage, ResumeToken};
use lanparty_proto::{DatagramBudget, PeerId, VirtualMac};
use lanparty_relay::registry::Seat;
use lanparty_relay::room::{Sight, Step as Say};
use lanparty_relay::{Limits, Rates, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The gateway's, and those of three players.
type Link = u8;
const GATEWAY: Link = 0;
const LINKS: u8 = 4;
const PIN: [u8; 32] = [9; 32];

#[derive(Arbitrary, Debug)]
enum Step {
    Enters {
        link: u8,
        knows_doors: bool,
    },
    Leaves {
        link: u8,
    },
    /// From now on it is seen there, or nowhere.
    Moves {
        link: u8,
        to: Option<Address>,
    },
    Door {
        link: u8,
        open: bool,
        has_pin: bool,
        addresses: Vec<Address>,
    },
    Ready {
        link: u8,
        other: u8,
        round: u8,
    },
    Met {
        link: u8,
        round: u8,
    },
    Wait {
        tenths: u16,
    },
    Introduces(bool),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Address {
    /// One of the networks from which peers come.
    Usual {
        place: u8,
        host: u8,
        port: u16,
    },
    Any(SocketAddr),
}

impl Address {
    fn get(self) -> SocketAddr {
        match self {
            Address::Usual { place, host, port } => {
                let ip: IpAddr = match place % 6 {
                    0 => [203, 0, 113, host].into(),
                    1 => [198, 51, 100, host].into(),
                    2 => [192, 168, 1, host].into(),
                    3 => [0x2001, 0xdb8, 0, 1, 0, 0, 0, host.into()].into(),
                    4 => [0x2001, 0xdb8, 1, host.into(), 0, 0, 0, 1].into(),
                    _ => [127, 0, 0, 1].into(),
                };
                SocketAddr::new(ip, port)
            }
            Address::Any(address) => address,
        }
    }
}

/// Two who meet are told the same secret and each other's addresses, which are few and could be theirs; a round follows another
/// one when it may, leads on when both have said that they are ready, and is about those who are there and want it.
pub fn meetings(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut party = Party {
        now: epoch(),
        registry: Registry::new(Limits::default(), Rates::default()),
        seats: BTreeMap::new(),
        sights: BTreeMap::new(),
        willing: BTreeSet::new(),
        able: BTreeSet::new(),
        introduces: true,
        secrets: 0,
        pairs: BTreeMap::new(),
    };
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        party.take(step);
    }
}

struct Party {
    now: Instant,
    registry: Registry<Link>,
    seats: BTreeMap<Link, Seat>,
    sights: BTreeMap<Link, SocketAddr>,
    /// Whose doors are open.
    willing: BTreeSet<Link>,
    able: BTreeSet<Link>,
    introduces: bool,
    secrets: u64,
    /// What has happened between a player, by its number, and whoever was gateway.
    pairs: BTreeMap<PeerId, Pair>,
}

#[derive(Default)]
struct Pair {
    round: u32,
    began: Option<Instant>,
    in_vain: u32,
    ready: BTreeSet<Link>,
    met: u32,
}

impl Party {
    fn take(&mut self, step: Step) {
        match step {
            Step::Enters { link, knows_doors } => self.enters(link % LINKS, knows_doors),
            Step::Leaves { link } => self.leaves(link % LINKS),
            Step::Moves { link, to } => {
                let address = to.map(Address::get);
                match address.filter(|address| is_a_source(address.ip())) {
                    Some(address) => drop(self.sights.insert(link % LINKS, address)),
                    None => drop(self.sights.remove(&(link % LINKS))),
                }
            }
            Step::Door {
                link,
                open,
                has_pin,
                addresses,
            } => self.opens(link % LINKS, open, has_pin, &addresses),
            Step::Ready { link, other, round } => {
                let (link, other) = (link % LINKS, other % LINKS);
                if let (Some(&seat), Some(with)) = (self.seats.get(&link), self.seats.get(&other)) {
                    let ready = Ready {
                        peer_id: with.peer,
                        round: round.into(),
                    };
                    self.registry.handle_ready(seat, ready);
                    self.notes_ready(link, other, round.into());
                }
            }
            Step::Met { link, round } => self.says_that_they_met(link % LINKS, round.into()),
            Step::Wait { tenths } => self.now += Duration::from_millis(100) * tenths.into(),
            Step::Introduces(introduces) => {
                self.registry.set_introduces(introduces);
                self.introduces = introduces;
            }
        }
        self.polls();
    }

    fn enters(&mut self, link: Link, knows_doors: bool) {
        if self.seats.contains_key(&link) {
            return;
        }
        let who = match link {
            GATEWAY => Newcomer::Gateway,
            client => Newcomer::Client(VirtualMac::from_random([2, 0, 0, 0, 0, client])),
        };
        let room = "LANPARTY".parse().expect("it is a room code");
        let entry = Entry {
            knows_doors,
            ..Entry::new(room, who, DatagramBudget::MIN)
        };
        let token = ResumeToken::from_random([link; 16]);
        let source = [192, 0, 2, link].into();
        let admitted = self.registry.admit(self.now, &entry, source, token, link);
        let Ok(admission) = admitted else {
            return;
        };
        self.seats.insert(link, admission.place);
        if knows_doors {
            self.able.insert(link);
        }
    }

    fn leaves(&mut self, link: Link) {
        let Some(seat) = self.seats.remove(&link) else {
            return;
        };
        self.registry.leave(seat, LeaveReason::Closed);
        self.willing.remove(&link);
        self.able.remove(&link);
        self.pairs.remove(&seat.peer);
        if link == GATEWAY {
            self.pairs.values_mut().for_each(|pair| pair.ready.clear());
        }
        if self.seats.is_empty() {
            self.pairs.clear();
        }
    }

    fn opens(&mut self, link: Link, open: bool, has_pin: bool, addresses: &[Address]) {
        let Some(&seat) = self.seats.get(&link) else {
            return;
        };
        let addresses = addresses.iter().map(|address| address.get());
        let door = Door {
            open,
            addresses: addresses.collect(),
            pin: has_pin.then(|| Pin::from_sha256(PIN)),
            nat: None,
        };
        self.registry.handle_door(seat, door);
        match open && (has_pin || link != GATEWAY) {
            true => self.willing.insert(link),
            false => self.willing.remove(&link),
        };
    }

    fn notes_ready(&mut self, link: Link, other: Link, round: u32) {
        let (client, is_pair) = match link {
            GATEWAY => (other, other != GATEWAY),
            client => (client, other == GATEWAY),
        };
        let seat = self.seats.get(&client).filter(|_| is_pair);
        let pair = seat.and_then(|seat| self.pairs.get_mut(&seat.peer));
        if let Some(pair) = pair.filter(|pair| pair.round == round) {
            pair.ready.insert(link);
        }
    }

    fn says_that_they_met(&mut self, link: Link, round: u32) {
        let (Some(&seat), Some(gateway)) = (self.seats.get(&link), self.seats.get(&GATEWAY)) else {
            return;
        };
        let peer_id = gateway.peer;
        self.registry.handle_met(seat, Ready { peer_id, round });
        let pair = self.pairs.get_mut(&seat.peer).filter(|_| link != GATEWAY);
        if let Some(pair) = pair.filter(|pair| pair.round == round && pair.met < round) {
            (pair.met, pair.in_vain) = (round, 0);
        }
    }

    fn polls(&mut self) {
        let (sights, secrets) = (&self.sights, &mut self.secrets);
        let sight = |link: &Link| {
            Some(Sight {
                address: *sights.get(link)?,
                relay: Some(relay()),
                rtt: Duration::from_millis((*link).into()),
            })
        };
        let secret = || {
            *secrets += 1;
            let mut bits = [0; 32];
            bits[..8].copy_from_slice(&secrets.to_be_bytes());
            MeetSecret::from_random(bits)
        };
        let steps = self.registry.poll_meetings(self.now, None, sight, secret);
        let mut meets: BTreeMap<PeerId, Vec<(Link, Meet)>> = BTreeMap::new();
        let mut goes: BTreeMap<PeerId, Vec<(Link, Go)>> = BTreeMap::new();
        for step in steps {
            let Say::Tell(link, message) = step else {
                unreachable!("nobody has asked");
            };
            assert!(self.able.contains(&link), "it knows nothing of doors");
            let client = |other: PeerId| match link {
                GATEWAY => other,
                client => self.seats[&client].peer,
            };
            match message {
                RelayMessage::Meet(meet) => {
                    meets
                        .entry(client(meet.peer_id))
                        .or_default()
                        .push((link, *meet));
                }
                RelayMessage::Go(go) => {
                    goes.entry(client(go.peer_id)).or_default().push((link, go));
                }
                RelayMessage::NoMeeting(none) => {
                    let mut others = self.seats.values().map(|seat| seat.peer);
                    assert!(
                        others.any(|peer| peer == none.peer_id),
                        "somebody who is here"
                    );
                }
                other => unreachable!("{other:?}"),
            }
        }
        // What ends comes before what begins.
        for (client, said) in goes {
            self.check_go(client, &said);
        }
        for (client, said) in meets {
            self.check_meet(client, &said);
        }
    }

    fn check_go(&mut self, client: PeerId, said: &[(Link, Go)]) {
        let pair = self
            .pairs
            .get_mut(&client)
            .expect("they have been introduced");
        assert_eq!(std::mem::take(&mut pair.ready).len(), 2, "both are ready");
        let [one, other] = said else {
            unreachable!("both hear it: {said:?}");
        };
        assert_eq!((one.1.round, other.1.round), (pair.round, pair.round));
        assert!(one.0 != other.0 && [one.0, other.0].contains(&GATEWAY));
        let began = pair.began.expect("the round has begun");
        assert!(self.now < began + Duration::from_secs(3) || self.now == began);
    }

    fn check_meet(&mut self, client: PeerId, said: &[(Link, Meet)]) {
        let [one, other] = said else {
            unreachable!("both hear it: {said:?}");
        };
        assert!(self.introduces, "nobody wants that");
        assert!(one.1.secret == other.1.secret);
        assert_eq!(one.1.round, other.1.round);
        for ((link, meet), (beyond, _)) in [(one, other), (other, one)] {
            assert!(self.willing.contains(link), "it wants none");
            assert_eq!(meet.peer_id, self.seats[beyond].peer);
            assert_eq!(meet.seen, self.sights[link]);
            let pin = (*link != GATEWAY).then(|| Pin::from_sha256(PIN));
            assert_eq!(meet.pin, pin);
            check_addresses(&meet.addresses, self.sights[beyond], self.sights[link]);
            assert!(
                *link == GATEWAY || !meet.addresses.is_empty(),
                "whom to call"
            );
        }
        let pair = self.pairs.entry(client).or_default();
        assert_eq!(one.1.round, pair.round + 1);
        let wait = pair.began.map(|began| self.now - began);
        let least = match pair.in_vain {
            ..3 => Duration::from_secs(5),
            _ => Duration::from_secs(30),
        };
        assert!(
            wait.is_none_or(|wait| wait >= least),
            "{wait:?} after the last"
        );
        pair.round += 1;
        pair.in_vain += 1;
        pair.began = Some(self.now);
        pair.ready.clear();
    }
}

fn relay() -> SocketAddr {
    ([203, 0, 113, 1], 4433).into()
}

/// Where a packet may come from.
fn is_a_source(ip: IpAddr) -> bool {
    let is_mapped = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    !ip.is_unspecified() && !ip.is_multicast() && !is_mapped
}

fn check_addresses(told: &[SocketAddr], seen: SocketAddr, to: SocketAddr) {
    assert!(told.len() <= 1 + MAX_ADDRESSES);
    assert_eq!(
        told.iter().collect::<BTreeSet<_>>().len(),
        told.len(),
        "each once"
    );
    let named = told.iter().filter(|&&address| address != seen);
    let mut unseen = BTreeSet::new();
    for address in named {
        let ip = address.ip();
        assert!(is_a_source(ip) && !ip.is_loopback(), "{address}");
        assert!(address.port() >= 1024 && *address != relay(), "{address}");
        let is_private = match ip {
            IpAddr::V4(ip) => {
                assert!(!ip.is_broadcast() && !ip.is_link_local(), "{address}");
                ip.is_private() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64
            }
            IpAddr::V6(ip) => ip.is_unique_local(),
        };
        if !is_private && network(ip) != network(seen.ip()) {
            unseen.insert(*address);
        }
    }
    let (v4, v6): (Vec<&SocketAddr>, Vec<&SocketAddr>) =
        unseen.iter().partition(|address| address.is_ipv4());
    assert!(v4.len() <= 1, "{v4:?}");
    assert!(v6.len() <= 2, "{v6:?}");
    let networks: BTreeSet<_> = v6.iter().map(|address| network(address.ip())).collect();
    assert!(networks.len() <= 1, "{v6:?}");
    let is_told = told.contains(&seen);
    assert!(!is_told || !seen.ip().is_loopback() || to.ip().is_loopback());
}

/// An IPv4 address, or the half of an IPv6 address that says where it is.
fn network(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[..8].to_vec(),
    }
}
