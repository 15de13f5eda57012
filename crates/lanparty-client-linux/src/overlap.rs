//! Routes to the party's hosts, where home has the same addresses (spec R133).
//!
//! What there should be is decided by [`lanparty_client_core::overlap`]; here it is kept so. All of these routes are the
//! adapter's and go with it, after a kill as well. Home's are not touched.

use crate::adapter::Adapter;
use crate::address::InterfaceAddress;
use crate::home::{Neighbours, Surroundings, name_servers};
use crate::route::{PROTOCOL, Pins, Route};
use crate::rule::{Reach, Rules};
use lanparty_client_core::Session;
use lanparty_client_core::overlap::{self as core, HomeNetwork, Overlap, Role, Seat};
use lanparty_proto::VirtualMac;
use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage::{DelRoute, GetRoute, NewRoute};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteScope, RouteType,
};
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// How often home is asked whether it has an address that a host of the party has: it may come home late.
const ASK_HOME: Duration = Duration::from_secs(300);
/// How often the party is asked for an address that nobody looks for at this moment.
const ASK_PARTY: Duration = Duration::from_secs(30);

/// So long hosts of the party keep their routes without a link, for games that outlive a short one.
const GRACE: Duration = Duration::from_secs(15);

/// The kernel's own table, which it asks first (rtnetlink(7), `RT_TABLE_LOCAL`).
const TABLE_LOCAL: u8 = 255;

/// How it stands with the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is a link to it.
    There,
    /// There is none at this moment.
    Gone,
    /// The machine slept, and may be elsewhere.
    Slept,
}

impl Room {
    /// How it stands while the relay is away: whoever plays on by a direct path is there.
    pub(crate) fn without_relay(session: &Session) -> Self {
        match session.plays_on() {
            true => Room::There,
            false => Room::Gone,
        }
    }
}

/// The routes to the party, as they were kept last.
#[derive(Debug, Default)]
pub(crate) struct PartyRoutes {
    /// Where the LAN's name servers are welcome, these are not the LAN's.
    known_servers: Option<BTreeSet<IpAddr>>,
    lost: Option<Lost>,
    sentences: Vec<String>,
    routes: Vec<Route>,
    /// Addresses that mean all of a network, at home and at the party, and the own one there.
    shared: BTreeSet<(Ipv4Addr, Ipv4Addr)>,
    rules: Rules,
    asked_home: BTreeMap<Ipv4Addr, Instant>,
    asked_party: BTreeMap<Ipv4Addr, Instant>,
}

/// Since there is no link.
#[derive(Debug)]
struct Lost {
    /// Until then hosts of the party have their routes,
    until: Instant,
    /// while home has these of its networks.
    home: BTreeSet<HomeNetwork>,
}

/// The places at the party that these addresses are.
fn seats_of(addresses: &[InterfaceAddress]) -> impl Iterator<Item = Seat> {
    addresses.iter().filter_map(|address| match address.ip() {
        IpAddr::V4(own) => Some(Seat::new(own, address.prefix_len())),
        IpAddr::V6(_) => None,
    })
}

impl PartyRoutes {
    /// Before the adapter is there. With a full lease the LAN may name servers that are its own.
    pub(crate) fn new(full_lease: bool) -> Self {
        PartyRoutes {
            known_servers: full_lease.then(|| name_servers(0)),
            ..PartyRoutes::default()
        }
    }

    /// What home and party both have, in sentences for a person.
    pub(crate) fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// Makes the routes what they should be now, with a link or without. `pins` keep the relay off the adapter.
    pub(crate) fn follow(
        &mut self,
        now: Instant,
        room: Room,
        (tap, adapter, mac): (u32, &Adapter, VirtualMac),
        session: &mut Session,
        pins: &Pins,
    ) -> io::Result<()> {
        let Surroundings {
            mut seats,
            mut home,
            neighbours,
            mut name_servers,
        } = Surroundings::look(tap, mac, self.servers(tap))?;
        // What somebody takes from the adapter comes back, and its routes with it.
        let given = adapter.wanted_addresses();
        let mut taken: Vec<_> = seats_of(&given).collect();
        taken.retain(|seat| !seats.contains(seat));
        seats.extend(taken);
        for relay in pins.relays() {
            if let IpAddr::V4(relay) = relay {
                home.uses(relay, Role::Relay);
            }
        }
        name_servers.extend(pins.relays());
        adapter.keep_off(name_servers);
        session.forbid_addresses(now, &home.used);
        let overlaps = |seat: &&Seat| core::decide(seat, &home, []).exists();
        session.listen_for_hosts(now, seats.iter().find(overlaps).copied());
        let is_at_home = |host: &Ipv4Addr| {
            let mac = session.hardware_of(*host);
            mac.is_some_and(|mac| neighbours.is_at_home(*host, mac))
        };
        let leads = self.leads_hosts(now, room, &home.networks);
        let heard = session.hosts().filter(|host| leads && !is_at_home(host));
        let heard: Vec<_> = heard.collect();
        let decided: Vec<_> = seats
            .into_iter()
            .map(|seat| (seat, core::decide(&seat, &home, heard.iter().copied())))
            .collect();
        self.tell(&decided);
        let outcome = self.route(tap, adapter, &decided);
        self.ask_home(now, &decided, &neighbours);
        let lacking = self.lacking_at_home(now, &neighbours);
        session.look_for_hosts(now, lacking);
        outcome
    }

