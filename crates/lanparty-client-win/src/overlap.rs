//! Rows of the routing table where home has the party's addresses (spec R133), each undone when it is dropped.

use crate::change::Change;
use crate::journal::{Guard, Journal};
use crate::pins::Pins;
use lanparty_client_core::Session;
use lanparty_client_core::overlap::{Overlap, Seat, decide};
use lanparty_client_route::overlap::{BEHIND_HOME, Surroundings, host_rows, network_row};
use lanparty_client_route::{self as ip, Family, Luid, Route};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Instant;

/// The rows that we made, and what there is to tell.
pub(crate) struct PartyRows {
    journal: Rc<Journal>,
    adapter: Luid,
    hosts: Vec<(Route, Guard)>,
    network: Option<(Route, Guard)>,
    sentences: Vec<String>,
}

impl PartyRows {
    pub(crate) fn new(journal: Rc<Journal>, adapter: Luid) -> Self {
        PartyRows {
            journal,
            adapter,
            hosts: Vec::new(),
            network: None,
            sentences: Vec::new(),
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
        let (seats, home) = (pc.seats(self.adapter), pc.home(self.adapter));
        let shared = |seat: &&Seat| decide(seat, &home, []).exists();
        let seat = seats.iter().find(shared).copied();
        session.listen_for_hosts(now, seat);
        let decided = seat.map(|seat| (seat, decide(&seat, &home, session.hosts())));
        self.apply(&pc.routes, decided)
    }

    /// What Windows has, less what we have made.
    fn look(&self, pins: &Pins) -> io::Result<Surroundings> {
        let standing = self.journal.standing();
        let is_ours = |row: &Route| {
            let made =
                |change: &Change| matches!(change, Change::Route(ours) if ours.is_same_row(row));
            standing.iter().any(made)
        };
        let mut routes = ip::routes(Family::V4)?;
        routes.retain(|row| !is_ours(row));
        let interfaces: BTreeSet<_> = routes.iter().map(|row| row.interface).collect();
        let names = interfaces.into_iter();
        Ok(Surroundings {
            names: names
                .filter_map(|luid| Some((luid, ip::interface_name(luid).ok()?)))
                .collect(),
            routes,
            own: ip::own_addresses()?,
            neighbours: ip::neighbours()?,
            relays: pins.relays().filter_map(ipv4).collect(),
        })
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
        let network = match overlap.whole {
            true => None,
            false => network_row(routes, self.adapter, seat.own),
        };
        let mut outcome = self.put_behind(network);
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

    /// Makes the party's network dearer than home's, anew when Windows has made the row anew.
    fn put_behind(&mut self, network: Option<&Route>) -> io::Result<()> {
        let known = self.network.as_ref().map(|(row, _)| row);
        match (network, known) {
            (None, _) => self.network = None,
            (Some(row), Some(known)) if row.is_same_row(known) => {
                if row.metric != BEHIND_HOME
                    && let Some((_, guard)) = &self.network
                {
                    return self.journal.renew(guard);
                }
            }
            (Some(row), _) => {
                self.network = None;
                let change = Change::RouteMetric {
                    before: row.clone(),
                    after: BEHIND_HOME,
                };
                self.network = Some((row.clone(), self.journal.make(change)?));
            }
        }
        Ok(())
    }
}

fn ipv4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_pc::Pc;

    const TAP: Luid = Luid(1);

    #[test]
    fn rows_follow_what_is_decided_and_are_gone_at_the_end() {
        let pc = Pc::default();
        let network = row([192, 168, 1, 0], 24, 256);
        pc.0.borrow_mut().state.routes.push(network.clone());
        let before = pc.state();
        let mut rows = PartyRows::new(pc.journal(), TAP);
        let seat = Seat::new([192, 168, 1, 77].into(), 24);
        let decided = |hosts: &[u8]| Overlap {
            hosts: hosts
                .iter()
                .map(|host| [192, 168, 1, *host].into())
                .collect(),
            ..Overlap::default()
        };
        let follow = |rows: &mut PartyRows, hosts: &[u8]| {
            let routes = pc.state().routes;
            rows.apply(&routes, Some((seat, decided(hosts)))).unwrap();
            pc.state().routes
        };
        let dear = Route {
            metric: BEHIND_HOME,
            ..network.clone()
        };
        let host = |last| row([192, 168, 1, last], 32, 0);
        assert_eq!(
            follow(&mut rows, &[40, 41]),
            [dear.clone(), host(40), host(41)]
        );
        assert_eq!(follow(&mut rows, &[41]), [dear.clone(), host(41)]);
        // Windows makes the row anew with a new lease.
        pc.0.borrow_mut().state.routes[0].metric = 256;
        assert_eq!(follow(&mut rows, &[41]), [dear, host(41)]);
        assert!(pc.disk().contains("RouteMetric"));
        rows.apply(&pc.state().routes, None).unwrap();
        assert_eq!(pc.state(), before);
        assert_eq!(pc.disk(), "");
    }

    #[test]
    fn what_a_killed_run_left_is_undone_and_what_is_gone_needs_no_undoing() {
        for is_gone in [false, true] {
            let pc = Pc::default();
            let network = row([192, 168, 1, 0], 24, 256);
            pc.0.borrow_mut().state.routes.push(network.clone());
            let mut rows = PartyRows::new(pc.journal(), TAP);
            let overlap = Overlap {
                hosts: [[192, 168, 1, 40].into()].into(),
                ..Overlap::default()
            };
            let seat = Seat::new([192, 168, 1, 77].into(), 24);
            rows.apply(&pc.state().routes, Some((seat, overlap)))
                .unwrap();
            std::mem::forget(rows);
            if is_gone {
                pc.0.borrow_mut().state.routes.clear();
            }
            let left = if is_gone { vec![] } else { vec![network] };
            assert_eq!(pc.journal().repair(), 2);
            assert_eq!((pc.state().routes, pc.disk()), (left, String::new()));
        }
    }

    fn row(destination: [u8; 4], prefix_len: u8, metric: u32) -> Route {
        Route {
            destination: Ipv4Addr::from(destination).into(),
            prefix_len,
            interface: TAP,
            next_hop: Ipv4Addr::UNSPECIFIED.into(),
            metric,
        }
    }
}
