//! Rows of the routing table where home has the party's addresses (spec R133), each undone when it is dropped.

use crate::change::Change;
use crate::journal::{Guard, Journal};
use crate::look::Errands;
use crate::pins::Pins;
use lanparty_client_core::Session;
use lanparty_client_core::overlap::{Overlap, Seat, decide};
use lanparty_client_route::neighbours::Neighbours;
use lanparty_client_route::overlap::{BEHIND_HOME, OwnRow, Surroundings, host_rows, network_row};
use lanparty_client_route::{self as ip, Family, Luid, Route};
use lanparty_proto::VirtualMac;
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often home is asked whether it has an address that a host of the party has: it may come home late.
const ASK_HOME: Duration = Duration::from_secs(300);
/// How often the party is asked for an address that nobody looks for at this moment.
const ASK_PARTY: Duration = Duration::from_secs(30);

/// The rows that we made, and what there is to tell.
pub(crate) struct PartyRows {
    journal: Rc<Journal>,
    adapter: Luid,
    mac: VirtualMac,
    hosts: Vec<(Route, Guard)>,
    network: Option<Kept>,
    sentences: Vec<String>,
    asked_home: BTreeMap<Ipv4Addr, Instant>,
    asked_party: BTreeMap<Ipv4Addr, Instant>,
    errands: Errands,
}

/// What has become of the row of the adapter's own network.
struct Kept {
    /// As Windows has made it.
    row: Route,
    place: OwnRow,
    guard: Guard,
}

impl PartyRows {
    pub(crate) fn new(journal: Rc<Journal>, adapter: Luid, mac: VirtualMac) -> Self {
        PartyRows {
            journal,
            adapter,
            mac,
            hosts: Vec::new(),
            network: None,
            sentences: Vec::new(),
            asked_home: BTreeMap::new(),
            asked_party: BTreeMap::new(),
            errands: Errands::default(),
        }
    }

    /// What home and party both have, in sentences for a person.
    pub(crate) fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// Makes the rows what they should be now.
    ///
    /// # Errors
    /// What Windows says of the first that failed; the others are made.
    pub(crate) fn follow(
        &mut self,
        now: Instant,
        session: &mut Session,
        pins: &Pins,
    ) -> io::Result<()> {
        let pc = self.look(pins)?;
        let Some(seat) = shared_seat(&pc, self.adapter) else {
            session.listen_for_hosts(now, None);
            return self.apply(&pc.routes, None);
        };
        session.listen_for_hosts(now, Some(seat));
        let is_at_home = |host: &Ipv4Addr| {
            let mac = session.hardware_of(*host);
            mac.is_some_and(|mac| pc.neighbours.is_at_home(*host, mac.octets()))
        };
        let heard: Vec<_> = session.hosts().filter(|host| !is_at_home(host)).collect();
        let overlap = decide(&seat, &pc.home(self.adapter), heard);
        if self.errands.may_begin() {
            let lot = self.due_at_home(now, &pc, &seat, &overlap);
            if !lot.is_empty() {
                self.errands.begin(lot, look_at_home);
            }
        }
        let lacking = self.lacking_at_home(now, &pc.neighbours);
        session.look_for_hosts(now, lacking);
        self.apply(&pc.routes, Some((seat, overlap)))
    }

    /// What Windows has, less what we have made. Who is there is looked at only where home has addresses of the party's.
    fn look(&self, pins: &Pins) -> io::Result<Surroundings> {
        let standing = self.journal.standing();
        let is_ours = |row: &Route| {
            let made =
                |change: &Change| matches!(change, Change::Route(ours) if ours.is_same_row(row));
            standing.iter().any(made)
        };
        let mut pc = Surroundings {
            routes: ip::routes(Family::V4)?,
            own: ip::own_addresses()?,
            relays: pins.relays().filter_map(ipv4).collect(),
            ..Surroundings::default()
        };
        pc.routes.retain(|row| !is_ours(row));
        if shared_seat(&pc, self.adapter).is_none() {
            return Ok(pc);
        }
        pc.neighbours = Neighbours::new(ip::neighbours()?, self.adapter, self.mac.addr().octets());
        let mut interfaces: BTreeSet<_> = pc.routes.iter().map(|row| row.interface).collect();
        interfaces.remove(&self.adapter);
        for interface in interfaces {
            if let Ok(name) = ip::interface_name(interface) {
                pc.names.insert(interface, name);
            }
            // Not every interface has a place for them, such as loopback.
            let servers = ip::name_servers(interface, Family::V4).unwrap_or_default();
            pc.name_servers.extend(servers.into_iter().filter_map(ipv4));
        }
        Ok(pc)
    }