    fn servers(&self, tap: u32) -> BTreeSet<IpAddr> {
        let known = self.known_servers.clone();
        known.unwrap_or_else(|| name_servers(tap))
    }

    /// Whether hosts of the party have routes: without a link nobody is reached by them, and a machine that wakes up in
    /// another home has that home's machines at their numbers.
    fn leads_hosts(&mut self, now: Instant, room: Room, home: &BTreeSet<HomeNetwork>) -> bool {
        let grace = match room {
            Room::There => {
                self.lost = None;
                return true;
            }
            Room::Gone => GRACE,
            Room::Slept => {
                self.lost = None;
                Duration::ZERO
            }
        };
        let lost = self.lost.get_or_insert_with(|| Lost {
            until: now + grace,
            home: home.clone(),
        });
        now < lost.until && lost.home == *home
    }

    fn tell(&mut self, decided: &[(Seat, Overlap)]) {
        let sentences = decided.iter().flat_map(|(_, overlap)| overlap.sentences());
        self.sentences = sentences.collect();
    }

    /// Each change is tried, and the first that failed is told.
    fn route(
        &mut self,
        tap: u32,
        adapter: &Adapter,
        decided: &[(Seat, Overlap)],
    ) -> io::Result<()> {
        let there = Route::list(Ipv4Addr::UNSPECIFIED.into())?;
        let Routes { wanted, forbidden } = Routes::decided(tap, decided, &there);
        let before = std::mem::replace(&mut self.routes, wanted);
        let gone = before.iter().filter(|route| !self.routes.contains(route));
        let new = self.routes.iter().filter(|route| !before.contains(route));
        let removed = forbidden.iter().map(Route::remove);
        let dropped = gone.map(|route| adapter.drop_route(route));
        let added = new.map(|route| adapter.want_route(route.clone()));
        let outcome = first_error(removed.chain(dropped).chain(added));
        let outcome = outcome.and(self.lead_broadcast(tap, decided));
        outcome.and(self.go_before_others(tap, decided))
    }

    /// Where another program's tables are asked first, the party needs a rule. A VPN that takes all there is has no route
    /// to the party's network, so the kernel is asked.
    fn go_before_others(&mut self, tap: u32, decided: &[(Seat, Overlap)]) -> io::Result<()> {
        let mut networks = BTreeMap::new();
        for (seat, overlap) in decided {
            let Some((host, reach)) = example(seat, overlap) else {
                continue;
            };
            let way = Route::lookup(host.into())?;
            if self.rules.has(seat.prefix, reach) || way.is_some_and(|way| way.device != tap) {
                networks.insert(seat.prefix, reach);
            }
        }
        self.rules.keep(networks)
    }

    fn lead_broadcast(&mut self, tap: u32, decided: &[(Seat, Overlap)]) -> io::Result<()> {
        let shared = decided
            .iter()
            .filter(|(_, overlap)| overlap.shares_broadcast);
        let shared = shared
            .filter_map(|(seat, _)| Some((seat.prefix.broadcast()?, seat.own)))
            .collect();
        let before = std::mem::replace(&mut self.shared, shared);
        for &(all, own) in before.difference(&self.shared) {
            // It may have gone with the adapter's last address.
            let _ = lanparty_netlink::order(DelRoute(to_all(all, own, tap)), 0);
        }
        first_error(
            self.shared
                .iter()
                .map(|&(all, own)| lead_all(all, own, tap)),
        )
    }

    /// Asks home for addresses that the party has: what collides need not be in use at this moment, and what is thought
    /// to be at home need not be there any more.
    fn ask_home(&mut self, now: Instant, decided: &[(Seat, Overlap)], neighbours: &Neighbours) {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= ASK_HOME;
        self.asked_home.retain(|_, at| !is_old(at));
        for (seat, overlap) in decided.iter().filter(|(_, overlap)| overlap.exists()) {
            let doubted = overlap.doubles.iter().map(|double| double.address);
            let doubted = doubted.filter(|ip| neighbours.is_stale(*ip));
            let unknown = overlap.hosts.iter().copied().chain([seat.own]);
            for ip in unknown.chain(doubted).collect::<BTreeSet<_>>() {
                if let Entry::Vacant(entry) = self.asked_home.entry(ip) {
                    entry.insert(now);
                    neighbours.ask(ip, &overlap.networks);
                }
            }
        }
    }