    /// Addresses that the party has, to look for at home, and where: what collides need not be in use at this moment, and
    /// what is thought to be at home need not be there any more. What comes of it is among the neighbours then.
    fn due_at_home(
        &mut self,
        now: Instant,
        pc: &Surroundings,
        seat: &Seat,
        overlap: &Overlap,
    ) -> Vec<(Luid, Ipv4Addr)> {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= ASK_HOME;
        self.asked_home.retain(|_, at| !is_old(at));
        let doubles = overlap.doubles.iter().map(|double| double.address);
        let doubted = doubles.filter(|ip| pc.neighbours.is_old(*ip));
        let unknown = overlap.hosts.iter().copied().chain([seat.own]);
        let mut lot = Vec::new();
        for ip in unknown.chain(doubted).collect::<BTreeSet<_>>() {
            if lot.len() >= Errands::LOT {
                break;
            }
            if let Entry::Vacant(entry) = self.asked_home.entry(ip) {
                entry.insert(now);
                let links = pc.links_to(ip, self.adapter).into_iter();
                lot.extend(links.map(|link| (link, ip)));
            }
        }
        lot
    }

    /// Addresses that somebody here wants to reach and home does not have, or has reached at the party before.
    fn lacking_at_home(&mut self, now: Instant, neighbours: &Neighbours) -> Vec<Ipv4Addr> {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= ASK_PARTY;
        self.asked_party.retain(|_, at| !is_old(at));
        let mut lacking: Vec<_> = neighbours.awaited().collect();
        let once = neighbours.missing().chain(neighbours.at_the_party());
        lacking.extend(once.filter(|ip| self.asked_party.insert(*ip, now).is_none()));
        lacking
    }

    fn apply(&mut self, routes: &[Route], decided: Option<(Seat, Overlap)>) -> io::Result<()> {
        let Some((seat, overlap)) = decided else {
            self.hosts.clear();
            self.network = None;
            self.sentences.clear();
            return Ok(());
        };
        self.sentences = overlap.sentences();
        let wanted = host_rows(self.adapter, &overlap);
        self.hosts.retain(|(row, _)| wanted.contains(row));
        let mut outcome = self.keep_network(&seat, OwnRow::decided(&seat, &overlap), routes);
        for row in wanted {
            if self.hosts.iter().any(|(known, _)| *known == row) {
                continue;
            }
            match self.journal.make(Change::Route(row.clone())) {
                Ok(guard) => self.hosts.push((row, guard)),
                // Somebody has made that very row; it stays theirs.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// Puts the row of the party's network in its place, anew when Windows has made the row anew, as with a new lease.
    fn keep_network(&mut self, seat: &Seat, place: OwnRow, routes: &[Route]) -> io::Result<()> {
        let there = network_row(routes, self.adapter, seat);
        let known = self.network.take();
        let known = known.filter(|kept| kept.is_of(self.adapter, seat));
        // In the table it may stand as we have changed it.
        let before = known.as_ref().map(|kept| kept.row.clone());
        let same = known.filter(|kept| kept.place == place);
        let is_in_place = |row: &Route| match place {
            OwnRow::Stays => true,
            OwnRow::Behind => row.metric == BEHIND_HOME,
            OwnRow::Out => false,
        };
        match (same, there) {
            (Some(kept), there) => {
                let outcome = match there.is_none_or(is_in_place) {
                    true => Ok(()),
                    false => self.journal.renew(&kept.guard),
                };
                self.network = Some(kept);
                outcome
            }
            (None, None) => Ok(()),
            (None, Some(row)) => {
                let row = before.unwrap_or_else(|| row.clone());
                let change = match place {
                    OwnRow::Stays => return Ok(()),
                    OwnRow::Behind => Change::RouteMetric {
                        before: row.clone(),
                        after: BEHIND_HOME,
                    },
                    OwnRow::Out => Change::NoRoute(row.clone()),
                };
                let guard = self.journal.make(change)?;
                self.network = Some(Kept { row, place, guard });
                Ok(())
            }
        }
    }
}

impl Kept {
    fn is_of(&self, adapter: Luid, seat: &Seat) -> bool {
        network_row(std::slice::from_ref(&self.row), adapter, seat).is_some()
    }
}

/// The adapter's place at a party whose network home has addresses of.
fn shared_seat(pc: &Surroundings, adapter: Luid) -> Option<Seat> {
    let home = pc.home(adapter);
    let is_shared = |seat: &Seat| decide(seat, &home, []).exists();
    pc.seats(adapter).into_iter().find(is_shared)
}

fn look_at_home((link, ip): (Luid, Ipv4Addr)) {
    // That nobody has it is what one hopes for.
    if let Err(error) = ip::look_for(link, ip) {
        tracing::trace!(%error, %ip, "Nobody at home has an address of the party's");
    }
}

fn ipv4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests;