    /// Addresses that somebody here wants to reach and home does not have, or has reached at the party before.
    fn lacking_at_home(&mut self, now: Instant, neighbours: &Neighbours) -> Vec<Ipv4Addr> {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= ASK_PARTY;
        self.asked_party.retain(|_, at| !is_old(at));
        let mut lacking: Vec<_> = neighbours.unanswered().collect();
        let once = neighbours.failed().chain(neighbours.at_the_party());
        lacking.extend(once.filter(|ip| self.asked_party.insert(*ip, now).is_none()));
        lacking
    }
}

/// The adapter's routes to the party.
#[derive(Debug, PartialEq, Eq)]
struct Routes {
    /// Those that should be there.
    wanted: Vec<Route>,
    /// Those that others have made, and would take home's hosts away.
    forbidden: Vec<Route>,
}

impl Routes {
    fn decided(tap: u32, decided: &[(Seat, Overlap)], there: &[Route]) -> Self {
        let others = there
            .iter()
            .filter(|route| route.device == tap && route.protocol != PROTOCOL);
        let (mut wanted, mut forbidden) = (Vec::new(), Vec::new());
        for (seat, overlap) in decided {
            let (network, len) = (seat.prefix.network().into(), seat.prefix.prefix_len());
            let leads_there =
                |route: &&Route| (route.destination, route.prefix_len) == (network, len);
            let own = seat.own.into();
            let mut same = others.clone().filter(leads_there).cloned();
            match overlap.whole {
                false => forbidden.extend(same),
                true if len < 32 && same.next().is_none() => {
                    let route = Route::on_link(network, len, tap).from(own);
                    wanted.push(route.behind_others());
                }
                true => {}
            }
            let hosts = overlap.hosts.iter();
            wanted.extend(hosts.map(|&host| Route::on_link(host.into(), 32, tap).from(own)));
        }
        // Of several addresses in a network the first speaks there.
        let mut led = BTreeSet::new();
        wanted.retain(|route: &Route| led.insert((route.destination, route.prefix_len)));
        Routes { wanted, forbidden }
    }
}

/// Some address at the party, by which it shows where the kernel leads the others, and the rule that they may need.
fn example(seat: &Seat, overlap: &Overlap) -> Option<(Ipv4Addr, Reach)> {
    if let Some(&host) = overlap.hosts.first() {
        return Some((host, Reach::Hosts));
    }
    if !overlap.whole || overlap.exists() {
        return None;
    }
    let first = seat.prefix.network().to_bits();
    let mut hosts = (first..=first | 3).map(Ipv4Addr::from_bits);
    let host = hosts.find(|host| *host != seat.own && seat.prefix.has_host(*host))?;
    Some((host, Reach::Network))
}

/// Leads what is sent to all of the network to the party, in front of home's route of the same kind; games mean the
/// party, as by 255.255.255.255.
fn lead_all(all: Ipv4Addr, own: Ipv4Addr, tap: u32) -> io::Result<()> {
    if way_of_all(all)? == Some(tap) {
        return Ok(());
    }
    let route = to_all(all, own, tap);
    // Ours may be there, behind one that came later.
    let _ = lanparty_netlink::order(DelRoute(route.clone()), 0);
    // Without NLM_F_APPEND a route stands before its equals.
    lanparty_netlink::order(NewRoute(route), NLM_F_CREATE)
}

/// The device by which a packet to all of a network leaves now.
fn way_of_all(all: Ipv4Addr) -> io::Result<Option<u32>> {
    let mut question = RouteMessage::default();
    question.header.address_family = AddressFamily::Inet;
    question.header.destination_prefix_length = 32;
    question
        .attributes
        .push(RouteAttribute::Destination(RouteAddress::Inet(all)));
    let Some(NewRoute(way)) = lanparty_netlink::ask(GetRoute(question))? else {
        return Ok(None);
    };
    let mut attributes = way.attributes.iter();
    Ok(attributes.find_map(|attribute| match attribute {
        RouteAttribute::Oif(device) => Some(*device),
        _ => None,
    }))
}

fn to_all(all: Ipv4Addr, own: Ipv4Addr, tap: u32) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = 32;
    message.header.table = TABLE_LOCAL;
    message.header.protocol = PROTOCOL.into();
    message.header.kind = RouteType::Broadcast;
    message.header.scope = RouteScope::Link;
    message.attributes = vec![
        RouteAttribute::Destination(RouteAddress::Inet(all)),
        RouteAttribute::Oif(tap),
        RouteAttribute::PrefSource(RouteAddress::Inet(own)),
    ];
    message
}

fn first_error(mut outcomes: impl Iterator<Item = io::Result<()>>) -> io::Result<()> {
    let first = outcomes.by_ref().find(Result::is_err);
    outcomes.for_each(drop);
    first.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests;
